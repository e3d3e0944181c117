//! The operation that FUTEX_WAKE_OP carries in 32 bits: what becomes of the second word, and which old values wake its waiters.

use isa::Errno;

/// A decoded operation: `op(4) cmp(4) oparg(12) cmparg(12)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WakeOp {
    op: u32,
    cmp: u32,
    oparg: u32,
    cmparg: i32,
}

const OPARG_SHIFT: u32 = 8;

impl WakeOp {
    /// Reads `val3`. ENOSYS for operations and tests that do not exist.
    pub(super) fn decode(word: u32) -> Result<Self, Errno> {
        let (op, cmp) = (word >> 28, word >> 24 & 15);
        let mut oparg = sign_extend(word >> 12);
        if op & OPARG_SHIFT != 0 {
            // Linux masks what is out of range and warns.
            oparg = 1 << (oparg & 31);
        }
        let op = op & !OPARG_SHIFT;
        if op > 4 || cmp > 5 {
            return Err(Errno::ENOSYS);
        }
        Ok(Self {
            op,
            cmp,
            oparg: oparg.cast_unsigned(),
            cmparg: sign_extend(word),
        })
    }

    /// The word's new value.
    pub(super) fn apply(self, old: u32) -> u32 {
        match self.op {
            0 => self.oparg,
            1 => old.wrapping_add(self.oparg),
            2 => old | self.oparg,
            3 => old & !self.oparg,
            _ => old ^ self.oparg,
        }
    }

    /// Whether the old value wakes the second word's waiters.
    pub(super) fn passes(self, old: u32) -> bool {
        let old = old.cast_signed();
        match self.cmp {
            0 => old == self.cmparg,
            1 => old != self.cmparg,
            2 => old < self.cmparg,
            3 => old <= self.cmparg,
            4 => old > self.cmparg,
            _ => old >= self.cmparg,
        }
    }
}

/// The low 12 bits as a signed number.
fn sign_extend(word: u32) -> i32 {
    (word << 20).cast_signed() >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(op: u32, oparg: u32, cmp: u32, cmparg: u32) -> u32 {
        op << 28 | cmp << 24 | (oparg & 0xfff) << 12 | cmparg & 0xfff
    }

    #[test]
    fn operations() {
        // (op, oparg, old, new)
        let cases = [
            (0, 5, 9, 5),
            (0, 0xfff, 9, u32::MAX),
            (1, 3, u32::MAX, 2),
            (2, 6, 1, 7),
            (3, 6, 7, 1),
            (4, 6, 5, 3),
            (OPARG_SHIFT, 4, 0, 16),
            (2 | OPARG_SHIFT, 33, 0, 2),
        ];
        for (op, oparg, old, new) in cases {
            assert_eq!(
                WakeOp::decode(encode(op, oparg, 0, 0)).unwrap().apply(old),
                new,
                "{op} {oparg} {old}"
            );
        }
    }

    #[test]
    fn tests_of_the_old_value() {
        let minus_one = 0xfff;
        // (test, argument, old values that pass among -1, 0, 1)
        let cases: [(u32, u32, &[i32]); 6] = [
            (0, 0, &[0]),
            (1, 0, &[-1, 1]),
            (2, 0, &[-1]),
            (3, 0, &[-1, 0]),
            (4, minus_one, &[0, 1]),
            (5, minus_one, &[-1, 0, 1]),
        ];
        for (cmp, cmparg, expected) in cases {
            let op = WakeOp::decode(encode(0, 0, cmp, cmparg)).unwrap();
            let passing: Vec<_> = [-1, 0, 1]
                .into_iter()
                .filter(|old: &i32| op.passes(old.cast_unsigned()))
                .collect();
            assert_eq!(passing, expected, "test {cmp}");
        }
    }

    #[test]
    fn what_does_not_exist() {
        assert_eq!(WakeOp::decode(encode(5, 0, 0, 0)), Err(Errno::ENOSYS));
        assert_eq!(WakeOp::decode(encode(0, 0, 6, 0)), Err(Errno::ENOSYS));
    }
}
