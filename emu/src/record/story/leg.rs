//! One migration in full.

use std::fmt;

use isa::wire::Regset;
use msglayer::{SimDuration, SimTime};

use super::lines::{cut, heading, item, paragraph, row};
use super::{Story, grouped, plural, span, traffic};
use crate::record::journey::{Migration, PageKind, PageMove, WATCHED};

/// Innermost frames that are shown of a chain, and outermost ones when it is longer.
const FRAMES: (usize, usize) = (6, 2);
/// Pages that are listed.
const PAGES: usize = 10;
/// Columns of the longest bar.
const BAR: u64 = 23;

/// The whole of it.
pub fn leg(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let thread = if story.journey.threaded {
        format!(", thread {}", m.thread)
    } else {
        String::new()
    };
    heading(
        f,
        &format!(
            "Migration {}: {} ──> {}{thread}",
            m.number,
            story.node(m.from),
            story.node(m.to)
        ),
    )?;
    gist(story, m, f)?;
    places(story, m, f)?;
    if m.refused.is_some() {
        return Ok(());
    }
    frames(story, m, f)?;
    time(m, f)?;
    messages(story, m, f)?;
    memory(story, m, f)
}

/// It in one or two sentences.
fn gist(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let machine = &story.journey.machine;
    let place = m.chain.sites.first().map_or_else(
        || story.function(m.from, m.pc),
        |site| format!("{}()", machine.caller(*site)),
    );
    if let Some(errno) = m.refused {
        return paragraph(
            f,
            &format!(
                "The thread wanted to leave {place} for node {}. That node could not take it, so it went on where it was: migrate() returned -{errno}.",
                m.to
            ),
        );
    }
    let Some(took) = m.running_after() else {
        return paragraph(
            f,
            &format!(
                "The thread left {place} for node {}, and had not arrived when the run ended.",
                m.to
            ),
        );
    };
    let language = if story.differs(m) {
        format!("now executing {} instructions", machine.isa(m.to))
    } else {
        "on the other computer".to_owned()
    };
    let deep = match m.chain.sites.len() as u64 {
        0 => String::new(),
        depth => format!(", {} deep,", plural(depth, "call")),
    };
    paragraph(
        f,
        &format!(
            "The thread was in the middle of {place}{deep} on node {}. {} later it went on in the middle of the same {place} on node {}, {language}, with the same local variables.",
            m.from,
            span(took),
            m.to
        ),
    )
}

fn places(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let machine = &story.journey.machine;
    let innermost = m.chain.sites.first();
    let called = innermost.map_or_else(String::new, |site| {
        format!("{}() called migrate({}). ", machine.caller(*site), m.to)
    });
    let (from, to) = (machine.isa(m.from), machine.isa(m.to));
    let left_in = story.function(m.from, m.pc);
    let counter = if m.number == 1 {
        "PC (program counter)"
    } else {
        "PC"
    };
    item(
        f,
        "Left",
        &format!(
            "{called}The last {from} instruction was the system call at {counter} {} in {left_in} [popcorn_migrate].",
            m.pc
        ),
    )?;
    if m.refused.is_some() {
        return Ok(());
    }
    let landing = story.function(m.to, m.resume_pc);
    let frame = innermost.and_then(|site| Some((machine.caller(*site), machine.frame(*site, to)?)));
    let then = frame.map_or_else(String::new, |(caller, side)| {
        format!(
            " That is the code for arrivals: it returns from migrate({}) into {caller}() at PC {}.",
            m.to, side.return_address
        )
    });
    item(
        f,
        "Went on",
        &format!(
            "The first {to} instruction was at PC {} in {landing}.{then}",
            m.resume_pc
        ),
    )
}

fn frames(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const LABEL: &str = "Call stack";
    let machine = &story.journey.machine;
    let (from, to) = (machine.isa(m.from), machine.isa(m.to));
    if !machine.has_call_sites() {
        return item(
            f,
            LABEL,
            "The program has no table of its calls (kettle-cc would have made one), so its frames cannot be listed.",
        );
    }
    let sites = &m.chain.sites;
    let mut names: Vec<_> = sites
        .iter()
        .rev()
        .map(|site| format!("{}()", machine.caller(*site)))
        .collect();
    if names.len() > FRAMES.0 + FRAMES.1 {
        names.splice(FRAMES.1..names.len() - FRAMES.0, ["...".to_owned()]);
    }
    let whole = if m.chain.whole {
        ""
    } else {
        " (further out the chain could not be followed)"
    };
    let went = format!(
        "{} went along: {}{whole}.",
        plural(sites.len() as u64, "frame"),
        names.join(" ──> ")
    );
    if !story.differs(m) {
        return item(
            f,
            LABEL,
            &format!("{went} Both nodes are {from}, so they stayed as they were."),
        );
    }
    if m.number > 1 {
        return item(f, LABEL, &format!("{went} They were rebuilt for {to}."));
    }
    item(
        f,
        LABEL,
        &format!(
            "{went} A frame is what a call needs to find its way back. It cannot be copied, because the same call returns to \
             another address on another kind of processor and keeps its things in other places. So just before it left, the \
             program built the same chain of calls once more, for {to}:"
        ),
    )?;
    writeln!(f)?;
    frame_table(story, m, f)
}

fn frame_table(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let machine = &story.journey.machine;
    let (from, to) = (machine.isa(m.from), machine.isa(m.to));
    let sites = &m.chain.sites;
    let mut line =
        |name: &str, one: &str, other: &str| row(f, &format!("  {name:<18}{one:<38}{other}"));
    line(
        "a call made in",
        &format!("returns to, on {from}"),
        &format!("returns to, on {to}"),
    )?;
    for (index, site) in sites.iter().enumerate() {
        if index >= FRAMES.0 && index + FRAMES.1 < sites.len() {
            if index == FRAMES.0 {
                line("...", "", "")?;
            }
            continue;
        }
        let side = |isa| {
            machine.frame(*site, isa).map_or_else(String::new, |side| {
                format!(
                    "{} = start {}, frame {} B",
                    side.return_address,
                    offset(&side.place),
                    side.size
                )
            })
        };
        line(
            &cut(&format!("{}()", machine.caller(*site)), 17),
            &side(from),
            &side(to),
        )?;
    }
    Ok(())
}

fn offset(place: &str) -> &str {
    place.find('+').map_or("", |plus| &place[plus..])
}

fn time(m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(arrived) = m.arrived else {
        return Ok(());
    };
    let to = m.to;
    let ready = match (m.back, m.first_visit) {
        (true, _) => format!("the thread that has waited on node {to} takes them over"),
        (_, true) => format!("node {to} makes a process and a thread for it [remote worker]"),
        (_, false) => format!("node {to} makes a thread for it [remote worker]"),
    };
    let steps: [(Option<SimTime>, String); 6] = [
        (
            m.sent,
            format!("node {} puts the registers into a message", m.from),
        ),
        (
            m.relayed,
            "the message passes through the thread's home".to_owned(),
        ),
        (m.received, "the message is on the network".to_owned()),
        (Some(arrived), ready),
        (
            m.first_instruction,
            "the code page is found and mapped, and the thread runs".to_owned(),
        ),
        (
            m.landed,
            format!(
                "{} it touches memory that is not here yet [page fault]",
                plural(u64::from(m.landing_faults), "time")
            ),
        ),
    ];
    let end = steps
        .iter()
        .filter_map(|(at, _)| *at)
        .max()
        .unwrap_or(arrived);
    let total = end.saturating_since(m.departed);
    item(
        f,
        "Time",
        &format!("{} of virtual time, from the system call on:", span(total)),
    )?;
    writeln!(f)?;
    let mut before = m.departed;
    for (at, what) in &steps {
        if let Some(at) = at {
            let took = at.saturating_since(before);
            if took > SimDuration::ZERO {
                row(
                    f,
                    &format!("{:>10}  {:<60}{}", span(took), what, bar(took, total)),
                )?;
            }
            before = before.max(*at);
        }
    }
    Ok(())
}

fn bar(took: SimDuration, total: SimDuration) -> String {
    let columns = took.as_ps().saturating_mul(BAR) / total.as_ps().max(1);
    "▇".repeat(usize::try_from(columns.clamp(1, BAR)).unwrap_or(1))
}

fn messages(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let all = if story.journey.threaded {
        " in the whole cluster"
    } else {
        ""
    };
    let registers = Regset::len(story.journey.machine.isa(m.to));
    let under_way = m.traffic_under_way();
    let (count, bytes) = traffic::sum(&under_way);
    item(
        f,
        "Messages",
        &format!(
            "{}{all}, {} bytes, until it was there. {registers} bytes of them are its registers, as {} has them.",
            plural(count, "message"),
            grouped(bytes),
            story.journey.machine.isa(m.to)
        ),
    )?;
    writeln!(f)?;
    traffic::table(f, &under_way)?;
    let after = m.traffic_after();
    if after.is_empty() {
        return Ok(());
    }
    let (count, bytes) = traffic::sum(&after);
    item(
        f,
        "",
        &format!(
            "{}{all}, {} bytes, {}:",
            plural(count, "message"),
            grouped(bytes),
            following(m)
        ),
    )?;
    writeln!(f)?;
    traffic::table(f, &after)
}

/// The time that is watched, in words.
fn following(m: &Migration) -> String {
    match (m.arrived, m.left) {
        (Some(arrived), Some(left)) if left < arrived + WATCHED => {
            let end = if m.ended { "ended" } else { "left again" };
            format!(
                "in the {} until it {end}",
                span(left.saturating_since(arrived))
            )
        }
        _ => "in the millisecond that followed".to_owned(),
    }
}

fn memory(story: &Story<'_>, m: &Migration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sum = |field: fn(&PageMove) -> u32| {
        m.pages
            .iter()
            .map(|page| u64::from(field(page)))
            .sum::<u64>()
    };
    let (copies, grants, local) = (sum(|p| p.copies), sum(|p| p.grants), sum(|p| p.local));
    let mut parts = vec![format!("{} sent", plural(copies, "page"))];
    if grants > 0 {
        parts.push(format!(
            "{} to write given for pages that were there already",
            plural(grants, "right")
        ));
    }
    if local > 0 {
        parts.push(format!(
            "{} that the node could get without asking",
            plural(local, "page")
        ));
    }
    let why = if m.number == 1 {
        "No memory went along. A page comes when the thread touches it: first a copy to read, then, if it writes, the sole right to do so. "
    } else {
        ""
    };
    item(
        f,
        "Memory",
        &format!("{why}{}: {}.", capitalized(&following(m)), parts.join(", ")),
    )?;
    if !m.pages.is_empty() {
        writeln!(f)?;
    }
    for page in m.pages.iter().take(PAGES) {
        row(
            f,
            &format!(
                "  page {:<16}{:<24}{}",
                page.addr.to_string(),
                kind(page.kind),
                how(story, m, page)
            ),
        )?;
    }
    let more = m.pages.len().saturating_sub(PAGES) as u64 + m.more_pages;
    if more > 0 {
        row(f, &format!("  … and {}", plural(more, "other page")))?;
    }
    if m.is_cut() {
        row(
            f,
            "  (there were more messages or pages than are counted here)",
        )?;
    }
    Ok(())
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn kind(kind: PageKind) -> String {
    match kind {
        PageKind::Code => "machine code".to_owned(),
        PageKind::Constants => "constants".to_owned(),
        PageKind::Globals => "global variables".to_owned(),
        PageKind::NativeStack(isa) => format!("frames for {isa}"),
        PageKind::DataStack => "local variables".to_owned(),
        PageKind::ThreadLocals => "thread-local variables".to_owned(),
        PageKind::Other => "heap or mapped memory".to_owned(),
    }
}

fn how(story: &Story<'_>, m: &Migration, page: &PageMove) -> String {
    let times = |number: u32, once: &str| match number {
        0 => None,
        1 => Some(once.to_owned()),
        _ => Some(format!("{once} {number} times")),
    };
    let local = match page.kind {
        PageKind::Code | PageKind::Constants => format!(
            "from node {}'s own file for {}",
            page.nid,
            story.journey.machine.isa(page.nid)
        ),
        _ => "there already".to_owned(),
    };
    let sent = if page.nid == m.to {
        "sent".to_owned()
    } else {
        format!("sent to node {}", page.nid)
    };
    let parts = [
        times(page.local, &local),
        times(page.copies, &sent),
        times(page.grants, "right to write given"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
