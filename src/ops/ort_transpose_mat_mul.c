/* TransposeMatMul: the older name of FusedMatMul. */
#include "ops/core/ort.h"

static sal_status ort_transpose_mat_mul_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const names[] = {"alpha", "transA", "transB", NULL};
    sal_attr a[SAL_ORT_ATTRS];
    sal_node same = *n;
    same.n_attr = sal_ort_attrs(n, names, a);
    same.attr = a;
    const sal_op_desc *op = sal_op_find(SAL_DOMAIN_ORT, "FusedMatMul");
    if (op == NULL)
        return sal_ort_refuse(b, n, "FusedMatMul is not in the table");
    return op->expand(b, &same, out);
}

static const char *const ort_transpose_mat_mul_cases[] = {
    "f32[2,3,4] f32[2,4,5] ; alpha=0.5",
    "f32[4,3] f32[5,4] ; transA=1 transB=1",
    NULL,
};

const sal_op_desc sal_op_ort_transpose_mat_mul = {
    SAL_ORT_OP("TransposeMatMul", 2, 2, 1),
    .expand = ort_transpose_mat_mul_expand,
    .cases = ort_transpose_mat_mul_cases,
};
