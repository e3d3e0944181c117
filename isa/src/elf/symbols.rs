//! The symbol table: by name, by address, and "function+offset" for reports.
//!
//! Kept are defined symbols with a name; left out are section and file symbols and aarch64's mapping symbols ($x, $d).

use std::collections::BTreeMap;
use std::fmt;

use object::LittleEndian;
use object::elf::{
    FileHeader64, STB_GLOBAL, STB_WEAK, STT_COMMON, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE,
    STT_OBJECT, STT_TLS, Sym64,
};
use object::read::elf::{Sym as _, SymbolTable};

use super::ElfError;
use crate::VirtAddr;

/// Most symbols of a file that is accepted.
const MAX_SYMBOLS: u64 = 4 << 20;

/// Longest symbol name that is kept, in bytes; longer ones are cut.
const MAX_NAME: usize = 4096;

/// Most bytes of names of a file that is accepted.
const MAX_NAMES: u64 = 256 << 20;

/// How many symbols before an address are looked at for the one that covers it.
const NESTING: usize = 64;

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolKind {
    /// Not said: labels of assembly, symbols of the linker.
    Label,
    /// Thread-local data; the address is an offset into the TLS segment.
    Tls,
    /// Data.
    Object,
    /// Code.
    Function,
}

/// How far a symbol is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Only in the file it was compiled from.
    Local,
    /// Everywhere, unless there is a global one.
    Weak,
    /// Everywhere.
    Global,
}

/// A symbol with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Its address, or offset for [`SymbolKind::Tls`].
    pub address: VirtAddr,
    /// Its size in bytes; 0 when not said.
    pub size: u64,
    /// What it names.
    pub kind: SymbolKind,
    /// How far it is seen.
    pub binding: Binding,
}

impl Symbol {
    fn covers(&self, address: VirtAddr) -> bool {
        self.address <= address && address.0 - self.address.0 < self.size
    }
}

/// A place in code or data: a symbol and the distance from it in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// The symbol.
    pub symbol: &'a Symbol,
    /// Bytes from its start.
    pub offset: u64,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            0 => f.write_str(&self.symbol.name),
            offset => write!(f, "{}+{offset:#x}", self.symbol.name),
        }
    }
}

/// All symbols of a file.
#[derive(Debug, Default)]
pub struct Symbols {
    /// By ascending address; of several at one address, the most telling comes last.
    by_address: Vec<Symbol>,
    /// The same for thread-local ones, which have addresses of their own.
    tls: Vec<Symbol>,
    by_name: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Memory(usize),
    Tls(usize),
}

impl Symbols {
    /// All of them: those in memory by address, then the thread-local ones by offset.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.by_address.iter().chain(&self.tls)
    }

    /// Whether there are none, as in a stripped file.
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty() && self.tls.is_empty()
    }

    /// The symbol of a name; a global one before a weak one before a local one.
    pub fn by_name(&self, name: &str) -> Option<&Symbol> {
        match *self.by_name.get(name)? {
            Entry::Memory(index) => self.by_address.get(index),
            Entry::Tls(index) => self.tls.get(index),
        }
    }

    /// What an address is in: a symbol whose size covers it, otherwise the nearest sizeless one below it.
    pub fn locate(&self, address: VirtAddr) -> Option<Location<'_>> {
        let below = self
            .by_address
            .partition_point(|symbol| symbol.address <= address);
        let nearest = self.by_address[..below].iter().rev().take(NESTING);
        let covering = nearest.clone().find(|symbol| symbol.covers(address));
        let symbol = match covering {
            Some(symbol) => symbol,
            // A sized symbol in between ends before the address: what follows it belongs to nobody.
            None => nearest.take(1).find(|symbol| symbol.size == 0)?,
        };
        Some(Location {
            symbol,
            offset: address.0 - symbol.address.0,
        })
    }

    fn new(mut all: Vec<Symbol>) -> Symbols {
        all.sort_by(|a, b| {
            let rank = |symbol: &Symbol| (symbol.address, symbol.kind, symbol.binding);
            rank(a).cmp(&rank(b)).then_with(|| b.name.cmp(&a.name))
        });
        let (tls, by_address): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|symbol| symbol.kind == SymbolKind::Tls);
        let mut symbols = Symbols {
            by_address,
            tls,
            by_name: BTreeMap::new(),
        };
        let memory = symbols
            .by_address
            .iter()
            .enumerate()
            .map(|(index, symbol)| (Entry::Memory(index), symbol));
        let tls = symbols
            .tls
            .iter()
            .enumerate()
            .map(|(index, symbol)| (Entry::Tls(index), symbol));
        let mut bindings: BTreeMap<&str, (Binding, Entry)> = BTreeMap::new();
        for (entry, symbol) in memory.chain(tls) {
            let known = bindings
                .entry(&symbol.name)
                .or_insert((symbol.binding, entry));
            if symbol.binding > known.0 {
                *known = (symbol.binding, entry);
            }
        }
        symbols.by_name = bindings
            .into_iter()
            .map(|(name, (_, entry))| (name.to_owned(), entry))
            .collect();
        symbols
    }
}

/// Reads a symbol table.
pub(super) fn read(
    table: &SymbolTable<'_, FileHeader64<LittleEndian>>,
) -> Result<Symbols, ElfError> {
    let count = table.len() as u64;
    if count > MAX_SYMBOLS {
        return Err(ElfError::TooMany {
            what: "symbols",
            count,
            limit: MAX_SYMBOLS,
        });
    }
    let mut all = Vec::new();
    let mut name_bytes = 0;
    for symbol in table.iter().skip(1) {
        let Some(kind) = kind(symbol) else { continue };
        let name = symbol.name(LittleEndian, table.strings());
        let name = name.map_err(|error| ElfError::Damaged {
            what: "the symbol table",
            reason: error.to_string(),
        })?;
        if name.is_empty() || name.starts_with(b"$") {
            continue;
        }
        let name = &name[..name.len().min(MAX_NAME)];
        name_bytes += name.len() as u64;
        if name_bytes > MAX_NAMES {
            return Err(ElfError::TooMany {
                what: "bytes of symbol names",
                count: name_bytes,
                limit: MAX_NAMES,
            });
        }
        all.push(Symbol {
            name: String::from_utf8_lossy(name).into_owned(),
            address: VirtAddr(symbol.st_value(LittleEndian)),
            size: symbol.st_size(LittleEndian),
            kind,
            binding: match symbol.st_bind() {
                STB_GLOBAL => Binding::Global,
                STB_WEAK => Binding::Weak,
                _ => Binding::Local,
            },
        });
    }
    Ok(Symbols::new(all))
}

/// What a symbol names; `None` for those that are not kept.
fn kind(symbol: &Sym64<LittleEndian>) -> Option<SymbolKind> {
    if symbol.is_undefined(LittleEndian) {
        return None;
    }
    match symbol.st_type() {
        STT_FUNC | STT_GNU_IFUNC => Some(SymbolKind::Function),
        STT_OBJECT | STT_COMMON => Some(SymbolKind::Object),
        STT_TLS => Some(SymbolKind::Tls),
        STT_NOTYPE => Some(SymbolKind::Label),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str, address: u64, size: u64, kind: SymbolKind, binding: Binding) -> Symbol {
        Symbol {
            name: name.to_owned(),
            address: VirtAddr(address),
            size,
            kind,
            binding,
        }
    }

    fn sample() -> Symbols {
        use Binding::{Global, Local, Weak};
        use SymbolKind::{Function, Label, Object, Tls};
        Symbols::new(vec![
            symbol("main", 0x1000, 0x100, Function, Global),
            symbol("loop", 0x1010, 0, Label, Local),
            symbol("alias", 0x1000, 0x100, Function, Weak),
            symbol("stub", 0x1200, 0, Label, Local),
            symbol("next", 0x1280, 4, Function, Local),
            symbol("value", 0x2000, 8, Object, Global),
            symbol("value", 0x2100, 8, Object, Local),
            symbol("errno", 0x0, 4, Tls, Global),
            symbol("huge", 0x3000, u64::MAX, Object, Global),
        ])
    }

    #[test]
    fn locations() {
        // (address, description)
        let cases = [
            (0x0, None),
            (0xfff, None),
            (0x1000, Some("main")),
            (0x1014, Some("main+0x14")),
            (0x10ff, Some("main+0xff")),
            (0x1200, Some("stub")),
            (0x1208, Some("stub+0x8")),
            (0x1283, Some("next+0x3")),
            (0x1284, None),
            (0x2007, Some("value+0x7")),
            (u64::MAX, Some("huge+0xffffffffffffcfff")),
        ];
        let symbols = sample();
        for (address, description) in cases {
            let found = symbols
                .locate(VirtAddr(address))
                .map(|location| location.to_string());
            assert_eq!(found.as_deref(), description, "{address:#x}");
        }
    }

    #[test]
    fn names() {
        let symbols = sample();
        assert_eq!(
            symbols.by_name("value").map(|symbol| symbol.address),
            Some(VirtAddr(0x2000)),
            "global before local"
        );
        assert_eq!(
            symbols.by_name("errno").map(|symbol| symbol.kind),
            Some(SymbolKind::Tls)
        );
        assert_eq!(symbols.by_name("nosuch"), None);
        assert_eq!(symbols.iter().count(), 9);
    }
}
