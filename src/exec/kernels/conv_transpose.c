/* ConvTranspose, which is also the input gradient of a convolution.
 *
 * Stride 1: a forward convolution with flipped kernels, so that post-operations (fan-in, masks)
 * fuse. Strided: oneDNN's backward-data, or its deconvolution when there is a bias; their epilogues
 * are separate passes, because post-operations there silently run reference code. */
#include "exec/epilogue.h"
#include "exec/kernels.h"
#include "exec/kernels/conv_direct.h"
#include "exec/kernels/image_grad.h"

#include "ops/core/window.h"

typedef struct transposed {
    sal_window w;
    int rank;
    int64_t x[SAL_MAX_RANK], y[SAL_MAX_RANK];
    int64_t group, m, c,
        taps; /* m: input channels, c: output channels, taps: product of the kernel */
    int64_t kernel[SAL_WINDOW_AXES];
    bool bias;
} transposed;

static bool transposed_of(const sal_plan *p, const sal_node *n, transposed *t)
{
    const sal_value *x = sal_val(p->g, n->in[0]), *k = sal_val(p->g, n->in[1]),
                    *y = sal_val(p->g, n->out[0]);
    memset(t, 0, sizeof *t);
    if (x->rank < 3 || x->rank > 5 || x->dtype != SAL_F32 ||
        sal_window_from_node(&t->w, n, x->rank, x->dims, k->dims, true, NULL) != SAL_OK)
        return false;
    t->rank = x->rank;
    t->group = sal_node_int(n, "group", 1);
    t->m = x->dims[1];
    t->c = y->dims[1];
    t->taps = 1;
    for (int i = 0; i < t->w.n; i++) {
        t->kernel[i] = t->w.kernel[i];
        t->taps *= t->kernel[i];
    }
    t->bias = sal_node_in(n, 2) != SAL_NONE;
    memcpy(t->x, x->dims, sizeof t->x);
    memcpy(t->y, y->dims, sizeof t->y);
    for (int i = 0; i < t->rank; i++)
        if (t->x[i] == 0 || t->y[i] == 0)
            return false;
    return true;
}

/* Weights of the flipped forward convolution, row-major [g, C/g, M/g, k...] from [M, C/g, k...]. */
static float *transposed_flip(const transposed *t, const float *w)
{
    int64_t mg = t->m / t->group, cg = t->c / t->group;
    float *f = sal_malloc((size_t)(t->m * cg * t->taps) * sizeof *f);
    if (f == NULL)
        return NULL;
    for (int64_t g = 0; g < t->group; g++)
        for (int64_t c = 0; c < cg; c++)
            for (int64_t m = 0; m < mg; m++) {
                const float *from = w + ((g * mg + m) * cg + c) * t->taps;
                float *to = f + ((g * cg + c) * mg + m) * t->taps;
                for (int64_t k = 0; k < t->taps; k++)
                    to[k] = from[t->taps - 1 - k];
            }
    return f;
}

static int transposed_weight_dims(const transposed *t, bool forward, int64_t *dims)
{
    int at = 0;
    int64_t mg = t->m / t->group, cg = t->c / t->group;
    if (t->group > 1)
        dims[at++] = t->group;
    dims[at++] = forward ? cg : mg;
    dims[at++] = forward ? mg : cg;
    for (int i = 0; i < t->w.n; i++)
        dims[at++] = t->kernel[i];
    return at;
}

typedef struct transposed_pd {
    dnnl_primitive_desc_t pd;
    dnnl_memory_desc_t src, dst, bias;
    sal_layout src_layout, dst_layout;
    sal_postops po;
} transposed_pd;

static void transposed_pd_free(transposed_pd *d)
{
    if (d->pd != NULL)
        dnnl_primitive_desc_destroy(d->pd);
    if (d->src != NULL)
        dnnl_memory_desc_destroy(d->src);
    if (d->dst != NULL)
        dnnl_memory_desc_destroy(d->dst);
    if (d->bias != NULL)
        dnnl_memory_desc_destroy(d->bias);
    sal_postops_free(&d->po);
    memset(d, 0, sizeof *d);
}

static void transposed_refuse_ref(transposed_pd *d)
{
    if (d->pd != NULL && sal_dnnl_is_ref(d->pd)) {
        dnnl_primitive_desc_destroy(d->pd);
        d->pd = NULL;
    }
}

static sal_status transposed_common(const sal_plan *p, const transposed *t, sal_layout src,
                                    sal_layout dst, transposed_pd *d, sal_error *err)
{
    sal_status st = SAL_OK;
    int64_t c[1] = {t->c};
    d->src_layout = src;
    d->dst_layout = dst;
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), t->rank, t->x, src, &d->src, err));
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), t->rank, t->y, dst, &d->dst, err));
    if (t->bias)
        SAL_TRY(sal_dnnl_desc(p, SAL_F32, 1, c, SAL_PLAIN, &d->bias, err));
done:
    return st;
}

/* Flipped forward convolution; pd stays NULL when it cannot be. */
static sal_status transposed_try_forward(const sal_plan *p, const transposed *t,
                                         const sal_group *gr, sal_layout src, sal_layout dst,
                                         transposed_pd *d, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t weights = NULL;
    dnnl_dims_t one = {1, 1, 1}, dil = {0}, pl = {0}, pr = {0};
    int64_t wd[SAL_MAX_RANK + 1];
    int wr = transposed_weight_dims(t, true, wd);
    for (int i = 0; i < t->w.n; i++) {
        dil[i] = t->w.dilations[i] - 1;
        pl[i] = sal_window_span(&t->w, i) - 1 - t->w.pads_begin[i];
        pr[i] = t->w.out[i] - 1 + sal_window_span(&t->w, i) - t->w.in[i] - pl[i];
        if (t->w.strides[i] != 1 || pl[i] < 0 || pr[i] < 0)
            return SAL_OK;
    }
    SAL_TRY(transposed_common(p, t, src, dst, d, err));
    SAL_TRY(sal_dnnl_any(sal_plan_act(p), wr, wd, &weights, err));
    SAL_TRY(sal_postops_new(&d->po, p, gr, t->rank, t->y, 1, dst, err));
    if (dnnl_convolution_forward_primitive_desc_create(
            &d->pd, p->engine, dnnl_forward_inference, dnnl_convolution_direct, d->src, weights,
            d->bias, d->dst, one, dil, pl, pr, d->po.attr) != dnnl_success)
        d->pd = NULL;
    transposed_refuse_ref(d);
done:
    if (weights != NULL)
        dnnl_memory_desc_destroy(weights);
    return st;
}

/* Padding at the end that the convolution has whose input gradient this is. */
static void transposed_pads(const transposed *t, dnnl_dims_t dil, dnnl_dims_t pl, dnnl_dims_t pr,
                            dnnl_dims_t st)
{
    for (int i = 0; i < t->w.n; i++) {
        st[i] = t->w.strides[i];
        dil[i] = t->w.dilations[i] - 1;
        pl[i] = t->w.pads_begin[i];
        pr[i] = (t->w.in[i] - 1) * t->w.strides[i] + sal_window_span(&t->w, i) - t->w.out[i] -
                t->w.pads_begin[i];
    }
}

static sal_status transposed_try_backward(const sal_plan *p, const transposed *t, sal_layout src,
                                          sal_layout dst, transposed_pd *d, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t weights = NULL;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_dims_t strides = {0}, dil = {0}, pl = {0}, pr = {0};
    int64_t wd[SAL_MAX_RANK + 1];
    int wr = transposed_weight_dims(t, t->bias, wd);
    transposed_pads(t, dil, pl, pr, strides);
    SAL_TRY(transposed_common(p, t, src, dst, d, err));
    SAL_TRY(sal_dnnl_any(sal_plan_act(p), wr, wd, &weights, err));
    SAL_TRY(sal_postops_new(&d->po, p, NULL, t->rank, t->y, 1, dst, err));
    dnnl_status_t made;
    if (t->bias) {
        made = dnnl_deconvolution_forward_primitive_desc_create(
            &d->pd, p->engine, dnnl_forward_inference, dnnl_deconvolution_direct, d->src, weights,
            d->bias, d->dst, strides, dil, pl, pr, d->po.attr);
    } else {
        made = dnnl_convolution_forward_primitive_desc_create(
            &hint, p->engine, dnnl_forward_training, dnnl_convolution_direct, d->dst, weights, NULL,
            d->src, strides, dil, pl, pr, NULL);
        if (made == dnnl_success)
            made = dnnl_convolution_backward_data_primitive_desc_create(
                &d->pd, p->engine, dnnl_convolution_direct, d->dst, weights, d->src, strides, dil,
                pl, pr, hint, d->po.attr);
    }
    if (made != dnnl_success)
        d->pd = NULL;
    transposed_refuse_ref(d);
done:
    if (hint != NULL)
        dnnl_primitive_desc_destroy(hint);
    if (weights != NULL)
        dnnl_memory_desc_destroy(weights);
    return st;
}

static sal_status transposed_choose(const sal_plan *p, const transposed *t, const sal_group *gr,
                                    bool constant, transposed_pd *d, bool *forward, sal_error *err)
{
    static const sal_layout tries[][2] = {{SAL_BLOCKED, SAL_BLOCKED}, {SAL_PLAIN, SAL_PLAIN}};
    for (size_t i = 0; i < SAL_COUNTOF(tries); i++) {
        *forward = true;
        sal_status st =
            constant ? transposed_try_forward(p, t, gr, tries[i][0], tries[i][1], d, err) : SAL_OK;
        if (st != SAL_OK || d->pd != NULL)
            return st;
        transposed_pd_free(d);
        *forward = false;
        st = transposed_try_backward(p, t, tries[i][0], tries[i][1], d, err);
        if (st != SAL_OK || d->pd != NULL)
            return st;
        transposed_pd_free(d);
    }
    return SAL_OK;
}

/* Weights in the form the primitive wants. */
static sal_status transposed_weights(sal_plan *p, const sal_node *n, const transposed *t,
                                     bool forward, const_dnnl_memory_desc_t want, sal_pid *out,
                                     sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t plain = NULL;
    float *flipped = NULL;
    int64_t wd[SAL_MAX_RANK + 1], strides[SAL_MAX_RANK + 1];
    int wr = transposed_weight_dims(t, forward || t->bias, wd);
    if (forward) {
        sal_pid raw;
        void *room;
        SAL_TRY(sal_plan_get(p, n->in[1], SAL_PLAIN, SAL_F32, &raw, err));
        SAL_TRY(sal_dnnl_desc(p, SAL_F32, wr, wd, SAL_PLAIN, &plain, err));
        flipped = transposed_flip(t, p->values[raw].fixed);
        if (flipped == NULL)
            SAL_TRY(sal_fail_nomem(err));
        if (dnnl_memory_desc_equal(plain, want) != 0) {
            size_t bytes = dnnl_memory_desc_get_size(plain);
            SAL_TRY(sal_plan_prepared(p, bytes, &room, err));
            memcpy(room, flipped, bytes);
            SAL_TRY(sal_plan_fixed(p, room, bytes, SAL_F32, out, err));
        } else {
            SAL_TRY(sal_dnnl_prepare(p, plain, flipped, want, sal_plan_act(p), out, err));
        }
        goto done;
    }
    /* [M, C/g, k...] seen as [g, M/g, C/g, k...], or with the channel axes swapped for the
     * deconvolution */
    int64_t cg = t->c / t->group, at = 1;
    for (int i = wr - 1; i >= wr - t->w.n; i--) {
        strides[i] = at;
        at *= wd[i];
    }
    int first = wr - t->w.n - 2;
    strides[first] = t->bias ? at : at * cg;
    strides[first + 1] = t->bias ? at * cg : at;
    if (t->group > 1)
        strides[0] = at * cg * (t->m / t->group);
    SAL_TRY(sal_dnnl_strided(SAL_F32, wr, wd, strides, &plain, err));
    SAL_TRY(sal_dnnl_weights(p, n->in[1], plain, want, sal_plan_act(p), out, err));
done:
    sal_free(flipped);
    if (plain != NULL)
        dnnl_memory_desc_destroy(plain);
    return st;
}

/* The flipped forward convolution by our own kernel, where that covers the problem. */
static sal_status transposed_own(sal_plan *p, const sal_node *n, const transposed *t,
                                 const sal_group *gr, bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t blocked = NULL;
    sal_pid weights;
    if (t->rank != 4 || t->group != 1)
        return SAL_OK;
    sal_conv_direct c = {
        .batch = t->x[0], .in_channels = t->m, .out_channels = t->c, .bias = sal_node_in(n, 2)};
    for (int i = 0; i < 2; i++) {
        if (t->w.strides[i] != 1 || t->w.dilations[i] != 1)
            return SAL_OK;
        c.in[i] = t->w.in[i];
        c.out[i] = t->w.out[i];
        c.kernel[i] = t->kernel[i];
        c.stride[i] = 1;
        c.pad[i] = t->kernel[i] - 1 - t->w.pads_begin[i];
    }
    if (c.pad[0] < 0 || c.pad[1] < 0 || !sal_conv_direct_fits(p, &c, gr))
        return SAL_OK;
    SAL_TRY(sal_conv_direct_weights(&c, &blocked, err));
    SAL_TRY(transposed_weights(p, n, t, true, blocked, &weights, err));
    SAL_TRY(sal_conv_direct_step(p, "conv-flipped", n, gr, &c, n->in[0], weights, err));
    *done = true;
done:
    if (blocked != NULL)
        dnnl_memory_desc_destroy(blocked);
    return st;
}

sal_status sal_lower_conv_transpose(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                                    sal_error *err)
{
    sal_status st = SAL_OK;
    transposed t;
    transposed_pd d = {.pd = NULL};
    bool forward = false;
    sal_prim_arg args[SAL_MAX_PRIM_ARGS];
    int n_args = 0;
    sal_pid src, weights, bias, dst;
    *done = false;
    if (!transposed_of(p, n, &t))
        return SAL_OK;
    SAL_TRY(sal_lower_image_grad(p, n, &t.w, gr, done, err));
    if (*done)
        return SAL_OK;
    bool constant = sal_val(p->g, n->in[1])->constant != NULL;
    if (constant)
        SAL_TRY(transposed_own(p, n, &t, gr, done, err));
    if (*done)
        return SAL_OK;
    SAL_TRY(transposed_choose(p, &t, gr, constant, &d, &forward, err));
    if (d.pd == NULL)
        goto done;
    const sal_group *fused = forward ? gr : NULL;
    const_dnnl_memory_desc_t wd = dnnl_primitive_desc_query_md(d.pd, dnnl_query_weights_md, 0);
    bool deconv = !forward && t.bias;
    SAL_TRY(sal_plan_get(p, n->in[0], d.src_layout, sal_plan_act(p), &src, err));
    SAL_TRY(transposed_weights(p, n, &t, forward, wd, &weights, err));
    args[n_args++] =
        (sal_prim_arg){forward || deconv ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, src, d.src, false};
    args[n_args++] = (sal_prim_arg){DNNL_ARG_WEIGHTS, weights, wd, false};
    if (t.bias) {
        SAL_TRY(sal_plan_get(p, n->in[2], SAL_PLAIN, SAL_F32, &bias, err));
        args[n_args++] = (sal_prim_arg){DNNL_ARG_BIAS, bias, d.bias, false};
    }
    SAL_TRY(sal_postops_args(p, &d.po, args, &n_args, err));
    SAL_TRY(sal_plan_new(p, sal_group_result(n, fused), d.dst_layout, sal_plan_act(p), &dst, err));
    args[n_args++] =
        (sal_prim_arg){forward || deconv ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, dst, d.dst, true};
    dnnl_primitive_desc_t pd = d.pd;
    d.pd = NULL;
    SAL_TRY(sal_dnnl_step(p,
                          forward  ? "conv-flipped"
                          : deconv ? "deconv"
                                   : "conv-backward",
                          n, pd, n_args, args, NULL, err));
    if (fused == NULL && gr != NULL && gr->n_epilogue > 0)
        SAL_TRY(sal_lower_epilogue(p, gr, err));
    *done = true;
done:
    transposed_pd_free(&d);
    return st;
}
