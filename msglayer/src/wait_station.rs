//! Wait stations: where an answer finds who asked (K52's wait_station.c).
//!
//! A request carries the index of a station, the answer brings it back. A station counts the answers that are still to come and
//! keeps what one of them brought (`private`). This is the bookkeeping only: the kernel puts its completion next to it.
//!
//! Left out, as in K52: a generation number. But where K52 believes any index, an answer to a station that waits for none is an
//! error here, and running out of stations, a BUG there, is one too.

use std::fmt;

use thiserror::Error;

/// Stations of a node.
pub const MAX_WAIT_STATIONS: usize = 1024;

const WORDS: usize = MAX_WAIT_STATIONS / u64::BITS as usize;

/// The index of a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WsId(u16);

impl WsId {
    /// As messages carry it.
    pub const fn as_i32(self) -> i32 {
        self.0 as i32
    }

    /// The station with the index that a message carries.
    ///
    /// # Errors
    /// When there is none with that index.
    pub const fn from_wire(id: i32) -> Result<Self, WaitStationError> {
        if 0 <= id && id < MAX_WAIT_STATIONS as i32 {
            Ok(Self(id as u16))
        } else {
            Err(WaitStationError::NoSuchStation(id))
        }
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for WsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What can go wrong at a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WaitStationError {
    /// All are taken.
    #[error(
        "all {MAX_WAIT_STATIONS} wait stations of this node are in use; task {owner} asked for one more"
    )]
    OutOfStations {
        /// The pid of the task that asked in vain.
        owner: i32,
    },
    /// A station for no answers would never be released.
    #[error("task {owner} asks for a wait station for 0 answers, which nothing would ever release")]
    NothingToAwait {
        /// The pid of the task that asked.
        owner: i32,
    },
    /// No station has that index.
    #[error("there is no wait station {0}: they are 0..={max}", max = MAX_WAIT_STATIONS - 1)]
    NoSuchStation(i32),
    /// The station is free.
    #[error("wait station {0} is not in use")]
    NotInUse(WsId),
    /// The station has all its answers.
    #[error("wait station {0} has all its answers already, one more came")]
    TooManyAnswers(WsId),
}

/// A station in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitStation<T> {
    /// The pid of the task that waits.
    pub owner: i32,
    /// How many answers are still to come.
    pub pendings_count: u32,
    /// What an answer brought.
    private: Option<T>,
}

/// The stations of a node; `T` is what an answer brings.
#[derive(Debug, Clone)]
pub struct WaitStations<T> {
    taken: [u64; WORDS],
    stations: Vec<Option<WaitStation<T>>>,
}

impl<T> Default for WaitStations<T> {
    fn default() -> Self {
        Self {
            taken: [0; WORDS],
            stations: std::iter::repeat_with(|| None)
                .take(MAX_WAIT_STATIONS)
                .collect(),
        }
    }
}

impl<T> WaitStations<T> {
    /// Takes a station for one answer to the task with pid `owner`.
    ///
    /// # Errors
    /// When all are taken.
    pub fn get_wait_station(&mut self, owner: i32) -> Result<WsId, WaitStationError> {
        self.get_wait_station_multiple(owner, 1)
    }

    /// Takes the free station with the lowest index, for `answers` answers.
    ///
    /// # Errors
    /// When all are taken, or no answer is to come.
    pub fn get_wait_station_multiple(
        &mut self,
        owner: i32,
        answers: u32,
    ) -> Result<WsId, WaitStationError> {
        if answers == 0 {
            return Err(WaitStationError::NothingToAwait { owner });
        }
        let word = self.taken.iter().position(|word| *word != u64::MAX);
        let word = word.ok_or(WaitStationError::OutOfStations { owner })?;
        let bit = self.taken[word].trailing_ones();
        self.taken[word] |= 1 << bit;
        let id = WsId((word as u32 * u64::BITS + bit) as u16);
        self.stations[id.index()] = Some(WaitStation {
            owner,
            pendings_count: answers,
            private: None,
        });
        Ok(id)
    }

    /// An answer has come, and with it maybe something to keep for the waiter (the later of two such replaces the earlier).
    ///
    /// Returns whether it was the last one, which releases the waiter.
    ///
    /// # Errors
    /// When the station waits for no answer.
    pub fn complete(&mut self, id: WsId, response: Option<T>) -> Result<bool, WaitStationError> {
        let station = self.stations[id.index()]
            .as_mut()
            .ok_or(WaitStationError::NotInUse(id))?;
        station.pendings_count = station
            .pendings_count
            .checked_sub(1)
            .ok_or(WaitStationError::TooManyAnswers(id))?;
        if response.is_some() {
            station.private = response;
        }
        Ok(station.pendings_count == 0)
    }

    /// As [`WaitStations::complete`], with the index as a message carries it; returns the station if its waiter is released.
    ///
    /// # Errors
    /// When there is no such station, or it waits for no answer.
    pub fn complete_raw(
        &mut self,
        id: i32,
        response: Option<T>,
    ) -> Result<Option<WsId>, WaitStationError> {
        let id = WsId::from_wire(id)?;
        Ok(self.complete(id, response)?.then_some(id))
    }

    /// Gives the station back (`put_wait_station`) and hands over what an answer brought, if one did.
    pub fn take(&mut self, id: WsId) -> Option<T> {
        self.taken[id.index() / u64::BITS as usize] &= !(1 << (id.index() % u64::BITS as usize));
        self.stations[id.index()]
            .take()
            .and_then(|station| station.private)
    }

    /// The stations in use, by index: who waits, and for how many answers.
    pub fn in_use(&self) -> impl Iterator<Item = (WsId, &WaitStation<T>)> {
        let numbered = (0..).map(WsId).zip(&self.stations);
        numbered.filter_map(|(id, station)| station.as_ref().map(|station| (id, station)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_station_is_taken() {
        let mut stations = WaitStations::<()>::default();
        let ids: Vec<_> = (0..130)
            .map(|pid| stations.get_wait_station(pid).unwrap())
            .collect();
        assert_eq!(
            ids.iter().map(|id| id.as_i32()).collect::<Vec<_>>(),
            (0..130).collect::<Vec<_>>()
        );
        for free in [100, 3, 64] {
            stations.take(ids[free]);
        }
        let next: Vec<_> = (0..4)
            .map(|pid| stations.get_wait_station(pid).unwrap().as_i32())
            .collect();
        assert_eq!(next, [3, 64, 100, 130]);
    }

    #[test]
    fn an_answer_is_kept_for_who_asked() {
        let mut stations = WaitStations::default();
        let id = stations.get_wait_station(7).unwrap();
        assert_eq!(
            stations.complete_raw(id.as_i32(), Some("page")),
            Ok(Some(id))
        );
        assert_eq!(
            stations.complete(id, None),
            Err(WaitStationError::TooManyAnswers(id))
        );
        assert_eq!(stations.take(id), Some("page"));
        assert_eq!(
            stations.complete(id, None),
            Err(WaitStationError::NotInUse(id))
        );
    }

    #[test]
    fn the_last_of_several_answers_releases() {
        let mut stations = WaitStations::default();
        let id = stations.get_wait_station_multiple(7, 3).unwrap();
        assert_eq!(stations.complete(id, None), Ok(false));
        assert_eq!(stations.complete(id, Some("page")), Ok(false));
        let waiting: Vec<_> = stations
            .in_use()
            .map(|(id, station)| (id, station.owner, station.pendings_count))
            .collect();
        assert_eq!(waiting, [(id, 7, 1)]);
        assert_eq!(stations.complete(id, None), Ok(true));
        assert_eq!(stations.take(id), Some("page"));
        assert_eq!(stations.in_use().count(), 0);
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        let mut stations = WaitStations::<()>::default();
        for id in [-1, 1024, i32::MAX] {
            assert_eq!(
                stations.complete_raw(id, None),
                Err(WaitStationError::NoSuchStation(id))
            );
        }
        assert_eq!(
            stations.get_wait_station_multiple(7, 0),
            Err(WaitStationError::NothingToAwait { owner: 7 })
        );
        for owner in 0..1024 {
            stations.get_wait_station(owner).unwrap();
        }
        let error = stations.get_wait_station(70).unwrap_err();
        assert_eq!(
            error.to_string(),
            "all 1024 wait stations of this node are in use; task 70 asked for one more"
        );
    }
}
