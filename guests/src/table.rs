//! The table of guest programs.

use isa::Isa;

/// What a caller needs to know of a guest program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// Its name, which is also that of its source.
    pub name: &'static str,
    /// What it exercises.
    pub what: &'static str,
    /// The greatest number of its threads at a time.
    pub threads: u32,
    /// What a shell would see it exit with: its status, or 128 + the number of the signal that kills it.
    pub status: i32,
    /// What its output depends on.
    pub output: Output,
}

impl ProgramInfo {
    /// Whether QEMU's user mode for an ISA can run it. That of QEMU 7.2 for x86_64 dies or hangs when timer signals come as thick as in
    /// `libc_signals`, whatever program they come to.
    pub fn runs_under_qemu(&self, isa: Isa) -> bool {
        self.name != "libc_signals" || isa != Isa::X86_64
    }
}

/// What a program's output depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// On nothing: it is the same for every plan, cluster, node, ISA and kernel.
    Same,
    /// On where it runs: it tells its surroundings.
    TellsWhere,
}

/// All guest programs, in the order of their names.
pub fn all() -> &'static [ProgramInfo] {
    PROGRAMS
}

const PROGRAMS: &[ProgramInfo] = &[
    plain("alloca_vla", "memory of run-time size on the stack"),
    plain("arrival_hook", "a function that runs at every arrival"),
    threaded(
        "callbacks",
        2,
        "functions that migrate, called through pointers of other types than their own",
    ),
    threaded("callbacks_o0", 2, "callbacks, not optimised"),
    threaded("callbacks_os", 2, "callbacks, optimised for size"),
    plain(
        "computed_goto",
        "an interpreter in threaded code, and labels kept across migrations",
    ),
    plain(
        "constructors",
        "functions that run before main and at the end, and migrate",
    ),
    plain(
        "deep_recursion",
        "chains of up to 4,000 frames, and a tree of 32 leaves, that migrate at their leaves",
    ),
    plain(
        "early_returns",
        "functions that return, or leave what migrates, on paths without a migration",
    ),
    ProgramInfo {
        status: 7,
        ..plain("exit_status", "the exit status, given after the plan")
    },
    plain(
        "floating_point",
        "doubles and floats live across migrations",
    ),
    plain(
        "function_pointers",
        "function pointers, and a library sort whose comparison migrates",
    ),
    plain("hello", "three lines, with a migration between each two"),
    threaded(
        "hot_page",
        2,
        "one page written in turn by threads on two nodes",
    ),
    plain(
        "libc_arithmetic",
        "128-bit and complex arithmetic, and functions of math.h",
    ),
    plain(
        "libc_callbacks",
        "sorts, searches, trees and regular expressions of the C library, whose callbacks migrate",
    ),
    threaded(
        "libc_cancel",
        2,
        "signals and threads: pthread_kill, sigwait, and pthread_cancel with cleanup handlers",
    ),
    threaded(
        "libc_files",
        2,
        "files, directories and pipes that the program makes itself",
    ),
    plain(
        "libc_format",
        "printf, scanf and strtod of the C library, with all conversions",
    ),
    plain(
        "libc_heap",
        "the C library's heap: many small blocks, growing, aligned and large ones",
    ),
    plain(
        "libc_jump",
        "setjmp and longjmp with migrations between them",
    ),
    plain(
        "libc_locale",
        "dates, wide characters, character sets and patterns of the C library",
    ),
    plain(
        "libc_signals",
        "signal handlers: masks, flags, ended waits, repaired faults, the alternate stack, and a storm of timer signals",
    ),
    plain(
        "libc_streams",
        "FILE streams that stay open across migrations",
    ),
    threaded(
        "libc_threads",
        9,
        "eight POSIX threads with everything that pthread.h has for them",
    ),
    plain(
        "library",
        "small functions of the C library against the C standard",
    ),
    plain(
        "many_arguments",
        "calls with more arguments than registers, and variable ones",
    ),
    plain(
        "many_calls",
        "an interpreter whose loop has more than a hundred calls that migrate",
    ),
    plain(
        "many_live_values",
        "32 integers and 24 doubles live across one migration",
    ),
    plain(
        "npb_cg",
        "NAS Parallel Benchmarks, conjugate gradient, class S",
    ),
    plain(
        "npb_ep",
        "NAS Parallel Benchmarks, embarrassingly parallel, class S: billions of instructions",
    ),
    plain("npb_is", "NAS Parallel Benchmarks, integer sort, class S"),
    plain(
        "pointers_through_frames",
        "pointers to locals of five frames, written through after migrations",
    ),
    threaded(
        "points_functions",
        5,
        "migration points at entries of functions and at system calls",
    ),
    threaded(
        "points_loops",
        5,
        "migration points also at every round of a loop",
    ),
    plain(
        "popcorn_api",
        "migrations as they are written for Popcorn's libmigrate, with callbacks",
    ),
    threaded(
        "producer_consumer",
        2,
        "a bounded queue between threads on two nodes",
    ),
    plain("proposed", "migration to where propose_migration says"),
    ProgramInfo {
        output: Output::TellsWhere,
        ..plain(
            "refusals",
            "migrations that the kernel must refuse, and its answers",
        )
    },
    ProgramInfo {
        status: 128 + 11,
        ..plain(
            "segv",
            "a fault that kills the program where it has migrated to",
        )
    },
    threaded(
        "stack_limit",
        2,
        "frames and arrays that do not fit their stack, and some that do",
    ),
    threaded("stack_limit_o0", 2, "stack_limit, not optimised"),
    threaded("stack_limit_os", 2, "stack_limit, optimised for size"),
    plain("structs_by_value", "structs passed and returned by value"),
    plain("structs_on_stack", "structs and arrays on the stack"),
    plain("switch_loops", "switches and loops round migrations"),
    plain("thousand_hops", "1,000 migrations of one thread"),
    threaded(
        "thread_locals",
        4,
        "thread-local variables and pointers to them",
    ),
    threaded(
        "threads4",
        5,
        "four migrating threads with mutex, condition variable and barrier",
    ),
    ProgramInfo {
        output: Output::TellsWhere,
        threads: 2,
        ..plain(
            "too_deep",
            "a thread whose frames would not fit the other instruction set's stack",
        )
    },
    ProgramInfo {
        output: Output::TellsWhere,
        ..plain(
            "tour",
            "a traveller who visits every node and comes home, for the demonstration",
        )
    },
    plain("trivial", "nothing: what start and end cost"),
];

const fn plain(name: &'static str, what: &'static str) -> ProgramInfo {
    threaded(name, 1, what)
}

const fn threaded(name: &'static str, threads: u32, what: &'static str) -> ProgramInfo {
    ProgramInfo {
        name,
        what,
        threads,
        status: 0,
        output: Output::Same,
    }
}
