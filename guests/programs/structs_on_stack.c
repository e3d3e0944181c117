/*
 * Structs and arrays on the stack, with padding, alignment, bit-fields and pointers into themselves, live across migrations.
 */
#include "plan.h"

struct record {
    char tag;
    double weight;
    short counts[5];
    unsigned low : 5, high : 11;
    struct record *next;
    union {
        long whole;
        unsigned char byte[8];
    } word;
};

struct wide {
    _Alignas(64) unsigned char bytes[100];
};

static __attribute__((noinline)) unsigned long checksum(const struct record *first, int count)
{
    unsigned long sum = 0;
    for (; count > 0; count--, first = first->next) {
        sum = sum * 31 + (unsigned long)first->tag + (unsigned long)(first->weight * 8) + first->low + first->high;
        for (int i = 0; i < 5; i++)
            sum = sum * 7 + (unsigned long)first->counts[i];
        sum += first->word.byte[3];
    }
    return sum;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    struct record ring[7];
    struct wide wide;
    int matrix[6][8];
    memset(&ring, 0, sizeof ring);
    for (int i = 0; i < 7; i++) {
        ring[i].tag = (char)('a' + i);
        ring[i].weight = i * 1.125;
        for (int k = 0; k < 5; k++)
            ring[i].counts[k] = (short)(i * k);
        ring[i].low = (unsigned)i & 31;
        ring[i].high = (unsigned)i * 100 & 2047;
        ring[i].next = &ring[(i + 1) % 7];
        ring[i].word.whole = 0x0102030405060708 * (i + 1);
    }
    for (int i = 0; i < 100; i++)
        wide.bytes[i] = (unsigned char)(i * 3);
    for (int i = 0; i < 48; i++)
        matrix[i / 8][i % 8] = i * i;

    unsigned long before = checksum(&ring[2], 7);
    MIGRATION_POINT();
    unsigned long after = checksum(&ring[2], 7);
    for (int i = 0; i < 7; i++)
        ring[i].next->counts[1]++;
    MIGRATION_POINT();
    struct record copy[7];
    memcpy(copy, ring, sizeof ring);
    MIGRATION_POINT();

    int ok = before == after && (unsigned long)&wide % 64 == 0;
    for (int i = 0; i < 100; i++)
        ok &= wide.bytes[i] == (unsigned char)(i * 3);
    for (int i = 0; i < 48; i++)
        ok &= matrix[i / 8][i % 8] == i * i;
    for (int i = 0; i < 7; i++)
        ok &= ring[i].counts[1] == i + 1 && copy[i].counts[1] == i + 1 && ring[i].next == &ring[(i + 1) % 7];
    printf("checksum %lx, then %lx\n", before, checksum(copy, 7));
    return verdict("structs_on_stack", ok);
}
