/* Function pointers in constant tables, a sort with a callback that migrates, a switch with a jump table, code addresses as data. */
#include <kettle.h>
#include <stdio.h>

typedef int compare(const void *, const void *);

static int calls;

static int up(const void *a, const void *b)
{
    if (++calls % 5 == 0)
        migrate(0);
    return *(const int *)a - *(const int *)b;
}

static int down(const void *a, const void *b)
{
    migrate(0);
    return up(b, a);
}

static int parity(const void *a, const void *b)
{
    return (*(const int *)a & 1) - (*(const int *)b & 1);
}

static const struct order {
    const char *name;
    compare *by;
} orders[] = {{"up", up}, {"down", down}, {"parity", parity}};

__attribute__((noinline)) static void sort(int *items, int n, compare *by)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && by(&items[j - 1], &items[j]) > 0; j--) {
            int other = items[j];
            items[j] = items[j - 1];
            items[j - 1] = other;
        }
}

__attribute__((noinline)) static int step(int state, int *work)
{
    switch (state) {
    case 0: migrate(0); *work += 3; return 4;
    case 1: *work *= 2; return 5;
    case 2: migrate(0); *work -= 1; return 6;
    case 3: *work ^= 0x55; return 7;
    case 4: *work += 11; return 1;
    case 5: migrate(0); *work += 13; return 2;
    case 6: *work <<= 1; return 3;
    default: return -1;
    }
}

int main(void)
{
    for (unsigned k = 0; k < sizeof orders / sizeof *orders; k++) {
        int items[9];
        for (int i = 0; i < 9; i++)
            items[i] = (i * 37 + 11) % 23;
        sort(items, 9, orders[k].by);
        printf("%s:", orders[k].name);
        for (int i = 0; i < 9; i++)
            printf(" %d", items[i]);
        printf("\n");
    }
    int state = 0, work = 1;
    while (state >= 0)
        state = step(state, &work);
    printf("%d %d\n", work, calls);
    return 0;
}
