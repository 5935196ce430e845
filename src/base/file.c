/* Whole files in, whole files out. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE   700 /* realpath */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to this size a copy is cheaper than page faults, and cannot change under our hands. */
enum { FILE_COPY_LIMIT = 1 << 18 };

static sal_status file_fail(sal_error *err, const char *path, const char *what)
{
    /* strerror is not required to be thread-safe; strerror_r (POSIX form) is. */
    char why[128];
    int code = errno;
    if (strerror_r(code, why, sizeof why) != 0)
        (void)snprintf(why, sizeof why, "error %d", code);
    return sal_fail(err, SAL_EIO, "%s: %s: %s", path, what, why);
}

static sal_status file_read_all(uint8_t *to, size_t size, int fd, const char *path, sal_error *err)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, to + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_fail(err, path, "cannot be read");
        if (n == 0)
            return sal_fail_at(err, SAL_EIO, got, "%s: became shorter while it was read", path);
        got += (size_t)n;
    }
    return SAL_OK;
}

sal_status sal_file_open(sal_file *out, const char *path, sal_error *err)
{
    sal_status st;
    uint8_t *copy = NULL;
    *out = (sal_file){NULL, 0, false};

    /* Non-blocking: a FIFO would otherwise wait for a writer before we can refuse it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return file_fail(err, path, "cannot be opened");

    struct stat info;
    if (fstat(fd, &info) != 0) {
        st = file_fail(err, path, "cannot be examined");
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        st = sal_fail(err, SAL_EIO, "%s: is %s, not a regular file", path,
                      S_ISDIR(info.st_mode) ? "a directory" : "a device or pipe");
        goto done;
    }
    if (info.st_size < 0 || (uintmax_t)info.st_size > PTRDIFF_MAX) {
        st = sal_fail(err, SAL_EIO, "%s: is too large for this machine", path);
        goto done;
    }
    size_t size = (size_t)info.st_size;
    if (size <= FILE_COPY_LIMIT) {
        copy = sal_malloc(size);
        if (copy == NULL) {
            st = sal_fail_nomem(err);
            goto done;
        }
        SAL_TRY(file_read_all(copy, size, fd, path, err));
        *out = (sal_file){copy, size, false};
        copy = NULL;
    } else {
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            st = file_fail(err, path, "cannot be mapped");
            goto done;
        }
        *out = (sal_file){p, size, true};
    }
    st = SAL_OK;
done:
    sal_free(copy);
    (void)close(fd);
    return st;
}

void sal_file_close(sal_file *f)
{
    if (f == NULL || f->data == NULL)
        return;
    /* Both kinds of memory are ours; const only keeps readers from writing. */
    void *p = (void *)(uintptr_t)f->data;
    if (f->mapped)
        (void)munmap(p, f->size);
    else
        sal_free(p);
    *f = (sal_file){NULL, 0, false};
}

static sal_status file_put(int fd, const uint8_t *data, size_t bytes, const char *path,
                           sal_error *err)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_fail(err, path, "cannot be written");
        data += n;
        bytes -= (size_t)n;
    }
    return SAL_OK;
}

/* A device or pipe that is named as the target is written to, never replaced. */
static sal_status file_write_special(const char *path, const void *data, size_t bytes,
                                     sal_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return file_fail(err, path, "cannot be opened for writing");
    sal_status st = file_put(fd, data, bytes, path, err);
    if (close(fd) != 0 && st == SAL_OK)
        st = file_fail(err, path, "cannot be written");
    return st;
}

/* Create a file beside `target` that did not exist; its name goes to temp. */
static int file_temp(char *temp, size_t cap, const char *target)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        int n = snprintf(temp, cap, "%s.%ld-%d.tmp", target, (long)getpid(), attempt);
        if (n < 0 || (size_t)n >= cap) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

sal_status sal_file_write(const char *path, const void *data, size_t bytes, sal_error *err)
{
    struct stat info;
    char real[PATH_MAX], temp[PATH_MAX + 32];
    const char *target = path;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return sal_fail(err, SAL_EIO, "%s: is a directory; name a file in it", path);
        if (!S_ISREG(info.st_mode))
            return file_write_special(path, data, bytes, err);
        /* Through a symbolic link the file it names is replaced, not the link. */
        if (realpath(path, real) != NULL)
            target = real;
    }
    int fd = file_temp(temp, sizeof temp, target);
    if (fd < 0)
        return file_fail(err, path, "cannot be created");

    sal_status st = file_put(fd, data, bytes, path, err);
    if (st == SAL_OK && fsync(fd) != 0)
        st = file_fail(err, path, "cannot be written");
    if (close(fd) != 0 && st == SAL_OK)
        st = file_fail(err, path, "cannot be written");
    if (st == SAL_OK && rename(temp, target) != 0)
        st = file_fail(err, path, "cannot be put in place");
    if (st != SAL_OK)
        (void)unlink(temp);
    return st;
}
