/*
 * The call-site table that kettle-cc puts into both binaries of a program: for each call that may migrate, where it
 * returns to on each ISA and how its frame lies there.
 *
 * CFA = FP + cfa_fp; SP at the call = CFA - size; the saved FP is at CFA + fp_off, the return address at CFA + ra_off.
 * Arrays of two are indexed by Popcorn's architecture code. The index of a site is its id, equal on both ISAs.
 */
#ifndef KETTLE_NATIVE_CALLSITES_H
#define KETTLE_NATIVE_CALLSITES_H

#include <stdint.h>

#define CALLSITES_MAGIC 0x5453434Bu
#define CALLSITES_VERSION 1u

struct callsite_frame {
    int32_t cfa_fp;
    uint32_t size;
    int32_t fp_off;
    int32_t ra_off;
};

struct callsite {
    uint64_t ra[2];
    struct callsite_frame frame[2];
};

struct callsites {
    uint32_t magic;
    uint32_t version;
    uint32_t count;
    uint32_t zero;
    /* Return addresses at which a walk ends: the process' start code. */
    uint64_t start_ra[2];
    struct callsite site[];
    /* Then uint32_t by_ra[2][count]: ids sorted by each ISA's return address. */
};

extern const struct callsites __kettle_callsites;

/* The site that returns to `ra` on ISA `arch`, or 0. */
const struct callsite *__kettle_callsite_find(int arch, uint64_t ra);

#endif
