//! System calls: from the trap to the result register. Models the entry code of Linux 5.2 with Popcorn's forwarding.
//!
//! [`table`] says which calls there are; each family has a file. A call that is not there returns ENOSYS and is reported once per number.

mod file;
pub mod forward;
mod futex_call;
mod identity;
mod itimer;
mod memory;
mod signal_action;
mod signal_mask;
mod signal_send;
mod system;
mod table;
mod threads;
mod time;

use std::rc::Rc;

use isa::syscall::{PopcornCall, Sysno};
use isa::{Errno, Isa, VirtAddr};

use crate::config::Profile;
use crate::costs::Cost;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::process_server::{self, Migrated};
use crate::signal::SyscallEntry;
use crate::task::{ExitStatus, Task};

pub use time::REALTIME_EPOCH;

/// The calls that are implemented; every other one gives ENOSYS.
pub fn implemented() -> impl Iterator<Item = Sysno> {
    table::implemented()
}
pub(crate) use time::{realtime_to_sim, span_of_ns, valid_ns};

/// How a call ended for the task that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallOutcome {
    /// It returns with this value.
    Value(u64),
    /// The registers have been replaced; there is no result.
    Registers,
    /// It does not return: the task ends.
    Exit(ExitStatus),
}

impl From<u64> for SyscallOutcome {
    fn from(value: u64) -> Self {
        Self::Value(value)
    }
}

/// What a call gives.
pub type SyscallResult = Result<SyscallOutcome, Errno>;

/// On whose behalf a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The ISA whose structure layouts the caller expects; another one than the node's for calls forwarded to home.
    pub abi: Isa,
}

/// A call under way: what every implementation is handed.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub k: &'a Rc<Kernel>,
    pub task: &'a Rc<Task>,
    pub caller: Caller,
    pub args: [u64; 6],
}

impl Call<'_> {
    /// An argument as an address.
    fn addr(&self, index: usize) -> VirtAddr {
        VirtAddr(self.args[index])
    }

    /// An argument as a C `int`: the upper half of the register means nothing.
    fn int(&self, index: usize) -> i32 {
        self.args[index] as i32
    }

    /// Whether the caller is a remote thread, and home has what the call is about. K52 does such calls where the thread is.
    fn asks_home(&self) -> bool {
        self.task.popcorn.at_remote.get() && self.k.config.profile == Profile::Kettle
    }

    /// An argument as a C `unsigned int`.
    fn uint(&self, index: usize) -> u32 {
        self.args[index] as u32
    }
}

/// What a number means to the program that used it.
enum Decoded {
    Popcorn(PopcornCall),
    Linux(Sysno),
    Unknown,
}

/// Performs the call at which the task trapped, and sets its result register; the PC is after the call instruction. Returns how the task ends, if it does.
pub async fn enter(k: &Rc<Kernel>, task: &Rc<Task>) -> Option<ExitStatus> {
    let (number, args) = {
        let mut context = task.context.borrow_mut();
        let regs = context.regs_mut();
        let decoded = (regs.syscall_number(), regs.syscall_args());
        regs.enter_syscall();
        decoded
    };
    k.charge(Cost::Syscall);
    let decoded = decode(k, number);
    let result = match decoded {
        Decoded::Popcorn(call) => popcorn(k, task, call, args).await,
        Decoded::Linux(sysno) => linux(k, task, sysno, args).await,
        Decoded::Unknown => {
            report(k, task, "unknown", number);
            Err(Errno::ENOSYS)
        }
    };
    let name = match decoded {
        Decoded::Popcorn(call) => call.name(),
        Decoded::Linux(sysno) => sysno.name(),
        Decoded::Unknown => "unknown",
    };
    let returned = result.map(|outcome| match outcome {
        SyscallOutcome::Value(value) => value,
        SyscallOutcome::Registers => task.context.borrow().regs().return_value(),
        SyscallOutcome::Exit(_) => 0,
    });
    k.event(&Event::Syscall {
        pid: task.pid,
        name,
        number,
        args,
        ret: Errno::encode(returned),
    });
    match result {
        Ok(SyscallOutcome::Exit(status)) => return Some(status),
        Ok(SyscallOutcome::Registers) => return None,
        _ => {}
    }
    let arg0 = args[0];
    task.signals.call.set(Some(SyscallEntry { number, arg0 }));
    task.context
        .borrow_mut()
        .regs_mut()
        .set_syscall_return(returned);
    None
}

/// Performs a Linux call for a task of this node, whoever asked: the task itself, or its remote twin.
pub async fn dispatch(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    caller: Caller,
    sysno: Sysno,
    args: [u64; 6],
) -> SyscallResult {
    match table::implementation(sysno) {
        Some(run) => {
            run(Call {
                k,
                task,
                caller,
                args,
            })
            .await
        }
        None => {
            report(
                k,
                task,
                sysno.name(),
                sysno.number(caller.abi).unwrap_or(u64::MAX),
            );
            Err(Errno::ENOSYS)
        }
    }
}

/// A number in the convention of the program's era: Popcorn's calls go first, because Linux gave their old numbers to others.
fn decode(k: &Kernel, number: u64) -> Decoded {
    match (
        k.config.popcorn_abi.lookup(number, k.isa()),
        Sysno::from_number(k.isa(), number),
    ) {
        (Some(call), _) => Decoded::Popcorn(call),
        (None, Some(sysno)) => Decoded::Linux(sysno),
        (None, None) => Decoded::Unknown,
    }
}

async fn linux(k: &Rc<Kernel>, task: &Rc<Task>, sysno: Sysno, args: [u64; 6]) -> SyscallResult {
    if !task.popcorn.at_remote.get() || !forward::is_forwarded(k.config.profile, sysno) {
        return dispatch(k, task, Caller { abi: k.isa() }, sysno, args).await;
    }
    let value = forward::forward_syscall(k, task, sysno, args).await?;
    // Home has ended the group by now; this thread ends as part of it.
    let ends = (sysno == Sysno::ExitGroup).then(|| ExitStatus::Exited(args[0] as u8));
    Ok(ends.map_or(SyscallOutcome::Value(value), SyscallOutcome::Exit))
}

async fn popcorn(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    call: PopcornCall,
    args: [u64; 6],
) -> SyscallResult {
    match call {
        PopcornCall::Migrate => {
            match process_server::sys_popcorn_migrate(k, task, args[0] as i32, VirtAddr(args[1]))
                .await?
            {
                Migrated::Home => Ok(SyscallOutcome::Value(0)),
                Migrated::Gone(status) => Ok(SyscallOutcome::Exit(status)),
            }
        }
        PopcornCall::ProposeMigration => {
            process_server::sys_popcorn_propose_migration(k, task, args[0] as i32, args[1] as i32)
                .map(SyscallOutcome::Value)
        }
        PopcornCall::GetThreadStatus => {
            process_server::sys_popcorn_get_thread_status(k, task, VirtAddr(args[0]))
                .await
                .map(SyscallOutcome::Value)
        }
        PopcornCall::GetNodeInfo => {
            process_server::sys_popcorn_get_node_info(k, task, VirtAddr(args[0]), VirtAddr(args[1]))
                .await
                .map(SyscallOutcome::Value)
        }
    }
}

fn report(k: &Kernel, task: &Task, name: &str, number: u64) {
    if k.reported_calls.borrow_mut().insert(number) {
        k.event(&Event::Unimplemented {
            pid: task.pid,
            name,
            number,
        });
    }
}
