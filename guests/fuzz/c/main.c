/*
 * Runs one of several generated programs: PROG SEED. It prints the sums that the program asks for, and last how many migration points it
 * passed, each of which is a hop in a cluster of two nodes.
 *
 * With -DPLAIN it is for ordinary compilers, and nothing moves.
 */
#include "fuzz.h"

#ifdef PLAIN
static void go(void) {}
#else
#include <kettle.h>
static void go(void)
{
    int error = migrate(current_nid() == 1 ? 0 : 1);
    /* Plain Linux has no such call. */
    if (error != 0 && error != -38) {
        printf("migrate: %d\n", error);
        exit(3);
    }
}
#endif

enum { MOST_POINTS = 300, MOST_LINES = 60 };

int fuel;
static u64 sum;
static long points, lines;

struct program {
    unsigned long seed;
    void (*run)(void);
};
extern const struct program programs[];

void point(void)
{
    if (points < MOST_POINTS) {
        points++;
        go();
    }
}

void mix(u64 value)
{
    sum = (sum ^ value) * 0x9e3779b97f4a7c15ull;
    sum ^= sum >> 29;
}

void check(const char *what)
{
    printf("%s %016llx\n", what, (unsigned long long)sum);
}

int may_print(void)
{
    return lines < MOST_LINES && ++lines;
}

int main(int argc, char **argv)
{
    unsigned long seed = argc > 1 ? strtoul(argv[1], 0, 10) : 0;
    for (const struct program *p = programs; p->run; p++) {
        if (p->seed == seed) {
            p->run();
            printf("points %ld\n", points);
            return (int)(sum & 63);
        }
    }
    printf("no program has seed %lu\n", seed);
    return 2;
}
