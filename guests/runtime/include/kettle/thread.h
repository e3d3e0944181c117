/*
 * A thread's own record: where its stacks and its TLS block lie, and what it has to run.
 *
 * It is the thread-local variable `__kettle_self`. Because a TLS block has one address on both ISAs, so has the record, and
 * a pointer to it survives migration. native/<isa>/ .S files use the THREAD_ offsets; native/area.c asserts them.
 */
#ifndef KETTLE_THREAD_H
#define KETTLE_THREAD_H

#define THREAD_SELF 0
#define THREAD_ARRIVALS 8
#define THREAD_ALIVE 16
#define THREAD_TP 24
#define THREAD_NATIVE_TOP 40

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* Arrays of two are indexed by Popcorn's architecture code: 0 aarch64, 1 x86_64. */
struct kettle_thread {
    struct kettle_thread *self;
    long arrivals;
    /* 1 while the thread runs; its last act is to store 0 here and to wake who waits on it. */
    uint32_t alive;
    uint64_t tp[2];
    /* Where the outermost frame of the chain starts, and the lowest usable byte, of each native stack. */
    uint64_t native_top[2];
    uint64_t native_bottom[2];
    /* The whole mapping that holds the stacks and the TLS block. */
    char *area;
    size_t area_size;
    void *(*start)(void *);
    void *argument;
    void *result;
};

extern _Thread_local __attribute__((tls_model("local-exec"))) struct kettle_thread __kettle_self;

/*
 * Maps the stacks and the TLS block of a new thread; 0 when the kernel refuses. `data` and `native` are bytes: the data stack, and
 * each ISA's native stack; multiples of the page size.
 */
struct kettle_thread *__kettle_area_create(size_t data, size_t native);

/* Starts a thread of this process on a made area, in __kettle_thread_main; its tid, or a negative errno. */
long __kettle_clone(struct kettle_thread *thread);

/* Neutral entry points of native/<isa>/thread.S: the main thread's, and every other's. */
int __kettle_main(int argc, char **argv, char **envp);
_Noreturn void __kettle_thread_main(struct kettle_thread *thread);

/* Ends the calling thread: from here on it touches neither its stacks nor its TLS block, so that a joiner may unmap them. */
_Noreturn void __kettle_thread_exit(uint32_t *alive);
#endif

#endif
