/*
 * aarch64: how a process and its threads begin and end.
 */
#define SYS_exit 93
#define SYS_futex 98
#define SYS_munmap 215
#define SYS_clone 220
#define FUTEX_WAKE 1

/* argc, argv and what follows lie at the stack pointer. */
    .section .text._start, "ax", %progbits
    .globl _start
    .type _start, %function
_start:
    mov x29, #0
    mov x30, #0
    mov x0, sp
    b __kettle_start
    .size _start, . - _start

/* void __kettle_enter(stack, argc, argv, envp) */
    .section .text.__kettle_enter, "ax", %progbits
    .globl __kettle_enter
    .type __kettle_enter, %function
__kettle_enter:
    mov sp, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    adrp x9, __kettle_main
    add x9, x9, :lo12:__kettle_main
    b __kettle_begin
    .size __kettle_enter, . - __kettle_enter

/* Every thread's outermost call, of the function in x9. */
    .section .text.__kettle_begin, "ax", %progbits
    .globl __kettle_begin
    .type __kettle_begin, %function
__kettle_begin:
    mov x29, #0
    blr x9
    .globl __start_ret
__start_ret:
    mov x8, #SYS_exit
    svc #0
    brk #1
    .size __kettle_begin, . - __kettle_begin

/* long __kettle_spawn(flags, stack, parent_tid, tp, start, argument): clone(flags, stack, parent_tid, tls, child_tid). */
    .section .text.__kettle_spawn, "ax", %progbits
    .globl __kettle_spawn
    .type __kettle_spawn, %function
__kettle_spawn:
    mov x9, x4
    mov x10, x5
    mov x4, #0
    mov x8, #SYS_clone
    svc #0
    cbz x0, 1f
    ret
1:  mov x0, x10
    b __kettle_begin
    .size __kettle_spawn, . - __kettle_spawn

/* void __kettle_set_thread_pointer(uint64_t tp) */
    .section .text.__kettle_set_thread_pointer, "ax", %progbits
    .globl __kettle_set_thread_pointer
    .type __kettle_set_thread_pointer, %function
__kettle_set_thread_pointer:
    .cfi_startproc
    msr tpidr_el0, x0
    ret
    .cfi_endproc
    .size __kettle_set_thread_pointer, . - __kettle_set_thread_pointer

/* void __kettle_unmap_and_end(int *word, void *start, uint64_t size, void *other, uint64_t other_size) */
    .section .text.__kettle_unmap_and_end, "ax", %progbits
    .globl __kettle_unmap_and_end
    .type __kettle_unmap_and_end, %function
__kettle_unmap_and_end:
    mov x9, x0
    mov x0, x1
    mov x1, x2
    mov x8, #SYS_munmap
    svc #0
    cbz x4, 1f
    mov x0, x3
    mov x1, x4
    svc #0
1:  mov x0, x9
    mov x1, #0
    b __kettle_end
    .size __kettle_unmap_and_end, . - __kettle_unmap_and_end

/* void __kettle_end(int *word, long status) */
    .section .text.__kettle_end, "ax", %progbits
    .globl __kettle_end
    .type __kettle_end, %function
__kettle_end:
    mov x9, x1
    cbz x0, 1f
    stlr wzr, [x0]
    mov x1, #FUTEX_WAKE
    mov x2, #1
    mov x8, #SYS_futex
    svc #0
1:  mov x0, x9
    mov x8, #SYS_exit
    svc #0
    brk #1
    .size __kettle_end, . - __kettle_end

    .section .note.GNU-stack, "", %progbits
