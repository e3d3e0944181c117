//! Makes a C program from a seed: types, variables, families of functions that call each other, and showpieces for what those do not reach.
//!
//! A program is correct by construction, see `c/fuzz.h`: every variable is initialised, every index is masked, every divisor is not 0, every
//! loop has a bound, and a function returns at once when the fuel for calls is used up. Pointers point to what was declared before them
//! in the same block or around it, so that it is still there. What a program prints depends on its seed alone.

mod draw;
mod expressions;
mod functions;
mod scope;
mod showpieces;
mod statements;
mod text;
mod types;

use draw::Draw;
use functions::Family;
use scope::{Access, Place, Variable};
use text::Text;
use types::{Type, Types};

/// A generated program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it was made from.
    pub seed: u64,
    /// Its C file, which defines `void fuzz_SEED(void)`.
    pub text: String,
    /// The optimisation level to compile it with.
    pub level: &'static str,
}

/// Optimisation levels with their weights.
const LEVELS: [(usize, &str); 5] = [
    (15, "-O0"),
    (20, "-O1"),
    (35, "-O2"),
    (15, "-O3"),
    (15, "-Os"),
];

/// The program of a seed.
pub fn program(seed: u64) -> Source {
    let mut draw = Draw::new(seed);
    let level = draw.weighted(&LEVELS);
    let types = Types::draw(&mut draw);
    let mut generator = Generator {
        draw,
        types,
        families: Vec::new(),
        globals: Vec::new(),
        scope: Vec::new(),
        text: Text::default(),
        names: 0,
        index: None,
        may_migrate: true,
        returns: None,
        pointers: Vec::new(),
        budget: 0,
        loops: 0,
    };
    generator.program(seed);
    Source {
        seed,
        text: generator.text.finish(),
        level,
    }
}

/// What is known while a program is written.
struct Generator {
    draw: Draw,
    types: Types,
    families: Vec<Family>,
    /// Places that every function sees.
    globals: Vec<Place>,
    /// Places that the function sees at this point, in the order of their declarations.
    scope: Vec<Place>,
    text: Text,
    /// How many names have been made up.
    names: usize,
    /// The index of the innermost loop.
    index: Option<String>,
    /// Whether the function may hop or call what hops.
    may_migrate: bool,
    /// What the function returns.
    returns: Option<Type>,
    /// Pointer variables of the function: name, pointee, and how much was known when they were declared.
    pointers: Vec<(String, usize, usize)>,
    /// How many statements the function may still have.
    budget: usize,
    /// How many loops are around this point.
    loops: usize,
}

impl Generator {
    fn program(&mut self, seed: u64) {
        self.text.line(format!("/* Program {seed}. */"));
        self.text.line("#include \"fuzz.h\"");
        let types = self.types.clone();
        types.declare(&mut self.text);
        self.declare_globals();
        self.draw_families();
        self.declare_families();
        for family in 0..self.families.len() {
            self.define_family(family);
        }
        let showpieces = self.define_showpieces();
        self.define_entry(seed, &showpieces);
    }

    /// One variable and one thread-local variable of each type that is pointed to, and a few others.
    fn declare_globals(&mut self) {
        for p in 0..self.types.pointees.len() {
            let ty = self.types.pointees[p];
            for (kind, storage) in [("global", ""), ("local", "_Thread_local ")] {
                self.declare_global(&format!("{kind}{p}"), storage, ty, None, Access::Address);
            }
        }
        for n in 0..self.draw.between(1, 4) {
            let ty = self.types.scalar(&mut self.draw);
            let count = self.draw.pick(&[None, Some(4), Some(16)]);
            let storage = self.draw.pick(&["", "_Thread_local "]);
            self.declare_global(&format!("array{n}"), storage, ty, count, Access::Address);
        }
        for n in 0..2 {
            let ty = self.draw.pick(&types::INTEGERS);
            let name = format!("restless{n}");
            self.declare_global(&name, "volatile ", ty, None, Access::Write);
        }
    }

    fn declare_global(
        &mut self,
        name: &str,
        storage: &str,
        ty: Type,
        count: Option<usize>,
        access: Access,
    ) {
        let length = count.map(|n| format!("[{n}]")).unwrap_or_default();
        let c = self.types.name(ty);
        self.text
            .line(format!("static {storage}{c} {name}{length};"));
        let variable = Variable {
            name,
            ty,
            count,
            access,
        };
        self.globals.extend(scope::places(&self.types, &variable));
    }

    /// A name that has not been used.
    fn fresh(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }
}
