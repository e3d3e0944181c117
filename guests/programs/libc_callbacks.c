/*
 * Library functions that call back into the program, where the callback migrates: sorts, searches, trees, and handlers at the exit. The library's
 * frames travel between two of the program's.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <search.h>
#include <regex.h>

enum { COUNT = 300 };

static int calls;

static int by_value(const void *left, const void *right)
{
    if (calls++ % 64 == 0)
        MIGRATION_POINT();
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static int by_length(const void *left, const void *right, void *context)
{
    if ((*(int *)context)++ % 4 == 0)
        MIGRATION_POINT();
    size_t a = strlen(*(char *const *)left), b = strlen(*(char *const *)right);
    return a != b ? (a > b) - (a < b) : strcmp(*(char *const *)left, *(char *const *)right);
}

static long visited_sum;

static void visit(const void *node, VISIT order, int depth)
{
    (void)depth;
    if (order == postorder || order == leaf) {
        visited_sum = visited_sum * 31 + **(int *const *)node;
        if (visited_sum % 8 == 0)
            MIGRATION_POINT();
    }
}

static void release(void *key)
{
    MIGRATION_POINT();
    visited_sum += *(int *)key;
}

static void matches(const char *pattern, const char *text)
{
    regex_t regex;
    regmatch_t found[3];
    int error = regcomp(&regex, pattern, REG_EXTENDED);
    MIGRATION_POINT();
    if (error) {
        char message[64];
        regerror(error, &regex, message, sizeof message);
        printf("%s: %s\n", pattern, message);
        return;
    }
    error = regexec(&regex, text, 3, found, 0);
    MIGRATION_POINT();
    if (error)
        printf("%s does not match %s\n", pattern, text);
    else
        printf("%s matches %s at %d-%d, group 1 at %d-%d\n", pattern, text, (int)found[0].rm_so, (int)found[0].rm_eo,
               (int)found[1].rm_so, (int)found[1].rm_eo);
    regfree(&regex);
}

static void at_exit(void)
{
    MIGRATION_POINT();
    printf("a handler at the exit\n");
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    atexit(at_exit);
    int values[COUNT];
    unsigned state = 12345;
    for (int i = 0; i < COUNT; i++)
        values[i] = (int)((state = state * 1103515245 + 12345) >> 16) % 1000;

    void *tree = 0;
    for (int i = 0; i < 100; i++)
        tsearch(&values[i], &tree, by_value);
    twalk(tree, visit);
    printf("the tree gives %ld, 500 is %s\n", visited_sum, tfind(&(int){500}, &tree, by_value) ? "there" : "missing");
    tdestroy(tree, release);
    printf("and %ld\n", visited_sum);

    qsort(values, COUNT, sizeof *values, by_value);
    int sorted = 1;
    for (int i = 1; i < COUNT; i++)
        sorted &= values[i - 1] <= values[i];
    int *found = bsearch(&values[77], values, COUNT, sizeof *values, by_value);
    printf("sorted: %d, found: %d\n", sorted, found && *found == values[77]);

    const char *words[] = {"migration", "node", "thread", "a", "kernel", "page", "be"};
    int context = 0;
    qsort_r(words, 7, sizeof *words, by_length, &context);
    for (int i = 0; i < 7; i++)
        printf("%s%c", words[i], i == 6 ? '\n' : ' ');

    matches("^([a-z]+)@([a-z]+)\\.org$", "someone@example.org");
    matches("(a|b)*c", "ababac");
    matches("x+y", "abc");
    matches("(unclosed", "");
    return verdict("libc_callbacks", sorted && found);
}
