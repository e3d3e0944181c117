/*
 * Frames and arrays that do not fit their stack: the thread faults at once, and nothing else has changed; those that fit work. In functions that may
 * migrate and in others, in the main thread, in threads whose stacks are the library's or their own, and in a handler on an alternate stack.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define ALTERNATE KIB(512)

typedef void use(size_t bytes);

static _Thread_local sigjmp_buf out;
static volatile long sum;

/* Only the lowest byte is written: that of an array which is too large may be anybody's. */
static __attribute__((noinline)) void array_that_migrates(size_t bytes)
{
    volatile char array[bytes];
    array[0] = 1;
    MIGRATION_POINT();
    sum += array[0];
}

static __attribute__((noinline)) void array_that_stays(size_t bytes)
{
    volatile char array[bytes];
    array[0] = 1;
    sum += array[0];
}

static __attribute__((noinline)) void frame_that_migrates(size_t bytes)
{
    volatile char array[MIB(18)];
    array[bytes] = 1;
    MIGRATION_POINT();
    sum += array[bytes];
}

static __attribute__((noinline)) void frame_that_stays(size_t bytes)
{
    volatile char array[MIB(18)];
    array[bytes] = 1;
    sum += array[bytes];
}

static __attribute__((noinline)) void small_frame_that_migrates(size_t bytes)
{
    volatile char array[KIB(100)];
    array[bytes] = 1;
    MIGRATION_POINT();
    sum += array[bytes];
}

/* Each level leaves most of its frame untouched. */
static __attribute__((noinline)) void levels(size_t count)
{
    volatile char array[KIB(60)];
    array[count] = 1;
    if (count > 1)
        levels(count - 1);
    else
        MIGRATION_POINT();
    sum += array[count];
}

/* A handler's data lies on the alternate stack; it may leave by a jump. */
static void leave(int signal)
{
    (void)signal;
    siglongjmp(out, 1);
}

static int faults(use *use, size_t bytes)
{
    if (sigsetjmp(out, 1))
        return 1;
    use(bytes);
    return 0;
}

static void tell(const char *where, size_t fitting, size_t too_large)
{
    use *const with[] = {array_that_migrates, array_that_stays};
    for (int i = 0; i < 2; i++) {
        int first = faults(with[i], fitting);
        MIGRATION_POINT();
        int second = faults(with[i], too_large);
        int third = faults(with[i], (size_t)-1 / 4 * 3);
        int again = faults(with[i], fitting);
        printf("%s, %s: %d %d %d %d\n", where, i ? "stays" : "migrates", first, second, i ? 1 : third, again);
    }
    printf("%s, levels: %d %d\n", where, faults(levels, fitting / KIB(64)), faults(levels, too_large / KIB(16)));
}

static void on_alternate_stack(void *memory)
{
    stack_t stack = {.ss_sp = memory, .ss_size = ALTERNATE};
    sigaltstack(&stack, 0);
}

static volatile int inside[3];

static void handler(int signal)
{
    sigjmp_buf outer;
    (void)signal;
    memcpy(outer, out, sizeof out);
    inside[0] = faults(array_that_migrates, KIB(64));
    inside[1] = faults(array_that_migrates, MIB(1));
    inside[2] = faults(small_frame_that_migrates, 0);
    memcpy(out, outer, sizeof out);
    if (signal == SIGUSR2)
        siglongjmp(out, 1);
}

static void in_handlers(void)
{
    signal(SIGSEGV, leave);
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaction(SIGSEGV, &action, 0);
    action.sa_handler = handler;
    sigaction(SIGUSR1, &action, 0);
    sigaction(SIGUSR2, &action, 0);
    const int signals[] = {SIGUSR1, SIGUSR2};
    for (int i = 0; i < 2; i++) {
        if (!sigsetjmp(out, 1))
            raise(signals[i]);
        printf("handler: %d %d %d\n", inside[0], inside[1], inside[2]);
        /* The limit is the main stack's again. */
        printf("behind it: %d %d\n", faults(array_that_migrates, MIB(5)), faults(array_that_migrates, MIB(18)));
    }
}

struct place {
    const char *name;
    size_t fitting, too_large;
};

static void *in_thread(void *argument)
{
    const struct place *place = argument;
    void *alternate = malloc(ALTERNATE);
    on_alternate_stack(alternate);
    tell(place->name, place->fitting, place->too_large);
    return alternate;
}

static void thread(struct place place, const pthread_attr_t *attributes)
{
    pthread_t thread;
    void *alternate = 0;
    if (pthread_create(&thread, attributes, in_thread, &place) || pthread_join(thread, &alternate))
        printf("%s: no thread\n", place.name);
    free(alternate);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, 0);
    on_alternate_stack(malloc(ALTERNATE));

    tell("main", MIB(6), MIB(18));
    printf("frames: %d %d\n", faults(frame_that_migrates, 0), faults(frame_that_stays, 0));
    in_handlers();

    thread((struct place){"thread", KIB(512), MIB(3)}, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, MIB(16));
    thread((struct place){"large thread", MIB(12), MIB(40)}, &attributes);
    char *own = mmap(0, MIB(3), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(own + MIB(1), MIB(2), PROT_READ | PROT_WRITE);
    pthread_attr_setstack(&attributes, own + MIB(1), MIB(2));
    thread((struct place){"own stack", MIB(1), MIB(5)}, &attributes);
    return verdict("stack_limit", 1);
}
