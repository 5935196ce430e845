/* Attributions to a layer (layer_map.h). */
#include "explain/layer_map.h"
#include "explain/enlarge.h"

static bool layer_map_is_picture(const sal_layer *layer, const sal_target *t)
{
    return layer->layout != SAL_LAYER_PLAIN && t->height > 0 && t->width > 0;
}

void sal_build_layer_values(sal_method_build *m, sal_vid values)
{
    static const int64_t channels = 1;
    sal_builder *b = m->b;

    m->layer_map = values;
    m->saliency = values;
    if (b->st != SAL_OK)
        return;
    if (sal_val(b->g, values)->producer < 0 || values == m->layer->value)
        m->layer_map = m->saliency = sal_b1(b, "Identity", values);
    if (!layer_map_is_picture(m->layer, m->target))
        return;
    sal_vid grid = sal_layer_grid(b, m->layer, values);
    m->saliency = sal_build_enlarged(m, sal_b_reduce(b, "ReduceSum", grid, 1, &channels, false));
}

size_t sal_layer_elements(const sal_method_run *r)
{
    const sal_explain_graph *x = sal_explainer_method(r->e);
    const sal_value *v = sal_val(x->graph, x->layer.value);
    size_t n = 1;

    for (int i = x->target.batched ? 1 : 0; i < v->rank; i++)
        n *= v->dims[i] < 0 ? 0 : (size_t)v->dims[i];
    return n;
}

/* Sum over the channels of one sample, [h, w]. */
static void layer_map_sum(const sal_layer *l, const double *values, float *out)
{
    for (int64_t p = 0; p < l->height * l->width; p++) {
        double sum = 0.0;

        for (int64_t c = 0; c < l->channels; c++)
            sum += values[sal_layer_at(l, c, p)];
        out[p] = (float)sum;
    }
}

static sal_status layer_map_shapes(const sal_method_run *r)
{
    const sal_explain_graph *x = sal_explainer_method(r->e);
    const sal_value *v = sal_val(x->graph, x->layer.value);
    int64_t dims[SAL_MAX_RANK];
    sal_status st = SAL_OK;

    if (r->out->layer_map.data != NULL)
        return SAL_OK;
    memcpy(dims, v->dims, sizeof(dims));
    if (x->target.batched && v->rank > 0)
        dims[0] = (int64_t)r->out->n;
    SAL_TRY(sal_tensor_new(&r->out->layer_map, SAL_F32, v->rank, dims, r->err));
    if (layer_map_is_picture(&x->layer, &x->target))
        return SAL_OK;
    sal_tensor_free(&r->out->map);
    st = sal_tensor_new(&r->out->map, SAL_F32, v->rank, dims, r->err);
done:
    return st;
}

sal_status sal_layer_store(const sal_method_run *r, size_t s, const double *values)
{
    const sal_explain_graph *x = sal_explainer_method(r->e);
    const sal_layer *l = &x->layer;
    size_t n = sal_layer_elements(r), pixels = (size_t)(x->target.height * x->target.width);
    bool picture = layer_map_is_picture(l, &x->target);
    sal_enlarge e = {.height = 0};
    float *small = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(layer_map_shapes(r));
    for (size_t k = 0; k < n; k++) {
        ((float *)r->out->layer_map.data)[s * n + k] = (float)values[k];
        if (!picture)
            ((float *)r->out->map.data)[s * n + k] = (float)values[k];
    }
    if (!picture)
        return SAL_OK;
    small = sal_calloc((size_t)(l->height * l->width), sizeof(*small));
    if (small == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    layer_map_sum(l, values, small);
    SAL_TRY(
        sal_enlarge_new(&e, l->height, l->width, x->target.height, x->target.width, false, r->err));
    sal_enlarge_map(&e, small, (float *)r->out->map.data + s * pixels);
done:
    sal_enlarge_free(&e);
    sal_free(small);
    return st;
}

sal_vid sal_build_neuron(sal_method_build *m)
{
    sal_builder *b = m->b;
    const sal_value *v = sal_val(b->g, m->layer->value);
    int64_t dims[SAL_MAX_RANK], neuron, n = 1;
    sal_tensor t = SAL_TENSOR_INIT;

    if (b->st != SAL_OK)
        return SAL_NONE;
    neuron = (int64_t)sal_method_param(m->method, m->params, "neuron");
    memcpy(dims, v->dims, sizeof(dims));
    for (int i = 0; i < v->rank; i++) {
        if (i == 0 && m->target->batched)
            dims[0] = 1;
        n *= dims[i] < 0 ? 0 : dims[i];
    }
    if (neuron >= n) {
        b->st = sal_fail(b->err, SAL_EINVAL, "neuron %lld of %s: it has %lld elements a sample",
                         (long long)neuron, v->name, (long long)n);
        return SAL_NONE;
    }
    b->st = sal_tensor_new(&t, v->dtype, v->rank, dims, b->err);
    if (b->st == SAL_OK)
        sal_tensor_set(&t, neuron, 1.0);
    sal_vid one = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return sal_b_expand_like(b, one, m->layer->value);
}

sal_vid sal_build_layer_pullback(sal_method_build *m, sal_vid seed)
{
    sal_builder *b = m->b;
    sal_vid layer = m->layer->value, x = m->target->input, grad = SAL_NONE;

    if (b->st == SAL_OK)
        b->st = sal_differentiate(b->g, 1, &layer, &seed, 1, &x, NULL, &grad, b->err);
    return b->st == SAL_OK ? grad : SAL_NONE;
}
