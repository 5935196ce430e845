/* Building and copying graphs. */
#include "graph/graph.h"

#include "graph/names.h"
#include "graph/op.h"

#include <inttypes.h>

sal_status sal_graph_new(sal_graph **out, const char *name, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_graph *g = sal_calloc(1, sizeof *g);
    *out = NULL;
    if (g == NULL)
        return sal_fail_nomem(err);
    SAL_TRY(sal_names_new(&g->names, err));
    g->name = sal_arena_strdup(&g->arena, name == NULL ? "graph" : name);
    if (g->name == NULL)
        SAL_TRY(sal_fail_nomem(err));
    *out = g;
    g = NULL;
done:
    sal_graph_free(g);
    return st;
}

void sal_graph_free(sal_graph *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_constants; i++)
        sal_tensor_free(g->constants[i]);
    for (size_t i = 0; i < g->n_subgraphs; i++)
        sal_graph_free(g->subgraphs[i]);
    sal_free(g->subgraphs);
    sal_free(g->constants);
    sal_free(g->values);
    sal_free(g->nodes);
    sal_free(g->inputs);
    sal_free(g->outputs);
    sal_free(g->symbols);
    sal_free(g->symbol_slot);
    sal_free(g->meta);
    sal_names_free(g->names);
    sal_arena_free(&g->arena);
    sal_free(g);
}

/* The graph's own tensor struct for *t, sharing or copying the storage. */
static sal_status graph_own_tensor(sal_graph *g, const sal_tensor *t, const sal_tensor **out,
                                   sal_error *err)
{
    sal_status st =
        sal_grow(&g->constants, g->n_constants + 1, &g->cap_constants, sizeof *g->constants, err);
    if (st != SAL_OK)
        return st;
    sal_tensor *own = sal_arena_alloc(&g->arena, sizeof *own);
    if (own == NULL)
        return sal_fail_nomem(err);
    if (t->buffer != NULL) {
        *own = sal_tensor_ref(t);
    } else {
        *own = (sal_tensor)SAL_TENSOR_INIT;
        st = sal_tensor_new(own, t->dtype, t->rank, t->dims, err);
        if (st != SAL_OK)
            return st;
        if (sal_tensor_bytes(t) > 0)
            memcpy(own->data, t->data, sal_tensor_bytes(t));
    }
    g->constants[g->n_constants++] = own;
    *out = own;
    return SAL_OK;
}

sal_status sal_graph_value(sal_graph *g, const char *name, const char *hint, sal_vid *out,
                           sal_error *err)
{
    *out = SAL_NONE;
    if (name != NULL && sal_graph_find(g, name) != SAL_NONE)
        return sal_fail(err, SAL_EFORMAT, "value '%s' is defined twice", name);
    if (g->n_values >= INT32_MAX - 1)
        return sal_fail(err, SAL_EUNSUPPORTED, "graph has too many values");
    sal_status st = sal_grow(&g->values, g->n_values + 1, &g->cap_values, sizeof *g->values, err);
    if (st != SAL_OK)
        return st;
    sal_value *v = sal_arena_alloc(&g->arena, sizeof *v);
    char *own = name != NULL ? sal_arena_strdup(&g->arena, name) : NULL;
    while (name == NULL && v != NULL) {
        own =
            sal_arena_printf(&g->arena, "%s_%" PRIu32, hint == NULL ? "value" : hint, ++g->unique);
        if (own == NULL || sal_graph_find(g, own) == SAL_NONE)
            break;
    }
    if (v == NULL || own == NULL)
        return sal_fail_nomem(err);
    v->name = own;
    v->rank = -1;
    v->producer = -1;
    g->values[g->n_values] = v;
    st = sal_names_add(g->names, g, (sal_vid)g->n_values, err);
    if (st == SAL_OK)
        *out = (sal_vid)g->n_values++;
    return st;
}

sal_status sal_graph_set_constant(sal_graph *g, sal_vid v, const sal_tensor *t, sal_error *err)
{
    sal_value *x = sal_val(g, v);
    const sal_tensor *own;
    sal_status st = graph_own_tensor(g, t, &own, err);
    if (st != SAL_OK)
        return st;
    x->constant = own;
    x->dtype = t->dtype;
    x->rank = t->rank;
    memcpy(x->dims, t->dims, sizeof x->dims);
    x->known = NULL;
    x->known_n = 0;
    x->producer = -1;
    x->producer_out = 0;
    return SAL_OK;
}

sal_status sal_graph_constant(sal_graph *g, const char *name, const sal_tensor *t, sal_vid *out,
                              sal_error *err)
{
    sal_status st = sal_graph_value(g, name, "const", out, err);
    if (st == SAL_OK)
        st = sal_graph_set_constant(g, *out, t, err);
    return st;
}

static sal_status graph_list_add(sal_vid **list, size_t *n, size_t *cap, sal_vid v, sal_error *err)
{
    sal_status st = sal_grow(list, *n + 1, cap, sizeof **list, err);
    if (st == SAL_OK)
        (*list)[(*n)++] = v;
    return st;
}

sal_status sal_graph_input(sal_graph *g, const char *name, sal_dtype dtype, int rank,
                           const int64_t *dims, sal_vid *out, sal_error *err)
{
    sal_status st = sal_graph_value(g, name, "input", out, err);
    if (st == SAL_OK)
        st = sal_value_set_type(g, *out, dtype, rank, dims, err);
    if (st == SAL_OK)
        st = graph_list_add(&g->inputs, &g->n_inputs, &g->cap_inputs, *out, err);
    return st;
}

sal_status sal_graph_add_output(sal_graph *g, sal_vid v, sal_error *err)
{
    return graph_list_add(&g->outputs, &g->n_outputs, &g->cap_outputs, v, err);
}

sal_status sal_graph_adopt(sal_graph *g, sal_graph *sub, sal_error *err)
{
    sal_status st =
        sal_grow(&g->subgraphs, g->n_subgraphs + 1, &g->cap_subgraphs, sizeof *g->subgraphs, err);
    if (st == SAL_OK)
        g->subgraphs[g->n_subgraphs++] = sub;
    else
        sal_graph_free(sub);
    return st;
}

static sal_status graph_copy_sub(sal_graph *g, const sal_attr *in, sal_attr *out, sal_error *err)
{
    sal_graph *sub = NULL;
    sal_status st = sal_graph_clone(&sub, in->graph, err);
    out->graph = sub;
    return st == SAL_OK ? sal_graph_adopt(g, sub, err) : st;
}

static sal_status graph_copy_attr(sal_graph *g, const sal_attr *in, sal_attr *out, sal_error *err)
{
    sal_arena *a = &g->arena;
    *out = *in;
    out->name = sal_arena_strdup(a, in->name);
    bool ok = out->name != NULL;
    switch (in->kind) {
    case SAL_ATTR_STRING:
        out->s = sal_arena_strndup(a, in->s, in->n);
        ok = ok && out->s != NULL;
        break;
    case SAL_ATTR_INTS:
        out->ints = in->n == 0 ? NULL : sal_arena_memdup(a, in->ints, in->n * sizeof *in->ints);
        ok = ok && (in->n == 0 || out->ints != NULL);
        break;
    case SAL_ATTR_FLOATS:
        out->floats =
            in->n == 0 ? NULL : sal_arena_memdup(a, in->floats, in->n * sizeof *in->floats);
        ok = ok && (in->n == 0 || out->floats != NULL);
        break;
    case SAL_ATTR_STRINGS: {
        const char **s = sal_arena_alloc(a, (in->n + 1) * sizeof *s);
        ok = ok && s != NULL;
        for (size_t i = 0; ok && i < in->n; i++)
            ok = (s[i] = sal_arena_strdup(a, in->strings[i])) != NULL;
        out->strings = s;
        break;
    }
    case SAL_ATTR_TENSOR:
        if (ok)
            return graph_own_tensor(g, in->tensor, &out->tensor, err);
        break;
    case SAL_ATTR_GRAPH:
        if (ok)
            return graph_copy_sub(g, in, out, err);
        break;
    default:
        break;
    }
    return ok ? SAL_OK : sal_fail_nomem(err);
}

sal_status sal_graph_copy_attrs(sal_graph *g, int n, const sal_attr *in, sal_attr **out,
                                sal_error *err)
{
    *out = NULL;
    if (n == 0)
        return SAL_OK;
    sal_attr *copy = sal_arena_alloc(&g->arena, (size_t)n * sizeof *copy);
    if (copy == NULL)
        return sal_fail_nomem(err);
    for (int i = 0; i < n; i++) {
        sal_status st = graph_copy_attr(g, &in[i], &copy[i], err);
        if (st != SAL_OK)
            return st;
    }
    *out = copy;
    return SAL_OK;
}

sal_status sal_graph_node(sal_graph *g, const sal_op_desc *op, const char *name, int n_in,
                          const sal_vid *in, int n_out, const sal_vid *out, int n_attr,
                          const sal_attr *attr, sal_node **node, sal_error *err)
{
    if (node != NULL)
        *node = NULL;
    sal_status st = sal_grow(&g->nodes, g->n_nodes + 1, &g->cap_nodes, sizeof *g->nodes, err);
    if (st != SAL_OK)
        return st;
    sal_node *n = sal_arena_alloc(&g->arena, sizeof *n);
    if (n == NULL)
        return sal_fail_nomem(err);
    n->op = op;
    n->name = name != NULL && name[0] != '\0'
                  ? sal_arena_strdup(&g->arena, name)
                  : sal_arena_printf(&g->arena, "%s_%zu", op->name, g->n_nodes);
    n->in = sal_arena_alloc(&g->arena, (size_t)(n_in + 1) * sizeof *n->in);
    n->out = sal_arena_alloc(&g->arena, (size_t)(n_out + 1) * sizeof *n->out);
    if (n->name == NULL || n->in == NULL || n->out == NULL)
        return sal_fail_nomem(err);
    n->n_in = n_in;
    n->n_out = n_out;
    n->n_attr = n_attr;
    if (n_in > 0)
        memcpy(n->in, in, (size_t)n_in * sizeof *in);
    if (n_out > 0)
        memcpy(n->out, out, (size_t)n_out * sizeof *out);
    st = sal_graph_copy_attrs(g, n_attr, attr, &n->attr, err);
    if (st != SAL_OK)
        return st;
    n->id = (int32_t)g->n_nodes;
    for (int i = 0; i < n_out; i++) {
        if (out[i] == SAL_NONE)
            continue;
        sal_val(g, out[i])->producer = n->id;
        sal_val(g, out[i])->producer_out = i;
    }
    g->nodes[g->n_nodes++] = n;
    if (node != NULL)
        *node = n;
    return SAL_OK;
}

sal_vid sal_graph_find(const sal_graph *g, const char *name)
{
    return sal_names_find(g->names, g, name);
}

sal_status sal_graph_rename(sal_graph *g, sal_vid v, const char *name, sal_error *err)
{
    sal_vid other = sal_graph_find(g, name);
    if (other == v)
        return SAL_OK;
    if (other != SAL_NONE)
        return sal_fail(err, SAL_EFORMAT, "value '%s' is defined twice", name);
    char *own = sal_arena_strdup(&g->arena, name);
    if (own == NULL)
        return sal_fail_nomem(err);
    sal_val(g, v)->name = own;
    return sal_names_rebuild(g->names, g, err);
}

sal_status sal_graph_set_meta(sal_graph *g, const char *key, const char *text, sal_error *err)
{
    char *own = sal_arena_strdup(&g->arena, text);
    if (own == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_meta; i++) {
        if (strcmp(g->meta[i].key, key) == 0) {
            g->meta[i].text = own;
            return SAL_OK;
        }
    }
    char *own_key = sal_arena_strdup(&g->arena, key);
    if (own_key == NULL)
        return sal_fail_nomem(err);
    sal_status st = sal_grow(&g->meta, g->n_meta + 1, &g->cap_meta, sizeof *g->meta, err);
    if (st == SAL_OK)
        g->meta[g->n_meta++] = (sal_meta){own_key, own};
    return st;
}

const char *sal_graph_meta(const sal_graph *g, const char *key)
{
    for (size_t i = 0; i < g->n_meta; i++)
        if (strcmp(g->meta[i].key, key) == 0)
            return g->meta[i].text;
    return NULL;
}

sal_status sal_value_set_type(sal_graph *g, sal_vid v, sal_dtype dtype, int rank,
                              const int64_t *dims, sal_error *err)
{
    sal_value *x = sal_val(g, v);
    char had[256];
    if (rank > SAL_MAX_RANK)
        return sal_fail(err, SAL_EUNSUPPORTED, "value '%s' has rank %d; at most %d is supported",
                        x->name, rank, SAL_MAX_RANK);
    for (int i = 0; i < rank; i++)
        if (dims[i] > SAL_DIM_MAX)
            return sal_fail(err, SAL_EUNSUPPORTED, "value '%s' would have size %lld along axis %d",
                            x->name, (long long)dims[i], i);
    bool clash = x->rank >= 0 && rank >= 0 && x->rank != rank;
    for (int i = 0; !clash && x->rank >= 0 && i < rank; i++)
        clash = x->dims[i] >= 0 && dims[i] >= 0 && x->dims[i] != dims[i];
    if (clash || (x->constant != NULL && x->dtype != dtype))
        return sal_fail(err, SAL_ESHAPE,
                        "value '%s' is declared %s, which contradicts what its producer gives",
                        x->name, sal_value_text(g, v, had, sizeof had));
    x->dtype = dtype;
    if (rank < 0)
        return SAL_OK;
    for (int i = 0; i < rank; i++)
        if (x->rank < 0 || x->dims[i] < 0)
            x->dims[i] = dims[i];
    x->rank = rank;
    return SAL_OK;
}

sal_status sal_value_set_known(sal_graph *g, sal_vid v, const int64_t *known, int n, sal_error *err)
{
    sal_value *x = sal_val(g, v);
    if (x->constant != NULL || n > 64)
        return SAL_OK;
    int64_t *own = sal_arena_alloc(&g->arena, (size_t)(n + 1) * sizeof *own);
    if (own == NULL)
        return sal_fail_nomem(err);
    if (n > 0)
        memcpy(own, known, (size_t)n * sizeof *own);
    x->known = own;
    x->known_n = n;
    return SAL_OK;
}

bool sal_value_is_static(const sal_value *v)
{
    for (int i = 0; i < v->rank; i++)
        if (v->dims[i] < 0)
            return false;
    return v->rank >= 0;
}

int64_t sal_value_count(const sal_value *v)
{
    int64_t n = 1;
    if (!sal_value_is_static(v))
        return -1;
    for (int i = 0; i < v->rank; i++)
        if (__builtin_mul_overflow(n, v->dims[i], &n))
            return -1;
    return n;
}

void sal_graph_uses(const sal_graph *g, int32_t *uses)
{
    memset(uses, 0, g->n_values * sizeof *uses);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] != SAL_NONE)
                uses[g->nodes[i]->in[k]]++;
    for (size_t i = 0; i < g->n_outputs; i++)
        uses[g->outputs[i]]++;
}
