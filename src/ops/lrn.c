/* LRN: y = x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta. */
#include "ops/builder.h"
#include "ops/core/gemm_ref.h"
#include "ops/infer.h"

#include <math.h>

static sal_status lrn_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t size = sal_node_int(c->node, "size", 0);
    if (size < 1 || size > 1 << 20)
        return sal_fail(c->err, SAL_EINVAL,
                        "attribute size is %lld; the number of channels to sum over is "
                        "needed",
                        (long long)size);
    if (x->rank >= 0 && x->rank < 2)
        return sal_fail(c->err, SAL_ESHAPE, "input of rank %d; batch and channels are needed",
                        (int)x->rank);
    return sal_infer_out_like(c, 0, 0);
}

static sal_status lrn_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    double alpha = sal_node_float(e->node, "alpha", 1e-4),
           beta = sal_node_float(e->node, "beta", 0.75);
    double bias = sal_node_float(e->node, "bias", 1.0);
    int64_t size = sal_node_int(e->node, "size", 1), before = (size - 1) / 2, after = size / 2;
    int64_t inner = 1, channels = x->dims[1];

    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    for (int i = 2; i < x->rank; i++)
        inner *= x->dims[i];
    for (int64_t n = 0; n < x->dims[0]; n++) {
        const double *image = rx.x + n * channels * inner;
        double *y = ry.x + n * channels * inner;
        for (int64_t c = 0; c < channels; c++) {
            int64_t last = SAL_MIN(c + after, channels - 1);
            for (int64_t i = 0; i < inner; i++) {
                double sum = 0.0;
                for (int64_t k = SAL_MAX(c - before, 0); k <= last; k++)
                    sum += image[k * inner + i] * image[k * inner + i];
                y[c * inner + i] =
                    image[c * inner + i] / pow(bias + alpha / (double)size * sum, beta);
            }
        }
    }
    sal_ref_store(&ry);
done:
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

/* The mean of squares over channels is an average pooling with the channels as a spatial axis:
 * [N, C, ...] -> [N, 1, C, ...]; more than two axes after the channels are joined. */
static sal_status lrn_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0], base = sal_b2(b, "Mul", x, x);
    const sal_value *xv = sal_val(b->g, x);
    int64_t size = sal_node_int(n, "size", 1), one = 1;
    int64_t kernel[] = {size, 1, 1}, pads[6] = {(size - 1) / 2};
    int axes = xv->rank - 1;
    if (xv->rank < 2)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    if (axes > 3) {
        int64_t flat[4] = {xv->dims[0], 1, xv->dims[1], 1};
        axes = 2;
        for (int i = 2; i < xv->rank; i++)
            flat[3] = sal_dim_mul(b->g, flat[3], xv->dims[i]);
        base = sal_b_reshape(b, base, 4, flat, x);
    } else {
        base = sal_b_unsqueeze(b, base, 1, &one);
    }
    pads[axes] = size / 2;
    sal_attr attr[] = {SAL_AINTS("kernel_shape", kernel, axes), SAL_AINTS("pads", pads, 2 * axes),
                       SAL_AI("count_include_pad", 1)};
    base = sal_b_op(b, "AveragePool", 1, &base, 3, attr);
    base = xv->rank > 4 ? sal_b_reshape_like(b, base, x) : sal_b_squeeze(b, base, 1, &one);
    base = sal_b2(b, "Mul", base, sal_b_like(b, x, sal_node_float(n, "alpha", 1e-4)));
    base = sal_b2(b, "Add", base, sal_b_like(b, x, sal_node_float(n, "bias", 1.0)));
    sal_vid power = sal_b2(b, "Pow", base, sal_b_like(b, x, sal_node_float(n, "beta", 0.75)));
    out[0] = sal_b2(b, "Div", x, power);
    return b->st;
}

static const char *const lrn_cases[] = {
    "f32[2,7,3,2] ; size=5 alpha=0.5 beta=0.75 bias=2.0 ;",
    /* ONNX Runtime takes odd sizes of images only. */
    "f32[1,5,2,3] ; size=4 alpha=0.3 beta=0.5 ; noort",
    "f32[2,6,3,1] ; size=3 ;",
    "f32[1,4,2,1,2] ; size=3 alpha=0.2 ; noort",
    "f32[2,4,3] ; size=2 alpha=0.7 ; noort",
    NULL,
};

const sal_op_desc sal_op_lrn = {
    .name = "LRN",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 1,
    .infer = lrn_infer,
    .eval = lrn_eval,
    .expand = lrn_expand,
    .cases = lrn_cases,
};
