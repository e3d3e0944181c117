/*
 * The decimal digits of a double, all of them.
 */
#ifndef KETTLE_DECIMAL_H
#define KETTLE_DECIMAL_H

/* Every finite double has at most 767 significant decimal digits. */
enum { DECIMAL_DIGITS = 800 };

/* 0.d0 d1 d2 ... x 10^point; digits are 0 to 9, not characters; those from `count` on are 0. */
struct decimal {
    int point;
    int count;
    unsigned char digit[DECIMAL_DIGITS];
};

/* Expands a finite, non-negative double exactly; 0 becomes one digit 0 before the point. */
void __kettle_decimal_expand(struct decimal *decimal, double value);

/* Rounds to the first `keep` digits, halves to even; `keep` may be negative or beyond the last. */
void __kettle_decimal_round(struct decimal *decimal, int keep);

/* Digit `index`, 0 outside those present. */
int __kettle_decimal_digit(const struct decimal *decimal, int index);

#endif
