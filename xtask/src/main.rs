//! `cargo xtask VERB`: the chores of somebody who works on Kettle, each one command that needs nothing prepared.
//!
//! This file turns the command line into a call of [`xtask::verbs`] and its answer into an exit status: 0 done, 1 failed, 2 misused.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use xtask::verbs::test::Size;
use xtask::verbs::{self, Failed};

const HELP: &str = "\
cargo xtask VERB

  demo    install what the build needs, build Kettle, and watch a thread cross from x86_64 to aarch64 and back
  test    install what build and tests need, then formatting, lints, licences, house rules, tests; with --full also the tests
          that take minutes
  setup   install what build and tests need, or print the one line that does
  fuzz    try random C programs out: build, verify, run natively and in Kettle (arguments like --seeds 0..2000 are the fuzzer's; --help)
  soak    search for longer than the tests do: random programs, and every test that is called soak_...
          [--seeds N] [--first K] [NAME...]
  bench   run the benchmarks (arguments are handed on to `cargo bench`)
  doc     build the API documentation, and the book where mdbook is installed
  tidy    list what breaks a house rule, and the files that are getting long
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let size = match (verb.as_str(), &rest[..]) {
        ("test", [full]) if full == "--full" => Size::Full,
        ("bench" | "fuzz" | "soak", _) | (_, []) => Size::Usual,
        _ => {
            let (only, got) = (
                if verb == "test" {
                    "only --full"
                } else {
                    "nothing"
                },
                rest.join(" "),
            );
            eprintln!("xtask: `{verb}` takes {only}, and got `{got}`");
            return ExitCode::from(2);
        }
    };
    let outcome = match verb.as_str() {
        "demo" => verbs::demo(),
        "test" => verbs::test(size),
        "setup" => verbs::setup(),
        "bench" => verbs::bench(&rest),
        "fuzz" => verbs::fuzz(&rest),
        "soak" => verbs::soak(&rest),
        "doc" => verbs::doc(),
        "tidy" => verbs::tidy(),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: there is no verb `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
