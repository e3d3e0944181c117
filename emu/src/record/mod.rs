//! What a run leaves behind: its digest, the program's output, the trace, the counts and the journey of its threads.
//!
//! One sink takes the events of all nodes. The digest is a hash per node over the canonical bytes of its events, in order, and a hash over
//! those: it does not depend on how the engine lets nodes take turns.

mod digest;
mod encode;
mod journey;
mod story;
mod summary;
mod trace;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use isa::VirtAddr;
use kernel_model::{Event, EventSink, Kernel};
use msglayer::{Nid, SimTime};

pub use digest::Digest;
pub use summary::Summary;
pub use trace::Trace;

use crate::program::Program;
use digest::NodeDigests;
use journey::Journey;
use story::Story;

/// Where the program's output goes.
pub enum Console {
    /// To the standard output and error of this process, as it comes.
    Host,
    /// Into memory, for tests: what descriptor 1 and 2 got.
    Kept,
}

/// Takes every event of a run.
pub struct Recorder {
    digests: RefCell<NodeDigests>,
    console: Console,
    kept: RefCell<[Vec<u8>; 2]>,
    trace: RefCell<Option<Trace>>,
    summary: RefCell<Summary>,
    journey: RefCell<Option<Journey>>,
    changed_pages: RefCell<Vec<VirtAddr>>,
    console_lost: RefCell<Option<io::Error>>,
}

impl Recorder {
    /// A recorder for `nodes` nodes.
    pub fn new(nodes: usize, console: Console, trace: Option<Trace>) -> Rc<Self> {
        Rc::new(Self {
            digests: RefCell::new(NodeDigests::new(nodes)),
            console,
            kept: RefCell::default(),
            trace: RefCell::new(trace),
            summary: RefCell::new(Summary::new(nodes)),
            journey: RefCell::new(None),
            changed_pages: RefCell::default(),
            console_lost: RefCell::new(None),
        })
    }

    /// Follows the threads from now on, for [`Recorder::story`]. To be asked for before the cluster is built.
    pub fn explain(&self) {
        self.journey.replace(Some(Journey::default()));
    }

    /// What happened so far, in words; `None` if nobody asked for it.
    pub fn story(&self) -> Option<String> {
        self.journey
            .borrow()
            .as_ref()
            .map(|journey| Story::new(journey).to_string())
    }

    /// Lets the recorder look at the nodes and the program when it explains what happened.
    pub(crate) fn attach(&self, kernels: &[Rc<Kernel>], program: &Program) {
        self.summary.borrow_mut().attach(kernels, program);
        if let Some(journey) = self.journey.borrow_mut().as_mut() {
            journey.attach(kernels, program);
        }
    }

    /// The digest of everything so far.
    pub fn digest(&self) -> Digest {
        self.digests.borrow().finish()
    }

    /// What the program wrote to descriptor 1 or 2, where it was kept.
    pub fn output(&self, fd: i32) -> Vec<u8> {
        self.kept.borrow()[usize::from(fd == 2)].clone()
    }

    /// Counts and journeys so far.
    pub fn summary(&self) -> std::cell::Ref<'_, Summary> {
        self.summary.borrow()
    }

    /// Writes what the trace still holds back.
    pub fn finish_trace(&self) -> io::Result<()> {
        self.trace
            .borrow_mut()
            .as_mut()
            .map_or(Ok(()), Trace::finish)
    }

    /// The pages that changed hands since the last call.
    pub(crate) fn take_changed_pages(&self) -> Vec<VirtAddr> {
        self.changed_pages.take()
    }

    /// The run was ended at this time; a call that had begun before it may have taken longer.
    pub(crate) fn ended_at(&self, limit: SimTime) {
        self.summary.borrow_mut().end = limit;
    }

    fn write_console(&self, fd: i32, bytes: &[u8]) {
        match self.console {
            Console::Kept => self.kept.borrow_mut()[usize::from(fd == 2)].extend_from_slice(bytes),
            Console::Host => {
                let written = if fd == 2 {
                    io::stderr().write_all(bytes)
                } else {
                    let mut out = io::stdout().lock();
                    out.write_all(bytes).and_then(|()| out.flush())
                };
                // A reader that went away wants no more; anything else is a loss.
                if let Err(error) = written
                    && error.kind() != io::ErrorKind::BrokenPipe
                {
                    self.console_lost.borrow_mut().get_or_insert(error);
                }
            }
        }
    }

    /// Why some of the program's output is lost, if it is. The run itself goes on and is the same.
    pub fn console_lost(&self) -> Option<String> {
        self.console_lost.borrow().as_ref().map(ToString::to_string)
    }
}

impl EventSink for Recorder {
    fn record(&self, at: SimTime, nid: Nid, event: &Event<'_>) {
        self.digests.borrow_mut().update(at, nid, event);
        match event {
            Event::Output { fd, bytes } => self.write_console(*fd, bytes),
            Event::PageGranted { addr, .. } | Event::PageRevoked { addr, .. } => {
                self.changed_pages.borrow_mut().push(addr.page_align_down());
            }
            _ => {}
        }
        self.summary.borrow_mut().record(at, nid, event);
        if let Some(journey) = self.journey.borrow_mut().as_mut() {
            journey.record(at, nid, event);
        }
        if let Some(trace) = self.trace.borrow_mut().as_mut() {
            trace.record(at, nid, event);
        }
    }
}
