/* DeepLIFT: map = (x - b) m, with the multipliers m of src/diff/rules/deeplift_rescale.c. One graph
 * holds the network twice, for the input x and the baseline b. sum(map) = T(x) - T(b). */
#include "explain/baselines.h"
#include "explain/methods.h"
#include "explain/unroll.h"

static const sal_param_info deeplift_params[] = {
    {"baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "value of every element of the baseline"},
};

static sal_status deeplift_build(sal_method_build *m)
{
    sal_vid baseline = sal_baselines_build_one(m);
    sal_vid multipliers = sal_build_multipliers(m, baseline);

    m->saliency = sal_b2(m->b, "Mul", sal_b2(m->b, "Sub", m->target->input, baseline), multipliers);
    return m->b->st;
}

const sal_method_desc sal_method_deeplift = {
    .info = {.name = "deeplift",
             .title = "DeepLIFT (rescale)",
             .reference = "Shrikumar et al., 2017, arXiv:1704.02685",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .n_params = SAL_COUNTOF(deeplift_params),
             .params = deeplift_params,
             .aliases = "deep-lift deeplift-rescale"},
    .rules = "deeplift-rescale",
    .build = deeplift_build,
    .complete = true,
};
