/* Softmax, SoftmaxGrad, LayerNormalization, LayerNormGrad and RMSNormalization over the last axes:
 * independent rows.
 */
#include "exec/epilogue.h"
#include "exec/isa.h"
#include "exec/kernels.h"

#include <omp.h>
#include <stdio.h>

typedef struct rows_state {
    int64_t rows, n;
    float epsilon;
    bool half; /* rows are bfloat16 */
    const sal_isa_table *isa;
    enum { ROWS_SOFTMAX, ROWS_SOFTMAX_GRAD, ROWS_NORM, ROWS_NORM_GRAD, ROWS_RMS } kind;
} rows_state;

static void rows_one(const rows_state *r, float *y, const float *a, const float *b, const float *c)
{
    switch (r->kind) {
    case ROWS_SOFTMAX:
        r->isa->softmax(y, a, r->n);
        break;
    case ROWS_SOFTMAX_GRAD:
        r->isa->softmax_grad(y, a, b, r->n);
        break;
    case ROWS_NORM:
        r->isa->layer_norm(y, a, b, c, r->n, r->epsilon);
        break;
    case ROWS_NORM_GRAD:
        r->isa->layer_norm_grad(y, a, b, c, r->n, r->epsilon);
        break;
    case ROWS_RMS:
        r->isa->packed->rms_norm(y, a, b, r->n, r->epsilon);
        break;
    }
}

/* Inputs below this index are rows; those from it on are vectors that all rows share. */
static int rows_moving(const rows_state *r)
{
    return r->kind == ROWS_SOFTMAX_GRAD || r->kind == ROWS_NORM_GRAD ? 2 : 1;
}

/* bfloat16 rows are widened into the thread's scratch, computed in float32 and rounded once. */
static void rows_half(const rows_state *r, uint16_t *y, void *const *in, int n_in, int64_t i,
                      float *room)
{
    const float *x[3] = {NULL, NULL, NULL};
    for (int k = 0; k < n_in; k++) {
        if (k >= rows_moving(r)) {
            x[k] = in[k];
            continue;
        }
        r->isa->load_bf16(room + k * r->n, (const uint16_t *)in[k] + i * r->n, (int)r->n);
        x[k] = room + k * r->n;
    }
    rows_one(r, room + 2 * r->n, x[0], x[1], x[2]);
    r->isa->store_bf16(y + i * r->n, room + 2 * r->n, (int)r->n);
}

static sal_status rows_run(sal_step *step, sal_session *s, sal_error *err)
{
    const rows_state *r = step->state;
    void *in[3] = {NULL, NULL, NULL};
    void *y = sal_step_ptr(s, step->out[0]);
    (void)err;
    for (int i = 0; i < step->n_in; i++)
        in[i] = sal_step_ptr(s, step->in[i]);
#pragma omp parallel for schedule(static) if (r->rows > 1)
    for (int64_t i = 0; i < r->rows; i++) {
        int64_t at = i * r->n;
        float *to = (float *)y + at;
        const float *a = (const float *)in[0] + at, *b = in[1];
        if (r->half)
            rows_half(r, y, in, step->n_in, i,
                      (float *)(void *)s->scratch +
                          (size_t)omp_get_thread_num() * 3 * (size_t)r->n);
        else
            rows_one(r, to, a, rows_moving(r) > 1 ? b + at : b, in[2]);
    }
    return SAL_OK;
}

/* Row-major inputs, one output; rows of n elements. */
static sal_status rows_lower(sal_plan *p, const sal_node *n, rows_state state, bool in_place,
                             bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_pid in[3], out;
    sal_step *step;
    rows_state *r = sal_malloc(sizeof *r);
    if (r == NULL)
        return sal_fail_nomem(err);
    *r = state;
    r->isa = sal_isa();
    int n_in = 0;
    r->half = sal_plan_act(p) == SAL_BF16;
    for (int i = 0; i < n->n_in && i < 3; i++)
        if (n->in[i] != SAL_NONE)
            SAL_TRY(sal_plan_get(p, n->in[i], SAL_PLAIN,
                                 i < rows_moving(r) ? sal_plan_act(p) : SAL_F32, &in[n_in++], err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_PLAIN, sal_plan_act(p), &out, err));
    rows_state *handed = r;
    r = NULL;
    SAL_TRY(sal_plan_step(p, "rows", n, rows_run, handed, sal_free, n_in, in, 1, &out, &step, err));
    snprintf(step->impl, sizeof step->impl, "%s:%s", n->op->name, handed->isa->name);
    step->in_place = in_place ? 1u : 0u;
    step->scratch = handed->half ? (size_t)p->threads * 3 * (size_t)handed->n * sizeof(float) : 0;
    *done = true;
done:
    sal_free(r);
    return st;
}

sal_status sal_lower_softmax(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                             sal_error *err)
{
    const sal_value *x = sal_val(p->g, n->in[0]);
    int64_t axis = sal_node_int(n, "axis", -1);
    (void)gr;
    *done = false;
    if (x->dtype != SAL_F32 || x->rank < 1 || (axis != -1 && axis != x->rank - 1) ||
        sal_node_attr(n, "coerced") != NULL || sal_value_count(x) <= 0)
        return SAL_OK;
    int64_t len = x->dims[x->rank - 1];
    bool grad = strcmp(n->op->name, "SoftmaxGrad") == 0;
    rows_state r = {.rows = sal_value_count(x) / len,
                    .n = len,
                    .kind = grad ? ROWS_SOFTMAX_GRAD : ROWS_SOFTMAX};
    return rows_lower(p, n, r, true, done, err);
}

sal_status sal_lower_layer_norm(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                                sal_error *err)
{
    bool grad = strcmp(n->op->name, "LayerNormGrad") == 0;
    const sal_value *x = sal_val(p->g, n->in[grad ? 1 : 0]);
    int64_t axis = sal_node_int(n, "axis", -1), len = 1;
    (void)gr;
    *done = false;
    axis = axis < 0 ? axis + x->rank : axis;
    if (x->dtype != SAL_F32 || sal_value_count(x) <= 0 || sal_node_out(n, 1) != SAL_NONE ||
        sal_node_out(n, 2) != SAL_NONE || sal_node_int(n, "stash_type", 1) != 1)
        return SAL_OK;
    for (int i = (int)axis; i < x->rank; i++)
        len *= x->dims[i];
    sal_vid scale = sal_node_in(n, grad ? 2 : 1), bias = grad ? SAL_NONE : sal_node_in(n, 2);
    if (scale == SAL_NONE || sal_value_count(sal_val(p->g, scale)) != len ||
        (bias != SAL_NONE && sal_value_count(sal_val(p->g, bias)) != len))
        return SAL_OK;
    rows_state r = {.rows = sal_value_count(x) / len,
                    .n = len,
                    .kind = grad ? ROWS_NORM_GRAD : ROWS_NORM,
                    .epsilon = (float)sal_node_float(n, "epsilon", 1e-5)};
    return rows_lower(p, n, r, true, done, err);
}

sal_status sal_lower_rms_norm(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                              sal_error *err)
{
    const sal_value *x = sal_val(p->g, n->in[0]);
    int64_t axis = sal_node_int(n, "axis", -1), len = 1;
    (void)gr;
    *done = false;
    axis = axis < 0 ? axis + x->rank : axis;
    if (x->dtype != SAL_F32 || sal_value_count(x) <= 0 || sal_node_int(n, "stash_type", 1) != 1)
        return SAL_OK;
    for (int i = (int)axis; i < x->rank; i++)
        len *= x->dims[i];
    if (sal_value_count(sal_val(p->g, n->in[1])) != len ||
        sal_val(p->g, n->in[1])->dtype != SAL_F32)
        return SAL_OK;
    rows_state r = {.rows = sal_value_count(x) / len,
                    .n = len,
                    .kind = ROWS_RMS,
                    .epsilon = (float)sal_node_float(n, "epsilon", 1e-5)};
    return rows_lower(p, n, r, true, done, err);
}
