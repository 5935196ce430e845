/* Gradient-weighted attention of a self-attending encoder. With A_l the attention of layer l and
 * g_l = dT/dA_l,
 *
 *     R <- R + mean_h relu(g_l A_l) R    from R = I, layer by layer;
 *
 * the map is the class token's row of R. */
#include "explain/attention_maps.h"
#include "explain/methods.h"

static sal_status gradient_attention_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    sal_attention_maps maps;
    sal_vid grads[SAL_ATTENTION_MOST], r = SAL_NONE;

    sal_attention_find(m, &maps);
    if (b->st != SAL_OK)
        return b->st;
    sal_build_gradients(m, NULL, maps.n, maps.map, grads);
    for (int i = 0; i < maps.n && b->st == SAL_OK; i++) {
        sal_vid a = sal_b1(b, "Relu", sal_b2(b, "Mul", grads[i], maps.map[i]));

        a = sal_attention_heads(b, a);
        if (i == 0)
            r = sal_b2(b, "Add", a, sal_attention_identity(b, a, maps.tokens));
        else
            r = sal_b2(b, "Add", r, sal_b2(b, "MatMul", a, r));
    }
    sal_attention_show(m, r, maps.tokens);
    return b->st;
}

const sal_method_desc sal_method_gradient_attention = {
    .info = {.name = "gradient-attention",
             .title = "Gradient-weighted attention",
             .reference = "Chefer et al., 2021, arXiv:2103.15679",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .aliases = "gae generic-attention chefer"},
    .build = gradient_attention_build,
    .write_out = sal_attention_write_out,
};
