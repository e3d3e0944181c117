//! What migratability costs: programs built by kettle-cc against the same sources built plainly by `clang-19 -O2`.
//!
//! Measured are the programs of guests/programs that compute something, with the plan `none`, and three shapes of which a cost is
//! promised: loops without calls, recursion that does nothing but call, and a sort whose comparison may migrate. Each program's `main`
//! runs as often as it takes to be measurable, inside one process, which tells its own processor time; the two builds run in turn,
//! and of each the best time counts: noise of the host only ever adds. On another ISA's host they run under qemu-user.
//! What the plain build is, [`peer`] says. Run with `cargo bench -p kettle-cc --bench overhead [PROGRAM...]`.

mod peer;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use isa::Isa;
use kettle_cc::Build;
use kettle_cc::libc::{self, Libc};

use peer::Peer;

/// What is measured of guests/programs: what computes something, and can do so again in the same process (threads4 cannot).
const PROGRAMS: &[&str] = &[
    "alloca_vla",
    "computed_goto",
    "deep_recursion",
    "floating_point",
    "function_pointers",
    "libc_arithmetic",
    "libc_callbacks",
    "libc_format",
    "libc_heap",
    "libc_jump",
    "libc_locale",
    "libc_streams",
    "libc_threads",
    "many_arguments",
    "many_calls",
    "many_live_values",
    "npb_cg",
    "npb_ep",
    "npb_is",
    "pointers_through_frames",
    "producer_consumer",
    "structs_by_value",
    "structs_on_stack",
    "switch_loops",
    "thousand_hops",
    "thread_locals",
];

/// The shapes, and what each may cost at most.
const SHAPES: &[(&str, f64)] = &[("loops", 1.05), ("recursion", 1.5), ("sort", f64::INFINITY)];
/// What the programs may cost at most, as a geometric mean.
const PROGRAMS_BOUND: f64 = 1.15;

/// Processor time that a measured run takes at least, in nanoseconds.
const MEASURABLE: u64 = 50_000_000;
/// How often each build is measured, at most and at least, and the processor time after which it is enough, in nanoseconds.
const ROUNDS: usize = 9;
const FEWEST_ROUNDS: usize = 3;
const ENOUGH: u64 = 4_000_000_000;

/// What the front end is told besides; `main` is called by c/repeat.c.
const FLAGS: &[&str] = &["-O2", "-w", "-Dmain=program_main"];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let scratch = tempfile::tempdir()?;
    let bench = Bench {
        directory: scratch.path().to_path_buf(),
        libc: Libc::prepare(&libc::default_directory()?)?,
        peers: [Peer::prepare(Isa::ALL[0])?, Peer::prepare(Isa::ALL[1])?],
    };
    println!(
        "{:24} {:>11} {:>11} {:>6}    {:>11} {:>11} {:>6}",
        "", "x86_64", "migratable", "ratio", "aarch64", "migratable", "ratio"
    );
    let mut all: [Vec<f64>; 2] = Default::default();
    for name in PROGRAMS.iter().filter(|n| is_wanted(n)) {
        let ratios = bench.compare(&programs().join(format!("{name}.c")), name)?;
        for (all, ratio) in all.iter_mut().zip(ratios) {
            all.push(ratio);
        }
    }
    if !all[0].is_empty() {
        let [first, second] = all.map(|ratios| geometric_mean(&ratios));
        println!(
            "{:24} {:>30.2} {:>33.2}   (wanted: at most {PROGRAMS_BOUND})",
            "geometric mean", first, second
        );
    }
    for (name, bound) in SHAPES.iter().filter(|(n, _)| is_wanted(n)) {
        bench.compare(&own(&format!("{name}.c")), name)?;
        if bound.is_finite() {
            println!("{:24} (wanted: at most {bound})", "");
        }
    }
    Ok(())
}

/// The directory of the guest programs.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs")
}

/// A C file of this bench.
fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches/overhead/c")
        .join(name)
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|r| r.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

struct Bench {
    directory: PathBuf,
    libc: Libc,
    /// One for each ISA, in the order of [`Isa::ALL`].
    peers: [Peer; 2],
}

impl Bench {
    /// Builds a program both ways, measures it on both ISAs, prints a line of the table, and returns the ratios in the order of [`Isa::ALL`].
    fn compare(&self, source: &Path, name: &str) -> Result<[f64; 2]> {
        let program = Build::new()
            .libc(self.libc.clone())
            .sources([source.to_path_buf(), own("repeat.c")])
            .include(programs())
            .flags(FLAGS.iter().copied())
            .out_dir(&self.directory)
            .name(name)
            .build()?;
        let mut ratios = [0.0; 2];
        let mut line = format!("{name:24}");
        for (k, isa) in Isa::ALL.into_iter().enumerate() {
            let plain = self.directory.join(format!("{name}_plain_{}", isa.name()));
            self.peers[k].build(source, FLAGS, &plain)?;
            let [plain, migratable] = measure(isa, &plain, &program.binary(isa))
                .with_context(|| format!("{name} for {isa}"))?;
            ratios[k] = migratable / plain;
            line += &format!(
                " {:>8.3} ms {:>8.3} ms {:>6.2}   ",
                plain * 1e-6,
                migratable * 1e-6,
                ratios[k]
            );
        }
        println!("{}", line.trim_end());
        Ok(ratios)
    }
}

/// The best times of one run of the main() of a plain and a migratable binary, in nanoseconds.
fn measure(isa: Isa, plain: &Path, migratable: &Path) -> Result<[f64; 2]> {
    let binaries = [plain, migratable];
    let [text, other] = [output(isa, plain)?, output(isa, migratable)?];
    ensure!(
        text == other,
        "the outputs differ:\n{text}\nand, of the migratable one,\n{other}"
    );
    let mut times = 1;
    while run(isa, plain, times)? < MEASURABLE {
        times *= 2;
    }
    let mut best = [u64::MAX; 2];
    let mut spent = 0;
    for round in 0..ROUNDS {
        if round >= FEWEST_ROUNDS && spent > ENOUGH {
            break;
        }
        for (best, binary) in best.iter_mut().zip(binaries) {
            let time = run(isa, binary, times)?;
            *best = (*best).min(time);
            spent += time;
        }
    }
    Ok(best.map(|b| b as f64 / f64::from(times)))
}

/// How to start a binary of an ISA here.
fn command(isa: Isa, binary: &Path) -> Command {
    if isa.name() == std::env::consts::ARCH {
        return Command::new(binary);
    }
    let mut command = Command::new(format!("qemu-{}", isa.name()));
    command.arg(binary);
    command
}

/// What a binary prints when its main() runs once.
fn output(isa: Isa, binary: &Path) -> Result<String> {
    let output = command(isa, binary).args(["none", "1"]).output()?;
    ensure!(
        output.status.success(),
        "{} ends with {}",
        binary.display(),
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs main() `times` times; the processor time in nanoseconds.
fn run(isa: Isa, binary: &Path, times: u32) -> Result<u64> {
    let output = command(isa, binary)
        .args(["none", &times.to_string()])
        .stdout(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    match told.lines().last().map(str::parse) {
        Some(Ok(time)) if output.status.success() => Ok(time),
        _ => bail!("{} ends with {}: {told}", binary.display(), output.status),
    }
}
