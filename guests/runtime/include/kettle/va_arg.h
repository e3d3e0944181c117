/*
 * Included in front of every C file that a user compiles: va_arg of what is aligned to 16 and passed in two pieces of 8.
 *
 * The psABI (3.5.7) passes 128-bit integers and structures of up to 16 bytes in pieces of 8. LLVM's caller has forgotten then that they
 * were aligned to 16, and va_arg has not: clang itself reads them 8 bytes off where they lie on the stack behind an odd number of other
 * pieces. Here everything lies on the stack. So integers are read in pieces, too, and structures are refused.
 */
#pragma GCC system_header
#ifndef KETTLE_VA_ARG_H
#define KETTLE_VA_ARG_H

/* Macros only: this stands in front of whatever is preprocessed. */
#define __KETTLE_WIDE(list)                                                                     \
    ({                                                                                          \
        __auto_type __kettle_list = (list);                                                     \
        unsigned long __kettle_low = __builtin_va_arg(__kettle_list, unsigned long);            \
        (unsigned __int128)__builtin_va_arg(__kettle_list, unsigned long) << 64 | __kettle_low; \
    })

#define __KETTLE_IS(type, other) __builtin_types_compatible_p(__typeof__(type), other)

/* 12 and 13 are record_type_class and union_type_class of GCC's typeclass.h. */
#define __KETTLE_IS_LOST(type)                                           \
    (__alignof__(__typeof__(type)) > 8 && sizeof(__typeof__(type)) <= 16 \
     && (__builtin_classify_type(*(__typeof__(type) *)0) | 1) == 13)

#define __builtin_va_arg(list, type)                                                                                                       \
    __extension__((void)sizeof(struct {                                                                                                    \
                      int size;                                                                                                            \
                      _Static_assert(!__KETTLE_IS_LOST(type),                                                                              \
                                     "a structure of 16 bytes that is aligned to 16 cannot be a variable argument; pass a pointer to it"); \
                  }),                                                                                                                      \
                  __builtin_choose_expr(__KETTLE_IS(type, __int128), (__int128)__KETTLE_WIDE(list),                                        \
                                        __builtin_choose_expr(__KETTLE_IS(type, unsigned __int128), __KETTLE_WIDE(list),                   \
                                                              __builtin_va_arg(list, type))))

#endif
