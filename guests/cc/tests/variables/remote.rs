//! A client of QEMU's debugger stub: registers, memory and breakpoints of a program under qemu-user, as GDB's remote protocol gives them.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use isa::{Aarch64Regs, Gpr, Isa, RegisterFile, VirtAddr, X86_64Regs};

/// A stopped program.
pub struct Remote {
    isa: Isa,
    qemu: Child,
    stream: UnixStream,
}

/// GDB's order of x86_64's general registers.
const X86_64: [Gpr; 16] = [
    Gpr::Rax,
    Gpr::Rbx,
    Gpr::Rcx,
    Gpr::Rdx,
    Gpr::Rsi,
    Gpr::Rdi,
    Gpr::Rbp,
    Gpr::Rsp,
    Gpr::R8,
    Gpr::R9,
    Gpr::R10,
    Gpr::R11,
    Gpr::R12,
    Gpr::R13,
    Gpr::R14,
    Gpr::R15,
];

impl Remote {
    /// Starts `program`, which stops before its first instruction.
    pub fn start(isa: Isa, program: &Path, directory: &Path) -> Self {
        let socket = directory.join(format!("{}.sock", isa.name()));
        let tool = match isa {
            Isa::X86_64 => "qemu-x86_64",
            Isa::Aarch64 => "qemu-aarch64",
        };
        let mut qemu = Command::new(tool)
            .arg("-g")
            .arg(&socket)
            .arg(program)
            .stdout(Stdio::null())
            .spawn()
            .expect("QEMU starts");
        let stream = loop {
            if let Ok(stream) = UnixStream::connect(&socket) {
                break stream;
            }
            assert!(
                qemu.try_wait().expect("its state").is_none(),
                "QEMU has ended"
            );
            std::thread::yield_now();
        };
        Self { isa, qemu, stream }
    }

    /// Lets the program stop at `address`, or not any more.
    pub fn breakpoint(&mut self, address: VirtAddr, set: bool) {
        let kind = if self.isa == Isa::X86_64 { 1 } else { 4 };
        let letter = if set { 'Z' } else { 'z' };
        let answer = self.ask(&format!("{letter}0,{:x},{kind}", address.0));
        assert_eq!(answer, "OK");
    }

    /// Goes on to the next stop; false when the program ends.
    pub fn go(&mut self) -> bool {
        self.ask("c").starts_with('T')
    }

    /// One instruction on.
    pub fn step(&mut self) {
        assert!(self.ask("s").starts_with('T'));
    }

    pub fn registers(&mut self) -> RegisterFile {
        let bytes = bytes(&self.ask("g"));
        let word = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("8 bytes"));
        match self.isa {
            Isa::X86_64 => {
                let mut regs = X86_64Regs::default();
                for (k, gpr) in X86_64.into_iter().enumerate() {
                    regs[gpr] = word(k * 8);
                }
                regs.rip = word(128);
                RegisterFile::X86_64(Box::new(regs))
            }
            Isa::Aarch64 => {
                let mut regs = Aarch64Regs::default();
                for (k, x) in regs.x.iter_mut().enumerate() {
                    *x = word(k * 8);
                }
                regs.sp = word(248);
                regs.pc = word(256);
                RegisterFile::Aarch64(Box::new(regs))
            }
        }
    }

    pub fn memory(&mut self, address: VirtAddr, len: usize) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("m{:x},{len:x}", address.0));
        (!answer.starts_with('E')).then(|| bytes(&answer))
    }

    fn ask(&mut self, question: &str) -> String {
        let sum = |text: &[u8]| text.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let packet = format!("${question}#{:02x}", sum(question.as_bytes()));
        self.stream.write_all(packet.as_bytes()).expect("written");
        let mut answer = Vec::new();
        // Acknowledgements come before it, two digits of its sum behind it.
        while self.byte() != b'$' {}
        loop {
            match self.byte() {
                b'#' => break,
                byte => answer.push(byte),
            }
        }
        self.byte();
        self.byte();
        self.stream.write_all(b"+").expect("written");
        String::from_utf8(answer).expect("text")
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).expect("QEMU answers");
        byte[0]
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn bytes(digits: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("digits");
        // A register that the stub does not know.
        u8::from_str_radix(text, 16).unwrap_or(0)
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}
