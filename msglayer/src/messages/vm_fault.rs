//! Page fault flags and results, as the page messages carry them: Linux 5.2's bits and the two that Popcorn adds.

use bitflags::bitflags;

bitflags! {
    /// How a page fault ended (`vm_fault_t`). No bit at all: it is resolved.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct VmFault: u32 {
        /// No memory.
        const OOM = 0x1;
        /// Nothing is mapped there, or nothing backs it.
        const SIGBUS = 0x2;
        /// Nothing may be accessed there.
        const SIGSEGV = 0x40;
        /// Linux: the page is locked. Popcorn: between two functions of a remote, "again, at once"; never sent.
        const LOCKED = 0x200;
        /// Fault again.
        const RETRY = 0x400;
        /// Popcorn's. In a message: you own the page now, and your copy is good. In the kernel: an ordinary fault.
        const CONTINUE = 0x4000;
        /// Popcorn's, used by nothing that was read.
        const KILLED = 0x8000;
    }
}

impl VmFault {
    /// As a message carries it; bits without a name are kept.
    pub const fn from_wire(result: i32) -> Self {
        Self::from_bits_retain(result.cast_unsigned())
    }

    /// For a message.
    pub const fn to_wire(self) -> i32 {
        self.bits().cast_signed()
    }
}

bitflags! {
    /// How a page was touched (`FAULT_FLAG_*`).
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct FaultFlags: u64 {
        /// By a write.
        const WRITE = 0x1;
        /// The fault may be told to try again.
        const ALLOW_RETRY = 0x4;
        /// A fatal signal may end the wait.
        const KILLABLE = 0x10;
        /// It has been tried again already.
        const TRIED = 0x20;
        /// In user mode.
        const USER = 0x40;
        /// By an instruction fetch.
        const INSTRUCTION = 0x100;
        /// Popcorn's: on behalf of another node.
        const REMOTE = 0x200;
    }
}

impl FaultFlags {
    /// What the fault path of both ISAs starts with: a user-mode fault that can be retried and killed (0x54).
    pub const USER_FAULT: FaultFlags = Self::ALLOW_RETRY.union(Self::KILLABLE).union(Self::USER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_that_kernels_log() {
        assert_eq!(FaultFlags::USER_FAULT.bits(), 0x54);
        assert_eq!((FaultFlags::USER_FAULT | FaultFlags::WRITE).bits(), 0x55);
        assert_eq!(
            (FaultFlags::USER_FAULT | FaultFlags::INSTRUCTION).bits(),
            0x154
        );
        assert_eq!(VmFault::CONTINUE.to_wire(), 0x4000);
        assert_eq!(VmFault::from_wire(-1).to_wire(), -1);
    }
}
