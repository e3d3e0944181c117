//! What kernel paths cost: one table, each entry with its source or marked assumed.
//!
//! Guest instructions are charged by frequency and CPI, messages by the link model; everything else that takes time is here.

use msglayer::SimDuration;

/// A kernel path that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Entry to and exit from a system call.
    Syscall,
    /// Taking a page fault up to the VMA lookup, and returning from it.
    PageFault,
    /// Clearing or copying 4 KiB; a copy to or from user memory costs by its length at this rate.
    CopyPage,
    /// Changing the running thread of a vCPU.
    ContextSwitch,
    /// Creating a thread (clone, kthread_run).
    CloneThread,
    /// Building an address space for a remote worker (`construct_mm`), without the messages.
    ConstructMm,
    /// Saving or restoring the registers of a migrating thread.
    SwitchRegisterSet,
    /// Handing an item to a work queue.
    QueueWork,
    /// A VMA operation (mmap, munmap, mprotect, brk) on the VMA tree.
    VmaOperation,
    /// A futex operation on the hash bucket.
    Futex,
    /// Building a signal frame, or reading one.
    SignalFrame,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct CostEntry {
    /// Which path.
    pub cost: Cost,
    /// What it takes, in nanoseconds.
    pub ns: u64,
    /// Where the figure comes from.
    pub source: &'static str,
}

/// The table.
pub const COSTS: &[CostEntry] = &[
    CostEntry {
        cost: Cost::Syscall,
        ns: 100,
        source: "assumed: order of getpid(2) on a 2015 server without mitigations",
    },
    CostEntry {
        cost: Cost::PageFault,
        ns: 500,
        source: "assumed: minor fault of Linux 5.2 without the page copy",
    },
    CostEntry {
        cost: Cost::CopyPage,
        ns: 250,
        source: "assumed: 4 KiB at 16 GB/s",
    },
    CostEntry {
        cost: Cost::ContextSwitch,
        ns: 1_000,
        source: "assumed: order of lmbench's lat_ctx",
    },
    CostEntry {
        cost: Cost::CloneThread,
        ns: 10_000,
        source: "assumed",
    },
    CostEntry {
        cost: Cost::ConstructMm,
        ns: 50_000,
        source: "assumed",
    },
    CostEntry {
        cost: Cost::SwitchRegisterSet,
        ns: 500,
        source: "assumed",
    },
    CostEntry {
        cost: Cost::QueueWork,
        ns: 300,
        source: "assumed",
    },
    CostEntry {
        cost: Cost::VmaOperation,
        ns: 800,
        source: "assumed",
    },
    CostEntry {
        cost: Cost::Futex,
        ns: 200,
        source: "assumed",
    },
    CostEntry {
        cost: Cost::SignalFrame,
        ns: 500,
        source: "assumed: half of lmbench's lat_sig catch",
    },
];

impl Cost {
    /// The time that this path takes.
    pub fn time(self) -> SimDuration {
        let entry = COSTS
            .iter()
            .find(|e| e.cost == self)
            .expect("every cost has a row");
        SimDuration::from_ns(entry.ns)
    }
}
