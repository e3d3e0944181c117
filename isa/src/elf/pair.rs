//! Whether two binaries are one program: the same symbols at the same addresses on both ISAs.
//!
//! A migrating thread takes pointers to functions and data along, so each must mean the same thing on the other side. What only one ISA
//! has (helpers of the compiler's runtime, machine-dependent stubs) is local or carries [`ISA_PRIVATE_PREFIX`]. Not compared: contents
//! of data, sizes of functions, labels of assembly and of the linker.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Binding, ElfImage, Symbol, SymbolKind};
use crate::{Isa, VirtAddr};

/// How the names of global symbols begin that need not be the same on both ISAs.
pub const ISA_PRIVATE_PREFIX: &str = "__kettle_isa_";

/// Why two files are not one program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PairError {
    /// Both are for one ISA.
    #[error("both files are for {0}; a pair needs one for each instruction set")]
    SameIsa(Isa),
    /// A symbol is in one file only.
    #[error(
        "the {kind} '{name}' ({address}) is only in the {isa} file; both files must have the same global symbols"
    )]
    Missing {
        /// Its name.
        name: String,
        /// "function" or the like.
        kind: &'static str,
        /// Its address there.
        address: VirtAddr,
        /// Which file has it.
        isa: Isa,
    },
    /// A symbol is at two addresses.
    #[error(
        "the {kind} '{name}' is at {first} in the {first_isa} file but at {second} in the {second_isa} file; the files are not aligned"
    )]
    Address {
        /// Its name.
        name: String,
        /// "function" or the like.
        kind: &'static str,
        /// Address in the first file.
        first: VirtAddr,
        /// The first file's ISA.
        first_isa: Isa,
        /// Address in the second file.
        second: VirtAddr,
        /// The second file's ISA.
        second_isa: Isa,
    },
    /// A symbol is something else, or a variable has another size.
    #[error(
        "'{name}' ({address}) is a {first} in the {first_isa} file but a {second} in the {second_isa} file"
    )]
    Shape {
        /// Its name.
        name: String,
        /// Its address in both.
        address: VirtAddr,
        /// What it is in the first file.
        first: String,
        /// The first file's ISA.
        first_isa: Isa,
        /// What it is in the second file.
        second: String,
        /// The second file's ISA.
        second_isa: Isa,
    },
    /// The TLS templates differ in size or alignment.
    #[error(
        "thread-local storage differs: {first} in the {first_isa} file, {second} in the {second_isa} file"
    )]
    Tls {
        /// Size and alignment in the first file.
        first: String,
        /// The first file's ISA.
        first_isa: Isa,
        /// Size and alignment in the second file.
        second: String,
        /// The second file's ISA.
        second_isa: Isa,
    },
    /// At least one file has no symbols, so nothing can be said.
    #[error("the {0} file has no symbols, so its alignment cannot be checked; do not strip it")]
    Stripped(Isa),
}

/// Checks that two files are the two sides of one program; the error names the first symbol, by address, that differs.
pub fn check_pair(first: &ElfImage, second: &ElfImage) -> Result<(), PairError> {
    let (first_isa, second_isa) = (first.isa(), second.isa());
    if first_isa == second_isa {
        return Err(PairError::SameIsa(first_isa));
    }
    for image in [first, second] {
        if image.symbols().is_empty() {
            return Err(PairError::Stripped(image.isa()));
        }
    }
    let mut left = shared(second);
    let mut ours: Vec<&Symbol> = shared(first).into_values().collect();
    ours.sort_by_key(|symbol| (symbol.address, &symbol.name));
    for symbol in ours {
        let Some(other) = left.remove(symbol.name.as_str()) else {
            return Err(missing(symbol, first_isa));
        };
        if symbol.address != other.address {
            return Err(PairError::Address {
                name: symbol.name.clone(),
                kind: noun(symbol),
                first: symbol.address,
                first_isa,
                second: other.address,
                second_isa,
            });
        }
        let (first, second) = (shape(symbol), shape(other));
        if first != second {
            let (name, address) = (symbol.name.clone(), symbol.address);
            return Err(PairError::Shape {
                name,
                address,
                first,
                first_isa,
                second,
                second_isa,
            });
        }
    }
    if let Some(symbol) = left.into_values().min_by_key(|symbol| symbol.address) {
        return Err(missing(symbol, second_isa));
    }
    let (first, second) = (tls(first), tls(second));
    if first != second {
        return Err(PairError::Tls {
            first,
            first_isa,
            second,
            second_isa,
        });
    }
    Ok(())
}

/// What both files must have: global functions, variables and thread-local variables that are not marked as private to an ISA.
fn shared(image: &ElfImage) -> BTreeMap<&str, &Symbol> {
    let counts = |symbol: &&Symbol| {
        symbol.binding != Binding::Local
            && symbol.kind != SymbolKind::Label
            && !symbol.name.starts_with(ISA_PRIVATE_PREFIX)
    };
    image
        .symbols()
        .iter()
        .filter(counts)
        .map(|symbol| (symbol.name.as_str(), symbol))
        .collect()
}

fn missing(symbol: &Symbol, isa: Isa) -> PairError {
    PairError::Missing {
        name: symbol.name.clone(),
        kind: noun(symbol),
        address: symbol.address,
        isa,
    }
}

fn noun(symbol: &Symbol) -> &'static str {
    match symbol.kind {
        SymbolKind::Function => "function",
        SymbolKind::Object => "variable",
        SymbolKind::Tls => "thread-local variable",
        SymbolKind::Label => "label",
    }
}

/// The kind, and for variables the size: code may be longer on one side, data may not.
fn shape(symbol: &Symbol) -> String {
    match symbol.kind {
        SymbolKind::Function | SymbolKind::Label => noun(symbol).to_owned(),
        SymbolKind::Object | SymbolKind::Tls => {
            format!("{} of {} bytes", noun(symbol), symbol.size)
        }
    }
}

fn tls(image: &ElfImage) -> String {
    match image.tls() {
        Some(tls) => format!("{} bytes aligned to {}", tls.memory_size, tls.align),
        None => "none".to_owned(),
    }
}
