/* Reference pooling over one plane. */
#include "ops/core/pool_ref.h"

#include <math.h>

sal_status sal_pool_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    sal_window win;
    sal_status st = SAL_OK;

    if (x->rank >= 0) {
        st = sal_window_from_node(&win, c->node, x->rank, x->dims, NULL, false, c->err);
        if (st != SAL_OK)
            return st;
        dims[0] = x->dims[0];
        dims[1] = x->dims[1];
        for (int i = 0; i < win.n; i++)
            dims[2 + i] = sal_window_out_dim(&win, c->g, i, x->dims[2 + i], false);
    }
    st = sal_infer_out(c, 0, x->dtype, x->rank, dims);
    if (st == SAL_OK && sal_node_out(c->node, 1) != SAL_NONE)
        st = sal_infer_out(c, 1, SAL_I64, x->rank, dims);
    return st;
}

sal_status sal_pool_infer_grad(sal_infer *c, int pooled, int like)
{
    const sal_value *x = sal_infer_in(c, 1);
    int64_t dims[SAL_MAX_RANK];
    sal_window win;

    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    sal_status st = sal_window_from_node(&win, c->node, x->rank, x->dims, NULL, false, c->err);
    if (st != SAL_OK)
        return st;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 0; i < win.n; i++)
        dims[2 + i] = win.out[i];
    for (int k = 0; k < 3; k++) {
        const sal_value *v = sal_infer_in(c, k);
        const int64_t *want = k == 2 || k == pooled ? dims : x->dims;
        bool fits = v->rank < 0 || v->rank == x->rank;
        for (int i = 0; i < v->rank && fits; i++)
            fits = v->dims[i] < 0 || want[i] < 0 || v->dims[i] == want[i];
        if (!fits)
            return sal_fail(c->err, SAL_ESHAPE, "the shape of input %d does not fit the pooling",
                            k);
    }
    return sal_infer_out_like(c, 0, like);
}

sal_status sal_pool_ref_make(sal_pool_ref *p, const sal_node *node, int rank, const int64_t *dims,
                             sal_error *err)
{
    sal_status st = sal_window_from_node(&p->win, node, rank, dims, NULL, false, err);
    if (st != SAL_OK)
        return st;
    p->win = sal_window_lift(&p->win);
    p->planes = dims[0] * dims[1];
    p->in_size = p->win.in[0] * p->win.in[1] * p->win.in[2];
    p->out_size = p->win.out[0] * p->win.out[1] * p->win.out[2];
    return SAL_OK;
}

/* Kernel elements k with low <= o * stride - pad + k * dilation < high. */
typedef struct pool_range {
    int64_t first, last, start; /* element of k = 0 */
} pool_range;

static pool_range pool_clip(const sal_window *w, int axis, int64_t o, int64_t low, int64_t high)
{
    pool_range r = {0, w->kernel[axis] - 1, o * w->strides[axis] - w->pads_begin[axis]};
    int64_t d = w->dilations[axis];
    if (r.start < low)
        r.first = (low - r.start + d - 1) / d;
    if (r.start + r.last * d >= high)
        r.last = high <= r.start ? -1 : (high - 1 - r.start) / d;
    return r;
}

typedef struct pool_box {
    pool_range r[SAL_WINDOW_AXES];
} pool_box;

static pool_box pool_window(const sal_pool_ref *p, int64_t o, bool include_pad)
{
    const sal_window *w = &p->win;
    int64_t at[SAL_WINDOW_AXES] = {o / (w->out[2] * w->out[1]), o / w->out[2] % w->out[1],
                                   o % w->out[2]};
    pool_box box;
    for (int i = 0; i < SAL_WINDOW_AXES; i++) {
        int64_t low = include_pad ? -w->pads_begin[i] : 0;
        int64_t high = w->in[i] + (include_pad ? w->pads_end[i] : 0);
        box.r[i] = pool_clip(w, i, at[i], low, high);
    }
    return box;
}

/* Visit the elements of a window, row-major. */
#define POOL_EACH(box, w, index)                                                                   \
    for (int64_t z_ = (box).r[0].first; z_ <= (box).r[0].last; z_++)                               \
        for (int64_t y_ = (box).r[1].first; y_ <= (box).r[1].last; y_++)                           \
            for (int64_t x_ = (box).r[2].first,                                                    \
                         row_ = (((box).r[0].start + z_ * (w)->dilations[0]) * (w)->in[1] +        \
                                 (box).r[1].start + y_ * (w)->dilations[1]) *                      \
                                    (w)->in[2] +                                                   \
                                (box).r[2].start,                                                  \
                         index = row_ + x_ * (w)->dilations[2];                                    \
                 x_ <= (box).r[2].last; x_++, index = row_ + x_ * (w)->dilations[2])

void sal_pool_ref_argmax(const sal_pool_ref *p, const double *plane, int64_t *at)
{
    for (int64_t o = 0; o < p->out_size; o++) {
        pool_box box = pool_window(p, o, false);
        at[o] = -1;
        POOL_EACH(box, &p->win, i)
        {
            if (at[o] < 0 || plane[i] > plane[at[o]] || (isnan(plane[i]) && !isnan(plane[at[o]])))
                at[o] = i;
        }
    }
}

void sal_pool_ref_sum(const sal_pool_ref *p, const double *plane, double *sums)
{
    for (int64_t o = 0; o < p->out_size; o++) {
        pool_box box = pool_window(p, o, false);
        double sum = 0.0;
        POOL_EACH(box, &p->win, i)
        {
            sum += plane[i];
        }
        sums[o] = sum;
    }
}

void sal_pool_ref_spread(const sal_pool_ref *p, const double *values, double *plane)
{
    for (int64_t o = 0; o < p->out_size; o++) {
        pool_box box = pool_window(p, o, false);
        POOL_EACH(box, &p->win, i)
        {
            plane[i] += values[o];
        }
    }
}

void sal_pool_ref_counts(const sal_pool_ref *p, bool include_pad, double *counts)
{
    for (int64_t o = 0; o < p->out_size; o++) {
        pool_box box = pool_window(p, o, include_pad);
        double n = 1.0;
        for (int i = 0; i < SAL_WINDOW_AXES; i++)
            n *= (double)SAL_MAX(box.r[i].last - box.r[i].first + 1, 0);
        counts[o] = n;
    }
}

sal_vid sal_pool_build_counts(sal_builder *b, const sal_node *node, sal_vid x, const int64_t *dims,
                              bool include_pad)
{
    sal_status st = SAL_OK;
    sal_tensor wide = SAL_TENSOR_INIT, t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;
    const sal_value *xv = sal_val(b->g, x);
    int64_t shape[SAL_MAX_RANK] = {1, 1};
    sal_pool_ref p;
    sal_window win;

    if (b->st != SAL_OK)
        return SAL_NONE;
    SAL_TRY(sal_window_from_node(&win, node, xv->rank, dims, NULL, false, b->err));
    for (int i = 0; i < win.n; i++)
        shape[2 + i] = win.out[i];
    SAL_TRY(sal_pool_ref_make(&p, node, xv->rank, dims, b->err));
    SAL_TRY(sal_tensor_new(&wide, SAL_F64, xv->rank, shape, b->err));
    sal_pool_ref_counts(&p, include_pad, wide.data);
    SAL_TRY(sal_tensor_cast(&t, &wide, xv->dtype, b->err));
    v = sal_b_tensor(b, &t);
done:
    sal_tensor_free(&wide);
    sal_tensor_free(&t);
    if (st != SAL_OK)
        b->st = st;
    return v;
}

int sal_pool_attrs(const sal_node *node, int n_more, const sal_attr *more, sal_attr *out)
{
    static const char *const names[SAL_POOL_ATTRS] = {
        "kernel_shape", "strides",   "dilations",         "pads",
        "auto_pad",     "ceil_mode", "count_include_pad", NULL};
    int n = 0;
    for (int i = 0; names[i] != NULL; i++) {
        const sal_attr *a = sal_node_attr(node, names[i]);
        if (a != NULL)
            out[n++] = *a;
    }
    for (int i = 0; i < n_more; i++)
        out[n++] = more[i];
    return n;
}
