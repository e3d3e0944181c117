//! Showpieces: functions of a fixed plan with random contents, for what random statements do not reach.

mod calls;
mod data;
mod jumps;
mod library;

use super::Generator;
use super::types::{INTEGERS, Type, VECTORS};

/// A showpiece: it defines its functions, of which the one with the name given is to be called.
type Showpiece = fn(&mut Generator, &str);

const ALL: [(&str, Showpiece); 11] = [
    ("variadic", calls::variadic),
    ("many_values", calls::many_values),
    ("run_time_frames", calls::run_time_frames),
    ("far_jump", jumps::far_jump),
    ("interpreter", jumps::interpreter),
    ("list", data::list),
    ("tree", data::tree),
    ("sort", library::sort),
    ("format", library::format),
    ("strings", library::strings),
    ("thread", library::thread),
];

impl Generator {
    /// Defines some of the showpieces; the names of the functions to be called.
    pub fn define_showpieces(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, define) in ALL {
            if self.draw.chance(30) {
                self.text.line("");
                self.enter_function(None, true);
                define(self, name);
                self.leave_function();
                names.push(name.to_owned());
            }
        }
        names
    }

    /// A type that a variadic function can take as it is. 128-bit integers are not among them, nor structures that hold nothing else:
    /// clang alone loses those that are passed half in a register, and kettle-cc refuses the structures.
    fn promoted(&mut self) -> Type {
        let structs: Vec<usize> = (0..self.types.structs.len())
            .filter(|s| !self.over_aligned(*s))
            .collect();
        let pointer = Type::Pointer(self.draw.below(3));
        let integer = INTEGERS[self.draw.between(4, 7)];
        let structure = match structs.is_empty() {
            true => integer,
            false => Type::Struct(self.draw.pick(&structs)),
        };
        self.draw.weighted(&[
            (8, integer),
            (5, Type::Double),
            (3, structure),
            (2, pointer),
            (1, Type::Complex),
        ])
    }

    /// Whether a structure wants more alignment than an argument has everywhere.
    fn over_aligned(&self, s: usize) -> bool {
        let one = &self.types.structs[s];
        let member = |ty: Type| match ty {
            Type::Struct(inner) => self.over_aligned(inner),
            Type::Vector(v) => VECTORS[v].name == "v8u32",
            _ => false,
        };
        one.align.is_some() || self.is_one_wide(s) || one.members.iter().any(|m| member(m.ty))
    }

    /// Whether a structure is 16 bytes that are aligned to 16.
    fn is_one_wide(&self, s: usize) -> bool {
        match &self.types.structs[s].members[..] {
            [one] if one.count.is_none() => match one.ty {
                Type::Wide { .. } => true,
                Type::Vector(v) => VECTORS[v].name != "v2u32",
                Type::Struct(inner) => self.is_one_wide(inner),
                _ => false,
            },
            _ => false,
        }
    }
}
