//! Guest speed: the vCPU, which counts every instruction, against the bare engine, which counts nothing, on both ISAs.
//!
//! The bare engine is Unicorn in its fastest mode, with the same page table behind the same virtual TLB. The third column is Kettle as a
//! whole, as `kettle run` is: a node with its kernel, quantum after quantum. Each is measured five times in turn, and the best time
//! counts: noise of the host only ever adds. Where Qiling 1.4.6 can be had, it runs the same executables, and Kettle as a whole is its peer.
//! Run with `cargo bench -p benches --bench guest_speed`.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use benches::{FRAMES, Image, STACK_TOP, compile};
use emu::cluster::{Cluster, Outcome};
use emu::config::ClusterConfig;
use emu::memory::Arena;
use emu::program::Program;
use emu::record::{Console, Recorder};
use emu::vcpu::UnicornCpu;
use isa::{Isa, PAGE_SIZE, PhysAddr, RegisterFile, VirtAddr};
use kernel_model::task::ExitStatus;
use kernel_model::{Access, Cpu, CpuExit, Mmu, PhysMemory, UserContext};
use unicorn_engine as uc;

/// Times each engine runs.
const ROUNDS: usize = 5;

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    println!(
        "{:9} {:>12}  {:>9}  {:>9}  {:>7}  {:>9}  {:>7}",
        "", "instructions", "bare", "vCPU", "ratio", "Kettle", "ratio"
    );
    for isa in Isa::ALL {
        let binary = compile(isa, dir.path())?;
        let image = Image::load(&binary)?;
        let mut best = [f64::INFINITY; 3];
        let mut instructions = 0;
        for _ in 0..ROUNDS {
            let (text, seconds) = bare(isa, &image)?;
            best[0] = best[0].min(seconds);
            let (counted_text, retired, seconds) = counted(isa, &image)?;
            best[1] = best[1].min(seconds);
            let (kettle_text, seconds) = kettle(isa, &binary)?;
            best[2] = best[2].min(seconds);
            ensure!(
                text == counted_text && text == kettle_text,
                "{isa}: the engines disagree: {text:?}, {counted_text:?} and {kettle_text:?}"
            );
            instructions = retired;
        }
        let [bare, vcpu, kettle] = best;
        println!(
            "{isa:9} {instructions:>12}  {bare:>7.2} s  {vcpu:>7.2} s  {:>7.2}  {kettle:>7.2} s  {:>7.2}",
            bare / vcpu,
            bare / kettle
        );
        qiling(isa, dir.path(), kettle)?;
    }
    Ok(())
}

/// Time of a piece of work, in seconds.
#[expect(clippy::disallowed_types, reason = "a bench measures the host's time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}

/// What a run of the workload on the vCPU prints, its retired instructions, and its time.
fn counted(isa: Isa, image: &Image) -> Result<(String, u64, f64)> {
    let memory = Arc::new(Arena::new(FRAMES)?);
    memory.write(PhysAddr(0), &image.memory);
    let mut cpu = UnicornCpu::new(isa, Arc::clone(&memory))?;
    let mut regs = RegisterFile::new(isa);
    regs.start_thread(VirtAddr(image.entry), VirtAddr(STACK_TOP));
    let mut context = UserContext::new(1, regs);
    let mut run = || {
        let mut retired = 0;
        loop {
            let result = cpu.run(&mut context, image, u64::MAX);
            retired += result.retired;
            match result.exit {
                CpuExit::Budget => {}
                exit => return (exit, retired),
            }
        }
    };
    let ((exit, retired), seconds) = timed(&mut run);
    ensure!(
        exit == CpuExit::Syscall,
        "the workload stopped with {exit:?}"
    );
    let [_, buffer, len, ..] = context.regs().syscall_args();
    let mut text = vec![0; len as usize];
    memory.read(
        PhysAddr(image.offset(buffer).context("the text is nowhere")?),
        &mut text,
    );
    Ok((String::from_utf8(text)?, retired, seconds))
}

/// What a run of the workload on a cluster of one node prints, and its time, start and end included.
fn kettle(isa: Isa, binary: &Path) -> Result<(String, f64)> {
    let (ran, seconds) = timed(|| -> Result<Vec<u8>> {
        let program = Program::open(binary)?;
        let recorder = Recorder::new(1, Console::Kept, None);
        let cluster = Cluster::new(&ClusterConfig::of(&[isa]), &program, Rc::clone(&recorder))?;
        let outcome = cluster.run(&program, &[], &[])?;
        ensure!(
            outcome == Outcome::Exited(ExitStatus::Exited(0)),
            "Kettle ended with {outcome:?}"
        );
        Ok(recorder.output(1))
    });
    Ok((String::from_utf8(ran?)?, seconds))
}

/// What a run of the workload on the bare engine prints, and its time.
fn bare(isa: Isa, image: &Image) -> Result<(String, f64)> {
    let (arch, mode) = match isa {
        Isa::X86_64 => (uc::Arch::X86, uc::Mode::MODE_64),
        Isa::Aarch64 => (uc::Arch::ARM64, uc::Mode::LITTLE_ENDIAN),
    };
    let mut engine = uc::Unicorn::new(arch, mode).map_err(failed)?;
    if isa == Isa::Aarch64 {
        engine
            .ctl_set_cpu_model(uc::Arm64CpuModel::MAX as i32)
            .map_err(failed)?;
        engine.ctl_set_page_size(PAGE_SIZE as u32).map_err(failed)?;
    }
    engine
        .ctl_set_tlb_type(uc::TlbType::VIRTUAL)
        .map_err(failed)?;
    engine
        .mem_map(0, FRAMES * PAGE_SIZE, uc::Prot::ALL)
        .map_err(failed)?;
    engine.mem_write(0, &image.memory).map_err(failed)?;
    let fill = |_: &mut uc::Unicorn<'_, ()>, addr: u64, kind: uc::MemType| {
        let (access, rights) = match kind {
            uc::MemType::WRITE => (Access::Write, uc::Prot::READ | uc::Prot::WRITE),
            uc::MemType::FETCH => (Access::Fetch, uc::Prot::READ | uc::Prot::EXEC),
            _ => (Access::Read, uc::Prot::READ),
        };
        let page = image.translate(VirtAddr(addr), access)?;
        let rights = if access == Access::Read && page.write {
            uc::Prot::READ | uc::Prot::WRITE
        } else {
            rights
        };
        Some(uc::TlbEntry {
            paddr: page.pfn.start().0,
            perms: rights,
        })
    };
    engine.add_tlb_hook(1, 0, fill).map_err(failed)?;
    let (sp, buffer) = match isa {
        Isa::X86_64 => {
            engine
                .add_insn_sys_hook(uc::X86Insn::SYSCALL, 1, 0, stop)
                .map_err(failed)?;
            (uc::RegisterX86::RSP as i32, uc::RegisterX86::RSI as i32)
        }
        Isa::Aarch64 => {
            engine
                .add_intr_hook(|engine, _| stop(engine))
                .map_err(failed)?;
            (uc::RegisterARM64::SP as i32, uc::RegisterARM64::X1 as i32)
        }
    };
    engine.reg_write(sp, STACK_TOP).map_err(failed)?;
    let (result, seconds) = timed(|| engine.emu_start(image.entry, 0, 0, 0));
    result.map_err(failed)?;
    let buffer = engine.reg_read(buffer).map_err(failed)?;
    let mut text = vec![0; 17];
    engine
        .mem_read(
            image.offset(buffer).context("the text is nowhere")?,
            &mut text,
        )
        .map_err(failed)?;
    Ok((String::from_utf8(text)?, seconds))
}

fn stop(engine: &mut uc::Unicorn<'_, ()>) {
    engine.emu_stop().expect("a running engine can be stopped");
}

fn failed(error: uc::uc_error) -> anyhow::Error {
    anyhow::anyhow!("the bare engine failed: {error}")
}

/// Runs Qiling on the executable in `dir`, if it can be had, and compares.
fn qiling(isa: Isa, dir: &Path, ours: f64) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("qiling.py");
    let binary = dir.join(format!("mix_{}", isa.binary_suffix()));
    let output = Command::new("python3")
        .arg(script)
        .arg(isa.name())
        .arg(binary)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            println!("          Qiling is left out: python3 does not start ({error})");
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    match last.strip_prefix("seconds: ").map(str::parse::<f64>) {
        Some(Ok(seconds)) => println!(
            "          Qiling 1.4.6: {seconds:.2} s, Kettle is {:.1} times as fast",
            seconds / ours
        ),
        _ => println!("          Qiling is left out: {last}"),
    }
    Ok(())
}
