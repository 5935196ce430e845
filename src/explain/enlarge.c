/* Bilinear enlargement (enlarge.h). */
#include "explain/enlarge.h"

#include <math.h>

static sal_status enlarge_axis(sal_enlarge_axis *a, int64_t small, int64_t large, bool align,
                               sal_error *err)
{
    a->n = large;
    a->low = sal_calloc((size_t)large, sizeof(*a->low));
    a->next = sal_calloc((size_t)large, sizeof(*a->next));
    a->weight = sal_calloc((size_t)large, sizeof(*a->weight));
    if (a->low == NULL || a->next == NULL || a->weight == NULL)
        return sal_fail_nomem(err);
    for (int64_t i = 0; i < large; i++) {
        double at = ((double)i + 0.5) * (double)small / (double)large - 0.5;

        if (align)
            at = large > 1 ? (double)i * (double)(small - 1) / (double)(large - 1) : 0.0;
        at = fmin(fmax(at, 0.0), (double)(small - 1));
        a->low[i] = (int32_t)at;
        a->next[i] = (int32_t)SAL_MIN((int64_t)at + 1, small - 1);
        a->weight[i] = (float)(at - floor(at));
    }
    return SAL_OK;
}

static void enlarge_axis_free(sal_enlarge_axis *a)
{
    sal_free(a->low);
    sal_free(a->next);
    sal_free(a->weight);
}

sal_status sal_enlarge_new(sal_enlarge *out, int64_t h, int64_t w, int64_t height, int64_t width,
                           bool align_corners, sal_error *err)
{
    sal_status st = SAL_OK;

    *out = (sal_enlarge){.height = h, .width = w};
    SAL_TRY(enlarge_axis(&out->y, h, height, align_corners, err));
    SAL_TRY(enlarge_axis(&out->x, w, width, align_corners, err));
    out->rows = sal_calloc((size_t)(h * width), sizeof(*out->rows));
    if (out->rows == NULL)
        st = sal_fail_nomem(err);
done:
    return st;
}

void sal_enlarge_free(sal_enlarge *e)
{
    enlarge_axis_free(&e->y);
    enlarge_axis_free(&e->x);
    sal_free(e->rows);
    *e = (sal_enlarge){.height = 0};
}

void sal_enlarge_map(sal_enlarge *e, const float *small, float *large)
{
    int64_t width = e->x.n;

    for (int64_t y = 0; y < e->height; y++) {
        const float *from = small + y * e->width;
        float *to = e->rows + y * width;

        for (int64_t x = 0; x < width; x++) {
            float a = from[e->x.low[x]];

            to[x] = a + e->x.weight[x] * (from[e->x.next[x]] - a);
        }
    }
    for (int64_t y = 0; y < e->y.n; y++) {
        const float *a = e->rows + e->y.low[y] * width, *b = e->rows + e->y.next[y] * width;
        float *to = large + y * width, k = e->y.weight[y];

        for (int64_t x = 0; x < width; x++)
            to[x] = a[x] + k * (b[x] - a[x]);
    }
}

sal_status sal_cam_store(const sal_method_run *r, size_t s, const double *map)
{
    const sal_layer *layer = &sal_explainer_method(r->e)->layer;
    const sal_target *t = sal_explainer_target(r->e);
    int64_t dims[] = {(int64_t)r->out->n, layer->height, layer->width};
    size_t cells = (size_t)(layer->height * layer->width);
    sal_enlarge e = {.height = 0};
    sal_status st = SAL_OK;

    if (t->height < 1 || t->width < 1)
        return sal_fail(r->err, SAL_EUNSUPPORTED, "%s needs a picture as input; take grad-cam",
                        sal_explainer_method(r->e)->method->info.name);
    if (r->out->layer_map.data == NULL)
        SAL_TRY(sal_tensor_new(&r->out->layer_map, SAL_F32, 3, dims, r->err));
    float *small = (float *)r->out->layer_map.data + s * cells;
    for (size_t p = 0; p < cells; p++)
        small[p] = map[p] > 0.0 ? (float)map[p] : 0.0F;
    SAL_TRY(sal_enlarge_new(&e, layer->height, layer->width, t->height, t->width, false, r->err));
    sal_enlarge_map(&e, small,
                    (float *)r->out->map.data + s * (size_t)t->height * (size_t)t->width);
done:
    sal_enlarge_free(&e);
    return st;
}
