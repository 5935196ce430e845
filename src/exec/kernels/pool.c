/* MaxPool, AveragePool and the gradient of the latter: oneDNN's pooling. */
#include "exec/epilogue.h"
#include "exec/kernels.h"

#include "ops/core/window.h"

typedef struct pool_problem {
    int rank;
    int64_t x[SAL_MAX_RANK], y[SAL_MAX_RANK];
    dnnl_dims_t strides, kernel, dilates, pad_l, pad_r;
    dnnl_alg_kind_t alg;
} pool_problem;

/* x_dims: the pooled input; y_dims: its output. False when oneDNN's definition differs from ONNX's.
 */
static bool pool_problem_of(const sal_node *n, int rank, const int64_t *x, const int64_t *y,
                            pool_problem *q)
{
    sal_window w;
    memset(q, 0, sizeof *q);
    if (rank < 3 || rank > 5 || sal_window_from_node(&w, n, rank, x, NULL, false, NULL) != SAL_OK)
        return false;
    q->rank = rank;
    memcpy(q->x, x, (size_t)rank * sizeof *x);
    memcpy(q->y, y, (size_t)rank * sizeof *y);
    bool average = strncmp(n->op->name, "Average", 7) == 0;
    bool include = sal_node_int(n, "count_include_pad", 0) != 0;
    q->alg = !average  ? dnnl_pooling_max
             : include ? dnnl_pooling_avg_include_padding
                       : dnnl_pooling_avg_exclude_padding;
    for (int i = 0; i < w.n; i++) {
        q->strides[i] = w.strides[i];
        q->kernel[i] = w.kernel[i];
        q->dilates[i] = w.dilations[i] - 1;
        q->pad_l[i] = w.pads_begin[i];
        q->pad_r[i] =
            (y[2 + i] - 1) * w.strides[i] + sal_window_span(&w, i) - x[2 + i] - w.pads_begin[i];
        /* a window that hangs over the padding (ceil_mode) counts differently */
        if (include && q->pad_r[i] > w.pads_end[i])
            return false;
    }
    for (int i = 0; i < rank; i++)
        if (x[i] == 0 || y[i] == 0)
            return false;
    return true;
}

static bool pool_usable(dnnl_status_t made, dnnl_primitive_desc_t *pd)
{
    if (made != dnnl_success)
        *pd = NULL;
    if (*pd != NULL && sal_dnnl_is_ref(*pd)) {
        dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
    }
    return *pd != NULL;
}

sal_status sal_lower_pool(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                          sal_error *err)
{
    sal_status st = SAL_OK;
    pool_problem q;
    dnnl_memory_desc_t x = NULL, y = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const sal_value *in = sal_val(p->g, n->in[0]), *out = sal_val(p->g, n->out[0]);
    (void)gr;
    *done = false;
    if (in->dtype != SAL_F32 || sal_node_out(n, 1) != SAL_NONE ||
        !pool_problem_of(n, in->rank, in->dims, out->dims, &q))
        return SAL_OK;
    SAL_TRY(sal_dnnl_attr(&attr, err));
    for (int i = 0; i < 2 && pd == NULL; i++) {
        sal_layout layout = i == 0 ? SAL_BLOCKED : SAL_PLAIN;
        if (x != NULL)
            dnnl_memory_desc_destroy(x);
        if (y != NULL)
            dnnl_memory_desc_destroy(y);
        x = y = NULL;
        SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q.rank, q.x, layout, &x, err));
        SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q.rank, q.y, layout, &y, err));
        if (!pool_usable(dnnl_pooling_forward_primitive_desc_create(
                             &pd, p->engine, dnnl_forward_inference, q.alg, x, y, q.strides,
                             q.kernel, q.dilates, q.pad_l, q.pad_r, attr),
                         &pd))
            continue;
        sal_pid from, to;
        SAL_TRY(sal_plan_get(p, n->in[0], layout, sal_plan_act(p), &from, err));
        SAL_TRY(sal_plan_new(p, n->out[0], layout, sal_plan_act(p), &to, err));
        sal_prim_arg args[] = {{DNNL_ARG_SRC, from, x, false}, {DNNL_ARG_DST, to, y, true}};
        dnnl_primitive_desc_t taken = pd;
        pd = NULL;
        SAL_TRY(sal_dnnl_step(p, "pool", n, taken, 2, args, NULL, err));
        *done = true;
        break;
    }
done:
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    if (x != NULL)
        dnnl_memory_desc_destroy(x);
    if (y != NULL)
        dnnl_memory_desc_destroy(y);
    return st;
}

sal_status sal_lower_average_pool_grad(sal_plan *p, const sal_node *n, const sal_group *gr,
                                       bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    pool_problem q;
    dnnl_memory_desc_t dx = NULL, dy = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL, hint = NULL;
    const sal_value *in = sal_val(p->g, n->in[0]), *out = sal_val(p->g, n->out[0]);
    const sal_layout layout = SAL_BLOCKED;
    (void)gr;
    *done = false;
    if (in->dtype != SAL_F32 || !pool_problem_of(n, out->rank, out->dims, in->dims, &q))
        return SAL_OK;
    SAL_TRY(sal_dnnl_attr(&attr, err));
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q.rank, q.x, layout, &dx, err));
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q.rank, q.y, layout, &dy, err));
    if (dnnl_pooling_forward_primitive_desc_create(&hint, p->engine, dnnl_forward_training, q.alg,
                                                   dx, dy, q.strides, q.kernel, q.dilates, q.pad_l,
                                                   q.pad_r, NULL) != dnnl_success) {
        hint = NULL;
        goto done;
    }
    if (!pool_usable(dnnl_pooling_backward_primitive_desc_create(&pd, p->engine, q.alg, dx, dy,
                                                                 q.strides, q.kernel, q.dilates,
                                                                 q.pad_l, q.pad_r, hint, attr),
                     &pd))
        goto done;
    sal_pid from, to;
    SAL_TRY(sal_plan_get(p, n->in[0], layout, sal_plan_act(p), &from, err));
    SAL_TRY(sal_plan_new(p, n->out[0], layout, sal_plan_act(p), &to, err));
    sal_prim_arg args[] = {{DNNL_ARG_DIFF_DST, from, dy, false}, {DNNL_ARG_DIFF_SRC, to, dx, true}};
    dnnl_primitive_desc_t taken = pd;
    pd = NULL;
    SAL_TRY(sal_dnnl_step(p, "pool-backward", n, taken, 2, args, NULL, err));
    *done = true;
done:
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (hint != NULL)
        dnnl_primitive_desc_destroy(hint);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    if (dx != NULL)
        dnnl_memory_desc_destroy(dx);
    if (dy != NULL)
        dnnl_memory_desc_destroy(dy);
    return st;
}
