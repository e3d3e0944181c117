//! Areas: fetched when first touched, changed by whoever asks, decided at home.

use isa::Errno;
use isa::syscall::{PopcornCall, Sysno};
use kernel_model::Profile;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;
use msglayer::messages::{VmaInfoRequest, VmaInfoResponse, VmaOpRequest, VmaOpResponse};
use msglayer::{Message, MessageType};

use crate::support::script::{BSS, DATA_END, Imm, RODATA, Ret, V, call, exit_group, migrate};
use crate::support::{Cluster, Op, Outcome, Setup, Val, What};

/// Where the tests map, and how much.
const AREA: u64 = 0x1000_0000;
const LEN: u64 = 0x4000;

const READ: u64 = 1;
const READ_WRITE: u64 = 3;
const PRIVATE_ANON: u64 = 0x22;

/// Maps at [`AREA`], which is free, so that the wish is granted.
fn map_area() -> Vec<Op> {
    vec![
        call(
            Sysno::Mmap,
            &[AREA, LEN, READ_WRITE, PRIVATE_ANON, u64::MAX, 0],
        ),
        Op::Expect(Ret, Imm(AREA)),
    ]
}

fn ok(sysno: Sysno, args: &[u64]) -> [Op; 2] {
    [call(sysno, args), Op::Expect(Ret, Imm(0))]
}

fn reads(addr: u64, value: u64) -> [Op; 2] {
    [Op::Load(0, Imm(addr)), Op::Expect(V(0, 0), Imm(value))]
}

/// Addresses of all fetches, by which node, and what home said.
fn fetches(cluster: &Cluster) -> Vec<(usize, u64)> {
    cluster
        .recorder
        .messages::<VmaInfoRequest>()
        .iter()
        .map(|(from, _, m)| (*from, m.addr.get()))
        .collect()
}

/// All VMA operations in order: requests as (from, to, operation), answers as (from, to, result).
fn operations(cluster: &Cluster) -> Vec<String> {
    cluster.recorder.pick(|from, what| match what {
        What::Send {
            to,
            kind: MessageType::VmaOpRequest,
            bytes,
        } => {
            let m = VmaOpRequest::parse(bytes).expect("a request");
            Some(format!(
                "{from}>{to} {:?} {:#x}",
                m.op().expect("an operation"),
                m.addr.get()
            ))
        }
        What::Send {
            to,
            kind: MessageType::VmaOpResponse,
            bytes,
        } => {
            let m = VmaOpResponse::parse(bytes).expect("a response");
            Some(format!("{from}>{to} {} {:#x}", m.ret.get(), m.addr.get()))
        }
        _ => None,
    })
}

fn segfault() -> Outcome {
    Outcome::Exited(ExitStatus::Signaled(Signal::SIGSEGV))
}

#[test]
fn an_area_is_fetched_once_and_only_when_touched() {
    let mut script = map_area();
    script.extend(migrate(1));
    script.extend(
        [AREA + 0x1008, AREA, AREA + 0x3000, RODATA, RODATA + 8].map(|addr| Op::Load(0, Imm(addr))),
    );
    script.extend(migrate(0));
    script.extend(migrate(1));
    script.extend([Op::Load(0, Imm(AREA + 0x2000)), exit_group(0)]);
    let cluster = Setup::mixed(2).run_clean(script);
    // The text, the area by the page that was touched first, the read-only data; the register set for the way home is on the stack.
    let stack_page = 0x7fff_ffff_e000;
    assert_eq!(
        fetches(&cluster),
        [
            (1, 0x40_0000),
            (1, AREA + 0x1000),
            (1, RODATA),
            (1, stack_page)
        ]
    );
    let answers = cluster.recorder.messages::<VmaInfoResponse>();
    let area = &answers[1].2;
    assert_eq!(
        (
            area.vm_start.get(),
            area.vm_end.get(),
            area.vm_file_path.as_str()
        ),
        (AREA, AREA + LEN, Ok(""))
    );
    assert_eq!(answers[2].2.vm_file_path.as_str(), Ok("/prog"));
}

#[test]
fn what_is_not_mapped_at_home_is_asked_for_every_time() {
    let ask = || {
        [
            Op::Popcorn(PopcornCall::GetThreadStatus, vec![Imm(AREA)]),
            Op::ExpectErr(Errno::EINVAL),
        ]
    };
    let mut script = migrate(1).to_vec();
    script.extend(ask());
    script.extend(ask());
    script.push(exit_group(0));
    let cluster = Setup::mixed(2).run_clean(script);
    let refused: Vec<_> = cluster
        .recorder
        .messages::<VmaInfoResponse>()
        .iter()
        .filter(|(_, _, m)| m.addr.get() == AREA)
        .map(|(_, _, m)| m.result.get())
        .collect();
    assert_eq!(refused, [-Errno::ENOENT.raw(); 2]);
}

#[test]
fn the_stack_grows_from_a_guest() {
    // 1 MiB below what is mapped: home lets its stack grow before it answers.
    let below = 0x7fff_ffff_e000 - (1 << 20);
    let mut script = migrate(1).to_vec();
    script.push(Op::Store(Imm(below), Imm(5)));
    script.extend(migrate(0));
    script.extend(reads(below, 5));
    script.push(exit_group(0));
    Setup::mixed(2).run_clean(script);
}

#[test]
fn munmap_at_home_reaches_every_guest_one_after_the_other() {
    let tour = |end: Vec<Op>| {
        let mut script = map_area();
        for nid in [1, 2, 3] {
            script.extend(migrate(nid));
            script.push(Op::FetchAdd(0, Imm(AREA), Imm(1)));
        }
        script.extend(migrate(0));
        script.extend(ok(Sysno::Munmap, &[AREA, LEN]));
        script.extend(end);
        script
    };
    let cluster = Setup::mixed(4).run_clean(tour(vec![exit_group(0)]));
    let expected = [1, 2, 3]
        .map(|nid| {
            [
                format!("0>{nid} Munmap {AREA:#x}"),
                format!("{nid}>0 0 {AREA:#x}"),
            ]
        })
        .concat();
    assert_eq!(operations(&cluster), expected);
    // It is gone everywhere: a guest that had it faults, and home says that there is nothing.
    for nid in [0, 1, 3] {
        let mut end = if nid == 0 {
            vec![]
        } else {
            migrate(nid).to_vec()
        };
        end.extend([Op::Load(0, Imm(AREA)), exit_group(0)]);
        let (outcome, cluster) = Setup::mixed(4).run(tour(end));
        assert_eq!(outcome, segfault(), "on node {nid}");
        cluster.assert_clean();
    }
    // Mapped again it is new memory, at home and at a guest that had it.
    let mut end = map_area();
    end.extend(migrate(2));
    end.extend(reads(AREA, 0));
    end.push(exit_group(0));
    Setup::mixed(4).run_clean(tour(end));
}

#[test]
fn mprotect_at_home_binds_guests_that_have_the_page_unless_it_is_k52() {
    let after = |nid: u64| {
        let mut script = map_area();
        script.extend(migrate(1));
        script.push(Op::Store(Imm(AREA), Imm(1)));
        script.extend(migrate(0));
        script.extend(ok(Sysno::Mprotect, &[AREA, LEN, READ]));
        if nid != 0 {
            script.extend(migrate(nid));
        }
        script.extend([Op::Store(Imm(AREA), Imm(2)), exit_group(0)]);
        script
    };
    let told = [
        format!("0>1 Mprotect {AREA:#x}"),
        format!("1>0 0 {AREA:#x}"),
    ];
    for nid in 0..3 {
        let (outcome, cluster) = Setup::mixed(3).run(after(nid));
        assert_eq!(outcome, segfault(), "on node {nid}");
        assert_eq!(operations(&cluster), told, "the guest that has the process");
        cluster.assert_clean();
        let original = Setup::mixed(3).with(|s| s.profile = Profile::K52);
        let (outcome, cluster) = original.run(after(nid));
        // The thread's twin keeps the area and the page, writable, whatever home does.
        let expected = if nid == 1 {
            Outcome::exited(0)
        } else {
            segfault()
        };
        assert_eq!(outcome, expected, "on node {nid}");
        assert_eq!(operations(&cluster), [""; 0], "nobody is told");
    }
}

#[test]
fn a_guest_that_had_no_access_gets_it_by_an_mprotect_at_home() {
    let mut script = vec![
        call(Sysno::Mmap, &[AREA, LEN, 0, PRIVATE_ANON, u64::MAX, 0]),
        Op::Expect(Ret, Imm(AREA)),
    ];
    script.extend(migrate(1));
    // Knows the area from here on.
    script.extend(ok(Sysno::Mprotect, &[AREA + LEN / 2, LEN / 2, READ]));
    script.extend(migrate(0));
    script.extend(ok(Sysno::Mprotect, &[AREA, LEN, READ_WRITE]));
    script.extend(migrate(1));
    script.extend([
        Op::Store(Imm(AREA), Imm(1)),
        Op::Store(Imm(AREA + LEN - 8), Imm(2)),
        exit_group(0),
    ]);
    Setup::mixed(2).run_clean(script);
}

#[test]
fn a_guest_maps_and_unmaps_through_home() {
    let mut script = migrate(1).to_vec();
    script.extend([
        call(
            Sysno::Mmap,
            &[0, LEN, READ_WRITE, PRIVATE_ANON, u64::MAX, 0],
        ),
        Op::Set(3, Ret),
        Op::Tell("address", Ret),
        Op::Store(V(3, 8), Imm(3)),
    ]);
    script.extend(migrate(2));
    script.extend([Op::Load(0, V(3, 8)), Op::Expect(V(0, 0), Imm(3))]);
    script.extend(migrate(1));
    script.extend([
        Op::Call(Sysno::Munmap, vec![V(3, 0), Imm(LEN)]),
        Op::Expect(Ret, Imm(0)),
        exit_group(0),
    ]);
    let cluster = Setup::mixed(3).run_clean(script);
    let at = cluster.recorder.told("address")[0].1;
    assert_eq!(
        operations(&cluster),
        [
            "1>0 Mmap 0x0".to_owned(),
            format!("0>1 0 {at:#x}"),
            format!("1>0 Munmap {at:#x}"),
            // All guests before home itself; the one that asked has not touched anything yet.
            format!("0>1 Munmap {at:#x}"),
            format!("1>0 0 {at:#x}"),
            format!("0>2 Munmap {at:#x}"),
            format!("2>0 0 {at:#x}"),
            format!("0>1 0 {at:#x}"),
        ]
    );
    assert!(
        !fetches(&cluster).contains(&(1, at)),
        "a guest that maps knows the area"
    );
    assert!(fetches(&cluster).contains(&(2, at)));
}

#[test]
fn a_guest_of_k52_unmaps_first_and_asks_then() {
    let mut script = map_area();
    for nid in [2, 0, 1] {
        script.extend(migrate(nid));
        script.push(Op::FetchAdd(0, Imm(AREA), Imm(1)));
    }
    script.extend(ok(Sysno::Munmap, &[AREA, LEN]));
    script.push(exit_group(0));
    let cluster = Setup::mixed(3)
        .with(|s| s.profile = Profile::K52)
        .run_clean(script);
    let expected = ["1>0 Munmap", "0>2 Munmap", "2>0 0", "0>1 0"];
    assert_eq!(
        operations(&cluster),
        expected.map(|what| format!("{what} {AREA:#x}")),
        "the one that asked is not told"
    );
}

#[test]
fn a_guests_mprotect_binds_home() {
    for (nid, prot, outcome) in [
        (0, READ, segfault()),
        (0, READ_WRITE, Outcome::exited(0)),
        (1, READ, segfault()),
    ] {
        let mut script = map_area();
        script.extend(migrate(1));
        script.extend(ok(Sysno::Mprotect, &[AREA, LEN, prot]));
        if nid == 0 {
            script.extend(migrate(0));
        }
        script.extend([Op::Store(Imm(AREA), Imm(1)), exit_group(0)]);
        let (ended, cluster) = Setup::mixed(2).run(script);
        assert_eq!(
            ended, outcome,
            "write on node {nid} after mprotect to {prot}"
        );
        cluster.assert_clean();
        assert_eq!(
            operations(&cluster),
            [
                format!("1>0 Mprotect {AREA:#x}"),
                format!("0>1 Mprotect {AREA:#x}"),
                format!("1>0 0 {AREA:#x}"),
                format!("0>1 0 {AREA:#x}")
            ]
        );
    }
}

#[test]
fn a_guests_heap_is_homes_heap() {
    let mut script = migrate(1).to_vec();
    script.extend([
        call(Sysno::Brk, &[0]),
        Op::Expect(Ret, Imm(DATA_END)),
        call(Sysno::Brk, &[DATA_END + 0x2800]),
        Op::Expect(Ret, Imm(DATA_END + 0x2800)),
        Op::Store(Imm(DATA_END + 0x2000), Imm(9)),
    ]);
    script.extend(migrate(0));
    script.extend(reads(DATA_END + 0x2000, 9));
    script.extend([
        call(Sysno::Brk, &[DATA_END + 0x1000]),
        Op::Expect(Ret, Imm(DATA_END + 0x1000)),
    ]);
    script.extend(migrate(1));
    // Given back and taken again at home: zeroes.
    script.extend([
        call(Sysno::Brk, &[DATA_END + 0x3000]),
        Op::Expect(Ret, Imm(DATA_END + 0x3000)),
    ]);
    script.extend(reads(DATA_END + 0x2000, 0));
    script.push(exit_group(0));
    Setup::mixed(2).run_clean(script);
}

#[test]
fn advice_and_errors_of_a_guest() {
    let mut script = map_area();
    script.push(Op::Store(Imm(AREA), Imm(1)));
    script.extend(migrate(1));
    script.extend(reads(AREA, 1));
    // MADV_DONTNEED: gone on both nodes.
    script.extend(ok(Sysno::Madvise, &[AREA, LEN, 4]));
    script.extend(reads(AREA, 0));
    let errors: [(Sysno, &[u64], Errno); 6] = [
        (
            Sysno::Mmap,
            &[0, 0, READ_WRITE, PRIVATE_ANON, u64::MAX, 0],
            Errno::EINVAL,
        ),
        (Sysno::Munmap, &[AREA + 1, LEN], Errno::EINVAL),
        (Sysno::Mprotect, &[0x10_0000, LEN, READ], Errno::ENOMEM),
        (Sysno::Madvise, &[AREA, LEN, 99], Errno::EINVAL),
        (Sysno::Mremap, &[AREA, LEN, 2 * LEN, 8, 0], Errno::EINVAL),
        (
            Sysno::Mremap,
            &[0x10_0000, LEN, 2 * LEN, 1, 0],
            Errno::EFAULT,
        ),
    ];
    for (sysno, args, errno) in errors {
        script.extend([call(sysno, args), Op::ExpectErr(errno)]);
    }
    script.push(exit_group(0));
    Setup::mixed(2).run_clean(script);
}

#[test]
fn a_thread_of_its_own_unmaps_while_guests_use_the_rest() {
    // Home maps and unmaps next to pages that a guest writes all the time: neither waits for ever.
    let stack: Val = Imm(BSS + 0x1_2000);
    let mut script = map_area();
    script.extend([
        Op::Clone {
            stack,
            clear_tid: Imm(0),
        },
        Op::IfEq(Ret, Imm(0), "guest"),
        Op::Set(0, Imm(0)),
    ]);
    // Until the guest has begun.
    script.extend([
        Op::Mark("wait"),
        call(Sysno::SchedYield, &[]),
        Op::Load(1, Imm(AREA + 0x1000)),
        Op::IfEq(V(1, 0), Imm(0), "wait"),
        Op::Mark("again"),
    ]);
    script.extend(ok(Sysno::Munmap, &[AREA + 0x2000, 0x2000]));
    script.extend([
        call(
            Sysno::Mmap,
            &[AREA + 0x2000, 0x2000, READ_WRITE, PRIVATE_ANON, u64::MAX, 0],
        ),
        Op::Expect(Ret, Imm(AREA + 0x2000)),
        Op::FetchAdd(1, Imm(AREA), Imm(1)),
        Op::Add(0, Imm(1)),
        Op::IfEq(V(0, 0), Imm(50), "end"),
        Op::Goto("again"),
        Op::Mark("end"),
        exit_group(0),
        Op::Mark("guest"),
    ]);
    script.extend(migrate(1));
    script.extend([
        Op::Mark("touch"),
        Op::FetchAdd(1, Imm(AREA), Imm(1)),
        Op::FetchAdd(1, Imm(AREA + 0x1000), Imm(1)),
        Op::Goto("touch"),
    ]);
    let cluster = Setup::mixed(2).run_clean(script);
    assert!(
        operations(&cluster).len() >= 90,
        "most of the 50 were told to the guest"
    );
}
