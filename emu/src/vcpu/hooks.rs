//! What the engine calls back into: the block hook that counts, the TLB-fill hook that is the MMU, and the hooks of exceptions.
//!
//! The block hook runs at every block, some hundred million times a second, so its fast path is a look into a table, a subtraction and
//! three stores; everything else is out of line, in [`State`]. All hooks get a pointer to the one state of their vCPU.

use std::ffi::{c_int, c_void};

use isa::{Isa, VirtAddr};
use kernel_model::Access;
use unicorn_engine_sys::{self as uc, MemType, Prot, TlbEntry};

use super::count::{Block, Counted};
use super::engine::{
    Engine, HookType, STUB_PHYS, STUB_VIRT, WINDOW_VIRT, add_hook, expect, stop, uc_engine,
};
use super::state::{Fault, Halt, State};
use super::{VcpuError, aarch64, x86_64};

impl State {
    /// Installs the hooks.
    ///
    /// # Safety
    /// `state` must stay valid until the engine is dropped, and nobody may hold a reference to it while the engine runs.
    pub unsafe fn install(state: *mut State, engine: &Engine, isa: Isa) -> Result<(), VcpuError> {
        let data = state.cast::<c_void>();
        let block: unsafe extern "C" fn(*mut uc_engine, u64, u32, *mut State) = match isa {
            Isa::X86_64 => x86_64_block,
            Isa::Aarch64 => aarch64_block,
        };
        // SAFETY: each function has the type of its hook (unicorn.h: uc_cb_hookcode_t, uc_cb_tlbevent_t, uc_cb_hookintr_t,
        // uc_cb_insn_syscall_t, uc_cb_insn_cpuid_t), and the caller vouches for the state that they get.
        unsafe {
            engine.hook(HookType::BLOCK, block as *mut c_void, data, None)?;
            engine.hook(HookType::TLB_FILL, fill as *mut c_void, data, None)?;
            engine.hook(HookType::INTR, exception as *mut c_void, data, None)?;
            if isa == Isa::X86_64 {
                let instruction = |instruction: uc::X86Insn| Some(instruction as c_int);
                engine.hook(
                    HookType::INSN,
                    syscall as *mut c_void,
                    data,
                    instruction(uc::X86Insn::SYSCALL),
                )?;
                engine.hook(
                    HookType::INSN,
                    time_stamp as *mut c_void,
                    data,
                    instruction(uc::X86Insn::RDTSC),
                )?;
                engine.hook(
                    HookType::INSN,
                    time_stamp as *mut c_void,
                    data,
                    instruction(uc::X86Insn::RDTSCP),
                )?;
            }
        }
        Ok(())
    }

    /// From now on reads of system registers are hooked, which costs speed where thread pointers are read often.
    pub fn add_random_hook(&mut self, handle: *mut uc_engine) {
        self.has_random_hook = true;
        // SAFETY: called in a hook of this open engine; the function has the type uc_cb_insn_sys_t and does not use its data.
        let result = unsafe {
            let instruction = Some(uc::Arm64Insn::UC_ARM64_INS_MRS as c_int);
            add_hook(
                handle,
                HookType::INSN,
                read_system_register as *mut c_void,
                std::ptr::null_mut(),
                instruction,
            )
        };
        expect(result, "hook reads of system registers");
    }
}

/// The fill for the engine's own code and for the window through which code is dropped.
fn own_fill(page: u64) -> Option<(u64, Prot)> {
    let rights = Prot(Prot::READ.0 | Prot::EXEC.0);
    match page {
        STUB_VIRT => Some((STUB_PHYS, rights)),
        WINDOW_VIRT..STUB_VIRT => Some((page - WINDOW_VIRT, rights)),
        _ => None,
    }
}

/// Block hook (uc_cb_hookcode_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn x86_64_block(
    handle: *mut uc_engine,
    address: u64,
    size: u32,
    state: *mut State,
) {
    // SAFETY: `install` requires the state to be valid and not otherwise referred to during a run.
    let state = unsafe { &mut *state };
    let block = Block::new(address, size);
    let counted = state.counts.look(block);
    if counted.block == block && state.remaining > 0 {
        state.remaining -= counted.instructions as i64;
        state.last = counted;
    } else {
        state.x86_64_block_slow(handle, block);
    }
}

/// Block hook (uc_cb_hookcode_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn aarch64_block(
    handle: *mut uc_engine,
    address: u64,
    size: u32,
    state: *mut State,
) {
    // SAFETY: as in `x86_64_block`.
    let state = unsafe { &mut *state };
    if state.remaining > 0 && address & 3 == 0 {
        let instructions = u64::from(size / 4);
        state.remaining -= instructions as i64;
        state.last = Counted {
            block: Block::new(address, size),
            instructions,
        };
    } else {
        state.aarch64_block_slow(handle);
    }
}

/// TLB-fill hook (uc_cb_tlbevent_t): `address` is rounded down to a page.
///
/// # Safety
/// Called by the engine with the state of [`State::install`] and a place for the entry.
unsafe extern "C" fn fill(
    handle: *mut uc_engine,
    address: u64,
    kind: MemType,
    entry: *mut TlbEntry,
    state: *mut State,
) -> bool {
    // SAFETY: as in `x86_64_block`; the engine calls no other hook meanwhile.
    let state = unsafe { &mut *state };
    let found = if state.own_code {
        own_fill(address)
    } else {
        let access = match kind {
            MemType::WRITE => Access::Write,
            MemType::FETCH => Access::Fetch,
            _ => Access::Read,
        };
        let page = match (state.isa, access) {
            (Isa::Aarch64, Access::Read | Access::Write) => aarch64::untagged(address),
            _ => VirtAddr(address),
        };
        let found = state.fill(handle, page, access);
        if found.is_none() {
            state.fault = Some(Fault { page, access });
        }
        found.map(|(pfn, rights)| (pfn.start().0, rights))
    };
    let Some((paddr, perms)) = found else {
        return false;
    };
    // SAFETY: the engine gives a valid place for the entry.
    unsafe { entry.write(TlbEntry { paddr, perms }) };
    true
}

/// Exception hook (uc_cb_hookintr_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn exception(handle: *mut uc_engine, number: u32, state: *mut State) {
    // SAFETY: as in `x86_64_block`, and this is the engine that called.
    unsafe {
        (*state).halt = Some(match ((*state).isa, number) {
            (Isa::Aarch64, aarch64::exception::SUPERVISOR_CALL) => Halt::Syscall,
            _ => Halt::Exception(number),
        });
        stop(handle);
    }
}

/// Hook of `syscall` (uc_cb_insn_syscall_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn syscall(handle: *mut uc_engine, state: *mut State) {
    // SAFETY: as in `x86_64_block`, and this is the engine that called.
    unsafe {
        (*state).halt = Some(Halt::Syscall);
        stop(handle);
    }
}

/// Hook of `rdtsc` and `rdtscp` (uc_cb_insn_cpuid_t). RCX of `rdtscp` stays what the engine makes it: the hook replaces only the time.
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn time_stamp(handle: *mut uc_engine, state: *mut State) -> c_int {
    let mut pc = 0_u64;
    // SAFETY: as in `x86_64_block`; RIP has 8 bytes, and the engine allows reads of registers in hooks.
    let state = unsafe {
        expect(
            uc::uc_reg_read(handle, uc::RegisterX86::RIP as c_int, (&raw mut pc).cast()),
            "read the PC",
        );
        &mut *state
    };
    let counter = state.counter_at(pc);
    let mut halves = [counter & 0xffff_ffff, counter >> 32];
    let (ids, places) = x86_64::time_stamp_places(&mut halves);
    // SAFETY: two 64-bit registers with places of 8 bytes.
    expect(
        unsafe { uc::uc_reg_write_batch(handle, ids.as_ptr(), places.as_ptr(), 2) },
        "write the time stamp",
    );
    1
}

/// Hook of reads of system registers (uc_cb_insn_sys_t): answers those that would be random, and leaves the others to the engine.
///
/// # Safety
/// Called by the engine with a system register.
unsafe extern "C" fn read_system_register(
    handle: *mut uc_engine,
    x: uc::RegisterARM64,
    register: *const uc::RegisterARM64CP,
    _data: *mut c_void,
) -> u32 {
    // SAFETY: the engine gives a valid register description.
    let register = unsafe { &*register };
    // RNDR and RNDRRS are S3_3_C2_C4_0 and S3_3_C2_C4_1.
    if (register.op0, register.op1, register.crn, register.crm) != (3, 3, 2, 4) || register.op2 > 1
    {
        return 0;
    }
    let (mut value, mut nzcv) = (0, 0);
    let (ids, places) = aarch64::no_random_number(x as c_int, &mut value, &mut nzcv);
    // SAFETY: an X register with 8 bytes and the flags with 4.
    expect(
        unsafe { uc::uc_reg_write_batch(handle, ids.as_ptr(), places.as_ptr(), 2) },
        "write a register",
    );
    1
}
