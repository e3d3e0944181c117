/* Variables of all kinds in frames that migrate, which the test reads by name at each call of migrate(). */
#include <kettle.h>
struct point {
    int x, y;
    double w;
};
enum color { RED, GREEN = 5 };

_Thread_local int here;
const char *volatile label = "label";
volatile int sink;

/* Tells the debugger where the thread's variables are. */
__attribute__((noinline)) void mark(int *p)
{
    *(volatile int *)p = 1;
}

static int square_of(int n)
{
    int square = n * n;
    migrate(0);
    return square + sink;
}

static __attribute__((noinline)) int dynamic(int n)
{
    _Alignas(64) char aligned[3] = "ab";
    int list[n];
    for (int k = 0; k < n; k++)
        list[k] = k * 10;
    sink = aligned[1] + list[n - 1];
    migrate(0);
    return list[n / 2] + aligned[0];
}

static __attribute__((noinline)) long deep(int n, struct point *p, const char *name)
{
    struct point local = { n, n + 1, n * 0.5 };
    unsigned char bytes[5] = { 1, 2, 3, 4, 5 };
    enum color c = GREEN;
    float f = n * 1.5f;
    long sum = square_of(n);
    for (int k = 0; k < n; k++) {
        long cube = (long)k * k * k;
        migrate(k & 1);
        sum += cube + bytes[k % 5];
    }
    p->x += local.x + c;
    if (n > 1)
        sum += deep(n - 1, &local, name);
    else
        sum += dynamic(3);
    return sum + local.y + (long)f + name[0];
}

int main(int argc, char **argv)
{
    struct point p = { 1, 2, 3.5 };
    mark(&here);
    long r = deep(2, &p, label);
    return r + p.x == 0;
}
