/* MatMul: product of the last two axes, the ones before broadcast; a vector is a row on the left
 * and a column on the right, and its axis does not appear in the result (NumPy's matmul). */
#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/infer.h"

static sal_status mat_mul_infer(sal_infer *c)
{
    const sal_value *a = sal_infer_in(c, 0), *b = sal_infer_in(c, 1);
    int64_t dims[SAL_MAX_RANK + 2];
    int rank = 0;

    if (a->rank == 0 || b->rank == 0)
        return sal_fail(c->err, SAL_ESHAPE, "a scalar input; matrices or vectors are needed");
    if (a->rank < 0 || b->rank < 0)
        return sal_infer_out(c, 0, a->dtype, -1, NULL);
    int64_t ka = a->dims[a->rank - 1], kb = b->dims[SAL_MAX(b->rank - 2, 0)];
    if (ka >= 0 && kb >= 0 && ka != kb)
        return sal_fail(c->err, SAL_ESHAPE, "inner dimensions %lld and %lld differ", (long long)ka,
                        (long long)kb);
    sal_status st = sal_infer_broadcast_dims(c->g, SAL_MAX(a->rank - 2, 0), a->dims,
                                             SAL_MAX(b->rank - 2, 0), b->dims, &rank, dims, c->err);
    if (st != SAL_OK)
        return st;
    if (a->rank > 1)
        dims[rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        dims[rank++] = b->dims[b->rank - 1];
    return sal_infer_out(c, 0, a->dtype, rank, dims);
}

/* Batch axes of the result with the steps, in matrices, of both inputs (0 where one broadcasts). */
typedef struct mat_mul_plan {
    int64_t m, n, k, batch;
    int axes;
    int64_t dims[SAL_MAX_RANK], step_a[SAL_MAX_RANK], step_b[SAL_MAX_RANK];
} mat_mul_plan;

static void mat_mul_steps(const sal_tensor *t, int axes, int64_t *step)
{
    int64_t size = 1;
    for (int i = t->rank - 3, o = axes - 1; o >= 0; i--, o--) {
        int64_t d = i >= 0 ? t->dims[i] : 1;
        step[o] = d == 1 ? 0 : size;
        size *= d;
    }
}

static mat_mul_plan mat_mul_make(const sal_tensor *a, const sal_tensor *b, const sal_tensor *y)
{
    mat_mul_plan p = {.batch = 1};
    p.k = a->dims[a->rank - 1];
    p.m = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    p.n = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    p.axes = y->rank - (a->rank > 1) - (b->rank > 1);
    for (int i = 0; i < p.axes; i++) {
        p.dims[i] = y->dims[i];
        p.batch *= y->dims[i];
    }
    mat_mul_steps(a, p.axes, p.step_a);
    mat_mul_steps(b, p.axes, p.step_b);
    return p;
}

static void mat_mul_at(const mat_mul_plan *p, int64_t i, int64_t *at_a, int64_t *at_b)
{
    *at_a = *at_b = 0;
    for (int x = p->axes - 1; x >= 0; x--) {
        *at_a += i % p->dims[x] * p->step_a[x];
        *at_b += i % p->dims[x] * p->step_b[x];
        i /= p->dims[x];
    }
}

/* Whole numbers wrap around. */
static void mat_mul_bits(const sal_eval *e, const mat_mul_plan *p)
{
    for (int64_t i = 0; i < p->batch; i++) {
        int64_t at_a, at_b;
        mat_mul_at(p, i, &at_a, &at_b);
        for (int64_t r = 0; r < p->m; r++) {
            for (int64_t c = 0; c < p->n; c++) {
                uint64_t sum = 0;
                for (int64_t l = 0; l < p->k; l++)
                    sum += sal_ref_get_bits(e->in[0], (at_a * p->m + r) * p->k + l) *
                           sal_ref_get_bits(e->in[1], (at_b * p->k + l) * p->n + c);
                sal_ref_set_bits(e->out[0], (i * p->m + r) * p->n + c, sum);
            }
        }
    }
}

static sal_status mat_mul_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    sal_ref ra = SAL_REF_INIT, rb = SAL_REF_INIT, ry = SAL_REF_INIT;
    mat_mul_plan p = mat_mul_make(e->in[0], e->in[1], e->out[0]);

    if (!sal_dtype_is_float(e->in[0]->dtype)) {
        mat_mul_bits(e, &p);
        return SAL_OK;
    }
    SAL_TRY(sal_ref_in(&ra, e->in[0], e->err));
    SAL_TRY(sal_ref_in(&rb, e->in[1], e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    for (int64_t i = 0; i < p.batch; i++) {
        int64_t at_a, at_b;
        mat_mul_at(&p, i, &at_a, &at_b);
        sal_ref_mat a = {ra.x + at_a * p.m * p.k, p.k, 1}, b = {rb.x + at_b * p.k * p.n, p.n, 1};
        SAL_TRY(sal_ref_gemm(p.m, p.n, p.k, a, b, ry.x + i * p.m * p.n, p.n, e->err));
    }
    sal_ref_store(&ry);
done:
    sal_ref_free(&ra);
    sal_ref_free(&rb);
    sal_ref_free(&ry);
    return st;
}

static sal_vid mat_mul_swap(sal_builder *b, sal_vid x)
{
    int64_t perm[SAL_MAX_RANK];
    if (b->st != SAL_OK)
        return SAL_NONE;
    int rank = sal_val(b->g, x)->rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    return sal_b_transpose(b, x, perm);
}

/* x as a matrix of its last axis' length. */
static sal_vid mat_mul_flat(sal_builder *b, sal_vid x)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x);
    int64_t dims[2] = {1, v->dims[v->rank - 1]};
    for (int i = 0; i < v->rank - 1; i++)
        dims[0] = sal_dim_mul(b->g, dims[0], v->dims[i]);
    return sal_b_reshape(b, x, 2, dims, x);
}

/* dA = gy B^T and dB = A^T gy, summed over the axes that broadcast. Weights B without batch axes
 * take one product over all rows instead of a sum of many. */
static sal_status mat_mul_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    sal_vid a = v->node->in[0], w = v->node->in[1], gy = v->gout[0];
    const sal_value *av = sal_val(b->g, a), *wv = sal_val(b->g, w);
    int rank_a = av->rank, rank_w = wv->rank;
    static const int64_t row = -2, column = -1;

    if (rank_a < 1 || rank_w < 1)
        return b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: the inputs' ranks are not known",
                                v->node->name);
    sal_vid gy2 = gy, a2 = a, w2 = w;
    if (rank_w == 1) {
        gy2 = sal_b_unsqueeze(b, gy2, 1, &column);
        w2 = sal_b_unsqueeze(b, w, 1, (const int64_t[]){1});
    }
    if (rank_a == 1) {
        gy2 = sal_b_unsqueeze(b, gy2, 1, &row);
        a2 = sal_b_unsqueeze(b, a, 1, (const int64_t[]){0});
    }
    if (v->need[0]) {
        sal_vid g = sal_b_sum_to(b, sal_b2(b, "MatMul", gy2, mat_mul_swap(b, w2)), a2);
        v->gin[0] = rank_a == 1 ? sal_b_squeeze(b, g, 1, (const int64_t[]){0}) : g;
    }
    if (v->need[1]) {
        sal_vid g;
        if (rank_w <= 2 && rank_a > 2)
            g = sal_b2(b, "MatMul", mat_mul_swap(b, mat_mul_flat(b, a2)), mat_mul_flat(b, gy2));
        else
            g = sal_b_sum_to(b, sal_b2(b, "MatMul", mat_mul_swap(b, a2), gy2), w2);
        v->gin[1] = rank_w == 1 ? sal_b_squeeze(b, g, 1, (const int64_t[]){1}) : g;
    }
    return b->st;
}

static const char *const mat_mul_cases[] = {
    "f32[3,4] f32[4,5] ; ;",
    "f32[2,3,4] f32[2,4,5] ; ;",
    "f32[2,3,4] f32[4,5] ; ;",
    "f32[3,4] f32[2,4,5] ; ;",
    "f32[2,1,3,4] f32[3,4,2] ; ;",
    "f32[1,2,3] f32[4,3,2] ; ;",
    "f32[4] f32[4,5] ; ;",
    "f32[3,4] f32[4] ; ;",
    "f32[4] f32[4] ; ;",
    "f32[4] f32[2,4,3] ; ;",
    "f32[2,3,4] f32[4] ; ;",
    "f32[2,1,3,4] f32[4] ; ;",
    "i64[2,3]{1,-2,3,4,5,-6} i64[3,2]{7,8,-9,10,11,12} ; ; nograd",
    "i32[2,3]{1,-2,3,4,5,-6} i32[3]{7,8,-9} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_mat_mul = {
    .name = "MatMul",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 9,
    .infer = mat_mul_infer,
    .eval = mat_mul_eval,
    .vjp = mat_mul_vjp,
    .cases = mat_mul_cases,
};
