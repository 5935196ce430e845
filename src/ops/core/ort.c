/* What the operators of ONNX Runtime share (ort.h). */
#include "ops/core/ort.h"

int sal_ort_attrs(const sal_node *n, const char *const *names, sal_attr out[SAL_ORT_ATTRS])
{
    int count = 0;
    for (; *names != NULL; names++) {
        const sal_attr *a = sal_node_attr(n, *names);
        if (a != NULL && count < SAL_ORT_ATTRS)
            out[count++] = *a;
    }
    return count;
}

int sal_ort_rank(sal_builder *b, const sal_node *n, sal_vid v)
{
    if (b->st != SAL_OK)
        return -1;
    int rank = sal_val(b->g, v)->rank;
    if (rank < 0)
        b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: the rank of '%s' is not known", n->name,
                         sal_val(b->g, v)->name);
    return rank;
}

bool sal_ort_given(sal_builder *b, const sal_node *n, unsigned needed)
{
    for (int i = 0; i < 16 && b->st == SAL_OK; i++)
        if ((needed >> i & 1u) != 0 && sal_node_in(n, i) == SAL_NONE)
            b->st = sal_fail(b->err, SAL_EFORMAT, "node %s (%s): input %d is left out", n->name,
                             n->op->name, i);
    return b->st == SAL_OK;
}

sal_status sal_ort_refuse(sal_builder *b, const sal_node *n, const char *what)
{
    if (b->st == SAL_OK)
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "node %s (%s): %s", n->name, n->op->name, what);
    return b->st;
}

sal_vid sal_ort_activation(sal_builder *b, const sal_node *n, sal_vid x, const char *name,
                           const double *p, size_t n_p)
{
    static const struct {
        const char *name, *first, *second;
    } rows[] = {
        {"Relu", NULL, NULL},         {"Sigmoid", NULL, NULL},  {"Tanh", NULL, NULL},
        {"LeakyRelu", "alpha", NULL}, {"Elu", "alpha", NULL},   {"HardSigmoid", "alpha", "beta"},
        {"Gelu", NULL, NULL},         {"Softplus", NULL, NULL}, {"Softsign", NULL, NULL},
        {"HardSwish", NULL, NULL},
    };
    if (name[0] == '\0')
        return x;
    if (strcmp(name, "Clip") == 0 && n_p >= 2)
        return sal_b3(b, "Clip", x, sal_b_like(b, x, p[0]), sal_b_like(b, x, p[1]));
    for (size_t i = 0; i < SAL_COUNTOF(rows); i++) {
        sal_attr a[2];
        int k = 0;
        if (strcmp(rows[i].name, name) != 0)
            continue;
        if (rows[i].first != NULL && n_p > 0)
            a[k++] = SAL_AF(rows[i].first, p[0]);
        if (rows[i].second != NULL && n_p > 1)
            a[k++] = SAL_AF(rows[i].second, p[1]);
        return sal_b_op(b, name, 1, &x, k, a);
    }
    (void)sal_ort_refuse(b, n, "its activation is not supported");
    return SAL_NONE;
}

sal_vid sal_ort_real(sal_builder *b, const sal_node *n, int i, int64_t axis)
{
    return sal_quant_real(b, sal_node_in(n, i), sal_node_in(n, i + 1), sal_node_in(n, i + 2), axis);
}

sal_vid sal_ort_codes(sal_builder *b, const sal_node *n, sal_vid y, int i, sal_vid like)
{
    sal_vid scale = sal_node_in(n, i), zero = sal_node_in(n, i + 1);
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_attr a = SAL_AI("output_dtype", (int64_t)sal_val(b->g, like)->dtype);
    return sal_b_op(b, "QuantizeLinear", 3, (sal_vid[]){y, scale, zero}, zero == SAL_NONE, &a);
}
