/*
 * One page written in turn by two threads, one of which moves away: the page's ownership goes back and forth all the time.
 */
#include <pthread.h>

#include "plan.h"

enum { THREADS = 2, ROUNDS = 100, EVERY = 10, SLOTS = 16 };

static struct {
    _Alignas(4096) unsigned long slot[SLOTS];
    pthread_mutex_t mutex;
    pthread_cond_t passed;
    int turn;
    int wrong;
} page;

/* In its turn each thread checks what the other has written, and writes something new over it. */
static void *write_in_turn(void *argument)
{
    int me = (int)(long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        if (me == 1 && round % EVERY == 0)
            MIGRATION_POINT();
        int mine = round * THREADS + me;
        pthread_mutex_lock(&page.mutex);
        while (page.turn != mine)
            pthread_cond_wait(&page.passed, &page.mutex);
        for (int i = 0; i < SLOTS; i++) {
            page.wrong += page.slot[i] != (unsigned long)mine * (unsigned long)(i + 1);
            page.slot[i] += (unsigned long)(i + 1);
        }
        page.turn++;
        pthread_cond_broadcast(&page.passed);
        pthread_mutex_unlock(&page.mutex);
    }
    return 0;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "once");
    pthread_t other;
    if (pthread_create(&other, 0, write_in_turn, (void *)1) != 0) {
        printf("cannot create the other thread\n");
        return EXIT_FAILURE;
    }
    write_in_turn((void *)0);
    pthread_join(other, 0);
    unsigned long sum = 0;
    for (int i = 0; i < SLOTS; i++)
        sum += page.slot[i];
    printf("%d turns, %d wrong, sum %lu\n", page.turn, page.wrong, sum);
    return verdict("hot_page", page.wrong == 0 && sum == 200ul * (SLOTS * (SLOTS + 1) / 2));
}
