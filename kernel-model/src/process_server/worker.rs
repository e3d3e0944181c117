//! The guest's side: the remote worker that stands for a process, and the remote threads it starts.

use std::rc::Rc;

use isa::elf::ElfImage;
use isa::{Errno, RegisterFile, VirtAddr};
use msglayer::messages::{CloneRequest, OriginTaskExit, SignalTrans};
use msglayer::{Envelope, MessageType, Nid, SimDuration};

use super::exit::send_exit_remote;
use super::pairing::pair_remote_task;
use super::thread_info::restore_thread_info;
use crate::config::Profile;
use crate::costs::Cost;
use crate::event::Event;
use crate::exec::{ThreadClass, WaitRecord};
use crate::fs::FileTable;
use crate::ids::{Pid, Tgid};
use crate::kernel::{Halt, Kernel};
use crate::kmsg::parse;
use crate::mm::{Mm, MmLayout, VmFlags};
use crate::process::{self, TaskSpec};
use crate::remote_context::RemoteContext;
use crate::signal::{self, Signal};
use crate::task::{ExitStatus, Task};
use crate::{user, vma_server};

/// `handle_clone_request`: TASK_MIGRATE goes to `popcorn_wq`. Cloning does not sleep there, so that requests are taken one at a time, in order.
pub fn handle_clone_request(k: &Rc<Kernel>, envelope: Envelope) {
    k.charge(Cost::QueueWork);
    let kernel = Rc::clone(k);
    k.popcorn_wq.queue_work(
        &k.exec,
        async move { clone_remote_thread(&kernel, envelope) },
    );
}

/// `clone_remote_thread`: the request goes to the worker of its process, found by (nid, tgid); the first one starts it.
fn clone_remote_thread(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(request) = parse::<CloneRequest>(k, &envelope) else {
        return;
    };
    let tgid = Tgid(request.origin_tgid.get());
    let rc = k
        .lookup_remote_context(true, envelope.from, tgid)
        .unwrap_or_else(|| {
            let rc = RemoteContext::without_mm(tgid, envelope.from, true);
            k.remote_contexts[1].borrow_mut().push(Rc::clone(&rc));
            let (kernel, context, first) = (Rc::clone(k), Rc::clone(&rc), *request);
            k.exec.spawn(
                format!("remote_worker/{}:{tgid}", envelope.from),
                ThreadClass::Kernel,
                async move {
                    remote_worker_main(&kernel, &context, &first).await;
                },
            );
            rc
        });
    rc.remote_works.borrow_mut().push_front(envelope);
    rc.remote_works_ready.complete(&k.exec);
}

/// `remote_worker_main`: becomes the process on this node, serves it, and ends with it.
async fn remote_worker_main(k: &Rc<Kernel>, rc: &Rc<RemoteContext>, first: &CloneRequest) {
    k.charge(Cost::CloneThread);
    let path = match first.exe_path.as_str() {
        Ok(path) => path.to_owned(),
        Err(error) => {
            return refuse(
                k,
                rc,
                Errno::EINVAL,
                &format!("a program path in a message is no text: {error}"),
            );
        }
    };
    let mm = match construct_mm(k, rc, first, &path) {
        Ok(mm) => mm,
        Err((errno, why)) => return refuse(k, rc, errno, &why),
    };
    let spec = TaskSpec {
        group: None,
        comm: comm_of(&path),
        regs: RegisterFile::new(k.isa()),
        mm: Some(Rc::clone(&mm)),
        files: FileTable::empty(),
        personality: first.personality.get(),
    };
    // The worker and its first thread are made without a pause in between: there is room for both, or for neither.
    let room = k.config.max_tasks.saturating_sub(k.tasks.borrow().len());
    let worker = if room < 2 {
        Err(NODE_IS_FULL)
    } else {
        process::new_task(k, spec)
    };
    let worker = match worker {
        Ok(worker) => worker,
        Err(errno) => return refuse(k, rc, errno, &full(k)),
    };
    worker.thread.set(Some(k.exec.current()));
    worker.popcorn.is_worker.set(true);
    let actions = signal::remote::actions_of(k, rc.home, rc.tgid);
    worker.group.signals.share_actions(actions);
    become_remote(&worker, rc, Pid(first.origin_pid.get()));
    rc.set_remote_tgid(k.nid(), worker.pid);
    rc.set_remote_tgid(rc.home, Pid(rc.tgid.0));
    *rc.remote_worker.borrow_mut() = Some(Rc::clone(&worker));
    run_remote_worker(k, rc, &worker).await;
    terminate(k, rc, &worker).await;
}

/// `__construct_mm`: an address space with the layout of the origin's and no area: those come by fault. The executable is opened by its
/// path on *this* node, which gives the binary of this node's ISA.
fn construct_mm(
    k: &Rc<Kernel>,
    rc: &Rc<RemoteContext>,
    first: &CloneRequest,
    path: &str,
) -> Result<Rc<Mm>, (Errno, String)> {
    k.charge(Cost::ConstructMm);
    let (nid, isa) = (k.nid(), k.isa());
    let file = k.root.open(path, isa).map_err(|errno| {
        (errno, format!("node {nid} ({isa}) cannot run {path}: there is no {isa} binary of it ({errno}); build the program for {isa} too"))
    })?;
    let mut bytes = vec![
        0;
        usize::try_from(file.len())
            .map_err(|_| (Errno::ENOMEM, format!("{path} is too large")))?
    ];
    file.read_at(0, &mut bytes);
    ElfImage::parse(&bytes)
        .map_err(|error| error.to_string())
        .and_then(|image| {
            if image.isa() == isa {
                Ok(())
            } else {
                Err(format!("it is a binary for {}", image.isa()))
            }
        })
        .map_err(|why| {
            (
                Errno::ENOEXEC,
                format!("node {nid} ({isa}) cannot run {path}: {why}"),
            )
        })?;
    let mm = Mm::new(k.alloc_id(), path.to_owned());
    let address = |field: &zerocopy::little_endian::U64| VirtAddr(field.get());
    mm.layout.set(MmLayout {
        task_size: address(&first.task_size),
        stack_start: address(&first.stack_start),
        env_start: address(&first.env_start),
        env_end: address(&first.env_end),
        arg_start: address(&first.arg_start),
        arg_end: address(&first.arg_end),
        start_brk: address(&first.start_brk),
        brk: address(&first.brk),
        start_code: address(&first.start_code),
        end_code: address(&first.end_code),
        start_data: address(&first.start_data),
        end_data: address(&first.end_data),
        def_flags: VmFlags::from_bits_truncate(first.def_flags.get()),
    });
    *mm.remote.borrow_mut() = Some(Rc::clone(rc));
    *rc.mm.borrow_mut() = Rc::downgrade(&mm);
    Ok(mm)
}

/// The process cannot be built here. K52 says nothing to home, which waits for ever; by default every waiting thread is told.
fn refuse(k: &Rc<Kernel>, rc: &Rc<RemoteContext>, errno: Errno, why: &str) {
    if k.config.profile == Profile::K52 {
        return k.halt(match errno {
            NODE_IS_FULL => Halt::WouldHang(format!("clone is tried again for ever: {why}")),
            _ => Halt::WouldBug(format!("cannot open executable: {why}")),
        });
    }
    k.event(&Event::Refused { home: rc.home, why });
    // When there is room again the process may come, without another word about its actions.
    if errno != NODE_IS_FULL {
        signal::remote::forget_actions(k, rc.home, rc.tgid);
    }
    for envelope in rc.remote_works.take() {
        if let Some(request) = parse::<CloneRequest>(k, &envelope) {
            send_exit_remote(
                k,
                rc.home,
                Pid(request.origin_pid.get()),
                Pid::NONE,
                -errno.raw(),
            );
        }
    }
    k.remote_contexts[1]
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, rc));
}

/// How often the loop looks up without having been woken.
const PERIOD: SimDuration = SimDuration::from_secs(1);

/// `run_remote_worker`: one piece of work at a time until the process ends at home.
async fn run_remote_worker(k: &Rc<Kernel>, rc: &Rc<RemoteContext>, worker: &Rc<Task>) {
    while !rc.stop_remote_worker.get() {
        let record = WaitRecord::new("work for the process").service();
        rc.remote_works_ready
            .wait_timeout(&k.exec, record, PERIOD)
            .await;
        let Some(envelope) = rc.remote_works.borrow_mut().pop_front() else {
            continue;
        };
        match envelope.kind() {
            Ok(MessageType::TaskMigrate) => fork_remote_thread(k, rc, worker, &envelope),
            Ok(MessageType::VmaOpRequest) => {
                vma_server::process_vma_op_request(k, worker, envelope).await
            }
            Ok(MessageType::TaskExitOrigin) => {
                if let Some(request) = parse::<OriginTaskExit>(k, &envelope) {
                    rc.exit_code.set(request.exit_code.get());
                    rc.stop_remote_worker.set(true);
                }
            }
            _ => k.log(&format!(
                "a remote worker does not serve this message from node {}",
                envelope.from
            )),
        }
    }
}

/// `fork_remote_thread`: a thread of the worker's group that goes on where the migrant stopped. K52 tries until there is room for it; by default
/// home is told that there is none.
fn fork_remote_thread(
    k: &Rc<Kernel>,
    rc: &Rc<RemoteContext>,
    worker: &Rc<Task>,
    envelope: &Envelope,
) {
    let Some(request) = parse::<CloneRequest>(k, envelope).copied() else {
        return;
    };
    let origin_pid = Pid(request.origin_pid.get());
    let regs = RegisterFile::new(k.isa());
    let task = match new_remote_task(k, rc, worker, regs, origin_pid) {
        Ok(task) => task,
        Err(_) if k.config.profile == Profile::K52 => {
            let why = full(k);
            return k.halt(Halt::WouldHang(format!(
                "clone is tried again for ever: {why}"
            )));
        }
        Err(errno) => {
            let why = &full(k);
            k.event(&Event::Refused { home: rc.home, why });
            return send_exit_remote(k, rc.home, origin_pid, Pid::NONE, -errno.raw());
        }
    };
    let (kernel, context) = (Rc::clone(k), Rc::clone(rc));
    let runner = Rc::clone(&task);
    let name = format!("{}/{}", task.comm.borrow(), task.pid);
    let thread = k.exec.spawn(name, ThreadClass::User, async move {
        remote_thread_main(&kernel, &context, &runner, &request).await;
    });
    task.thread.set(Some(thread));
}

/// A task of the worker's group, bound to its shadow at home. [`NODE_IS_FULL`]: there are as many tasks as there may be.
pub(super) fn new_remote_task(
    k: &Rc<Kernel>,
    rc: &Rc<RemoteContext>,
    worker: &Rc<Task>,
    regs: RegisterFile,
    origin_pid: Pid,
) -> Result<Rc<Task>, Errno> {
    k.charge(Cost::CloneThread);
    let spec = TaskSpec {
        group: Some(Rc::clone(&worker.group)),
        comm: worker.comm.borrow().clone(),
        regs,
        mm: Some(worker.mm()),
        files: FileTable::empty(),
        personality: worker.personality.get(),
    };
    let task = process::new_task(k, spec)?;
    become_remote(&task, rc, origin_pid);
    Ok(task)
}

/// What [`process::new_task`] says when the node has no room for another task.
pub(super) const NODE_IS_FULL: Errno = Errno::EAGAIN;

fn full(k: &Kernel) -> String {
    format!(
        "node {} has as many tasks as it may have, {}",
        k.nid(),
        k.config.max_tasks
    )
}

/// `remote_thread_main`: registers, pairing, user mode.
async fn remote_thread_main(
    k: &Rc<Kernel>,
    rc: &Rc<RemoteContext>,
    task: &Rc<Task>,
    request: &CloneRequest,
) {
    restore_thread_info(k, task, &request.arch);
    task.personality.set(request.personality.get());
    pair_remote_task(k, task, rc.home);
    let (pc, sp) = {
        let context = task.context.borrow();
        (context.regs().pc(), context.regs().sp())
    };
    let from_pid = Pid(request.origin_pid.get());
    k.event(&Event::MigrateIn {
        pid: task.pid,
        from: rc.home,
        from_pid,
        pc,
        sp,
        back: false,
    });
    user::run_task(k, task).await;
}

/// The process has ended at home: its threads here are killed, then the worker ends.
///
/// K52 sends each thread a signal whose *number is the exit code*, which means something only when a signal ended the process.
async fn terminate(k: &Rc<Kernel>, rc: &Rc<RemoteContext>, worker: &Rc<Task>) {
    let threads: Vec<_> = worker
        .group
        .threads
        .borrow()
        .values()
        .filter(|t| !t.popcorn.is_worker.get())
        .cloned()
        .collect();
    for task in threads {
        kill(k, &task, Signal::SIGKILL);
    }
    k.remote_contexts[1]
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, rc));
    *rc.remote_worker.borrow_mut() = None;
    signal::remote::forget_actions(k, rc.home, rc.tgid);
    process::do_exit(k, worker, ExitStatus::from_code(rc.exit_code.get())).await;
}

/// SIGNAL_FWD: a signal that came at home for a thread that is here. K52 sends only SIGINT, when the group ends.
pub fn handle_signal_fwd(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(request) = parse::<SignalTrans>(k, &envelope) else {
        return;
    };
    let origin = (Some(envelope.from), Pid(request.origin_pid.get()));
    let task = k.find_task(Pid(request.remote_pid.get())).filter(|task| {
        let popcorn = &task.popcorn;
        let is_twin = popcorn.at_remote.get() && !popcorn.is_worker.get();
        is_twin && (popcorn.peer_nid.get(), popcorn.peer_pid.get()) == origin
    });
    // The thread may have ended or gone home meanwhile: nothing to do then.
    if let (Some(task), Ok(signal)) = (task, Signal::new(request.sig.get())) {
        kill(k, &task, signal);
    }
}

fn kill(k: &Rc<Kernel>, task: &Task, signal: Signal) {
    k.event(&Event::Signal {
        pid: task.pid,
        signal: signal.0,
    });
    task.fatal_signal.set(Some(signal));
    if let Some(thread) = task.thread.get() {
        k.exec.interrupt(thread);
    }
}

fn become_remote(task: &Task, rc: &Rc<RemoteContext>, origin_pid: Pid) {
    task.popcorn.at_remote.set(true);
    *task.popcorn.remote.borrow_mut() = Some(Rc::clone(rc));
    task.popcorn.peer_nid.set(Some(rc.home));
    task.popcorn.peer_pid.set(origin_pid);
}

/// The name of a worker: the basename of the executable, 15 bytes.
fn comm_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.chars().take(15).collect()
}

/// The home of a process, for those who hold only the context.
pub(super) fn home_of(task: &Task) -> Nid {
    task.popcorn
        .peer_nid
        .get()
        .expect("a remote task knows its home")
}
