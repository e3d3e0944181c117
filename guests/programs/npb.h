/*
 * The pseudo-random numbers of the NAS Parallel Benchmarks: x' = a x mod 2^46, and x 2^-46 as a double in (0, 1).
 *
 * The published codes do this in double arithmetic cut into halves; in integers it is the same sequence, exactly.
 */
#ifndef NPB_H
#define NPB_H

#include <stdint.h>

#define NPB_A 1220703125ull
#define NPB_MASK ((1ull << 46) - 1)

/* Steps `*x` and returns it scaled to (0, 1). */
static inline double npb_random(uint64_t *x)
{
    *x = *x * NPB_A & NPB_MASK;
    return (double)*x * 0x1p-46;
}

/* a^n mod 2^46. */
static inline uint64_t npb_power(uint64_t a, uint64_t n)
{
    uint64_t result = 1;
    for (; n; n /= 2, a = a * a & NPB_MASK)
        if (n % 2)
            result = result * a & NPB_MASK;
    return result;
}

#endif
