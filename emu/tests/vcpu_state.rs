//! The state of threads on a vCPU: switches, atomics, what CPUID and the counters say, errors at creation.

mod vcpu_common;

use std::sync::Arc;

use emu::memory::Arena;
use emu::vcpu::{MAX_VCPUS, UnicornCpu};
use isa::{Isa, RegisterFile, VirtAddr};
use kernel_model::{Cpu, CpuExit, UserContext};
use vcpu_common::*;

/// A register file in which every register has a value of its own.
fn distinct(isa: Isa, seed: u64) -> RegisterFile {
    let mut regs = RegisterFile::new(isa);
    let wide = |i: u64| u128::from(seed * 1000 + i) << 64 | u128::from(!(seed * 777 + i));
    match &mut regs {
        RegisterFile::X86_64(regs) => {
            regs.gpr = std::array::from_fn(|i| seed << 32 | i as u64);
            regs.gpr[4] = STACK - 256;
            regs.xmm = std::array::from_fn(|i| wide(i as u64));
            (regs.fs_base, regs.gs_base) = (0x1234_5678_9000 + seed, 0x2234_5678_9000 + seed);
            regs.rflags = 0x202 | 1 | 0x40;
            regs.mxcsr = 0x1f80 | (seed as u32 & 3) << 13;
            regs.x87.control = 0x37f & !(seed as u16 & 1) << 8;
            regs.x87.status = 5 << 11;
            regs.x87.tag = 0x03ff;
            regs.x87.st = std::array::from_fn(|i| {
                let mut st = [seed as u8; 10];
                st[0] = i as u8;
                (st[7], st[8], st[9]) = (0x80, i as u8, 0x40);
                st
            });
        }
        RegisterFile::Aarch64(regs) => {
            regs.x = std::array::from_fn(|i| seed << 32 | i as u64);
            regs.sp = STACK - 256;
            regs.v = std::array::from_fn(|i| wide(i as u64));
            regs.tpidr_el0 = 0x1234_5678_9000 + seed;
            regs.pstate = ((5 + seed as u32) & 15) << 28;
            regs.fpcr = (seed as u32 & 3) << 22;
            regs.fpsr = seed as u32 & 1;
        }
    }
    regs.set_pc(VirtAddr(CODE));
    regs
}

#[test]
fn every_register_survives_switches() {
    for isa in Isa::ALL {
        let nothing = if isa == Isa::X86_64 {
            "0: nop; jmp 0b"
        } else {
            "0: nop; b 0b"
        };
        let mut machine = Machine::asm(isa, nothing);
        let originals = [1, 2, 3].map(|seed| distinct(isa, seed));
        let mut contexts =
            [1, 2, 3].map(|id| UserContext::new(id, originals[id as usize - 1].clone()));
        for _ in 0..3 {
            for (context, original) in contexts.iter_mut().zip(&originals) {
                let result = machine.cpu.run(context, &machine.pages, 10);
                assert_eq!((result.exit, result.retired), (CpuExit::Budget, 10));
                machine.cpu.switch_out(context);
                assert_eq!(context.regs(), original);
            }
        }
    }
}

#[test]
fn fp_registers_stay_in_the_cpu_until_the_switch_and_changes_reach_it() {
    for isa in Isa::ALL {
        let mut machine = Machine::asm(
            isa,
            match isa {
                Isa::X86_64 => "0: addsd xmm0, xmm1; syscall; jmp 0b",
                Isa::Aarch64 => "0: fadd d0, d0, d1; svc #0; b 0b",
            },
        );
        let set = |context: &mut UserContext, a: f64, b: f64| match context.all_regs_mut() {
            RegisterFile::X86_64(regs) => {
                (regs.xmm[0], regs.xmm[1]) = (a.to_bits().into(), b.to_bits().into())
            }
            RegisterFile::Aarch64(regs) => {
                (regs.v[0], regs.v[1]) = (a.to_bits().into(), b.to_bits().into())
            }
        };
        let get = |context: &UserContext| {
            f64::from_bits(match context.regs() {
                RegisterFile::X86_64(regs) => regs.xmm[0],
                RegisterFile::Aarch64(regs) => regs.v[0],
            } as u64)
        };
        let mut other = UserContext::new(2, machine.context.regs().clone());
        set(&mut machine.context, 1.5, 0.25);
        set(&mut other, 100.0, 1.0);
        for round in 1..4 {
            for _ in 0..2 {
                machine.run(UNLIMITED);
            }
            machine.cpu.switch_out(&mut machine.context);
            assert_eq!(
                get(&machine.context),
                1.5 + 0.25 * f64::from(2 * round),
                "{isa}"
            );
            machine.cpu.run(&mut other, &machine.pages, UNLIMITED);
            machine.cpu.switch_out(&mut other);
            assert_eq!(get(&other), 100.0 + f64::from(round), "{isa}");
        }
        set(&mut machine.context, 7.0, 1.0);
        machine.run(UNLIMITED);
        machine.cpu.switch_out(&mut machine.context);
        assert_eq!(get(&machine.context), 8.0, "{isa}");
    }
}

#[test]
fn rounding_modes_belong_to_the_thread() {
    // 1/3 rounded up and rounded down differ.
    for isa in Isa::ALL {
        let mut machine = Machine::asm(
            isa,
            match isa {
                Isa::X86_64 => "divsd xmm0, xmm1; movq rax, xmm0; syscall",
                Isa::Aarch64 => "fdiv d0, d0, d1; fmov x0, d0; svc #0",
            },
        );
        let mut results = Vec::new();
        for (id, mode) in [(10, 1), (11, 2), (12, 1)] {
            let mut context = UserContext::new(id, machine.context.regs().clone());
            match context.all_regs_mut() {
                RegisterFile::X86_64(regs) => {
                    (regs.xmm[0], regs.xmm[1]) = (1_f64.to_bits().into(), 3_f64.to_bits().into());
                    regs.mxcsr = 0x1f80 | mode << 13;
                }
                RegisterFile::Aarch64(regs) => {
                    (regs.v[0], regs.v[1]) = (1_f64.to_bits().into(), 3_f64.to_bits().into());
                    regs.fpcr = (3 - mode) << 22;
                }
            }
            machine.cpu.run(&mut context, &machine.pages, UNLIMITED);
            machine.cpu.switch_out(&mut context);
            results.push(context.regs().return_value());
        }
        // On both, mode 1 is down.
        assert_eq!(
            results,
            [
                0x3fd5_5555_5555_5555,
                0x3fd5_5555_5555_5556,
                0x3fd5_5555_5555_5555
            ],
            "{isa}"
        );
    }
}

/// Two threads add to one counter in turn, with slices that end inside the atomic sequence.
#[test]
fn atomics_lose_nothing_between_threads() {
    let programs = [
        (
            Isa::X86_64,
            "mov ecx, 1000; 0: mov eax, [rdi]; 1: lea edx, [rax + 1]; lock cmpxchg [rdi], edx; jne 1b; dec ecx; jnz 0b; syscall",
        ),
        (
            Isa::X86_64,
            "mov ecx, 1000; 0: lock inc dword ptr [rdi]; dec ecx; jnz 0b; syscall",
        ),
        (
            Isa::Aarch64,
            "mov w1, #1000; 0: ldxr w2, [x7]; add w2, w2, #1; cbz w2, 0b; stxr w3, w2, [x7]; cbnz w3, 0b; subs w1, w1, #1; b.ne 0b; svc #0",
        ),
        (
            Isa::Aarch64,
            "mov w1, #1000; mov w2, #1; 0: ldadd w2, w3, [x7]; subs w1, w1, #1; b.ne 0b; svc #0",
        ),
        (
            Isa::Aarch64,
            "mov w1, #1000; 0: ldr w2, [x7]; 1: mov w4, w2; add w3, w2, #1; casal w2, w3, [x7]; cmp w2, w4; b.ne 1b; subs w1, w1, #1; b.ne 0b; svc #0",
        ),
    ];
    for (isa, text) in programs {
        let mut machine = Machine::asm(isa, text);
        let mut runs = Vec::new();
        for _ in 0..2 {
            machine.poke(DATA, &[0; 8]);
            let mut total = 0;
            let mut regs = machine.context.regs().clone();
            regs.set_pc(VirtAddr(CODE));
            match &mut regs {
                RegisterFile::X86_64(regs) => regs.gpr[RDI] = DATA,
                RegisterFile::Aarch64(regs) => regs.x[7] = DATA,
            }
            let mut threads = [21, 22, 23].map(|id| (UserContext::new(id, regs.clone()), false));
            for budget in (1..12).cycle() {
                for (thread, done) in threads.iter_mut().filter(|(_, done)| !done) {
                    let result = machine.cpu.run(thread, &machine.pages, budget);
                    machine.cpu.switch_out(thread);
                    total += result.retired;
                    *done = result.exit == CpuExit::Syscall;
                }
                if threads.iter().all(|(_, done)| *done) {
                    break;
                }
            }
            assert_eq!(machine.peek_u64(DATA), 3000, "{isa}: {text}");
            runs.push(total);
        }
        assert_eq!(runs[0], runs[1], "{isa}: the same again takes as long");
    }
}

#[test]
fn cpuid_is_that_of_a_nehalem_whatever_the_host_is() {
    let mut machine = Machine::asm(Isa::X86_64, "cpuid; syscall");
    let mut leaf = |leaf: u64| {
        machine.set_pc(CODE);
        machine.set_reg(RAX, leaf);
        machine.set_reg(RCX, 0);
        // ECX is gone after the system call instruction; stop before it.
        machine.run(UNLIMITED);
        [RAX, RBX, RDX].map(|register| machine.reg(register) as u32)
    };
    assert_eq!(leaf(0)[1..], [0x756e_6547, 0x4965_6e69], "GenuineIntel");
    assert_eq!(leaf(1)[0], 0x106a3, "family 6, model 26, stepping 3");
    assert_eq!(leaf(7)[1], 0, "no AVX2, no RDSEED, no BMI");

    let mut machine = Machine::asm(Isa::X86_64, "mov eax, 1; cpuid; mov eax, ecx; syscall");
    machine.run(UNLIMITED);
    let features = machine.reg(RAX);
    let has = |bit: u32| features & 1 << bit != 0;
    assert!(
        has(0) && has(9) && has(13) && has(19) && has(20) && has(23),
        "SSE3 to SSE4.2, CX16, POPCNT: {features:#x}"
    );
    assert!(
        !has(12) && !has(26) && !has(27) && !has(28) && !has(30),
        "no FMA, XSAVE, AVX, RDRAND: {features:#x}"
    );
}

#[test]
fn counters_count_instructions_exactly_and_however_they_are_sliced() {
    let programs = [
        (
            Isa::X86_64,
            "nop; rdtsc; mov esi, eax; nop; jmp 0f; 0: mov ecx, 5; 1: dec ecx; jnz 1b; nop; rdtsc; sub eax, esi; mov ebx, esi; syscall",
            RBX,
            RAX,
            1,
            16,
        ),
        (
            Isa::Aarch64,
            "nop; mrs x1, cntvct_el0; nop; b 0f; 0: mov x2, #5; 1: subs x2, x2, #1; b.ne 1b; nop; mrs x0, cntvct_el0; sub x0, x0, x1; svc #0",
            1,
            0,
            1,
            15,
        ),
    ];
    for (isa, text, start, difference, before, between) in programs {
        for budget in [UNLIMITED, 1, 2, 3] {
            let mut machine = Machine::asm(isa, text);
            machine.cpu.set_ticks(5000);
            let result = machine.run_sliced(|| budget);
            assert_eq!(result.exit, CpuExit::Syscall);
            assert_eq!(
                machine.reg(start),
                5000 + before,
                "{isa}, slices of {budget}"
            );
            assert_eq!(
                machine.reg(difference),
                between,
                "{isa}, slices of {budget}"
            );
            assert_eq!(machine.cpu.ticks(), 5000 + result.retired);
        }
    }
    let mut machine = Machine::asm(
        Isa::Aarch64,
        "mrs x0, cntfrq_el0; mrs xzr, cntpct_el0; svc #0",
    );
    assert_eq!(machine.run(UNLIMITED).retired, 3);
    assert_eq!(machine.reg(0), 1_000_000_000);
}

#[test]
fn there_are_no_random_numbers_of_the_host() {
    // RNDR says that it has none: the result is 0 and Z is set.
    let mut machine = Machine::asm(
        Isa::Aarch64,
        "cmp x1, #1; mov x0, #7; mrs x0, rndr; cset x2, eq; mrs x3, tpidr_el0; svc #0",
    );
    assert_eq!(machine.run(UNLIMITED).retired, 6);
    assert_eq!([0, 2].map(|x| machine.reg(x)), [0, 1]);
}

#[test]
fn a_panic_of_the_page_tables_comes_out_of_the_run() {
    struct Broken;
    impl kernel_model::Mmu for Broken {
        fn asid(&self) -> u64 {
            9
        }
        fn translate(
            &self,
            _: VirtAddr,
            _: kernel_model::Access,
        ) -> Option<kernel_model::Translation> {
            panic!("the page tables are on fire")
        }
    }
    let mut machine = Machine::asm(Isa::X86_64, "syscall");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        machine.cpu.run(&mut machine.context, &Broken, 5)
    }));
    assert_eq!(
        *panic.unwrap_err().downcast_ref::<&str>().unwrap(),
        "the page tables are on fire"
    );
    assert_eq!(
        machine.run(UNLIMITED).exit,
        CpuExit::Syscall,
        "and the vCPU still works"
    );
}

#[test]
fn a_node_has_a_limit_of_vcpus() {
    let memory = Arc::new(Arena::new(16).unwrap());
    for _ in 0..MAX_VCPUS {
        drop(UnicornCpu::new(Isa::X86_64, Arc::clone(&memory)).unwrap());
    }
    let error = UnicornCpu::new(Isa::X86_64, memory).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a node can have at most 32 vCPUs, and this would be one more"
    );
}

#[test]
fn a_vcpu_may_change_threads() {
    let mut machine = Machine::asm(Isa::Aarch64, "0: nop; b 0b");
    machine.run(10);
    let (mut cpu, mut context, pages) = (machine.cpu, machine.context, machine.pages);
    let result = std::thread::spawn(move || cpu.run(&mut context, &pages, 10))
        .join()
        .unwrap();
    assert_eq!(result.retired, 10);
}
