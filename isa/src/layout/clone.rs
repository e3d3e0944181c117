//! Arguments of `clone`: the thread pointer and the child's tid pointer change places between the ISAs.
//!
//! x86_64: flags, stack, parent tid, child tid, tls. aarch64 (CONFIG_CLONE_BACKWARDS): flags, stack, parent tid, tls, child tid.
//! Left out: clone3, whose argument structure is the same everywhere.

use bitflags::bitflags;

use crate::{Isa, VirtAddr};

bitflags! {
    /// What the child shares with its parent (include/uapi/linux/sched.h). The low byte of the word, the signal, is kept apart.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct CloneFlags: u64 {
        /// The address space.
        const VM = 0x100;
        /// Working directory, root and umask.
        const FS = 0x200;
        /// The file descriptor table.
        const FILES = 0x400;
        /// The signal handlers.
        const SIGHAND = 0x800;
        /// Give a file descriptor of the child.
        const PIDFD = 0x1000;
        /// Let a tracer follow.
        const PTRACE = 0x2000;
        /// Suspend the parent until the child execs or ends.
        const VFORK = 0x4000;
        /// The caller's parent becomes the child's.
        const PARENT = 0x8000;
        /// The thread group.
        const THREAD = 0x1_0000;
        /// A new mount namespace.
        const NEWNS = 0x2_0000;
        /// The semaphore undo list.
        const SYSVSEM = 0x4_0000;
        /// Set the thread pointer.
        const SETTLS = 0x8_0000;
        /// Store the child's tid for the parent.
        const PARENT_SETTID = 0x10_0000;
        /// Clear the tid and wake its futex when the child ends.
        const CHILD_CLEARTID = 0x20_0000;
        /// Ignored by Linux.
        const DETACHED = 0x40_0000;
        /// No tracer may force `PTRACE`.
        const UNTRACED = 0x80_0000;
        /// Store the tid in the child.
        const CHILD_SETTID = 0x100_0000;
        /// A new cgroup namespace.
        const NEWCGROUP = 0x200_0000;
        /// A new host name namespace.
        const NEWUTS = 0x400_0000;
        /// A new IPC namespace.
        const NEWIPC = 0x800_0000;
        /// A new user namespace.
        const NEWUSER = 0x1000_0000;
        /// A new pid namespace.
        const NEWPID = 0x2000_0000;
        /// A new network namespace.
        const NEWNET = 0x4000_0000;
        /// The I/O context.
        const IO = 0x8000_0000;
    }
}

/// A call of `clone`, for either ISA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloneArgs {
    /// What is shared.
    pub flags: CloneFlags,
    /// The signal that the parent gets when the child ends; 0 for threads.
    pub exit_signal: u8,
    /// The child's stack pointer; 0 keeps the parent's.
    pub stack: VirtAddr,
    /// Where the child's tid is stored for the parent.
    pub parent_tid: VirtAddr,
    /// Where the child's tid is stored and cleared for the child.
    pub child_tid: VirtAddr,
    /// The child's thread pointer, if [`CloneFlags::SETTLS`].
    pub tls: VirtAddr,
}

impl CloneArgs {
    /// Reads the arguments in the order of an ISA; `args` is what [`crate::RegisterFile::syscall_args`] gives.
    pub fn decode(isa: Isa, args: [u64; 6]) -> CloneArgs {
        let [word, stack, parent_tid, fourth, fifth, _] = args;
        let (child_tid, tls) = match isa {
            Isa::X86_64 => (fourth, fifth),
            Isa::Aarch64 => (fifth, fourth),
        };
        CloneArgs {
            flags: CloneFlags::from_bits_truncate(word),
            exit_signal: word as u8,
            stack: VirtAddr(stack),
            parent_tid: VirtAddr(parent_tid),
            child_tid: VirtAddr(child_tid),
            tls: VirtAddr(tls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_each_isa() {
        let expected = CloneArgs {
            flags: CloneFlags::VM | CloneFlags::SETTLS,
            exit_signal: 17,
            stack: VirtAddr(1),
            parent_tid: VirtAddr(2),
            child_tid: VirtAddr(3),
            tls: VirtAddr(4),
        };
        assert_eq!(
            CloneArgs::decode(Isa::X86_64, [0x8_0111, 1, 2, 3, 4, 99]),
            expected
        );
        assert_eq!(
            CloneArgs::decode(Isa::Aarch64, [0x8_0111, 1, 2, 4, 3, 99]),
            expected
        );
    }

    #[test]
    fn what_pthread_create_passes() {
        let args = CloneArgs::decode(Isa::X86_64, [0x7d_0f00, 0, 0, 0, 0, 0]);
        let threads = CloneFlags::VM
            | CloneFlags::FS
            | CloneFlags::FILES
            | CloneFlags::SIGHAND
            | CloneFlags::THREAD;
        let rest = CloneFlags::SYSVSEM
            | CloneFlags::SETTLS
            | CloneFlags::PARENT_SETTID
            | CloneFlags::CHILD_CLEARTID
            | CloneFlags::DETACHED;
        assert_eq!((args.flags, args.exit_signal), (threads | rest, 0));
    }
}
