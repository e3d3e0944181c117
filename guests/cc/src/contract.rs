//! What the driver and the guest runtime agree on: names of symbols and sections, and of functions with a special meaning.

/// Natively defined functions that may migrate the calling thread.
pub const MIGRATION_ROOTS: &[&str] = &["migrate"];

/// The word of a thread that is not 0 when its next migration point calls [`POINT`].
pub const PENDING: &str = "__kettle_pending";
/// What a migration point calls; it may migrate.
pub const POINT: &str = "__kettle_point";
/// The native system calls of the library, plain and at a cancellation point, each with what takes its place where system calls are migration points.
pub const SYSTEM_CALLS: [(&str, &str); 2] = [
    ("__kettle_sys", "__kettle_sys_at_point"),
    ("__kettle_sys_cp", "__kettle_sys_cp_at_point"),
];

/// The tables of functions that run before `main` and at the end, which the runtime declares and the transformation defines.
pub const CONSTRUCTORS: &str = "__kettle_constructors";
/// See [`CONSTRUCTORS`].
pub const DESTRUCTORS: &str = "__kettle_destructors";

/// Where a program starts, natively.
pub const ENTRY: &str = "_start";

/// The return address in the start code that ends the walk of the main thread, one per ISA.
pub const START_RETURN: &str = "__start_ret";

/// First byte of the initial image of thread-local variables (aligned to [`TLS_ALIGN`]), and the end of its initialised part.
pub const TDATA_START: &str = "__kettle_tdata_start";
/// See [`TDATA_START`].
pub const TDATA_END: &str = "__kettle_tdata_end";
/// End of the thread-local variables: [`TDATA_START`] plus their size.
pub const TLS_END: &str = "__kettle_tls_end";
/// Alignment of the segment of thread-local variables on both ISAs; no variable may ask for more.
///
/// In the area of a thread, with the image at B: TPIDR_EL0 = B - 64, and FS base = B + size rounded up to 64. So a thread-local variable has
/// one address on both ISAs.
pub const TLS_ALIGN: u64 = 64;

/// The note by which tools recognise a program of ours: section, owner, type and version of the description
/// (u32 version, u32 Popcorn ABI).
pub const NOTE_SECTION: &str = ".note.kettle";
/// See [`NOTE_SECTION`].
pub const NOTE_OWNER: &str = "Kettle";
/// See [`NOTE_SECTION`].
pub const NOTE_TYPE: u32 = 1;
/// See [`NOTE_SECTION`].
pub const NOTE_VERSION: u32 = 1;
/// The Popcorn system call ABI that the runtime uses: numbers 900 to 903 of the 5.2 kernel.
pub const POPCORN_ABI: u32 = 52;

/// Symbols that the linker defines where they are used, besides those of the script.
pub const LINKER_SYMBOLS: &[&str] = &[
    "__ehdr_start",
    "__executable_start",
    "__bss_start",
    "_etext",
    "etext",
    "_edata",
    "edata",
    "_end",
    "end",
];

/// Symbols of the neutral part that stay visible whoever uses them: what native code calls is found in the native objects, but calls that
/// a back end makes up (library functions behind instructions) appear in no object before it runs.
pub const KEPT_SYMBOLS: &[&str] = &[
    "__kettle_main",
    "main",
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    "bcmp",
    "strlen",
    "floor",
    "floorf",
    "ceil",
    "ceilf",
    "trunc",
    "truncf",
    "rint",
    "rintf",
    "nearbyint",
    "nearbyintf",
    "round",
    "roundf",
    "roundeven",
    "roundevenf",
    "fmod",
    "fmodf",
    "fma",
    "fmaf",
    "fmin",
    "fminf",
    "fmax",
    "fmaxf",
    "sqrt",
    "sqrtf",
    "sin",
    "sinf",
    "cos",
    "cosf",
    "exp",
    "expf",
    "exp2",
    "exp2f",
    "exp10",
    "exp10f",
    "log",
    "logf",
    "log2",
    "log2f",
    "log10",
    "log10f",
    "pow",
    "powf",
    "ldexp",
    "ldexpf",
    "__multi3",
    "__udivti3",
    "__umodti3",
    "__divti3",
    "__modti3",
];
