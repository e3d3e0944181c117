/*
 * Three lines: before a migration, after it, and after the next.
 */
#include "plan.h"

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    printf("hello before\n");
    MIGRATION_POINT();
    printf("hello after\n");
    MIGRATION_POINT();
    printf("hello again\n");
    return 0;
}
