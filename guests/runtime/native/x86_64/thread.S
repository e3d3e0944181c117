/*
 * x86_64: how a process and its threads begin and end.
 *
 * The main thread calls the neutral part, so its chain ends at `__start_ret`; other threads enter it with a return address of 0.
 */
#include "../../include/kettle/thread.h"

#define SYS_futex 202
#define SYS_exit 60
#define SYS_exit_group 231
#define SYS_clone 56
#define SYS_arch_prctl 158
#define ARCH_SET_FS 0x1002
#define FUTEX_WAKE_PRIVATE 129
/* VM FS FILES SIGHAND THREAD SYSVSEM SETTLS */
#define THREAD_FLAGS 0x000d0f00

/* argc, argv and what follows lie at the stack pointer. */
    .section .text._start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call __kettle_start
    .size _start, . - _start

/* void __kettle_enter_main(const struct start *): onto the thread's own stack. */
    .section .text.__kettle_enter_main, "ax", @progbits
    .globl __kettle_enter_main
    .type __kettle_enter_main, @function
__kettle_enter_main:
    movq 0(%rdi), %rsp
    movq 16(%rdi), %rsi
    movq 24(%rdi), %rdx
    movq 8(%rdi), %rdi
    xorl %ebp, %ebp
    call __kettle_main
    .globl __start_ret
__start_ret:
    movl %eax, %edi
    movl $SYS_exit_group, %eax
    syscall
    hlt
    .size __kettle_enter_main, . - __kettle_enter_main

/* void __kettle_set_thread_pointer(uint64_t tp) */
    .section .text.__kettle_set_thread_pointer, "ax", @progbits
    .globl __kettle_set_thread_pointer
    .type __kettle_set_thread_pointer, @function
__kettle_set_thread_pointer:
    movq %rdi, %rsi
    movl $ARCH_SET_FS, %edi
    movl $SYS_arch_prctl, %eax
    syscall
    ret
    .size __kettle_set_thread_pointer, . - __kettle_set_thread_pointer

/* long __kettle_clone(struct kettle_thread *): flags, stack, parent tid, child tid, thread pointer. */
    .section .text.__kettle_clone, "ax", @progbits
    .globl __kettle_clone
    .type __kettle_clone, @function
__kettle_clone:
    movq %rdi, %r9
    movq THREAD_NATIVE_TOP+8(%rdi), %rsi
    movq THREAD_TP+8(%rdi), %r8
    movl $THREAD_FLAGS, %edi
    xorl %edx, %edx
    xorl %r10d, %r10d
    movl $SYS_clone, %eax
    syscall
    testq %rax, %rax
    jz 1f
    ret
1:  xorl %ebp, %ebp
    movq %r9, %rdi
    pushq $0
    jmp __kettle_thread_main
    .size __kettle_clone, . - __kettle_clone

/* void __kettle_thread_exit(uint32_t *alive): no stack and no TLS after the store. */
    .section .text.__kettle_thread_exit, "ax", @progbits
    .globl __kettle_thread_exit
    .type __kettle_thread_exit, @function
__kettle_thread_exit:
    movl $0, (%rdi)
    movl $FUTEX_WAKE_PRIVATE, %esi
    movl $1, %edx
    movl $SYS_futex, %eax
    syscall
    xorl %edi, %edi
    movl $SYS_exit, %eax
    syscall
    hlt
    .size __kettle_thread_exit, . - __kettle_thread_exit

    .section .note.GNU-stack, "", @progbits
