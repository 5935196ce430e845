/* Inference of an operator from its expansion: the types of what the expansion builds, in a graph
 * of its own. */
#include "ops/builder.h"
#include "ops/infer.h"

/* The symbols of the graph, under the same numbers; their names stay where they are. */
static sal_status expansion_symbols(sal_graph *s, const sal_graph *g, sal_error *err)
{
    sal_status st = sal_grow(&s->symbols, g->n_symbols, &s->cap_symbols, sizeof *s->symbols, err);
    if (st == SAL_OK && g->n_symbols > 0)
        memcpy(s->symbols, g->symbols, g->n_symbols * sizeof *g->symbols);
    s->n_symbols = st == SAL_OK ? g->n_symbols : 0;
    return st;
}

static sal_status expansion_input(sal_graph *s, const sal_value *x, sal_vid *out, sal_error *err)
{
    if (x->constant != NULL)
        return sal_graph_constant(s, NULL, x->constant, out, err);
    sal_status st = sal_graph_value(s, NULL, "in", out, err);
    if (st == SAL_OK)
        st = sal_value_set_type(s, *out, x->dtype, x->rank, x->dims, err);
    return st == SAL_OK && x->known != NULL
               ? sal_value_set_known(s, *out, x->known, x->known_n, err)
               : st;
}

/* A dimension of the scratch graph in terms of g: symbols that are new there are unknown, unless
 * they are multiples of one that g has. */
static int64_t expansion_dim(sal_graph *g, const sal_graph *s, size_t shared, int64_t d)
{
    if (d >= 0 || (size_t)(-1 - d) < shared)
        return d;
    const sal_symbol *sym = &s->symbols[-1 - d];
    if (sym->base >= 0 && (size_t)sym->base < shared)
        return sal_dim_mul(g, -1 - (int64_t)sym->base, sym->coeff);
    return sal_dim_fresh(g);
}

static sal_status expansion_output(sal_infer *c, const sal_graph *s, size_t shared, int i,
                                   sal_vid made)
{
    int64_t dims[SAL_MAX_RANK] = {0};
    if (made == SAL_NONE)
        return sal_fail(c->err, SAL_EUNSUPPORTED, "output %d is not supported", i);
    const sal_value *y = sal_val(s, made);
    for (int k = 0; k < y->rank; k++)
        dims[k] = expansion_dim(c->g, s, shared, y->dims[k]);
    return sal_infer_out(c, i, y->dtype, y->rank, dims);
}

sal_status sal_infer_expansion(sal_infer *c)
{
    enum { OUTPUTS_MAX = 8 };
    const sal_node *n = c->node;
    sal_graph *s = NULL;
    sal_vid *in = NULL, out[OUTPUTS_MAX];
    size_t shared = c->g->n_symbols;
    sal_status st;
    if (n->n_out > OUTPUTS_MAX)
        return sal_fail(c->err, SAL_EFORMAT, "%d outputs", n->n_out);
    SAL_TRY(sal_graph_new(&s, "expansion", c->err));
    SAL_TRY(expansion_symbols(s, c->g, c->err));
    in = sal_calloc((size_t)n->n_in + 1, sizeof *in);
    if (in == NULL)
        SAL_TRY(sal_fail_nomem(c->err));
    for (int i = 0; i < n->n_in; i++) {
        in[i] = SAL_NONE;
        if (n->in[i] != SAL_NONE)
            SAL_TRY(expansion_input(s, sal_val(c->g, n->in[i]), &in[i], c->err));
    }
    sal_builder b = SAL_BUILDER(s, c->err, n->name);
    sal_node copy = *n;
    copy.in = in;
    for (int i = 0; i < OUTPUTS_MAX; i++)
        out[i] = SAL_NONE;
    SAL_TRY(n->op->expand(&b, &copy, out));
    SAL_TRY(b.st);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != SAL_NONE)
            SAL_TRY(expansion_output(c, s, shared, i, out[i]));
done:
    sal_free(in);
    sal_graph_free(s);
    return st;
}
