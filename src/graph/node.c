/* Reading a node's attributes, inputs and outputs. */
#include "graph/op.h"

const sal_attr *sal_node_attr(const sal_node *n, const char *name)
{
    for (int i = 0; i < n->n_attr; i++)
        if (strcmp(n->attr[i].name, name) == 0)
            return &n->attr[i];
    return NULL;
}

int64_t sal_node_int(const sal_node *n, const char *name, int64_t fallback)
{
    const sal_attr *a = sal_node_attr(n, name);
    return a != NULL && a->kind == SAL_ATTR_INT ? a->i : fallback;
}

double sal_node_float(const sal_node *n, const char *name, double fallback)
{
    const sal_attr *a = sal_node_attr(n, name);
    return a != NULL && a->kind == SAL_ATTR_FLOAT ? a->f : fallback;
}

const char *sal_node_str(const sal_node *n, const char *name, const char *fallback)
{
    const sal_attr *a = sal_node_attr(n, name);
    return a != NULL && a->kind == SAL_ATTR_STRING ? a->s : fallback;
}

const int64_t *sal_node_ints(const sal_node *n, const char *name, size_t *count)
{
    const sal_attr *a = sal_node_attr(n, name);
    bool have = a != NULL && a->kind == SAL_ATTR_INTS;
    *count = have ? a->n : 0;
    return have ? a->ints : NULL;
}

sal_vid sal_node_in(const sal_node *n, int i)
{
    return i < n->n_in ? n->in[i] : SAL_NONE;
}

sal_vid sal_node_out(const sal_node *n, int i)
{
    return i < n->n_out ? n->out[i] : SAL_NONE;
}

sal_status sal_infer_alike(const sal_infer *c)
{
    const sal_node *n = c->node;
    sal_vid first = sal_node_in(n, 0);
    for (int i = 1; i < n->n_in && i < 32; i++) {
        if ((n->op->alike >> i & 1) == 0 || first == SAL_NONE || n->in[i] == SAL_NONE)
            continue;
        sal_dtype a = sal_val(c->g, first)->dtype, b = sal_val(c->g, n->in[i])->dtype;
        if (a != b && a != SAL_DT_NONE && b != SAL_DT_NONE)
            return sal_fail(c->err, SAL_EINVAL, "input 0 is %s but input %d is %s; insert a Cast",
                            sal_dtype_name(a), i, sal_dtype_name(b));
    }
    return SAL_OK;
}
