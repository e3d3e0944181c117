//! Why user code stops, where PC is then, and how many instructions were counted: a table of programs for each ISA.

mod vcpu_common;

use isa::Isa;
use kernel_model::{Access, CpuExit};
use vcpu_common::*;

/// A page that is never mapped.
const NOWHERE: u64 = 0x60_0000;

fn fault(addr: u64, access: Access) -> CpuExit {
    CpuExit::PageFault {
        addr: isa::VirtAddr(addr),
        access,
    }
}

/// Runs each program once and compares (exit, offset of PC, retired instructions).
fn check(isa: Isa, cases: &[(&str, CpuExit, u64, u64)]) {
    for &(text, exit, at, retired) in cases {
        let mut machine = Machine::asm(isa, text);
        let result = machine.run(UNLIMITED);
        assert_eq!(
            (result.exit, machine.at(), result.retired),
            (exit, at, retired),
            "{isa}:\n{text}"
        );
    }
}

#[test]
fn x86_64_exits() {
    check(
        Isa::X86_64,
        &[
            ("syscall", CpuExit::Syscall, 2, 1),
            ("nop; nop; syscall; nop", CpuExit::Syscall, 4, 3),
            // Faults at the first, a middle and the last instruction of a block.
            (
                "mov eax, [0x600000]; nop; 1: jmp 1b",
                fault(NOWHERE, Access::Read),
                0,
                0,
            ),
            (
                "nop; nop; mov [0x600000], eax; nop; 1: jmp 1b",
                fault(NOWHERE, Access::Write),
                2,
                2,
            ),
            (
                "nop; nop; jmp [0x600000]",
                fault(NOWHERE, Access::Read),
                2,
                2,
            ),
            (
                "nop; mov eax, 0x600123; jmp rax",
                fault(NOWHERE + 0x123, Access::Fetch),
                0x200123,
                3,
            ),
            (
                "nop; mov rsp, 0x600100; call 1f; 1:",
                fault(NOWHERE, Access::Write),
                8,
                2,
            ),
            // A jump back into a block that has run does not confuse the count.
            (
                "mov ecx, 3; 1: nop; dec ecx; jnz 1b; mov eax, [0x600000]",
                fault(NOWHERE, Access::Read),
                10,
                10,
            ),
            (
                "mov eax, [0x400000]; mov [0x400000], eax",
                fault(CODE, Access::Write),
                7,
                1,
            ),
            ("nop; ud2", CpuExit::IllegalInstruction, 1, 1),
            (
                "nop; vaddps ymm0, ymm0, ymm0",
                CpuExit::IllegalInstruction,
                1,
                1,
            ),
            ("nop; rdrand rax", CpuExit::IllegalInstruction, 1, 1),
            (
                "nop; xor ecx, ecx; xgetbv",
                CpuExit::IllegalInstruction,
                3,
                2,
            ),
            ("nop; int3; nop", CpuExit::Breakpoint, 2, 2),
            ("nop; .byte 0xf1; nop", CpuExit::Breakpoint, 2, 2),
            (".byte 0xf1; nop", CpuExit::Breakpoint, 1, 1),
            ("nop; xor ecx, ecx; div ecx", CpuExit::DivideError, 3, 2),
            (
                "mov eax, 0x80000000; cdq; mov ecx, -1; idiv ecx",
                CpuExit::DivideError,
                11,
                3,
            ),
            ("nop; hlt", CpuExit::GeneralProtection, 1, 1),
            ("nop; cli", CpuExit::GeneralProtection, 1, 1),
            ("nop; mov rax, cr0", CpuExit::GeneralProtection, 1, 1),
            ("nop; in al, 0x60", CpuExit::GeneralProtection, 1, 1),
            (
                "nop; nop; out dx, al; nop; 1: jmp 1b",
                CpuExit::GeneralProtection,
                2,
                2,
            ),
            (
                "mov ecx, 2; mov edi, 0x500000; rep insb",
                CpuExit::GeneralProtection,
                10,
                2,
            ),
            ("nop; rdmsr", CpuExit::GeneralProtection, 1, 1),
            ("nop; sysretq", CpuExit::GeneralProtection, 1, 1),
            ("nop; int 0x80", CpuExit::GeneralProtection, 1, 1),
            ("nop; int 13", CpuExit::GeneralProtection, 1, 1),
            (
                "movabs rax, 0x8000000000000000; nop; mov ecx, [rax]",
                CpuExit::GeneralProtection,
                11,
                2,
            ),
            (
                "pushfq; or dword ptr [rsp], 0x100; popfq; nop; nop",
                CpuExit::Breakpoint,
                10,
                4,
            ),
            // REP: an iteration is an instruction, and so is finding that there is none left.
            (
                "mov ecx, 5; mov edi, 0x500000; rep stosb; syscall",
                CpuExit::Syscall,
                14,
                2 + 6 + 1,
            ),
            (
                "xor ecx, ecx; mov edi, 0x500000; rep stosb; syscall",
                CpuExit::Syscall,
                11,
                2 + 1 + 1,
            ),
            ("pause; pause; syscall", CpuExit::Syscall, 6, 3),
        ],
    );
}

#[test]
fn aarch64_exits() {
    check(
        Isa::Aarch64,
        &[
            ("svc #0", CpuExit::Syscall, 4, 1),
            ("nop; nop; svc #7; nop", CpuExit::Syscall, 12, 3),
            (
                "mov x0, #0x600000; ldr w1, [x0]; nop; b .",
                fault(NOWHERE, Access::Read),
                4,
                1,
            ),
            (
                "mov x0, #0x600000; nop; str w1, [x0, #8]; b .",
                fault(NOWHERE, Access::Write),
                8,
                2,
            ),
            (
                "mov x0, #0x600000; nop; br x0",
                fault(NOWHERE, Access::Fetch),
                0x20_0000,
                3,
            ),
            (
                "mov x0, #0x600000; add x0, x0, #0x124; br x0",
                fault(NOWHERE + 0x124, Access::Fetch),
                0x20_0124,
                3,
            ),
            (
                "mov x0, #3; 1: nop; subs x0, x0, #1; b.ne 1b; mov x1, #0x600000; ldr x1, [x1]",
                fault(NOWHERE, Access::Read),
                20,
                11,
            ),
            (
                "mov x0, #0x400000; ldr x1, [x0]; str x1, [x0]",
                fault(CODE, Access::Write),
                8,
                2,
            ),
            ("nop; udf #0", CpuExit::IllegalInstruction, 4, 1),
            ("nop; msr daifset, #2", CpuExit::IllegalInstruction, 4, 1),
            ("nop; mrs x0, ttbr0_el1", CpuExit::IllegalInstruction, 4, 1),
            (
                "nop; mrs x0, pmccntr_el0",
                CpuExit::IllegalInstruction,
                4,
                1,
            ),
            ("nop; hvc #0", CpuExit::IllegalInstruction, 4, 1),
            ("nop; brk #1", CpuExit::Breakpoint, 4, 1),
            ("nop; .inst 0x04a00000", CpuExit::IllegalInstruction, 4, 1),
            (
                "mov x0, #0x500000; add x0, x0, #1; ldxr x1, [x0]",
                CpuExit::AlignmentFault,
                8,
                2,
            ),
            (
                "adr x0, 1f; add x0, x0, #2; br x0; 1: nop; nop",
                CpuExit::AlignmentFault,
                14,
                3,
            ),
            ("wfe; wfi; yield; svc #0", CpuExit::Syscall, 16, 4),
            // The top byte of an address is ignored.
            (
                "mov x0, #0x500000; movk x0, #0x1200, lsl #48; str x1, [x0]; svc #0",
                CpuExit::Syscall,
                16,
                4,
            ),
            (
                "mrs x0, ctr_el0; mrs x1, dczid_el0; svc #0",
                CpuExit::Syscall,
                12,
                3,
            ),
        ],
    );
}

#[test]
fn syscall_clobbers_rcx_and_r11_on_x86_64() {
    let mut machine = Machine::asm(
        Isa::X86_64,
        "mov ecx, 1; mov r11d, 2; std; stc; syscall; mov rax, rcx; mov rbx, r11; syscall",
    );
    machine.run(UNLIMITED);
    assert_eq!((machine.reg(RCX), machine.reg(11)), (CODE + 15, 0x603));
    machine.run(UNLIMITED);
    assert_eq!(
        (machine.reg(RAX), machine.reg(RBX)),
        (CODE + 15, 0x603),
        "the guest sees it"
    );
}

#[test]
fn a_fault_is_repeated_until_it_is_cured_and_the_instruction_runs_once() {
    for (isa, text) in [
        (
            Isa::X86_64,
            "mov eax, 7; nop; add [0x600008], eax; adc ebx, 1; syscall",
        ),
        (
            Isa::Aarch64,
            "mov x0, #0x600000; mov w1, #7; str w1, [x0, #8]; svc #0",
        ),
    ] {
        let mut machine = Machine::asm(isa, text);
        let first = machine.run(UNLIMITED);
        // An x86_64 read-modify-write is refused as a write or as a read: both are right.
        assert!(
            matches!(
                first.exit,
                CpuExit::PageFault {
                    addr: isa::VirtAddr(NOWHERE),
                    ..
                }
            ),
            "{first:?}"
        );
        let at = machine.at();
        let again = machine.run(UNLIMITED);
        assert_eq!(
            (again.exit, again.retired, machine.at()),
            (first.exit, 0, at)
        );
        machine.map(NOWHERE, Rights::R);
        let readonly = machine.run(UNLIMITED);
        assert_eq!(
            (readonly.exit, readonly.retired),
            (fault(NOWHERE, Access::Write), 0)
        );
        machine.unmap(NOWHERE);
        machine.map(NOWHERE, Rights::RW);
        let last = machine.run(UNLIMITED);
        assert_eq!(last.exit, CpuExit::Syscall);
        assert_eq!(machine.peek_u64(NOWHERE + 8), 7);
        let total = text.split(';').count() as u64;
        assert_eq!(first.retired + last.retired, total, "{isa}");
    }
}

#[test]
fn rep_movs_goes_on_behind_a_page_fault() {
    let mut machine = Machine::asm(Isa::X86_64, "nop; rep movsb; syscall");
    machine.put(0x70_0000, &[0x5a; 8192], Rights::R);
    machine.map(0x60_0000, Rights::RW);
    machine.set_reg(RSI, 0x70_0000);
    machine.set_reg(RDI, 0x60_0ff0);
    machine.set_reg(RCX, 40);
    let first = machine.run(UNLIMITED);
    assert_eq!(first.exit, fault(0x60_1000, Access::Write));
    assert_eq!(
        (machine.reg(RCX), machine.reg(RDI), machine.at()),
        (24, 0x60_1000, 1)
    );
    assert_eq!(first.retired, 1 + 16);
    machine.map(0x60_1000, Rights::RW);
    let second = machine.run(UNLIMITED);
    assert_eq!(
        (second.exit, second.retired),
        (CpuExit::Syscall, 24 + 1 + 1)
    );
    assert_eq!(machine.peek::<40>(0x60_0ff0), [0x5a; 40]);
}

#[test]
fn divide_errors_and_protection_faults_stay_what_they_are_however_many_come() {
    let mut machine = Machine::asm(Isa::X86_64, "xor ecx, ecx; div ecx; hlt");
    for round in 0..4 {
        machine.set_pc(CODE);
        assert_eq!(
            machine.run(UNLIMITED).exit,
            CpuExit::DivideError,
            "round {round}"
        );
        assert_eq!(machine.at(), 2);
        machine.set_pc(CODE + 4);
        let result = machine.run(UNLIMITED);
        assert_eq!(
            (result.exit, result.retired, machine.at()),
            (CpuExit::GeneralProtection, 0, 4),
            "round {round}"
        );
    }
}

#[test]
fn a_budget_of_nothing_runs_nothing() {
    for isa in Isa::ALL {
        let mut machine = Machine::asm(isa, "nop");
        let result = machine.run(0);
        assert_eq!(
            (result.exit, result.retired, machine.at()),
            (CpuExit::Budget, 0, 0)
        );
    }
}

#[test]
fn kernel_addresses_are_not_for_users() {
    for (isa, text) in [
        (Isa::X86_64, "movabs rax, 0xfffffffff0000000; nop; jmp rax"),
        (Isa::Aarch64, "mov x0, #0xfffffffff0000000; nop; br x0"),
    ] {
        for target in [
            0xffff_ffff_f000_0000_u64,
            0xffff_8000_0000_0000,
            0xffff_8000_0000_1000,
        ] {
            let mut machine = Machine::asm(isa, text);
            assert_eq!(
                machine.run(2).exit,
                match isa {
                    Isa::X86_64 => CpuExit::PageFault {
                        addr: isa::VirtAddr(0xffff_ffff_f000_0000),
                        access: Access::Fetch
                    },
                    Isa::Aarch64 => CpuExit::PageFault {
                        addr: isa::VirtAddr(0xffff_ffff_f000_0000),
                        access: Access::Fetch
                    },
                }
            );
            machine.set_pc(target);
            let result = machine.run(UNLIMITED);
            assert_eq!(
                (result.exit, result.retired),
                (fault(target, Access::Fetch), 0),
                "{isa} {target:#x}"
            );
        }
    }
}
