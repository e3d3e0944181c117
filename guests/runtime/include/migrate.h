/*
 * Popcorn's interface for programs that migrate, with the prototypes of its libmigrate. A callback runs at the destination, right after
 * arrival, on the thread that has arrived; it may migrate.
 *
 * <kettle.h> has the same with results: `int migrate(int nid)`. A source file includes one of the two.
 */
#ifndef KETTLE_MIGRATE_H
#define KETTLE_MIGRATE_H

#ifdef KETTLE_H
#error "<kettle.h> and <migrate.h> both declare migrate(): include one of them"
#endif
#define KETTLE_H

/* Popcorn's architecture codes. */
enum arch {
    ARCH_UNKNOWN = -1,
    ARCH_AARCH64 = 0,
    ARCH_X86_64 = 1,
};

/* Goes to node `nid`; where it is refused, a line on stderr says why, and the thread goes on where it is. */
void migrate(int nid, void (*callback)(void *), void *callback_data) __asm__("__kettle_popcorn_migrate");

/* Goes where this thread has been asked to go, if it has. */
void check_migrate(void (*callback)(void *), void *callback_data) __asm__("__kettle_popcorn_check_migrate");

/* The node, and the ISA, that the caller runs on. */
int current_nid(void);
int current_arch(void);

/* Not 0 when node `nid` is online. */
_Bool node_available(int nid);

#endif
