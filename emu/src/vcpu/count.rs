//! How many instructions a translated block has: what makes the engine's blocks into an exact count.
//!
//! aarch64 needs a division by 4. x86_64 needs a decoder, and two caches so that it runs once for a block. The first cache is what
//! the block hook looks at: by virtual address and size, valid until the TLB is flushed. The second is by physical address and size
//! and survives flushes; it goes when code is written. A REP string instruction counts
//! once for each time that it looks at its counter: for each iteration, and for finding none left. The engine makes a block of each.
//!
//! What the engine takes for illegal ends its block, so that a different opinion of the decoder about the length of such an
//! instruction changes nothing: it is the last one, and it is taken back when it faults.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

/// A block: its address in the upper 51 bits, its size in bytes in the lower 13.
///
/// User addresses have 47 bits (x86_64) or 48 (aarch64), and blocks at most a page and one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block(u64);

impl Block {
    const SIZE_BITS: u32 = 13;

    #[inline]
    pub fn new(address: u64, size: u32) -> Self {
        Self(address << Self::SIZE_BITS | u64::from(size))
    }

    pub fn start(self) -> u64 {
        self.0 >> Self::SIZE_BITS
    }

    pub fn size(self) -> usize {
        (self.0 & ((1 << Self::SIZE_BITS) - 1)) as usize
    }

    pub fn end(self) -> u64 {
        self.start() + self.size() as u64
    }

    pub fn contains(self, address: u64) -> bool {
        (self.start()..self.end()).contains(&address)
    }
}

/// A block with its number of instructions.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(16))]
pub(super) struct Counted {
    pub block: Block,
    pub instructions: u64,
}

impl Counted {
    /// No block.
    pub const NONE: Self = Self {
        block: Block(0),
        instructions: 0,
    };
}

/// A direct-mapped cache of counts.
#[derive(Debug)]
#[repr(C)]
pub(super) struct CountCache<const ENTRIES: usize> {
    // A box of an array, not of a slice: the block hook does without a check of the bounds.
    entries: Box<[Counted; ENTRIES]>,
    filled: Vec<u32>,
}

impl<const ENTRIES: usize> CountCache<ENTRIES> {
    pub fn new() -> Self {
        let entries = vec![Counted::NONE; ENTRIES]
            .try_into()
            .expect("the length is that of the array");
        Self {
            entries,
            filled: Vec::new(),
        }
    }

    #[inline]
    fn slot(block: Block) -> usize {
        // Neighbouring blocks differ in the lowest address bits; x86_64 blocks may start at any byte.
        let address = block.0 >> Block::SIZE_BITS;
        (address ^ address >> 16) as usize & (ENTRIES - 1)
    }

    /// The entry of a block, or of another one in its place.
    #[inline]
    pub fn look(&self, block: Block) -> Counted {
        const { assert!(ENTRIES.is_power_of_two()) };
        self.entries[Self::slot(block)]
    }

    /// The count of a block, if it is here.
    pub fn get(&self, block: Block) -> Option<u64> {
        let entry = self.look(block);
        (entry.block == block && entry.instructions != 0).then_some(entry.instructions)
    }

    pub fn put(&mut self, counted: Counted) {
        let slot = Self::slot(counted.block);
        if self.entries[slot].instructions == 0 {
            self.filled.push(slot as u32);
        }
        self.entries[slot] = counted;
    }

    /// Forgets everything, in time proportional to what there is.
    pub fn clear(&mut self) {
        for slot in self.filled.drain(..) {
            self.entries[slot as usize] = Counted::NONE;
        }
    }
}

/// The instructions of a piece of x86_64 code, one by one.
pub(super) fn decode(address: u64, code: &[u8]) -> impl Iterator<Item = Instruction> + '_ {
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NO_INVALID_CHECK);
    std::iter::from_fn(move || decoder.can_decode().then(|| decoder.decode()))
}

/// What the decoder finds in an x86_64 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Instructions that start before the limit.
    pub instructions: u64,
    /// The first instruction among all that the engine must not run.
    pub foreign: Option<(u64, Foreign)>,
}

/// What the engine would do wrong in user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// The one-byte `int1`: the engine would wait for a debugger.
    Int1,
    /// `in`, `out`, `ins`, `outs`: the engine would allow them.
    PortIo,
}

/// Counts the instructions of a block that start before `limit`.
pub(super) fn scan(address: u64, code: &[u8], limit: u64) -> Scan {
    let mut scan = Scan {
        instructions: 0,
        foreign: None,
    };
    for instruction in decode(address, code).take_while(|instruction| instruction.ip() < limit) {
        scan.instructions += 1;
        let foreign = match instruction.mnemonic() {
            Mnemonic::Int1 => Foreign::Int1,
            Mnemonic::In | Mnemonic::Out => Foreign::PortIo,
            Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => Foreign::PortIo,
            Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => Foreign::PortIo,
            _ => continue,
        };
        scan.foreign.get_or_insert((instruction.ip(), foreign));
    }
    scan
}

/// The address of the first instruction that does not lie whole in `code`.
pub(super) fn first_incomplete(address: u64, code: &[u8]) -> Option<u64> {
    decode(address, code)
        .find(|instruction| {
            instruction.is_invalid() || instruction.next_ip() > address + code.len() as u64
        })
        .map(|instruction| instruction.ip())
}

/// What matters of a single x86_64 instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `div` or `idiv`.
    Divide,
    /// May run again and again as a block of its own: REP string instructions, and direct branches to themselves.
    SelfLoop,
    /// Anything else, also what is no instruction.
    Other,
}

/// Classifies the instruction at the start of `code`.
pub(super) fn classify(address: u64, code: &[u8]) -> Kind {
    let Some(instruction) = decode(address, code).next() else {
        return Kind::Other;
    };
    let to_itself = instruction.op_count() == 1
        && instruction.op0_kind() == OpKind::NearBranch64
        && instruction.near_branch_target() == address;
    match instruction.mnemonic() {
        Mnemonic::Div | Mnemonic::Idiv => Kind::Divide,
        _ if to_itself || instruction.has_rep_prefix() || instruction.has_repne_prefix() => {
            Kind::SelfLoop
        }
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_address_and_size() {
        let block = Block::new(0x7fff_ffff_fff3, 4111);
        assert_eq!(
            (block.start(), block.size(), block.end()),
            (0x7fff_ffff_fff3, 4111, 0x8000_0000_1002)
        );
        assert!(block.contains(0x7fff_ffff_fff3) && !block.contains(0x8000_0000_1002));
    }

    #[test]
    fn counts() {
        type Case = (&'static [u8], u64, Option<(u64, Foreign)>);
        // (code, instructions, foreign)
        let cases: [Case; 8] = [
            (b"", 0, None),
            (b"\x90", 1, None),
            (b"\x90\x90\xf1", 3, Some((0x1002, Foreign::Int1))),
            (b"\x90\xe4\x60\xf3\x6c", 3, Some((0x1001, Foreign::PortIo))), // in al, 0x60; rep insb
            (b"\xf3\x48\xab", 1, None),                                    // rep stosq
            (b"\x48\xb8\xf1\xf1\xf1\xf1\xf1\xf1\xf1\xf1\xc3", 2, None),    // movabs, ret
            (b"\x0f\x0b", 1, None),                                        // ud2
            (b"\x90\xc5", 2, None), // cut inside a VEX prefix
        ];
        for (code, instructions, foreign) in cases {
            assert_eq!(
                scan(0x1000, code, u64::MAX),
                Scan {
                    instructions,
                    foreign
                },
                "{code:x?}"
            );
        }
        assert_eq!(scan(0x1000, b"\x90\x90\x90", 0x1002).instructions, 2);
    }

    #[test]
    fn kinds() {
        let cases: [(&[u8], Kind); 7] = [
            (b"\xf7\xf1", Kind::Divide),
            (b"\x48\xf7\x3f", Kind::Divide),
            (b"\xf3\xaa", Kind::SelfLoop),
            (b"\xaa", Kind::Other),
            (b"\xe2\xfe", Kind::SelfLoop),
            (b"\xe8\xfb\xff\xff\xff", Kind::SelfLoop),
            (b"\xe8\0\0\0\0", Kind::Other),
        ];
        for (code, kind) in cases {
            assert_eq!(classify(0x1000, code), kind, "{code:x?}");
        }
    }

    #[test]
    fn where_code_runs_over_the_end() {
        assert_eq!(first_incomplete(0xff0, b"\x90\x90\xe8\0\0"), Some(0xff2));
        assert_eq!(first_incomplete(0xff0, b"\x90\x90"), None);
    }

    #[test]
    fn a_cache_forgets_all_it_had() {
        let mut cache = CountCache::<16>::new();
        let blocks: Vec<Block> = (0..40).map(|i| Block::new(i * 3, 3)).collect();
        for (instructions, &block) in (1..).zip(&blocks) {
            cache.put(Counted {
                block,
                instructions,
            });
            assert_eq!(cache.get(block), Some(instructions));
        }
        cache.clear();
        assert!(blocks.iter().all(|&block| cache.get(block).is_none()));
    }
}
