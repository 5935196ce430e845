/* Specialising a graph for concrete shapes. */
#include "graph/passes/unfold.h"

#include <inttypes.h>

/* What is known about the free symbols: value[i] >= 0 is the length that symbol i stands for. */
typedef struct bind_ctx {
    sal_graph *g;
    int64_t *value;
    size_t n;
    sal_error *err;
} bind_ctx;

static sal_status bind_begin(bind_ctx *c, const sal_graph *g, sal_error *err)
{
    c->g = NULL;
    c->value = NULL;
    c->n = g->n_symbols;
    c->err = err;
    sal_status st = sal_graph_clone(&c->g, g, err);
    if (st != SAL_OK)
        return st;
    c->value = sal_malloc((c->n + 1) * sizeof *c->value);
    if (c->value == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < c->n; i++)
        c->value[i] = -1;
    return SAL_OK;
}

static const sal_symbol *bind_symbol(const bind_ctx *c, int64_t d)
{
    return &c->g->symbols[-1 - d];
}

/* Dimension `had` of an input turns out to be `now`: learn the symbol, or compare. */
static sal_status bind_learn(bind_ctx *c, const char *input, int axis, int64_t had, int64_t now)
{
    char text[96];
    if (now < 0)
        return sal_fail(c->err, SAL_EINVAL,
                        "input '%s': the size %" PRId64 " along axis %d is negative", input, now,
                        axis);
    if (had >= 0) {
        if (had == now)
            return SAL_OK;
        return sal_fail(c->err, SAL_ESHAPE,
                        "input '%s' has size %" PRId64 " along axis %d, the model wants %" PRId64,
                        input, now, axis, had);
    }
    const sal_symbol *s = bind_symbol(c, had);
    sal_dim_text(c->g, had, text, sizeof text);
    if (now % s->coeff != 0)
        return sal_fail(c->err, SAL_ESHAPE,
                        "input '%s' has size %" PRId64
                        " along axis %d, which is no multiple of %" PRId64 " (%s)",
                        input, now, axis, s->coeff, text);
    int64_t value = now / s->coeff;
    if (c->value[s->base] >= 0 && c->value[s->base] != value)
        return sal_fail(c->err, SAL_ESHAPE,
                        "input '%s' has size %" PRId64 " along axis %d, but %s = %" PRId64
                        " elsewhere",
                        input, now, axis, c->g->symbols[s->base].name, c->value[s->base]);
    c->value[s->base] = value;
    return SAL_OK;
}

static int64_t bind_dim(const bind_ctx *c, int64_t d)
{
    int64_t r;
    if (d >= 0 || (size_t)(-1 - d) >= c->n)
        return d;
    const sal_symbol *s = bind_symbol(c, d);
    return c->value[s->base] >= 0 && !__builtin_mul_overflow(s->coeff, c->value[s->base], &r) ? r
                                                                                              : d;
}

sal_status sal_graph_reinfer(sal_graph *g, const sal_fold *how, bool run, sal_error *err)
{
    sal_rewrite r = {.g = g};
    size_t grown = 0;
    sal_status st = SAL_OK;
    SAL_TRY(sal_pass_unfold(g, how, run, err));
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        bool folded;
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] == SAL_NONE)
                continue;
            sal_value *v = sal_val(g, n->out[k]);
            v->rank = -1;
            v->known = NULL;
            v->known_n = 0;
        }
        SAL_TRY(sal_node_reinfer(g, n, err));
        SAL_TRY(sal_fold_node(g, n, how, &grown, &folded, err));
        r.dead[i] = folded;
        r.changed = r.changed || folded;
    }
done:
    return sal_rewrite_end(&r, st);
}

/* Put the known symbols into the inputs; what nodes make of them is inferred anew, without old
 * results. */
static sal_status bind_infer(bind_ctx *c, const sal_fold *how, bool complete)
{
    sal_graph *g = c->g;
    char text[192];
    sal_status st = SAL_OK;
    for (size_t i = 0; i < g->n_inputs; i++) {
        sal_value *v = sal_val(g, g->inputs[i]);
        for (int k = 0; k < v->rank; k++)
            v->dims[k] = bind_dim(c, v->dims[k]);
        if (complete && !sal_value_is_static(v))
            SAL_TRY(sal_fail(c->err, SAL_ESHAPE, "input '%s' is %s: its shape must be given",
                             v->name, sal_value_text(g, g->inputs[i], text, sizeof text)));
    }
    st = sal_graph_reinfer(g, how, complete, c->err);
done:
    return st;
}

static sal_status bind_end(bind_ctx *c, sal_graph **out, sal_status st)
{
    if (st == SAL_OK)
        st = sal_pass_dce(c->g, c->err);
    if (st == SAL_OK) {
        *out = c->g;
        c->g = NULL;
    }
    sal_graph_free(c->g);
    sal_free(c->value);
    return st;
}

sal_status sal_graph_bind(sal_graph **out, const sal_graph *g, int n, const sal_bound *inputs,
                          const sal_fold *how, sal_error *err)
{
    bind_ctx c;
    sal_status st = SAL_OK;
    *out = NULL;
    SAL_TRY(bind_begin(&c, g, err));
    for (int i = 0; i < n; i++) {
        const sal_bound *b = &inputs[i];
        if (b->input < 0 || (size_t)b->input >= g->n_inputs || b->rank < 0 ||
            b->rank > SAL_MAX_RANK)
            SAL_TRY(sal_fail(err, SAL_EINVAL, "there is no input %d (or no rank %d)", b->input,
                             b->rank));
        sal_value *v = sal_val(c.g, c.g->inputs[b->input]);
        if (v->rank >= 0 && v->rank != b->rank)
            SAL_TRY(sal_fail(err, SAL_ESHAPE, "input '%s' has %d axes, %d were given", v->name,
                             v->rank, b->rank));
        for (int k = 0; k < b->rank; k++) {
            SAL_TRY(bind_learn(&c, v->name, k, v->rank < 0 ? b->dims[k] : v->dims[k], b->dims[k]));
            if (v->rank < 0)
                v->dims[k] = b->dims[k];
        }
        v->rank = b->rank;
    }
    SAL_TRY(bind_infer(&c, how, true));
done:
    return bind_end(&c, out, st);
}

sal_status sal_graph_bind_symbols(sal_graph **out, const sal_graph *g, int n,
                                  const sal_bound_symbol *symbols, const sal_fold *how,
                                  sal_error *err)
{
    bind_ctx c;
    sal_status st = SAL_OK;
    *out = NULL;
    SAL_TRY(bind_begin(&c, g, err));
    for (int i = 0; i < n; i++) {
        size_t k = 0;
        while (k < c.n && (c.g->symbols[k].base != (int32_t)k ||
                           strcmp(c.g->symbols[k].name, symbols[i].name) != 0))
            k++;
        if (k == c.n || symbols[i].value < 0)
            SAL_TRY(sal_fail(err, SAL_EINVAL,
                             "the model has no dimension '%s' that could be %" PRId64,
                             symbols[i].name, symbols[i].value));
        c.value[k] = symbols[i].value;
    }
    SAL_TRY(bind_infer(&c, how, false));
done:
    return bind_end(&c, out, st);
}

sal_status sal_graph_extract(sal_graph **out, const sal_graph *g, int n, const sal_vid *outputs,
                             sal_error *err)
{
    sal_graph *c = NULL;
    sal_status st = SAL_OK;
    *out = NULL;
    for (int i = 0; i < n; i++)
        if (outputs[i] < 0 || (size_t)outputs[i] >= g->n_values)
            return sal_fail(err, SAL_EINVAL, "the graph has no value number %d", (int)outputs[i]);
    SAL_TRY(sal_graph_clone(&c, g, err));
    c->n_outputs = 0;
    for (int i = 0; i < n; i++)
        SAL_TRY(sal_graph_add_output(c, outputs[i], err));
    SAL_TRY(sal_pass_dce(c, err));
    *out = c;
    c = NULL;
done:
    sal_graph_free(c);
    return st;
}
