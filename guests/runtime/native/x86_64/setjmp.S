/*
 * x86_64: setjmp and longjmp, and sigsetjmp's half of keeping the signal mask.
 */
#include "../setjmp.h"

#define THIS_ARCH 1

/* int setjmp(jmp_buf): notes the caller's return address, stack pointer and frame pointer for setjmp.c. */
    .section .text.setjmp, "ax", @progbits
    .globl setjmp
    .type setjmp, @function
setjmp:
    .cfi_startproc
    movq %rbx, JUMP_SAVED(%rdi)
    movq %r12, JUMP_SAVED+8(%rdi)
    movq %r13, JUMP_SAVED+16(%rdi)
    movq %r14, JUMP_SAVED+24(%rdi)
    movq %r15, JUMP_SAVED+32(%rdi)
    movq (%rsp), %rsi
    leaq 8(%rsp), %rdx
    movq %rbp, %rcx
    jmp __kettle_setjmp
    .cfi_endproc
    .size setjmp, . - setjmp

    .section .text._setjmp, "ax", @progbits
    .globl _setjmp
    .type _setjmp, @function
_setjmp:
    .cfi_startproc
    jmp setjmp
    .cfi_endproc
    .size _setjmp, . - _setjmp

/* int sigsetjmp(sigjmp_buf, int save): the mask first, then the same. */
    .section .text.sigsetjmp, "ax", @progbits
    .globl sigsetjmp
    .type sigsetjmp, @function
sigsetjmp:
    .cfi_startproc
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    call __kettle_save_mask
    popq %rdi
    .cfi_adjust_cfa_offset -8
    jmp setjmp
    .cfi_endproc
    .size sigsetjmp, . - sigsetjmp

/* void longjmp(jmp_buf, int) */
    .section .text.longjmp, "ax", @progbits
    .globl longjmp
    .type longjmp, @function
longjmp:
    movl %esi, %eax
    cmpl $1, %eax
    adcl $0, %eax
    movq JUMP_PC+8*THIS_ARCH(%rdi), %rdx
    testq %rdx, %rdx
    jz 2f
    movq JUMP_DSP(%rdi), %rcx
    movq %rcx, %fs:__dsp@tpoff
    movq JUMP_DFP(%rdi), %rcx
    movq %rcx, %fs:__dfp@tpoff
    movq JUMP_LIMIT(%rdi), %rcx
    movq %rcx, %fs:__kettle_stack_limit@tpoff
    cmpq $THIS_ARCH, JUMP_ARCH(%rdi)
    jne 1f
    movq JUMP_SAVED(%rdi), %rbx
    movq JUMP_SAVED+8(%rdi), %r12
    movq JUMP_SAVED+16(%rdi), %r13
    movq JUMP_SAVED+24(%rdi), %r14
    movq JUMP_SAVED+32(%rdi), %r15
1:  movq JUMP_FP+8*THIS_ARCH(%rdi), %rbp
    movq JUMP_SP+8*THIS_ARCH(%rdi), %rsp
    jmp *%rdx
2:  ud2
    .size longjmp, . - longjmp

    .section .text._longjmp, "ax", @progbits
    .globl _longjmp
    .type _longjmp, @function
_longjmp:
    jmp longjmp
    .size _longjmp, . - _longjmp

    .section .note.GNU-stack, "", @progbits
