//! Frames of both ISAs: where their parts lie, and that a frame gives back the thread that it was built from.

use zerocopy::little_endian::U64;

use super::*;
use crate::{Aarch64Regs, Gpr, Isa, X86_64Regs};

const SP: u64 = 0x7fff_1238;

/// A thread with another value in every register.
fn thread(isa: Isa) -> RegisterFile {
    let mut regs = RegisterFile::new(isa);
    match &mut regs {
        RegisterFile::X86_64(regs) => {
            for (index, gpr) in regs.gpr.iter_mut().enumerate() {
                *gpr = 0x100 + index as u64;
            }
            for (index, xmm) in regs.xmm.iter_mut().enumerate() {
                *xmm = u128::MAX - index as u128;
            }
            regs.rflags = 0x202 | X86_64Regs::ARITHMETIC_FLAGS | 1 << 10;
            regs.mxcsr = 0x1fa0;
            regs.x87.control = 0x27f;
            // Top at 7: ST(0) is physical register 7.
            regs.x87.status = 7 << 11;
            regs.x87.tag = 0x3fff;
            regs.x87.st[0] = [1, 2, 3, 4, 5, 6, 7, 0x80, 0, 0x40];
        }
        RegisterFile::Aarch64(regs) => {
            for (index, x) in regs.x.iter_mut().enumerate() {
                *x = 0x100 + index as u64;
            }
            for (index, v) in regs.v.iter_mut().enumerate() {
                *v = u128::MAX - index as u128;
            }
            (regs.pstate, regs.fpcr, regs.fpsr) = (0x6000_0000, 0x0300_0000, 0x1f);
        }
    }
    regs.set_pc(VirtAddr(0x40_1234));
    regs.set_sp(VirtAddr(SP));
    regs
}

fn entry() -> Entry {
    Entry {
        handler: VirtAddr(0x40_5000),
        restorer: VirtAddr(0x40_6000),
        siginfo: true,
        info: Siginfo::sent(10, Siginfo::SI_USER, 1000, 0),
        fault: None,
        mask: 0x55,
        altstack: Sigaltstack {
            sp: U64::new(0x1000),
            flags: 0.into(),
            pad: 0.into(),
            size: U64::new(0x4000),
        },
        stack: None,
    }
}

#[test]
fn a_frame_gives_back_its_thread() {
    for isa in Isa::ALL {
        let before = thread(isa);
        let entry = entry();
        let frame = build(&before, &entry);
        // The handler has returned to the restorer, with every register changed.
        let mut regs = RegisterFile::new(isa);
        let popped = if isa == Isa::X86_64 { 8 } else { 0 };
        regs.set_sp(frame.at.wrapping_add(popped));
        let (at, len) = place(&regs).unwrap();
        assert_eq!(at, frame.at);
        let returned = restore(&mut regs, &frame.bytes[..len]).unwrap();
        if let Some(fp_state) = returned.fp_state {
            assert!(fp_state.0.is_multiple_of(64));
            let offset = (fp_state.0 - at.0) as usize;
            let bytes = frame.bytes[offset..offset + FP_STATE_LEN]
                .try_into()
                .unwrap();
            restore_fp_state(&mut regs, bytes);
        }
        assert_eq!((returned.mask, returned.altstack), (0x55, entry.altstack));
        assert_eq!(regs, before, "{isa}");
    }
}

#[test]
fn handlers_are_entered_by_the_rules_of_their_isa() {
    let frame = build(&thread(Isa::X86_64), &entry());
    let regs = frame.regs.as_x86_64().unwrap();
    assert_eq!(regs[Gpr::Rsp] % 16, 8, "as behind a call");
    assert!(
        frame.at.0 + frame.bytes.len() as u64 <= SP - 128,
        "the red zone is spared"
    );
    assert_eq!(get(&frame.bytes, 0), 0x40_6000);
    assert_eq!((regs[Gpr::Rdi], regs.rip), (10, 0x40_5000));
    // Linux: ucontext 8 behind the return address, siginfo 304 behind that.
    assert_eq!(
        (
            regs[Gpr::Rdx] - regs[Gpr::Rsp],
            regs[Gpr::Rsi] - regs[Gpr::Rdx]
        ),
        (8, 304)
    );
    assert_eq!(regs.rflags & (1 << 10), 0, "DF is clear");

    let frame = build(&thread(Isa::Aarch64), &entry());
    let regs = frame.regs.as_aarch64().unwrap();
    assert!(regs.sp.is_multiple_of(16));
    assert_eq!(
        (regs.x[0], regs.x[1], regs.x[2]),
        (10, regs.sp, regs.sp + 128)
    );
    assert_eq!((regs.pc, regs.x[Aarch64Regs::LR]), (0x40_5000, 0x40_6000));
    // The frame record is that of the interrupted function.
    let record = (regs.x[Aarch64Regs::FP] - regs.sp) as usize;
    assert_eq!(
        (get(&frame.bytes, record), get(&frame.bytes, record + 8)),
        (0x11d, 0x11e)
    );
    // Offsets of <asm/sigcontext.h> and <asm/ucontext.h>: pc, and the first record.
    assert_eq!(get(&frame.bytes, 128 + 176 + 264), 0x40_1234);
    assert_eq!(get32(&frame.bytes, 128 + 176 + 288), 0x4650_8001);
}

#[test]
fn a_fault_is_described() {
    let fault = FaultContext {
        addr: VirtAddr(0xdead_0000),
        write: true,
        fetch: false,
        present: false,
    };
    let entry = Entry {
        fault: Some(fault),
        ..entry()
    };
    let frame = build(&thread(Isa::X86_64), &entry);
    let context = 8 + 40;
    assert_eq!(
        [152, 160, 176].map(|at| get(&frame.bytes, context + at)),
        [6, 14, 0xdead_0000]
    );
    let frame = build(&thread(Isa::Aarch64), &entry);
    assert_eq!(get(&frame.bytes, 128 + 176), 0xdead_0000);
    assert_eq!(get32(&frame.bytes, 128 + 176 + 288 + 528), 0x4553_5201);
    assert_eq!(get(&frame.bytes, 128 + 176 + 288 + 536), 0x9200_0047);
}

#[test]
fn frames_on_another_stack_begin_at_its_top() {
    for isa in Isa::ALL {
        let entry = Entry {
            stack: Some(VirtAddr(0x9000)),
            ..entry()
        };
        let frame = build(&thread(isa), &entry);
        let end = frame.at.0 + frame.bytes.len() as u64;
        assert!(end <= 0x9000 && end > 0x9000 - 64, "{isa}: {end:#x}");
    }
}

#[test]
fn what_user_space_may_not_set_is_refused_or_dropped() {
    let frame = build(&thread(Isa::Aarch64), &entry());
    let mut regs = frame.regs.clone();
    let (_, len) = place(&regs).unwrap();
    let restored = |change: fn(&mut [u8])| {
        let mut bytes = frame.bytes[..len].to_vec();
        change(&mut bytes);
        restore(&mut frame.regs.clone(), &bytes)
    };
    // A mode other than EL0, no FP/SIMD record, a record that runs over the end.
    assert_eq!(restored(|b| put(b, 128 + 176 + 272, 5)), Err(BadFrame));
    assert_eq!(restored(|b| put(b, 128 + 176 + 288, 0)), Err(BadFrame));
    assert_eq!(
        restored(|b| put(b, 128 + 176 + 288, 0xffff_ffff_4650_8001)),
        Err(BadFrame)
    );
    regs.set_sp(VirtAddr(0x1008));
    assert_eq!(place(&regs), Err(BadFrame));

    let frame = build(&thread(Isa::X86_64), &entry());
    let mut regs = frame.regs.clone();
    let (_, len) = place(&regs).unwrap();
    let mut bytes = frame.bytes[..len].to_vec();
    put(&mut bytes, 8 + 40 + 136, u64::MAX);
    restore(&mut regs, &bytes).unwrap();
    assert_eq!(
        regs.as_x86_64().unwrap().rflags,
        X86_64Regs::sanitise_rflags(u64::MAX)
    );
}
