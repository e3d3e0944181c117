/*
 * aarch64: setjmp and longjmp, and sigsetjmp's half of keeping the signal mask.
 */
#include "../setjmp.h"

#define THIS_ARCH 0

/* int setjmp(jmp_buf): notes the caller's return address, stack pointer and frame pointer for setjmp.c. */
    .section .text.setjmp, "ax", %progbits
    .globl setjmp
    .type setjmp, %function
setjmp:
    .cfi_startproc
    add x9, x0, #JUMP_SAVED
    stp x19, x20, [x9]
    stp x21, x22, [x9, #16]
    stp x23, x24, [x9, #32]
    stp x25, x26, [x9, #48]
    stp x27, x28, [x9, #64]
    stp d8, d9, [x9, #80]
    stp d10, d11, [x9, #96]
    stp d12, d13, [x9, #112]
    stp d14, d15, [x9, #128]
    mov x1, x30
    mov x2, sp
    mov x3, x29
    b __kettle_setjmp
    .cfi_endproc
    .size setjmp, . - setjmp

    .section .text._setjmp, "ax", %progbits
    .globl _setjmp
    .type _setjmp, %function
_setjmp:
    .cfi_startproc
    b setjmp
    .cfi_endproc
    .size _setjmp, . - _setjmp

/* int sigsetjmp(sigjmp_buf, int save): the mask first, then the same. */
    .section .text.sigsetjmp, "ax", %progbits
    .globl sigsetjmp
    .type sigsetjmp, %function
sigsetjmp:
    .cfi_startproc
    stp x30, x0, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x30, -16
    bl __kettle_save_mask
    ldp x30, x0, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x30
    b setjmp
    .cfi_endproc
    .size sigsetjmp, . - sigsetjmp

/* void longjmp(jmp_buf, int) */
    .section .text.longjmp, "ax", %progbits
    .globl longjmp
    .type longjmp, %function
longjmp:
    ldr x2, [x0, #JUMP_PC+8*THIS_ARCH]
    cbz x2, 2f
    mrs x9, tpidr_el0
    add x10, x9, :tprel_hi12:__dsp
    add x10, x10, :tprel_lo12_nc:__dsp
    ldr x11, [x0, #JUMP_DSP]
    str x11, [x10]
    add x10, x9, :tprel_hi12:__dfp
    add x10, x10, :tprel_lo12_nc:__dfp
    ldr x11, [x0, #JUMP_DFP]
    str x11, [x10]
    add x10, x9, :tprel_hi12:__kettle_stack_limit
    add x10, x10, :tprel_lo12_nc:__kettle_stack_limit
    ldr x11, [x0, #JUMP_LIMIT]
    str x11, [x10]
    ldr x11, [x0, #JUMP_ARCH]
    cmp x11, #THIS_ARCH
    b.ne 1f
    add x9, x0, #JUMP_SAVED
    ldp x19, x20, [x9]
    ldp x21, x22, [x9, #16]
    ldp x23, x24, [x9, #32]
    ldp x25, x26, [x9, #48]
    ldp x27, x28, [x9, #64]
    ldp d8, d9, [x9, #80]
    ldp d10, d11, [x9, #96]
    ldp d12, d13, [x9, #112]
    ldp d14, d15, [x9, #128]
1:  ldr x29, [x0, #JUMP_FP+8*THIS_ARCH]
    ldr x11, [x0, #JUMP_SP+8*THIS_ARCH]
    mov sp, x11
    cmp w1, #0
    csinc w0, w1, wzr, ne
    br x2
2:  brk #1
    .size longjmp, . - longjmp

    .section .text._longjmp, "ax", %progbits
    .globl _longjmp
    .type _longjmp, %function
_longjmp:
    b longjmp
    .size _longjmp, . - _longjmp

    .section .note.GNU-stack, "", %progbits
