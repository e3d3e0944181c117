/*
 * x86_64: how a process and its threads begin and end.
 */
#define SYS_munmap 11
#define SYS_clone 56
#define SYS_exit 60
#define SYS_arch_prctl 158
#define SYS_futex 202
#define ARCH_SET_FS 0x1002
#define FUTEX_WAKE 1

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

/* void __kettle_enter(stack, argc, argv, envp) */
    .section .text.__kettle_enter, "ax", @progbits
    .globl __kettle_enter
    .type __kettle_enter, @function
__kettle_enter:
    movq %rdi, %rsp
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    leaq __kettle_main(%rip), %rax
    jmp __kettle_begin
    .size __kettle_enter, . - __kettle_enter

/* Every thread's outermost call, of the function in rax. */
    .section .text.__kettle_begin, "ax", @progbits
    .globl __kettle_begin
    .type __kettle_begin, @function
__kettle_begin:
    xorl %ebp, %ebp
    call *%rax
    .globl __start_ret
__start_ret:
    movl %eax, %edi
    movl $SYS_exit, %eax
    syscall
    hlt
    .size __kettle_begin, . - __kettle_begin

/* long __kettle_spawn(flags, stack, parent_tid, tp, start, argument): clone(flags, stack, parent_tid, child_tid, tls). */
    .section .text.__kettle_spawn, "ax", @progbits
    .globl __kettle_spawn
    .type __kettle_spawn, @function
__kettle_spawn:
    movq %r8, -16(%rsi)
    movq %r9, -8(%rsi)
    subq $16, %rsi
    movq %rcx, %r8
    xorl %r10d, %r10d
    movl $SYS_clone, %eax
    syscall
    testq %rax, %rax
    jz 1f
    ret
1:  popq %rax
    popq %rdi
    jmp __kettle_begin
    .size __kettle_spawn, . - __kettle_spawn

/* void __kettle_set_thread_pointer(uint64_t tp) */
    .section .text.__kettle_set_thread_pointer, "ax", @progbits
    .globl __kettle_set_thread_pointer
    .type __kettle_set_thread_pointer, @function
__kettle_set_thread_pointer:
    .cfi_startproc
    movq %rdi, %rsi
    movl $ARCH_SET_FS, %edi
    movl $SYS_arch_prctl, %eax
    syscall
    ret
    .cfi_endproc
    .size __kettle_set_thread_pointer, . - __kettle_set_thread_pointer

/* void __kettle_unmap_and_end(int *word, void *start, uint64_t size, void *other, uint64_t other_size) */
    .section .text.__kettle_unmap_and_end, "ax", @progbits
    .globl __kettle_unmap_and_end
    .type __kettle_unmap_and_end, @function
__kettle_unmap_and_end:
    movq %rdi, %r9
    movq %rcx, %r10
    movq %rsi, %rdi
    movq %rdx, %rsi
    movl $SYS_munmap, %eax
    syscall
    movq %r10, %rdi
    movq %r8, %rsi
    testq %rsi, %rsi
    jz 1f
    movl $SYS_munmap, %eax
    syscall
1:  movq %r9, %rdi
    xorl %esi, %esi
    jmp __kettle_end
    .size __kettle_unmap_and_end, . - __kettle_unmap_and_end

/* void __kettle_end(int *word, long status) */
    .section .text.__kettle_end, "ax", @progbits
    .globl __kettle_end
    .type __kettle_end, @function
__kettle_end:
    movq %rsi, %r9
    testq %rdi, %rdi
    jz 1f
    movl $0, (%rdi)
    movl $FUTEX_WAKE, %esi
    movl $1, %edx
    movl $SYS_futex, %eax
    syscall
1:  movq %r9, %rdi
    movl $SYS_exit, %eax
    syscall
    hlt
    .size __kettle_end, . - __kettle_end

    .section .note.GNU-stack, "", @progbits
