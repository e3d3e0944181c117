/*
 * A thread that migrates 1,000 times, round all nodes, and counts: each migrate() that returned 0 must have been one arrival.
 */
#include "plan.h"

enum { HOPS = 1000 };

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    unsigned long sum = 0;
    for (unsigned long i = 0; i < HOPS; i++) {
        MIGRATION_POINT();
        sum = sum * 3 + i;
    }
    unsigned long expected = 0;
    for (unsigned long i = 0; i < HOPS; i++)
        expected = expected * 3 + i;
    int agree = migration_arrivals() == plan_state.successes;
    printf("%d migration points, sum %lx, arrivals %s\n", HOPS, sum, agree ? "as counted" : "not as counted");
    return verdict("thousand_hops", sum == expected && agree);
}
