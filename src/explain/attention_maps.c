/* Attention maps (attention_maps.h). */
#include "explain/attention_maps.h"

bool sal_attention_write_out(const sal_graph *g, const sal_node *n, void *ctx)
{
    (void)g;
    (void)ctx;
    return strstr(n->op->name, "Attention") != NULL && n->op->expand != NULL;
}

/* The first operand of a product reads v, perhaps by way of nodes that change nothing. */
static bool attention_weighs(const sal_graph *g, sal_vid v)
{
    static const char *const through[] = {"Dropout",   "Identity", "Cast", "Reshape",
                                          "Unsqueeze", "Squeeze",  "Where"};

    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        bool on = false;

        if (n->n_in == 0 || (n->in[0] != v && (strcmp(n->op->name, "Where") != 0 || n->in[2] != v)))
            continue;
        if (strcmp(n->op->name, "MatMul") == 0)
            return true;
        for (size_t k = 0; k < SAL_COUNTOF(through); k++)
            on = on || strcmp(n->op->name, through[k]) == 0;
        if (on && n->out[0] != SAL_NONE && attention_weighs(g, n->out[0]))
            return true;
    }
    return false;
}

void sal_attention_find(sal_method_build *m, sal_attention_maps *out)
{
    sal_builder *b = m->b;
    const sal_graph *g = b->g;

    *out = (sal_attention_maps){.n = 0};
    for (size_t i = 0; i < g->n_nodes && b->st == SAL_OK; i++) {
        const sal_node *n = g->nodes[i];
        const sal_value *v = n->n_out == 0 || n->out[0] == SAL_NONE ? NULL : sal_val(g, n->out[0]);

        if (v == NULL || strcmp(n->op->name, "Softmax") != 0 || (v->rank != 3 && v->rank != 4) ||
            v->dims[v->rank - 1] < 2 || v->dims[v->rank - 1] != v->dims[v->rank - 2] ||
            !attention_weighs(g, n->out[0]))
            continue;
        int64_t tokens = v->dims[v->rank - 1];
        if (!sal_target_is_batch(m->target, g, n->out[0]) || (out->n > 0 && tokens != out->tokens))
            b->st =
                sal_fail(b->err, SAL_EUNSUPPORTED,
                         "node %s: attention is not between all tokens of a sample; %s does not "
                         "work for this model",
                         n->name, m->method->info.name);
        else if (out->n == SAL_ATTENTION_MOST)
            b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "more than %d attention maps",
                             SAL_ATTENTION_MOST);
        else
            out->map[out->n++] = n->out[0];
        out->tokens = tokens;
    }
    if (b->st == SAL_OK && out->n == 0)
        b->st = sal_fail(
            b->err, SAL_EUNSUPPORTED,
            "the model has no attention between tokens; take gradient-x-input or grad-cam");
}

sal_vid sal_attention_heads(sal_builder *b, sal_vid map)
{
    static const int64_t heads = 1;

    if (b->st != SAL_OK || sal_val(b->g, map)->rank == 3)
        return map;
    return sal_b_reduce(b, "ReduceMean", map, 1, &heads, false);
}

sal_vid sal_attention_identity(sal_builder *b, sal_vid v, int64_t tokens)
{
    int64_t dims[3] = {1, tokens, tokens};
    sal_tensor t = SAL_TENSOR_INIT;

    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, sal_val(b->g, v)->dtype, 3, dims, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < tokens; i++)
        sal_tensor_set(&t, i * tokens + i, 1.0);
    sal_vid out = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return out;
}

void sal_attention_show(sal_method_build *m, sal_vid owed, int64_t tokens)
{
    static const int64_t rows = 1;
    sal_builder *b = m->b;
    sal_layer layer = {.value = SAL_NONE};
    bool grid = m->target->height > 0 && m->target->width > 0;

    if (b->st == SAL_OK && grid)
        b->st = sal_layer_find(&layer, b->g, m->target, NULL, false, b->err);
    if (b->st != SAL_OK)
        return;
    if (grid && layer.extra + layer.height * layer.width != tokens) {
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                         "%lld tokens are attended to, but the last map over the picture is %s",
                         (long long)tokens, sal_val(b->g, layer.value)->name);
        return;
    }
    /* A language model answers behind the last token, a class token stands first. */
    bool language = sal_graph_meta(b->g, "lm.architecture") != NULL;
    if (layer.extra > 0)
        owed = sal_b_squeeze(b, sal_b_slice(b, owed, 1, 0, 1, 1), 1, &rows);
    else if (language)
        owed = sal_b_squeeze(b, sal_b_slice(b, owed, 1, tokens - 1, tokens, 1), 1, &rows);
    else
        owed = sal_b_reduce(b, "ReduceMean", owed, 1, &rows, false);
    m->saliency = m->layer_map = owed;
    if (b->st != SAL_OK || !grid)
        return;
    int64_t dims[3] = {sal_val(b->g, owed)->dims[0], layer.height, layer.width};
    if (layer.extra > 0)
        owed = sal_b_slice(b, owed, 1, layer.extra, tokens, 1);
    m->layer_map = sal_b_reshape(b, owed, 3, dims, owed);
    m->saliency = sal_build_enlarged(m, m->layer_map);
}
