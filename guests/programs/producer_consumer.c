/*
 * A producer and a consumer with a bounded queue between them; the consumer moves away, so that every item crosses between nodes.
 */
#include <pthread.h>

#include "plan.h"

enum { ITEMS = 200, ROOM = 8, EVERY = 25 };

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_full, not_empty;
    int count, first;
    unsigned long item[ROOM];
};

static struct queue queue;

static void put(struct queue *queue, unsigned long item)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == ROOM)
        pthread_cond_wait(&queue->not_full, &queue->mutex);
    queue->item[(queue->first + queue->count++) % ROOM] = item;
    pthread_cond_signal(&queue->not_empty);
    pthread_mutex_unlock(&queue->mutex);
}

static unsigned long take(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0)
        pthread_cond_wait(&queue->not_empty, &queue->mutex);
    unsigned long item = queue->item[queue->first];
    queue->first = (queue->first + 1) % ROOM;
    queue->count--;
    pthread_cond_signal(&queue->not_full);
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

static unsigned long nth_item(int n)
{
    return (unsigned long)n * 2654435761u % 1000003;
}

/* Returns the sum of all items, or 0 when one is out of order. */
static void *consume(void *argument)
{
    (void)argument;
    unsigned long sum = 0;
    int in_order = 1;
    for (int i = 0; i < ITEMS; i++) {
        if (i % EVERY == 0)
            MIGRATION_POINT();
        unsigned long item = take(&queue);
        in_order &= item == nth_item(i);
        sum += item;
    }
    return (void *)(in_order ? sum : 0);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "once");
    pthread_t consumer;
    if (pthread_create(&consumer, 0, consume, 0) != 0) {
        printf("cannot create the consumer\n");
        return EXIT_FAILURE;
    }
    unsigned long sum = 0;
    for (int i = 0; i < ITEMS; i++) {
        put(&queue, nth_item(i));
        sum += nth_item(i);
    }
    void *consumed;
    pthread_join(consumer, &consumed);
    printf("produced %lu, consumed %lu\n", sum, (unsigned long)consumed);
    return verdict("producer_consumer", sum == (unsigned long)consumed);
}
