/* Conv: our own direct convolution where that is faster, else oneDNN's; blocked layouts, bias and
 * epilogue fused.
 *
 * Layouts are chosen here and not by oneDNN: blocked activations between convolutions, the first
 * one reads the row-major image. Implementations that are oneDNN's reference code are refused. */
#include "exec/epilogue.h"
#include "exec/kernels.h"
#include "exec/kernels/conv_direct.h"

#include "ops/core/window.h"

/* A convolution as oneDNN sees it. */
typedef struct conv_problem {
    int rank;
    int64_t src[SAL_MAX_RANK], dst[SAL_MAX_RANK], weights[SAL_MAX_RANK + 1];
    int weights_rank;
    dnnl_dims_t strides, dilates, pad_l, pad_r;
    bool bias;
} conv_problem;

static bool conv_problem_of(const sal_plan *p, const sal_node *n, conv_problem *c)
{
    sal_window w;
    const sal_value *x = sal_val(p->g, n->in[0]), *k = sal_val(p->g, n->in[1]),
                    *y = sal_val(p->g, n->out[0]);
    if (x->rank < 3 || x->rank > 5 || x->dtype != SAL_F32 ||
        sal_window_from_node(&w, n, x->rank, x->dims, k->dims, false, NULL) != SAL_OK)
        return false;
    int64_t group = sal_node_int(n, "group", 1);
    memset(c, 0, sizeof *c);
    c->rank = x->rank;
    c->bias = sal_node_in(n, 2) != SAL_NONE;
    memcpy(c->src, x->dims, sizeof c->src);
    memcpy(c->dst, y->dims, sizeof c->dst);
    int at = 0;
    if (group > 1)
        c->weights[at++] = group;
    c->weights[at++] = y->dims[1] / group;
    for (int i = 1; i < k->rank; i++)
        c->weights[at++] = k->dims[i];
    c->weights_rank = at;
    for (int i = 0; i < w.n; i++) {
        c->strides[i] = w.strides[i];
        c->dilates[i] = w.dilations[i] - 1;
        c->pad_l[i] = w.pads_begin[i];
        /* what the windows really reach: floor() may leave elements at the end unread */
        c->pad_r[i] =
            (w.out[i] - 1) * w.strides[i] + sal_window_span(&w, i) - w.in[i] - w.pads_begin[i];
    }
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] == 0 || y->dims[i] == 0)
            return false;
    return true;
}

typedef struct conv_choice {
    dnnl_primitive_desc_t pd;
    dnnl_memory_desc_t src, dst, bias, plain_weights;
    sal_layout src_layout, dst_layout;
    sal_postops po;
} conv_choice;

static void conv_choice_free(conv_choice *c)
{
    if (c->pd != NULL)
        dnnl_primitive_desc_destroy(c->pd);
    if (c->src != NULL)
        dnnl_memory_desc_destroy(c->src);
    if (c->dst != NULL)
        dnnl_memory_desc_destroy(c->dst);
    if (c->bias != NULL)
        dnnl_memory_desc_destroy(c->bias);
    if (c->plain_weights != NULL)
        dnnl_memory_desc_destroy(c->plain_weights);
    sal_postops_free(&c->po);
    memset(c, 0, sizeof *c);
}

/* Try one pair of layouts; c->pd stays NULL when oneDNN has no fast implementation. */
static sal_status conv_try(const sal_plan *p, const conv_problem *q, const sal_group *gr,
                           sal_layout src, sal_layout dst, conv_choice *c, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t weights = NULL;
    int64_t oc[1] = {q->dst[1]};
    c->src_layout = src;
    c->dst_layout = dst;
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q->rank, q->src, src, &c->src, err));
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q->rank, q->dst, dst, &c->dst, err));
    SAL_TRY(sal_dnnl_any(sal_plan_act(p), q->weights_rank, q->weights, &weights, err));
    if (q->bias)
        SAL_TRY(sal_dnnl_desc(p, SAL_F32, 1, oc, SAL_PLAIN, &c->bias, err));
    SAL_TRY(sal_postops_new(&c->po, p, gr, q->rank, q->dst, 1, dst, err));
    dnnl_status_t made = dnnl_convolution_forward_primitive_desc_create(
        &c->pd, p->engine, dnnl_forward_inference, dnnl_convolution_direct, c->src, weights,
        c->bias, c->dst, q->strides, q->dilates, q->pad_l, q->pad_r, c->po.attr);
    if (made != dnnl_success)
        c->pd = NULL;
    if (c->pd != NULL && sal_dnnl_is_ref(c->pd)) {
        dnnl_primitive_desc_destroy(c->pd);
        c->pd = NULL;
    }
done:
    if (weights != NULL)
        dnnl_memory_desc_destroy(weights);
    return st;
}

static sal_status conv_choose(const sal_plan *p, const conv_problem *q, const sal_group *gr,
                              conv_choice *c, sal_error *err)
{
    const sal_layout first = q->src[1] < 8 ? SAL_PLAIN : SAL_BLOCKED;
    const sal_layout tries[][2] = {
        {first, SAL_BLOCKED}, {SAL_BLOCKED, SAL_BLOCKED}, {SAL_PLAIN, SAL_PLAIN}};
    for (size_t i = 0; i < SAL_COUNTOF(tries); i++) {
        sal_status st = conv_try(p, q, gr, tries[i][0], tries[i][1], c, err);
        if (st != SAL_OK || c->pd != NULL)
            return st;
        conv_choice_free(c);
    }
    return SAL_OK;
}

/* Add the step: src x weights (in whatever form pd wants) -> the group's result. */
static sal_status conv_emit(sal_plan *p, const sal_node *n, const sal_group *gr,
                            const conv_problem *q, conv_choice *c, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_prim_arg args[SAL_MAX_PRIM_ARGS];
    int n_args = 0;
    sal_pid src, weights, bias, dst;
    const_dnnl_memory_desc_t wd = dnnl_primitive_desc_query_md(c->pd, dnnl_query_weights_md, 0);
    SAL_TRY(
        sal_dnnl_desc(p, SAL_F32, q->weights_rank, q->weights, SAL_PLAIN, &c->plain_weights, err));
    SAL_TRY(sal_plan_get(p, n->in[0], c->src_layout, sal_plan_act(p), &src, err));
    SAL_TRY(sal_dnnl_weights(p, n->in[1], c->plain_weights, wd, sal_plan_act(p), &weights, err));
    args[n_args++] = (sal_prim_arg){DNNL_ARG_SRC, src, c->src, false};
    args[n_args++] = (sal_prim_arg){DNNL_ARG_WEIGHTS, weights, wd, false};
    if (q->bias) {
        SAL_TRY(sal_plan_get(p, n->in[2], SAL_PLAIN, SAL_F32, &bias, err));
        args[n_args++] = (sal_prim_arg){DNNL_ARG_BIAS, bias, c->bias, false};
    }
    SAL_TRY(sal_postops_args(p, &c->po, args, &n_args, err));
    SAL_TRY(sal_plan_new(p, sal_group_result(n, gr), c->dst_layout, sal_plan_act(p), &dst, err));
    args[n_args++] = (sal_prim_arg){DNNL_ARG_DST, dst, c->dst, true};
    dnnl_primitive_desc_t pd = c->pd;
    c->pd = NULL; /* taken over */
    SAL_TRY(sal_dnnl_step(p, "conv", n, pd, n_args, args, NULL, err));
done:
    return st;
}

/* Our own kernel where it covers the problem. */
static sal_status conv_own(sal_plan *p, const sal_node *n, const sal_group *gr,
                           const conv_problem *q, bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t plain = NULL, blocked = NULL;
    sal_pid weights;
    if (q->rank != 4 || q->weights_rank != 4 || q->dilates[0] != 0 || q->dilates[1] != 0)
        return SAL_OK;
    sal_conv_direct c = {.batch = q->src[0],
                         .in_channels = q->src[1],
                         .out_channels = q->dst[1],
                         .bias = sal_node_in(n, 2)};
    for (int i = 0; i < 2; i++) {
        c.in[i] = q->src[2 + i];
        c.out[i] = q->dst[2 + i];
        c.kernel[i] = q->weights[2 + i];
        c.stride[i] = q->strides[i];
        c.pad[i] = q->pad_l[i];
    }
    if (!sal_conv_direct_fits(p, &c, gr))
        return SAL_OK;
    SAL_TRY(sal_dnnl_desc(p, SAL_F32, 4, q->weights, SAL_PLAIN, &plain, err));
    SAL_TRY(sal_conv_direct_weights(&c, &blocked, err));
    SAL_TRY(sal_dnnl_weights(p, n->in[1], plain, blocked, SAL_F32, &weights, err));
    SAL_TRY(sal_conv_direct_step(p, "conv", n, gr, &c, n->in[0], weights, err));
    *done = true;
done:
    if (plain != NULL)
        dnnl_memory_desc_destroy(plain);
    if (blocked != NULL)
        dnnl_memory_desc_destroy(blocked);
    return st;
}

sal_status sal_lower_conv(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                          sal_error *err)
{
    sal_status st = SAL_OK;
    conv_problem q;
    conv_choice c = {.pd = NULL};
    *done = false;
    if (!conv_problem_of(p, n, &q))
        return SAL_OK;
    SAL_TRY(conv_own(p, n, gr, &q, done, err));
    if (*done)
        goto done;
    SAL_TRY(conv_choose(p, &q, gr, &c, err));
    if (c.pd == NULL && gr != NULL && gr->n_epilogue > 0) {
        /* Some epilogue that only reference code knows: run it as a pass of its own. */
        SAL_TRY(conv_choose(p, &q, NULL, &c, err));
        if (c.pd == NULL)
            goto done;
        SAL_TRY(conv_emit(p, n, NULL, &q, &c, err));
        SAL_TRY(sal_lower_epilogue(p, gr, err));
        *done = true;
        goto done;
    }
    if (c.pd == NULL)
        goto done;
    SAL_TRY(conv_emit(p, n, gr, &q, &c, err));
    *done = true;
done:
    conv_choice_free(&c);
    return st;
}
