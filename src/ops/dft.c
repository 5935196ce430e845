/* DFT: discrete Fourier transform along an axis of [.., n, .., 1 or 2] (real or complex numbers in
 * the last axis). Expanded to a product with the matrix of cosines and sines, zero padding, halves
 * of spectra and the scale of the inverse included: at the lengths that networks use this is a fast
 * matrix product, and its derivative is one too. */
#include "ops/core/signal.h"

static sal_status dft_upgrade(sal_upgrade *u)
{
    sal_status st;
    if (u->opset >= 20)
        return SAL_OK;
    if (sal_node_attr(u->node, "axis") == NULL)
        SAL_TRY(sal_upgrade_set_int(u, "axis", 1));
    SAL_TRY(sal_upgrade_attr_to_input(u, "axis", 2, SAL_F32));
done:
    return st;
}

/* What is known of the transform. Lengths are < 0 while they are not. */
static sal_status dft_plan(const sal_infer *c, sal_fourier *f, int *axis)
{
    const sal_value *x = sal_infer_in(c, 0);
    bool onesided = sal_node_int(c->node, "onesided", 0) != 0, known = false;
    int64_t at = -2, length = 0;
    sal_status st;
    *f = (sal_fourier){.n_in = -1, .length = -1, .n_out = -1};
    f->inverse = sal_node_int(c->node, "inverse", 0) != 0;
    f->hermitian = f->inverse && onesided;
    *axis = -1;
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "the input must have at least 2 dimensions");
    SAL_TRY(sal_signal_int(c, 2, &at, &known));
    if (x->rank < 0 || (!known && sal_infer_in(c, 2) != NULL))
        return SAL_OK;
    SAL_TRY(sal_infer_axis(c, at, x->rank, axis));
    int64_t parts = x->dims[x->rank - 1];
    if (*axis == x->rank - 1 || (parts >= 0 && parts != 1 && parts != 2))
        return sal_fail(c->err, SAL_ESHAPE,
                        "the last axis holds 1 (real) or 2 (complex) numbers and is not "
                        "transformed");
    f->parts_in = parts == 1 || parts == 2 ? (int)parts : -1;
    f->parts_out = f->hermitian ? 1 : 2;
    f->n_in = x->dims[*axis];
    SAL_TRY(sal_signal_int(c, 1, &length, &known));
    if (sal_infer_in(c, 1) == NULL) {
        known = f->n_in >= 0;
        length = f->hermitian ? 2 * (f->n_in - 1) : f->n_in;
    }
    if (!known)
        return SAL_OK;
    if (length < 1)
        return sal_fail(c->err, SAL_EINVAL, "a transform of length %lld", (long long)length);
    f->length = length;
    f->n_out = onesided && !f->inverse ? length / 2 + 1 : length;
done:
    return st;
}

static sal_status dft_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    sal_fourier f;
    int axis;
    sal_status st;
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
        return sal_fail(c->err, SAL_EINVAL, "input 0 must be a float");
    SAL_TRY(dft_plan(c, &f, &axis));
    for (int i = 0; i < x->rank; i++)
        dims[i] = i == x->rank - 1 ? (f.hermitian ? 1 : 2)
                  : axis < 0       ? sal_dim_fresh(c->g)
                  : i != axis      ? x->dims[i]
                  : f.n_out >= 0   ? f.n_out
                                   : sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, x->dtype, x->rank, dims));
done:
    return st;
}

static sal_status dft_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    sal_tensor *y = e->out[0];
    int64_t at = e->node->n_in > 2 && e->in[2] != NULL ? (int64_t)sal_tensor_get(e->in[2], 0) : -2;
    int axis = (int)(at < 0 ? at + x->rank : at);
    sal_fourier f = {.inverse = sal_node_int(e->node, "inverse", 0) != 0};
    int64_t outer = 1, inner = 1;
    f.hermitian = f.inverse && sal_node_int(e->node, "onesided", 0) != 0;
    f.n_in = x->dims[axis];
    f.n_out = y->dims[axis];
    f.parts_in = (int)x->dims[x->rank - 1];
    f.parts_out = (int)y->dims[y->rank - 1];
    f.length = f.hermitian ? 2 * (f.n_in - 1) : f.n_in;
    if (e->node->n_in > 1 && e->in[1] != NULL)
        f.length = (int64_t)sal_tensor_get(e->in[1], 0);
    for (int i = 0; i < x->rank - 1; i++) {
        outer *= i < axis ? x->dims[i] : 1;
        inner *= i > axis ? x->dims[i] : 1;
    }
    for (int64_t o = 0; o < outer * inner * f.n_out * f.parts_out; o++) {
        int q = (int)(o % f.parts_out);
        int64_t in = o / f.parts_out % inner, k = o / f.parts_out / inner % f.n_out;
        int64_t out = o / f.parts_out / inner / f.n_out;
        double sum = 0.0;
        for (int64_t j = 0; j < f.n_in; j++)
            for (int p = 0; p < f.parts_in; p++)
                sum += sal_tensor_get(x, ((out * f.n_in + j) * inner + in) * f.parts_in + p) *
                       sal_fourier_weight(&f, j, p, k, q);
        sal_tensor_set(y, o, sum);
    }
    return SAL_OK;
}

static sal_vid dft_matrix(sal_builder *b, const sal_node *n, const sal_fourier *f, sal_dtype dtype)
{
    int64_t dims[2] = {f->n_in * f->parts_in, f->n_out * f->parts_out}, i = 0;
    sal_tensor t = SAL_TENSOR_INIT;
    if (b->st == SAL_OK && sal_fourier_size(f) < 0)
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                         "DFT node '%s': the matrix of a transform of length %lld is too large",
                         n->name, (long long)f->length);
    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, dtype, 2, dims, b->err);
    for (int64_t j = 0; j < f->n_in && b->st == SAL_OK; j++)
        for (int p = 0; p < f->parts_in; p++)
            for (int64_t k = 0; k < f->n_out; k++)
                for (int q = 0; q < f->parts_out; q++)
                    sal_tensor_set(&t, i++, sal_fourier_weight(f, j, p, k, q));
    sal_vid m = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return m;
}

static sal_status dft_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0];
    const sal_value *v = sal_val(b->g, x);
    sal_infer c = {b->g, n, b->err};
    int64_t perm[SAL_MAX_RANK], dims[SAL_MAX_RANK];
    int axis, rank = v->rank, k = 0;
    sal_fourier f;
    b->st = dft_plan(&c, &f, &axis);
    if (b->st == SAL_OK && (axis < 0 || f.n_in < 0 || f.length < 0 || f.parts_in < 0))
        b->st = sal_fail(b->err, SAL_ESHAPE,
                         "DFT node '%s': axis and length of the transform must be known before it "
                         "runs",
                         n->name);
    if (b->st != SAL_OK)
        return b->st;
    sal_dtype dtype = v->dtype == SAL_F64 ? SAL_F64 : SAL_F32;
    for (int i = 0; i < rank - 1; i++) /* the axis moves to the place before the last */
        if (i != axis)
            perm[k++] = i;
    perm[k++] = axis;
    perm[k] = rank - 1;
    bool moved = axis != rank - 2;
    sal_vid wide = sal_signal_wide(b, x), t = moved ? sal_b_transpose(b, wide, perm) : wide;
    for (int i = 0; i < rank - 2; i++)
        dims[i] = v->dims[perm[i]];
    dims[rank - 2] = f.n_in * f.parts_in;
    sal_vid rows = sal_b_reshape(b, t, rank - 1, dims, t);
    sal_vid y = sal_b2(b, "MatMul", rows, dft_matrix(b, n, &f, dtype));
    dims[rank - 2] = f.n_out;
    dims[rank - 1] = f.parts_out;
    y = sal_b_reshape(b, y, rank, dims, t);
    int64_t back[SAL_MAX_RANK];
    for (int i = 0; i < rank; i++)
        back[perm[i]] = i;
    out[0] = sal_signal_narrow(b, moved ? sal_b_transpose(b, y, back) : y, x);
    return b->st;
}

static const char *const dft_cases[] = {
    "f32[2,10,1] _ i64[]{1}",
    "f32[2,7,2] _ i64[]{1} ; inverse=1",
    "f32[2,8,1] ; onesided=1",
    "f32[1,5,2] ; onesided=1 inverse=1",
    "f32[1,5,2] i64[]{9} ; onesided=1 inverse=1",
    "f32[3,4,2,1] i64[]{6} i64[]{0}",
    "f32[2,6,3,2] i64[]{4} i64[]{-3}",
    NULL,
};

const sal_op_desc sal_op_dft = {
    .name = "DFT",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .since = 20,
    .upgrade = dft_upgrade,
    .infer = dft_infer,
    .eval = dft_eval,
    .expand = dft_expand,
    .cases = dft_cases,
};
