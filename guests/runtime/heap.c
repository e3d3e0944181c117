/*
 * malloc: free lists of powers of two, cut from chunks of the kernel; large blocks are mappings of their own.
 *
 * One lock, one heap for all nodes. (Popcorn's libc gives each node its own arena to keep pages from travelling; that is not
 * done here.) A block is preceded by 16 bytes that hold its size; chunks are never given back.
 */
#include <kettle/syscall.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROT_READ_WRITE = 3,
    MAP_PRIVATE_ANONYMOUS = 0x22,
    /* Smallest and largest block with a free list, as powers of two, header included. */
    MIN_CLASS = 5,
    MAX_CLASS = 16,
    CHUNK = 1 << 20,
};

/* Before each block: its size in bytes with this header. In a free block the link follows. */
struct header {
    size_t size;
    struct header *next;
};

_Static_assert(sizeof(struct header) == 16, "blocks stay aligned to 16");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct header *free_list[MAX_CLASS + 1];
static char *chunk_at, *chunk_end;

static void *map(size_t size)
{
    long mapped = kettle_syscall6(KETTLE_SYS_mmap, 0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    return mapped < 0 ? 0 : (void *)mapped;
}

static int class_of(size_t size)
{
    int class = MIN_CLASS;
    while (((size_t)1 << class) < size)
        class++;
    return class;
}

static struct header *take(int class)
{
    struct header *block = free_list[class];
    if (block) {
        free_list[class] = block->next;
        return block;
    }
    size_t size = (size_t)1 << class;
    if ((size_t)(chunk_end - chunk_at) < size) {
        chunk_at = map(CHUNK);
        chunk_end = chunk_at ? chunk_at + CHUNK : 0;
        if (!chunk_at)
            return 0;
    }
    block = (struct header *)chunk_at;
    chunk_at += size;
    block->size = size;
    return block;
}

void *malloc(size_t size)
{
    if (size > PTRDIFF_MAX - CHUNK)
        return 0;
    size += sizeof(struct header);
    struct header *block;
    if (size > (size_t)1 << MAX_CLASS) {
        size = (size + 4095) & ~(size_t)4095;
        block = map(size);
        if (block)
            block->size = size;
    } else {
        pthread_mutex_lock(&lock);
        block = take(class_of(size));
        pthread_mutex_unlock(&lock);
    }
    return block ? block + 1 : 0;
}

void free(void *memory)
{
    if (!memory)
        return;
    struct header *block = (struct header *)memory - 1;
    if (block->size > (size_t)1 << MAX_CLASS) {
        kettle_syscall2(KETTLE_SYS_munmap, block, block->size);
        return;
    }
    pthread_mutex_lock(&lock);
    int class = class_of(block->size);
    block->next = free_list[class];
    free_list[class] = block;
    pthread_mutex_unlock(&lock);
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return 0;
    void *memory = malloc(total);
    if (memory)
        memset(memory, 0, total);
    return memory;
}

void *realloc(void *memory, size_t size)
{
    if (!memory)
        return malloc(size);
    size_t room = ((struct header *)memory - 1)->size - sizeof(struct header);
    if (size <= room)
        return memory;
    void *larger = malloc(size);
    if (larger) {
        memcpy(larger, memory, room);
        free(memory);
    }
    return larger;
}
