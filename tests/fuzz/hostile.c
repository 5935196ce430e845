/* A main for fuzz targets: runs the target on many mutants of good files, in a child process, and
 * says which mutant ended it, took too long or too much memory. docs/hostile-input.md */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "mutate.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HOSTILE_CPU_S = 2,     /* for one mutant */
    HOSTILE_WALL_S = 60,   /* for one mutant: something waits */
    HOSTILE_RSS_MIB = 512, /* growth of the largest resident size by one mutant */
    HOSTILE_BATCH = 500    /* mutants in one child: its exit looks for leaks */
};

typedef struct hostile {
    sal_bytes *files;
    size_t n, cap;
    mutate_format format;
    char ending[16];
    uint64_t seed, first, count;
    const char *write; /* folder: write the mutants, run nothing */
    const char *keep;  /* folder for mutants that fail */
} hostile;

/* What the child tells. */
typedef struct hostile_state {
    uint64_t index;
    long rss_kib;  /* grown over the limit at index */
    long most_kib; /* largest growth by one mutant */
    double slowest_s;
} hostile_state;

static sal_status hostile_load(hostile *h, const char *path)
{
    char part[65536];
    sal_bytes b = {NULL, 0, 0};
    sal_status st = sal_bytes_add(&b, "", 0, NULL);
    FILE *f = fopen(path, "rb");
    if (f == NULL || st != SAL_OK) {
        perror(path);
        return SAL_EIO;
    }
    for (size_t n; st == SAL_OK && (n = fread(part, 1, sizeof part, f)) > 0;)
        st = sal_bytes_add(&b, part, n, NULL);
    (void)fclose(f);
    if (st == SAL_OK)
        st = sal_grow(&h->files, h->n + 1, &h->cap, sizeof *h->files, NULL);
    if (st == SAL_OK)
        h->files[h->n++] = b;
    return st;
}

/* Files of the first one's format, in the order of their names: a mutant is the same everywhere. */
static sal_status hostile_add(hostile *h, const char *path)
{
    struct dirent **entry = NULL;
    struct stat info;
    sal_status st = SAL_OK;
    if (stat(path, &info) != 0) {
        perror(path);
        return SAL_EIO;
    }
    if (!S_ISDIR(info.st_mode)) {
        mutate_format format;
        if (!mutate_format_of(path, &format) || (h->n > 0 && format != h->format))
            return SAL_OK;
        h->format = format;
        (void)snprintf(h->ending, sizeof h->ending, "%s", strrchr(path, '.'));
        return hostile_load(h, path);
    }
    int n = scandir(path, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char name[4096];
        if (st == SAL_OK && entry[i]->d_name[0] != '.' &&
            (size_t)snprintf(name, sizeof name, "%s/%s", path, entry[i]->d_name) < sizeof name)
            st = hostile_add(h, name);
        free(entry[i]);
    }
    free(entry);
    return st;
}

static sal_status hostile_make(const hostile *h, uint64_t i, sal_bytes *out)
{
    sal_rng rng = sal_rng_seed(h->seed, i);
    size_t a = (size_t)mutate_below(&rng, h->n), b = (size_t)mutate_below(&rng, h->n);
    return mutate(h->format, &rng, &h->files[a], &h->files[b], out);
}

static bool hostile_save(const hostile *h, const char *dir, uint64_t i)
{
    char name[4096];
    sal_bytes b = {NULL, 0, 0};
    bool done = false;
    (void)snprintf(name, sizeof name, "%s/%llu-%llu%s", dir, (unsigned long long)h->seed,
                   (unsigned long long)i, h->ending);
    FILE *f = fopen(name, "wb");
    if (f != NULL && hostile_make(h, i, &b) == SAL_OK)
        done = b.len == 0 || fwrite(b.data, 1, b.len, f) == b.len;
    if (f == NULL || fclose(f) != 0 || !done)
        perror(name);
    sal_bytes_free(&b);
    return done;
}

static void hostile_limit(int cpu_s, unsigned wall_s)
{
    struct itimerval t = {{0, 0}, {cpu_s, 0}};
    (void)setitimer(ITIMER_PROF, &t, NULL);
    (void)alarm(wall_s);
}

static double hostile_cpu(struct rusage *r)
{
    (void)getrusage(RUSAGE_SELF, r);
    return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) +
           1e-6 * (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
}

static int hostile_child(const hostile *h, hostile_state *state, uint64_t end)
{
    for (uint64_t i = state->index; i < end; i++) {
        sal_bytes b = {NULL, 0, 0};
        struct rusage before, after;
        state->index = i;
        if (hostile_make(h, i, &b) != SAL_OK)
            return 1;
        /* Exactly as large as the file: reading one byte more is then seen by the sanitizer. */
        uint8_t *data = malloc(b.len + (b.len == 0));
        if (data == NULL)
            return 1;
        if (b.len > 0)
            memcpy(data, b.data, b.len);
        double cpu = hostile_cpu(&before);
        hostile_limit(HOSTILE_CPU_S, HOSTILE_WALL_S);
        (void)LLVMFuzzerTestOneInput(data, b.len);
        hostile_limit(0, 0);
        cpu = hostile_cpu(&after) - cpu;
        state->slowest_s = cpu > state->slowest_s ? cpu : state->slowest_s;
        long grown = after.ru_maxrss - before.ru_maxrss;
        state->most_kib = grown > state->most_kib ? grown : state->most_kib;
        if (grown > 1024L * HOSTILE_RSS_MIB)
            state->rss_kib = grown;
        free(data);
        sal_bytes_free(&b);
        if (state->rss_kib > 0)
            return 1;
    }
    return 0;
}

/* Why the child ended at a mutant; NULL when it did not. */
static const char *hostile_why(const hostile_state *state, int status, char *text, size_t n)
{
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGALRM))
        (void)snprintf(text, n, "takes more than %d s",
                       WTERMSIG(status) == SIGPROF ? HOSTILE_CPU_S : HOSTILE_WALL_S);
    else if (WIFSIGNALED(status))
        (void)snprintf(text, n, "signal %d", WTERMSIG(status));
    else if (state->rss_kib > 0)
        (void)snprintf(text, n, "takes %ld MiB of memory", state->rss_kib / 1024);
    else if (WEXITSTATUS(status) != 0)
        (void)snprintf(text, n,
                       "exit status %d: a sanitizer's report, or a leak in the %d before it",
                       WEXITSTATUS(status), HOSTILE_BATCH);
    else
        return NULL;
    return text;
}

static int hostile_run(const hostile *h)
{
    hostile_state *state =
        mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t next = h->first, end = h->first + h->count;
    int failed = 0;
    if (state == MAP_FAILED)
        return 1;
    while (next < end && failed < 100) {
        uint64_t stop = end - next > HOSTILE_BATCH ? next + HOSTILE_BATCH : end;
        char text[128];
        int status = 0;
        state->index = next;
        state->rss_kib = 0;
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            exit(hostile_child(h, state, stop));
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        if (child < 0)
            return 1;
        const char *why = hostile_why(state, status, text, sizeof text);
        if (why != NULL) {
            printf("mutant %llu of seed %llu (%s): %s\n", (unsigned long long)state->index,
                   (unsigned long long)h->seed, h->ending, why);
            (void)hostile_save(h, h->keep, state->index);
            failed++;
            stop = state->index + 1;
        }
        next = stop;
    }
    printf("%llu mutants of %zu files (%s), seed %llu: %d failed; slowest %.2f s, largest growth "
           "%ld MiB\n",
           (unsigned long long)(next - h->first), h->n, h->ending, (unsigned long long)h->seed,
           failed, state->slowest_s, state->most_kib / 1024);
    return failed == 0 ? 0 : 1;
}

/* What models name as the place of their tensors: a file, and traps. */
static void hostile_folder(const char *dir, char *name, size_t n)
{
    const char zeros[1024] = {0};
    (void)snprintf(name, n, "%s/external.bin", dir);
    FILE *f = fopen(name, "wb");
    if (f != NULL) {
        (void)fwrite(zeros, 1, sizeof zeros, f);
        (void)fclose(f);
    }
    (void)snprintf(name, n, "%s/link", dir);
    (void)symlink("/etc/passwd", name);
    (void)snprintf(name, n, "%s/chain", dir);
    (void)symlink("/etc", name);
    (void)snprintf(name, n, "%s/fifo", dir);
    (void)mkfifo(name, 0600);
    (void)snprintf(name, n, "%s/folder", dir);
    (void)mkdir(name, 0700);
    (void)setenv("SAL_FUZZ_DIR", dir, 1);
}

int main(int argc, char **argv)
{
    hostile h = {.seed = 1, .count = 400, .keep = SAL_TEST_TMP "/hostile"};
    char name[4096];
    int result = 1;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strncmp(argv[i], "--", 2) != 0) {
            if (hostile_add(&h, argv[i]) != SAL_OK)
                goto done;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--seed") == 0)
            h.seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--first") == 0)
            h.first = strtoull(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--count") == 0)
            h.count = strtoull(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--write") == 0)
            h.write = value;
        else if (strcmp(argv[i - 1], "--keep") == 0)
            h.keep = value;
    }
    if (h.n == 0) {
        fprintf(stderr,
                "usage: %s [--seed S] [--first I] [--count N] [--write DIR] [--keep DIR] "
                "FILE|FOLDER...\n",
                argv[0]);
        goto done;
    }
    (void)mkdir(h.keep, 0777);
    hostile_folder(h.write != NULL ? h.write : h.keep, name, sizeof name);
    result = 0;
    if (h.write != NULL) {
        for (uint64_t i = h.first; i < h.first + h.count; i++)
            result |= !hostile_save(&h, h.write, i);
    } else {
        result = hostile_run(&h);
    }
done:
    for (size_t i = 0; i < h.n; i++)
        sal_bytes_free(&h.files[i]);
    sal_free(h.files);
    return result;
}
