/* Geometry of convolutions and pooling. */
#include "ops/core/window.h"

/* Keeps every product below 2^62. */
#define WINDOW_MAX_ATTR ((int64_t)1 << 24)
#define WINDOW_MAX_SIZE ((int64_t)1 << 36)

static sal_status window_list(const sal_node *node, const char *name, int n, int64_t low,
                              int64_t fallback, int64_t *out, sal_error *err)
{
    size_t count = 0;
    const int64_t *v = sal_node_ints(node, name, &count);
    if (v == NULL || count == 0) {
        for (int i = 0; i < n; i++)
            out[i] = fallback;
        return SAL_OK;
    }
    if (count != (size_t)n)
        return sal_fail(err, SAL_EINVAL, "attribute %s has %zu numbers; %d are needed", name, count,
                        n);
    for (int i = 0; i < n; i++) {
        if (v[i] < low || v[i] > WINDOW_MAX_ATTR)
            return sal_fail(err, SAL_EINVAL, "attribute %s holds %lld; %lld..%lld is allowed", name,
                            (long long)v[i], (long long)low, (long long)WINDOW_MAX_ATTR);
        out[i] = v[i];
    }
    return SAL_OK;
}

static sal_status window_auto_pad(sal_window *w, const sal_node *node, sal_error *err)
{
    static const struct {
        const char *text;
        sal_auto_pad mode;
    } modes[] = {{"NOTSET", SAL_PAD_NOTSET},
                 {"VALID", SAL_PAD_VALID},
                 {"SAME_UPPER", SAL_PAD_SAME_UPPER},
                 {"SAME_LOWER", SAL_PAD_SAME_LOWER}};
    const char *text = sal_node_str(node, "auto_pad", "NOTSET");
    for (size_t i = 0; i < SAL_COUNTOF(modes); i++) {
        if (strcmp(text, modes[i].text) == 0) {
            w->auto_pad = modes[i].mode;
            return SAL_OK;
        }
    }
    return sal_fail(err, SAL_EINVAL,
                    "auto_pad is \"%.32s\"; NOTSET, VALID, SAME_UPPER or SAME_LOWER is "
                    "allowed",
                    text);
}

static sal_status window_kernel(sal_window *w, const sal_node *node, const int64_t *w_dims,
                                sal_error *err)
{
    sal_status st = window_list(node, "kernel_shape", w->n, 1, -1, w->kernel, err);
    if (st != SAL_OK)
        return st;
    for (int i = 0; i < w->n; i++) {
        int64_t given = w_dims == NULL ? -1 : w_dims[2 + i];
        if (w_dims == NULL && w->kernel[i] < 0)
            return sal_fail(err, SAL_EINVAL, "attribute kernel_shape is missing");
        if (given >= 0 && w->kernel[i] >= 0 && given != w->kernel[i])
            return sal_fail(err, SAL_ESHAPE,
                            "kernel_shape says %lld along spatial axis %d but the weights "
                            "have %lld",
                            (long long)w->kernel[i], i, (long long)given);
        if (given == 0 || given > WINDOW_MAX_ATTR)
            return sal_fail(err, SAL_ESHAPE, "weights of size %lld along spatial axis %d",
                            (long long)given, i);
        if (given > 0)
            w->kernel[i] = given;
    }
    return SAL_OK;
}

int64_t sal_window_span(const sal_window *w, int axis)
{
    return (w->kernel[axis] - 1) * w->dilations[axis] + 1;
}

/* SAME_UPPER puts the odd element at the end. */
static void window_split(sal_window *w, int i, int64_t total, bool upper)
{
    w->pads_begin[i] = upper ? total / 2 : total - total / 2;
    w->pads_end[i] = total - w->pads_begin[i];
}

static sal_status window_forward(sal_window *w, int i, sal_error *err)
{
    int64_t in = w->in[i], stride = w->strides[i];
    bool same = w->auto_pad == SAL_PAD_SAME_UPPER || w->auto_pad == SAL_PAD_SAME_LOWER;
    w->out[i] = -1;
    if (w->kernel[i] < 0) {
        if (same)
            w->pads_begin[i] = w->pads_end[i] = -1;
        return SAL_OK;
    }
    int64_t span = sal_window_span(w, i);
    if (same) {
        if (in < 0 && stride != 1) {
            w->pads_begin[i] = w->pads_end[i] = -1;
            return SAL_OK;
        }
        int64_t out = in < 0 ? -1 : (in + stride - 1) / stride;
        int64_t total = in < 0 ? span - 1 : (out - 1) * stride + span - in;
        window_split(w, i, SAL_MAX(total, 0), w->auto_pad == SAL_PAD_SAME_UPPER);
        w->out[i] = out;
        return SAL_OK;
    }
    if (in < 0)
        return SAL_OK;
    int64_t room = in + w->pads_begin[i] + w->pads_end[i] - span;
    if (room < 0)
        return sal_fail(err, SAL_ESHAPE,
                        "a window of %lld elements does not fit into %lld elements plus "
                        "padding %lld+%lld along spatial axis %d",
                        (long long)span, (long long)in, (long long)w->pads_begin[i],
                        (long long)w->pads_end[i], i);
    w->out[i] = room / stride + 1;
    if (w->ceil_mode && w->auto_pad == SAL_PAD_NOTSET && room % stride != 0) {
        /* A window that would start in the end padding does not count. */
        if (w->out[i] * stride < in + w->pads_begin[i])
            w->out[i]++;
    }
    return SAL_OK;
}

static sal_status window_transposed(sal_window *w, int i, int64_t wanted, sal_error *err)
{
    int64_t in = w->in[i], stride = w->strides[i];
    bool same = w->auto_pad == SAL_PAD_SAME_UPPER || w->auto_pad == SAL_PAD_SAME_LOWER;
    w->out[i] = -1;
    if (in == 0)
        return sal_fail(err, SAL_ESHAPE, "spatial axis %d has no elements", i);
    if (w->kernel[i] < 0 || in < 0) {
        if (same || wanted >= 0)
            w->pads_begin[i] = w->pads_end[i] = -1;
        w->out[i] = wanted;
        return SAL_OK;
    }
    int64_t reach = stride * (in - 1) + sal_window_span(w, i);
    if (wanted < 0 && same)
        wanted = in * stride;
    if (wanted >= 0) {
        /* Nothing is cropped when more is wanted than the windows reach: then the end is zero. */
        int64_t total = SAL_MAX(reach + w->out_pad[i] - wanted, 0);
        window_split(w, i, total, w->auto_pad == SAL_PAD_SAME_UPPER);
        w->out_pad[i] = wanted - (reach - total);
        w->out[i] = wanted;
        return SAL_OK;
    }
    w->out[i] = reach + w->out_pad[i] - w->pads_begin[i] - w->pads_end[i];
    if (w->out[i] <= 0)
        return sal_fail(err, SAL_ESHAPE,
                        "the padding %lld+%lld leaves nothing of %lld elements along "
                        "spatial axis %d",
                        (long long)w->pads_begin[i], (long long)w->pads_end[i],
                        (long long)(reach + w->out_pad[i]), i);
    return SAL_OK;
}

sal_status sal_window_from_node(sal_window *w, const sal_node *node, int rank,
                                const int64_t *x_dims, const int64_t *w_dims, bool transposed,
                                sal_error *err)
{
    sal_status st = SAL_OK;
    int64_t pads[2 * SAL_WINDOW_AXES] = {0};
    int64_t wanted[SAL_WINDOW_AXES] = {-1, -1, -1};

    memset(w, 0, sizeof(*w));
    if (rank < 3 || rank > 2 + SAL_WINDOW_AXES)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "input of rank %d; 1 to %d spatial axes (rank 3 to %d) are "
                        "supported",
                        rank, SAL_WINDOW_AXES, 2 + SAL_WINDOW_AXES);
    w->n = rank - 2;
    for (int i = 0; i < w->n; i++) {
        w->in[i] = SAL_MAX(x_dims[2 + i], -1);
        if (w->in[i] > WINDOW_MAX_SIZE)
            return sal_fail(err, SAL_ESHAPE, "spatial axis %d has %lld elements", i,
                            (long long)w->in[i]);
    }
    SAL_TRY(window_auto_pad(w, node, err));
    SAL_TRY(window_kernel(w, node, w_dims, err));
    SAL_TRY(window_list(node, "strides", w->n, 1, 1, w->strides, err));
    SAL_TRY(window_list(node, "dilations", w->n, 1, 1, w->dilations, err));
    w->ceil_mode = sal_node_int(node, "ceil_mode", 0) != 0;
    if (w->auto_pad == SAL_PAD_NOTSET)
        SAL_TRY(window_list(node, "pads", 2 * w->n, 0, 0, pads, err));
    for (int i = 0; i < w->n; i++) {
        w->pads_begin[i] = pads[i];
        w->pads_end[i] = pads[w->n + i];
    }
    if (transposed) {
        size_t count = 0;
        const int64_t *shape = sal_node_ints(node, "output_shape", &count);
        SAL_TRY(window_list(node, "output_padding", w->n, 0, 0, w->out_pad, err));
        if (shape != NULL && count == (size_t)rank) { /* some files count batch and channels, too */
            for (int i = 0; i < w->n; i++)
                wanted[i] = SAL_MIN(SAL_MAX(shape[2 + i], 0), WINDOW_MAX_SIZE);
        } else {
            SAL_TRY(window_list(node, "output_shape", w->n, 1, -1, wanted, err));
        }
    }
    for (int i = 0; i < w->n; i++)
        SAL_TRY(transposed ? window_transposed(w, i, wanted[i], err) : window_forward(w, i, err));
done:
    return st;
}

int64_t sal_window_out_dim(const sal_window *w, sal_graph *g, int axis, int64_t in_dim,
                           bool transposed)
{
    if (w->out[axis] >= 0)
        return w->out[axis];
    bool same = w->auto_pad == SAL_PAD_SAME_UPPER || w->auto_pad == SAL_PAD_SAME_LOWER;
    int64_t stride = w->strides[axis];
    if (w->kernel[axis] < 0)
        return sal_dim_fresh(g);
    if (transposed) {
        if (same)
            return sal_dim_mul(g, in_dim, stride);
        int64_t more = w->out_pad[axis] + sal_window_span(w, axis) - w->pads_begin[axis] -
                       w->pads_end[axis] - stride;
        if (more < 0)
            return sal_dim_fresh(g);
        int64_t d = sal_dim_mul(g, in_dim, stride);
        return more == 0 ? d : sal_dim_add(g, d, more);
    }
    if (stride != 1)
        return sal_dim_fresh(g);
    if (same)
        return in_dim;
    int64_t more = w->pads_begin[axis] + w->pads_end[axis] - sal_window_span(w, axis) + 1;
    if (more < 0)
        return sal_dim_fresh(g);
    return more == 0 ? in_dim : sal_dim_add(g, in_dim, more);
}

sal_window sal_window_lift(const sal_window *w)
{
    sal_window l = *w;
    int shift = SAL_WINDOW_AXES - w->n;
    l.n = SAL_WINDOW_AXES;
    for (int i = 0; i < SAL_WINDOW_AXES; i++) {
        int j = i - shift;
        l.kernel[i] = j < 0 ? 1 : w->kernel[j];
        l.strides[i] = j < 0 ? 1 : w->strides[j];
        l.dilations[i] = j < 0 ? 1 : w->dilations[j];
        l.pads_begin[i] = j < 0 ? 0 : w->pads_begin[j];
        l.pads_end[i] = j < 0 ? 0 : w->pads_end[j];
        l.out_pad[i] = j < 0 ? 0 : w->out_pad[j];
        l.in[i] = j < 0 ? 1 : w->in[j];
        l.out[i] = j < 0 ? 1 : w->out[j];
    }
    return l;
}

int sal_window_attrs(const sal_window *w, int64_t pads[2 * SAL_WINDOW_AXES], sal_attr *attr)
{
    for (int i = 0; i < w->n; i++) {
        pads[i] = w->pads_begin[i];
        pads[w->n + i] = w->pads_end[i];
    }
    attr[0] = SAL_AINTS("kernel_shape", w->kernel, w->n);
    attr[1] = SAL_AINTS("strides", w->strides, w->n);
    attr[2] = SAL_AINTS("dilations", w->dilations, w->n);
    attr[3] = SAL_AINTS("pads", pads, 2 * w->n);
    return SAL_WINDOW_ATTRS;
}

sal_status sal_window_need_static(const sal_graph *g, const sal_node *node, sal_vid v,
                                  sal_error *err)
{
    char text[160];
    const sal_value *x = sal_val(g, v);
    bool known = x->rank >= 0;
    for (int i = 2; i < x->rank; i++)
        known = known && !SAL_DIM_IS_SYMBOL(x->dims[i]);
    if (known)
        return SAL_OK;
    return sal_fail(err, SAL_ESHAPE,
                    "node %s: the spatial size of %s must be known to differentiate; give "
                    "the model's input a fixed size",
                    node->name, sal_value_text(g, v, text, sizeof(text)));
}
