/* Which element-wise nodes the tile engine runs, and how (kernels/elementwise.c). */
#ifndef SAL_EXEC_TILE_H
#define SAL_EXEC_TILE_H

#include "exec/isa.h"
#include "exec/plan.h"

enum {
    SAL_MAX_TILE_NODES = 32,
    SAL_MAX_TILE_OPERANDS = 24,
    SAL_MAX_TILE_INSTR = SAL_MAX_TILE_NODES * 4
};

/* The instruction of a node, with its parameters; false when the engine has none. Variadic
 * operators (Sum, Min, Max, Mean) give the instruction that joins two operands. */
bool sal_tile_code(const sal_graph *g, const sal_node *n, sal_tile_op *op, float *p0, float *p1,
                   int *operands);
/* True when the node's types and operator are the engine's. */
bool sal_tile_supports(const sal_plan *p, const sal_node *n);
/* True when node n can join the group without exceeding the engine's limits. */
bool sal_tile_fits(const sal_plan *p, const sal_group *gr, const sal_node *n);
/* A scalar constant's value; false when v is none. */
bool sal_scalar_constant(const sal_graph *g, sal_vid v, double *out);
/* True when an operator of kernels.def takes an epilogue. */
bool sal_kernel_anchors(const char *op);

#endif
