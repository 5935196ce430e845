/* The layer whose map a CAM shows. */
#ifndef SAL_EXPLAIN_LAYER_H
#define SAL_EXPLAIN_LAYER_H

#include "explain/target.h"

typedef enum sal_layer_layout {
    SAL_LAYER_NCHW,
    SAL_LAYER_NHWC,
    SAL_LAYER_TOKENS,         /* [N, T, C], T = extra + h * w */
    SAL_LAYER_CHANNELS_FIRST, /* [N, C, T] */
    SAL_LAYER_PLAIN,          /* no grid over the input */
} sal_layer_layout;

typedef struct sal_layer {
    sal_vid value;
    sal_layer_layout layout;
    int64_t channels, height, width;
    int64_t extra; /* leading tokens that are no patches (class token, registers) */
} sal_layer;

/* Find the layer: by the name of a value or node (with `any` one that is no grid too), or (name
 * NULL) the last one with a spatial grid whose positions the target still depends on. */
sal_status sal_layer_find(sal_layer *out, const sal_graph *g, const sal_target *t, const char *name,
                          bool any, sal_error *err);
/* The layer's value (or its gradient) as [N, C, h, w]. */
sal_vid sal_layer_grid(sal_builder *b, const sal_layer *layer, sal_vid v);
/* Where channel c at grid position p stands among the values of one sample. */
size_t sal_layer_at(const sal_layer *layer, int64_t c, int64_t p);
/* "name float32[N,1280,7,7]" and what was made of it. */
sal_status sal_layer_describe(const sal_graph *g, const sal_layer *layer, sal_bytes *out,
                              sal_error *err);

#endif
