//! Every message type of Popcorn, in one table (`enum pcn_kmsg_type`).
//!
//! Numbers up to 32 are those of the 5.2 enumeration; 33 to 44 are taken from the header of a branch of it and could differ
//! in others. 45 and above are Kettle's own: signals of distributed processes, and threads that go from one guest to another, which the kernel
//! does not have. A type may be known by number only: its messages belong to code that K52 does not run (page flush, the superseded socket
//! calls), that lives in a test module, or that is of another branch.

use std::fmt;

/// Where a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HandlerClass {
    /// In the transport's receive context: over TCP the receiver thread of that link, which it stalls. Must be short.
    Direct,
    /// As a work item on `popcorn_wq`: concurrent, in no order.
    WorkQueue,
    /// As a work item on the single-threaded `popcorn_ordered_wq`: one after another, in order of arrival.
    OrderedWorkQueue,
    /// Parked on the task that a pid field of the message names, which handles it itself. No such task: dropped, no answer.
    RemoteWork,
}

impl fmt::Display for HandlerClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::WorkQueue => "work queue",
            Self::OrderedWorkQueue => "ordered work queue",
            Self::RemoteWork => "remote work",
        })
    }
}

/// What the table knows of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeInfo {
    /// The type.
    pub message_type: MessageType,
    /// K52's name behind `PCN_KMSG_TYPE_`.
    pub name: &'static str,
    /// Bytes on the wire with the header; `None` where there is no message, or none whose layout is known.
    pub wire_size: Option<usize>,
    /// Where its handler runs; `None` where K52 registers none.
    pub class: Option<HandlerClass>,
    /// The type that answers it, or that it answers.
    pub pair: Option<MessageType>,
}

/// Writes the enumeration and the table from the same rows: number, variant, name, size, class, pair.
macro_rules! message_types {
    ($($(#[$doc:meta])* $number:literal $variant:ident $name:literal $size:tt $class:tt $pair:tt;)*) => {
        /// A message type, by K52's name for it. The number is the one on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum MessageType {
            $($(#[$doc])* $variant = $number,)*
        }

        /// All types, at the index that is their number.
        pub const MESSAGE_TYPES: &[TypeInfo] = &[
            $(TypeInfo {
                message_type: MessageType::$variant,
                name: $name,
                wire_size: message_types!(@size $size),
                class: message_types!(@class $class),
                pair: message_types!(@pair $pair),
            },)*
        ];
    };
    (@size -) => { None };
    (@size $size:literal) => { Some($size) };
    (@class -) => { None };
    (@class D) => { Some(HandlerClass::Direct) };
    (@class WQ) => { Some(HandlerClass::WorkQueue) };
    (@class OWQ) => { Some(HandlerClass::OrderedWorkQueue) };
    (@class RW) => { Some(HandlerClass::RemoteWork) };
    (@pair -) => { None };
    (@pair $pair:ident) => { Some(MessageType::$pair) };
}

message_types! {
    /// What a node is: any node to all.
    0 NodeInfo "NODE_INFO" 22 WQ -;
    /// A marker for the statistics, no message.
    1 StatStart "STAT_START" - - -;
    /// Start this thread: origin to destination.
    2 TaskMigrate "TASK_MIGRATE" 1470 D TaskPairing;
    /// This thread comes home: remote to origin.
    3 TaskMigrateBack "TASK_MIGRATE_BACK" 858 RW -;
    /// The thread runs, and under this pid: destination to origin.
    4 TaskPairing "TASK_PAIRING" 22 D TaskMigrate;
    /// The process is over at the origin: origin to every remote.
    5 TaskExitOrigin "TASK_EXIT_ORIGIN" 22 RW -;
    /// The thread is over at the remote: remote to origin.
    6 TaskExitRemote "TASK_EXIT_REMOTE" 22 RW -;
    /// What is mapped here? Remote to origin.
    7 VmaInfoRequest "VMA_INFO_REQUEST" 26 RW VmaInfoResponse;
    /// This is mapped there: origin to remote.
    8 VmaInfoResponse "VMA_INFO_RESPONSE" 570 D VmaInfoRequest;
    /// Map, unmap, protect: both ways.
    9 VmaOpRequest "VMA_OP_REQUEST" 578 RW VmaOpResponse;
    /// What became of it: both ways.
    10 VmaOpResponse "VMA_OP_RESPONSE" 50 D VmaOpRequest;
    /// Give me this page, or the right to write it: both ways.
    11 RemotePageRequest "REMOTE_PAGE_REQUEST" 58 WQ RemotePageResponse;
    /// The page: both ways.
    12 RemotePageResponse "REMOTE_PAGE_RESPONSE" 4130 D RemotePageRequest;
    /// An answer without a page: a grant, a retry or an error.
    13 RemotePageResponseShort "REMOTE_PAGE_RESPONSE_SHORT" 34 D RemotePageRequest;
    /// Your copy of this page is void: origin to remote.
    14 PageInvalidateRequest "PAGE_INVALIDATE_REQUEST" 30 WQ PageInvalidateResponse;
    /// It is gone: remote to origin.
    15 PageInvalidateResponse "PAGE_INVALIDATE_RESPONSE" 22 D PageInvalidateRequest;
    /// Dead code in K52.
    16 RemotePageFlush "REMOTE_PAGE_FLUSH" 4138 OWQ RemotePageFlushAck;
    /// Dead code in K52.
    17 RemotePageRelease "REMOTE_PAGE_RELEASE" 42 OWQ RemotePageFlushAck;
    /// Dead code in K52.
    18 RemotePageFlushAck "REMOTE_PAGE_FLUSH_ACK" 22 D RemotePageFlush;
    /// A futex call of a remote thread: remote to origin.
    19 FutexRequest "FUTEX_REQUEST" 66 RW FutexResponse;
    /// Its result: origin to remote.
    20 FutexResponse "FUTEX_RESPONSE" 22 D FutexRequest;
    /// A marker for the statistics, no message.
    21 StatEnd "STAT_END" - - -;
    /// Of the test module.
    22 TestRequest "TEST_REQUEST" - - TestResponse;
    /// Of the test module.
    23 TestResponse "TEST_RESPONSE" - - TestRequest;
    /// Of the test module.
    24 TestRdmaRequest "TEST_RDMA_REQUEST" - - TestRdmaResponse;
    /// Of the test module.
    25 TestRdmaResponse "TEST_RDMA_RESPONSE" - - TestRdmaRequest;
    /// `/proc/cpuinfo` of all nodes; the size depends on the ISA.
    26 RemoteProcCpuinfoRequest "REMOTE_PROC_CPUINFO_REQUEST" - WQ RemoteProcCpuinfoResponse;
    /// `/proc/cpuinfo` of all nodes; the size depends on the ISA.
    27 RemoteProcCpuinfoResponse "REMOTE_PROC_CPUINFO_RESPONSE" - D RemoteProcCpuinfoRequest;
    /// `/proc/meminfo` of all nodes.
    28 RemoteProcMeminfoRequest "REMOTE_PROC_MEMINFO_REQUEST" - WQ RemoteProcMeminfoResponse;
    /// `/proc/meminfo` of all nodes.
    29 RemoteProcMeminfoResponse "REMOTE_PROC_MEMINFO_RESPONSE" - D RemoteProcMeminfoRequest;
    /// `/proc/popcorn_ps`: how busy is this thread?
    30 RemoteProcPsRequest "REMOTE_PROC_PS_REQUEST" 22 WQ RemoteProcPsResponse;
    /// `/proc/popcorn_ps`: so busy.
    31 RemoteProcPsResponse "REMOTE_PROC_PS_RESPONSE" 22 WQ RemoteProcPsRequest;
    /// Commented out in K52.
    32 SchedPeriodic "SCHED_PERIODIC" 22 - -;
    /// Unused: superseded by SYSCALL_FWD, as the five that follow.
    33 RemoteSocket "REMOTE_SOCKET" - - -;
    /// Unused.
    34 RemoteSetsockopt "REMOTE_SETSOCKOPT" - - -;
    /// Unused.
    35 RemoteSocketResponse "REMOTE_SOCKET_RESPONSE" - - -;
    /// Unused.
    36 RemoteBind "REMOTE_BIND" - - -;
    /// Unused.
    37 RemoteListen "REMOTE_LISTEN" - - -;
    /// Unused.
    38 RemoteAccept4 "REMOTE_ACCEPT4" - - -;
    /// A system call of a remote thread: remote to origin.
    39 SyscallFwd "SYSCALL_FWD" 74 RW SyscallRep;
    /// Its result: origin to remote.
    40 SyscallRep "SYSCALL_REP" 26 D SyscallFwd;
    /// A signal for a remote thread: origin to remote.
    41 SignalFwd "SIGNAL_FWD" 27 D -;
    /// Of the multi-variant branch.
    42 Mvx "MVX" - - -;
    /// Of the multi-variant branch.
    43 MvxMsg "MVX_MSG" - - -;
    /// Of the multi-variant branch.
    44 MvxReply "MVX_REPLY" - - -;
    /// Kettle's: a signal for a remote thread, or back from where it was: both ways.
    45 SignalInfo "SIGNAL_INFO" 72 D -;
    /// Kettle's: what a process does about a signal: both ways.
    46 SignalAction "SIGNAL_ACTION" 50 D -;
    /// Kettle's: what a remote thread blocks: remote to origin.
    47 SignalMask "SIGNAL_MASK" 34 D -;
    /// Kettle's: a call that the origin makes for a remote thread is to end: remote to origin.
    48 SignalInterrupt "SIGNAL_INTERRUPT" 22 D -;
    /// Kettle's: whether the node has taken the thread to which it wanted to go on from this one: origin to remote.
    49 TaskOnwardReply "TASK_ONWARD_REPLY" 26 D -;
    /// Kettle's: the result of a system call that does not fit into 32 bits: origin to remote.
    50 SyscallRepLong "SYSCALL_REP_LONG" 26 D SyscallFwd;
}

impl MessageType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The type with this number.
    pub const fn from_number(number: u8) -> Option<MessageType> {
        if (number as usize) < MESSAGE_TYPES.len() {
            Some(MESSAGE_TYPES[number as usize].message_type)
        } else {
            None
        }
    }

    /// All that the table knows of it.
    pub const fn info(self) -> &'static TypeInfo {
        &MESSAGE_TYPES[self as usize]
    }

    /// K52's name behind `PCN_KMSG_TYPE_`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// Where its handler runs; `None` where K52 registers none.
    pub const fn class(self) -> Option<HandlerClass> {
        self.info().class
    }

    /// Bytes on the wire with the header, where that is known.
    pub const fn wire_size(self) -> Option<usize> {
        self.info().wire_size
    }
}

/// Writes K52's name, "TASK_MIGRATE".
impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_indexed_by_number() {
        for (number, info) in MESSAGE_TYPES.iter().enumerate() {
            assert_eq!(
                usize::from(info.message_type.number()),
                number,
                "{}",
                info.name
            );
            assert_eq!(
                MessageType::from_number(number as u8),
                Some(info.message_type)
            );
        }
        assert_eq!(MESSAGE_TYPES.len(), 51);
        assert_eq!(MessageType::from_number(51), None);
    }

    #[test]
    fn names_differ() {
        let mut names: Vec<_> = MESSAGE_TYPES.iter().map(|info| info.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MESSAGE_TYPES.len());
    }

    #[test]
    fn an_answer_leads_back_to_its_question() {
        for info in MESSAGE_TYPES {
            let Some(pair) = info.pair else { continue };
            let back = pair.info().pair.expect("a pair has two sides");
            // Two answers share one question (a page with and without data, a short and a long result), and two flushes one answer: back to either.
            assert!(
                back == info.message_type || back.info().pair == Some(pair),
                "{} and {pair}",
                info.name
            );
        }
    }
}
