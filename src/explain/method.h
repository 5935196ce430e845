/* What a method is. One const descriptor a method, at the end of src/explain/methods/<id>.c; its
 * row in src/explain/methods.def is the only other edit. Program, documentation and tests derive
 * from the table. */
#ifndef SAL_EXPLAIN_METHOD_H
#define SAL_EXPLAIN_METHOD_H

#include "diff/diff.h"
#include "explain/layer.h"
#include "explain/target.h"
#include "ops/builder.h"

#include <salience/explain.h>

#define SAL_METHOD_MAX_PARAMS 8

typedef struct sal_method_desc sal_method_desc;
typedef struct sal_explainer sal_explainer;

/* What a method's graph is built from. */
typedef struct sal_method_build {
    sal_builder *b;
    const sal_method_desc *method;
    const sal_target *target;
    const sal_layer *layer; /* only for methods that want one */
    const double *params;   /* by index in method->info.params */
    uint64_t seed;
    sal_bytes *notes;
    const sal_tensor *baselines; /* given ones, see sal_explain_opts; NULL: none */
    const sal_vid *pair;         /* for rules with pairs: sal_rules.pair */
    size_t n_pair;
    sal_vid other;     /* out: a second input of the explained input's shape, SAL_NONE: none */
    sal_vid saliency;  /* out: the map */
    sal_vid layer_map; /* out: CAMs, the map at the layer's size */
} sal_method_build;

/* What a method that loops over evaluations works on: one explanation for all samples of the input.
 */
typedef struct sal_method_run {
    sal_explainer *e;
    const double *params;
    uint64_t seed;
    const sal_tensor *inputs;    /* of the model, in graph order */
    const sal_tensor *query;     /* [1 or n, ...] */
    const sal_tensor *baselines; /* given ones; NULL: none */
    sal_explanation *out;        /* map is allocated (zeroed) in its final shape */
    sal_error *err;
} sal_method_run;

struct sal_method_desc {
    sal_method_info info;
    const char *rules; /* rule set of the graph that is built; NULL: gradient */
    /* The graph from input and query to the map. With `run`: the graph of one evaluation, NULL for
     * methods that only need forward passes. */
    sal_status (*build)(sal_method_build *m);
    /* For methods that need many evaluations. NULL: one evaluation of the graph is the result. */
    sal_status (*run)(sal_method_run *r);
    /* Nodes to be written out in simpler ones beforehand; NULL: those that the rules name. */
    bool (*write_out)(const sal_graph *g, const sal_node *n, void *ctx);
    /* The whole method as one graph, where `build` is but one evaluation of it. */
    sal_status (*build_export)(sal_method_build *m);
    /* sum(map) is promised to be T(x) - T(baseline); T(baseline) is evaluated when there is one. */
    bool complete;
    bool by_input; /* the graph's derivative is taken by the input alone: inner values may shrink */
    bool flat;     /* the map of a picture is [N, H, W], whatever the kind */
    bool merge;    /* batch normalisation is folded into the layers before */
    bool any_layer; /* the layer need not be a grid over the input */
};

const sal_method_desc *sal_method_desc_find(const char *name);

/* ---- for the methods' files ---- */

/* A parameter's value by name; 0 when the method has none of this name. */
double sal_method_param(const sal_method_desc *d, const double *params, const char *name);

/* dT/d(wrt) under the method's rule set (relevance for relevance rules). */
sal_vid sal_build_gradient(sal_method_build *m, sal_vid wrt);
/* The same for n values at once under the rule set of that name; NULL: the plain gradient. */
void sal_build_gradients(sal_method_build *m, const char *rules, int n, const sal_vid *wrt,
                         sal_vid *grads);
/* As `build` of a method that is its rule set and nothing else: the map is dT/dx under it. */
sal_status sal_build_attribution(sal_method_build *m);
/* Note when the model has no rectifier, so that a rule for rectifiers changes nothing. */
void sal_build_note_rectifiers(sal_method_build *m);
/* The layer as a grid: activations and gradient as [N, C, h, w]. */
void sal_build_layer(sal_method_build *m, sal_vid *activations, sal_vid *gradient);
/* Finish a CAM from [N, h, w] before its final ReLU: sets layer_map and saliency (bilinear,
 * half-pixel centres, to the input's height and width). */
void sal_build_cam(sal_method_build *m, sal_vid map);
/* A map [N, h, w] at the size of the input picture, [N, H, W]; itself when the input is none. */
sal_vid sal_build_enlarged(sal_method_build *m, sal_vid map);

#endif
