//! Every guest program, from both ISAs, with one hop, there and back, and a hop at every migration point: it prints what it prints on this
//! host and under qemu-user, and exits alike. One test for each program. EP takes too long for one test: see `npb_ep`. Programs that have no plan
//! are in `points`.

use guests::Output;
use isa::Isa;

use crate::in_process::{PAIRS, checked, run};
use crate::kettle;
use crate::native::{Printed, on_host, under_qemu};

/// Plans in which threads migrate.
pub const PLANS: [&str; 3] = ["once", "back", "every"];

macro_rules! programs {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

programs! {
    alloca_vla arrival_hook callbacks callbacks_o0 callbacks_os computed_goto constructors deep_recursion early_returns exit_status floating_point function_pointers hello hot_page
    libc_arithmetic libc_callbacks libc_cancel libc_files libc_format libc_heap libc_jump libc_locale libc_signals libc_streams
    libc_threads library many_arguments many_calls many_live_values npb_cg npb_is pointers_through_frames popcorn_api producer_consumer proposed refusals
    segv stack_limit stack_limit_o0 stack_limit_os structs_by_value structs_on_stack switch_loops thousand_hops thread_locals threads4 too_deep tour trivial
}

#[test]
fn every_program_has_its_test() {
    let mut tested = [TESTED, &crate::points::TESTED, &["npb_ep"]].concat();
    tested.sort_unstable();
    let all: Vec<_> = guests::all().iter().map(|program| program.name).collect();
    assert_eq!(tested, all);
}

/// A program through the command, with the same checks on.
#[test]
fn by_the_command() {
    for (name, plan) in [("threads4", "every"), ("library", "back"), ("segv", "once")] {
        let expected = on_host(name, &[plan]);
        for nodes in ["x86_64,aarch64", "aarch64,x86_64"] {
            let options = ["--nodes", nodes, "--poison", "--check-invariants"];
            let ended = kettle::run(&options, &guests::program(name), &[plan]);
            assert_eq!(ended.printed, expected, "{name} {plan} on {nodes}");
        }
    }
}

fn check(name: &str) {
    let program = guests::all().iter().find(|program| program.name == name);
    let program = program.expect("the table of guests lists it");
    if program.output == Output::Same {
        let expected = expected(name);
        assert_eq!(expected.status, program.status);
        for isa in Isa::ALL
            .into_iter()
            .filter(|isa| program.runs_under_qemu(*isa))
        {
            assert_eq!(under_qemu(name, isa, &["every"]), expected, "under qemu");
        }
    }
    for isas in PAIRS {
        for plan in PLANS {
            let what = format!("{name} {plan} from {}", isas[0]);
            let ran = run(&checked(&isas), name, &[plan]);
            let expected = match program.output {
                Output::Same => on_host(name, &[plan]),
                Output::TellsWhere => tells_where(name, isas),
            };
            assert_eq!(ran.printed, expected, "{what}");
            let never = ["refusals", "trivial"].contains(&name);
            assert_eq!(ran.migrations == 0, never, "migrations of {what}");
        }
    }
}

fn expected(name: &str) -> Printed {
    on_host(name, &["none"])
}

/// What the programs print that tell their surroundings.
fn tells_where(name: &str, isas: [Isa; 2]) -> Printed {
    let text = match name {
        "tour" => crate::clusters::tour(&isas).0,
        "refusals" => crate::refusals::ANSWERS.to_owned(),
        // -E2BIG, where frames are larger on the other instruction set.
        "too_deep" if isas[0] == Isa::Aarch64 => "deep: -7\nshallow: 0\ntoo_deep: ok\n".to_owned(),
        "too_deep" => "deep: 0\nshallow: 0\ntoo_deep: ok\n".to_owned(),
        _ => panic!("what should {name} print?"),
    };
    Printed { text, status: 0 }
}
