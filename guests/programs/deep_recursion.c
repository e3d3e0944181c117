/*
 * Deep call chains that migrate at their leaves: chains of up to 4,000 frames, and a tree of 32 leaves.
 */
#include "plan.h"

static unsigned mix(unsigned value, unsigned with)
{
    return (value ^ with) * 2654435761u + 12345u;
}

/* Every frame keeps a value across the call that leads down to the leaf. */
static __attribute__((noinline)) unsigned descend(unsigned depth, unsigned seed)
{
    if (depth == 0) {
        MIGRATION_POINT();
        return seed;
    }
    unsigned mine = mix(seed, depth);
    unsigned below = descend(depth - 1, mine);
    return mix(below, mine);
}

/* The same without recursion. */
static unsigned descend_expected(unsigned depth, unsigned seed)
{
    static unsigned kept[4001];
    for (unsigned d = depth; d > 0; d--)
        kept[d] = seed = mix(seed, d);
    for (unsigned d = 1; d <= depth; d++)
        seed = mix(seed, kept[d]);
    return seed;
}

/* Sum of path numbers over the leaves of a binary tree. */
static __attribute__((noinline)) unsigned long tree(int depth, unsigned long path)
{
    if (depth == 0) {
        MIGRATION_POINT();
        return path;
    }
    unsigned long left = tree(depth - 1, path * 2);
    unsigned long right = tree(depth - 1, path * 2 + 1);
    return left + right;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    static const unsigned depths[] = {1, 10, 100, 1000, 4000};
    int ok = 1;
    for (unsigned i = 0; i < sizeof depths / sizeof *depths; i++) {
        unsigned found = descend(depths[i], i + 1);
        ok &= found == descend_expected(depths[i], i + 1);
        printf("%4u frames: %08x\n", depths[i], found);
    }
    unsigned long sum = tree(5, 0);
    ok &= sum == 31 * 32 / 2;
    printf("32 leaves: %lu\n", sum);
    return verdict("deep_recursion", ok);
}
