//! One migration in full: where from, where to, what went along, what followed, and when.

use std::collections::BTreeMap;

use isa::{Errno, VirtAddr};
use kernel_model::Pid;
use msglayer::{MessageType, Nid, SimDuration, SimTime};

use super::machine::{Chain, PageKind, Surroundings};

/// How long after its arrival a thread is watched.
pub const WATCHED: SimDuration = SimDuration::from_ms(1);

/// Most messages that are kept of one migration.
const MAX_SENT: usize = 1 << 14;
/// Most pages that are kept of one migration.
const MAX_PAGES: usize = 1 << 10;

/// A message on the network, whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it left.
    pub at: SimTime,
    /// Its type.
    pub kind: MessageType,
    /// Its bytes, header included.
    pub size: usize,
}

/// Numbers and bytes of messages, by type.
pub type Traffic = BTreeMap<MessageType, (u64, u64)>;

/// How a page came to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageMove {
    /// The node that got it.
    pub nid: Nid,
    /// Its address.
    pub addr: VirtAddr,
    /// What it is for.
    pub kind: PageKind,
    /// How often its bytes were sent.
    pub copies: u32,
    /// How often the right to write was sent without the bytes.
    pub grants: u32,
    /// How often the node helped itself: from the program's file, or with an empty page.
    pub local: u32,
}

/// A thread's way from one node to another.
#[derive(Debug)]
pub struct Migration {
    /// Its number in the run, from 1.
    pub number: u64,
    /// The thread's pid at home.
    pub thread: Pid,
    /// Its pid where it left.
    pub from_pid: Pid,
    /// Its pid where it arrived.
    pub to_pid: Option<Pid>,
    /// The node it left.
    pub from: Nid,
    /// The node it went to.
    pub to: Nid,
    /// It went home.
    pub back: bool,
    /// No thread had gone there before: the node has to make the process first.
    pub first_visit: bool,
    /// PC at the system call.
    pub pc: VirtAddr,
    /// Where it was to go on.
    pub resume_pc: VirtAddr,
    /// The calls it was inside of.
    pub chain: Chain,
    /// What lies around its stacks at the destination.
    pub around: Surroundings,
    /// Its registers were saved.
    pub departed: SimTime,
    /// The message with its registers left.
    pub sent: Option<SimTime>,
    /// Home sent it on to the third node that it goes to.
    pub relayed: Option<SimTime>,
    /// The message reached the destination.
    pub received: Option<SimTime>,
    /// The thread was ready to run there.
    pub arrived: Option<SimTime>,
    /// Its first instruction could run.
    pub first_instruction: Option<SimTime>,
    /// The last page fault of the arrival code.
    pub landed: Option<SimTime>,
    /// Page faults of the arrival code.
    pub landing_faults: u32,
    /// The arrival code is through.
    pub back_in_program: bool,
    /// It left again, or ended.
    pub left: Option<SimTime>,
    /// It did not leave again.
    pub ended: bool,
    /// It did not go after all.
    pub refused: Option<Errno>,
    /// Pages that came on its account, in the order of their first coming.
    pub pages: Vec<PageMove>,
    /// Pages that were not kept.
    pub more_pages: u64,
    /// All messages from its departure on.
    sent_messages: Vec<Sent>,
}

impl Migration {
    pub(super) fn new(
        number: u64,
        thread: Pid,
        from_pid: Pid,
        from: Nid,
        departed: SimTime,
    ) -> Self {
        Self {
            number,
            thread,
            from_pid,
            to_pid: None,
            from,
            to: from,
            back: false,
            first_visit: false,
            pc: VirtAddr(0),
            resume_pc: VirtAddr(0),
            chain: Chain::default(),
            around: Surroundings::default(),
            departed,
            sent: None,
            relayed: None,
            received: None,
            arrived: None,
            first_instruction: None,
            landed: None,
            landing_faults: 0,
            back_in_program: false,
            left: None,
            ended: false,
            refused: None,
            pages: Vec::new(),
            more_pages: 0,
            sent_messages: Vec::new(),
        }
    }

    /// The end of the time that is watched.
    pub fn watched_until(&self) -> Option<SimTime> {
        let limit = self.arrived? + WATCHED;
        Some(self.left.map_or(limit, |left| left.min(limit)))
    }

    /// The time from its saved registers to its first instruction at the destination.
    pub fn running_after(&self) -> Option<SimDuration> {
        Some(
            self.first_instruction
                .or(self.arrived)?
                .saturating_since(self.departed),
        )
    }

    /// Messages between departure and arrival.
    pub fn traffic_under_way(&self) -> Traffic {
        let arrived = self.arrived.unwrap_or(SimTime::MAX);
        traffic(self.sent_messages.iter().filter(|m| m.at <= arrived))
    }

    /// Messages between arrival and the end of the time that is watched.
    pub fn traffic_after(&self) -> Traffic {
        let (Some(arrived), Some(end)) = (self.arrived, self.watched_until()) else {
            return Traffic::new();
        };
        traffic(
            self.sent_messages
                .iter()
                .filter(|m| arrived < m.at && m.at <= end),
        )
    }

    /// Whether some messages or pages were too many to be kept.
    pub fn is_cut(&self) -> bool {
        self.sent_messages.len() == MAX_SENT || self.more_pages > 0
    }

    pub(super) fn note_message(&mut self, message: Sent) {
        let in_time = self.departed <= message.at && self.is_watched(message.at);
        if in_time && self.refused.is_none() && self.sent_messages.len() < MAX_SENT {
            self.sent_messages.push(message);
        }
    }

    pub(super) fn is_watched(&self, at: SimTime) -> bool {
        self.watched_until().is_none_or(|end| at <= end)
    }

    pub(super) fn page(
        &mut self,
        nid: Nid,
        addr: VirtAddr,
        kind: PageKind,
    ) -> Option<&mut PageMove> {
        let addr = addr.page_align_down();
        let known = self
            .pages
            .iter()
            .position(|p| p.nid == nid && p.addr == addr);
        let index = known.unwrap_or(self.pages.len());
        if index == MAX_PAGES {
            self.more_pages += 1;
            return None;
        }
        if known.is_none() {
            self.pages.push(PageMove {
                nid,
                addr,
                kind,
                copies: 0,
                grants: 0,
                local: 0,
            });
        }
        self.pages.get_mut(index)
    }
}

fn traffic<'a>(messages: impl Iterator<Item = &'a Sent>) -> Traffic {
    let mut traffic = Traffic::new();
    for message in messages {
        let entry = traffic.entry(message.kind).or_default();
        entry.0 += 1;
        entry.1 += message.size as u64;
    }
    traffic
}
