//! TASK_*: a thread leaves, arrives, comes home, ends.
//!
//! What does *not* travel, in K52: signal masks, handlers and pending signals, file descriptors, credentials, FP registers (they
//! are in `arch`, but no kernel restores them).

use isa::wire::FieldArch;
use zerocopy::little_endian::{I32, U32, U64};

use super::layout::kmsg;
use super::path::PathField;

kmsg! {
    /// Start this thread of this process (`clone_request_t`).
    pub struct CloneRequest: TaskMigrate {
        /// The process at its origin.
        pub origin_tgid: I32,
        /// The thread at its origin.
        pub origin_pid: I32,
        /// Size of the user's address space.
        pub task_size: U64,
        /// `mm->start_stack`: where the stack began.
        pub stack_start: U64,
        /// First byte of the environment.
        pub env_start: U64,
        /// Behind the environment.
        pub env_end: U64,
        /// First byte of the arguments.
        pub arg_start: U64,
        /// Behind the arguments.
        pub arg_end: U64,
        /// Where the heap begins.
        pub start_brk: U64,
        /// Where the heap ends.
        pub brk: U64,
        /// First byte of the text.
        pub start_code: U64,
        /// Behind the text.
        pub end_code: U64,
        /// First byte of the data.
        pub start_data: U64,
        /// Behind the data.
        pub end_data: U64,
        /// personality(2).
        pub personality: U32,
        /// Flags that every new mapping gets.
        pub def_flags: U64,
        /// The program, on the destination's own file system.
        pub exe_path: PathField,
        /// Thread pointer and registers, in the destination's format.
        pub arch: FieldArch,
    }
}

kmsg! {
    /// The thread comes home (`back_migration_request_t`).
    pub struct BackMigrationRequest: TaskMigrateBack {
        /// Where it was.
        pub remote_nid: I32,
        /// Which thread it was there.
        pub remote_pid: I32,
        /// The thread at its origin, which waits for this.
        pub origin_pid: I32,
        /// personality(2).
        pub personality: U32,
        /// Thread pointer and registers, in the origin's format.
        pub arch: FieldArch,
    }
}

kmsg! {
    /// The thread that was asked for runs (`remote_task_pairing_t`).
    pub struct RemoteTaskPairing: TaskPairing {
        /// The process at the sender: its worker.
        pub my_tgid: I32,
        /// The thread at the sender.
        pub my_pid: I32,
        /// The thread at its origin.
        pub your_pid: I32,
    }
}

kmsg! {
    /// The process is over at its origin (`origin_task_exit_t`).
    pub struct OriginTaskExit: TaskExitOrigin {
        /// The thread at the origin that ended last.
        pub origin_pid: I32,
        /// The receiver's worker.
        pub remote_pid: I32,
        /// As wait(2) encodes it.
        pub exit_code: I32,
    }
}

kmsg! {
    /// A remote thread is over, other than by coming home (`remote_task_exit_t`).
    pub struct RemoteTaskExit: TaskExitRemote {
        /// The thread at its origin, which waits for this.
        pub origin_pid: I32,
        /// The thread that ended.
        pub remote_pid: I32,
        /// As wait(2) encodes it.
        pub exit_code: I32,
    }
}

kmsg! {
    /// Whether the thread goes on at the node to which it wanted to go from this one. Kettle's own: K52 has no way from one guest to another.
    pub struct OnwardReply: TaskOnwardReply {
        /// The thread at its origin.
        pub origin_pid: I32,
        /// The thread where it waits.
        pub remote_pid: I32,
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// 0: it has been taken, and this one ends. A negative errno: it stays.
        pub ret: I32,
    }
}
