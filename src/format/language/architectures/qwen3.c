/* Qwen 3: every head of queries and keys is normalised before it is rotated. */
#include "format/language/language.h"

static void qwen3_defaults(sal_language_config *c)
{
    c->head_size = c->value_size = 128;
}

static sal_vid qwen3_layer(sal_language *l, int64_t i, sal_vid x)
{
    const sal_language_config *c = sal_language_of(l);
    bool local = sal_language_is_local(c, i);
    sal_vid h = sal_language_norm(l, i, "attn_norm", x);
    sal_vid q = sal_language_linear(l, i, "attn_q", h, c->width);
    sal_vid k = sal_language_linear(l, i, "attn_k", h, c->width);
    sal_vid v = sal_language_linear(l, i, "attn_v", h, c->width);

    q = sal_language_head_norm(l, i, "attn_q_norm", q, c->heads);
    k = sal_language_head_norm(l, i, "attn_k_norm", k, c->kv_heads);
    q = sal_language_rope(l, q, c->heads, local);
    k = sal_language_rope(l, k, c->kv_heads, local);
    h = sal_language_attention(l, q, k, v, local);
    x = sal_language_add(l, x,
                         sal_language_linear(l, i, "attn_output", h, c->heads * c->value_size));
    h = sal_language_norm(l, i, "ffn_norm", x);
    return sal_language_add(l, x, sal_language_gated(l, i, h, "Swish"));
}

const sal_architecture sal_architecture_qwen3 = {
    .name = "qwen3",
    .what = "Qwen 3 (dense)",
    .defaults = qwen3_defaults,
    .layer = qwen3_layer,
};
