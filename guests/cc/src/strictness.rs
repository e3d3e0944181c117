//! The measures that keep machine frames free of content where a thread may migrate, by name, so that a test can leave one out and see what the
//! verifier says of it. No flag of the command reaches this.

use crate::backend::{AARCH64_FLAG, MIGRATING_FLAGS};
use crate::xform::BACK_END_ATTRIBUTES;

/// Stepping over the pass that has no switch.
pub const LATE_CLEANUP: &str = "machine-latecleanup";
/// Blocks that end behind recorded calls.
pub const SPLIT_BLOCKS: &str = "split-blocks";
/// Instructions with constant operands folded before the back ends see them.
pub const FOLDED_CONSTANTS: &str = "folded-constants";

/// All measures.
pub fn all() -> Vec<&'static str> {
    let mut all = MIGRATING_FLAGS.to_vec();
    all.extend([AARCH64_FLAG, LATE_CLEANUP, SPLIT_BLOCKS, FOLDED_CONSTANTS]);
    all.extend(BACK_END_ATTRIBUTES.iter().map(|(name, _)| *name));
    all
}

/// The measures that a build takes: all, or all but one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strictness {
    left_out: Option<&'static str>,
}

impl Strictness {
    /// All measures but one.
    pub fn without(measure: &'static str) -> Self {
        Self {
            left_out: Some(measure),
        }
    }
    /// Whether a measure is taken.
    pub fn takes(self, measure: &str) -> bool {
        self.left_out != Some(measure)
    }
    /// What is left out.
    pub fn left_out(self) -> Option<&'static str> {
        self.left_out
    }
}
