/* MaxUnpool: zeros, but for the elements of x at the places that indices (of a MaxPool) name. */
#include "ops/core/move.h"

static sal_status max_unpool_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    size_t nk, ns, np;
    sal_infer c = {b->g, n, b->err};
    const int64_t *kernel = sal_node_ints(n, "kernel_shape", &nk),
                  *strides = sal_node_ints(n, "strides", &ns),
                  *pads = sal_node_ints(n, "pads", &np);
    int64_t dims[SAL_MAX_RANK], want[SAL_MAX_RANK], begin[SAL_MAX_RANK] = {0},
                                                    end[SAL_MAX_RANK] = {0}, count = 1;
    int given = -1;
    bool symbolic = false;
    const sal_value *x = sal_val(b->g, n->in[0]);
    bool fits = x->rank >= 3 && sal_value_is_static(x) && kernel != NULL &&
                nk == (size_t)x->rank - 2 && (strides == NULL || ns == nk) &&
                (pads == NULL || np == 2 * nk);
    for (int i = 0; fits && i < x->rank; i++) {
        int64_t k = i < 2 ? 1 : kernel[i - 2], s = i < 2 || strides == NULL ? 1 : strides[i - 2];
        int64_t p = i < 2 || pads == NULL ? 0 : pads[i - 2] + pads[(size_t)i - 2 + nk];
        fits = k >= 1 && s >= 1 && k < 1 << 20 && s < 1 << 20 && p >= 0 && p < 1 << 20 &&
               x->dims[i] > 0 && x->dims[i] < 1 << 28;
        dims[i] = fits ? (x->dims[i] - 1) * s - p + k : 1;
        fits = fits && dims[i] > 0 && dims[i] <= (INT64_C(1) << 31) / count;
        count *= fits ? dims[i] : 1;
    }
    if (fits && sal_node_in(n, 2) != SAL_NONE) {
        b->st = sal_infer_ints(&c, 2, want, SAL_MAX_RANK, &given, &symbolic);
        fits = given == x->rank && !symbolic;
        for (int i = 0; fits && i < x->rank; i++) {
            fits = want[i] >= dims[i] && want[i] < SAL_DIM_MAX;
            end[i] = want[i] - dims[i];
        }
    }
    if (b->st == SAL_OK && !fits)
        b->st = sal_fail(
            b->err, SAL_ESHAPE,
            "node %s: a fixed input shape, plausible attributes and a constant output_shape "
            "are needed",
            n->name);
    if (b->st != SAL_OK)
        return b->st;
    const int64_t all = sal_value_count(x);
    sal_attr a[] = {SAL_AI("axis", 0)};
    sal_vid zeros = sal_move_zeros(b, x->dtype, 1, &count, n->in[0]);
    sal_vid in[3] = {zeros, sal_b_reshape(b, n->in[1], 1, &all, n->in[1]),
                     sal_b_reshape(b, n->in[0], 1, &all, n->in[0])};
    sal_vid y = sal_b_op(b, "ScatterElements", 3, in, 1, a);
    if (b->st != SAL_OK)
        return b->st;
    y = sal_b_reshape(b, y, x->rank, dims, y);
    out[0] = given >= 0 ? sal_move_pad(b, y, begin, end) : y;
    return b->st;
}
/* Sizes that are only known at run time leave the result's shape open. */
static sal_status max_unpool_infer(sal_infer *c)
{
    int64_t size[SAL_MAX_RANK];
    int count;
    bool symbolic;
    const sal_value *x = sal_infer_in(c, 0);
    if (sal_infer_in(c, 2) == NULL)
        return sal_infer_expansion(c);
    sal_status st = sal_infer_ints(c, 2, size, SAL_MAX_RANK, &count, &symbolic);
    if (st != SAL_OK || (count >= 0 && !symbolic))
        return st != SAL_OK ? st : sal_infer_expansion(c);
    return sal_move_out_unknown(c, x->rank);
}

static const char *const max_unpool_cases[] = {
    "f32[1,1,2,2] i64[1,1,2,2]{0,3,12,15} ; kernel_shape=[2,2] strides=[2,2]",
    "f32[1,1,2,2] i64[1,1,2,2]{5,7,13,15} i64[4]{1,1,5,5} ; kernel_shape=[2,2] strides=[2,2] ; "
    "noort",
    NULL,
};

const sal_op_desc sal_op_max_unpool = {
    .name = "MaxUnpool",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 11,
    .infer = max_unpool_infer,
    .expand = max_unpool_expand,
    .cases = max_unpool_cases,
};
