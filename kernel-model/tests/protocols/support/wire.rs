//! Messages spelled byte by byte, independently of the types in `msglayer`: header, then packed little-endian fields.

/// A field.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// 32 bits, signed.
    I32(i32),
    /// 64 bits.
    U64(u64),
    /// A path in its 512 bytes.
    Path(&'a str),
    /// These bytes.
    Bytes(&'a [u8]),
    /// So many bytes of zero.
    Zeroes(usize),
}

pub use Field::{Bytes, I32, Path, U64, Zeroes};

/// A message: who sends it, its number, its fields. Priority NORMAL (1) is in the two upper bits of the first byte.
pub fn message(from: u8, number: u8, fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in fields {
        match field {
            I32(value) => body.extend(value.to_le_bytes()),
            U64(value) => body.extend(value.to_le_bytes()),
            Path(path) => {
                body.extend(path.as_bytes());
                body.resize(body.len() + 512 - path.len(), 0);
            }
            Bytes(bytes) => body.extend(*bytes),
            Zeroes(count) => body.resize(body.len() + count, 0),
        }
    }
    let mut message = vec![from | 1 << 6, number];
    message.extend((body.len() as u64 + 10).to_le_bytes());
    message.extend(body);
    message
}

/// Bytes in lines of 16, for a message that is not what it should be.
pub fn dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(n, line)| {
        let hex: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:05x}  {}\n", n * 16, hex.join(" "))
    });
    lines.collect()
}
