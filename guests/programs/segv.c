/*
 * Prints a line and then reads from address 0: killed by SIGSEGV, on the node its plan has taken it to.
 */
#include "plan.h"

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "once");
    MIGRATION_POINT();
    printf("about to fault\n");
    volatile int *volatile nowhere = 0;
    return *nowhere;
}
