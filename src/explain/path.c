/* Evaluations along the straight line from a baseline to the input (path.h). */
#include "explain/path.h"

typedef struct path_ctx {
    sal_tensor x;
    size_t elements, steps;
    bool ends;
    const float *given; /* baseline, NULL: the number */
    float level;
    sal_path_take take;
    void *inner;
} path_ctx;

static sal_status path_begin(path_ctx *p, const sal_method_run *r, size_t s)
{
    const sal_method_desc *d = sal_explainer_method(r->e)->method;
    sal_status st = SAL_OK;

    SAL_TRY(sal_explainer_sample(r, s, &p->x));
    p->elements = (size_t)sal_tensor_count(&p->x);
    p->steps = (size_t)sal_method_param(d, r->params, "steps");
    p->level = (float)sal_method_param(d, r->params, "baseline");
    if (r->baselines == NULL)
        goto done;
    if (r->baselines->dtype != SAL_F32 || (size_t)sal_tensor_count(r->baselines) < p->elements)
        st = sal_fail(r->err, SAL_ESHAPE, "the baseline does not have the input's %zu elements",
                      p->elements);
    p->given = r->baselines->data;
done:
    return st;
}

static float path_baseline(const path_ctx *p, size_t k)
{
    return p->given == NULL ? p->level : p->given[k];
}

static sal_status path_fill(void *ctx, size_t i, float *x, sal_error *err)
{
    const path_ctx *p = ctx;
    const float *to = p->x.data;
    double at = p->ends ? (double)i : (double)i + 0.5;
    float a = (float)(at / (double)p->steps);

    (void)err;
    for (size_t k = 0; k < p->elements; k++) {
        float b = path_baseline(p, k);

        x[k] = (to[k] - b) * a + b;
    }
    return SAL_OK;
}

static sal_status path_hand_on(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    const path_ctx *p = ctx;

    return p->take(p->inner, i, v, err);
}

sal_status sal_path_walk(const sal_method_run *r, size_t s, bool ends, sal_path_take take,
                         void *ctx)
{
    path_ctx p = {.x = SAL_TENSOR_INIT, .ends = ends, .take = take, .inner = ctx};
    sal_status st = SAL_OK;

    SAL_TRY(path_begin(&p, r, s));
    sal_batch_job job = {
        .count = p.steps + (ends ? 1 : 0), .ctx = &p, .fill = path_fill, .take = path_hand_on};
    st = sal_explainer_batch(r, s, &job);
done:
    sal_tensor_free(&p.x);
    return st;
}

typedef struct path_sum {
    double *sum;
    size_t elements, count;
} path_sum;

static sal_status path_add(void *ctx, size_t i, const sal_variant *v, sal_error *err)
{
    path_sum *p = ctx;

    (void)i;
    (void)err;
    sal_variant_add(v, p->elements, p->sum);
    p->count++;
    return SAL_OK;
}

sal_status sal_path_mean(const sal_method_run *r, size_t s, size_t elements, double *mean)
{
    path_sum p = {.sum = mean, .elements = elements};
    sal_status st;

    memset(mean, 0, elements * sizeof(*mean));
    st = sal_path_walk(r, s, false, path_add, &p);
    for (size_t k = 0; k < elements && p.count > 0; k++)
        mean[k] /= (double)p.count;
    return st;
}

sal_status sal_path_way(const sal_method_run *r, size_t s, size_t elements, double *out)
{
    path_ctx p = {.x = SAL_TENSOR_INIT};
    sal_status st = SAL_OK;

    SAL_TRY(path_begin(&p, r, s));
    for (size_t k = 0; k < elements && k < p.elements; k++)
        out[k] = (double)((const float *)p.x.data)[k] - (double)path_baseline(&p, k);
done:
    sal_tensor_free(&p.x);
    return st;
}

sal_status sal_path_attribution(sal_method_run *r)
{
    size_t n = (size_t)sal_tensor_count(&r->out->map) / r->out->n;
    double *mean = sal_calloc(2 * n + 1, sizeof(*mean)), *way = mean + n;
    sal_status st = SAL_OK;

    if (mean == NULL)
        return sal_fail_nomem(r->err);
    for (size_t s = 0; s < r->out->n; s++) {
        float *map = (float *)r->out->map.data + s * n;

        SAL_TRY(sal_path_mean(r, s, n, mean));
        SAL_TRY(sal_path_way(r, s, n, way));
        for (size_t k = 0; k < n; k++)
            map[k] = (float)(mean[k] * way[k]);
    }
done:
    sal_free(mean);
    return st;
}
