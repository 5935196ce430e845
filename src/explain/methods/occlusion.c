/* Occlusion: what the target loses when a window of the input is replaced by a baseline. The window
 * slides over the spatial axes, all channels together; the last position along each axis is clipped
 * at the edge. An element's value is the mean loss over the windows that cover it:
 *
 *     map_p = mean over windows W that hold p of T(x) - T(x with W replaced) */
#include "explain/explainer.h"
#include "explain/methods.h"

enum { OCCLUSION_WINDOW, OCCLUSION_STRIDE, OCCLUSION_BASELINE };

static const sal_param_info occlusion_params[] = {
    {"window", SAL_PARAM_INT, 0, 0, 65535,
     "side of the window; 0: a fifteenth of the shorter side"},
    {"stride", SAL_PARAM_INT, 0, 0, 65535, "step between windows; 0: half a window"},
    {"baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "value that replaces the window"},
};

#define OCCLUSION_MAX_AXES 3

typedef struct occlusion_grid {
    int axes;             /* spatial axes, 1 to 3; unused ones have length 1 */
    int64_t outer, inner; /* elements before (channels first) and after (channels last) */
    int64_t length[OCCLUSION_MAX_AXES], window[OCCLUSION_MAX_AXES], stride[OCCLUSION_MAX_AXES];
    int64_t steps[OCCLUSION_MAX_AXES]; /* positions */
    const float *x;
    size_t elements;
    float baseline;
    double target;         /* T(x) */
    double *sum, *covered; /* by spatial position */
} occlusion_grid;

/* Spatial axes of one sample: behind the channels, or before them when they come last. A picture
 * has a first axis of length 1 also where the output has lost it. */
static sal_status occlusion_shape(const sal_method_run *r, const sal_tensor *x, occlusion_grid *g)
{
    const sal_target *t = sal_explainer_target(r->e);
    int first = t->batched || (x->rank == 4 && x->dims[0] == 1) ? 1 : 0, n = x->rank - first;
    const int64_t *d = x->dims + first;

    for (int i = 0; i < OCCLUSION_MAX_AXES; i++)
        g->length[i] = 1;
    g->outer = g->inner = 1;
    if (n < 1 || n > OCCLUSION_MAX_AXES + 1)
        return sal_fail(r->err, SAL_EUNSUPPORTED,
                        "occlusion needs an input with 1 to 3 spatial dimensions");
    if (n == 1) {
        g->axes = 1;
        g->length[0] = d[0];
        return SAL_OK;
    }
    g->axes = n - 1;
    g->outer = t->nhwc ? 1 : d[0];
    g->inner = t->nhwc ? d[n - 1] : 1;
    for (int i = 0; i < g->axes; i++)
        g->length[i] = d[t->nhwc ? i : i + 1];
    return SAL_OK;
}

static void occlusion_steps(const sal_method_run *r, occlusion_grid *g)
{
    int64_t shorter = INT64_MAX;

    for (int i = 0; i < g->axes; i++)
        shorter = SAL_MIN(shorter, g->length[i]);
    for (int i = 0; i < OCCLUSION_MAX_AXES; i++) {
        int64_t w = (int64_t)r->params[OCCLUSION_WINDOW], s = (int64_t)r->params[OCCLUSION_STRIDE];

        if (w == 0)
            w = (shorter + 14) / 15;
        w = SAL_MAX(SAL_MIN(w, g->length[i]), 1);
        if (s == 0)
            s = (w + 1) / 2;
        g->window[i] = w;
        g->stride[i] = s;
        g->steps[i] = 1 + (g->length[i] - w + s - 1) / s;
    }
}

/* Call visit for the range of each window row: begin, end in spatial positions. */
typedef struct occlusion_box {
    int64_t low[OCCLUSION_MAX_AXES], high[OCCLUSION_MAX_AXES];
} occlusion_box;

static occlusion_box occlusion_window(const occlusion_grid *g, size_t i)
{
    occlusion_box b;
    int64_t rest = (int64_t)i;

    for (int k = OCCLUSION_MAX_AXES; k-- > 0;) {
        b.low[k] = rest % g->steps[k] * g->stride[k];
        b.high[k] = SAL_MIN(b.low[k] + g->window[k], g->length[k]);
        rest /= g->steps[k];
    }
    return b;
}

static sal_status occlusion_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const occlusion_grid *g = ctx;
    occlusion_box b = occlusion_window(g, i);
    int64_t plane = g->length[0] * g->length[1] * g->length[2] * g->inner;

    (void)err;
    memcpy(x, g->x, g->elements * sizeof(*x));
    for (int64_t c = 0; c < g->outer; c++) {
        for (int64_t u = b.low[0]; u < b.high[0]; u++) {
            for (int64_t v = b.low[1]; v < b.high[1]; v++) {
                int64_t row = (u * g->length[1] + v) * g->length[2];
                float *p = x + c * plane;

                for (int64_t k = (row + b.low[2]) * g->inner; k < (row + b.high[2]) * g->inner; k++)
                    p[k] = g->baseline;
            }
        }
    }
    return SAL_OK;
}

static sal_box occlusion_rectangle(void *ctx, size_t i)
{
    occlusion_box b = occlusion_window(ctx, i);

    return (sal_box){(int32_t)b.low[0], (int32_t)b.high[0], (int32_t)b.low[1], (int32_t)b.high[1]};
}

static sal_status occlusion_take(void *ctx, size_t i, const sal_variant *variant, sal_error *err)
{
    occlusion_grid *g = ctx;
    occlusion_box b = occlusion_window(g, i);
    double loss = g->target - variant->target;

    (void)err;
    for (int64_t u = b.low[0]; u < b.high[0]; u++) {
        for (int64_t v = b.low[1]; v < b.high[1]; v++) {
            for (int64_t w = b.low[2]; w < b.high[2]; w++) {
                int64_t p = (u * g->length[1] + v) * g->length[2] + w;

                g->sum[p] += loss;
                g->covered[p] += 1.0;
            }
        }
    }
    return SAL_OK;
}

static sal_status occlusion_sample(sal_method_run *r, size_t s)
{
    sal_tensor x = SAL_TENSOR_INIT;
    occlusion_grid g = {.baseline = (float)r->params[OCCLUSION_BASELINE]};
    sal_batch_job job = {
        .forward = true, .ctx = &g, .fill = occlusion_fill, .take = occlusion_take};
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &x));
    SAL_TRY(occlusion_shape(r, &x, &g));
    occlusion_steps(r, &g);
    if (g.axes == 2)
        job.box = occlusion_rectangle;
    g.x = x.data;
    g.elements = (size_t)sal_tensor_count(&x);
    g.target = sal_explainer_own_target(r, s);
    size_t positions = (size_t)(g.length[0] * g.length[1] * g.length[2]);
    g.sum = sal_calloc(positions + 1, sizeof(*g.sum));
    g.covered = sal_calloc(positions + 1, sizeof(*g.covered));
    if (g.sum == NULL || g.covered == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    job.count = (size_t)(g.steps[0] * g.steps[1] * g.steps[2]);
    SAL_TRY(sal_explainer_batch(r, s, &job));
    float *map = (float *)r->out->map.data + s * g.elements;
    for (size_t k = 0; k < g.elements; k++) {
        size_t p = k / (size_t)g.inner % positions;

        map[k] = g.covered[p] > 0.0 ? (float)(g.sum[p] / g.covered[p]) : 0.0F;
    }
done:
    sal_free(g.sum);
    sal_free(g.covered);
    sal_tensor_free(&x);
    return st;
}

static sal_status occlusion_run(sal_method_run *r)
{
    sal_status st = SAL_OK;

    for (size_t s = 0; s < r->out->n; s++)
        SAL_TRY(occlusion_sample(r, s));
done:
    return st;
}

const sal_method_desc sal_method_occlusion = {
    .info = {.name = "occlusion",
             .title = "Occlusion",
             .reference = "Zeiler and Fergus, 2014, arXiv:1311.2901",
             .kind = SAL_METHOD_PERTURBATION,
             .is_signed = true,
             .n_params = SAL_COUNTOF(occlusion_params),
             .params = occlusion_params},
    .run = occlusion_run,
};
