//! The call sites of a linked file: where each recorded call returns to and how its native frame lies.
//!
//! The stack map gives return address and frame size, `.eh_frame` where the caller's frame pointer and return address are saved. Every
//! frame must be walkable by its frame pointer; a site of which that is not true fails the build.

use std::collections::BTreeMap;
use std::path::Path;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, LittleEndian, Register, RegisterRule, UnwindContext,
    UnwindSection as _,
};
use isa::callsites::SiteFrame;
use isa::{Isa, VirtAddr};

use crate::BuildError;
use crate::object_file::Elf;
use crate::stackmap::{self, Record};

/// One call site on one ISA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Return address and native frame.
    pub frame: SiteFrame,
    /// The function's first instruction.
    pub function: VirtAddr,
}

/// DWARF numbers of frame pointer and return address column, and what the stack map's frame size leaves out.
struct Convention {
    frame_pointer: Register,
    return_address: Register,
    pushed_by_call: u64,
}

fn convention(isa: Isa) -> Convention {
    match isa {
        Isa::X86_64 => Convention {
            frame_pointer: Register(6),
            return_address: Register(16),
            pushed_by_call: 8,
        },
        Isa::Aarch64 => Convention {
            frame_pointer: Register(29),
            return_address: Register(30),
            pushed_by_call: 0,
        },
    }
}

/// The sites of a file by id. `functions` names the function of each id.
pub fn read(
    isa: Isa,
    path: &Path,
    elf: &Elf<'_>,
    functions: &[String],
) -> Result<BTreeMap<u32, Site>, BuildError> {
    let mut sites = BTreeMap::new();
    let Some(map) = elf.section(".llvm_stackmaps")? else {
        return Ok(sites);
    };
    let frames = elf
        .section(".eh_frame")?
        .ok_or_else(|| BuildError::malformed(path)("no .eh_frame"))?;
    let bases = BaseAddresses::default().set_eh_frame(frames.address);
    let eh_frame = EhFrame::new(&frames.data, LittleEndian);
    let mut context = UnwindContext::new();
    for record in stackmap::parse(&map.data).map_err(BuildError::malformed(path))? {
        let id = record.id as u32;
        let function = functions.get(id as usize).cloned().unwrap_or_default();
        let error = |what: String| BuildError::CallSite {
            site: id,
            function: function.clone(),
            isa,
            what,
        };
        if record.id >= functions.len() as u64 {
            return Err(error(format!(
                "the id is not one of the {} given",
                functions.len()
            )));
        }
        // The address behind a call that does not return may belong to the next function already.
        let row = eh_frame
            .unwind_info_for_address(
                &bases,
                &mut context,
                record.return_address - 1,
                EhFrame::cie_from_offset,
            )
            .map_err(|e| error(format!("no unwind information: {e}")))?;
        let rule = |register| row.register(register);
        let site = site(&convention(isa), record, row.cfa(), rule).map_err(error)?;
        if sites.insert(id, site).is_some() {
            return Err(error("the call is there twice".into()));
        }
    }
    Ok(sites)
}

fn site<T: gimli::ReaderOffset>(
    convention: &Convention,
    record: Record,
    cfa: &CfaRule<T>,
    rule: impl Fn(Register) -> Option<RegisterRule<T>>,
) -> Result<Site, String> {
    let cfa_fp = match cfa {
        CfaRule::RegisterAndOffset { register, offset }
            if *register == convention.frame_pointer =>
        {
            *offset
        }
        _ => return Err("the frame is not found by its frame pointer".into()),
    };
    let saved = |register: Register, what: &str| match rule(register) {
        Some(RegisterRule::Offset(offset)) => Ok(offset),
        _ => Err(format!("the {what} is not saved in the frame")),
    };
    let narrow = |n: i64| i32::try_from(n).map_err(|_| format!("the offset {n} is too large"));
    let size = record
        .frame_size
        .checked_add(convention.pushed_by_call)
        .and_then(|n| u32::try_from(n).ok());
    let frame = SiteFrame {
        return_address: VirtAddr(record.return_address),
        cfa_from_fp: narrow(cfa_fp)?,
        size: size.ok_or("the native frame has no fixed size")?,
        saved_fp: narrow(saved(convention.frame_pointer, "caller's frame pointer")?)?,
        saved_return_address: narrow(saved(convention.return_address, "return address")?)?,
    };
    Ok(Site {
        frame,
        function: VirtAddr(record.function),
    })
}
