//! One migration in full.

use std::fmt;

use isa::wire::Regset;
use msglayer::{SimDuration, SimTime};

use super::lines::{heading, item, under};
use super::{Story, grouped, plural, span, traffic};
use crate::record::journey::{Migration, PageKind, PageMove, WATCHED};

/// Innermost frames that are shown of a chain, and outermost ones when it is longer.
const FRAMES: (usize, usize) = (6, 2);
/// Pages that are listed.
const PAGES: usize = 8;
/// Columns of the longest bar.
const BAR: u64 = 24;

/// The whole of it.
pub fn leg(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let thread = if story.journey.threaded { format!(", thread {}", m.thread) } else { String::new() };
    heading(f, &format!("Migration {}: {} ──> {}{thread}", m.number, story.node(m.from), story.node(m.to)))?;
    places(story, m, f)?;
    if let Some(errno) = m.refused {
        return item(f, "Refused", &format!("Node {} could not take it, so the thread went on where it was: migrate() returned -{errno}.", m.to));
    }
    frames(story, m, f)?;
    time(story, m, f)?;
    messages(story, m, f)?;
    memory(story, m, f)
}

fn places(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let machine = &story.journey.machine;
    let chain: Vec<_> = m.chain.sites.iter().take(FRAMES.0).map(|site| format!("{}()", machine.caller(*site))).collect();
    let called = match chain.first() {
        Some(innermost) => format!("in {innermost}, which called migrate({})", m.to),
        None => format!("in {}", story.function(m.from, m.pc)),
    };
    let from = machine.isa(m.from);
    item(f, "It left", &format!("node {} {called}. The last {from} instruction was the system call at PC {} in {}.", m.from, m.pc, story.function(m.from, m.pc)))?;
    let to = machine.isa(m.to);
    let then = match (chain.first(), m.chain.sites.first().and_then(|site| machine.frame(*site, to))) {
        (Some(innermost), Some(side)) => format!(", the code for arrivals, which returns into {innermost} at PC {}", side.return_address),
        _ => String::new(),
    };
    let goes_on = if m.refused.is_some() { "It was to go on" } else { "It went on" };
    item(f, goes_on, &format!("on node {}. The first {to} instruction was to be at PC {} in {}{then}: the statement after migrate({}).", m.to, m.resume_pc, story.function(m.to, m.resume_pc), m.to).replace("was to be", if m.refused.is_some() { "was to be" } else { "was" }))
}

fn frames(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let machine = &story.journey.machine;
    let (from, to) = (machine.isa(m.from), machine.isa(m.to));
    if !machine.has_call_sites() {
        return item(f, "Call stack", "The program has no table of its calls (kettle-cc would have made one), so its frames are not listed here.");
    }
    let sites = &m.chain.sites;
    let mut names: Vec<_> = sites.iter().rev().map(|site| format!("{}()", machine.caller(*site))).collect();
    if names.len() > FRAMES.0 + FRAMES.1 {
        names.splice(FRAMES.1..names.len() - FRAMES.0, ["...".to_owned()]);
    }
    let whole = if m.chain.whole { "" } else { " (further out the chain could not be followed)" };
    let count = plural(sites.len() as u64, "frame");
    if !story.differs(m) {
        return item(f, "Call stack", &format!("{count} went along: {}{whole}. Both nodes are {from}, so they stayed as they were.", names.join(" ──> ")));
    }
    item(f, "Call stack", &format!("{count} went along: {}{whole}. They cannot be copied, because each processor has its own idea of a frame. So just before it left, the program rebuilt them for {to}:", names.join(" ──> ")))?;
    if m.number > 1 {
        return Ok(());
    }
    under(f, "")?;
    under(f, &format!("{:<17}{:<34}{:<34}", "in function", format!("returns to (frame) on {from}"), format!("returns to (frame) on {to}")))?;
    for (index, site) in sites.iter().enumerate() {
        if index >= FRAMES.0 && index + FRAMES.1 < sites.len() {
            if index == FRAMES.0 {
                under(f, "...")?;
            }
            continue;
        }
        let side = |isa| machine.frame(*site, isa).map(|side| format!("{} {} ({} bytes)", side.return_address, offset(&side.place), side.size));
        under(f, &format!("{:<17}{:<34}{:<34}", machine.caller(*site), side(from).unwrap_or_default(), side(to).unwrap_or_default()))?;
    }
    Ok(())
}

fn offset(place: &str) -> &str {
    place.find('+').map_or("", |plus| &place[plus..])
}

fn time(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(arrived) = m.arrived else {
        return item(f, "Time", "It had not arrived when the run ended.");
    };
    let to = m.to;
    let ready = if m.back {
        format!("the thread that waited on node {to} takes the registers over")
    } else {
        format!("node {to} makes a thread for it [remote worker, TASK_PAIRING]")
    };
    let first = m.first_instruction.or(Some(arrived));
    let steps: [(Option<SimTime>, String); 6] = [
        (m.sent, "registers saved, message written [popcorn_migrate]".to_owned()),
        (m.relayed, "the message passes through the thread's home".to_owned()),
        (m.received, "on the network".to_owned()),
        (Some(arrived), ready),
        (first, "the page with its next instruction is mapped, and it runs".to_owned()),
        (m.landed, format!("landing: {} before it is back in the program", plural(u64::from(m.landing_faults), "page fault"))),
    ];
    let end = steps.iter().filter_map(|(at, _)| *at).max().unwrap_or(arrived);
    let total = end.saturating_since(m.departed);
    let running = first.unwrap_or(arrived).saturating_since(m.departed);
    item(f, "Time", &format!("{} of virtual time from saved registers to the first instruction on {}, step by step:", span(running), story.node(to)))?;
    let mut before = m.departed;
    for (at, what) in &steps {
        if let Some(at) = at {
            let took = at.saturating_since(before);
            if took > SimDuration::ZERO {
                under(f, &format!("{:>9}  {:<59}{}", span(took), what, bar(took, total)))?;
            }
            before = before.max(*at);
        }
    }
    Ok(())
}

fn bar(took: SimDuration, total: SimDuration) -> String {
    let columns = (took.as_ps().saturating_mul(BAR) / total.as_ps().max(1)).min(BAR);
    "▇".repeat(usize::try_from(columns.max(1)).unwrap_or(1).min(14))
}

fn messages(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let all = if story.journey.threaded { " in the whole cluster" } else { "" };
    let under_way = m.traffic_under_way();
    let (count, bytes) = traffic::sum(&under_way);
    let registers = Regset::len(story.journey.machine.isa(m.to));
    item(f, "Messages", &format!("{}{all}, {} bytes, from departure to arrival ({registers} bytes are the registers, as {} has them):", plural(count, "message"), grouped(bytes), story.journey.machine.isa(m.to)))?;
    traffic::table(f, &under_way)?;
    let after = m.traffic_after();
    if after.is_empty() {
        return Ok(());
    }
    let (count, bytes) = traffic::sum(&after);
    under(f, &format!("{}{all}, {} bytes, {}:", plural(count, "message"), grouped(bytes), following(m)))?;
    traffic::table(f, &after)
}

/// The time that is watched, in words.
fn following(m: &Migration) -> String {
    match (m.arrived, m.left) {
        (Some(arrived), Some(left)) if left < arrived + WATCHED => {
            format!("in the {} until it left again or ended", span(left.saturating_since(arrived)))
        }
        _ => "in the millisecond that followed".to_owned(),
    }
}

fn memory(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sum = |field: fn(&PageMove) -> u32| m.pages.iter().map(|page| u64::from(field(page))).sum::<u64>();
    let (copies, grants, local) = (sum(|p| p.copies), sum(|p| p.grants), sum(|p| p.local));
    item(
        f,
        "Memory",
        &format!(
            "No page went along. Each comes when the thread touches it: {} sent, {} to write given without sending the page again, {} that a node had itself, {}.",
            plural(copies, "page"),
            plural(grants, "right"),
            plural(local, "page"),
            following(m)
        ),
    )?;
    for page in m.pages.iter().take(PAGES) {
        let to = if page.nid == m.to { String::new() } else { format!(", to node {}", page.nid) };
        under(f, &format!("{:<15} {:<32}{}{to}", page.addr.to_string(), kind(story, m, page.kind), how(story, page)))?;
    }
    let more = m.pages.len().saturating_sub(PAGES) as u64 + m.more_pages;
    if more > 0 {
        under(f, &format!("… and {}", plural(more, "other page")))?;
    }
    if m.is_cut() {
        under(f, "(there were more than are counted here)")?;
    }
    Ok(())
}

fn kind(story: &Story<'_>, m: &Migration, kind: PageKind) -> String {
    match kind {
        PageKind::Code => "machine code".to_owned(),
        PageKind::Constants => "constants".to_owned(),
        PageKind::Globals => "global variables".to_owned(),
        PageKind::NativeStack => format!("the frames for {}", story.journey.machine.isa(m.to)),
        PageKind::DataStack => "local variables".to_owned(),
        PageKind::ThreadLocals => "thread-local variables".to_owned(),
        PageKind::Other => "heap or mapped memory".to_owned(),
    }
}

fn how(story: &Story<'_>, page: &PageMove) -> String {
    let times = |number: u32, once: &str| match number {
        0 => None,
        1 => Some(once.to_owned()),
        _ => Some(format!("{once} {number} times")),
    };
    let local = match page.kind {
        PageKind::Code | PageKind::Constants => format!("from the {} file, not from the network", story.journey.machine.isa(page.nid)),
        _ => "there already".to_owned(),
    };
    let parts = [times(page.local, &local), times(page.copies, "sent"), times(page.grants, "right to write given")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
