/* Explaining a model's answer: methods, questions, results.
 *
 * A question is a weight for each class (or other element of one output): the target is
 * T = sum(weights * logits). "Why 3" is 1 at 3; "why 3 and not 5" is 1 at 3 and -1 at 5. Every
 * method explains any question. */
#ifndef SALIENCE_EXPLAIN_H
#define SALIENCE_EXPLAIN_H

#include <salience/error.h>
#include <salience/labels.h>
#include <salience/model.h>
#include <salience/run.h>
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
    const char *aliases; /* other names it is known by, separated by spaces; NULL when none */
} sal_method_info;

/* The table of methods, in the order in which they are listed. */
SAL_API size_t sal_method_count(void);
/* NULL beyond the end. Static. */
SAL_API const sal_method_info *sal_method_at(size_t i);
/* By name or alias; NULL when unknown. Static. */
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
    const sal_tensor *features; /* for methods that remove features: whole numbers from 0, one for
                                   each position of a sample or for each element, equal where
                                   elements go together; NULL: made by the method */
    /* Baselines of methods that compare with some: one, of the explained input's shape without its
     * first dimension or with a first dimension of 1, or several along the first dimension;
     * float32. NULL: the method's parameters say. */
    const sal_tensor *baselines;
    bool whole; /* run the whole model for every change of the input, also where a part would do */
} sal_explain_opts;

#define SAL_EXPLAIN_OPTS_INIT                                                                      \
    {                                                                                              \
        (uint32_t)sizeof(sal_explain_opts), NULL, NULL, 0, NULL, NULL, NULL, false, 1, 0, 0,       \
            SAL_F32, NULL, NULL, NULL, NULL, false                                                 \
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

/* ---- questions in words ---- */

/* Each text is an index ("207"), an element of an output that is no list of classes ("12,40"), a
 * set of elements ("name[5]", "name[:,3,10:20]": A:B from A to before B, : all, axes that are not
 * named all) of which the mean is meant, or with "sum(name[..])" the sum, "top" (the class with the
 * largest logit; "top2" the second, and so on), or a name or WordNet id. No `why`: the top class.
 * Several are averaged.
 *
 * With a region, the output is a picture of classes ([classes, h, w], [h, w, classes] or [h, w]),
 * and a class means the mean of its logits in the region; sets of elements are cut to it. */
typedef struct sal_question {
    const char *const *why;
    size_t n_why;
    const char *const *not_;
    size_t n_not;
    const sal_tensor *region; /* [h, w], not 0 inside, brought to the output's size; NULL: none */
} sal_question;

/* A question as weights of the classes. */
typedef struct sal_asked {
    sal_tensor weights;  /* float32 [1 or n, classes] */
    int64_t *why, *foil; /* classes found (of a set of elements its first), those of sample s from s
                          * n_why (s * n_not) on */
    size_t n_why, n_not; /* for each sample */
    size_t rows;         /* samples with weights of their own: 1 or n */
    char *text;          /* of the first sample: "why 207 golden retriever, not 281 tabby" */
    char *notes;         /* which class an ambiguous name was taken for; NULL when none was */
} sal_asked;

#define SAL_ASKED_INIT                                                                             \
    {                                                                                              \
        SAL_TENSOR_INIT, NULL, NULL, 0, 0, 0, NULL, NULL                                           \
    }

/* Release and reset. Accepts NULL. */
SAL_API void sal_asked_free(sal_asked *a);

/* ---- explaining ---- */

/* One prepared method: its graph and the plans for the shapes met lately. Belongs to one thread at
 * a time; keeps what it needs of the model. */
typedef struct sal_explain_plan sal_explain_plan;

/* Prepare. `like`: the model's inputs, whose free dimensions other than the batch are fixed to
 * these; NULL when there are none. Strings of opts are needed during the call only. *out:
 * sal_explain_plan_free(). Errors: SAL_EINVAL (no such method, parameter, layer, input or output),
 * SAL_ESHAPE, SAL_ENOGRAD (names the node in the way). */
SAL_API SAL_MUST_USE sal_status sal_explain_plan_new(sal_explain_plan **out, const sal_model *model,
                                                     const sal_explain_opts *opts,
                                                     const sal_tensor *like, sal_error *err);
/* Accepts NULL. */
SAL_API void sal_explain_plan_free(sal_explain_plan *p);

/* What the method is applied to. The strings are borrowed from the plan. */
typedef struct sal_explain_target {
    size_t input; /* index among the model's inputs */
    const char *input_name, *output_name;
    const char *logits_name; /* the value that is differentiated: what a final softmax reads */
    int64_t classes;         /* elements of a sample of it */
    int64_t height, width;   /* of the input picture; 0 when it is none */
    bool batched, channels_last;
    const char *layer; /* name and shape of the layer a CAM shows; NULL for other methods */
    const char *notes; /* what a reader of the map should know; NULL when nothing */
} sal_explain_target;

/* Fill *out. */
SAL_API void sal_explain_plan_target(const sal_explain_plan *p, sal_explain_target *out);

/* What the query weighs, for every sample: *out is yours, sal_tensor_free(). */
SAL_API SAL_MUST_USE sal_status sal_explain_plan_logits(sal_explain_plan *p,
                                                        const sal_tensor *inputs, sal_tensor *out,
                                                        sal_error *err);
/* Find the classes a question means. logits: of sal_explain_plan_logits() or of an explanation, to
 * be used where the answer depends on them; NULL: computed when that is so. labels: NULL when the
 * classes have no names. *out: sal_asked_free(). */
SAL_API SAL_MUST_USE sal_status sal_explain_plan_ask(sal_explain_plan *p, const sal_tensor *inputs,
                                                     const sal_question *question,
                                                     const sal_tensor *logits,
                                                     const sal_labels *labels, sal_asked *out,
                                                     sal_error *err);
/* Explain. weights: float32, one for each class, or as many for each sample. *out:
 * sal_explanation_free(). Errors: SAL_ECANCELLED when the progress function said so. */
SAL_API SAL_MUST_USE sal_status sal_explain_plan_run(sal_explain_plan *p, const sal_tensor *inputs,
                                                     const sal_tensor *weights,
                                                     sal_explanation *out, sal_error *err);
/* What the plan that ran last consists of, as in run.h. */
SAL_API void sal_explain_plan_stats(const sal_explain_plan *p, sal_run_stats *out);
SAL_API SAL_MUST_USE sal_status sal_explain_plan_describe(const sal_explain_plan *p, char **out,
                                                          sal_error *err);
/* Run that plan once more and give the milliseconds of every step; methods of many runs cannot be
 * measured so (SAL_EUNSUPPORTED). */
SAL_API SAL_MUST_USE sal_status sal_explain_plan_profile(sal_explain_plan *p,
                                                         const sal_tensor *inputs,
                                                         const sal_tensor *weights, double *ms,
                                                         sal_error *err);

/* All in one: prepare, ask, explain, release. asked may be NULL. */
SAL_API SAL_MUST_USE sal_status sal_explain(sal_explanation *out, const sal_model *model,
                                            const sal_tensor *inputs, const sal_question *question,
                                            const sal_labels *labels, const sal_explain_opts *opts,
                                            sal_asked *asked, sal_error *err);

/* Write model and method as one ONNX file: the model's inputs and outputs, the input `query` [batch
 * or 1, classes] and the output `saliency`, in standard operators. *info (may be NULL) tells layer
 * and notes, one line each; sal_text_free(). */
SAL_API SAL_MUST_USE sal_status sal_explain_export(const sal_model *model,
                                                   const sal_explain_opts *opts, const char *path,
                                                   char **info, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
