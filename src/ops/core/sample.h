/* Reading a tensor at points between its elements, as nodes: for GridSample, DeformConv, RoiAlign.
 */
#ifndef SAL_OPS_CORE_SAMPLE_H
#define SAL_OPS_CORE_SAMPLE_H

#include "ops/builder.h"
#include "ops/infer.h"

#define SAL_SAMPLE_AXES 3

typedef enum sal_sample_mode {
    SAL_SAMPLE_NEAREST,
    SAL_SAMPLE_LINEAR,
    SAL_SAMPLE_CUBIC
} sal_sample_mode;
typedef enum sal_sample_pad {
    SAL_SAMPLE_ZEROS,
    SAL_SAMPLE_BORDER,
    SAL_SAMPLE_REFLECT
} sal_sample_pad;

typedef struct sal_sample {
    sal_sample_mode mode;
    sal_sample_pad pad;
    bool align; /* reflect at the centres of the outer elements, else at their edges */
} sal_sample;

/* x [N, C, D1 .. Dr] with known D at the points at[k] [N, L] (element coordinates along axis k,
 * floats): [N, C, L]. r is 1 to SAL_SAMPLE_AXES, 1 or 2 for cubic. Differentiable in x and in the
 * points. */
sal_vid sal_sample_build(sal_builder *b, const sal_sample *how, sal_vid x, const sal_vid *at);
/* Dimensions of v from axis `from` on are known; otherwise an error in b. */
bool sal_sample_known(sal_builder *b, const char *node, sal_vid v, int from);

#endif
