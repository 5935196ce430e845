/* Preprocessing from JSON: our own short form, preprocessor_config.json of Hugging Face, or the
 * configuration of timm. */
#include "base/base.h"
#include <jansson.h>
#include <math.h>
#include <salience/image.h>

static sal_status pjson_bad(sal_error *err, const char *key, const char *want)
{
    return sal_fail(err, SAL_EFORMAT, "preprocessing: \"%s\" must be %s", key, want);
}

static bool pjson_int(const json_t *v, int32_t *out)
{
    if (!json_is_number(v))
        return false;
    double d = json_number_value(v);
    if (!(d >= 1.0 && d <= SAL_IMAGE_MAX_SIDE) || d != floor(d))
        return false;
    *out = (int32_t)d;
    return true;
}

/* A number (both sides), [h, w], or {"height": h, "width": w}. */
static bool pjson_pair(const json_t *v, int32_t *h, int32_t *w)
{
    if (json_is_array(v) && json_array_size(v) == 2)
        return pjson_int(json_array_get(v, 0), h) && pjson_int(json_array_get(v, 1), w);
    if (json_is_object(v))
        return pjson_int(json_object_get(v, "height"), h) &&
               pjson_int(json_object_get(v, "width"), w);
    if (!pjson_int(v, h))
        return false;
    *w = *h;
    return true;
}

/* Three numbers, or one for all channels. */
static sal_status pjson_three(const json_t *root, const char *key, float out[3], sal_error *err)
{
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v))
        return SAL_OK;
    for (size_t c = 0; c < 3; c++) {
        const json_t *x = json_is_array(v) ? json_array_get(v, json_array_size(v) == 1 ? 0 : c) : v;
        if (!json_is_number(x) ||
            (json_is_array(v) && json_array_size(v) != 3 && json_array_size(v) != 1))
            return pjson_bad(err, key, "a number or three numbers");
        out[c] = (float)json_number_value(x);
    }
    return SAL_OK;
}

static sal_status pjson_number(const json_t *root, const char *key, float *out, sal_error *err)
{
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v))
        return SAL_OK;
    if (!json_is_number(v))
        return pjson_bad(err, key, "a number");
    *out = (float)json_number_value(v);
    return SAL_OK;
}

/* One of two words; absent keeps *out. */
static sal_status pjson_word(const json_t *root, const char *key, const char *no, const char *yes,
                             bool *out, const char *want, sal_error *err)
{
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v))
        return SAL_OK;
    const char *s = json_string_value(v);
    if (s != NULL && strcmp(s, no) == 0)
        *out = false;
    else if (s != NULL && strcmp(s, yes) == 0)
        *out = true;
    else
        return pjson_bad(err, key, want);
    return SAL_OK;
}

/* A filter as name or as Pillow's number. */
static sal_status pjson_filter(const json_t *root, const char *key, sal_filter *out, sal_error *err)
{
    const char *want = "nearest, box, bilinear, hamming, bicubic or lanczos";
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v))
        return SAL_OK;
    if (json_is_string(v) && sal_filter_find(json_string_value(v), out))
        return SAL_OK;
    if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= 5) {
        *out = (sal_filter)json_integer_value(v);
        return SAL_OK;
    }
    return pjson_bad(err, key, want);
}

static bool pjson_flag(const json_t *root, const char *key, bool absent)
{
    const json_t *v = json_object_get(root, key);
    return v == NULL || json_is_null(v) ? absent : json_is_true(v);
}

/* Does a string begin so? */
static bool pjson_is(const json_t *root, const char *key, const char *begin)
{
    const char *s = json_string_value(json_object_get(root, key));
    return s != NULL && strncmp(s, begin, strlen(begin)) == 0;
}

static sal_status pjson_own(sal_preprocess *p, const json_t *root, sal_error *err)
{
    sal_status st;
    const json_t *size = json_object_get(root, "size"), *crop = json_object_get(root, "crop");
    p->filter = SAL_FILTER_BICUBIC;
    if (size != NULL && !json_is_null(size)) {
        p->resize = json_is_number(size) ? SAL_RESIZE_SHORT : SAL_RESIZE_EXACT;
        if (!pjson_pair(size, &p->resize_height, &p->resize_width))
            return pjson_bad(err, "size", "a number of pixels or [height, width]");
    }
    if (crop != NULL && !json_is_null(crop) && !pjson_pair(crop, &p->crop_height, &p->crop_width))
        return pjson_bad(err, "crop", "a number of pixels or [height, width]");
    SAL_TRY(pjson_filter(root, "filter", &p->filter, err));
    SAL_TRY(pjson_three(root, "mean", p->mean, err));
    SAL_TRY(pjson_three(root, "std", p->std, err));
    SAL_TRY(pjson_number(root, "rescale", &p->rescale, err));
    SAL_TRY(pjson_word(root, "layout", "nchw", "nhwc", &p->nhwc, "\"nchw\" or \"nhwc\"", err));
    SAL_TRY(pjson_word(root, "order", "rgb", "bgr", &p->bgr, "\"rgb\" or \"bgr\"", err));
done:
    return st;
}

/* size is {"shortest_edge": n}, {"height": h, "width": w} or, in old files, a number: for the
 * feature extractors that also crop it meant the shorter side, for the others (ViT) the exact size.
 * crop_pct (ConvNeXt): below 384 the shorter side becomes size / crop_pct and size is cropped, else
 * exact. */
static sal_status pjson_hugging_face(sal_preprocess *p, const json_t *root, sal_error *err)
{
    sal_status st;
    const json_t *size = json_object_get(root, "size"), *crop = json_object_get(root, "crop_size");
    const json_t *edge = json_is_object(size) ? json_object_get(size, "shortest_edge") : NULL;
    const json_t *percent = json_object_get(root, "crop_pct");
    bool crops = pjson_flag(root, "do_center_crop", false);
    p->filter = SAL_FILTER_BILINEAR;
    p->crop_floor = true;
    if (pjson_flag(root, "do_resize", size != NULL) && size != NULL) {
        bool shorter = edge != NULL || (json_is_number(size) && crops);
        p->resize = shorter ? SAL_RESIZE_SHORT : SAL_RESIZE_EXACT;
        if (!pjson_pair(edge != NULL ? edge : size, &p->resize_height, &p->resize_width))
            return pjson_bad(err, "size", "a number, {shortest_edge} or {height, width}");
        if (json_is_number(percent) && json_number_value(percent) > 0.1 &&
            json_number_value(percent) <= 1.0) {
            int32_t side = p->resize_height;
            p->resize = side < 384 ? SAL_RESIZE_SHORT : SAL_RESIZE_EXACT;
            p->resize_width = side;
            if (side < 384) {
                p->crop_height = p->crop_width = side;
                p->resize_height = (int32_t)(side / json_number_value(percent));
            }
        }
    }
    /* LeViT: "shortest_edge" is what remains after a crop of 224 from 256. */
    if (pjson_is(root, "image_processor_type", "Levit") ||
        pjson_is(root, "feature_extractor_type", "Levit")) {
        p->resize_height = (int32_t)(256.0 / 224.0 * p->resize_height);
    }
    if (pjson_flag(root, "do_pad", false)) {
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "preprocessing: \"do_pad\" is not supported; give the sizes on the command "
                        "line or as {\"size\": ..., \"crop\": ...}");
    }
    p->bgr = pjson_flag(root, "do_flip_channel_order", false);
    if (crops && crop != NULL && !pjson_pair(crop, &p->crop_height, &p->crop_width))
        return pjson_bad(err, "crop_size", "a number or {height, width}");
    SAL_TRY(pjson_filter(root, "resample", &p->filter, err));
    if (pjson_flag(root, "do_normalize", true)) {
        SAL_TRY(pjson_three(root, "image_mean", p->mean, err));
        SAL_TRY(pjson_three(root, "image_std", p->std, err));
    }
    SAL_TRY(pjson_number(root, "rescale_factor", &p->rescale, err));
    if (!pjson_flag(root, "do_rescale", true))
        p->rescale = 1.0F;
    /* 0.00392156862745098 is 1/255 in decimal; take it for that so that the division is exact. */
    if (fabsf(p->rescale * 255.0F - 1.0F) < 1e-6F)
        p->rescale = 1.0F / 255.0F;
    /* Some classes then shift levels to -1..1 (rescale_offset). */
    if (pjson_flag(root, "rescale_offset", false)) {
        for (int c = 0; c < 3; c++)
            p->mean[c] += 1.0F;
    }
done:
    return st;
}

/* config.json of timm: {"pretrained_cfg": {"input_size": [3, h, w], "crop_pct": 0.875,
 * "interpolation": "bicubic", "mean": ..., "std": ...}}. The shorter side becomes size / crop_pct,
 * rounded down; "squash" resizes exactly instead. */
static sal_status pjson_timm(sal_preprocess *p, const json_t *root, sal_error *err)
{
    sal_status st;
    const json_t *size = json_object_get(root, "input_size");
    const json_t *percent = json_object_get(root, "crop_pct");
    double keep = percent != NULL ? json_number_value(percent) : 0.875;
    if (json_array_size(size) != 3 || !pjson_int(json_array_get(size, 1), &p->crop_height) ||
        !pjson_int(json_array_get(size, 2), &p->crop_width)) {
        return pjson_bad(err, "input_size", "[3, height, width]");
    }
    if (!(keep > 0.1 && keep <= 1.0))
        return pjson_bad(err, "crop_pct", "a number up to 1");
    p->crop_floor = false;
    bool squash = pjson_is(root, "crop_mode", "squash") || p->crop_height != p->crop_width;
    if (pjson_is(root, "crop_mode", "border")) {
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "preprocessing: \"crop_mode\": \"border\" is not supported");
    }
    p->resize = squash ? SAL_RESIZE_EXACT : SAL_RESIZE_SHORT;
    p->resize_height = (int32_t)(p->crop_height / keep);
    p->resize_width = (int32_t)(p->crop_width / keep);
    p->filter = SAL_FILTER_BICUBIC;
    SAL_TRY(pjson_filter(root, "interpolation", &p->filter, err));
    SAL_TRY(pjson_three(root, "mean", p->mean, err));
    SAL_TRY(pjson_three(root, "std", p->std, err));
done:
    return st;
}

sal_status sal_preprocess_from_json(sal_preprocess *out, const char *text, size_t size,
                                    sal_error *err)
{
    sal_status st;
    json_error_t je;
    sal_preprocess p = SAL_PREPROCESS_INIT;
    json_t *root = json_loadb(text, size, 0, &je);
    if (root == NULL) {
        return sal_fail_at(err, SAL_EFORMAT, je.position > 0 ? (uint64_t)je.position : 0,
                           "preprocessing: not valid JSON at line %d: %s", je.line, je.text);
    }
    if (!json_is_object(root)) {
        st = sal_fail(err, SAL_EFORMAT, "preprocessing: the JSON must be an object");
        goto done;
    }
    if (json_object_get(root, "image_mean") != NULL || json_object_get(root, "do_resize") != NULL ||
        json_object_get(root, "do_normalize") != NULL ||
        json_object_get(root, "image_processor_type") != NULL) {
        SAL_TRY(pjson_hugging_face(&p, root, err));
    } else if (json_is_object(json_object_get(root, "pretrained_cfg"))) {
        SAL_TRY(pjson_timm(&p, json_object_get(root, "pretrained_cfg"), err));
    } else if (json_object_get(root, "input_size") != NULL) {
        SAL_TRY(pjson_timm(&p, root, err));
    } else {
        SAL_TRY(pjson_own(&p, root, err));
    }
    SAL_TRY(sal_preprocess_check(&p, err));
    *out = p;
done:
    json_decref(root);
    return st;
}
