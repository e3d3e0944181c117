//! A Unicorn instance in virtual-TLB mode: the few calls of its C interface that a vCPU needs, with Rust types around them.
//!
//! The safe Rust binding of Unicorn keeps its hooks as closures behind a shared cell, which costs a third of the speed when a hook
//! runs at every block. So the C interface is called directly. Left out: memory hooks, contexts (but for [`Engine::computed_flags`]), `count`.

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

use isa::{Isa, PAGE_SIZE, Pfn};
use unicorn_engine_sys as uc;

use super::VcpuError;

pub(super) use uc::{HookType, uc_engine, uc_error};

/// Physical address of the page with the engine's own code, behind any possible node memory.
pub(super) const STUB_PHYS: u64 = 1 << 40;

/// Where that page is mapped while the engine runs its own code: an address that no guest can have.
pub(super) const STUB_VIRT: u64 = 0xffff_ffff_f000_0000;

/// Where a physical page is mapped while its code is being dropped: this address plus the physical one.
pub(super) const WINDOW_VIRT: u64 = 0xffff_8000_0000_0000;

/// An instance of the engine.
#[derive(Debug)]
pub(super) struct Engine {
    handle: NonNull<uc_engine>,
}

// SAFETY: an instance keeps all its state behind its handle and is not tied to the thread that made it; `Engine` is the only owner,
// and no method hands out more than the handle for use inside hooks, which run on the thread that called `start`.
unsafe impl Send for Engine {}

/// `uc_ctl` with one argument that is written.
fn write_1(control: uc::ControlType) -> uc::ControlType {
    uc::ControlType(control.0 | 1 << 26 | uc::ControlType::IO_WRITE.0)
}

impl Engine {
    /// Opens an instance for user code of an ISA.
    pub fn open(isa: Isa) -> Result<Self, VcpuError> {
        let (arch, mode) = match isa {
            Isa::X86_64 => (uc::Arch::X86, uc::Mode::MODE_64),
            Isa::Aarch64 => (uc::Arch::ARM64, uc::Mode::LITTLE_ENDIAN),
        };
        let mut handle = ptr::null_mut();
        // SAFETY: `handle` is a valid place for the result.
        let result = unsafe { uc::uc_open(arch, mode, &raw mut handle) };
        check(result, "open an instance")?;
        let handle = NonNull::new(handle).expect("uc_open succeeded without a handle");
        let engine = Self { handle };
        let model = match isa {
            Isa::X86_64 => uc::X86CpuModel::NEHALEM as c_int,
            Isa::Aarch64 => uc::Arm64CpuModel::MAX as c_int,
        };
        // SAFETY: the handle is open, and each control takes one int as encoded by `write_1`. Model and page size come before the
        // first call that initialises the instance, as they must.
        unsafe {
            let handle = engine.handle();
            check(
                uc::uc_ctl(handle, write_1(uc::ControlType::CPU_MODEL), model),
                "choose the CPU model",
            )?;
            if isa == Isa::Aarch64 {
                let control = write_1(uc::ControlType::UC_PAGE_SIZE);
                check(
                    uc::uc_ctl(handle, control, PAGE_SIZE as c_int),
                    "set 4 KiB pages",
                )?;
            }
            let control = write_1(uc::ControlType::TLB_TYPE);
            check(
                uc::uc_ctl(handle, control, uc::TlbType::VIRTUAL as c_int),
                "use a virtual TLB",
            )?;
        }
        Ok(engine)
    }

    /// The raw handle.
    pub fn handle(&self) -> *mut uc_engine {
        self.handle.as_ptr()
    }

    /// Makes host memory the physical memory at an address.
    ///
    /// # Safety
    /// The memory must stay valid until the engine is dropped, and all other access to it must be atomic.
    pub unsafe fn map(&self, phys: u64, size: u64, memory: NonNull<u8>) -> Result<(), VcpuError> {
        // SAFETY: the caller vouches for the memory.
        let result = unsafe {
            uc::uc_mem_map_ptr(
                self.handle(),
                phys,
                size,
                uc::Prot::ALL.0,
                memory.as_ptr().cast(),
            )
        };
        check(result, "map the node's memory")
    }

    /// Adds a hook for all addresses.
    ///
    /// # Safety
    /// `callback` must be the address of a function of the type that the hook asks for, and `data` what it expects there, valid as
    /// long as the engine is.
    pub unsafe fn hook(
        &self,
        kind: HookType,
        callback: *mut c_void,
        data: *mut c_void,
        instruction: Option<c_int>,
    ) -> Result<(), VcpuError> {
        // SAFETY: the caller vouches for callback and data.
        check(
            unsafe { add_hook(self.handle(), kind, callback, data, instruction) },
            "install a hook",
        )
    }

    /// Runs from `pc` until a hook stops it, something fails, or `until` is reached (0: nowhere).
    pub fn start(&self, pc: u64, until: u64) -> uc_error {
        // SAFETY: the handle is open, and no run is under way: hooks never call this.
        unsafe { uc::uc_emu_start(self.handle(), pc, until, 0, 0) }
    }

    /// Drops all TLB entries.
    pub fn flush_tlb(&self) {
        let control = uc::ControlType(uc::ControlType::TLB_FLUSH.0 | uc::ControlType::IO_WRITE.0);
        // SAFETY: the handle is open; this control has no argument.
        expect(
            unsafe { uc::uc_ctl(self.handle(), control) },
            "flush the TLB",
        );
    }

    /// Drops the translated code of a frame. The TLB-fill hook must map the window, and the TLB wants flushing afterwards.
    pub fn drop_code(&self, pfn: Pfn) {
        let start = WINDOW_VIRT + pfn.start().0;
        let control = uc::ControlType::TB_REMOVE_CACHE.0 | 2 << 26 | uc::ControlType::IO_WRITE.0;
        // SAFETY: the handle is open; this control takes two 64-bit addresses.
        expect(
            unsafe {
                uc::uc_ctl(
                    self.handle(),
                    uc::ControlType(control),
                    start,
                    start + PAGE_SIZE,
                )
            },
            "drop code",
        );
    }

    /// The x86_64 engine's variable `cc_src`, which holds flags that it has computed; `None` if it is not found.
    ///
    /// No call of the interface gives it, so it is looked up in a saved context: the general registers are there as an array, then come
    /// RIP, the other flags, `cc_dst`, and this.
    pub fn computed_flags(&self, gpr: &[u64; 16]) -> Option<u64> {
        let mut context = ptr::null_mut();
        // SAFETY: the handle is open, and `context` a valid place for the result.
        let result = unsafe { uc::uc_context_alloc(self.handle(), &raw mut context) };
        expect(result, "allocate a context");
        // SAFETY: the handle is open and no run is under way; the context was just allocated for this engine.
        let (result, size) = unsafe {
            (
                uc::uc_context_save(self.handle(), context),
                uc::uc_context_size(self.handle()),
            )
        };
        expect(result, "save a context");
        // SAFETY: a context is one piece of memory of that size, all of which the two calls have written but for padding and what the
        // engine keeps in it; it is copied byte by byte before it is freed.
        let bytes: Vec<u8> = (0..size)
            .map(|at| unsafe { context.cast::<u8>().add(at).read_volatile() })
            .collect();
        // SAFETY: the context is not used again.
        expect(unsafe { uc::uc_context_free(context) }, "free a context");
        let words: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
            .collect();
        let at = words.windows(16).position(|window| window == gpr)?;
        words.get(at + 16 + 3).copied()
    }

    /// Reads registers into places.
    ///
    /// # Safety
    /// Each place must be valid for a write of its register's size.
    pub unsafe fn read(&self, registers: &[c_int], places: &[*mut c_void]) {
        assert_eq!(registers.len(), places.len());
        // SAFETY: the caller vouches for the places; the engine does not change the table of pointers.
        let result = unsafe {
            uc::uc_reg_read_batch(
                self.handle(),
                registers.as_ptr(),
                places.as_ptr().cast_mut(),
                registers.len() as c_int,
            )
        };
        expect(result, "read registers");
    }

    /// Writes registers from places.
    ///
    /// # Safety
    /// Each place must be valid for a read of its register's size.
    pub unsafe fn write(&self, registers: &[c_int], places: &[*mut c_void]) {
        assert_eq!(registers.len(), places.len());
        // SAFETY: the caller vouches for the places.
        let result = unsafe {
            uc::uc_reg_write_batch(
                self.handle(),
                registers.as_ptr(),
                places.as_ptr(),
                registers.len() as c_int,
            )
        };
        expect(result, "write registers");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: the handle is open and not used again.
        expect(unsafe { uc::uc_close(self.handle()) }, "close an instance");
    }
}

/// Stops the run that the calling hook belongs to, at the next block boundary.
///
/// # Safety
/// `handle` must be that of the engine that called the hook.
pub(super) unsafe fn stop(handle: *mut uc_engine) {
    // SAFETY: the engine is open while it calls hooks.
    expect(unsafe { uc::uc_emu_stop(handle) }, "stop a run");
}

/// Adds a hook for all addresses, from outside or inside a run.
///
/// # Safety
/// The handle must be open; otherwise as [`Engine::hook`].
pub(super) unsafe fn add_hook(
    handle: *mut uc_engine,
    kind: HookType,
    callback: *mut c_void,
    data: *mut c_void,
    instruction: Option<c_int>,
) -> uc_error {
    let mut hook = 0;
    // SAFETY: the caller vouches for handle, callback and data. `begin` above `end` means everywhere. Only instruction hooks take one
    // more argument, an int.
    unsafe {
        match instruction {
            Some(instruction) => uc::uc_hook_add(
                handle,
                &raw mut hook,
                kind.0 as c_int,
                callback,
                data,
                1,
                0,
                instruction,
            ),
            None => uc::uc_hook_add(handle, &raw mut hook, kind.0 as c_int, callback, data, 1, 0),
        }
    }
}

/// Turns a failure during creation into an error.
fn check(result: uc_error, what: &'static str) -> Result<(), VcpuError> {
    match result {
        uc_error::OK => Ok(()),
        error => Err(VcpuError::Engine {
            what,
            message: error.to_string(),
        }),
    }
}

/// A call that fails only if its arguments are wrong, which they are not.
pub(super) fn expect(result: uc_error, what: &str) {
    assert_eq!(result, uc_error::OK, "the engine could not {what}");
}
