/*
 * Control flow round migrations: a small interpreter (a dense switch in a loop), a sparse switch, and nested loops left early.
 */
#include "plan.h"

enum opcode { PUSH, ADD, MULTIPLY, DUPLICATE, SWAP, JUMP_IF, DECREMENT, MOVE, HALT };

struct instruction {
    enum opcode opcode;
    int operand;
};

static __attribute__((noinline)) long interpret(const struct instruction *program)
{
    long stack[16];
    int top = 0, at = 0;
    for (;;) {
        const struct instruction instruction = program[at++];
        switch (instruction.opcode) {
        case PUSH: stack[top++] = instruction.operand; break;
        case ADD: top--; stack[top - 1] += stack[top]; break;
        case MULTIPLY: top--; stack[top - 1] *= stack[top]; break;
        case DUPLICATE: stack[top] = stack[top - 1]; top++; break;
        case SWAP: {
            long upper = stack[top - 1];
            stack[top - 1] = stack[top - 2];
            stack[top - 2] = upper;
            break;
        }
        case JUMP_IF:
            if (stack[top - 1] != 0)
                at = instruction.operand;
            break;
        case DECREMENT: stack[top - 1]--; break;
        case MOVE: MIGRATION_POINT(); break;
        case HALT: return stack[0];
        }
    }
}

static __attribute__((noinline)) const char *kind(long number)
{
    switch (number) {
    case -5: return "minus five";
    case 0: MIGRATION_POINT(); return "nothing";
    case 7: return "seven";
    case 1000: MIGRATION_POINT(); return "a thousand";
    case 1000000007: return "a prime";
    default: return "some number";
    }
}

/* Smallest a + b + c with a < b < c, a^2 + b^2 = c^2 and a above `from`. */
static __attribute__((noinline)) int pythagorean(int from)
{
    for (int a = from + 1; a < 100; a++) {
        MIGRATION_POINT();
        for (int b = a + 1; b < 200; b++) {
            for (int c = b + 1; c < a + b; c++) {
                if (a * a + b * b != c * c)
                    continue;
                if (a * b % 5 == 0)
                    goto found;
                break;
            }
            continue;
        found:
            return a * 10000 + b;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    /* The countdown above the accumulator: multiply by 3, count down, again. */
    static const struct instruction powers[] = {
        {PUSH, 1}, {PUSH, 12}, {SWAP, 0}, {PUSH, 3}, {MULTIPLY, 0}, {SWAP, 0}, {MOVE, 0}, {DECREMENT, 0}, {JUMP_IF, 2}, {HALT, 0},
    };
    long power = interpret(powers);
    printf("3^12 = %ld\n", power);
    static const long numbers[] = {-5, 0, 7, 8, 1000, 1000000007};
    for (int i = 0; i < 6; i++)
        printf("%ld: %s\n", numbers[i], kind(numbers[i]));
    int first = pythagorean(3), second = pythagorean(10);
    printf("triples %d %d\n", first, second);
    return verdict("switch_loops", power == 531441 && first == 50012 && second == 110060);
}
