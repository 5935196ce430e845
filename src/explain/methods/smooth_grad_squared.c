/* SmoothGrad squared: the mean square of the gradient over noisy copies of the input, see noise.c.
 */
#include "explain/methods.h"
#include "explain/noise.h"

static sal_status smooth_grad_squared_run(sal_method_run *r)
{
    return sal_noise_run(r, SAL_NOISE_SQUARE);
}

static sal_status smooth_grad_squared_build_export(sal_method_build *m)
{
    return sal_noise_export(m, SAL_NOISE_SQUARE);
}

const sal_method_desc sal_method_smooth_grad_squared = {
    .info = {.name = "smooth-grad-squared",
             .title = "SmoothGrad squared",
             .reference = "Hooker et al., 2019, arXiv:1806.10758",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = false,
             .exportable = true,
             .n_params = SAL_NOISE_PARAMS,
             .params = sal_noise_params,
             .aliases = "smoothgrad-sq smooth-grad-sq"},
    .build = sal_build_attribution,
    .by_input = true,
    .run = smooth_grad_squared_run,
    .build_export = smooth_grad_squared_build_export,
};
