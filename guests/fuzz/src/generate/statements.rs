//! Statements: declarations, assignments, and control flow of every shape.

use super::Generator;
use super::scope::{Access, Variable};
use super::types::{INTEGERS, Type, U32, U64, VECTORS};

impl Generator {
    /// A block's worth of statements, in which blocks nest at most `depth` deep. What they declare is forgotten afterwards.
    pub fn statements(&mut self, depth: usize) {
        let known = self.scope.len();
        let pointers = self.pointers.len();
        let most = if depth >= 3 { 22 } else { 5 };
        for _ in 0..self.draw.between(1, most) {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            self.statement(depth);
        }
        if depth < 3 {
            self.scope.truncate(known);
            self.pointers.truncate(pointers);
        }
    }

    fn statement(&mut self, depth: usize) {
        let nested = if depth > 0 { 1 } else { 0 };
        let kind = self.draw.weighted(&[
            (24, 0),
            (6, 1),
            (14, 2),
            (8, 3),
            (if self.may_migrate { 10 } else { 0 }, 4),
            (4, 5),
            (7, 6),
            (4, 7),
            (3, 8),
            (3, 9),
            (2, 10),
            (2, 11),
            (2, 12),
            (nested * 9, 13),
            (nested * 9, 14),
            (nested * 4, 15),
            (nested * 4, 16),
            (nested * 5, 17),
            (nested * 3, 18),
            (nested * 3, 19),
            (nested * 4, 20),
            (if self.loops > 0 { 4 } else { 0 }, 21),
            (1, 22),
        ]);
        match kind {
            0 => self.declare_variable(),
            1 => self.declare_array(),
            2 => self.assign(),
            3 => self.change_in_place(),
            4 => self.text.line("point();"),
            5 => self.mix_something(),
            6 => self.call_statement(),
            7 => self.repoint(),
            8 => self.copy_bytes(),
            9 => self.allocate_on_heap(),
            10 => self.print_something(),
            11 => self.static_local(),
            12 => self.leave_early(),
            13 => self.branch(depth),
            14 => self.counted_loop(depth),
            15 => self.while_loop(depth),
            16 => self.do_loop(depth),
            17 => self.switch(depth),
            18 => self.goto_forward(depth),
            19 => self.goto_loop(depth),
            20 => self.array_of_run_time_size(depth),
            21 => {
                let condition = self.condition(2);
                let jump = self.draw.pick(&["break", "continue"]);
                self.text.line(format!("if ({condition}) {jump};"));
            }
            _ => self.hide_from_optimiser(),
        }
    }

    fn declare(&mut self, name: &str, ty: Type, value: &str, qualifier: &str) {
        let c = self.types.name(ty);
        self.text.line(format!("{qualifier}{c} {name} = {value};"));
        let access = if qualifier.is_empty() {
            Access::Address
        } else {
            Access::Write
        };
        self.know_pointer(name, ty);
        self.know(&Variable {
            name,
            ty,
            count: None,
            access,
        });
    }

    fn declare_variable(&mut self) {
        let ty = self.types.any(&mut self.draw);
        let name = self.fresh("v");
        let value = self.expression(ty, 3);
        let plain = matches!(ty, Type::Int { .. } | Type::Double);
        let qualifier = if plain && self.draw.chance(7) {
            "volatile "
        } else {
            ""
        };
        self.declare(&name, ty, &value, qualifier);
    }

    fn declare_array(&mut self) {
        let ty = self.types.any(&mut self.draw);
        if matches!(ty, Type::Pointer(_)) {
            return;
        }
        let name = self.fresh("a");
        let count = self.draw.pick(&[2, 4, 8]);
        let c = self.types.name(ty);
        let align = self.draw.weighted(&[(85, ""), (15, "_Alignas(64) ")]);
        self.text.line(format!("{align}{c} {name}[{count}];"));
        let i = self.fresh("k");
        self.text
            .open(format!("for (int {i} = 0; {i} < {count}; {i}++) {{"));
        let value = self.expression(ty, 2);
        self.text.line(format!("{name}[{i}] = {value};"));
        self.text.shut("}");
        self.know(&Variable {
            name: &name,
            ty,
            count: Some(count),
            access: Access::Address,
        });
    }

    /// A value that may be stored to a place.
    fn stored(&mut self, ty: Type, depth: usize) -> String {
        let value = match ty {
            Type::Pointer(p) => self.static_pointer(p),
            _ => self.expression(ty, depth),
        };
        match ty {
            Type::Float => format!("boundedf({value})"),
            Type::Double => format!("bounded({value})"),
            Type::Complex => format!("cbounded({value})"),
            _ => value,
        }
    }

    fn assign(&mut self) {
        let ty = self.types.any(&mut self.draw);
        if let Some(place) = self.place(ty, Access::Write) {
            let value = self.stored(ty, 3);
            self.text.line(format!("{place} = {value};"));
        }
    }

    fn change_in_place(&mut self) {
        let ty = self.draw.pick(&[
            Type::Int {
                bits: 8,
                signed: false,
            },
            Type::Int {
                bits: 16,
                signed: false,
            },
            U32,
            U64,
            U32,
            U64,
            Type::Vector(0),
            Type::Vector(1),
        ]);
        let Some(place) = self.place(ty, Access::Write) else {
            return;
        };
        let value = self.expression(ty, 2);
        let operator = self.draw.pick(&["+", "-", "*", "^", "|", "&"]);
        // The product of two 16-bit integers does not fit into the int that they become.
        let line = match ty {
            Type::Int { bits: 32 | 64, .. } if self.draw.chance(30) => format!("{place}++;"),
            _ if operator == "*" => format!("{place} += {value};"),
            _ => format!("{place} {operator}= {value};"),
        };
        self.text.line(line);
    }

    fn mix_something(&mut self) {
        let ty = self.types.any(&mut self.draw);
        if let Some(place) = self.place(ty, Access::Read) {
            self.mix(&place, ty);
        }
    }

    /// Adds all of a place to the sum.
    pub fn mix(&mut self, place: &str, ty: Type) {
        match ty {
            Type::Int { .. } | Type::Bool => self.text.line(format!("mix((u64){place});")),
            Type::Wide { .. } => self.text.line(format!(
                "mix((u64){place}); mix((u64)((u128){place} >> 64));"
            )),
            Type::Float | Type::Double => self.text.line(format!("mix_double({place});")),
            Type::Complex => self.text.line(format!(
                "mix_double(__real__ {place}); mix_double(__imag__ {place});"
            )),
            Type::Vector(v) => {
                let vector = &VECTORS[v];
                for lane in 0..vector.lanes {
                    self.mix(&format!("{place}[{lane}]"), vector.element);
                }
            }
            Type::Struct(s) => {
                let one = self.types.structs[s].clone();
                let members = if one.is_union { 1 } else { one.members.len() };
                for member in &one.members[..members] {
                    for k in 0..member.count.unwrap_or(1) {
                        let index = member.count.map(|_| format!("[{k}]")).unwrap_or_default();
                        self.mix(&format!("{place}.{}{index}", member.name), member.ty);
                    }
                }
            }
            Type::Pointer(p) => match self.types.pointees[p] {
                // May point to what it is in, and so on.
                Type::Struct(_) => self.text.line(format!("mix({place} != 0);")),
                pointee => self.mix(&format!("(*{place})"), pointee),
            },
        }
    }

    fn call_statement(&mut self) {
        let fitting: Vec<usize> = (0..self.families.len())
            .filter(|f| self.may_migrate || !self.families[*f].migrates)
            .collect();
        if !fitting.is_empty() {
            let family = self.draw.pick(&fitting);
            let call = self.call_of(family, 2);
            self.text.line(format!("(void){call};"));
        }
    }

    fn repoint(&mut self) {
        if self.pointers.is_empty() {
            return;
        }
        let which = self.draw.below(self.pointers.len());
        let (name, p, end) = self.pointers[which].clone();
        let value = self.pointer(p, end);
        self.text.line(format!("{name} = {value};"));
    }

    fn copy_bytes(&mut self) {
        let ty = Type::Struct(self.draw.below(self.types.structs.len()));
        let places = [0, 1].map(|_| self.place(ty, Access::Address));
        if let [Some(to), Some(from)] = places {
            self.text
                .line(format!("memmove(&{to}, &{from}, sizeof {to});"));
        }
    }

    fn allocate_on_heap(&mut self) {
        let p = self.draw.below(self.types.pointees.len());
        let ty = self.types.pointees[p];
        let c = self.types.name(ty);
        let name = self.fresh("h");
        // aligned_alloc, because structures may want more than malloc gives.
        self.text.line(format!(
            "{c} *{name} = aligned_alloc(64, (sizeof *{name} + 63) / 64 * 64);"
        ));
        let value = self.stored(ty, 2);
        self.text.line(format!("*{name} = {value};"));
        let access = Access::Address;
        self.know(&Variable {
            name: &format!("(*{name})"),
            ty,
            count: None,
            access,
        });
    }

    fn print_something(&mut self) {
        let [a, b] = [0, 1].map(|_| self.draw.pick(&INTEGERS));
        let [a, b] = [a, b].map(|ty| self.expression(ty, 2));
        let d = self.expression(Type::Double, 2);
        let format = self.draw.pick(&[
            "%lld %llx %.6f",
            "[%6lld] <%-8llx> %e",
            "%+lld %#llo %.17g",
            "%020lld %llu %g",
        ]);
        self.text.line(format!(
            "if (may_print()) printf(\"{format}\\n\", (long long){a}, (unsigned long long){b}, bounded({d}));"
        ));
    }

    fn static_local(&mut self) {
        let ty = self
            .draw
            .pick(&[INTEGERS[0], INTEGERS[4], U32, U64, Type::Double]);
        let name = self.fresh("s");
        let value = self.constant(ty);
        self.declare(&name, ty, &value, "static ");
    }

    fn leave_early(&mut self) {
        let condition = self.condition(3);
        let leave = match self.returns {
            Some(ty) => format!("return {};", self.returned(ty, 1)),
            None => "return;".into(),
        };
        self.text.line(format!("if ({condition}) {leave}"));
    }

    fn branch(&mut self, depth: usize) {
        let condition = self.condition(3);
        self.text.open(format!("if ({condition}) {{"));
        self.statements(depth - 1);
        if self.draw.chance(50) {
            self.text.turn("} else {");
            self.statements(depth - 1);
        }
        self.text.shut("}");
    }

    fn body(&mut self, depth: usize, index: Option<String>) {
        let outer = std::mem::replace(&mut self.index, index);
        let known = self.scope.len();
        if let Some(index) = self.index.clone() {
            self.know(&Variable {
                name: &index,
                ty: INTEGERS[4],
                count: None,
                access: Access::Read,
            });
        }
        self.loops += 1;
        self.statements(depth - 1);
        self.loops -= 1;
        self.scope.truncate(known);
        self.index = outer;
    }

    fn counted_loop(&mut self, depth: usize) {
        let i = self.fresh("k");
        let bound = match self.draw.chance(50) {
            true => self.draw.between(1, 6).to_string(),
            false => format!("(i32)({} & 7)", self.leaf(U32)),
        };
        let line = match self.draw.chance(75) {
            true => format!("for (i32 {i} = 0; {i} < {bound}; {i}++) {{"),
            false => format!("for (i32 {i} = {bound}; {i} > 0; {i}--) {{"),
        };
        self.text.open(line);
        self.body(depth, Some(i));
        self.text.shut("}");
    }

    fn while_loop(&mut self, depth: usize) {
        let n = self.fresh("n");
        let most = self.draw.between(2, 6);
        let condition = self.condition(2);
        self.text.line(format!("i32 {n} = 0;"));
        self.text
            .open(format!("while ({n}++ < {most} && {condition}) {{"));
        self.body(depth, Some(n));
        self.text.shut("}");
    }

    fn do_loop(&mut self, depth: usize) {
        let n = self.fresh("n");
        let most = self.draw.between(1, 5);
        self.text.line(format!("i32 {n} = 0;"));
        self.text.open("do {");
        self.body(depth, Some(n.clone()));
        let condition = self.condition(2);
        self.text
            .shut(format!("}} while (++{n} < {most} && {condition});"));
    }

    fn switch(&mut self, depth: usize) {
        let dense = self.draw.chance(60);
        let cases = self.draw.between(2, 9);
        let value = self.expression(U32, 2);
        self.text
            .open(format!("switch ({value} % {}) {{", cases + 2));
        for case in 0..cases {
            let label = if dense { case } else { case * case };
            self.text.line(format!("case {label}:"));
            self.text.open("{");
            self.statements((depth - 1).min(1));
            self.text.shut("}");
            if self.draw.chance(75) {
                self.text.line("break;");
            }
        }
        self.text.line("default:");
        self.assign();
        self.text.line(";");
        self.text.shut("}");
    }

    fn goto_forward(&mut self, depth: usize) {
        let label = self.fresh("over");
        let condition = self.condition(2);
        self.text.line(format!("if ({condition}) goto {label};"));
        self.text.open("{");
        self.statements(depth - 1);
        self.text.shut("}");
        self.text.line(format!("{label}:;"));
    }

    /// A loop that is entered in its middle.
    fn goto_loop(&mut self, depth: usize) {
        let [top, middle] = ["top", "middle"].map(|l| self.fresh(l));
        let n = self.fresh("n");
        let loops = std::mem::take(&mut self.loops);
        self.text.line(format!("i32 {n} = 0;"));
        let condition = self.condition(2);
        self.text.line(format!("if ({condition}) goto {middle};"));
        for label in [top.clone(), middle] {
            self.text.line(format!("{label}:;"));
            self.text.open("{");
            self.statements(depth - 1);
            self.text.shut("}");
        }
        let condition = self.condition(2);
        let most = self.draw.between(1, 4);
        self.text
            .line(format!("if (++{n} <= {most} && {condition}) goto {top};"));
        self.loops = loops;
    }

    /// A block with a variable-length array, or memory of alloca.
    fn array_of_run_time_size(&mut self, depth: usize) {
        let ty = self.types.scalar(&mut self.draw);
        let c = self.types.name(ty);
        let name = self.fresh("a");
        let length = format!("{} % 13 + 8", self.expression(U32, 1));
        let i = self.fresh("k");
        self.text.open("{");
        let n = self.fresh("n");
        self.text.line(format!("u32 {n} = {length};"));
        if self.draw.chance(70) {
            self.text.line(format!("{c} {name}[{n}];"));
        } else {
            // The type may want 32 bytes.
            self.text.line(format!(
                "{c} *{name} = __builtin_alloca_with_align({n} * sizeof *{name}, 256);"
            ));
        }
        let value = self.expression(ty, 1);
        self.text.line(format!(
            "for (u32 {i} = 0; {i} < {n}; {i}++) {name}[{i}] = {value};"
        ));
        let known = self.scope.len();
        let variable = Variable {
            name: &name,
            ty,
            count: Some(8),
            access: Access::Address,
        };
        self.know(&variable);
        // Nothing may jump into the scope of such an array.
        self.statements(depth - 1);
        self.scope.truncate(known);
        self.mix(&format!("{name}[{n} - 1]"), ty);
        self.text.shut("}");
    }

    /// Makes the optimiser forget what it knows of a variable.
    fn hide_from_optimiser(&mut self) {
        let ty = self.draw.pick(&INTEGERS);
        if let Some(place) = self.place(ty, Access::Address) {
            self.text.line(format!("__asm__(\"\" : \"+r\"({place}));"));
        }
    }
}
