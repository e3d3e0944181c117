/*
 * The memory of a thread: two native stacks and one block of thread-local variables, behind a data stack that musl maps.
 *
 *   low   guard, data stack | guard | native stack, aarch64 | guard | native stack, x86_64 | TLS block | musl's keys   high
 *         `---- musl: pthread_create ----'`---------------- __copy_tls, libc.tls_size ----------------'
 *
 * musl counts everything behind the data stack as thread-local storage, so its own code maps and unmaps all of it with the stack. The TLS block is
 * laid out so that each thread-local variable has one address on both ISAs:
 *
 *   [64 bytes aarch64 TCB][TLS image][64 bytes x86_64 TCB, first word points to itself]
 *    ^ TPIDR_EL0           ^ base     ^ FS base
 *
 * The main thread's memory is laid out alike, in one mapping of its own that is never freed. A native stack holds the frames of
 * functions that cannot migrate, with all their locals, so it has room for as much as a data stack: a thread that has asked for more
 * than what lies behind its data stack gets both of them in a mapping of their own, which it unmaps when it ends.
 */
#include "area.h"

#include <kettle/syscall.h>
#include <stddef.h>
#include <string.h>

#include "arch.h"
#include "link.h"

_Static_assert(offsetof(struct kettle_thread, self) == THREAD_SELF, "THREAD_SELF");
_Static_assert(offsetof(struct kettle_thread, arrivals) == THREAD_ARRIVALS, "THREAD_ARRIVALS");

enum {
    PROT_NONE = 0,
    PROT_READ_WRITE = 3,
    MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000,
};

#define PAGE 4096ul
#define GUARD (4 * PAGE)
#define TCB 64ul
#define MAIN_DATA_STACK (8ul << 20)
#define MAIN_NATIVE_STACK (8ul << 20)
#define THREAD_NATIVE_STACK (1ul << 20)

extern _Thread_local __attribute__((tls_model("local-exec"))) char __kettle_descriptor;
extern _Thread_local __attribute__((tls_model("local-exec"))) void *__kettle_descriptor_at;

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static size_t tls_bytes(void)
{
    return round_up((size_t)(__kettle_tls_end - __kettle_tdata_start), TCB);
}

/* Both native stacks with their guards. */
static size_t native_bytes(size_t native)
{
    return 2 * (GUARD + native);
}

/* What lay_out needs behind a data stack that ends anywhere. */
static size_t bytes_behind(size_t native)
{
    return PAGE + native_bytes(native) + TCB + tls_bytes() + TCB;
}

/* Zeroed memory, or 0. */
static char *map(size_t size)
{
    long mapped =
        kettle_syscall6(KETTLE_SYS_mmap, 0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
    return mapped < 0 ? 0 : (char *)mapped;
}

static void guard(char *start)
{
    kettle_syscall3(KETTLE_SYS_mprotect, start, GUARD, PROT_NONE);
}

/* Native stacks and their guards from `start` on. */
static void place_native_stacks(struct kettle_thread *thread, char *start, size_t native)
{
    for (int arch = 0; arch < 2; arch++) {
        char *bottom = start + (size_t)arch * (GUARD + native) + GUARD;
        guard(bottom - GUARD);
        thread->native_bottom[arch] = (uint64_t)bottom;
        thread->native_top[arch] = (uint64_t)(bottom + native);
    }
}

/* Lays out a thread behind its data stack, in zeroed memory. Where that begins is known later, when it is the caller's. */
static struct kettle_thread *lay_out(char *data_end, size_t native)
{
    char *stacks = (char *)round_up((size_t)data_end, PAGE);
    char *base = stacks + native_bytes(native) + TCB;
    memcpy(base, __kettle_tdata_start, (size_t)(__kettle_tdata_end - __kettle_tdata_start));
    uint64_t tp[2] = {
        [POPCORN_ARCH_AARCH64] = (uint64_t)(base - TCB),
        [POPCORN_ARCH_X86_64] = (uint64_t)(base + tls_bytes()),
    };
    *(uint64_t *)tp[POPCORN_ARCH_X86_64] = tp[POPCORN_ARCH_X86_64];
    *(char **)(tp[THIS_ARCH] + TP_OFFSET(__dsp)) = (char *)((size_t)data_end & ~15ul);

    *(unsigned *)(tp[THIS_ARCH] + TP_OFFSET(__kettle_pending)) = __kettle_pending_at_start;

    struct kettle_thread *thread = (struct kettle_thread *)(tp[THIS_ARCH] + TP_OFFSET(__kettle_self));
    thread->self = thread;
    for (int arch = 0; arch < 2; arch++)
        thread->tp[arch] = tp[arch];
    place_native_stacks(thread, stacks, native);
    return thread;
}

struct kettle_thread *__kettle_main_area(void)
{
    char *area = map(GUARD + MAIN_DATA_STACK + round_up(bytes_behind(MAIN_NATIVE_STACK), PAGE));
    if (!area)
        return 0;
    guard(area);
    struct kettle_thread *thread = lay_out(area + GUARD + MAIN_DATA_STACK, MAIN_NATIVE_STACK);
    *(char **)(thread->tp[THIS_ARCH] + TP_OFFSET(__kettle_stack_limit)) = area + GUARD;
    return thread;
}

/* Called by musl for what comes behind a new thread's data stack; returns its descriptor. */
void *__copy_tls(unsigned char *behind)
{
    struct kettle_thread *thread = lay_out((char *)behind, THREAD_NATIVE_STACK);
    uint64_t tp = thread->tp[THIS_ARCH];
    char *descriptor = (char *)(tp + TP_OFFSET(__kettle_descriptor));
    *(char **)(tp + TP_OFFSET(__kettle_descriptor_at)) = descriptor;
    return descriptor;
}

int __kettle_enlarge(struct kettle_thread *thread, size_t size)
{
    size_t native = round_up(size, PAGE);
    if (native <= THREAD_NATIVE_STACK)
        return 0;
    char *start = map(native_bytes(native));
    if (!start)
        return -1;
    place_native_stacks(thread, start, native);
    thread->larger_start = (uint64_t)start;
    thread->larger_size = native_bytes(native);
    return 0;
}

void __kettle_drop_larger(struct kettle_thread *thread)
{
    if (thread->larger_size)
        kettle_syscall2(KETTLE_SYS_munmap, thread->larger_start, thread->larger_size);
    thread->larger_size = 0;
}

size_t __kettle_tls_size(void)
{
    return bytes_behind(THREAD_NATIVE_STACK);
}

struct kettle_thread *__kettle_thread_of(void *descriptor)
{
    return (struct kettle_thread *)((char *)descriptor - TP_OFFSET(__kettle_descriptor) + TP_OFFSET(__kettle_self));
}
