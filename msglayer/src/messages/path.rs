//! Paths in messages: 512 bytes, of which the first NUL ends the path (`char path[512]`).

use std::fmt;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::KmsgError;

/// Bytes of a path field, the terminating NUL included.
pub const PATH_FIELD_SIZE: usize = 512;

/// A path as it is on the wire. The empty path stands for "none": an anonymous mapping.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct PathField([u8; PATH_FIELD_SIZE]);

impl PathField {
    /// The field that says `path`; the rest of it is zero.
    ///
    /// # Errors
    /// When the path is longer than 511 bytes, or has a NUL inside.
    pub fn new(path: &str) -> Result<Self, KmsgError> {
        if path.len() >= PATH_FIELD_SIZE {
            return Err(KmsgError::PathTooLong(path.len()));
        }
        if path.contains('\0') {
            return Err(KmsgError::PathWithNul(path.escape_default().to_string()));
        }
        let mut field = Self::new_zeroed();
        field.0[..path.len()].copy_from_slice(path.as_bytes());
        Ok(field)
    }

    /// The path up to its NUL.
    ///
    /// # Errors
    /// When there is no NUL, or the bytes before it are no UTF-8.
    pub fn as_str(&self) -> Result<&str, KmsgError> {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(KmsgError::PathUnterminated)?;
        let path = &self.0[..end];
        std::str::from_utf8(path)
            .map_err(|_| KmsgError::PathNotUtf8(path.escape_ascii().to_string()))
    }

    /// Whether it says nothing.
    pub const fn is_empty(&self) -> bool {
        self.0[0] == 0
    }
}

impl fmt::Debug for PathField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Ok(path) => write!(f, "{path:?}"),
            Err(error) => write!(f, "<{error}>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_fits_or_is_refused() {
        let longest = "x".repeat(511);
        for path in ["", "/bin/prog_x86-64", "/tmp/é", &longest] {
            assert_eq!(PathField::new(path).unwrap().as_str(), Ok(path));
        }
        assert_eq!(
            PathField::new(&"x".repeat(512)),
            Err(KmsgError::PathTooLong(512))
        );
        assert_eq!(
            PathField::new("a\0b"),
            Err(KmsgError::PathWithNul("a\\u{0}b".to_owned()))
        );
        assert!(PathField::new("").unwrap().is_empty());
    }

    #[test]
    fn what_comes_off_the_wire_may_be_no_path() {
        assert_eq!(
            PathField([b'x'; 512]).as_str(),
            Err(KmsgError::PathUnterminated)
        );
        let mut bytes = [0; 512];
        bytes[0] = 0xff;
        assert_eq!(
            PathField(bytes).as_str(),
            Err(KmsgError::PathNotUtf8("\\xff".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_path_or_an_error(start in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = [0; PATH_FIELD_SIZE];
            bytes[..start.len()].copy_from_slice(&start);
            if let Ok(path) = PathField(bytes).as_str() {
                prop_assert!(start.starts_with(path.as_bytes()));
            }
        }
    }
}
