//! The variables of each frame of a call chain, by name, with type and value: for debuggers.
//!
//! Two sources say where a variable is. For functions that may migrate, the table of data frames ([`crate::dataframes`]): what such a function
//! still needs at a call is in its data frame, so for every frame but the innermost the answer is exact, complete and the same on both ISAs. For
//! the innermost frame there are also the locations of DWARF, in registers. Names and types are DWARF's in either case.
//!
//! Data frames lie one behind the other on the thread's data stack, the innermost at `__dsp`; a function that allocates dynamically finds its own
//! through `__dfp`. Where the innermost function stands before its frame is made, or behind its end, the line table tells (end of the prologue);
//! between the instruction that gives the frame back and the return, it does not, and the variables of that one step are not to be relied on.
//!
//! Left out: variables of functions that do not migrate in any but the innermost frame (those are in registers that are not followed), and
//! signal frames.

mod dwarf;
mod locations;
mod types;

use thiserror::Error;

use crate::callsites::{CallSites, CallSitesError};
use crate::dataframes::{At, DataFrames, DataFramesError, Place as TablePlace, VariableKey};
use crate::unwind::CallChain;
use crate::{ElfImage, Isa, RegisterFile, VirtAddr};
use dwarf::{Dwarf, Found};
use types::Type;

/// Reads so many bytes of the thread's memory.
pub type Memory<'m> = dyn FnMut(VirtAddr, usize) -> Option<Vec<u8>> + 'm;

/// The largest variable whose bytes are read.
const MOST_BYTES: u64 = 1 << 20;

/// Alignment of the image of thread-local variables, and the distance of aarch64's thread pointer from it.
const TLS_ALIGN: u64 = 64;

/// Why variables cannot be named.
#[derive(Debug, Error)]
pub enum InspectError {
    /// The table of data frames is missing or damaged.
    #[error(transparent)]
    DataFrames(#[from] DataFramesError),
    /// The call-site table is missing or damaged.
    #[error(transparent)]
    CallSites(#[from] CallSitesError),
    /// The debug information is damaged.
    #[error("the debug information of the {isa} file is damaged: {reason}")]
    Dwarf {
        /// Of which ISA.
        isa: Isa,
        /// What is wrong.
        reason: gimli::Error,
    },
}

/// Names the variables of one program.
#[derive(Debug)]
pub struct Inspector<'a> {
    image: &'a ElfImage,
    dwarf: Dwarf<'a>,
    table: DataFrames,
    sites: CallSites,
}

/// The variables of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameVariables {
    /// Where the frame is, as in the chain.
    pub pc: VirtAddr,
    /// Its function's symbol.
    pub function: Option<String>,
    /// File and line: of the next instruction in the innermost frame, of the call in the others.
    pub source: Option<(String, u32)>,
    /// Base of its data frame, where it has one that is known.
    pub base: Option<VirtAddr>,
    /// Parameters and variables in scope, in the order of their declaration, outer scopes first.
    pub variables: Vec<Variable>,
}

/// A variable in scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The function it is of, when that one was inlined into the frame's.
    pub inlined: Option<String>,
    /// The line of its declaration.
    pub line: u32,
    /// The name of its type, in C.
    pub type_name: String,
    /// Its size in bytes; `None` when it is only known at run time.
    pub size: Option<u64>,
    /// Where it is.
    pub place: Place,
    /// Its bytes, where they are known and readable.
    pub bytes: Option<Vec<u8>>,
    /// Its value as C would write it; why there is none otherwise.
    pub value: String,
}

/// Where a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Memory(VirtAddr),
    /// Nowhere as a whole: its bytes are known, or come from registers or several places.
    Pieces,
    /// Nowhere: it is not needed any more.
    OptimizedOut,
}

/// A data frame under inspection.
#[derive(Clone, Copy)]
struct DataFrameAt {
    function: usize,
    base: VirtAddr,
    /// At a call: its site.
    site: Option<usize>,
}

impl<'a> Inspector<'a> {
    /// Reads the tables and the debug information of a program that was built with `kettle-cc -g`.
    pub fn new(image: &'a ElfImage) -> Result<Self, InspectError> {
        let dwarf = Dwarf::of(image).map_err(|reason| InspectError::Dwarf {
            isa: image.isa(),
            reason,
        })?;
        Ok(Self {
            image,
            dwarf,
            table: DataFrames::of_image(image)?,
            sites: CallSites::of_image(image)?,
        })
    }

    /// The variables of the frames of `chain`, which is that of a thread with the registers `regs`. Memory is the thread's.
    pub fn frames(
        &self,
        regs: &RegisterFile,
        chain: &CallChain,
        memory: &mut Memory<'_>,
    ) -> Vec<FrameVariables> {
        let mut stack = DataStack::of(self, regs, memory);
        let mut frames = Vec::new();
        for (depth, frame) in chain.frames.iter().enumerate() {
            let innermost = depth == 0;
            // A return address may lie behind the last instruction of its function; the call is what counts.
            let lookup = VirtAddr(frame.pc.0.wrapping_sub(u64::from(!innermost)));
            let site = self.sites.find(self.image.isa(), frame.pc);
            let site = site.map(|(id, _)| id.0 as usize).filter(|_| !innermost);
            let symbol = self.image.symbols().locate(lookup).map(|l| l.symbol);
            let function = symbol.and_then(|symbol| {
                let known = |f: &crate::dataframes::DataFrame| f.name == symbol.name;
                self.table.functions.iter().position(known)
            });
            let entered = !innermost
                || symbol.is_none_or(|s| self.dwarf.behind_prologue(s.address.0, lookup.0));
            let at = function.filter(|_| entered).and_then(|function| {
                let base = stack.enter(&self.table.functions[function], memory)?;
                Some(DataFrameAt {
                    function,
                    base,
                    site,
                })
            });
            let registers = Some((regs, frame.cfa)).filter(|_| innermost);
            frames.push(FrameVariables {
                pc: frame.pc,
                function: symbol.map(|s| s.name.clone()),
                source: self.dwarf.line(lookup.0),
                base: at.map(|at| at.base),
                variables: self.variables(lookup, at, registers, memory),
            });
        }
        frames
    }

    fn variables(
        &self,
        lookup: VirtAddr,
        at: Option<DataFrameAt>,
        registers: Option<(&RegisterFile, Option<VirtAddr>)>,
        memory: &mut Memory<'_>,
    ) -> Vec<Variable> {
        // What is damaged is left out.
        let found = self.dwarf.in_scope(lookup.0).unwrap_or_default();
        let mut variables = Vec::new();
        for one in &found {
            let ty = self.dwarf.type_of(one.ty);
            let size = ty.size().filter(|size| *size <= MOST_BYTES);
            let places = at.map_or_else(Vec::new, |at| self.places(at, &one.key));
            let mut located = Located::OptimizedOut;
            if let (Some(at), false) = (at, places.is_empty()) {
                located = self.read_places(&places, at.base, size, memory);
            }
            if let (Located::OptimizedOut, Some((regs, cfa))) = (&located, registers) {
                located = locations::locate(&self.dwarf, one, lookup.0, regs, cfa, memory);
            }
            variables.push(self.variable(one, &ty, located, memory));
        }
        variables
    }

    /// What the table says about a variable. Two that it cannot tell apart are both unknown.
    fn places(&self, at: DataFrameAt, key: &VariableKey) -> Vec<&TablePlace> {
        let frame = &self.table.functions[at.function];
        let mut named = (frame.variables.iter().enumerate()).filter(|(_, k)| *k == key);
        let (Some((variable, _)), None) = (named.next(), named.next()) else {
            return Vec::new();
        };
        let site = at.site.map(|site| &self.table.sites[site].places);
        let all = frame.places.iter().chain(site.into_iter().flatten());
        all.filter(|place| place.variable as usize == variable)
            .collect()
    }

    fn read_places(
        &self,
        places: &[&TablePlace],
        base: VirtAddr,
        size: Option<u64>,
        memory: &mut Memory<'_>,
    ) -> Located {
        if let [TablePlace { bits: None, at, .. }] = places {
            return match self.read_place(at, base, memory) {
                Some(Whole::Memory(address)) => Located::Memory(address),
                Some(Whole::Value(value)) => Located::Bytes(value.to_le_bytes().to_vec()),
                None => Located::OptimizedOut,
            };
        }
        let Some(size) = size else {
            return Located::OptimizedOut;
        };
        let mut bytes = vec![0; size as usize];
        let mut known = 0;
        for place in places {
            let Some((first, count)) = place.bits.filter(|(a, b)| a % 8 == 0 && b % 8 == 0) else {
                return Located::OptimizedOut;
            };
            let (first, count) = (first as usize / 8, count as usize / 8);
            let part = match self.read_place(&place.at, base, memory) {
                Some(Whole::Memory(address)) => memory(address, count),
                Some(Whole::Value(value)) => Some(value.to_le_bytes().to_vec()),
                None => None,
            };
            let room = bytes.get_mut(first..first + count);
            let (Some(part), Some(room)) = (part, room) else {
                return Located::OptimizedOut;
            };
            if let Some(part) = part.get(..count) {
                room.copy_from_slice(part);
                known += count;
            }
        }
        if known == bytes.len() {
            Located::Bytes(bytes)
        } else {
            Located::OptimizedOut
        }
    }

    fn read_place(&self, at: &At, base: VirtAddr, memory: &mut Memory<'_>) -> Option<Whole> {
        let place = |offset: u32, align: u32| {
            let address = base.0.wrapping_add(u64::from(offset));
            VirtAddr(address.next_multiple_of(u64::from(align).max(1)))
        };
        Some(match at {
            // The alignment of the frame itself covers the smaller ones.
            At::Frame { offset, align } => Whole::Memory(place(*offset, over_aligned(*align))),
            At::FrameAddress { offset, align } => {
                Whole::Value(place(*offset, over_aligned(*align)).0)
            }
            At::Indirect(offset) => Whole::Memory(VirtAddr(word(place(*offset, 1), memory)?)),
            At::Global(name) => Whole::Memory(self.image.symbol(name)?),
            At::GlobalAddress(name) => Whole::Value(self.image.symbol(name)?.0),
            At::Constant(bits) => Whole::Value(*bits),
        })
    }

    fn variable(
        &self,
        found: &Found,
        ty: &Type,
        located: Located,
        memory: &mut Memory<'_>,
    ) -> Variable {
        let size = ty.size();
        let wanted = size.filter(|s| *s <= MOST_BYTES).map(|s| s as usize);
        let (place, bytes) = match located {
            Located::Memory(address) => {
                let bytes = wanted.and_then(|size| memory(address, size));
                (Place::Memory(address), bytes)
            }
            Located::Bytes(mut bytes) => {
                if let Some(size) = wanted {
                    bytes.resize(size, 0);
                }
                (Place::Pieces, Some(bytes))
            }
            Located::OptimizedOut => (Place::OptimizedOut, None),
        };
        let value = match (&place, &bytes) {
            (Place::OptimizedOut, _) => "<optimized out>".to_owned(),
            (Place::Memory(_), None) if wanted.is_none() => "<of a size not known here>".to_owned(),
            (_, None) => "<memory that cannot be read>".to_owned(),
            (_, Some(bytes)) => ty.format(bytes),
        };
        Variable {
            name: found.key.name.clone(),
            inlined: found.inlined.clone(),
            line: found.key.line,
            type_name: ty.name().to_owned(),
            size,
            place,
            bytes,
            value,
        }
    }
}

/// Where a variable turned out to be.
enum Located {
    Memory(VirtAddr),
    Bytes(Vec<u8>),
    OptimizedOut,
}

/// Where a whole variable is, or what it is.
enum Whole {
    Memory(VirtAddr),
    Value(u64),
}

/// Frames are aligned to 16; what asks for more has its address rounded up at run time.
fn over_aligned(align: u32) -> u32 {
    if align > 16 { align } else { 1 }
}

fn word(address: VirtAddr, memory: &mut Memory<'_>) -> Option<u64> {
    let bytes = memory(address, 8)?;
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

/// The thread's pointers into its data stack, as they were when each frame was the innermost.
struct DataStack {
    dsp: Option<u64>,
    dfp: Option<u64>,
}

impl DataStack {
    fn of(inspector: &Inspector<'_>, regs: &RegisterFile, memory: &mut Memory<'_>) -> Self {
        let image = inspector.image;
        let mut pointer = |name| {
            let offset = image.symbols().by_name(name)?.address.0;
            let start = match regs.isa() {
                Isa::Aarch64 => regs.tls().0.wrapping_add(TLS_ALIGN),
                Isa::X86_64 => {
                    let size = image.tls()?.memory_size.next_multiple_of(TLS_ALIGN);
                    regs.tls().0.wrapping_sub(size)
                }
            };
            word(VirtAddr(start.wrapping_add(offset)), memory)
        };
        Self {
            dsp: pointer("__dsp"),
            dfp: pointer("__dfp"),
        }
    }

    /// Base of the data frame of a function, the next one outwards.
    fn enter(
        &mut self,
        function: &crate::dataframes::DataFrame,
        memory: &mut Memory<'_>,
    ) -> Option<VirtAddr> {
        let base = match function.saved_dfp {
            None => self.dsp?,
            Some(offset) => {
                let base = self.dfp?;
                self.dfp = word(VirtAddr(base.wrapping_add(u64::from(offset))), memory);
                base
            }
        };
        self.dsp = Some(base.wrapping_add(u64::from(function.size)));
        Some(VirtAddr(base))
    }
}
