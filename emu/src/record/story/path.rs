//! The cluster as a picture, and the paths of the threads through it.

use std::fmt;

use msglayer::Nid;

use super::lines::{WIDTH, cut, paragraph};
use super::{Story, clock, plural};
use crate::record::journey::{Stop, Traveller};

/// Most nodes that are drawn side by side.
const DRAWN: usize = 4;
/// Columns of the times left of a path.
const TIME: usize = 13;
/// Lines of output that are shown of a stop.
const PRINTED: usize = 3;

/// The nodes, and what they do not share.
pub fn cluster(story: &Story<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let isas = story.journey.machine.isas();
    if isas.len() <= DRAWN {
        let link = if isas.len() <= 3 {
            "══ network ══"
        } else {
            "═════"
        };
        let join = |left: &str, middle: &str, right: &str, gap: &str| {
            let boxes: Vec<_> = (0..isas.len())
                .map(|_| format!("{left}{middle}{right}"))
                .collect();
            boxes.join(gap)
        };
        let gap = " ".repeat(link.chars().count());
        let bar = "─".repeat(16);
        let row = |text: &dyn Fn(usize) -> String, gap: &str| {
            let boxes: Vec<_> = (0..isas.len())
                .map(|n| format!("│ {:<15}│", text(n)))
                .collect();
            boxes.join(gap)
        };
        writeln!(f, "   {}", join("┌", &bar, "┐", &gap))?;
        writeln!(f, "   {}", row(&|n| format!("node {n}"), &gap))?;
        writeln!(f, "   {}", row(&|n| format!("{} CPU", isas[n]), link))?;
        writeln!(f, "   {}", row(&|_| "own memory".into(), &gap))?;
        writeln!(f, "   {}", row(&|_| "own kernel".into(), &gap))?;
        writeln!(f, "   {}\n", join("└", &bar, "┘", &gap))?;
    } else {
        let nodes: Vec<_> = isas
            .iter()
            .enumerate()
            .map(|(n, isa)| format!("node {n} ({isa})"))
            .collect();
        paragraph(
            f,
            &format!(
                "{}, each with its own memory and its own kernel, and a network between them.",
                nodes.join(", ")
            ),
        )?;
        writeln!(f)?;
    }
    let mixed = isas.iter().any(|isa| *isa != isas[0]);
    let path = story
        .journey
        .program
        .as_ref()
        .map_or("the program", |(path, _)| path);
    let languages = if mixed {
        "x86_64 and aarch64 processors do not understand each other's machine code, so the program was compiled for both, \
         with each function and variable at one and the same address."
    } else if isas.len() > 1 {
        "All nodes understand the same machine code."
    } else {
        "There is no other node to go to."
    };
    paragraph(
        f,
        &format!("The program is {path}. It starts on node 0, which is its home. {languages}"),
    )
}

/// The paths of the first threads.
pub fn paths(story: &Story<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let journey = story.journey;
    if journey.told.is_empty() {
        writeln!(f)?;
        return paragraph(f, "No thread left the node on which it started.");
    }
    let nodes = journey.machine.isas().len();
    for traveller in &journey.travellers {
        if journey.threaded && traveller.stops.len() == 1 {
            continue;
        }
        let who = if journey.threaded {
            format!(
                "thread {} of node {}",
                traveller.thread.pid, traveller.thread.home
            )
        } else {
            "the program's one thread".to_owned()
        };
        writeln!(f, "\n  The path of {who}, by virtual time:\n")?;
        if nodes <= DRAWN {
            lanes(story, traveller, f)?
        } else {
            list(story, traveller, f)?
        }
        if traveller.more_stops > 0 {
            writeln!(
                f,
                "  {:TIME$}… and {}",
                "",
                plural(traveller.more_stops, "more stop")
            )?;
        }
    }
    Ok(())
}

/// A column for each node.
fn lanes(story: &Story<'_>, traveller: &Traveller, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let isas = story.journey.machine.isas();
    let pitch = if isas.len() <= 2 { 28 } else { 19 };
    let heads: String = isas
        .iter()
        .enumerate()
        .map(|(n, isa)| format!("{:<pitch$}", format!("node {n} ({isa})")))
        .collect();
    writeln!(f, "  {:TIME$}{}", "", heads.trim_end())?;
    for (index, stop) in traveller.stops.iter().enumerate() {
        let lane = |f: &mut fmt::Formatter<'_>, time: &str, sign: &str, text: &str| {
            let indent = stop.nid.index() * pitch;
            let text = cut(text, WIDTH - TIME - 2 - indent - 2);
            let line = format!("  {time:>11}  {:indent$}{sign} {text}", "");
            writeln!(f, "{}", line.trim_end())
        };
        lane(f, &clock(stop.since), "●", &what(stop, index))?;
        for line in stop.printed.lines().take(PRINTED) {
            lane(f, "", "│", &format!("prints \"{}\"", line.trim()))?;
        }
        match traveller.stops.get(index + 1) {
            Some(next) => {
                let left = stop.left.unwrap_or(next.since);
                writeln!(
                    f,
                    "  {:>11}  {}",
                    clock(left),
                    bridge(stop.nid, next.nid, pitch, "migrates")
                )?;
            }
            None if traveller.more_stops == 0 => {
                if let Some((nid, at)) = traveller.ended.filter(|(nid, _)| *nid == stop.nid) {
                    lane(f, &clock(at), "■", &format!("ends on node {nid}"))?;
                }
            }
            None => {}
        }
    }
    Ok(())
}

/// What a stop begins with.
fn what(stop: &Stop, index: usize) -> String {
    match &stop.function {
        Some(function) => format!("goes on in {function}()"),
        None if index == 0 => "starts".to_owned(),
        None => "goes on".to_owned(),
    }
}

/// An arrow from one node's column to another's.
fn bridge(from: Nid, to: Nid, pitch: usize, word: &str) -> String {
    let (from, to) = (from.index() * pitch, to.index() * pitch);
    let (low, high) = (from.min(to), from.max(to));
    let inside = high - low - 1;
    let word = if inside > word.len() + 4 {
        format!(" {word} ")
    } else {
        String::new()
    };
    let before = (inside - word.len()) / 2;
    let after = inside - word.len() - before;
    let (left, right) = if from < to {
        ("╰", "╮")
    } else {
        ("╭", "╯")
    };
    format!(
        "{:low$}{left}{}{word}{}{right}",
        "",
        "─".repeat(before),
        "─".repeat(after)
    )
}

/// One line for each stop: for clusters that are too wide to draw.
fn list(story: &Story<'_>, traveller: &Traveller, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, stop) in traveller.stops.iter().enumerate() {
        let arrow = if index == 0 { "   " } else { "──>" };
        writeln!(
            f,
            "  {:>11}  {arrow} {}: {}",
            clock(stop.since),
            story.node(stop.nid),
            what(stop, index)
        )?;
    }
    match traveller.ended {
        Some((nid, at)) if traveller.more_stops == 0 => {
            writeln!(f, "  {:>11}  ends on node {nid}", clock(at))
        }
        _ => Ok(()),
    }
}
