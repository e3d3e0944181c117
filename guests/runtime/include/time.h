/*
 * Clocks and sleeping. Results are 0 or a negative errno.
 */
#ifndef KETTLE_TIME_H
#define KETTLE_TIME_H

#include <stdint.h>

struct timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1

int clock_gettime(int clock, struct timespec *time);
int nanosleep(const struct timespec *request, struct timespec *remaining);

#endif
