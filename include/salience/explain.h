/* Explaining a model's answer: methods, questions, results.
 *
 * A question is a weight for each class (or other element of one output): the target is
 * T = sum(weights * logits). "Why 3" is 1 at 3; "why 3 and not 5" is 1 at 3 and -1 at 5. Every
 * method explains any question. */
#ifndef SALIENCE_EXPLAIN_H
#define SALIENCE_EXPLAIN_H

#include <salience/error.h>
#include <salience/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the methods and their parameters ---- */

typedef enum sal_param_kind { SAL_PARAM_INT, SAL_PARAM_FLOAT } sal_param_kind;

typedef struct sal_param_info {
    const char *name;
    sal_param_kind kind;
    double fallback, min, max;
    const char *help;
} sal_param_info;

typedef enum sal_method_kind {
    SAL_METHOD_ATTRIBUTION,  /* a value for every input element, from derivatives */
    SAL_METHOD_CAM,          /* a map of one layer, brought to the input's size */
    SAL_METHOD_PERTURBATION, /* from forward passes alone */
} sal_method_kind;

typedef struct sal_method_info {
    const char *name;      /* as in `--method` */
    const char *title;     /* for people */
    const char *reference; /* paper or origin */
    sal_method_kind kind;
    bool is_signed;  /* the map has positive and negative values */
    bool exportable; /* can be written as an ONNX graph */
    bool wants_layer;
    size_t n_params;
    const sal_param_info *params;
} sal_method_info;

/* The table of methods, in the order in which they are listed. */
SAL_API size_t sal_method_count(void);
/* NULL beyond the end. Static. */
SAL_API const sal_method_info *sal_method_at(size_t i);
/* NULL when unknown. Static. */
SAL_API const sal_method_info *sal_method_find(const char *name);
/* "attribution", "cam", "perturbation". Static. */
SAL_API const char *sal_method_kind_name(sal_method_kind kind);

/* A parameter that differs from its default. */
typedef struct sal_param {
    const char *name;
    double value;
} sal_param;

/* ---- what to explain ---- */

/* Called now and then with the share of the work done, 0..1. Return false to stop: the call then
 * fails with SAL_ECANCELLED. */
typedef bool (*sal_progress_fn)(void *ctx, double done);

typedef struct sal_explain_opts {
    uint32_t struct_size; /* set by SAL_EXPLAIN_OPTS_INIT; fields are only appended */
    const char *method;   /* NULL: "grad-cam" */
    const sal_param *params;
    size_t n_params;
    const char *layer; /* value or node name for methods that want a layer; NULL: found by itself */
    const char *input; /* input to explain; NULL: the first that holds floats */
    const char *output;  /* output to ask about; NULL: the first that holds floats */
    bool probabilities;  /* differentiate the output as it is, not the logits before its softmax */
    uint64_t seed;       /* of the methods that draw random numbers */
    int batch;           /* samples evaluated together by methods that need many; 0: chosen */
    int threads;         /* 0: all */
    sal_dtype precision; /* SAL_F32 or SAL_BF16 */
    sal_progress_fn progress; /* may be NULL */
    void *progress_ctx;
} sal_explain_opts;

#define SAL_EXPLAIN_OPTS_INIT                                                                      \
    {                                                                                              \
        (uint32_t)sizeof(sal_explain_opts), NULL, NULL, 0, NULL, NULL, NULL, false, 1, 0, 0,       \
            SAL_F32, NULL, NULL                                                                    \
    }

/* ---- the result ---- */

typedef struct sal_explanation {
    sal_tensor map;       /* attribution: the input's shape; else [N, H, W]. Never normalised. */
    sal_tensor layer_map; /* CAMs: the map at the layer's size [N, h, w]; else empty */
    sal_tensor logits;    /* what the query weighs, [N, classes] or the output's shape */
    bool is_signed;
    size_t n;                /* samples */
    double *target;          /* [n] T(x) */
    double *baseline_target; /* [n] T(baseline) where the method has a baseline, else NULL */
    double
        *residual; /* [n] sum(map) - (T(x) - T(baseline)); NULL when the method promises nothing */
    char *layer;   /* name and shape of the layer used; NULL when none */
    char *output;  /* name of the value that was differentiated */
    char *notes;   /* what the reader should know; NULL when nothing */
} sal_explanation;

#define SAL_EXPLANATION_INIT                                                                       \
    {                                                                                              \
        SAL_TENSOR_INIT, SAL_TENSOR_INIT, SAL_TENSOR_INIT, false, 0, NULL, NULL, NULL, NULL, NULL, \
            NULL                                                                                   \
    }

/* Release and reset. Accepts NULL. */
SAL_API void sal_explanation_free(sal_explanation *e);

#ifdef __cplusplus
}
#endif
#endif
