/*
 * aarch64: system calls of the C library. Numbers are this kernel's own; some flags and structures are not.
 */
#include "../sys.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* struct stat of x86_64, and this kernel's. */
struct stat_neutral {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, zero;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    uint64_t times[6];
    uint64_t unused[3];
};

struct stat_own {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, zero;
    int64_t size;
    int32_t blksize, zero2;
    int64_t blocks;
    uint64_t times[6];
    uint32_t unused[2];
};

/* struct epoll_event of x86_64 is packed, this kernel's is not. */
struct epoll_neutral {
    uint32_t events;
    uint64_t data;
} __attribute__((packed));

struct epoll_own {
    uint32_t events;
    uint64_t data;
};

/* ucontext of x86_64, and this kernel's, up to what is used of them. */
enum {
    REG_RBP = 10,
    REG_RSP = 15,
    REG_RIP = 16,
    REG_CR2 = 22,
};

struct ucontext_neutral {
    struct context_head head;
    uint64_t registers[23];
    uint64_t fp_state, reserved[8];
    /* As long as the library's type; the kernel knows the first word. */
    uint64_t mask[16];
    uint64_t fp_memory[64];
};

struct ucontext_own {
    struct context_head head;
    uint64_t mask[16];
    uint64_t padding;
    uint64_t fault_address;
    uint64_t x[31];
    uint64_t sp, pc, pstate;
};

_Static_assert(offsetof(struct ucontext_neutral, mask) == 296, "Linux's layouts");
_Static_assert(offsetof(struct ucontext_own, fault_address) == 176, "Linux's layouts");

_Static_assert(sizeof(struct stat_neutral) == 144 && sizeof(struct stat_own) == 128, "Linux's layouts");
_Static_assert(sizeof(struct epoll_neutral) == 12 && sizeof(struct epoll_own) == 16, "Linux's layouts");

enum {
    F_GETFL = 3,
    F_SETFL = 4,
    /* As many events as are asked for at a time; the caller gets the others with its next call. */
    EPOLL_BATCH = 64,
};

/* Flags of open whose bits differ: x86_64's, this kernel's. */
static const struct {
    int neutral, own;
} open_flags[] = {
    {040000, 0200000},   /* O_DIRECT */
    {0100000, 0400000},  /* O_LARGEFILE */
    {0200000, 040000},   /* O_DIRECTORY */
    {0400000, 0100000},  /* O_NOFOLLOW */
};

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

/* The sum of what is swapped is what is not: the table's bits are a permutation. */
static long swap_flags(long flags, int to_own)
{
    long result = flags;
    for (size_t k = 0; k < sizeof open_flags / sizeof *open_flags; k++)
        result &= ~(long)open_flags[k].neutral;
    for (size_t k = 0; k < sizeof open_flags / sizeof *open_flags; k++) {
        int from = to_own ? open_flags[k].neutral : open_flags[k].own;
        int to = to_own ? open_flags[k].own : open_flags[k].neutral;
        if (flags & from)
            result |= to;
    }
    return result;
}

static long stat_call(long nr, long a, long b, struct stat_neutral *out, long flags)
{
    struct stat_own own;
    long result = nr == SYS_fstat ? call(nr, a, (long)&own, 0, 0, 0, 0) : call(nr, a, b, (long)&own, flags, 0, 0);
    if (result < 0)
        return result;
    *out = (struct stat_neutral){
        .dev = own.dev,
        .ino = own.ino,
        .nlink = own.nlink,
        .mode = own.mode,
        .uid = own.uid,
        .gid = own.gid,
        .rdev = own.rdev,
        .size = own.size,
        .blksize = own.blksize,
        .blocks = own.blocks,
    };
    memcpy(out->times, own.times, sizeof own.times);
    return result;
}

static long epoll_wait_call(system_call *make, long epoll, struct epoll_neutral *out, long count, long timeout, long mask,
                            long mask_size)
{
    struct epoll_own own[EPOLL_BATCH];
    if (count > EPOLL_BATCH)
        count = EPOLL_BATCH;
    long result = make(SYS_epoll_pwait, epoll, (long)own, count, timeout, mask, mask_size);
    for (long k = 0; k < result; k++)
        out[k] = (struct epoll_neutral){.events = own[k].events, .data = own[k].data};
    return result;
}

/* A call whose flags or structures may differ; `make` makes this kernel's. */
static long converted(system_call *make, long nr, long a, long b, long c, long d, long e, long f)
{
    long result;
    switch (nr) {
    case SYS_openat:
        return make(nr, a, b, swap_flags(c, 1), d, e, f);
    case SYS_fcntl:
        if (b == F_SETFL)
            return make(nr, a, b, swap_flags(c, 1), 0, 0, 0);
        result = make(nr, a, b, c, d, e, f);
        return b == F_GETFL && result >= 0 ? swap_flags(result, 0) : result;
    case SYS_newfstatat:
        return stat_call(nr, a, b, (struct stat_neutral *)c, d);
    case SYS_fstat:
        return stat_call(nr, a, 0, (struct stat_neutral *)b, 0);
    case SYS_epoll_ctl:
        if (d) {
            const struct epoll_neutral *event = (const struct epoll_neutral *)d;
            struct epoll_own own = {.events = event->events, .data = event->data};
            return make(nr, a, b, c, (long)&own, e, f);
        }
        return make(nr, a, b, c, 0, e, f);
    case SYS_epoll_pwait:
        return epoll_wait_call(make, a, (struct epoll_neutral *)b, c, d, e, f);
    default:
        return make(nr, a, b, c, d, e, f);
    }
}

long __kettle_sys(long nr, long a, long b, long c, long d, long e, long f)
{
    long result;
    return sys_common(nr, a, b, c, d, &result, call) ? result : converted(call, nr, a, b, c, d, e, f);
}

long __kettle_sys_cp(long nr, long a, long b, long c, long d, long e, long f)
{
    return converted(__kettle_syscall_cp, nr, a, b, c, d, e, f);
}

/* Of the registers a handler sees the program counter, the stack and frame pointers, and the address of a fault; it may change the first of them, and the mask. */
void __kettle_call_handler(signal_handler *handler, int signal, void *info, void *context)
{
    struct ucontext_own *own = context;
    struct ucontext_neutral neutral;
    memset(&neutral, 0, sizeof neutral);
    neutral.head = own->head;
    neutral.registers[REG_RBP] = own->x[29];
    neutral.registers[REG_RSP] = own->sp;
    neutral.registers[REG_RIP] = own->pc;
    neutral.registers[REG_CR2] = own->fault_address;
    neutral.mask[0] = own->mask[0];
    handler(signal, info, &neutral);
    own->pc = neutral.registers[REG_RIP];
    own->mask[0] = neutral.mask[0];
}
