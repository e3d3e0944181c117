//! Guests that mean harm: calls with any arguments and files with any bytes give errors, never a panic, and everything is given back.

use isa::Isa;
use isa::syscall::Sysno;
use kernel_model::process::start_process;
use proptest::prelude::*;

use crate::script::{CODE, DATA, Node, Op, Val, call, exit, program, run_with};

/// Numbers that have broken kernels before, and some that are plain.
fn argument() -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        1,
        3,
        4,
        8,
        16,
        24,
        0x22,
        0x32,
        4095,
        4096,
        8192,
        CODE,
        DATA,
        DATA + 0xffc,
        DATA + 0x1000,
        DATA + 0x1fff,
        0x7fff_ffff_e000,
        0x7fff_ffff_f000,
        0x8000_0000_0000,
        1 << 31,
        u64::from(u32::MAX),
        1 << 63,
        u64::MAX - 4095,
        u64::MAX - 99,
        u64::MAX,
    ];
    prop_oneof![4 => prop::sample::select(edges), 1 => any::<u64>()]
}

fn any_call() -> impl Strategy<Value = Op> {
    let calls: Vec<_> = Sysno::all()
        .filter(|sysno| sysno.number(Isa::Aarch64).is_some())
        .collect();
    (
        prop::sample::select(calls),
        prop::collection::vec(argument(), 6),
    )
        .prop_map(|(sysno, args)| call(sysno, &args))
}

/// The calls that exist come more often.
fn known_call() -> impl Strategy<Value = Op> {
    use Sysno::*;
    let calls = vec![
        Futex,
        Write,
        Writev,
        Read,
        Readv,
        Openat,
        Fstat,
        Newfstatat,
        Lseek,
        Fcntl,
        Dup,
        Dup3,
        Readlinkat,
        Getcwd,
        Mmap,
        Munmap,
        Mprotect,
        Madvise,
        Brk,
        Mremap,
        SetTidAddress,
        SchedGetaffinity,
        Getcpu,
        ClockGettime,
        Gettimeofday,
        RtSigaction,
        RtSigprocmask,
        Getrandom,
        Prlimit64,
        Uname,
        Pread64,
    ];
    (
        prop::sample::select(calls),
        prop::collection::vec(argument(), 6),
    )
        .prop_map(|(sysno, args)| call(sysno, &args))
}

proptest! {
    #[test]
    fn no_call_breaks_the_kernel(calls in prop::collection::vec(prop_oneof![3 => known_call(), 1 => any_call()], 1..40)) {
        let mut script = calls;
        script.push(exit(0));
        // A thread that such a call makes by accident may run the same script; every path ends or sleeps.
        let (status, node) = run_with(script, &[], 256);
        if status.is_some() {
            prop_assert_eq!(node.kernel.frames.borrow().used(), 0);
            prop_assert!(node.kernel.tasks.borrow().is_empty());
        }
    }

    #[test]
    fn no_file_breaks_the_loader(edits in prop::collection::vec((0..176_usize, any::<u8>()), 1..12), cut in 0..0x3000_usize) {
        let mut file = program(4);
        for (at, byte) in edits {
            file[at] = byte;
        }
        file.truncate(0x3000 - cut);
        let node = Node::new(vec![Op::Load(Val::Imm(DATA), 0)], &[("/hostile", file)], 64);
        if let Err(error) = start_process(&node.kernel, "/hostile", &[], &[]) {
            prop_assert!(!error.to_string().is_empty());
            prop_assert_eq!(node.kernel.frames.borrow().used(), 0);
        }
    }
}
