//! Random draws of one seed (splitmix64), and what is done to bytes and text with them.

/// Values that limits, signs and overflows are tried with.
const ODD: [u64; 16] = [
    0,
    1,
    7,
    0xff,
    0xfff,
    0x1000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x40_0000,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_f000,
    u64::MAX,
];

/// A stream of draws.
pub struct Draws(u64);

impl Draws {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    /// A value that is likely to be wrong in an interesting way.
    pub fn odd(&mut self) -> u64 {
        match self.below(3) {
            0 => self.next(),
            1 => self.next() & 0xffff,
            _ => *self.pick(&ODD),
        }
    }

    /// Changes something in a range of bytes.
    pub fn spoil(&mut self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        match self.below(5) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.odd() as u8,
            // A field of a structure, most of which lie at multiples of their size.
            2 => {
                let size = *self.pick(&[2, 4, 8]);
                let at = at / size * size;
                let value = self.odd().to_le_bytes();
                let end = (at + size).min(bytes.len());
                bytes[at..end].copy_from_slice(&value[..end - at]);
            }
            3 => {
                let end = (at + self.below(64)).min(bytes.len());
                bytes[at..end]
                    .iter_mut()
                    .for_each(|b| *b = self.next() as u8);
            }
            _ => {
                let end = (at + self.below(64)).min(bytes.len());
                let from = self.below(bytes.len() - (end - at) + 1);
                bytes.copy_within(from..from + (end - at), at);
            }
        }
    }
}
