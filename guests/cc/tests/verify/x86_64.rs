//! Leaks and legal shapes in x86_64 code.

use super::{X86_64, case, check};

#[test]
fn leaks_are_found_on_x86_64() {
    check(
        &X86_64,
        &[
            case(
                "narrow_division",
                "mov %rbx, %rax; mov $7, %ax; mov $3, %si; xor %edx, %edx; div %si; mov %eax, (%rdx); EPILOGUE",
                &["mov dword ptr [rdx], eax: stores poison in rax to memory"],
            ),
            case(
                "sign_extended_accumulator",
                "mov %rbx, %rax; mov $-3, %al; cwtl; mov %eax, (%rdx); EPILOGUE",
                &["mov dword ptr [rdx], eax: stores poison in rax to memory"],
            ),
            case(
                "callee_saved",
                "lea 1(%rbx), %rax; EPILOGUE",
                &["lea rax, [rbx + 1]: uses poison in rbx"],
            ),
            case(
                "callee_saved_test",
                "test %ebx, %ebx; je 1f; nop; 1: EPILOGUE",
                &["test ebx, ebx: uses poison in rbx"],
            ),
            case(
                "spilled",
                "mov -40(%rbp), %rcx; inc %rcx; EPILOGUE",
                &["inc rcx: uses poison in rcx"],
            ),
            case(
                "spilled_folded",
                "xor %eax, %eax; add -40(%rbp), %rax; EPILOGUE",
                &["add rax, qword ptr [rbp - 0x28]: uses the poisoned slot at CFA-56"],
            ),
            case(
                "spilled_by_sp",
                "cmpl $0, 8(%rsp); EPILOGUE",
                &["cmp dword ptr [rsp + 8], 0: uses the poisoned slot at CFA-56"],
            ),
            case(
                "quotient_of_half_poison",
                "mov $3, %ecx; mov %eax, %edx; mov %ebx, %eax; movb %dl, %al; div %cl; EPILOGUE",
                &["div cl: uses poison in rax"],
            ),
            case(
                "mask_of_the_wrong_lanes",
                "movdqu 2f(%rip), %xmm1; punpcklbw %xmm0, %xmm6; pand %xmm1, %xmm6; movdqu %xmm6, (%rax); EPILOGUE; 2: .quad 0x00ff00ff00ff00ff, 0x00ff00ff00ff00ff",
                &["movdqu xmmword ptr [rax], xmm6: stores poison in xmm6 to memory"],
            ),
            case(
                "flags_branch",
                "jne 1f; nop; 1: EPILOGUE",
                &["jne ADDR: decides on poison in eflags"],
            ),
            case(
                "flags_set",
                "setl %al; movzbl %al, %eax; EPILOGUE",
                &["setl al: decides on poison in eflags"],
            ),
            case(
                "flags_of_a_fence",
                "lock orl $0, -40(%rbp); sete %al; movzbl %al, %eax; EPILOGUE",
                &["sete al: decides on poison in eflags"],
            ),
            case(
                "string_by_poison",
                "mov %rax, %rdi; mov $4, %ecx; rep movsq; EPILOGUE",
                &["rep movsq qword ptr [rdi], qword ptr [rsi]: addresses memory by poison in rsi"],
            ),
            case(
                "compare_and_exchange",
                "mov %ebx, %eax; mov $1, %ecx; lea -40(%rbp), %rdi; movq $0, (%rdi); lock cmpxchgb %cl, (%rdi); EPILOGUE",
                &["lock cmpxchg byte ptr [rdi], cl: uses poison in rax"],
            ),
            case(
                "flags_native",
                "xor %eax, %eax; test %eax, %eax; call native; cmovne %eax, %eax; EPILOGUE",
                &["cmovne eax, eax: decides on poison in eflags"],
            ),
            case(
                "address",
                "mov (%rbx), %rax; EPILOGUE",
                &["mov rax, qword ptr [rbx]: addresses memory by poison in rbx"],
            ),
            case(
                "address_in_xmm",
                "movq %xmm3, %rax; mov (%rax), %rax; EPILOGUE",
                &["mov rax, qword ptr [rax]: addresses memory by poison in rax"],
            ),
            case(
                "xmm_arithmetic",
                "addsd %xmm3, %xmm0; EPILOGUE",
                &["addsd xmm0, xmm3: uses poison in xmm3"],
            ),
            case(
                "xmm_packed",
                "mulpd %xmm3, %xmm0; movsd %xmm0, (%rax); EPILOGUE",
                &["mulpd xmm0, xmm3: uses poison in xmm3"],
            ),
            case(
                "xmm_one_lane",
                "unpcklpd %xmm0, %xmm3; mulpd %xmm0, %xmm3; movsd %xmm3, (%rax); EPILOGUE",
                &["movsd qword ptr [rax], xmm3: stores poison in xmm3 to memory"],
            ),
            case(
                "xmm_spilled",
                "movaps -64(%rbp), %xmm0; EPILOGUE",
                &["ret: returns poison in xmm0"],
            ),
            case(
                "partial_slot",
                "movl $1, -40(%rbp); mov -40(%rbp), %rcx; mov %rcx, 8(%rax); EPILOGUE",
                &["mov qword ptr [rax + 8], rcx: stores poison in rcx to memory"],
            ),
            case(
                "overlapping_slot",
                "movq $1, -40(%rbp); movl -36(%rbp), %ecx; movl -34(%rbp), %edx; mov %edx, (%rax); EPILOGUE",
                &["mov dword ptr [rax], edx: stores poison in rdx to memory"],
            ),
            case(
                "slot_below_a_call",
                "movq $1, -8(%rsp); call native; mov -8(%rsp), %rcx; mov %rcx, (%rax); EPILOGUE",
                &["mov qword ptr [rax], rcx: stores poison in rcx to memory"],
            ),
            case(
                "incoming_stack_argument",
                "mov 16(%rbp), %rax; EPILOGUE",
                &["ret: returns poison in rax"],
            ),
            case(
                "argument",
                "mov %rbx, %rdi; call native; EPILOGUE",
                &["call ADDR: passes poison in rdi"],
            ),
            case(
                "stack_argument",
                "mov %rbx, (%rsp); call native; EPILOGUE",
                &["call ADDR: passes poison on the stack at CFA-64"],
            ),
            case(
                "narrow_stack_argument",
                "movb $1, %cl; movl %ecx, (%rsp); call native; EPILOGUE",
                &[],
            ),
            case(
                "spilled_vector_where_arguments_go",
                "movsd %xmm0, %xmm5; movapd %xmm5, (%rsp); call native; movapd (%rsp), %xmm1; shufpd $1, %xmm1, %xmm1; call native; EPILOGUE",
                &["call ADDR: passes poison in xmm1"],
            ),
            case(
                "called",
                "call *%rbx; EPILOGUE",
                &["call rbx: uses poison in rbx"],
            ),
            case(
                "returned",
                "mov %rbx, %rax; EPILOGUE",
                &["ret: returns poison in rax"],
            ),
            case(
                "stored",
                "mov %rbx, (%rax); EPILOGUE",
                &["mov qword ptr [rax], rbx: stores poison in rbx to memory"],
            ),
            case(
                "partial_register",
                "sete %cl; EPILOGUE",
                &["sete cl: decides on poison in eflags"],
            ),
            case(
                "merged_register",
                "mov $1, %cl; mov %ecx, (%rax); EPILOGUE",
                &["mov dword ptr [rax], ecx: stores poison in rcx to memory"],
            ),
            case(
                "on_one_path_only",
                "test %eax, %eax; je 1f; mov $1, %ebx; 1: mov %ebx, (%rax); EPILOGUE",
                &["mov dword ptr [rax], ebx: stores poison in rbx to memory"],
            ),
            case(
                "in_a_loop",
                "xor %ecx, %ecx; 1: add %ecx, %eax; mov %ebx, %ecx; test %eax, %eax; jne 1b; EPILOGUE",
                &["add eax, ecx: uses poison in rcx"],
            ),
            case(
                "after_native_call",
                "xor %ecx, %ecx; call native; mov %ecx, %edi; call native; EPILOGUE",
                &["call ADDR: passes poison in rdi"],
            ),
            case(
                "frame_address_stored",
                "lea -40(%rbp), %rcx; mov %rcx, (%rax); EPILOGUE",
                &["mov qword ptr [rax], rcx: stores the frame address in rcx to memory"],
            ),
            case(
                "wrong_stack_pointer",
                "pop %rbx; pop %rbp; ret",
                &[
                    "ret: returns through a poisoned slot",
                    "ret: returns with a wrong stack pointer",
                    "ret: returns with poison in the frame pointer",
                ],
            ),
            case(
                "table_on_poison",
                "jmp *1f(,%rbx,8); 2: EPILOGUE; .section .rodata; .balign 8; 1: .quad 2b, 2b; .text",
                &["jmp qword ptr [rbx*8 + ADDR]: addresses memory by poison in rbx"],
            ),
        ],
    );
}

#[test]
fn legal_shapes_pass_on_x86_64() {
    check(
        &X86_64,
        &[
            case("epilogue", "EPILOGUE", &[]),
            case(
                "sign_extended_accumulator",
                "mov %rbx, %rax; mov $-3, %al; cbtw; cwtl; cltq; mov %rax, (%rdx); EPILOGUE",
                &[],
            ),
            case(
                "narrow_division",
                "mov %rbx, %rax; mov %rbx, %rsi; mov $7, %ax; mov $3, %si; xor %edx, %edx; div %si; movzwl %ax, %eax; mov %rax, (%rdx); EPILOGUE",
                &[],
            ),
            case("epilogue_leave", "mov -8(%rbp), %rbx; leave; ret", &[]),
            case(
                "epilogue_lea",
                "lea -8(%rbp), %rsp; pop %rbx; pop %rbp; ret",
                &[],
            ),
            case(
                "epilogue_scratch_pop",
                "add $32, %rsp; pop %rax; pop %rbx; pop %rbp; ret",
                &[],
            ),
            case(
                "return_values",
                "add %rdx, %rax; addsd %xmm1, %xmm0; mov %rax, (%rdx); EPILOGUE",
                &[],
            ),
            case(
                "zero_idioms",
                "xor %ebx, %ebx; add %ebx, %eax; pxor %xmm5, %xmm5; addpd %xmm5, %xmm0; sub %ecx, %ecx; lea (%rax,%rcx), %rax; EPILOGUE",
                &[],
            ),
            case(
                "ones_idiom",
                "pcmpeqd %xmm4, %xmm4; paddd %xmm4, %xmm0; or $-1, %ecx; mov %ecx, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "reload_from_tls",
                "mov %fs:0, %rcx; mov -16(%rcx), %rbx; mov 8(%rbx), %rdi; call native; EPILOGUE",
                &[],
            ),
            case(
                "reload_from_global",
                "mov _start(%rip), %rbx; inc %rbx; EPILOGUE",
                &[],
            ),
            case(
                "spill_and_reload",
                "mov %rax, -40(%rbp); call native; mov -40(%rbp), %rcx; inc %rcx; EPILOGUE",
                &[],
            ),
            case(
                "callee_saved_over_native",
                "mov %rax, %rbx; call native; add %rbx, %rax; EPILOGUE",
                &[],
            ),
            case(
                "slot_in_parts",
                "movl %eax, -40(%rbp); movl %eax, -36(%rbp); mov -40(%rbp), %rcx; inc %rcx; EPILOGUE",
                &[],
            ),
            case(
                "partial_register",
                "test %eax, %eax; setl %cl; movzbl %cl, %ecx; mov %ecx, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "partial_arithmetic",
                "test %eax, %eax; setl %cl; add %ecx, %ecx; and $3, %ecx; mov %ecx, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "scalar_in_xmm",
                "cvtsi2sd %eax, %xmm2; mulsd %xmm2, %xmm0; unpcklpd %xmm2, %xmm2; addpd %xmm2, %xmm0; EPILOGUE",
                &[],
            ),
            case(
                "unused_lanes",
                "cvtsd2ss %xmm0, %xmm2; unpcklps %xmm2, %xmm2; mulps %xmm2, %xmm2; movq %xmm2, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "conversions",
                "cvtsi2sd %eax, %xmm2; cvttpd2dq %xmm2, %xmm3; cvtdq2pd %xmm3, %xmm4; mulsd %xmm4, %xmm0; EPILOGUE",
                &[],
            ),
            case(
                "scalar_select",
                "cvtsd2ss %xmm0, %xmm3; movss (%rax), %xmm1; cmpltss %xmm1, %xmm1; andnps %xmm3, %xmm1; orps %xmm1, %xmm0; EPILOGUE",
                &[],
            ),
            case(
                "variable_index",
                "movaps %xmm0, (%rsp); and $3, %eax; movss (%rsp,%rax,4), %xmm0; EPILOGUE",
                &[],
            ),
            case(
                "fence_on_the_stack",
                "lock orl $0, -64(%rsp); EPILOGUE",
                &[],
            ),
            case(
                "string_copy",
                "lea -40(%rbp), %rdi; mov %rax, %rsi; mov $2, %ecx; rep movsq; EPILOGUE",
                &[],
            ),
            case(
                "compare_and_exchange",
                "mov %ebx, %edx; movb (%rax), %dl; mov %rax, %rdi; mov %edx, %eax; lock cmpxchgb %dl, (%rdi); mov $0, %eax; EPILOGUE",
                &[],
            ),
            case(
                "lanes_behind_a_mask",
                "movdqu 2f(%rip), %xmm1; punpcklbw %xmm0, %xmm6; pand %xmm1, %xmm6; movdqu %xmm6, (%rax); EPILOGUE; 2: .quad 0xff00ff00ff00ff00, 0xff00ff00ff00ff00",
                &[],
            ),
            case(
                "lanes_behind_an_inverted_mask",
                "movdqu 2f(%rip), %xmm1; punpcklbw %xmm0, %xmm6; pandn %xmm6, %xmm1; movdqu %xmm1, (%rax); EPILOGUE; 2: .quad 0x00ff00ff00ff00ff, 0x00ff00ff00ff00ff",
                &[],
            ),
            case(
                "test_of_memory",
                "test %eax, (%rax); jne 1f; nop; 1: EPILOGUE",
                &[],
            ),
            case(
                "product_of_bytes",
                "mov %eax, %ecx; movb (%rax), %bl; mov %rax, %rdi; mov %ebx, %eax; mul %cl; movb %al, (%rdi); mov $0, %eax; EPILOGUE",
                &[],
            ),
            case("undescribed_call", "call migrate; EPILOGUE", &[]),
            case("noreturn", "call native; ud2", &[]),
            case(
                "table_absolute",
                "cmp $1, %eax; ja 3f; mov %eax, %eax; jmp *1f(,%rax,8); 2: nop; 3: EPILOGUE; .section .rodata; .balign 8; 1: .quad 2b, 3b, 0; .text",
                &[],
            ),
            case(
                "table_relative",
                "cmp $1, %eax; ja 3f; lea 1f(%rip), %rcx; movslq (%rcx,%rax,4), %rax; add %rcx, %rax; jmp *%rax; 2: nop; 3: EPILOGUE; .section .rodata; .balign 4; 1: .long 2b-1b, 3b-1b; .text",
                &[],
            ),
            case(
                "table_unchecked",
                "jmp *1f(,%rax,8); 2: nop; 3: EPILOGUE; .section .rodata; .balign 8; 1: .quad 2b, 3b, 0; .text",
                &[],
            ),
        ],
    );
}

#[test]
fn a_jump_table_is_followed_to_every_element_and_no_further() {
    let reader = "mov %ebx, (%rax)";
    let code = |elements: &'static str, limit: &'static str| {
        format!(
            "cmp ${limit}, %eax; ja 3f; jmp *1f(,%rax,8); 2: nop; 3: EPILOGUE; 4: {reader}; EPILOGUE; \
             .section .rodata; .balign 8; 1: .quad {elements}; .text"
        )
        .leak()
    };
    let found = &["mov dword ptr [rax], ebx: stores poison in rbx to memory"];
    check(
        &X86_64,
        &[
            case("within", code("2b, 4b, 3b", "2"), found),
            case("last", code("2b, 3b, 4b", "2"), found),
            case("beyond", code("2b, 3b, 4b", "1"), &[]),
            case(
                "broken",
                code("2b, 3b, 0", "2"),
                &[
                    "jmp qword ptr [rax*8 + ADDR]: unresolved, element 2 of 3 of the jump table at ADDR leads out of the function",
                ],
            ),
        ],
    );
}
