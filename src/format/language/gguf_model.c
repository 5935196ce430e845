/* What the metadata of a GGUF file say, and its tensors as weights. */
#include "format/language/gguf_model.h"

#include "format/gguf.h"
#include "format/language/language.h"

#include <stdio.h>

enum { GGUF_META_TEXT = 1 << 16 }; /* longest text that becomes metadata of the graph */

typedef struct gguf_model {
    sal_gguf *file;
    char architecture[64];
} gguf_model;

static const char *gguf_key(const gguf_model *m, const char *key, char buf[160])
{
    (void)snprintf(buf, 160, "%s.%s", m->architecture, key);
    return buf;
}

/* A number of the architecture; of an array (per layer) the first. */
static int64_t gguf_model_int(const gguf_model *m, const char *key, int64_t fallback)
{
    char full[160];
    const sal_gguf_pair *p = sal_gguf_find(m->file, gguf_key(m, key, full));

    if (p != NULL && p->array && p->count > 0 && p->type != SAL_GGUF_STRING)
        return sal_gguf_array_int(p, 0);
    return sal_gguf_int(m->file, full, fallback);
}

static double gguf_model_float(const gguf_model *m, const char *key, double fallback)
{
    char full[160];

    return sal_gguf_float(m->file, gguf_key(m, key, full), fallback);
}

/* Layers that differ in their heads are not built. */
static sal_status gguf_model_uniform(const gguf_model *m, const char *key, sal_error *err)
{
    char full[160];
    const sal_gguf_pair *p = sal_gguf_find(m->file, gguf_key(m, key, full));

    for (uint64_t i = 1; p != NULL && p->array && i < p->count; i++) {
        if (sal_gguf_array_int(p, i) != sal_gguf_array_int(p, 0))
            return sal_fail(err, SAL_EUNSUPPORTED, "%s: %s differs between layers",
                            sal_gguf_path(m->file), full);
    }
    return SAL_OK;
}

static sal_status gguf_model_scaling(const gguf_model *m, sal_language_config *c, sal_error *err)
{
    char full[160];
    sal_gguf_text how = sal_gguf_string(m->file, gguf_key(m, "rope.scaling.type", full));
    static const struct {
        const char *name;
        sal_rope_scaling scaling;
    } known[] = {{"none", SAL_ROPE_PLAIN},
                 {"linear", SAL_ROPE_LINEAR},
                 {"yarn", SAL_ROPE_YARN},
                 {"longrope", SAL_ROPE_LONG}};
    size_t i = 0;

    c->rope_factor =
        gguf_model_float(m, "rope.scaling.factor", gguf_model_float(m, "rope.scale_linear", 1.0));
    c->scaling = c->rope_factor != 1.0 ? SAL_ROPE_LINEAR : SAL_ROPE_PLAIN;
    c->rope_context = gguf_model_int(m, "rope.scaling.original_context_length", c->context);
    c->rope_attention_factor = gguf_model_float(m, "rope.scaling.attn_factor", 1.0);
    c->yarn_fast = gguf_model_float(m, "rope.scaling.yarn_beta_fast", 32.0);
    c->yarn_slow = gguf_model_float(m, "rope.scaling.yarn_beta_slow", 1.0);
    if (c->rope_factor == 0.0)
        c->rope_factor = 1.0;
    if (how.data == NULL)
        return SAL_OK;
    while (i < SAL_COUNTOF(known) &&
           (strlen(known[i].name) != how.n || memcmp(known[i].name, how.data, how.n) != 0))
        i++;
    if (i == SAL_COUNTOF(known))
        return sal_fail(err, SAL_EUNSUPPORTED, "%s: the rope scaling %.*s is not known",
                        sal_gguf_path(m->file), (int)SAL_MIN(how.n, 40), how.data);
    c->scaling = known[i].scaling;
    return SAL_OK;
}

static sal_status gguf_model_config(const gguf_model *m, const sal_architecture *a,
                                    sal_language_config *c, sal_error *err)
{
    const sal_gguf_tensor *table = sal_gguf_tensor_find(m->file, "token_embd.weight");
    sal_gguf_text name = sal_gguf_string(m->file, "general.name");
    sal_status st = SAL_OK;

    *c = (sal_language_config){.format = sal_gguf_version(m->file) == 2 ? "GGUF 2" : "GGUF 3",
                               .rope_base = 1e4,
                               .rope_base_local = 1e4,
                               .embedding_scale = 1.0};
    (void)snprintf(c->name, sizeof(c->name), "%.*s", (int)SAL_MIN(name.n, 100),
                   name.data == NULL ? "" : name.data);
    SAL_TRY(gguf_model_uniform(m, "attention.head_count", err));
    SAL_TRY(gguf_model_uniform(m, "attention.head_count_kv", err));
    SAL_TRY(gguf_model_uniform(m, "feed_forward_length", err));
    c->layers = gguf_model_int(m, "block_count", 0);
    c->width = gguf_model_int(m, "embedding_length", 0);
    c->heads = gguf_model_int(m, "attention.head_count", 0);
    c->kv_heads = gguf_model_int(m, "attention.head_count_kv", c->heads);
    c->head_size = c->heads > 0 ? c->width / c->heads : 0;
    c->value_size = c->head_size;
    c->context = gguf_model_int(m, "context_length", 0);
    c->feed_forward = gguf_model_int(m, "feed_forward_length", 0);
    c->vocabulary = table == NULL ? gguf_model_int(m, "vocab_size", 0) : table->rows;
    if (a->defaults != NULL)
        a->defaults(c);
    c->head_size = gguf_model_int(m, "attention.key_length", c->head_size);
    c->value_size = gguf_model_int(m, "attention.value_length", c->head_size);
    c->norm_epsilon = gguf_model_float(m, "attention.layer_norm_rms_epsilon", 1e-5);
    c->rope_base = gguf_model_float(m, "rope.freq_base", c->rope_base);
    c->rope_base_local = gguf_model_float(m, "rope.freq_base_swa", c->rope_base_local);
    c->rope_size = gguf_model_int(m, "rope.dimension_count", c->head_size);
    c->rope_interleaved = a->interleaved;
    c->window = gguf_model_int(m, "attention.sliding_window", 0);
    c->window_pattern = gguf_model_int(m, "attention.sliding_window_pattern", c->window_pattern);
    if (c->window >= c->context)
        c->window = 0;
    if (c->window > 0 && c->window_pattern == 0)
        c->rope_base_local = c->rope_base;
    c->attention_softcap = gguf_model_float(m, "attn_logit_softcapping", 0.0);
    c->final_softcap = gguf_model_float(m, "final_logit_softcapping", 0.0);
    c->attention_scale = gguf_model_float(m, "attention.scale", c->attention_scale);
    st = gguf_model_scaling(m, c, err);
done:
    return st;
}

/* ---- weights ---- */

static sal_status gguf_model_weight(void *ctx, const char *name, bool *found,
                                    sal_language_weight *out, sal_error *err)
{
    gguf_model *m = ctx;
    const sal_gguf_tensor *t = sal_gguf_tensor_find(m->file, name);
    char known[256] = "";
    size_t n = 0;

    *found = t != NULL;
    if (t == NULL)
        return SAL_OK;
    if (t->type == NULL) {
        for (size_t i = 0; sal_block_type_at(i) != NULL && n < sizeof(known) - 16; i++)
            n += (size_t)snprintf(known + n, sizeof(known) - n, " %s", sal_block_type_at(i)->name);
        return sal_fail(err, SAL_EUNSUPPORTED, "%s: tensor %s has the type number %u; known are%s",
                        sal_gguf_path(m->file), name, (unsigned)t->ggml, known);
    }
    *out = (sal_language_weight){t->type, t->rows, t->dims[t->rank - 1], SAL_TENSOR_INIT};
    return sal_gguf_bytes(m->file, t, &out->bytes, err);
}

/* ---- metadata ---- */

static sal_status gguf_model_text(sal_graph *g, sal_gguf_text key, sal_gguf_text value,
                                  sal_error *err)
{
    char *k = sal_calloc(key.n + 1, 1), *v = sal_calloc(value.n + 1, 1);
    sal_status st = SAL_OK;

    if (k == NULL || v == NULL)
        SAL_TRY(sal_fail_nomem(err));
    memcpy(k, key.data, key.n);
    memcpy(v, value.data, value.n);
    st = sal_graph_set_meta(g, k, v, err);
done:
    sal_free(k);
    sal_free(v);
    return st;
}

/* Strings and numbers as they are, arrays not. */
static sal_status gguf_model_meta(const gguf_model *m, sal_graph *g, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < sal_gguf_pair_count(m->file); i++) {
        const sal_gguf_pair *p = sal_gguf_pair_at(m->file, i);
        sal_gguf_text value = {NULL, 0};
        char number[64];

        if (p->array || p->key.n > 256)
            continue;
        if (p->type == SAL_GGUF_STRING) {
            value = (sal_gguf_text){(const char *)p->data + 8, (size_t)p->bytes - 8};
        } else {
            bool whole = p->type != SAL_GGUF_F32 && p->type != SAL_GGUF_F64;

            if (whole)
                (void)snprintf(number, sizeof(number), "%lld", (long long)sal_gguf_array_int(p, 0));
            else
                (void)snprintf(number, sizeof(number), "%.9g", sal_gguf_array_float(p, 0));
            value = (sal_gguf_text){number, strlen(number)};
        }
        if (value.n <= GGUF_META_TEXT)
            SAL_TRY(gguf_model_text(g, p->key, value, err));
    }
done:
    return st;
}

/* ---- reading ---- */

static sal_status gguf_model_architecture(gguf_model *m, const sal_architecture **out,
                                          sal_error *err)
{
    sal_gguf_text name = sal_gguf_string(m->file, "general.architecture");
    char known[256] = "";
    size_t n = 0;

    if (name.data == NULL)
        return sal_fail(err, SAL_EFORMAT, "%s: does not say its general.architecture",
                        sal_gguf_path(m->file));
    *out = sal_architecture_find(name.data, name.n);
    for (size_t i = 0; i < sal_architecture_count() && n < sizeof(known) - 32; i++)
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i == 0 ? "" : ", ",
                              sal_architecture_at(i)->name);
    if (*out == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s: the architecture %.*s is not known; known are %s",
                        sal_gguf_path(m->file), (int)SAL_MIN(name.n, 40), name.data, known);
    (void)snprintf(m->architecture, sizeof(m->architecture), "%s", (*out)->name);
    return SAL_OK;
}

/* Takes the file over, also on failure. */
static sal_status gguf_model_read(sal_graph **out, sal_gguf *file, sal_error *err)
{
    gguf_model m = {file, ""};
    sal_language_source source = {&m, gguf_model_weight};
    const sal_architecture *a = NULL;
    sal_language_config c;
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(gguf_model_architecture(&m, &a, err));
    SAL_TRY(gguf_model_config(&m, a, &c, err));
    SAL_TRY(sal_language_build(&g, a, &c, &source, sal_gguf_path(file), err));
    SAL_TRY(gguf_model_meta(&m, g, err));
    *out = g;
    g = NULL;
done:
    sal_graph_free(g);
    sal_gguf_close(file);
    return st;
}

sal_status sal_gguf_read_model(sal_graph **out, const char *path, sal_error *err)
{
    sal_gguf *file = NULL;
    sal_status st;

    *out = NULL;
    st = sal_gguf_open(&file, path, err);
    return st == SAL_OK ? gguf_model_read(out, file, err) : st;
}

sal_status sal_gguf_read_model_memory(sal_graph **out, const void *bytes, size_t n,
                                      const char *name, sal_error *err)
{
    sal_gguf *file = NULL;
    sal_status st;

    *out = NULL;
    st = sal_gguf_open_memory(&file, bytes, n, name, err);
    return st == SAL_OK ? gguf_model_read(out, file, err) : st;
}

bool sal_gguf_is_file(const char *path)
{
    char begin[4];
    FILE *f = fopen(path, "rb");
    bool is = f != NULL && fread(begin, 1, sizeof(begin), f) == sizeof(begin) &&
              sal_gguf_is(begin, sizeof(begin));

    if (f != NULL)
        (void)fclose(f);
    return is;
}
