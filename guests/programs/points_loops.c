/*
 * Migration points at entries of functions, at system calls, and at every round of a loop.
 */
#define NAME "points_loops"
#include "points.h"
