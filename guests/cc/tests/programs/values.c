/* What can be live across a call: doubles, floats, vectors, 128-bit integers, many integers at once, structs by value, thread-local state. */
#include <kettle.h>
#include <stdio.h>
#include <string.h>

typedef float four __attribute__((vector_size(16)));
typedef int eight __attribute__((vector_size(32)));

struct pair {
    double x;
    long y;
};
struct big {
    long cells[6];
    char name[10];
};

static _Thread_local int visits = 3;
static _Thread_local _Alignas(32) long notes[4];
static const char *const words[] = {"zero", "one", "two", "three"};

__attribute__((noinline)) static struct pair turn(struct pair p, float f, struct big big)
{
    migrate(0);
    visits++;
    notes[visits & 3] += big.cells[5];
    return (struct pair){p.x * f + big.cells[2], p.y + big.name[1]};
}

__attribute__((noinline)) static struct big grow(struct big big, int by)
{
    for (int i = 0; i < 6; i++) {
        migrate(0);
        big.cells[i] += by * i;
    }
    return big;
}

__attribute__((noinline)) static four spin(four v, eight w, int n)
{
    for (int i = 0; i < n; i++) {
        migrate(0);
        v = v * v + (four){1, 2, 3, 4} * 0.25f;
        w += (eight){1, 2, 3, 4, 5, 6, 7, 8};
    }
    return v + (float)w[7];
}

__attribute__((noinline)) static long many(const long *in)
{
    long a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5], g = in[6], h = in[7];
    long i = a * b, j = b * c, k = c * d, l = d * e, m = e * f, n = f * g, o = g * h, p = h * a;
    long q = a ^ c, r = b ^ d, s = c ^ e, t = d ^ f, u = e ^ g, v = f ^ h, w = g ^ a, x = h ^ b;
    migrate(0);
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o +
           16 * p + 17 * q + 18 * r + 19 * s + 20 * t + 21 * u + 22 * v + 23 * w + 24 * x;
}

__attribute__((noinline)) static __int128 wide(__int128 a, long b)
{
    __int128 product = a * b;
    migrate(0);
    return product - a;
}

int main(void)
{
    struct big big = {{1, 2, 3, 4, 5, 6}, "name"};
    struct pair p = {1.5, 10};
    for (int i = 0; i < 3; i++)
        p = turn(p, 0.5f, big);
    struct big grown = grow(big, 7);
    four v = spin((four){.5f, .25f, .125f, 1}, (eight){0}, 3);
    long in[8] = {3, 1, 4, 1, 5, 9, 2, 6};
    __int128 q = wide((__int128)5 << 70, 77);
    printf("%.4f %ld %d %ld\n", p.x, p.y, visits, notes[1] * 100 + notes[2] * 10 + notes[3]);
    printf("%ld %s %s\n", grown.cells[5] + grown.cells[1], grown.name, words[visits & 3]);
    printf("%.3f %.3f %.3f %.3f\n", v[0], v[1], v[2], v[3]);
    printf("%ld %ld %ld\n", many(in), (long)(q >> 64), (long)strlen(words[1]));
    return 0;
}
