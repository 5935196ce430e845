/* The reverse sweep.
 *
 * For a range of nodes in topological order: mark the values that depend on wrt through
 * differentiable operators, then visit the nodes backwards, turn the adjoints of each node's
 * outputs into contributions to the adjoints of its inputs, and add them up. Visiting a node after
 * all its consumers makes every adjoint complete before it is read. */
#include "diff/diff.h"
#include "ops/builder.h"

/* Depth of expansions inside expansions; the operators' table is far from this. */
#define DIFF_MAX_DEPTH 16

typedef struct diff_sweep {
    sal_builder *b;
    const sal_rules *rules; /* NULL: plain */
    sal_vid *adj;           /* by value id: its adjoint so far, SAL_NONE = zero */
    bool *dep;              /* by value id: depends on wrt */
    uint8_t *place;         /* by value id: DIFF_LIVE ..; only kept for rules by role */
    size_t cap;             /* entries of adj, dep and place */
    int depth;
} diff_sweep;

/* Where a value stands. */
enum {
    DIFF_LIVE = 1,   /* depends on an input of the graph */
    DIFF_BEHIND = 2, /* a layer stands between it and the inputs */
    DIFF_AHEAD = 4,  /* a layer stands between it and the outputs */
};

static sal_status diff_reserve(diff_sweep *s)
{
    size_t need = s->b->g->n_values;

    if (need <= s->cap)
        return SAL_OK;
    need += need / 2;
    if (need > SIZE_MAX / sizeof(sal_vid))
        return sal_fail_nomem(s->b->err);
    sal_vid *adj = sal_realloc(s->adj, need * sizeof(*adj));
    if (adj == NULL)
        return sal_fail_nomem(s->b->err);
    s->adj = adj;
    bool *dep = sal_realloc(s->dep, need * sizeof(*dep));
    if (dep == NULL)
        return sal_fail_nomem(s->b->err);
    s->dep = dep;
    uint8_t *place = sal_realloc(s->place, need * sizeof(*place));
    if (place == NULL)
        return sal_fail_nomem(s->b->err);
    s->place = place;
    for (size_t i = s->cap; i < need; i++) {
        s->adj[i] = SAL_NONE;
        s->dep[i] = false;
        s->place[i] = 0;
    }
    s->cap = need;
    return SAL_OK;
}

static void diff_release(diff_sweep *s)
{
    sal_free(s->adj);
    sal_free(s->dep);
    sal_free(s->place);
}

/* ---- roles ---- */

static bool diff_by_role(const sal_rules *rules)
{
    for (int i = 0; rules != NULL && i < SAL_ROLES; i++) {
        if (rules->desc->by_role[i] != NULL)
            return true;
    }
    return false;
}

static bool diff_is_convolution(const sal_node *n)
{
    return strcmp(n->op->name, "Conv") == 0 || strcmp(n->op->name, "ConvTranspose") == 0;
}

static bool diff_is_layer(const diff_sweep *s, const sal_node *n)
{
    if (!diff_is_convolution(n) && strcmp(n->op->name, "Gemm") != 0 &&
        strcmp(n->op->name, "MatMul") != 0 && strcmp(n->op->name, "PackedMatMul") != 0)
        return false;
    return n->in[1] != SAL_NONE && (s->place[n->in[1]] & DIFF_LIVE) == 0;
}

/* Forward over nodes lo..hi: what depends on the inputs, and through a layer. */
static void diff_place(diff_sweep *s, size_t lo, size_t hi)
{
    const sal_graph *g = s->b->g;

    for (size_t i = 0; lo == 0 && i < g->n_inputs; i++)
        s->place[g->inputs[i]] |= DIFF_LIVE;
    for (size_t i = lo; i < hi; i++) {
        const sal_node *n = g->nodes[i];
        uint8_t place = 0;

        for (int k = 0; k < n->n_in; k++)
            place |= n->in[k] == SAL_NONE ? 0 : s->place[n->in[k]] & (DIFF_LIVE | DIFF_BEHIND);
        if ((place & DIFF_LIVE) != 0 && diff_is_layer(s, n))
            place |= DIFF_BEHIND;
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] != SAL_NONE)
                s->place[n->out[k]] |= place;
        }
    }
}

/* Backwards over one node: what reaches the outputs through a layer. */
static void diff_place_ahead(diff_sweep *s, const sal_node *n)
{
    bool ahead = diff_is_layer(s, n);

    for (int k = 0; k < n->n_out; k++)
        ahead = ahead || (n->out[k] != SAL_NONE && (s->place[n->out[k]] & DIFF_AHEAD) != 0);
    for (int k = 0; ahead && k < n->n_in; k++) {
        if (n->in[k] != SAL_NONE)
            s->place[n->in[k]] |= DIFF_AHEAD;
    }
}

/* The rule for the part that a node plays; NULL when there is none. */
static sal_rule_fn diff_role_rule(const diff_sweep *s, const sal_node *n)
{
    const sal_rule_fn *by_role = s->rules->desc->by_role;
    bool before = true, last = true;

    for (int k = 0; k < n->n_in; k++)
        before = before && (n->in[k] == SAL_NONE || (s->place[n->in[k]] & DIFF_BEHIND) == 0);
    if (!diff_is_layer(s, n))
        return before ? by_role[SAL_ROLE_BEFORE] : NULL;
    for (int k = 0; k < n->n_out; k++)
        last = last && (n->out[k] == SAL_NONE || (s->place[n->out[k]] & DIFF_AHEAD) == 0);
    if (last && by_role[SAL_ROLE_LAST] != NULL)
        return by_role[SAL_ROLE_LAST];
    if (before && by_role[SAL_ROLE_FIRST] != NULL)
        return by_role[SAL_ROLE_FIRST];
    return by_role[diff_is_convolution(n) ? SAL_ROLE_CONVOLUTION : SAL_ROLE_DENSE];
}

/* Mark what depends on the already marked values in nodes lo..hi. */
static void diff_mark(diff_sweep *s, size_t lo, size_t hi)
{
    const sal_graph *g = s->b->g;

    for (size_t i = lo; i < hi; i++) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        if ((n->op->flags & SAL_OP_NOGRAD) != 0)
            continue;
        for (int k = 0; k < n->n_in && !any; k++)
            any = n->in[k] != SAL_NONE && s->dep[n->in[k]];
        for (int k = 0; any && k < n->n_out; k++) {
            if (n->out[k] != SAL_NONE && sal_dtype_is_float(sal_val(g, n->out[k])->dtype))
                s->dep[n->out[k]] = true;
        }
    }
}

static sal_status diff_accumulate(diff_sweep *s, const sal_node *n, int k, sal_vid gin)
{
    sal_graph *g = s->b->g;
    const sal_value *x = sal_val(g, n->in[k]), *d = sal_val(g, gin);

    if (x->dtype != d->dtype || (x->rank >= 0 && d->rank >= 0 && x->rank != d->rank))
        goto mismatch;
    for (int i = 0; i < x->rank && i < d->rank; i++) {
        if (x->dims[i] >= 0 && d->dims[i] >= 0 && x->dims[i] != d->dims[i])
            goto mismatch;
    }
    s->adj[n->in[k]] = sal_b_add_opt(s->b, s->adj[n->in[k]], gin);
    return s->b->st;
mismatch:;
    char want[160], have[160];
    return sal_fail(s->b->err, SAL_ESHAPE,
                    "node %s: the derivative of %s gives %s for input %d, which is %s", n->name,
                    n->op->name, sal_value_text(g, gin, have, sizeof(have)), k,
                    sal_value_text(g, n->in[k], want, sizeof(want)));
}

static sal_status diff_range(diff_sweep *s, size_t lo, size_t hi);

/* Differentiate a node through its expansion: append it on fresh values and sweep over what was
 * appended. The contributions reach the adjoints of the node's inputs by themselves. */
static sal_status diff_expansion(diff_sweep *s, const sal_node *n)
{
    sal_builder *b = s->b;
    sal_graph *g = b->g;
    sal_vid small[8], *out = small;
    size_t lo = g->n_nodes, hi;
    sal_status st = SAL_OK;

    if (s->depth >= DIFF_MAX_DEPTH)
        return sal_fail(b->err, SAL_ENOGRAD, "node %s: the expansion of %s never ends", n->name,
                        n->op->name);
    if (n->n_out > (int)SAL_COUNTOF(small)) {
        out = sal_malloc((size_t)n->n_out * sizeof(*out));
        if (out == NULL)
            return sal_fail_nomem(b->err);
    }
    for (int k = 0; k < n->n_out; k++)
        out[k] = SAL_NONE;
    SAL_TRY(n->op->expand(b, n, out));
    SAL_TRY(b->st);
    hi = g->n_nodes;
    SAL_TRY(diff_reserve(s));
    diff_mark(s, lo, hi);
    if (diff_by_role(s->rules))
        diff_place(s, lo, hi);
    for (int k = 0; k < n->n_out; k++) {
        sal_vid gout = n->out[k] == SAL_NONE ? SAL_NONE : s->adj[n->out[k]];

        if (out[k] != SAL_NONE && n->out[k] != SAL_NONE)
            s->place[out[k]] |= s->place[n->out[k]];
        /* An expansion that returns one of its inputs (Identity, Dropout) needs no special case. */
        if (gout != SAL_NONE && out[k] != SAL_NONE && s->dep[out[k]])
            s->adj[out[k]] = sal_b_add_opt(b, s->adj[out[k]], gout);
    }
    SAL_TRY(b->st);
    s->depth++;
    st = diff_range(s, lo, hi);
    s->depth--;
done:
    if (out != small)
        sal_free(out);
    return st;
}

static sal_rule_fn diff_rule(const diff_sweep *s, const sal_node *n)
{
    const sal_rules *rules = s->rules;

    if (rules == NULL)
        return NULL;
    sal_rule_fn by_role = diff_by_role(rules) ? diff_role_rule(s, n) : NULL;
    if (by_role != NULL)
        return by_role;
    for (const sal_rule_override *o = rules->desc->overrides; o != NULL && o->op != NULL; o++) {
        if (strcmp(o->op, n->op->name) == 0)
            return o->fn;
    }
    return rules->desc->fallback;
}

static sal_status diff_node(diff_sweep *s, const sal_node *n)
{
    sal_builder *b = s->b;
    sal_rule_fn rule = diff_rule(s, n);
    size_t slots = (size_t)n->n_in * 2 + (size_t)n->n_out;
    sal_vid *gin = NULL;
    sal_status st = SAL_OK;
    const char *origin = b->origin;

    b->origin = n->name;
    if (rule == sal_rule_expand && n->op->expand != NULL) {
        st = diff_expansion(s, n);
        b->origin = origin;
        return st;
    }
    if (rule == NULL && n->op->vjp == NULL) {
        if (n->op->expand == NULL || (n->op->flags & SAL_OP_DATA_SHAPE) != 0) {
            st = sal_fail(b->err, SAL_ENOGRAD,
                          "node %s: operator %s has no derivative; choose a layer behind it or a "
                          "perturbation "
                          "method",
                          n->name, n->op->name);
        } else {
            st = diff_expansion(s, n);
        }
        b->origin = origin;
        return st;
    }
    gin = sal_malloc(slots * (sizeof(*gin) + sizeof(bool)) + 1);
    if (gin == NULL)
        return sal_fail_nomem(b->err);
    sal_vid *gout = gin + n->n_in;
    bool *need = (bool *)(gin + slots);
    for (int k = 0; k < n->n_in; k++) {
        gin[k] = SAL_NONE;
        need[k] = n->in[k] != SAL_NONE && s->dep[n->in[k]];
    }
    for (int k = 0; k < n->n_out; k++)
        gout[k] = n->out[k] == SAL_NONE ? SAL_NONE : s->adj[n->out[k]];
    sal_vjp v = {.b = b, .node = n, .gout = gout, .need = need, .gin = gin};
    SAL_TRY(rule != NULL ? rule(&v, s->rules) : n->op->vjp(&v));
    SAL_TRY(b->st);
    SAL_TRY(diff_reserve(s));
    for (int k = 0; k < n->n_in; k++) {
        if (need[k] && gin[k] != SAL_NONE)
            SAL_TRY(diff_accumulate(s, n, k, gin[k]));
    }
    SAL_TRY(diff_reserve(s));
done:
    if (st != SAL_OK && b->err != NULL && b->err->code != SAL_ENOGRAD &&
        strstr(b->err->msg, n->name) == NULL)
        st = sal_fail_prefix(b->err, st, "derivative of node %s (%s)", n->name, n->op->name);
    b->origin = origin;
    sal_free(gin);
    return st;
}

static sal_status diff_range(diff_sweep *s, size_t lo, size_t hi)
{
    sal_status st = SAL_OK;

    for (size_t i = hi; i-- > lo;) {
        const sal_node *n = s->b->g->nodes[i];
        bool in = false, out = false;

        if ((n->op->flags & SAL_OP_NOGRAD) != 0)
            continue;
        for (int k = 0; k < n->n_out; k++)
            out = out ||
                  (n->out[k] != SAL_NONE && s->dep[n->out[k]] && s->adj[n->out[k]] != SAL_NONE);
        for (int k = 0; out && k < n->n_in; k++)
            in = in || (n->in[k] != SAL_NONE && s->dep[n->in[k]]);
        if (in)
            SAL_TRY(diff_node(s, n));
        if (out && diff_by_role(s->rules))
            diff_place_ahead(s, n);
    }
done:
    return st;
}

/* A wrt value may lie behind another one. Its adjoint is complete once all its consumers were
 * visited, which the sweep guarantees before its producer is. So nothing special is needed for cut
 * points: what depends on no wrt value is never marked. */
sal_status sal_differentiate(sal_graph *g, int n_out, const sal_vid *outputs, const sal_vid *seeds,
                             int n_wrt, const sal_vid *wrt, const sal_rules *rules, sal_vid *grads,
                             sal_error *err)
{
    sal_builder b = SAL_BUILDER(g, err, NULL);
    diff_sweep s = {.b = &b, .rules = rules};
    size_t last = g->n_nodes;
    sal_status st = SAL_OK;

    for (int i = 0; i < n_wrt; i++)
        grads[i] = SAL_NONE;
    if (rules != NULL && rules->desc->pairs && rules->pair == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "the rules %s need a baseline: explain with a method that has one",
                        rules->desc->name);
    SAL_TRY(diff_reserve(&s));
    for (int i = 0; i < n_wrt; i++) {
        if (!sal_dtype_is_float(sal_val(g, wrt[i])->dtype)) {
            st =
                sal_fail(err, SAL_ENOGRAD, "%s is %s: only floating-point values have a derivative",
                         sal_val(g, wrt[i])->name, sal_dtype_name(sal_val(g, wrt[i])->dtype));
            goto done;
        }
        s.dep[wrt[i]] = true;
    }
    diff_mark(&s, 0, last);
    if (diff_by_role(rules))
        diff_place(&s, 0, last);
    for (int i = 0; i < n_out; i++) {
        sal_vid seed = seeds == NULL ? SAL_NONE : seeds[i];

        if (!sal_dtype_is_float(sal_val(g, outputs[i])->dtype)) {
            st = sal_fail(
                err, SAL_ENOGRAD, "%s is %s: only floating-point values can be differentiated",
                sal_val(g, outputs[i])->name, sal_dtype_name(sal_val(g, outputs[i])->dtype));
            goto done;
        }
        if (!s.dep[outputs[i]])
            continue;
        if (seed == SAL_NONE)
            seed = sal_b_ones_like(&b, outputs[i]);
        s.adj[outputs[i]] = sal_b_add_opt(&b, s.adj[outputs[i]], seed);
        SAL_TRY(b.st);
        SAL_TRY(diff_reserve(&s));
    }
    SAL_TRY(diff_range(&s, 0, last));
    for (int i = 0; i < n_wrt; i++) {
        grads[i] = s.adj[wrt[i]];
        if (grads[i] == SAL_NONE)
            grads[i] = sal_b_zeros_like(&b, wrt[i]);
    }
    st = b.st;
done:
    diff_release(&s);
    return st;
}

/* The sweep knows this function by its address; it is called where there is no expansion. */
sal_status sal_rule_expand(sal_vjp *v, const sal_rules *rules)
{
    (void)rules;
    return sal_rule_plain(v);
}

sal_status sal_rule_plain(sal_vjp *v)
{
    const sal_node *n = v->node;
    diff_sweep s = {.b = v->b, .rules = NULL};
    sal_status st = SAL_OK;

    if (n->op->vjp != NULL)
        return n->op->vjp(v);
    SAL_TRY(diff_reserve(&s));
    for (int k = 0; k < n->n_in; k++) {
        if (v->need[k])
            s.dep[n->in[k]] = true;
    }
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] != SAL_NONE) {
            s.dep[n->out[k]] = true;
            s.adj[n->out[k]] = v->gout[k];
        }
    }
    SAL_TRY(diff_node(&s, n));
    /* One value may be several inputs: its adjoint is handed to the first of them. */
    for (int k = 0; k < n->n_in; k++) {
        if (v->need[k]) {
            v->gin[k] = s.adj[n->in[k]];
            s.adj[n->in[k]] = SAL_NONE;
        }
    }
done:
    diff_release(&s);
    return st;
}
