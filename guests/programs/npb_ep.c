/*
 * NAS Parallel Benchmarks, EP (embarrassingly parallel), class S: 2^24 pairs of random numbers, those in the unit circle turned into pairs of
 * Gaussian deviates and counted by size, with the published verification. Billions of instructions: the longest guest by far.
 */
#include <math.h>

#include "npb.h"
#include "plan.h"

enum {
    /* 2^M pairs in all, 2^MK of them a batch. */
    M = 24,
    MK = 16,
    BATCHES = 1 << (M - MK),
    PAIRS = 1 << MK,
    ANNULI = 10,
    SEED = 271828183,
};

/* Published for class S. */
#define SUM_X (-3.247834652034740e+3)
#define SUM_Y (-6.958407078382297e+3)
#define EPSILON 1e-8
static const long published_counts[ANNULI] = {6140517, 5865300, 1100361, 68546, 1648, 17};

struct tally {
    double sum_x, sum_y;
    long counts[ANNULI];
};

static __attribute__((noinline)) void batch(int number, struct tally *tally)
{
    uint64_t x = SEED * npb_power(NPB_A, 2ull * PAIRS * (uint64_t)number) & NPB_MASK;
    for (int i = 0; i < PAIRS; i++) {
        double a = 2 * npb_random(&x) - 1;
        double b = 2 * npb_random(&x) - 1;
        double square = a * a + b * b;
        if (square > 1)
            continue;
        double scale = sqrt(-2 * log(square) / square);
        double gauss_x = a * scale, gauss_y = b * scale;
        tally->sum_x += gauss_x;
        tally->sum_y += gauss_y;
        tally->counts[(int)(fabs(gauss_x) > fabs(gauss_y) ? fabs(gauss_x) : fabs(gauss_y))]++;
    }
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    struct tally tally = {0};
    for (int number = 0; number < BATCHES; number++) {
        if (number % 16 == 0)
            MIGRATION_POINT();
        batch(number, &tally);
    }
    long total = 0;
    int ok = fabs((tally.sum_x - SUM_X) / SUM_X) <= EPSILON && fabs((tally.sum_y - SUM_Y) / SUM_Y) <= EPSILON;
    for (int i = 0; i < ANNULI; i++) {
        ok &= tally.counts[i] == published_counts[i];
        total += tally.counts[i];
        printf("%d <= size < %d: %ld\n", i, i + 1, tally.counts[i]);
    }
    printf("%ld Gaussian pairs, sums %.15e %.15e\n", total, tally.sum_x, tally.sum_y);
    return verdict("npb_ep class S", ok);
}
