/* The second file. */
#include <kettle.h>

static int counter = 1000;
extern int shared;

static int memcpy_like(int x)
{
    migrate(0);
    shared += x;
    return x + counter++;
}

int other(int x)
{
    return memcpy_like(x) + memcpy_like(x + 1);
}
