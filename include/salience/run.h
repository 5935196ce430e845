/* Running a model, and differentiating any of its values by any others.
 *
 *     sal_runner_new(&r, model, &opts, &err);
 *     sal_runner_run(r, inputs, NULL, &err);
 *     const sal_tensor *y = sal_runner_output(r, 0);
 */
#ifndef SALIENCE_RUN_H
#define SALIENCE_RUN_H

#include <salience/error.h>
#include <salience/model.h>
#include <salience/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Plans for the input shapes met lately. Belongs to one thread at a time; keeps what it needs of
 * the model, which may be freed before it. */
typedef struct sal_runner sal_runner;

typedef struct sal_runner_opts {
    uint32_t struct_size;       /* set by SAL_RUNNER_OPTS_INIT; fields are only appended */
    const char *const *outputs; /* names of any values of the model; NULL: its outputs */
    size_t n_outputs;
    const char *of;         /* value to be differentiated; NULL: no gradient */
    const char *const *wrt; /* values to differentiate by, inputs or inner ones */
    size_t n_wrt;
    const char *rules;   /* rule set (sal_rule_at()); NULL: "gradient" */
    int threads;         /* 0: all */
    sal_dtype precision; /* SAL_F32 or SAL_BF16 */
    bool reference;      /* every node by its slow evaluator, for comparison */
} sal_runner_opts;

/* How many threads 0 stands for. */
SAL_API int sal_threads(void);

#define SAL_RUNNER_OPTS_INIT                                                                       \
    {                                                                                              \
        (uint32_t)sizeof(sal_runner_opts), NULL, 0, NULL, NULL, 0, NULL, 0, SAL_F32, false         \
    }

/* Strings of opts are copied. *out: sal_runner_free(). Errors: SAL_EINVAL (no such value). */
SAL_API SAL_MUST_USE sal_status sal_runner_new(sal_runner **out, const sal_model *model,
                                               const sal_runner_opts *opts, sal_error *err);
/* Accepts NULL. */
SAL_API void sal_runner_free(sal_runner *r);

/* One tensor for each model input, in order and of its element type; shapes that were not met
 * before are planned first. seed: with a gradient, what the gradient of `of` begins with, in its
 * shape and element type; NULL: ones. Errors: SAL_ESHAPE, SAL_ENOGRAD, SAL_ENOMEM. */
SAL_API SAL_MUST_USE sal_status sal_runner_run(sal_runner *r, const sal_tensor *inputs,
                                               const sal_tensor *seed, sal_error *err);
/* Outputs: the values asked for, then the gradients by each `wrt`. */
SAL_API size_t sal_runner_output_count(const sal_runner *r);
/* Output i of the last run; borrowed until the next run. NULL beyond the end and before a run. */
SAL_API const sal_tensor *sal_runner_output(const sal_runner *r, size_t i);

/* What the last plan that ran consists of. */
typedef struct sal_run_stats {
    size_t steps;           /* kernel launches a run */
    size_t reference_steps; /* of them on slow reference code */
    size_t arena_bytes;     /* activations */
    size_t weight_bytes;    /* prepared weights */
    size_t scratch_bytes;
} sal_run_stats;

/* All zero before a run. */
SAL_API void sal_runner_stats(const sal_runner *r, sal_run_stats *out);
/* One line a step: kernel, implementation, node, shapes. *out: sal_text_free(). */
SAL_API SAL_MUST_USE sal_status sal_runner_describe(const sal_runner *r, char **out,
                                                    sal_error *err);
/* Run, and give the milliseconds of every step of the plan (stats.steps numbers in `ms`). */
SAL_API SAL_MUST_USE sal_status sal_runner_profile(sal_runner *r, const sal_tensor *inputs,
                                                   const sal_tensor *seed, double *ms,
                                                   sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
