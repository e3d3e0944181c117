//! Counts of a run: what the summary at its end says.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use isa::Isa;
use kernel_model::{Event, Kernel};
use msglayer::{MessageType, Nid, SimTime};

use crate::program::Program;

/// Counts, by node where it matters.
pub struct Summary {
    isas: Vec<Isa>,
    /// Messages and bytes by type, whole cluster.
    pub messages: BTreeMap<MessageType, (u64, u64)>,
    /// Arrivals of threads from another node.
    pub migrations: u64,
    /// Pages that travelled with their data.
    pub pages_moved: u64,
    /// Pages granted without data.
    pub upgrades: u64,
    /// Processes that a node refused, each with the reason.
    pub refusals: Vec<String>,
    /// What kernels had to say, once each, in order.
    pub notes: Vec<String>,
    /// The time of the last event.
    pub end: SimTime,
}

impl Summary {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            isas: Vec::with_capacity(nodes),
            messages: BTreeMap::new(),
            migrations: 0,
            pages_moved: 0,
            upgrades: 0,
            refusals: Vec::new(),
            notes: Vec::new(),
            end: SimTime::ZERO,
        }
    }

    pub(super) fn attach(&mut self, kernels: &[Rc<Kernel>], _program: &Program) {
        self.isas = kernels.iter().map(|k| k.isa()).collect();
    }

    pub(super) fn record(&mut self, at: SimTime, nid: Nid, event: &Event<'_>) {
        self.end = self.end.max(at);
        match event {
            Event::Send { kind, bytes, .. } => {
                let entry = self.messages.entry(*kind).or_default();
                entry.0 += 1;
                entry.1 += bytes.len() as u64;
            }
            Event::MigrateIn { .. } => self.migrations += 1,
            Event::PageGranted { data: true, .. } => self.pages_moved += 1,
            Event::PageGranted { data: false, .. } => self.upgrades += 1,
            Event::Refused { why, .. } => self.note_once(true, why),
            Event::Unimplemented { name, number, .. } => {
                self.note_once(false, &format!("node {nid}: system call {name} ({number}) is not implemented, the program got ENOSYS"));
            }
            Event::Log { text } => self.note_once(false, &format!("node {nid}: {text}")),
            _ => {}
        }
    }

    fn note_once(&mut self, refusal: bool, text: &str) {
        let list = if refusal {
            &mut self.refusals
        } else {
            &mut self.notes
        };
        if !list.iter().any(|known| known == text) {
            list.push(text.to_owned());
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<_> = self
            .isas
            .iter()
            .enumerate()
            .map(|(n, isa)| format!("{n} {isa}"))
            .collect();
        let (count, bytes) = self
            .messages
            .values()
            .fold((0, 0), |(n, b), (count, bytes)| (n + count, b + bytes));
        writeln!(f, "nodes: {}", nodes.join(", "))?;
        writeln!(f, "virtual time: {}", self.end)?;
        writeln!(f, "migrations: {}", self.migrations)?;
        writeln!(
            f,
            "pages moved: {} with data, {} rights without data",
            self.pages_moved, self.upgrades
        )?;
        write!(f, "messages: {count}, {bytes} bytes")
    }
}
