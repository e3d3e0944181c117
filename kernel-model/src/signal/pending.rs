//! A queue of signals that have been sent and not been delivered (`struct sigpending`).

use std::cell::RefCell;
use std::collections::VecDeque;

use isa::Errno;
use isa::layout::Siginfo;

use super::Signal;

/// How many signals one queue holds: assumed; Linux counts per user, and RLIMIT_SIGPENDING is some thousands.
const LIMIT: usize = 1024;
/// SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS: what an instruction raises goes before what others send.
const SYNCHRONOUS: u64 = Signal::SIGSEGV.bit()
    | Signal::SIGBUS.bit()
    | Signal::SIGILL.bit()
    | Signal::SIGTRAP.bit()
    | Signal::SIGFPE.bit()
    | Signal(31).bit();

/// Signals in the order they came.
#[derive(Debug, Default)]
pub struct Pending {
    queue: RefCell<VecDeque<Siginfo>>,
}

impl Pending {
    /// Puts a signal in. One below the real-time signals is dropped while another of its number waits; false then. EAGAIN: full.
    pub fn add(&self, info: Siginfo) -> Result<bool, Errno> {
        let signal = signal_of(&info);
        let mut queue = self.queue.borrow_mut();
        let waits = queue.iter().any(|other| signal_of(other) == signal);
        if waits && signal.0 < Signal::RT_MIN {
            return Ok(false);
        }
        if queue.len() >= LIMIT {
            return Err(Errno::EAGAIN);
        }
        queue.push_back(info);
        Ok(true)
    }

    /// The set of signals that wait.
    pub fn set(&self) -> u64 {
        let queue = self.queue.borrow();
        queue
            .iter()
            .fold(0, |set, info| set | signal_of(info).bit())
    }

    /// Takes the next of the signals in `wanted`: an instruction's own first, then the lowest number, and of that the first that came.
    pub fn take(&self, wanted: u64) -> Option<Siginfo> {
        let set = self.set() & wanted;
        let first = match set & SYNCHRONOUS {
            0 => set,
            synchronous => synchronous,
        };
        if first == 0 {
            return None;
        }
        let signal = Signal(first.trailing_zeros() as i32 + 1);
        let mut queue = self.queue.borrow_mut();
        let at = queue.iter().position(|info| signal_of(info) == signal)?;
        queue.remove(at)
    }

    /// Drops all signals in `set`.
    pub fn flush(&self, set: u64) {
        self.queue
            .borrow_mut()
            .retain(|info| signal_of(info).bit() & set == 0);
    }
}

/// The signal that an info is about; only valid ones are queued.
pub(super) fn signal_of(info: &Siginfo) -> Signal {
    Signal(info.signo.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(signal: i32, value: u64) -> Siginfo {
        let mut info = Siginfo::sent(signal, Siginfo::SI_QUEUE, 1, 0);
        info.value.set(value);
        info
    }

    #[test]
    fn standard_signals_merge_and_real_time_signals_queue() {
        let pending = Pending::default();
        for value in 0..3 {
            pending.add(sent(10, value)).unwrap();
            pending.add(sent(40, value)).unwrap();
        }
        let mut order = Vec::new();
        while let Some(info) = pending.take(!0) {
            order.push((info.signo.get(), info.value.get()));
        }
        assert_eq!(order, [(10, 0), (40, 0), (40, 1), (40, 2)]);
    }

    #[test]
    fn faults_go_first_and_masks_hold() {
        let pending = Pending::default();
        for signal in [2, 11, 15] {
            pending.add(sent(signal, 0)).unwrap();
        }
        assert_eq!(pending.take(Signal(15).bit()).unwrap().signo.get(), 15);
        assert_eq!(pending.take(!0).unwrap().signo.get(), 11);
        pending.flush(Signal(2).bit());
        assert_eq!(pending.take(!0), None);
    }

    #[test]
    fn a_queue_has_an_end() {
        let pending = Pending::default();
        for value in 0..LIMIT as u64 {
            assert_eq!(pending.add(sent(34, value)), Ok(true));
        }
        assert_eq!(pending.add(sent(34, 0)), Err(Errno::EAGAIN));
    }
}
