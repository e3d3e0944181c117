//! Links a program with what it needs of the library: a symbol that the program defines itself is not taken from the library.

use std::fmt::Write as _;

use super::Libc;
use crate::BuildError;
use crate::tools::{LLVM_LINK, Workshop};
use crate::xform;

/// Names of bitcode files in the workshop.
const PROGRAM: &str = "libc/program.bc";
const LINKED: &str = "libc/linked.bc";
const WANTED: &str = "libc/wanted.ll";
const ASKING: &str = "libc/asking.bc";
const WHOLE: &str = "libc/whole.bc";

impl Libc {
    /// Links all bitcode of a program with the library; the name of the result.
    pub(crate) fn link(
        &self,
        shop: &Workshop,
        program: &[String],
    ) -> Result<&'static str, BuildError> {
        shop.make_directory_of(PROGRAM)?;
        let mut arguments = vec!["-o".to_owned(), PROGRAM.to_owned()];
        arguments.extend_from_slice(program);
        shop.run("link the bitcode", LLVM_LINK, arguments)?;
        self.complete(shop, PROGRAM, LINKED)?;
        let path = shop.path(LINKED);
        let wanted = xform::library_calls(&path).map_err(BuildError::malformed(&path))?;
        if wanted.is_empty() {
            return Ok(LINKED);
        }
        shop.write(WANTED, references(&wanted.into_iter().collect::<Vec<_>>()))?;
        shop.run(
            "link the bitcode",
            LLVM_LINK,
            ["-o", ASKING, LINKED, WANTED],
        )?;
        self.complete(shop, ASKING, WHOLE)?;
        Ok(WHOLE)
    }

    fn complete(&self, shop: &Workshop, from: &str, to: &str) -> Result<(), BuildError> {
        let library = self.bitcode().display().to_string();
        shop.run(
            "link the C library",
            LLVM_LINK,
            ["-only-needed", "-o", to, from, &library],
        )
    }
}

/// A module that refers to functions, of whatever type, and that no optimisation takes away before they are linked.
fn references(functions: &[String]) -> String {
    let mut text = String::new();
    for function in functions {
        let _ = writeln!(text, "declare void @{function}()");
    }
    let list: Vec<String> = functions.iter().map(|f| format!("ptr @{f}")).collect();
    let _ = writeln!(
        text,
        "@llvm.compiler.used = appending global [{} x ptr] [{}], section \"llvm.metadata\"",
        list.len(),
        list.join(", ")
    );
    text
}
