/*
 * An interpreter whose loop is one function with more than a hundred migrating calls, and which keeps dozens of values from before the loop:
 * integers, doubles and a vector, of which each instruction needs a few. Such a function leaves those values in memory.
 */
#include "plan.h"

typedef unsigned long word;
typedef word pair __attribute__((vector_size(16)));

/* A value the compiler cannot know, so that it must be kept and not computed again. */
static volatile word seed = 3;

#define EACH_8(f, n) f(n##0) f(n##1) f(n##2) f(n##3) f(n##4) f(n##5) f(n##6) f(n##7)
#define EACH_INTEGER(f) EACH_8(f, a) EACH_8(f, b) EACH_8(f, c)
#define EACH_DOUBLE(f) EACH_8(f, x)

#define DEFINE_INTEGER(v) step++; const word v = seed * (step * step + 7);
#define DEFINE_DOUBLE(v) step++; const double v = (double)seed / (double)(step + 1);
#define FOLD_INTEGER(v) sum = sum * 31 + v;
#define FOLD_DOUBLE(v) total = total * 0.75 + v;

/* Instruction `n`: two kept integers, a kept double, and the changing ones; what comes behind the call differs from instruction to instruction. */
#define INSTRUCTION(n, p, q, r) \
    case n:                     \
        sum ^= p + (n);         \
        both += lanes;          \
        MIGRATION_POINT();      \
        sum = sum * (2 * (n) + 3) + q + both[(n) & 1]; \
        total = total * 0.5 + r / ((n) + 1);           \
        break;
#define SIX(n, p, q, r)                                                                                       \
    INSTRUCTION(n, p##0, q##1, r) INSTRUCTION(n + 1, q##1, p##2, r) INSTRUCTION(n + 2, p##2, q##3, r)         \
    INSTRUCTION(n + 3, q##4, p##3, r) INSTRUCTION(n + 4, p##5, q##6, r) INSTRUCTION(n + 5, q##7, p##4, r)

enum { INSTRUCTIONS = 132 };

static __attribute__((noinline)) word interpret(const unsigned char *code, int length, double *result)
{
    word step = 0;
    EACH_INTEGER(DEFINE_INTEGER)
    EACH_DOUBLE(DEFINE_DOUBLE)
    const pair lanes = {seed, seed * 5};
    pair both = {seed * 7, seed};
    word sum = 0;
    double total = 0;
    for (int at = 0; at < length; at++) {
        switch (code[at]) {
            SIX(0, a, b, x0) SIX(6, b, c, x1) SIX(12, c, a, x2) SIX(18, a, c, x3) SIX(24, c, b, x4) SIX(30, b, a, x5)
            SIX(36, a, b, x6) SIX(42, b, c, x7) SIX(48, c, a, x0) SIX(54, a, c, x1) SIX(60, c, b, x2) SIX(66, b, a, x3)
            SIX(72, a, b, x4) SIX(78, b, c, x5) SIX(84, c, a, x6) SIX(90, a, c, x7) SIX(96, c, b, x0) SIX(102, b, a, x1)
            SIX(108, a, b, x2) SIX(114, b, c, x3) SIX(120, c, a, x4) SIX(126, a, c, x5)
        default:
            /* A loop in the loop, without a call: what it needs is worth a register. */
            for (word n = 0; n < 50; n++)
                sum += (a0 ^ n) * b1 + (c2 >> (n & 15));
        }
    }
    EACH_INTEGER(FOLD_INTEGER)
    EACH_DOUBLE(FOLD_DOUBLE)
    *result = total;
    return sum ^ both[0] ^ both[1];
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    unsigned char code[200];
    int length = 0;
    for (int at = 0; at < (int)sizeof code; at++) {
        code[at] = (unsigned char)(at * 37 % (INSTRUCTIONS + 9));
        length++;
    }
    double halves[2], total;
    word first = interpret(code, length, &total);
    word again = interpret(code, length, &halves[0]) ^ interpret(code, 0, &halves[1]);
    printf("%lx %.17g\n", first, total);
    printf("%lx %.17g %.17g\n", again, halves[0], halves[1]);
    return verdict("many_calls", total == halves[0] && (again ^ interpret(code, 0, &halves[1])) == first);
}
