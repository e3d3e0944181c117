//! Where threads were, stop by stop, and the figures of each route between two nodes.

use kernel_model::Pid;
use msglayer::{Nid, SimDuration, SimTime};

/// Stops of a path that are kept.
const MAX_STOPS: usize = 8;

/// A thread: its home, and its pid there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThreadKey {
    /// Where it was created.
    pub home: Nid,
    /// Its pid there.
    pub pid: Pid,
}

/// A thread's path.
#[derive(Debug)]
pub struct Traveller {
    /// Which thread.
    pub thread: ThreadKey,
    /// Where it was, in order.
    pub stops: Vec<Stop>,
    /// Stops that were not kept.
    pub more_stops: u64,
    /// When and where it ended.
    pub ended: Option<(Nid, SimTime)>,
}

/// A stay of a thread on a node.
#[derive(Debug)]
pub struct Stop {
    /// Where.
    pub nid: Nid,
    /// From when on.
    pub since: SimTime,
    /// When it left.
    pub left: Option<SimTime>,
    /// The function that it is in.
    pub function: Option<String>,
    /// What the program printed meanwhile; only of programs with one thread.
    pub printed: String,
}

/// Figures of all migrations from one node to another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route {
    /// Threads that left.
    pub departures: u64,
    /// Those that arrived.
    pub arrivals: u64,
    /// Time from departure to arrival, of all that arrived.
    pub total: SimDuration,
    /// The shortest.
    pub shortest: Option<SimDuration>,
    /// The longest.
    pub longest: SimDuration,
    /// Pages whose bytes came on the thread's account while it was watched.
    pub copies: u64,
    /// Rights to write that came without bytes.
    pub grants: u64,
}

impl Traveller {
    pub(super) fn stop(&mut self, stop: Stop) {
        if self.stops.len() < MAX_STOPS {
            self.stops.push(stop);
        } else {
            self.more_stops += 1;
        }
    }
}

impl Route {
    /// The mean time from departure to arrival.
    pub fn mean(&self) -> Option<SimDuration> {
        Some(SimDuration::from_ps(
            self.total.as_ps().checked_div(self.arrivals)?,
        ))
    }

    pub(super) fn arrival(&mut self, took: SimDuration) {
        self.arrivals += 1;
        self.total += took;
        self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        self.longest = self.longest.max(took);
    }
}
