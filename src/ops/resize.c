/* Resize: resample along some axes, to sizes or by scales. */
#include "ops/core/resize.h"
#include "ops/upgrade.h"

#include <math.h>

/* Opset 10 rounded positions up where an axis shrinks and down where it grows. */
static sal_status resize_upgrade_round(sal_upgrade *u)
{
    const sal_tensor *scales = sal_val(u->g, u->node->in[2])->constant;
    bool shrinks = false, grows = false;
    for (int64_t i = 0; scales != NULL && i < sal_tensor_count(scales); i++) {
        shrinks = shrinks || sal_tensor_get(scales, i) < 1.0;
        grows = grows || sal_tensor_get(scales, i) > 1.0;
    }
    if (shrinks && grows && strcmp(sal_node_str(u->node, "mode", "nearest"), "nearest") == 0)
        return sal_fail(u->err, SAL_EUNSUPPORTED,
                        "a nearest Resize of opset 10 that shrinks one axis and enlarges another; "
                        "export the model with opset 11 or later");
    /* Scales that are computed are those of an enlargement. */
    return sal_upgrade_set_str(u, "nearest_mode", shrinks ? "ceil" : "floor");
}

static sal_status resize_upgrade(sal_upgrade *u)
{
    sal_status st = SAL_OK;
    if (u->opset >= 11)
        return SAL_OK;
    /* Opset 10 had (x, scales) and the coordinates of Upsample. */
    if (sal_node_in(u->node, 1) == SAL_NONE)
        return sal_fail(u->err, SAL_EFORMAT, "Resize of opset 10 needs two inputs");
    SAL_TRY(sal_upgrade_set_input(u, 2, u->node->in[1]));
    SAL_TRY(sal_upgrade_set_input(u, 1, SAL_NONE));
    SAL_TRY(sal_upgrade_set_str(u, "coordinate_transformation_mode", "asymmetric"));
    SAL_TRY(resize_upgrade_round(u));
done:
    return st;
}

/* What the inputs say, from constants (inference) or tensors (evaluation). */
typedef struct resize_args {
    int rank;
    const int64_t *dims; /* of the input; may hold symbols */
    int n;               /* axes */
    int axis[SAL_MAX_RANK];
    bool by_scale, by_size; /* neither: unknown */
    float scale[SAL_MAX_RANK];
    int64_t size[SAL_MAX_RANK]; /* may hold symbols */
    bool have_roi;
    double roi[2 * SAL_MAX_RANK];
} resize_args;

static sal_status resize_axes_of(const sal_node *n, int rank, resize_args *a, sal_error *err)
{
    size_t count;
    const int64_t *axes = sal_node_ints(n, "axes", &count);
    a->rank = rank;
    a->n = axes != NULL ? (int)SAL_MIN(count, (size_t)INT32_MAX) : rank;
    a->by_scale = a->by_size = a->have_roi = false;
    if (a->n > rank)
        return sal_fail(err, SAL_ESHAPE, "%d axes for an input of %d dimensions", a->n, rank);
    for (int i = 0; i < a->n; i++) {
        int64_t k = axes != NULL ? axes[i] : i;
        if (k < -rank || k >= rank)
            return sal_fail(err, SAL_EINVAL, "axis %lld is outside -%d..%d", (long long)k, rank,
                            rank - 1);
        a->axis[i] = (int)(k < 0 ? k + rank : k);
    }
    return SAL_OK;
}

/* Scales and region of interest as tensors; an empty tensor stands for nothing, as files of opset
 * 11 do. */
static sal_status resize_floats(resize_args *a, const sal_tensor *roi, const sal_tensor *scales,
                                sal_error *err)
{
    if (scales != NULL && sal_tensor_count(scales) > 0) {
        if (sal_tensor_count(scales) != a->n)
            return sal_fail(err, SAL_ESHAPE, "%lld scales for %d axes",
                            (long long)sal_tensor_count(scales), a->n);
        for (int i = 0; i < a->n; i++) {
            a->scale[i] = (float)sal_tensor_get(scales, i);
            if (!(a->scale[i] > 0) || a->scale[i] > 1e6f)
                return sal_fail(err, SAL_EINVAL, "scale %d is %g", i, (double)a->scale[i]);
        }
        a->by_scale = true;
    }
    if (roi != NULL && sal_tensor_count(roi) == 2 * (int64_t)a->n) {
        for (int i = 0; i < 2 * a->n; i++)
            a->roi[i] = sal_tensor_get(roi, i);
        a->have_roi = a->n > 0;
    }
    return SAL_OK;
}

static sal_status resize_args_infer(const sal_infer *c, resize_args *a)
{
    const sal_value *x = sal_infer_in(c, 0), *roi = sal_infer_in(c, 1), *s = sal_infer_in(c, 2);
    int64_t size[SAL_KNOWN_MAX];
    int n = -1;
    sal_status st;
    SAL_TRY(resize_axes_of(c->node, x->rank, a, c->err));
    a->dims = x->dims;
    SAL_TRY(resize_floats(a, roi != NULL ? roi->constant : NULL, s != NULL ? s->constant : NULL,
                          c->err));
    if (a->by_scale || (s != NULL && s->constant == NULL && sal_infer_in(c, 3) == NULL))
        goto done;
    if (sal_infer_in(c, 3) == NULL)
        return sal_fail(c->err, SAL_EINVAL, "neither scales nor sizes are given");
    SAL_TRY(sal_infer_known_in(c, 3, size, &n));
    if (n >= 0 && n != a->n)
        return sal_fail(c->err, SAL_ESHAPE, "%d sizes for %d axes", n, a->n);
    for (int i = 0; i < n; i++) {
        if (size[i] < 0 && sal_known_is_number(size[i]))
            return sal_fail(c->err, SAL_EINVAL, "size %d is negative", i);
        a->size[i] = size[i];
    }
    a->by_size = n >= 0;
done:
    return st;
}

/* Scale and length of axis i of the list. `common` is the one scale of the policies that keep the
 * aspect ratio, 0 without one. *scale is 0 when a symbol stands in the way. */
static int64_t resize_length(const resize_args *a, int i, double common, sal_graph *g,
                             double *scale)
{
    int64_t d = a->dims[a->axis[i]];
    *scale = 0;
    if (a->by_scale) {
        *scale = (double)a->scale[i];
        if (d >= 0) /* in single precision, like other engines: 6 * 1.6666666 is 10 */
            return (int64_t)SAL_MIN(floorf((float)d * a->scale[i]), 1e15f);
        if (*scale == floor(*scale))
            return sal_dim_mul(g, d, (int64_t)*scale);
        return sal_dim_fresh(g);
    }
    if (common > 0 && d >= 0) {
        *scale = common;
        return (int64_t)SAL_MIN(floor(common * (double)d + 0.5), 1e15);
    }
    if (a->size[i] == d)
        *scale = 1;
    else if (a->size[i] >= 0 && d > 0)
        *scale = (double)a->size[i] / (double)d;
    return a->size[i];
}

/* The policy's common scale; 0 for "stretch", -1 when symbols hide it. */
static sal_status resize_common_scale(const sal_node *n, const resize_args *a, double *common,
                                      sal_error *err)
{
    const char *policy = sal_node_str(n, "keep_aspect_ratio_policy", "stretch");
    bool smaller = strcmp(policy, "not_larger") == 0;
    *common = 0;
    if (strcmp(policy, "stretch") == 0 || !a->by_size)
        return SAL_OK;
    if (!smaller && strcmp(policy, "not_smaller") != 0)
        return sal_fail(err, SAL_EINVAL, "keep_aspect_ratio_policy '%s' is not known", policy);
    for (int i = 0; i < a->n; i++) {
        int64_t d = a->dims[a->axis[i]];
        if (d < 1 || a->size[i] < 0) {
            *common = -1;
            return SAL_OK;
        }
        double s = (double)a->size[i] / (double)d;
        *common = i == 0 ? s : smaller ? SAL_MIN(*common, s) : SAL_MAX(*common, s);
    }
    return SAL_OK;
}

/* The axes that change. Those with scale 1 are left out, whatever their length. */
static sal_status resize_plan(const sal_node *n, const resize_args *a, sal_resize_plan *p,
                              sal_error *err)
{
    double common;
    sal_status st;
    p->n = 0;
    SAL_TRY(sal_resize_spec_read(n, &p->spec, err));
    SAL_TRY(resize_common_scale(n, a, &common, err));
    bool crop = p->spec.coord == SAL_RESIZE_TF_CROP_AND_RESIZE;
    if (!a->by_scale && !a->by_size)
        return sal_fail(err, SAL_ESHAPE, "scales or sizes must be constants");
    if (crop && !a->have_roi)
        return sal_fail(err, SAL_EINVAL,
                        "tf_crop_and_resize needs the constant input roi, two numbers an axis");
    for (int i = 0; i < a->n; i++) {
        int64_t d = a->dims[a->axis[i]];
        sal_resize_axis x = {.axis = a->axis[i], .in = d};
        bool all = !crop || (a->roi[i] == 0.0 && a->roi[a->n + i] == 1.0);
        if (a->by_scale ? a->scale[i] == 1.0f : a->size[i] == d && common == 0.0) {
            x.scale = 1;
            x.out = d;
            if (all)
                continue;
        }
        if (d < 0 || (a->by_size && a->size[i] < 0) || common < 0)
            return sal_fail(err, SAL_ESHAPE, "axis %d is resampled, its length must be known",
                            x.axis);
        x.out = resize_length(a, i, common, NULL, &x.scale);
        if (crop) {
            x.roi[0] = a->roi[i];
            x.roi[1] = a->roi[a->n + i];
        }
        if (x.in == x.out && x.scale == 1.0 && all)
            continue;
        p->axis[p->n++] = x;
    }
done:
    return st;
}

static sal_status resize_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    resize_args a;
    sal_resize_spec spec;
    double common, scale;
    sal_status st;
    SAL_TRY(sal_resize_spec_read(c->node, &spec, c->err));
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    SAL_TRY(resize_args_infer(c, &a));
    SAL_TRY(resize_common_scale(c->node, &a, &common, c->err));
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < a.n; i++)
        dims[a.axis[i]] = (a.by_scale || a.by_size) && common >= 0
                              ? resize_length(&a, i, common, c->g, &scale)
                              : sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, x->dtype, x->rank, dims));
done:
    return st;
}

sal_status sal_resize_plan_of(const sal_node *n, const sal_tensor *const in[4], sal_resize_plan *p,
                              sal_error *err)
{
    resize_args a;
    sal_status st;
    SAL_TRY(resize_axes_of(n, in[0]->rank, &a, err));
    a.dims = in[0]->dims;
    SAL_TRY(resize_floats(&a, in[1], in[2], err));
    if (!a.by_scale && in[3] != NULL) {
        if (sal_tensor_count(in[3]) != a.n)
            return sal_fail(err, SAL_ESHAPE, "%lld sizes for %d axes",
                            (long long)sal_tensor_count(in[3]), a.n);
        for (int i = 0; i < a.n; i++)
            a.size[i] = sal_move_int(in[3], i);
        a.by_size = true;
    }
    SAL_TRY(resize_plan(n, &a, p, err));
done:
    return st;
}

static sal_status resize_eval(const sal_eval *e)
{
    const sal_tensor *in[4] = {NULL, NULL, NULL, NULL};
    sal_resize_plan p;
    sal_status st;
    for (int i = 0; i < e->node->n_in && i < 4; i++)
        in[i] = e->in[i];
    SAL_TRY(sal_resize_plan_of(e->node, in, &p, e->err));
    SAL_TRY(sal_resize_apply(&p, false, in[0], e->out[0], e->err));
done:
    return st;
}

static sal_status resize_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    sal_infer c = {b->g, v->node, b->err};
    int64_t axes[SAL_MAX_RANK], in[SAL_MAX_RANK], out[SAL_MAX_RANK];
    double scales[SAL_MAX_RANK], roi[2 * SAL_MAX_RANK];
    sal_attr a[12];
    resize_args args;
    sal_resize_plan p;
    sal_status st = SAL_OK;
    if (!v->need[0])
        return SAL_OK;
    if (sal_val(b->g, v->node->in[0])->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE, "the number of dimensions of the input must be known");
    SAL_TRY(resize_args_infer(&c, &args));
    SAL_TRY(resize_plan(v->node, &args, &p, b->err));
    if (p.n == 0) {
        v->gin[0] = v->gout[0];
        return SAL_OK;
    }
    for (int i = 0; i < p.n; i++) {
        axes[i] = p.axis[i].axis;
        in[i] = p.axis[i].in;
        out[i] = p.axis[i].out;
        scales[i] = p.axis[i].scale;
        roi[i] = p.axis[i].roi[0];
        roi[p.n + i] = p.axis[i].roi[1];
    }
    int n = sal_resize_spec_attrs(v->node, a, 6);
    a[n++] = SAL_AINTS("axes", axes, p.n);
    a[n++] = SAL_AINTS("in_sizes", in, p.n);
    a[n++] = SAL_AINTS("out_sizes", out, p.n);
    a[n++] = SAL_AFLOATS("scales", scales, p.n);
    a[n++] = SAL_AFLOATS("roi", roi, 2 * p.n);
    v->gin[0] = sal_b_op(b, "ResizeGrad", 1, &v->gout[0], n, a);
    st = b->st;
done:
    return st;
}

static const char *const resize_cases[] = {
    "f32[1,2,3,4] _ f32[4]{1,1,2,2} ; ; const=2",
    "f32[1,1,5,4] _ f32[4]{1,1,0.6,1.5} ; mode=\"nearest\" nearest_mode=\"floor\" ; const=2",
    "f32[1,1,5,4] _ _ i64[4]{1,1,7,3} ; nearest_mode=\"ceil\" "
    "coordinate_transformation_mode=\"asymmetric\"",
    "f32[1,1,5,4] _ _ i64[4]{1,1,7,3} ; nearest_mode=\"round_prefer_ceil\" "
    "coordinate_transformation_mode=\"align_corners\"",
    "f32[1,2,3,4] _ f32[4]{1,1,2,2} ; mode=\"linear\" ; const=2",
    "f32[1,2,3,4] _ f32[4]{1,1,2,2} ; mode=\"linear\" "
    "coordinate_transformation_mode=\"asymmetric\" ; const=2",
    "f32[1,2,5,4] _ _ i64[4]{1,2,3,7} ; mode=\"linear\" "
    "coordinate_transformation_mode=\"align_corners\"",
    "f32[1,2,5,4] _ _ i64[4]{1,2,1,7} ; mode=\"linear\" "
    "coordinate_transformation_mode=\"pytorch_half_pixel\"",
    "f32[1,1,5,4] _ f32[4]{1,1,0.5,0.7} ; mode=\"linear\" "
    "coordinate_transformation_mode=\"half_pixel_symmetric\" ; const=2",
    "f32[1,1,4,5] _ f32[4]{1,1,2,1.6} ; mode=\"cubic\" ; const=2",
    "f32[1,1,4,5] _ _ i64[4]{1,1,7,3} ; mode=\"cubic\" cubic_coeff_a=-0.5 exclude_outside=1",
    "f32[1,1,4,5] _ _ i64[4]{1,1,7,3} ; mode=\"cubic\" "
    "coordinate_transformation_mode=\"align_corners\"",
    "f32[1,1,4,5] f32[8]{0,0,0.2,-0.1,1,1,0.9,1.2} _ i64[4]{1,1,3,6} ; mode=\"linear\" "
    "coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value=2.5 ; const=1",
    "f32[1,1,7,9] _ _ i64[4]{1,1,3,4} ; mode=\"linear\" antialias=1",
    "f32[1,1,7,9] _ _ i64[4]{1,1,3,4} ; mode=\"cubic\" antialias=1 cubic_coeff_a=-0.5 "
    "exclude_outside=1",
    "f32[1,2,6] _ f32[3]{1,1,0.5} ; mode=\"linear\" ; const=2",
    "f32[1,1,3,4,5] _ _ i64[5]{1,1,2,6,3} ; mode=\"linear\"",
    "f32[2,3,4] _ _ i64[2]{5,2} ; mode=\"linear\" axes=[2,0]",
    "f32[1,1,3,4] _ _ i64[2]{6,6} ; mode=\"linear\" axes=[2,3] "
    "keep_aspect_ratio_policy=\"not_larger\"",
    "f32[1,1,3,4] _ _ i64[2]{6,6} ; mode=\"nearest\" axes=[2,3] "
    "keep_aspect_ratio_policy=\"not_smaller\"",
    "u8[1,1,3,3] _ f32[4]{1,1,2,2} ; ; nograd const=2",
    NULL,
};

const sal_op_desc sal_op_resize = {
    .name = "Resize",
    .min_in = 1,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .since = 19,
    .upgrade = resize_upgrade,
    .infer = resize_infer,
    .eval = resize_eval,
    .vjp = resize_vjp,
    .cases = resize_cases,
};
