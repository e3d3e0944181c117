//! Wait stations with their sleepers: the rendezvous of a request and its responses (`wait_station.c`).
//!
//! The bookkeeping is `msglayer`'s; here each station in use has a completion next to it. K52 waits without a time limit; so does this.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use msglayer::{Envelope, WaitStations, WsId};

use crate::exec::{Completion, WaitRecord};
use crate::ids::Pid;
use crate::kernel::Kernel;

#[derive(Default)]
pub(super) struct Stations {
    table: RefCell<WaitStations<Envelope>>,
    pending: RefCell<BTreeMap<WsId, Rc<Completion>>>,
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
    /// `get_wait_station` (one reply) and `get_wait_station_multiple`. Panics when all 1024 are taken, which is BUG in K52.
    pub fn get(k: &Rc<Kernel>, owner: Pid, replies: Replies) -> Self {
        let stations = &k.kmsg.stations;
        let id = stations
            .table
            .borrow_mut()
            .get_wait_station_multiple(owner.0, replies.0)
            .expect("a wait station is free");
        let released = Rc::new(Completion::new());
        stations
            .pending
            .borrow_mut()
            .insert(id, Rc::clone(&released));
        Self { id, released }
    }

    /// The index that the responses have to carry.
    pub fn id(&self) -> WsId {
        self.id
    }

    /// `wait_at_station`: sleeps until every response has come; gives the one that was kept, and frees the station.
    pub async fn wait(self, k: &Rc<Kernel>, record: WaitRecord) -> Option<Envelope> {
        self.released.wait(&k.exec, record).await;
        k.kmsg.stations.pending.borrow_mut().remove(&self.id);
        k.kmsg.stations.table.borrow_mut().take(self.id)
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
