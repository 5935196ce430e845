/* Tensors in files beside the model. A model file comes from anywhere, so what it names must not
 * reach out of its own folder: relative names only, no "..", no symbolic link on the way, regular
 * files only. */
#define _POSIX_C_SOURCE 200809L /* openat, O_NOFOLLOW */
#define _DEFAULT_SOURCE         /* MAP_NORESERVE */
#include "format/onnx_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXTERNAL_FILES_MAX = 4096 };

typedef struct external_file {
    char *location;
    uint8_t *data;
    size_t size;
    sal_buffer *buffer; /* keeps the mapping while tensors use it */
} external_file;

typedef struct external_map {
    void *data;
    size_t size;
} external_map;

struct sal_onnx_external {
    char *dir;
    external_file *files;
    size_t n, cap;
};

sal_status sal_onnx_external_new(sal_onnx_external **out, const char *dir, sal_error *err)
{
    *out = NULL;
    sal_onnx_external *x = sal_calloc(1, sizeof *x);
    if (x == NULL)
        return sal_fail_nomem(err);
    x->dir = sal_strdup(dir);
    if (x->dir == NULL) {
        sal_free(x);
        return sal_fail_nomem(err);
    }
    *out = x;
    return SAL_OK;
}

void sal_onnx_external_free(sal_onnx_external *x)
{
    if (x == NULL)
        return;
    for (size_t i = 0; i < x->n; i++) {
        sal_buffer_unref(x->files[i].buffer);
        sal_free(x->files[i].location);
    }
    sal_free(x->files);
    sal_free(x->dir);
    sal_free(x);
}

static void external_unmap(void *ctx)
{
    external_map *m = ctx;
    (void)munmap(m->data, m->size);
    sal_free(m);
}

static sal_status external_refuse(sal_error *err, const char *location, const char *why)
{
    return sal_fail(err, SAL_EUNSUPPORTED, "external data '%s' is refused: %s", location, why);
}

static sal_status external_errno(sal_error *err, const char *location)
{
    char why[128];
    int code = errno;
    if (code == ELOOP)
        return external_refuse(
            err, location,
            "it is a symbolic link or leads through one; copy the file into the model's folder");
    if (code == ENOTDIR)
        return external_refuse(err, location, "a part of it is no folder, or is a symbolic link");
    if (strerror_r(code, why, sizeof why) != 0)
        memcpy(why, "unknown error", sizeof "unknown error");
    return sal_fail(err, SAL_EIO, "external data '%s' cannot be opened: %s", location, why);
}

/* Has the path a component ".."? */
static bool external_climbs(const char *s)
{
    while (*s != '\0') {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.')
            return true;
        s += n + (s[n] == '/');
    }
    return false;
}

/* Open folder by folder, so that a link anywhere on the way is noticed. *out: file descriptor. */
static sal_status external_walk(const char *dir, const char *location, int *out, sal_error *err)
{
    char part[256];
    const char *s = location;
    if (*s == '\0')
        return external_refuse(err, location, "the name is empty");
    if (*s == '/')
        return external_refuse(err, location,
                               "the path is absolute; it must be relative to the model's folder");
    if (external_climbs(s))
        return external_refuse(err, location, "it leads out of the model's folder");
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return external_errno(err, location);
    for (;;) {
        size_t n = strcspn(s, "/");
        bool last = s[n] == '\0';
        if (n >= sizeof part || (last && n == 0)) {
            (void)close(at);
            return external_refuse(err, location,
                                   n == 0 ? "it names a folder" : "a part of it is too long");
        }
        memcpy(part, s, n);
        part[n] = '\0';
        if (!last && (n == 0 || strcmp(part, ".") == 0)) {
            s += n + 1;
            continue;
        }
        /* Non-blocking: a FIFO would otherwise wait for a writer before it can be refused. */
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY);
        int next = openat(at, part, flags);
        int code = errno;
        (void)close(at);
        errno = code;
        if (next < 0)
            return external_errno(err, location);
        if (last) {
            *out = next;
            return SAL_OK;
        }
        at = next;
        s += n + 1;
    }
}

static sal_status external_map_fd(external_file *f, int fd, sal_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return external_errno(err, f->location);
    if (!S_ISREG(info.st_mode))
        return external_refuse(err, f->location, "it is not a regular file");
    if (info.st_size < 0 || (uintmax_t)info.st_size > PTRDIFF_MAX)
        return external_refuse(err, f->location, "it is too large for this machine");
    f->size = (size_t)info.st_size;
    if (f->size == 0)
        return SAL_OK;
    external_map *m = sal_malloc(sizeof *m);
    if (m == NULL)
        return sal_fail_nomem(err);
    /* Private and writable: nothing that the library does with a tensor can reach the file. */
    void *p = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED) {
        sal_free(m);
        return external_errno(err, f->location);
    }
    *m = (external_map){p, f->size};
    sal_status st = sal_buffer_wrap(&f->buffer, p, f->size, external_unmap, m, err);
    if (st != SAL_OK) {
        external_unmap(m);
        return st;
    }
    f->data = p;
    return SAL_OK;
}

static sal_status external_open(sal_onnx_external *x, const char *location,
                                const external_file **out, sal_error *err)
{
    for (size_t i = x->n; i-- > 0;) { /* mostly the one used last */
        if (strcmp(x->files[i].location, location) == 0) {
            *out = &x->files[i];
            return SAL_OK;
        }
    }
    if (x->n >= EXTERNAL_FILES_MAX)
        return sal_fail(err, SAL_EUNSUPPORTED, "the tensors are spread over more than %d files",
                        EXTERNAL_FILES_MAX);
    sal_status st = sal_grow(&x->files, x->n + 1, &x->cap, sizeof *x->files, err);
    if (st != SAL_OK)
        return st;
    external_file f = {sal_strdup(location), NULL, 0, NULL};
    if (f.location == NULL)
        return sal_fail_nomem(err);
    int fd = -1;
    SAL_TRY(external_walk(x->dir, location, &fd, err));
    SAL_TRY(external_map_fd(&f, fd, err));
    *out = &x->files[x->n];
    x->files[x->n++] = f;
    f.location = NULL;
done:
    if (fd >= 0)
        (void)close(fd);
    sal_free(f.location);
    return st;
}

/* A decimal number and nothing else. */
static bool external_number(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

static sal_status external_keys(const Onnx__TensorProto *p, const char *name, const char **location,
                                uint64_t *offset, uint64_t *length, bool *has_length,
                                sal_error *err)
{
    *location = NULL;
    *offset = *length = 0;
    *has_length = false;
    for (size_t i = 0; i < p->n_external_data; i++) {
        const char *key = sal_onnx_text(p->external_data[i]->key);
        const char *text = sal_onnx_text(p->external_data[i]->value);
        bool is_offset = strcmp(key, "offset") == 0, is_length = strcmp(key, "length") == 0;
        if (strcmp(key, "location") == 0)
            *location = text;
        if ((is_offset || is_length) && !external_number(text, is_offset ? offset : length))
            return sal_fail(err, SAL_EFORMAT,
                            "tensor '%s': the %s '%s' of its external data is no number", name, key,
                            text);
        *has_length = *has_length || is_length;
    }
    if (*location == NULL)
        return sal_fail(err, SAL_EFORMAT, "tensor '%s' lies in another file, which is not named",
                        name);
    return SAL_OK;
}

/* A tensor's part of a mapped file: its pages go when the tensor goes, the mapping with the last.
 */
typedef struct external_part {
    sal_buffer *file;
    uint8_t *data;
    size_t bytes;
} external_part;

static void external_part_free(void *ctx)
{
    external_part *part = ctx;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)part->data;
    uintptr_t from = (at + page - 1) / page * page, to = (at + part->bytes) / page * page;
    if (to > from)
        (void)madvise(part->data + (from - at), to - from, MADV_DONTNEED);
    sal_buffer_unref(part->file);
    sal_free(part);
}

static sal_status external_share(const external_file *f, size_t offset, size_t bytes, sal_tensor *t,
                                 sal_error *err)
{
    external_part *part = sal_malloc(sizeof *part);
    if (part == NULL)
        return sal_fail_nomem(err);
    *part = (external_part){f->buffer, f->data + offset, bytes};
    sal_status st = sal_buffer_wrap(&t->buffer, part->data, bytes, external_part_free, part, err);
    if (st != SAL_OK) {
        sal_free(part);
        return st;
    }
    (void)sal_buffer_ref(f->buffer);
    t->data = part->data;
    return SAL_OK;
}

sal_status sal_onnx_external_get(sal_onnx_external *x, const Onnx__TensorProto *p, const char *name,
                                 sal_tensor *t, sal_error *err)
{
    const char *location;
    uint64_t offset, length;
    bool has_length;
    const external_file *f = NULL;
    size_t bytes = sal_tensor_bytes(t), unit = sal_dtype_size(t->dtype);
    sal_status st = external_keys(p, name, &location, &offset, &length, &has_length, err);
    if (st == SAL_OK)
        st = external_open(x, location, &f, err);
    if (st != SAL_OK)
        return sal_fail_prefix(err, st, "tensor '%s'", name);
    if (has_length && length != bytes)
        return sal_fail_at(err, SAL_EFORMAT, offset,
                           "tensor '%s' has %llu bytes in '%s', its shape needs %zu", name,
                           (unsigned long long)length, location, bytes);
    if (offset > f->size || bytes > f->size - offset)
        return sal_fail_at(err, SAL_EFORMAT, offset,
                           "tensor '%s' needs %zu bytes at %llu of '%s', which has %zu bytes", name,
                           bytes, (unsigned long long)offset, location, f->size);
    if (bytes == 0)
        return SAL_OK;
    if (offset % unit == 0 && t->dtype != SAL_BOOL)
        return external_share(f, (size_t)offset, bytes, t, err);
    sal_tensor shape = *t; /* sal_tensor_new() clears its result first */
    st = sal_tensor_new(t, shape.dtype, shape.rank, shape.dims, err);
    if (st == SAL_OK)
        memcpy(t->data, f->data + offset, bytes);
    return st;
}
