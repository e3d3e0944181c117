/*
 * aarch64: the neutral system call, long __kettle_syscall(long nr, long a, long b, long c, long d, long e, long f).
 *
 * The table gives this ISA's number of each neutral one, in the order of <kettle/syscall.h>.
 */
#include "../../include/kettle/syscall.h"

#define SYS_ERRNO_ENOSYS -38

    .section .text.__kettle_syscall, "ax", %progbits
    .globl __kettle_syscall
    .type __kettle_syscall, %function
__kettle_syscall:
    .cfi_startproc
    cmp x0, #KETTLE_SYS_COUNT
    b.hs 1f
    adr x9, numbers
    ldrh w8, [x9, x0, lsl #1]
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
    mov x5, x6
    svc #0
    ret
1:  mov x0, #SYS_ERRNO_ENOSYS
    ret
numbers:
    .short 222, 226, 215, 94            /* mmap mprotect munmap exit_group */
    .short 900, 901, 902, 903           /* popcorn: migrate propose_migration get_thread_status get_node_info */
    .if (. - numbers) - 2 * KETTLE_SYS_COUNT
    .error "the table and the enum differ"
    .endif
    .cfi_endproc
    .size __kettle_syscall, . - __kettle_syscall

    .section .note.GNU-stack, "", %progbits
