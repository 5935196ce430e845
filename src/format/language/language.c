/* The parts that language models are made of. */
#include "format/language/language.h"

#include <math.h>
#include <stdio.h>

#define SAL_ARCHITECTURE(id) extern const sal_architecture sal_architecture_##id;
#include "format/language/architectures.def"
#undef SAL_ARCHITECTURE

static const sal_architecture *const architectures[] = {
#define SAL_ARCHITECTURE(id) &sal_architecture_##id,
#include "format/language/architectures.def"
#undef SAL_ARCHITECTURE
};

struct sal_language {
    const sal_language_config *c;
    const sal_language_source *source;
    const char *path;
    sal_builder b;
    sal_vid embeddings, positions;
    sal_vid cosine[2], sine[2]; /* of global and local layers */
    sal_language_weight tied;   /* the embeddings, for models without an output matrix */
    sal_vid table;
    size_t bytes[SAL_BLOCK_COUNT]; /* of weights, by their format */
};

size_t sal_architecture_count(void)
{
    return SAL_COUNTOF(architectures);
}

const sal_architecture *sal_architecture_at(size_t i)
{
    return i < SAL_COUNTOF(architectures) ? architectures[i] : NULL;
}

const sal_architecture *sal_architecture_find(const char *name, size_t n)
{
    for (size_t i = 0; i < SAL_COUNTOF(architectures); i++) {
        if (strlen(architectures[i]->name) == n && memcmp(architectures[i]->name, name, n) == 0)
            return architectures[i];
    }
    return NULL;
}

const sal_language_config *sal_language_of(const sal_language *l)
{
    return l->c;
}

sal_builder *sal_language_builder(sal_language *l)
{
    return &l->b;
}

bool sal_language_is_local(const sal_language_config *c, int64_t layer)
{
    if (c->window == 0)
        return false;
    return c->window_pattern == 0 || (layer + 1) % c->window_pattern != 0;
}

/* ---- weights ---- */

static sal_status language_weight(sal_language *l, const char *name, bool must, bool *found,
                                  sal_language_weight *w)
{
    sal_status st = l->source->weight(l->source->ctx, name, found, w, l->b.err);

    if (st == SAL_OK && must && !*found)
        st = sal_fail(l->b.err, SAL_EFORMAT, "%s: has no tensor %s", l->path, name);
    if (st == SAL_OK && *found)
        l->bytes[w->type->id] += sal_tensor_bytes(&w->bytes);
    return st;
}

static sal_status language_shape(const sal_language *l, const char *name,
                                 const sal_language_weight *w, int64_t rows, int64_t columns)
{
    if ((rows < 0 || w->rows == rows) && w->columns == columns)
        return SAL_OK;
    return sal_fail(l->b.err, SAL_EFORMAT, "%s: tensor %s is %lld x %lld, not %lld x %lld", l->path,
                    name, (long long)w->rows, (long long)w->columns, (long long)rows,
                    (long long)columns);
}

static const char *language_name(int64_t layer, const char *name, const char *end, char *buf,
                                 size_t n)
{
    if (layer < 0)
        (void)snprintf(buf, n, "%s.%s", name, end);
    else
        (void)snprintf(buf, n, "blk.%lld.%s.%s", (long long)layer, name, end);
    return buf;
}

/* A vector of n numbers as a float constant; SAL_NONE when the file has none and need not. */
static sal_vid language_vector(sal_language *l, const char *name, int64_t n, bool must)
{
    sal_language_weight w = {.bytes = SAL_TENSOR_INIT};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;
    bool found = false;
    sal_status st = l->b.st;

    SAL_TRY(st);
    SAL_TRY(language_weight(l, name, must, &found, &w));
    if (!found)
        goto done;
    SAL_TRY(language_shape(l, name, &w, 1, n));
    SAL_TRY(sal_tensor_new(&t, SAL_F32, 1, &n, l->b.err));
    w.type->unpack(t.data, w.bytes.data, n / w.type->elements);
    st = sal_graph_constant(l->b.g, name, &t, &v, l->b.err);
done:
    l->b.st = st;
    sal_tensor_free(&w.bytes);
    sal_tensor_free(&t);
    return v;
}

static sal_vid language_product(sal_language *l, sal_vid x, sal_vid w, const sal_block_type *type,
                                int64_t columns)
{
    sal_attr a[] = {SAL_AS("type", type->name), SAL_AI("columns", columns)};

    return sal_b_op(&l->b, "PackedMatMul", 2, (sal_vid[]){x, w}, 2, a);
}

sal_vid sal_language_linear(sal_language *l, int64_t layer, const char *name, sal_vid x,
                            int64_t columns)
{
    sal_language_weight w = {.bytes = SAL_TENSOR_INIT};
    char full[128];
    sal_vid v = SAL_NONE, bias;
    bool found;
    sal_status st = l->b.st;

    SAL_TRY(st);
    (void)language_name(layer, name, "weight", full, sizeof(full));
    SAL_TRY(language_weight(l, full, true, &found, &w));
    SAL_TRY(language_shape(l, full, &w, -1, columns));
    SAL_TRY(sal_graph_constant(l->b.g, full, &w.bytes, &v, l->b.err));
    v = language_product(l, x, v, w.type, columns);
    bias =
        language_vector(l, language_name(layer, name, "bias", full, sizeof(full)), w.rows, false);
    if (bias != SAL_NONE)
        v = sal_b2(&l->b, "Add", v, bias);
    st = l->b.st;
done:
    l->b.st = st;
    sal_tensor_free(&w.bytes);
    return v;
}

/* ---- blocks ---- */

static sal_vid language_rms(sal_language *l, sal_vid x, sal_vid scale)
{
    sal_attr a[] = {SAL_AI("axis", -1), SAL_AF("epsilon", l->c->norm_epsilon)};

    return sal_b_op(&l->b, "RMSNormalization", 2, (sal_vid[]){x, scale}, 2, a);
}

sal_vid sal_language_norm(sal_language *l, int64_t layer, const char *name, sal_vid x)
{
    char full[128];
    sal_vid scale = language_vector(l, language_name(layer, name, "weight", full, sizeof(full)),
                                    l->c->width, true);

    return language_rms(l, x, scale);
}

sal_vid sal_language_head_norm(sal_language *l, int64_t layer, const char *name, sal_vid x,
                               int64_t heads)
{
    const int64_t deep[] = {0, 0, heads, l->c->head_size}, flat[] = {0, 0, heads * l->c->head_size};
    char full[128];
    sal_vid scale = language_vector(l, language_name(layer, name, "weight", full, sizeof(full)),
                                    l->c->head_size, true);
    sal_vid y = sal_b2(&l->b, "Reshape", x, sal_b_ints(&l->b, deep, 4));

    y = language_rms(l, y, scale);
    return sal_b2(&l->b, "Reshape", y, sal_b_ints(&l->b, flat, 3));
}

sal_vid sal_language_part(sal_language *l, sal_vid x, int64_t from, int64_t n)
{
    return sal_b_slice(&l->b, x, 2, from, from + n, 1);
}

sal_vid sal_language_rope(sal_language *l, sal_vid x, int64_t heads, bool local)
{
    const sal_language_config *c = l->c;
    sal_attr a[] = {
        SAL_AI("num_heads", heads), SAL_AI("interleaved", c->rope_interleaved),
        SAL_AI("rotary_embedding_dim", c->rope_size == c->head_size ? 0 : c->rope_size)};
    sal_vid in[] = {x, l->cosine[local], l->sine[local]};

    return sal_b_op(&l->b, "RotaryEmbedding", 3, in, 3, a);
}

sal_vid sal_language_attention(sal_language *l, sal_vid q, sal_vid k, sal_vid v, bool local)
{
    const sal_language_config *c = l->c;
    double scale = c->attention_scale > 0.0 ? c->attention_scale : 1.0 / sqrt((double)c->head_size);
    sal_attr a[] = {SAL_AI("q_num_heads", c->heads),
                    SAL_AI("kv_num_heads", c->kv_heads),
                    SAL_AI("is_causal", 1),
                    SAL_AF("scale", scale),
                    SAL_AF("softcap", c->attention_softcap),
                    SAL_AI("left_window_size", c->window - 1)};

    return sal_b_op(&l->b, "Attention", 3, (sal_vid[]){q, k, v}, local ? 6 : 5, a);
}

sal_vid sal_language_activate(sal_language *l, sal_vid gate, sal_vid up, const char *activation)
{
    sal_attr tanh_form = SAL_AS("approximate", "tanh");
    bool gelu = strcmp(activation, "Gelu") == 0;

    return sal_b2(&l->b, "Mul", sal_b_op(&l->b, activation, 1, &gate, gelu ? 1 : 0, &tanh_form),
                  up);
}

sal_vid sal_language_gated(sal_language *l, int64_t layer, sal_vid x, const char *activation)
{
    sal_vid gate = sal_language_linear(l, layer, "ffn_gate", x, l->c->width);
    sal_vid up = sal_language_linear(l, layer, "ffn_up", x, l->c->width);

    return sal_language_linear(l, layer, "ffn_down", sal_language_activate(l, gate, up, activation),
                               l->c->feed_forward);
}

sal_vid sal_language_add(sal_language *l, sal_vid a, sal_vid b)
{
    return sal_b2(&l->b, "Add", a, b);
}

/* ---- positions ---- */

/* YaRN: the index of the frequency that turns `turns` times over the trained positions. */
static double language_yarn_index(const sal_language_config *c, double turns)
{
    return (double)c->rope_size *
           log((double)c->rope_context / (turns * 2.0 * 3.14159265358979323846)) /
           (2.0 * log(c->rope_base));
}

/* Angle of position 1 for each pair, as floats. */
static void language_frequencies(const sal_language_config *c, double base, bool scaled,
                                 const float *factors, float *out)
{
    int64_t half = c->rope_size / 2;
    double low = 0.0, high = 0.0;

    if (c->scaling == SAL_ROPE_YARN && c->rope_context > 0) {
        low = fmax(floor(language_yarn_index(c, c->yarn_fast)), 0.0);
        high = fmin(ceil(language_yarn_index(c, c->yarn_slow)), (double)c->rope_size - 1.0);
    }
    for (int64_t i = 0; i < half; i++) {
        double f = pow(base, -2.0 * (double)i / (double)c->rope_size);

        if (factors != NULL)
            f /= (double)factors[i];
        if (scaled && c->scaling == SAL_ROPE_LINEAR)
            f /= c->rope_factor;
        if (scaled && c->scaling == SAL_ROPE_YARN) {
            double ramp = ((double)i - low) / fmax(high - low, 0.001);
            double keep = 1.0 - fmin(fmax(ramp, 0.0), 1.0);

            f = f / c->rope_factor * (1.0 - keep) + f * keep;
        }
        out[i] = (float)f;
    }
}

/* The constant [1,1,half]. */
static sal_vid language_pace(sal_language *l, bool local, const float *factors)
{
    const int64_t dims[3] = {1, 1, l->c->rope_size / 2};
    double base = local ? l->c->rope_base_local : l->c->rope_base;
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;

    if (l->b.st == SAL_OK)
        l->b.st = sal_tensor_new(&t, SAL_F32, 3, dims, l->b.err);
    if (l->b.st == SAL_OK) {
        language_frequencies(l->c, base, !local, factors, t.data);
        v = sal_b_tensor(&l->b, &t);
    }
    sal_tensor_free(&t);
    return v;
}

/* Longrope: once a position lies beyond the trained ones, other factors hold for all. */
static sal_vid language_pace_by_length(sal_language *l, const float *near, const float *far)
{
    sal_builder *b = &l->b;
    sal_vid length = sal_b_reduce(b, "ReduceMax", l->positions, 0, NULL, false);
    sal_vid trained = sal_b_scalar(b, SAL_I64, (double)l->c->rope_context);

    length = sal_b2(b, "Add", length, sal_b_scalar(b, SAL_I64, 1.0));
    if (b->st == SAL_OK)
        b->st = sal_graph_rename(b->g, length, "rope_length", b->err);
    return sal_b3(b, "Where", sal_b2(b, "Greater", length, trained), language_pace(l, false, far),
                  language_pace(l, false, near));
}

/* cos and sin of every position and pair, [batch,sequence,half]. */
static sal_status language_angles(sal_language *l, bool local, const float *near, const float *far)
{
    const sal_language_config *c = l->c;
    const int64_t axes[] = {2};
    double size = local ? 1.0 : c->rope_attention_factor;
    sal_builder *b = &l->b;
    sal_vid angle, pace;

    if (!local && c->scaling == SAL_ROPE_YARN) /* section 3.4 of the paper */
        size *= 1.0 + 0.1 * log(c->rope_factor);
    pace = far == NULL ? language_pace(l, local, near) : language_pace_by_length(l, near, far);
    angle = sal_b_unsqueeze(b, sal_b_cast(b, l->positions, SAL_F32), 1, axes);
    angle = sal_b2(b, "Mul", angle, pace);
    l->cosine[local] = sal_b1(b, "Cos", angle);
    l->sine[local] = sal_b1(b, "Sin", angle);
    if (size != 1.0) {
        l->cosine[local] = sal_b2(b, "Mul", l->cosine[local], sal_b_like(b, angle, size));
        l->sine[local] = sal_b2(b, "Mul", l->sine[local], sal_b_like(b, angle, size));
    }
    return b->st;
}

/* A file may give a factor for every frequency; NULL: it does not. */
static const float *language_factors(sal_language *l, const char *name)
{
    sal_vid v = language_vector(l, name, l->c->rope_size / 2, false);

    return l->b.st != SAL_OK || v == SAL_NONE ? NULL : sal_val(l->b.g, v)->constant->data;
}

static sal_status language_rope(sal_language *l)
{
    const float *near = language_factors(l, "rope_freqs.weight"), *far = NULL; /* Llama 3 */
    sal_status st = SAL_OK;

    if (near == NULL) {
        near = language_factors(l, "rope_factors_short.weight");
        far = language_factors(l, "rope_factors_long.weight");
    }
    if (near == NULL || l->c->rope_context < 1 || l->c->rope_context >= l->c->context)
        far = NULL; /* the context ends before it is needed */
    SAL_TRY(l->b.st);
    SAL_TRY(language_angles(l, false, near, far));
    if (l->c->window > 0)
        SAL_TRY(language_angles(l, true, NULL, NULL));
done:
    return st;
}

/* Rows of the table of embeddings, and positions counted along the sequence. */
static sal_status language_begin(sal_language *l)
{
    const int64_t dims[2] = {sal_dim_symbol(l->b.g, "batch"), sal_dim_symbol(l->b.g, "sequence")};
    const int64_t one = 1, scalar = 1;
    sal_tensor ones = sal_tensor_borrow(SAL_I64, 1, &one, (void *)(uintptr_t)&scalar);
    sal_builder *b = &l->b;
    sal_attr shape_of[] = {SAL_AI("start", 0), SAL_AI("end", 2)};
    sal_attr fill = {.name = "value", .kind = SAL_ATTR_TENSOR, .tensor = &ones};
    sal_attr before = SAL_AI("exclusive", 1);
    bool found;
    sal_vid ids, v;
    sal_status st = SAL_OK;

    SAL_TRY(language_weight(l, "token_embd.weight", true, &found, &l->tied));
    SAL_TRY(language_shape(l, "token_embd.weight", &l->tied, l->c->vocabulary, l->c->width));
    SAL_TRY(sal_graph_input(b->g, "input_ids", SAL_I64, 2, dims, &ids, b->err));
    SAL_TRY(sal_graph_constant(b->g, "token_embd.weight", &l->tied.bytes, &l->table, b->err));
    sal_attr a[] = {SAL_AS("type", l->tied.type->name), SAL_AI("columns", l->c->width)};

    v = sal_b_op(b, "PackedGather", 2, (sal_vid[]){l->table, ids}, 2, a);
    if (l->c->embedding_scale != 1.0)
        v = sal_b2(b, "Mul", v, sal_b_like(b, v, l->c->embedding_scale));
    SAL_TRY(b->st);
    SAL_TRY(sal_graph_rename(b->g, v, "embeddings", b->err));
    l->embeddings = v;
    v = sal_b_op(b, "Shape", 1, &v, 2, shape_of);
    v = sal_b_op(b, "ConstantOfShape", 1, &v, 1, &fill);
    v = sal_b_op(b, "CumSum", 2, (sal_vid[]){v, sal_b_scalar(b, SAL_I64, 1.0)}, 1, &before);
    SAL_TRY(b->st);
    SAL_TRY(sal_graph_rename(b->g, v, "positions", b->err));
    l->positions = v;
    st = language_rope(l);
done:
    return st;
}

/* The output matrix, or the embeddings where the file has none; softcap. */
static sal_status language_end(sal_language *l, sal_vid x)
{
    sal_language_weight w = {.bytes = SAL_TENSOR_INIT};
    sal_builder *b = &l->b;
    bool found = false;
    sal_vid v;
    sal_status st = SAL_OK;

    x = sal_language_norm(l, -1, "output_norm", x);
    SAL_TRY(b->st);
    SAL_TRY(language_weight(l, "output.weight", false, &found, &w));
    if (found) {
        SAL_TRY(language_shape(l, "output.weight", &w, l->c->vocabulary, l->c->width));
        SAL_TRY(sal_graph_constant(b->g, "output.weight", &w.bytes, &v, b->err));
        v = language_product(l, x, v, w.type, l->c->width);
    } else {
        v = language_product(l, x, l->table, l->tied.type, l->c->width);
    }
    if (l->c->final_softcap > 0.0) {
        sal_vid cap = sal_b_like(b, x, l->c->final_softcap);

        v = sal_b2(b, "Mul", sal_b1(b, "Tanh", sal_b2(b, "Div", v, cap)), cap);
    }
    SAL_TRY(b->st);
    SAL_TRY(sal_graph_rename(b->g, v, "logits", b->err));
    st = sal_graph_add_output(b->g, v, b->err);
done:
    sal_tensor_free(&w.bytes);
    return st;
}

/* "q4_1 97904640, f32 140544": bytes of weights in each format. */
static sal_status language_formats(const sal_language *l, sal_error *err)
{
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    for (size_t i = 0; i < SAL_BLOCK_COUNT; i++) {
        if (l->bytes[i] > 0)
            SAL_TRY(sal_bytes_printf(&text, err, "%s%s %zu", text.len == 0 ? "" : ", ",
                                     sal_block_type_at(i)->name, l->bytes[i]));
    }
    st = sal_graph_set_meta(l->b.g, "lm.weights", text.data == NULL ? "" : text.data, err);
done:
    sal_bytes_free(&text);
    return st;
}

static sal_status language_describe(const sal_language *l, const sal_architecture *a,
                                    sal_error *err)
{
    const sal_language_config *c = l->c;
    sal_graph *g = l->b.g;
    int64_t local = 0;

    for (int64_t i = 0; i < c->layers; i++)
        local += sal_language_is_local(c, i) ? 1 : 0;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"lm.layers", c->layers},         {"lm.width", c->width},
        {"lm.heads", c->heads},           {"lm.kv_heads", c->kv_heads},
        {"lm.head_size", c->head_size},   {"lm.feed_forward", c->feed_forward},
        {"lm.context", c->context},       {"lm.vocabulary", c->vocabulary},
        {"lm.value_size", c->value_size}, {"lm.window", c->window},
        {"lm.local_layers", local},
    };
    char text[32];
    sal_status st = SAL_OK;

    SAL_TRY(sal_graph_set_meta(g, "lm.architecture", a->name, err));
    SAL_TRY(sal_graph_set_meta(g, "lm.name", c->name, err));
    SAL_TRY(sal_graph_set_meta(g, "lm.format", c->format, err));
    SAL_TRY(language_formats(l, err));
    for (size_t i = 0; i < SAL_COUNTOF(numbers); i++) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)numbers[i].value);
        SAL_TRY(sal_graph_set_meta(g, numbers[i].key, text, err));
    }
done:
    return st;
}

static sal_status language_check(const sal_language_config *c, const char *path, sal_error *err)
{
    const int64_t most = 1 << 20;

    if (c->layers < 1 || c->layers > 4096 || c->width < 1 || c->width > most || c->heads < 1 ||
        c->heads > 65536 || c->kv_heads < 1 || c->heads % c->kv_heads != 0 || c->head_size < 2 ||
        c->head_size > 65536 || c->value_size < 1 || c->value_size > 65536 || c->vocabulary < 1 ||
        c->feed_forward < 1 || c->feed_forward > most * 16 || c->context < 1 || c->rope_size < 2 ||
        c->rope_size % 2 != 0 || c->rope_size > c->head_size || !(c->rope_base > 1.0) ||
        !(c->rope_base_local > 1.0) || !(c->rope_factor > 0.0) || !(c->norm_epsilon >= 0.0) ||
        c->window < 0 || c->window_pattern < 0)
        return sal_fail(
            err, SAL_EFORMAT,
            "%s: sizes that make no language model: %lld layers of width %lld with %lld "
            "heads of %lld (%lld for keys and values), feed-forward %lld, vocabulary "
            "%lld, context %lld",
            path, (long long)c->layers, (long long)c->width, (long long)c->heads,
            (long long)c->head_size, (long long)c->kv_heads, (long long)c->feed_forward,
            (long long)c->vocabulary, (long long)c->context);
    return SAL_OK;
}

sal_status sal_language_build(sal_graph **out, const sal_architecture *a,
                              const sal_language_config *c, const sal_language_source *source,
                              const char *path, sal_error *err)
{
    sal_language l = {.c = c, .source = source, .path = path, .tied = {.bytes = SAL_TENSOR_INIT}};
    sal_graph *g = NULL;
    char name[64];
    sal_vid x;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(language_check(c, path, err));
    SAL_TRY(sal_graph_new(&g, c->name[0] != '\0' ? c->name : a->name, err));
    l.b = (sal_builder)SAL_BUILDER(g, err, "embeddings");
    SAL_TRY(language_begin(&l));
    x = l.embeddings;
    for (int64_t i = 0; i < c->layers; i++) {
        (void)snprintf(name, sizeof(name), "layer.%lld", (long long)i);
        l.b.origin = name;
        x = a->layer(&l, i, x);
        SAL_TRY(l.b.st);
        SAL_TRY(sal_graph_rename(g, x, name, err));
    }
    l.b.origin = "logits";
    SAL_TRY(language_end(&l, x));
    SAL_TRY(language_describe(&l, a, err));
    *out = g;
    g = NULL;
done:
    sal_tensor_free(&l.tied.bytes);
    sal_graph_free(g);
    return st;
}
