//! What popcorn_migrate refuses, in the original's order, and what the original would not survive.

use isa::syscall::PopcornCall;
use isa::{Errno, Isa};
use kernel_model::{Halt, Profile};
use msglayer::{Nid, SimDuration};

use crate::support::script::{Imm, Ret, exit_group, migrate};
use crate::support::{Op, Outcome, Setup, What};

/// popcorn_migrate with a register set of this node, or at a bad address.
fn migrate_to(nid: i32) -> Op {
    Op::Migrate {
        to: Imm(nid as u64),
        layout: Imm(u64::MAX),
    }
}

fn bad_uregs(nid: i32) -> Op {
    Op::Popcorn(PopcornCall::Migrate, vec![Imm(nid as u64), Imm(0x10)])
}

fn propose(nid: i32) -> [Op; 2] {
    [
        Op::Popcorn(PopcornCall::ProposeMigration, vec![Imm(0), Imm(nid as u64)]),
        Op::Expect(Ret, Imm(0)),
    ]
}

#[test]
fn refusals_in_the_originals_order() {
    // (proposed before, call, error): two nodes, the thread is on node 0.
    let cases = [
        (None, migrate_to(-1), Errno::EINVAL),
        (None, migrate_to(-2), Errno::EINVAL),
        (None, migrate_to(32), Errno::EINVAL),
        (None, migrate_to(i32::MAX), Errno::EINVAL),
        (None, migrate_to(i32::MIN), Errno::EINVAL),
        (None, migrate_to(0), Errno::EBUSY),
        (None, migrate_to(2), Errno::EAGAIN),
        (None, migrate_to(31), Errno::EAGAIN),
        // A proposal counts only where the caller leaves the choice.
        (Some(0), migrate_to(-1), Errno::EBUSY),
        (Some(7), migrate_to(-1), Errno::EAGAIN),
        (Some(1), migrate_to(-2), Errno::EINVAL),
        (Some(1), migrate_to(0), Errno::EBUSY),
        (Some(-1), migrate_to(-1), Errno::EINVAL),
        // The register set is looked at last.
        (None, bad_uregs(32), Errno::EINVAL),
        (None, bad_uregs(0), Errno::EBUSY),
        (None, bad_uregs(2), Errno::EAGAIN),
        (None, bad_uregs(1), Errno::EFAULT),
        (Some(1), bad_uregs(-1), Errno::EFAULT),
    ];
    for profile in [Profile::Kettle, Profile::K52] {
        for (proposed, attempt, errno) in cases.clone() {
            let mut script = Vec::new();
            script.extend(proposed.into_iter().flat_map(propose));
            script.extend([attempt.clone(), Op::ExpectErr(errno), exit_group(0)]);
            let cluster = Setup::mixed(2)
                .with(|s| s.profile = profile)
                .run_clean(script);
            let left = cluster
                .recorder
                .pick(|_, what| matches!(what, What::MigrateOut { .. }).then_some(()));
            assert!(
                left.is_empty(),
                "{attempt:?} with a proposal of {proposed:?} is an error, but the thread left"
            );
        }
    }
}

#[test]
fn proposals_are_checked_and_used_up() {
    let call = |tid: u64, nid: i32| {
        Op::Popcorn(
            PopcornCall::ProposeMigration,
            vec![Imm(tid), Imm(nid as u64)],
        )
    };
    let mut script = vec![
        call(0, 32),
        Op::ExpectErr(Errno::EINVAL),
        call(0, -2),
        Op::ExpectErr(Errno::EINVAL),
        call(4711, 1),
        Op::ExpectErr(Errno::ENOENT),
        // Neither permission nor "online" is checked; the first task of node 0 has pid 1000.
        call(1000, 31),
        Op::Expect(Ret, Imm(0)),
        migrate_to(-1),
        Op::ExpectErr(Errno::EAGAIN),
    ];
    script.extend(propose(1));
    script.extend([
        Op::Migrate {
            to: Imm(u64::MAX),
            layout: Imm(1),
        },
        Op::Expect(Ret, Imm(0)),
    ]);
    // At the guest there is no proposal, and none is left at home.
    script.extend([migrate_to(-1), Op::ExpectErr(Errno::EINVAL)]);
    script.extend(migrate(0));
    script.extend([migrate_to(-1), Op::ExpectErr(Errno::EINVAL), exit_group(0)]);
    Setup::mixed(2).run_clean(script);
}

#[test]
fn a_guest_is_refused_by_the_same_rules() {
    let cases = [
        (migrate_to(1), Errno::EBUSY),
        (migrate_to(32), Errno::EINVAL),
        (migrate_to(-1), Errno::EINVAL),
        (migrate_to(9), Errno::EAGAIN),
        (bad_uregs(0), Errno::EFAULT),
    ];
    for (attempt, errno) in cases {
        let mut script = Vec::new();
        script.extend(migrate(1));
        script.extend([attempt, Op::ExpectErr(errno)]);
        script.extend(migrate(0));
        script.push(exit_group(0));
        Setup::mixed(2).run_clean(script);
    }
}

#[test]
fn a_node_whose_architecture_is_unknown() {
    // Connected, but its NODE_INFO is still under way when the thread asks.
    let setup = |profile| {
        Setup::mixed(2).with(|s| {
            s.settle = false;
            s.latency = Some(SimDuration::from_ms(50));
            s.profile = profile;
        })
    };
    let script = vec![migrate_to(1), Op::ExpectErr(Errno::EAGAIN), exit_group(0)];
    setup(Profile::Kettle).run_clean(script.clone());
    let (outcome, _) = setup(Profile::K52).run(script);
    let why = "the register set size of node 1 is asked for before its architecture is known";
    assert_eq!(
        outcome,
        Outcome::Halted(Nid::new(0).unwrap(), Halt::WouldBug(why.to_owned()))
    );
    assert_eq!(
        Halt::WouldBug(why.to_owned()).to_string(),
        format!("would BUG: {why}")
    );
}

#[test]
fn a_destination_without_the_programs_binary() {
    let setup = Setup::new(&[Isa::X86_64, Isa::Aarch64, Isa::X86_64])
        .with(|s| s.built_for = vec![Isa::X86_64]);
    // The thread goes on at home, and can still go where the program was built for.
    let mut script = vec![
        Op::Migrate {
            to: Imm(1),
            layout: Imm(1),
        },
        Op::ExpectErr(Errno::ENOENT),
    ];
    script.extend(migrate(2));
    script.extend(migrate(0));
    script.extend([
        Op::Migrate {
            to: Imm(1),
            layout: Imm(1),
        },
        Op::ExpectErr(Errno::ENOENT),
        exit_group(0),
    ]);
    let cluster = setup.run_clean(script.clone());
    let refused = cluster.recorder.pick(|nid, what| match what {
        What::Refused(why) => Some((nid.index(), why.clone())),
        _ => None,
    });
    let why = "node 1 (aarch64) cannot run /prog: there is no aarch64 binary of it (ENOENT); build the program for aarch64 too";
    assert_eq!(refused, [(1, why.to_owned()), (1, why.to_owned())]);

    let (outcome, _) = setup.with(|s| s.profile = Profile::K52).run(script);
    assert_eq!(
        outcome,
        Outcome::Halted(
            Nid::new(1).unwrap(),
            Halt::WouldBug(format!("cannot open executable: {why}"))
        )
    );
}

#[test]
fn from_one_guest_to_another() {
    let mut script = Vec::new();
    script.extend(migrate(1));
    script.extend(migrate(2));
    script.push(exit_group(0));
    let cluster = Setup::mixed(3).run_clean(script.clone());
    let hops = cluster.recorder.pick(|nid, what| match what {
        What::MigrateIn { from, back, .. } => Some((from.index(), nid.index(), *back)),
        _ => None,
    });
    assert_eq!(
        hops,
        [(0, 1, false), (0, 2, false)],
        "through home, without running there"
    );

    let (outcome, _) = Setup::mixed(3)
        .with(|s| s.profile = Profile::K52)
        .run(script);
    let why = "task 101001 goes from one guest to another, node 2, without coming home";
    assert_eq!(
        outcome,
        Outcome::Halted(Nid::new(1).unwrap(), Halt::WouldBug(why.to_owned()))
    );
}
