//! Links: how long a message is under way, and what it costs the CPUs at both ends.
//!
//! A link is one direction of the connection between two nodes. It carries one message after the other (the next begins when the
//! last bit of the one before is on the wire) and never lets one overtake another, which is what a TCP stream promises.
//!
//! Left out: packets and their headers, retransmission and congestion, the network card that the links of a node share, and a
//! switch in between.

use thiserror::Error;

use crate::bandwidth::Bandwidth;
use crate::node::{MAX_POPCORN_NODES, Nid};
use crate::time::{SimDuration, SimTime};

/// What a link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkModel {
    /// From the last bit sent to the message being there. Never zero: it is the engine's look-ahead.
    pub latency: SimDuration,
    /// How fast bits follow each other.
    pub bandwidth: Bandwidth,
    /// CPU time that the sender pays for each message.
    pub send_cost: SimDuration,
    /// CPU time that the receiver pays for each message.
    pub recv_cost: SimDuration,
}

/// Why a link cannot be like that.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Nodes could act on each other in no time.
    #[error("a link needs a latency of more than zero: nodes run ahead of each other by that much")]
    NoLatency,
    /// There is no such profile.
    #[error("there is no link profile `{name}`; there are {known}")]
    UnknownProfile {
        /// The name that was given.
        name: String,
        /// The names that would be right.
        known: String,
    },
}

/// Where a figure of a profile comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From this standard or publication.
    Cited(&'static str),
    /// Chosen as plausible; measured by nobody.
    Assumed,
}

/// A link model with a name, and where its figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkProfile {
    /// Its name in a cluster file.
    pub name: &'static str,
    /// What it stands for.
    pub what: &'static str,
    /// The figures.
    pub model: LinkModel,
    /// Source of the bandwidth.
    pub bandwidth_source: Source,
    /// Source of latency and of both costs.
    pub timing_source: Source,
}

/// The profiles that have a name; the first one is the default. All of them are TCP over something: what differs is the wire.
pub const LINK_PROFILES: &[LinkProfile] = &[
    LinkProfile {
        name: "ib56",
        what: "TCP over 56 Gbit/s InfiniBand",
        model: profile(56_000, 8_000, 1_500, 2_000),
        bandwidth_source: Source::Cited("InfiniBand FDR, 4 lanes, nominal rate"),
        timing_source: Source::Assumed,
    },
    LinkProfile {
        name: "10gbe",
        what: "TCP over 10 Gigabit Ethernet",
        model: profile(10_000, 15_000, 1_500, 2_000),
        bandwidth_source: Source::Cited("IEEE 802.3ae, nominal rate"),
        timing_source: Source::Assumed,
    },
    LinkProfile {
        name: "1gbe",
        what: "TCP over Gigabit Ethernet, as between two development boards",
        model: profile(1_000, 30_000, 2_000, 3_000),
        bandwidth_source: Source::Cited("IEEE 802.3ab, nominal rate"),
        timing_source: Source::Assumed,
    },
];

/// A model from Mbit/s and nanoseconds.
const fn profile(mbit_per_sec: u64, latency_ns: u64, send_ns: u64, recv_ns: u64) -> LinkModel {
    let bandwidth =
        Bandwidth::from_bits_per_sec(mbit_per_sec * 1_000_000).expect("a profile has a bandwidth");
    assert!(latency_ns > 0, "a profile has a latency");
    LinkModel {
        latency: SimDuration::from_ns(latency_ns),
        bandwidth,
        send_cost: SimDuration::from_ns(send_ns),
        recv_cost: SimDuration::from_ns(recv_ns),
    }
}

impl LinkModel {
    /// The model, if a link can be like that.
    ///
    /// # Errors
    /// When the latency is zero.
    pub fn check(self) -> Result<Self, LinkError> {
        if self.latency.is_zero() {
            Err(LinkError::NoLatency)
        } else {
            Ok(self)
        }
    }

    /// The model of a named profile.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn profile(name: &str) -> Result<Self, LinkError> {
        let profile = LINK_PROFILES.iter().find(|profile| profile.name == name);
        profile
            .map(|profile| profile.model)
            .ok_or_else(|| LinkError::UnknownProfile {
                name: name.to_owned(),
                known: LINK_PROFILES
                    .iter()
                    .map(|profile| profile.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

/// The first profile.
impl Default for LinkModel {
    fn default() -> Self {
        LINK_PROFILES[0].model
    }
}

/// The outgoing links of one node.
#[derive(Debug, Clone)]
pub struct Links {
    links: [Link; MAX_POPCORN_NODES],
}

#[derive(Debug, Clone, Copy)]
struct Link {
    model: LinkModel,
    free_at: SimTime,
    last_arrival: SimTime,
}

impl Links {
    /// Links that are all alike.
    pub const fn new(model: LinkModel) -> Self {
        Self {
            links: [Link {
                model,
                free_at: SimTime::ZERO,
                last_arrival: SimTime::ZERO,
            }; MAX_POPCORN_NODES],
        }
    }

    /// Makes the link to `to` another one.
    pub const fn set_model(&mut self, to: Nid, model: LinkModel) {
        self.links[to.index()].model = model;
    }

    /// What the link to `to` is like.
    pub const fn model(&self, to: Nid) -> &LinkModel {
        &self.links[to.index()].model
    }

    /// Sends `len` bytes to `to` at `now`; returns when they are there.
    ///
    /// No earlier than `now` plus the latency, and later than everything sent to `to` before, whatever `now` was then.
    pub fn transmit(&mut self, now: SimTime, to: Nid, len: usize) -> SimTime {
        let link = &mut self.links[to.index()];
        link.free_at = now.max(link.free_at) + link.model.bandwidth.time_for(len);
        link.last_arrival =
            (link.free_at + link.model.latency).max(link.last_arrival + SimDuration::from_ps(1));
        link.last_arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn model() -> LinkModel {
        LinkModel {
            latency: SimDuration::from_us(10),
            bandwidth: "8Gbit/s".parse().unwrap(),
            send_cost: SimDuration::ZERO,
            recv_cost: SimDuration::ZERO,
        }
    }

    #[test]
    fn a_message_waits_for_the_one_before_on_its_own_link_only() {
        let [one, two] = [1, 2].map(|nid| Nid::checked(nid).unwrap());
        let mut links = Links::new(model());
        let mut arrival_ns =
            |now_us, to, len| links.transmit(SimTime::from_us(now_us), to, len).as_ns();
        assert_eq!(arrival_ns(0, one, 1000), 11_000);
        assert_eq!(arrival_ns(0, one, 1000), 12_000);
        assert_eq!(arrival_ns(0, two, 1000), 11_000);
        assert_eq!(arrival_ns(5, one, 1000), 16_000);
        assert_eq!(
            arrival_ns(1, one, 1000),
            17_000,
            "an earlier clock does not overtake"
        );
    }

    #[test]
    fn a_faster_link_does_not_overtake_either() {
        let to = Nid::checked(1).unwrap();
        let mut links = Links::new(model());
        let slow = links.transmit(SimTime::ZERO, to, 1000);
        links.set_model(
            to,
            LinkModel {
                latency: SimDuration::from_ps(1),
                ..model()
            },
        );
        assert!(links.transmit(SimTime::ZERO, to, 10) > slow);
    }

    #[test]
    fn profiles_can_be_links() {
        assert_eq!(LinkModel::default(), LinkModel::profile("ib56").unwrap());
        for profile in LINK_PROFILES {
            assert_eq!(profile.model.check(), Ok(profile.model), "{}", profile.name);
        }
        assert_eq!(
            LinkModel::profile("string").unwrap_err().to_string(),
            "there is no link profile `string`; there are ib56, 10gbe, 1gbe"
        );
        assert_eq!(
            LinkModel {
                latency: SimDuration::ZERO,
                ..model()
            }
            .check(),
            Err(LinkError::NoLatency)
        );
    }

    proptest! {
        #[test]
        fn no_message_overtakes_and_none_is_early(
            sends in prop::collection::vec((0u64..100, 0i32..3, 10usize..5000), 1..60),
        ) {
            let mut links = Links::new(model());
            let mut last = [SimTime::ZERO; 3];
            for (now, to, len) in sends {
                let (now, to) = (SimTime::from_us(now), Nid::checked(to).unwrap());
                let arrival = links.transmit(now, to, len);
                prop_assert!(arrival > last[to.index()]);
                prop_assert!(arrival >= now + model().latency + model().bandwidth.time_for(len));
                last[to.index()] = arrival;
            }
        }
    }
}
