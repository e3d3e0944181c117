/*
 * Migration points at entries of functions and at system calls.
 */
#define NAME "points_functions"
#include "points.h"
