/* MaxPoolGrad over blocked activations: each output's gradient goes to the first maximum of its
 * window.
 *
 * oneDNN's backward pass wants a workspace from its own forward pass; the maximum is known here, so
 * looking for it again costs one more read of x and keeps the graph free of hidden state. */
#include "exec/isa.h"
#include "exec/kernels.h"
#include "exec/onednn.h"

#include "ops/core/window.h"

#include <stdio.h>

enum { POOL_MAX_TAPS = 512 };

typedef struct pool_grad {
    sal_window w;   /* three axes, leading ones of length 1 */
    int64_t images; /* batch x channel blocks */
    int block;
    const sal_isa_table *isa;
} pool_grad;

/* Offsets of the elements that the window at o reads, in scanning order. */
static int pool_grad_taps(const pool_grad *q, const int64_t *o, int64_t *taps)
{
    const sal_window *w = &q->w;
    int n = 0;
    for (int64_t a = 0; a < w->kernel[0]; a++) {
        int64_t z = o[0] * w->strides[0] - w->pads_begin[0] + a * w->dilations[0];
        if (z < 0 || z >= w->in[0])
            continue;
        for (int64_t b = 0; b < w->kernel[1]; b++) {
            int64_t r = o[1] * w->strides[1] - w->pads_begin[1] + b * w->dilations[1];
            if (r < 0 || r >= w->in[1])
                continue;
            for (int64_t c = 0; c < w->kernel[2]; c++) {
                int64_t k = o[2] * w->strides[2] - w->pads_begin[2] + c * w->dilations[2];
                if (k >= 0 && k < w->in[2])
                    taps[n++] = ((z * w->in[1] + r) * w->in[2] + k) * q->block;
            }
        }
    }
    return n;
}

static sal_status pool_grad_run(sal_step *step, sal_session *s, sal_error *err)
{
    const pool_grad *q = step->state;
    const sal_window *w = &q->w;
    const float *dy = sal_step_ptr(s, step->in[0]), *x = sal_step_ptr(s, step->in[1]);
    const float *y = sal_step_ptr(s, step->in[2]);
    float *dx = sal_step_ptr(s, step->out[0]);
    int64_t in = w->in[0] * w->in[1] * w->in[2] * q->block,
            out = w->out[0] * w->out[1] * w->out[2] * q->block;
    (void)err;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < q->images; i++) {
        memset(dx + i * in, 0, (size_t)in * sizeof *dx);
        int64_t at = i * out, o[3], taps[POOL_MAX_TAPS];
        for (o[0] = 0; o[0] < w->out[0]; o[0]++)
            for (o[1] = 0; o[1] < w->out[1]; o[1]++)
                for (o[2] = 0; o[2] < w->out[2]; o[2]++, at += q->block) {
                    int n = pool_grad_taps(q, o, taps);
                    q->isa->max_scatter(dx + i * in, x + i * in, y + at, dy + at, taps, n);
                }
    }
    return SAL_OK;
}

/* Element type in which a value was computed: that of its oldest form. */
static sal_dtype pool_grad_made_as(const sal_plan *p, sal_vid v)
{
    sal_pid i = p->of[v];
    while (i >= 0 && p->next_form[i] >= 0)
        i = p->next_form[i];
    return i >= 0 ? p->values[i].dtype : SAL_DT_NONE;
}

/* x as MaxPool saw it. In bfloat16 sessions y may hold rounded values, which would not be found
 * again in an x that is there as it was. */
static sal_status pool_grad_input(sal_plan *p, sal_vid x, sal_vid y, sal_pid *out, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_pid rounded;
    if (pool_grad_made_as(p, y) != SAL_BF16 || pool_grad_made_as(p, x) != SAL_F32)
        return sal_plan_get(p, x, SAL_BLOCKED, SAL_F32, out, err);
    const sal_value *v = sal_val(p->g, x);
    SAL_TRY(sal_plan_get(p, x, SAL_BLOCKED, SAL_BF16, &rounded, err));
    SAL_TRY(sal_plan_opaque(p, sal_plan_bytes(p, SAL_BLOCKED, SAL_F32, v->rank, v->dims), SAL_F32,
                            out, err));
    sal_pvalue *form = &p->values[*out];
    form->vid = x; /* described like a form of x, but not found as one by others */
    form->layout = SAL_BLOCKED;
    form->rank = v->rank;
    memcpy(form->dims, v->dims, sizeof form->dims);
    SAL_TRY(sal_lower_reorder(p, rounded, *out, err));
done:
    return st;
}

sal_status sal_lower_max_pool_grad(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                                   sal_error *err)
{
    sal_status st = SAL_OK;
    sal_window w;
    const sal_value *x = sal_val(p->g, n->in[1]);
    pool_grad *q = NULL;
    (void)gr;
    *done = false;
    if (x->dtype != SAL_F32 || x->rank < 3 || x->rank > 5 || n->n_in < 3 ||
        sal_window_from_node(&w, n, x->rank, x->dims, NULL, false, NULL) != SAL_OK)
        return SAL_OK;
    int64_t taps = 1;
    for (int i = 0; i < w.n; i++)
        if (__builtin_mul_overflow(taps, w.kernel[i], &taps) || taps > POOL_MAX_TAPS)
            return SAL_OK;
    q = sal_calloc(1, sizeof *q);
    if (q == NULL)
        return sal_fail_nomem(err);
    q->w = sal_window_lift(&w);
    q->block = p->block;
    q->isa = sal_isa();
    q->images = x->dims[0] * ((x->dims[1] + p->block - 1) / p->block);
    sal_pid in[3], out;
    for (int i = 0; i < 3; i++)
        SAL_TRY(i == 1 ? pool_grad_input(p, n->in[1], n->in[2], &in[i], err)
                       : sal_plan_get(p, n->in[i], SAL_BLOCKED, SAL_F32, &in[i], err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_BLOCKED, SAL_F32, &out, err));
    pool_grad *handed = q;
    q = NULL;
    SAL_TRY(sal_plan_step(p, "max-pool-grad", n, pool_grad_run, handed, sal_free, 3, in, 1, &out,
                          NULL, err));
    *done = true;
done:
    sal_free(q);
    return st;
}
