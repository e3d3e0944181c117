/*
 * NAS Parallel Benchmarks, IS (integer sort), class S: ranks 2^16 keys below 2^11, ten times, with the published verification.
 *
 * After each ranking five keys must have their published ranks; at the end the keys must come out sorted.
 */
#include "npb.h"
#include "plan.h"

enum {
    TOTAL_KEYS = 1 << 16,
    MAX_KEY = 1 << 11,
    MAX_ITERATIONS = 10,
    TEST_COUNT = 5,
    SEED = 314159265,
};

/* Published for class S: keys at these places, and their ranks but for the iteration number. */
static const int test_index[TEST_COUNT] = {48427, 17148, 23627, 62548, 4431};
static const int test_rank[TEST_COUNT] = {0, 18, 346, 64917, 65463};

static int keys[TOTAL_KEYS];
/* After a ranking: how many keys are at most k. */
static int ranks[MAX_KEY];

/* Each key is the mean of four random numbers. */
static void create_keys(void)
{
    uint64_t x = SEED;
    for (int i = 0; i < TOTAL_KEYS; i++) {
        double sum = npb_random(&x);
        sum += npb_random(&x);
        sum += npb_random(&x);
        sum += npb_random(&x);
        keys[i] = (int)(MAX_KEY / 4 * sum);
    }
}

/* Published: the low test ranks grow with the iteration, the high ones shrink. */
static int expected_rank(int test, int iteration)
{
    return test <= 2 ? test_rank[test] + iteration : test_rank[test] - iteration;
}

/* Ranks all keys; returns how many of the test keys have the right rank. */
static __attribute__((noinline)) int rank(int iteration)
{
    keys[iteration] = iteration;
    keys[iteration + MAX_ITERATIONS] = MAX_KEY - iteration;
    int tested[TEST_COUNT];
    for (int i = 0; i < TEST_COUNT; i++)
        tested[i] = keys[test_index[i]];
    MIGRATION_POINT();
    memset(ranks, 0, sizeof ranks);
    for (int i = 0; i < TOTAL_KEYS; i++)
        ranks[keys[i]]++;
    for (int k = 1; k < MAX_KEY; k++)
        ranks[k] += ranks[k - 1];
    MIGRATION_POINT();
    int passed = 0;
    for (int i = 0; i < TEST_COUNT; i++)
        passed += tested[i] > 0 && ranks[tested[i] - 1] == expected_rank(i, iteration);
    return passed;
}

/* Puts every key at its rank and looks whether they are in order. */
static int fully_sorted(void)
{
    static int sorted[TOTAL_KEYS];
    for (int i = 0; i < TOTAL_KEYS; i++)
        sorted[--ranks[keys[i]]] = keys[i];
    MIGRATION_POINT();
    int out_of_order = 0;
    for (int i = 1; i < TOTAL_KEYS; i++)
        out_of_order += sorted[i - 1] > sorted[i];
    return out_of_order == 0;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    create_keys();
    int passed = 0;
    for (int iteration = 1; iteration <= MAX_ITERATIONS; iteration++) {
        int now = rank(iteration);
        printf("iteration %2d: %d of %d ranks verified\n", iteration, now, TEST_COUNT);
        passed += now;
    }
    int sorted = fully_sorted();
    printf("full verification: %s\n", sorted ? "sorted" : "not sorted");
    return verdict("npb_is class S", sorted && passed == TEST_COUNT * MAX_ITERATIONS);
}
