//! Types of C, as DWARF describes them: names, sizes, and values written as C would.

use gimli::AttributeValue;

use super::dwarf::{Dwarf, Reference};

/// How deep types may be nested.
const MOST_DEPTH: usize = 16;
/// How many elements of an array are written.
const MOST_ELEMENTS: u64 = 16;
/// How many members of a structure are looked at.
const MOST_MEMBERS: usize = 256;

/// A type.
#[derive(Clone, Debug)]
pub(super) struct Type {
    name: String,
    size: Option<u64>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Signed,
    Unsigned,
    Character,
    Boolean,
    Float,
    Pointer,
    /// Names of values.
    Enumeration(Vec<(i64, String)>),
    /// Offset in bytes, name and type of each member; bit fields are left out.
    Structure(Vec<(u64, String, Type)>),
    /// Element, and number of elements where known.
    Array(Box<Type>, Option<u64>),
    Other,
}

impl Type {
    fn plain(name: &str, size: Option<u64>, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            size,
            kind,
        }
    }

    /// Its name in C.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// A value of this type.
    pub(super) fn format(&self, bytes: &[u8]) -> String {
        let number = unsigned(bytes);
        match &self.kind {
            Kind::Signed => signed(bytes).to_string(),
            Kind::Unsigned => number.to_string(),
            Kind::Character => match u8::try_from(number & 0xff) {
                Ok(c) if (0x20..0x7f).contains(&c) => format!("{} '{}'", signed(bytes), c as char),
                _ => signed(bytes).to_string(),
            },
            Kind::Boolean => (number != 0).to_string(),
            Kind::Float => float(bytes),
            Kind::Pointer => format!("{number:#x}"),
            Kind::Enumeration(names) => {
                let value = signed(bytes);
                let name = names.iter().find(|(v, _)| *v == value);
                name.map_or_else(|| value.to_string(), |(_, name)| name.clone())
            }
            Kind::Structure(members) => {
                let member = |(at, name, ty): &(u64, String, Type)| {
                    format!("{name} = {}", ty.format(part(bytes, *at, ty.size)))
                };
                let all: Vec<String> = members.iter().map(member).collect();
                format!("{{{}}}", all.join(", "))
            }
            Kind::Array(element, count) => array(element, *count, bytes),
            Kind::Other => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        }
    }
}

fn array(element: &Type, count: Option<u64>, bytes: &[u8]) -> String {
    let size = element.size.unwrap_or(0);
    let count = count.unwrap_or(0).min(bytes.len() as u64);
    if matches!(element.kind, Kind::Character) && size == 1 {
        let text: Vec<u8> = bytes.iter().copied().take_while(|b| *b != 0).collect();
        if text.iter().all(|b| (0x20..0x7f).contains(b)) {
            return format!("\"{}\"", String::from_utf8_lossy(&text));
        }
    }
    let one = |k: u64| element.format(part(bytes, k * size, Some(size)));
    let mut all: Vec<String> = (0..count.min(MOST_ELEMENTS)).map(one).collect();
    if count > MOST_ELEMENTS {
        all.push("...".to_owned());
    }
    format!("{{{}}}", all.join(", "))
}

/// `size` bytes at `at`, as far as they are there.
fn part(bytes: &[u8], at: u64, size: Option<u64>) -> &[u8] {
    let start = (at as usize).min(bytes.len());
    let end = (start + size.unwrap_or(0) as usize).min(bytes.len());
    &bytes[start..end]
}

fn unsigned(bytes: &[u8]) -> u128 {
    let mut wide = [0; 16];
    let len = bytes.len().min(16);
    wide[..len].copy_from_slice(&bytes[..len]);
    u128::from_le_bytes(wide)
}

fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    (unsigned(bytes) as i64) << unused >> unused
}

fn float(bytes: &[u8]) -> String {
    match bytes.len() {
        4 => f32::from_bits(unsigned(bytes) as u32).to_string(),
        _ => f64::from_bits(unsigned(bytes) as u64).to_string(),
    }
}

impl Dwarf<'_> {
    /// A type; `None` is void.
    pub(super) fn type_of(&self, at: Option<Reference>) -> Type {
        self.nested(at, 0)
    }

    fn nested(&self, at: Option<Reference>, depth: usize) -> Type {
        let entry = at
            .and_then(|at| self.entry(at))
            .filter(|_| depth < MOST_DEPTH);
        let (Some(at), Some(entry)) = (at, entry) else {
            return Type::plain("void", None, Kind::Other);
        };
        let value = |name| entry.attr_value(name).and_then(|v| v.udata_value());
        let size = value(gimli::DW_AT_byte_size);
        let name = self.name(at);
        let inner = || self.nested(self.referenced(at, gimli::DW_AT_type), depth + 1);
        let tagged = |word: &str| match &name {
            Some(name) => format!("{word} {name}"),
            None => word.to_owned(),
        };
        match entry.tag() {
            gimli::DW_TAG_base_type => {
                let kind = entry.attr_value(gimli::DW_AT_encoding);
                Type::plain(&name.unwrap_or_default(), size, base_kind(kind))
            }
            gimli::DW_TAG_pointer_type => {
                // What it points to is not gone into: that may be the type itself.
                let target = self.referenced(at, gimli::DW_AT_type);
                let name = self.pointed_to(target, depth + 1);
                let name = format!("{name}{}*", if name.ends_with('*') { "" } else { " " });
                Type::plain(&name, Some(8), Kind::Pointer)
            }
            gimli::DW_TAG_typedef => {
                let inner = inner();
                Type::plain(&name.unwrap_or_default(), inner.size, inner.kind)
            }
            gimli::DW_TAG_const_type => qualified("const", inner()),
            gimli::DW_TAG_volatile_type => qualified("volatile", inner()),
            gimli::DW_TAG_restrict_type | gimli::DW_TAG_atomic_type => inner(),
            gimli::DW_TAG_structure_type => {
                Type::plain(&tagged("struct"), size, self.structure(at, depth))
            }
            gimli::DW_TAG_union_type => {
                Type::plain(&tagged("union"), size, self.structure(at, depth))
            }
            gimli::DW_TAG_enumeration_type => {
                Type::plain(&tagged("enum"), size, self.enumeration(at))
            }
            gimli::DW_TAG_array_type => self.array(at, inner()),
            _ => Type::plain(&name.unwrap_or_else(|| "?".into()), size, Kind::Other),
        }
    }

    /// The name of what a pointer points to.
    fn pointed_to(&self, at: Option<Reference>, depth: usize) -> String {
        let Some(entry) = at
            .and_then(|at| self.entry(at))
            .filter(|_| depth < MOST_DEPTH)
        else {
            return "void".to_owned();
        };
        let next = || {
            let target = at.and_then(|at| self.referenced(at, gimli::DW_AT_type));
            self.pointed_to(target, depth + 1)
        };
        let name = at.and_then(|at| self.name(at));
        let tagged = |word: &str| match &name {
            Some(name) => format!("{word} {name}"),
            None => word.to_owned(),
        };
        match entry.tag() {
            gimli::DW_TAG_pointer_type => {
                let target = next();
                format!("{target}{}*", if target.ends_with('*') { "" } else { " " })
            }
            gimli::DW_TAG_const_type => format!("const {}", next()),
            gimli::DW_TAG_volatile_type => format!("volatile {}", next()),
            gimli::DW_TAG_restrict_type | gimli::DW_TAG_atomic_type => next(),
            gimli::DW_TAG_structure_type => tagged("struct"),
            gimli::DW_TAG_union_type => tagged("union"),
            gimli::DW_TAG_enumeration_type => tagged("enum"),
            gimli::DW_TAG_subroutine_type => "function".to_owned(),
            gimli::DW_TAG_array_type => format!("{}[]", next()),
            _ => name.unwrap_or_else(|| "?".into()),
        }
    }

    fn structure(&self, at: Reference, depth: usize) -> Kind {
        let mut members = Vec::new();
        self.children(at, |child| {
            let entry = self.entry(child);
            let Some(entry) = entry.filter(|e| e.tag() == gimli::DW_TAG_member) else {
                return;
            };
            let bit_field = entry.attr_value(gimli::DW_AT_bit_size).is_some();
            let offset = entry.attr_value(gimli::DW_AT_data_member_location);
            let offset = offset.and_then(|v| v.udata_value()).unwrap_or(0);
            if !bit_field && members.len() < MOST_MEMBERS {
                let ty = self.nested(self.referenced(child, gimli::DW_AT_type), depth + 1);
                members.push((offset, self.name(child).unwrap_or_default(), ty));
            }
        });
        Kind::Structure(members)
    }

    fn enumeration(&self, at: Reference) -> Kind {
        let mut names = Vec::new();
        self.children(at, |child| {
            let value = self
                .entry(child)
                .and_then(|e| e.attr_value(gimli::DW_AT_const_value));
            let value = value.and_then(|v| match v {
                AttributeValue::Sdata(value) => Some(value),
                other => other.udata_value().map(|v| v as i64),
            });
            if let (Some(value), Some(name)) = (value, self.name(child)) {
                names.push((value, name));
            }
        });
        Kind::Enumeration(names)
    }

    fn array(&self, at: Reference, element: Type) -> Type {
        let mut counts = Vec::new();
        self.children(at, |child| {
            let Some(entry) = self.entry(child) else {
                return;
            };
            if entry.tag() == gimli::DW_TAG_subrange_type {
                let value = |name| match entry.attr_value(name) {
                    Some(AttributeValue::UnitRef(_) | AttributeValue::Exprloc(_)) | None => None,
                    Some(value) => value.udata_value(),
                };
                let bound = value(gimli::DW_AT_upper_bound).and_then(|v| v.checked_add(1));
                counts.push(value(gimli::DW_AT_count).or(bound));
            }
        });
        // The last subrange is the innermost array.
        let mut ty = element;
        let base = ty.name.clone();
        let mut dimensions = String::new();
        for count in counts.into_iter().rev() {
            let text = count.map_or_else(String::new, |count| count.to_string());
            dimensions = format!("[{text}]{dimensions}");
            let size = count.and_then(|count| ty.size?.checked_mul(count));
            let name = format!("{base}{dimensions}");
            ty = Type::plain(&name, size, Kind::Array(Box::new(ty), count));
        }
        ty
    }

    fn children(&self, (unit, offset): Reference, mut each: impl FnMut(Reference)) {
        let Ok(mut tree) = self.units[unit].entries_tree(Some(offset)) else {
            return;
        };
        let Ok(root) = tree.root() else { return };
        let mut children = root.children();
        while let Ok(Some(child)) = children.next() {
            each((unit, child.entry().offset()));
        }
    }
}

fn qualified(word: &str, inner: Type) -> Type {
    Type {
        name: format!("{word} {}", inner.name),
        ..inner
    }
}

fn base_kind(encoding: Option<AttributeValue<super::dwarf::Slice<'_>>>) -> Kind {
    match encoding {
        Some(AttributeValue::Encoding(encoding)) => match encoding {
            gimli::DW_ATE_signed => Kind::Signed,
            gimli::DW_ATE_unsigned => Kind::Unsigned,
            gimli::DW_ATE_signed_char | gimli::DW_ATE_unsigned_char => Kind::Character,
            gimli::DW_ATE_boolean => Kind::Boolean,
            gimli::DW_ATE_float => Kind::Float,
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}
