/* The first principal component of a layer's map, as graph nodes. */
#ifndef SAL_EXPLAIN_PRINCIPAL_H
#define SAL_EXPLAIN_PRINCIPAL_H

#include "explain/method.h"

/* a: [N, C, h, w]. The positions' projections on the direction of channels along which they vary
 * most, centred, [N, h, w]; of the two signs the one whose larger extreme is positive. */
sal_vid sal_build_principal(sal_method_build *m, sal_vid a);
/* The same under the kernel tanh(gamma x . y + 1). */
sal_vid sal_build_kernel_principal(sal_method_build *m, sal_vid a, double gamma);

#endif
