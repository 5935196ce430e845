/* Speed of products with packed matrices in every format: one row of A as bytes of the matrix read
 * a second, 512 rows as arithmetic a second. Not a test: times of a shared machine prove nothing.
 *
 * packed_bench [threads [format]] */
#define _POSIX_C_SOURCE 200809L
#include "base/block_type.h"
#include "exec/session.h"
#include "ops/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_COLUMNS = 1536, BENCH_BYTES = 64 << 20, BENCH_MANY = 512, BENCH_MANY_ROWS = 1536 };

static double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Least seconds of a product of `count` rows with the matrix w; < 0: failed. */
static double bench_product(const sal_block_type *t, const sal_tensor *w, int64_t count,
                            sal_packed how, int threads)
{
    const int64_t dims[] = {count, BENCH_COLUMNS};
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_session *s = NULL;
    sal_graph *g = NULL;
    sal_tensor in = SAL_TENSOR_INIT;
    sal_vid a, y, v;
    double best = -1.0;
    sal_status st = SAL_OK;
    sal_attr at[] = {SAL_AS("type", t->name), SAL_AI("columns", BENCH_COLUMNS)};

    o.threads = threads;
    o.packed = how;
    SAL_TRY(sal_tensor_new(&in, SAL_F32, 2, dims, &err));
    for (int64_t i = 0; i < sal_tensor_count(&in); i++)
        ((float *)in.data)[i] = (float)(i % 17) - 8.0f;
    SAL_TRY(sal_graph_new(&g, "bench", &err));
    SAL_TRY(sal_graph_input(g, "a", SAL_F32, 2, dims, &a, &err));
    SAL_TRY(sal_graph_constant(g, "w", w, &v, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    y = sal_b_op(&b, "PackedMatMul", 2, (sal_vid[]){a, v}, 2, at);
    SAL_TRY(b.st);
    SAL_TRY(sal_graph_add_output(g, y, &err));
    SAL_TRY(sal_session_new(&s, g, &o, &err));
    for (int i = 0; i < 15; i++) {
        double began = bench_now();
        SAL_TRY(sal_session_run(s, &in, &err));
        double took = bench_now() - began;
        best = best < 0.0 || took < best ? took : best;
    }
done:
    if (st != SAL_OK)
        fprintf(stderr, "%s: %s\n", t->name, err.msg);
    sal_session_free(s);
    sal_graph_free(g);
    sal_tensor_free(&in);
    return st == SAL_OK ? best : -1.0;
}

static bool bench_type(const sal_block_type *t, int threads)
{
    static const sal_packed ways[] = {SAL_PACKED_FAST, SAL_PACKED_EXACT};
    size_t row_bytes;
    sal_tensor w = SAL_TENSOR_INIT;
    bool ok = true;

    if (!sal_block_row_bytes(t, BENCH_COLUMNS, &row_bytes))
        return false;
    const int64_t dims[] = {(int64_t)(BENCH_BYTES / row_bytes), (int64_t)row_bytes};
    const int64_t few[] = {BENCH_MANY_ROWS, (int64_t)row_bytes};
    if (sal_tensor_new(&w, SAL_U8, 2, dims, NULL) != SAL_OK)
        return false;
    memset(w.data, 1, sal_tensor_bytes(&w));
    const sal_tensor part = sal_tensor_borrow(SAL_U8, 2, few, w.data);
    printf("%-7s", t->name);
    for (int i = 0; i < 2; i++) {
        double one = bench_product(t, &w, 1, ways[i], threads);
        double many = bench_product(t, &part, BENCH_MANY, ways[i], threads);
        ok = ok && one > 0.0 && many > 0.0;
        printf("  %s %6.1f GB/s %7.0f GFLOP/s", i == 0 ? "fast" : "exact",
               (double)sal_tensor_bytes(&w) / one * 1e-9,
               2.0 * BENCH_COLUMNS * BENCH_MANY_ROWS * BENCH_MANY / many * 1e-9);
    }
    printf("\n");
    (void)fflush(stdout);
    sal_tensor_free(&w);
    return ok;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    bool ok = true;

    for (size_t i = 0; sal_block_type_at(i) != NULL; i++)
        if (argc < 3 || strcmp(argv[2], sal_block_type_at(i)->name) == 0)
            ok = bench_type(sal_block_type_at(i), threads) && ok;
    return ok ? 0 : 1;
}
