//! Message layouts as data: which field is where. One macro writes the structure and its table from the same lines.

use std::fmt::Write as _;

use isa::wire::FieldArch;
use zerocopy::little_endian::{I32, I64, U32, U64};

use super::PathField;
use crate::error::KmsgError;
use crate::header::Header;
use crate::types::MessageType;

/// How the bytes of a field are to be read. Numbers are little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `int`, `pid_t`.
    I32,
    /// `unsigned int`.
    U32,
    /// `long`.
    I64,
    /// `unsigned long`, or a pointer.
    U64,
    /// `bool`.
    U8,
    /// Several `unsigned long`.
    U64Array,
    /// A NUL-terminated path in 512 bytes.
    Path,
    /// Bytes of memory.
    Page,
    /// A register set with its thread pointer.
    FieldArch,
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// K52's name.
    pub name: &'static str,
    /// Its first byte, counted from the start of the header.
    pub offset: usize,
    /// Its bytes.
    pub size: usize,
    /// How to read them.
    pub kind: FieldKind,
}

/// A message as a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What it is.
    pub message_type: MessageType,
    /// K52's name for the structure, in this language's spelling.
    pub struct_name: &'static str,
    /// Its fields behind the header, in order and without gaps.
    pub fields: &'static [Field],
    /// Bytes with the header.
    pub size: usize,
}

/// A type that can be a field.
pub trait WireField {
    /// How its bytes are read.
    const KIND: FieldKind;
}

/// Gives the field types their kinds.
macro_rules! wire_fields {
    ($($type:ty => $kind:ident,)*) => {
        $(impl WireField for $type {
            const KIND: FieldKind = FieldKind::$kind;
        })*
    };
}

wire_fields! {
    I32 => I32,
    U32 => U32,
    I64 => I64,
    U64 => U64,
    u8 => U8,
    [U64; 6] => U64Array,
    [u8; super::MESSAGE_PAGE_SIZE] => Page,
    PathField => Path,
    FieldArch => FieldArch,
}

/// Declares a message: the packed structure, its [`super::Message`] and its [`Layout`], which the type table must agree with.
macro_rules! kmsg {
    (
        $(#[$doc:meta])*
        pub struct $name:ident: $type:ident {
            $($(#[$field_doc:meta])* pub $field:ident: $field_type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name {
            /// The header; empty until the message is sent.
            pub header: $crate::header::PcnKmsgHdr,
            $($(#[$field_doc])* pub $field: $field_type,)*
        }

        impl $crate::messages::Message for $name {
            const TYPE: $crate::types::MessageType = $crate::types::MessageType::$type;
            const WIRE: &'static $crate::messages::Layout = &$crate::messages::Layout {
                message_type: $crate::types::MessageType::$type,
                struct_name: stringify!($name),
                fields: &[$($crate::messages::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    size: size_of::<$field_type>(),
                    kind: <$field_type as $crate::messages::WireField>::KIND,
                },)*],
                size: size_of::<$name>(),
            };

            fn header(&self) -> &$crate::header::PcnKmsgHdr {
                &self.header
            }

            fn header_mut(&mut self) -> &mut $crate::header::PcnKmsgHdr {
                &mut self.header
            }
        }

        const _: () = match $crate::types::MessageType::$type.wire_size() {
            Some(size) => assert!(size == size_of::<$name>(), "the structure has not the size of the type table"),
            None => panic!("the type table has no size for this message"),
        };
    };
}
pub(super) use kmsg;

/// The layouts of all modelled messages, by type number.
pub const LAYOUTS: &[&Layout] = {
    use super::*;
    &[
        NodeInfo::WIRE,
        CloneRequest::WIRE,
        BackMigrationRequest::WIRE,
        RemoteTaskPairing::WIRE,
        OriginTaskExit::WIRE,
        RemoteTaskExit::WIRE,
        VmaInfoRequest::WIRE,
        VmaInfoResponse::WIRE,
        VmaOpRequest::WIRE,
        VmaOpResponse::WIRE,
        RemotePageRequest::WIRE,
        RemotePageResponse::WIRE,
        RemotePageResponseShort::WIRE,
        PageInvalidateRequest::WIRE,
        PageInvalidateResponse::WIRE,
        RemoteFutexRequest::WIRE,
        RemoteFutexResponse::WIRE,
        SyscallFwd::WIRE,
        SyscallRep::WIRE,
        SignalTrans::WIRE,
        SignalInfo::WIRE,
        SignalAction::WIRE,
        SignalMask::WIRE,
        SignalInterrupt::WIRE,
        OnwardReply::WIRE,
        SyscallRepLong::WIRE,
    ]
};

impl Layout {
    /// The layout of a type, if it is modelled.
    pub fn of(message_type: MessageType) -> Option<&'static Layout> {
        LAYOUTS
            .iter()
            .find(|layout| layout.message_type == message_type)
            .copied()
    }

    /// A message in words, for traces: "TASK_PAIRING my_tgid=81 my_pid=82 your_pid=70".
    ///
    /// Unsigned long values are in hexadecimal, paths in quotes, and of pages and register sets only the length is told.
    ///
    /// # Errors
    /// When `bytes` are no whole message of a modelled type.
    pub fn describe(bytes: &[u8]) -> Result<String, KmsgError> {
        let header = Header::decode(bytes)?;
        let layout =
            Layout::of(header.message_type).ok_or(KmsgError::NotModelled(header.message_type))?;
        super::check_sizes(&header, bytes, layout.size)?;
        let mut words = layout.message_type.name().to_owned();
        for field in layout.fields {
            let value = field.describe(&bytes[field.offset..field.offset + field.size]);
            write!(words, " {}={value}", field.name).expect("writing to a string succeeds");
        }
        Ok(words)
    }
}

impl Field {
    /// The value in words. `bytes` are exactly those of the field.
    fn describe(&self, bytes: &[u8]) -> String {
        match self.kind {
            FieldKind::I32 => (number(bytes) as i32).to_string(),
            FieldKind::I64 => number(bytes).cast_signed().to_string(),
            FieldKind::U32 | FieldKind::U8 => number(bytes).to_string(),
            FieldKind::U64 => format!("{:#x}", number(bytes)),
            FieldKind::U64Array => {
                let values: Vec<_> = bytes
                    .chunks_exact(8)
                    .map(|bytes| format!("{:#x}", number(bytes)))
                    .collect();
                format!("[{}]", values.join(","))
            }
            FieldKind::Path => {
                let end = bytes
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(bytes.len());
                format!("{:?}", String::from_utf8_lossy(&bytes[..end]))
            }
            FieldKind::Page | FieldKind::FieldArch => format!("<{} bytes>", bytes.len()),
        }
    }
}

/// A little-endian number of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}
