/* The library's tables, as `salience list` shows them. Methods are in explain.h. */
#ifndef SALIENCE_CATALOGUE_H
#define SALIENCE_CATALOGUE_H

#include <salience/export.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sal_op_info {
    const char *name;
    /* "ai.onnx", "com.microsoft" (operators of ONNX Runtime, written in ONNX's own when a file is
     * read) or "salience" (internal) */
    const char *domain;
    bool internal;              /* made by differentiation, exported as standard operators */
    int since;                  /* oldest operator set with this form */
    int min_inputs, max_inputs; /* max -1: any number */
    /* "own", "expansion" (of the operators it is made of), "zero" (comparisons, shapes) or "none"
     */
    const char *derivative;
} sal_op_info;

/* The table of operators. */
SAL_API size_t sal_op_info_count(void);
/* False beyond the end. The strings are static. */
SAL_API bool sal_op_info_at(size_t i, sal_op_info *out);

typedef struct sal_rule_info {
    const char *name, *help;
} sal_rule_info;

/* The table of rule sets for differentiation. */
SAL_API size_t sal_rule_count(void);
/* False beyond the end. The strings are static. */
SAL_API bool sal_rule_at(size_t i, sal_rule_info *out);

typedef struct sal_target_info {
    const char *form, *example, *help;
} sal_target_info;

/* The forms that a target of `--why` and `--not` can take. */
SAL_API size_t sal_target_count(void);
/* False beyond the end. The strings are static. */
SAL_API bool sal_target_at(size_t i, sal_target_info *out);

typedef struct sal_policy_info {
    const char *name, *help;
    double bits; /* of a number of a key or value, scales included */
} sal_policy_info;

/* The table of policies of the key-value cache. */
SAL_API size_t sal_policy_count(void);
/* False beyond the end. The strings are static. */
SAL_API bool sal_policy_at(size_t i, sal_policy_info *out);

typedef struct sal_architecture_info {
    const char *name, *help;
} sal_architecture_info;

/* The table of families of language models. */
SAL_API size_t sal_architecture_info_count(void);
/* False beyond the end. The strings are static. */
SAL_API bool sal_architecture_info_at(size_t i, sal_architecture_info *out);

#ifdef __cplusplus
}
#endif
#endif
