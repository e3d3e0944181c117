//! `struct new_utsname`: six zero-terminated fields of 65 bytes (include/uapi/linux/utsname.h), the same on both ISAs.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Isa;

/// Length in bytes of a field, its terminating zero included.
const FIELD: usize = 65;

/// What `uname` gives.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Utsname {
    /// "Linux".
    pub sysname: [u8; FIELD],
    /// The host name.
    pub nodename: [u8; FIELD],
    /// The kernel release.
    pub release: [u8; FIELD],
    /// The kernel build.
    pub version: [u8; FIELD],
    /// The machine: [`Isa::name`].
    pub machine: [u8; FIELD],
    /// The NIS domain, "(none)".
    pub domainname: [u8; FIELD],
}

impl Utsname {
    /// Of a node with these names; each is cut to 64 bytes.
    pub fn new(isa: Isa, nodename: &str, release: &str, version: &str) -> Self {
        Self {
            sysname: field("Linux"),
            nodename: field(nodename),
            release: field(release),
            version: field(version),
            machine: field(isa.name()),
            domainname: field("(none)"),
        }
    }
}

fn field(text: &str) -> [u8; FIELD] {
    let mut bytes = [0; FIELD];
    let len = text.len().min(FIELD - 1);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_at_multiples_of_65() {
        let uts = Utsname::new(Isa::Aarch64, "node1", "5.2.21", &"v".repeat(100));
        let bytes = uts.as_bytes();
        assert_eq!(bytes.len(), 390);
        for (index, start) in [
            "Linux\0",
            "node1\0",
            "5.2.21\0",
            "vvvvvv",
            "aarch64\0",
            "(none)\0",
        ]
        .iter()
        .enumerate()
        {
            assert!(
                bytes[index * FIELD..].starts_with(start.as_bytes()),
                "{start}"
            );
        }
        assert_eq!(
            bytes[4 * FIELD - 1],
            0,
            "a long field is cut and still ends with a zero"
        );
    }
}
