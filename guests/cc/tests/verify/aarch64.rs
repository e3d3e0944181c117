//! Leaks and legal shapes in aarch64 code.

use super::{AARCH64, case, check};

#[test]
fn leaks_are_found_on_aarch64() {
    check(
        &AARCH64,
        &[
            case(
                "callee_saved",
                "add x0, x19, #1; EPILOGUE",
                &["add x0, x19, #1: uses poison in x19"],
            ),
            case(
                "callee_saved_alias",
                "lsr w0, w19, #3; EPILOGUE",
                &["lsr w0, w19, #3: uses poison in x19"],
            ),
            case(
                "callee_saved_compare",
                "cmp w19, #3; b.ne 1f; nop; 1: EPILOGUE",
                &["cmp w19, #3: uses poison in x19"],
            ),
            case(
                "branch_on_register",
                "cbz w20, 1f; nop; 1: EPILOGUE",
                &["cbz w20, ADDR: decides on poison in x20"],
            ),
            case(
                "spilled",
                "ldr x1, [sp, #16]; add x0, x0, x1; EPILOGUE",
                &["add x0, x0, x1: uses poison in x1"],
            ),
            case(
                "spilled_pair",
                "ldp x9, x2, [x29, #16]; str x2, [x0]; EPILOGUE",
                &["str x2, [x0]: stores poison in x2 to memory"],
            ),
            case(
                "flags_branch",
                "b.hi 1f; nop; 1: EPILOGUE",
                &["b.hi ADDR: decides on poison in nzcv"],
            ),
            case(
                "flags_select",
                "csel x0, x0, x1, eq; EPILOGUE",
                &["csel x0, x0, x1, eq: decides on poison in nzcv"],
            ),
            case(
                "flags_set",
                "cset w0, lt; EPILOGUE",
                &["cset w0, lt: decides on poison in nzcv"],
            ),
            case(
                "flags_native",
                "cmp x0, #0; bl native; csinc x0, x0, x0, eq; EPILOGUE",
                &["cinc x0, x0, ne: decides on poison in nzcv"],
            ),
            case(
                "address",
                "ldr x0, [x19, #8]; EPILOGUE",
                &["ldr x0, [x19, #8]: addresses memory by poison in x19"],
            ),
            case(
                "address_of_store",
                "str x0, [x19], #8; EPILOGUE",
                &["str x0, [x19], #8: addresses memory by poison in x19"],
            ),
            case(
                "address_in_vector",
                "fmov x1, d8; ldr x0, [x1]; EPILOGUE",
                &["ldr x0, [x1]: addresses memory by poison in x1"],
            ),
            case(
                "vector_callee_saved",
                "fadd d0, d0, d8; EPILOGUE",
                &["fadd d0, d0, d8: uses poison in v8"],
            ),
            case(
                "vector_upper_half_over_native",
                "fmov v9.d[1], x0; fmov d9, d0; mov v9.d[1], x0; bl native; mov x1, v9.d[1]; str x1, [x0]; EPILOGUE",
                &["str x1, [x0]: stores poison in x1 to memory"],
            ),
            case(
                "partial_slot",
                "str w0, [sp, #16]; ldr x1, [sp, #16]; str x1, [x0]; EPILOGUE",
                &["str x1, [x0]: stores poison in x1 to memory"],
            ),
            case(
                "overlapping_slot",
                "str x0, [sp, #16]; ldur w1, [sp, #20]; ldur w2, [sp, #22]; str w1, [x0]; str w2, [x0]; EPILOGUE",
                &["str w2, [x0]: stores poison in x2 to memory"],
            ),
            case(
                "incoming_stack_argument",
                "ldr x0, [x29, #48]; EPILOGUE",
                &["ret: returns poison in x0"],
            ),
            case(
                "argument",
                "mov x0, x19; bl native; EPILOGUE",
                &["bl ADDR: passes poison in x0"],
            ),
            case(
                "vector_argument",
                "ldr d0, [sp, #16]; bl native; EPILOGUE",
                &["bl ADDR: passes poison in v0"],
            ),
            case(
                "stack_argument",
                "str x19, [sp, #-16]!; bl native; add sp, sp, #16; EPILOGUE",
                &["bl ADDR: passes poison on the stack at CFA-64"],
            ),
            case(
                "called",
                "blr x19; EPILOGUE",
                &["blr x19: uses poison in x19"],
            ),
            case(
                "returned",
                "mov x0, x19; EPILOGUE",
                &["ret: returns poison in x0"],
            ),
            case(
                "stored",
                "str w19, [x0]; EPILOGUE",
                &["str w19, [x0]: stores poison in x19 to memory"],
            ),
            case(
                "accumulated",
                "fmla v8.2d, v0.2d, v1.2d; EPILOGUE",
                &["fmla v8.2d, v0.2d, v1.2d: uses poison in v8"],
            ),
            case(
                "narrowed_into_upper_half",
                "movi v0.2d, #0; xtn2 v8.4s, v0.2d; EPILOGUE",
                &["xtn2 v8.4s, v0.2d: uses poison in v8"],
            ),
            case(
                "transposed",
                "movi v0.4s, #1; trn2 v1.4s, v0.4s, v8.4s; EPILOGUE",
                &["trn2 v1.4s, v0.4s, v8.4s: uses poison in v8"],
            ),
            case(
                "inserted_bits",
                "bfi w19, w0, #4, #4; EPILOGUE",
                &["bfi w19, w0, #4, #4: uses poison in x19"],
            ),
            case(
                "on_one_path_only",
                "cbz w0, 1f; mov w19, #1; 1: str w19, [x0]; EPILOGUE",
                &["str w19, [x0]: stores poison in x19 to memory"],
            ),
            case(
                "frame_address_to_native",
                "add x0, sp, #16; bl native; EPILOGUE",
                &[],
            ),
            case(
                "link_register_lost",
                "ldr x29, [sp]; add sp, sp, #48; ret",
                &["ret: returns through poison in x30"],
            ),
            case(
                "wrong_stack_pointer",
                "ldp x29, x30, [sp], #32; ret",
                &["ret: returns with a wrong stack pointer"],
            ),
            case(
                "table_on_poison",
                "adrp x8, 1f; add x8, x8, :lo12:1f; adr x9, 2f; ldrb w10, [x8, x19]; add x9, x9, x10, lsl #2; br x9; 2: EPILOGUE; .section .rodata; 1: .byte 0; .text",
                &[
                    "ldrb w10, [x8, x19]: addresses memory by poison in x19",
                    "br x9: unresolved, an indirect jump that is no known jump table",
                ],
            ),
        ],
    );
}

#[test]
fn legal_shapes_pass_on_aarch64() {
    check(
        &AARCH64,
        &[
            case("epilogue", "EPILOGUE", &[]),
            case("epilogue_by_fp", "mov sp, x29; EPILOGUE", &[]),
            case(
                "return_values",
                "add x0, x0, x1; fadd d0, d0, d3; str x0, [x1]; EPILOGUE",
                &[],
            ),
            case(
                "zero_idioms",
                "eor w19, w19, w19; add w0, w0, w19; movi v8.2d, #0; fadd v0.2d, v0.2d, v8.2d; mov x20, xzr; str x20, [x0]; EPILOGUE",
                &[],
            ),
            case(
                "aliases",
                "mov w8, #5; lsr w9, w8, #1; ubfx w10, w8, #1, #2; sxtw x11, w8; lsl x12, x11, #2; uxtb w13, w8; cmp w9, w10; cset w14, eq; add x0, x12, x14; EPILOGUE",
                &[],
            ),
            case(
                "transposed",
                "movi v0.4s, #1; movi v1.4s, #2; trn2 v8.4s, v0.4s, v1.4s; trn1 v9.4s, v0.4s, v1.4s; str q8, [x0]; str q9, [x0]; EPILOGUE",
                &[],
            ),
            case(
                "constants",
                "mov x8, #0x1234; movk x8, #0x5678, lsl #16; add x0, x0, x8; EPILOGUE",
                &[],
            ),
            case(
                "reload_from_tls",
                "mrs x8, tpidr_el0; ldr x19, [x8, #16]; ldr x0, [x19], #8; bl native; EPILOGUE",
                &[],
            ),
            case(
                "reload_from_global",
                "adrp x8, _start; ldr x19, [x8, :lo12:_start]; add x0, x19, x0; EPILOGUE",
                &[],
            ),
            case(
                "spill_and_reload",
                "str x0, [sp, #16]; bl native; ldr x1, [sp, #16]; add x0, x0, x1; EPILOGUE",
                &[],
            ),
            case(
                "callee_saved_over_native",
                "mov x19, x0; fmov d8, d0; bl native; add x0, x0, x19; fadd d0, d0, d8; EPILOGUE",
                &[],
            ),
            case(
                "write_back",
                "str x0, [sp, #-16]!; ldr x1, [sp], #16; str x1, [x0]; EPILOGUE",
                &[],
            ),
            case(
                "zero_pair",
                "stp xzr, xzr, [sp, #16]; ldp x1, x2, [sp, #16]; add x0, x1, x2; EPILOGUE",
                &[],
            ),
            case(
                "lanes",
                "fmov s1, w0; mov v1.s[1], w0; mov v1.s[2], w0; mov v1.s[3], w0; add v0.4s, v0.4s, v1.4s; EPILOGUE",
                &[],
            ),
            case(
                "variable_index",
                "str q0, [sp, #16]; add x8, sp, #16; bfi x8, x0, #2, #2; ldr s0, [x8]; EPILOGUE",
                &[],
            ),
            case(
                "exclusive",
                "1: ldaxr w8, [x0]; add w8, w8, #1; stlxr w9, w8, [x0]; cbnz w9, 1b; EPILOGUE",
                &[],
            ),
            case("noreturn", "bl native; brk #1", &[]),
            case(
                "table_of_bytes",
                "cmp w0, #1; b.hi 3f; mov w8, w0; adrp x9, 1f; add x9, x9, :lo12:1f; adr x10, 2f; ldrb w11, [x9, x8]; add x10, x10, x11, lsl #2; br x10; 2: nop; 3: EPILOGUE; .section .rodata; 1: .byte 0, 1, 255; .text",
                &[],
            ),
            case(
                "table_of_halfwords",
                "cmp x0, #2; b.hs 3f; adrp x9, 1f; add x9, x9, :lo12:1f; adr x10, 2f; ldrh w11, [x9, x0, lsl #1]; add x10, x10, x11, lsl #2; br x10; 2: nop; 3: EPILOGUE; .section .rodata; .balign 2; 1: .hword 0, 1, 65535; .text",
                &[],
            ),
            case(
                "table_of_words",
                "cmp x0, #1; b.hi 3f; adrp x9, 1f; add x9, x9, :lo12:1f; ldrsw x10, [x9, x0, lsl #2]; add x10, x10, x9; br x10; 2: nop; 3: EPILOGUE; .section .rodata; .balign 4; 1: .word 2b-1b, 3b-1b, 0; .text",
                &[],
            ),
        ],
    );
}
