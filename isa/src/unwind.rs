//! Native call chains: from registers and a stack to the functions that are active, by `.eh_frame` (gimli) or frame pointers.
//!
//! For debuggers and reports; nothing that a guest does depends on it. It reads only what it is given: the image, a register file and a
//! function that reads memory. Left out: unwinding through several images, and pointer authentication.

mod registers;
mod rules;

use std::fmt;

use gimli::{
    BaseAddresses, CieOrFde, EhFrame, EndianSlice, LittleEndian, UnwindContext, UnwindSection,
    Vendor,
};

use crate::{ElfImage, Isa, RegisterFile, VirtAddr};
use registers::Registers;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// One active function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it is: the next instruction of the innermost one, the return address of the others.
    pub pc: VirtAddr,
    /// Its canonical frame address: the stack pointer before the call that entered it. `None` when it could not be found.
    pub cfa: Option<VirtAddr>,
    /// Its name and the distance into it, as `main+0x14`, when the program has symbols.
    pub function: Option<String>,
    /// How its caller was found.
    pub method: Method,
}

/// How a caller was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Unwind information of the compiler.
    UnwindInfo,
    /// The chain of saved frame pointers, because there was no unwind information.
    FramePointer,
    /// It was not: the chain stopped here.
    None,
}

/// Why a chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the outermost function: its return address is 0 or marked as undefined, or its frame pointer is 0.
    Outermost,
    /// The PC is in no executable segment.
    OutsideCode(VirtAddr),
    /// Stack memory could not be read.
    Unreadable(VirtAddr),
    /// The next frame would not be further up the stack.
    NoProgress(VirtAddr),
    /// As many frames as were asked for.
    Limit,
    /// The unwind information of this PC is damaged or needs more than is known.
    BadUnwindInfo {
        /// Where.
        pc: VirtAddr,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Outermost => write!(f, "the outermost frame was reached"),
            Stop::OutsideCode(pc) => write!(f, "{pc} is not in the program's code"),
            Stop::Unreadable(address) => write!(f, "the stack at {address} cannot be read"),
            Stop::NoProgress(cfa) => write!(f, "the frame at {cfa} is not above the one before it"),
            Stop::Limit => write!(f, "there are more frames than were asked for"),
            Stop::BadUnwindInfo { pc, reason } => {
                write!(f, "the unwind information for {pc} is of no use: {reason}")
            }
        }
    }
}

/// The active functions, innermost first, and why there are no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallChain {
    /// Innermost first; never empty unless a limit of 0 was given.
    pub frames: Vec<Frame>,
    /// Why it ends.
    pub stop: Stop,
}

/// Finds call chains in one program.
#[derive(Debug)]
pub struct Unwinder {
    image: ElfImage,
    bases: BaseAddresses,
    functions: Vec<Function>,
}

/// A function that has unwind information.
#[derive(Clone, Copy, Debug)]
struct Function {
    start: u64,
    end: u64,
    /// Of its FDE in `.eh_frame`.
    offset: usize,
}

/// A general register of a thread by its DWARF number.
pub(crate) fn general_register(regs: &RegisterFile, number: u16) -> Option<u64> {
    let number = gimli::Register(number);
    Registers::of(regs).get(number)
}

/// A step from a frame to its caller.
struct Step {
    cfa: VirtAddr,
    caller: Registers,
    /// `None` when the frame has no caller.
    return_address: Option<VirtAddr>,
    /// The frame was made by a signal, so the caller's PC is exact and the stacks may differ.
    signal: bool,
    method: Method,
}

impl Unwinder {
    /// For a program. Reads its unwind information once; damaged parts are left out.
    pub fn new(image: &ElfImage) -> Unwinder {
        let mut bases = BaseAddresses::default();
        if let Some(section) = image.section(".eh_frame") {
            bases = bases.set_eh_frame(section.address.0);
        }
        if let Some(section) = image.section(".text") {
            bases = bases.set_text(section.address.0);
        }
        let mut unwinder = Unwinder {
            image: image.clone(),
            bases,
            functions: Vec::new(),
        };
        unwinder.functions = unwinder.index();
        unwinder
    }

    /// The chain of a thread whose registers these are. `read` gives the 8 bytes at an address as a little-endian number.
    ///
    /// Panics when the registers are of another ISA than the program.
    pub fn chain(
        &self,
        regs: &RegisterFile,
        limit: usize,
        mut read: impl FnMut(VirtAddr) -> Option<u64>,
    ) -> CallChain {
        assert_eq!(
            regs.isa(),
            self.image.isa(),
            "registers and program are of one ISA"
        );
        let mut frames = Vec::new();
        let (mut pc, mut current) = (regs.pc(), Registers::of(regs));
        // A return address may lie behind the last instruction of its function; the call is what counts.
        let mut lookup = pc;
        let stop = loop {
            if frames.len() == limit {
                break Stop::Limit;
            }
            let function = self.image.symbols().locate(lookup);
            let function = function.map(|mut location| {
                location.offset = pc.0.wrapping_sub(location.symbol.address.0);
                location.to_string()
            });
            frames.push(Frame {
                pc,
                cfa: None,
                function,
                method: Method::None,
            });
            if !self
                .image
                .segment_at(lookup)
                .is_some_and(|segment| segment.execute)
            {
                break Stop::OutsideCode(pc);
            }
            let step = match self.step(lookup, &current, &mut read) {
                Ok(step) => step,
                Err(stop) => break stop,
            };
            if let Some(frame) = frames.last_mut() {
                frame.cfa = Some(step.cfa);
                frame.method = step.method;
            }
            let Some(return_address) = step.return_address.filter(|address| address.0 != 0) else {
                break Stop::Outermost;
            };
            // A leaf may use no stack at all; any other frame holds at least its return address.
            let leaf = frames.len() == 1 && self.image.isa() == Isa::Aarch64;
            let progress = if leaf {
                step.cfa >= current.sp()
            } else {
                step.cfa > current.sp()
            };
            if !progress && !step.signal {
                break Stop::NoProgress(step.cfa);
            }
            current = step.caller;
            pc = return_address;
            lookup = if step.signal {
                pc
            } else {
                VirtAddr(pc.0.wrapping_sub(1))
            };
        };
        CallChain { frames, stop }
    }

    fn step(
        &self,
        pc: VirtAddr,
        registers: &Registers,
        read: &mut dyn FnMut(VirtAddr) -> Option<u64>,
    ) -> Result<Step, Stop> {
        match self.functions[..self
            .functions
            .partition_point(|function| function.start <= pc.0)]
            .last()
        {
            Some(function) if pc.0 < function.end => {
                let bad = |error: gimli::Error| Stop::BadUnwindInfo {
                    pc,
                    reason: error.to_string(),
                };
                let section = self.eh_frame();
                let fde = section.fde_from_offset(
                    &self.bases,
                    function.offset.into(),
                    EhFrame::cie_from_offset,
                );
                let fde = fde.map_err(bad)?;
                let mut context = UnwindContext::new();
                let row = fde
                    .unwind_info_for_address(&section, &self.bases, &mut context, pc.0)
                    .map_err(bad)?;
                rules::apply(&section, &fde, row, pc, registers, read)
            }
            _ => by_frame_pointer(registers, read),
        }
    }

    fn eh_frame(&self) -> EhFrame<Slice<'_>> {
        let bytes = self
            .image
            .section(".eh_frame")
            .map_or(&[][..], |section| self.image.section_data(section));
        let mut section = EhFrame::new(bytes, LittleEndian);
        section.set_address_size(8);
        if self.image.isa() == Isa::Aarch64 {
            section.set_vendor(Vendor::AArch64);
        }
        section
    }

    fn index(&self) -> Vec<Function> {
        let section = self.eh_frame();
        let mut functions = Vec::new();
        let mut entries = section.entries(&self.bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else {
                continue;
            };
            let (start, end) = (fde.initial_address(), fde.end_address());
            functions.push(Function {
                start,
                end,
                offset: fde.offset(),
            });
        }
        functions.sort_by_key(|function| function.start);
        functions
    }
}

/// Both ABIs keep the caller's frame pointer and the return address next to each other where the frame pointer points.
fn by_frame_pointer(
    registers: &Registers,
    read: &mut dyn FnMut(VirtAddr) -> Option<u64>,
) -> Result<Step, Stop> {
    let mut step = Step {
        cfa: registers.sp(),
        caller: registers.clone(),
        return_address: None,
        signal: false,
        method: Method::FramePointer,
    };
    let fp = registers.fp().filter(|fp| fp.0 != 0);
    let Some(fp) = fp else { return Ok(step) };
    if fp < registers.sp() {
        return Err(Stop::NoProgress(fp));
    }
    let mut word = |offset| {
        let address = fp.wrapping_add(offset);
        read(address).ok_or(Stop::Unreadable(address))
    };
    let saved_fp = word(0)?;
    step.return_address = Some(VirtAddr(word(8)?));
    step.cfa = fp.wrapping_add(16);
    step.caller = registers.after_frame_pointer(step.cfa, VirtAddr(saved_fp));
    Ok(step)
}
