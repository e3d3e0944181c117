//! Places: variables and their parts that an expression can read and a statement can write.

use super::Generator;
use super::types::{Type, Types, VECTORS};

/// A variable or a part of one.
#[derive(Clone, Debug)]
pub struct Place {
    /// How C names it. `[#8]` stands for an index below 8, chosen at each use.
    pub text: String,
    /// Its type.
    pub ty: Type,
    /// What may be done with it.
    pub access: Access,
}

/// What may be done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only read.
    Read,
    /// Read and written.
    Write,
    /// Also pointed to.
    Address,
}

/// A variable to be declared.
#[derive(Clone, Debug)]
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type, or that of its elements.
    pub ty: Type,
    /// Length of an array, a power of two.
    pub count: Option<usize>,
    /// What may be done with it.
    pub access: Access,
}

/// A variable and all its parts.
pub fn places(types: &Types, variable: &Variable<'_>) -> Vec<Place> {
    let Variable {
        name,
        ty,
        count,
        access,
    } = variable;
    let text = match count {
        Some(count) => format!("{name}[#{count}]"),
        None => (*name).to_owned(),
    };
    let mut places = Vec::new();
    expand(types, text, *ty, *access, true, &mut places);
    places
}

fn expand(
    types: &Types,
    text: String,
    ty: Type,
    access: Access,
    follow: bool,
    to: &mut Vec<Place>,
) {
    to.push(Place {
        text: text.clone(),
        ty,
        access,
    });
    let part = access.min_with(Access::Write);
    match ty {
        Type::Vector(v) => {
            let vector = &VECTORS[v];
            let lane = format!("{text}[#{}]", vector.lanes);
            expand(types, lane, vector.element, part, false, to);
        }
        Type::Complex => {
            for half in ["__real__", "__imag__"] {
                let half = format!("({half} {text})");
                expand(types, half, Type::Double, part, false, to);
            }
        }
        Type::Struct(s) => {
            for member in &types.structs[s].members {
                let count = member.count.map(|n| format!("[#{n}]"));
                let text = format!("{text}.{}{}", member.name, count.unwrap_or_default());
                // A pointer to a member of a union would be an alias of another type.
                let whole = member.bits.is_none() && !types.structs[s].is_union;
                let access = if whole { access } else { part };
                expand(types, text, member.ty, access, follow, to);
            }
        }
        Type::Pointer(p) if follow => {
            let text = format!("(*{text})");
            expand(types, text, types.pointees[p], Access::Address, false, to);
        }
        _ => {}
    }
}

impl Access {
    fn min_with(self, other: Self) -> Self {
        if self == Self::Read { self } else { other }
    }
}

impl Generator {
    /// Makes a variable known, from here to the end of its block.
    pub fn know(&mut self, variable: &Variable<'_>) {
        let places = places(&self.types, variable);
        self.scope.extend(places);
    }

    /// A place of a type, if there is one with that access.
    pub fn place(&mut self, ty: Type, wanted: Access) -> Option<String> {
        self.place_below(ty, wanted, self.scope.len())
    }

    /// The same among the first `end` of the places known in this function, and the global ones.
    pub fn place_below(&mut self, ty: Type, wanted: Access, end: usize) -> Option<String> {
        let fits = |place: &&Place| {
            place.ty == ty
                && match wanted {
                    Access::Read => true,
                    Access::Write => place.access != Access::Read,
                    Access::Address => place.access == Access::Address,
                }
        };
        let local: Vec<&Place> = self.scope[..end].iter().filter(fits).collect();
        let global: Vec<&Place> = self.globals.iter().filter(fits).collect();
        let from = if local.is_empty() || (!global.is_empty() && self.draw.chance(25)) {
            global
        } else {
            local
        };
        if from.is_empty() {
            return None;
        }
        // Half of the uses are of what was declared last.
        let recent = from.len().saturating_sub(6);
        let first = if self.draw.chance(50) { recent } else { 0 };
        let text = from[self.draw.between(first, from.len() - 1)].text.clone();
        Some(self.with_indices(&text))
    }

    /// Chooses an index for each `[#N]`.
    pub fn with_indices(&mut self, text: &str) -> String {
        let mut parts = text.split("[#");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (count, rest) = part.split_once(']').unwrap_or((part, ""));
            let count: usize = count.parse().unwrap_or(1);
            let index = match self.index.clone() {
                Some(index) if self.draw.chance(50) => format!("{index} & {}", count - 1),
                _ => self.draw.below(count).to_string(),
            };
            result += &format!("[{index}]{rest}");
        }
        result
    }
}
