/* The baselines that an input is compared with: given ones, or ones drawn about a value. */
#ifndef SAL_EXPLAIN_BASELINES_H
#define SAL_EXPLAIN_BASELINES_H

#include "explain/method.h"

/* Parameters of methods that draw baselines when none are given. */
#define SAL_BASELINE_PARAM                                                                         \
    {                                                                                              \
        "baseline", SAL_PARAM_FLOAT, 0, -1e6, 1e6,                                                 \
            "value that baselines are drawn about when none are given"                             \
    }
#define SAL_SPREAD_PARAM                                                                           \
    {                                                                                              \
        "spread", SAL_PARAM_FLOAT, 0.1, 0, 10,                                                     \
            "their standard deviation as a share of the input's range"                             \
    }

typedef struct sal_baselines {
    const float *given; /* NULL: drawn */
    size_t count;       /* of the given ones */
    size_t elements;    /* of a sample */
    float level, sigma;
    uint64_t seed;
} sal_baselines;

/* For a sample x of the explained input; parameters `baseline` and `spread` are looked up by name.
 * Errors: SAL_ESHAPE when given ones do not fit. */
sal_status sal_baselines_begin(sal_baselines *b, const sal_method_run *r, const sal_tensor *x);
/* Draw i's baseline. Given ones are chosen at random with `choose`, else taken in turn. */
void sal_baselines_get(const sal_baselines *b, size_t i, bool choose, float *out);
/* Draw i's place between baseline (0) and input (1), uniform. */
float sal_baselines_place(const sal_baselines *b, size_t i);

/* ---- as values of a graph ---- */

/* The first `n` draws as [n, N or 1, ...], in the explained input's element type. */
sal_vid sal_baselines_build(sal_method_build *m, size_t n, bool choose);
/* One baseline of the explained input's shape: the given one, or the value of the parameter. */
sal_vid sal_baselines_build_one(sal_method_build *m);
/* The places of the first n draws as a constant [n, 1, ...]. */
sal_vid sal_baselines_build_places(sal_method_build *m, size_t n);
/* Say in the notes that baselines were drawn. */
void sal_baselines_note(sal_method_build *m);

#endif
