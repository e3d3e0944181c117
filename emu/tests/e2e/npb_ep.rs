//! NPB EP class S, billions of instructions a run: the matrix of `matrix`, a test for each run, without the invariant checker.

use emu::config::ClusterConfig;
use isa::Isa;

use crate::in_process::{PAIRS, run};
use crate::native::{on_host, under_qemu};

macro_rules! runs {
    ($($test:ident: $pair:literal $plan:literal;)*) => {
        $(
            #[test]
            fn $test() {
                check(PAIRS[$pair], $plan);
            }
        )*
    };
}

runs! {
    from_x86_64_once: 0 "once";
    from_x86_64_back: 0 "back";
    from_x86_64_every: 0 "every";
    from_aarch64_once: 1 "once";
    from_aarch64_back: 1 "back";
    from_aarch64_every: 1 "every";
}

#[test]
fn under_qemu_user() {
    let expected = on_host("npb_ep", &["none"]);
    assert!(expected.text.ends_with("npb_ep class S: ok\n"));
    for isa in Isa::ALL {
        assert_eq!(under_qemu("npb_ep", isa, &["every"]), expected);
    }
}

fn check(isas: [Isa; 2], plan: &str) {
    let config = ClusterConfig {
        poison_arrivals: true,
        ..ClusterConfig::of(&isas)
    };
    let ran = run(&config, "npb_ep", &[plan]);
    assert_eq!(ran.printed, on_host("npb_ep", &[plan]));
    let migrations = match plan {
        "once" => 1,
        "back" => 2,
        _ => 16,
    };
    assert_eq!(ran.migrations, migrations);
}
