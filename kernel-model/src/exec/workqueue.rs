//! Linux's work queues, as Popcorn uses two: `popcorn_wq` ("pcn_wq", concurrent) and `popcorn_ordered_wq` ("pcn_wq_ordered", one at a time).
//!
//! A work item is an async function. The ordered queue has one worker thread that runs the items in the order they came. The concurrent
//! one keeps a pool: an item goes to an idle worker or to a new one, so that a sleeping item never holds up another.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::{Executor, ThreadClass, WaitQueue, WaitRecord};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// A work queue.
pub struct Workqueue {
    name: &'static str,
    ordered: bool,
    pending: RefCell<VecDeque<Work>>,
    wanted: WaitQueue,
    idle: Cell<usize>,
    workers: Cell<usize>,
}

impl Workqueue {
    /// `alloc_workqueue`: items may overtake each other.
    pub fn concurrent(name: &'static str) -> Rc<Self> {
        Self::new(name, false)
    }

    /// `alloc_ordered_workqueue` (and a single-threaded one): items run one after the other.
    pub fn ordered(name: &'static str) -> Rc<Self> {
        Self::new(name, true)
    }

    fn new(name: &'static str, ordered: bool) -> Rc<Self> {
        Rc::new(Self {
            name,
            ordered,
            pending: RefCell::default(),
            wanted: WaitQueue::new(),
            idle: Cell::new(0),
            workers: Cell::new(0),
        })
    }

    /// `queue_work`.
    pub fn queue_work(
        self: &Rc<Self>,
        exec: &Rc<Executor>,
        work: impl Future<Output = ()> + 'static,
    ) {
        self.pending.borrow_mut().push_back(Box::pin(work));
        let waiting = self.pending.borrow().len();
        let limit_reached = self.ordered && self.workers.get() == 1;
        if waiting > self.idle.get() && !limit_reached {
            let number = self.workers.replace(self.workers.get() + 1);
            let (queue, executor) = (Rc::clone(self), Rc::clone(exec));
            exec.spawn(
                format!("kworker/{}:{number}", self.name),
                ThreadClass::Kernel,
                queue.serve(executor),
            );
        } else {
            self.wanted.wake(exec, 1);
        }
    }

    /// Drops what waits for a worker.
    pub(crate) fn clear(&self) {
        drop(self.pending.take());
    }

    async fn serve(self: Rc<Self>, exec: Rc<Executor>) {
        loop {
            let work = self.pending.borrow_mut().pop_front();
            match work {
                Some(work) => work.await,
                None => {
                    self.idle.set(self.idle.get() + 1);
                    self.wanted
                        .sleep(&exec, WaitRecord::new("work").service())
                        .await;
                    self.idle.set(self.idle.get() - 1);
                }
            }
        }
    }
}
