/*
 * x86_64: the return from a signal handler.
 */
#define SYS_rt_sigreturn 15

    .section .text.__restore_rt, "ax", @progbits
    .globl __restore_rt
    .type __restore_rt, @function
__restore_rt:
    movl $SYS_rt_sigreturn, %eax
    syscall
    .size __restore_rt, . - __restore_rt

    .section .note.GNU-stack, "", @progbits
