/*
 * A thread so deep in calls that its frames would not fit the native stack of the other instruction set: each call passes arguments that lie on
 * the stack on x86_64 only. There the thread stays, with all that it had; from less deep it goes. It prints both answers: -7 and 0 from
 * aarch64, 0 and 0 from x86_64, whose frames are the larger ones.
 */
#include <kettle.h>
#include <pthread.h>
#include <stdio.h>

/* A thread's native stack is as large as the stack that it asks for; a call takes 16 bytes of it on aarch64, and 48 on x86_64, where arguments behind
   the sixth lie on the stack. */
enum { DEEP = 1600000, SHALLOW = 16000, STACK = 64 << 20 };

static int answer;

typedef unsigned long function(long, long, long, long, long, long, long, long);
static function down;
/* Through a pointer that the compiler cannot know, so that all arguments are passed. */
static function *volatile next = down;

static unsigned long down(long n, long b, long c, long d, long e, long f, long g, long h)
{
    if (n == 0) {
        answer = migrate(current_nid() == 1 ? 0 : 1);
        return 28;
    }
    return next(n - 1, b, c, d, e, f, g, h) * 3 + (unsigned long)n;
}

static unsigned long expected(long n)
{
    unsigned long result = 28;
    for (long k = n - 1; k >= 0; k--)
        result = result * 3 + (unsigned long)(n - k);
    return result;
}

static void *attempts(void *wrong)
{
    long depth = current_arch() == POPCORN_ARCH_AARCH64 ? DEEP : SHALLOW;
    const char *const names[] = {"deep", "shallow"};
    for (int k = 0; k < 2; k++) {
        long n = k == 0 ? depth : SHALLOW / 2;
        if (down(n, 1, 2, 3, 4, 5, 6, 7) != expected(n))
            *(int *)wrong = 1;
        printf("%s: %d\n", names[k], answer);
    }
    return 0;
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    pthread_attr_t attributes;
    pthread_t thread;
    int wrong = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    if (pthread_create(&thread, &attributes, attempts, &wrong) != 0 || pthread_join(thread, 0) != 0)
        wrong = 1;
    printf("too_deep: %s\n", wrong ? "WRONG" : "ok");
    return wrong;
}
