/*
 * current_arch: the one question that each ISA's own code answers best.
 */
#include "arch.h"

int current_arch(void)
{
    return THIS_ARCH;
}
