/*
 * The register sets that the migrate system call takes, in the destination's format: K52's regset_x86_64 (624 bytes) and
 * regset_aarch64 (784 bytes), field for field.
 */
#ifndef KETTLE_NATIVE_REGSET_H
#define KETTLE_NATIVE_REGSET_H

#include <stddef.h>
#include <stdint.h>

struct regset_x86_64 {
    uint64_t rip;
    uint64_t rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t mmx[8];
    uint64_t padding;
    uint64_t xmm[16][2];
    uint64_t st[8][2];
    uint32_t cs, ss, ds, es, fs, gs;
    uint64_t rflags;
};

struct regset_aarch64 {
    uint64_t sp;
    uint64_t pc;
    uint64_t x[31];
    uint64_t padding;
    uint64_t v[32][2];
};

union regset {
    struct regset_x86_64 x86_64;
    struct regset_aarch64 aarch64;
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct regset_x86_64) == 624, "K52's size");
_Static_assert(offsetof(struct regset_x86_64, xmm) == 208, "K52's layout");
_Static_assert(offsetof(struct regset_x86_64, cs) == 592, "K52's layout");
_Static_assert(sizeof(struct regset_aarch64) == 784, "K52's size");
_Static_assert(offsetof(struct regset_aarch64, v) == 272, "K52's layout");

#endif
