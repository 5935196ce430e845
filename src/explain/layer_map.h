/* Attributions to the elements of a layer, and by way of one of them. */
#ifndef SAL_EXPLAIN_LAYER_MAP_H
#define SAL_EXPLAIN_LAYER_MAP_H

#include "explain/method.h"

/* Index, counted in row-major order within a sample, of the layer's element that is asked about. */
#define SAL_NEURON_PARAM                                                                           \
    {                                                                                              \
        "neuron", SAL_PARAM_INT, 0, 0, 2147483647.0,                                               \
            "element of the layer, counted in row-major order within a sample"                     \
    }

/* The result is `values`, of the layer's shape: layer_map is that, saliency its sum over the
 * channels, brought to the input's size (bilinear, half-pixel centres); the same as layer_map when
 * the layer is no grid over a picture. */
void sal_build_layer_values(sal_method_build *m, sal_vid values);
/* The same outside graphs, for sample s: values of the layer's elements of that sample. */
sal_status sal_layer_store(const sal_method_run *r, size_t s, const double *values);
/* Elements of a sample of the layer; 0 when its shape is not known. */
size_t sal_layer_elements(const sal_method_run *r);

/* One at the layer's element that the parameter `neuron` names, zero elsewhere; the layer's shape.
 */
sal_vid sal_build_neuron(sal_method_build *m);
/* d(sum(seed * layer)) / dx. */
sal_vid sal_build_layer_pullback(sal_method_build *m, sal_vid seed);

#endif
