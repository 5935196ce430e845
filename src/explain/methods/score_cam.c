/* Score-CAM: each channel of the layer, enlarged to the input and scaled to 0..1, is a mask; what
 * the target is when only the mask shows weighs the channel:
 *
 *     m_k = (up(A_k) - min) / (max - min + 1e-8),   w = softmax_k T(x m_k),
 *     map_p = relu(sum_k w_k A_kp)
 *
 * Subtracting T of a baseline from all scores, as the paper writes, changes no weight. Channels
 * that are the same everywhere share one evaluation: their mask is empty. */
#include "explain/enlarge.h"
#include "explain/head.h"
#include "explain/methods.h"

#include <math.h>

enum { SCORE_ALIGN };

static const sal_param_info score_params[] = {
    {"align", SAL_PARAM_INT, 0, 0, 1,
     "1: enlarge masks with aligned corners, as pytorch-grad-cam does; 0: half-pixel centres"},
};

typedef struct score_ctx {
    const sal_layer *layer;
    const float *own;      /* the layer's values */
    const float *x;        /* the sample */
    int64_t planes, inner; /* channels before and after the pixels */
    size_t pixels;
    sal_enlarge enlarge;
    float *small, *mask;
    int64_t *which; /* by variant: the channel; -1: the empty mask */
    double *scores; /* by channel */
    double empty;
} score_ctx;

static void score_mask(score_ctx *c, int64_t channel)
{
    int64_t positions = c->layer->height * c->layer->width;
    float low = INFINITY, high = -INFINITY;

    for (int64_t p = 0; p < positions; p++)
        c->small[p] = c->own[sal_layer_at(c->layer, channel, p)];
    sal_enlarge_map(&c->enlarge, c->small, c->mask);
    for (size_t k = 0; k < c->pixels; k++) {
        low = c->mask[k] < low ? c->mask[k] : low;
        high = c->mask[k] > high ? c->mask[k] : high;
    }
    float scale = 1.0F / (high - low + 1e-8F);
    for (size_t k = 0; k < c->pixels; k++)
        c->mask[k] = (c->mask[k] - low) * scale;
}

static sal_status score_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    score_ctx *c = ctx;
    size_t elements = c->pixels * (size_t)(c->planes * c->inner);

    (void)err;
    if (c->which[i] < 0) {
        memset(x, 0, elements * sizeof(*x));
        return SAL_OK;
    }
    score_mask(c, c->which[i]);
    for (int64_t plane = 0; plane < c->planes; plane++) {
        const float *from = c->x + (size_t)plane * c->pixels;
        float *to = x + (size_t)plane * c->pixels;

        for (size_t k = 0; c->inner == 1 && k < c->pixels; k++)
            to[k] = from[k] * c->mask[k];
        for (size_t k = 0; c->inner > 1 && k < elements; k++)
            to[k] = from[k] * c->mask[k / (size_t)c->inner];
    }
    return SAL_OK;
}

static sal_status score_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    score_ctx *c = ctx;

    (void)err;
    if (c->which[i] < 0)
        c->empty = v->target;
    else
        c->scores[c->which[i]] = v->target;
    return SAL_OK;
}

/* Variants to evaluate; channels without one get the score of the empty mask afterwards. */
static size_t score_plan(score_ctx *c)
{
    int64_t positions = c->layer->height * c->layer->width;
    bool empty = false;
    size_t n = 0;

    for (int64_t k = 0; k < c->layer->channels; k++) {
        float first = c->own[sal_layer_at(c->layer, k, 0)];
        bool flat = true;

        for (int64_t p = 1; flat && p < positions; p++)
            flat = c->own[sal_layer_at(c->layer, k, p)] == first;
        c->scores[k] = (double)NAN;
        if (!flat)
            c->which[n++] = k;
        empty = empty || flat;
    }
    if (empty)
        c->which[n++] = -1;
    return n;
}

static void score_map(score_ctx *c, double *map)
{
    int64_t positions = c->layer->height * c->layer->width;
    double most = -(double)INFINITY, sum = 0.0;

    for (int64_t k = 0; k < c->layer->channels; k++) {
        if (isnan(c->scores[k]))
            c->scores[k] = c->empty;
        most = fmax(most, c->scores[k]);
    }
    memset(map, 0, (size_t)positions * sizeof(*map));
    for (int64_t k = 0; k < c->layer->channels; k++) {
        double w = exp(c->scores[k] - most);

        sum += w;
        for (int64_t p = 0; p < positions; p++)
            map[p] += w * (double)c->own[sal_layer_at(c->layer, k, p)];
    }
    for (int64_t p = 0; p < positions; p++)
        map[p] /= sum;
}

static sal_status score_sample(sal_method_run *r, sal_head *body, score_ctx *c, double *map,
                               size_t s)
{
    sal_tensor x = SAL_TENSOR_INIT;
    sal_batch_job job = {.forward = true, .ctx = c, .fill = score_fill, .take = score_take};
    size_t elements;
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    SAL_TRY(sal_head_cache(body, r, s));
    c->own = sal_head_layer(body, &elements);
    c->x = x.data;
    c->inner = sal_explainer_target(r->e)->nhwc ? x.dims[3] : 1;
    c->planes = sal_tensor_count(&x) / ((int64_t)c->pixels * c->inner);
    job.count = score_plan(c);
    SAL_TRY(sal_explainer_batch(r, s, &job));
    score_map(c, map);
    st = sal_cam_store(r, s, map);
done:
    sal_tensor_free(&x);
    return st;
}

static sal_status score_run(sal_method_run *r)
{
    const sal_layer *layer = &sal_explainer_method(r->e)->layer;
    const sal_target *t = sal_explainer_target(r->e);
    size_t channels = (size_t)layer->channels, cells = (size_t)(layer->height * layer->width);
    score_ctx c = {.layer = layer, .pixels = (size_t)(t->height * t->width)};
    sal_head *body;
    double *map = NULL;
    sal_status st = SAL_OK;

    if (t->height < 1 || t->width < 1)
        return sal_fail(r->err, SAL_EUNSUPPORTED,
                        "score-cam needs a picture as input; take grad-cam");
    SAL_TRY(sal_enlarge_new(&c.enlarge, layer->height, layer->width, t->height, t->width,
                            r->params[SCORE_ALIGN] != 0.0, r->err));
    c.small = sal_calloc(cells, sizeof(*c.small));
    c.mask = sal_calloc(c.pixels, sizeof(*c.mask));
    c.which = sal_calloc(channels + 1, sizeof(*c.which));
    c.scores = sal_calloc(channels, sizeof(*c.scores));
    map = sal_calloc(cells, sizeof(*map));
    if (c.small == NULL || c.mask == NULL || c.which == NULL || c.scores == NULL || map == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_head_open(r, 0, &body));
    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(score_sample(r, body, &c, map, s));
done:
    sal_enlarge_free(&c.enlarge);
    sal_free(c.small);
    sal_free(c.mask);
    sal_free(c.which);
    sal_free(c.scores);
    sal_free(map);
    return st;
}

const sal_method_desc sal_method_score_cam = {
    .info = {.name = "score-cam",
             .title = "Score-CAM",
             .reference = "Wang et al., 2020, arXiv:1910.01279",
             .kind = SAL_METHOD_CAM,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(score_params),
             .params = score_params},
    .run = score_run,
    .flat = true,
};
