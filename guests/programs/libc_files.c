/*
 * Files that the program makes itself: written, sought in, cut, renamed, linked and removed, directories that are listed, locks, and pipes
 * between threads. Each step is a migration point. It works in a directory of its own below /tmp, and leaves nothing there.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int failures;

/* A step: the thread may move, and then what should hold must hold. */
#define STEP(what) (MIGRATION_POINT(), step((what), #what, __LINE__))
#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static void step(int holds, const char *what, int line)
{
    if (!holds) {
        printf("line %d: %s does not hold, errno %d\n", line, what, errno);
        failures++;
    }
}

static void streams(void)
{
    FILE *file = fopen("stream", "w");
    STEP(file != 0);
    for (int k = 0; k < 500; k++) {
        fprintf(file, "line %03d\n", k);
        if (k % 50 == 0)
            MIGRATION_POINT();
    }
    STEP(ftell(file) == 4500);
    STEP(fclose(file) == 0);

    struct stat status;
    STEP(stat("stream", &status) == 0 && status.st_size == 4500 && S_ISREG(status.st_mode) && status.st_nlink == 1);
    file = fopen("stream", "r+");
    STEP(fseek(file, 9 * 100 + 5, SEEK_SET) == 0 && fputs("abc", file) >= 0);
    MIGRATION_POINT();
    STEP(fseek(file, 9 * 100, SEEK_SET) == 0);
    char line[32];
    STEP(fgets(line, sizeof line, file) && strcmp(line, "line abc\n") == 0);
    STEP(fgets(line, sizeof line, file) && strcmp(line, "line 101\n") == 0);
    fclose(file);

    file = fopen("stream", "a+");
    STEP(fputs("the end\n", file) >= 0 && ftell(file) == 4508);
    STEP(fseek(file, -8, SEEK_END) == 0 && fgets(line, sizeof line, file) && strcmp(line, "the end\n") == 0);
    fclose(file);
    STEP((file = fopen("stream", "wx")) == 0 && errno == EEXIST);

    file = tmpfile();
    STEP(file && fwrite("temporary", 1, 9, file) == 9 && fseek(file, 4, SEEK_SET) == 0 && fgetc(file) == 'o');
    fclose(file);
}

static void descriptors(void)
{
    char bytes[16] = "";
    int fd = open("bytes", O_RDWR | O_CREAT | O_EXCL, 0640);
    STEP(fd >= 0 && FAILS(open("bytes", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST));
    STEP(write(fd, "0123456789", 10) == 10 && pwrite(fd, "AB", 2, 20) == 2);
    STEP(lseek(fd, 0, SEEK_CUR) == 10 && lseek(fd, 0, SEEK_END) == 22);
    STEP(pread(fd, bytes, 16, 8) == 14 && memcmp(bytes, "89\0\0\0\0\0\0\0\0\0\0AB", 14) == 0);
    STEP(ftruncate(fd, 4) == 0 && lseek(fd, 0, SEEK_END) == 4 && truncate("bytes", 6) == 0);
    STEP(lseek(fd, 0, SEEK_SET) == 0 && read(fd, bytes, 16) == 6 && memcmp(bytes, "0123\0\0", 6) == 0);
    STEP(FAILS(lseek(fd, -7, SEEK_END), EINVAL) && FAILS(ftruncate(fd, -1), EINVAL));

    struct iovec parts[2] = {{bytes, 3}, {bytes + 8, 3}};
    memcpy(bytes, "abc_____def", 11);
    STEP(lseek(fd, 2, SEEK_SET) == 2 && writev(fd, parts, 2) == 6);
    memset(bytes, 0, sizeof bytes);
    STEP(preadv(fd, parts, 2, 3) == 5 && memcmp(bytes, "bcd\0\0\0\0\0ef", 10) == 0);

    int copy = dup(fd), other = open("bytes", O_WRONLY | O_APPEND);
    STEP(lseek(copy, 1, SEEK_SET) == 1 && lseek(fd, 0, SEEK_CUR) == 1);
    STEP(write(other, "!", 1) == 1 && lseek(other, 0, SEEK_CUR) == 9 && FAILS(read(other, bytes, 1), EBADF));
    STEP(dup2(other, copy) == copy && (fcntl(copy, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));
    STEP(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0);
    int high = fcntl(fd, F_DUPFD, 50);
    STEP(high == 50 && close(high) == 0 && FAILS(close(high), EBADF));

    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
    STEP(fcntl(fd, F_SETLK, &lock) == 0);
    STEP(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
    lock.l_type = F_RDLCK;
    STEP(FAILS(fcntl(other, F_SETLK, &lock), EBADF));

    struct stat status;
    STEP(fchmod(fd, 0600) == 0 && fstat(fd, &status) == 0 && (status.st_mode & 07777) == 0600);
    struct timespec times[2] = {{1, 0}, {1000000000, 5}};
    STEP(futimens(fd, times) == 0 && fstat(fd, &status) == 0 && status.st_mtim.tv_sec == 1000000000);
    STEP(fsync(fd) == 0 && fdatasync(other) == 0);
    close(fd), close(copy), close(other);
}

static void names(void)
{
    struct stat status;
    STEP(link("bytes", "second") == 0 && stat("bytes", &status) == 0 && status.st_nlink == 2);
    STEP(rename("second", "third") == 0 && access("second", F_OK) == -1 && access("third", R_OK | W_OK) == 0);
    int fd = open("third", O_RDONLY);
    char byte;
    STEP(unlink("third") == 0 && unlink("bytes") == 0 && fstat(fd, &status) == 0 && status.st_nlink == 0);
    STEP(read(fd, &byte, 1) == 1 && byte == '0' && close(fd) == 0);

    STEP(symlink("stream", "link") == 0 && lstat("link", &status) == 0 && S_ISLNK(status.st_mode));
    char target[32];
    STEP(readlink("link", target, sizeof target) == 6 && memcmp(target, "stream", 6) == 0);
    STEP(stat("link", &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 4508);
    STEP(FAILS(open("link", O_RDONLY | O_NOFOLLOW), ELOOP));
    STEP(symlink("ring", "ring") == 0 && FAILS(open("ring", O_RDONLY), ELOOP) && unlink("ring") == 0);

    STEP(FAILS(open("missing", O_RDONLY), ENOENT) && FAILS(open("missing/file", O_RDWR | O_CREAT, 0600), ENOENT));
    STEP(FAILS(open(".", O_WRONLY), EISDIR) && FAILS(open("stream/x", O_RDONLY), ENOTDIR));
    STEP(FAILS(unlink("missing"), ENOENT) && FAILS(rename("missing", "x"), ENOENT) && FAILS(mkdir("stream", 0700), EEXIST));
}

static void directories(void)
{
    char name[32];
    STEP(mkdir("dir", 0750) == 0 && mkdir("dir/sub", 0700) == 0);
    for (int k = 0; k < 40; k++) {
        snprintf(name, sizeof name, "dir/file%02d", (k * 7) % 40);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd < 0 || write(fd, name, k) != k || close(fd) != 0)
            step(0, "a file is made", __LINE__);
    }
    STEP(FAILS(rmdir("dir"), ENOTEMPTY) && FAILS(rmdir("stream"), ENOTDIR) && FAILS(rename("dir", "dir/sub/dir"), EINVAL));

    DIR *dir = opendir("dir");
    int files = 0, others = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        files += strncmp(entry->d_name, "file", 4) == 0 && entry->d_type == DT_REG;
        others += entry->d_type == DT_DIR;
        if (files % 8 == 0)
            MIGRATION_POINT();
    }
    STEP(files == 40 && others == 3);
    rewinddir(dir);
    STEP(readdir(dir) != 0 && closedir(dir) == 0);
    struct dirent **list;
    int count = scandir("dir", &list, 0, alphasort);
    STEP(count == 43 && strcmp(list[0]->d_name, ".") == 0 && strcmp(list[41]->d_name, "file39") == 0);
    for (int k = 0; k < count; k++)
        free(list[k]);
    free(list);

    STEP(chdir("dir") == 0 && access("file00", F_OK) == 0 && access("../stream", F_OK) == 0);
    int fd = open("sub", O_RDONLY | O_DIRECTORY);
    STEP(fd >= 0 && mkdirat(fd, "deep", 0700) == 0 && faccessat(AT_FDCWD, "sub/deep", X_OK, 0) == 0);
    STEP(renameat(AT_FDCWD, "file00", fd, "moved") == 0 && unlinkat(fd, "moved", 0) == 0);
    STEP(unlinkat(fd, "deep", AT_REMOVEDIR) == 0 && close(fd) == 0 && rmdir("sub") == 0);
    char *cwd = getcwd(0, 0);
    STEP(cwd && strcmp(cwd + strlen(cwd) - 4, "/dir") == 0);
    free(cwd);
    for (int k = 1; k < 40; k++) {
        snprintf(name, sizeof name, "file%02d", k);
        if (unlink(name) != 0)
            step(0, "a file is removed", __LINE__);
    }
    STEP(chdir("..") == 0 && rename("dir", "renamed") == 0 && rmdir("renamed") == 0);
}

enum { AMOUNT = 200000 };

static void *writer(void *argument)
{
    int fd = *(int *)argument;
    plan_thread(1);
    static unsigned char block[1000];
    for (int done = 0; done < AMOUNT; done += sizeof block) {
        for (size_t k = 0; k < sizeof block; k++)
            block[k] = (unsigned char)((done + k) * 31 % 251);
        if (write(fd, block, sizeof block) != sizeof block)
            return "a write was short";
        if (done % 50000 == 0)
            MIGRATION_POINT();
    }
    close(fd);
    return 0;
}

static void pipes(void)
{
    int ends[2];
    char bytes[1500];
    STEP(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && FAILS(read(ends[0], bytes, 1), EAGAIN));
    struct pollfd polls[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}};
    STEP(poll(polls, 1, 2) == 0 && poll(polls, 2, -1) == 1 && polls[1].revents == POLLOUT);
    STEP(write(ends[1], "hello", 5) == 5 && poll(polls, 2, 0) == 2 && polls[0].revents == POLLIN);
    STEP(read(ends[0], bytes, sizeof bytes) == 5 && memcmp(bytes, "hello", 5) == 0);
    STEP(fcntl(ends[0], F_SETFL, 0) == 0 && FAILS(lseek(ends[0], 0, SEEK_CUR), ESPIPE));

    pthread_t thread;
    STEP(pthread_create(&thread, 0, writer, &ends[1]) == 0);
    long got = 0, wrong = 0;
    for (;;) {
        ssize_t count = read(ends[0], bytes, sizeof bytes);
        if (count <= 0)
            break;
        for (ssize_t k = 0; k < count; k++)
            wrong += (unsigned char)bytes[k] != (got + k) * 31 % 251;
        got += count;
    }
    void *complaint;
    pthread_join(thread, &complaint);
    STEP(got == AMOUNT && wrong == 0 && complaint == 0);
    close(ends[0]);

    signal(SIGPIPE, SIG_IGN);
    STEP(pipe2(ends, O_CLOEXEC) == 0 && close(ends[0]) == 0 && FAILS(write(ends[1], "x", 1), EPIPE));
    close(ends[1]);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    char directory[] = "/tmp/kettle-XXXXXX";
    STEP(mkdtemp(directory) != 0 && chdir(directory) == 0);
    umask(022);
    streams();
    descriptors();
    names();
    directories();
    pipes();
    STEP(unlink("link") == 0 && unlink("stream") == 0 && chdir("/") == 0 && rmdir(directory) == 0);
    printf("failures: %d\n", failures);
    return verdict("libc_files", failures == 0);
}
