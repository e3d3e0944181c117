/*
 * aarch64: the return from a signal handler.
 */
#define SYS_rt_sigreturn 139

    .section .text.__restore_rt, "ax", %progbits
    .globl __restore_rt
    .type __restore_rt, %function
__restore_rt:
    mov x8, #SYS_rt_sigreturn
    svc #0
    .size __restore_rt, . - __restore_rt

    .section .note.GNU-stack, "", %progbits
