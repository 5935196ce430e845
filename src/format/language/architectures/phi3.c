/* Phi 3 and 3.5: projections to queries, keys and values in one matrix, gate and up in another. */
#include "format/language/language.h"

static sal_vid phi3_layer(sal_language *l, int64_t i, sal_vid x)
{
    const sal_language_config *c = sal_language_of(l);
    bool local = sal_language_is_local(c, i);
    int64_t n_q = c->heads * c->head_size, n_k = c->kv_heads * c->head_size,
            n_v = c->kv_heads * c->value_size;
    sal_vid h = sal_language_norm(l, i, "attn_norm", x);
    sal_vid qkv = sal_language_linear(l, i, "attn_qkv", h, c->width);
    sal_vid q = sal_language_part(l, qkv, 0, n_q);
    sal_vid k = sal_language_part(l, qkv, n_q, n_k);
    sal_vid v = sal_language_part(l, qkv, n_q + n_k, n_v), up;

    q = sal_language_rope(l, q, c->heads, local);
    k = sal_language_rope(l, k, c->kv_heads, local);
    h = sal_language_attention(l, q, k, v, local);
    x = sal_language_add(l, x,
                         sal_language_linear(l, i, "attn_output", h, c->heads * c->value_size));
    h = sal_language_norm(l, i, "ffn_norm", x);
    up = sal_language_linear(l, i, "ffn_up", h, c->width);
    h = sal_language_activate(l, sal_language_part(l, up, 0, c->feed_forward),
                              sal_language_part(l, up, c->feed_forward, c->feed_forward), "Swish");
    return sal_language_add(l, x, sal_language_linear(l, i, "ffn_down", h, c->feed_forward));
}

const sal_architecture sal_architecture_phi3 = {
    .name = "phi3",
    .what = "Phi 3 and 3.5 (dense)",
    .layer = phi3_layer,
};
