/*
 * Loops without calls, between two migration points of one function: a matrix product, a sieve, and a chain of dependent integer operations.
 */
#include <stdio.h>
#include <string.h>

#include "plan.h"

enum { N = 64, LIMIT = 20000, STEPS = 100000 };

static double a[N][N], b[N][N], c[N][N];
static unsigned char composite[LIMIT];

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "none");
    MIGRATION_POINT();
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = i + j;
            b[i][j] = i - j;
        }
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    }
    memset(composite, 0, sizeof composite);
    long primes = 0;
    for (int i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        primes++;
        for (int k = 2 * i; k < LIMIT; k += i)
            composite[k] = 1;
    }
    unsigned x = (unsigned)primes;
    for (int i = 0; i < STEPS; i++)
        x = (x * 1664525u + 1013904223u) ^ (x >> 7);
    MIGRATION_POINT();
    printf("%ld primes, %g, %u\n", primes, c[3][5], x);
    return 0;
}
