//! The verifier on what kettle-cc makes of real programs: nothing is found where nothing is, and something as soon as the table
//! says what the code does not keep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isa::Isa;
use isa::callsites::{self, CallSites};
use kettle_cc::Build;
use kettle_cc::verify::{Report, VerifySite, verify};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// One binary of a program with its sites.
struct Binary {
    isa: Isa,
    elf: Vec<u8>,
    sites: Vec<VerifySite>,
}

/// Builds a guest program and reads its table back from both binaries.
fn build(name: &str, level: &str, dir: &Path) -> Vec<Binary> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../programs")
        .join(name)
        .with_extension("c");
    let build = Build::new()
        .sources([source])
        .flags([level])
        .out_dir(dir)
        .name(name);
    let program = build.build().expect("the program builds");
    Isa::ALL
        .map(|isa| Binary::read(isa, &program.binary(isa)))
        .into()
}

impl Binary {
    fn read(isa: Isa, path: &Path) -> Self {
        let elf = std::fs::read(path).expect("the binary is read");
        let file = object::File::parse(&*elf).expect("an ELF file");
        let section = file
            .section_by_name(callsites::SECTION)
            .expect("a table of call sites");
        let table = CallSites::parse(section.data().expect("the table's bytes"))
            .expect("a well-formed table");
        let functions: Vec<_> = file
            .symbols()
            .filter(|s| s.kind() == SymbolKind::Text && s.size() > 0)
            .collect();
        let site = |(id, site): (u32, &callsites::CallSite)| {
            let frame = site.frame(isa);
            let return_address = frame.return_address.0;
            let inside = |s: &&object::Symbol<'_, '_>| {
                (s.address() + 1..=s.address() + s.size()).contains(&return_address)
            };
            let function = functions
                .iter()
                .find(inside)
                .expect("a function around the call");
            VerifySite {
                id,
                return_address,
                function: function.name().unwrap_or_default().to_owned(),
                function_address: function.address(),
                cfa_fp: frame.cfa_from_fp,
                size: frame.size,
                fp_off: frame.saved_fp,
                ra_off: frame.saved_return_address,
                called: None,
            }
        };
        let sites = (0..).zip(table.sites()).map(site).collect();
        Self { isa, elf, sites }
    }

    /// Verifies after a change to every site.
    fn with(&self, change: impl Fn(&mut VerifySite)) -> Report {
        let mut sites = self.sites.clone();
        sites.iter_mut().for_each(change);
        verify(&self.elf, self.isa, &sites, &BTreeMap::new()).expect("the binary is fit to verify")
    }
}

/// Whether a violation of this kind was found.
fn says(report: &Report, what: &str) -> bool {
    report
        .violations
        .iter()
        .any(|violation| violation.what.starts_with(what))
}

#[test]
fn programs_are_content_free_at_every_level() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cases = [
        ("many_live_values", "-O2"),
        ("many_live_values", "-O1"),
        ("switch_loops", "-O3"),
        ("floating_point", "-O2"),
        ("function_pointers", "-Os"),
    ];
    for (name, level) in cases {
        for binary in build(name, level, dir.path()) {
            let report = binary.with(|_| ());
            assert!(report.sites > 0, "{name} has sites");
            assert_eq!(
                (report.violations, report.unresolved),
                (vec![], vec![]),
                "{name} {level}"
            );
        }
    }
}

#[test]
fn a_table_that_does_not_fit_the_code_is_found() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for binary in build("many_live_values", "-O2", dir.path()) {
        let wrong_fp = binary.with(|site| site.fp_off -= 64);
        assert!(
            says(&wrong_fp, "returns with poison in the frame pointer"),
            "{:?}",
            binary.isa
        );
        let wrong_ra = binary.with(|site| site.ra_off -= 64);
        assert!(says(&wrong_ra, "returns through"), "{:?}", binary.isa);
        let wrong_size = binary.with(|site| site.size += 16);
        assert!(
            says(&wrong_size, "returns with a wrong stack pointer"),
            "{:?}",
            binary.isa
        );
    }
}

/// The same frames with their native calls declared migrating: code that was not made for it keeps values over those calls.
#[test]
fn content_over_native_calls_would_be_found() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let binaries = build("many_live_values", "-O2", dir.path());
    let binary = binaries
        .iter()
        .find(|binary| binary.isa == Isa::Aarch64)
        .expect("an aarch64 binary");
    let file = object::File::parse(&*binary.elf).expect("an ELF file");
    let mut sites = binary.sites.clone();
    for known in &binary.sites {
        let symbol = file
            .symbols()
            .find(|s| s.address() == known.function_address && s.size() > 0)
            .expect("its function");
        let text = file
            .sections()
            .find_map(|s| s.data_range(symbol.address(), symbol.size()).ok().flatten());
        for (number, word) in (0..).zip(text.expect("its code").chunks_exact(4)) {
            let return_address = symbol.address() + 4 * number + 4;
            // The top six bits of `bl`.
            let calls = word[3] >> 2 == 0b10_0101;
            if calls
                && sites
                    .iter()
                    .all(|site| site.return_address != return_address)
            {
                let id = u32::MAX - sites.len() as u32;
                sites.push(VerifySite {
                    id,
                    return_address,
                    ..known.clone()
                });
            }
        }
    }
    assert!(sites.len() > binary.sites.len(), "there are native calls");
    let report = verify(&binary.elf, binary.isa, &sites, &BTreeMap::new())
        .expect("the binary is fit to verify");
    assert!(
        !report.violations.is_empty(),
        "values live over native calls are found"
    );
}
