//! What a page of a file's mapping, and what an executable page, is on another node: unchanged file content is each node's own, all else
//! travels.

use isa::Isa;
use isa::syscall::Sysno;
use kernel_model::Profile;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;
use msglayer::messages::RemotePageRequest;

use crate::support::image::{DATA_WORD, marker};
use crate::support::script::{BSS, CODE, DATA, Imm, RODATA, Ret, V, call, exit_group, migrate};
use crate::support::{Cluster, Op, Outcome, Setup};

const AREA: u64 = 0x1000_0000;
const LEN: u64 = 0x2000;
const READ: u64 = 1;
const READ_WRITE: u64 = 3;
const READ_EXEC: u64 = 5;
const ALL: u64 = 7;
const PRIVATE_ANON: u64 = 0x22;

fn protect(addr: u64, prot: u64) -> [Op; 2] {
    [
        call(Sysno::Mprotect, &[addr, 0x1000, prot]),
        Op::Expect(Ret, Imm(0)),
    ]
}

fn reads(addr: u64, value: u64) -> [Op; 2] {
    [Op::Load(0, Imm(addr)), Op::Expect(V(0, 0), Imm(value))]
}

fn map(prot: u64) -> [Op; 2] {
    [
        call(Sysno::Mmap, &[AREA, LEN, prot, PRIVATE_ANON, u64::MAX, 0]),
        Op::Expect(Ret, Imm(AREA)),
    ]
}

fn store(addr: u64, value: u64) -> [Op; 1] {
    [Op::Store(Imm(addr), Imm(value))]
}

/// Which of the pages node 1 asked for.
fn asked(cluster: &Cluster, pages: &[u64]) -> Vec<u64> {
    let requests = cluster.recorder.messages::<RemotePageRequest>();
    let addrs = requests.iter().map(|(_, _, request)| request.addr.get());
    addrs.filter(|addr| pages.contains(addr)).collect()
}

fn on_pairs(script: impl Fn([Isa; 2]) -> Vec<Op>) -> Vec<Cluster> {
    [
        [Isa::X86_64, Isa::X86_64],
        [Isa::X86_64, Isa::Aarch64],
        [Isa::Aarch64, Isa::X86_64],
    ]
    .map(|isas| Setup::new(&isas).run_clean(script(isas)))
    .into()
}

#[test]
fn data_that_was_made_read_only_is_what_was_written() {
    let script = |_| {
        [
            &store(DATA, 2)[..],
            &protect(DATA, READ),
            &migrate(1),
            &reads(DATA, 2),
            &reads(DATA + 8, DATA_WORD),
            &[exit_group(0)],
        ]
        .concat()
    };
    on_pairs(script);
}

#[test]
fn a_page_that_becomes_writable_after_a_guest_read_its_own_file_is_one_page() {
    let script = |isas: [Isa; 2]| {
        [
            &migrate(1)[..],
            // Its own file's page, and nobody is asked.
            &reads(RODATA, marker(isas[1])),
            &migrate(0),
            &protect(RODATA, READ_WRITE),
            &store(RODATA + 8, 5),
            &protect(RODATA, READ),
            &migrate(1),
            &reads(RODATA + 8, 5),
            // And the other way round.
            &protect(RODATA, READ_WRITE),
            &store(RODATA + 16, 6),
            &protect(RODATA, READ),
            &migrate(0),
            &reads(RODATA + 8, 5),
            &reads(RODATA + 16, 6),
            &[exit_group(0)],
        ]
        .concat()
    };
    on_pairs(script);
}

#[test]
fn a_guest_that_never_had_the_area_gets_what_was_written() {
    let script = |_| {
        [
            &protect(RODATA, READ_WRITE)[..],
            &store(RODATA, 5),
            &protect(RODATA, READ),
            &migrate(1),
            &reads(RODATA, 5),
            &[exit_group(0)],
        ]
        .concat()
    };
    on_pairs(script);
}

/// The page of code after the one that runs.
const PATCHED: u64 = CODE + 0x1000;

fn long_script(script: Vec<Op>) -> Vec<Op> {
    let mut script = script;
    script.resize_with(0x1000 / 4 + 8, || exit_group(1));
    script
}

#[test]
fn code_that_was_patched_travels_and_code_that_was_not_stays_each_nodes_own() {
    let script = |isas: [Isa; 2]| {
        long_script(
            [
                // All text is writable for a while, and one page is written.
                &[
                    call(Sysno::Mprotect, &[CODE, 0x2000, ALL]),
                    Op::Expect(Ret, Imm(0)),
                ][..],
                &store(PATCHED + 0x800, 5),
                &[
                    call(Sysno::Mprotect, &[CODE, 0x2000, READ_EXEC]),
                    Op::Expect(Ret, Imm(0)),
                ],
                &migrate(1),
                &reads(CODE, marker(isas[1])),
                &reads(PATCHED + 0x800, 5),
                &migrate(0),
                &reads(CODE, marker(isas[0])),
                // Writing the page that was each node's own makes it one.
                &protect(CODE, ALL),
                &store(CODE + 0x800, 6),
                &protect(CODE, READ_EXEC),
                &migrate(1),
                &reads(CODE + 0x800, 6),
                &[exit_group(0)],
            ]
            .concat(),
        )
    };
    on_pairs(script);
}

#[test]
fn executable_anonymous_memory_is_one_memory() {
    let script = |_| {
        [
            &map(ALL)[..],
            &store(AREA, 9),
            &migrate(1),
            &reads(AREA, 9),
            &store(AREA, 10),
            &store(AREA + 0x1000, 11),
            &migrate(0),
            &reads(AREA, 10),
            &reads(AREA + 0x1000, 11),
            &[exit_group(0)],
        ]
        .concat()
    };
    on_pairs(script);
}

#[test]
fn generated_code_travels_also_to_a_guest_that_had_the_page_as_data() {
    let script = |_| {
        [
            &map(READ_WRITE)[..],
            &migrate(1),
            &store(AREA, 1),
            &migrate(0),
            &store(AREA, 2),
            &protect(AREA, READ_EXEC),
            &migrate(1),
            &reads(AREA, 2),
            &[exit_group(0)],
        ]
        .concat()
    };
    on_pairs(script);
}

#[test]
fn text_that_nobody_wrote_costs_no_message_and_k52_keeps_to_its_rule() {
    let script = || {
        long_script(
            [
                &migrate(1)[..],
                &[
                    Op::Load(0, Imm(PATCHED)),
                    Op::Load(0, Imm(RODATA)),
                    exit_group(0),
                ],
            ]
            .concat(),
        )
    };
    let cluster = Setup::mixed(2).run_clean(script());
    assert_eq!(asked(&cluster, &[CODE, PATCHED, RODATA]), [0; 0]);
    // The original reads the file, whatever was written.
    let script = [
        &store(DATA, 2)[..],
        &protect(DATA, READ),
        &migrate(1),
        &reads(DATA, DATA_WORD),
        &[exit_group(0)],
    ]
    .concat();
    let k52 = Setup::mixed(2).with(|s| s.profile = Profile::K52);
    k52.run_clean(script);
}

#[test]
fn whoever_jumps_into_bytes_that_were_written_elsewhere_is_told_what_they_are() {
    const USR1: u64 = 10;
    const RESTORER: u64 = 0x0400_0000;
    let script = || {
        [
            &map(ALL)[..],
            &store(AREA, 9),
            // The shortest way to an address: a handler.
            &store(BSS, AREA),
            &store(BSS + 8, RESTORER),
            &store(BSS + 16, AREA),
            &store(BSS + 24, 0),
            &[
                call(Sysno::RtSigaction, &[USR1, BSS, 0, 8]),
                Op::Expect(Ret, Imm(0)),
            ],
            &migrate(1),
            &[call(Sysno::Tgkill, &[1000, 1000, USR1]), exit_group(0)],
        ]
        .concat()
    };
    for (isas, told) in [
        ([Isa::X86_64, Isa::Aarch64], Some("if they are x86_64 code")),
        (
            [Isa::Aarch64, Isa::X86_64],
            Some("if they are aarch64 code"),
        ),
        ([Isa::X86_64, Isa::X86_64], None),
    ] {
        let (outcome, cluster) = Setup::new(&isas).run(script());
        let sigill = Outcome::Exited(ExitStatus::Signaled(Signal::SIGILL));
        assert_eq!(outcome, sigill, "{isas:?}");
        let logs = cluster.recorder.logs();
        let said = logs
            .iter()
            .filter(|line| line.contains("no code of this node's file"));
        let said: Vec<_> = said.collect();
        assert_eq!(
            said.len(),
            usize::from(told.is_some()),
            "{isas:?}: {logs:?}"
        );
        assert!(
            said.iter()
                .all(|line| line.contains(told.unwrap_or_default()))
        );
    }
}
