//! The command `kettle-ranlib`: does nothing to archives, because `kettle-ar` always writes their index; for `make RANLIB=kettle-ranlib`.
#![forbid(unsafe_code)]

use std::io::Read as _;
use std::process::ExitCode;

use kettle_cc::inputs::{Contents, contents};

fn main() -> ExitCode {
    let mut result = ExitCode::SUCCESS;
    for argument in std::env::args().skip(1) {
        if argument == "--version" {
            println!("kettle-ranlib {}", env!("CARGO_PKG_VERSION"));
        } else if !argument.starts_with('-')
            && let Err(what) = check(&argument)
        {
            eprintln!("kettle-ranlib: {argument}: {what}");
            result = ExitCode::FAILURE;
        }
    }
    result
}

fn check(file: &str) -> Result<(), String> {
    let mut start = Vec::new();
    std::fs::File::open(file)
        .and_then(|f| f.take(8).read_to_end(&mut start))
        .map_err(|e| format!("cannot read it: {e}"))?;
    if contents(&start) == Contents::Archive {
        Ok(())
    } else {
        Err("not an archive; make one with kettle-ar".to_owned())
    }
}
