//! FUTEX_*: every futex call of a remote thread is made at its origin, so that all waiters meet in one hash table.

use zerocopy::little_endian::{I32, I64, U32, U64};

use super::layout::kmsg;

/// The `tv_sec` of a request without a timeout.
pub const NO_TIMEOUT: i64 = -1;

kmsg! {
    /// Make this futex call (`remote_futex_request`).
    pub struct RemoteFutexRequest: FutexRequest {
        /// The thread at its origin, which makes the call.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// FUTEX_WAIT and so on, with its flags.
        pub op: I32,
        /// The value to compare with, or how many to wake.
        pub val: U32,
        /// The timeout's seconds; [`NO_TIMEOUT`] for none.
        pub tv_sec: I64,
        /// The timeout's nanoseconds.
        pub tv_nsec: I64,
        /// The futex.
        pub uaddr: U64,
        /// The second futex of calls that have one.
        pub uaddr2: U64,
        /// How many to requeue.
        pub val2: U32,
        /// A bit set, or a value to compare with.
        pub val3: U32,
    }
}

kmsg! {
    /// What it returned (`remote_futex_response`).
    pub struct RemoteFutexResponse: FutexResponse {
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// The result, or a negative errno.
        pub ret: I64,
    }
}
