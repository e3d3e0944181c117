/*
 * Exits with the status given as its second argument (PROG PLAN STATUS), or 7; on the node its plan has taken it to.
 */
#include "plan.h"

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "once");
    int status = argc > 2 ? atoi(argv[2]) : 7;
    MIGRATION_POINT();
    printf("exiting with %d\n", status);
    return status;
}
