/* MelWeightMatrix: triangular filters from dft_length / 2 + 1 linear frequencies to num_mel_bins
 * bands that are equally wide on the mel scale, mel(f) = 2595 log10(1 + f / 700). */
#include "ops/core/signal.h"

#include <math.h>

static sal_status mel_infer(sal_infer *c)
{
    int64_t bands = 0, length = 0, dims[2];
    bool known;
    sal_dtype t;
    sal_status st;
    SAL_TRY(sal_signal_dtype(c, &t));
    SAL_TRY(sal_signal_int(c, 0, &bands, &known));
    dims[1] = known ? bands : sal_dim_fresh(c->g);
    SAL_TRY(sal_signal_int(c, 1, &length, &known));
    dims[0] = known ? length / 2 + 1 : sal_dim_fresh(c->g);
    if (bands < 0 || length < 0)
        return sal_fail(c->err, SAL_EINVAL, "%lld bands of a transform of length %lld",
                        (long long)bands, (long long)length);
    SAL_TRY(sal_infer_out(c, 0, t, 2, dims));
done:
    return st;
}

/* The rising and the falling side of one triangle, peak 1. */
static void mel_triangle(sal_tensor *y, int64_t band, int64_t left, int64_t centre, int64_t right)
{
    int64_t rows = y->dims[0], bands = y->dims[1];
    if (centre == left && centre >= 0 && centre < rows)
        sal_tensor_set(y, centre * bands + band, 1.0);
    for (int64_t j = SAL_MAX(left, 0); centre > left && j <= SAL_MIN(centre, rows - 1); j++)
        sal_tensor_set(y, j * bands + band, (double)(j - left) / (double)(centre - left));
    for (int64_t j = SAL_MAX(centre, 0); right > centre && j < SAL_MIN(right, rows); j++)
        sal_tensor_set(y, j * bands + band, (double)(right - j) / (double)(right - centre));
}

static sal_status mel_eval(const sal_eval *e)
{
    double v[5];
    for (int i = 0; i < 5; i++) {
        if (sal_tensor_count(e->in[i]) != 1)
            return sal_fail(e->err, SAL_ESHAPE, "input %d must be a single number", i);
        v[i] = sal_tensor_get(e->in[i], 0);
    }
    if (!(v[2] > 0.0 && v[3] > -700.0 && v[4] > -700.0 && v[3] < 1e9 && v[4] < 1e9))
        return sal_fail(e->err, SAL_EINVAL, "a sample rate of %g Hz, edges at %g and %g Hz", v[2],
                        v[3], v[4]);
    double low = 2595.0 * log10(1.0 + v[3] / 700.0), high = 2595.0 * log10(1.0 + v[4] / 700.0);
    double step = (high - low) / (v[0] + 2.0);
    int64_t edge[3] = {0, 0, 0};
    for (int64_t i = 0; i < e->out[0]->dims[1] + 2; i++) {
        double hertz = 700.0 * expm1((low + (double)i * step) / 2595.0 * log(10.0));
        double bin = floor((v[1] + 1.0) * hertz / v[2]);
        edge[0] = edge[1];
        edge[1] = edge[2];
        edge[2] = (int64_t)SAL_MAX(SAL_MIN(bin, 1e15), -1e15);
        if (i >= 2)
            mel_triangle(e->out[0], i - 2, edge[0], edge[1], edge[2]);
    }
    return SAL_OK;
}

static const char *const mel_cases[] = {
    "i64[]{8} i64[]{16} i64[]{8192} f32[]{0.0} f32[]{4096.0} ; ; nograd const=0,1,2,3,4",
    "i32[]{4} i32[]{33} i32[]{100} f32[]{5.0} f32[]{45.0} ; output_datatype=11 ; nograd "
    "const=0,1,2,3,4",
    NULL,
};

const sal_op_desc sal_op_mel_weight_matrix = {
    .name = "MelWeightMatrix",
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 17,
    .infer = mel_infer,
    .eval = mel_eval,
    .cases = mel_cases,
};
