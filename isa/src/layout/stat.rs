//! `struct stat`, whose fields sit in another order on each ISA.
//!
//! Source: arch/x86/include/uapi/asm/stat.h (144 bytes) and include/uapi/asm-generic/stat.h (128 bytes, aarch64). Left out: statx,
//! which is the same everywhere.

use zerocopy::little_endian::{I32, I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Timespec;
use crate::Isa;

/// What `stat` tells of a file, for either ISA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Device of the file system.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type ([`FileType::mode_bits`]) and permissions.
    pub mode: u32,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device file.
    pub rdev: u64,
    /// Size in bytes.
    pub size: i64,
    /// Preferred size of transfers in bytes.
    pub blksize: i32,
    /// Space used, in units of 512 bytes.
    pub blocks: i64,
    /// Last access.
    pub atime: Timespec,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
}

/// What sort of file an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the file types of inode(7)")]
pub enum FileType {
    Fifo,
    CharDevice,
    Directory,
    BlockDevice,
    Regular,
    Symlink,
    Socket,
}

impl FileType {
    /// The `S_IF...` bits of `mode`.
    pub const fn mode_bits(self) -> u32 {
        (match self {
            FileType::Fifo => 0o01,
            FileType::CharDevice => 0o02,
            FileType::Directory => 0o04,
            FileType::BlockDevice => 0o06,
            FileType::Regular => 0o10,
            FileType::Symlink => 0o12,
            FileType::Socket => 0o14,
        }) << 12
    }
}

/// As x86_64 lays it out.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StatX86_64 {
    dev: U64,
    ino: U64,
    nlink: U64,
    mode: U32,
    uid: U32,
    gid: U32,
    pad: U32,
    rdev: U64,
    size: I64,
    blksize: I64,
    blocks: I64,
    atime: Timespec,
    mtime: Timespec,
    ctime: Timespec,
    unused: [U64; 3],
}

/// As aarch64 lays it out.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StatAarch64 {
    dev: U64,
    ino: U64,
    mode: U32,
    nlink: U32,
    uid: U32,
    gid: U32,
    rdev: U64,
    pad1: U64,
    size: I64,
    blksize: I32,
    pad2: U32,
    blocks: I64,
    atime: Timespec,
    mtime: Timespec,
    ctime: Timespec,
    unused: [U32; 2],
}

const _: () = assert!(size_of::<StatX86_64>() == 144 && size_of::<StatAarch64>() == 128);

impl Stat {
    /// Size in bytes of `struct stat` on an ISA.
    pub const fn size_on(isa: Isa) -> usize {
        match isa {
            Isa::X86_64 => size_of::<StatX86_64>(),
            Isa::Aarch64 => size_of::<StatAarch64>(),
        }
    }

    /// The bytes that a program of an ISA expects.
    pub fn encode(&self, isa: Isa) -> Vec<u8> {
        match isa {
            Isa::X86_64 => StatX86_64 {
                dev: self.dev.into(),
                ino: self.ino.into(),
                nlink: u64::from(self.nlink).into(),
                mode: self.mode.into(),
                uid: self.uid.into(),
                gid: self.gid.into(),
                pad: U32::ZERO,
                rdev: self.rdev.into(),
                size: self.size.into(),
                blksize: i64::from(self.blksize).into(),
                blocks: self.blocks.into(),
                atime: self.atime,
                mtime: self.mtime,
                ctime: self.ctime,
                unused: [U64::ZERO; 3],
            }
            .as_bytes()
            .to_vec(),
            Isa::Aarch64 => StatAarch64 {
                dev: self.dev.into(),
                ino: self.ino.into(),
                mode: self.mode.into(),
                nlink: self.nlink.into(),
                uid: self.uid.into(),
                gid: self.gid.into(),
                rdev: self.rdev.into(),
                pad1: U64::ZERO,
                size: self.size.into(),
                blksize: self.blksize.into(),
                pad2: U32::ZERO,
                blocks: self.blocks.into(),
                atime: self.atime,
                mtime: self.mtime,
                ctime: self.ctime,
                unused: [U32::ZERO; 2],
            }
            .as_bytes()
            .to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_at_its_offset() {
        let stat = Stat {
            dev: 1,
            ino: 2,
            mode: 3,
            nlink: 4,
            uid: 5,
            gid: 6,
            rdev: 7,
            size: 8,
            blksize: 9,
            blocks: 10,
            atime: Timespec::new(11, 12),
            mtime: Timespec::new(13, 14),
            ctime: Timespec::new(15, 16),
        };
        // Offsets of the values 1 to 16, as `offsetof` gives them for the system's own struct stat.
        let cases = [
            (
                Isa::X86_64,
                144,
                [
                    0, 8, 24, 16, 28, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112,
                ],
            ),
            (
                Isa::Aarch64,
                128,
                [
                    0, 8, 16, 20, 24, 28, 32, 48, 56, 64, 72, 80, 88, 96, 104, 112,
                ],
            ),
        ];
        for (isa, size, offsets) in cases {
            let bytes = stat.encode(isa);
            assert_eq!((bytes.len(), Stat::size_on(isa)), (size, size));
            for (value, offset) in (1..).zip(offsets) {
                assert_eq!(bytes[offset], value, "value {value} on {isa}");
            }
            assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 16);
        }
    }

    #[test]
    fn file_types() {
        assert_eq!(FileType::Regular.mode_bits(), 0o100000);
        assert_eq!(FileType::CharDevice.mode_bits(), 0o020000);
        assert_eq!(FileType::Directory.mode_bits(), 0o040000);
        assert_eq!(FileType::Socket.mode_bits(), 0o140000);
    }
}
