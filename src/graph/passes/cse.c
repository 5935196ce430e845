/* Common subexpressions: of equal nodes (operator, inputs, attributes) the first stays; equal small
 * constants become one. */
#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

/* Larger constants are weights; two equal ones are the same initialiser already, and hashing them
 * costs time. */
enum { CSE_CONSTANT_MAX = 1 << 16 };

/* Open addressing; an entry is an index + 1, 0 is free. */
typedef struct cse_table {
    int32_t *slot;
    size_t mask;
} cse_table;

static sal_status cse_table_new(cse_table *t, size_t n, sal_error *err)
{
    size_t cap = 64;
    while (cap < n * 2)
        cap *= 2;
    t->mask = cap - 1;
    t->slot = sal_calloc(cap, sizeof *t->slot);
    return t->slot == NULL ? sal_fail_nomem(err) : SAL_OK;
}

/* ---- constants ---- */

static uint64_t cse_tensor_hash(const sal_tensor *t, uint64_t h)
{
    h = sal_hash(&t->dtype, sizeof t->dtype, h);
    h = sal_hash(t->dims, (size_t)t->rank * sizeof *t->dims, h + (uint64_t)t->rank);
    return sal_hash(t->data, sal_tensor_bytes(t), h);
}

static bool cse_tensor_equal(const sal_tensor *a, const sal_tensor *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank ||
        memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0)
        return false;
    size_t n = sal_tensor_bytes(a);
    return n == 0 || a->data == b->data || memcmp(a->data, b->data, n) == 0;
}

static sal_status cse_constants(sal_rewrite *r)
{
    sal_graph *g = r->g;
    cse_table t = {NULL, 0};
    sal_status st = cse_table_new(&t, g->n_values, r->err);
    for (size_t v = 0; st == SAL_OK && v < g->n_values; v++) {
        const sal_tensor *c = g->values[v]->constant;
        if (c == NULL || r->is_out[v] || sal_tensor_bytes(c) > CSE_CONSTANT_MAX)
            continue;
        size_t i = (size_t)cse_tensor_hash(c, 0) & t.mask;
        while (t.slot[i] != 0 && !cse_tensor_equal(c, g->values[t.slot[i] - 1]->constant))
            i = (i + 1) & t.mask;
        if (t.slot[i] == 0)
            t.slot[i] = (int32_t)v + 1;
        else
            (void)sal_rewrite_replace(r, (sal_vid)v, t.slot[i] - 1);
    }
    sal_free(t.slot);
    return st;
}

/* ---- nodes ---- */

static uint64_t cse_attr_hash(const sal_attr *a, uint64_t h)
{
    h = sal_hash(a->name, strlen(a->name), h + (uint64_t)a->kind);
    switch (a->kind) {
    case SAL_ATTR_INT:
        return sal_hash(&a->i, sizeof a->i, h);
    case SAL_ATTR_FLOAT:
        return sal_hash(&a->f, sizeof a->f, h);
    case SAL_ATTR_STRING:
        return sal_hash(a->s, a->n, h);
    case SAL_ATTR_INTS:
        return sal_hash(a->ints, a->n * sizeof *a->ints, h);
    case SAL_ATTR_FLOATS:
        return sal_hash(a->floats, a->n * sizeof *a->floats, h);
    default:
        return h;
    }
}

static bool cse_attr_equal(const sal_attr *a, const sal_attr *b)
{
    if (a->kind != b->kind || a->n != b->n || strcmp(a->name, b->name) != 0)
        return false;
    switch (a->kind) {
    case SAL_ATTR_INT:
        return a->i == b->i;
    case SAL_ATTR_FLOAT:
        return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case SAL_ATTR_STRING:
        return memcmp(a->s, b->s, a->n) == 0;
    case SAL_ATTR_INTS:
        return a->n == 0 || memcmp(a->ints, b->ints, a->n * sizeof *a->ints) == 0;
    case SAL_ATTR_FLOATS:
        return a->n == 0 || memcmp(a->floats, b->floats, a->n * sizeof *a->floats) == 0;
    case SAL_ATTR_STRINGS:
        for (size_t i = 0; i < a->n; i++)
            if (strcmp(a->strings[i], b->strings[i]) != 0)
                return false;
        return true;
    case SAL_ATTR_TENSOR:
        return cse_tensor_equal(a->tensor, b->tensor);
    default:
        return false;
    }
}

static uint64_t cse_node_hash(const sal_rewrite *r, const sal_node *n)
{
    uint64_t h = sal_hash(&n->op, sizeof(const sal_op_desc *), 0);
    for (int k = 0; k < n->n_in; k++) {
        sal_vid v = sal_rewrite_now(r, n->in[k]);
        h = sal_hash(&v, sizeof v, h);
    }
    for (int k = 0; k < n->n_attr; k++)
        h = cse_attr_hash(&n->attr[k], h);
    return h;
}

/* Equal when the same is wanted from both: an output that one of them omits is not there to be
 * read. */
static bool cse_node_equal(const sal_rewrite *r, const sal_node *a, const sal_node *b)
{
    if (a->op != b->op || a->n_in != b->n_in || a->n_attr != b->n_attr || a->n_out != b->n_out)
        return false;
    for (int k = 0; k < a->n_in; k++)
        if (sal_rewrite_now(r, a->in[k]) != sal_rewrite_now(r, b->in[k]))
            return false;
    for (int k = 0; k < a->n_out; k++)
        if ((a->out[k] == SAL_NONE) != (b->out[k] == SAL_NONE))
            return false;
    for (int k = 0; k < a->n_attr; k++)
        if (!cse_attr_equal(&a->attr[k], &b->attr[k]))
            return false;
    return true;
}

static bool cse_random(const sal_node *n)
{
    return strncmp(n->op->name, "Random", 6) == 0 || sal_node_is(n, "Bernoulli") ||
           sal_node_is(n, "Multinomial") ||
           (sal_node_is(n, "Dropout") && sal_node_in(n, 2) != SAL_NONE);
}

/* The twin n of `first` goes, if every output that is read can be replaced. */
static void cse_merge(sal_rewrite *r, const sal_node *n, const sal_node *first)
{
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] != SAL_NONE && r->is_out[n->out[k]] &&
            (n->n_out > 1 || r->is_out[first->out[k]]))
            return;
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] != SAL_NONE)
            (void)sal_rewrite_replace(r, n->out[k], first->out[k]);
    sal_rewrite_kill(r, n);
}

sal_status sal_pass_cse(sal_graph *g, sal_error *err)
{
    sal_rewrite r;
    cse_table t = {NULL, 0};
    sal_status st = SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    SAL_TRY(cse_constants(&r));
    SAL_TRY(cse_table_new(&t, g->n_nodes, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        if (cse_random(n))
            continue;
        size_t at = (size_t)cse_node_hash(&r, n) & t.mask;
        while (t.slot[at] != 0 && !cse_node_equal(&r, n, g->nodes[t.slot[at] - 1]))
            at = (at + 1) & t.mask;
        if (t.slot[at] == 0)
            t.slot[at] = (int32_t)i + 1;
        else
            cse_merge(&r, n, g->nodes[t.slot[at] - 1]);
    }
done:
    sal_free(t.slot);
    return sal_rewrite_end(&r, st);
}
