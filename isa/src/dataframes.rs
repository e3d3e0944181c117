//! The table of data frames of a multi-ISA program: which variables of the source are where in the data frame at each call that may migrate.
//!
//! `kettle-cc -g` writes it, debuggers read it ([`crate::variables`]). It lives in section [`SECTION`], which is not loaded, with identical bytes in both
//! files: data frames are the same on both ISAs, so there are no addresses in it. All numbers are u32, little-endian, unless said
//! otherwise; a string is its length and its bytes:
//!
//! | part | contents |
//! |---|---|
//! | header | magic "KDFT", version 1, number of functions, number of sites |
//! | each function | string name; size of its data frame; offset of the saved `__dfp`, or 0xffffffff; number of variables, variables; number of places, places |
//! | each variable | string name; line of its declaration; number of calls it was inlined through, then line and column of each, innermost first |
//! | each site | number of the function; number of places, places |
//! | each place | number of the variable in the function; first bit and number of bits of the variable, 0 for all; kind; then by kind |
//! | kind 0: in the frame | offset, alignment that base + offset is rounded up to |
//! | kind 1: its address | offset, alignment: the variable is a pointer to that |
//! | kind 2: indirect | offset at which its address is |
//! | kind 3: global | string name of the symbol that it is in |
//! | kind 4: global's address | string name of the symbol: the variable is a pointer to that |
//! | kind 5: constant | u64 |
//!
//! Sites are in the order of the call-site table. A function's own places hold from the end of its prologue to the beginning of its epilogue.

use thiserror::Error;

use crate::ElfImage;

/// Name of the section that holds the table.
pub const SECTION: &str = ".kettle.dataframes";

const MAGIC: u32 = u32::from_le_bytes(*b"KDFT");
const VERSION: u32 = 1;
const NO_SAVED_DFP: u32 = u32::MAX;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFrames {
    /// The functions that may migrate.
    pub functions: Vec<DataFrame>,
    /// By number of the call site.
    pub sites: Vec<SiteVariables>,
}

/// The data frame of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFrame {
    /// Its symbol.
    pub name: String,
    /// Bytes; 0 when it has none.
    pub size: u32,
    /// In a function that allocates dynamically: the offset of the caller's `__dfp`.
    pub saved_dfp: Option<u32>,
    /// Its variables.
    pub variables: Vec<VariableKey>,
    /// Where those are that do not move.
    pub places: Vec<Place>,
}

/// How a variable is found in the DWARF of its function.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VariableKey {
    /// Its name.
    pub name: String,
    /// The line it is declared in.
    pub line: u32,
    /// Line and column of the calls through which it was inlined, innermost first.
    pub inlined_at: Vec<(u32, u32)>,
}

/// The variables that are known at a call site, besides those that do not move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteVariables {
    /// Number of the function.
    pub function: u32,
    /// Where they are.
    pub places: Vec<Place>,
}

/// Where a variable is, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the variable in its function.
    pub variable: u32,
    /// First bit and number of bits of the part; `None` for all of it.
    pub bits: Option<(u32, u32)>,
    /// Where it is.
    pub at: At,
}

/// Where, or what, a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// At the frame's base plus `offset`, rounded up to a multiple of `align`.
    Frame {
        /// Bytes.
        offset: u32,
        /// A power of two.
        align: u32,
    },
    /// It is the address of that.
    FrameAddress {
        /// Bytes.
        offset: u32,
        /// A power of two.
        align: u32,
    },
    /// At the address that lies at the frame's base plus this.
    Indirect(u32),
    /// In the variable with this symbol.
    Global(String),
    /// It is the address of this symbol.
    GlobalAddress(String),
    /// It has these bytes.
    Constant(u64),
}

/// Why a table is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataFramesError {
    /// The program has none.
    #[error("the file has no section {SECTION}: build it with kettle-cc -g")]
    NoSection,
    /// Magic number or version are wrong.
    #[error(
        "the table of data frames begins with magic {0:#x} version {1}; it must be {MAGIC:#x} version {VERSION}"
    )]
    Header(u32, u32),
    /// It ends too early or too late.
    #[error("the table of data frames is damaged at byte {at}: {what}")]
    Damaged {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl DataFrames {
    /// Reads the table of a program.
    pub fn of_image(image: &ElfImage) -> Result<Self, DataFramesError> {
        let section = image.section(SECTION).ok_or(DataFramesError::NoSection)?;
        Self::parse(image.section_data(section))
    }

    /// Reads and checks exactly the bytes of a table.
    pub fn parse(bytes: &[u8]) -> Result<Self, DataFramesError> {
        let mut reader = Reader { bytes, at: 0 };
        let (magic, version) = (reader.number()?, reader.number()?);
        if (magic, version) != (MAGIC, VERSION) {
            return Err(DataFramesError::Header(magic, version));
        }
        let (functions, sites) = (reader.number()?, reader.number()?);
        let mut table = Self::default();
        for _ in 0..functions {
            table.functions.push(reader.function()?);
        }
        for _ in 0..sites {
            let function = reader.number()?;
            let Some(frame) = table.functions.get(function as usize) else {
                return Err(reader.damaged("no such function"));
            };
            let places = reader.places(frame.variables.len())?;
            table.sites.push(SiteVariables { function, places });
        }
        if reader.at < bytes.len() {
            return Err(reader.damaged("there is more than the header says"));
        }
        Ok(table)
    }

    /// The bytes of the table.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer(Vec::new());
        bytes.number(MAGIC);
        bytes.number(VERSION);
        bytes.number(self.functions.len() as u32);
        bytes.number(self.sites.len() as u32);
        for function in &self.functions {
            bytes.function(function);
        }
        for site in &self.sites {
            bytes.number(site.function);
            bytes.places(&site.places);
        }
        bytes.0
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend(text.as_bytes());
    }

    fn function(&mut self, function: &DataFrame) {
        self.string(&function.name);
        self.number(function.size);
        self.number(function.saved_dfp.unwrap_or(NO_SAVED_DFP));
        self.number(function.variables.len() as u32);
        for variable in &function.variables {
            self.string(&variable.name);
            self.number(variable.line);
            self.number(variable.inlined_at.len() as u32);
            for (line, column) in &variable.inlined_at {
                self.number(*line);
                self.number(*column);
            }
        }
        self.places(&function.places);
    }

    fn places(&mut self, places: &[Place]) {
        self.number(places.len() as u32);
        for place in places {
            self.number(place.variable);
            let (first, count) = place.bits.unwrap_or((0, 0));
            self.number(first);
            self.number(count);
            match &place.at {
                At::Frame { offset, align } => [0, *offset, *align].map(|n| self.number(n)),
                At::FrameAddress { offset, align } => [1, *offset, *align].map(|n| self.number(n)),
                At::Indirect(offset) => {
                    self.number(2);
                    self.number(*offset);
                    continue;
                }
                At::Global(name) => {
                    self.number(3);
                    self.string(name);
                    continue;
                }
                At::GlobalAddress(name) => {
                    self.number(4);
                    self.string(name);
                    continue;
                }
                At::Constant(bits) => {
                    [5, *bits as u32, (*bits >> 32) as u32].map(|n| self.number(n))
                }
            };
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn damaged(&self, what: &'static str) -> DataFramesError {
        DataFramesError::Damaged { at: self.at, what }
    }

    fn number(&mut self) -> Result<u32, DataFramesError> {
        let bytes = self.bytes[self.at..].first_chunk::<4>();
        let number = *bytes.ok_or_else(|| self.damaged("it ends here"))?;
        self.at += 4;
        Ok(u32::from_le_bytes(number))
    }

    fn string(&mut self) -> Result<String, DataFramesError> {
        let len = self.number()? as usize;
        let bytes = self.bytes[self.at..].get(..len);
        let bytes = bytes.ok_or_else(|| self.damaged("a name ends behind it"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged("a name is not UTF-8"))?;
        self.at += len;
        Ok(text.to_owned())
    }

    fn function(&mut self) -> Result<DataFrame, DataFramesError> {
        let (name, size, saved_dfp) = (self.string()?, self.number()?, self.number()?);
        let mut frame = DataFrame {
            name,
            size,
            saved_dfp: (saved_dfp != NO_SAVED_DFP).then_some(saved_dfp),
            ..DataFrame::default()
        };
        for _ in 0..self.number()? {
            let (name, line) = (self.string()?, self.number()?);
            let mut inlined_at = Vec::new();
            for _ in 0..self.number()? {
                inlined_at.push((self.number()?, self.number()?));
            }
            frame.variables.push(VariableKey {
                name,
                line,
                inlined_at,
            });
        }
        frame.places = self.places(frame.variables.len())?;
        Ok(frame)
    }

    fn places(&mut self, variables: usize) -> Result<Vec<Place>, DataFramesError> {
        let mut places = Vec::new();
        for _ in 0..self.number()? {
            let (variable, first, count) = (self.number()?, self.number()?, self.number()?);
            if variable as usize >= variables {
                return Err(self.damaged("no such variable"));
            }
            let at = match self.number()? {
                kind @ (0 | 1) => {
                    let (offset, align) = (self.number()?, self.number()?);
                    if !align.is_power_of_two() {
                        return Err(self.damaged("the alignment is no power of two"));
                    }
                    if kind == 0 {
                        At::Frame { offset, align }
                    } else {
                        At::FrameAddress { offset, align }
                    }
                }
                2 => At::Indirect(self.number()?),
                3 => At::Global(self.string()?),
                4 => At::GlobalAddress(self.string()?),
                5 => At::Constant(u64::from(self.number()?) | u64::from(self.number()?) << 32),
                _ => return Err(self.damaged("no such kind of place")),
            };
            places.push(Place {
                variable,
                bits: (count != 0).then_some((first, count)),
                at,
            });
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> DataFrames {
        let place = |variable, bits, at| Place { variable, bits, at };
        let key = |name: &str, inlined_at| VariableKey {
            name: name.into(),
            line: 7,
            inlined_at,
        };
        DataFrames {
            functions: vec![DataFrame {
                name: "f".into(),
                size: 32,
                saved_dfp: Some(24),
                variables: vec![key("x", vec![]), key("y", vec![(3, 9), (8, 1)])],
                places: vec![place(
                    0,
                    None,
                    At::Frame {
                        offset: 8,
                        align: 64,
                    },
                )],
            }],
            sites: vec![SiteVariables {
                function: 0,
                places: vec![
                    place(1, Some((32, 32)), At::Constant(u64::MAX - 1)),
                    place(1, Some((0, 32)), At::Indirect(16)),
                    place(
                        0,
                        None,
                        At::FrameAddress {
                            offset: 0,
                            align: 1,
                        },
                    ),
                    place(0, None, At::Global("g".into())),
                    place(0, None, At::GlobalAddress("h".into())),
                ],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample().encode();
        assert_eq!(&bytes[..16], b"KDFT\x01\0\0\0\x01\0\0\0\x01\0\0\0");
        assert_eq!(DataFrames::parse(&bytes), Ok(sample()));
    }

    #[test]
    fn damaged_tables_are_refused() {
        let good = sample().encode();
        for end in 0..good.len() {
            assert!(DataFrames::parse(&good[..end]).is_err(), "{end} bytes");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(
            DataFrames::parse(&longer).map_err(|e| e.to_string()),
            Err(format!(
                "the table of data frames is damaged at byte {}: there is more than the header says",
                good.len()
            ))
        );
        // Whatever one byte says, there is an answer.
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let _ = DataFrames::parse(&bytes);
            }
        }
        let mut bytes = good;
        bytes[0] = b'X';
        assert_eq!(
            DataFrames::parse(&bytes),
            Err(DataFramesError::Header(0x5446_4458, 1))
        );
    }
}
