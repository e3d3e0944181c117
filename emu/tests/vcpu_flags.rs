//! Flags that outlive a page fault: an instruction that reads the flags and stores is interrupted before it has done either, whatever the
//! engine has computed by then.

mod vcpu_common;

use isa::{Isa, RegisterFile};
use kernel_model::{Access, Cpu, CpuExit};
use vcpu_common::*;

/// What sets the flags, with rax = 5, rcx = 3, rdx = 7.
const PRODUCERS: &[&str] = &[
    "test eax, eax",
    "cmp rax, rdx",
    "cmp edx, eax",
    "sub al, cl",
    "add eax, 0x7fffffff",
    "adc eax, edx",
    "sbb rax, rdx",
    "neg rax",
    "inc edx",
    "dec al",
    "and rax, 0",
    "xor ebx, ebx",
    "xor eax, edx",
    "popcnt rbx, rax",
    "imul eax, edx",
    "shl eax, 3",
    "shl eax, cl",
    "sar rdx, cl",
    "ror eax, cl",
    "rol eax, 5",
    "bt eax, 2",
    "bsf ebx, eax",
    "cmp rax, 5; lea rbx, [rax + rdx]; mov ecx, edx",
    "ucomisd xmm0, xmm1",
    "cmp rax, rdx; jmp 1f; nop; 1:",
    "test rax, rdx; jmp 1f; nop; 1:",
    "stc",
    "clc",
];
/// What reads the flags and stores; DEST is a register or memory.
const CONDITIONS: [&str; 16] = [
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
];

#[test]
fn flags_outlive_a_fault_of_an_instruction_that_reads_them_and_stores() {
    let mut consumers: Vec<String> = CONDITIONS
        .iter()
        .map(|cc| format!("set{cc} DEST"))
        .collect();
    consumers.extend(["adc DEST, 1", "sbb DEST, 1"].map(str::to_owned));
    // One program for each pair: with a register, then with memory that is not there. They end with a system call each.
    let mut text = String::new();
    for producer in PRODUCERS {
        for consumer in &consumers {
            for dest in ["r8b", "byte ptr [rdi]"] {
                let consumer = consumer.replace("DEST", dest);
                text += &format!(".balign 64\n{producer}\n{consumer}\nsyscall\n");
            }
        }
    }
    let mut machine = Machine::asm(Isa::X86_64, &text);
    let mut start = CODE;
    for producer in PRODUCERS {
        for consumer in &consumers {
            let with_register = run(&mut machine, start, false);
            let with_memory = run(&mut machine, start + 64, true);
            assert_eq!(with_memory, with_register, "{producer}; {consumer}");
            start += 128;
        }
    }
}

/// Runs a program; the result is the flags, and the byte that was written.
fn run(machine: &mut Machine, start: u64, faults: bool) -> (u64, u8) {
    machine.set_pc(start);
    for (register, value) in [(RAX, 5), (RCX, 3), (RDX, 7), (RBX, 0), (RDI, DATA), (8, 0)] {
        machine.set_reg(register, value);
    }
    if let RegisterFile::X86_64(regs) = machine.context.regs_mut() {
        regs.rflags = 0x202;
        regs.xmm[0] = 0;
        regs.xmm[1] = u128::from(1.5f64.to_bits());
    }
    machine.poke(DATA, &[0]);
    if faults {
        let page = machine.unmap(DATA);
        let result = machine.run(UNLIMITED);
        let CpuExit::PageFault { addr, .. } = result.exit else {
            panic!("{:?}", result.exit)
        };
        assert_eq!(addr.0, DATA);
        // First only for reading, as a page that two nodes have: what reads and writes comes twice.
        let pfn = page.pfn;
        machine.alias(DATA, pfn, Rights::R);
        machine.cpu.flush_tlb();
        let result = machine.run(UNLIMITED);
        assert!(matches!(
            result.exit,
            CpuExit::PageFault {
                access: Access::Write,
                ..
            }
        ));
        machine.alias(DATA, pfn, Rights::RW);
        machine.cpu.flush_tlb();
    }
    assert_eq!(machine.run(UNLIMITED).exit, CpuExit::Syscall);
    // `syscall` puts the flags into r11.
    let flags = machine.reg(11) & 0x8d5;
    let written = if faults {
        machine.peek::<1>(DATA)[0]
    } else {
        machine.reg(8) as u8
    };
    (flags, written)
}
