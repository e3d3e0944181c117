/* The error numbers that the runtime returns, negated; they are Linux's generic ones, equal on both ISAs. */
#ifndef KETTLE_ERRNO_H
#define KETTLE_ERRNO_H

#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EBUSY 16
#define EINVAL 22
#define ENOSYS 38
#define EOPNOTSUPP 95

#endif
