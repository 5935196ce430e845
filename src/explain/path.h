/* Evaluations along the straight line from a baseline to the input. */
#ifndef SAL_EXPLAIN_PATH_H
#define SAL_EXPLAIN_PATH_H

#include "explain/explainer.h"

/* Parameters of methods that walk a path, to be looked up by name. */
#define SAL_PATH_STEPS                                                                             \
    {                                                                                              \
        "steps", SAL_PARAM_INT, 50, 1, 100000, "points on the path from the baseline"              \
    }
#define SAL_PATH_BASELINE                                                                          \
    {                                                                                              \
        "baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6, "value of every element of the baseline"        \
    }

typedef sal_status (*sal_path_take)(void *ctx, size_t i, const sal_variant *v, sal_error *err);

/* Walk for sample s. Without `ends` the points are the midpoints (k + 1/2) / steps, with them k /
 * steps for k = 0 .. steps. `take` gets what the method's graph gives at each, in order. */
sal_status sal_path_walk(const sal_method_run *r, size_t s, bool ends, sal_path_take take,
                         void *ctx);
/* The mean of the graph's map over the midpoints: mean[0..elements), elements of a sample of it. */
sal_status sal_path_mean(const sal_method_run *r, size_t s, size_t elements, double *mean);
/* As `run` of a method whose map is (x - baseline) times that mean. */
sal_status sal_path_attribution(sal_method_run *r);
/* out[k] = x[k] - baseline[k], for `elements` of the input's sample s. */
sal_status sal_path_way(const sal_method_run *r, size_t s, size_t elements, double *out);

#endif
