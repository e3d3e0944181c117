/*
 * The start of a migration, by the contract of Popcorn's libmigrate: user space rewrites the stack and the registers for the
 * destination, changes the thread pointer, and the kernel carries all of it over as it is.
 *
 * Reached from `migrate` (native/<isa>/migrate.S), which captures the caller's place, and runs on the source's native stack. What differs
 * from libmigrate: node information is asked for each time instead of once at start; a destination that cannot be reached is left to
 * the kernel to refuse, with nothing rewritten; a failed call leaves the thread whole; frames carry no values (frames.c).
 *
 * A destination of the same ISA keeps its frames, yet its registers are poisoned all the same.
 */
#include <errno.h>
#include <kettle.h>
#include <kettle/syscall.h>
#include <kettle/thread.h>
#include <string.h>

#include "arch.h"
#include "frames.h"
#include "regset.h"

/* First code of a thread at its destination; one address on both ISAs. */
void __kettle_arrive(void);

/* Sets the thread pointer, calls the kernel, and sets it back if that returns: then the result is the kernel's. */
long __kettle_migrate_call(long nid, union regset *regs, uint64_t destination_tp, uint64_t source_tp);

enum {
    USER_CS = 0x33,
    USER_SS = 0x2b,
    RFLAGS_INTERRUPTS = 0x202,
    /* Room for the word that the arrival stub returns through; 16 bytes keep aarch64's SP aligned. */
    ARRIVAL_FRAME_X86_64 = 8,
    ARRIVAL_FRAME_AARCH64 = 16,
    /* Kept free below a rebuilt chain for what runs after arrival: native leaves, and the next migration. */
    NATIVE_RESERVE = 64 << 10,
};

/* Where a migration goes: a node, and its ISA or POPCORN_ARCH_UNKNOWN where the kernel will refuse. */
struct destination {
    int nid;
    int arch;
};

/* Resolves `nid` here and now: -1, the node proposed to this thread, must not come to mean another ISA's after the rewrite. */
static struct destination find_destination(int nid)
{
    struct destination destination = {.nid = nid, .arch = POPCORN_ARCH_UNKNOWN};
    if (nid == -1) {
        struct popcorn_thread_status status;
        if (kettle_syscall1(KETTLE_SYS_popcorn_get_thread_status, &status) < 0)
            return destination;
        destination.nid = nid = status.proposed_nid;
    }
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    int here;
    if (kettle_syscall2(KETTLE_SYS_popcorn_get_node_info, &here, nodes) < 0)
        return destination;
    if (nid >= 0 && nid < MAX_POPCORN_NODES && nid != here && nodes[nid].status == 1)
        destination.arch = nodes[nid].arch;
    return destination;
}

/* Registers of a thread that is about to return to `head`: all that is not described is poison. */
static void fill_regset(union regset *regs, int arch, struct frame_at head)
{
    memset(regs, POISON_BYTE, sizeof *regs);
    if (arch == POPCORN_ARCH_X86_64) {
        struct regset_x86_64 *x86 = &regs->x86_64;
        x86->rip = (uint64_t)__kettle_arrive;
        x86->rsp = head.sp - ARRIVAL_FRAME_X86_64;
        x86->rbp = head.fp;
        x86->cs = USER_CS;
        x86->ss = USER_SS;
        x86->ds = x86->es = x86->fs = x86->gs = 0;
        x86->rflags = RFLAGS_INTERRUPTS;
        *(uint64_t *)x86->rsp = head.ra;
    } else {
        struct regset_aarch64 *arm = &regs->aarch64;
        arm->pc = (uint64_t)__kettle_arrive;
        arm->sp = head.sp - ARRIVAL_FRAME_AARCH64;
        arm->x[29] = head.fp;
        *(uint64_t *)arm->sp = head.ra;
    }
}

int __kettle_migrate(int nid, uint64_t ra, uint64_t sp, uint64_t fp)
{
    const struct kettle_thread *thread = &__kettle_self;
    struct frame_at head = {.ra = ra, .sp = sp, .fp = fp};
    union regset regs;
    struct destination to = find_destination(nid);
    if (to.arch != POPCORN_ARCH_AARCH64 && to.arch != POPCORN_ARCH_X86_64) {
        memset(&regs, POISON_BYTE, sizeof regs);
        return (int)kettle_syscall2(KETTLE_SYS_popcorn_migrate, to.nid, &regs);
    }

    struct chain_size size = __kettle_frames_measure(THIS_ARCH, head);
    if (size.error)
        return size.error;
    if (to.arch != THIS_ARCH) {
        if (size.bytes[to.arch] + NATIVE_RESERVE > thread->native_top[to.arch] - thread->native_bottom[to.arch])
            return -E2BIG;
        head = __kettle_frames_build(thread, THIS_ARCH, head, to.arch, size);
    }
    fill_regset(&regs, to.arch, head);
    return (int)__kettle_migrate_call(to.nid, &regs, thread->tp[to.arch], thread->tp[THIS_ARCH]);
}
