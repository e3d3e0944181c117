//! Robust futexes (`exit_robust_list` of Linux 5.2): what becomes of the locks that a thread holds when it ends.
//!
//! A thread registers the head of a list in its own memory (set_robust_list(2)); the C library links each robust mutex into it that the thread holds. The
//! list of a distributed process' thread is registered at home, whose task outlives every twin, and is walked there: that is where the waiters are.
//!
//! Left out: priority inheritance; such an entry is marked, but its waiter is not woken, as Linux does it.

use std::rc::Rc;

use isa::{Errno, VirtAddr};

use super::wake_address;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::mm::{compare_exchange_user, copy_from_user};
use crate::task::Task;

/// Size of `struct robust_list_head`: the first entry, the distance from an entry to its futex, the entry of a lock that is being taken or given back.
pub const ROBUST_HEAD_LEN: u64 = 24;
/// ROBUST_LIST_LIMIT: a longer list is one that does not end.
const LIMIT: u32 = 2048;
const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;

/// A pointer of the list; its lowest bit says that the futex inherits priority.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: VirtAddr,
    inherits: bool,
}

/// Marks every lock on the list that the thread holds as ownerless, and wakes a waiter of each. What cannot be read ends the walk: it is the program's.
pub(crate) async fn exit_robust_list(k: &Rc<Kernel>, task: &Rc<Task>, head: VirtAddr) {
    let walk = async {
        let first = read_entry(k, task, head).await?;
        let offset = read_word(k, task, head.wrapping_add(8)).await?;
        let pending = read_entry(k, task, head.wrapping_add(16)).await?;
        let mut entry = first;
        for _ in 0..LIMIT {
            if entry.at == head {
                break;
            }
            // Before the futex is touched: then a new owner may change the entry.
            let next = read_entry(k, task, entry.at).await;
            if entry.at != pending.at {
                futex_death(k, task, entry, offset).await?;
            }
            entry = next?;
        }
        if pending.at != VirtAddr(0) {
            futex_death(k, task, pending, offset).await?;
        }
        Ok::<(), Errno>(())
    };
    let _ = walk.await;
}

/// `handle_futex_death`.
async fn futex_death(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    entry: Entry,
    offset: u64,
) -> Result<(), Errno> {
    let word = entry.at.wrapping_add(offset);
    if !word.0.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; 4];
    copy_from_user(k, task, word, &mut bytes).await?;
    let mut value = u32::from_le_bytes(bytes);
    while is_own(task, value & FUTEX_TID_MASK) {
        let dead = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        let found = compare_exchange_user(k, task, word, value, dead).await?;
        if found == value {
            if !entry.inherits && value & FUTEX_WAITERS != 0 {
                wake_address(k, &task.mm(), word, 1);
            }
            break;
        }
        value = found;
    }
    Ok(())
}

/// Whether the thread may have written this tid as its own: the C library keeps the one that it had where it was created.
fn is_own(task: &Task, tid: u32) -> bool {
    let popcorn = &task.popcorn;
    [task.pid, popcorn.first_twin.get(), popcorn.last_twin.get()]
        .into_iter()
        .any(|pid| pid != Pid::NONE && pid.0.cast_unsigned() == tid)
}

async fn read_entry(k: &Rc<Kernel>, task: &Rc<Task>, at: VirtAddr) -> Result<Entry, Errno> {
    let word = read_word(k, task, at).await?;
    Ok(Entry {
        at: VirtAddr(word & !1),
        inherits: word & 1 == 1,
    })
}

async fn read_word(k: &Rc<Kernel>, task: &Rc<Task>, at: VirtAddr) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    copy_from_user(k, task, at, &mut bytes).await?;
    Ok(u64::from_le_bytes(bytes))
}
