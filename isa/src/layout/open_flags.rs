//! Flags of `open` and `fcntl(F_SETFL)`: four of them have other values on aarch64.
//!
//! Source: include/uapi/asm-generic/fcntl.h, which x86_64 follows, and arch/arm64/include/uapi/asm/fcntl.h.

use bitflags::bitflags;

use crate::Isa;

bitflags! {
    /// How a file is opened, for either ISA. The bits are those of x86_64.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        /// Write only. With neither this nor `RDWR` the file is opened to read.
        const WRONLY = 0o1;
        /// Read and write.
        const RDWR = 0o2;
        /// Create the file if it is missing.
        const CREAT = 0o100;
        /// Fail if it is there.
        const EXCL = 0o200;
        /// Do not make it the controlling terminal.
        const NOCTTY = 0o400;
        /// Cut it to length 0.
        const TRUNC = 0o1000;
        /// Write at the end.
        const APPEND = 0o2000;
        /// Do not wait.
        const NONBLOCK = 0o4000;
        /// Write data through.
        const DSYNC = 0o10000;
        /// Signal when input or output is possible.
        const ASYNC = 0o20000;
        /// Bypass the page cache.
        const DIRECT = 0o40000;
        /// Offsets need 64 bits.
        const LARGEFILE = 0o100000;
        /// Fail if it is no directory.
        const DIRECTORY = 0o200000;
        /// Fail if it is a symbolic link.
        const NOFOLLOW = 0o400000;
        /// Leave the access time alone.
        const NOATIME = 0o1000000;
        /// Close on execve.
        const CLOEXEC = 0o2000000;
        /// With `DSYNC`: write data and metadata through (`__O_SYNC`).
        const SYNC = 0o4000000;
        /// Only name the place in the file system.
        const PATH = 0o10000000;
        /// With `DIRECTORY`: an unnamed file (`__O_TMPFILE`).
        const TMPFILE = 0o20000000;
    }
}

/// Neutral flag and its value on aarch64, where that is another.
const AARCH64: [(OpenFlags, u32); 4] = [
    (OpenFlags::DIRECTORY, 0o40000),
    (OpenFlags::NOFOLLOW, 0o100000),
    (OpenFlags::DIRECT, 0o200000),
    (OpenFlags::LARGEFILE, 0o400000),
];

impl OpenFlags {
    /// Reads the flags of a program of an ISA. Unknown bits are dropped, as Linux's `open` does.
    pub fn decode(isa: Isa, raw: u32) -> OpenFlags {
        match isa {
            Isa::X86_64 => OpenFlags::from_bits_truncate(raw),
            Isa::Aarch64 => {
                let mut flags = OpenFlags::from_bits_truncate(raw) - differing();
                for (flag, value) in AARCH64 {
                    flags.set(flag, raw & value != 0);
                }
                flags
            }
        }
    }

    /// The flags as a program of an ISA knows them.
    pub fn encode(self, isa: Isa) -> u32 {
        match isa {
            Isa::X86_64 => self.bits(),
            Isa::Aarch64 => {
                let same = (self - differing()).bits();
                AARCH64
                    .iter()
                    .filter(|(flag, _)| self.contains(*flag))
                    .fold(same, |raw, (_, value)| raw | value)
            }
        }
    }

    /// Whether the file may be read.
    pub fn readable(self) -> bool {
        !self.contains(OpenFlags::WRONLY)
    }

    /// Whether the file may be written.
    pub fn writable(self) -> bool {
        self.intersects(OpenFlags::WRONLY | OpenFlags::RDWR)
    }
}

fn differing() -> OpenFlags {
    AARCH64.iter().map(|&(flag, _)| flag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_that_differ() {
        // (neutral, x86_64, aarch64)
        let cases = [
            (OpenFlags::DIRECTORY, 0o200000, 0o040000),
            (OpenFlags::NOFOLLOW, 0o400000, 0o100000),
            (OpenFlags::DIRECT, 0o040000, 0o200000),
            (OpenFlags::LARGEFILE, 0o100000, 0o400000),
            (
                OpenFlags::CREAT | OpenFlags::RDWR | OpenFlags::CLOEXEC,
                0o2000102,
                0o2000102,
            ),
            (
                OpenFlags::DIRECTORY | OpenFlags::CLOEXEC,
                0o2200000,
                0o2040000,
            ),
        ];
        for (flags, x86_64, aarch64) in cases {
            for (isa, raw) in [(Isa::X86_64, x86_64), (Isa::Aarch64, aarch64)] {
                assert_eq!(flags.encode(isa), raw, "{flags:?} on {isa}");
                assert_eq!(OpenFlags::decode(isa, raw), flags, "{raw:o} on {isa}");
            }
        }
    }

    #[test]
    fn every_flag_there_and_back_and_unknown_bits_dropped() {
        for isa in Isa::ALL {
            for flag in OpenFlags::all().iter() {
                assert_eq!(OpenFlags::decode(isa, flag.encode(isa)), flag);
            }
            assert_eq!(OpenFlags::decode(isa, u32::MAX), OpenFlags::all());
            assert_eq!(OpenFlags::decode(isa, 1 << 30), OpenFlags::empty());
        }
    }

    #[test]
    fn access_modes() {
        let modes = [OpenFlags::empty(), OpenFlags::WRONLY, OpenFlags::RDWR];
        assert_eq!(modes.map(OpenFlags::readable), [true, false, true]);
        assert_eq!(modes.map(OpenFlags::writable), [false, true, true]);
    }
}
