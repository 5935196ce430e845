/* Matrices kept in a packed format (base/block_type.h): uint8 [rows, bytes of a row], with the
 * attributes `type` (name of the format) and `columns` (numbers in a row). */
#ifndef SAL_OPS_PACKED_H
#define SAL_OPS_PACKED_H

#include "base/block_type.h"
#include "ops/builder.h"
#include "ops/infer.h"

typedef struct sal_packed_matrix {
    const sal_block_type *type;
    int64_t columns;
    size_t row_bytes;
} sal_packed_matrix;

/* From the node's attributes; SAL_EINVAL when they make no sense. */
sal_status sal_packed_of(sal_packed_matrix *m, const sal_node *n, sal_error *err);
/* The same, and that input i is such a matrix as far as its shape is known. *rows: its dimension.
 */
sal_status sal_packed_check(sal_infer *c, int i, sal_packed_matrix *m, int64_t *rows);
/* Row r of the matrix as floats. */
void sal_packed_row(const sal_packed_matrix *m, const sal_tensor *w, int64_t r, float *to);
/* The matrix of input i as a float value (an Unpack node). */
sal_vid sal_packed_unpacked(sal_builder *b, const sal_node *n, int i);

#endif
