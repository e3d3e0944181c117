/*
 * x86_64: the neutral system call, long __kettle_syscall(long nr, long a, long b, long c, long d, long e, long f).
 *
 * The table gives this ISA's number of each neutral one, in the order of <kettle/syscall.h>.
 */
#include "../../include/kettle/syscall.h"

#define SYS_ERRNO_ENOSYS -38

    .section .text.__kettle_syscall, "ax", @progbits
    .globl __kettle_syscall
    .type __kettle_syscall, @function
__kettle_syscall:
    .cfi_startproc
    cmpq $KETTLE_SYS_COUNT, %rdi
    jae 1f
    movzwl numbers(,%rdi,2), %eax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    syscall
    ret
1:  movq $SYS_ERRNO_ENOSYS, %rax
    ret
    .balign 2
numbers:
    .short 9, 10, 11, 231               /* mmap mprotect munmap exit_group */
    .short 900, 901, 902, 903           /* popcorn: migrate propose_migration get_thread_status get_node_info */
    .if (. - numbers) - 2 * KETTLE_SYS_COUNT
    .error "the table and the enum differ"
    .endif
    .cfi_endproc
    .size __kettle_syscall, . - __kettle_syscall

    .section .note.GNU-stack, "", @progbits
