/* Declarations of every operator's descriptor, from the table. */
#ifndef SAL_OPS_TABLE_H
#define SAL_OPS_TABLE_H
#include "graph/op.h"
#define SAL_OP(id) extern const sal_op_desc sal_op_##id;
#include "ops/ops.def"
#undef SAL_OP
#endif
