/* A model that was read from a file: what it takes, what it gives, what it consists of. */
#ifndef SALIENCE_MODEL_H
#define SALIENCE_MODEL_H

#include <salience/error.h>
#include <salience/image.h>
#include <salience/labels.h>
#include <salience/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable once open; threads may share it. */
typedef struct sal_model sal_model;

/* Read an ONNX file. *out is yours, sal_model_free(); NULL on failure. Messages begin with the
 * file's name. Errors: SAL_EIO, SAL_EFORMAT (damaged), SAL_EUNSUPPORTED (names every operator that
 * is missing), SAL_ESHAPE, SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_model_open(sal_model **out, const char *path, sal_error *err);
/* The same for callers who want each weight in memory once: the first runner or plan made of the
 * model takes the weights over, in the form that it computes with, and the next reads the file
 * again. The file must stay as it is meanwhile (SAL_EIO if not), and the model must outlive what
 * was made of it. */
SAL_API SAL_MUST_USE sal_status sal_model_open_lean(sal_model **out, const char *path,
                                                    sal_error *err);
/* The same as sal_model_open() from memory; `name` (NULL: "model") begins the messages. Tensors in
 * other files are refused, and no file beside it is looked for. `bytes` is not needed afterwards.
 */
SAL_API SAL_MUST_USE sal_status sal_model_open_memory(sal_model **out, const void *bytes, size_t n,
                                                      const char *name, sal_error *err);
/* Write the model as an ONNX file of operator set 20 or what its operators need at least; packed
 * weights of language models as float32. Weights beyond 1.9 GB go to PATH.data. The file appears
 * whole or not at all. Errors: SAL_EUNSUPPORTED (names the node that ONNX cannot say), SAL_EIO,
 * SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_model_export(const sal_model *m, const char *path,
                                                 sal_error *err);
/* Accepts NULL. */
SAL_API void sal_model_free(sal_model *m);

/* ---- inputs, outputs, inner values ---- */

typedef struct sal_value_info {
    const char *name; /* borrowed from the model */
    sal_dtype dtype;
    int32_t rank;               /* -1: not known */
    int64_t dims[SAL_MAX_RANK]; /* -1: free */
    char type[192];             /* "float32[N,3,224,224]" */
} sal_value_info;

/* How many inputs and outputs. */
SAL_API size_t sal_model_input_count(const sal_model *m);
SAL_API size_t sal_model_output_count(const sal_model *m);
/* Input or output i; false beyond the end. */
SAL_API bool sal_model_input(const sal_model *m, size_t i, sal_value_info *out);
SAL_API bool sal_model_output(const sal_model *m, size_t i, sal_value_info *out);
/* Any value by name; false when there is none. */
SAL_API bool sal_model_value(const sal_model *m, const char *name, sal_value_info *out);
/* The value's name, or the value of a node's name, that is most like `name`; NULL when nothing is
 * like it. Borrowed. */
SAL_API const char *sal_model_similar(const sal_model *m, const char *name);

/* ---- models that begin in the middle ---- */

/* A model with one input more: the inner value of this name, which is not computed any longer but
 * given. So anything inside can be explained like an input: the embeddings of a text's tokens, a
 * feature map. Its shape is the one known before. *out: sal_model_free(). Errors: SAL_EINVAL (no
 * inner value of this name with floats of a known rank), SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_model_cut(sal_model **out, const sal_model *m,
                                              const char *value, sal_error *err);
/* Name of the value that holds the embeddings of a text model's tokens: `embeddings` of a language
 * model, else what a Gather takes from the largest table by the ids of an input. NULL when there is
 * none. Borrowed. */
SAL_API const char *sal_model_embedding(const sal_model *m);

/* ---- metadata ---- */

/* As given to sal_model_open(). */
SAL_API const char *sal_model_path(const sal_model *m);
/* Entry i of the file's metadata; false beyond the end. Borrowed. */
SAL_API bool sal_model_meta_at(const sal_model *m, size_t i, const char **key, const char **text);
/* Text of one key, NULL when absent. Borrowed. */
SAL_API const char *sal_model_meta(const sal_model *m, const char *key);

/* How pictures become the model's input, and where that was found ("sidecar x.json", "metadata",
 * "guess"), as text in `source` [n]. Looked for in MODEL.json (model.onnx -> model.json),
 * MODEL.onnx.json and preprocessor_config.json beside the model, then in its metadata (key
 * salience.preprocess); else the usual recipe for an input of this size is taken and *guessed is
 * true. Errors: SAL_EFORMAT for a damaged description, SAL_EINVAL when no input is a picture. */
SAL_API SAL_MUST_USE sal_status sal_model_preprocess(const sal_model *m, sal_preprocess *out,
                                                     bool *guessed, char *source, size_t n,
                                                     sal_error *err);
/* The names of the classes: a file named by the sidecar's key "labels", the metadata key
 * salience.labels (NAME: the file `folder`/NAME.tsv), else, for 1000 classes, imagenet-1k with
 * *guessed true. *out: sal_labels_free(), NULL when nothing is known. `classes`: of the output
 * asked about. */
SAL_API SAL_MUST_USE sal_status sal_model_labels(const sal_model *m, const char *folder,
                                                 int64_t classes, sal_labels **out, bool *guessed,
                                                 char *source, size_t n, sal_error *err);
/* PATH.json beside a model: where sal_model_preprocess() looks first. Returns buf. */
SAL_API const char *sal_model_sidecar(const char *model_path, char *buf, size_t n);

/* ---- what it consists of ---- */

typedef struct sal_model_stats {
    size_t nodes, constants;
    int64_t parameters; /* elements of floating-point constants and packed matrices */
    uint64_t parameter_bytes;
    int64_t macs;         /* multiply-adds of one sample; -1 when shapes are not known */
    int opset;            /* of the file */
    const char *producer; /* borrowed; NULL when the file names none */
} sal_model_stats;

/* `shapes` (may be NULL) gives input shapes for counting: one tensor for each input, of which only
 * rank and dims are read; rank -1 leaves an input as it is, with a free first dimension of 1. */
SAL_API SAL_MUST_USE sal_status sal_model_get_stats(const sal_model *m, const sal_tensor *shapes,
                                                    sal_model_stats *out, sal_error *err);

typedef struct sal_model_op {
    const char *name;       /* operator */
    size_t count;           /* nodes */
    const char *derivative; /* as in sal_op_info */
} sal_model_op;

/* Operators of the model by falling count. *ops is yours, sal_text_free(). */
SAL_API SAL_MUST_USE sal_status sal_model_ops(const sal_model *m, sal_model_op **ops, size_t *n,
                                              sal_error *err);

typedef enum sal_model_view {
    SAL_VIEW_TEXT, /* one line a node */
    SAL_VIEW_DOT,  /* for Graphviz */
} sal_model_view;

/* The graph for people. *out is yours, sal_text_free(). */
SAL_API SAL_MUST_USE sal_status sal_model_text(const sal_model *m, sal_model_view view, char **out,
                                               sal_error *err);
/* Free what this library allocated for a caller. Accepts NULL. */
SAL_API void sal_text_free(void *text);

#ifdef __cplusplus
}
#endif
#endif
