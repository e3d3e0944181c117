//! Every message against K52's wire: order and offset of its fields, and its bytes.

use expect_test::{Expect, expect};
use isa::wire::FieldArch;
use proptest::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::envelope::Envelope;
use crate::header::{PCN_KMSG_HDR_SIZE, Prio};
use crate::node::Nid;
use crate::types::MESSAGE_TYPES;

/// What the kernel's headers say, and from 45 on this project's own documentation: type number, size with header, and the C declarations of the fields.
const DECLARATIONS: &[(u8, usize, &str)] = &[
    (0, 22, "int nid, bundle_id, arch"),
    (
        2,
        1470,
        "int origin_tgid, origin_pid; ulong task_size, stack_start, env_start, env_end, arg_start, arg_end, \
         start_brk, brk, start_code, end_code, start_data, end_data; uint personality; ulong def_flags; \
         path exe_path; field_arch arch",
    ),
    (
        3,
        858,
        "int remote_nid, remote_pid, origin_pid; uint personality; field_arch arch",
    ),
    (4, 22, "int my_tgid, my_pid, your_pid"),
    (5, 22, "int origin_pid, remote_pid, exit_code"),
    (6, 22, "int origin_pid, remote_pid, exit_code"),
    (7, 26, "int origin_pid, remote_pid; ulong addr"),
    (
        8,
        570,
        "int remote_pid, result; ulong addr, vm_start, vm_end, vm_flags, vm_pgoff; path vm_file_path",
    ),
    (
        9,
        578,
        "int origin_pid, remote_pid, remote_ws, operation; ulong addr, len, prot, flags, pgoff; path path",
    ),
    (
        10,
        50,
        "int origin_pid, remote_pid, remote_ws, operation; long ret; ulong addr, len",
    ),
    (
        11,
        58,
        "int origin_pid, origin_ws, remote_pid; ulong addr, fault_flags, instr_addr, rdma_addr; uint rdma_key",
    ),
    (
        12,
        4130,
        "int remote_pid, origin_pid, origin_ws; ulong addr; int result; page page",
    ),
    (
        13,
        34,
        "int remote_pid, origin_pid, origin_ws; ulong addr; int result",
    ),
    (14, 30, "int origin_pid, origin_ws, remote_pid; ulong addr"),
    (15, 22, "int origin_pid, origin_ws, remote_pid"),
    (
        19,
        66,
        "int origin_pid, remote_ws, op; uint val; long tv_sec, tv_nsec; ulong uaddr, uaddr2; uint val2, val3",
    ),
    (20, 22, "int remote_ws; long ret"),
    (
        39,
        74,
        "int origin_pid; ulong6 args; int remote_ws; uint call_type; int ret",
    ),
    (40, 26, "int origin_pid, remote_ws, sigpending, ret"),
    (
        41,
        27,
        "int origin_pid, remote_pid, remote_nid, sig; bool group",
    ),
    (
        45,
        72,
        "int origin_tgid, origin_pid, remote_pid; ulong6 info; bool group, back",
    ),
    (
        46,
        50,
        "int origin_tgid, sig; ulong handler, flags, restorer, mask",
    ),
    (
        47,
        34,
        "int origin_pid, remote_pid; ulong blocked, real_blocked",
    ),
    (48, 22, "int origin_pid, remote_pid, remote_ws"),
    (49, 26, "int origin_pid, remote_pid, remote_ws, ret"),
    (50, 26, "int origin_pid, remote_ws; ulong ret"),
];

#[test]
fn layouts_are_those_of_the_kernel() {
    let numbers: Vec<_> = LAYOUTS
        .iter()
        .map(|layout| layout.message_type.number())
        .collect();
    assert_eq!(
        numbers,
        DECLARATIONS
            .iter()
            .map(|(number, ..)| *number)
            .collect::<Vec<_>>()
    );
    for (number, size, declaration) in DECLARATIONS {
        let layout = Layout::of(MessageType::from_number(*number).unwrap()).unwrap();
        let fields = packed(declaration);
        let end = fields.last().map(|field| field.offset + field.size);
        assert_eq!(layout.fields, fields, "{}", layout.struct_name);
        assert_eq!(
            (layout.size, end),
            (*size, Some(*size)),
            "{}",
            layout.struct_name
        );
    }
}

/// The fields of a declaration, laid out one behind the other.
fn packed(declaration: &'static str) -> Vec<Field> {
    let mut offset = PCN_KMSG_HDR_SIZE;
    let mut fields = Vec::new();
    for group in declaration.split("; ") {
        let (c_type, names) = group.split_once(' ').unwrap();
        let (kind, size) = match c_type {
            "int" => (FieldKind::I32, 4),
            "uint" => (FieldKind::U32, 4),
            "long" => (FieldKind::I64, 8),
            "ulong" => (FieldKind::U64, 8),
            "bool" => (FieldKind::U8, 1),
            "ulong6" => (FieldKind::U64Array, 48),
            "path" => (FieldKind::Path, 512),
            "page" => (FieldKind::Page, 4096),
            "field_arch" => (FieldKind::FieldArch, 832),
            other => panic!("no C type `{other}`"),
        };
        for name in names.split(',').map(str::trim) {
            fields.push(Field {
                name,
                offset,
                size,
                kind,
            });
            offset += size;
        }
    }
    fields
}

#[test]
fn registers_sit_where_the_kernel_has_them() {
    assert_eq!(std::mem::offset_of!(CloneRequest, arch), 638);
    assert_eq!(std::mem::offset_of!(BackMigrationRequest, arch), 26);
}

/// Seals a message from node 3 to node 0, reads it back, and compares its bytes: the header, then each field by name.
/// Of fields with more than 48 bytes the first 16 are shown.
fn check<M: Message>(message: M, expected: Expect) {
    let envelope = Envelope::seal(Nid::checked(3).unwrap(), Nid::ZERO, message).unwrap();
    let (header, received) = (envelope.header().unwrap(), envelope.decode::<M>().unwrap());
    assert_eq!((header.prio, header.size), (Prio::Normal, size_of::<M>()));
    assert_eq!(received.as_bytes(), envelope.bytes);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let mut lines = format!("{}\n", hex(&envelope.bytes[..PCN_KMSG_HDR_SIZE]));
    for field in M::WIRE.fields {
        let bytes = &envelope.bytes[field.offset..field.offset + field.size];
        let shown = if field.size > 48 { &bytes[..16] } else { bytes };
        lines += &format!("{:>4} {} {}\n", field.offset, field.name, hex(shown));
    }
    expected.assert_eq(&lines);
}

/// A thread pointer and registers that are easy to find again.
fn some_registers() -> FieldArch {
    let mut arch = FieldArch::new_zeroed();
    arch.tls = 0x7f00_1122_3344_5566.into();
    arch.oob[0] = 0x99.into();
    arch
}

#[test]
fn node_and_task_messages_have_the_bytes_of_the_kernel() {
    check(
        NodeInfo::new(Nid::checked(3).unwrap(), isa::Isa::X86_64),
        expect![[r#"
            43001600000000000000
              10 nid 03000000
              14 bundle_id ffffffff
              18 arch 01000000
        "#]],
    );
    check(
        CloneRequest {
            origin_tgid: 70.into(),
            origin_pid: 0x0102_0304.into(),
            task_size: 0x7fff_ffff_f000.into(),
            stack_start: 0x7ffc_0000_1000.into(),
            env_start: 3.into(),
            env_end: 4.into(),
            arg_start: 5.into(),
            arg_end: 6.into(),
            start_brk: 7.into(),
            brk: 8.into(),
            start_code: 9.into(),
            end_code: 10.into(),
            start_data: 11.into(),
            end_data: 12.into(),
            personality: 0x0004_0000.into(),
            def_flags: 0x1122_3344_5566_7788.into(),
            exe_path: PathField::new("/bin/prog").unwrap(),
            arch: some_registers(),
            ..CloneRequest::blank()
        },
        expect![[r#"
            4302be05000000000000
              10 origin_tgid 46000000
              14 origin_pid 04030201
              18 task_size 00f0ffffff7f0000
              26 stack_start 00100000fc7f0000
              34 env_start 0300000000000000
              42 env_end 0400000000000000
              50 arg_start 0500000000000000
              58 arg_end 0600000000000000
              66 start_brk 0700000000000000
              74 brk 0800000000000000
              82 start_code 0900000000000000
              90 end_code 0a00000000000000
              98 start_data 0b00000000000000
             106 end_data 0c00000000000000
             114 personality 00000400
             118 def_flags 8877665544332211
             126 exe_path 2f62696e2f70726f6700000000000000
             638 arch 665544332211007f9900000000000000
        "#]],
    );
    check(
        BackMigrationRequest {
            remote_nid: 3.into(),
            remote_pid: 81.into(),
            origin_pid: 70.into(),
            personality: 0x0004_0000.into(),
            arch: some_registers(),
            ..BackMigrationRequest::blank()
        },
        expect![[r#"
            43035a03000000000000
              10 remote_nid 03000000
              14 remote_pid 51000000
              18 origin_pid 46000000
              22 personality 00000400
              26 arch 665544332211007f9900000000000000
        "#]],
    );
    check(
        RemoteTaskPairing {
            my_tgid: 80.into(),
            my_pid: 81.into(),
            your_pid: 70.into(),
            ..RemoteTaskPairing::blank()
        },
        expect![[r#"
            43041600000000000000
              10 my_tgid 50000000
              14 my_pid 51000000
              18 your_pid 46000000
        "#]],
    );
    check(
        OriginTaskExit {
            origin_pid: 70.into(),
            remote_pid: 80.into(),
            exit_code: 0x0a00.into(),
            ..OriginTaskExit::blank()
        },
        expect![[r#"
            43051600000000000000
              10 origin_pid 46000000
              14 remote_pid 50000000
              18 exit_code 000a0000
        "#]],
    );
    check(
        RemoteTaskExit {
            origin_pid: 70.into(),
            remote_pid: 81.into(),
            exit_code: 9.into(),
            ..RemoteTaskExit::blank()
        },
        expect![[r#"
            43061600000000000000
              10 origin_pid 46000000
              14 remote_pid 51000000
              18 exit_code 09000000
        "#]],
    );
}

#[test]
fn vma_messages_have_the_bytes_of_the_kernel() {
    check(
        VmaInfoRequest {
            origin_pid: 70.into(),
            remote_pid: 81.into(),
            addr: 0x40_1000.into(),
            ..VmaInfoRequest::blank()
        },
        expect![[r#"
            43071a00000000000000
              10 origin_pid 46000000
              14 remote_pid 51000000
              18 addr 0010400000000000
        "#]],
    );
    check(
        VmaInfoResponse {
            remote_pid: 81.into(),
            result: (-2).into(),
            addr: 0x40_1000.into(),
            vm_start: 0x40_0000.into(),
            vm_end: 0x40_8000.into(),
            vm_flags: 0x875.into(),
            vm_pgoff: 1.into(),
            vm_file_path: PathField::new("/bin/prog").unwrap(),
            ..VmaInfoResponse::blank()
        },
        expect![[r#"
            43083a02000000000000
              10 remote_pid 51000000
              14 result feffffff
              18 addr 0010400000000000
              26 vm_start 0000400000000000
              34 vm_end 0080400000000000
              42 vm_flags 7508000000000000
              50 vm_pgoff 0100000000000000
              58 vm_file_path 2f62696e2f70726f6700000000000000
        "#]],
    );
    check(
        VmaOpRequest {
            origin_pid: 70.into(),
            remote_pid: 81.into(),
            remote_ws: 5.into(),
            operation: VmaOp::Nop.number().into(),
            addr: 0x7f00_0000_0000.into(),
            len: 0x2000.into(),
            prot: 3.into(),
            flags: 0x22.into(),
            pgoff: 6.into(),
            path: PathField::new("/lib/x").unwrap(),
            ..VmaOpRequest::blank()
        },
        expect![[r#"
            43094202000000000000
              10 origin_pid 46000000
              14 remote_pid 51000000
              18 remote_ws 05000000
              22 operation ffffffff
              26 addr 00000000007f0000
              34 len 0020000000000000
              42 prot 0300000000000000
              50 flags 2200000000000000
              58 pgoff 0600000000000000
              66 path 2f6c69622f7800000000000000000000
        "#]],
    );
    check(
        VmaOpResponse {
            origin_pid: 70.into(),
            remote_pid: 81.into(),
            remote_ws: 5.into(),
            operation: VmaOp::Brk.number().into(),
            ret: (-12).into(),
            addr: 0x7f00_0000_0000.into(),
            len: 0x2000.into(),
            ..VmaOpResponse::blank()
        },
        expect![[r#"
            430a3200000000000000
              10 origin_pid 46000000
              14 remote_pid 51000000
              18 remote_ws 05000000
              22 operation 05000000
              26 ret f4ffffffffffffff
              34 addr 00000000007f0000
              42 len 0020000000000000
        "#]],
    );
}

#[test]
fn page_messages_have_the_bytes_of_the_kernel() {
    check(
        RemotePageRequest {
            origin_pid: 81.into(),
            origin_ws: 1023.into(),
            remote_pid: 70.into(),
            addr: 0x7ffc_0000_1000.into(),
            fault_flags: (FaultFlags::USER_FAULT | FaultFlags::WRITE).bits().into(),
            instr_addr: 0x40_1234.into(),
            rdma_addr: 0x1122_3344_5566_7788.into(),
            rdma_key: 0x99aa_bbcc.into(),
            ..RemotePageRequest::blank()
        },
        expect![[r#"
            430b3a00000000000000
              10 origin_pid 51000000
              14 origin_ws ff030000
              18 remote_pid 46000000
              22 addr 00100000fc7f0000
              30 fault_flags 5500000000000000
              38 instr_addr 3412400000000000
              46 rdma_addr 8877665544332211
              54 rdma_key ccbbaa99
        "#]],
    );
    check(
        RemotePageResponse {
            remote_pid: 70.into(),
            origin_pid: 81.into(),
            origin_ws: 1023.into(),
            addr: 0x7ffc_0000_1000.into(),
            result: 0.into(),
            page: std::array::from_fn(|at| at as u8),
            ..RemotePageResponse::blank()
        },
        expect![[r#"
            430c2210000000000000
              10 remote_pid 46000000
              14 origin_pid 51000000
              18 origin_ws ff030000
              22 addr 00100000fc7f0000
              30 result 00000000
              34 page 000102030405060708090a0b0c0d0e0f
        "#]],
    );
    check(
        RemotePageResponseShort {
            remote_pid: 70.into(),
            origin_pid: 81.into(),
            origin_ws: 1023.into(),
            addr: 0x7ffc_0000_1000.into(),
            result: VmFault::CONTINUE.to_wire().into(),
            ..RemotePageResponseShort::blank()
        },
        expect![[r#"
            430d2200000000000000
              10 remote_pid 46000000
              14 origin_pid 51000000
              18 origin_ws ff030000
              22 addr 00100000fc7f0000
              30 result 00400000
        "#]],
    );
    check(
        PageInvalidateRequest {
            origin_pid: 70.into(),
            origin_ws: 2.into(),
            remote_pid: 80.into(),
            addr: 0x7ffc_0000_1000.into(),
            ..PageInvalidateRequest::blank()
        },
        expect![[r#"
            430e1e00000000000000
              10 origin_pid 46000000
              14 origin_ws 02000000
              18 remote_pid 50000000
              22 addr 00100000fc7f0000
        "#]],
    );
    check(
        PageInvalidateResponse {
            origin_pid: 70.into(),
            origin_ws: 2.into(),
            remote_pid: 80.into(),
            ..PageInvalidateResponse::blank()
        },
        expect![[r#"
            430f1600000000000000
              10 origin_pid 46000000
              14 origin_ws 02000000
              18 remote_pid 50000000
        "#]],
    );
}

#[test]
fn futex_and_syscall_messages_have_the_bytes_of_the_kernel() {
    check(
        RemoteFutexRequest {
            origin_pid: 70.into(),
            remote_ws: 4.into(),
            op: 0x80.into(),
            val: u32::MAX.into(),
            tv_sec: NO_TIMEOUT.into(),
            tv_nsec: 7.into(),
            uaddr: 0x60_0010.into(),
            uaddr2: 0x60_0020.into(),
            val2: 8.into(),
            val3: 9.into(),
            ..RemoteFutexRequest::blank()
        },
        expect![[r#"
            43134200000000000000
              10 origin_pid 46000000
              14 remote_ws 04000000
              18 op 80000000
              22 val ffffffff
              26 tv_sec ffffffffffffffff
              34 tv_nsec 0700000000000000
              42 uaddr 1000600000000000
              50 uaddr2 2000600000000000
              58 val2 08000000
              62 val3 09000000
        "#]],
    );
    check(
        RemoteFutexResponse {
            remote_ws: 4.into(),
            ret: (-110).into(),
            ..RemoteFutexResponse::blank()
        },
        expect![[r#"
            43141600000000000000
              10 remote_ws 04000000
              14 ret 92ffffffffffffff
        "#]],
    );
    check(
        SyscallFwd {
            origin_pid: 70.into(),
            args: [1, 0x60_0000, 5, 0, 0, u64::MAX].map(Into::into),
            remote_ws: 6.into(),
            call_type: PcnSyscall::Write.number().into(),
            ret: (-1).into(),
            ..SyscallFwd::blank()
        },
        expect![[r#"
            43274a00000000000000
              10 origin_pid 46000000
              14 args 01000000000000000000600000000000050000000000000000000000000000000000000000000000ffffffffffffffff
              62 remote_ws 06000000
              66 call_type 0c000000
              70 ret ffffffff
        "#]],
    );
    check(
        SyscallRep {
            origin_pid: 70.into(),
            remote_ws: 6.into(),
            sigpending: 1.into(),
            ret: (-9).into(),
            ..SyscallRep::blank()
        },
        expect![[r#"
            43281a00000000000000
              10 origin_pid 46000000
              14 remote_ws 06000000
              18 sigpending 01000000
              22 ret f7ffffff
        "#]],
    );
    check(
        SignalTrans {
            origin_pid: 70.into(),
            remote_pid: 81.into(),
            remote_nid: 3.into(),
            sig: 2.into(),
            group: 1,
            ..SignalTrans::blank()
        },
        expect![[r#"
            43291b00000000000000
              10 origin_pid 46000000
              14 remote_pid 51000000
              18 remote_nid 03000000
              22 sig 02000000
              26 group 01
        "#]],
    );
}

#[test]
fn opcodes_and_calls_have_the_numbers_of_the_kernel() {
    for op in VmaOp::ALL {
        assert_eq!(VmaOp::from_number(op.number()), Some(op));
    }
    assert_eq!(VmaOp::ALL.map(VmaOp::number), [-1, 0, 1, 2, 3, 4, 5]);
    assert_eq!(
        [VmaOp::from_number(-2), VmaOp::from_number(6)],
        [None, None]
    );
    for (number, name) in [
        (0, "socket"),
        (12, "write"),
        (17, "fstat"),
        (22, "getpid"),
        (31, "futex"),
    ] {
        let call = PcnSyscall::from_number(number).unwrap();
        assert_eq!((call.name(), call.number()), (name, number));
        assert_eq!(PcnSyscall::from_name(name), Some(call));
    }
    assert_eq!(
        (PcnSyscall::ALL.len(), PcnSyscall::from_number(32)),
        (32, None)
    );
    let request = VmaOpRequest {
        operation: 77.into(),
        ..VmaOpRequest::blank()
    };
    expect!["field `operation` of VMA_OP_REQUEST cannot be 77"]
        .assert_eq(&request.op().unwrap_err().to_string());
}

#[test]
fn remote_work_names_its_task() {
    let pid_of = |envelope: Result<Envelope, KmsgError>| remote_work_pid(&envelope.unwrap().bytes);
    let (from, to) = (Nid::checked(1).unwrap(), Nid::ZERO);
    let (home, away) = (70.into(), 81.into());
    let exit_remote = RemoteTaskExit {
        origin_pid: home,
        remote_pid: away,
        ..RemoteTaskExit::blank()
    };
    assert_eq!(pid_of(Envelope::seal(from, to, exit_remote)), Ok(70));
    let exit_origin = OriginTaskExit {
        origin_pid: home,
        remote_pid: away,
        ..OriginTaskExit::blank()
    };
    assert_eq!(
        pid_of(Envelope::seal(to, from, exit_origin)),
        Ok(81),
        "a process that ends calls the worker"
    );
    let pairing = Envelope::seal(from, to, RemoteTaskPairing::blank());
    assert_eq!(
        pid_of(pairing),
        Err(KmsgError::NotRemoteWork(MessageType::TaskPairing))
    );
    for info in MESSAGE_TYPES
        .iter()
        .filter(|info| info.class == Some(HandlerClass::RemoteWork))
    {
        let layout = Layout::of(info.message_type).expect("remote work is modelled");
        let mut bytes = vec![0; layout.size];
        let header = Header::new(from, info.message_type, layout.size).encode();
        bytes[..PCN_KMSG_HDR_SIZE].copy_from_slice(header.as_bytes());
        assert_eq!(remote_work_pid(&bytes), Ok(0), "{}", info.name);
    }
}

proptest! {
    #[test]
    fn any_payload_is_a_message_and_comes_back(number in 0u8..=50, seed in any::<[u8; 32]>()) {
        let message_type = MessageType::from_number(number).unwrap();
        let Some(layout) = Layout::of(message_type) else { return Ok(()) };
        let header = Header::new(Nid::ZERO, message_type, layout.size).encode();
        let payload = seed.iter().copied().cycle().take(layout.size - PCN_KMSG_HDR_SIZE);
        let bytes: Vec<u8> = header.as_bytes().iter().copied().chain(payload).collect();
        let words = Layout::describe(&bytes);
        prop_assert!(words.is_ok_and(|words| words.starts_with(message_type.name())));
        let pid = remote_work_pid(&bytes);
        prop_assert_eq!(pid.is_ok(), message_type.class() == Some(HandlerClass::RemoteWork));
        prop_assert_eq!(RemotePageRequest::parse(&bytes).is_ok(), message_type == MessageType::RemotePageRequest);
        if let Ok(request) = RemotePageRequest::parse(&bytes) {
            prop_assert_eq!(request.as_bytes(), &bytes[..]);
        }
        prop_assert!(Layout::describe(&bytes[..bytes.len() - 1]).is_err());
    }
}
