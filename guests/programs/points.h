/*
 * A program that knows nothing of migration, but for what it does with the argument `propose`: kettle-cc puts its migration points in. What it
 * prints does not depend on where its threads were meanwhile. NAME is the program's.
 */
#define _GNU_SOURCE
#include <kettle.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4 };

struct node {
    struct node *left, *right;
    int value;
};

static unsigned seed = 1;

static __attribute__((noinline)) int next_number(void)
{
    seed = seed * 1103515245 + 12345;
    return (int)(seed >> 16 & 1023);
}

static struct node *insert(struct node *tree, int value)
{
    if (!tree) {
        tree = calloc(1, sizeof *tree);
        tree->value = value;
    } else if (value < tree->value) {
        tree->left = insert(tree->left, value);
    } else {
        tree->right = insert(tree->right, value);
    }
    return tree;
}

static long sum(const struct node *tree)
{
    return tree ? sum(tree->left) + tree->value + sum(tree->right) : 0;
}

static void free_tree(struct node *tree)
{
    if (tree) {
        free_tree(tree->left);
        free_tree(tree->right);
        free(tree);
    }
}

static __attribute__((noinline)) long fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Nested loops with values of several types that go round, and a local array. */
static __attribute__((noinline)) double loops(int n)
{
    double total = 0;
    float small[16];
    for (int i = 0; i < n; i++) {
        unsigned char bits = (unsigned char)i;
        for (int k = 0; k < 16; k++)
            small[k] = (float)(i * k) / 7;
        for (int k = 15; k > 0 && small[k] > 1; k -= 2)
            total += small[k] * bits;
        total /= 3;
    }
    return total;
}

/* A loop with two ways in. */
static __attribute__((noinline)) int two_ways_in(int n, int second)
{
    int steps = 0;
    if (second)
        goto middle;
top:
    steps += 3;
middle:
    steps ^= n;
    if (--n > 0)
        goto top;
    return steps;
}

/* Threaded code: every operation is a jump. */
static __attribute__((noinline)) long interpret(const unsigned char *at)
{
    static const void *const labels[] = {&&one, &&add, &&twice, &&again, &&end};
    long a = 0, b = 1;
    int left = 10;
    const unsigned char *begin = at;
    goto *labels[*at++];
one:
    a = 1;
    goto *labels[*at++];
add:
    a += b;
    goto *labels[*at++];
twice:
    b = b * 2 % 9973;
    goto *labels[*at++];
again:
    if (--left)
        at = begin;
    goto *labels[*at++];
end:
    return a * 10000 + b;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long shared;

static void *worker(void *argument)
{
    long number = (long)argument;
    char text[64];
    for (int i = 0; i < 10; i++) {
        pthread_mutex_lock(&lock);
        shared += number;
        pthread_mutex_unlock(&lock);
    }
    snprintf(text, sizeof text, "%ld: %.9f %ld", number, loops((int)number + 3), fibonacci((int)number + 5));
    return strdup(text);
}

static volatile long steps;

static __attribute__((noinline)) void step(void)
{
    steps++;
}

static int tid_of_worker;

static void *until_moved(void *ready)
{
    tid_of_worker = gettid();
    pthread_barrier_wait(ready);
    while (migration_arrivals() == 0)
        step();
    return 0;
}

/* Goes where a proposal says, at the next point, and so does another thread. Without Popcorn's calls nothing is proposed. */
static int propose(void)
{
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    int here = node_info(nodes), ok = 1;
    if (here < 0 || propose_migration(0, 1 - here) != 0)
        return 1;
    step();
    ok &= current_nid() == 1 - here;
    pthread_t thread;
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, 0, 2);
    pthread_create(&thread, 0, until_moved, &ready);
    pthread_barrier_wait(&ready);
    ok &= propose_migration(tid_of_worker, here) == 0;
    pthread_join(thread, 0);
    return ok;
}

int main(int argc, char **argv)
{
    struct node *tree = 0;
    int numbers[40];
    pthread_t threads[THREADS];
    int ok = argc < 2 || strcmp(argv[1], "propose") != 0 || propose();
    for (int i = 0; i < 60; i++)
        tree = insert(tree, next_number());
    printf("%ld %ld\n", sum(tree), fibonacci(10));
    free_tree(tree);
    for (int i = 0; i < 40; i++)
        numbers[i] = next_number();
    qsort(numbers, 40, sizeof *numbers, compare);
    for (int i = 0; i < 40; i += 6)
        printf("%d ", numbers[i]);
    printf("%.9f %d %d ", loops(12), two_ways_in(20, 0), two_ways_in(20, 1));
    printf("%ld\n", interpret((const unsigned char *)"\0\1\2\2\3\4"));
    for (long i = 0; i < THREADS; i++)
        pthread_create(threads + i, 0, worker, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *text;
        pthread_join(threads[i], &text);
        puts(text);
        free(text);
    }
    ok &= shared == 10 * THREADS * (THREADS - 1) / 2 && !getenv("KETTLE_HOP_EVERY");
    printf("%s: %s\n", NAME, ok ? "ok" : "WRONG");
    return ok ? 0 : 1;
}
