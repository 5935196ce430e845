/* RotaryEmbedding of [batch, sequence, heads * features] with cos and sin [batch, sequence, pairs].
 */
#include "exec/kernels.h"

#include <stdio.h>

typedef struct rotary_state {
    int64_t tokens;
    int64_t heads, size, pairs;
    bool interleaved;
} rotary_state;

static void rotary_head(float *y, const float *x, const float *c, const float *s,
                        const rotary_state *r)
{
    int64_t n = r->pairs;
    if (r->interleaved) {
        for (int64_t i = 0; i < n; i++) {
            float a = x[2 * i], b = x[2 * i + 1];
            y[2 * i] = c[i] * a - s[i] * b;
            y[2 * i + 1] = s[i] * a + c[i] * b;
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            float a = x[i], b = x[i + n];
            y[i] = c[i] * a - s[i] * b;
            y[i + n] = s[i] * a + c[i] * b;
        }
    }
    for (int64_t i = 2 * n; i < r->size; i++)
        y[i] = x[i];
}

static sal_status rotary_run(sal_step *step, sal_session *session, sal_error *err)
{
    const rotary_state *r = step->state;
    const float *x = sal_step_ptr(session, step->in[0]);
    const float *c = sal_step_ptr(session, step->in[1]), *s = sal_step_ptr(session, step->in[2]);
    float *y = sal_step_ptr(session, step->out[0]);
    (void)err;
#pragma omp parallel for schedule(static) if (r->tokens > 8)
    for (int64_t t = 0; t < r->tokens; t++)
        for (int64_t h = 0; h < r->heads; h++) {
            int64_t at = (t * r->heads + h) * r->size;
            rotary_head(y + at, x + at, c + t * r->pairs, s + t * r->pairs, r);
        }
    return SAL_OK;
}

bool sal_covers_rotary(const sal_plan *p, const sal_graph *g, const sal_node *n)
{
    const sal_value *x = sal_val(g, n->in[0]), *c = sal_val(g, n->in[1]), *s = sal_val(g, n->in[2]);
    (void)p;
    if (n->n_in > 3 || x->rank != 3 || c->rank != 3 || x->dtype != SAL_F32 || c->dtype != SAL_F32 ||
        p->precision != SAL_F32 || s->rank != 3)
        return false;
    return c->dims[0] == x->dims[0] && c->dims[1] == x->dims[1];
}

sal_status sal_lower_rotary(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                            sal_error *err)
{
    const sal_value *x = sal_val(p->g, n->in[0]), *c = sal_val(p->g, n->in[1]);
    sal_pid in[3], out;
    sal_step *step;
    rotary_state *r;
    sal_status st = SAL_OK;
    (void)gr;
    *done = false;
    if (!sal_covers_rotary(p, p->g, n) || sal_value_count(x) <= 0)
        return SAL_OK;
    r = sal_calloc(1, sizeof *r);
    if (r == NULL)
        return sal_fail_nomem(err);
    r->tokens = x->dims[0] * x->dims[1];
    r->heads = sal_node_int(n, "num_heads", 1);
    r->size = x->dims[2] / r->heads;
    r->pairs = c->dims[2];
    r->interleaved = sal_node_int(n, "interleaved", 0) != 0;
    for (int i = 0; i < 3; i++)
        SAL_TRY(sal_plan_get(p, n->in[i], SAL_PLAIN, SAL_F32, &in[i], err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_PLAIN, SAL_F32, &out, err));
    rotary_state *handed = r;
    r = NULL;
    SAL_TRY(
        sal_plan_step(p, "rotary", n, rotary_run, handed, sal_free, 3, in, 1, &out, &step, err));
    step->in_place = 1u;
    *done = true;
done:
    sal_free(r);
    return st;
}
