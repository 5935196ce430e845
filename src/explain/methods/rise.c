/* RISE: the mean of random masks, weighed by the target on the masked input,
 *
 *     map_p = sum_i (T(x * M_i) - mean T) M_i(p) / (masks * p1),
 *
 * an estimate of how much better the target is with p visible than without knowing. The paper has
 * no mean in it, which adds the same constant to all positions; without it a contrast would be
 * one-sided, and the constant's noise would drown the map.
 *
 * A mask is a grid of cells x cells that are 1 with probability p1, enlarged bilinearly to cells +
 * 1 cells along each axis and cut out at a random shift. Mask i is drawn from stream i of the seed.
 */
#include "explain/explainer.h"
#include "explain/methods.h"

enum { RISE_MASKS, RISE_CELLS, RISE_KEEP, RISE_BASELINE };

static const sal_param_info rise_params[] = {
    {"masks", SAL_PARAM_INT, 2000, 1, 1000000, "random masks"},
    {"cells", SAL_PARAM_INT, 7, 1, 256, "cells of a mask along each axis"},
    {"keep", SAL_PARAM_FLOAT, 0.5, 0.01, 1, "probability that a cell is kept"},
    {"baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "value of what is masked"},
};

typedef struct rise_ctx {
    const float *x;
    size_t elements, pixels;
    int64_t height, width, cells;
    int64_t inner; /* channels after the pixels */
    double keep, baseline;
    uint64_t seed;
    float *mask;                   /* one */
    double *grid, *weighed, *seen; /* seen: sum of the masks */
    double total;                  /* sum of the targets */
} rise_ctx;

/* Sample position in the grid and its weight to the next cell, with half-pixel centres; beyond the
 * outermost centres the outermost cell is repeated. */
static int64_t rise_cell(int64_t i, int64_t size, int64_t cells, double *weight)
{
    double at = ((double)i + 0.5) * (double)cells / (double)size - 0.5;

    at = SAL_MIN(SAL_MAX(at, 0.0), (double)(cells - 1));
    int64_t low = SAL_MIN((int64_t)at, SAL_MAX(cells - 2, 0));
    *weight = at - (double)low;
    return low;
}

static void rise_draw(const rise_ctx *c, size_t i)
{
    sal_rng rng = sal_rng_seed(c->seed, i);
    int64_t s = c->cells, next = s > 1 ? 1 : 0;
    int64_t cell_h = (c->height + s - 1) / s, cell_w = (c->width + s - 1) / s;

    for (int64_t k = 0; k < s * s; k++)
        c->grid[k] = sal_rng_uniform(&rng) < c->keep ? 1.0 : 0.0;
    int64_t shift_y = (int64_t)(sal_rng_uniform(&rng) * (double)cell_h);
    int64_t shift_x = (int64_t)(sal_rng_uniform(&rng) * (double)cell_w);
    for (int64_t y = 0; y < c->height; y++) {
        double wy, wx;
        int64_t gy = rise_cell(y + shift_y, (s + 1) * cell_h, s, &wy);

        for (int64_t x = 0; x < c->width; x++) {
            int64_t gx = rise_cell(x + shift_x, (s + 1) * cell_w, s, &wx);
            const double *g = c->grid + gy * s + gx;
            double top = g[0] + wx * (g[next] - g[0]);
            double bottom = g[next * s] + wx * (g[next * s + next] - g[next * s]);

            c->mask[y * c->width + x] = (float)(top + wy * (bottom - top));
        }
    }
}

static sal_status rise_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const rise_ctx *c = ctx;

    (void)err;
    rise_draw(c, i);
    for (size_t k = 0; k < c->elements; k++) {
        double m = (double)c->mask[k / (size_t)c->inner % c->pixels];

        x[k] = (float)(c->baseline + m * ((double)c->x[k] - c->baseline));
    }
    return SAL_OK;
}

static sal_status rise_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    rise_ctx *c = ctx;

    (void)err;
    rise_draw(c, i);
    c->total += v->target;
    for (size_t k = 0; k < c->pixels; k++) {
        c->weighed[k] += v->target * (double)c->mask[k];
        c->seen[k] += (double)c->mask[k];
    }
    return SAL_OK;
}

static sal_status rise_sample(sal_method_run *r, size_t s)
{
    const sal_target *t = sal_explainer_target(r->e);
    sal_tensor x = SAL_TENSOR_INIT;
    rise_ctx c = {.height = t->height,
                  .width = t->width,
                  .cells = (int64_t)r->params[RISE_CELLS],
                  .keep = r->params[RISE_KEEP],
                  .baseline = r->params[RISE_BASELINE],
                  .seed = r->seed};
    sal_batch_job job = {.count = (size_t)r->params[RISE_MASKS],
                         .forward = true,
                         .ctx = &c,
                         .fill = rise_fill,
                         .take = rise_take};
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    c.x = x.data;
    c.elements = (size_t)sal_tensor_count(&x);
    c.pixels = (size_t)(t->height * t->width);
    c.inner = t->nhwc ? x.dims[3] : 1;
    c.mask = sal_calloc(c.pixels + 1, sizeof(*c.mask));
    c.grid = sal_calloc((size_t)(c.cells * c.cells), sizeof(*c.grid));
    c.weighed = sal_calloc(c.pixels + 1, sizeof(*c.weighed));
    c.seen = sal_calloc(c.pixels + 1, sizeof(*c.seen));
    if (c.mask == NULL || c.grid == NULL || c.weighed == NULL || c.seen == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    SAL_TRY(sal_explainer_batch(r, s, &job));
    float *map = (float *)r->out->map.data + s * c.pixels;
    double mean = c.total / (double)job.count;
    for (size_t k = 0; k < c.pixels; k++)
        map[k] = (float)((c.weighed[k] - mean * c.seen[k]) / ((double)job.count * c.keep));
done:
    sal_free(c.mask);
    sal_free(c.grid);
    sal_free(c.weighed);
    sal_free(c.seen);
    sal_tensor_free(&x);
    return st;
}

static sal_status rise_run(sal_method_run *r)
{
    const sal_target *t = sal_explainer_target(r->e);
    sal_status st = SAL_OK;

    if (t->height < 1 || t->width < 1)
        return sal_fail(r->err, SAL_EUNSUPPORTED, "rise needs a picture as input; take occlusion");
    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(rise_sample(r, s));
done:
    return st;
}

const sal_method_desc sal_method_rise = {
    .info = {.name = "rise",
             .title = "RISE",
             .reference = "Petsiuk et al., 2018, arXiv:1806.07421",
             .kind = SAL_METHOD_PERTURBATION,
             .is_signed = true,
             .n_params = SAL_COUNTOF(rise_params),
             .params = rise_params},
    .run = rise_run,
    .flat = true,
};
