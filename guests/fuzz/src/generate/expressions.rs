//! Expressions of every type. Whatever their operands hold, their value is defined.

use super::Generator;
use super::scope::Access;
use super::types::{INTEGERS, Type, U32, U64, VECTORS};

impl Generator {
    /// An expression of a type, nested at most `depth` deep.
    pub fn expression(&mut self, ty: Type, depth: usize) -> String {
        if depth == 0 || self.draw.chance(20) {
            return self.leaf(ty);
        }
        match self.draw.below(100) {
            0..12 => {
                if let Some(call) = self.call(ty, depth - 1) {
                    return call;
                }
            }
            12..15 if self.may_migrate => {
                return format!("(point(), {})", self.expression(ty, depth - 1));
            }
            15..20 => {
                let condition = self.condition(depth - 1);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth - 1));
                return format!("({condition} ? {a} : {b})");
            }
            20..22 => {
                let name = self.fresh("t");
                let value = self.expression(ty, depth - 1);
                let ty = self.types.name(ty);
                let point = if self.may_migrate { "point(); " } else { "" };
                return format!("({{ {ty} {name} = {value}; {point}{name}; }})");
            }
            _ => {}
        }
        match ty {
            Type::Int { bits, signed } => self.integer(bits, signed, depth - 1),
            Type::Bool => self.condition(depth - 1),
            Type::Wide { signed } => self.wide(signed, depth - 1),
            Type::Float | Type::Double => self.floating(ty, depth - 1),
            Type::Complex => self.complex(depth - 1),
            Type::Vector(v) => self.vector(v, depth - 1),
            Type::Struct(s) => self.structure(s, depth - 1),
            Type::Pointer(p) => self.pointer(p, self.scope.len()),
        }
    }

    /// A variable or a constant.
    pub fn leaf(&mut self, ty: Type) -> String {
        if self.draw.chance(80)
            && let Some(place) = self.place(ty, Access::Read)
        {
            return place;
        }
        self.constant(ty)
    }

    /// A constant; for pointers, the address of something that lives throughout.
    pub fn constant(&mut self, ty: Type) -> String {
        let name = self.types.name(ty);
        match ty {
            Type::Int { .. } | Type::Wide { .. } => {
                let random = self.draw.bits();
                let small = random % 17;
                let value = self.draw.pick(&[
                    0,
                    1,
                    small,
                    small,
                    random,
                    random % 1000,
                    u64::MAX,
                    0x8000_0000,
                    1 << 63,
                    i64::MAX as u64,
                ]);
                format!("({name}){value:#x}ull")
            }
            Type::Bool => self.draw.pick(&["0", "1"]).into(),
            Type::Float | Type::Double => {
                let eighths = self.draw.between(0, 4000) as f64 / 8.0 - 250.0;
                let value = self.draw.pick(&[eighths, eighths, 0.5, -0.0, 1e-3, 3e5]);
                format!("({name}){value:?}")
            }
            Type::Complex => {
                let [a, b] = [0, 1].map(|_| self.constant(Type::Double));
                format!("__builtin_complex({a}, {b})")
            }
            Type::Vector(v) => {
                let lanes: Vec<String> = (0..VECTORS[v].lanes)
                    .map(|_| self.constant(VECTORS[v].element))
                    .collect();
                format!("({name}){{{}}}", lanes.join(", "))
            }
            Type::Struct(s) => self.structure(s, 0),
            Type::Pointer(p) => self.static_pointer(p),
        }
    }

    fn integer(&mut self, bits: u32, signed: bool, depth: usize) -> String {
        let ty = Type::Int { bits, signed };
        let name = self.types.name(ty);
        let working = if bits == 64 { "u64" } else { "u32" };
        let width = if bits == 64 { 64 } else { 32 };
        match self.draw.below(22) {
            0..7 => {
                let operator = self.draw.pick(&["+", "-", "*", "&", "|", "^"]);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({name})(({working}){a} {operator} ({working}){b})")
            }
            7..9 => {
                let shifted = self.expression(ty, depth);
                let count = self.expression(U32, depth.min(1));
                let count = format!("({count} & {})", bits - 1);
                if self.draw.chance(50) {
                    // A bit-field of 64 bits may be promoted to an int.
                    format!("({name})(({name}){shifted} >> {count})")
                } else {
                    format!("({name})(({working}){shifted} << {count})")
                }
            }
            9..11 => {
                let operator = self.draw.pick(&["/", "%"]);
                let dividend = self.expression(ty, depth);
                if signed {
                    let divisor = self.draw.between(2, 100);
                    format!("({name})({dividend} {operator} {divisor})")
                } else {
                    let divisor = self.expression(ty, depth);
                    format!("({name})({dividend} {operator} ({divisor} | 1))")
                }
            }
            11 => format!("({name})(~{})", self.expression(ty, depth)),
            12 => format!("({name})(0 - ({working}){})", self.expression(ty, depth)),
            13 => format!("({name}){}", self.condition(depth)),
            14..18 => self.converted(&name, depth),
            18 => {
                let value = self.expression(ty, depth);
                match self.draw.below(4) {
                    0 => format!("({name})__builtin_popcountll((u64){value})"),
                    1 => format!("({name})__builtin_clzll((u64){value} | 1)"),
                    2 => format!("({name})__builtin_ctzll((u64){value} | 256)"),
                    _ => format!("({name})__builtin_bswap{width}(({working}){value})"),
                }
            }
            19 => {
                let value = self.expression(ty, depth);
                let count = self.draw.between(1, width - 1);
                let other = width - count;
                format!(
                    "({name})((({working}){value} << {count}) | (({working}){value} >> {other}))"
                )
            }
            _ => match self.place(ty, Access::Address) {
                Some(place) => {
                    let operation = self.draw.pick(&["add", "sub", "xor", "or", "and"]);
                    let order = self.draw.pick(&["RELAXED", "ACQ_REL", "SEQ_CST"]);
                    let value = self.expression(ty, depth);
                    format!("__atomic_fetch_{operation}(&{place}, {value}, __ATOMIC_{order})")
                }
                None => self.leaf(ty),
            },
        }
    }

    /// A value of another type as the integer type `name`.
    fn converted(&mut self, name: &str, depth: usize) -> String {
        match self.types.scalar(&mut self.draw) {
            ty @ (Type::Int { .. } | Type::Bool | Type::Wide { .. }) => {
                format!("({name}){}", self.expression(ty, depth))
            }
            ty @ (Type::Float | Type::Double) => {
                format!("({name})whole({})", self.expression(ty, depth))
            }
            Type::Complex => format!(
                "({name})whole(__real__ ({}))",
                self.expression(Type::Complex, depth)
            ),
            Type::Vector(v) => {
                let vector = self.expression(Type::Vector(v), depth);
                let lane = format!("({vector})[{}]", self.draw.below(VECTORS[v].lanes));
                match VECTORS[v].element {
                    Type::Float | Type::Double => format!("({name})whole({lane})"),
                    _ => format!("({name}){lane}"),
                }
            }
            Type::Struct(_) | Type::Pointer(_) => unreachable!("neither is a scalar here"),
        }
    }

    /// 0 or 1.
    pub fn condition(&mut self, depth: usize) -> String {
        let depth = depth.saturating_sub(1);
        match self.draw.below(10) {
            0..5 => {
                let scalar = self.types.scalar(&mut self.draw);
                let integer = self.draw.pick(&INTEGERS);
                let ty = self.draw.weighted(&[(6, scalar), (4, integer)]);
                let operator = self.draw.pick(&["<", ">", "<=", ">=", "==", "!="]);
                let ty = match ty {
                    Type::Vector(_) | Type::Complex => U64,
                    other => other,
                };
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({a} {operator} {b})")
            }
            5 => format!("!{}", self.expression(U32, depth)),
            6..8 => {
                let operator = self.draw.pick(&["&&", "||"]);
                let [a, b] = [0, 1].map(|_| self.condition(depth));
                format!("({a} {operator} {b})")
            }
            8 => {
                let bit = self.draw.below(4);
                format!("(({} >> {bit}) & 1)", self.expression(U32, depth))
            }
            _ => self.leaf(Type::Bool),
        }
    }

    fn wide(&mut self, signed: bool, depth: usize) -> String {
        let ty = Type::Wide { signed };
        let name = self.types.name(ty);
        match self.draw.below(8) {
            0..3 => {
                let operator = self.draw.pick(&["+", "-", "*", "&", "|", "^"]);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({name})((u128){a} {operator} (u128){b})")
            }
            3 => {
                let [high, low] = [0, 1].map(|_| self.expression(U64, depth));
                format!("({name})((u128){high} << 64 | {low})")
            }
            4 => {
                let value = self.expression(ty, depth);
                let count = self.expression(U32, depth.min(1));
                let (operator, value) = match self.draw.chance(50) {
                    true => (">>", value),
                    false => ("<<", format!("(u128){value}")),
                };
                format!("({name})({value} {operator} ({count} & 127))")
            }
            5 => {
                let operator = self.draw.pick(&["/", "%"]);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({name})((u128){a} {operator} ((u128){b} | 1))")
            }
            _ => {
                let other = self.draw.pick(&INTEGERS);
                format!("({name}){}", self.expression(other, depth))
            }
        }
    }

    fn floating(&mut self, ty: Type, depth: usize) -> String {
        let name = self.types.name(ty);
        match self.draw.below(12) {
            0..5 => {
                let operator = self.draw.pick(&["+", "-", "*"]);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({a} {operator} {b})")
            }
            5 => {
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({a} / ({name})(__builtin_fabs(bounded({b})) + 0.5))")
            }
            6 => format!("(-{})", self.expression(ty, depth)),
            7..9 => {
                let other = self.draw.pick(&INTEGERS);
                format!("({name}){}", self.expression(other, depth))
            }
            9 => {
                let other = if ty == Type::Float {
                    Type::Double
                } else {
                    Type::Float
                };
                format!("({name})bounded({})", self.expression(other, depth))
            }
            10 => {
                let value = self.expression(ty, depth);
                let function = self.draw.pick(&["sqrt", "floor", "trunc", "ceil"]);
                format!("({name})__builtin_{function}(__builtin_fabs(bounded({value})))")
            }
            _ => {
                let half = self.draw.pick(&["__real__", "__imag__"]);
                format!(
                    "({name})bounded({half} ({}))",
                    self.expression(Type::Complex, depth)
                )
            }
        }
    }

    fn complex(&mut self, depth: usize) -> String {
        match self.draw.below(6) {
            0 | 1 => {
                let [a, b] = [0, 1].map(|_| self.expression(Type::Double, depth));
                format!("__builtin_complex({a}, {b})")
            }
            2 => format!("(~{})", self.expression(Type::Complex, depth)),
            3 => {
                let [a, b] = [0, 1].map(|_| self.expression(Type::Complex, depth));
                format!("(cbounded({a}) * cbounded({b}))")
            }
            _ => {
                let operator = self.draw.pick(&["+", "-"]);
                let [a, b] = [0, 1].map(|_| self.expression(Type::Complex, depth));
                format!("({a} {operator} {b})")
            }
        }
    }

    fn vector(&mut self, v: usize, depth: usize) -> String {
        let ty = Type::Vector(v);
        let name = VECTORS[v].name;
        let lanes = VECTORS[v].lanes;
        let floating = matches!(VECTORS[v].element, Type::Float | Type::Double);
        match self.draw.below(8) {
            0..3 => {
                let operators: &[&str] = if floating {
                    &["+", "-", "*"]
                } else {
                    &["+", "-", "*", "&", "|", "^"]
                };
                let operator = self.draw.pick(operators);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("({a} {operator} {b})")
            }
            3 => {
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                let indices: Vec<String> = (0..lanes)
                    .map(|_| self.draw.below(2 * lanes).to_string())
                    .collect();
                format!("__builtin_shufflevector({a}, {b}, {})", indices.join(", "))
            }
            4 if !floating => {
                let operator = self.draw.pick(&["<", ">", "==", "!="]);
                let [a, b] = [0, 1].map(|_| self.expression(ty, depth));
                format!("(({name})({a} {operator} {b}))")
            }
            5 if !floating => {
                let count = self.draw.between(1, 7);
                format!("({} >> {count})", self.expression(ty, depth))
            }
            _ => {
                let values: Vec<String> = (0..lanes.min(4))
                    .map(|_| self.expression(VECTORS[v].element, depth.min(1)))
                    .collect();
                let all: Vec<&str> = (0..lanes).map(|k| &*values[k % values.len()]).collect();
                format!("({name}){{{}}}", all.join(", "))
            }
        }
    }

    fn structure(&mut self, s: usize, depth: usize) -> String {
        let ty = Type::Struct(s);
        if depth > 0
            && self.draw.chance(30)
            && let Some(place) = self.place(ty, Access::Read)
        {
            return place;
        }
        let one = self.types.structs[s].clone();
        let members = if one.is_union { 1 } else { one.members.len() };
        let mut values = Vec::new();
        for member in &one.members[..members] {
            let value = |g: &mut Self| match member.ty {
                // What a structure points to has to outlive it wherever it goes.
                Type::Pointer(p) => g.static_pointer(p),
                ty if depth == 0 => g.constant(ty),
                ty => g.expression(ty, depth.min(2) - 1),
            };
            match member.count {
                Some(count) => {
                    let elements: Vec<String> = (0..count).map(|_| value(self)).collect();
                    values.push(format!("{{{}}}", elements.join(", ")));
                }
                None => values.push(value(self)),
            }
        }
        format!("({}){{{}}}", one.name, values.join(", "))
    }

    /// A pointer to something that was declared before the first `end` places of the function, or to something global.
    pub fn pointer(&mut self, p: usize, end: usize) -> String {
        if self.draw.chance(40)
            && let Some(place) = self.place_below(Type::Pointer(p), Access::Read, end)
        {
            return place;
        }
        let target = self.place_below(self.types.pointees[p], Access::Address, end);
        match target {
            Some(place) => format!("&{place}"),
            None => self.static_pointer(p),
        }
    }

    /// A pointer to something that lives as long as the program.
    pub fn static_pointer(&mut self, p: usize) -> String {
        let kind = self.draw.pick(&["global", "local"]);
        format!("&{kind}{p}")
    }

    /// A call of a generated function that returns a type, directly or through a pointer.
    pub fn call(&mut self, ty: Type, depth: usize) -> Option<String> {
        let fits = |f: &usize| {
            let family = &self.families[*f];
            family.returns == Some(ty) && (self.may_migrate || !family.migrates)
        };
        let fitting: Vec<usize> = (0..self.families.len()).filter(fits).collect();
        if fitting.is_empty() {
            return None;
        }
        let family = self.draw.pick(&fitting);
        Some(self.call_of(family, depth))
    }

    /// A call of a function of a family.
    pub fn call_of(&mut self, family: usize, depth: usize) -> String {
        let parameters = self.families[family].parameters.clone();
        let depth = depth.min(2);
        let arguments: Vec<String> = parameters
            .into_iter()
            .map(|ty| self.expression(ty, depth))
            .collect();
        let members = self.families[family].members;
        let callee = if self.draw.chance(35) {
            let mask = self.families[family].table_length() - 1;
            format!("table{family}[{} & {mask}]", self.leaf(U32))
        } else {
            format!("f{family}_{}", self.draw.below(members))
        };
        format!("{callee}({})", arguments.join(", "))
    }
}
