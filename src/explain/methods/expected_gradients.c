/* Expected gradients: integrated gradients averaged over a distribution of baselines, both the
 * place on the path and the baseline drawn at random; see shap.c. */
#include "explain/baselines.h"
#include "explain/methods.h"
#include "explain/shap.h"

static const sal_param_info expected_gradients_params[] = {
    {"samples", SAL_PARAM_INT, 100, 1, 100000, "draws of baseline and place"},
    SAL_BASELINE_PARAM,
    SAL_SPREAD_PARAM,
};

const sal_method_desc sal_method_expected_gradients = {
    .info = {.name = "expected-gradients",
             .title = "Expected gradients",
             .reference = "Erion et al., 2021, arXiv:1906.10670",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(expected_gradients_params),
             .params = expected_gradients_params},
    .build = sal_shap_build,
    .run = sal_shap_run,
    .build_export = sal_shap_export,
    .complete = true,
};
