/*
 * Functions that are called through pointers of other types than their own, as C programs do it whose callbacks were written for another library:
 * another result, other pointers, integers where pointers are expected, fewer or more parameters. Each of them migrates, under every plan but "none".
 */
#include "plan.h"

#include <errno.h>
#include <pthread.h>

/* What this program is about. */
#pragma clang diagnostic ignored "-Wcast-function-type-mismatch"
#pragma clang diagnostic ignored "-Wdeprecated-non-prototype"

static int stuck;

/* To the next node; a plain Linux has no such call, and only a refusal of the runtime's own is counted. */
static __attribute__((noinline)) void hop(void)
{
    int here, nid = plan_next_node(0, &here);
    if (the_plan != PLAN_NONE && migrate(nid) == -EOPNOTSUPP)
        stuck++;
}

static volatile long seen;

typedef void *start_function(void *);

static void no_result(void *argument)
{
    hop();
    seen += *(long *)argument;
}

static void no_parameter(void)
{
    hop();
    seen += 3;
}

static int small_result(long *argument)
{
    hop();
    seen += *argument;
    return 5;
}

static long number(long argument)
{
    hop();
    seen += argument;
    return argument;
}

/* What it is not given it does not look at. */
static void *several(void *first, long second, int third)
{
    hop();
    (void)second, (void)third;
    seen += *(long *)first;
    return 0;
}

static void threads(void)
{
    static long value = 10;
    start_function *const starts[] = {
        (start_function *)no_result, (start_function *)no_parameter, (start_function *)small_result,
        (start_function *)number,
    };
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++) {
        seen = 0;
        pthread_t thread;
        void *argument = starts[i] == (start_function *)number ? (void *)11 : &value;
        if (pthread_create(&thread, 0, starts[i], argument) || pthread_join(thread, 0))
            printf("thread %u did not run\n", i);
        printf("thread %u: %ld, stuck %d\n", i, seen, stuck);
    }
}

/* A comparison that says whether, not which way; another that knows the type of its elements. */
static _Bool is_greater(const int *a, const int *b)
{
    hop();
    return *a > *b;
}

static long difference(const int *a, const int *b)
{
    hop();
    return *a - *b;
}

static void comparisons(void)
{
    int numbers[] = {4, 1, 3, 2};
    const int wanted = 3;
    qsort(numbers, 4, sizeof *numbers, (int (*)(const void *, const void *))difference);
    const int *found = bsearch(&wanted, numbers, 4, sizeof *numbers, (int (*)(const void *, const void *))difference);
    int (*greater)(void *, void *) = (int (*)(void *, void *))is_greater;
    printf("sorted: %d %d %d %d, at %ld, greater %d, stuck %d\n", numbers[0], numbers[1], numbers[2], numbers[3],
           found ? (long)(found - numbers) : -1, greater(numbers + 1, numbers) & 1, stuck);
}

struct pair {
    long a, b;
};

static double mixed(int scale, double x, float y)
{
    hop();
    return scale * (x + (double)y);
}

static double scaled(int scale, double x)
{
    hop();
    return scale * x;
}

static long pair_by_value(struct pair pair)
{
    hop();
    return pair.a * 100 + pair.b;
}

static struct pair make_pair(char *at, unsigned char low)
{
    hop();
    return (struct pair){.a = *at, .b = low};
}

static void for_each(const long *values, int count, void (*act)(const long *, void *, int), void *with)
{
    for (int i = 0; i < count; i++)
        act(values + i, with, i);
}

/* Called through a table of pointers of one type, and cast to the type that the caller has in mind. */
static void tables(void)
{
    void (*volatile any[])(void) = {(void (*)(void))mixed, (void (*)(void))pair_by_value, (void (*)(void))make_pair};
    double result = ((double (*)(long, double, float))any[0])(2, 1.5, 0.25f);
    long sum = ((long (*)(long, long))any[1])(7, 8);
    struct pair pair = ((struct pair(*)(const char *, int))any[2])("A", 9);
    printf("table: %.2f %ld %ld %ld, stuck %d\n", result, sum, pair.a, pair.b, stuck);

    /* A pointer to functions whose parameters nobody has declared. */
    double (*volatile undeclared)() = (double (*)())scaled;
    printf("undeclared: %.2f, stuck %d\n", undeclared(3, 0.5), stuck);

    const long values[] = {1, 2, 3};
    seen = 0;
    for_each(values, 3, (void (*)(const long *, void *, int))no_result, 0);
    for_each(values, 3, (void (*)(const long *, void *, int))no_parameter, 0);
    static long value = 4;
    void *(*volatile with_less)(void *) = (void *(*)(void *))several;
    with_less(&value);
    printf("each: %ld, stuck %d\n", seen, stuck);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    threads();
    comparisons();
    tables();
    return verdict("callbacks", stuck == 0);
}
