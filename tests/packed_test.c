/* Products with packed matrices as the executor runs them, against sums in double of the unpacked
 * numbers: every format, few and many rows of A, exactly and with rounded activations. */
#include "base/block_type.h"
#include "exec/isa.h"
#include "exec/session.h"
#include "harness.h"
#include "ops/builder.h"

#include <stdio.h>

/* Blocks of random bytes with ordinary scales, as tests/golden/block_types has them. */
static bool packed_blocks(const sal_block_type *t, sal_tensor *out)
{
    char path[512];

    if (t->id == SAL_BLOCK_f32)
        return false;
    (void)snprintf(path, sizeof(path), "%s/tests/golden/block_types/%s.bytes.npy", SAL_SOURCE_DIR,
                   t->name);
    CHECK_MSG(sal_npy_read(out, path, NULL) == SAL_OK, "%s", path);
    return out->data != NULL;
}

typedef struct packed_case {
    const sal_block_type *type;
    int64_t rows, columns, count;
    bool transposed;
    float *weights; /* unpacked */
    sal_tensor bytes, a;
} packed_case;

static void packed_free(packed_case *c)
{
    free(c->weights);
    sal_tensor_free(&c->bytes);
    sal_tensor_free(&c->a);
}

static bool packed_make(packed_case *c, uint64_t stream)
{
    const sal_block_type *t = c->type;
    sal_rng rng = sal_rng_seed(harness.seed, stream);
    sal_tensor golden = SAL_TENSOR_INIT;
    int64_t dims[2], blocks = c->columns / t->elements;
    int64_t a_dims[3] = {1, c->count, c->transposed ? c->rows : c->columns};
    uint8_t *b;

    if (!packed_blocks(t, &golden))
        return false;
    dims[0] = c->rows;
    dims[1] = blocks * t->bytes;
    CHECK(sal_tensor_new(&c->bytes, SAL_U8, 2, dims, NULL) == SAL_OK);
    CHECK(sal_tensor_new(&c->a, SAL_F32, 3, a_dims, NULL) == SAL_OK);
    b = c->bytes.data;
    for (int64_t i = 0; i < c->rows * blocks; i++) {
        int64_t from = (int64_t)(sal_rng_u64(&rng) % (uint64_t)golden.dims[0]);

        memcpy(b + i * t->bytes, (uint8_t *)golden.data + from * t->bytes, (size_t)t->bytes);
    }
    c->weights = malloc((size_t)(c->rows * c->columns) * sizeof(float));
    t->unpack(c->weights, b, c->rows * blocks);
    for (int64_t i = 0; i < sal_tensor_count(&c->a); i++)
        sal_tensor_set(&c->a, i, sal_rng_normal(&rng));
    sal_tensor_free(&golden);
    return true;
}

/* Largest difference as a share of the largest sum of magnitudes. */
static double packed_apart(const packed_case *c, const float *y)
{
    int64_t wide = c->transposed ? c->columns : c->rows;
    const float *a = c->a.data;
    double worst = 0.0, most = 0.0;

    for (int64_t i = 0; i < c->count; i++)
        for (int64_t j = 0; j < wide; j++) {
            double sum = 0.0, size = 0.0;
            int64_t inner = c->transposed ? c->rows : c->columns;

            for (int64_t k = 0; k < inner; k++) {
                double w = (double)(c->transposed ? c->weights[k * c->columns + j]
                                                  : c->weights[j * c->columns + k]);

                sum += w * (double)a[i * inner + k];
                size += w * w * (double)a[i * inner + k] * (double)a[i * inner + k];
            }
            most = fmax(most, sqrt(size));
            worst = fmax(worst, fabs(sum - (double)y[i * wide + j]));
        }
    return worst / most;
}

/* The session's result; with `twice`, two products of the same A, of which the second is given. */
static double packed_run(const packed_case *c, sal_packed packed, bool residual, bool twice)
{
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    sal_session *s = NULL;
    sal_graph *g = NULL;
    sal_error err = {SAL_OK, 0, ""};
    sal_attr attr[] = {SAL_AS("type", c->type->name), SAL_AI("columns", c->columns),
                       SAL_AI("transposed", c->transposed)};
    sal_vid a, w, y, other = SAL_NONE, add;
    sal_tensor in[2];
    double apart = INFINITY;
    int64_t wide = c->transposed ? c->columns : c->rows, y_dims[3] = {1, c->count, wide};
    float *zero = calloc((size_t)(c->count * wide), sizeof(float));

    o.threads = 2;
    o.packed = packed;
    CHECK(sal_graph_new(&g, "packed", NULL) == SAL_OK);
    CHECK(sal_graph_input(g, "a", SAL_F32, 3, c->a.dims, &a, NULL) == SAL_OK);
    CHECK(sal_graph_input(g, "add", SAL_F32, 3, y_dims, &add, NULL) == SAL_OK);
    CHECK(sal_graph_constant(g, "w", &c->bytes, &w, NULL) == SAL_OK);
    sal_builder b = SAL_BUILDER(g, &err, "packed");
    if (twice)
        other = sal_b_op(&b, "PackedMatMul", 2, (sal_vid[]){a, w}, 3, attr);
    y = sal_b_op(&b, "PackedMatMul", 2, (sal_vid[]){a, w}, 3, attr);
    if (residual)
        y = sal_b2(&b, "Add", y, add);
    CHECK_MSG(b.st == SAL_OK, "%s", err.msg);
    CHECK(sal_graph_add_output(g, y, NULL) == SAL_OK);
    if (twice)
        CHECK(sal_graph_add_output(g, sal_b1(&b, "Neg", other), NULL) == SAL_OK);
    CHECK_MSG(sal_session_take(&s, g, &o, &err) == SAL_OK, "%s", err.msg);
    in[0] = c->a;
    in[1] = sal_tensor_borrow(SAL_F32, 3, y_dims, zero);
    if (s != NULL && sal_session_run(s, in, &err) == SAL_OK) {
        sal_session_stats stats;

        sal_session_get_stats(s, &stats);
        CHECK_MSG(stats.reference_steps == 0, "%s runs on reference code", c->type->name);
        apart = packed_apart(c, sal_session_output(s, 0)->data);
    }
    sal_session_free(s);
    free(zero);
    return apart;
}

TEST(exact)
{
    static const int64_t counts[] = {1, 3, 5, 20, 130};

    for (size_t i = 0; sal_block_type_at(i) != NULL; i++)
        for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
            for (int how = 0; how < 3; how++) {
                packed_case c = {.type = sal_block_type_at(i),
                                 .rows = 77,
                                 .columns = 512,
                                 .count = counts[k],
                                 .transposed = how == 2};

                if (packed_make(&c, i)) {
                    double apart = packed_run(&c, SAL_PACKED_EXACT, how == 1, false);

                    CHECK_MSG(apart < 5e-6, "%s, %d rows, way %d: %g", c.type->name, (int)counts[k],
                              how, apart);
                }
                packed_free(&c);
            }
}

/* Activations of 8 bits, or bfloat16: near. */
TEST(fast)
{
    static const int64_t counts[] = {1, 2, 9, 12, 13, 130};

    for (size_t i = 0; sal_block_type_at(i) != NULL; i++)
        for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
            for (int how = 0; how < 2; how++) {
                packed_case c = {
                    .type = sal_block_type_at(i), .rows = 77, .columns = 768, .count = counts[k]};

                if (packed_make(&c, i)) {
                    double apart = packed_run(&c, SAL_PACKED_FAST, how == 1, how == 0);

                    CHECK_MSG(apart < 2e-2, "%s, %d rows, way %d: %g", c.type->name, (int)counts[k],
                              how, apart);
                }
                packed_free(&c);
            }
}

/* An odd number of blocks in a row. */
TEST(odd_blocks)
{
    for (size_t i = 0; sal_block_type_at(i) != NULL; i++) {
        packed_case c = {.type = sal_block_type_at(i), .rows = 9, .columns = 96, .count = 2};

        if (c.type->elements <= 32 && packed_make(&c, i)) {
            double apart = packed_run(&c, SAL_PACKED_FAST, false, false);

            CHECK_MSG(apart < 2e-2, "%s: %g", c.type->name, apart);
        }
        packed_free(&c);
    }
}

/* What is no number stays none. */
TEST(not_finite)
{
    packed_case c = {.type = sal_block_type_find("q4_1"), .rows = 9, .columns = 96, .count = 1};

    if (packed_make(&c, 1)) {
        int8_t q[96];
        float ds[6];

        ((float *)c.a.data)[40] = NAN;
        sal_isa()->packed->quantise(q, ds, c.a.data, 96);
        CHECK(isnan(ds[2]) && !isnan(ds[0]));
        ((float *)c.a.data)[40] = INFINITY;
        sal_isa()->packed->quantise(q, ds, c.a.data, 96);
        CHECK(!isfinite(ds[2]));
    }
    packed_free(&c);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(exact), T(fast), T(odd_blocks), T(not_finite)));
}
