/* GradientSHAP: expected gradients with noise on the input, see shap.c. */
#include "explain/baselines.h"
#include "explain/methods.h"
#include "explain/shap.h"

static const sal_param_info gradient_shap_params[] = {
    {"samples", SAL_PARAM_INT, 50, 1, 100000, "draws of baseline, place and noise"},
    {"noise", SAL_PARAM_FLOAT, 0.1, 0, 10,
     "standard deviation of the noise as a share of the input's range"},
    SAL_BASELINE_PARAM,
    SAL_SPREAD_PARAM,
};

const sal_method_desc sal_method_gradient_shap = {
    .info = {.name = "gradient-shap",
             .title = "GradientSHAP",
             .reference = "Lundberg and Lee, 2017, arXiv:1705.07874",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(gradient_shap_params),
             .params = gradient_shap_params},
    .build = sal_shap_build,
    .run = sal_shap_run,
    .build_export = sal_shap_export,
    .complete = true,
};
