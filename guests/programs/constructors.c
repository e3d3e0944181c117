/*
 * Constructors and destructors, with priorities, that migrate; destructors run after what atexit() has registered.
 */
#include "plan.h"

static char order[64];
static int length;
static char *made;

static void note(char what)
{
    order[length++] = what;
    MIGRATION_POINT();
}

__attribute__((constructor)) static void third(void)
{
    made = strdup("made before main");
    note('c');
}

__attribute__((constructor(200))) static void second(void)
{
    note('b');
}

__attribute__((constructor(101))) static void first(void)
{
    char *arguments[] = {"constructors", "every"};
    plan_begin(2, arguments, "every");
    note('a');
}

__attribute__((destructor(101))) static void last(void)
{
    note('z');
    printf("%s, %s\n", order, made);
    free(made);
    verdict("constructors", strcmp(order, "abcmxyz") == 0);
}

__attribute__((destructor)) static void before_last(void)
{
    note('y');
}

static void registered(void)
{
    note('x');
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    atexit(registered);
    note('m');
    return 0;
}
