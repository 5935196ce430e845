/* Weights of Hugging Face folders under the names that GGUF uses. */
#define _POSIX_C_SOURCE 200809L
#include "format/language/folder_model.h"

#include "format/language/folder_config.h"
#include "format/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FOLDER_FILES = 512, FOLDER_NAME = 256, FOLDER_INDEX = 1 << 26 };

/* How transformers calls the parts of a layer; the row of the family before the common one. */
static const struct {
    const char *name, *theirs, *architecture;
} folder_parts[] = {
    {"attn_norm", "input_layernorm", NULL},
    {"attn_q", "self_attn.q_proj", NULL},
    {"attn_k", "self_attn.k_proj", NULL},
    {"attn_v", "self_attn.v_proj", NULL},
    {"attn_qkv", "self_attn.qkv_proj", NULL},
    {"attn_q_norm", "self_attn.q_norm", NULL},
    {"attn_k_norm", "self_attn.k_norm", NULL},
    {"attn_output", "self_attn.o_proj", NULL},
    {"post_attention_norm", "post_attention_layernorm", NULL},
    {"ffn_norm", "pre_feedforward_layernorm", "gemma3"},
    {"ffn_norm", "post_attention_layernorm", NULL},
    {"ffn_gate", "mlp.gate_proj", NULL},
    {"ffn_up", "mlp.gate_up_proj", "phi3"},
    {"ffn_up", "mlp.up_proj", NULL},
    {"ffn_down", "mlp.down_proj", NULL},
    {"post_ffw_norm", "post_feedforward_layernorm", NULL},
};

/* Where the language model stands in the names; the first that has the embeddings. */
static const char *const folder_prefixes[] = {"model.", "language_model.model.",
                                              "model.language_model.", ""};

typedef struct folder_model {
    const char *path;
    sal_folder_config config;
    sal_safetensors **files;
    size_t n_files, cap_files;
    const char *prefix;
} folder_model;

/* ---- names ---- */

/* "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; false for what has none. */
static bool folder_name(const folder_model *m, const char *name, char out[FOLDER_NAME])
{
    const char *prefix = m->prefix, *dot = strrchr(name, '.');
    char part[64];
    long long layer;
    int at = 0;

    if (strcmp(name, "token_embd.weight") == 0)
        return snprintf(out, FOLDER_NAME, "%sembed_tokens.weight", prefix) > 0;
    if (strcmp(name, "output_norm.weight") == 0)
        return snprintf(out, FOLDER_NAME, "%snorm.weight", prefix) > 0;
    if (strcmp(name, "output.weight") == 0) {
        /* The output stands beside "model.", not in it. */
        int n = strncmp(prefix, "language_model.", 15) == 0 ? 15 : 0;

        return snprintf(out, FOLDER_NAME, "%.*slm_head.weight", n, prefix) > 0;
    }
    if (sscanf(name, "blk.%lld.%n", &layer, &at) != 1 || at == 0 || dot < name + at)
        return false;
    (void)snprintf(part, sizeof(part), "%.*s", (int)(dot - name) - at, name + at);
    for (size_t i = 0; i < SAL_COUNTOF(folder_parts); i++) {
        const char *only = folder_parts[i].architecture;

        if (strcmp(folder_parts[i].name, part) == 0 &&
            (only == NULL || strcmp(only, m->config.architecture->name) == 0))
            return snprintf(out, FOLDER_NAME, "%slayers.%lld.%s%s", prefix, layer,
                            folder_parts[i].theirs, dot) > 0;
    }
    return false;
}

static const sal_safetensors_tensor *folder_tensor(const folder_model *m, const char *name,
                                                   const sal_safetensors **file)
{
    for (size_t i = 0; i < m->n_files; i++) {
        const sal_safetensors_tensor *t = sal_safetensors_find(m->files[i], name);

        *file = m->files[i];
        if (t != NULL)
            return t;
    }
    return NULL;
}

static sal_status folder_find_prefix(folder_model *m, sal_error *err)
{
    const sal_safetensors *file;
    char name[FOLDER_NAME];

    for (size_t i = 0; i < SAL_COUNTOF(folder_prefixes); i++) {
        m->prefix = folder_prefixes[i];
        if (folder_name(m, "token_embd.weight", name) && folder_tensor(m, name, &file) != NULL)
            return SAL_OK;
    }
    return sal_fail(err, SAL_EFORMAT, "%s: has no tensor model.embed_tokens.weight", m->path);
}

/* ---- weights ---- */

static sal_status folder_floats(const float *values, int64_t n, sal_language_weight *out,
                                sal_error *err)
{
    const int64_t dims[2] = {1, n * 4};
    sal_status st = sal_tensor_new(&out->bytes, SAL_U8, 2, dims, err);

    if (st != SAL_OK)
        return st;
    out->type = &sal_block_type_f32;
    out->rows = 1;
    out->columns = n;
    memcpy(out->bytes.data, values, (size_t)n * sizeof(*values));
    return SAL_OK;
}

/* w + 1 as floats. */
static sal_status folder_add_one(sal_language_weight *w, sal_error *err)
{
    sal_language_weight wide = {.bytes = SAL_TENSOR_INIT};
    int64_t n = w->columns;
    float *values = sal_calloc((size_t)n + 1, sizeof(*values));
    sal_status st = SAL_OK;

    if (values == NULL)
        SAL_TRY(sal_fail_nomem(err));
    w->type->unpack(values, w->bytes.data, n);
    for (int64_t i = 0; i < n; i++)
        values[i] += 1.0f;
    SAL_TRY(folder_floats(values, n, &wide, err));
    sal_tensor_free(&w->bytes);
    *w = wide;
done:
    sal_free(values);
    return st;
}

/* What config.json gives in the place of a tensor of GGUF files; NULL: nothing. */
static const float *folder_rope(const sal_folder_config *c, const char *name)
{
    if (strcmp(name, "rope_factors_long.weight") == 0)
        return c->far_factors;
    return strcmp(name, c->lm.scaling == SAL_ROPE_LONG ? "rope_factors_short.weight"
                                                       : "rope_freqs.weight") == 0
               ? c->factors
               : NULL;
}

static bool folder_is_norm(const char *name)
{
    size_t n = strlen(name), m = strlen("_norm.weight");

    return n > m && strcmp(name + n - m, "_norm.weight") == 0;
}

static sal_status folder_weight(void *ctx, const char *name, bool *found, sal_language_weight *out,
                                sal_error *err)
{
    folder_model *m = ctx;
    const sal_safetensors *file = NULL;
    const sal_safetensors_tensor *t = NULL;
    char theirs[FOLDER_NAME];
    sal_status st;

    const float *factors = folder_rope(&m->config, name);

    *found = factors != NULL;
    if (*found)
        return folder_floats(factors, m->config.n_factors, out, err);
    if (m->config.tied && strcmp(name, "output.weight") == 0)
        return SAL_OK;
    if (folder_name(m, name, theirs))
        t = folder_tensor(m, theirs, &file);
    *found = t != NULL;
    if (t == NULL)
        return SAL_OK;
    *out = (sal_language_weight){t->type, t->rows, t->columns, SAL_TENSOR_INIT};
    st = sal_safetensors_bytes(file, t, &out->bytes, err);
    if (st == SAL_OK && m->config.norms_from_1 && folder_is_norm(name) && t->rows == 1)
        st = folder_add_one(out, err);
    if (st != SAL_OK)
        sal_tensor_free(&out->bytes);
    return st;
}

/* ---- files ---- */

static sal_status folder_path(const char *folder, const char *name, char **out, sal_error *err)
{
    size_t n = strlen(folder) + strlen(name) + 2;

    *out = sal_malloc(n);
    if (*out == NULL)
        return sal_fail_nomem(err);
    (void)snprintf(*out, n, "%s/%s", folder, name);
    return SAL_OK;
}

static sal_status folder_add_file(folder_model *m, const char *name, sal_error *err)
{
    char *path = NULL;
    sal_status st = SAL_OK;

    if (m->n_files == FOLDER_FILES)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED, "%s: weights in more than %d files", m->path,
                         FOLDER_FILES));
    SAL_TRY(sal_grow(&m->files, m->n_files + 1, &m->cap_files, sizeof(*m->files), err));
    SAL_TRY(folder_path(m->path, name, &path, err));
    SAL_TRY(sal_safetensors_open(&m->files[m->n_files], path, err));
    m->n_files++;
done:
    sal_free(path);
    return st;
}

/* Files of the folder itself: a name that leads elsewhere is refused. */
static sal_status folder_add_named(folder_model *m, const char *name, const char *index,
                                   sal_error *err)
{
    size_t n = m->n_files;

    if (name == NULL || name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return sal_fail(err, SAL_EFORMAT,
                        "%s: the weights must be files of the folder, not '%.80s'", index,
                        name == NULL ? "" : name);
    for (size_t i = 0; i < n; i++) {
        const char *path = sal_safetensors_path(m->files[i]);

        if (strcmp(strrchr(path, '/') + 1, name) == 0)
            return SAL_OK;
    }
    return folder_add_file(m, name, err);
}

/* {"weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors", ..}} */
static sal_status folder_add_index(folder_model *m, const sal_file *f, const char *index,
                                   sal_error *err)
{
    json_error_t je;
    json_t *root = NULL, *map;
    sal_status st = SAL_OK;

    if (f->size > FOLDER_INDEX)
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "%s: is longer than any index", index));
    root = json_loadb((const char *)f->data, f->size, 0, &je);
    if (root == NULL)
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "%s: line %d: %s", index, je.line, je.text));
    map = json_object_get(root, "weight_map");
    if (json_object_size(map) == 0)
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "%s: has no weight_map", index));
    for (void *it = json_object_iter(map); it != NULL; it = json_object_iter_next(map, it))
        SAL_TRY(folder_add_named(m, json_string_value(json_object_iter_value(it)), index, err));
done:
    json_decref(root);
    return st;
}

static sal_status folder_add_files(folder_model *m, sal_error *err)
{
    sal_file f = {NULL, 0, false};
    char *index = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(folder_path(m->path, "model.safetensors.index.json", &index, err));
    st = sal_file_open(&f, index, err);
    if (st == SAL_EIO)
        st = folder_add_file(m, "model.safetensors", err);
    else if (st == SAL_OK)
        st = folder_add_index(m, &f, index, err);
done:
    sal_file_close(&f);
    sal_free(index);
    return st;
}

/* ---- reading ---- */

static void folder_free(folder_model *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        sal_safetensors_close(m->files[i]);
    sal_free(m->files);
    sal_folder_config_free(&m->config);
}

static sal_status folder_build(folder_model *m, sal_graph **out, sal_error *err)
{
    sal_language_source source = {m, folder_weight};
    size_t n = strlen(m->path);
    const char *name;
    sal_status st = SAL_OK;

    while (n > 1 && m->path[n - 1] == '/')
        n--;
    for (name = m->path + n; name > m->path && name[-1] != '/';)
        name--;
    (void)snprintf(m->config.lm.name, sizeof(m->config.lm.name), "%.*s",
                   (int)SAL_MIN((size_t)(m->path + n - name), 100), name);
    SAL_TRY(folder_find_prefix(m, err));
    st = sal_language_build(out, m->config.architecture, &m->config.lm, &source, m->path, err);
done:
    return st;
}

sal_status sal_folder_read_model(sal_graph **out, const char *path, sal_error *err)
{
    folder_model m = {.path = path};
    sal_file f = {NULL, 0, false};
    char *config = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(folder_path(path, "config.json", &config, err));
    SAL_TRY(sal_file_open(&f, config, err));
    SAL_TRY(sal_folder_config_parse(&m.config, (const char *)f.data, f.size, config, err));
    SAL_TRY(folder_add_files(&m, err));
    st = folder_build(&m, out, err);
done:
    folder_free(&m);
    sal_file_close(&f);
    sal_free(config);
    return st;
}

sal_status sal_folder_read_model_memory(sal_graph **out, const void *config, size_t n_config,
                                        const void *weights, size_t n_weights, const char *name,
                                        sal_error *err)
{
    folder_model m = {.path = name};
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(sal_folder_config_parse(&m.config, config, n_config, name, err));
    SAL_TRY(sal_grow(&m.files, 1, &m.cap_files, sizeof(*m.files), err));
    SAL_TRY(sal_safetensors_open_memory(&m.files[0], weights, n_weights, name, err));
    m.n_files = 1;
    st = folder_build(&m, out, err);
done:
    folder_free(&m);
    return st;
}

bool sal_folder_is(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}
