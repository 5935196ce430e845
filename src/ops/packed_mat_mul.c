/* PackedMatMul(A, W; type, columns, transposed): product with a packed matrix W of rows x columns
 * numbers. A [.., columns] gives A W^T [.., rows]; transposed = 1: A [.., rows] gives A W [..,
 * columns], which is the derivative of the first. */
#include "ops/core/gemm_ref.h"
#include "ops/core/packed.h"

static bool packed_mat_mul_transposed(const sal_node *n)
{
    return sal_node_int(n, "transposed", 0) != 0;
}

static sal_status packed_mat_mul_infer(sal_infer *c)
{
    const sal_value *a = sal_infer_in(c, 0);
    bool transposed = packed_mat_mul_transposed(c->node);
    int64_t rows, dims[SAL_MAX_RANK];
    sal_packed_matrix m;
    sal_status st = sal_packed_check(c, 1, &m, &rows);
    if (st != SAL_OK)
        return st;
    if (a->rank < 0)
        return sal_infer_out(c, 0, a->dtype, -1, NULL);
    int64_t inner = transposed ? rows : m.columns, last = a->rank > 0 ? a->dims[a->rank - 1] : 0;
    if (a->rank < 1 || (last >= 0 && inner >= 0 && last != inner))
        return sal_fail(c->err, SAL_ESHAPE, "rows of %lld numbers meet a matrix that takes %lld",
                        (long long)last, (long long)inner);
    memcpy(dims, a->dims, sizeof dims);
    dims[a->rank - 1] = transposed ? m.columns : rows;
    return sal_infer_out(c, 0, a->dtype, a->rank, dims);
}

/* One row of the matrix at a time, sums in double. */
static sal_status packed_mat_mul_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *w = e->in[1];
    sal_ref ra = SAL_REF_INIT, ry = SAL_REF_INIT;
    bool transposed = packed_mat_mul_transposed(e->node);
    sal_packed_matrix m;
    float *row = NULL;
    int64_t rows = w->dims[0];

    SAL_TRY(sal_packed_of(&m, e->node, e->err));
    SAL_TRY(sal_ref_in(&ra, e->in[0], e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    row = sal_calloc((size_t)m.columns, sizeof *row);
    if (row == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    int64_t inner = transposed ? rows : m.columns, outer = transposed ? m.columns : rows;
    int64_t count = inner > 0 ? sal_tensor_count(e->in[0]) / inner : 0;
    memset(ry.x, 0, (size_t)sal_tensor_count(e->out[0]) * sizeof *ry.x);
    for (int64_t r = 0; r < rows; r++) {
        sal_packed_row(&m, w, r, row);
        for (int64_t i = 0; i < count; i++) {
            const double *a = ra.x + i * inner;
            double *y = ry.x + i * outer, sum = 0.0;
            for (int64_t k = 0; k < m.columns; k++) {
                if (transposed)
                    y[k] += a[r] * (double)row[k];
                else
                    sum += a[k] * (double)row[k];
            }
            if (!transposed)
                y[r] = sum;
        }
    }
    sal_ref_store(&ry);
done:
    sal_free(row);
    sal_ref_free(&ra);
    sal_ref_free(&ry);
    return st;
}

static sal_status packed_mat_mul_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t perm[] = {1, 0};
    sal_vid w = sal_packed_unpacked(b, n, 1);
    if (b->st != SAL_OK)
        return b->st;
    w = sal_b_cast(b, w, sal_val(b->g, n->in[0])->dtype);
    out[0] = sal_b2(b, "MatMul", n->in[0],
                    packed_mat_mul_transposed(n) ? w : sal_b_transpose(b, w, perm));
    return b->st;
}

static sal_status packed_mat_mul_vjp(sal_vjp *v)
{
    const sal_node *n = v->node;
    const char *type = sal_node_str(n, "type", "");
    sal_attr a[] = {SAL_AS("type", type), SAL_AI("columns", sal_node_int(n, "columns", 0)),
                    SAL_AI("transposed", packed_mat_mul_transposed(n) ? 0 : 1)};
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "PackedMatMul", 2, (sal_vid[]){v->gout[0], n->in[1]}, 3, a);
    return v->b->st;
}

static const char *const packed_mat_mul_cases[] = {
    "f32[2,32] u8[5,34]:0..60 ; type=\"q8_0\" columns=32 ; const=1",
    "f32[2,3,64] u8[4,36]:0..60 ; type=\"q4_0\" columns=64 ; const=1",
    "f32[1,64] u8[3,40]:0..60 ; type=\"q4_1\" columns=64 ; const=1",
    "f32[4,3] u8[3,40]:0..60 ; type=\"q4_1\" columns=64 transposed=1 ; const=1",
    "f32[2,5] u8[3,10]:0..60 ; type=\"f16\" columns=5 ; const=1",
    "f32[32]:0.1..1 u8[2,34]:0..60 ; type=\"q8_0\" columns=32 ; const=1",
    NULL,
};

const sal_op_desc sal_op_packed_mat_mul = {
    .name = "PackedMatMul",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .since = 13,
    .infer = packed_mat_mul_infer,
    .eval = packed_mat_mul_eval,
    .expand = packed_mat_mul_expand,
    .vjp = packed_mat_mul_vjp,
    .cases = packed_mat_mul_cases,
};
