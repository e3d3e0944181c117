//! What a second fault on a page does while a first one is being handled: the fault action table of K52, as data.
//!
//! Rows are the ongoing fault, columns the incoming one; L and R: local and remote request, R and W: read and write, i: an invalidation
//! waits for the ongoing fault. Of the original's five action bits only RETRY and WAIT are acted on by the code; so is it here.

use bitflags::bitflags;

bitflags! {
    /// What an ongoing fault is (`struct fault_handle.flags`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub(super) struct HandleFlags: u8 {
        /// For writing.
        const WRITE = 1;
        /// An invalidation waits for its end.
        const INVALIDATE = 2;
        /// On behalf of another node.
        const REMOTE = 4;
    }
}

/// What the incoming fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Waits for the leader and takes its result.
    Follow,
    /// Gives up at once; its caller tries again.
    Retry,
    /// Sleeps until the ongoing fault is over, then its caller tries again.
    RetryWait,
    /// Cannot happen: BUG with sanity checks.
    Impossible,
}

use Action::{Follow as F, Impossible as X, Retry as T, RetryWait as W};

/// Columns: local read, remote read, local write, remote write. Rows: by the bits of [`HandleFlags`].
const AT_HOME: [[Action; 4]; 8] = [
    /* L-R */ [F, W, W, T],
    /* L-W */ [F, T, F, T],
    /* LiR */ [X, X, X, X],
    /* LiW */ [X, X, X, X],
    /* R-R */ [F, W, W, W],
    /* R-W */ [W, T, W, T],
    /* RiR */ [X, X, X, X],
    /* RiW */ [X, X, X, X],
];

const AT_GUEST: [[Action; 4]; 8] = [
    /* L-R */ [F, X, W, X],
    /* L-W */ [F, W, F, W],
    /* LiR */ [T, X, W, X],
    /* LiW */ [T, X, T, X],
    /* R-R */ [X, X, W, X],
    /* R-W */ [W, X, W, X],
    /* RiR */ [X, X, X, X],
    /* RiW */ [X, X, X, X],
];

/// Looks the action up.
pub(super) fn fault_action(
    at_guest: bool,
    ongoing: HandleFlags,
    write: bool,
    remote: bool,
) -> Action {
    let table = if at_guest { &AT_GUEST } else { &AT_HOME };
    table[usize::from(ongoing.bits())][usize::from(write) << 1 | usize::from(remote)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_originals() {
        let (read, write) = (HandleFlags::empty(), HandleFlags::WRITE);
        let remote = HandleFlags::REMOTE;
        let home = |ongoing, w, r| fault_action(false, ongoing, w, r);
        let guest = |ongoing, w, r| fault_action(true, ongoing, w, r);
        assert_eq!(home(read, false, false), F);
        assert_eq!(
            home(read, false, true),
            W,
            "a remote read never follows: page data is never sent by a follower"
        );
        assert_eq!(home(read, true, true), T);
        assert_eq!(home(remote | write, true, true), T);
        assert_eq!(home(remote | write, false, false), W);
        assert_eq!(guest(write, true, true), W);
        assert_eq!(guest(write | HandleFlags::INVALIDATE, true, false), T);
        assert_eq!(guest(remote, false, false), X);
        for ongoing in [HandleFlags::INVALIDATE, HandleFlags::INVALIDATE | write] {
            for column in 0..4 {
                assert_eq!(
                    home(ongoing, column & 2 != 0, column & 1 != 0),
                    X,
                    "home never has an invalidation pending"
                );
            }
        }
    }
}
