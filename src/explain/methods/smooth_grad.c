/* SmoothGrad: the mean gradient over noisy copies of the input, see noise.c. */
#include "explain/methods.h"
#include "explain/noise.h"

static sal_status smooth_grad_run(sal_method_run *r)
{
    return sal_noise_run(r, SAL_NOISE_MEAN);
}

static sal_status smooth_grad_build_export(sal_method_build *m)
{
    return sal_noise_export(m, SAL_NOISE_MEAN);
}

const sal_method_desc sal_method_smooth_grad = {
    .info = {.name = "smooth-grad",
             .title = "SmoothGrad",
             .reference = "Smilkov et al., 2017, arXiv:1706.03825",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_NOISE_PARAMS,
             .params = sal_noise_params,
             .aliases = "smoothgrad"},
    .build = sal_build_attribution,
    .by_input = true,
    .run = smooth_grad_run,
    .build_export = smooth_grad_build_export,
};
