/* Resize of row-major float32: one pass for each axis that changes, planes and rows in parallel. */
#include "exec/kernels.h"

#include "ops/core/resize.h"

#include <stdio.h>

typedef struct resize_pass {
    sal_resize_table t;
    int64_t outer, inner; /* [outer, in, inner] -> [outer, out, inner] */
    float *weight;        /* single precision copy of the table's */
} resize_pass;

typedef struct resize_state {
    int n;
    float outside;
    resize_pass pass[SAL_MAX_RANK];
    size_t half; /* floats of each of the two buffers between passes */
} resize_state;

static void resize_free(void *state)
{
    resize_state *r = state;
    if (r == NULL)
        return;
    for (int i = 0; i < r->n; i++) {
        sal_resize_table_free(&r->pass[i].t);
        sal_free(r->pass[i].weight);
    }
    sal_free(r);
}

static void resize_row(const resize_pass *p, const float *x, float *y, int64_t j, float outside)
{
    const sal_resize_table *t = &p->t;
    if (t->outside[j]) {
        for (int64_t i = 0; i < p->inner; i++)
            y[i] = outside;
        return;
    }
    for (int64_t i = 0; i < p->inner; i++)
        y[i] = 0.0f;
    for (int64_t k = t->row[j]; k < t->row[j + 1]; k++) {
        const float w = p->weight[k], *from = x + t->index[k] * p->inner;
        for (int64_t i = 0; i < p->inner; i++)
            y[i] += w * from[i];
    }
}

static sal_status resize_run(sal_step *step, sal_session *s, sal_error *err)
{
    const resize_state *r = step->state;
    const float *x = sal_step_ptr(s, step->in[0]);
    float *room = (float *)(void *)s->scratch;
    (void)err;
    for (int i = 0; i < r->n; i++) {
        const resize_pass *p = &r->pass[i];
        float *y = i + 1 == r->n ? sal_step_ptr(s, step->out[0]) : room + (size_t)(i % 2) * r->half;
        const int64_t rows = p->outer * p->t.out;
#pragma omp parallel for schedule(static)
        for (int64_t k = 0; k < rows; k++)
            resize_row(p, x + k / p->t.out * p->t.in * p->inner, y + k * p->inner, k % p->t.out,
                       r->outside);
        x = y;
    }
    return SAL_OK;
}

static sal_status resize_tables(const sal_resize_plan *plan, const sal_value *x, resize_state *r,
                                sal_error *err)
{
    int64_t dims[SAL_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    r->outside = (float)plan->spec.extrapolation;
    for (int i = 0; i < plan->n; i++) {
        resize_pass *p = &r->pass[i];
        const int axis = plan->axis[i].axis;
        sal_status st = sal_resize_table_make(&plan->spec, &plan->axis[i], &p->t, err);
        if (st != SAL_OK)
            return st;
        r->n++;
        const int64_t entries = p->t.row[p->t.out];
        p->weight = sal_malloc(((size_t)entries + 1) * sizeof *p->weight);
        if (p->weight == NULL)
            return sal_fail_nomem(err);
        for (int64_t k = 0; k < entries; k++)
            p->weight[k] = (float)p->t.weight[k];
        p->outer = p->inner = 1;
        for (int k = 0; k < x->rank; k++)
            if (k != axis)
                *(k < axis ? &p->outer : &p->inner) *= dims[k];
        dims[axis] = p->t.out;
        if (i + 1 < plan->n)
            r->half = SAL_MAX(r->half, (size_t)(p->outer * p->t.out * p->inner));
    }
    return SAL_OK;
}

sal_status sal_lower_resize(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                            sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_value *x = sal_val(p->g, n->in[0]);
    sal_tensor shape = sal_tensor_borrow(x->dtype, x->rank, x->dims, NULL);
    const sal_tensor *in[4] = {&shape, NULL, NULL, NULL};
    sal_resize_plan plan;
    resize_state *r = NULL;
    sal_pid from, to;
    (void)gr;
    *done = false;
    if (x->dtype != SAL_F32 || sal_value_count(x) <= 0 ||
        sal_value_count(sal_val(p->g, n->out[0])) <= 0)
        return SAL_OK;
    for (int i = 1; i < n->n_in && i < 4; i++) {
        if (n->in[i] == SAL_NONE)
            continue;
        in[i] = sal_val(p->g, n->in[i])->constant;
        if (in[i] == NULL)
            return SAL_OK;
    }
    SAL_TRY(sal_resize_plan_of(n, in, &plan, err));
    if (plan.n == 0)
        goto done;
    r = sal_calloc(1, sizeof *r);
    if (r == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(resize_tables(&plan, x, r, err));
    SAL_TRY(sal_plan_get(p, n->in[0], SAL_PLAIN, SAL_F32, &from, err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_PLAIN, SAL_F32, &to, err));
    const size_t scratch = 2 * r->half * sizeof(float);
    resize_state *handed = r;
    r = NULL;
    sal_step *step;
    SAL_TRY(sal_plan_step(p, "resize", n, resize_run, handed, resize_free, 1, &from, 1, &to, &step,
                          err));
    step->scratch = scratch;
    *done = true;
done:
    resize_free(r);
    return st;
}
