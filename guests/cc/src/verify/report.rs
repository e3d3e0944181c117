//! What the verifier is asked and what it answers.

use std::fmt;

use thiserror::Error;

use crate::signature::Signature;

/// One possibly migrating call of the program under test, as the call-site table describes it for this ISA.
///
/// CFA = FP + `cfa_fp`; SP behind the call = CFA - `size`; the saved FP is at CFA + `fp_off`, the return address at CFA + `ra_off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifySite {
    /// The site's number in the call-site table.
    pub id: u32,
    /// Address of the instruction behind the call.
    pub return_address: u64,
    /// Name of the function that makes the call.
    pub function: String,
    /// Address of that function's first instruction.
    pub function_address: u64,
    /// Canonical frame address minus frame pointer, in bytes.
    pub cfa_fp: i32,
    /// Canonical frame address minus stack pointer behind the call, in bytes.
    pub size: u32,
    /// Where the caller's frame pointer is saved, in bytes from the canonical frame address.
    pub fp_off: i32,
    /// Where the return address is saved, in bytes from the canonical frame address.
    pub ra_off: i32,
    /// What the call passes, where that is known.
    pub called: Option<Signature>,
}

/// What was found in one ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many sites were followed.
    pub sites: usize,
    /// Uses of undescribed state.
    pub violations: Vec<Violation>,
    /// Places where the verifier lost its way, so that nothing is proven.
    pub unresolved: Vec<Unresolved>,
}

impl Report {
    /// Whether every site is proven content free.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.unresolved.is_empty()
    }
}

/// A use of state that does not survive a migration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The site behind which the state is gone.
    pub site: u32,
    /// Name of the function.
    pub function: String,
    /// Address of the instruction that uses the state.
    pub address: u64,
    /// That instruction, disassembled.
    pub instruction: String,
    /// What it uses, and how.
    pub what: String,
}

/// A place at which the verifier could not follow the code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unresolved {
    /// The site from which the place is reached.
    pub site: u32,
    /// Name of the function.
    pub function: String,
    /// Address of the instruction.
    pub address: u64,
    /// That instruction, disassembled.
    pub instruction: String,
    /// Why the code could not be followed.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            function,
            address,
            instruction,
            what,
        } = self;
        write!(
            f,
            "in function {function}: {address:#x} `{instruction}` {what} (site {site})"
        )
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            function,
            address,
            instruction,
            what,
        } = self;
        write!(
            f,
            "in function {function}: {address:#x} `{instruction}`: {what} (site {site})"
        )
    }
}

/// Why a file could not be verified at all.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The bytes are no ELF file that `object` can read.
    #[error("the program to verify is not a readable ELF file: {0}")]
    Elf(#[from] object::Error),
    /// The file is for another machine.
    #[error("the program to verify is for {found}, but {wanted} was asked for")]
    Machine {
        /// The machine in the file's header.
        found: String,
        /// The ISA asked for.
        wanted: &'static str,
    },
    /// The disassembler refused to start.
    #[error("the disassembler cannot be set up: {0}")]
    Disassembler(#[from] capstone::Error),
    /// A site's function has no symbol with a size, or its bytes are not in the file.
    #[error("site {site}: no sized function symbol with code at {address:#x} ({function})")]
    NoFunction {
        /// The site.
        site: u32,
        /// The function's name according to the site.
        function: String,
        /// The function's address according to the site.
        address: u64,
    },
    /// A return address is not behind a call of its function.
    #[error("site {site}: return address {address:#x} is not behind a call in {function}")]
    NotBehindCall {
        /// The site.
        site: u32,
        /// The function's name according to the site.
        function: String,
        /// The return address.
        address: u64,
    },
}
