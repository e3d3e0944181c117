//! The count of retired instructions: equal to that of an engine with a hook at every instruction, and the same however a run is sliced.

mod vcpu_common;

use isa::{Isa, PAGE_SIZE, RegisterFile};
use kernel_model::{Cpu, CpuExit};
use proptest::prelude::*;
use unicorn_engine::{Arch, Mode, Prot, RegisterARM64, RegisterX86, Unicorn};
use vcpu_common::*;

/// Integer and floating-point work with calls, a switch, string instructions (on x86_64, for the copy) and a system call at the end.
const PROGRAM: &str = r#"
typedef unsigned long u64;
#define NOINLINE __attribute__((noinline))
static NOINLINE u64 fib(u64 n);
static NOINLINE u64 collatz(u64 n);
static NOINLINE double series(int n);
static NOINLINE void copy(char *to, const char *from, u64 n);
static NOINLINE void finish(u64 value);

__attribute__((section(".text"))) void _start(void) {
    volatile u64 buffer[64];
    u64 sum = fib(12);
    for (u64 i = 1; i < 40; i++) {
        buffer[i % 64] = collatz(i);
        sum = sum * 31 + buffer[i % 64];
    }
    copy((char *)buffer + 8, (const char *)buffer + 16, 300);
    finish(sum ^ buffer[5] ^ (u64)(series(50) * 1000000.0));
}
static NOINLINE u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static NOINLINE u64 collatz(u64 n) {
    u64 steps = 0;
    for (; n != 1; steps++) switch (n % 4) {
        case 0: n /= 4; break;
        case 2: n /= 2; break;
        default: n = 3 * n + 1;
    }
    return steps;
}
static NOINLINE double series(int n) {
    double sum = 0;
    for (int i = 1; i <= n; i++) sum += 1.0 / (double)(i * i);
    return sum;
}
#ifdef __x86_64__
static NOINLINE void copy(char *to, const char *from, u64 n) { __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory"); }
static NOINLINE void finish(u64 value) { __asm__ volatile("syscall" :: "a"(60), "D"(value) : "rcx", "r11"); __builtin_unreachable(); }
#else
static NOINLINE void copy(char *to, const char *from, u64 n) { while (n--) { *to++ = *from++; __asm__ volatile("" ::: "memory"); } }
static NOINLINE void finish(u64 value) { register u64 x0 __asm__("x0") = value; __asm__ volatile("svc #0" :: "r"(x0)); __builtin_unreachable(); }
#endif
"#;

/// Instructions up to and with the first system call, counted one by one by a plain engine.
fn reference_count(isa: Isa, code: &[u8]) -> u64 {
    let (arch, mode, sp) = match isa {
        Isa::X86_64 => (Arch::X86, Mode::MODE_64, i32::from(RegisterX86::RSP)),
        Isa::Aarch64 => (
            Arch::ARM64,
            Mode::LITTLE_ENDIAN,
            i32::from(RegisterARM64::SP),
        ),
    };
    let mut engine = Unicorn::new_with_data(arch, mode, 0_u64).unwrap();
    engine.mem_map(CODE, 0x1_0000, Prot::ALL).unwrap();
    engine
        .mem_map(STACK - 4 * PAGE_SIZE, 4 * PAGE_SIZE, Prot::ALL)
        .unwrap();
    engine.mem_map(DATA, PAGE_SIZE, Prot::ALL).unwrap();
    engine.mem_write(CODE, code).unwrap();
    engine.reg_write(sp, STACK - 64).unwrap();
    if isa == Isa::Aarch64 {
        engine.reg_write(RegisterARM64::CPACR_EL1, 3 << 20).unwrap();
    }
    engine
        .add_code_hook(1, 0, |engine, _, _| *engine.get_data_mut() += 1)
        .unwrap();
    match isa {
        Isa::X86_64 => {
            let stop = |engine: &mut Unicorn<'_, u64>| engine.emu_stop().unwrap();
            engine
                .add_insn_sys_hook(unicorn_engine::X86Insn::SYSCALL, 1, 0, stop)
                .unwrap();
        }
        Isa::Aarch64 => {
            engine
                .add_intr_hook(|engine, _| engine.emu_stop().unwrap())
                .unwrap();
        }
    }
    engine.emu_start(CODE, 0, 0, 0).unwrap();
    *engine.get_data()
}

/// Everything that a run leaves behind.
fn trace_of(machine: &mut Machine) -> (RegisterFile, [u8; 1024]) {
    machine.cpu.switch_out(&mut machine.context);
    (machine.context.regs().clone(), machine.peek(STACK - 1024))
}

#[test]
fn the_count_is_that_of_single_steps() {
    for isa in Isa::ALL {
        let code = compile_c(isa, PROGRAM);
        let mut machine = Machine::new(isa, &code);
        let result = machine.run(UNLIMITED);
        assert_eq!(result.exit, CpuExit::Syscall);
        assert!(result.retired > 5000, "{isa}: {result:?}");
        assert_eq!(result.retired, reference_count(isa, &code), "{isa}");
    }
}

#[test]
fn every_instruction_counts_by_itself() {
    // With a budget of 1, runs end at each block boundary; restarted there, blocks and counts stay the same.
    for isa in Isa::ALL {
        let code = compile_c(isa, PROGRAM);
        let mut whole = Machine::new(isa, &code);
        let total = whole.run(UNLIMITED);
        let mut sliced = Machine::new(isa, &code);
        let sum = sliced.run_sliced(|| 1);
        assert_eq!(sum, total, "{isa}");
        assert_eq!(trace_of(&mut sliced), trace_of(&mut whole), "{isa}");
    }
}

#[test]
fn a_slice_ends_at_the_first_boundary_at_or_behind_its_budget() {
    // Blocks of 3 and 2 instructions in turn.
    for (isa, text) in [
        (Isa::X86_64, "0: nop; nop; jmp 1f; nop; 1: nop; jmp 0b"),
        (Isa::Aarch64, "0: nop; nop; b 1f; nop; 1: nop; b 0b"),
    ] {
        for (budget, retired) in [
            (1, 3),
            (3, 3),
            (4, 5),
            (5, 5),
            (6, 8),
            (8, 8),
            (9, 10),
            (1000, 1000),
            (1001, 1003),
        ] {
            let mut machine = Machine::asm(isa, text);
            let result = machine.run(budget);
            assert_eq!(
                (result.exit, result.retired),
                (CpuExit::Budget, retired),
                "{isa}, budget {budget}"
            );
        }
    }
}

#[test]
fn flushes_and_other_address_spaces_do_not_change_counts() {
    // Two programs at one address, whose blocks have equal addresses and sizes but different counts (x86_64).
    let (a, b) = (
        "mov eax, 0x90909090; dec ecx; jnz -7; syscall",
        "nop; nop; nop; nop; nop; dec ecx; jnz -7; syscall",
    );
    let assemble = |text: &str| assemble(Isa::X86_64, &text.replace("jnz -7", ".byte 0x75, 0xf7"));
    let (a, b) = (assemble(a), assemble(b));
    assert_eq!(a.len(), b.len());
    let mut machine = Machine::new(Isa::X86_64, &a);
    let mut other = machine.pages.clone();
    other.asid = 7;
    let frame = machine.map(0x80_0000, Rights::RW);
    machine.poke(0x80_0000, &b);
    let page = other.map.get_mut(&(CODE / PAGE_SIZE)).unwrap();
    page.pfn = frame;
    for round in 0..3 {
        for per_turn in [3, 7] {
            machine.set_reg(RCX, 10);
            machine.set_pc(CODE);
            let result = machine.run(UNLIMITED);
            assert_eq!(
                (result.exit, result.retired),
                (CpuExit::Syscall, 10 * per_turn + 1),
                "round {round}"
            );
            std::mem::swap(&mut machine.pages, &mut other);
        }
        // The same within one address space: another frame appears at the address.
        let code = machine.unmap(CODE);
        machine.alias(CODE, frame, Rights::RX);
        machine.set_reg(RCX, 10);
        machine.set_pc(CODE);
        assert_eq!(machine.run(UNLIMITED).retired, 71, "round {round}");
        machine.unmap(CODE);
        machine.alias(CODE, code.pfn, Rights::RX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slicing_changes_nothing(isa in prop::sample::select(Isa::ALL.to_vec()), budgets in prop::collection::vec(1_u64..3000, 1..40), flush in any::<bool>()) {
        let code = compile_c(isa, PROGRAM);
        let mut whole = Machine::new(isa, &code);
        let total = whole.run(UNLIMITED);
        let mut sliced = Machine::new(isa, &code);
        let (mut retired, mut exit, mut turn) = (0, CpuExit::Budget, 0);
        while exit == CpuExit::Budget {
            if flush {
                sliced.cpu.flush_tlb();
                sliced.cpu.switch_out(&mut sliced.context);
            }
            let result = sliced.run(budgets[turn % budgets.len()]);
            (retired, exit, turn) = (retired + result.retired, result.exit, turn + 1);
        }
        prop_assert_eq!((exit, retired), (total.exit, total.retired));
        prop_assert_eq!(trace_of(&mut sliced), trace_of(&mut whole));
    }
}
