/* Ablation-CAM: what the target loses when one channel of the layer is replaced,
 *
 *     w_k = (T - T with A_k = value) / |T|,    map_p = relu(sum_k w_k A_kp)
 *
 * with value = 0. The layer is computed once; each channel costs the head behind it. The division
 * only scales the map, and |T| stands in it rather than T, so that a question whose answer is
 * negative (a contrast, say) does not turn its own map over; it is left out where T vanishes. */
#include "explain/enlarge.h"
#include "explain/head.h"
#include "explain/methods.h"

#include <math.h>

enum { ABLATION_VALUE };

static const sal_param_info ablation_params[] = {
    {"value", SAL_PARAM_FLOAT, 0, -1e9, 1e9, "what the elements of a channel are replaced by"},
};

typedef struct ablation_ctx {
    const sal_layer *layer;
    const float *own; /* the layer's values */
    float value;
    int64_t *last; /* by slot: the channel that is replaced there; -1 */
    int64_t cells; /* replaced in each channel, tokens that are no patches included */
    double *targets;
} ablation_ctx;

/* Where element i of channel c stands. */
static size_t ablation_at(const sal_layer *layer, int64_t c, int64_t i)
{
    return sal_layer_at(layer, c, i - layer->extra);
}

static sal_status ablation_fill(void *ctx, size_t i, size_t slot, float *x, sal_error *err)
{
    ablation_ctx *a = ctx;

    (void)err;
    for (int64_t k = 0; a->last[slot] >= 0 && k < a->cells; k++) {
        size_t at = ablation_at(a->layer, a->last[slot], k);

        x[at] = a->own[at];
    }
    for (int64_t k = 0; k < a->cells; k++)
        x[ablation_at(a->layer, (int64_t)i, k)] = a->value;
    a->last[slot] = (int64_t)i;
    return SAL_OK;
}

static sal_status ablation_take(void *ctx, size_t i, double target, sal_error *err)
{
    ablation_ctx *a = ctx;

    (void)err;
    a->targets[i] = target;
    return SAL_OK;
}

static sal_status ablation_sample(sal_method_run *r, sal_head *head, ablation_ctx *a, double *map,
                                  size_t s)
{
    size_t channels = (size_t)a->layer->channels, elements;
    sal_head_job job = {.count = channels, .ctx = a, .fill = ablation_fill, .take = ablation_take};
    double own = sal_explainer_own_target(r, s), scale = fabs(own) > 1e-12 ? fabs(own) : 1.0;
    int64_t positions = a->layer->height * a->layer->width;
    sal_status st = SAL_OK;

    SAL_TRY(sal_head_cache(head, r, s));
    a->own = sal_head_layer(head, &elements);
    for (size_t k = 0; k < channels; k++)
        a->last[k] = -1;
    SAL_TRY(sal_head_run(head, r, s, &job));
    for (int64_t p = 0; p < positions; p++) {
        map[p] = 0.0;
        for (size_t k = 0; k < channels; k++)
            map[p] += (own - a->targets[k]) / scale *
                      (double)a->own[sal_layer_at(a->layer, (int64_t)k, p)];
    }
    st = sal_cam_store(r, s, map);
done:
    return st;
}

static sal_status ablation_run(sal_method_run *r)
{
    const sal_layer *layer = &sal_explainer_method(r->e)->layer;
    ablation_ctx a = {.layer = layer,
                      .value = (float)r->params[ABLATION_VALUE],
                      .cells = layer->extra + layer->height * layer->width};
    size_t channels = (size_t)layer->channels;
    sal_head *head;
    double *map = NULL;
    sal_status st = SAL_OK;

    a.last = sal_calloc(channels, sizeof(*a.last)); /* no more slots than channels */
    a.targets = sal_calloc(channels, sizeof(*a.targets));
    map = sal_calloc((size_t)(layer->height * layer->width), sizeof(*map));
    if (a.last == NULL || a.targets == NULL || map == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_head_open(r, channels, &head));
    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(ablation_sample(r, head, &a, map, s));
done:
    sal_free(a.last);
    sal_free(a.targets);
    sal_free(map);
    return st;
}

const sal_method_desc sal_method_ablation_cam = {
    .info = {.name = "ablation-cam",
             .title = "Ablation-CAM",
             .reference = "Desai and Ramaswamy, 2020, doi:10.1109/WACV45572.2020.9093360",
             .kind = SAL_METHOD_CAM,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(ablation_params),
             .params = ablation_params},
    .run = ablation_run,
    .flat = true,
};
