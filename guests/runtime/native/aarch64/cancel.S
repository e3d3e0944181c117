/*
 * aarch64: the system call at a cancellation point.
 */
#define ECANCELED 125

/*
 * long __kettle_syscall_cp(nr, a, b, c, d, e, f): the call, unless the thread has been cancelled: then -ECANCELED. A signal that comes between the look
 * and the end of the call, while it has not been made or is to be made again, sends the thread to .Lcancel: so no cancellation is missed.
 */
    .section .text.__kettle_syscall_cp, "ax", %progbits
    .globl __kettle_syscall_cp
    .type __kettle_syscall_cp, %function
__kettle_syscall_cp:
    .cfi_startproc
.Lbegin:
    mrs x9, tpidr_el0
    add x9, x9, :tprel_hi12:__kettle_cancel_word
    add x9, x9, :tprel_lo12_nc:__kettle_cancel_word
    ldr x9, [x9]
    ldr w9, [x9]
    cbnz w9, .Lcancel
    mov x8, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
    mov x5, x6
    svc #0
.Lend:
    ret
.Lcancel:
    mov x0, #-ECANCELED
    ret
    .cfi_endproc
    .size __kettle_syscall_cp, . - __kettle_syscall_cp

/* unsigned long __kettle_cancel_point(unsigned long pc): where a thread that is cancelled at `pc` goes on; 0 where it is to go on at `pc`. */
    .section .text.__kettle_cancel_point, "ax", %progbits
    .globl __kettle_cancel_point
    .type __kettle_cancel_point, %function
__kettle_cancel_point:
    .cfi_startproc
    mov x1, x0
    mov x0, #0
    adrp x2, .Lbegin
    add x2, x2, :lo12:.Lbegin
    cmp x1, x2
    b.lo 1f
    adrp x2, .Lend
    add x2, x2, :lo12:.Lend
    cmp x1, x2
    b.hs 1f
    adrp x0, .Lcancel
    add x0, x0, :lo12:.Lcancel
1:  ret
    .cfi_endproc
    .size __kettle_cancel_point, . - __kettle_cancel_point

    .section .note.GNU-stack, "", %progbits
