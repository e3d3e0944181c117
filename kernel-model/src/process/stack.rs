//! What a program finds on its stack when it starts: argc, argv, envp, the auxiliary vector and the strings they point to.
//!
//! The layout is that of `create_elf_tables` (fs/binfmt_elf.c, Linux 5.2), the same on both ISAs but for the platform string and the feature bits.
//! Left out: the vDSO (AT_SYSINFO_EHDR): programs make real system calls.

use isa::{Isa, PAGE_SIZE, VirtAddr};

/// Where the loader put a program: what the auxiliary vector tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramInfo {
    /// Where its program headers are in memory.
    pub phdr: VirtAddr,
    /// Size of one in bytes.
    pub phent: u64,
    /// How many there are.
    pub phnum: u64,
    /// Its first instruction.
    pub entry: VirtAddr,
}

/// A start stack, ready to be copied to `sp..top`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StartStack {
    /// The stack pointer at the first instruction, 16-byte aligned; argc is there.
    pub sp: VirtAddr,
    /// From `sp` up to the top.
    pub bytes: Vec<u8>,
    pub arg_start: VirtAddr,
    pub arg_end: VirtAddr,
    pub env_start: VirtAddr,
    pub env_end: VirtAddr,
}

const AT_NULL: u64 = 0;
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
const AT_UID: u64 = 11;
const AT_EUID: u64 = 12;
const AT_GID: u64 = 13;
const AT_EGID: u64 = 14;
const AT_PLATFORM: u64 = 15;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
const AT_SECURE: u64 = 23;
const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
const AT_EXECFN: u64 = 31;

/// AT_HWCAP: x86_64 has CPUID leaf 1 EDX there (FPU to SSE2), aarch64 FP and ASIMD: what the engine has for certain.
fn hwcap(isa: Isa) -> u64 {
    match isa {
        Isa::X86_64 => 0x0783_fbff,
        Isa::Aarch64 => 0b11,
    }
}

/// Builds the stack that ends at `top`; `random` is what AT_RANDOM points to.
pub(super) fn build(
    isa: Isa,
    top: VirtAddr,
    path: &str,
    argv: &[String],
    envp: &[String],
    program: &ProgramInfo,
    random: [u8; 16],
) -> StartStack {
    let mut strings = Strings {
        top: top.0 - 8,
        bytes: Vec::new(),
    };
    // From the top down: a zero word, the file name, the environment's strings, the arguments' strings.
    let execfn = strings.push(path.as_bytes());
    let env_end = strings.low_end();
    let env = strings.push_all(envp);
    let env_start = strings.low_end();
    let args = strings.push_all(argv);
    let arg_start = strings.low_end();
    strings.align(16);
    let platform = strings.push(isa.name().as_bytes());
    let random = strings.push_raw(&random);
    strings.align(16);

    let auxv = [
        (AT_HWCAP, hwcap(isa)),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, 100),
        (AT_PHDR, program.phdr.0),
        (AT_PHENT, program.phent),
        (AT_PHNUM, program.phnum),
        (AT_BASE, 0),
        (AT_FLAGS, 0),
        (AT_ENTRY, program.entry.0),
        (AT_UID, 0),
        (AT_EUID, 0),
        (AT_GID, 0),
        (AT_EGID, 0),
        (AT_SECURE, 0),
        (AT_RANDOM, random),
        (AT_HWCAP2, 0),
        (AT_EXECFN, execfn),
        (AT_PLATFORM, platform),
        (AT_NULL, 0),
    ];
    let mut words = vec![args.len() as u64];
    words.extend(&args);
    words.push(0);
    words.extend(&env);
    words.push(0);
    words.extend(auxv.into_iter().flat_map(|(kind, value)| [kind, value]));

    let sp = (strings.low_end() - words.len() as u64 * 8) & !15;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize((strings.low_end() - sp) as usize, 0);
    bytes.extend(strings.bytes.iter().rev());
    bytes.extend([0; 8]);
    StartStack {
        sp: VirtAddr(sp),
        bytes,
        arg_start: VirtAddr(arg_start),
        arg_end: VirtAddr(env_start),
        env_start: VirtAddr(env_start),
        env_end: VirtAddr(env_end),
    }
}

/// Bytes that are stacked from a top address down; kept in reverse.
struct Strings {
    top: u64,
    bytes: Vec<u8>,
}

impl Strings {
    fn low_end(&self) -> u64 {
        self.top - self.bytes.len() as u64
    }

    /// Puts bytes below the rest; returns their address.
    fn push_raw(&mut self, bytes: &[u8]) -> u64 {
        self.bytes.extend(bytes.iter().rev());
        self.low_end()
    }

    /// Puts a string and its zero byte.
    fn push(&mut self, text: &[u8]) -> u64 {
        self.bytes.push(0);
        self.push_raw(text)
    }

    /// Puts strings so that the first one is lowest; returns their addresses in order.
    fn push_all(&mut self, texts: &[String]) -> Vec<u64> {
        let mut addresses: Vec<_> = texts
            .iter()
            .rev()
            .map(|text| self.push(text.as_bytes()))
            .collect();
        addresses.reverse();
        addresses
    }

    fn align(&mut self, to: u64) {
        while !self.low_end().is_multiple_of(to) {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(stack: &StartStack, index: usize) -> u64 {
        u64::from_le_bytes(*stack.bytes[index * 8..].first_chunk().unwrap())
    }

    fn text(stack: &StartStack, at: u64) -> &str {
        let bytes = &stack.bytes[(at - stack.sp.0) as usize..];
        std::str::from_utf8(&bytes[..bytes.iter().position(|byte| *byte == 0).unwrap()]).unwrap()
    }

    #[test]
    fn a_program_finds_what_linux_gives_it() {
        let program = ProgramInfo {
            phdr: VirtAddr(0x40_0040),
            phent: 56,
            phnum: 5,
            entry: VirtAddr(0x40_1000),
        };
        let top = VirtAddr(0x7fff_ffff_f000);
        for isa in Isa::ALL {
            for args in 0..4 {
                let argv: Vec<_> = (0..args).map(|n| format!("argument {n}")).collect();
                let envp = vec!["HOME=/".to_owned(), "LANG=C".to_owned()];
                let stack = build(isa, top, "/bin/prog", &argv, &envp, &program, [7; 16]);
                assert_eq!(stack.sp.0 % 16, 0);
                assert_eq!(stack.sp.0 + stack.bytes.len() as u64, top.0);
                assert_eq!(word(&stack, 0), argv.len() as u64);
                for (n, arg) in argv.iter().enumerate() {
                    assert_eq!(text(&stack, word(&stack, 1 + n)), arg);
                }
                let env = 2 + argv.len();
                assert_eq!(word(&stack, env - 1), 0, "argv ends with NULL");
                assert_eq!(
                    (
                        text(&stack, word(&stack, env)),
                        text(&stack, word(&stack, env + 1))
                    ),
                    ("HOME=/", "LANG=C")
                );
                assert_eq!(word(&stack, env + 2), 0, "envp ends with NULL");
                let auxv: Vec<_> = (0..)
                    .map(|n| (word(&stack, env + 3 + 2 * n), word(&stack, env + 4 + 2 * n)))
                    .take_while(|(kind, _)| *kind != AT_NULL)
                    .collect();
                let find = |wanted| {
                    auxv.iter()
                        .find(|(kind, _)| *kind == wanted)
                        .map(|(_, value)| *value)
                        .unwrap()
                };
                assert_eq!(
                    (
                        find(AT_PHDR),
                        find(AT_PHENT),
                        find(AT_PHNUM),
                        find(AT_ENTRY)
                    ),
                    (0x40_0040, 56, 5, 0x40_1000)
                );
                assert_eq!(
                    (
                        text(&stack, find(AT_EXECFN)),
                        text(&stack, find(AT_PLATFORM))
                    ),
                    ("/bin/prog", isa.name())
                );
                let random = (find(AT_RANDOM) - stack.sp.0) as usize;
                assert_eq!(stack.bytes[random..random + 16], [7; 16]);
                let args_text = &stack.bytes[(stack.arg_start.0 - stack.sp.0) as usize
                    ..(stack.arg_end.0 - stack.sp.0) as usize];
                assert_eq!(
                    args_text,
                    argv.iter()
                        .map(|a| format!("{a}\0"))
                        .collect::<String>()
                        .as_bytes()
                );
                assert_eq!(stack.env_end.0 - stack.env_start.0, 14);
            }
        }
    }
}
