/*
 * The heap of the full C library: a tree of many small allocations, blocks that grow, aligned and large ones, all read and changed on
 * other nodes than they were made on.
 */
#include "plan.h"

#include <stdint.h>

struct node {
    struct node *left, *right;
    long key;
    char *name;
};

static long made, freed;

static struct node *insert(struct node *tree, long key)
{
    if (!tree) {
        tree = calloc(1, sizeof *tree);
        tree->key = key;
        tree->name = malloc(24);
        snprintf(tree->name, 24, "node %ld", key);
        if (++made % 100 == 0)
            MIGRATION_POINT();
        return tree;
    }
    if (key < tree->key)
        tree->left = insert(tree->left, key);
    else if (key > tree->key)
        tree->right = insert(tree->right, key);
    return tree;
}

static long sum(const struct node *tree)
{
    return tree ? sum(tree->left) + sum(tree->right) + tree->key + (long)strlen(tree->name) : 0;
}

static void drop(struct node *tree)
{
    if (!tree)
        return;
    drop(tree->left);
    drop(tree->right);
    free(tree->name);
    free(tree);
    if (++freed % 100 == 0)
        MIGRATION_POINT();
}

static int grows(void)
{
    char *block = 0;
    size_t size = 1;
    for (; size < 2000000; size = size * 3 + 1) {
        block = realloc(block, size);
        memset(block + size / 2, (int)size & 0x7f, size - size / 2);
        MIGRATION_POINT();
    }
    size = (size - 1) / 3;
    int ok = block[size - 1] == (char)(size & 0x7f);
    free(block);
    return ok;
}

static int aligned(void)
{
    int ok = 1;
    for (size_t alignment = 16; alignment <= 65536; alignment *= 4) {
        void *block = aligned_alloc(alignment, alignment * 2);
        MIGRATION_POINT();
        ok &= block && (uintptr_t)block % alignment == 0;
        free(block);
    }
    return ok;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    struct node *tree = 0;
    unsigned state = 1;
    for (int i = 0; i < 1500; i++)
        tree = insert(tree, (state = state * 69069 + 1) >> 12);
    long total = sum(tree);
    MIGRATION_POINT();
    printf("%ld nodes, sum %ld\n", made, total);
    drop(tree);
    printf("%d %d, freed %ld\n", grows(), aligned(), freed);
    return verdict("libc_heap", made == freed);
}
