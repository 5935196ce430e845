/* ReduceSum and ReduceMean: over the pixels of blocked activations, and over one run of
 * neighbouring axes of row-major ones. Sums run in double or in fixed lanes: the same bytes for any
 * number of threads. */
#include "exec/isa.h"
#include "exec/kernels.h"

#include <stdio.h>

typedef struct reduce_state {
    int64_t outer, n, inner; /* row-major: [outer, n, inner] -> [outer, inner] */
    int64_t channels;        /* blocked: outer images of `channels` in blocks, n pixels each */
    int block;
    bool blocked;
    float scale;
    const sal_isa_table *isa;
} reduce_state;

static void reduce_blocked(const reduce_state *r, const float *x, float *y)
{
    int64_t blocks = (r->channels + r->block - 1) / r->block;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < r->outer * blocks; i++) {
        float acc[16] = {0.0f};
        int64_t c = i % blocks * r->block;
        float *to = y + i / blocks * r->channels + c;
        r->isa->sum_blocked(acc, x + i * r->n * r->block, r->n);
        for (int64_t k = 0; k < r->block && c + k < r->channels; k++)
            to[k] = acc[k] * r->scale;
    }
}

static void reduce_columns(const reduce_state *r, const float *x, float *y)
{
    enum { SPAN = 256 };
    int64_t spans = (r->inner + SPAN - 1) / SPAN;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < r->outer * spans; i++) {
        double acc[SPAN] = {0.0};
        int64_t at = i % spans * SPAN, len = SAL_MIN((int64_t)SPAN, r->inner - at);
        const float *from = x + i / spans * r->n * r->inner + at;
        for (int64_t k = 0; k < r->n; k++)
            for (int64_t j = 0; j < len; j++)
                acc[j] += (double)from[k * r->inner + j];
        for (int64_t j = 0; j < len; j++)
            y[i / spans * r->inner + at + j] = (float)(acc[j] * (double)r->scale);
    }
}

static sal_status reduce_run(sal_step *step, sal_session *s, sal_error *err)
{
    const reduce_state *r = step->state;
    const float *x = sal_step_ptr(s, step->in[0]);
    float *y = sal_step_ptr(s, step->out[0]);
    (void)err;
    if (r->blocked) {
        reduce_blocked(r, x, y);
    } else if (r->inner > 1) {
        reduce_columns(r, x, y);
    } else {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < r->outer; i++)
            y[i] = (float)(r->isa->sum(x + i * r->n, r->n) * (double)r->scale);
    }
    return SAL_OK;
}

/* Reduced axes as a bit set; false when they are not known. */
static bool reduce_axes(const sal_plan *p, const sal_node *n, int rank, uint32_t *axes)
{
    sal_vid v = sal_node_in(n, 1);
    *axes = 0;
    if (v == SAL_NONE) {
        *axes = sal_node_int(n, "noop_with_empty_axes", 0) != 0 ? 0 : (1u << rank) - 1;
        return *axes != 0;
    }
    const sal_tensor *t = sal_val(p->g, v)->constant;
    if (t == NULL)
        return false;
    for (int64_t i = 0; i < sal_tensor_count(t); i++) {
        int64_t a = (int64_t)sal_tensor_get(t, i);
        a = a < 0 ? a + rank : a;
        if (a < 0 || a >= rank)
            return false;
        *axes |= 1u << a;
    }
    return *axes != 0;
}

sal_status sal_lower_reduce(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                            sal_error *err)
{
    const sal_value *x = sal_val(p->g, n->in[0]);
    uint32_t axes;
    sal_pid in, out;
    (void)gr;
    *done = false;
    if (x->dtype != SAL_F32 || x->rank < 1 || sal_value_count(x) <= 0 ||
        !reduce_axes(p, n, x->rank, &axes))
        return SAL_OK;
    int first = 0, last = x->rank - 1;
    while ((axes >> first & 1u) == 0)
        first++;
    while ((axes >> last & 1u) == 0)
        last--;
    for (int i = first; i <= last; i++)
        if ((axes >> i & 1u) == 0 && x->dims[i] != 1)
            return SAL_OK;
    reduce_state *r = sal_calloc(1, sizeof *r);
    if (r == NULL)
        return sal_fail_nomem(err);
    *r = (reduce_state){
        .outer = 1, .n = 1, .inner = 1, .scale = 1.0f, .isa = sal_isa(), .block = p->block};
    for (int i = 0; i < x->rank; i++)
        *(i < first ? &r->outer : i <= last ? &r->n : &r->inner) *= x->dims[i];
    r->blocked = first == 2 && last == x->rank - 1 && x->rank <= 5 &&
                 sal_plan_layout(p, n->in[0]) == SAL_BLOCKED;
    if (strcmp(n->op->name, "ReduceMean") == 0)
        r->scale = (float)(1.0 / (double)r->n);
    if (r->blocked) {
        r->outer = x->dims[0];
        r->channels = x->dims[1];
    }
    sal_status st =
        sal_plan_get(p, n->in[0], r->blocked ? SAL_BLOCKED : SAL_PLAIN, SAL_F32, &in, err);
    if (st == SAL_OK)
        st = sal_plan_new(p, n->out[0], SAL_PLAIN, SAL_F32, &out, err);
    if (st != SAL_OK) {
        sal_free(r);
        return st;
    }
    *done = true;
    return sal_plan_step(p, "reduce", n, reduce_run, r, sal_free, 1, &in, 1, &out, NULL, err);
}
