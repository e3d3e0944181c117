/*
 * Runs a program's main() many times, each with the plan "none" (PROG NONE TIMES), and tells on standard error how much processor time
 * that took, in nanoseconds: start-up does not count. The output is buffered whatever it is,
 * for kettle-cc's library alone would write each line of it at once.
 */
#undef main
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The program's main(), renamed by the compiler's command line. */
int program_main(int argc, char **argv);

static long nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

int main(int argc, char **argv)
{
    long times = argc > 2 ? atol(argv[2]) : 1;
    int status = 0;
    setvbuf(stdout, 0, _IOFBF, 0);
    long start = nanoseconds();
    for (long i = 0; i < times; i++) {
        char *arguments[] = {argv[0], "none", 0};
        int result = program_main(2, arguments);
        // Later runs may find what the first has left, and so another result.
        status = i == 0 ? result : status;
    }
    fflush(stdout);
    fprintf(stderr, "%ld\n", nanoseconds() - start);
    return status;
}
