/*
 * What setjmp keeps: native/setjmp.h says what is where.
 */
typedef unsigned long __jmp_buf[32];
