/* Equations of Einsum. */
#ifndef SAL_OPS_CORE_EINSUM_PARSE_H
#define SAL_OPS_CORE_EINSUM_PARSE_H

#include "ops/builder.h"

#define SAL_EINSUM_INPUTS 16
/* 26 + 26 letters, then one label for every axis that an ellipsis can stand for, counted from its
 * end. */
#define SAL_EINSUM_LABELS (52 + SAL_MAX_RANK)

/* Labels of one operand or of the output, one an axis. */
typedef struct sal_einsum_term {
    int n;
    int label[SAL_MAX_RANK];
} sal_einsum_term;

typedef struct sal_einsum {
    int n_in;
    sal_einsum_term in[SAL_EINSUM_INPUTS], out;
    bool used[SAL_EINSUM_LABELS];
    int64_t size[SAL_EINSUM_LABELS]; /* dimension (may be a symbol); 1 when every axis with the
                                        label is 1 */
} sal_einsum;

/* Read an equation for inputs of these ranks and shapes. Without "->" the output has the ellipsis'
 * axes, then the letters that occur once, in alphabetical order. */
sal_status sal_einsum_parse(sal_einsum *e, const char *equation, int n_in, const int *ranks,
                            const int64_t *const *dims, sal_error *err);
/* The same for a node of the graph; ranks must be known. */
sal_status sal_einsum_of_node(sal_einsum *e, const sal_graph *g, const sal_node *n, sal_error *err);
/* Axis of a label in a term, -1 when absent. */
int sal_einsum_find(const sal_einsum_term *t, int label);
/* Write terms as an equation without ellipsis; labels are renamed. buf holds SAL_EINSUM_TEXT bytes.
 */
#define SAL_EINSUM_TEXT ((SAL_EINSUM_INPUTS + 2) * (SAL_MAX_RANK + 2) + 8)
sal_status sal_einsum_text(char *buf, int n_in, const sal_einsum_term *in,
                           const sal_einsum_term *out, sal_error *err);

#endif
