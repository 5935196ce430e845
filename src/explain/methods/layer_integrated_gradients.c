/* Integrated gradients of a layer A, along the straight line from what it is for the baseline, A0:
 *
 *     map = (A - A0) * mean_k dT/dA at A0 + a_k (A - A0),    a_k = (k + 1/2) / steps
 *
 * What stands before the layer is evaluated twice, what stands behind it once for each step. */
#include "explain/baselines.h"
#include "explain/layer_map.h"
#include "explain/methods.h"
#include "explain/path.h"
#include "explain/unroll.h"

static const sal_param_info layer_integrated_gradients_params[] = {
    SAL_PATH_STEPS,
    SAL_PATH_BASELINE,
};

enum { LAYER_IG_STEPS };

/* a_k as a constant [steps, 1, ...] that multiplies [1, layer's shape]. */
static sal_vid layer_ig_places(sal_method_build *m, sal_vid like, size_t steps)
{
    sal_builder *b = m->b;
    int64_t dims[SAL_MAX_RANK] = {(int64_t)steps, 1, 1, 1, 1, 1, 1, 1};
    sal_tensor t = SAL_TENSOR_INIT;

    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, like);
    if (v->rank + 1 > SAL_MAX_RANK)
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "layer %s has too many dimensions", v->name);
    else
        b->st = sal_tensor_new(&t, v->dtype, v->rank + 1, dims, b->err);
    for (size_t k = 0; b->st == SAL_OK && k < steps; k++)
        sal_tensor_set(&t, (int64_t)k, ((double)k + 0.5) / (double)steps);
    sal_vid out = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return out;
}

/* Where the batch is fixed, or paths lead past the layer, one copy of the network's rest for each
 * step. */
static sal_vid layer_ig_one_by_one(sal_method_build *m, sal_vid from, sal_vid way, size_t steps)
{
    sal_builder *b = m->b;
    sal_vid sum = SAL_NONE;

    for (size_t k = 0; k < steps && b->st == SAL_OK; k++) {
        double a = ((double)k + 0.5) / (double)steps;
        sal_vid at = sal_b2(b, "Add", sal_b2(b, "Mul", way, sal_b_like(b, way, a)), from);

        sum = sal_b_add_opt(b, sum, sal_build_gradient_at(m, m->layer->value, at));
    }
    return sal_b2(b, "Mul", sum, sal_b_like(b, way, 1.0 / (double)steps));
}

static sal_status layer_integrated_gradients_build(sal_method_build *m)
{
    static const int64_t first = 0;
    sal_builder *b = m->b;
    sal_vid layer = m->layer->value, mean;
    size_t steps = (size_t)m->params[LAYER_IG_STEPS];
    sal_vid from = sal_build_value_at(m, layer, sal_baselines_build_one(m));
    sal_vid way = sal_b2(b, "Sub", layer, from);

    if (m->target->batched && b->st == SAL_OK && sal_val(b->g, m->target->input)->dims[0] < 0 &&
        sal_unroll_is_cut(m, layer)) {
        sal_vid long_way = sal_b_unsqueeze(b, way, 1, &first);
        sal_vid at = sal_b2(b, "Mul", long_way, layer_ig_places(m, way, steps));

        at = sal_b2(b, "Add", at, sal_b_unsqueeze(b, from, 1, &first));
        mean = sal_b_reduce(b, "ReduceMean", sal_unroll_gradient_of(m, layer, at, SAL_NONE), 1,
                            &first, false);
    } else {
        mean = layer_ig_one_by_one(m, from, way, steps);
    }
    sal_build_layer_values(m, sal_b2(b, "Mul", way, mean));
    return b->st;
}

const sal_method_desc sal_method_layer_integrated_gradients = {
    .info = {.name = "layer-integrated-gradients",
             .title = "Layer integrated gradients",
             .reference = "Sundararajan et al., 2017, arXiv:1703.01365",
             .kind = SAL_METHOD_CAM,
             .is_signed = true,
             .exportable = true,
             .wants_layer = true,
             .n_params = SAL_COUNTOF(layer_integrated_gradients_params),
             .params = layer_integrated_gradients_params},
    .build = layer_integrated_gradients_build,
    .any_layer = true,
};
