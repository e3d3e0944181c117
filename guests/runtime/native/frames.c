/*
 * Walks and builds native call chains, by the call-site table.
 *
 * kettle-cc makes frames that are free of content at every call that may migrate: all that lives is on the data stack. So a
 * chain *is* its list of call sites, and the chain of the other ISA has, for each site, a frame of that ISA's size with two
 * words in it: the return address into the caller and the caller's frame pointer. Popcorn's libstack-transform does the same walk but
 * also copies live values from frame to frame; here there are none.
 *
 * A walk ends where the thread started: at a return address of 0, or at that of the process' start code.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "callsites.h"
#include "frames.h"

static uint64_t load(uint64_t address)
{
    return *(const uint64_t *)address;
}


static bool is_start(int arch, uint64_t ra)
{
    return ra == 0 || ra == __kettle_callsites.start_ra[arch];
}

/* The caller's place, seen from `at`, whose call site is `site`. */
static struct frame_at step_out(int arch, struct frame_at at, const struct callsite *site)
{
    const struct callsite_frame *frame = &site->frame[arch];
    uint64_t cfa = at.fp + (uint64_t)(int64_t)frame->cfa_fp;
    return (struct frame_at){
        .ra = load(cfa + (uint64_t)(int64_t)frame->ra_off),
        .sp = cfa,
        .fp = load(cfa + (uint64_t)(int64_t)frame->fp_off),
    };
}

struct chain_size __kettle_frames_measure(int arch, struct frame_at at)
{
    struct chain_size size = {0};
    while (!is_start(arch, at.ra)) {
        const struct callsite *site = __kettle_callsite_find(arch, at.ra);
        if (!site || at.sp + site->frame[arch].size != at.fp + (uint64_t)(int64_t)site->frame[arch].cfa_fp)
            return (struct chain_size){.error = -EOPNOTSUPP};
        size.bytes[0] += site->frame[0].size;
        size.bytes[1] += site->frame[1].size;
        at = step_out(arch, at, site);
    }
    return size;
}

struct frame_at __kettle_frames_build(const struct kettle_thread *thread, int from, struct frame_at inner, int to,
                                      struct chain_size size)
{
    /* The innermost frame's place is known from the total, so one walk outwards suffices. */
    struct frame_at source = inner, head = {0};
    uint64_t sp = thread->native_top[to] - size.bytes[to];
    /* Where the frame pointer of the frame at hand is to be noted: in the register, then in each callee's frame. */
    uint64_t *ra_slot = &head.ra, *fp_slot = &head.fp;
    head.sp = sp;
    while (!is_start(from, source.ra)) {
        const struct callsite *site = __kettle_callsite_find(from, source.ra);
        const struct callsite_frame *frame = &site->frame[to];
        uint64_t cfa = sp + frame->size;
        memset((void *)sp, POISON_BYTE, frame->size);
        *ra_slot = site->ra[to];
        *fp_slot = cfa - (uint64_t)(int64_t)frame->cfa_fp;
        ra_slot = (uint64_t *)(cfa + (uint64_t)(int64_t)frame->ra_off);
        fp_slot = (uint64_t *)(cfa + (uint64_t)(int64_t)frame->fp_off);
        source = step_out(from, source, site);
        sp = cfa;
    }
    *ra_slot = source.ra == 0 ? 0 : __kettle_callsites.start_ra[to];
    *fp_slot = 0;
    return head;
}
