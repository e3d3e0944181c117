/*
 * Signal handlers of a program that knows its own instruction set only, without any library: x86_64's return through a restorer of their own,
 * aarch64's through the kernel's. One handler leaves other values in the vector registers, one repairs the program counter in the frame.
 */
typedef unsigned long word;
typedef unsigned int half;

#if defined __x86_64__
enum { SYS_write = 1, SYS_rt_sigaction = 13, SYS_getpid = 39, SYS_exit_group = 231, SYS_tgkill = 234 };
enum { FLAGS = 0x4 | 0x04000000, CONTEXT_PC = 168, CONTEXT_MASK = 296, FAULTING_LENGTH = 3 };

static long call(long nr, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return nr;
}

__asm__(".globl restorer\nrestorer: mov $15, %eax\nsyscall\n"
        ".globl _start\n_start: and $-16, %rsp\ncall begin\n");
/* Loads from 0x1238; three bytes. */
#define FAULT() __asm__ volatile("movq %0, %%rcx\n.byte 0x48, 0x8b, 0x01" : : "r"(0x1238L) : "rax", "rcx", "memory")
#define SET_VECTOR(value) __asm__ volatile("movq %0, %%xmm9" : : "r"(value) : "xmm9")
#define GET_VECTOR(value) __asm__ volatile("movq %%xmm9, %0" : "=r"(value))
#else
enum { SYS_write = 64, SYS_rt_sigaction = 134, SYS_getpid = 172, SYS_exit_group = 94, SYS_tgkill = 131 };
enum { FLAGS = 0x4, CONTEXT_PC = 440, CONTEXT_MASK = 40, FAULTING_LENGTH = 4 };

static long call(long nr, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

__asm__(".globl restorer\nrestorer: brk #1\n.globl _start\n_start: bl begin\n");
#define FAULT() __asm__ volatile("mov x1, %0\nldr x0, [x1]" : : "r"(0x1238L) : "x0", "x1", "memory")
#define SET_VECTOR(value) __asm__ volatile("fmov d9, %0" : : "r"(value) : "v9")
#define GET_VECTOR(value) __asm__ volatile("fmov %0, d9" : "=r"(value))
#endif

void restorer(void);

static volatile int handled, told, aligned, masked;
static volatile word address;

static void say(const char *text, word number)
{
    char line[64];
    int length = 0;
    while (text[length]) {
        line[length] = text[length];
        length++;
    }
    for (int shift = 28; shift >= 0; shift -= 4)
        line[length++] = "0123456789abcdef"[number >> shift & 15];
    line[length++] = '\n';
    call(SYS_write, 1, (long)line, length, 0);
}

static void on_signal(int signal, const int *info, const char *context)
{
    long other = -1;
    _Alignas(16) volatile char local[16];
    SET_VECTOR(other);
    local[0] = 1;
    aligned = ((word)local & 15) == 0;
    told = signal == 10 && info[0] == 10 && info[2] == -6;
    masked = *(const word *)(context + CONTEXT_MASK) == 0;
    handled++;
}

static void on_fault(int signal, const char *info, char *context)
{
    (void)signal;
    address = *(const word *)(info + 16);
    *(word *)(context + CONTEXT_PC) += FAULTING_LENGTH;
    handled++;
}

static void handle(int signal, void *handler)
{
    word action[4] = {(word)handler, FLAGS, (word)restorer, 0};
    say("sigaction ", call(SYS_rt_sigaction, signal, (long)action, 0, 8));
}

__attribute__((used)) _Noreturn void begin(void)
{
    long kept = 0x123456789, found;
    handle(10, on_signal);
    handle(11, on_fault);
    long pid = call(SYS_getpid, 0, 0, 0, 0);
    SET_VECTOR(kept);
    long result = call(SYS_tgkill, pid, pid, 10, 0);
    GET_VECTOR(found);
    say("tgkill ", (word)result);
    say("handled ", handled);
    say("told ", told + 16 * aligned + 256 * masked);
    say("vector ", found == kept);
    FAULT();
    say("address ", address);
    say("handled ", handled);
    call(SYS_exit_group, 3, 0, 0, 0);
    for (;;)
        ;
}
