/*
 * When a guest program migrates, and where to: its plan, taken from the command line (PROG [PLAN]).
 *
 *   none    never
 *   once    each thread at its first migration point, to the next node; it ends there
 *   back    each thread at its first migration point to the next node, and at its second back to where it came from
 *   every   each thread at every migration point, round all nodes that are online
 *
 * "Next" counts upwards from where the thread is, among the nodes that are online, and round. A migration that fails leaves the thread
 * where it is, and the program must not care: what it prints may depend neither on the plan nor on the cluster.
 */
#ifndef PLAN_H
#define PLAN_H

#include <kettle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum plan { PLAN_NONE, PLAN_ONCE, PLAN_BACK, PLAN_EVERY };

static enum plan the_plan;

/* Of this thread: migration points passed, migrations made, where the first went from, and how many nodes it leaps over. */
static _Thread_local struct {
    long points;
    long successes;
    int origin;
    int leap;
} plan_state;

/* Takes the plan from the first argument, or else `otherwise`. */
static inline void plan_begin(int argc, char **argv, const char *otherwise)
{
    static const char *const names[] = {"none", "once", "back", "every"};
    const char *name = argc > 1 ? argv[1] : otherwise;
    for (int plan = PLAN_NONE; plan <= PLAN_EVERY; plan++) {
        if (strcmp(name, names[plan]) == 0) {
            the_plan = (enum plan)plan;
            return;
        }
    }
    printf("no plan is called %s; there are none, once, back and every\n", name);
    exit(2);
}

/* Makes threads of different `ordinal` go to different nodes, where there are more than two. */
static inline void plan_thread(int ordinal)
{
    plan_state.leap = ordinal;
}

/* The node to go to, `leap` further than the next; `here` gets the caller's. Without Popcorn's calls: 1, and 0 for `here`. */
static __attribute__((noinline)) int plan_next_node(int leap, int *here)
{
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    *here = node_info(nodes);
    if (*here < 0) {
        *here = 0;
        return 1;
    }
    int others[MAX_POPCORN_NODES], count = 0;
    for (int i = 1; i < MAX_POPCORN_NODES; i++) {
        int nid = (*here + i) % MAX_POPCORN_NODES;
        if (nodes[nid].status == 1)
            others[count++] = nid;
    }
    return count ? others[leap % count] : *here;
}

static __attribute__((noinline)) void plan_go(int nid)
{
    if (migrate(nid) == 0)
        plan_state.successes++;
}

/* A place where the plan may move the calling thread. */
static __attribute__((noinline, unused)) void plan_point(void)
{
    long point = plan_state.points++;
    int here;
    switch (the_plan) {
    case PLAN_NONE:
        return;
    case PLAN_ONCE:
        if (point == 0)
            plan_go(plan_next_node(plan_state.leap, &here));
        return;
    case PLAN_BACK:
        if (point == 0)
            plan_go(plan_next_node(plan_state.leap, &plan_state.origin));
        else if (point == 1)
            plan_go(plan_state.origin);
        return;
    case PLAN_EVERY:
        plan_go(plan_next_node(point == 0 ? plan_state.leap : 0, &here));
        return;
    }
}

#define MIGRATION_POINT() plan_point()

/* Prints the verdict, and gives the program its exit status. */
static inline int verdict(const char *program, int ok)
{
    printf("%s: %s\n", program, ok ? "ok" : "WRONG");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
