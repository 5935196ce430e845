/* Two element-wise groups that every gradient of a ReLU network is full of, without the tile
 * engine's registers: the mask lo < y < hi of an activation, and Where(mask, x, 0). Both are bound
 * by memory alone. */
#include "exec/kernels/mask.h"

#include "exec/tile.h"

#include <math.h>
#include <stdio.h>

typedef struct mask_state {
    const sal_isa_table *isa;
    int64_t n;
    float lo, hi; /* hi NaN: unbounded */
    bool apply, half;
} mask_state;

enum { MASK_SPAN = 16384 };

static sal_status mask_run(sal_step *step, sal_session *s, sal_error *err)
{
    const mask_state *m = step->state;
    const char *x = sal_step_ptr(s, step->in[0]);
    const uint8_t *keep = step->n_in > 1 ? sal_step_ptr(s, step->in[1]) : NULL;
    char *d = sal_step_ptr(s, step->out[0]);
    const size_t size = m->half ? 2 : 4;
    (void)err;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m->n; i += MASK_SPAN) {
        const int64_t len = SAL_MIN((int64_t)MASK_SPAN, m->n - i);
        const void *from = x + (size_t)i * size;
        if (!m->apply && m->half)
            m->isa->range_mask_bf16((uint8_t *)d + i, from, len, m->lo, m->hi);
        else if (!m->apply)
            m->isa->range_mask((uint8_t *)d + i, from, len, m->lo, m->hi);
        else if (m->half)
            m->isa->keep_bf16((uint16_t *)(void *)d + i, from, keep + i, len);
        else
            m->isa->keep((float *)(void *)d + i, from, keep + i, len);
    }
    return SAL_OK;
}

/* Greater(y, c), alone or joined by And with Less(y, c2). */
static bool mask_is_range(const sal_plan *p, const sal_group *gr, sal_vid *y, float *lo, float *hi)
{
    double a, b;
    if (gr->n_members != 1 && gr->n_members != 3)
        return false;
    const sal_node *g = gr->members[0];
    if (strcmp(g->op->name, "Greater") != 0 || !sal_scalar_constant(p->g, g->in[1], &a))
        return false;
    *y = g->in[0];
    *lo = (float)a;
    *hi = NAN;
    if (gr->n_members == 1)
        return true;
    const sal_node *l = gr->members[1], *both = gr->members[2];
    if (strcmp(l->op->name, "Less") != 0 || l->in[0] != *y ||
        !sal_scalar_constant(p->g, l->in[1], &b) || strcmp(both->op->name, "And") != 0 ||
        p->uses[g->out[0]] != 1 || p->uses[l->out[0]] != 1)
        return false;
    bool joins = (both->in[0] == g->out[0] && both->in[1] == l->out[0]) ||
                 (both->in[1] == g->out[0] && both->in[0] == l->out[0]);
    *hi = (float)b;
    return joins && !isnan(b); /* nothing is less than NaN; here it stands for no bound */
}

static bool mask_is_keep(const sal_plan *p, const sal_group *gr, sal_vid *mask, sal_vid *x)
{
    double zero;
    const sal_node *w = gr->members[0];
    if (gr->n_members != 1 || strcmp(w->op->name, "Where") != 0 ||
        !sal_scalar_constant(p->g, w->in[2], &zero) || zero != 0.0)
        return false;
    *mask = w->in[0];
    *x = w->in[1];
    const sal_value *a = sal_val(p->g, *mask), *b = sal_val(p->g, *x);
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

sal_status sal_lower_mask(sal_plan *p, const sal_group *gr, bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_vid x = SAL_NONE, mask = SAL_NONE;
    sal_pid in[2], out;
    float lo = 0.0f, hi = 0.0f;
    *done = false;
    bool apply = mask_is_keep(p, gr, &mask, &x);
    if (!apply && !mask_is_range(p, gr, &x, &lo, &hi))
        return SAL_OK;
    const sal_value *v = sal_val(p->g, x);
    sal_vid result = gr->members[gr->n_members - 1]->out[0];
    if (sal_plan_dtype(p, x) != SAL_F32 || v->constant != NULL || sal_value_count(v) <= 0 ||
        sal_val(p->g, result)->rank != v->rank ||
        sal_value_count(sal_val(p->g, result)) != sal_value_count(v))
        return SAL_OK;
    sal_layout layout = sal_plan_layout(p, x);
    /* Padding lanes hold zero: 0 > lo must be false for them to stay so. */
    if (layout == SAL_BLOCKED && !apply && lo < 0.0f)
        return SAL_OK;
    mask_state *m = sal_calloc(1, sizeof *m);
    if (m == NULL)
        return sal_fail_nomem(err);
    *m = (mask_state){.isa = sal_isa(), .lo = lo, .hi = hi, .apply = apply};
    SAL_TRY(sal_plan_get(p, x, layout, SAL_DT_NONE, &in[0], err));
    if (apply)
        SAL_TRY(sal_plan_get(p, mask, layout, SAL_BOOL, &in[1], err));
    sal_dtype dtype = p->values[in[0]].dtype;
    SAL_TRY(sal_plan_new(p, result, layout, apply ? dtype : SAL_BOOL, &out, err));
    m->half = dtype == SAL_BF16;
    m->n = (int64_t)(p->values[in[0]].bytes / sal_dtype_size(dtype));
    mask_state *handed = m;
    m = NULL;
    sal_step *step;
    SAL_TRY(sal_plan_step(p, "mask", gr->members[gr->n_members - 1], mask_run, handed, sal_free,
                          apply ? 2 : 1, in, 1, &out, &step, err));
    snprintf(step->impl, sizeof step->impl, "%s:%s", apply ? "keep" : "range", handed->isa->name);
    step->in_place = apply ? 1u : 0u;
    *done = true;
done:
    sal_free(m);
    return st;
}
