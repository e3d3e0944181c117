/*
 * aarch64: how a process and its threads begin and end.
 *
 * The main thread calls the neutral part, so its chain ends at `__start_ret`; other threads enter it with a return address of 0.
 */
#include "../../include/kettle/thread.h"

#define SYS_futex 98
#define SYS_exit 93
#define SYS_exit_group 94
#define SYS_clone 220
#define FUTEX_WAKE_PRIVATE 129
/* VM FS FILES SIGHAND THREAD SYSVSEM SETTLS */
#define THREAD_FLAGS 0x000d0f00

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

/* void __kettle_enter_main(const struct start *): onto the thread's own stack. */
    .section .text.__kettle_enter_main, "ax", %progbits
    .globl __kettle_enter_main
    .type __kettle_enter_main, %function
__kettle_enter_main:
    ldp x3, x4, [x0]
    ldp x1, x2, [x0, #16]
    mov sp, x3
    mov x0, x4
    mov x29, #0
    bl __kettle_main
    .globl __start_ret
__start_ret:
    mov x8, #SYS_exit_group
    svc #0
    brk #1
    .size __kettle_enter_main, . - __kettle_enter_main

/* void __kettle_set_thread_pointer(uint64_t tp) */
    .section .text.__kettle_set_thread_pointer, "ax", %progbits
    .globl __kettle_set_thread_pointer
    .type __kettle_set_thread_pointer, %function
__kettle_set_thread_pointer:
    msr tpidr_el0, x0
    ret
    .size __kettle_set_thread_pointer, . - __kettle_set_thread_pointer

/* long __kettle_clone(struct kettle_thread *): flags, stack, parent tid, thread pointer, child tid. */
    .section .text.__kettle_clone, "ax", %progbits
    .globl __kettle_clone
    .type __kettle_clone, %function
__kettle_clone:
    mov x9, x0
    ldr x1, [x9, #THREAD_NATIVE_TOP]
    ldr x3, [x9, #THREAD_TP]
    mov w0, #(THREAD_FLAGS & 0xffff)
    movk w0, #(THREAD_FLAGS >> 16), lsl #16
    mov x2, #0
    mov x4, #0
    mov x8, #SYS_clone
    svc #0
    cbz x0, 1f
    ret
1:  mov x29, #0
    mov x30, #0
    mov x0, x9
    b __kettle_thread_main
    .size __kettle_clone, . - __kettle_clone

/* void __kettle_thread_exit(uint32_t *alive): no stack and no TLS after the store. */
    .section .text.__kettle_thread_exit, "ax", %progbits
    .globl __kettle_thread_exit
    .type __kettle_thread_exit, %function
__kettle_thread_exit:
    stlr wzr, [x0]
    mov x1, #FUTEX_WAKE_PRIVATE
    mov x2, #1
    mov x8, #SYS_futex
    svc #0
    mov x0, #0
    mov x8, #SYS_exit
    svc #0
    brk #1
    .size __kettle_thread_exit, . - __kettle_thread_exit

    .section .note.GNU-stack, "", %progbits
