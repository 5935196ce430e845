/* VarGrad: the variance of the gradient over noisy copies of the input, see noise.c. */
#include "explain/methods.h"
#include "explain/noise.h"

static sal_status var_grad_run(sal_method_run *r)
{
    return sal_noise_run(r, SAL_NOISE_VARIANCE);
}

static sal_status var_grad_build_export(sal_method_build *m)
{
    return sal_noise_export(m, SAL_NOISE_VARIANCE);
}

const sal_method_desc sal_method_var_grad = {
    .info = {.name = "var-grad",
             .title = "VarGrad",
             .reference = "Adebayo et al., 2018, arXiv:1810.03307",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = false,
             .exportable = true,
             .n_params = SAL_NOISE_PARAMS,
             .params = sal_noise_params,
             .aliases = "vargrad"},
    .build = sal_build_attribution,
    .by_input = true,
    .run = var_grad_run,
    .build_export = var_grad_build_export,
};
