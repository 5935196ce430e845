/* Deletion: what the map marks must matter more than what it does not. The sample is cut into
 * cells; the cells that the map marks most are replaced by the sample's mean, and so are, ten
 * times, cells drawn at random. The loss of the target is averaged over several shares of removed
 * cells. */
#include "evaluate/check.h"

#include <math.h>
#include <string.h>

#define DELETION_ORDERS 10 /* random ones */
#define DELETION_GRID   14 /* cells along each axis of a picture */
#define DELETION_CELLS  (DELETION_GRID * DELETION_GRID)

static const double deletion_shares[] = {0.05, 0.1, 0.2, 0.3, 0.5};
#define DELETION_STEPS SAL_COUNTOF(deletion_shares)

typedef struct deletion_work {
    const sal_target *target;
    const float *x;
    size_t elements, cells;
    const sal_tensor *features; /* the caller's parts of the input; NULL: cells are made */
    const float *baseline;      /* the caller's, by element; NULL: the mean */
    float *mean;                /* of the element's channel, by channel */
    int order[DELETION_ORDERS + 1][DELETION_CELLS]; /* the map's first */
    double loss[DELETION_ORDERS + 1];               /* mean over the shares */
    double whole;                                   /* T(x) */
} deletion_work;

static size_t deletion_channels(const deletion_work *w)
{
    size_t pixels = (size_t)(w->target->height * w->target->width);

    return pixels > 0 && w->elements % pixels == 0 ? w->elements / pixels : 1;
}

/* Channel and cell of an element: pictures by a grid, everything else by contiguous runs. */
static size_t deletion_cell(const deletion_work *w, size_t i, size_t *channel)
{
    size_t channels = deletion_channels(w), pixels = w->elements / channels;
    size_t width = (size_t)w->target->width, pixel = w->target->nhwc ? i / channels : i % pixels;
    size_t rows = SAL_MIN((size_t)w->target->height, DELETION_GRID);
    size_t columns = SAL_MIN(width, DELETION_GRID);

    *channel = w->target->nhwc ? i % channels : i / pixels;
    if (w->features != NULL)
        return (size_t)sal_tensor_get(w->features, (int64_t)i);
    if (rows == 0 || columns == 0)
        return i * w->cells / w->elements;
    return pixel / width * rows / (size_t)w->target->height * columns +
           pixel % width * columns / width;
}

static sal_status deletion_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const deletion_work *w = ctx;
    const int *order = w->order[i / DELETION_STEPS];
    size_t count = (size_t)ceil(deletion_shares[i % DELETION_STEPS] * (double)w->cells);
    bool gone[DELETION_CELLS] = {false};

    (void)err;
    for (size_t k = 0; k < count && k < w->cells; k++)
        gone[order[k]] = true;
    for (size_t k = 0; k < w->elements; k++) {
        size_t channel, cell = deletion_cell(w, k, &channel);

        x[k] = !gone[cell] ? w->x[k] : w->baseline != NULL ? w->baseline[k] : w->mean[channel];
    }
    return SAL_OK;
}

static sal_status deletion_take(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    deletion_work *w = ctx;

    (void)err;
    w->loss[i / DELETION_STEPS] += (w->whole - v->target) / (double)DELETION_STEPS;
    return SAL_OK;
}

/* Relevance of every cell, then the cells in falling order; equal ones by position. */
static sal_status deletion_order(const sal_check_run *r, deletion_work *w)
{
    size_t n = 0, channels = deletion_channels(w);
    double sum[DELETION_CELLS] = {0.0};
    float *map = NULL;
    sal_status st = sal_check_map(r, r->e, &map, &n);

    if (st != SAL_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        size_t channel, at = w->target->nhwc ? i * channels : i;

        if (n != w->elements / channels) /* a value for several neighbouring elements */
            at = i * w->elements / n;
        sum[deletion_cell(w, at, &channel)] += (double)map[i];
    }
    for (size_t k = 0; k < w->cells; k++) {
        size_t at = k;

        for (; at > 0 && sum[w->order[0][at - 1]] < sum[k]; at--)
            w->order[0][at] = w->order[0][at - 1];
        w->order[0][at] = (int)k;
    }
    sal_free(map);
    return SAL_OK;
}

static void deletion_random(const sal_check_run *r, deletion_work *w)
{
    for (int o = 1; o <= DELETION_ORDERS; o++) {
        sal_rng rng = sal_rng_seed(r->opts->seed, (uint64_t)(0x64656c + o));

        for (size_t k = 0; k < w->cells; k++) {
            size_t at = (size_t)(sal_rng_uniform(&rng) * (double)(k + 1));

            w->order[o][k] = w->order[o][at];
            w->order[o][at] = (int)k;
        }
    }
}

static sal_status deletion_mean(deletion_work *w, sal_error *err)
{
    size_t channels = deletion_channels(w);
    double *sum = sal_calloc(channels + 1, sizeof(*sum));

    w->mean = sal_calloc(channels + 1, sizeof(*w->mean));
    if (w->mean == NULL || sum == NULL) {
        sal_free(sum);
        return sal_fail_nomem(err);
    }
    for (size_t k = 0; k < w->elements; k++) {
        size_t channel;

        (void)deletion_cell(w, k, &channel);
        sum[channel] += (double)w->x[k];
    }
    for (size_t c = 0; c < channels; c++)
        w->mean[c] = (float)(sum[c] / ((double)w->elements / (double)channels));
    sal_free(sum);
    return SAL_OK;
}

/* The caller's features and baseline, where they have a value for every element and are not too
 * many. */
static void deletion_given(const sal_check_run *r, deletion_work *w)
{
    const sal_tensor *f = r->opts->features, *b = r->opts->baselines;
    double most = -1.0;
    bool whole = f != NULL && (size_t)sal_tensor_count(f) == w->elements;

    for (size_t i = 0; whole && i < w->elements; i++) {
        double v = sal_tensor_get(f, (int64_t)i);

        whole = v >= 0.0 && v < DELETION_CELLS;
        most = fmax(most, v);
    }
    if (whole) {
        w->features = f;
        w->cells = (size_t)most + 1;
    }
    if (b != NULL && b->dtype == SAL_F32 && (size_t)sal_tensor_count(b) >= w->elements)
        w->baseline = b->data;
}

static void deletion_judge(sal_check_run *r, const deletion_work *w)
{
    double mean = 0.0, var = 0.0, z;

    for (int o = 1; o <= DELETION_ORDERS; o++)
        mean += w->loss[o] / DELETION_ORDERS;
    for (int o = 1; o <= DELETION_ORDERS; o++)
        var += (w->loss[o] - mean) * (w->loss[o] - mean) / (DELETION_ORDERS - 1);
    z = var > 0.0 ? (w->loss[0] - mean) / sqrt(var) : w->loss[0] > mean ? HUGE_VAL : 0.0;
    sal_check_say(r,
                  z >= 2.0   ? SAL_VERDICT_PASS
                  : z >= 0.0 ? SAL_VERDICT_DOUBT
                             : SAL_VERDICT_FAIL,
                  z,
                  "removing what the map marks costs %.3g of the target, random parts %.3g +- %.2g",
                  w->loss[0], mean, sqrt(var));
}

static sal_status deletion_run(sal_check_run *r)
{
    deletion_work *w = sal_calloc(1, sizeof(*w));
    sal_tensor x = SAL_TENSOR_INIT;
    sal_explanation like = {.n = 1, .logits = r->e->logits};
    sal_method_run run = {.e = r->explainer,
                          .inputs = r->inputs,
                          .query = r->query,
                          .seed = r->opts->seed,
                          .out = &like,
                          .err = r->err};
    sal_batch_job job = {.count = (DELETION_ORDERS + 1) * DELETION_STEPS,
                         .forward = true,
                         .ctx = w,
                         .fill = deletion_fill,
                         .take = deletion_take};
    sal_status st = SAL_OK;

    if (w == NULL)
        return sal_fail_nomem(r->err);
    w->target = sal_explainer_target(r->explainer);
    SAL_TRY(sal_explainer_sample(&run, 0, &x));
    w->x = x.data;
    w->elements = (size_t)sal_tensor_count(&x);
    w->cells = 0;
    deletion_given(r, w);
    if (w->cells == 0)
        w->cells = w->target->height > 0 && w->target->width > 0
                       ? (size_t)(SAL_MIN(w->target->height, DELETION_GRID) *
                                  SAL_MIN(w->target->width, DELETION_GRID))
                       : SAL_MIN(w->elements, (size_t)DELETION_CELLS);
    if (w->cells < 4) {
        sal_check_say(r, SAL_VERDICT_NONE, NAN, "the input has too few parts to remove some");
        goto done;
    }
    w->whole = sal_explainer_own_target(&run, 0);
    SAL_TRY(deletion_mean(w, r->err));
    SAL_TRY(deletion_order(r, w));
    deletion_random(r, w);
    SAL_TRY(sal_explainer_batch(&run, 0, &job));
    deletion_judge(r, w);
done:
    if (w != NULL)
        sal_free(w->mean);
    sal_free(w);
    sal_tensor_free(&x);
    return st;
}

const sal_check_desc sal_check_deletion = {
    .info = {.name = "deletion",
             .title = "Deletion",
             .reference = "Samek et al., 2017, arXiv:1509.06321",
             .help = "loss of the target when the marked cells become the mean, against ten random "
                     "orders: passes from two standard deviations above them, fails below their "
                     "mean"},
    .run = deletion_run,
};
