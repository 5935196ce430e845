/* Attention rollout. With A_l the mean over heads of layer l's attention, and half of every token
 * passing by the attention on its residual connection,
 *
 *     R = P_L ... P_1,    P_l = (A_l + I) / 2;
 *
 * the map is the class token's row of R. The question plays no part. */
#include "explain/attention_maps.h"
#include "explain/methods.h"

static sal_status attention_rollout_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_attention_maps maps;
    sal_vid r = SAL_NONE;

    sal_attention_find(m, &maps);
    for (int i = 0; i < maps.n && b->st == SAL_OK; i++) {
        sal_vid a = sal_attention_heads(b, maps.map[i]);
        sal_vid p = sal_b2(b, "Add", a, sal_attention_identity(b, a, maps.tokens));

        p = sal_b2(b, "Mul", p, sal_b_like(b, p, 0.5));
        r = i == 0 ? p : sal_b2(b, "MatMul", p, r);
    }
    sal_attention_show(m, r, maps.tokens);
    return b->st;
}

const sal_method_desc sal_method_attention_rollout = {
    .info = {.name = "attention-rollout",
             .title = "Attention rollout",
             .reference = "Abnar and Zuidema, 2020, arXiv:2005.00928",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .aliases = "rollout"},
    .build = attention_rollout_build,
    .write_out = sal_attention_write_out,
};
