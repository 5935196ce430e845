/* From a picture to the tensor a model expects, and back to the part of the picture it saw. */
#include "base/base.h"
#include <math.h>
#include <salience/image.h>
#include <stdio.h>

sal_preprocess sal_preprocess_default(int32_t height, int32_t width)
{
    static const float mean[3] = {0.485F, 0.456F, 0.406F}, std[3] = {0.229F, 0.224F, 0.225F};
    sal_preprocess p = SAL_PREPROCESS_INIT;
    p.filter = SAL_FILTER_BICUBIC;
    memcpy(p.mean, mean, sizeof mean);
    memcpy(p.std, std, sizeof std);
    if (height == width && height >= 64) {
        p.resize = SAL_RESIZE_SHORT;
        p.resize_height = p.resize_width = (int32_t)((double)height / 0.875 + 0.5);
        p.crop_height = p.crop_width = height;
    } else {
        p.resize = SAL_RESIZE_EXACT;
        p.resize_height = height;
        p.resize_width = width;
    }
    return p;
}

sal_status sal_preprocess_check(const sal_preprocess *p, sal_error *err)
{
    if (p->struct_size != sizeof *p)
        return sal_fail(err, SAL_EINVAL, "preprocessing: begin with SAL_PREPROCESS_INIT");
    bool resize = p->resize != SAL_RESIZE_NONE, crop = p->crop_height != 0 || p->crop_width != 0;
    if (p->resize != SAL_RESIZE_NONE && p->resize != SAL_RESIZE_SHORT &&
        p->resize != SAL_RESIZE_EXACT)
        return sal_fail(err, SAL_EINVAL, "preprocessing: unknown resize mode %d", (int)p->resize);
    if (resize && (p->resize_height < 1 || p->resize_height > SAL_IMAGE_MAX_SIDE ||
                   (p->resize == SAL_RESIZE_EXACT &&
                    (p->resize_width < 1 || p->resize_width > SAL_IMAGE_MAX_SIDE)))) {
        return sal_fail(err, SAL_EINVAL, "preprocessing: size %ld x %ld is outside 1..%d",
                        (long)p->resize_height, (long)p->resize_width, SAL_IMAGE_MAX_SIDE);
    }
    if (crop && (p->crop_height < 1 || p->crop_width < 1 || p->crop_height > SAL_IMAGE_MAX_SIDE ||
                 p->crop_width > SAL_IMAGE_MAX_SIDE)) {
        return sal_fail(err, SAL_EINVAL, "preprocessing: crop %ld x %ld is outside 1..%d",
                        (long)p->crop_height, (long)p->crop_width, SAL_IMAGE_MAX_SIDE);
    }
    bool fine = isfinite(p->rescale);
    for (int c = 0; c < 3; c++)
        fine = fine && isfinite(p->mean[c]) && isfinite(p->std[c]) && p->std[c] > 0.0F;
    if (!fine) {
        return sal_fail(
            err, SAL_EINVAL,
            "preprocessing: mean, std and rescale must be finite numbers and std positive");
    }
    return SAL_OK;
}

/* Sizes between the steps: after resizing (rh x rw), and where the crop begins in it. */
typedef struct preprocess_plan {
    int32_t rh, rw, h, w;
    int32_t top, left; /* negative where the crop reaches over the edge */
} preprocess_plan;

/* Where a crop of c begins in n pixels. torchvision: round((n - c) / 2) with Python's round half to
 * even when the picture is large enough, else (c - n) / 2 black pixels (rounded down) before it. */
static int32_t preprocess_offset(int32_t n, int32_t c, bool down)
{
    if (c > n)
        return -((c - n) / 2);
    int32_t half = (n - c) / 2;
    bool odd = (n - c) % 2 != 0;
    return half + (odd && !down && half % 2 != 0 ? 1 : 0);
}

static sal_status preprocess_plan_for(preprocess_plan *out, const sal_preprocess *p, int32_t height,
                                      int32_t width, sal_error *err)
{
    sal_status st = sal_preprocess_check(p, err);
    if (st != SAL_OK)
        return st;
    if (height < 1 || width < 1)
        return sal_fail(err, SAL_EINVAL, "preprocessing: the picture is empty");
    int64_t rh = height, rw = width;
    if (p->resize == SAL_RESIZE_EXACT) {
        rh = p->resize_height;
        rw = p->resize_width;
    } else if (p->resize == SAL_RESIZE_SHORT) {
        /* int(size * long / short), exact in integers as long as Python's double quotient is. */
        int64_t side = p->resize_height;
        rh = height <= width ? side : (int64_t)((double)(side * height) / (double)width);
        rw = height <= width ? (int64_t)((double)(side * width) / (double)height) : side;
    }
    if (rh > SAL_IMAGE_MAX_SIDE || rw > SAL_IMAGE_MAX_SIDE || rh * rw > SAL_IMAGE_MAX_PIXELS) {
        return sal_fail(
            err, SAL_EINVAL,
            "preprocessing: a picture of %ld x %ld pixels would become %lld x %lld; crop it first",
            (long)width, (long)height, (long long)rw, (long long)rh);
    }
    *out = (preprocess_plan){(int32_t)rh, (int32_t)rw, (int32_t)rh, (int32_t)rw, 0, 0};
    if (p->crop_height != 0) {
        out->h = p->crop_height;
        out->w = p->crop_width;
        out->top = preprocess_offset(out->rh, out->h, p->crop_floor);
        out->left = preprocess_offset(out->rw, out->w, p->crop_floor);
    }
    return SAL_OK;
}

sal_status sal_preprocess_size(const sal_preprocess *p, int32_t image_height, int32_t image_width,
                               int32_t *height, int32_t *width, sal_error *err)
{
    preprocess_plan plan = {0};
    sal_status st = preprocess_plan_for(&plan, p, image_height, image_width, err);
    if (st == SAL_OK) {
        *height = plan.h;
        *width = plan.w;
    }
    return st;
}

static sal_rect preprocess_rect(const preprocess_plan *plan, int32_t height, int32_t width)
{
    double sx = (double)width / plan->rw, sy = (double)height / plan->rh;
    return (sal_rect){plan->left * sx, plan->top * sy, plan->w * sx, plan->h * sy};
}

sal_status sal_preprocess_rect(const sal_preprocess *p, int32_t image_height, int32_t image_width,
                               sal_rect *out, sal_error *err)
{
    preprocess_plan plan = {0};
    sal_status st = preprocess_plan_for(&plan, p, image_height, image_width, err);
    if (st == SAL_OK)
        *out = preprocess_rect(&plan, image_height, image_width);
    return st;
}

sal_status sal_preprocess_view(sal_image *out, const sal_image *in, const sal_preprocess *p,
                               sal_error *err)
{
    sal_image resized = SAL_IMAGE_INIT;
    preprocess_plan plan = {0};
    sal_status st;
    SAL_TRY(preprocess_plan_for(&plan, p, in->height, in->width, err));
    SAL_TRY(sal_image_resize(&resized, in, plan.rw, plan.rh, p->filter, err));
    SAL_TRY(sal_image_crop(out, &resized, plan.left, plan.top, plan.w, plan.h, err));
done:
    sal_image_free(&resized);
    return st;
}

sal_status sal_preprocess_backdrop(sal_image *out, const sal_image *in, const sal_preprocess *p,
                                   int32_t width, sal_error *err)
{
    sal_image view = SAL_IMAGE_INIT;
    preprocess_plan plan = {0};
    sal_status st;
    SAL_TRY(preprocess_plan_for(&plan, p, in->height, in->width, err));
    double tall = (double)width * plan.h / plan.w + 0.5;
    if (width < 1 || tall > SAL_IMAGE_MAX_SIDE) {
        st = sal_fail(err, SAL_EINVAL, "a backdrop of %ld pixels across cannot be drawn",
                      (long)width);
        goto done;
    }
    int32_t height = (int32_t)SAL_MAX(tall, 1.0);
    sal_rect r = preprocess_rect(&plan, in->height, in->width);
    if (r.x < 0.0 || r.y < 0.0) {
        /* Black borders belong to what the model saw: enlarge its own view. */
        SAL_TRY(sal_preprocess_view(&view, in, p, err));
        SAL_TRY(sal_image_resize(out, &view, width, height, SAL_FILTER_BICUBIC, err));
        goto done;
    }
    r.width = SAL_MIN(r.width, in->width - r.x);
    r.height = SAL_MIN(r.height, in->height - r.y);
    SAL_TRY(sal_image_resize_rect(out, in, &r, width, height, SAL_FILTER_BICUBIC, err));
done:
    sal_image_free(&view);
    return st;
}

sal_status sal_preprocess_apply(sal_tensor *out, const sal_image *in, const sal_preprocess *p,
                                sal_error *err)
{
    sal_image view = SAL_IMAGE_INIT;
    sal_status st;
    float table[3][256];
    SAL_TRY(sal_preprocess_view(&view, in, p, err));
    int64_t h = view.height, w = view.width;
    const int64_t nchw[4] = {1, 3, h, w}, nhwc[4] = {1, h, w, 3};
    SAL_TRY(sal_tensor_new(out, SAL_F32, 4, p->nhwc ? nhwc : nchw, err));
    /* 256 levels: one look-up a value. level / 255 is divided as PyTorch does, for equal bits. */
    for (int c = 0; c < 3; c++) {
        for (int level = 0; level < 256; level++) {
            bool usual = p->rescale == 1.0F / 255.0F;
            float v = usual ? (float)level / 255.0F : (float)level * p->rescale;
            table[c][level] = (v - p->mean[c]) / p->std[c];
        }
    }
    float *data = out->data;
    for (int slot = 0; slot < 3; slot++) {
        int c = p->bgr ? 2 - slot : slot;
        float *to = data + (p->nhwc ? slot : slot * h * w);
        const uint8_t *from = view.data + c;
        int64_t step = p->nhwc ? 3 : 1;
        for (int64_t i = 0; i < h * w; i++)
            to[i * step] = table[c][from[i * 3]];
    }
done:
    sal_image_free(&view);
    return st;
}

sal_status sal_image_from_tensor(sal_image *out, const sal_tensor *t, const sal_preprocess *p,
                                 sal_error *err)
{
    bool last = p != NULL && p->nhwc, bgr = p != NULL && p->bgr;
    int skip = t->rank == 4 ? 1 : 0;
    if (t->dtype != SAL_F32 || (t->rank != 3 && (t->rank != 4 || t->dims[0] != 1)))
        return sal_fail(err, SAL_EINVAL, "only a float32 tensor [1, C, H, W] can be shown");
    int64_t channels = t->dims[last ? skip + 2 : skip];
    int64_t h = t->dims[last ? skip : skip + 1], w = t->dims[last ? skip + 1 : skip + 2];
    if ((channels != 1 && channels != 3) || h < 1 || w < 1 || h > SAL_IMAGE_MAX_SIDE ||
        w > SAL_IMAGE_MAX_SIDE) {
        return sal_fail(err, SAL_EINVAL, "a tensor of %lld channels, %lld x %lld, is no picture",
                        (long long)channels, (long long)h, (long long)w);
    }
    const float *data = t->data;
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (int64_t i = 0; i < channels * h * w; i++) {
        low = fmin(low, (double)data[i]); /* fmin passes over NaN */
        high = fmax(high, (double)data[i]);
    }
    sal_status st = sal_image_new(out, (int32_t)w, (int32_t)h, err);
    if (st != SAL_OK)
        return st;
    for (int64_t i = 0; i < h * w; i++) {
        for (int64_t c = 0; c < 3; c++) {
            int64_t slot = channels == 1 ? 0 : bgr ? 2 - c : c;
            double v = (double)data[last ? i * channels + slot : slot * h * w + i];
            if (p != NULL)
                v = (v * (double)p->std[c] + (double)p->mean[c]) / (double)p->rescale;
            else
                v = high > low ? (v - low) / (high - low) * 255.0 : 0.0;
            out->data[i * 3 + c] = (uint8_t)(v >= 255.0 ? 255.0 : v > 0.0 ? v + 0.5 : 0.0);
        }
    }
    return SAL_OK;
}

const char *sal_preprocess_describe(const sal_preprocess *p, char *buf, size_t size)
{
    char resize[96] = "size kept", crop[64] = "", scale[48] = "";
    if (p->resize == SAL_RESIZE_SHORT)
        (void)snprintf(resize, sizeof resize, "short side to %ld (%s)", (long)p->resize_height,
                       sal_filter_name(p->filter));
    else if (p->resize == SAL_RESIZE_EXACT)
        (void)snprintf(resize, sizeof resize, "resized to %ld x %ld (%s)", (long)p->resize_height,
                       (long)p->resize_width, sal_filter_name(p->filter));
    if (p->crop_height != 0)
        (void)snprintf(crop, sizeof crop, ", centre crop %ld x %ld", (long)p->crop_height,
                       (long)p->crop_width);
    if (p->rescale != 1.0F / 255.0F)
        (void)snprintf(scale, sizeof scale, ", levels x %g", (double)p->rescale);
    else
        (void)snprintf(scale, sizeof scale, ", levels / 255");
    (void)snprintf(buf, size, "%s%s%s, mean %g %g %g, std %g %g %g, %s %s", resize, crop, scale,
                   (double)p->mean[0], (double)p->mean[1], (double)p->mean[2], (double)p->std[0],
                   (double)p->std[1], (double)p->std[2], p->nhwc ? "NHWC" : "NCHW",
                   p->bgr ? "BGR" : "RGB");
    return buf;
}
