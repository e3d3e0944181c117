/* Two files of one program that share a struct, a variable and equal static names. */
#include <kettle.h>
#include <stdio.h>

static int counter = 40;
int shared;
int other(int);

static int memcpy_like(int x)
{
    migrate(0);
    return x + counter;
}

int main(int argc, char **argv)
{
    int result = memcpy_like(1) + other(2);
    printf("%d %d %d %s\n", result, shared, argc, argv[1] ? argv[1] : "-");
    return result & 0xff;
}
