//! The types of a program: C's arithmetic types, GNU's 128-bit integers, vectors and complex numbers, pointers, and structures and unions of
//! the program's own.

use super::draw::Draw;
use super::text::Text;

/// A type of values. What structures and pointers are made of is in [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// An integer of 8 to 64 bits.
    Int {
        /// 8, 16, 32 or 64.
        bits: u32,
        /// Whether it is signed.
        signed: bool,
    },
    /// `_Bool`.
    Bool,
    /// `__int128`.
    Wide {
        /// Whether it is signed.
        signed: bool,
    },
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `double _Complex`.
    Complex,
    /// One of [`VECTORS`].
    Vector(usize),
    /// A structure or union, by number.
    Struct(usize),
    /// A pointer to one of the program's pointees, by number.
    Pointer(usize),
}

/// `i8` to `u64`.
pub const INTEGERS: [Type; 8] = [
    int(8, true),
    int(8, false),
    int(16, true),
    int(16, false),
    int(32, true),
    int(32, false),
    int(64, true),
    int(64, false),
];
/// `u32`.
pub const U32: Type = int(32, false);
/// `u64`.
pub const U64: Type = int(64, false);

const fn int(bits: u32, signed: bool) -> Type {
    Type::Int { bits, signed }
}

/// A vector type: its name in `fuzz.h`, its elements, and how many.
pub struct VectorType {
    /// Name.
    pub name: &'static str,
    /// Type of an element.
    pub element: Type,
    /// Number of elements, a power of two.
    pub lanes: usize,
}

/// All vector types. Elements that are integers are unsigned: those of signed ones may not overflow.
pub const VECTORS: [VectorType; 7] = [
    vector("v4u32", U32, 4),
    vector("v2u64", U64, 2),
    vector("v16u8", int(8, false), 16),
    vector("v4f", Type::Float, 4),
    vector("v2d", Type::Double, 2),
    vector("v2u32", U32, 2),
    vector("v8u32", U32, 8),
];

const fn vector(name: &'static str, element: Type, lanes: usize) -> VectorType {
    VectorType {
        name,
        element,
        lanes,
    }
}

/// A member of a structure.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its type, or that of its elements.
    pub ty: Type,
    /// Width of a bit-field.
    pub bits: Option<usize>,
    /// Length of an array, a power of two.
    pub count: Option<usize>,
}

/// A structure or union.
#[derive(Clone, Debug)]
pub struct StructType {
    /// `struct S0`.
    pub name: String,
    /// Its members. The first one of a union covers the others.
    pub members: Vec<Member>,
    /// Whether it is a union.
    pub is_union: bool,
    /// An alignment beyond its own.
    pub align: Option<usize>,
}

/// The types of one program.
#[derive(Clone, Debug, Default)]
pub struct Types {
    /// Structures and unions; later ones may contain earlier ones.
    pub structs: Vec<StructType>,
    /// What pointers point to.
    pub pointees: Vec<Type>,
}

impl Types {
    /// Draws a program's types.
    pub fn draw(draw: &mut Draw) -> Self {
        let mut types = Self::default();
        types.pointees.extend([U32, U64, Type::Double]);
        for _ in 0..2 {
            types.pointees.push(draw.pick(&INTEGERS));
        }
        for number in 0..draw.between(3, 6) {
            let one = if number == 2 {
                types.draw_union(draw, number)
            } else {
                types.draw_struct(draw, number)
            };
            types.structs.push(one);
            types.pointees.push(Type::Struct(number));
        }
        types.pointees.push(draw.pick(&[
            Type::Vector(0),
            Type::Wide { signed: false },
            Type::Complex,
            Type::Float,
        ]));
        let mut seen: Vec<Type> = Vec::new();
        types.pointees.retain(|ty| {
            let new = !seen.contains(ty);
            seen.push(*ty);
            new
        });
        types
    }

    fn draw_struct(&self, draw: &mut Draw, number: usize) -> StructType {
        let members = (0..draw.between(1, 6)).map(|m| {
            let name = format!("m{m}");
            let inner = Type::Struct(draw.below(number.max(1)));
            let pointer = Type::Pointer(draw.below(3));
            let [scalar, integer] = [self.scalar(draw), draw.pick(&INTEGERS)];
            let ty = draw.weighted(&[
                (10, scalar),
                (6, integer),
                (if number > 0 { 3 } else { 0 }, inner),
                (2, pointer),
            ]);
            let width = match ty {
                Type::Int { bits, .. } => Some(draw.between(1, bits as usize)),
                Type::Bool => Some(1),
                _ => None,
            };
            let bits = width.filter(|_| draw.chance(35));
            let arrays = bits.is_none() && !matches!(ty, Type::Struct(_) | Type::Pointer(_));
            let count = (arrays && draw.chance(20)).then(|| draw.pick(&[2, 4, 8]));
            Member {
                name,
                ty,
                bits,
                count,
            }
        });
        StructType {
            name: format!("struct S{number}"),
            members: members.collect(),
            is_union: false,
            align: draw.chance(12).then(|| draw.pick(&[32, 64])),
        }
    }

    fn draw_union(&self, draw: &mut Draw, number: usize) -> StructType {
        let member = |m: usize, ty, count| Member {
            name: format!("m{m}"),
            ty,
            bits: None,
            count,
        };
        let mut members = vec![member(0, U64, None)];
        for m in 1..draw.between(3, 4) {
            let ty = draw.pick(&[
                int(8, true),
                int(16, false),
                int(32, true),
                Type::Float,
                Type::Double,
            ]);
            members.push(member(m, ty, None));
        }
        members.push(member(9, int(8, false), Some(8)));
        StructType {
            name: format!("union S{number}"),
            members,
            is_union: true,
            align: None,
        }
    }

    /// A type that is neither a structure nor a pointer.
    pub fn scalar(&self, draw: &mut Draw) -> Type {
        let integer = draw.pick(&INTEGERS);
        let vector = Type::Vector(draw.below(VECTORS.len()));
        let signed = draw.chance(50);
        draw.weighted(&[
            (50, integer),
            (4, Type::Bool),
            (7, Type::Wide { signed }),
            (8, Type::Float),
            (16, Type::Double),
            (5, Type::Complex),
            (8, vector),
        ])
    }

    /// Any type.
    pub fn any(&self, draw: &mut Draw) -> Type {
        let scalar = self.scalar(draw);
        let structure = Type::Struct(draw.below(self.structs.len()));
        let pointer = Type::Pointer(draw.below(self.pointees.len()));
        draw.weighted(&[(65, scalar), (22, structure), (13, pointer)])
    }

    /// How C writes a type.
    pub fn name(&self, ty: Type) -> String {
        match ty {
            Type::Int { bits, signed } => format!("{}{bits}", if signed { 'i' } else { 'u' }),
            Type::Bool => "_Bool".into(),
            Type::Wide { signed: true } => "i128".into(),
            Type::Wide { signed: false } => "u128".into(),
            Type::Float => "float".into(),
            Type::Double => "double".into(),
            Type::Complex => "complex".into(),
            Type::Vector(v) => VECTORS[v].name.into(),
            Type::Struct(s) => self.structs[s].name.clone(),
            Type::Pointer(p) => format!("{} *", self.name(self.pointees[p])),
        }
    }

    /// Declares the structures.
    pub fn declare(&self, text: &mut Text) {
        for one in &self.structs {
            text.open(format!("{} {{", one.name));
            for member in &one.members {
                let bits = member.bits.map(|b| format!(" : {b}")).unwrap_or_default();
                let count = member.count.map(|n| format!("[{n}]")).unwrap_or_default();
                text.line(format!(
                    "{} {}{count}{bits};",
                    self.name(member.ty),
                    member.name
                ));
            }
            let align = one.align.map(|n| format!(" __attribute__((aligned({n})))"));
            text.shut(format!("}}{};", align.unwrap_or_default()));
        }
    }
}
