//! The functions of a program, in families of one signature, so that each can be called directly and through a table of pointers; and the
//! function that runs the program.

use super::Generator;
use super::scope::{Access, Variable};
use super::types::{Type, U32};

/// Functions with one signature.
#[derive(Clone, Debug)]
pub struct Family {
    /// What they return.
    pub returns: Option<Type>,
    /// What they take.
    pub parameters: Vec<Type>,
    /// How many there are.
    pub members: usize,
    /// Whether they may hop, or call what hops.
    pub migrates: bool,
}

impl Family {
    /// Length of their table, a power of two.
    pub fn table_length(&self) -> usize {
        if self.members > 2 { 4 } else { 2 }
    }
}

impl Generator {
    /// Draws the signatures.
    pub fn draw_families(&mut self) {
        for number in 0..self.draw.between(4, 7) {
            let most = if self.draw.chance(20) { 14 } else { 5 };
            let parameters = (0..self.draw.between(0, most))
                .map(|_| self.types.any(&mut self.draw))
                .collect();
            let returns = self.draw.chance(85).then(|| self.types.any(&mut self.draw));
            let returns = match number {
                0 => Some(U32),
                _ => returns,
            };
            self.families.push(Family {
                returns,
                parameters,
                members: self.draw.between(1, 3),
                migrates: number < 2 || self.draw.chance(75),
            });
        }
    }

    fn signature(&self, family: usize, name: &str, named: bool) -> String {
        let Family {
            returns,
            parameters,
            ..
        } = &self.families[family];
        let returns = returns.map_or("void".to_owned(), |ty| self.types.name(ty));
        let parameters: Vec<String> = (0..)
            .zip(parameters)
            .map(|(n, ty)| {
                let name = if named {
                    format!(" p{n}")
                } else {
                    String::new()
                };
                format!("{}{name}", self.types.name(*ty))
            })
            .collect();
        let parameters = if parameters.is_empty() {
            "void".to_owned()
        } else {
            parameters.join(", ")
        };
        format!("static {returns} {name}({parameters})")
    }

    /// Declares all functions, and the tables of pointers to them.
    pub fn declare_families(&mut self) {
        for family in 0..self.families.len() {
            let members = self.families[family].members;
            for member in 0..members {
                let name = format!("f{family}_{member}");
                let inline = self
                    .draw
                    .weighted(&[(50, "__attribute__((noinline)) "), (50, "")]);
                let signature = self.signature(family, &name, false);
                self.text.line(format!("{inline}{signature};"));
            }
            let length = self.families[family].table_length();
            let constant = self.draw.pick(&["const ", ""]);
            let table = format!("(*{constant}table{family}[{length}])");
            let entries: Vec<String> = (0..length)
                .map(|k| format!("f{family}_{}", k % members))
                .collect();
            let signature = self.signature(family, &table, false);
            self.text
                .line(format!("{signature} = {{{}}};", entries.join(", ")));
        }
    }

    /// Defines the functions of a family.
    pub fn define_family(&mut self, family: usize) {
        for member in 0..self.families[family].members {
            let signature = self.signature(family, &format!("f{family}_{member}"), true);
            self.text.line("");
            self.text.open(format!("{signature} {{"));
            let Family {
                returns,
                parameters,
                migrates,
                ..
            } = self.families[family].clone();
            self.enter_function(returns, migrates);
            let early = self.early_return();
            self.text.line(format!("if (fuel <= 0) {early}"));
            self.text.line("fuel--;");
            for (n, ty) in parameters.into_iter().enumerate() {
                self.know_pointer(&format!("p{n}"), ty);
                self.know(&Variable {
                    name: &format!("p{n}"),
                    ty,
                    count: None,
                    access: Access::Address,
                });
            }
            self.budget = self.draw.between(4, 22);
            self.statements(3);
            if let Some(ty) = returns {
                let value = self.returned(ty, 3);
                self.text.line(format!("return {value};"));
            }
            self.leave_function();
            self.text.shut("}");
        }
    }

    /// Starts a function.
    pub fn enter_function(&mut self, returns: Option<Type>, migrates: bool) {
        self.scope.clear();
        self.pointers.clear();
        self.index = None;
        self.loops = 0;
        self.returns = returns;
        self.may_migrate = migrates;
    }

    /// Ends a function.
    pub fn leave_function(&mut self) {
        self.scope.clear();
        self.pointers.clear();
    }

    /// Remembers a variable that is a pointer.
    pub fn know_pointer(&mut self, name: &str, ty: Type) {
        if let Type::Pointer(p) = ty {
            self.pointers.push((name.to_owned(), p, self.scope.len()));
        }
    }

    /// A statement that returns a constant.
    pub fn early_return(&mut self) -> String {
        match self.returns {
            Some(ty) => format!("return {};", self.constant(ty)),
            None => "return;".into(),
        }
    }

    /// A value to return: nothing that points into the function's frame.
    pub fn returned(&mut self, ty: Type, depth: usize) -> String {
        match ty {
            Type::Pointer(p) => self.static_pointer(p),
            _ => self.expression(ty, depth),
        }
    }

    /// Defines the function that runs the program.
    pub fn define_entry(&mut self, seed: u64, showpieces: &[String]) {
        self.text.line("");
        self.text.open(format!("void fuzz_{seed}(void) {{"));
        self.enter_function(None, true);
        for p in 0..self.types.pointees.len() {
            for kind in ["global", "local"] {
                let value = self.constant(self.types.pointees[p]);
                self.text.line(format!("{kind}{p} = {value};"));
            }
        }
        for family in 0..self.families.len() {
            self.text.line("fuel = 60;");
            let call = self.call_of(family, 2);
            match self.families[family].returns {
                Some(ty) => {
                    let name = self.fresh("r");
                    let c = self.types.name(ty);
                    self.text.line(format!("{c} {name} = {call};"));
                    self.mix(&name, ty);
                    let access = Access::Address;
                    let variable = Variable {
                        name: &name,
                        ty,
                        count: None,
                        access,
                    };
                    self.know(&variable);
                }
                None => self.text.line(format!("{call};")),
            }
            self.text.line(format!("check(\"f{family}\");"));
        }
        for showpiece in showpieces {
            self.text.line("fuel = 40;");
            self.text.line(format!("{showpiece}();"));
            self.text.line(format!("check(\"{showpiece}\");"));
        }
        for p in 0..self.types.pointees.len() {
            let ty = self.types.pointees[p];
            for kind in ["global", "local"] {
                self.mix(&format!("{kind}{p}"), ty);
            }
        }
        self.text.line("check(\"globals\");");
        self.leave_function();
        self.text.shut("}");
    }
}
