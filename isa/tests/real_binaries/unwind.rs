//! Call chains of real stacks: a program takes a snapshot of its registers and stack under qemu-user, and the chain is found in it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use isa::unwind::{CallChain, Method, Stop, Unwinder};
use isa::{Aarch64Regs, ElfImage, Gpr, Isa, RegisterFile, VirtAddr};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::build::Program;

/// Words of stack in a snapshot.
const STACK_WORDS: usize = 256;

/// `snapshot` stores {pc, sp, fp, callee-saved registers} in 16 words and then the stack; `program` writes that out and ends.
const SOURCE: &str = r#"
#ifdef WITHOUT_CFI
#define CFI(directive)
#else
#define CFI(directive) directive "\n"
#endif
unsigned long buffer[16 + 256];
void snapshot(unsigned long *out);
#ifdef __x86_64__
__asm__(
    ".text\n.globl snapshot\n.type snapshot,@function\nsnapshot:\n" CFI(".cfi_startproc")
    "pushq %rbp\n" CFI(".cfi_def_cfa_offset 16") CFI(".cfi_offset %rbp, -16")
    "movq %rsp, %rbp\n" CFI(".cfi_def_cfa_register %rbp")
    "leaq 0f(%rip), %rax\n0: movq %rax, (%rdi)\nmovq %rsp, 8(%rdi)\nmovq %rbp, 16(%rdi)\nmovq %rbx, 24(%rdi)\n"
    "movq %r12, 32(%rdi)\nmovq %r13, 40(%rdi)\nmovq %r14, 48(%rdi)\nmovq %r15, 56(%rdi)\n"
    "leaq 128(%rdi), %rdi\nmovq %rsp, %rsi\nmovl $256, %ecx\nrep movsq\n"
    "popq %rbp\n" CFI(".cfi_def_cfa %rsp, 8") "ret\n" CFI(".cfi_endproc") ".size snapshot, .-snapshot\n"
    ".globl _start\n.type _start,@function\n_start:\n" CFI(".cfi_startproc") CFI(".cfi_undefined %rip")
    "xorl %ebp, %ebp\ncall program\nhlt\n" CFI(".cfi_endproc") ".size _start, .-_start\n");
static long call3(long n, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
#define WRITE 1
#define EXIT 60
#else
__asm__(
    ".text\n.globl snapshot\n.type snapshot,@function\nsnapshot:\n" CFI(".cfi_startproc")
    "stp x29, x30, [sp, #-16]!\n" CFI(".cfi_def_cfa_offset 16") CFI(".cfi_offset x29, -16") CFI(".cfi_offset x30, -8")
    "mov x29, sp\nadr x9, 0f\n0: str x9, [x0]\nmov x9, sp\nstr x9, [x0, #8]\nstr x29, [x0, #16]\n"
    "stp x19, x20, [x0, #24]\nstp x21, x22, [x0, #40]\nstp x23, x24, [x0, #56]\nstp x25, x26, [x0, #72]\n"
    "stp x27, x28, [x0, #88]\nstr x30, [x0, #104]\n"
    "add x0, x0, #128\nmov x10, #256\n1: ldr x11, [x9], #8\nstr x11, [x0], #8\nsubs x10, x10, #1\nb.ne 1b\n"
    "ldp x29, x30, [sp], #16\n" CFI(".cfi_def_cfa_offset 0") CFI(".cfi_restore x29") CFI(".cfi_restore x30") "ret\n"
    CFI(".cfi_endproc") ".size snapshot, .-snapshot\n"
    ".globl _start\n.type _start,%function\n_start:\n" CFI(".cfi_startproc") CFI(".cfi_undefined x30")
    "mov x29, #0\nmov x30, #0\nbl program\nbrk #0\n" CFI(".cfi_endproc") ".size _start, .-_start\n");
static long call3(long n, long a, long b, long c) {
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
#define WRITE 64
#define EXIT 93
#endif
volatile int sink;
__attribute__((noinline)) int leaf(int *p) { snapshot(buffer); return *p + sink; }
__attribute__((noinline)) int middle(int n) {
    volatile int size = 20 + n;
    volatile int local[size];
    for (int i = 0; i < size; i++) local[i] = i * n;
    return leaf((int *)&local[n]) + local[3];
}
__attribute__((noinline)) int outer(int a, int b, int c) { int x = middle(a); return x + a * b + middle(c); }
void program(void) {
    volatile char room[8 * 256];
    room[0] = 1;
    sink = outer(1, 2, 3) + room[0];
    call3(WRITE, 1, (long)buffer, sizeof buffer);
    call3(EXIT, 0, 0, 0);
}
"#;

/// A program and what it looked like inside `snapshot`.
struct Snapshot {
    image: ElfImage,
    regs: RegisterFile,
    stack: Vec<u64>,
}

impl Snapshot {
    fn take(isa: Isa, compile: &[&str]) -> Snapshot {
        let bytes = Program {
            compile,
            ..Program::new(SOURCE)
        }
        .bytes(isa);
        let dir = TempDir::new().expect("a temporary directory");
        let path = dir.path().join("it");
        std::fs::write(&path, &bytes).expect("write the program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .expect("make it executable");
        let emulator = format!("qemu-{}", isa.name());
        let output = Command::new(&emulator).arg(&path).output();
        let output = output.unwrap_or_else(|error| {
            panic!("{emulator} does not start ({error}); is qemu-user installed?")
        });
        assert!(output.status.success(), "{emulator}: {output:?}");
        let words: Vec<u64> = output
            .stdout
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(*word.first_chunk().expect("eight bytes")))
            .collect();
        assert_eq!(words.len(), 16 + STACK_WORDS);
        let (saved, stack) = words.split_at(16);

        let mut regs = RegisterFile::new(isa);
        regs.set_pc(VirtAddr(saved[0]));
        regs.set_sp(VirtAddr(saved[1]));
        regs.set_fp(VirtAddr(saved[2]));
        match &mut regs {
            RegisterFile::X86_64(regs) => {
                for (gpr, &value) in [Gpr::Rbx, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15]
                    .into_iter()
                    .zip(&saved[3..])
                {
                    regs[gpr] = value;
                }
            }
            RegisterFile::Aarch64(regs) => {
                regs.x[19..29].copy_from_slice(&saved[3..13]);
                regs.x[Aarch64Regs::LR] = saved[13];
            }
        }
        Snapshot {
            image: ElfImage::parse(&bytes).expect("it ran"),
            regs,
            stack: stack.to_vec(),
        }
    }

    fn read(&self, address: VirtAddr) -> Option<u64> {
        let offset = address.0.checked_sub(self.regs.sp().0)?;
        self.stack
            .get(usize::try_from(offset / 8).ok()?)
            .copied()
            .filter(|_| offset % 8 == 0)
    }

    fn chain(&self, limit: usize) -> CallChain {
        Unwinder::new(&self.image).chain(&self.regs, limit, |address| self.read(address))
    }
}

/// The functions of a chain without the distances into them.
fn functions(chain: &CallChain) -> Vec<String> {
    let name = |name: &String| name.split('+').next().map(str::to_owned);
    let names = chain
        .frames
        .iter()
        .map(|frame| frame.function.as_ref().and_then(name));
    names
        .map(|name| name.unwrap_or_else(|| "?".to_owned()))
        .collect()
}

const CHAIN: [&str; 6] = ["snapshot", "leaf", "middle", "outer", "program", "_start"];

/// Flags that leave only one of the two ways, or both.
const OMIT_FP: &[&str] = &["-fomit-frame-pointer", "-O2"];
const KEEP_FP: &[&str] = &["-fno-omit-frame-pointer", "-O1"];
const NO_TABLES: &[&str] = &[
    "-fno-omit-frame-pointer",
    "-O1",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-DWITHOUT_CFI",
];

#[test]
fn every_caller_is_found() {
    for isa in Isa::ALL {
        for (flags, method) in [
            (OMIT_FP, Method::UnwindInfo),
            (KEEP_FP, Method::UnwindInfo),
            (NO_TABLES, Method::FramePointer),
        ] {
            let chain = Snapshot::take(isa, flags).chain(100);
            assert_eq!(functions(&chain), CHAIN, "{isa} {flags:?} {chain:#?}");
            assert_eq!(chain.stop, Stop::Outermost, "{isa} {flags:?}");
            assert!(
                chain.frames[..5].iter().all(|frame| frame.method == method),
                "{isa} {flags:?}"
            );
            let cfas: Vec<_> = chain.frames[..5].iter().map(|frame| frame.cfa).collect();
            assert!(
                cfas.windows(2).all(|pair| pair[0] < pair[1]),
                "{isa} {cfas:?}"
            );
        }
    }
}

#[test]
fn chains_that_cannot_be_completed_say_why() {
    for isa in Isa::ALL {
        let snapshot = Snapshot::take(isa, KEEP_FP);
        let unwinder = Unwinder::new(&snapshot.image);

        let limited = snapshot.chain(3);
        assert_eq!(functions(&limited), CHAIN[..3]);
        assert_eq!(limited.stop, Stop::Limit);

        let blind = unwinder.chain(&snapshot.regs, 100, |_| None);
        assert!(
            matches!(blind.stop, Stop::Unreadable(_)),
            "{:?}",
            blind.stop
        );
        assert_eq!(functions(&blind), ["snapshot"]);

        let mut lost = snapshot.regs.clone();
        lost.set_pc(VirtAddr(0x10));
        let lost = unwinder.chain(&lost, 100, |address| snapshot.read(address));
        assert_eq!(
            (lost.frames.len(), lost.stop),
            (1, Stop::OutsideCode(VirtAddr(0x10)))
        );

        // A stack on which every word is the address of the leaf never gets anywhere outside the stack's own bounds.
        let leaf = snapshot.image.symbol("leaf").expect("it is global").0 + 8;
        let circular = unwinder.chain(&snapshot.regs, 100, |_| Some(leaf));
        assert_ne!(circular.stop, Stop::Outermost);
    }
}

#[test]
fn a_thread_at_its_first_instruction_has_one_frame() {
    for isa in Isa::ALL {
        let snapshot = Snapshot::take(isa, KEEP_FP);
        let mut regs = RegisterFile::new(isa);
        regs.set_pc(snapshot.image.entry());
        regs.set_sp(VirtAddr(0x7fff_0000));
        let chain = Unwinder::new(&snapshot.image).chain(&regs, 100, |_| Some(1));
        assert_eq!(functions(&chain), ["_start"]);
        assert_eq!(chain.stop, Stop::Outermost);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_unwind_information_and_stacks_never_panic(
        aarch64 in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        word in any::<u64>(),
        sp in any::<u64>(),
        fp in any::<u64>(),
    ) {
        let isa = if aarch64 { Isa::Aarch64 } else { Isa::X86_64 };
        let mut bytes = crate::build::sample(isa).to_vec();
        let image = ElfImage::parse(&bytes).expect("it is in order");
        let eh_frame = image.section(".eh_frame").expect("it has unwind information").file.clone();
        for (at, with) in edits {
            bytes[eh_frame.start + at.index(eh_frame.len())] = with;
        }
        let damaged = ElfImage::parse(&bytes).expect("only the unwind information changed");
        let mut regs = RegisterFile::new(isa);
        regs.set_pc(VirtAddr(image.symbol("middle").expect("it is global").0 + 8));
        regs.set_sp(VirtAddr(sp));
        regs.set_fp(VirtAddr(fp));
        let chain = Unwinder::new(&damaged).chain(&regs, 20, |address| Some(address.0 ^ word));
        prop_assert!(!chain.frames.is_empty() && chain.frames.len() <= 20);
    }
}
