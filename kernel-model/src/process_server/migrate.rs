//! `popcorn_migrate` and the two directions it takes: forward from home, back from a guest.

use std::rc::Rc;

use isa::wire::{FieldArch, Regset};
use isa::{Errno, Isa, VirtAddr};
use msglayer::messages::{BackMigrationRequest, CloneRequest, OnwardReply, PathField};
use msglayer::{Envelope, Nid};
use zerocopy::FromZeros;

use super::one_life;
use super::shadow::{ShadowEnd, process_remote_works};
use super::thread_info::save_thread_info;
use crate::config::Profile;
use crate::costs::Cost;
use crate::event::Event;
use crate::exec::WaitRecord;
use crate::ids::Pid;
use crate::kernel::{Halt, Kernel};
use crate::kmsg::{Replies, WaitStation, parse, pcn_kmsg_post};
use crate::remote_context::RemoteContext;
use crate::signal;
use crate::task::{ExitStatus, Task};

/// How a migration call ends for the thread that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrated {
    /// It goes on here: it came home (the registers are those it arrived with).
    Home,
    /// It goes on elsewhere, or has ended there: the task here ends.
    Gone(ExitStatus),
}

/// `popcorn_migrate(nid, uregs)`, checks in the original's order.
///
/// EINVAL: no such node number; EBUSY: already there; EAGAIN: not online; ESRCH: the process has no executable; ENAMETOOLONG: the path of the
/// executable does not fit into a message; EFAULT: `uregs` cannot be read. Under the default profile also what the destination says when it
/// cannot take the thread: it has no such program, or as many tasks as it may have (EAGAIN).
pub async fn sys_popcorn_migrate(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    nid: i32,
    uregs: VirtAddr,
) -> Result<Migrated, Errno> {
    let proposed = task.popcorn.migration_target_nid.get();
    let nid = match (nid, proposed) {
        (-1, Some(target)) => target.as_i32(),
        _ => nid,
    };
    let dst = Nid::new(nid).ok_or(Errno::EINVAL)?;
    if dst == k.nid() {
        return Err(Errno::EBUSY);
    }
    if !k.nodes.borrow().get_popcorn_node_online(dst) {
        return Err(Errno::EAGAIN);
    }
    let outcome = process_server_do_migration(k, task, dst, uregs).await?;
    task.popcorn.migration_target_nid.set(None);
    Ok(outcome)
}

/// The part of the original of the same name: forward from home, back from a guest.
async fn process_server_do_migration(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    dst: Nid,
    uregs: VirtAddr,
) -> Result<Migrated, Errno> {
    let Some(isa) = k.nodes.borrow().get_popcorn_node_arch(dst) else {
        // Connected, but its NODE_INFO has not been processed: the size of its register set is unknown.
        if k.config.profile == Profile::K52 {
            k.halt(Halt::WouldBug(format!(
                "the register set size of node {dst} is asked for before its architecture is known"
            )));
        }
        return Err(Errno::EAGAIN);
    };
    if task.popcorn.at_remote.get() {
        do_back_migration(k, task, dst, isa, uregs).await
    } else {
        do_migration(k, task, dst, isa, uregs).await
    }
}

/// `__do_migration`: sends the thread away and serves it until it comes home or ends.
async fn do_migration(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    dst: Nid,
    isa: Isa,
    uregs: VirtAddr,
) -> Result<Migrated, Errno> {
    if task.mm().exe_path.borrow().is_empty() {
        return Err(Errno::ESRCH);
    }
    exe_path(task)?;
    let arch = save_thread_info(k, task, isa, uregs).await?;
    let rc = get_remote_context(k, task);
    one_life::shadow_begins(k, task);
    *task.popcorn.remote.borrow_mut() = Some(rc);
    record_departure(k, task, dst, isa, &arch, false);
    request_clone_remote(k, task, dst, arch);
    match process_remote_works(k, task).await {
        ShadowEnd::CameHome => Ok(Migrated::Home),
        ShadowEnd::Ended(status) => Ok(Migrated::Gone(status)),
        ShadowEnd::Refused(errno) => Err(errno),
    }
}

/// The path of the program, as messages carry it.
fn exe_path(task: &Task) -> Result<PathField, Errno> {
    PathField::new(&task.mm().exe_path.borrow()).map_err(|_| Errno::ENAMETOOLONG)
}

/// The process' outbound context; made at its first migration, and there for good.
fn get_remote_context(k: &Rc<Kernel>, task: &Rc<Task>) -> Rc<RemoteContext> {
    let mm = task.mm();
    if let Some(rc) = mm.remote() {
        return rc;
    }
    let rc = RemoteContext::new(&mm, task.tgid(), k.nid(), false);
    rc.set_remote_tgid(k.nid(), Pid(task.tgid().0));
    *mm.remote.borrow_mut() = Some(Rc::clone(&rc));
    k.remote_contexts[0].borrow_mut().push(Rc::clone(&rc));
    // From now on writes to pages that were mapped before are the page server's business as well.
    k.flush_tlb();
    rc
}

/// `__request_clone_remote`: TASK_MIGRATE with everything the guest needs to build the process. The thread is unpaired until TASK_PAIRING.
pub(super) fn request_clone_remote(k: &Rc<Kernel>, task: &Rc<Task>, dst: Nid, arch: FieldArch) {
    let layout = task.mm().layout.get();
    let mut request = CloneRequest::new_zeroed();
    request.origin_tgid.set(task.tgid().0);
    request.origin_pid.set(task.pid.0);
    for (field, value) in [
        (&mut request.task_size, layout.task_size),
        (&mut request.stack_start, layout.stack_start),
        (&mut request.env_start, layout.env_start),
        (&mut request.env_end, layout.env_end),
        (&mut request.arg_start, layout.arg_start),
        (&mut request.arg_end, layout.arg_end),
        (&mut request.start_brk, layout.start_brk),
        (&mut request.brk, layout.brk),
        (&mut request.start_code, layout.start_code),
        (&mut request.end_code, layout.end_code),
        (&mut request.start_data, layout.start_data),
        (&mut request.end_data, layout.end_data),
    ] {
        field.set(value.0);
    }
    request.personality.set(task.personality.get());
    request.def_flags.set(layout.def_flags.bits());
    request.exe_path = exe_path(task).expect("looked at before the thread left for the first time");
    request.arch = arch;
    task.popcorn.peer_nid.set(Some(dst));
    task.popcorn.peer_pid.set(Pid::NONE);
    signal::remote::tell_actions(k, task, dst);
    pcn_kmsg_post(k, dst, request);
}

/// `__do_back_migration`: sends the registers home; the remote thread ends "parked".
///
/// To a third node K52 posts TASK_MIGRATE as if it were home and then hits BUG. By default the thread goes through home without running
/// there, see [`hop`].
async fn do_back_migration(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    dst: Nid,
    isa: Isa,
    uregs: VirtAddr,
) -> Result<Migrated, Errno> {
    let home = task
        .popcorn
        .peer_nid
        .get()
        .expect("a remote thread knows its home");
    if dst != home && k.config.profile == Profile::K52 {
        k.halt(Halt::WouldBug(format!(
            "task {} goes from one guest to another, node {dst}, without coming home",
            task.pid
        )));
        return Err(Errno::EINVAL);
    }
    let arch = save_thread_info(k, task, isa, uregs).await?;
    record_departure(k, task, dst, isa, &arch, dst == home);
    let mut request = BackMigrationRequest::new_zeroed();
    request.remote_nid.set(k.nid().as_i32());
    request.remote_pid.set(task.pid.0);
    request.origin_pid.set(task.popcorn.peer_pid.get().0);
    request.personality.set(task.personality.get());
    request.arch = arch;
    if dst != home {
        hop(k, task, home, dst, request).await?;
    } else {
        signal::remote::return_pending(k, task);
        pcn_kmsg_post(k, home, request);
        task.popcorn.parked.set(true);
    }
    Ok(Migrated::Gone(ExitStatus::Exited(0)))
}

/// From one guest to another: the register set goes to home, which passes it on to `dst`. This thread waits meanwhile, and goes on with its present
/// registers if it is not taken there.
///
/// `field_arch.oob[0]`, which K52 leaves 0, says where to (see [`Onward`]). Home answers with TASK_ONWARD_REPLY.
async fn hop(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    home: Nid,
    dst: Nid,
    mut request: BackMigrationRequest,
) -> Result<(), Errno> {
    let station = WaitStation::get(k, task.pid, Replies(1)).await;
    let onward = Onward {
        nid: dst,
        station: station.id().as_i32(),
    };
    onward.write(&mut request.arch);
    signal::remote::return_pending(k, task);
    pcn_kmsg_post(k, home, request);
    task.popcorn.parked.set(true);
    let record = WaitRecord::new("another node to take it").whom(home, task.popcorn.peer_pid.get());
    let answer = station.wait(k, record).await.ok_or(Errno::EIO)?;
    let answer = parse::<OnwardReply>(k, &answer).ok_or(Errno::EIO)?;
    Errno::decode(i64::from(answer.ret.get()) as u64).map(|_| ())
}

/// TASK_ONWARD_REPLY: wakes the thread. One that stays takes signals from now on, the next message may be one.
pub fn handle_onward_reply(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(reply) = parse::<OnwardReply>(k, &envelope) else {
        return;
    };
    let origin = (Some(envelope.from), Pid(reply.origin_pid.get()));
    let task = k
        .find_task(Pid(reply.remote_pid.get()))
        .filter(|task| (task.popcorn.peer_nid.get(), task.popcorn.peer_pid.get()) == origin);
    if let Some(task) = task.filter(|_| reply.ret.get() != 0) {
        task.popcorn.parked.set(false);
    }
    WaitStation::complete(k, reply.remote_ws.get(), Some(envelope.clone()));
}

/// Where a thread that comes home wants to go on to: in the first out-of-band word the node's number plus 1, and above it the wait station of the twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Onward {
    pub(super) nid: Nid,
    pub(super) station: i32,
}

impl Onward {
    fn write(self, arch: &mut FieldArch) {
        let station = u64::from(self.station.cast_unsigned());
        arch.oob[0].set((station << 32) | (self.nid.index() as u64 + 1));
    }

    /// Takes it out of a message. `None`: the thread stays at home.
    pub(super) fn take(arch: &mut FieldArch) -> Option<Self> {
        let word = arch.oob[0].get();
        arch.oob[0].set(0);
        let nid = Nid::new((word as u32).cast_signed().checked_sub(1)?)?;
        let station = ((word >> 32) as u32).cast_signed();
        Some(Self { nid, station })
    }
}

fn record_departure(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    to: Nid,
    isa: Isa,
    arch: &FieldArch,
    back: bool,
) {
    k.charge(Cost::SwitchRegisterSet);
    let set: Regset = arch.regset(isa);
    let (pc, sp) = {
        let context = task.context.borrow();
        (context.regs().pc(), context.regs().sp())
    };
    k.event(&Event::MigrateOut {
        pid: task.pid,
        to,
        pc,
        sp,
        resume_pc: set.pc(),
        resume_sp: set.sp(),
        back,
    });
}
