/*
 * Elementary functions in plain C: the same digits on both ISAs, because the same operations run in the same order and none is fused.
 * sqrt and fabs are exact (IEEE 754); log, exp and pow are good to a few units in the last place.
 */
#ifndef KETTLE_MATH_H
#define KETTLE_MATH_H

#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)

double fabs(double x);
double sqrt(double x);
double log(double x);
double exp(double x);
double pow(double x, double y);
double floor(double x);
float sqrtf(float x);
float fabsf(float x);

#endif
