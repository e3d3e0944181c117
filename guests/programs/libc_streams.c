/*
 * FILE streams that stay open across migrations: files in memory, the console, and a file that is read and sought in.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

static int in_memory(void)
{
    char *text = 0;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < 20; i++) {
        fprintf(out, "line %d of %s\n", i, "twenty");
        if (i % 3 == 0)
            MIGRATION_POINT();
    }
    fclose(out);
    FILE *in = fmemopen(text, size, "r");
    char line[64];
    int lines = 0, number = -1;
    while (fgets(line, sizeof line, in)) {
        lines += sscanf(line, "line %d of twenty", &number) == 1 && number == lines;
        if (lines % 7 == 0)
            MIGRATION_POINT();
    }
    int ended = feof(in) && !ferror(in);
    rewind(in);
    ended &= fgetc(in) == 'l' && ungetc('L', in) == 'L' && fgetc(in) == 'L';
    fclose(in);
    free(text);
    return ended ? lines : -1;
}

/* The executable itself is the one file that is there on every system. */
static int on_disk(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 0;
    }
    unsigned char magic[4] = "";
    size_t got = fread(magic, 1, sizeof magic, file);
    MIGRATION_POINT();
    int ok = got == 4 && memcmp(magic, "\177ELF", 4) == 0;
    struct stat status;
    ok &= fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 4096;
    MIGRATION_POINT();
    ok &= fseek(file, 0, SEEK_END) == 0 && ftell(file) == status.st_size;
    ok &= fgetc(file) == EOF && feof(file);
    MIGRATION_POINT();
    ok &= fseek(file, 1, SEEK_SET) == 0 && fgetc(file) == 'E' && ftell(file) == 2;
    char *line = 0;
    size_t room = 0;
    ok &= getdelim(&line, &room, 'F', file) == 2 && line[0] == 'L';
    free(line);
    MIGRATION_POINT();
    return ok && fclose(file) == 0 && !fopen("/no/such/file", "r");
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    setvbuf(stdout, 0, _IOFBF, 256);
    int lines = in_memory();
    printf("%d lines\n", lines);
    MIGRATION_POINT();
    for (int i = 0; i < 10; i++) {
        putchar('a' + i);
        fputs(i % 2 ? " odd\n" : " even, ", stdout);
        MIGRATION_POINT();
    }
    int file = on_disk(argv[0]);
    printf("file: %d\n", file);
    fflush(stdout);
    FILE *unbuffered = fdopen(dup(STDOUT_FILENO), "w");
    setvbuf(unbuffered, 0, _IONBF, 0);
    for (int i = 0; i < 3; i++) {
        fprintf(unbuffered, "unbuffered %d\n", i);
        MIGRATION_POINT();
    }
    fclose(unbuffered);
    dprintf(STDOUT_FILENO, "%s\n", "straight to the descriptor");
    return verdict("libc_streams", lines == 20 && file);
}
