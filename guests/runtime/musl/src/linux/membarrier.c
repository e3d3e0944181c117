/*
 * membarrier, in place of musl's file of this name, which announces itself to the kernel at the first thread for the sake of thread-local
 * storage that is loaded at run time. There is none here.
 */
#define _GNU_SOURCE
#include <sys/membarrier.h>

#include "pthread_impl.h"
#include "syscall.h"

int membarrier(int command, int flags)
{
    return syscall(SYS_membarrier, command, flags);
}

int __membarrier(int command, int flags)
{
    return __syscall(SYS_membarrier, command, flags);
}

void __membarrier_init(void)
{
}
