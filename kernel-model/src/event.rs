//! The typed event stream: every semantic event of a node, in order. Its rolling hash is the run's digest.
//!
//! What is not an event must not matter: slices, TLB fills and polls are not here, so that a run has one digest on every engine, with or
//! without tracing or a debugger.

use isa::VirtAddr;
use msglayer::{MessageType, Nid, SimTime};

use crate::cpu::Access;
use crate::ids::{Pid, Tgid};

/// Something that happened on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A peer's NODE_INFO was processed: it is online and its ISA is known.
    NodeOnline {
        /// The peer.
        peer: Nid,
    },
    /// A program was loaded and its first thread is about to start.
    Exec {
        /// The process.
        tgid: Tgid,
        /// The path as guests see it.
        path: &'a str,
    },
    /// A thread was created on this node.
    Clone {
        /// Its creator.
        parent: Pid,
        /// The new thread.
        child: Pid,
    },
    /// A system call returned (or ended the task).
    Syscall {
        /// The caller.
        pid: Pid,
        /// Its name ("unknown" if the number means nothing).
        name: &'a str,
        /// The number in the caller's ISA.
        number: u64,
        /// The six argument registers.
        args: [u64; 6],
        /// The return value, as the register holds it.
        ret: u64,
    },
    /// A system call number without implementation was used the first time on this node.
    Unimplemented {
        /// The caller.
        pid: Pid,
        /// Its name.
        name: &'a str,
        /// The number.
        number: u64,
    },
    /// A page fault was handled.
    PageFault {
        /// Who faulted.
        pid: Pid,
        /// PC of the access.
        pc: VirtAddr,
        /// Faulting address.
        addr: VirtAddr,
        /// What was tried.
        access: Access,
        /// The vm_fault result bits; 0 is success.
        result: u32,
    },
    /// A message left this node.
    Send {
        /// Where to.
        to: Nid,
        /// Its type.
        kind: MessageType,
        /// All of it, header included.
        bytes: &'a [u8],
    },
    /// A message was taken from the transport and handed to its handler.
    Receive {
        /// Where from.
        from: Nid,
        /// Its type.
        kind: MessageType,
        /// Its size in bytes, header included.
        size: usize,
    },
    /// A thread asked to leave and was accepted (`process_server_do_migration`).
    MigrateOut {
        /// The thread here.
        pid: Pid,
        /// Where it goes.
        to: Nid,
        /// Its PC at the call.
        pc: VirtAddr,
        /// Its stack pointer at the call.
        sp: VirtAddr,
        /// PC in the register set it asked to be resumed with.
        resume_pc: VirtAddr,
        /// SP in that register set.
        resume_sp: VirtAddr,
        /// It goes home.
        back: bool,
    },
    /// A thread that came from elsewhere is about to run here.
    MigrateIn {
        /// The thread here.
        pid: Pid,
        /// Where it came from.
        from: Nid,
        /// Its pid there.
        from_pid: Pid,
        /// Where it goes on.
        pc: VirtAddr,
        /// With which stack pointer.
        sp: VirtAddr,
        /// It came home.
        back: bool,
    },
    /// A page of a distributed process changed hands: this node holds it from now on in the given mode.
    PageGranted {
        /// On whose behalf.
        pid: Pid,
        /// The page.
        addr: VirtAddr,
        /// May it be written.
        write: bool,
        /// Did its 4096 bytes travel.
        data: bool,
    },
    /// This node's copy of a page was taken away or reduced to reading.
    PageRevoked {
        /// The page.
        addr: VirtAddr,
        /// A readable copy stays.
        keeps_read: bool,
    },
    /// This node could not build a process that was sent to it; the thread stays at home.
    Refused {
        /// Where the thread is.
        home: Nid,
        /// The reason, a sentence.
        why: &'a str,
    },
    /// A task ended.
    Exit {
        /// The task.
        pid: Pid,
        /// Wait status: exit code shifted left by 8, or the signal.
        code: i32,
    },
    /// A signal ended or was delivered to a task.
    Signal {
        /// The task.
        pid: Pid,
        /// The signal's number.
        signal: i32,
    },
    /// The guest wrote to the console.
    Output {
        /// 1 or 2.
        fd: i32,
        /// What it wrote.
        bytes: &'a [u8],
    },
    /// The kernel logged something that is worth a user's attention.
    Log {
        /// The sentence.
        text: &'a str,
    },
}

/// Who listens to the events.
pub trait EventSink {
    /// Takes one event.
    fn record(&self, at: SimTime, nid: Nid, event: &Event<'_>);
}

/// A sink that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn record(&self, _: SimTime, _: Nid, _: &Event<'_>) {}
}
