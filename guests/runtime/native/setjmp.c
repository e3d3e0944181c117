/*
 * The part of setjmp that finds out where its caller's frame lies on the other ISA.
 */
#include "setjmp.h"

#include <stddef.h>

#include "arch.h"
#include "callsites.h"
#include "frames.h"
#include "link.h"

_Static_assert(offsetof(struct jump, sp) == JUMP_SP, "JUMP_SP");
_Static_assert(offsetof(struct jump, fp) == JUMP_FP, "JUMP_FP");
_Static_assert(offsetof(struct jump, dsp) == JUMP_DSP, "JUMP_DSP");
_Static_assert(offsetof(struct jump, dfp) == JUMP_DFP, "JUMP_DFP");
_Static_assert(offsetof(struct jump, limit) == JUMP_LIMIT, "JUMP_LIMIT");
_Static_assert(offsetof(struct jump, arch) == JUMP_ARCH, "JUMP_ARCH");
_Static_assert(offsetof(struct jump, saved) == JUMP_SAVED, "JUMP_SAVED");
_Static_assert(sizeof(struct jump) <= 32 * sizeof(long), "__jmp_buf");

extern _Thread_local __attribute__((tls_model("local-exec"))) char *__dfp;

/* Completes a jump of a caller that is seen as `ra`, `sp`, `fp`; the result of setjmp. */
int __kettle_setjmp(struct jump *jump, uint64_t ra, uint64_t sp, uint64_t fp)
{
    const int here = THIS_ARCH, other = 1 - THIS_ARCH;
    jump->pc[here] = ra;
    jump->sp[here] = sp;
    jump->fp[here] = fp;
    jump->dsp = __dsp;
    jump->dfp = __dfp;
    jump->limit = __kettle_stack_limit;
    jump->arch = (uint64_t)here;

    const struct callsite *site = __kettle_callsite_find(here, ra);
    struct chain_size size = __kettle_frames_measure(here, (struct frame_at){.ra = ra, .sp = sp, .fp = fp});
    /* Not described: while such a frame is active, the thread does not migrate. */
    if (!site || size.error) {
        jump->pc[other] = 0;
        return 0;
    }
    const struct callsite_frame *frame = &site->frame[other];
    jump->pc[other] = site->ra[other];
    jump->sp[other] = __kettle_self.native_top[other] - size.bytes[other];
    jump->fp[other] = jump->sp[other] + frame->size - (uint64_t)(int64_t)frame->cfa_fp;
    return 0;
}
