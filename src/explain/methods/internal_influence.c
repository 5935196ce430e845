/* Internal influence: the mean of a layer's gradient dT/dA over the way from the baseline to the
 * input. */
#include "explain/layer_map.h"
#include "explain/methods.h"
#include "explain/path.h"

static const sal_param_info internal_influence_params[] = {
    SAL_PATH_STEPS,
    SAL_PATH_BASELINE,
};

static sal_status internal_influence_build(sal_method_build *m)
{
    m->saliency = sal_build_gradient(m, m->layer->value);
    return m->b->st;
}

static sal_status internal_influence_run(sal_method_run *r)
{
    size_t n = sal_layer_elements(r);
    double *mean = sal_calloc(n + 1, sizeof(*mean));
    sal_status st = SAL_OK;

    if (mean == NULL)
        return sal_fail_nomem(r->err);
    for (size_t s = 0; s < r->out->n; s++) {
        SAL_TRY(sal_path_mean(r, s, n, mean));
        SAL_TRY(sal_layer_store(r, s, mean));
    }
done:
    sal_free(mean);
    return st;
}

const sal_method_desc sal_method_internal_influence = {
    .info = {.name = "internal-influence",
             .title = "Internal influence",
             .reference = "Leino et al., 2018, arXiv:1802.03788",
             .kind = SAL_METHOD_CAM,
             .is_signed = true,
             .exportable = false,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(internal_influence_params),
             .params = internal_influence_params},
    .build = internal_influence_build,
    .run = internal_influence_run,
    .flat = true,
    .any_layer = true,
};
