/*
 * What a program registers with on_arrival() runs once for each arrival, on the node arrived at, before migrate() returns; and
 * a migration from inside it is refused, because native frames of the runtime are below it.
 */
#include "plan.h"

static long calls;
static int refusals, early;

static void arrived(void)
{
    int here;
    calls++;
    early += calls == plan_state.successes + 1;
    refusals += migrate(plan_next_node(0, &here)) < 0;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    on_arrival(arrived);
    for (int i = 0; i < 6; i++)
        MIGRATION_POINT();
    on_arrival(0);
    int ok = calls == plan_state.successes && calls == migration_arrivals() && refusals == calls && early == calls;
    MIGRATION_POINT();
    ok &= calls == early;
    printf("the hook ran at every arrival, and stayed there\n");
    return verdict("arrival_hook", ok);
}
