//! The journey of a program's threads, told from the events: who went where, with what, and what followed.
//!
//! Events of different nodes come in the order in which the engine runs the nodes, not in that of virtual time; what is counted over a span
//! of time is therefore picked by its time stamp. The first migrations are kept in full, the others as figures by route, so that a
//! thread that migrates for ever needs no more memory than one that migrates twice. Everything here observes; nothing changes the run.

mod machine;
mod migration;
mod path;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use isa::wire::{FieldArch, Regset};
use isa::{Errno, VirtAddr};
use kernel_model::{Access, Event, Kernel, Pid};
use msglayer::messages::{BackMigrationRequest, CloneRequest, RemoteTaskPairing};
use msglayer::{Message, MessageType, Nid, SimTime};

use crate::program::Program;
use machine::NativeStack;
pub use machine::{Machine, PageKind};
pub use migration::{Migration, PageMove, Sent, Traffic, WATCHED};
pub use path::{Route, Stop, ThreadKey, Traveller};

/// Migrations that are kept in full.
const TOLD: usize = 3;
/// Threads whose path is kept.
const MAX_TRAVELLERS: usize = 4;
/// Bytes of output that are kept of a stop.
const MAX_PRINTED: usize = 512;
/// Messages that are remembered in case a migration turns out to have begun before them.
const RECENT: usize = 256;

/// A thread that is away or has been.
#[derive(Debug)]
struct Leg {
    from: Nid,
    to: Nid,
    departed: SimTime,
    arrived: Option<SimTime>,
    /// As which task of the destination.
    pid: Option<Pid>,
    told: Option<usize>,
    /// A page came since the last fault: that fault was not local.
    granted: bool,
}

/// What is known of the journeys.
#[derive(Default)]
pub struct Journey {
    /// The nodes and the program.
    pub machine: Machine,
    /// The program as guests see it, and when it started.
    pub program: Option<(String, SimTime)>,
    /// Paths.
    pub travellers: Vec<Traveller>,
    /// The first migrations.
    pub told: Vec<Migration>,
    /// All migrations.
    pub routes: BTreeMap<(Nid, Nid), Route>,
    /// The program created threads.
    pub threaded: bool,
    /// By node and pid there, for pids that are not the thread's own.
    twins: BTreeMap<(Nid, Pid), ThreadKey>,
    legs: BTreeMap<ThreadKey, Leg>,
    /// Stacks that threads of the told migrations have left or come to.
    stacks: Vec<NativeStack>,
    /// When living threads were created; the first one is not among them.
    born: BTreeMap<ThreadKey, SimTime>,
    /// Threads whose registers are on the network, by sender, receiver and type.
    in_flight: BTreeMap<(Nid, Nid, MessageType), VecDeque<ThreadKey>>,
    recent: VecDeque<Sent>,
}

impl Journey {
    pub(super) fn attach(&mut self, kernels: &[Rc<Kernel>], program: &Program) {
        self.machine = Machine::new(kernels, program);
    }

    /// All migrations of the run.
    pub fn departures(&self) -> u64 {
        self.routes.values().map(|route| route.departures).sum()
    }

    pub(super) fn record(&mut self, at: SimTime, nid: Nid, event: &Event<'_>) {
        match *event {
            Event::Exec { tgid, path } => {
                self.program.get_or_insert_with(|| (path.to_owned(), at));
                let thread = ThreadKey {
                    home: nid,
                    pid: Pid(tgid.0),
                };
                self.traveller(thread, at);
            }
            Event::Clone { child, .. } => {
                self.threaded = true;
                self.born.insert(
                    ThreadKey {
                        home: nid,
                        pid: child,
                    },
                    at,
                );
            }
            Event::MigrateOut {
                pid,
                to,
                pc,
                sp,
                resume_pc,
                back,
                ..
            } => {
                let departure = Departure {
                    at,
                    nid,
                    pid,
                    to,
                    pc,
                    sp,
                    resume_pc,
                    back,
                };
                self.depart(&departure);
            }
            Event::Send { to, kind, bytes } => self.send(at, nid, to, kind, bytes),
            Event::Receive { from, kind, .. } => self.receive(at, nid, from, kind),
            Event::MigrateIn {
                pid,
                from,
                from_pid,
                back,
                ..
            } => {
                let thread = if back {
                    ThreadKey { home: nid, pid }
                } else {
                    ThreadKey {
                        home: from,
                        pid: from_pid,
                    }
                };
                self.arrive(at, nid, pid, thread);
            }
            Event::PageGranted {
                pid, addr, data, ..
            } => self.page_granted(at, nid, pid, addr, data),
            Event::PageFault {
                pid,
                pc,
                addr,
                access,
                result,
            } => self.page_fault(at, nid, pid, pc, addr, access, result),
            Event::Syscall { pid, name, ret, .. } => self.syscall(nid, pid, name, ret),
            Event::Output { bytes, .. } => self.output(bytes),
            Event::Exit { pid, .. } => self.exit(at, nid, pid),
            _ => {}
        }
    }

    fn depart(&mut self, departure: &Departure) {
        let &Departure {
            at,
            nid,
            pid,
            to,
            pc,
            sp,
            resume_pc,
            back,
        } = departure;
        let thread = self.who(nid, pid);
        self.leave(thread, at);
        let first_visit = !self.routes.keys().any(|(_, there)| *there == to);
        self.routes.entry((nid, to)).or_default().departures += 1;
        let number = self.departures();
        let told = (self.told.len() < TOLD).then(|| {
            let mut migration = Migration::new(number, thread.pid, pid, nid, at);
            (migration.to, migration.pc, migration.resume_pc) = (to, pc, resume_pc);
            (migration.back, migration.first_visit) = (back, first_visit);
            for message in &self.recent {
                migration.note_message(*message);
            }
            self.told.push(migration);
            let isa = self.machine.isa(nid);
            self.stacks
                .extend(self.machine.native_stack(nid, pid, sp, isa));
            self.told.len() - 1
        });
        let leg = Leg {
            from: nid,
            to,
            departed: at,
            arrived: None,
            pid: None,
            told,
            granted: false,
        };
        self.legs.insert(thread, leg);
        let born = self.born.get(&thread).copied().unwrap_or(at);
        if let Some(index) = self.traveller(thread, born)
            && let Some(stop) = self.travellers[index].stops.last_mut()
        {
            stop.left.get_or_insert(at);
        }
    }

    fn send(&mut self, at: SimTime, nid: Nid, to: Nid, kind: MessageType, bytes: &[u8]) {
        let message = Sent {
            at,
            kind,
            size: bytes.len(),
        };
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(message);
        for migration in &mut self.told {
            migration.note_message(message);
        }
        match kind {
            MessageType::TaskMigrate => {
                if let Ok(request) = CloneRequest::parse(bytes) {
                    let thread = ThreadKey {
                        home: nid,
                        pid: Pid(request.origin_pid.get()),
                    };
                    self.registers_sent(at, (nid, to, kind), thread, &request.arch);
                }
            }
            MessageType::TaskMigrateBack => {
                if let Ok(request) = BackMigrationRequest::parse(bytes) {
                    let thread = self.who(nid, Pid(request.remote_pid.get()));
                    self.registers_sent(at, (nid, to, kind), thread, &request.arch);
                }
            }
            MessageType::TaskPairing => {
                if let Ok(request) = RemoteTaskPairing::parse(bytes) {
                    let thread = ThreadKey {
                        home: to,
                        pid: Pid(request.your_pid.get()),
                    };
                    self.twins.insert((nid, Pid(request.my_pid.get())), thread);
                }
            }
            _ => {}
        }
    }

    fn registers_sent(
        &mut self,
        at: SimTime,
        way: (Nid, Nid, MessageType),
        thread: ThreadKey,
        arch: &FieldArch,
    ) {
        let (machine, nid) = (&self.machine, way.0);
        let Some(leg) = self.legs.get(&thread) else {
            return;
        };
        self.in_flight.entry(way).or_default().push_back(thread);
        let Some(migration) = leg.told.map(|told| &mut self.told[told]) else {
            return;
        };
        if migration.from != nid {
            migration.relayed = Some(at);
            return;
        }
        migration.sent = Some(at);
        let set: Regset = arch.regset(machine.isa(migration.to));
        migration.chain = machine.chain(nid, migration.from_pid, &set);
        let pid = migration.from_pid;
        let stack = machine.native_stack(nid, pid, set.sp(), set.isa());
        self.stacks.extend(stack);
        let thread_pointer = (VirtAddr(arch.tls.get()), set.isa());
        migration.around = machine.surroundings(nid, pid, thread_pointer, &self.stacks);
    }

    fn receive(&mut self, at: SimTime, nid: Nid, from: Nid, kind: MessageType) {
        // A link delivers in order, so the first that left is the first that comes.
        let thread = self
            .in_flight
            .get_mut(&(from, nid, kind))
            .and_then(VecDeque::pop_front);
        let leg = thread
            .and_then(|thread| self.legs.get(&thread))
            .filter(|leg| leg.to == nid);
        if let Some(told) = leg.and_then(|leg| leg.told) {
            self.told[told].received = Some(at);
        }
    }

    fn arrive(&mut self, at: SimTime, nid: Nid, pid: Pid, thread: ThreadKey) {
        let Some(leg) = self.legs.get_mut(&thread) else {
            return;
        };
        leg.arrived = Some(at);
        leg.pid = Some(pid);
        self.routes
            .entry((leg.from, leg.to))
            .or_default()
            .arrival(at.saturating_since(leg.departed));
        let mut function = None;
        if let Some(told) = leg.told {
            let migration = &mut self.told[told];
            migration.arrived = Some(at);
            migration.to_pid = Some(pid);
            function = migration
                .chain
                .sites
                .first()
                .map(|site| self.machine.caller(*site));
            function = function.or_else(|| self.machine.function(nid, migration.resume_pc));
        }
        if let Some(index) = self.traveller(thread, at) {
            self.travellers[index].stop(Stop {
                nid,
                since: at,
                left: None,
                function,
                printed: String::new(),
            });
        }
    }

    fn page_granted(&mut self, at: SimTime, nid: Nid, pid: Pid, addr: VirtAddr, data: bool) {
        let thread = self.who(nid, pid);
        let Some(leg) = self.legs.get_mut(&thread) else {
            return;
        };
        leg.granted = true;
        if leg.arrived.is_some_and(|arrived| at <= arrived + WATCHED) {
            let route = self.routes.entry((leg.from, leg.to)).or_default();
            *(if data {
                &mut route.copies
            } else {
                &mut route.grants
            }) += 1;
        }
        let Some(migration) = leg
            .told
            .map(|told| &mut self.told[told])
            .filter(|m| m.is_watched(at))
        else {
            return;
        };
        let kind = self.machine.page_kind(nid, addr, &migration.around);
        if let Some(page) = migration.page(nid, addr, kind) {
            *(if data {
                &mut page.copies
            } else {
                &mut page.grants
            }) += 1;
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of the event"
    )]
    fn page_fault(
        &mut self,
        at: SimTime,
        nid: Nid,
        pid: Pid,
        pc: VirtAddr,
        addr: VirtAddr,
        access: Access,
        result: u32,
    ) {
        let thread = self.who(nid, pid);
        let Some(leg) = self.legs.get_mut(&thread) else {
            return;
        };
        let granted = std::mem::take(&mut leg.granted);
        if nid != leg.to || leg.arrived.is_none() {
            return;
        }
        let Some(migration) = leg
            .told
            .map(|told| &mut self.told[told])
            .filter(|m| m.is_watched(at))
        else {
            return;
        };
        if !granted && result == 0 {
            let kind = self.machine.page_kind(nid, addr, &migration.around);
            if let Some(page) = migration.page(nid, addr, kind) {
                page.local += 1;
            }
        }
        if access == Access::Fetch && pc == migration.resume_pc && migration.landing_faults == 0 {
            migration.first_instruction = Some(at);
        } else if self.machine.same_function(nid, pc, migration.resume_pc)
            && !migration.back_in_program
        {
            migration.landed = Some(at);
            migration.landing_faults += 1;
        } else {
            migration.back_in_program = true;
        }
    }

    fn syscall(&mut self, nid: Nid, pid: Pid, name: &str, ret: u64) {
        let thread = self.who(nid, pid);
        let Some(leg) = self.legs.get(&thread) else {
            return;
        };
        match (leg.arrived, Errno::decode(ret)) {
            // It asked to leave, and is told that it has not left.
            (None, Err(errno)) if nid == leg.from && name == "popcorn_migrate" => {
                if let Some(told) = leg.told {
                    self.told[told].refused = Some(errno);
                }
                self.legs.remove(&thread);
            }
            (Some(_), _) if nid == leg.to && name != "popcorn_migrate" => {
                if let Some(told) = leg.told {
                    self.told[told].back_in_program = true;
                }
            }
            _ => {}
        }
    }

    fn output(&mut self, bytes: &[u8]) {
        if self.threaded {
            return;
        }
        if let Some(traveller) = self.travellers.first_mut()
            && traveller.more_stops == 0
            && let Some(stop) = traveller.stops.last_mut()
            && stop.printed.len() < MAX_PRINTED
        {
            stop.printed.push_str(&String::from_utf8_lossy(bytes));
        }
    }

    fn exit(&mut self, at: SimTime, nid: Nid, pid: Pid) {
        let thread = self.who(nid, pid);
        self.twins.remove(&(nid, pid));
        self.born.remove(&ThreadKey { home: nid, pid });
        let here = match self.legs.get(&thread) {
            // A thread that has left ends too, where it was, perhaps when it is there again: that is not the end of its journey.
            Some(leg) => leg.to == nid && leg.pid == Some(pid),
            None => thread == (ThreadKey { home: nid, pid }),
        };
        if here {
            self.leave(thread, at);
            if let Some(told) = self.legs.remove(&thread).and_then(|leg| leg.told) {
                self.told[told].ended = true;
            }
            if let Some(traveller) = self.travellers.iter_mut().find(|t| t.thread == thread) {
                traveller.ended.get_or_insert((nid, at));
            }
        }
    }

    /// The thread does not run where it is any more.
    fn leave(&mut self, thread: ThreadKey, at: SimTime) {
        if let Some(told) = self.legs.get(&thread).and_then(|leg| leg.told) {
            self.told[told].left.get_or_insert(at);
        }
        if let Some(traveller) = self.travellers.iter_mut().find(|t| t.thread == thread)
            && traveller.more_stops == 0
            && let Some(stop) = traveller.stops.last_mut()
        {
            stop.left.get_or_insert(at);
        }
    }

    fn who(&self, nid: Nid, pid: Pid) -> ThreadKey {
        self.twins
            .get(&(nid, pid))
            .copied()
            .unwrap_or(ThreadKey { home: nid, pid })
    }

    /// The path of a thread, begun if there is room for one more.
    fn traveller(&mut self, thread: ThreadKey, since: SimTime) -> Option<usize> {
        let known = self.travellers.iter().position(|t| t.thread == thread);
        known.or_else(|| {
            (self.travellers.len() < MAX_TRAVELLERS).then(|| {
                let first = Stop {
                    nid: thread.home,
                    since,
                    left: None,
                    function: None,
                    printed: String::new(),
                };
                self.travellers.push(Traveller {
                    thread,
                    stops: vec![first],
                    more_stops: 0,
                    ended: None,
                });
                self.travellers.len() - 1
            })
        })
    }
}

/// What [`Event::MigrateOut`] says, with its time and node.
struct Departure {
    at: SimTime,
    nid: Nid,
    pid: Pid,
    to: Nid,
    pc: VirtAddr,
    sp: VirtAddr,
    resume_pc: VirtAddr,
    back: bool,
}
