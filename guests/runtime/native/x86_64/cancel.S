/*
 * x86_64: the system call at a cancellation point.
 */
#define ECANCELED 125

/*
 * long __kettle_syscall_cp(nr, a, b, c, d, e, f): the call, unless the thread has been cancelled: then -ECANCELED. A signal that comes between the look
 * and the end of the call, while it has not been made or is to be made again, sends the thread to .Lcancel: so no cancellation is missed.
 */
    .section .text.__kettle_syscall_cp, "ax", @progbits
    .globl __kettle_syscall_cp
    .type __kettle_syscall_cp, @function
__kettle_syscall_cp:
    .cfi_startproc
.Lbegin:
    movq %fs:__kettle_cancel_word@tpoff, %rax
    movl (%rax), %eax
    testl %eax, %eax
    jnz .Lcancel
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    syscall
.Lend:
    ret
.Lcancel:
    movq $-ECANCELED, %rax
    ret
    .cfi_endproc
    .size __kettle_syscall_cp, . - __kettle_syscall_cp

/* unsigned long __kettle_cancel_point(unsigned long pc): where a thread that is cancelled at `pc` goes on; 0 where it is to go on at `pc`. */
    .section .text.__kettle_cancel_point, "ax", @progbits
    .globl __kettle_cancel_point
    .type __kettle_cancel_point, @function
__kettle_cancel_point:
    .cfi_startproc
    xorl %eax, %eax
    leaq .Lbegin(%rip), %rcx
    cmpq %rcx, %rdi
    jb 1f
    leaq .Lend(%rip), %rcx
    cmpq %rcx, %rdi
    jae 1f
    leaq .Lcancel(%rip), %rax
1:  ret
    .cfi_endproc
    .size __kettle_cancel_point, . - __kettle_cancel_point

    .section .note.GNU-stack, "", @progbits
