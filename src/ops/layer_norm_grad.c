/* LayerNormGrad(dy, x, scale; axis, epsilon): gradient of LayerNormalization with respect to x.
 * With y = (x - mean) inv the normalised row and g = dy scale: dx = inv (g - mean(g) - y mean(g
 * y)). Its own derivative is that of the expansion. */
#include "ops/core/norm.h"

static sal_status layer_norm_grad_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 1);
    int axis;
    sal_status st = SAL_OK;
    if (x->rank >= 0)
        st = sal_infer_axis(c, sal_node_int(c->node, "axis", -1), x->rank, &axis);
    if (st == SAL_OK)
        st = sal_norm_check_scale(c, 0, x, false);
    if (st == SAL_OK)
        st = sal_norm_check_scale(c, 2, x, true);
    return st == SAL_OK ? sal_infer_out_like(c, 0, 1) : st;
}

static void layer_norm_grad_row(const double *g, const double *y, double inv, double *dx, int64_t n)
{
    double mean = 0.0, dot = 0.0;
    for (int64_t i = 0; i < n; i++) {
        mean += g[i];
        dot += g[i] * y[i];
    }
    mean /= (double)n;
    dot /= (double)n;
    for (int64_t i = 0; i < n; i++)
        dx[i] = inv * (g[i] - mean - y[i] * dot);
}

static sal_status layer_norm_grad_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[1];
    sal_ref rd = SAL_REF_INIT, rx = SAL_REF_INIT, ro = SAL_REF_INIT;
    int64_t axis = sal_node_int(e->node, "axis", -1), count = sal_tensor_count(x);
    int from = (int)(axis < 0 ? axis + x->rank : axis);
    int64_t rows = sal_norm_span(x->dims, 0, from), n = sal_norm_span(x->dims, from, x->rank);
    double *g = NULL, *y = NULL, *inv = NULL;

    SAL_TRY(sal_ref_in(&rd, e->in[0], e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ro, e->out[0], e->err));
    SAL_TRY(sal_ref_broadcast(&g, e->in[2], x->rank, x->dims, e->err));
    y = sal_calloc((size_t)SAL_MAX(count, 1), sizeof(*y));
    inv = sal_calloc((size_t)SAL_MAX(rows, 1), sizeof(*inv));
    if (y == NULL || inv == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    sal_norm_ref_rows(rx.x, y, rows, n, sal_node_float(e->node, "epsilon", 1e-5), true, NULL, inv);
    for (int64_t i = 0; i < count; i++)
        g[i] *= rd.x[i];
    for (int64_t r = 0; r < rows; r++)
        layer_norm_grad_row(g + r * n, y + r * n, inv[r], ro.x + r * n, n);
    sal_ref_store(&ro);
done:
    sal_free(g);
    sal_free(y);
    sal_free(inv);
    sal_ref_free(&rd);
    sal_ref_free(&rx);
    sal_ref_free(&ro);
    return st;
}

static sal_status layer_norm_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int64_t axes[SAL_MAX_RANK], axis = sal_node_int(n, "axis", -1);
    sal_vid x = n->in[1], inv = SAL_NONE;
    int rank = sal_val(b->g, x)->rank, from = (int)(axis < 0 ? axis + rank : axis);
    if (rank < 1)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    for (int i = from; i < rank; i++)
        axes[i - from] = i;
    int n_axes = rank - from;
    sal_vid y = sal_norm_build(b, sal_norm_wide(b, n, x), n_axes, axes,
                               sal_node_float(n, "epsilon", 1e-5), true, NULL, &inv);
    sal_vid g = sal_norm_wide(b, n, sal_b2(b, "Mul", n->in[0], n->in[2]));
    sal_vid mean = sal_b_reduce(b, "ReduceMean", g, n_axes, axes, true);
    sal_vid dot = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", g, y), n_axes, axes, true);
    sal_vid dx = sal_b2(b, "Sub", sal_b2(b, "Sub", g, mean), sal_b2(b, "Mul", y, dot));
    out[0] = sal_norm_narrow(b, sal_b2(b, "Mul", dx, inv), x);
    return b->st;
}

static const char *const layer_norm_grad_cases[] = {
    "f32[2,3,6] f32[2,3,6] f32[6] ; ;",
    "f32[2,3,4] f32[2,3,4] f32[3,4] ; axis=1 epsilon=0.01 ;",
    NULL,
};

const sal_op_desc sal_op_layer_norm_grad = {
    .name = "LayerNormGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .since = 13,
    .infer = layer_norm_grad_infer,
    .eval = layer_norm_grad_eval,
    .expand = layer_norm_grad_expand,
    .cases = layer_norm_grad_cases,
};
