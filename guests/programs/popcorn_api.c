/*
 * A program as it is written for Popcorn: <migrate.h>, migrations with a callback that runs at the destination, and checks of where to go. The
 * plans are those of plan.h.
 */
#include <migrate.h>
#include <stdio.h>
#include <string.h>

enum { SIZE = 8, NODES = 32 };

struct visit {
    int arrivals;
    int where;
    enum arch arch;
};

static void arrived(void *data)
{
    struct visit *visit = data;
    visit->arrivals++;
    visit->where = current_nid();
    visit->arch = current_arch();
}

/* The next node that is available, or the caller's own. */
static int next_node(int here)
{
    for (int i = 1; here >= 0 && i < NODES; i++) {
        if (node_available((here + i) % NODES))
            return (here + i) % NODES;
    }
    return here;
}

/* Goes to `nid`; 1 when it is where the callback has seen it arrive. */
static int go(int nid, struct visit *visit)
{
    struct visit before = *visit;
    int here = current_nid(), moves = nid >= 0 && nid != here;
    if (moves)
        migrate(nid, arrived, visit);
    return visit->arrivals == before.arrivals + moves && (!moves || visit->where == current_nid()) &&
           (!moves || visit->arch == (enum arch)current_arch());
}

int main(int argc, char **argv)
{
    const char *plan = argc > 1 ? argv[1] : "every";
    double a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE], trace = 0;
    struct visit visit = {0, -1, ARCH_UNKNOWN};
    int home = current_nid(), ok = 1;
    for (int i = 0; i < SIZE; i++) {
        for (int k = 0; k < SIZE; k++) {
            a[i][k] = i + k / 8.0;
            b[i][k] = (i == k) * 3 + k - i / 4.0;
            product[i][k] = 0;
        }
    }
    for (int i = 0; i < SIZE; i++) {
        if (strcmp(plan, "every") == 0 || (i == 0 && strcmp(plan, "none") != 0))
            ok &= go(next_node(current_nid()), &visit);
        else if (i == 1 && strcmp(plan, "back") == 0)
            ok &= go(home, &visit);
        /* Nobody has asked this thread to go anywhere. */
        check_migrate(arrived, &visit);
        for (int j = 0; j < SIZE; j++) {
            for (int k = 0; k < SIZE; k++)
                product[i][j] += a[i][k] * b[k][j];
        }
        trace += product[i][i];
        printf("row %d: %.4f\n", i, product[i][i]);
    }
    ok &= !node_available(-1) && !node_available(NODES);
    printf("trace %.4f\npopcorn_api: %s\n", trace, ok ? "ok" : "WRONG");
    return !ok;
}
