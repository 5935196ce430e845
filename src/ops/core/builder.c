/* Appending nodes with inference (ops/builder.h). */
#include "ops/builder.h"

#include <stdio.h>

sal_status sal_node_infer(sal_graph *g, const sal_node *n, sal_error *err)
{
    if (n->op->infer == NULL)
        return SAL_OK;
    sal_infer c = {g, n, err};
    sal_status st = sal_infer_alike(&c);
    if (st == SAL_OK)
        st = n->op->infer(&c);
    return st == SAL_OK ? SAL_OK : sal_fail_prefix(err, st, "%s node '%s'", n->op->name, n->name);
}

static bool builder_fail(sal_builder *b, sal_status st)
{
    if (st != SAL_OK && b->st == SAL_OK)
        b->st = st;
    return st != SAL_OK;
}

static const sal_op_desc *builder_find(const char *op)
{
    const sal_op_desc *d = sal_op_find(SAL_DOMAIN_ONNX, op);
    return d != NULL ? d : sal_op_find(SAL_DOMAIN_INTERNAL, op);
}

void sal_b_node(sal_builder *b, const char *op, int n_in, const sal_vid *in, int n_attr,
                const sal_attr *attr, int n_out, sal_vid *out)
{
    for (int i = 0; i < n_out; i++)
        out[i] = SAL_NONE;
    if (b->st != SAL_OK)
        return;
    const sal_op_desc *d = builder_find(op);
    if (d == NULL) {
        builder_fail(b, sal_fail(b->err, SAL_EUNSUPPORTED, "operator %s is not in the table", op));
        return;
    }
    char hint[96];
    if (b->origin != NULL)
        snprintf(hint, sizeof hint, "%.60s/%.30s", b->origin, op);
    else
        snprintf(hint, sizeof hint, "%.30s", op);
    while (n_in > 0 && in[n_in - 1] == SAL_NONE)
        n_in--;
    sal_vid made[8];
    for (int i = 0; i < n_out && i < 8; i++)
        if (builder_fail(b, sal_graph_value(b->g, NULL, hint, &made[i], b->err)))
            return;
    sal_node *n;
    if (builder_fail(b, sal_graph_node(b->g, d, n_out > 0 ? sal_val(b->g, made[0])->name : NULL,
                                       n_in, in, n_out, made, n_attr, attr, &n, b->err)))
        return;
    if (builder_fail(b, sal_node_infer(b->g, n, b->err)))
        return;
    for (int i = 0; i < n_out; i++)
        out[i] = made[i];
}

sal_vid sal_b_op(sal_builder *b, const char *op, int n_in, const sal_vid *in, int n_attr,
                 const sal_attr *attr)
{
    sal_vid out;
    sal_b_node(b, op, n_in, in, n_attr, attr, 1, &out);
    return out;
}

sal_vid sal_b1(sal_builder *b, const char *op, sal_vid a)
{
    return sal_b_op(b, op, 1, &a, 0, NULL);
}

sal_vid sal_b2(sal_builder *b, const char *op, sal_vid a, sal_vid c)
{
    sal_vid in[2] = {a, c};
    return sal_b_op(b, op, 2, in, 0, NULL);
}

sal_vid sal_b3(sal_builder *b, const char *op, sal_vid a, sal_vid c, sal_vid d)
{
    sal_vid in[3] = {a, c, d};
    return sal_b_op(b, op, 3, in, 0, NULL);
}

sal_vid sal_b_tensor(sal_builder *b, const sal_tensor *t)
{
    sal_vid v = SAL_NONE;
    if (b->st == SAL_OK)
        builder_fail(b, sal_graph_constant(b->g, NULL, t, &v, b->err));
    return v;
}

sal_vid sal_b_scalar(sal_builder *b, sal_dtype dtype, double v)
{
    sal_tensor t = SAL_TENSOR_INIT;
    if (b->st != SAL_OK || builder_fail(b, sal_tensor_new(&t, dtype, 0, NULL, b->err)))
        return SAL_NONE;
    sal_tensor_set(&t, 0, v);
    sal_vid id = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return id;
}

sal_vid sal_b_like(sal_builder *b, sal_vid x, double v)
{
    return b->st == SAL_OK ? sal_b_scalar(b, sal_val(b->g, x)->dtype, v) : SAL_NONE;
}

sal_vid sal_b_ints(sal_builder *b, const int64_t *v, int n)
{
    sal_tensor t = SAL_TENSOR_INIT;
    int64_t dims[1] = {n};
    if (b->st != SAL_OK || builder_fail(b, sal_tensor_new(&t, SAL_I64, 1, dims, b->err)))
        return SAL_NONE;
    if (n > 0)
        memcpy(t.data, v, (size_t)n * sizeof *v);
    sal_vid id = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return id;
}
