/*
 * A program of one instruction set, without any library, that does nothing but trap: it makes one kind of trap after another in a loop, without
 * giving its processor up. Meanwhile a second thread sleeps and counts eight times, and a timer has to go off. Prints "done" when both have
 * happened, and how late the handler ran if that was more than 30 us. On an ordinary Linux it does the same, later.
 *
 * Argument: N >= 0 makes system call N with zeros; -1: a fault that a handler mends; -2: a signal to itself; -3: an instruction that the CPU lacks;
 * -4: a breakpoint; -5: memory that is mapped, touched and unmapped; -6: reads of the clock.
 */
typedef unsigned long word;

#if defined __x86_64__
enum { WRITE = 1, MMAP = 9, MPROTECT = 10, MUNMAP = 11, SIGACTION = 13, NANOSLEEP = 35, SETITIMER = 38, GETPID = 39, CLONE = 56, EXIT = 60, CLOCK_GETTIME = 228, EXIT_GROUP = 231, TGKILL = 234 };
enum { FLAGS = 0x4 | 0x04000000, CONTEXT_PC = 168, ILLEGAL_LENGTH = 2, BREAKPOINT_LENGTH = 0 };

static long call(long nr, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = 0;
    __asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return nr;
}

__asm__(".globl restorer\nrestorer: mov $15, %eax\nsyscall\n"
        ".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n"
        /* long start_thread(flags, stack): the child goes on in beside(). */
        ".globl start_thread\nstart_thread: mov $56, %eax\nxor %edx, %edx\nxor %r10d, %r10d\nxor %r8d, %r8d\nsyscall\n"
        "test %eax, %eax\njz 1f\nret\n1: call beside\n");
#define ILLEGAL() __asm__ volatile("ud2")
#define BREAKPOINT() __asm__ volatile("int3")
#else
enum { WRITE = 64, MMAP = 222, MPROTECT = 226, MUNMAP = 215, SIGACTION = 134, NANOSLEEP = 101, SETITIMER = 103, GETPID = 172, CLONE = 220, EXIT = 93, CLOCK_GETTIME = 113, EXIT_GROUP = 94, TGKILL = 131 };
enum { FLAGS = 0x4, CONTEXT_PC = 440, ILLEGAL_LENGTH = 4, BREAKPOINT_LENGTH = 4 };

static long call(long nr, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

__asm__(".globl restorer\nrestorer: brk #1\n.globl _start\n_start: mov x0, sp\nbl begin\n"
        ".globl start_thread\nstart_thread: mov x8, #220\nmov x2, #0\nmov x3, #0\nmov x4, #0\nsvc 0\n"
        "cbz x0, 1f\nret\n1: bl beside\n");
#define ILLEGAL() __asm__ volatile("udf #0")
#define BREAKPOINT() __asm__ volatile("brk #0")
#endif

void restorer(void);
long start_thread(long flags, void *stack);

enum { SIGILL = 4, SIGTRAP = 5, SIGUSR1 = 10, SIGSEGV = 11, SIGALRM = 14, PAGE = 4096, TIMER_US = 400, TIMES = 8 };
static volatile int progress, fired, traps;
static volatile long planned, late;
static char *page;
static _Alignas(16) char stack[8192];

static long now(void)
{
    long time[2];
    call(CLOCK_GETTIME, 1, (long)time, 0, 0, 0);
    return time[0] * 1000000000 + time[1];
}

__attribute__((used)) _Noreturn void beside(void)
{
    long pause[2] = {0, 50000};
    for (int i = 0; i < TIMES; i++) {
        call(NANOSLEEP, (long)pause, 0, 0, 0, 0);
        progress++;
    }
    for (;;)
        call(EXIT, 0, 0, 0, 0, 0);
}

static void on_signal(int signal, char *info, char *context)
{
    (void)info;
    word *pc = (word *)(context + CONTEXT_PC);
    traps++;
    switch (signal) {
    case SIGALRM:
        late = now() - planned;
        fired = 1;
        break;
    case SIGSEGV:
        call(MPROTECT, (long)page, PAGE, 3, 0, 0);
        break;
    case SIGILL:
        *pc += ILLEGAL_LENGTH;
        break;
    case SIGTRAP:
        *pc += BREAKPOINT_LENGTH;
        break;
    }
}

static void handle(int signal)
{
    word action[4] = {(word)on_signal, FLAGS, (word)restorer, 0};
    call(SIGACTION, signal, (long)action, 0, 8, 0);
}

static char *map(void)
{
    return (char *)call(MMAP, 0, PAGE, 3, 0x22, -1);
}

static void trap(long kind, long pid)
{
    switch (kind) {
    case -1:
        call(MPROTECT, (long)page, PAGE, 0, 0, 0);
        page[0]++;
        break;
    case -2:
        call(TGKILL, pid, pid, SIGUSR1, 0, 0);
        break;
    case -3:
        ILLEGAL();
        break;
    case -4:
        BREAKPOINT();
        break;
    case -5: {
        volatile char *fresh = map();
        fresh[0] = 1;
        call(MUNMAP, (long)fresh, PAGE, 0, 0, 0);
        break;
    }
    case -6:
        now();
        break;
    default:
        call(kind, 0, 0, 0, 0, 0);
    }
}

static void say(const char *text, long number)
{
    char line[64];
    int length = 0;
    while (text[length]) {
        line[length] = text[length];
        length++;
    }
    if (number >= 0)
        for (long unit = 100000000; unit; unit /= 10)
            line[length++] = '0' + number / unit % 10;
    line[length++] = '\n';
    call(WRITE, 1, (long)line, length, 0, 0);
}

__attribute__((used)) _Noreturn void begin(word *arguments)
{
    const char *digits = (const char *)arguments[2];
    int negative = *digits == '-';
    long kind = 0;
    for (digits += negative; *digits; digits++)
        kind = 10 * kind + *digits - '0';
    if (negative)
        kind = -kind;
    int signals[] = {SIGILL, SIGTRAP, SIGUSR1, SIGSEGV, SIGALRM};
    for (int i = 0; i < 5; i++)
        handle(signals[i]);
    page = map();
    page[0] = 0;
    long pid = call(GETPID, 0, 0, 0, 0, 0);
    start_thread(0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000, stack + sizeof stack);
    long timer[4] = {0, 0, 0, TIMER_US};
    planned = now() + TIMER_US * 1000;
    call(SETITIMER, 0, (long)timer, 0, 0, 0);
    while (progress < TIMES || !fired)
        trap(kind, pid);
    if (late > 30000)
        say("the handler ran late, in ns: ", late);
    say("done", -1);
    call(EXIT_GROUP, 0, 0, 0, 0, 0);
    for (;;)
        ;
}
