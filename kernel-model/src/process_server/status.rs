//! The three small Popcorn calls: propose a migration, ask about a thread, ask about the nodes.

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::{MAX_POPCORN_NODES, Nid};
use zerocopy::little_endian::{I32, U32};
use zerocopy::{Immutable, IntoBytes};

use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::mm;
use crate::task::Task;

/// `popcorn_propose_migration(tid, nid)`: where thread `tid` of *this* node shall go at its next migration point; tid 0 is the caller, nid
/// -1 takes the proposal back. EINVAL: no such node number; ENOENT: no such thread here. Neither permission nor "online" is checked.
pub fn sys_popcorn_propose_migration(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    tid: i32,
    nid: i32,
) -> Result<u64, Errno> {
    let target = match nid {
        -1 => None,
        nid => Some(Nid::new(nid).ok_or(Errno::EINVAL)?),
    };
    let whom = match tid {
        0 => Rc::clone(task),
        tid => k.find_task(Pid(tid)).ok_or(Errno::ENOENT)?,
    };
    whom.popcorn.migration_target_nid.set(target);
    Ok(0)
}

/// `struct popcorn_thread_status`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct ThreadStatus {
    current_nid: I32,
    proposed_nid: I32,
    peer_nid: I32,
    peer_pid: I32,
}

/// `popcorn_get_thread_status(status)`: 16 bytes about the caller. A bad pointer gives EINVAL, not EFAULT.
pub async fn sys_popcorn_get_thread_status(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    status: VirtAddr,
) -> Result<u64, Errno> {
    let nid_or_none = |nid: Option<Nid>| I32::new(nid.map_or(-1, Nid::as_i32));
    let answer = ThreadStatus {
        current_nid: I32::new(k.nid().as_i32()),
        proposed_nid: nid_or_none(task.popcorn.migration_target_nid.get()),
        peer_nid: nid_or_none(task.popcorn.peer_nid.get()),
        peer_pid: I32::new(task.popcorn.peer_pid.get().0),
    };
    mm::copy_to_user(k, task, status, answer.as_bytes())
        .await
        .map_err(|_| Errno::EINVAL)?;
    Ok(0)
}

/// `struct popcorn_node_info`.
#[derive(Clone, Copy, IntoBytes, Immutable)]
#[repr(C)]
struct NodeStatus {
    status: U32,
    arch: I32,
    distance: I32,
}

/// K52's `popcorn_get_node_info(my_nid, info[32])`: this node's number and 12 bytes about each; offline nodes have arch -1. A bad pointer
/// gives EINVAL.
pub async fn sys_popcorn_get_node_info(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    my_nid: VirtAddr,
    info: VirtAddr,
) -> Result<u64, Errno> {
    let mut rows = [NodeStatus {
        status: U32::new(0),
        arch: I32::new(-1),
        distance: I32::new(0),
    }; MAX_POPCORN_NODES];
    for nid in Nid::all() {
        let nodes = k.nodes.borrow();
        if nodes.get_popcorn_node_online(nid) {
            let arch = nodes
                .get_popcorn_node_arch(nid)
                .map_or(-1, |isa| isa.arch_code());
            rows[nid.index()] = NodeStatus {
                status: U32::new(1),
                arch: I32::new(arch),
                distance: I32::new(0),
            };
        }
    }
    let nid = k.nid().as_i32().to_le_bytes();
    mm::copy_to_user(k, task, my_nid, &nid)
        .await
        .map_err(|_| Errno::EINVAL)?;
    mm::copy_to_user(k, task, info, rows.as_bytes())
        .await
        .map_err(|_| Errno::EINVAL)?;
    Ok(0)
}
