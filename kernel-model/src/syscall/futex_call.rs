//! futex(2): reads the arguments and goes to where the process' waiters are: here, or home.

use isa::Errno;

use super::{Call, valid_ns};
use crate::futex::{FutexCall, do_futex, process_server_do_futex_remote};
use crate::mm::UserPtr;

/// futex(2).
pub(super) async fn futex(call: Call<'_>) -> Result<u64, Errno> {
    let op = call.int(1);
    let timeout = match UserPtr::new(call.args[3]).non_null() {
        // Before anything else is looked at, as in Linux; and home takes negative seconds for no limit.
        Some(timeout) if FutexCall::takes_timeout(op) => {
            let timeout = timeout.read(call.k, call.task).await?;
            valid_ns(timeout).ok_or(Errno::EINVAL)?;
            Some(timeout)
        }
        _ => None,
    };
    let futex = FutexCall {
        uaddr: call.addr(0),
        op,
        val: call.uint(2),
        timeout,
        uaddr2: call.addr(4),
        val2: call.uint(3),
        val3: call.uint(5),
    };
    if call.task.popcorn.at_remote.get() {
        process_server_do_futex_remote(call.k, call.task, futex).await
    } else {
        do_futex(call.k, call.task, futex).await
    }
}
