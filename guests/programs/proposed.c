/*
 * Migration by proposal: a thread proposes a node to itself and goes there by check_migrate() and by migrate(-1), as Popcorn's schedulers
 * would make it. A proposal that cannot be met leaves it where it is.
 */
#include "plan.h"

static int wrong;

/* Goes to `nid` by way of the kernel's proposal; on plain Linux every step must fail alike. */
static __attribute__((noinline)) void go_as_proposed(int nid, int by_check)
{
    int proposed = propose_migration(0, nid);
    int moved = by_check ? check_migrate() : migrate(-1);
    if (proposed == 0)
        wrong += moved != 0 || current_nid() != nid;
    else
        wrong += moved != proposed;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    int home, next = plan_next_node(0, &home);
    /* Alone in the cluster there is nowhere to go. */
    int stay = the_plan == PLAN_NONE || next == home;
    if (!stay)
        go_as_proposed(next, 1);
    printf("there, as proposed\n");
    if (!stay && the_plan != PLAN_ONCE)
        go_as_proposed(home, 0);
    printf("back, as proposed\n");
    wrong += propose_migration(0, MAX_POPCORN_NODES) >= 0;
    return verdict("proposed", wrong == 0);
}
