//! The trace: one line of text per event, for people and for `grep`.
//!
//! Time, node, what happened. Messages are shown field by field. Tracing observes only: the digest is the same with and without it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use isa::Errno;
use kernel_model::{Access, Event};
use msglayer::messages::Layout;
use msglayer::{Nid, SimTime};

/// A trace that is being written.
pub struct Trace {
    out: BufWriter<Box<dyn Write>>,
    failed: Option<io::Error>,
}

impl Trace {
    /// Begins a trace file; "-" is the standard error.
    pub fn create(path: &Path) -> io::Result<Self> {
        let out: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stderr())
        } else {
            Box::new(File::create(path)?)
        };
        Ok(Self {
            out: BufWriter::new(out),
            failed: None,
        })
    }

    /// Writes an event's line. The first failure is kept for [`Trace::finish`] and ends the writing.
    pub(super) fn record(&mut self, at: SimTime, nid: Nid, event: &Event<'_>) {
        if self.failed.is_none()
            && let Err(error) = writeln!(
                self.out,
                "{:>16} node {nid}  {}",
                at.to_string(),
                line(event)
            )
        {
            self.failed = Some(error);
        }
    }

    /// Writes what is held back and says whether all went well.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}

fn line(event: &Event<'_>) -> String {
    match *event {
        Event::NodeOnline { peer } => format!("node {peer} is online"),
        Event::Exec { tgid, path } => format!("[{tgid}] exec {path}"),
        Event::Clone { parent, child } => format!("[{parent}] clone -> {child}"),
        Event::Syscall {
            pid,
            name,
            args,
            ret,
            ..
        } => {
            let args: Vec<_> = args.iter().map(|arg| format!("{arg:#x}")).collect();
            format!("[{pid}] {name}({}) = {}", args.join(", "), result(ret))
        }
        Event::Unimplemented { pid, name, number } => {
            format!("[{pid}] system call {name} ({number}) is not implemented: ENOSYS")
        }
        Event::PageFault {
            pid,
            pc,
            addr,
            access,
            result,
        } => {
            let letter = match access {
                Access::Read => 'R',
                Access::Write => 'W',
                Access::Fetch => 'X',
            };
            format!("PAGEFAULT [{pid}] {addr} {letter} {pc} result {result:x}")
        }
        Event::Send { to, kind, bytes } => format!(
            "-> node {to} {} ({} bytes) {}",
            kind.name(),
            bytes.len(),
            fields(bytes)
        ),
        Event::Receive { from, kind, size } => {
            format!("<- node {from} {} ({size} bytes)", kind.name())
        }
        Event::MigrateOut {
            pid,
            to,
            pc,
            resume_pc,
            back,
            ..
        } => {
            format!(
                "{} [{pid}] to node {to}, from {pc} to {resume_pc}",
                if back { "BACKMIG" } else { "MIGRATE" }
            )
        }
        Event::MigrateIn {
            pid,
            from,
            from_pid,
            pc,
            ..
        } => format!("MIGRATED - [{pid}] from [{from_pid}/{from}], at {pc}"),
        Event::PageGranted {
            pid,
            addr,
            write,
            data,
        } => {
            let how = if data { "with data" } else { "without data" };
            format!(
                "page {addr} is here for [{pid}], {}, {how}",
                if write { "exclusive" } else { "shared" }
            )
        }
        Event::PageRevoked { addr, keeps_read } => {
            format!(
                "page {addr} is {}",
                if keeps_read {
                    "read-only here from now on"
                } else {
                    "gone from here"
                }
            )
        }
        Event::Refused { home, why } => format!("refused a process of node {home}: {why}"),
        Event::Exit { pid, code } => format!("EXITED [{pid}] {code:#x}"),
        Event::Signal { pid, signal } => format!("[{pid}] signal {signal}"),
        Event::Output { fd, bytes } => {
            format!("output to {fd}: {:?}", String::from_utf8_lossy(bytes))
        }
        Event::Log { text } => format!("log: {text}"),
    }
}

fn result(ret: u64) -> String {
    match Errno::decode(ret) {
        Ok(value) => format!("{value:#x}"),
        Err(errno) => format!("-{errno}"),
    }
}

fn fields(bytes: &[u8]) -> String {
    Layout::describe(bytes).unwrap_or_else(|error| error.to_string())
}
