/*
 * aarch64: leaving a node and arriving on one.
 */
#include "../../include/kettle/thread.h"

#define SYS_popcorn_migrate 900

/*
 * int migrate(int nid): notes the caller's return address, stack pointer and frame pointer for migrate.c. The 16 bytes below the
 * caller's frame become the arrival frame when the destination has the same ISA.
 */
    .section .text.migrate, "ax", %progbits
    .globl migrate
    .type migrate, %function
migrate:
    .cfi_startproc
    mov x1, x30
    mov x2, sp
    mov x3, x29
    stp x30, x29, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x30, -16
    .cfi_offset x29, -8
    bl __kettle_migrate
    ldp x30, x29, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x30
    .cfi_restore x29
    ret
    .cfi_endproc
    .size migrate, . - migrate

/* long __kettle_migrate_call(long nid, regs, destination_tp, source_tp): nothing here touches TLS. */
    .section .text.__kettle_migrate_call, "ax", %progbits
    .globl __kettle_migrate_call
    .type __kettle_migrate_call, %function
__kettle_migrate_call:
    .cfi_startproc
.Lbegin:
    msr tpidr_el0, x2
    mov x8, #SYS_popcorn_migrate
    svc #0
.Lanswered:
    /* Still here: the kernel has refused. */
    msr tpidr_el0, x3
    ret
.Lend:
    .cfi_endproc
    .size __kettle_migrate_call, . - __kettle_migrate_call

/*
 * void __kettle_repair_thread_pointer(ucontext *): see native/signal.h. Until the kernel's answer x0 to x3 are what the call begins with; after it
 * the call has only the thread pointer to put back, which is in x3.
 */
#define UC_X3 208
#define UC_PC 440

    .section .text.__kettle_repair_thread_pointer, "ax", %progbits
    .globl __kettle_repair_thread_pointer
    .type __kettle_repair_thread_pointer, %function
__kettle_repair_thread_pointer:
    .cfi_startproc
    ldr x1, [x0, #UC_PC]
    adrp x2, .Lbegin
    add x2, x2, :lo12:.Lbegin
    cmp x1, x2
    b.lo 2f
    adrp x3, .Lend
    add x3, x3, :lo12:.Lend
    cmp x1, x3
    b.hs 2f
    adrp x3, .Lanswered
    add x3, x3, :lo12:.Lanswered
    cmp x1, x3
    b.hs 1f
    str x2, [x0, #UC_PC]
1:  ldr x3, [x0, #UC_X3]
    msr tpidr_el0, x3
2:  ret
    .cfi_endproc
    .size __kettle_repair_thread_pointer, . - __kettle_repair_thread_pointer

/*
 * First code at a destination. It reads a stack page, then writes that page, then reads .data and counts in TLS: with the fetch of this
 * code itself that is the order of faults in which migrated Popcorn threads announce themselves (text, stack read, stack
 * write, data). Then it returns 0 from migrate() to the address on the stack.
 */
    .section .text.__kettle_arrive, "ax", %progbits
    .globl __kettle_arrive
    .type __kettle_arrive, %function
__kettle_arrive:
    .cfi_startproc
    .cfi_def_cfa_offset 16
    .cfi_offset x30, -16
    ldr x30, [sp]
    str x30, [sp]
    adrp x9, __kettle_arrival_hook
    ldr x9, [x9, :lo12:__kettle_arrival_hook]
    mrs x10, tpidr_el0
    add x10, x10, :tprel_hi12:__kettle_self
    add x10, x10, :tprel_lo12_nc:__kettle_self
    ldr x11, [x10, #THREAD_ARRIVALS]
    add x11, x11, #1
    str x11, [x10, #THREAD_ARRIVALS]
    cbz x9, 1f
    blr x9
1:  ldr x30, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x30
    mov w0, #0
    ret
    .cfi_endproc
    .size __kettle_arrive, . - __kettle_arrive

    .section .note.GNU-stack, "", %progbits
