/*
 * What native C must know of the ISA it is compiled for: its Popcorn code, how a thread-local variable is found from the
 * thread pointer, and how the thread pointer is set.
 */
#ifndef KETTLE_NATIVE_ARCH_H
#define KETTLE_NATIVE_ARCH_H

#include <kettle.h>
#include <stdint.h>

#if defined(__x86_64__)
#define THIS_ARCH POPCORN_ARCH_X86_64
/* Distance of a thread-local variable from the thread pointer; usable before there is one. */
#define TP_OFFSET(variable)                                          \
    ({                                                               \
        int64_t offset_;                                             \
        __asm__("movq $" #variable "@tpoff, %0" : "=r"(offset_));    \
        offset_;                                                     \
    })
#elif defined(__aarch64__)
#define THIS_ARCH POPCORN_ARCH_AARCH64
#define TP_OFFSET(variable)                                          \
    ({                                                               \
        int64_t offset_;                                             \
        __asm__("mov %0, xzr\n\t"                                    \
                "add %0, %0, :tprel_hi12:" #variable "\n\t"           \
                "add %0, %0, :tprel_lo12_nc:" #variable              \
                : "=r"(offset_));                                    \
        offset_;                                                     \
    })
#else
#error "no such ISA"
#endif

/* Makes `tp` the thread pointer of the calling thread. */
void __kettle_set_thread_pointer(uint64_t tp);

#endif
