/*
 * What the native part of the runtime takes from outside itself: symbols that kettle-cc's link defines, and symbols of the
 * neutral part that native code calls or reads by name.
 *
 * The TLS image is `__kettle_tdata_start .. __kettle_tdata_end` (its initialised bytes, 64-byte aligned) and stretches to
 * `__kettle_tls_end` (the zero-filled rest); the three are plain addresses, equal on both ISAs, and PT_TLS is 64-byte aligned.
 */
#ifndef KETTLE_NATIVE_LINK_H
#define KETTLE_NATIVE_LINK_H

/* From the link script. */
extern char __kettle_tdata_start[];
extern char __kettle_tdata_end[];
extern char __kettle_tls_end[];

/* From kettle-cc's transformation: top of this thread's data stack, and the frame base of functions with dynamic allocas. */
extern _Thread_local __attribute__((tls_model("local-exec"))) char *__dsp;
/* The lowest byte of the data stack that the thread is on: code that takes much of it faults instead of going below. */
extern _Thread_local __attribute__((tls_model("local-exec"))) char *__kettle_stack_limit;

/* Neutral entry points called by native code (never internalised): __kettle_main, __kettle_lowest.
   Neutral variables read by native code: __kettle_self (thread local), __kettle_arrival_hook, __kettle_callsites. */

#endif
