//! Every guest program on plain Linux: this host's own binary, and both ISAs' under qemu-user. There `migrate` fails, the program goes on,
//! and what it prints is the measure for its runs in Kettle.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output as Ended};

use guests::{Output, PLANS, ProgramInfo};
use isa::Isa;

/// How a binary of an ISA is run on this host.
#[derive(Clone, Copy, Debug)]
enum Way {
    Host,
    QemuUser(Isa),
}

impl Way {
    fn command(self, name: &str) -> Command {
        match self {
            Self::Host => Command::new(guests::program(name)),
            Self::QemuUser(isa) => {
                let mut command = Command::new(format!("qemu-{}", isa.name()));
                command.arg(guests::binary(name, isa));
                command
            }
        }
    }

    fn run(self, name: &str, arguments: &[&str]) -> Ended {
        let output = self.command(name).args(arguments).output();
        output.unwrap_or_else(|e| {
            panic!("cannot run {name} by {self:?}: {e}; qemu-user must be installed")
        })
    }
}

/// The status as a shell shows it.
fn status(ended: &Ended) -> i32 {
    ended
        .status
        .code()
        .unwrap_or_else(|| 128 + ended.status.signal().unwrap_or(0))
}

fn check(program: &ProgramInfo, way: Way, arguments: &[&str]) -> String {
    let ended = way.run(program.name, arguments);
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let what = format!("{} {arguments:?} by {way:?}", program.name);
    assert_eq!(
        status(&ended),
        program.status,
        "exit status of {what}, which printed:\n{text}"
    );
    text
}

/// Programs with the given property, each of which is run in all ways without arguments: what they print must be the same.
fn same_in_all_ways(wanted: impl Fn(&ProgramInfo) -> bool) {
    for program in guests::all().iter().filter(|p| wanted(p)) {
        let host = check(program, Way::Host, &[]);
        for isa in Isa::ALL
            .into_iter()
            .filter(|isa| program.runs_under_qemu(*isa))
        {
            let other = check(program, Way::QemuUser(isa), &[]);
            if program.output == Output::Same {
                assert_eq!(other, host, "{} under qemu-{}", program.name, isa.name());
            }
        }
    }
}

#[test]
fn single_threads_print_the_same_everywhere() {
    same_in_all_ways(|p| p.threads == 1);
}

#[test]
fn threads_print_the_same_everywhere() {
    same_in_all_ways(|p| p.threads > 1);
}

#[test]
fn plans_do_not_change_what_is_printed() {
    for program in guests::all().iter().filter(|p| p.output == Output::Same) {
        let none = check(program, Way::Host, &["none"]);
        for plan in PLANS {
            assert_eq!(
                check(program, Way::Host, &[plan]),
                none,
                "{} {plan}",
                program.name
            );
        }
    }
}

#[test]
fn arguments_reach_main() {
    for expected in [0, 1, 42, 255] {
        let ended = Way::Host.run("exit_status", &["none", &expected.to_string()]);
        assert_eq!(status(&ended), expected);
    }
    let ended = Way::Host.run("hello", &["nonsense"]);
    assert_eq!(status(&ended), 2);
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        "no plan is called nonsense; there are none, once, back and every\n"
    );
}

#[test]
fn refusals_of_plain_linux_are_enosys() {
    for way in [Way::Host, Way::QemuUser(Isa::Aarch64)] {
        let text = String::from_utf8_lossy(&way.run("refusals", &[]).stdout).into_owned();
        assert_eq!(
            text.matches(": -38\n").count(),
            5,
            "{way:?} printed:\n{text}"
        );
    }
}

#[test]
fn the_table_lists_every_source() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let mut sources: Vec<String> = std::fs::read_dir(programs)
        .expect("the programs are there")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    sources.sort();
    let named = guests::all().iter().map(|p| guests::source(p.name));
    let named: BTreeSet<&str> = named.collect();
    assert!(named.into_iter().eq(sources.iter().map(String::as_str)));
    assert!(guests::all().is_sorted_by_key(|p| p.name));
}
