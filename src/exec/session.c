/* Sessions: plan a graph, run the plan (exec/session.h). */
#define _POSIX_C_SOURCE 200809L
#include "exec/plan.h"

#include "exec/lower.h"

#include <omp.h>
#include <stdio.h>
#include <time.h>

static void plan_free(sal_plan *p)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].free_state != NULL)
            p->steps[i].free_state(p->steps[i].state);
    for (size_t i = 0; i < p->n_prepared; i++)
        sal_pages_free(p->prepared[i].data, p->prepared[i].bytes);
    sal_free(p->prepared);
    sal_free(p->steps);
    sal_free(p->values);
    sal_free(p->next_form);
    sal_free(p->of);
    sal_free(p->uses);
    sal_free(p->groups);
    if (p->stream != NULL)
        dnnl_stream_destroy(p->stream);
    if (p->engine != NULL)
        dnnl_engine_destroy(p->engine);
    sal_graph_free(p->g);
    sal_arena_free(&p->arena);
}

void sal_session_free(sal_session *s)
{
    if (s == NULL)
        return;
    sal_pages_free(s->arena, SAL_MAX(s->plan.arena_bytes, 64));
    sal_pages_free(s->scratch, SAL_MAX(s->plan.scratch_bytes, 64));
    plan_free(&s->plan);
    sal_free(s->ptr);
    sal_free(s->outputs);
    sal_free(s);
}

/* Whose storage value i uses, and how far behind its start. */
static const sal_pvalue *session_root(const sal_plan *p, sal_pid i, size_t *shift)
{
    for (; p->values[i].alias >= 0; i = p->values[i].alias)
        *shift += p->values[i].shift;
    return &p->values[i];
}

static sal_status session_memory(sal_session *s, sal_error *err)
{
    sal_plan *p = &s->plan;
    sal_status st = sal_plan_memory(p, err);
    if (st != SAL_OK)
        return st;
    for (size_t i = 0; i < p->n_steps; i++)
        p->scratch_bytes = SAL_MAX(p->scratch_bytes, p->steps[i].scratch);
    s->arena = sal_pages(SAL_MAX(p->arena_bytes, 64));
    s->scratch = sal_pages(SAL_MAX(p->scratch_bytes, 64));
    s->ptr = sal_calloc(p->n_values + 1, sizeof *s->ptr);
    s->outputs = sal_calloc(p->g->n_outputs + 1, sizeof *s->outputs);
    if (s->arena == NULL || s->scratch == NULL || s->ptr == NULL || s->outputs == NULL)
        return sal_fail(err, SAL_ENOMEM,
                        "out of memory: %zu MB of activations are needed; use a smaller batch",
                        p->arena_bytes >> 20);
    return SAL_OK;
}

/* Pointers that do not change from run to run, and the outputs' views. */
static void session_pointers(sal_session *s)
{
    sal_plan *p = &s->plan;
    for (size_t i = 0; i < p->n_values; i++) {
        size_t shift = 0;
        const sal_pvalue *x = session_root(p, (sal_pid)i, &shift);
        if (x->fixed != NULL)
            memcpy(&s->ptr[i], &x->fixed, sizeof(void *));
        else if (x->input < 0)
            s->ptr[i] = s->arena + x->offset;
        if (s->ptr[i] != NULL)
            s->ptr[i] = (uint8_t *)s->ptr[i] + shift;
    }
    for (size_t i = 0; i < p->g->n_outputs; i++) {
        sal_vid v = p->g->outputs[i];
        const sal_value *x = sal_val(p->g, v);
        s->outputs[i] = sal_tensor_borrow(x->dtype, x->rank, x->dims, s->ptr[p->output_form[i]]);
    }
}

static int session_compare_pointers(const void *a, const void *b)
{
    const uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return x < y ? -1 : x > y;
}

/* Constants that exist in a kernel's layout now are not read again: give up this plan's share of
 * them, so that weights are held once when nobody else needs them row-major. */
static sal_status session_release_constants(sal_plan *p, sal_error *err)
{
    size_t n = 0, room = p->g->n_outputs;
    for (size_t i = 0; i < p->n_steps; i++)
        room += (size_t)p->steps[i].n_in;
    uintptr_t *used = sal_malloc((room + 1) * sizeof *used);
    uintptr_t *weights = sal_malloc((p->g->n_values + 1) * sizeof *weights);
    if (used == NULL || weights == NULL) {
        sal_free(used);
        sal_free(weights);
        return sal_fail_nomem(err);
    }
    for (size_t i = 0; i < p->n_steps; i++)
        for (int k = 0; k < p->steps[i].n_in; k++) {
            size_t shift = 0;
            if (p->steps[i].in[k] >= 0)
                used[n++] = (uintptr_t)session_root(p, p->steps[i].in[k], &shift)->fixed;
        }
    for (size_t i = 0; i < p->g->n_outputs; i++) {
        size_t shift = 0;
        used[n++] = (uintptr_t)session_root(p, p->output_form[i], &shift)->fixed;
    }
    qsort(used, n, sizeof *used, session_compare_pointers);
    for (size_t v = 0; v < p->g->n_values; v++)
        weights[v] = (uintptr_t)p->g->values[v]->constant;
    qsort(weights, p->g->n_values, sizeof *weights, session_compare_pointers);
    for (size_t i = 0; i < p->g->n_constants; i++) {
        sal_tensor *t = p->g->constants[i];
        uintptr_t data = (uintptr_t)t->data, self = (uintptr_t)t;
        /* tensors of attributes belong to their nodes */
        if (bsearch(&self, weights, p->g->n_values, sizeof *weights, session_compare_pointers) ==
            NULL)
            continue;
        if (bsearch(&data, used, n, sizeof *used, session_compare_pointers) == NULL)
            sal_tensor_free(t);
    }
    sal_free(used);
    sal_free(weights);
    return SAL_OK;
}

sal_status sal_session_new(sal_session **out, const sal_graph *g, const sal_session_opts *opts,
                           sal_error *err)
{
    sal_graph *own = NULL;
    *out = NULL;
    sal_status st = sal_graph_clone(&own, g, err);
    return st == SAL_OK ? sal_session_take(out, own, opts, err) : st;
}

sal_status sal_session_take(sal_session **out, sal_graph *g, const sal_session_opts *opts,
                            sal_error *err)
{
    static const sal_session_opts defaults = SAL_SESSION_OPTS_INIT;
    sal_status st = SAL_OK;
    sal_session *s = sal_calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL) {
        sal_graph_free(g);
        return sal_fail_nomem(err);
    }
    s->plan.g = g;
    if (opts == NULL)
        opts = &defaults;
    int had = omp_get_max_threads();
    sal_plan *p = &s->plan;
    p->threads = opts->threads > 0 ? opts->threads : had;
    p->precision = opts->precision == SAL_BF16 ? SAL_BF16 : SAL_F32;
    p->reference = opts->reference;
    p->packed = opts->packed;
    p->cache = opts->cache;
    omp_set_num_threads(p->threads); /* oneDNN binds the number when a primitive is made */
    SAL_TRY(sal_lower_graph(p, err));
    SAL_TRY(session_release_constants(p, err));
    SAL_TRY(session_memory(s, err));
    session_pointers(s);
    *out = s;
    s = NULL;
done:
    omp_set_num_threads(had);
    sal_session_free(s);
    return st;
}

static sal_status session_bind(sal_session *s, const sal_tensor *inputs, sal_error *err)
{
    const sal_graph *g = s->plan.g;
    for (size_t i = 0; i < g->n_inputs; i++) {
        const sal_value *want = sal_val(g, g->inputs[i]);
        const sal_tensor *t = &inputs[i];
        bool same = t->dtype == want->dtype && t->rank == want->rank;
        for (int k = 0; same && k < want->rank; k++)
            same = t->dims[k] == want->dims[k];
        if (!same) {
            char text[160];
            return sal_fail(err, SAL_ESHAPE, "input '%s' must be %s here", want->name,
                            sal_value_text(g, g->inputs[i], text, sizeof text));
        }
        if (t->data == NULL && sal_tensor_count(t) > 0)
            return sal_fail(err, SAL_EINVAL, "input '%s' has no contents", want->name);
    }
    for (size_t i = 0; i < s->plan.n_values; i++) {
        size_t shift = 0;
        const sal_pvalue *x = session_root(&s->plan, (sal_pid)i, &shift);
        if (x->input >= 0)
            s->ptr[i] = inputs[x->input].data != NULL
                            ? (uint8_t *)inputs[x->input].data + shift
                            : s->scratch; /* no elements; memcpy() wants a pointer */
    }
    for (size_t i = 0; i < g->n_outputs; i++)
        s->outputs[i].data = s->ptr[s->plan.output_form[i]];
    return SAL_OK;
}

static double session_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

sal_status sal_session_profile(sal_session *s, const sal_tensor *inputs, double *ms, sal_error *err)
{
    sal_status st = session_bind(s, inputs, err);
    if (st != SAL_OK)
        return st;
    int had = omp_get_max_threads();
    if (had != s->plan.threads)
        omp_set_num_threads(s->plan.threads);
    double before = ms == NULL ? 0.0 : session_now();
    for (size_t i = 0; st == SAL_OK && i < s->plan.n_steps; i++) {
        sal_step *step = &s->plan.steps[i];
        st = step->run(step, s, err);
        if (ms != NULL) {
            double now = session_now();
            ms[i] = now - before;
            before = now;
        }
    }
    if (had != s->plan.threads)
        omp_set_num_threads(had);
    return st;
}

sal_status sal_session_run(sal_session *s, const sal_tensor *inputs, sal_error *err)
{
    return sal_session_profile(s, inputs, NULL, err);
}

const sal_tensor *sal_session_output(const sal_session *s, size_t i)
{
    return i < s->plan.g->n_outputs ? &s->outputs[i] : NULL;
}

void sal_session_get_stats(const sal_session *s, sal_session_stats *out)
{
    const sal_plan *p = &s->plan;
    *out = (sal_session_stats){.steps = p->n_steps,
                               .arena_bytes = p->arena_bytes,
                               .weight_bytes = p->prepared_bytes,
                               .scratch_bytes = p->scratch_bytes};
    for (size_t i = 0; i < p->n_steps; i++)
        out->reference_steps += p->steps[i].reference;
}

const char *sal_session_step_text(const sal_session *s, size_t step)
{
    return s->plan.steps[step].text;
}

static sal_status session_describe_value(const sal_plan *p, sal_pid v, sal_bytes *out,
                                         sal_error *err)
{
    if (v < 0)
        return sal_bytes_printf(out, err, " -");
    const sal_pvalue *x = &p->values[v];
    sal_status st =
        sal_bytes_printf(out, err, " %s%s[", x->dtype == SAL_F32 ? "" : sal_dtype_name(x->dtype),
                         x->layout == SAL_BLOCKED ? "b" : "");
    for (int i = 0; st == SAL_OK && i < x->rank; i++)
        st = sal_bytes_printf(out, err, "%s%lld", i > 0 ? "," : "", (long long)x->dims[i]);
    return st == SAL_OK ? sal_bytes_printf(out, err, "]") : st;
}

sal_status sal_session_describe(const sal_session *s, sal_bytes *out, sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_plan *p = &s->plan;
    for (size_t i = 0; i < p->n_steps; i++) {
        const sal_step *k = &p->steps[i];
        SAL_TRY(
            sal_bytes_printf(out, err, "%4zu %-12s %-34s %s :", i, k->kernel, k->impl, k->text));
        for (int j = 0; j < k->n_in; j++)
            SAL_TRY(session_describe_value(p, k->in[j], out, err));
        SAL_TRY(sal_bytes_printf(out, err, " ->"));
        for (int j = 0; j < k->n_out; j++)
            SAL_TRY(session_describe_value(p, k->out[j], out, err));
        SAL_TRY(sal_bytes_printf(out, err, "\n"));
    }
done:
    return st;
}
