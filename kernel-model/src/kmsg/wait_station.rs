//! Wait stations with their sleepers: the rendezvous of a request and its responses (`wait_station.c`).
//!
//! The bookkeeping is `msglayer`'s; here each station in use has a completion next to it. K52 waits without a time limit; so does this.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use msglayer::{Envelope, WaitStations, WsId};

use crate::config::Profile;
use crate::exec::{Completion, WaitQueue, WaitRecord};
use crate::ids::Pid;
use crate::kernel::{Halt, Kernel};

#[derive(Default)]
pub(super) struct Stations {
    table: RefCell<WaitStations<Envelope>>,
    pending: RefCell<BTreeMap<WsId, Rc<Completion>>>,
    freed: WaitQueue,
}

/// A station taken by the running thread. Its index travels in the request.
pub struct WaitStation {
    id: WsId,
    released: Rc<Completion>,
}

/// How many responses a station waits for.
#[derive(Clone, Copy, Debug)]
pub struct Replies(pub u32);

impl WaitStation {
    /// `get_wait_station` (one reply) and `get_wait_station_multiple`.
    ///
    /// When all 1024 are taken K52 hits BUG; by default the thread waits for one.
    pub async fn get(k: &Rc<Kernel>, owner: Pid, replies: Replies) -> Self {
        let stations = &k.kmsg.stations;
        loop {
            let taken = stations
                .table
                .borrow_mut()
                .get_wait_station_multiple(owner.0, replies.0);
            if let Ok(id) = taken {
                let released = Rc::new(Completion::new());
                let completion = Rc::clone(&released);
                stations.pending.borrow_mut().insert(id, completion);
                return Self { id, released };
            }
            if k.config.profile == Profile::K52 {
                k.halt(Halt::WouldBug("all wait stations are taken".to_owned()));
            }
            let record = WaitRecord::new("a free wait station");
            stations.freed.sleep(&k.exec, record).await;
        }
    }

    /// The index that the responses have to carry.
    pub fn id(&self) -> WsId {
        self.id
    }

    /// `wait_at_station`: sleeps until every response has come; gives the one that was kept, and frees the station.
    pub async fn wait(self, k: &Rc<Kernel>, record: WaitRecord) -> Option<Envelope> {
        self.released.wait(&k.exec, record).await;
        let stations = &k.kmsg.stations;
        stations.pending.borrow_mut().remove(&self.id);
        let response = stations.table.borrow_mut().take(self.id);
        stations.freed.wake(&k.exec, 1);
        response
    }

    /// A response for station `id` has come; `response` is kept for the sleeper if given. A stray index is logged.
    pub fn complete(k: &Rc<Kernel>, id: i32, response: Option<Envelope>) {
        let released = k
            .kmsg
            .stations
            .table
            .borrow_mut()
            .complete_raw(id, response);
        match released {
            Ok(Some(ws)) => {
                let completion = k.kmsg.stations.pending.borrow().get(&ws).cloned();
                if let Some(completion) = completion {
                    completion.complete(&k.exec);
                }
            }
            Ok(None) => {}
            Err(error) => k.log(&format!("a response was dropped: {error}")),
        }
    }
}
