/*
 * Asks for migrations that cannot be, and prints the answers; after each the thread is whole and where it was. What it prints depends on the
 * kernel: -22 -22 -16 -11 in a cluster of less than 32 nodes (Popcorn's order of checks), -38 on plain Linux.
 */
#include <kettle.h>
#include <stdio.h>

static _Thread_local long witness = 1;

static __attribute__((noinline)) int attempt(const char *what, int nid)
{
    long before = ++witness;
    int error = migrate(nid);
    printf("%s: %d\n", what, error);
    return error < 0 && witness == before;
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int here = current_nid();
    int ok = attempt("a negative node", -2);
    ok &= attempt("a node beyond the last possible", MAX_POPCORN_NODES);
    ok &= attempt("the node it is on", here < 0 ? 0 : here);
    ok &= attempt("a node that is offline", MAX_POPCORN_NODES - 1);
    ok &= attempt("no node proposed", -1);
    printf("refusals: %s\n", ok && migration_arrivals() == 0 ? "ok" : "WRONG");
    return ok ? 0 : 1;
}
