//! Code that changes and pages that come and go: W^X, self-modifying code, writes by the kernel and by another vCPU, page borders.

mod vcpu_common;

use std::sync::Arc;

use emu::vcpu::UnicornCpu;
use isa::{Isa, PAGE_SIZE, RegisterFile, VirtAddr};
use kernel_model::{Access, Cpu, CpuExit, RunResult, UserContext};
use vcpu_common::*;

const PLAYGROUND: u64 = 0x60_0000;

/// A function that returns `value`, for a call; 6 bytes on x86_64, 8 on aarch64.
fn function(isa: Isa, value: u8) -> Vec<u8> {
    match isa {
        Isa::X86_64 => vec![0xb8, value, 0, 0, 0, 0xc3],
        Isa::Aarch64 => [0xd280_0000_u32 | u32::from(value) << 5, 0xd65f_03c0]
            .map(u32::to_le_bytes)
            .concat(),
    }
}

/// Calls the playground and makes a system call with what it returns.
fn caller(isa: Isa) -> &'static str {
    match isa {
        Isa::X86_64 => "mov ecx, 0x600000; call rcx; syscall",
        Isa::Aarch64 => "mov x9, #0x600000; blr x9; svc #0",
    }
}

/// The value that the caller got.
fn call(machine: &mut Machine) -> u64 {
    machine.set_pc(CODE);
    let result = machine.run(UNLIMITED);
    assert_eq!((result.exit, result.retired), (CpuExit::Syscall, 5));
    machine.reg(0)
}

#[test]
fn code_written_by_the_kernel_is_what_runs() {
    for isa in Isa::ALL {
        for tell in [false, true] {
            let mut machine = Machine::asm(isa, caller(isa));
            machine.map(PLAYGROUND, Rights::RX);
            for value in 1..5 {
                machine.poke(PLAYGROUND, &function(isa, value));
                if tell {
                    let pfn = machine.pages.map[&(PLAYGROUND / PAGE_SIZE)].pfn;
                    machine.cpu.invalidate_code(pfn);
                }
                assert_eq!(call(&mut machine), u64::from(value), "{isa}");
            }
        }
    }
}

#[test]
fn code_written_by_another_vcpu_is_what_runs() {
    for isa in Isa::ALL {
        let mut machine = Machine::asm(isa, caller(isa));
        let pfn = machine.map(PLAYGROUND, Rights::RX);
        machine.alias(0x61_0000, pfn, Rights::RW);
        machine.put(
            0x40_2000,
            &assemble(
                isa,
                match isa {
                    Isa::X86_64 => "mov [rdi], rsi; syscall",
                    Isa::Aarch64 => "str x7, [x6]; svc #0",
                },
            ),
            Rights::RX,
        );
        let mut writer = UnicornCpu::new(isa, Arc::clone(&machine.memory)).unwrap();
        let mut regs = RegisterFile::new(isa);
        regs.set_pc(VirtAddr(0x40_2000));
        let mut thread = UserContext::new(2, regs);
        for value in 1..8 {
            let mut bytes = function(isa, value);
            bytes.resize(8, 0);
            let word = u64::from_le_bytes(bytes.try_into().unwrap());
            match thread.regs_mut() {
                RegisterFile::X86_64(regs) => (regs.gpr[RDI], regs.gpr[RSI]) = (0x61_0000, word),
                RegisterFile::Aarch64(regs) => (regs.x[6], regs.x[7]) = (0x61_0000, word),
            }
            thread.regs_mut().set_pc(VirtAddr(0x40_2000));
            assert_eq!(
                writer.run(&mut thread, &machine.pages, UNLIMITED).exit,
                CpuExit::Syscall
            );
            assert_eq!(call(&mut machine), u64::from(value), "{isa}");
        }
    }
}

#[test]
fn a_guest_may_write_its_own_code_in_place_or_through_an_alias() {
    let x86_64 = "
        mov ebx, 1
    1:  mov byte ptr [rdi + 1], bl
        call rcx
        add edx, eax
        inc ebx
        cmp ebx, 6
        jne 1b
        syscall";
    let aarch64 = "
        mov w1, #1
        mov w2, #0
    1:  ldr w3, [x6]
        bfi w3, w1, #5, #16
        str w3, [x6]
        dc cvau, x6
        dsb ish
        ic ivau, x9
        dsb ish
        isb
        blr x9
        add w2, w2, w0
        add w1, w1, #1
        cmp w1, #6
        b.ne 1b
        svc #0";
    for (isa, text, retired) in [
        (Isa::X86_64, x86_64, 1 + 5 * 8 + 1),
        (Isa::Aarch64, aarch64, 2 + 5 * 15 + 1),
    ] {
        for alias in [PLAYGROUND, 0x61_0000] {
            let mut machine = Machine::asm(isa, text);
            let pfn = machine.map(PLAYGROUND, Rights::All);
            machine.poke(PLAYGROUND, &function(isa, 0));
            machine.alias(0x61_0000, pfn, Rights::RW);
            match machine.context.regs_mut() {
                RegisterFile::X86_64(regs) => (regs.gpr[RDI], regs.gpr[RCX]) = (alias, PLAYGROUND),
                RegisterFile::Aarch64(regs) => (regs.x[6], regs.x[9]) = (alias, PLAYGROUND),
            }
            let result = machine.run(UNLIMITED);
            assert_eq!(
                result,
                RunResult {
                    exit: CpuExit::Syscall,
                    retired
                },
                "{isa} {alias:#x}"
            );
            assert_eq!(machine.reg(2), 1 + 2 + 3 + 4 + 5, "{isa} {alias:#x}");
        }
    }
}

#[test]
fn every_store_to_a_page_of_code_is_noticed() {
    // Two functions in one page are run, then rewritten one after the other, then run again, three times.
    let x86_64 = "
        mov ebx, 1
    1:  mov byte ptr [rdi + 1], bl
        mov byte ptr [rdi + 17], bl
        call rcx
        add edx, eax
        lea rsi, [rcx + 16]
        call rsi
        add edx, eax
        inc ebx
        cmp ebx, 4
        jne 1b
        syscall";
    let aarch64 = "
        mov w1, #1
        mov w2, #0
    1:  ldr w3, [x6]
        bfi w3, w1, #5, #16
        str w3, [x6]
        str w3, [x6, #16]
        isb
        blr x9
        add w2, w2, w0
        add x10, x9, #16
        blr x10
        add w2, w2, w0
        add w1, w1, #1
        cmp w1, #4
        b.ne 1b
        svc #0";
    for (isa, text) in [(Isa::X86_64, x86_64), (Isa::Aarch64, aarch64)] {
        for alias in [PLAYGROUND, 0x61_0000] {
            let mut machine = Machine::asm(isa, text);
            let pfn = machine.map(PLAYGROUND, Rights::All);
            machine.alias(0x61_0000, pfn, Rights::RW);
            machine.poke(PLAYGROUND, &function(isa, 0));
            machine.poke(PLAYGROUND + 16, &function(isa, 0));
            match machine.context.regs_mut() {
                RegisterFile::X86_64(regs) => (regs.gpr[RDI], regs.gpr[RCX]) = (alias, PLAYGROUND),
                RegisterFile::Aarch64(regs) => (regs.x[6], regs.x[9]) = (alias, PLAYGROUND),
            }
            assert_eq!(machine.run(UNLIMITED).exit, CpuExit::Syscall);
            assert_eq!(machine.reg(2), 2 * (1 + 2 + 3), "{isa} {alias:#x}");
        }
    }
}

#[test]
fn a_store_into_its_own_block_takes_effect_at_once_and_is_counted_once() {
    // (program, index of the register that shows it, its value, instructions)
    let cases = [
        // The store changes an instruction behind it in the same block.
        (
            "mov byte ptr [rip + 1f + 1], 42; nop; 1: mov eax, 1; nop; syscall",
            RAX,
            42,
            5,
        ),
        // It is the last instruction of its block.
        (
            "lea rsp, [rip + 2f]; mov eax, 3; 1: call 2f; .balign 16; nop; nop; nop; nop; nop; nop; nop; nop; 2: nop; syscall",
            RAX,
            3,
            5,
        ),
        // A loop that changes an immediate of its own every time.
        (
            "mov ecx, 9; 0: inc byte ptr [rip + 1f + 2]; nop; 1: add edx, 1; dec ecx; jnz 0b; syscall",
            RDX,
            2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10,
            1 + 9 * 5 + 1,
        ),
    ];
    for (text, register, value, retired) in cases {
        let code = assemble(Isa::X86_64, text);
        let mut machine = Machine::new(Isa::X86_64, &code);
        machine
            .pages
            .map
            .get_mut(&(CODE / PAGE_SIZE))
            .unwrap()
            .write = true;
        let frame = machine.pages.map[&(CODE / PAGE_SIZE)].pfn;
        let result = machine.run(UNLIMITED);
        assert_eq!(
            result,
            RunResult {
                exit: CpuExit::Syscall,
                retired
            },
            "{text}"
        );
        assert_eq!(machine.reg(register), value, "{text}");

        // The same, with stores through another page that leads to the code.
        let mut machine = Machine::new(Isa::X86_64, &code);
        assert_eq!(machine.pages.map[&(CODE / PAGE_SIZE)].pfn, frame);
        machine.alias(CODE + PAGE_SIZE, frame, Rights::RW);
        let aliased = assemble(
            Isa::X86_64,
            &text
                .replace("rip + 1f", "rip + 1f + 0x1000")
                .replace("rip + 2f", "rip + 2f + 0x1000"),
        );
        machine.poke(CODE, &aliased);
        let result = machine.run(UNLIMITED);
        assert_eq!(
            result,
            RunResult {
                exit: CpuExit::Syscall,
                retired
            },
            "aliased: {text}"
        );
        assert_eq!(machine.reg(register), value, "aliased: {text}");
    }
}

#[test]
fn protection_holds_after_any_order_of_accesses() {
    for isa in Isa::ALL {
        // Read, then write, then execute a page that is only readable and executable; then one that is only writable.
        let mut machine = Machine::asm(
            isa,
            match isa {
                Isa::X86_64 => "mov eax, [rdi]; call rdi; mov [rdi], eax",
                Isa::Aarch64 => "ldr w1, [x6]; blr x6; str w1, [x6]",
            },
        );
        machine.put(PLAYGROUND, &function(isa, 9), Rights::RX);
        machine.set_reg(if isa == Isa::X86_64 { RDI } else { 6 }, PLAYGROUND);
        let fault = |access| CpuExit::PageFault {
            addr: VirtAddr(PLAYGROUND),
            access,
        };
        assert_eq!(
            machine.run(UNLIMITED),
            RunResult {
                exit: fault(Access::Write),
                retired: 4
            },
            "{isa}"
        );
        machine.unmap(PLAYGROUND);
        machine.map(PLAYGROUND, Rights::RW);
        machine.set_pc(CODE);
        assert_eq!(
            machine.run(UNLIMITED),
            RunResult {
                exit: fault(Access::Fetch),
                retired: 2
            },
            "{isa}"
        );
    }
}

#[test]
fn a_withdrawn_page_is_gone_and_comes_back() {
    for isa in Isa::ALL {
        let mut machine = Machine::asm(isa, caller(isa));
        machine.put(PLAYGROUND, &function(isa, 5), Rights::RX);
        assert_eq!(call(&mut machine), 5);
        let page = machine.unmap(PLAYGROUND);
        machine.set_pc(CODE);
        let exit = CpuExit::PageFault {
            addr: VirtAddr(PLAYGROUND),
            access: Access::Fetch,
        };
        assert_eq!(machine.run(UNLIMITED), RunResult { exit, retired: 2 });
        machine.alias(PLAYGROUND, page.pfn, Rights::RX);
        assert_eq!(
            machine.run(UNLIMITED),
            RunResult {
                exit: CpuExit::Syscall,
                retired: 3
            }
        );
    }
}

#[test]
fn what_comes_before_a_missing_page_of_code_runs_first() {
    // Five instructions that end 2 bytes before the page does, then one that crosses, then a system call.
    let text = "mov ebx, 1; mov [0x500000], ebx; inc ebx; mov [0x500004], ebx; nop; mov ecx, 0x12345678; syscall";
    let code = assemble(Isa::X86_64, text);
    let before = code.len() as u64 - 5 - 2;
    let start = CODE + PAGE_SIZE - 2 - before;
    let second = CODE + PAGE_SIZE;
    // The block may have been translated whole before the page went.
    for warm in [false, true] {
        let mut machine = Machine::new(Isa::X86_64, &[0x90]);
        machine.put(start, &code, Rights::RX);
        if warm {
            machine.set_pc(start);
            assert_eq!(machine.run(UNLIMITED).retired, 7);
            machine.poke(DATA, &[0; 8]);
        }
        let page = machine.unmap(second);
        machine.set_pc(start);
        let result = machine.run(UNLIMITED);
        let exit = CpuExit::PageFault {
            addr: VirtAddr(second),
            access: Access::Fetch,
        };
        assert_eq!(result, RunResult { exit, retired: 5 }, "warm: {warm}");
        assert_eq!(machine.context.regs().pc(), VirtAddr(second - 2));
        assert_eq!(machine.peek::<8>(DATA), [1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(machine.run(UNLIMITED), RunResult { exit, retired: 0 });
        machine.alias(second, page.pfn, Rights::RX);
        assert_eq!(
            machine.run(UNLIMITED),
            RunResult {
                exit: CpuExit::Syscall,
                retired: 2
            }
        );
        assert_eq!(
            machine.reg(RCX),
            second + 3 + 2,
            "RCX is the return address"
        );
    }
}

#[test]
fn code_runs_from_page_to_page() {
    let mut machine = Machine::new(Isa::Aarch64, &[]);
    let nop = 0xd503_201f_u32.to_le_bytes();
    machine.put(CODE + PAGE_SIZE - 8, &[nop, nop].concat(), Rights::RX);
    machine.set_pc(CODE + PAGE_SIZE - 8);
    let exit = CpuExit::PageFault {
        addr: VirtAddr(CODE + PAGE_SIZE),
        access: Access::Fetch,
    };
    assert_eq!(machine.run(UNLIMITED), RunResult { exit, retired: 2 });
    machine.put(
        CODE + PAGE_SIZE,
        &assemble(Isa::Aarch64, "nop; svc #0"),
        Rights::RX,
    );
    assert_eq!(
        machine.run(UNLIMITED),
        RunResult {
            exit: CpuExit::Syscall,
            retired: 2
        }
    );
}
