//! The story of a run, for a person who has never heard of Popcorn: what the cluster is, where each thread went, and for each of the first
//! migrations what travelled, when, and what followed it. Plain words first, Popcorn's names in brackets. Plain text, 100 columns.

mod leg;
mod lines;
mod path;
mod traffic;

use std::fmt;

use msglayer::{Nid, SimDuration, SimTime};

use super::journey::{Journey, Migration};
use lines::{heading, last_heading, paragraph, row};

/// Routes that are listed.
const ROUTES: usize = 20;

/// The story of a journey.
pub struct Story<'a> {
    journey: &'a Journey,
}

impl<'a> Story<'a> {
    /// Of this one.
    pub fn new(journey: &'a Journey) -> Self {
        Self { journey }
    }

    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, told) = (self.journey.departures(), self.journey.told.len() as u64);
        if all == told {
            return Ok(());
        }
        heading(
            f,
            &format!("The other {}, in figures", plural(all - told, "migration")),
        )?;
        paragraph(
            f,
            &format!(
                "All {} migrations by route. \"On the way\" is the virtual time from saved registers to a thread that is ready to \
                 run. \"Pages\" came on the thread's account within a millisecond of its arrival, \"rights\" are rights to write \
                 pages that were there already.",
                grouped(all)
            ),
        )?;
        writeln!(f)?;
        let mut line = |way: &str, number: &str, times: &str, pages: &str, rights: &str| {
            row(
                f,
                &format!("  {way:<37}{number:>8}{times:>31}{pages:>9}{rights:>9}"),
            )
        };
        line(
            "",
            "number",
            "on the way (least to most)",
            "pages",
            "rights",
        )?;
        for ((from, to), route) in self.journey.routes.iter().take(ROUTES) {
            let times = match (route.mean(), route.shortest) {
                (Some(mean), Some(least)) => {
                    format!(
                        "{} ({} to {})",
                        span(mean),
                        span(least),
                        span(route.longest)
                    )
                }
                _ => "none arrived".to_owned(),
            };
            let way = format!("{} ──> {}", self.node(*from), self.node(*to));
            let figures = [route.departures, route.copies, route.grants].map(grouped);
            line(&way, &figures[0], &times, &figures[1], &figures[2])?;
        }
        if self.journey.routes.len() > ROUTES {
            let more = (self.journey.routes.len() - ROUTES) as u64;
            line(
                &format!("… and {}", plural(more, "other route")),
                "",
                "",
                "",
                "",
            )?;
        }
        Ok(())
    }

    /// "node 1 (aarch64)".
    fn node(&self, nid: Nid) -> String {
        format!("node {nid} ({})", self.journey.machine.isa(nid))
    }

    /// "cross_border()", or the address where there is no name.
    fn function(&self, nid: Nid, address: isa::VirtAddr) -> String {
        self.journey
            .machine
            .function(nid, address)
            .map_or_else(|| address.to_string(), |name| format!("{name}()"))
    }

    fn differs(&self, migration: &Migration) -> bool {
        self.journey.machine.isa(migration.from) != self.journey.machine.isa(migration.to)
    }
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "What happened")?;
        path::cluster(self, f)?;
        path::paths(self, f)?;
        for migration in &self.journey.told {
            leg::leg(self, migration, f)?;
        }
        self.rest(f)?;
        heading(f, "How to read this")?;
        paragraph(
            f,
            "Times are virtual: worked out from the instructions that were executed and the messages that were sent, so they \
             are the same on any computer. The digest in the last line is a fingerprint of all that happened: the same program \
             on the same cluster gives the same digest, every time. To see every single event, add --trace FILE.",
        )?;
        // The summary of the run follows.
        last_heading(f, "In figures")
    }
}

/// "3 frames".
fn plural(number: u64, noun: &str) -> String {
    let grouped = grouped(number);
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{grouped} {noun}s")
    }
}

/// "4,096".
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "0.120 ms": one unit for all of a picture.
fn clock(at: SimTime) -> String {
    let us = at.as_us();
    format!("{}.{:03} ms", grouped(us / 1_000), us % 1_000)
}

/// "85.6 us", "1.5 ms": as short as it can be understood.
fn span(time: SimDuration) -> String {
    let ns = time.as_ns();
    match ns {
        0..1_000_000 => format!("{}.{} us", ns / 1_000, ns % 1_000 / 100),
        1_000_000..1_000_000_000 => format!("{}.{} ms", ns / 1_000_000, ns % 1_000_000 / 100_000),
        _ => format!(
            "{}.{} s",
            grouped(ns / 1_000_000_000),
            ns % 1_000_000_000 / 100_000_000
        ),
    }
}
