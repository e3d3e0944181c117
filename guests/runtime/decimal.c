/*
 * The decimal digits of a double, all of them.
 *
 * A finite double is m x 2^e. For e >= 0 that is an integer; for e < 0 it equals m x 5^-e / 10^-e, an integer with the point moved. So
 * one operation suffices, a big number times a small one, and every printed digit is exact on any machine.
 */
#include "decimal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    LIMBS = 90,
    LIMB_DIGITS = 9,
    MANTISSA_BITS = 52,
    EXPONENT_BIAS = 1075,
};

#define LIMB_BASE 1000000000u

/* Little-endian limbs of nine decimal digits. */
struct big {
    int used;
    uint32_t limb[LIMBS];
};

static void multiply(struct big *big, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < big->used; i++) {
        carry += (uint64_t)big->limb[i] * factor;
        big->limb[i] = (uint32_t)(carry % LIMB_BASE);
        carry /= LIMB_BASE;
    }
    for (; carry; carry /= LIMB_BASE)
        big->limb[big->used++] = (uint32_t)(carry % LIMB_BASE);
}

/* Times base^exponent, `chunk` = base^step being the largest power that is handy. */
static void multiply_power(struct big *big, uint32_t base, int exponent, uint32_t chunk, int step)
{
    for (; exponent >= step; exponent -= step)
        multiply(big, chunk);
    for (; exponent > 0; exponent--)
        multiply(big, base);
}

void __kettle_decimal_expand(struct decimal *decimal, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> MANTISSA_BITS & 0x7ff);
    uint64_t mantissa = bits & ((1ull << MANTISSA_BITS) - 1);
    if (exponent)
        mantissa |= 1ull << MANTISSA_BITS;
    else
        exponent = 1;
    exponent -= EXPONENT_BIAS;
    if (mantissa == 0) {
        *decimal = (struct decimal){.point = 1, .count = 1};
        return;
    }
    for (; exponent < 0 && mantissa % 2 == 0; exponent++)
        mantissa /= 2;

    struct big big = {.used = 0};
    for (; mantissa; mantissa /= LIMB_BASE)
        big.limb[big.used++] = (uint32_t)(mantissa % LIMB_BASE);
    if (exponent >= 0)
        multiply_power(&big, 2, exponent, 1u << 29, 29);
    else
        multiply_power(&big, 5, -exponent, 1220703125u, 13);

    decimal->count = 0;
    for (int i = big.used - 1; i >= 0; i--) {
        uint32_t limb = big.limb[i], place = LIMB_BASE / 10;
        for (int k = 0; k < LIMB_DIGITS; k++, place /= 10) {
            unsigned char digit = (unsigned char)(limb / place % 10);
            if (decimal->count || digit)
                decimal->digit[decimal->count++] = digit;
        }
    }
    decimal->point = decimal->count + (exponent < 0 ? exponent : 0);
}

int __kettle_decimal_digit(const struct decimal *decimal, int index)
{
    return index >= 0 && index < decimal->count ? decimal->digit[index] : 0;
}

static bool rounds_up(const struct decimal *decimal, int keep)
{
    if (keep < 0 || decimal->digit[keep] != 5)
        return keep >= 0 && decimal->digit[keep] > 5;
    for (int i = keep + 1; i < decimal->count; i++)
        if (decimal->digit[i])
            return true;
    return __kettle_decimal_digit(decimal, keep - 1) % 2 == 1;
}

void __kettle_decimal_round(struct decimal *decimal, int keep)
{
    if (keep >= decimal->count)
        return;
    bool up = rounds_up(decimal, keep);
    decimal->count = keep < 0 ? 0 : keep;
    if (!up)
        return;
    int i = decimal->count - 1;
    while (i >= 0 && decimal->digit[i] == 9)
        decimal->digit[i--] = 0;
    if (i >= 0) {
        decimal->digit[i]++;
        return;
    }
    /* All nines, or nothing kept: a one, one place higher. */
    decimal->digit[0] = 1;
    decimal->count = 1;
    decimal->point++;
}
