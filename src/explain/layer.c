/* Finding the layer that a CAM shows.
 *
 * Walking back from the logits, the first value that still has a spatial grid is the last feature
 * map: the output of the last convolution, addition, activation or normalisation before pooling,
 * whatever the network. With a class token it is not enough: behind the last attention the logits
 * depend on that token alone, so the gradient of all others is zero. There the map is taken where
 * the last attention reads it, at the output of the normalisation before it. */
#include "explain/layer.h"

typedef struct layer_search {
    const sal_graph *g;
    const sal_target *t;
    bool *on;   /* by value: depends on the input, and the logits depend on it */
    bool *conv; /* by value: out of a convolution or a pooling, and since then where it was */
} layer_search;

static sal_status layer_mark(layer_search *s, sal_error *err)
{
    const sal_graph *g = s->g;
    bool *need = sal_calloc(g->n_values + 1, sizeof(*need));

    s->on = sal_calloc(g->n_values + 1, sizeof(*s->on));
    if (need == NULL || s->on == NULL) {
        sal_free(need);
        return sal_fail_nomem(err);
    }
    s->on[s->t->input] = true;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_in && (n->op->flags & SAL_OP_NOGRAD) == 0; k++)
            any = any || (n->in[k] != SAL_NONE && s->on[n->in[k]]);
        for (int k = 0; any && k < n->n_out; k++) {
            if (n->out[k] != SAL_NONE && sal_dtype_is_float(sal_val(g, n->out[k])->dtype))
                s->on[n->out[k]] = true;
        }
    }
    need[s->t->logits] = true;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_out; k++)
            any = any || (n->out[k] != SAL_NONE && need[n->out[k]]);
        for (int k = 0; any && k < n->n_in; k++) {
            if (n->in[k] != SAL_NONE)
                need[n->in[k]] = true;
        }
    }
    for (size_t i = 0; i < g->n_values; i++)
        s->on[i] = s->on[i] && need[i];
    sal_free(need);
    return SAL_OK;
}

/* Without a picture's height and width to compare with, heads and states of attention look like
 * channels and rows; only what convolutions make is a map then. */
static sal_status layer_mark_conv(layer_search *s, sal_error *err)
{
    static const char *const moves[] = {"Reshape", "Transpose", "MatMul", "Einsum", "Softmax"};
    const sal_graph *g = s->g;

    s->conv = sal_calloc(g->n_values + 1, sizeof(*s->conv));
    if (s->conv == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        bool is = strstr(n->op->name, "Conv") != NULL || strstr(n->op->name, "Pool") != NULL;
        bool stays = true;

        for (size_t k = 0; k < SAL_COUNTOF(moves); k++)
            stays = stays && strcmp(n->op->name, moves[k]) != 0;
        for (int k = 0; k < n->n_in && stays && !is; k++)
            is = n->in[k] != SAL_NONE && s->conv[n->in[k]];
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] != SAL_NONE)
                s->conv[n->out[k]] = is;
        }
    }
    return SAL_OK;
}

/* A grid of h x w over the picture: the same aspect ratio to within one cell, no finer than the
 * pixels. */
static bool layer_fits(const sal_target *t, int64_t h, int64_t w)
{
    if (h < 1 || w < 1 || h * w < 2)
        return false;
    if (t->height <= 0 || t->width <= 0)
        return h > 1 && w > 1;
    int64_t off = h * t->width - w * t->height;
    return h <= t->height && w <= t->width && off <= SAL_MAX(t->height, t->width) &&
           off >= -SAL_MAX(t->height, t->width);
}

/* A feature map of this size lies between input and logits (the patches before they became tokens).
 */
static bool layer_has_grid(const layer_search *s, int64_t h, int64_t w)
{
    for (size_t i = 0; i < s->g->n_values; i++) {
        const sal_value *x = s->g->values[i];

        if (s->on[i] && x->rank == 4 && sal_target_is_batch(s->t, s->g, (sal_vid)i) &&
            ((x->dims[2] == h && x->dims[3] == w) || (x->dims[1] == h && x->dims[2] == w)))
            return true;
    }
    return false;
}

/* Split a number of tokens into extra + h * w. The result tells how likely it is: 0 impossible,
 * more is better. */
static int layer_tokens(const layer_search *s, int64_t tokens, sal_layer *out)
{
    static const int64_t extras[] = {0, 1, 2, 5,
                                     3, 4, 9}; /* class, distillation, register tokens */
    const int64_t height = s->t->height, width = s->t->width;
    const int n_extras = (int)SAL_COUNTOF(extras);

    for (int i = 0; i < n_extras && height > 0 && width > 0; i++) {
        int64_t n = tokens - extras[i];

        for (int64_t h = 2; n >= 4 && h * 2 <= n; h++) {
            int64_t w = n / h;

            if (h * w != n || h * width != w * height)
                continue;
            out->height = h;
            out->width = w;
            out->extra = extras[i];
            return n_extras - i + (layer_has_grid(s, h, w) ? n_extras : 0);
        }
    }
    return 0;
}

/* Is v a map of features over the picture? */
static bool layer_classify(const layer_search *s, sal_vid v, sal_layer *out)
{
    const sal_value *x = sal_val(s->g, v);
    const int64_t *d = x->dims;
    sal_layer first = {.value = v}, second = {.value = v};

    *out = (sal_layer){.value = v};
    if (!sal_dtype_is_float(x->dtype) || (x->rank != 3 && x->rank != 4) ||
        !sal_target_is_batch(s->t, s->g, v))
        return false;
    for (int i = 1; i < x->rank; i++) {
        if (d[i] < 1)
            return false;
    }
    if (x->rank == 4) {
        bool nchw = d[2] > 1 && d[3] > 1 && layer_fits(s->t, d[2], d[3]);
        bool nhwc = d[1] > 1 && d[2] > 1 && layer_fits(s->t, d[1], d[2]);

        if (!nchw && !nhwc)
            return false;
        *out = nchw ? (sal_layer){v, SAL_LAYER_NCHW, d[1], d[2], d[3], 0}
                    : (sal_layer){v, SAL_LAYER_NHWC, d[3], d[1], d[2], 0};
        return true;
    }
    int tokens = layer_tokens(s, d[1], &first), channels = layer_tokens(s, d[2], &second);
    if (tokens == 0 && channels == 0)
        return false;
    /* When both are as likely, there are more channels than tokens. */
    bool by_tokens = tokens != channels ? tokens > channels : d[1] <= d[2];
    *out = by_tokens ? first : second;
    out->layout = by_tokens ? SAL_LAYER_TOKENS : SAL_LAYER_CHANNELS_FIRST;
    out->channels = by_tokens ? d[2] : d[1];
    return true;
}

static bool layer_is_constant(const sal_graph *g, sal_vid v)
{
    return v != SAL_NONE && sal_val(g, v)->constant != NULL;
}

/* The operand of a binary node that is no constant when the other one is; else SAL_NONE. */
static sal_vid layer_other(const sal_graph *g, const sal_node *n)
{
    if (n->n_in != 2 || layer_is_constant(g, n->in[0]) == layer_is_constant(g, n->in[1]))
        return SAL_NONE;
    return n->in[layer_is_constant(g, n->in[0]) ? 1 : 0];
}

static const sal_node *layer_producer(const sal_graph *g, sal_vid v)
{
    return v == SAL_NONE || sal_val(g, v)->producer < 0 ? NULL : g->nodes[sal_val(g, v)->producer];
}

/* The last node of a layer normalisation, also of one written out: ((x - mean) / deviation) * gain
 * + offset. */
static bool layer_is_norm(const sal_graph *g, const sal_node *n)
{
    static const char *const steps[] = {"Add", "Mul"};

    if (strstr(n->op->name, "Normalization") != NULL)
        return true;
    for (size_t i = 0; n != NULL && i < SAL_COUNTOF(steps); i++) {
        if (strcmp(n->op->name, steps[i]) == 0)
            n = layer_producer(g, layer_other(g, n));
    }
    return n != NULL && strcmp(n->op->name, "Div") == 0;
}

/* Is a token picked out of v (the class token), rather than all of them pooled? */
static bool layer_is_picked(const layer_search *s, sal_vid v)
{
    for (size_t i = 0; i < s->g->n_nodes; i++) {
        const sal_node *n = s->g->nodes[i];

        if (n->n_in == 0 || n->in[0] != v || n->out[0] == SAL_NONE || !s->on[n->out[0]])
            continue;
        if (strncmp(n->op->name, "Gather", 6) == 0 || strcmp(n->op->name, "Slice") == 0 ||
            strcmp(n->op->name, "Split") == 0)
            return true;
    }
    return false;
}

/* The map that the last attention over all tokens reads. */
static bool layer_before_attention(const layer_search *s, const sal_layer *last, sal_layer *out)
{
    const sal_graph *g = s->g;
    int64_t tokens = last->extra + last->height * last->width;
    bool attention = false;
    sal_layer found;

    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        const sal_value *y = n->n_out == 0 || n->out[0] == SAL_NONE ? NULL : sal_val(g, n->out[0]);

        if (y == NULL || !s->on[n->out[0]])
            continue;
        if (!attention) {
            attention = strstr(n->op->name, "Attention") != NULL ||
                        (strcmp(n->op->name, "Softmax") == 0 && y->rank >= 2 &&
                         y->dims[y->rank - 1] == tokens);
            continue;
        }
        if (layer_is_norm(g, n) && layer_classify(s, n->out[0], &found) &&
            found.layout == last->layout && found.channels == last->channels &&
            found.height == last->height && found.width == last->width) {
            *out = found;
            return true;
        }
    }
    return false;
}

/* The tokens of a picture were patches of it once; other numbers of rows (queries, boxes, latents)
 * come out as h x w by chance. */
static bool layer_is_backed(const layer_search *s, const sal_layer *x)
{
    if (sal_val(s->g, x->value)->rank == 4)
        return s->t->height > 0 || s->conv[x->value];
    return layer_has_grid(s, x->height, x->width);
}

static bool layer_is_score(const layer_search *s, const sal_node *n)
{
    if (strcmp(n->op->name, "Softmax") == 0)
        return true;
    return strcmp(n->op->name, "MatMul") == 0 && s->on[n->in[0]] && s->on[n->in[1]];
}

/* The layer to show; backed: only what layer_is_backed(). Its value is SAL_NONE when there is none.
 */
static void layer_last(const layer_search *s, bool backed, sal_layer *out)
{
    const sal_graph *g = s->g;
    sal_layer found, best = {.value = SAL_NONE};
    /* A model whose answer is itself a picture has no last map: its coarsest one is shown. */
    bool spatial = layer_classify(s, s->t->logits, &found) && sal_val(g, s->t->logits)->rank == 4;

    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];

        for (int k = n->n_out; k-- > 0;) {
            if (n->out[k] == SAL_NONE || !s->on[n->out[k]] || n->out[k] == s->t->logits ||
                !layer_classify(s, n->out[k], &found))
                continue;
            if (sal_val(g, n->out[k])->rank == 4 && layer_is_score(s, n))
                continue;
            if (backed && !layer_is_backed(s, &found))
                continue;
            if (!spatial && sal_val(g, n->out[k])->rank == 3 && layer_is_picked(s, n->out[k]) &&
                layer_before_attention(s, &found, out))
                return;
            if (!spatial) {
                *out = found;
                return;
            }
            if (best.value == SAL_NONE || found.height * found.width < best.height * best.width)
                best = found;
        }
    }
    *out = best;
}

static sal_status layer_auto(const layer_search *s, sal_layer *out, sal_error *err)
{
    const sal_graph *g = s->g;

    layer_last(s, true, out);
    if (out->value == SAL_NONE && s->t->height > 0)
        layer_last(s, false, out);
    if (out->value == SAL_NONE)
        return sal_fail(
            err, SAL_EINVAL,
            "no layer with a spatial grid lies between %s and %s; name one (layer=NAME), or take a "
            "method that needs no layer, such as gradient-x-input",
            sal_val(g, s->t->input)->name, sal_val(g, s->t->logits)->name);
    return SAL_OK;
}

static sal_status layer_named(const layer_search *s, const char *name, bool any, sal_layer *out,
                              sal_error *err)
{
    const sal_graph *g = s->g;
    sal_vid v = sal_graph_find(g, name);
    char text[192];

    for (size_t i = 0; v == SAL_NONE && i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i]->name, name) == 0 && g->nodes[i]->n_out > 0)
            v = g->nodes[i]->out[0];
    }
    if (v == SAL_NONE)
        return sal_fail(err, SAL_EINVAL, "layer %s: the model has no value or node of this name",
                        name);
    if (!s->on[v])
        return sal_fail(err, SAL_EINVAL, "layer %s does not lie between input %s and output %s",
                        name, sal_val(g, s->t->input)->name, sal_val(g, s->t->logits)->name);
    if (layer_classify(s, v, out))
        return SAL_OK;
    *out = (sal_layer){.value = v, .layout = SAL_LAYER_PLAIN};
    if (!any)
        return sal_fail(err, SAL_EINVAL,
                        "layer %s is %s, which is no grid over the input's height and width", name,
                        sal_value_text(g, v, text, sizeof(text)));
    return SAL_OK;
}

sal_status sal_layer_find(sal_layer *out, const sal_graph *g, const sal_target *t, const char *name,
                          bool any, sal_error *err)
{
    layer_search s = {.g = g, .t = t};
    sal_status st = SAL_OK;

    *out = (sal_layer){.value = SAL_NONE};
    SAL_TRY(layer_mark(&s, err));
    SAL_TRY(layer_mark_conv(&s, err));
    st = name != NULL ? layer_named(&s, name, any, out, err) : layer_auto(&s, out, err);
done:
    sal_free(s.on);
    sal_free(s.conv);
    return st;
}

sal_vid sal_layer_grid(sal_builder *b, const sal_layer *layer, sal_vid v)
{
    static const int64_t nhwc[] = {0, 3, 1, 2}, tokens[] = {0, 2, 1};
    int64_t count = layer->extra + layer->height * layer->width;
    int axis = layer->layout == SAL_LAYER_TOKENS ? 1 : 2;

    if (b->st != SAL_OK || layer->layout == SAL_LAYER_NCHW)
        return v;
    if (layer->layout == SAL_LAYER_NHWC)
        return sal_b_transpose(b, v, nhwc);
    int64_t dims[4] = {sal_val(b->g, v)->dims[0], layer->channels, layer->height, layer->width};
    if (layer->extra > 0)
        v = sal_b_slice(b, v, axis, layer->extra, count, 1);
    if (layer->layout == SAL_LAYER_TOKENS)
        v = sal_b_transpose(b, v, tokens);
    return sal_b_reshape(b, v, 4, dims, v);
}

size_t sal_layer_at(const sal_layer *layer, int64_t c, int64_t p)
{
    int64_t tokens = layer->extra + layer->height * layer->width;

    switch (layer->layout) {
    case SAL_LAYER_NHWC:
    case SAL_LAYER_TOKENS:
        return (size_t)((layer->extra + p) * layer->channels + c);
    case SAL_LAYER_NCHW:
    case SAL_LAYER_CHANNELS_FIRST:
    case SAL_LAYER_PLAIN:
        break;
    }
    return (size_t)(c * tokens + layer->extra + p);
}

sal_status sal_layer_describe(const sal_graph *g, const sal_layer *layer, sal_bytes *out,
                              sal_error *err)
{
    static const char *const names[] = {"", ", channels last", " tokens",
                                        " tokens, channels first"};
    char text[160];
    sal_status st = sal_bytes_printf(out, err, "%s %s", sal_val(g, layer->value)->name,
                                     sal_value_text(g, layer->value, text, sizeof(text)));

    if (st != SAL_OK || layer->layout == SAL_LAYER_NCHW || layer->layout == SAL_LAYER_PLAIN)
        return st;
    if (layer->extra > 0)
        return sal_bytes_printf(out, err, " (%d + %dx%d%s)", (int)layer->extra, (int)layer->height,
                                (int)layer->width, names[layer->layout]);
    return sal_bytes_printf(out, err, " (%dx%d%s)", (int)layer->height, (int)layer->width,
                            names[layer->layout]);
}
