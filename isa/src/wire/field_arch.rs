//! `struct field_arch`: 832 bytes, what of a thread's registers travels in TASK_MIGRATE and TASK_MIGRATE_BACK.
//!
//! Its last part is a union of the register sets. Nothing in it says which one: by protocol it is the destination's.

use thiserror::Error;
use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{RegsetAarch64, RegsetX86_64};
use crate::{Isa, RegisterFile, VirtAddr};

/// Size of the union: the largest set, that of aarch64.
const UNION: usize = 784;

/// The architecture field of a migration message.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct FieldArch {
    /// The thread pointer, taken from the source CPU and installed unchanged at the destination.
    pub tls: U64,
    /// Out-of-band words; the kernel never uses them.
    pub oob: [U64; 4],
    /// Whether the thread had live FP state: 0 or 1.
    pub fpu_active: u8,
    /// Padding before the 16-byte aligned union.
    pub pad: [u8; 7],
    /// The register set of the destination's ISA, from the first byte on; the rest is zero.
    pub regs: [u8; UNION],
}

/// A register set of either ISA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regset {
    /// Of x86_64.
    X86_64(RegsetX86_64),
    /// Of aarch64.
    Aarch64(RegsetAarch64),
}

/// Bytes that are not as long as the register set of their ISA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a register set of {isa} has {} bytes, not {found}", Regset::len(*.isa))]
pub struct RegsetSize {
    /// The ISA whose set was expected.
    pub isa: Isa,
    /// The number of bytes that were given.
    pub found: usize,
}

impl Regset {
    /// Size in bytes of the set of an ISA; what the kernel copies from `uregs`.
    pub const fn len(isa: Isa) -> usize {
        match isa {
            Isa::X86_64 => size_of::<RegsetX86_64>(),
            Isa::Aarch64 => size_of::<RegsetAarch64>(),
        }
    }

    /// Reads the set of an ISA from exactly its bytes.
    pub fn from_bytes(isa: Isa, bytes: &[u8]) -> Result<Regset, RegsetSize> {
        let error = RegsetSize {
            isa,
            found: bytes.len(),
        };
        match isa {
            Isa::X86_64 => RegsetX86_64::read_from_bytes(bytes)
                .map(Regset::X86_64)
                .map_err(|_| error),
            Isa::Aarch64 => RegsetAarch64::read_from_bytes(bytes)
                .map(Regset::Aarch64)
                .map_err(|_| error),
        }
    }

    /// The bytes of the set.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Regset::X86_64(set) => set.as_bytes(),
            Regset::Aarch64(set) => set.as_bytes(),
        }
    }

    /// Whose set it is.
    pub fn isa(&self) -> Isa {
        match self {
            Regset::X86_64(_) => Isa::X86_64,
            Regset::Aarch64(_) => Isa::Aarch64,
        }
    }

    /// The set that describes a thread, in the format of its own ISA.
    pub fn capture(regs: &RegisterFile) -> Regset {
        match regs {
            RegisterFile::X86_64(regs) => Regset::X86_64(RegsetX86_64::capture(regs)),
            RegisterFile::Aarch64(regs) => Regset::Aarch64(RegsetAarch64::capture(regs)),
        }
    }

    /// Loads the general registers of the set; FP/SIMD and the thread pointer stay. The file becomes one of the set's ISA.
    pub fn restore(&self, regs: &mut RegisterFile) {
        if regs.isa() != self.isa() {
            *regs = RegisterFile::new(self.isa());
        }
        match (self, regs) {
            (Regset::X86_64(set), RegisterFile::X86_64(regs)) => set.restore(regs),
            (Regset::Aarch64(set), RegisterFile::Aarch64(regs)) => set.restore(regs),
            _ => unreachable!("the file was just given the set's ISA"),
        }
    }

    /// The program counter in the set.
    pub fn pc(&self) -> VirtAddr {
        VirtAddr(match self {
            Regset::X86_64(set) => set.rip.get(),
            Regset::Aarch64(set) => set.pc.get(),
        })
    }

    /// The stack pointer in the set.
    pub fn sp(&self) -> VirtAddr {
        VirtAddr(match self {
            Regset::X86_64(set) => set.rsp.get(),
            Regset::Aarch64(set) => set.sp.get(),
        })
    }

    /// The frame pointer in the set.
    pub fn fp(&self) -> VirtAddr {
        VirtAddr(match self {
            Regset::X86_64(set) => set.rbp.get(),
            Regset::Aarch64(set) => set.x[crate::Aarch64Regs::FP].get(),
        })
    }
}

impl FieldArch {
    /// What `save_thread_info` builds: the thread pointer of the source CPU and a set in the destination's format.
    pub fn new(tls: VirtAddr, fpu_active: bool, regset: &Regset) -> FieldArch {
        let mut field = FieldArch {
            tls: U64::new(tls.0),
            fpu_active: u8::from(fpu_active),
            ..FieldArch::new_zeroed()
        };
        let bytes = regset.as_bytes();
        field.regs[..bytes.len()].copy_from_slice(bytes);
        field
    }

    /// The union read as the set of an ISA.
    pub fn regset(&self, isa: Isa) -> Regset {
        Regset::from_bytes(isa, &self.regs[..Regset::len(isa)])
            .expect("the union is as long as its longest set")
    }

    /// What `restore_thread_info` does: the set of the file's own ISA, then the thread pointer.
    ///
    /// As in the kernel, x86_64 keeps its FS base when the field says 0, and aarch64 always takes what it says.
    pub fn restore(&self, regs: &mut RegisterFile) {
        let isa = regs.isa();
        self.regset(isa).restore(regs);
        if isa == Isa::Aarch64 || self.tls.get() != 0 {
            regs.set_tls(VirtAddr(self.tls.get()));
        }
    }
}

const _: () = {
    assert!(size_of::<RegsetX86_64>() == 624 && align_of::<RegsetX86_64>() == 1);
    assert!(size_of::<RegsetAarch64>() == 784 && align_of::<RegsetAarch64>() == 1);
    assert!(size_of::<FieldArch>() == 832 && align_of::<FieldArch>() == 1);
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn offsets_are_those_of_the_kernel() {
        assert_eq!(offset_of!(FieldArch, tls), 0);
        assert_eq!(offset_of!(FieldArch, oob), 8);
        assert_eq!(offset_of!(FieldArch, fpu_active), 40);
        assert_eq!(offset_of!(FieldArch, regs), 48);
    }

    #[test]
    fn a_thread_arrives_with_its_general_registers_only() {
        for isa in Isa::ALL {
            let mut source = RegisterFile::new(isa);
            source.set_pc(VirtAddr(0x40_1000));
            source.set_sp(VirtAddr(0x7fff_0000));
            source.set_fp(VirtAddr(0x7fff_0010));
            source.set_call_args(&[1, 2, 3]);
            source.set_tls(VirtAddr(0x60_0000));
            let mut expected = source.clone();
            source.poison_simd(0xdb);
            let set = Regset::capture(&source);
            assert_eq!(
                (set.pc(), set.sp(), set.fp()),
                (source.pc(), source.sp(), source.fp())
            );
            if isa == Isa::X86_64 {
                // The arithmetic flags travel on x86_64 alone.
                let flags = source.as_x86_64().unwrap().rflags;
                let RegisterFile::X86_64(expected) = &mut expected else {
                    unreachable!()
                };
                expected.rflags = flags;
            }
            let field = FieldArch::new(source.tls(), true, &set);
            let mut arrived = RegisterFile::new(isa);
            field.restore(&mut arrived);
            assert_eq!(arrived, expected, "{isa}");
        }
    }

    #[test]
    fn a_zero_thread_pointer_is_ignored_on_x86_64_only() {
        for (isa, kept) in [(Isa::X86_64, 5), (Isa::Aarch64, 0)] {
            let mut regs = RegisterFile::new(isa);
            regs.set_tls(VirtAddr(5));
            FieldArch::new(
                VirtAddr(0),
                false,
                &Regset::capture(&RegisterFile::new(isa)),
            )
            .restore(&mut regs);
            assert_eq!(regs.tls(), VirtAddr(kept), "{isa}");
        }
    }

    #[test]
    fn a_set_of_the_other_isa_changes_the_file() {
        for (from, to) in [(Isa::X86_64, Isa::Aarch64), (Isa::Aarch64, Isa::X86_64)] {
            let mut there = RegisterFile::new(to);
            there.set_pc(VirtAddr(0x1234));
            let mut regs = RegisterFile::new(from);
            Regset::capture(&there).restore(&mut regs);
            assert_eq!(regs, there);
        }
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for isa in Isa::ALL {
            let right = vec![0; Regset::len(isa)];
            assert!(Regset::from_bytes(isa, &right).is_ok());
            for wrong in [0, right.len() - 1, right.len() + 1] {
                assert_eq!(
                    Regset::from_bytes(isa, &vec![0; wrong]),
                    Err(RegsetSize { isa, found: wrong })
                );
            }
        }
        let error = Regset::from_bytes(Isa::X86_64, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a register set of x86_64 has 624 bytes, not 0"
        );
    }
}
