//! What the arguments of a function take up, as the verifier has to know it of a call.

/// At most how many registers the arguments take; further ones lie on the stack. One bound for both instruction sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// General-purpose registers.
    pub integers: usize,
    /// Vector registers.
    pub vectors: usize,
}

impl Signature {
    /// Whether arguments of this signature take no register that those of the other do not take.
    pub fn within(self, other: Self) -> bool {
        self.integers <= other.integers && self.vectors <= other.vectors
    }

    /// What holds for functions of either signature.
    pub fn or(self, other: Self) -> Self {
        Self {
            integers: self.integers.max(other.integers),
            vectors: self.vectors.max(other.vectors),
        }
    }
}
