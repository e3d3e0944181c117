/*
 * Migration points: what a thread does where it might migrate.
 *
 * A point that kettle-cc puts into a program (--migration-points) looks at `__kettle_pending` and calls __kettle_point when it is not 0. The word is
 * the thread's own, so that looking at it never waits for another node. A proposal raises it in all threads of the process: which of them is
 * meant only the kernel can say, because a thread's number changes with the node.
 *
 * The environment variable KETTLE_HOP_EVERY=N (kettle run --hop-every N) lets each thread go to the next node that is online, and round,
 * at each Nth point that it passes. The program does not see it.
 */
#include <kettle.h>
#include <kettle/thread.h>
#include <stdlib.h>
#include <string.h>

static const char HOP_EVERY[] = "KETTLE_HOP_EVERY=";

/* Bits of __kettle_pending: a proposal may have been made; the thread's points are counted. */
enum { PROPOSED = 1, COUNTED = 2 };

_Thread_local unsigned __kettle_pending;

/* What __kettle_pending is at the start of a thread; native/area.c puts it there. */
unsigned __kettle_pending_at_start;

static unsigned long hop_every;
static _Thread_local unsigned long points_passed;

/* Takes the variable out of the environment, and begins to count for the calling thread and those to come. */
void __kettle_begin_hops(char **environment)
{
    char **kept = environment;
    for (char **variable = environment; *variable; variable++) {
        if (strncmp(*variable, HOP_EVERY, sizeof HOP_EVERY - 1) == 0)
            hop_every = strtoul(*variable + sizeof HOP_EVERY - 1, 0, 10);
        else
            *kept++ = *variable;
    }
    *kept = 0;
    if (hop_every)
        __kettle_pending = __kettle_pending_at_start = COUNTED;
}

/* Counts a point, and hops where that is due. A hop that is refused leaves the thread where it is. */
void __kettle_count_point(void)
{
    if (!(__kettle_pending & COUNTED) || ++points_passed % hop_every != 0)
        return;
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    int here = node_info(nodes);
    for (int i = 1; here >= 0 && i < MAX_POPCORN_NODES; i++) {
        int nid = (here + i) % MAX_POPCORN_NODES;
        if (nodes[nid].status == 1) {
            migrate(nid);
            return;
        }
    }
}

void __kettle_point(void)
{
    __kettle_count_point();
    if (__atomic_load_n(&__kettle_pending, __ATOMIC_RELAXED) & PROPOSED) {
        /* A proposal that is made from here on raises the word again. */
        __atomic_fetch_and(&__kettle_pending, ~(unsigned)PROPOSED, __ATOMIC_SEQ_CST);
        __kettle_go_as_proposed();
    }
}

void __kettle_raise(unsigned *pending)
{
    __atomic_fetch_or(pending, PROPOSED, __ATOMIC_SEQ_CST);
}

/* These take the place of the library's system calls where system calls are points. */
long __kettle_sys(long nr, long a, long b, long c, long d, long e, long f);
long __kettle_sys_cp(long nr, long a, long b, long c, long d, long e, long f);

long __kettle_sys_at_point(long nr, long a, long b, long c, long d, long e, long f)
{
    if (__builtin_expect(__kettle_pending != 0, 0))
        __kettle_point();
    return __kettle_sys(nr, a, b, c, d, e, f);
}

long __kettle_sys_cp_at_point(long nr, long a, long b, long c, long d, long e, long f)
{
    if (__builtin_expect(__kettle_pending != 0, 0))
        __kettle_point();
    return __kettle_sys_cp(nr, a, b, c, d, e, f);
}
