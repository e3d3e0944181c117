/*
 * A thread's native call chain: walking it on the ISA it runs on, and building it anew for the other.
 */
#ifndef KETTLE_NATIVE_FRAMES_H
#define KETTLE_NATIVE_FRAMES_H

#include <kettle/thread.h>
#include <stdint.h>

/* A place in a call chain, seen from a callee that is about to return to it. */
struct frame_at {
    uint64_t ra;
    uint64_t sp;
    uint64_t fp;
};

/* Bytes that the chain's frames take on each ISA's native stack, or a negative errno. */
struct chain_size {
    int error;
    uint64_t bytes[2];
};

/*
 * Walks the chain from `inner` to the thread's start. -EOPNOTSUPP: a frame has no call site, or does not lie as its site says.
 */
struct chain_size __kettle_frames_measure(int arch, struct frame_at inner);

/*
 * Builds on `thread`'s stack for ISA `to` the frames that `inner` heads on ISA `from`, and returns their head. `size` is what
 * measuring gave. All bytes but return addresses and saved frame pointers become POISON_BYTE.
 */
struct frame_at __kettle_frames_build(const struct kettle_thread *thread, int from, struct frame_at inner, int to,
                                      struct chain_size size);

/* What undescribed stack bytes and registers hold after a migration, so that nothing can come to rely on them. */
#define POISON_BYTE 0xDB

#endif
