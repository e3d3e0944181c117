//! Futexes: sleeping on a word of user memory (`kernel/futex.c` of Linux 5.2), for the threads of one process.
//!
//! At home every waiter of a distributed process meets in these queues, the shadows of remote threads included; a guest sends its calls home
//! ([`remote`]). Left out: priority inheritance, futexes shared between processes (there is no shared memory between them).

mod op;
mod queue;
pub mod remote;
mod robust;

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::SimTime;

use crate::costs::Cost;
use crate::cpu::Access;
use crate::exec::{WaitRecord, Wake};
use crate::kernel::Kernel;
use crate::mm::{Mm, copy_from_user, fixup_user_fault};
use crate::page_server;
use crate::signal::signal_pending;
use crate::syscall::{realtime_to_sim, span_of_ns, valid_ns};
use crate::task::Task;
use op::WakeOp;
use queue::Key;

pub use isa::layout::Timespec;
pub use queue::FutexQueues;
pub use remote::{
    handle_futex_response, process_remote_futex_request, process_server_do_futex_remote,
};
pub use robust::ROBUST_HEAD_LEN;
pub(crate) use robust::exit_robust_list;

/// The arguments of futex(2), read from registers and, for the timeout, from memory.
#[derive(Clone, Copy, Debug)]
pub struct FutexCall {
    /// The word.
    pub uaddr: VirtAddr,
    /// Operation and flags.
    pub op: i32,
    /// The expected value, or how many to wake.
    pub val: u32,
    /// For the waiting operations: relative for WAIT, absolute for WAIT_BITSET.
    pub timeout: Option<Timespec>,
    /// The second word.
    pub uaddr2: VirtAddr,
    /// How many to requeue (REQUEUE) or to wake at the second word (WAKE_OP).
    pub val2: u32,
    /// A bit set, the expected value of CMP_REQUEUE, or the encoded operation of WAKE_OP.
    pub val3: u32,
}

const FUTEX_WAIT: i32 = 0;
const FUTEX_WAKE: i32 = 1;
const FUTEX_REQUEUE: i32 = 3;
const FUTEX_CMP_REQUEUE: i32 = 4;
const FUTEX_WAKE_OP: i32 = 5;
const FUTEX_WAIT_BITSET: i32 = 9;
const FUTEX_WAKE_BITSET: i32 = 10;
const FUTEX_PRIVATE_FLAG: i32 = 128;
const FUTEX_CLOCK_REALTIME: i32 = 256;
const MATCH_ANY: u32 = u32::MAX;

impl FutexCall {
    /// The operation without its flags.
    pub fn command(op: i32) -> i32 {
        op & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)
    }

    /// The call that wakes one waiter.
    pub fn wake_one(uaddr: VirtAddr) -> Self {
        Self {
            uaddr,
            op: FUTEX_WAKE,
            val: 1,
            timeout: None,
            uaddr2: VirtAddr(0),
            val2: 0,
            val3: 0,
        }
    }

    /// Whether the operation's fourth argument is a pointer to a timeout; otherwise it is `val2`.
    pub fn takes_timeout(op: i32) -> bool {
        matches!(Self::command(op), FUTEX_WAIT | FUTEX_WAIT_BITSET)
    }
}

/// futex(2) in the calling task's own process.
///
/// EAGAIN: the word has another value; ETIMEDOUT; ERESTARTSYS, ERESTART_RESTARTBLOCK: a signal; EINVAL: unaligned, an empty bit set, a bad timeout; EFAULT; ENOSYS.
pub async fn do_futex(k: &Rc<Kernel>, task: &Rc<Task>, call: FutexCall) -> Result<u64, Errno> {
    k.charge(Cost::Futex);
    let command = FutexCall::command(call.op);
    let absolute = command == FUTEX_WAIT_BITSET;
    if call.op & FUTEX_CLOCK_REALTIME != 0 && !absolute {
        return Err(Errno::ENOSYS);
    }
    match command {
        FUTEX_WAIT => futex_wait(k, task, &call, MATCH_ANY, deadline(k, &call, false)?).await,
        FUTEX_WAIT_BITSET => futex_wait(k, task, &call, call.val3, deadline(k, &call, true)?).await,
        FUTEX_WAKE => futex_wake(k, task, &call, MATCH_ANY).await,
        FUTEX_WAKE_BITSET => futex_wake(k, task, &call, call.val3).await,
        FUTEX_REQUEUE => futex_requeue(k, task, &call, None).await,
        FUTEX_CMP_REQUEUE => futex_requeue(k, task, &call, Some(call.val3)).await,
        FUTEX_WAKE_OP => futex_wake_op(k, task, &call).await,
        _ => Err(Errno::ENOSYS),
    }
}

/// Wakes up to `count` waiters of a word; returns how many there were. What clear_child_tid does at the end of a thread.
pub fn wake_address(k: &Kernel, mm: &Mm, addr: VirtAddr, count: u32) -> u64 {
    k.futexes.wake(&k.exec, (mm.id, addr), count, MATCH_ANY)
}

/// `get_futex_key`: EINVAL: unaligned; EFAULT: no address of user space, or, unless the caller says that the futex is private, no memory there that could
/// be accessed so. The key of a private futex is its address, mapped or not.
async fn futex_key(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    op: i32,
    addr: VirtAddr,
    access: Access,
) -> Result<Key, Errno> {
    if !addr.0.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let mm = task.mm();
    if addr >= mm.layout.get().task_size {
        return Err(Errno::EFAULT);
    }
    if op & FUTEX_PRIVATE_FLAG == 0 {
        let there = mm.page_table.borrow().translate(addr, access).is_some();
        // A page of a distributed process may be on another node only.
        if !there {
            fixup_user_fault(k, task, addr, access).await?;
        }
    }
    Ok((mm.id, addr))
}

/// When a wait ends at the latest.
fn deadline(k: &Kernel, call: &FutexCall, absolute: bool) -> Result<Option<SimTime>, Errno> {
    let Some(timeout) = call.timeout else {
        return Ok(None);
    };
    let ns = valid_ns(timeout).ok_or(Errno::EINVAL)?;
    Ok(Some(
        match (absolute, call.op & FUTEX_CLOCK_REALTIME != 0) {
            (false, _) => k.exec.now() + span_of_ns(ns),
            (true, false) => SimTime::ZERO + span_of_ns(ns),
            (true, true) => realtime_to_sim(ns),
        },
    ))
}

/// `futex_wait`: nothing can come between the look at the word and the queueing, because there is no await between them.
async fn futex_wait(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    call: &FutexCall,
    bitset: u32,
    deadline: Option<SimTime>,
) -> Result<u64, Errno> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = futex_key(k, task, call.op, call.uaddr, Access::Read).await?;
    let value = read_word(k, task, call.uaddr).await?;
    if value != call.val {
        return Err(Errno::EAGAIN);
    }
    let waiter = k.futexes.enqueue(k.exec.current(), key, bitset);
    loop {
        if waiter.is_woken() {
            return Ok(0);
        }
        if signal_pending(task) {
            k.futexes.cancel(&waiter);
            return Err(interrupted(deadline));
        }
        let record = WaitRecord::new("a futex").addr(call.uaddr).interruptible();
        let wake = match deadline {
            Some(at) => {
                k.exec
                    .block_timeout(record, at.saturating_since(k.exec.now()), false)
                    .await
            }
            None => k.exec.block(record).await,
        };
        let errno = match wake {
            _ if waiter.is_woken() => return Ok(0),
            Wake::Woken | Wake::Interrupted => continue,
            Wake::TimedOut => Errno::ETIMEDOUT,
        };
        k.futexes.cancel(&waiter);
        return Err(errno);
    }
}

/// A wait that a signal ends is made again only without a time limit, or without a handler.
fn interrupted(deadline: Option<SimTime>) -> Errno {
    if deadline.is_none() {
        Errno::ERESTARTSYS
    } else {
        Errno::ERESTART_RESTARTBLOCK
    }
}

/// The word's value. The page of a distributed process is held at home meanwhile, as in K52.
async fn read_word(k: &Rc<Kernel>, task: &Rc<Task>, addr: VirtAddr) -> Result<u32, Errno> {
    let mut bytes = [0; 4];
    let mm = task.mm();
    let held = {
        let _guard = mm.mmap_sem.read(&k.exec, "mmap_sem").await;
        page_server::get_userpage(k, task, addr).await?
    };
    let read = copy_from_user(k, task, addr, &mut bytes).await;
    page_server::put_userpage(k, held);
    read?;
    Ok(u32::from_le_bytes(bytes))
}

async fn futex_wake(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    call: &FutexCall,
    bitset: u32,
) -> Result<u64, Errno> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = futex_key(k, task, call.op, call.uaddr, Access::Read).await?;
    Ok(k.futexes.wake(&k.exec, key, at_least_one(call.val), bitset))
}

/// Linux wakes one even when asked for none (`++ret >= nr_wake`).
fn at_least_one(count: u32) -> u32 {
    count.max(1)
}

async fn futex_requeue(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    call: &FutexCall,
    expected: Option<u32>,
) -> Result<u64, Errno> {
    if call.val.cast_signed() < 0 || call.val2.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let from = futex_key(k, task, call.op, call.uaddr, Access::Read).await?;
    let to = futex_key(k, task, call.op, call.uaddr2, Access::Read).await?;
    if let Some(expected) = expected
        && read_word(k, task, call.uaddr).await? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = match call.val {
        0 => 0,
        count => k.futexes.wake(&k.exec, from, count, MATCH_ANY),
    };
    let moved = k.futexes.requeue(from, to, call.val2);
    // REQUEUE too counts both in Linux 5.2.
    Ok(woken + moved)
}

/// `futex_wake_op`: changes the second word, wakes at the first, and at the second if its old value passes a test.
async fn futex_wake_op(k: &Rc<Kernel>, task: &Rc<Task>, call: &FutexCall) -> Result<u64, Errno> {
    let first = futex_key(k, task, call.op, call.uaddr, Access::Read).await?;
    let second = futex_key(k, task, call.op, call.uaddr2, Access::Write).await?;
    let wake_op = WakeOp::decode(call.val3)?;
    let mm = task.mm();
    let pfn = loop {
        let page = mm.page_table.borrow().translate(call.uaddr2, Access::Write);
        match page {
            Some(translation) => break translation.pfn,
            None => fixup_user_fault(k, task, call.uaddr2, Access::Write).await?,
        }
    };
    let mut bytes = [0; 4];
    k.read_frame(pfn, call.uaddr2.page_offset(), &mut bytes);
    let old = u32::from_le_bytes(bytes);
    k.write_frame(
        pfn,
        call.uaddr2.page_offset(),
        &wake_op.apply(old).to_le_bytes(),
    );
    let futexes = &k.futexes;
    let mut woken = futexes.wake(&k.exec, first, at_least_one(call.val), MATCH_ANY);
    if wake_op.passes(old) {
        woken += futexes.wake(&k.exec, second, at_least_one(call.val2), MATCH_ANY);
    }
    Ok(woken)
}
