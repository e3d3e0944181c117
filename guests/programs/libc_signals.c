/*
 * Signal handlers in one thread: what they are told, masks and flags, waits that they end, faults that they repair or leave by a jump, the alternate
 * stack, timers; and a storm of timer signals over code that keeps its data on the data stack and migrates meanwhile.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, STORM = 40 };

static volatile sig_atomic_t count, depth, deepest;
static volatile int told_signal, told_code, told_pid, refused, masked;
static sigjmp_buf out;
static sem_t sem;
static char *page, *alternate;
static volatile uintptr_t fault_at, local_at;

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags, int also_blocked)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | flags, .sa_sigaction = handler};
    sigemptyset(&action.sa_mask);
    if (also_blocked)
        sigaddset(&action.sa_mask, also_blocked);
    if (sigaction(signal, &action, 0))
        printf("sigaction: %s\n", strerror(errno));
}

static void block(int how, int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(how, &set, 0);
}

static void timer(long first_us, long every_us)
{
    struct itimerval value = {.it_value.tv_usec = first_us, .it_interval.tv_usec = every_us};
    setitimer(ITIMER_REAL, &value, 0);
}

static void tell(int signal, siginfo_t *info, void *context)
{
    sigset_t now;
    ucontext_t *interrupted = context;
    sigprocmask(SIG_BLOCK, 0, &now);
    told_signal = signal == info->si_signo ? signal : -1;
    told_code = info->si_code;
    told_pid = info->si_pid == getpid();
    masked = sigismember(&now, signal) + 2 * sigismember(&now, SIGUSR2) + 4 * sigismember(&interrupted->uc_sigmask, signal);
    count++;
}

static void basics(void)
{
    handle(SIGUSR1, tell, 0, SIGUSR2);
    MIGRATION_POINT();
    raise(SIGUSR1);
    printf("raise: %d %d %d, mask %d\n", told_signal, told_code == SI_TKILL, told_pid, masked);
    MIGRATION_POINT();
    kill(getpid(), SIGUSR1);
    printf("kill: %d %d %d, %d handled\n", told_signal, told_code == SI_USER, told_pid, (int)count);
    union sigval value = {.sival_int = 77};
    sigqueue(getpid(), SIGUSR1, value);
    printf("sigqueue: %d %d\n", told_code == SI_QUEUE, (int)count);

    /* Blocked ones wait, over a migration too, and merge. */
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    MIGRATION_POINT();
    raise(SIGUSR1);
    sigset_t pending;
    sigpending(&pending);
    printf("blocked: %d, pending %d\n", (int)count, sigismember(&pending, SIGUSR1));
    MIGRATION_POINT();
    block(SIG_UNBLOCK, SIGUSR1);
    printf("unblocked: %d\n", (int)count);

    struct sigaction old;
    sigaction(SIGUSR1, 0, &old);
    printf("sigaction: %d %d %d\n", old.sa_sigaction == tell, old.sa_flags & SA_SIGINFO, sigismember(&old.sa_mask, SIGUSR2));
    signal(SIGUSR1, SIG_IGN);
    MIGRATION_POINT();
    raise(SIGUSR1);
    printf("ignored: %d\n", (int)count);
}

static void nest(int number, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (++count < 4)
        raise(number);
    depth--;
}

static void flags(void)
{
    const int sets[] = {0, SA_NODEFER};
    for (int i = 0; i < 2; i++) {
        count = depth = deepest = 0;
        handle(SIGUSR2, nest, sets[i], 0);
        MIGRATION_POINT();
        raise(SIGUSR2);
        printf("nested: %d deep, %d handled\n", (int)deepest, (int)count);
    }
    count = 10;
    handle(SIGUSR2, nest, SA_RESETHAND, 0);
    MIGRATION_POINT();
    raise(SIGUSR2);
    struct sigaction now;
    sigaction(SIGUSR2, 0, &now);
    printf("once: %d, default again %d\n", (int)count, now.sa_handler == SIG_DFL);
}

static void post(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    count++;
    sem_post(&sem);
}

static int ends[2];

static void write_byte(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    count += write(ends[1], "x", 1);
}

/* Reads that wait, and a write that nobody will read. */
static void pipes(void)
{
    char byte = '-';
    count = 0;
    if (pipe(ends))
        printf("pipe: %s\n", strerror(errno));
    handle(SIGALRM, tell, 0, 0);
    MIGRATION_POINT();
    timer(2000, 0);
    long result = read(ends[0], &byte, 1);
    printf("read: %ld %d, %d handled\n", result, errno == EINTR, (int)count);
    handle(SIGALRM, write_byte, SA_RESTART, 0);
    MIGRATION_POINT();
    timer(2000, 0);
    result = read(ends[0], &byte, 1);
    printf("read, restarted: %ld %c, %d handled\n", result, byte, (int)count);
    handle(SIGPIPE, tell, 0, 0);
    close(ends[0]);
    MIGRATION_POINT();
    result = write(ends[1], "y", 1);
    printf("write: %ld %d, %d handled\n", result, errno == EPIPE, (int)count);
    close(ends[1]);
}

static void waits(void)
{
    count = 0;
    sem_init(&sem, 0, 0);
    handle(SIGALRM, tell, 0, 0);
    timer(2000, 0);
    struct timespec nap = {.tv_sec = 100}, left = {0};
    int result = nanosleep(&nap, &left);
    printf("nanosleep: %d %d, %ld s left\n", result, errno == EINTR, (long)left.tv_sec + (left.tv_nsec > 0));
    MIGRATION_POINT();
    timer(2000, 0);
    result = sem_wait(&sem);
    printf("sem_wait: %d %d, %d handled\n", result, errno == EINTR, (int)count);
    handle(SIGALRM, post, SA_RESTART, 0);
    MIGRATION_POINT();
    timer(2000, 0);
    result = sem_wait(&sem);
    printf("sem_wait, restarted: %d, %d handled\n", result, (int)count);

    block(SIG_BLOCK, SIGALRM);
    timer(2000, 0);
    sigset_t none;
    sigemptyset(&none);
    MIGRATION_POINT();
    result = sigsuspend(&none);
    printf("sigsuspend: %d %d, %d handled\n", result, errno == EINTR, (int)count);
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    timer(2000, 0);
    MIGRATION_POINT();
    int taken = 0;
    result = sigwait(&alarms, &taken);
    printf("sigwait: %d %d, %d handled\n", result, taken, (int)count);
    struct timespec brief = {.tv_nsec = 1000000};
    result = sigtimedwait(&alarms, 0, &brief);
    printf("sigtimedwait: %d %d\n", result, errno == EAGAIN);
    block(SIG_UNBLOCK, SIGALRM);
    unsigned before = alarm(100);
    unsigned rest = alarm(0);
    printf("alarm: %u %u\n", before, rest);
}

static void repair(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    fault_at = (uintptr_t)info->si_addr;
    told_code = info->si_code;
    count++;
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static void leave(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    fault_at = (uintptr_t)info->si_addr;
    told_code = info->si_code;
    siglongjmp(out, 5);
}

static void faults(void)
{
    count = 0;
    handle(SIGSEGV, repair, 0, 0);
    for (int i = 0; i < 2; i++) {
        mprotect(page, PAGE, i ? PROT_READ : PROT_NONE);
        MIGRATION_POINT();
        page[100 + i] = 'a';
        printf("repaired: %d, at %d, code %d, %c\n", (int)count, (int)(fault_at - (uintptr_t)page), told_code, page[100 + i]);
    }
    handle(SIGSEGV, leave, 0, 0);
    volatile int rounds = 0;
    int value = sigsetjmp(out, 1);
    rounds++;
    MIGRATION_POINT();
    if (rounds < 4)
        *(volatile int *)(uintptr_t)(16 * rounds) = value;
    sigset_t now;
    sigprocmask(SIG_BLOCK, 0, &now);
    printf("left: %d rounds, %d, at %d, code %d, blocked %d\n", rounds, value, (int)fault_at, told_code, sigismember(&now, SIGSEGV));
}

static void on_alternate(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    volatile char local[64];
    stack_t now;
    local_at = (uintptr_t)local;
    sigaltstack(0, &now);
    told_code = now.ss_flags;
    /* A thread with a signal frame on its stack stays where it is, and loses nothing. */
    refused += migrate(current_nid() == 0) < 0;
    count++;
    if (count == 1)
        raise(SIGUSR2);
}

static void alternate_stack(void)
{
    enum { SIZE = 64 << 10 };
    stack_t stack = {.ss_sp = alternate, .ss_size = SIZE}, old;
    count = 0;
    sigaltstack(&stack, &old);
    handle(SIGUSR1, on_alternate, SA_ONSTACK, 0);
    handle(SIGUSR2, on_alternate, SA_ONSTACK, 0);
    MIGRATION_POINT();
    raise(SIGUSR1);
    int inside = local_at - (uintptr_t)alternate < SIZE;
    printf("alternate: %d handled, inside %d, flags %d, refused %d\n", (int)count, inside, told_code, refused);
    MIGRATION_POINT();
    sigaltstack(0, &old);
    printf("still there: %d %d\n", old.ss_sp == alternate, old.ss_flags);
}

/* Uses a lot of stack of both kinds, and leaves its marks on what is not in use. */
static long scribble(int levels)
{
    volatile long junk[32];
    for (int i = 0; i < 32; i++)
        junk[i] = -levels;
    char text[64];
    snprintf(text, sizeof text, "%d %g", levels, levels / 3.0);
    return levels ? scribble(levels - 1) + junk[levels % 32] : text[0];
}

static void on_tick(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    int saved = errno;
    scribble(6);
    count++;
    errno = saved;
}

static uint64_t weave(int level, uint64_t seed)
{
    uint64_t kept[8];
    double scale = 1 + level / 8.0;
    for (int i = 0; i < 8; i++)
        kept[i] = seed = seed * 6364136223846793005u + 1442695040888963407u;
    if (level % 7 == 3)
        MIGRATION_POINT();
    uint64_t below = level ? weave(level - 1, seed ^ kept[level % 8]) : seed;
    char extra[level % 5 * 16 + 16];
    memset(extra, level, sizeof extra);
    uint64_t sum = below + (uint64_t)(scale * 8);
    for (int i = 0; i < 8; i++)
        sum = (sum ^ kept[i]) * 31 + (unsigned char)extra[i];
    return sum;
}

static void storm(void)
{
    const uint64_t calm = weave(20, 1);
    int differ = 0;
    count = 0;
    handle(SIGALRM, on_tick, SA_RESTART, 0);
    timer(50, 130);
    while (count < STORM)
        differ += weave(20, 1) != calm;
    timer(0, 0);
    printf("storm: %d differ\n", differ);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    page = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    alternate = malloc(64 << 10);
    basics();
    flags();
    waits();
    pipes();
    faults();
    alternate_stack();
    storm();
    return verdict("libc_signals", page != MAP_FAILED && alternate);
}
