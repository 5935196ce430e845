/* What config.json says: keys of the library transformers, as version 4 and 5 write them. */
#include "format/language/folder_config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum { FOLDER_LAYERS = 4096, FOLDER_FACTORS = 1 << 15, FOLDER_CONFIG = 1 << 20 };

/* Families: how config.json calls them, and what their classes have in common beyond the graph. */
static const struct {
    const char *model_type, *architecture;
    const char *activation_key, *activation;
    bool norms_from_1;
    bool asks_window; /* a window counts only with use_sliding_window */
    bool windows;     /* layers may see a window */
    bool tied;        /* unless said otherwise */
    int64_t head_size;
    double norm_epsilon;
} folder_families[] = {
    {"llama", "llama", "hidden_act", "silu", false, false, false, false, 0, 1e-6},
    {"mistral", "llama", "hidden_act", "silu", false, false, true, false, 0, 1e-6},
    {"gemma3_text", "gemma3", "hidden_activation", "gelu_pytorch_tanh", true, false, true, true,
     256, 1e-6},
    {"qwen2", "qwen2", "hidden_act", "silu", false, true, true, false, 0, 1e-6},
    {"qwen3", "qwen3", "hidden_act", "silu", false, true, true, false, 128, 1e-6},
    {"phi3", "phi3", "hidden_act", "silu", false, false, true, false, 0, 1e-5},
};

typedef struct folder_reader {
    const json_t *o;
    const char *name; /* of the file */
    sal_error *err;
    sal_status st; /* sticks */
    sal_folder_config *c;
    size_t family;
} folder_reader;

static void folder_bad(folder_reader *r, sal_status code, const char *key, const char *what)
{
    if (r->st == SAL_OK)
        r->st = sal_fail(r->err, code, "%s: %s %s", r->name, key, what);
}

/* ---- members; null counts as absent ---- */

static const json_t *folder_get(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_null(v) ? NULL : v;
}

static int64_t folder_int(folder_reader *r, const json_t *o, const char *key, int64_t fallback)
{
    const json_t *v = folder_get(o, key);

    if (v != NULL && !json_is_integer(v))
        folder_bad(r, SAL_EFORMAT, key, "is no whole number");
    return v != NULL ? (int64_t)json_integer_value(v) : fallback;
}

static double folder_float(folder_reader *r, const json_t *o, const char *key, double fallback)
{
    const json_t *v = folder_get(o, key);

    if (v != NULL && !json_is_number(v))
        folder_bad(r, SAL_EFORMAT, key, "is no number");
    return v != NULL ? json_number_value(v) : fallback;
}

static bool folder_flag(folder_reader *r, const char *key, bool fallback)
{
    const json_t *v = folder_get(r->o, key);

    if (v != NULL && !json_is_boolean(v))
        folder_bad(r, SAL_EFORMAT, key, "is neither true nor false");
    return v != NULL ? json_is_true(v) : fallback;
}

static const char *folder_text(const json_t *o, const char *key, const char *fallback)
{
    const char *text = json_string_value(folder_get(o, key));

    return text != NULL ? text : fallback;
}

/* ---- family ---- */

static void folder_find_family(folder_reader *r)
{
    const char *type = folder_text(r->o, "model_type", "");
    char known[160] = "";
    size_t n = 0, i = 0;

    /* With pictures: the language model is a part, described by an object of its own. */
    if (strcmp(type, "gemma3") == 0 && json_is_object(folder_get(r->o, "text_config"))) {
        r->o = folder_get(r->o, "text_config");
        type = "gemma3_text";
    }
    while (i < SAL_COUNTOF(folder_families) && strcmp(folder_families[i].model_type, type) != 0) {
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i == 0 ? "" : ", ",
                              folder_families[i].model_type);
        i++;
    }
    if (i == SAL_COUNTOF(folder_families)) {
        r->st =
            sal_fail(r->err, SAL_EUNSUPPORTED,
                     "%s: the model_type '%.40s' is not known; known are %s", r->name, type, known);
        return;
    }
    r->family = i;
    r->c->architecture = sal_architecture_find(folder_families[i].architecture,
                                               strlen(folder_families[i].architecture));
    if (strcmp(folder_text(r->o, folder_families[i].activation_key, folder_families[i].activation),
               folder_families[i].activation) != 0)
        folder_bad(r, SAL_EUNSUPPORTED, folder_families[i].activation_key,
                   "is another than that of the family");
    if (folder_get(r->o, "quantization_config") != NULL)
        folder_bad(r, SAL_EUNSUPPORTED, "quantization_config",
                   "is not read; a GGUF file holds quantised weights");
}

/* ---- windows ---- */

/* Which layers see a window: transformers lists them, or gives every how manieth does not. */
static void folder_layers(folder_reader *r)
{
    sal_language_config *c = &r->c->lm;
    const json_t *types = folder_get(r->o, "layer_types");
    int64_t full = 0;

    c->window_pattern = folder_int(r, r->o, "sliding_window_pattern", c->window_pattern);
    if (types == NULL || r->st != SAL_OK)
        return;
    if ((int64_t)json_array_size(types) != c->layers || c->layers > FOLDER_LAYERS) {
        folder_bad(r, SAL_EFORMAT, "layer_types", "does not name every layer");
        return;
    }
    for (int64_t i = 0; i < c->layers && full == 0; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));

        full = type != NULL && strcmp(type, "full_attention") == 0 ? i + 1 : 0;
    }
    c->window_pattern = full;
    for (int64_t i = 0; i < c->layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        bool local = full == 0 || (i + 1) % full != 0;

        if (type == NULL || strcmp(type, local ? "sliding_attention" : "full_attention") != 0) {
            folder_bad(r, SAL_EUNSUPPORTED, "layer_types",
                       "is no repetition of some windowed layers and a full one");
            return;
        }
    }
}

static void folder_window(folder_reader *r)
{
    sal_language_config *c = &r->c->lm;

    if (!folder_families[r->family].windows ||
        (folder_families[r->family].asks_window && !folder_flag(r, "use_sliding_window", false)))
        return;
    c->window = folder_int(r, r->o, "sliding_window", 0);
    folder_layers(r);
    if (c->window >= c->context)
        c->window = 0;
}

/* ---- positions ---- */

/* Room for a factor for every pair; NULL after a failure. */
static float *folder_factors_new(folder_reader *r)
{
    float *out = NULL;

    r->c->n_factors = r->c->lm.rope_size / 2;
    if (r->c->n_factors < 1 || r->c->n_factors > FOLDER_FACTORS)
        folder_bad(r, SAL_EFORMAT, "head_dim", "makes no pairs to rotate");
    else
        out = sal_calloc((size_t)r->c->n_factors, sizeof(*out));
    if (r->st == SAL_OK && out == NULL)
        r->st = sal_fail_nomem(r->err);
    return out;
}

/* Llama 3: slow turns are slowed down, quick ones stay, those between are mixed. */
static void folder_llama3(folder_reader *r, const json_t *rope)
{
    const sal_language_config *c = &r->c->lm;
    double low = folder_float(r, rope, "low_freq_factor", 1.0);
    double high = folder_float(r, rope, "high_freq_factor", 4.0);

    if (!(high > low) || !(low > 0.0) || c->rope_context < 1)
        folder_bad(r, SAL_EFORMAT, "high_freq_factor", "must be more than low_freq_factor");
    if (r->st != SAL_OK)
        return;
    r->c->factors = folder_factors_new(r);
    for (int64_t i = 0; i < r->c->n_factors && r->st == SAL_OK; i++) {
        double f = pow(c->rope_base, -2.0 * (double)i / (double)c->rope_size);
        double turns = (double)c->rope_context * f / (2.0 * 3.14159265358979323846);
        double keep = fmin(fmax((turns - low) / (high - low), 0.0), 1.0);

        r->c->factors[i] = (float)(1.0 / ((1.0 - keep) / c->rope_factor + keep));
    }
}

/* A factor for every pair; NULL after a failure. */
static float *folder_list(folder_reader *r, const json_t *rope, const char *key)
{
    const json_t *list = folder_get(rope, key);
    float *out = folder_factors_new(r);

    if (r->st == SAL_OK && (int64_t)json_array_size(list) != r->c->n_factors)
        folder_bad(r, SAL_EFORMAT, key, "is no list of a factor for every pair");
    for (int64_t i = 0; i < r->c->n_factors && r->st == SAL_OK; i++) {
        out[i] = (float)json_number_value(json_array_get(list, (size_t)i));
        if (!(out[i] > 0.0f))
            folder_bad(r, SAL_EFORMAT, key, "is no list of a factor for every pair");
    }
    return out;
}

/* Phi 3: lists of factors, and larger queries and keys the further the context was stretched. */
static void folder_longrope(folder_reader *r, const json_t *rope)
{
    sal_language_config *c = &r->c->lm;
    double stretch =
        folder_float(r, rope, "factor",
                     c->rope_context > 0 ? (double)c->context / (double)c->rope_context : 1.0);

    c->scaling = SAL_ROPE_LONG;
    c->rope_factor = 1.0;
    if (stretch > 1.0 && c->rope_context > 1)
        c->rope_attention_factor = sqrt(1.0 + log(stretch) / log((double)c->rope_context));
    c->rope_attention_factor = folder_float(r, rope, "attention_factor", c->rope_attention_factor);
    if (r->st == SAL_OK)
        r->c->factors = folder_list(r, rope, "short_factor");
    if (r->st == SAL_OK)
        r->c->far_factors = folder_list(r, rope, "long_factor");
}

static void folder_yarn(folder_reader *r, const json_t *rope)
{
    sal_language_config *c = &r->c->lm;
    double usual = 1.0 + 0.1 * log(c->rope_factor);

    c->scaling = SAL_ROPE_YARN;
    c->yarn_fast = folder_float(r, rope, "beta_fast", 32.0);
    c->yarn_slow = folder_float(r, rope, "beta_slow", 1.0);
    c->rope_attention_factor = folder_float(r, rope, "attention_factor", usual) / usual;
    if (folder_get(rope, "mscale") != NULL || folder_get(rope, "mscale_all_dim") != NULL ||
        json_is_false(folder_get(rope, "truncate")))
        folder_bad(r, SAL_EUNSUPPORTED, "rope_scaling",
                   "has mscale or truncate, which are not built");
}

/* {"rope_type": .., "factor": ..} of global layers. */
static void folder_scaling(folder_reader *r, const json_t *rope)
{
    sal_language_config *c = &r->c->lm;
    const char *type = folder_text(rope, "rope_type", folder_text(rope, "type", "default"));

    c->rope_base = folder_float(r, rope, "rope_theta", c->rope_base);
    c->rope_factor = folder_float(r, rope, "factor", 1.0);
    c->rope_context =
        folder_int(r, rope, "original_max_position_embeddings",
                   folder_int(r, r->o, "original_max_position_embeddings", c->context));
    if (!(c->rope_factor >= 1.0))
        folder_bad(r, SAL_EFORMAT, "factor", "of rope_scaling is less than 1");
    if (r->st != SAL_OK || strcmp(type, "default") == 0) {
        c->rope_factor = 1.0;
        return;
    }
    if (strcmp(type, "linear") == 0)
        c->scaling = SAL_ROPE_LINEAR;
    else if (strcmp(type, "yarn") == 0)
        folder_yarn(r, rope);
    else if (strcmp(type, "llama3") == 0)
        folder_llama3(r, rope);
    else if (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0)
        folder_longrope(r, rope);
    else
        r->st = sal_fail(r->err, SAL_EUNSUPPORTED,
                         "%s: the rope_type '%.40s' is not known; known are default, linear, yarn, "
                         "llama3, longrope",
                         r->name, type);
}

static void folder_positions(folder_reader *r)
{
    sal_language_config *c = &r->c->lm;
    const json_t *rope = folder_get(r->o, "rope_parameters"), *local;
    double part;

    c->rope_base = folder_float(r, r->o, "rope_theta", c->rope_base);
    c->rope_base_local = folder_float(r, r->o, "rope_local_base_freq", c->rope_base_local);
    if (rope == NULL)
        rope = folder_get(r->o, "rope_scaling");
    local = folder_get(rope, "sliding_attention");
    if (local != NULL) {
        c->rope_base_local = folder_float(r, local, "rope_theta", c->rope_base_local);
        if (strcmp(folder_text(local, "rope_type", "default"), "default") != 0)
            folder_bad(r, SAL_EUNSUPPORTED, "sliding_attention", "has scaled positions");
        rope = folder_get(rope, "full_attention");
    }
    part = folder_float(r, rope, "partial_rotary_factor",
                        folder_float(r, r->o, "partial_rotary_factor", 1.0));
    if (!(part > 0.0) || part > 1.0)
        folder_bad(r, SAL_EFORMAT, "partial_rotary_factor", "is not in 0 to 1");
    else
        c->rope_size = (int64_t)((double)c->head_size * part);
    folder_scaling(r, rope);
    if (c->window > 0 && c->window_pattern == 0)
        c->rope_base_local = c->rope_base;
}

/* ---- all ---- */

static void folder_sizes(folder_reader *r)
{
    sal_language_config *c = &r->c->lm;

    c->layers = folder_int(r, r->o, "num_hidden_layers", 0);
    c->width = folder_int(r, r->o, "hidden_size", 0);
    c->heads = folder_int(r, r->o, "num_attention_heads", 0);
    c->kv_heads = folder_int(r, r->o, "num_key_value_heads", c->heads);
    c->feed_forward = folder_int(r, r->o, "intermediate_size", 0);
    c->vocabulary = folder_int(r, r->o, "vocab_size", 0);
    c->context = folder_int(r, r->o, "max_position_embeddings", 0);
    c->head_size = c->heads > 0 ? c->width / c->heads : 0;
    if (r->c->architecture->defaults != NULL)
        r->c->architecture->defaults(c);
    if (folder_families[r->family].head_size > 0)
        c->head_size = folder_families[r->family].head_size;
    c->head_size = folder_int(r, r->o, "head_dim", c->head_size);
    c->value_size = c->head_size;
    /* Larger sizes are refused when the graph is built; here they would overflow. */
    if (c->head_size < 0 || c->head_size > 65536)
        folder_bad(r, SAL_EFORMAT, "head_dim", "is out of range");
    c->norm_epsilon =
        folder_float(r, r->o, "rms_norm_eps", folder_families[r->family].norm_epsilon);
    c->attention_softcap = folder_float(r, r->o, "attn_logit_softcapping", 0.0);
    c->final_softcap = folder_float(r, r->o, "final_logit_softcapping", 0.0);
    if (strcmp(r->c->architecture->name, "gemma3") == 0)
        c->attention_scale = 1.0 / sqrt(folder_float(r, r->o, "query_pre_attn_scalar", 256.0));
    r->c->tied = folder_flag(r, "tie_word_embeddings", folder_families[r->family].tied);
    r->c->norms_from_1 = folder_families[r->family].norms_from_1;
}

sal_status sal_folder_config_parse(sal_folder_config *out, const char *text, size_t n,
                                   const char *name, sal_error *err)
{
    folder_reader r = {.name = name, .err = err, .st = SAL_OK, .c = out};
    json_error_t je;
    json_t *root = NULL;

    *out = (sal_folder_config){.lm = {.format = "safetensors",
                                      .rope_base = 1e4,
                                      .rope_base_local = 1e4,
                                      .rope_attention_factor = 1.0,
                                      .embedding_scale = 1.0}};
    if (n > FOLDER_CONFIG) {
        r.st = sal_fail(err, SAL_EFORMAT, "%s: is longer than any config.json", name);
        goto done;
    }
    r.o = root = json_loadb(text, n, 0, &je);
    if (!json_is_object(root)) {
        r.st = sal_fail_at(err, SAL_EFORMAT, je.position > 0 ? (uint64_t)je.position : 0, "%s: %s",
                           name, root != NULL ? "must be a JSON object" : je.text);
        goto done;
    }
    folder_find_family(&r);
    if (r.st == SAL_OK)
        folder_sizes(&r);
    if (r.st == SAL_OK)
        folder_window(&r);
    if (r.st == SAL_OK)
        folder_positions(&r);
done:
    json_decref(root);
    return r.st;
}

void sal_folder_config_free(sal_folder_config *c)
{
    sal_free(c->factors);
    sal_free(c->far_factors);
    *c = (sal_folder_config){.factors = NULL};
}
