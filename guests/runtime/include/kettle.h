/*
 * The guest side of Popcorn: nodes, where a thread is, and how it moves.
 *
 * Calls return 0 or a positive result, and a negative errno on failure; there is no `errno`. On a kernel without the Popcorn
 * calls (plain Linux, qemu-user) they return -ENOSYS and the program goes on where it is.
 */
#ifndef KETTLE_H
#define KETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Popcorn's architecture codes. */
enum {
    POPCORN_ARCH_UNKNOWN = -1,
    POPCORN_ARCH_AARCH64 = 0,
    POPCORN_ARCH_X86_64 = 1,
};

#define MAX_POPCORN_NODES 32

/* One entry of get_node_info: status 1 is online; an offline node has arch -1; distance is always 0. */
struct popcorn_node_status {
    uint32_t status;
    int32_t arch;
    int32_t distance;
};

/* What get_thread_status fills: proposed_nid is -1 without a proposal. */
struct popcorn_thread_status {
    int32_t current_nid;
    int32_t proposed_nid;
    int32_t peer_nid;
    int32_t peer_pid;
};

/*
 * Moves the calling thread, with its whole call stack, to node `nid`; returns 0 there. -1 means the node proposed for this thread.
 * A negative errno means that the thread is where it was:
 *   from the kernel: -EINVAL (no such node), -EBUSY (already there), -EAGAIN (offline), -ENOMEM, -ENOSYS;
 *   from the runtime: -EOPNOTSUPP (the call chain holds a frame that kettle-cc did not describe, such as a callback
 *   from native code), -E2BIG (the chain does not fit the native stack of the destination's ISA).
 */
int migrate(int nid);

/* Goes where propose_migration has asked this thread to go; 0 without a proposal or after the move. */
int check_migrate(void);

/* Asks thread `tid` (0 = the caller) of this node to go to `nid`; it does so at its next check_migrate or migrate(-1). */
int propose_migration(int tid, int nid);

int get_thread_status(struct popcorn_thread_status *status);

/* The node the caller runs on. */
int current_nid(void);

/* The ISA the caller runs on, by Popcorn's code. */
int current_arch(void);

/* Fills the table of all nodes and returns the caller's nid. */
int node_info(struct popcorn_node_status nodes[MAX_POPCORN_NODES]);

/* True when node `nid` is online, now (libmigrate caches this at start-up; Kettle's runtime asks each time). */
bool node_available(int nid);

/* How often the calling thread has arrived on a node by migrate(). */
long migration_arrivals(void);

/*
 * Registers what every thread calls right after it has arrived, before migrate() returns; 0 takes it away. The hook
 * itself cannot migrate (-EOPNOTSUPP).
 */
void on_arrival(void (*hook)(void));

#endif
