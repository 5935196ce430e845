/* FusedGemm: activation(Gemm(a, b, c)). */
#include "ops/core/ort.h"

static sal_status ort_fused_gemm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const names[] = {"alpha", "beta", "transA", "transB", NULL};
    static const char *const params[] = {"activation_alpha", "activation_beta", "activation_gamma"};
    sal_attr a[SAL_ORT_ATTRS];
    double p[SAL_COUNTOF(params)];
    size_t n_p = 0;
    while (n_p < SAL_COUNTOF(params) && sal_node_attr(n, params[n_p]) != NULL) {
        p[n_p] = sal_node_float(n, params[n_p], 0.0);
        n_p++;
    }
    sal_vid y = sal_b_op(b, "Gemm", n->n_in, n->in, sal_ort_attrs(n, names, a), a);
    out[0] = sal_ort_activation(b, n, y, sal_node_str(n, "activation", ""), p, n_p);
    return b->st;
}

static const char *const ort_fused_gemm_cases[] = {
    "f32[2,4] f32[3,4] f32[3] ; transB=1 activation=\"Relu\"",
    "f32[2,4] f32[4,3] ; activation=\"LeakyRelu\" activation_alpha=0.3",
    NULL,
};

const sal_op_desc sal_op_ort_fused_gemm = {
    SAL_ORT_OP("FusedGemm", 2, 3, 1),
    .expand = ort_fused_gemm_expand,
    .cases = ort_fused_gemm_cases,
};
