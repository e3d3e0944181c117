/*
 * x86_64: leaving a node and arriving on one.
 */
#include "../../include/kettle/thread.h"

#define SYS_arch_prctl 158
#define ARCH_SET_FS 0x1002
#define SYS_popcorn_migrate 900

/* int migrate(int nid): notes the caller's return address, stack pointer and frame pointer for migrate.c. */
    .section .text.migrate, "ax", @progbits
    .globl migrate
    .type migrate, @function
migrate:
    .cfi_startproc
    movq (%rsp), %rsi
    leaq 8(%rsp), %rdx
    movq %rbp, %rcx
    jmp __kettle_migrate
    .cfi_endproc
    .size migrate, . - migrate

/*
 * long __kettle_migrate_call(long nid, regs, destination_tp, source_tp): nothing here touches TLS, and system calls keep r8 to r10.
 */
    .section .text.__kettle_migrate_call, "ax", @progbits
    .globl __kettle_migrate_call
    .type __kettle_migrate_call, @function
__kettle_migrate_call:
    .cfi_startproc
    movq %rdi, %r8
    movq %rsi, %r9
    movq %rcx, %r10
.Lbegin:
    cmpq %rdx, %r10
    je 1f
    movl $SYS_arch_prctl, %eax
    movl $ARCH_SET_FS, %edi
    movq %rdx, %rsi
    syscall
1:  movl $SYS_popcorn_migrate, %eax
    movq %r8, %rdi
    movq %r9, %rsi
    syscall
.Lanswered:
    /* Still here: the kernel has refused. */
    movq %rax, %r8
    cmpq %rdx, %r10
    je 2f
    movl $SYS_arch_prctl, %eax
    movl $ARCH_SET_FS, %edi
    movq %r10, %rsi
    syscall
2:  movq %r8, %rax
    ret
.Lend:
    .cfi_endproc
    .size __kettle_migrate_call, . - __kettle_migrate_call

/*
 * void __kettle_repair_thread_pointer(ucontext *): see native/signal.h. From .Lbegin on r10 is the source's thread pointer, and r8, r9 and rdx are what
 * the call begins with; after the kernel's answer it has only the thread pointer to put back.
 */
#define UC_R10 56
#define UC_RIP 168

    .section .text.__kettle_repair_thread_pointer, "ax", @progbits
    .globl __kettle_repair_thread_pointer
    .type __kettle_repair_thread_pointer, @function
__kettle_repair_thread_pointer:
    .cfi_startproc
    movq UC_RIP(%rdi), %rax
    leaq .Lbegin(%rip), %rcx
    cmpq %rcx, %rax
    jb 2f
    leaq .Lend(%rip), %rdx
    cmpq %rdx, %rax
    jae 2f
    leaq .Lanswered(%rip), %rdx
    cmpq %rdx, %rax
    jae 1f
    movq %rcx, UC_RIP(%rdi)
1:  movq UC_R10(%rdi), %rsi
    movl $ARCH_SET_FS, %edi
    movl $SYS_arch_prctl, %eax
    syscall
2:  ret
    .cfi_endproc
    .size __kettle_repair_thread_pointer, . - __kettle_repair_thread_pointer

/*
 * First code at a destination. It reads a stack page, then writes that page, then reads .data and counts in TLS: with the fetch of this
 * code itself that is the order of faults in which migrated Popcorn threads announce themselves (text, stack read, stack
 * write, data). Then it returns 0 from migrate() to the address on the stack.
 */
    .section .text.__kettle_arrive, "ax", @progbits
    .globl __kettle_arrive
    .type __kettle_arrive, @function
__kettle_arrive:
    .cfi_startproc
    movq (%rsp), %rax
    movq %rax, (%rsp)
    movq __kettle_arrival_hook, %rax
    incq %fs:__kettle_self@tpoff+THREAD_ARRIVALS
    testq %rax, %rax
    jz 1f
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    call *%rax
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
1:  xorl %eax, %eax
    ret
    .cfi_endproc
    .size __kettle_arrive, . - __kettle_arrive

    .section .note.GNU-stack, "", @progbits
