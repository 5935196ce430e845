/* Products with packed matrices in every format: sessions against sums in double precision, for few
 * and many rows of A, odd numbers of rows, siblings, residuals, the transposed product and
 * look-ups. Run again under SAL_CPU=avx2 and baseline (CMakeLists.txt). */
#include "harness.h"

#include "base/block_type.h"
#include "exec/isa.h"
#include "exec/session.h"
#include "graph/passes/passes.h"
#include "ops/builder.h"

#include <float.h>

extern const sal_isa_table sal_isa_table__baseline;
#ifdef __x86_64__
extern const sal_isa_table sal_isa_table__avx2;
extern const sal_isa_table sal_isa_table__avx512;
#endif

/* ---- matrices ---- */

/* Random blocks whose scales are ordinary numbers. */
static void packed_fill(const sal_block_type *t, uint8_t *p, int64_t blocks, sal_rng *rng)
{
    static const struct {
        sal_block_id id;
        int at[2];
    } halves[] = {
        {SAL_BLOCK_q4_0, {0, -1}},   {SAL_BLOCK_q4_1, {0, 2}},    {SAL_BLOCK_q5_0, {0, -1}},
        {SAL_BLOCK_q5_1, {0, 2}},    {SAL_BLOCK_q8_0, {0, -1}},   {SAL_BLOCK_q2_k, {80, 82}},
        {SAL_BLOCK_q3_k, {108, -1}}, {SAL_BLOCK_q4_k, {0, 2}},    {SAL_BLOCK_q5_k, {0, 2}},
        {SAL_BLOCK_q6_k, {208, -1}}, {SAL_BLOCK_iq4_nl, {0, -1}}, {SAL_BLOCK_f16, {0, -1}}};
    bool found = false;
    for (int64_t i = 0; i < blocks; i++, p += t->bytes) {
        for (int k = 0; k < t->bytes; k++)
            p[k] = (uint8_t)(sal_rng_u64(rng) >> 24);
        for (size_t h = 0; h < SAL_COUNTOF(halves); h++) {
            if (halves[h].id != t->id)
                continue;
            found = true;
            for (int k = 0; k < 2; k++)
                if (halves[h].at[k] >= 0)
                    sal_block_put_f16(p + halves[h].at[k], (float)sal_rng_normal(rng) * 0.1f);
        }
        float x = (float)sal_rng_normal(rng);
        if (t->id == SAL_BLOCK_f32)
            memcpy(p, &x, sizeof x);
        if (t->id == SAL_BLOCK_bf16) {
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            p[0] = (uint8_t)(bits >> 16);
            p[1] = (uint8_t)(bits >> 24);
        }
    }
    CHECK_MSG(found || t->id == SAL_BLOCK_f32 || t->id == SAL_BLOCK_bf16,
              "the test does not know where %s keeps its scales", t->name);
}

typedef struct packed_case {
    const sal_block_type *t;
    int64_t rows, columns, count;
    bool transposed, residual, siblings;
    sal_packed how;
} packed_case;

typedef struct packed_net {
    sal_graph *g;
    sal_tensor w[2], in[2];
} packed_net;

static sal_vid packed_product(sal_builder *b, const packed_case *c, sal_vid a, sal_vid w)
{
    sal_attr at[] = {SAL_AS("type", c->t->name), SAL_AI("columns", c->columns),
                     SAL_AI("transposed", c->transposed ? 1 : 0)};
    return sal_b_op(b, "PackedMatMul", 2, (sal_vid[]){a, w}, 3, at);
}

static void packed_open(packed_net *n, const packed_case *c, uint64_t seed)
{
    sal_rng rng = sal_rng_seed(harness.seed, seed);
    int64_t inner = c->transposed ? c->rows : c->columns;
    int64_t outer = c->transposed ? c->columns : c->rows;
    int64_t blocks = c->columns / c->t->elements;
    const int64_t dims[] = {c->rows, blocks * c->t->bytes};
    sal_vid in[2], out;
    sal_error err = {SAL_OK, 0, ""};
    memset(n, 0, sizeof *n);
    CHECK_OK(sal_graph_new(&n->g, "packed", &err));
    sal_builder b = SAL_BUILDER(n->g, &err, NULL);
    for (int i = 0; i < 2; i++) {
        const int64_t size[] = {c->count, i == 0 ? inner : outer};
        CHECK_OK(sal_tensor_new(&n->in[i], SAL_F32, 2, size, &err));
        for (int64_t k = 0; k < sal_tensor_count(&n->in[i]); k++)
            ((float *)n->in[i].data)[k] = (float)sal_rng_normal(&rng);
        if (i == 0 || c->residual)
            CHECK_OK(
                sal_graph_input(n->g, i == 0 ? "a" : "residual", SAL_F32, 2, size, &in[i], &err));
        CHECK_OK(sal_tensor_new(&n->w[i], SAL_U8, 2, dims, &err));
        packed_fill(c->t, n->w[i].data, c->rows * blocks, &rng);
    }
    out = packed_product(&b, c, in[0], sal_b_tensor(&b, &n->w[0]));
    if (c->residual)
        out = sal_b2(&b, "Add", in[1], out);
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(n->g, out, &err));
    if (c->siblings) {
        out = packed_product(&b, c, in[0], sal_b_tensor(&b, &n->w[1]));
        CHECK_OK(b.st);
        CHECK_OK(sal_graph_add_output(n->g, out, &err));
    }
}

static void packed_close(packed_net *n)
{
    for (int i = 0; i < 2; i++) {
        sal_tensor_free(&n->w[i]);
        sal_tensor_free(&n->in[i]);
    }
    sal_graph_free(n->g);
}

/* What is allowed: rounding of float32 sums; of activations to 8 bits, a block of 32 a step of
 * most / 127; or of both sides to bfloat16. */
static double packed_bound(const packed_case *c, const float *a, const float *w, int64_t step)
{
    int64_t inner = c->transposed ? c->rows : c->columns;
    double products = 0.0, eight = 0.0;
    for (int64_t k = 0; k < inner; k++)
        products += fabs((double)a[k] * (double)w[k * step]);
    if (c->how == SAL_PACKED_EXACT || c->transposed)
        return 4e-6 * products + 1e-6;
    for (int64_t k = 0; k < inner; k += 32) {
        double most = 0.0, weights = 0.0;
        for (int64_t j = k; j < SAL_MIN(k + 32, inner); j++) {
            most = SAL_MAX(most, fabs((double)a[j]));
            weights += fabs((double)w[j * step]);
        }
        eight += most / 254.0 * weights;
    }
    return 1.001 * SAL_MAX(eight, products / 128.0) + 4e-6 * products + 1e-6;
}

static void packed_compare(const packed_net *n, const packed_case *c, int which,
                           const sal_tensor *got)
{
    int64_t inner = c->transposed ? c->rows : c->columns;
    int64_t outer = c->transposed ? c->columns : c->rows, step = c->transposed ? c->columns : 1;
    float *w = malloc((size_t)(c->rows * c->columns) * sizeof *w);
    double error = 0.0, size = 0.0;
    c->t->unpack(w, n->w[which].data, c->rows * (c->columns / c->t->elements));
    CHECK_EQ(sal_tensor_count(got), c->count * outer);
    for (int64_t i = 0; i < c->count; i++)
        for (int64_t r = 0; r < outer; r++) {
            const float *a = (const float *)n->in[0].data + i * inner;
            const float *row = c->transposed ? w + r : w + r * c->columns;
            double want = 0.0, d;
            for (int64_t k = 0; k < inner; k++)
                want += (double)a[k] * (double)row[k * step];
            size += want * want;
            if (c->residual && which == 0)
                want += (double)((const float *)n->in[1].data)[i * outer + r];
            d = fabs((double)((const float *)got->data)[i * outer + r] - want);
            error += d * d;
            CHECK_MSG(d <= packed_bound(c, a, row, step) + 1e-6 * fabs(want),
                      "%s, %d x %d, %d rows of A: [%d, %d] is off by %g", c->t->name, (int)c->rows,
                      (int)c->columns, (int)c->count, (int)i, (int)r, d);
        }
    double most = c->how == SAL_PACKED_EXACT || c->transposed ? 1e-6 : 2.5e-2;
    CHECK_MSG(sqrt(error) <= most * sqrt(size) + 1e-6, "%s, %d rows of A: normwise %g", c->t->name,
              (int)c->count, sqrt(error / size));
    free(w);
}

static void packed_check(const packed_case *c, uint64_t seed)
{
    packed_net n;
    sal_session *s = NULL, *again = NULL;
    sal_error err = {SAL_OK, 0, ""};
    sal_session_stats stats;
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    o.threads = 2;
    o.packed = c->how;
    packed_open(&n, c, seed);
    CHECK_OK(sal_session_new(&s, n.g, &o, &err));
    CHECK_OK(sal_session_new(&again, n.g, &o, &err));
    if (s != NULL && again != NULL) {
        CHECK_OK(sal_session_run(s, n.in, &err));
        CHECK_OK(sal_session_run(again, n.in, &err));
        CHECK_OK(sal_session_run(again, n.in, &err));
        for (int i = 0; i < (c->siblings ? 2 : 1); i++) {
            const sal_tensor *y = sal_session_output(s, (size_t)i);
            packed_compare(&n, c, i, y);
            CHECK_MSG(memcmp(y->data, sal_session_output(again, (size_t)i)->data,
                             sal_tensor_bytes(y)) == 0,
                      "%s, %d rows of A: other bytes", c->t->name, (int)c->count);
        }
        sal_session_get_stats(s, &stats);
        CHECK_EQ(stats.reference_steps, 0);
    }
    sal_session_free(s);
    sal_session_free(again);
    packed_close(&n);
}

/* Columns that fill an odd number of blocks where they can. */
static int64_t packed_columns(const sal_block_type *t, int i)
{
    return t->elements == 256 ? (i % 2 == 0 ? 256 : 768) : i % 2 == 0 ? 96 : 160;
}

TEST(product)
{
    static const int64_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 64, 130};
    static const int64_t rows[] = {37, 1, 64, 9};
    for (size_t t = 0; sal_block_type_at(t) != NULL; t++)
        for (size_t i = 0; i < SAL_COUNTOF(counts); i++)
            for (int how = 0; how < 2; how++) {
                packed_case c = {.t = sal_block_type_at(t),
                                 .rows = rows[i % SAL_COUNTOF(rows)],
                                 .columns = packed_columns(sal_block_type_at(t), (int)i),
                                 .count = counts[i],
                                 .residual = i % 3 == 0,
                                 .siblings = i % 2 == 1,
                                 .how = how == 0 ? SAL_PACKED_EXACT : SAL_PACKED_FAST};
                packed_check(&c, t * 100 + i);
            }
}

/* The derivative's product, through several panels too. */
TEST(transposed)
{
    static const int64_t counts[] = {1, 3, 20};
    for (size_t t = 0; sal_block_type_at(t) != NULL; t++)
        for (size_t i = 0; i < SAL_COUNTOF(counts); i++) {
            packed_case c = {.t = sal_block_type_at(t),
                             .rows = 75,
                             .columns = packed_columns(sal_block_type_at(t), (int)i),
                             .count = counts[i],
                             .transposed = true,
                             .how = i % 2 == 0 ? SAL_PACKED_EXACT : SAL_PACKED_FAST};
            packed_check(&c, 5000 + t * 100 + i);
        }
}

/* A matrix of more than one panel, the last of them smaller. */
TEST(panels)
{
    for (int how = 0; how < 3; how++) {
        packed_case c = {.t = &sal_block_type_q8_0,
                         .rows = 4101,
                         .columns = 544,
                         .count = 17,
                         .residual = how == 1,
                         .transposed = how == 2,
                         .how = how == 1 ? SAL_PACKED_FAST : SAL_PACKED_EXACT};
        packed_check(&c, 9000 + (uint64_t)how);
    }
}

TEST(gather)
{
    for (size_t t = 0; sal_block_type_at(t) != NULL; t++) {
        const sal_block_type *type = sal_block_type_at(t);
        packed_case c = {.t = type, .rows = 5, .columns = packed_columns(type, 0), .count = 1};
        const int64_t size[] = {4};
        int64_t ids[] = {4, 0, -1, 2};
        packed_net n;
        sal_session *s = NULL;
        sal_error err = {SAL_OK, 0, ""};
        sal_vid in;
        packed_open(&n, &c, 7000 + t);
        sal_graph *g = NULL;
        CHECK_OK(sal_graph_new(&g, "gather", &err));
        sal_builder b = SAL_BUILDER(g, &err, NULL);
        sal_attr at[] = {SAL_AS("type", type->name), SAL_AI("columns", c.columns)};
        CHECK_OK(sal_graph_input(g, "ids", SAL_I64, 1, size, &in, &err));
        sal_vid y =
            sal_b_op(&b, "PackedGather", 2, (sal_vid[]){sal_b_tensor(&b, &n.w[0]), in}, 2, at);
        CHECK_OK(b.st);
        CHECK_OK(sal_graph_add_output(g, y, &err));
        CHECK_OK(sal_session_new(&s, g, NULL, &err));
        if (s != NULL) {
            sal_tensor t_ids = sal_tensor_borrow(SAL_I64, 1, size, ids);
            float want[SAL_BLOCK_ELEMENTS_MAX];
            int64_t blocks = c.columns / type->elements;
            CHECK_OK(sal_session_run(s, &t_ids, &err));
            const float *got = sal_session_output(s, 0)->data;
            for (int i = 0; i < 4; i++)
                for (int64_t k = 0; k < blocks; k++) {
                    int64_t r = ids[i] < 0 ? ids[i] + c.rows : ids[i];
                    type->unpack(want,
                                 (const uint8_t *)n.w[0].data + (r * blocks + k) * type->bytes, 1);
                    CHECK_MSG(memcmp(want, got + i * c.columns + k * type->elements,
                                     (size_t)type->elements * sizeof *want) == 0,
                              "%s: row %d", type->name, i);
                }
            ids[1] = 5;
            CHECK_EQ(sal_session_run(s, &t_ids, &err), SAL_EINVAL);
        }
        sal_session_free(s);
        sal_graph_free(g);
        packed_close(&n);
    }
}

/* Unpacking for speed gives the bits of the plain form, for every instruction set. */
TEST(unpack)
{
    const sal_isa_table *isas[3] = {&sal_isa_table__baseline};
    int n_isas = 1;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        isas[n_isas++] = &sal_isa_table__avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        isas[n_isas++] = &sal_isa_table__avx512;
#endif
    for (size_t t = 0; sal_block_type_at(t) != NULL; t++) {
        enum { BLOCKS = 7 };
        const sal_block_type *type = sal_block_type_at(t);
        sal_rng rng = sal_rng_seed(harness.seed, t);
        uint8_t bytes[BLOCKS * SAL_BLOCK_ELEMENTS_MAX];
        float want[BLOCKS * SAL_BLOCK_ELEMENTS_MAX], got[BLOCKS * SAL_BLOCK_ELEMENTS_MAX];
        packed_fill(type, bytes, BLOCKS, &rng);
        type->unpack(want, bytes, BLOCKS);
        for (int i = 0; i < n_isas; i++) {
            if (isas[i]->packed->unpack[t] == NULL)
                continue;
            isas[i]->packed->unpack[t](got, bytes, BLOCKS);
            CHECK_MSG(memcmp(want, got, (size_t)(BLOCKS * type->elements) * sizeof *got) == 0,
                      "%s, %s", type->name, isas[i]->name);
        }
    }
}

/* Of a product of which one row is read, only this row is computed. */
TEST(last_row)
{
    const int64_t dims[] = {5, 68}, a_dims[] = {1, 6, 64}, last[] = {-1};
    sal_attr at[] = {SAL_AS("type", "q8_0"), SAL_AI("columns", 64)}, axis = SAL_AI("axis", 1);
    sal_tensor w = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = NULL;
    sal_vid a, y, row;
    CHECK_OK(sal_graph_new(&g, "row", &err));
    CHECK_OK(sal_graph_input(g, "a", SAL_F32, 3, a_dims, &a, &err));
    CHECK_OK(sal_tensor_new(&w, SAL_U8, 2, dims, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    y = sal_b_op(&b, "PackedMatMul", 2, (sal_vid[]){a, sal_b_tensor(&b, &w)}, 2, at);
    row = sal_b_op(&b, "Gather", 2, (sal_vid[]){y, sal_b_ints(&b, last, 1)}, 1, &axis);
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, row, &err));
    CHECK_EQ(sal_val(g, y)->dims[1], 6);
    CHECK_OK(sal_pass_narrow(g, &err));
    CHECK_EQ(sal_val(g, y)->dims[1], 1);
    sal_tensor_free(&w);
    sal_graph_free(g);
}

/* What is no number stays none. */
TEST(not_finite)
{
    float x[96], ds[6];
    int8_t q[96];
    for (int i = 0; i < 96; i++)
        x[i] = (float)(i - 40);
    x[40] = NAN;
    sal_isa()->packed->quantise(q, ds, x, 96);
    CHECK(isnan(ds[2]) && !isnan(ds[0]) && !isnan(ds[4]));
    x[40] = INFINITY;
    sal_isa()->packed->quantise(q, ds, x, 96);
    CHECK(!isfinite(ds[2]));
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(product), T(transposed), T(panels), T(gather), T(unpack),
                              T(last_row), T(not_finite)));
}
