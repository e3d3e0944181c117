//! The physical memory of one node: one anonymous mapping of the host, 4 KiB frames counted from 0, shared by the node's kernel and vCPUs.
//!
//! The host commits a frame when it is first touched, so a large memory costs what its guests use. A [`PhysAddr`] is an offset into
//! the mapping. Left out: device memory, holes, NUMA.
//!
//! Two sides reach the same bytes. The kernel reads and writes through [`PhysMemory`], with relaxed atomic accesses; guest code runs
//! as machine code of the engine, outside the Rust abstract machine, as another device on the bus would. So neither can make the
//! other undefined; that they do not mix up each other's data is the kernel's business, as on hardware.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use isa::{PAGE_SIZE, PhysAddr};
use kernel_model::PhysMemory;
use thiserror::Error;

use crate::vcpu::CodeTracker;

/// Most frames that a node can have: 1 TiB, far below what the engine's physical address space holds.
pub const MAX_FRAMES: u64 = 1 << 28;

/// Why there is no memory.
#[derive(Debug, Error)]
pub enum MemoryError {
    /// A size that no node can have.
    #[error(
        "a node cannot have {frames} frames of memory: it needs at least 1 and at most {MAX_FRAMES}"
    )]
    Size {
        /// Frames asked for.
        frames: u64,
    },
    /// The host refuses.
    #[error("the host has no room for {frames} frames of 4 KiB of node memory: {source}")]
    Host {
        /// Frames asked for.
        frames: u64,
        /// What the host says.
        source: io::Error,
    },
}

/// Physical memory of one node, zero at first.
#[derive(Debug)]
pub struct Arena {
    base: NonNull<u8>,
    frames: u64,
    code: CodeTracker,
}

// SAFETY: the mapping belongs to the arena alone until it is dropped, whatever thread that happens on, and nothing in it is
// tied to a thread.
unsafe impl Send for Arena {}

// SAFETY: through a shared reference the bytes are only reached by atomic accesses (`read`, `write`), which may race. Guest code
// reaches them through the engine, which is no Rust code; every vCPU keeps the arena alive as long as the engine knows the address.
unsafe impl Sync for Arena {}

impl Arena {
    /// Reserves memory of that many frames. Nothing is committed yet.
    pub fn new(frames: u64) -> Result<Self, MemoryError> {
        if frames == 0 || frames > MAX_FRAMES {
            return Err(MemoryError::Size { frames });
        }
        // SAFETY: a fresh anonymous private mapping at an address of the host's choice touches no existing memory.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                (frames * PAGE_SIZE) as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(MemoryError::Host {
                frames,
                source: io::Error::last_os_error(),
            });
        }
        let base = NonNull::new(address.cast())
            .expect("mmap does not place an anonymous mapping at address 0");
        Ok(Self {
            base,
            frames,
            code: CodeTracker::new(frames),
        })
    }

    /// Start of the mapping, for the vCPUs only.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.frames * PAGE_SIZE
    }

    /// An arena has at least one frame.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Which vCPUs hold code of which frames.
    pub(crate) fn code(&self) -> &CodeTracker {
        &self.code
    }

    /// The byte at an address with `len - 1` bytes of the arena behind it.
    fn at(&self, addr: PhysAddr, len: usize) -> NonNull<u8> {
        let size = self.len();
        assert!(
            addr.0 <= size && len as u64 <= size - addr.0,
            "access to physical {addr} of {len} bytes, but the node's memory ends at {size:#x}"
        );
        // SAFETY: the offset is inside the mapping or one past it (for an empty access), as just checked.
        unsafe { self.base.add(addr.0 as usize) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` with this size, and nobody has it any more: vCPUs share ownership of the arena.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len() as usize) };
    }
}

/// Length of the part of an access before the first 8-byte boundary.
fn unaligned_head(addr: PhysAddr, len: usize) -> usize {
    (addr.0.wrapping_neg() % 8).min(len as u64) as usize
}

impl PhysMemory for Arena {
    fn frames(&self) -> u64 {
        self.frames
    }

    fn read(&self, addr: PhysAddr, out: &mut [u8]) {
        let start = self.at(addr, out.len());
        let (head, rest) = out.split_at_mut(unaligned_head(addr, out.len()));
        let mut at = 0;
        let byte = |at: usize| {
            // SAFETY: `at` stays below the length that `Arena::at` has checked; the mapping is readable and writable and lives as long
            // as `self`. All Rust accesses to it are atomic, of mixed sizes but on naturally aligned addresses.
            unsafe { AtomicU8::from_ptr(start.add(at).as_ptr()) }.load(Ordering::Relaxed)
        };
        for out in head {
            *out = byte(at);
            at += 1;
        }
        let mut words = rest.chunks_exact_mut(8);
        for out in &mut words {
            // SAFETY: as above, and 8 bytes from `at` are inside; the mapping is page-aligned and the head ended at a multiple of 8.
            let word = unsafe { AtomicU64::from_ptr(start.add(at).as_ptr().cast()) };
            out.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
            at += 8;
        }
        for out in words.into_remainder() {
            *out = byte(at);
            at += 1;
        }
    }

    fn write(&self, addr: PhysAddr, bytes: &[u8]) {
        let start = self.at(addr, bytes.len());
        let (head, rest) = bytes.split_at(unaligned_head(addr, bytes.len()));
        let mut at = 0;
        let put = |at: usize, byte: u8| {
            // SAFETY: as in `read`.
            unsafe { AtomicU8::from_ptr(start.add(at).as_ptr()) }.store(byte, Ordering::Relaxed)
        };
        for &byte in head {
            put(at, byte);
            at += 1;
        }
        let (words, tail) = rest.as_chunks::<8>();
        for word in words {
            // SAFETY: as in `read`: inside the mapping and aligned.
            let slot = unsafe { AtomicU64::from_ptr(start.add(at).as_ptr().cast()) };
            slot.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
            at += 8;
        }
        for &byte in tail {
            put(at, byte);
            at += 1;
        }
        if !bytes.is_empty() {
            let last = PhysAddr(addr.0 + bytes.len() as u64 - 1);
            self.code.written_by_kernel(addr.pfn(), last.pfn());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_whatever_their_alignment() {
        let arena = Arena::new(2).unwrap();
        for start in [0, 1, 7, 8, 4093, 4096] {
            for len in [0, 1, 3, 8, 9, 17, 64, 4096] {
                if start + len > 8192 {
                    continue;
                }
                let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + start + len) as u8).collect();
                arena.write(PhysAddr(start), &bytes);
                let mut back = vec![0; bytes.len()];
                arena.read(PhysAddr(start), &mut back);
                assert_eq!(back, bytes, "{len} bytes at {start}");
            }
        }
    }

    #[test]
    fn a_write_touches_nothing_else() {
        let arena = Arena::new(1).unwrap();
        arena.write(PhysAddr(0), &[0xff; 64]);
        arena.write(PhysAddr(13), &[0; 22]);
        let mut back = [0; 64];
        arena.read(PhysAddr(0), &mut back);
        let zeros: Vec<usize> = (0..64).filter(|&i| back[i] == 0).collect();
        assert_eq!(zeros, (13..35).collect::<Vec<_>>());
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for frames in [0, MAX_FRAMES + 1, u64::MAX] {
            let error = Arena::new(frames).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "a node cannot have {frames} frames of memory: it needs at least 1 and at most 268435456"
                )
            );
        }
    }

    #[test]
    fn a_large_memory_is_reserved_not_used() {
        let arena = Arena::new(1 << 22).unwrap();
        let mut byte = [1];
        arena.read(PhysAddr(arena.len() - 1), &mut byte);
        assert_eq!(byte, [0]);
    }

    #[test]
    #[should_panic(expected = "memory ends at 0x1000")]
    fn an_address_beyond_the_end_is_a_bug_of_the_kernel() {
        Arena::new(1).unwrap().read(PhysAddr(4090), &mut [0; 7]);
    }

    #[test]
    #[should_panic(expected = "memory ends at 0x1000")]
    fn an_address_that_wraps_is_a_bug_of_the_kernel() {
        Arena::new(1).unwrap().write(PhysAddr(u64::MAX), &[0; 7]);
    }
}
