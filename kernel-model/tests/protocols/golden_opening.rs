//! The messages after a first arrival, byte by byte: the canonical opening of every Popcorn trace.
//!
//! TASK_MIGRATE and TASK_PAIRING; the area of the text, whose page comes from the node's own binary; the area of the stack, its page for
//! reading, and the right to write it without data; the area of .data, and its page.

use isa::wire::Regset;
use isa::{Isa, RegisterFile, VirtAddr};
use kernel_model::Access;
use kernel_model::mm::MmLayout;
use msglayer::MessageType;

use crate::support::script::{
    CODE, DATA, DATA_END, Imm, RODATA, Ret, Sp, V, exit_group, register, set_register,
};
use crate::support::wire::{self, Bytes, Field, I32, Path, U64, Zeroes};
use crate::support::{Cluster, Op, Setup, What, image};

/// The page where the stack of `/prog` begins; where in it depends on the length of the ISA's name.
const STACK_PAGE: u64 = 0x7fff_ffff_e000;
/// 128 KiB below that page.
const STACK_START: u64 = STACK_PAGE - 0x2_0000;
const TASK_SIZE: u64 = 0x7fff_ffff_f000;
/// The process at home, which is its only thread; the worker and the thread at the guest.
const HOME: i32 = 1000;
const WORKER: i32 = 101000;
const GUEST: i32 = 101001;

/// Reads the stack, writes it, reads the data, as a compiled program does first.
fn script() -> Vec<Op> {
    vec![
        Op::Set(0, Imm(0x1234)),
        Op::Store(Sp(-8), Imm(77)),
        Op::Migrate {
            to: Imm(1),
            layout: Imm(1),
        },
        Op::Expect(Ret, Imm(0)),
        Op::Load(1, Sp(-8)),
        Op::Expect(V(1, 0), Imm(77)),
        Op::Store(Sp(-16), V(1, 0)),
        Op::Load(1, Imm(DATA)),
        Op::Expect(V(1, 0), Imm(image::DATA_WORD)),
        Op::Load(1, Imm(RODATA)),
        exit_group(0),
    ]
}

/// The messages of the opening. `stack` is the stack page as it is at home when the thread leaves.
fn expected(isas: [Isa; 2], layout: &MmLayout, stack: &[u8]) -> Vec<Vec<u8>> {
    let resume = CODE + 4 * 3;
    let mut regs = RegisterFile::new(isas[1]);
    regs.set_pc(VirtAddr(resume));
    regs.set_sp(layout.stack_start);
    set_register(&mut regs, 0, 0x1234);
    assert_eq!(register(&regs, 0), 0x1234);
    let set = Regset::capture(&regs);
    let union_rest = 784 - set.as_bytes().len();
    // Instructions of the faults: the load of the stack, the store to it, the load of the data.
    let (load_stack, store_stack, load_data) = (CODE + 4 * 4, CODE + 4 * 6, CODE + 4 * 7);

    let info_request = |addr: u64| wire::message(1, 7, &[I32(HOME), I32(GUEST), U64(addr)]);
    let info_response =
        |addr: u64, start: u64, end: u64, flags: u64, pgoff: u64, path: &'static str| {
            let fields = [
                I32(GUEST),
                I32(0),
                U64(addr),
                U64(start),
                U64(end),
                U64(flags),
                U64(pgoff),
                Path(path),
            ];
            wire::message(0, 8, &fields)
        };
    let page_request = |addr: u64, flags: u64, pc: u64| {
        let fields: [Field<'_>; 8] = [
            I32(GUEST),
            I32(0),
            I32(HOME),
            U64(addr),
            U64(flags),
            U64(pc),
            U64(0),
            I32(0),
        ];
        wire::message(1, 11, &fields)
    };
    let page = |addr: u64, bytes: &[u8]| {
        wire::message(
            0,
            12,
            &[
                I32(HOME),
                I32(GUEST),
                I32(0),
                U64(addr),
                I32(0),
                Bytes(bytes),
            ],
        )
    };
    let grant = |addr: u64| {
        wire::message(
            0,
            13,
            &[I32(HOME), I32(GUEST), I32(0), U64(addr), I32(0x4000)],
        )
    };

    let migrate = [
        I32(HOME),
        I32(HOME),
        U64(TASK_SIZE),
        U64(layout.stack_start.0),
        U64(layout.env_start.0),
        U64(layout.env_end.0),
        U64(layout.arg_start.0),
        U64(layout.arg_end.0),
        U64(DATA_END),
        U64(DATA_END),
        U64(CODE),
        U64(CODE + 0x1000),
        U64(DATA),
        U64(DATA + 0x1000),
        I32(0),
        U64(0),
        Path("/prog"),
        // field_arch: thread pointer, four words out of band, "FP state is live", padding, the register set, the rest of the union.
        U64(0),
        Zeroes(32),
        Bytes(&[1, 0, 0, 0, 0, 0, 0, 0]),
        Bytes(set.as_bytes()),
        Zeroes(union_rest),
    ];
    // VM_READ 1, WRITE 2, EXEC 4; MAYREAD, MAYWRITE, MAYEXEC 0x70; GROWSDOWN 0x100, DENYWRITE 0x800, ACCOUNT 0x10_0000.
    let (text, stack_flags, data_flags) = (0x875, 0x10_0173, 0x873);
    vec![
        wire::message(0, 2, &migrate),
        wire::message(1, 4, &[I32(WORKER), I32(GUEST), I32(HOME)]),
        info_request(CODE),
        info_response(CODE, CODE, CODE + 0x1000, text, 1, "/prog"),
        info_request(STACK_PAGE),
        info_response(
            STACK_PAGE,
            STACK_START,
            TASK_SIZE,
            stack_flags,
            STACK_START >> 12,
            "",
        ),
        page_request(STACK_PAGE, 0x54, load_stack),
        page(STACK_PAGE, stack),
        page_request(STACK_PAGE, 0x55, store_stack),
        grant(STACK_PAGE),
        info_request(DATA),
        info_response(DATA, DATA, DATA + 0x1000, data_flags, 3, "/prog"),
        page_request(DATA, 0x54, load_data),
        page(DATA, &image::DATA_WORD.to_le_bytes().repeat(512)),
        info_request(RODATA),
        info_response(RODATA, RODATA, RODATA + 0x1000, 0x871, 2, "/prog"),
    ]
}

fn stack_at_home(cluster: &Cluster) -> Vec<u8> {
    let home = &cluster.kernels[0];
    let tasks = home.tasks.borrow();
    let mm = tasks.values().next().expect("the process has started").mm();
    let pte = mm
        .page_table
        .borrow()
        .get(VirtAddr(STACK_PAGE))
        .expect("the start stack is there");
    let mut bytes = vec![0; 4096];
    home.read_frame(pte.pfn, 0, &mut bytes);
    bytes
}

#[test]
fn the_opening_is_popcorns_byte_for_byte() {
    for isas in [
        [Isa::X86_64, Isa::Aarch64],
        [Isa::Aarch64, Isa::X86_64],
        [Isa::X86_64, Isa::X86_64],
    ] {
        let cluster = Setup::new(&isas).start(script());
        let layout = cluster.kernels[0]
            .tasks
            .borrow()
            .values()
            .next()
            .expect("it has started")
            .mm()
            .layout
            .get();
        // What the thread does to its start stack before it leaves: a word, and the register set.
        let mut stack = stack_at_home(&cluster);
        let outcome = cluster.run();
        assert_eq!(outcome, crate::support::Outcome::exited(0));
        let sp = layout.stack_start.0;
        let offset = (sp - STACK_PAGE) as usize;
        stack[offset - 8..offset].copy_from_slice(&77_u64.to_le_bytes());
        let sent = cluster.recorder.pick(|from, what| match what {
            What::Send { kind, bytes, .. } if *kind != MessageType::NodeInfo => {
                Some((from, *kind, bytes.clone()))
            }
            _ => None,
        });
        let set = &sent[0].2[638 + 48..];
        let uregs = ((sp - 1024) & !15) - STACK_PAGE;
        let set_len = Regset::len(isas[1]);
        stack[uregs as usize..uregs as usize + set_len].copy_from_slice(&set[..set_len]);
        let expected = expected(isas, &layout, &stack);
        assert!(sent.len() >= expected.len(), "only {} messages", sent.len());
        for (n, (expected, (from, kind, bytes))) in expected.iter().zip(&sent).enumerate() {
            assert!(
                expected == bytes,
                "{isas:?}: message {n} ({} from node {from}) is\n{}and should be\n{}",
                kind.name(),
                wire::dump(bytes),
                wire::dump(expected)
            );
        }
        // Sizes on the wire of the kernel's table.
        let sizes: Vec<_> = sent
            .iter()
            .take(expected.len())
            .map(|(_, kind, bytes)| (*kind as u8, bytes.len()))
            .collect();
        let table = [
            (2, 1470),
            (4, 22),
            (7, 26),
            (8, 570),
            (7, 26),
            (8, 570),
            (11, 58),
            (12, 4130),
            (11, 58),
            (13, 34),
        ];
        assert_eq!(sizes[..table.len()], table);
    }
}

#[test]
fn node_info_says_number_and_architecture() {
    for (isa, code) in [(Isa::X86_64, 1), (Isa::Aarch64, 0)] {
        let cluster = Setup::new(&[isa, Isa::Aarch64]).start(vec![exit_group(0)]);
        let bytes = cluster.recorder.pick(|from, what| match what {
            What::Send {
                kind: MessageType::NodeInfo,
                bytes,
                ..
            } if from.index() == 0 => Some(bytes.clone()),
            _ => None,
        });
        assert_eq!(bytes, [wire::message(0, 0, &[I32(0), I32(-1), I32(code)])]);
        assert_eq!(bytes[0].len(), 22);
    }
}

#[test]
fn text_and_read_only_data_come_from_the_nodes_own_binary() {
    for isas in [[Isa::X86_64, Isa::Aarch64], [Isa::Aarch64, Isa::X86_64]] {
        let mut script = vec![
            Op::Load(0, Imm(CODE)),
            Op::Tell("text", V(0, 0)),
            Op::Load(0, Imm(RODATA)),
            Op::Tell("rodata", V(0, 0)),
        ];
        script.extend(crate::support::script::migrate(1));
        script.extend([
            Op::Load(0, Imm(CODE)),
            Op::Tell("text", V(0, 0)),
            Op::Load(0, Imm(RODATA)),
            Op::Tell("rodata", V(0, 0)),
        ]);
        script.push(exit_group(0));
        let cluster = Setup::new(&isas).run_clean(script);
        let own = [(0, image::marker(isas[0])), (1, image::marker(isas[1]))];
        assert_eq!(cluster.recorder.told("text"), own);
        assert_eq!(cluster.recorder.told("rodata"), own);
        let asked = cluster
            .recorder
            .messages::<msglayer::messages::RemotePageRequest>();
        assert!(
            asked
                .iter()
                .all(|(_, _, request)| !(CODE..DATA).contains(&request.addr.get())),
            "text never travels"
        );
        let fetched = cluster.recorder.pick(|nid, what| match what {
            What::Fault {
                addr,
                access: Access::Fetch,
                result: 0,
            } if nid.index() == 1 => Some(*addr),
            _ => None,
        });
        assert_eq!(
            fetched.len(),
            1,
            "one exec fault, handled locally: {fetched:?}"
        );
    }
}
