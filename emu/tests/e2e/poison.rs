//! What travels with a thread, byte by byte: of the register set only PC, stack pointer and frame pointer (and x86_64's segments and flags)
//! mean anything, of the destination's stack only return addresses and saved frame pointers. All else is 0xDB, so that the matrix of
//! programs shows that nothing else is needed.
//!
//! The nodes are driven by an engine of this file's own, the simplest there is: the earliest action of all comes next.

use std::cell::RefCell;
use std::rc::Rc;

use emu::node;
use emu::program::Program;
use emu::rootfs::HostRoot;
use isa::callsites::CallSites;
use isa::wire::Regset;
use isa::{Isa, PAGE_SIZE, VirtAddr};
use kernel_model::process::start_process;
use kernel_model::{Event, EventSink, Kernel, NodeConfig, user};
use msglayer::messages::RemotePageResponse;
use msglayer::{MessageType, Nid, SimTime};
use zerocopy::FromBytes as _;

use crate::in_process::PAIRS;

const POISON: u8 = 0xdb;

/// Where the register set begins in the messages that carry one: behind `field_arch`'s thread pointer, spare words and flag.
const REGSET_IN_TASK_MIGRATE: usize = 638 + 48;
const REGSET_IN_TASK_MIGRATE_BACK: usize = 26 + 48;

#[test]
fn only_what_is_described_travels() {
    for name in [
        "hello",
        "deep_recursion",
        "many_live_values",
        "floating_point",
    ] {
        for isas in PAIRS {
            let sent = run(&isas, name, &["every"]);
            let program = Program::open(&guests::program(name)).expect("it is built");
            let image = program.image(isas[0]).expect("there are two binaries");
            let sites = CallSites::of_image(image).expect("kettle-cc writes the table");
            let mut arrivals = 0;
            for (n, message) in sent.iter().enumerate() {
                let at = match message.kind {
                    MessageType::TaskMigrate => REGSET_IN_TASK_MIGRATE,
                    MessageType::TaskMigrateBack => REGSET_IN_TASK_MIGRATE_BACK,
                    _ => continue,
                };
                let isa = isas[message.to.index()];
                let bytes = &message.bytes[at..at + Regset::len(isa)];
                let regs = Regset::from_bytes(isa, bytes).expect("a whole set");
                check_registers(&regs, name);
                let page = first_page(&sent[n..], message.to, regs.sp());
                check_stack(
                    &Stack {
                        isa,
                        page: &page,
                        sites: &sites,
                    },
                    &regs,
                    name,
                );
                arrivals += 1;
            }
            assert!(arrivals >= 2, "{name}: {arrivals} arrivals");
        }
    }
}

/// All bytes that no described register occupies are poison.
fn check_registers(regs: &Regset, name: &str) {
    let word = |n: usize| n * 8..n * 8 + 8;
    // PC, SP, FP; for x86_64 also six selectors of 4 bytes and the flags. Places in K52's structures.
    let described = match regs.isa() {
        Isa::X86_64 => vec![word(0), word(7), word(8), 592..624],
        Isa::Aarch64 => vec![word(0), word(1), word(2 + 29)],
    };
    for (at, byte) in regs.as_bytes().iter().enumerate() {
        let expected = described.iter().any(|range| range.contains(&at)) || *byte == POISON;
        assert!(
            expected,
            "{name}: byte {at} of {}'s set is {byte:#x}",
            regs.isa()
        );
    }
    assert_eq!(regs.pc().0 >> 48, 0, "{name}: the PC is an address");
}

/// The destination's stack page as it came.
struct Stack<'a> {
    isa: Isa,
    page: &'a [u8],
    sites: &'a CallSites,
}

impl Stack<'_> {
    fn load(&self, addr: u64) -> u64 {
        let at = (addr % PAGE_SIZE) as usize;
        u64::from_le_bytes(self.page[at..at + 8].try_into().expect("8 bytes"))
    }
}

/// Walks the frames that were built for the thread, as far as its first stack page goes.
fn check_stack(stack: &Stack<'_>, regs: &Regset, name: &str) {
    let sp = regs.sp().0;
    let end = (sp | (PAGE_SIZE - 1)) + 1;
    // The arrival stub's frame: a return address; 16 bytes on aarch64.
    let stub = match stack.isa {
        Isa::X86_64 => 8,
        Isa::Aarch64 => 16,
    };
    let (mut ra, mut fp, mut sp) = (stack.load(sp), regs.fp().0, sp + stub);
    let mut frames = 0;
    while !stack.sites.ends_walk(stack.isa, VirtAddr(ra)) && ra != 0 {
        let site = stack.sites.find(stack.isa, VirtAddr(ra));
        let (_, site) = site.unwrap_or_else(|| panic!("{name}: {ra:#x} is no call site"));
        let frame = site.frame(stack.isa);
        let cfa = fp.wrapping_add_signed(frame.cfa_from_fp.into());
        assert_eq!(cfa, sp + u64::from(frame.size), "{name}: frame {frames}");
        if cfa > end {
            break;
        }
        let [fp_slot, ra_slot] = [frame.saved_fp, frame.saved_return_address]
            .map(|offset| cfa.wrapping_add_signed(offset.into()));
        for addr in sp..cfa {
            let described = [fp_slot, ra_slot]
                .iter()
                .any(|slot| (*slot..slot + 8).contains(&addr));
            let byte = stack.page[(addr % PAGE_SIZE) as usize];
            assert!(
                described || byte == POISON,
                "{name}: {:#x} bytes into the {} frame of {ra:#x} is {byte:#x}",
                addr - sp,
                stack.isa
            );
        }
        (ra, fp, sp) = (stack.load(ra_slot), stack.load(fp_slot), cfa);
        frames += 1;
    }
    assert!(
        frames >= 3,
        "{name}: {frames} frames from the plan to main()"
    );
}

/// The bytes of the page around `sp` when `node` first gets it.
fn first_page(sent: &[Sent], node: Nid, sp: VirtAddr) -> Vec<u8> {
    let page = sp.0 & !(PAGE_SIZE - 1);
    let responses = sent
        .iter()
        .filter(|m| m.to == node && m.kind == MessageType::RemotePageResponse);
    let mut responses =
        responses.map(|m| RemotePageResponse::read_from_bytes(&m.bytes).expect("a whole message"));
    let response = responses.find(|response| response.addr.get() == page);
    response.expect("the thread needs its stack").page.to_vec()
}

struct Sent {
    to: Nid,
    kind: MessageType,
    bytes: Vec<u8>,
}

/// Keeps all messages.
#[derive(Default)]
struct Wire(RefCell<Vec<Sent>>);

impl EventSink for Wire {
    fn record(&self, _: SimTime, _: Nid, event: &Event<'_>) {
        if let Event::Send { to, kind, bytes } = *event {
            self.0.borrow_mut().push(Sent {
                to,
                kind,
                bytes: bytes.to_vec(),
            });
        }
    }
}

/// All messages of a run, in the order of their sending.
fn run(isas: &[Isa], name: &str, arguments: &[&str]) -> Vec<Sent> {
    let program = Program::open(&guests::program(name)).expect("it is built");
    let root = HostRoot::new(program.clone(), None).expect("no directory is asked for");
    let wire = Rc::new(Wire::default());
    let nids: Vec<_> = Nid::first(isas.len()).collect();
    let boot = |nid: &Nid| {
        let config = NodeConfig::new(*nid, isas[nid.index()]);
        node::boot(
            config,
            16_384,
            Rc::clone(&root) as _,
            Rc::clone(&wire) as _,
            &nids,
        )
    };
    let kernels: Vec<Rc<Kernel>> = nids
        .iter()
        .map(|nid| boot(nid).expect("it boots"))
        .collect();
    while turn(&kernels) {}
    let mut argv = vec![program.guest_path().to_owned()];
    argv.extend(arguments.iter().map(ToString::to_string));
    let task = start_process(&kernels[0], program.guest_path(), &argv, &[]).expect("it starts");
    user::wake_up_new_task(&kernels[0], &task);
    while turn(&kernels) {}
    assert!(task.group.threads.borrow().is_empty(), "{name} has ended");
    wire.0.take()
}

/// Takes the earliest action of the cluster; false if none is left.
fn turn(kernels: &[Rc<Kernel>]) -> bool {
    let actions = kernels
        .iter()
        .filter_map(|k| Some((k.exec.next_action()?, k)));
    let actions: Vec<_> = actions.collect();
    if actions.iter().all(|((_, background), _)| *background) {
        return false;
    }
    let earliest = actions.iter().min_by_key(|((time, _), k)| (*time, k.nid()));
    let Some((_, kernel)) = earliest else {
        return false;
    };
    kernel.exec.step();
    for (arrival, envelope) in kernel.take_outbox() {
        kernels[envelope.to.index()].deliver(arrival, envelope);
    }
    true
}
