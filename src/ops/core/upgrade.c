/* Editing a node that was read from an older opset, before it is appended. */
#include "ops/upgrade.h"

static sal_status upgrade_nomem(sal_upgrade *u)
{
    return sal_fail_nomem(u->err);
}

/* Index of the attribute, -1 when absent. */
static int upgrade_attr_index(const sal_upgrade *u, const char *name)
{
    for (int i = 0; i < u->node->n_attr; i++)
        if (strcmp(u->node->attr[i].name, name) == 0)
            return i;
    return -1;
}

/* Add or replace; the attribute's own data already lives in the arena. */
static sal_status upgrade_put(sal_upgrade *u, const sal_attr *a)
{
    sal_node *n = u->node;
    int at = upgrade_attr_index(u, a->name);
    int count = at < 0 ? n->n_attr + 1 : n->n_attr;
    sal_attr *list = sal_arena_alloc(&u->g->arena, (size_t)count * sizeof *list);
    if (list == NULL)
        return upgrade_nomem(u);
    if (n->n_attr > 0)
        memcpy(list, n->attr, (size_t)n->n_attr * sizeof *list);
    list[at < 0 ? n->n_attr : at] = *a;
    n->attr = list;
    n->n_attr = count;
    return SAL_OK;
}

sal_status sal_upgrade_drop(sal_upgrade *u, const char *name)
{
    sal_node *n = u->node;
    int at = upgrade_attr_index(u, name);
    if (at < 0)
        return SAL_OK;
    sal_attr *list = sal_arena_alloc(&u->g->arena, (size_t)n->n_attr * sizeof *list);
    if (list == NULL)
        return upgrade_nomem(u);
    int k = 0;
    for (int i = 0; i < n->n_attr; i++)
        if (i != at)
            list[k++] = n->attr[i];
    n->attr = list;
    n->n_attr = k;
    return SAL_OK;
}

sal_status sal_upgrade_set_int(sal_upgrade *u, const char *name, int64_t v)
{
    sal_attr a = {.kind = SAL_ATTR_INT, .i = v};
    a.name = sal_arena_strdup(&u->g->arena, name);
    return a.name == NULL ? upgrade_nomem(u) : upgrade_put(u, &a);
}

sal_status sal_upgrade_set_float(sal_upgrade *u, const char *name, double v)
{
    sal_attr a = {.kind = SAL_ATTR_FLOAT, .f = v};
    a.name = sal_arena_strdup(&u->g->arena, name);
    return a.name == NULL ? upgrade_nomem(u) : upgrade_put(u, &a);
}

sal_status sal_upgrade_set_str(sal_upgrade *u, const char *name, const char *v)
{
    sal_attr a = {.kind = SAL_ATTR_STRING, .n = strlen(v)};
    a.name = sal_arena_strdup(&u->g->arena, name);
    a.s = sal_arena_strdup(&u->g->arena, v);
    return a.name == NULL || a.s == NULL ? upgrade_nomem(u) : upgrade_put(u, &a);
}

sal_status sal_upgrade_set_input(sal_upgrade *u, int i, sal_vid v)
{
    sal_node *n = u->node;
    int count = i < n->n_in ? n->n_in : i + 1;
    sal_vid *list = sal_arena_alloc(&u->g->arena, (size_t)count * sizeof *list);
    if (list == NULL)
        return upgrade_nomem(u);
    for (int k = 0; k < count; k++)
        list[k] = k < n->n_in ? n->in[k] : SAL_NONE;
    list[i] = v;
    n->in = list;
    n->n_in = count;
    return SAL_OK;
}

sal_status sal_upgrade_rename(sal_upgrade *u, const char *op)
{
    const sal_op_desc *d = sal_op_find(SAL_DOMAIN_ONNX, op);
    if (d == NULL)
        d = sal_op_find(SAL_DOMAIN_INTERNAL, op);
    if (d == NULL)
        return sal_fail(u->err, SAL_EUNSUPPORTED, "%s needs the operator %s, which is not built in",
                        u->node->op != NULL ? u->node->op->name : "the node", op);
    u->node->op = d;
    return SAL_OK;
}

sal_status sal_upgrade_const_ints(sal_upgrade *u, const int64_t *v, int n, sal_vid *out)
{
    int64_t dim = n;
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st;
    SAL_TRY(sal_tensor_new(&t, SAL_I64, 1, &dim, u->err));
    if (n > 0)
        memcpy(t.data, v, (size_t)n * sizeof *v);
    SAL_TRY(sal_graph_constant(u->g, NULL, &t, out, u->err));
done:
    sal_tensor_free(&t);
    return st;
}

sal_status sal_upgrade_const_scalar(sal_upgrade *u, sal_dtype dtype, double v, sal_vid *out)
{
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st;
    SAL_TRY(sal_tensor_new(&t, dtype, 0, NULL, u->err));
    sal_tensor_set(&t, 0, v);
    SAL_TRY(sal_graph_constant(u->g, NULL, &t, out, u->err));
done:
    sal_tensor_free(&t);
    return st;
}

static sal_status upgrade_const_floats(sal_upgrade *u, sal_dtype dtype, const sal_attr *a,
                                       sal_vid *out)
{
    int64_t dim = (int64_t)a->n;
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st;
    SAL_TRY(sal_tensor_new(&t, dtype, 1, &dim, u->err));
    for (size_t i = 0; i < a->n; i++)
        sal_tensor_set(&t, (int64_t)i, a->floats[i]);
    SAL_TRY(sal_graph_constant(u->g, NULL, &t, out, u->err));
done:
    sal_tensor_free(&t);
    return st;
}

sal_status sal_upgrade_attr_to_input(sal_upgrade *u, const char *name, int i, sal_dtype float_dtype)
{
    const sal_attr *a = sal_node_attr(u->node, name);
    sal_vid v = SAL_NONE;
    sal_status st;
    if (a == NULL)
        return SAL_OK;
    if (sal_node_in(u->node, i) != SAL_NONE) {
        st = sal_fail(u->err, SAL_EFORMAT, "attribute %s and input %d say the same thing twice",
                      name, i);
        goto done;
    }
    switch (a->kind) {
    case SAL_ATTR_INT: {
        sal_tensor t = SAL_TENSOR_INIT;
        st = sal_tensor_new(&t, SAL_I64, 0, NULL, u->err);
        if (st == SAL_OK) {
            memcpy(t.data, &a->i, sizeof a->i);
            st = sal_graph_constant(u->g, NULL, &t, &v, u->err);
        }
        sal_tensor_free(&t);
        break;
    }
    case SAL_ATTR_FLOAT:
        st = sal_upgrade_const_scalar(u, float_dtype, a->f, &v);
        break;
    case SAL_ATTR_INTS:
        st = sal_upgrade_const_ints(u, a->ints, (int)a->n, &v);
        break;
    case SAL_ATTR_FLOATS:
        st = upgrade_const_floats(u, float_dtype, a, &v);
        break;
    case SAL_ATTR_TENSOR:
        st = sal_graph_constant(u->g, NULL, a->tensor, &v, u->err);
        break;
    default:
        st = sal_fail(u->err, SAL_EFORMAT, "attribute %s is neither a number nor a list of numbers",
                      name);
        break;
    }
    if (st != SAL_OK)
        goto done;
    SAL_TRY(sal_upgrade_set_input(u, i, v));
    SAL_TRY(sal_upgrade_drop(u, name));
done:
    return st;
}
