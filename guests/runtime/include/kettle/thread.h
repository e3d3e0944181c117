/*
 * A thread's own record: where its stacks and its TLS block lie.
 *
 * It is the thread-local variable `__kettle_self`. Because a TLS block has one address on both ISAs, so has the record, and
 * a pointer to it survives migration. native/<isa>/ .S files use the THREAD_ offsets; native/area.c asserts them.
 */
#ifndef KETTLE_THREAD_H
#define KETTLE_THREAD_H

#define THREAD_SELF 0
#define THREAD_ARRIVALS 8

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Arrays of two are indexed by Popcorn's architecture code: 0 aarch64, 1 x86_64. */
struct kettle_thread {
    struct kettle_thread *self;
    long arrivals;
    uint64_t tp[2];
    /* Where the outermost frame of the chain starts, and the lowest usable byte, of each native stack. */
    uint64_t native_top[2];
    uint64_t native_bottom[2];
    /* A mapping for native stacks that are larger than what lies behind the data stack; 0 bytes otherwise. */
    uint64_t larger_start;
    uint64_t larger_size;
};

extern _Thread_local __attribute__((tls_model("local-exec"))) struct kettle_thread __kettle_self;

/* Migration points (points.c, node.c): see there. */
extern _Thread_local __attribute__((tls_model("local-exec"))) unsigned __kettle_pending;
extern unsigned __kettle_pending_at_start;
void __kettle_begin_hops(char **environment);
void __kettle_count_point(void);
int __kettle_go_as_proposed(void);
void __kettle_raise(unsigned *pending);
void __kettle_raise_all(void);
#endif

#endif
