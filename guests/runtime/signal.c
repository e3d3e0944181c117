/*
 * What a program has asked for its signals. The kernel is given native/signal.c's entry in place of each handler; that finds the handler here.
 */
#include <signal.h>

/* By signal: the handler, and SA_* as the program gave them. Read and written by native code. */
void (*__kettle_handlers[_NSIG])(int, siginfo_t *, void *);
unsigned long __kettle_handler_flags[_NSIG];
