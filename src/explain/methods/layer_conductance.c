/* Conductance of a layer A: the change of the target along the way from the baseline that passes
 * through each of its elements. With A_k, g_k = dT/dA at b + k / steps (x - b), k = 0 .. steps:
 *
 *     map = sum_k (g_k + g_(k+1)) / 2 (A_(k+1) - A_k)
 *
 * If all paths lead through the layer, sum(map) = T(x) - T(b). */
#include "explain/layer_map.h"
#include "explain/methods.h"
#include "explain/path.h"

static const sal_param_info layer_conductance_params[] = {
    SAL_PATH_STEPS,
    SAL_PATH_BASELINE,
};

/* One evaluation gives the layer and its gradient, side by side. */
static sal_status layer_conductance_build(sal_method_build *m)
{
    static const int64_t flat[] = {1, -1}, rows[] = {0, -1};
    sal_builder *b = m->b;
    sal_vid layer = m->layer->value, parts[2] = {layer, sal_build_gradient(m, layer)};
    const int64_t *shape = m->target->batched ? rows : flat;

    for (int i = 0; i < 2; i++)
        parts[i] = sal_b2(b, "Reshape", parts[i], sal_b_ints(b, shape, 2));
    m->saliency = b->st == SAL_OK ? sal_b_concat(b, 2, parts, 1) : SAL_NONE;
    return b->st;
}

typedef struct conductance_ctx {
    size_t elements;
    double *sum, *last; /* last: the layer and its gradient one step before */
} conductance_ctx;

static sal_status conductance_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    conductance_ctx *c = ctx;
    size_t n = c->elements, first = (size_t)v->row * 2 * n;

    (void)err;
    for (size_t k = 0; k < n; k++) {
        double a = sal_tensor_get(v->map, (int64_t)(first + k));
        double g = sal_tensor_get(v->map, (int64_t)(first + n + k));

        if (i > 0)
            c->sum[k] += 0.5 * (g + c->last[n + k]) * (a - c->last[k]);
        c->last[k] = a;
        c->last[n + k] = g;
    }
    return SAL_OK;
}

static sal_status layer_conductance_run(sal_method_run *r)
{
    conductance_ctx c = {.elements = sal_layer_elements(r)};
    sal_status st = SAL_OK;

    c.sum = sal_calloc(3 * c.elements + 1, sizeof(*c.sum));
    if (c.sum == NULL)
        return sal_fail_nomem(r->err);
    c.last = c.sum + c.elements;
    for (size_t s = 0; s < r->out->n; s++) {
        memset(c.sum, 0, c.elements * sizeof(*c.sum));
        SAL_TRY(sal_path_walk(r, s, true, conductance_take, &c));
        SAL_TRY(sal_layer_store(r, s, c.sum));
    }
done:
    sal_free(c.sum);
    return st;
}

const sal_method_desc sal_method_layer_conductance = {
    .info = {.name = "layer-conductance",
             .title = "Layer conductance",
             .reference = "Dhamdhere et al., 2018, arXiv:1805.12233",
             .kind = SAL_METHOD_CAM,
             .is_signed = true,
             .exportable = false,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(layer_conductance_params),
             .params = layer_conductance_params},
    .build = layer_conductance_build,
    .run = layer_conductance_run,
    .flat = true,
    .any_layer = true,
};
