/*
 * Computed goto: an interpreter whose operations migrate, labels in automatic and static tables, labels as offsets, and a label that is
 * only compared.
 */
#include "plan.h"

enum operation { PUSH, ADD, MULTIPLY, LOOP, MOVE, CALL, HALT };

struct instruction {
    short operation;
    short operand;
};

/* Threaded code with a jump at the end of every operation; the table of labels is static. */
static long interpret(const struct instruction *at, long n, int depth)
{
    static const void *const labels[] = {&&push, &&add, &&multiply, &&loop, &&move, &&call, &&halt};
    const struct instruction *begin = at;
    long stack[8], *top = stack;
#define NEXT goto *labels[(at++)->operation]
    NEXT;
push:
    *++top = at[-1].operand;
    NEXT;
add:
    top--;
    *top += top[1];
    NEXT;
multiply:
    top--;
    *top = (*top * top[1]) % 1000003;
    NEXT;
loop:
    if (--n > 0)
        at = begin + at[-1].operand;
    NEXT;
move:
    MIGRATION_POINT();
    NEXT;
call:
    if (depth > 0)
        *++top = interpret(begin, n, depth - 1);
    else
        *++top = n;
    NEXT;
halt:
    return *top;
}

/* The table holds differences, as code that must not be relocated does. */
static long by_offsets(const unsigned char *code)
{
    static const int offsets[] = {&&more - &&more, &&less - &&more, &&done - &&more};
    long value = 1;
    goto *(&&more + offsets[*code]);
more:
    value = value * 3;
    MIGRATION_POINT();
    goto *(&&more + offsets[*++code]);
less:
    value -= 5;
    goto *(&&more + offsets[*++code]);
done:
    return value;
}

/* A label kept in a variable over a migration, and one in memory of the thread. */
static _Thread_local void *resume;

static int generator(int restart)
{
    static int state;
    if (restart)
        resume = 0;
    if (resume)
        goto *resume;
    for (state = 0; state < 3; state++) {
        resume = &&again;
        MIGRATION_POINT();
        return state;
again:;
    }
    resume = &&end;
end:
    return -1;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    static const struct instruction program[] = {
        {PUSH, 1}, {PUSH, 7}, {MULTIPLY, 0}, {MOVE, 0}, {PUSH, 3}, {ADD, 0}, {MOVE, 0}, {LOOP, 1}, {CALL, 0}, {ADD, 0}, {HALT, 0},
    };
    static const unsigned char code[] = {0, 0, 1, 0, 1, 2};
    printf("%ld %ld\n", interpret(program, 40, 2), by_offsets(code));
    for (int value = generator(1); value >= 0; value = generator(0))
        printf("%d ", value);
    return verdict("computed_goto", resume != 0);
}
