//! The table of flags that need no handling of their own: what each means here, or why it cannot be had.

/// What becomes of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It goes to the front end as it is.
    FrontEnd,
    /// It goes to the front end with its value, which may be the next argument.
    FrontEndValue,
    /// It is accepted and changes nothing: it asks for what is so anyway, or permits what is not made use of.
    Ignored,
    /// The same, with a value that may be the next argument.
    IgnoredValue,
    /// It cannot be had; why, and what would be right.
    Refused(&'static str),
}

/// The rule of a flag: the first pattern that matches; a `*` at the end of a pattern matches any rest.
pub fn rule(flag: &str) -> Option<Rule> {
    let matches = |pattern: &&'static str| match pattern.strip_suffix('*') {
        Some(start) => flag.starts_with(start),
        None => flag == *pattern,
    };
    RULES
        .iter()
        .find(|(_, patterns)| patterns.iter().any(matches))
        .map(|(rule, _)| *rule)
}

/// The value of a flag that begins with one of the patterns of [`Rule::FrontEndValue`] or [`Rule::IgnoredValue`] may be joined to it.
pub fn has_joined_value(flag: &str) -> bool {
    !RULES.iter().any(|(rule, patterns)| {
        matches!(rule, Rule::FrontEndValue | Rule::IgnoredValue)
            && patterns.iter().any(|p| p.trim_end_matches('*') == flag)
    })
}

const ONE_ISA: &str =
    "asks for instructions of one instruction set, and the program is for two; leave it away";
const STATIC: &str = "programs are static and linked as a whole; link the objects, or an archive of them, into the program";
const NO_LIBRARY: &str = "every program contains the guest runtime; leave it away";
const NO_COUNTERS: &str =
    "there is no runtime for it here; build natively with clang-19 for that, or leave it away";

const RULES: &[(Rule, &[&str])] = &[
    (
        Rule::FrontEndValue,
        &[
            "-include*",
            "-imacros*",
            "-isystem*",
            "-iquote*",
            "-idirafter*",
            "-D*",
            "-U*",
            "-I*",
            "-MF*",
            "-MT*",
            "-MQ*",
        ],
    ),
    (
        Rule::Refused(NO_COUNTERS),
        &[
            "-fsanitize*",
            "-fprofile*",
            "-fcoverage*",
            "-ftest-coverage",
            "--coverage",
            "-pg",
            "-p",
            "-fopenmp*",
            "-finstrument*",
            "-fxray*",
            "-fblocks",
        ],
    ),
    (
        Rule::Refused(
            "the shapes of types and the meaning of floating point are those that both instruction sets share; leave it away",
        ),
        &[
            "-mlong-double-*",
            "-malign*",
            "-mpc*",
            "-mrtd",
            "-frounding-math",
        ],
    ),
    (
        Rule::Refused("there is one code model, small; leave it away"),
        &["-mcmodel=large", "-mcmodel=medium", "-mcmodel=kernel"],
    ),
    (Rule::Ignored, &["-m64", "-mtune=*", "-mcmodel=small"]),
    (
        Rule::Refused("programs are 64-bit, for x86_64 and aarch64; leave it away"),
        &[
            "-m32",
            "-mx32",
            "-m16",
            "--target*",
            "-target",
            "--sysroot*",
            "-arch",
        ],
    ),
    (Rule::Refused(ONE_ISA), &["-m*"]),
    (
        Rule::Refused(STATIC),
        &["-shared", "-dynamiclib", "-r", "-static-pie", "-fplugin*"],
    ),
    (
        Rule::Refused(NO_LIBRARY),
        &[
            "-nostdlib",
            "-nodefaultlibs",
            "-nostartfiles",
            "-nolibc",
            "-nostdinc",
            "-T",
            "-T*",
        ],
    ),
    (
        Rule::Refused("the parts of the compiler driver cannot be reached so; leave it away"),
        &[
            "-Xclang",
            "-Xassembler",
            "-Xpreprocessor",
            "-mllvm",
            "-Wa,*",
            "-B*",
        ],
    ),
    // Where code is placed, how it is protected and unwound, is the same in every program; it is linked as bitcode anyway.
    // Fast-math flags are permissions; using them, the two instruction sets would get different digits.
    (
        Rule::Ignored,
        &[
            "-fPIC",
            "-fpic",
            "-fPIE",
            "-fpie",
            "-fno-PIC",
            "-fno-pic",
            "-fno-PIE",
            "-fno-pie",
            "-fno-plt",
            "-fplt",
            "-pie",
            "-no-pie",
            "-nopie",
            "-static",
            "-static-libgcc",
            "-rdynamic",
            "-s",
            "-pipe",
            "-fstack-protector*",
            "-fno-stack-protector*",
            "-fstack-clash-protection",
            "-fno-stack-clash-protection",
            "-fcf-protection*",
            "-fasynchronous-unwind-tables",
            "-fno-asynchronous-unwind-tables",
            "-funwind-tables",
            "-fno-unwind-tables",
            "-fexceptions",
            "-fno-exceptions",
            "-ffunction-sections",
            "-fno-function-sections",
            "-fdata-sections",
            "-fno-data-sections",
            "-fsemantic-interposition",
            "-fno-semantic-interposition",
            "-flto*",
            "-fno-lto",
            "-ffat-lto-objects",
            "-fno-fat-lto-objects",
            "-fuse-linker-plugin",
            "-fno-use-linker-plugin",
            "-fuse-ld=*",
            "-ffast-math",
            "-fno-fast-math",
            "-funsafe-math-optimizations",
            "-fno-unsafe-math-optimizations",
            "-fassociative-math",
            "-fno-associative-math",
            "-freciprocal-math",
            "-fno-reciprocal-math",
            "-ffp-contract=*",
            "-fno-rounding-math",
            "-fno-profile*",
            "-emit-llvm",
            "-fno-omit-frame-pointer",
            "-fomit-frame-pointer",
            "-fident",
            "-fno-ident",
            "-frecord-gcc-switches",
        ],
    ),
    (Rule::IgnoredValue, &["--param*", "-rpath*"]),
    (
        Rule::FrontEnd,
        &[
            "-std=*",
            "-ansi",
            "-pedantic",
            "-pedantic-errors",
            "-W*",
            "-pthread",
            "-MP",
            "-MG",
            "-H",
            "-P",
            "-C",
            "-CC",
            "-dM",
            "-dD",
            "-dI",
            "-undef",
            "-trigraphs",
            "-traditional-cpp",
            "-fansi-escape-codes",
            "-fasm",
            "-fno-asm",
            "-fblock*",
            "-fbracket-depth=*",
            "-fbuiltin*",
            "-fcaret-diagnostics",
            "-fcolor-diagnostics",
            "-fcommon",
            "-fconst-strings",
            "-fdebug-prefix-map=*",
            "-fdelete-null-pointer-checks",
            "-fdiagnostics*",
            "-fdollars-in-identifiers",
            "-ferror-limit=*",
            "-ffile-prefix-map=*",
            "-ffinite-loops",
            "-ffinite-math-only",
            "-ffreestanding",
            "-fgnu89-inline",
            "-fhonor-*",
            "-fhosted",
            "-finline*",
            "-finput-charset=*",
            "-fkeep-static-consts",
            "-fmacro-*",
            "-fmath-errno",
            "-fmax-*",
            "-fmerge-*",
            "-fmessage-length=*",
            "-fms-extensions",
            "-fno-asm",
            "-fno-builtin*",
            "-fno-caret-diagnostics",
            "-fno-color-diagnostics",
            "-fno-common",
            "-fno-delete-null-pointer-checks",
            "-fno-diagnostics*",
            "-fno-dollars-in-identifiers",
            "-fno-finite*",
            "-fno-gnu*",
            "-fno-honor-*",
            "-fno-inline*",
            "-fno-math-errno",
            "-fno-merge-*",
            "-fno-optimize-sibling-calls",
            "-fno-short-enums",
            "-fno-show-*",
            "-fno-signed-*",
            "-fno-slp-vectorize",
            "-fno-spell-checking",
            "-fno-strict-*",
            "-fno-trapping-math",
            "-fno-tree-*",
            "-fno-unroll-loops",
            "-fno-unsigned-char",
            "-fno-vectorize",
            "-fno-verbose-asm",
            "-fno-wrapv*",
            "-fno-zero-initialized-in-bss",
            "-foptimize-sibling-calls",
            "-fpack-struct*",
            "-fshort-enums",
            "-fshort-wchar",
            "-fshow-*",
            "-fsigned-*",
            "-fslp-vectorize",
            "-fspell-checking",
            "-fstrict-*",
            "-ftabstop=*",
            "-ftemplate*",
            "-ftrapv",
            "-ftree-*",
            "-ftrivial-auto-var-init=*",
            "-funroll*",
            "-funsigned-*",
            "-fvectorize",
            "-fverbose-asm",
            "-fvisibility=*",
            "-fwrapv*",
            "-fzero-*",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{Rule, has_joined_value, rule};

    #[test]
    fn each_flag_has_the_rule_that_comes_first() {
        for (flag, expected) in [
            ("-Wall", Some(Rule::FrontEnd)),
            ("-fPIC", Some(Rule::Ignored)),
            ("-fno-strict-aliasing", Some(Rule::FrontEnd)),
            ("-m64", Some(Rule::Ignored)),
            ("-isystem", Some(Rule::FrontEndValue)),
            ("-DX=1", Some(Rule::FrontEndValue)),
            ("-fno-such-thing", None),
            ("--wrong", None),
        ] {
            assert_eq!(rule(flag), expected, "{flag}");
        }
        for flag in [
            "-march=native",
            "-shared",
            "-nostdlib",
            "-fsanitize=address",
            "-Wa,-k",
        ] {
            assert!(
                matches!(rule(flag), Some(Rule::Refused(_) | Rule::FrontEnd)),
                "{flag}"
            );
        }
    }

    #[test]
    fn a_value_is_joined_or_comes_next() {
        assert!(has_joined_value("-Idir") && has_joined_value("-DX"));
        assert!(!has_joined_value("-I") && !has_joined_value("-isystem"));
    }
}
