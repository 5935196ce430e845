/* Language models as graphs: what the readers of GGUF files and Hugging Face folders have in
 * common.
 *
 * A reader fills a config and gives weights by the names that GGUF uses ("blk.0.attn_q.weight");
 * an architecture (architectures.def, architectures/<id>.c) builds one layer in standard
 * operators. The graph has the input `input_ids` int64[batch,sequence], the inner values
 * `embeddings` float32[batch,sequence,width] and `positions` int64[batch,sequence] (0, 1, ... ;
 * from the shape of `embeddings`, so that a graph that is cut there stands alone), the outputs of
 * the layers `layer.0`, `layer.1` ..., and the output `logits` float32[batch,sequence,vocabulary].
 * Weights stay packed (ops/core/packed.h). */
#ifndef SAL_FORMAT_LANGUAGE_H
#define SAL_FORMAT_LANGUAGE_H

#include "base/block_type.h"
#include "ops/builder.h"

/* How positions beyond the trained ones are brought back into range. */
typedef enum sal_rope_scaling {
    SAL_ROPE_PLAIN,
    SAL_ROPE_LINEAR, /* positions / factor */
    SAL_ROPE_YARN,   /* Peng et al. 2023, section 3.4, as ggml computes it */
    SAL_ROPE_LONG    /* a factor for every frequency, others beyond the trained positions (phi3) */
} sal_rope_scaling;

typedef struct sal_language_config {
    char name[128];
    const char *format; /* of the file, for people: "GGUF 3" */
    int64_t layers, width, heads, kv_heads, head_size, value_size, feed_forward, vocabulary;
    int64_t context; /* positions the model was trained for */
    double norm_epsilon;
    double rope_base, rope_base_local; /* local: of layers with a window */
    int64_t rope_size;                 /* features of a head that are rotated */
    bool rope_interleaved;             /* pairs are neighbours, else the two halves */
    sal_rope_scaling scaling;
    double rope_factor, rope_attention_factor, yarn_fast, yarn_slow;
    int64_t rope_context;   /* positions before scaling; 0: not said */
    int64_t window;         /* keys that a query of a local layer sees, itself among them; 0: all */
    int64_t window_pattern; /* every so manieth layer sees all; 0: no layer does, 1: all do */
    double attention_scale; /* 0: 1 / sqrt(head_size) */
    double attention_softcap, final_softcap; /* 0: none */
    double embedding_scale;                  /* 1: none */
} sal_language_config;

/* One weight: a packed matrix of rows x columns; vectors have one row. */
typedef struct sal_language_weight {
    const sal_block_type *type;
    int64_t rows, columns;
    sal_tensor bytes; /* uint8 [rows, row bytes], owned by the receiver */
} sal_language_weight;

typedef struct sal_language_source {
    void *ctx;
    /* Set *found; fill *out if so. */
    sal_status (*weight)(void *ctx, const char *name, bool *found, sal_language_weight *out,
                         sal_error *err);
} sal_language_source;

typedef struct sal_language sal_language;

typedef struct sal_architecture {
    const char *name; /* general.architecture of GGUF, model_type of config.json */
    const char *what; /* families, for listings */
    bool interleaved; /* of GGUF files, whose converter reorders q and k; others: halves */
    /* Defaults that files do not say; may be NULL. */
    void (*defaults)(sal_language_config *c);
    /* Layer i of x [batch,sequence,width]. */
    sal_vid (*layer)(sal_language *l, int64_t i, sal_vid x);
} sal_architecture;

size_t sal_architecture_count(void);
const sal_architecture *sal_architecture_at(size_t i);
const sal_architecture *sal_architecture_find(const char *name, size_t n); /* NULL when unknown */

/* Build the graph. *out: sal_graph_free(). Metadata `lm.*` tell the config (format/language).
 * Errors: SAL_EFORMAT (a weight is missing or of the wrong shape; names it), SAL_ENOMEM. */
sal_status sal_language_build(sal_graph **out, const sal_architecture *a,
                              const sal_language_config *c, const sal_language_source *source,
                              const char *path, sal_error *err);

/* ---- for architectures; a failure makes all later calls do nothing ---- */

const sal_language_config *sal_language_of(const sal_language *l);
sal_builder *sal_language_builder(sal_language *l);
/* Names are those of the layer without "blk.N." and ".weight". */
sal_vid sal_language_norm(sal_language *l, int64_t layer, const char *name, sal_vid x);
/* Each head of x [batch,sequence,heads*size] for itself. */
sal_vid sal_language_head_norm(sal_language *l, int64_t layer, const char *name, sal_vid x,
                               int64_t heads);
/* x W^T, plus the bias where the file has one. */
sal_vid sal_language_linear(sal_language *l, int64_t layer, const char *name, sal_vid x,
                            int64_t columns);
/* x[.., from : from + n] */
sal_vid sal_language_part(sal_language *l, sal_vid x, int64_t from, int64_t n);
/* Rotate q or k; `local`: with the base of layers with a window. */
sal_vid sal_language_rope(sal_language *l, sal_vid x, int64_t heads, bool local);
/* Causal attention of q, k, v as they come from the projections. */
sal_vid sal_language_attention(sal_language *l, sal_vid q, sal_vid k, sal_vid v, bool local);
/* Does layer i see a window only? */
bool sal_language_is_local(const sal_language_config *c, int64_t layer);
/* down(act(gate(x)) * up(x)); activation "Swish" or "Gelu" (the tanh form). */
sal_vid sal_language_gated(sal_language *l, int64_t layer, sal_vid x, const char *activation);
sal_vid sal_language_activate(sal_language *l, sal_vid gate, sal_vid up, const char *activation);
sal_vid sal_language_add(sal_language *l, sal_vid a, sal_vid b);

#endif
