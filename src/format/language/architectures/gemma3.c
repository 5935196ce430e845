/* Gemma 3: five layers that see a window for each one that sees all, with rotation bases of their
 * own; norms before and after each block; heads of queries and keys normalised; scaled embeddings.
 * Weights of norms are kept as 1 + w by GGUF files; the reader of Hugging Face folders adds 1. */
#include "format/language/language.h"

#include <math.h>

static void gemma3_defaults(sal_language_config *c)
{
    c->window_pattern = 6;
    c->rope_base = 1e6;
    c->rope_base_local = 1e4;
    c->embedding_scale = sqrt((double)c->width);
    if (c->layers == 62) /* the model of 27 B, of which GGUF files do not say it */
        c->attention_scale = 1.0 / sqrt((double)c->width / (double)c->heads);
}

static sal_vid gemma3_layer(sal_language *l, int64_t i, sal_vid x)
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
    h = sal_language_linear(l, i, "attn_output", h, c->heads * c->value_size);
    x = sal_language_add(l, x, sal_language_norm(l, i, "post_attention_norm", h));
    h = sal_language_norm(l, i, "ffn_norm", x);
    h = sal_language_gated(l, i, h, "Gelu");
    return sal_language_add(l, x, sal_language_norm(l, i, "post_ffw_norm", h));
}

const sal_architecture sal_architecture_gemma3 = {
    .name = "gemma3",
    .what = "Gemma 3 (text)",
    .defaults = gemma3_defaults,
    .layer = gemma3_layer,
};
