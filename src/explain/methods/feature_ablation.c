/* Feature ablation: what the target loses when one feature is replaced by the baseline,
 *
 *     map_i = T(x) - T(x with the feature that holds i replaced)
 *
 * A feature is a label of the caller's mask, a superpixel or a cell of a grid. */
#include "explain/methods.h"
#include "explain/regions.h"

static const sal_param_info ablate_params[] = {SAL_REGIONS_PARAMS(14, 0)};

typedef struct ablate_ctx {
    sal_regions regions;
    double own;
    double *loss;   /* by feature */
    sal_box *boxes; /* by feature, of a picture [C, H, W] */
} ablate_ctx;

/* The rectangle around each feature. */
static sal_status ablate_boxes(const sal_method_run *r, ablate_ctx *c)
{
    const sal_target *t = sal_explainer_target(r->e);
    const sal_regions *g = &c->regions;

    if (t->nhwc || g->x.rank != 4 || t->height < 1 || t->width < 1)
        return SAL_OK;
    c->boxes = sal_calloc(g->count, sizeof(*c->boxes));
    if (c->boxes == NULL)
        return sal_fail_nomem(r->err);
    for (size_t k = 0; k < g->elements; k++) {
        int64_t p = (int64_t)k % (t->height * t->width);
        int32_t y = (int32_t)(p / t->width), x = (int32_t)(p % t->width);
        sal_box *b = &c->boxes[g->label[k]];

        if (b->y1 == 0)
            *b = (sal_box){y, y + 1, x, x + 1};
        *b = (sal_box){SAL_MIN(b->y0, y), SAL_MAX(b->y1, y + 1), SAL_MIN(b->x0, x),
                       SAL_MAX(b->x1, x + 1)};
    }
    return SAL_OK;
}

static sal_box ablate_box(void *ctx, size_t i)
{
    return ((const ablate_ctx *)ctx)->boxes[i];
}

static sal_status ablate_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const sal_regions *g = &((ablate_ctx *)ctx)->regions;
    const float *from = g->x.data;

    (void)err;
    for (size_t k = 0; k < g->elements; k++)
        x[k] = g->label[k] == (int32_t)i ? sal_regions_baseline(g, k) : from[k];
    return SAL_OK;
}

static sal_status ablate_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    ablate_ctx *c = ctx;

    (void)err;
    c->loss[i] = c->own - v->target;
    return SAL_OK;
}

static sal_status ablate_sample(sal_method_run *r, size_t s)
{
    ablate_ctx c = {.own = sal_explainer_own_target(r, s)};
    sal_batch_job job = {.forward = true, .ctx = &c, .fill = ablate_fill, .take = ablate_take};
    sal_status st = SAL_OK;

    SAL_TRY(sal_regions_make(&c.regions, r, s));
    c.loss = sal_calloc(c.regions.count, sizeof(*c.loss));
    if (c.loss == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(ablate_boxes(r, &c));
    job.count = c.regions.count;
    job.box = c.boxes == NULL ? NULL : ablate_box;
    SAL_TRY(sal_explainer_batch(r, s, &job));
    sal_regions_store(&c.regions, r, s, c.loss);
done:
    sal_free(c.loss);
    sal_free(c.boxes);
    sal_regions_free(&c.regions);
    return st;
}

static sal_status ablate_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(ablate_sample(r, s));
done:
    return st;
}

const sal_method_desc sal_method_feature_ablation = {
    .info = {.name = "feature-ablation",
             .title = "Feature ablation",
             .reference =
                 "after Zeiler and Fergus, 2014, arXiv:1311.2901; FeatureAblation of captum",
             .kind = SAL_METHOD_PERTURBATION,
             .is_signed = true,
             .n_params = SAL_COUNTOF(ablate_params),
             .params = ablate_params},
    .run = ablate_run,
};
