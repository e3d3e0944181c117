//! What happened in a run: the events that tests ask about, in order, with time and node.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use isa::VirtAddr;
use kernel_model::Access;
use kernel_model::event::{Event, EventSink};
use msglayer::messages::{
    PageInvalidateRequest, PageInvalidateResponse, RemotePageRequest, RemotePageResponse,
    RemotePageResponseShort,
};
use msglayer::{Message, MessageType, Nid, SimTime};

use super::script::SHARED;

/// An event, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Send {
        to: Nid,
        kind: MessageType,
        bytes: Vec<u8>,
    },
    MigrateOut {
        to: Nid,
        back: bool,
    },
    MigrateIn {
        from: Nid,
        pc: VirtAddr,
        back: bool,
    },
    Fault {
        addr: VirtAddr,
        access: Access,
        result: u32,
    },
    Granted {
        addr: VirtAddr,
        write: bool,
        data: bool,
    },
    Revoked {
        addr: VirtAddr,
        keeps_read: bool,
    },
    Output(Vec<u8>),
    Exit {
        pid: i32,
        code: i32,
    },
    Refused(String),
    Log(String),
    /// A thread's call, as it saw it.
    Call {
        pid: i32,
        name: String,
        ret: u64,
    },
    /// A script told something.
    Told(&'static str, u64),
    /// Everything else, in words.
    Other(String),
}

/// An event with its time and node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub at: SimTime,
    pub nid: Nid,
    pub what: What,
}

/// Keeps everything.
#[derive(Default)]
pub struct Recorder {
    records: RefCell<Vec<Record>>,
    shared: RefCell<BTreeMap<u64, u64>>,
    watched: RefCell<Vec<Range<u64>>>,
}

impl Recorder {
    /// From now on a range is held against one flat memory at every load and store, as [`SHARED`] always is. Kernels must not write there, and
    /// what system calls do to it the script says ([`Recorder::forget`], [`Recorder::moved`]).
    pub fn watch(&self, range: Range<u64>) {
        self.watched.borrow_mut().push(range);
    }

    fn is_watched(&self, addr: u64) -> bool {
        SHARED.contains(&addr)
            || self
                .watched
                .borrow()
                .iter()
                .any(|range| range.contains(&addr))
    }

    /// A script has stored to memory.
    pub fn stored(&self, addr: u64, value: u64) {
        if self.is_watched(addr) {
            self.shared.borrow_mut().insert(addr, value);
        }
    }

    /// A script has loaded from memory: where it is watched that must be the last value that anybody stored, anywhere.
    ///
    /// The order of the engine's actions is an order in which the accesses can have happened, because nobody writes before all copies
    /// are gone, so that even this strictest order must hold.
    pub fn loaded(&self, nid: Nid, addr: u64, value: u64) {
        if self.is_watched(addr) {
            let last = self.shared.borrow().get(&addr).copied().unwrap_or(0);
            assert_eq!(
                value, last,
                "node {nid} reads {value:#x} at {addr:#x}, where {last:#x} was stored last"
            );
        }
    }

    /// What was in a range is gone: it reads as zeroes.
    pub fn forget(&self, range: &Range<u64>) {
        self.shared
            .borrow_mut()
            .retain(|addr, _| !range.contains(addr));
    }

    /// What was in a range is at `to` now.
    pub fn moved(&self, from: &Range<u64>, to: u64) {
        let mut shared = self.shared.borrow_mut();
        let moved: Vec<_> = shared.range(from.clone()).map(|(a, v)| (*a, *v)).collect();
        for (addr, value) in moved {
            shared.remove(&addr);
            shared.insert(addr - from.start + to, value);
        }
    }

    /// Notes what a script tells; it does not know the time, so that it takes that of the event before.
    pub fn tell(&self, nid: Nid, what: What) {
        let mut records = self.records.borrow_mut();
        let at = records
            .iter()
            .rev()
            .find(|record| record.nid == nid)
            .map_or(SimTime::ZERO, |record| record.at);
        records.push(Record { at, nid, what });
    }

    /// How many events there were.
    pub fn len(&self) -> usize {
        self.records.borrow().len()
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Record> {
        self.records.borrow().clone()
    }

    /// The events of one node, in its order.
    pub fn of(&self, nid: Nid) -> Vec<Record> {
        self.records
            .borrow()
            .iter()
            .filter(|record| record.nid == nid)
            .cloned()
            .collect()
    }

    /// What `pick` makes of the events.
    pub fn pick<T>(&self, pick: impl Fn(Nid, &What) -> Option<T>) -> Vec<T> {
        self.records
            .borrow()
            .iter()
            .filter_map(|record| pick(record.nid, &record.what))
            .collect()
    }

    /// Messages of a type: from, to and the message.
    pub fn messages<M: Message>(&self) -> Vec<(usize, usize, M)> {
        self.pick(|from, what| match what {
            What::Send { to, kind, bytes } if *kind == M::TYPE => Some((
                from.index(),
                to.index(),
                *M::parse(bytes).expect("a message of its type"),
            )),
            _ => None,
        })
    }

    /// How many messages of a type were sent.
    pub fn sent(&self, kind: MessageType) -> usize {
        self.pick(|_, what| matches!(what, What::Send { kind: k, .. } if *k == kind).then_some(()))
            .len()
    }

    /// The page server's messages about one page, as "from>to what".
    pub fn page_traffic(&self, page: u64) -> Vec<String> {
        let mut awaited = BTreeSet::new();
        let mut traffic = Vec::new();
        for record in self.records.borrow().iter() {
            let What::Send { to, kind, bytes } = &record.what else {
                continue;
            };
            let what = match kind {
                MessageType::RemotePageRequest => {
                    let request = parse::<RemotePageRequest>(bytes);
                    let what = if request.fault_flags.get() & 1 == 1 {
                        "write request"
                    } else {
                        "read request"
                    };
                    (request.addr.get() == page).then_some(what)
                }
                MessageType::RemotePageResponse => {
                    (parse::<RemotePageResponse>(bytes).addr.get() == page).then_some("page")
                }
                MessageType::RemotePageResponseShort => {
                    let short = parse::<RemotePageResponseShort>(bytes);
                    let what = if short.result.get() == 0x4000 {
                        "grant"
                    } else {
                        "refusal"
                    };
                    (short.addr.get() == page).then_some(what)
                }
                MessageType::PageInvalidateRequest => {
                    let request = parse::<PageInvalidateRequest>(bytes);
                    let about = request.addr.get() == page;
                    if about {
                        awaited.insert((*to, request.origin_ws.get()));
                    }
                    about.then_some("invalidate")
                }
                MessageType::PageInvalidateResponse => awaited
                    .remove(&(
                        record.nid,
                        parse::<PageInvalidateResponse>(bytes).origin_ws.get(),
                    ))
                    .then_some("ack"),
                _ => None,
            };
            traffic.extend(what.map(|what| format!("{}>{to} {what}", record.nid)));
        }
        traffic
    }

    /// What scripts told under a tag.
    pub fn told(&self, wanted: &str) -> Vec<(usize, u64)> {
        self.pick(|nid, what| match what {
            What::Told(tag, value) if *tag == wanted => Some((nid.index(), *value)),
            _ => None,
        })
    }

    /// What was written to the console of a node.
    pub fn output(&self, nid: usize) -> String {
        let bytes = self.pick(|at, what| match what {
            What::Output(bytes) if at.index() == nid => Some(bytes.clone()),
            _ => None,
        });
        String::from_utf8(bytes.concat()).expect("scripts write text")
    }

    /// All log lines.
    pub fn logs(&self) -> Vec<String> {
        self.pick(|_, what| match what {
            What::Log(text) => Some(text.clone()),
            _ => None,
        })
    }
}

fn parse<M: Message>(bytes: &[u8]) -> &M {
    M::parse(bytes).expect("a message of its type")
}

impl EventSink for Recorder {
    fn record(&self, at: SimTime, nid: Nid, event: &Event<'_>) {
        let what = match *event {
            Event::Send { to, kind, bytes } => What::Send {
                to,
                kind,
                bytes: bytes.to_vec(),
            },
            Event::MigrateOut { to, back, .. } => What::MigrateOut { to, back },
            Event::MigrateIn { from, pc, back, .. } => What::MigrateIn { from, pc, back },
            Event::PageFault {
                addr,
                access,
                result,
                ..
            } => What::Fault {
                addr,
                access,
                result,
            },
            Event::PageGranted {
                addr, write, data, ..
            } => What::Granted { addr, write, data },
            Event::PageRevoked { addr, keeps_read } => What::Revoked { addr, keeps_read },
            Event::Output { bytes, .. } => What::Output(bytes.to_vec()),
            Event::Exit { pid, code } => What::Exit { pid: pid.0, code },
            Event::Refused { why, .. } => What::Refused(why.to_owned()),
            Event::Syscall { pid, name, ret, .. } => What::Call {
                pid: pid.0,
                name: name.to_owned(),
                ret,
            },
            Event::Log { text } => What::Log(text.to_owned()),
            _ => What::Other(format!("{event:?}")),
        };
        self.records.borrow_mut().push(Record { at, nid, what });
    }
}
