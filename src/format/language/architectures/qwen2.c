/* Qwen 2 and 2.5: as Llama, with biases of the projections to queries, keys and values. */
#include "format/language/language.h"

static sal_vid qwen2_layer(sal_language *l, int64_t i, sal_vid x)
{
    const sal_language_config *c = sal_language_of(l);
    bool local = sal_language_is_local(c, i);
    sal_vid h = sal_language_norm(l, i, "attn_norm", x);
    sal_vid q = sal_language_linear(l, i, "attn_q", h, c->width);
    sal_vid k = sal_language_linear(l, i, "attn_k", h, c->width);
    sal_vid v = sal_language_linear(l, i, "attn_v", h, c->width);

    q = sal_language_rope(l, q, c->heads, local);
    k = sal_language_rope(l, k, c->kv_heads, local);
    h = sal_language_attention(l, q, k, v, local);
    x = sal_language_add(l, x,
                         sal_language_linear(l, i, "attn_output", h, c->heads * c->value_size));
    h = sal_language_norm(l, i, "ffn_norm", x);
    return sal_language_add(l, x, sal_language_gated(l, i, h, "Swish"));
}

const sal_architecture sal_architecture_qwen2 = {
    .name = "qwen2",
    .what = "Qwen 2 and 2.5",
    .layer = qwen2_layer,
};
