//! Builds small static ELF files with clang-19 and ld.lld-19.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use isa::{ElfImage, Isa};
use tempfile::TempDir;

/// A program to build.
pub struct Program<'a> {
    /// Its C source.
    pub source: &'a str,
    /// Further flags of the compiler.
    pub compile: &'a [&'a str],
    /// Further flags of the linker.
    pub link: &'a [&'a str],
}

impl<'a> Program<'a> {
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            compile: &[],
            link: &[],
        }
    }

    /// The bytes of the linked file.
    pub fn bytes(&self, isa: Isa) -> Vec<u8> {
        let dir = TempDir::new().expect("a temporary directory");
        let (source, object, linked) = (
            dir.path().join("it.c"),
            dir.path().join("it.o"),
            dir.path().join("it"),
        );
        std::fs::write(&source, self.source).expect("write the source");
        let target = format!("--target={}-linux-gnu", isa.name());
        run(Command::new("clang-19")
            .args([
                &target,
                "-c",
                "-O1",
                "-ffreestanding",
                "-fno-pic",
                "-fno-stack-protector",
            ])
            .args([
                "-fasynchronous-unwind-tables",
                "-mno-omit-leaf-frame-pointer",
            ])
            .args(self.compile)
            .arg(&source)
            .arg("-o")
            .arg(&object));
        if self.link.contains(&"-r") {
            return read(&object);
        }
        run(Command::new("ld.lld-19")
            .args(["-static", "--eh-frame-hdr"])
            .args(self.link)
            .arg(&object)
            .arg("-o")
            .arg(&linked));
        read(&linked)
    }

    /// The parsed file.
    pub fn image(&self, isa: Isa) -> ElfImage {
        ElfImage::parse(&self.bytes(isa)).expect("a freshly linked file is in order")
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?} does not start ({error}); is LLVM 19 installed?")
    });
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the tool wrote its output")
}

/// Data of all kinds, a call chain, and a note.
pub const SAMPLE: &str = r#"
int counter = 7;
static volatile int zeroes[1000];
const char message[] = "hello";
__thread int first = 3;
__thread long second;
__attribute__((section(".note.kettle"), used, aligned(4)))
static const struct { int namesz, descsz, type; char name[8]; int desc; } note = { 7, 4, 42, "Kettle", 5 };
__attribute__((noinline)) int leaf(int *p) { __asm__ volatile("" ::: "memory"); return *p + first; }
__attribute__((noinline)) int middle(int n) {
    int local[4] = { n, n + 1, n + 2, n + 3 };
    __asm__ volatile("" :: "r"(local) : "memory");
    int sum = leaf(&local[n & 3]);
    return sum + counter;
}
__attribute__((noinline)) int outer(int n) { return middle(n) * 3 + zeroes[n] + message[n]; }
void _start(void) { second = outer(1); for (;;) { } }
"#;

/// The built [`SAMPLE`], once for each ISA.
pub fn sample(isa: Isa) -> &'static [u8] {
    static BUILT: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    BUILT[isa as usize].get_or_init(|| Program::new(SAMPLE).bytes(isa))
}

/// The parsed [`SAMPLE`].
pub fn sample_image(isa: Isa) -> ElfImage {
    ElfImage::parse(sample(isa)).expect("a freshly linked file is in order")
}
