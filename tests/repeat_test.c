/* The same seed and the same number of threads give the same bytes, for every method of the table:
 * twice in one process, and in another process. Other numbers of threads and other instruction sets
 * add in another order: how far they are apart is bounded here and tabulated in docs/accuracy.md.
 *
 *     repeat_test                            small networks of the source tree
 *     repeat_test --model M.onnx X.npy       any picture classifier (prints the table; slow)
 *     repeat_test --maps THREADS M.onnx X.npy   the maps on stdout, for the process that asked
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include "base/base.h"
#include "support/session_check.h"

#include <salience/salience.h>

#define GOLDEN       SAL_SOURCE_DIR "/tests/golden/"

/* Largest difference as a share of the largest value of the map. */
#define REPEAT_BOUND 1e-4

typedef struct repeat_model {
    const char *path, *input;
    bool attention; /* methods of attention only; else all others */
} repeat_model;

static const repeat_model repeat_models[] = {
    {GOLDEN "methods/model.onnx", GOLDEN "methods/input.npy", false},
    {GOLDEN "transformer/model.onnx", GOLDEN "transformer/input.npy", true}};

static const char *repeat_program;
static repeat_model repeat_given;
static sal_error err;

/* One result for each method that applies: its map, and all of its numbers as bytes. */
typedef struct repeat_result {
    char method[64];
    int64_t n;     /* values of the map, the first of the bytes */
    int64_t bytes; /* 0: the method does not apply to the model */
    char *data;
} repeat_result;

typedef struct repeat_results {
    repeat_result *row;
    size_t n, cap;
} repeat_results;

static void repeat_free(repeat_results *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->row[i].data);
    sal_free(r->row);
    *r = (repeat_results){NULL, 0, 0};
}

static repeat_result *repeat_add(repeat_results *r, const char *method, int64_t n, int64_t bytes)
{
    CHECK_OK(sal_grow(&r->row, r->n + 1, &r->cap, sizeof *r->row, &err));
    repeat_result *row = &r->row[r->n++];
    memset(row, 0, sizeof *row);
    (void)snprintf(row->method, sizeof row->method, "%s", method);
    row->n = n;
    row->bytes = bytes;
    row->data = calloc(1, (size_t)bytes + 1);
    return row;
}

/* Few draws: what is asked about is their order, not their mean. A neuron that is not at rest. */
static size_t repeat_params(const sal_method_info *info, sal_param *out)
{
    static const sal_param few[] = {{"samples", 12}, {"masks", 24}, {"steps", 5}, {"neuron", 200}};
    size_t n = 0;

    for (size_t i = 0; i < info->n_params; i++)
        for (size_t k = 0; k < SAL_COUNTOF(few); k++)
            if (strcmp(info->params[i].name, few[k].name) == 0)
                out[n++] = few[k];
    return n;
}

static bool repeat_attends(const char *method)
{
    return strstr(method, "attention") != NULL;
}

static void repeat_collect(repeat_results *r, const char *method, const sal_explanation *e)
{
    const sal_tensor *part[] = {&e->map, &e->layer_map, &e->logits};
    size_t bytes = sizeof(double) * e->n, at = 0;

    for (size_t i = 0; i < SAL_COUNTOF(part); i++)
        bytes += part[i]->data == NULL ? 0 : sal_tensor_bytes(part[i]);
    repeat_result *row = repeat_add(r, method, sal_tensor_count(&e->map), (int64_t)bytes);
    for (size_t i = 0; i < SAL_COUNTOF(part) && row->data != NULL; i++) {
        size_t n = part[i]->data == NULL ? 0 : sal_tensor_bytes(part[i]);
        if (n > 0)
            memcpy(row->data + at, part[i]->data, n);
        at += n;
    }
    if (row->data != NULL && e->target != NULL)
        memcpy(row->data + at, e->target, sizeof(double) * e->n);
}

/* Every method that fits, with a plan of its own. */
static void repeat_maps(const repeat_model *which, int threads, bool small, repeat_results *out)
{
    static const char *const why[] = {"top"}, *const foil[] = {"top2"};
    const sal_question q = {.why = why, .n_why = 1, .not_ = foil, .n_not = 1};
    sal_model *m = NULL;
    sal_tensor x = SAL_TENSOR_INIT;

    CHECK_OK(sal_model_open(&m, which->path, &err));
    CHECK_OK(sal_npy_read(&x, which->input, &err));
    for (size_t i = 0; i < sal_method_count() && m != NULL && x.data != NULL; i++) {
        const sal_method_info *info = sal_method_at(i);
        sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
        sal_explanation e = SAL_EXPLANATION_INIT;
        sal_param params[8];

        if (small && repeat_attends(info->name) != which->attention)
            continue;
        o.method = info->name;
        o.threads = threads;
        o.seed = 7;
        o.params = params;
        o.n_params = repeat_params(info, params);
        sal_status st = sal_explain(&e, m, &x, &q, NULL, &o, NULL, &err);
        CHECK_MSG(st == SAL_OK || !small, "%s: %s", info->name, err.msg);
        if (st == SAL_OK)
            repeat_collect(out, info->name, &e);
        else
            (void)repeat_add(out, info->name, 0, 0);
        sal_explanation_free(&e);
    }
    sal_tensor_free(&x);
    sal_model_free(m);
}

static int repeat_write(const repeat_results *r)
{
    bool ok = r->n > 0;

    for (size_t i = 0; i < r->n && ok; i++) {
        const repeat_result *row = &r->row[i];
        ok = fwrite(row->method, sizeof row->method, 1, stdout) == 1 &&
             fwrite(&row->n, sizeof row->n, 1, stdout) == 1 &&
             fwrite(&row->bytes, sizeof row->bytes, 1, stdout) == 1 &&
             (row->bytes == 0 || fwrite(row->data, (size_t)row->bytes, 1, stdout) == 1);
    }
    return ok && fflush(stdout) == 0 ? 0 : 1;
}

/* The same in another process, with these environment variables. */
static void repeat_elsewhere(const repeat_model *which, int threads, const char *env,
                             repeat_results *out)
{
    char command[8192], method[64];
    int64_t size[2];

    (void)snprintf(command, sizeof command, "%s '%s' %s %d '%s' '%s'", env, repeat_program,
                   repeat_given.path != NULL ? "--all-maps" : "--maps", threads, which->path,
                   which->input);
    FILE *f = popen(command, "r");
    CHECK(f != NULL);
    while (f != NULL && fread(method, sizeof method, 1, f) == 1 &&
           fread(size, sizeof size, 1, f) == 1 && size[1] >= 0 && size[1] < 1 << 30) {
        method[sizeof method - 1] = '\0';
        repeat_result *row = repeat_add(out, method, size[0], size[1]);
        CHECK(size[1] == 0 || fread(row->data, (size_t)size[1], 1, f) == 1);
    }
    CHECK(f != NULL && pclose(f) == 0);
}

static void repeat_same(const char *what, const repeat_results *a, const repeat_results *b)
{
    CHECK_EQ(a->n, b->n);
    for (size_t i = 0; i < a->n && i < b->n; i++)
        CHECK_MSG(a->row[i].bytes == b->row[i].bytes &&
                      memcmp(a->row[i].data, b->row[i].data, (size_t)a->row[i].bytes) == 0,
                  "%s differs: %s", a->row[i].method, what);
}

static bool repeat_says_something(const repeat_result *r)
{
    const float *map = (const float *)(const void *)r->data;
    for (int64_t i = 0; i < r->n; i++)
        if (map[i] != 0.0F)
            return true;
    return false;
}

/* max |a - b| / max |b| of the maps. */
static double repeat_distance(const repeat_result *a, const repeat_result *b)
{
    if (a->n != b->n || a->n == 0)
        return (double)INFINITY;
    return harness_rel_f32((const float *)(const void *)a->data,
                           (const float *)(const void *)b->data, (size_t)a->n);
}

static void repeat_check(const repeat_model *which)
{
    enum { ONE, TWO, AGAIN_ONE, AGAIN_TWO, OTHER_ONE, OTHER_TWO, AVX2, BASELINE, COUNT };
    repeat_results r[COUNT] = {{NULL, 0, 0}};
    bool small = repeat_given.path == NULL;
    int two = session_threads(2);

    repeat_maps(which, 1, small, &r[ONE]);
    repeat_maps(which, two, small, &r[TWO]);
    repeat_maps(which, 1, small, &r[AGAIN_ONE]);
    repeat_maps(which, two, small, &r[AGAIN_TWO]);
    repeat_elsewhere(which, 1, "", &r[OTHER_ONE]);
    repeat_elsewhere(which, two, "", &r[OTHER_TWO]);
    repeat_elsewhere(which, 1, "SAL_CPU=avx2 ONEDNN_MAX_CPU_ISA=AVX2", &r[AVX2]);
    repeat_elsewhere(which, 1, "SAL_CPU=baseline ONEDNN_MAX_CPU_ISA=SSE41", &r[BASELINE]);
    CHECK(r[ONE].n > 0);
    repeat_same("one thread, twice", &r[ONE], &r[AGAIN_ONE]);
    repeat_same("two threads, twice", &r[TWO], &r[AGAIN_TWO]);
    repeat_same("one thread, two processes", &r[ONE], &r[OTHER_ONE]);
    repeat_same("two threads, two processes", &r[TWO], &r[OTHER_TWO]);
    for (int k = 0; k < COUNT; k++)
        CHECK_EQ(r[k].n, r[ONE].n);
    for (size_t i = 0; i < r[ONE].n && harness.failures == 0; i++) {
        const repeat_result *one = &r[ONE].row[i];
        if (one->bytes == 0) {
            printf("| %s | - | - | - |\n", one->method);
            continue;
        }
        CHECK_MSG(repeat_says_something(one), "%s: all zeros", one->method);
        double threads = repeat_distance(&r[TWO].row[i], one),
               avx2 = repeat_distance(&r[AVX2].row[i], one),
               baseline = repeat_distance(&r[BASELINE].row[i], one);
        printf("| %s | %.1e | %.1e | %.1e |\n", one->method, threads, avx2, baseline);
        if (small)
            CHECK_MSG(threads <= REPEAT_BOUND && avx2 <= REPEAT_BOUND && baseline <= REPEAT_BOUND,
                      "%s: %g, %g, %g", one->method, threads, avx2, baseline);
    }
    for (int k = 0; k < COUNT; k++)
        repeat_free(&r[k]);
}

TEST(every_method)
{
    if (repeat_given.path != NULL) {
        repeat_check(&repeat_given);
        return;
    }
    for (size_t i = 0; i < SAL_COUNTOF(repeat_models); i++)
        repeat_check(&repeat_models[i]);
}

int main(int argc, char **argv)
{
    repeat_program = argv[0];
    if (argc == 5 && strstr(argv[1], "maps") != NULL) {
        repeat_model which = {argv[3], argv[4], strstr(argv[3], "transformer") != NULL};
        repeat_results r = {NULL, 0, 0};
        repeat_maps(&which, atoi(argv[2]), strcmp(argv[1], "--maps") == 0, &r);
        int status = harness.failures > 0 ? 1 : repeat_write(&r);
        repeat_free(&r);
        return status;
    }
    if (argc == 4 && strcmp(argv[1], "--model") == 0) {
        repeat_given = (repeat_model){argv[2], argv[3], false};
        argc = 1;
    }
    return harness_main(argc, argv, TESTS(T(every_method)));
}
