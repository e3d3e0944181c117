/*
 * What a jmp_buf holds (musl/arch/bits/setjmp.h): where to continue, on either ISA.
 *
 * Frames at recorded calls have no content and lie one behind the other from the top of a native stack; so the frame of a function that has called
 * setjmp lies at one place on each ISA for as long as it is active, however often the thread migrates, and both places are known when it calls.
 * Callee-saved registers matter only where native frames lie further out, and over those a thread does not migrate: they are kept for the ISA
 * that setjmp has run on.
 */
#ifndef KETTLE_NATIVE_SETJMP_H
#define KETTLE_NATIVE_SETJMP_H

#define JUMP_PC 0
#define JUMP_SP 16
#define JUMP_FP 32
#define JUMP_DSP 48
#define JUMP_DFP 56
#define JUMP_ARCH 64
#define JUMP_LIMIT 72
#define JUMP_SAVED 80

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Arrays of two are indexed by Popcorn's architecture code. */
struct jump {
    uint64_t pc[2];
    uint64_t sp[2];
    uint64_t fp[2];
    char *dsp;
    char *dfp;
    uint64_t arch;
    char *limit;
    uint64_t saved[18];
};
#endif

#endif
