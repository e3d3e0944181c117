/*
 * Structs passed and returned by value, small enough for registers and too large for them, through functions that migrate.
 */
#include "plan.h"

struct pair {
    long key;
    double value;
};

struct point {
    float x, y;
};

struct large {
    long words[12];
    char name[20];
};

static __attribute__((noinline)) struct pair swap_signs(struct pair pair)
{
    MIGRATION_POINT();
    return (struct pair){-pair.key, -pair.value};
}

static __attribute__((noinline)) struct point turned(struct point point)
{
    MIGRATION_POINT();
    return (struct point){-point.y, point.x};
}

static __attribute__((noinline)) struct large shifted(struct large large, struct pair by)
{
    MIGRATION_POINT();
    for (int i = 0; i < 12; i++)
        large.words[i] += by.key * i;
    MIGRATION_POINT();
    large.name[0] = (char)(large.name[0] + (int)by.value);
    return large;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    struct pair pair = {41, 2.5};
    struct large large = {.name = "Astruct"};
    for (int i = 0; i < 12; i++)
        large.words[i] = i * i;
    struct pair negative = swap_signs(pair);
    struct point point = {3, 4};
    for (int i = 0; i < 5; i++)
        point = turned(point);
    struct large result = shifted(shifted(large, pair), negative);
    struct large once = shifted(large, (struct pair){1, 1});
    long sum = 0;
    for (int i = 0; i < 12; i++)
        sum += once.words[i];
    printf("%ld %.2f (%.0f, %.0f) %s %s %ld\n", negative.key, negative.value, (double)point.x, (double)point.y, result.name, once.name, sum);
    int ok = negative.key == -41 && negative.value == -2.5 && point.x == -4 && point.y == 3 && sum == 506 + 66;
    ok &= memcmp(result.words, large.words, sizeof large.words) == 0 && strcmp(result.name, "Astruct") == 0 && strcmp(once.name, "Bstruct") == 0;
    return verdict("structs_by_value", ok);
}
