/* SmoothGrad and its kin: statistics of the gradient over noisy copies of the input. */
#ifndef SAL_EXPLAIN_NOISE_H
#define SAL_EXPLAIN_NOISE_H

#include "explain/method.h"

typedef enum sal_noise_kind {
    SAL_NOISE_MEAN,     /* mean g */
    SAL_NOISE_SQUARE,   /* mean g^2 */
    SAL_NOISE_VARIANCE, /* mean g^2 - (mean g)^2 */
} sal_noise_kind;

/* Parameters of all three, in this order. */
enum { SAL_NOISE_SAMPLES, SAL_NOISE_SHARE, SAL_NOISE_PARAMS };
extern const sal_param_info sal_noise_params[SAL_NOISE_PARAMS];

/* The noise of copy i: n normal numbers from stream i of the seed. */
void sal_noise_draw(uint64_t seed, size_t i, size_t n, float *out);
/* Largest less least element. */
float sal_noise_range(const float *x, size_t n);

sal_status sal_noise_run(sal_method_run *r, sal_noise_kind kind);
sal_status sal_noise_export(sal_method_build *m, sal_noise_kind kind);

/* For exports, with v the explained input [N, ...]: the noise of `samples` copies as a constant
 * [samples, 1, ...], and largest less least element of every sample, [N, 1, ...]. */
sal_vid sal_noise_constant(sal_method_build *m, size_t samples, uint64_t seed);
sal_vid sal_noise_build_range(sal_method_build *m);

#endif
