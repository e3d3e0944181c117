/*
 * The memory of a thread: one mapping with its stacks and its TLS block.
 *
 *   low   guard | native stack, aarch64 | guard | native stack, x86_64 | guard | data stack | TLS block   high
 *
 * Every thread owns a native stack for each ISA, so that a migration can build the frames of the destination while it still runs
 * on those of the source. The data stack is neutral: what lives across a migration is there. The TLS block is laid out so
 * that each thread-local variable has one address on both ISAs:
 *
 *   [64 bytes aarch64 TCB][TLS image][64 bytes x86_64 TCB, first word points to itself]
 *    ^ TPIDR_EL0           ^ base     ^ FS base
 *
 * Guards are inaccessible, so that a stack that overflows ends in a fault and not in its neighbour. Freeing is the joiner's (thread.c).
 */
#include <kettle/syscall.h>
#include <kettle/thread.h>
#include <string.h>

#include "arch.h"
#include "link.h"

_Static_assert(offsetof(struct kettle_thread, self) == THREAD_SELF, "THREAD_SELF");
_Static_assert(offsetof(struct kettle_thread, arrivals) == THREAD_ARRIVALS, "THREAD_ARRIVALS");
_Static_assert(offsetof(struct kettle_thread, alive) == THREAD_ALIVE, "THREAD_ALIVE");
_Static_assert(offsetof(struct kettle_thread, tp) == THREAD_TP, "THREAD_TP");
_Static_assert(offsetof(struct kettle_thread, native_top) == THREAD_NATIVE_TOP, "THREAD_NATIVE_TOP");

enum {
    PROT_NONE = 0,
    PROT_READ_WRITE = 3,
    MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000,
};

#define PAGE 4096ul
#define GUARD (4 * PAGE)
#define TCB 64ul

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static bool make_usable(char *start, size_t size)
{
    return kettle_syscall3(KETTLE_SYS_mprotect, start, size, PROT_READ_WRITE) == 0;
}

struct kettle_thread *__kettle_area_create(size_t data, size_t native)
{
    size_t image = (size_t)(__kettle_tdata_end - __kettle_tdata_start);
    size_t tls = round_up((size_t)(__kettle_tls_end - __kettle_tdata_start), TCB);
    size_t block = round_up(TCB + tls + TCB, PAGE);
    size_t size = 3 * GUARD + 2 * native + data + block;
    long mapped = kettle_syscall6(KETTLE_SYS_mmap, 0, size, PROT_NONE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
    if (mapped < 0)
        return 0;

    char *area = (char *)mapped;
    char *stack_aarch64 = area + GUARD;
    char *stack_x86_64 = stack_aarch64 + native + GUARD;
    char *data_stack = stack_x86_64 + native + GUARD;
    char *block_start = data_stack + data;
    if (!make_usable(stack_aarch64, native) || !make_usable(stack_x86_64, native) || !make_usable(data_stack, data + block)) {
        kettle_syscall2(KETTLE_SYS_munmap, area, size);
        return 0;
    }

    char *base = block_start + TCB;
    memcpy(base, __kettle_tdata_start, image);
    uint64_t tp[2] = {
        [POPCORN_ARCH_AARCH64] = (uint64_t)(base - TCB),
        [POPCORN_ARCH_X86_64] = (uint64_t)(base + tls),
    };
    *(uint64_t *)tp[POPCORN_ARCH_X86_64] = tp[POPCORN_ARCH_X86_64];
    *(char **)(tp[THIS_ARCH] + TP_OFFSET(__dsp)) = block_start;

    struct kettle_thread *thread = (struct kettle_thread *)(tp[THIS_ARCH] + TP_OFFSET(__kettle_self));
    thread->self = thread;
    thread->alive = 1;
    for (int arch = 0; arch < 2; arch++)
        thread->tp[arch] = tp[arch];
    thread->native_bottom[POPCORN_ARCH_AARCH64] = (uint64_t)stack_aarch64;
    thread->native_top[POPCORN_ARCH_AARCH64] = (uint64_t)(stack_aarch64 + native);
    thread->native_bottom[POPCORN_ARCH_X86_64] = (uint64_t)stack_x86_64;
    thread->native_top[POPCORN_ARCH_X86_64] = (uint64_t)(stack_x86_64 + native);
    thread->area = area;
    thread->area_size = size;
    return thread;
}
