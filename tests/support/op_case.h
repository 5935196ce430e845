/* The test cases of operator descriptors (grammar: graph/op.h) as graphs of one node. */
#ifndef SAL_TESTS_OP_CASE_H
#define SAL_TESTS_OP_CASE_H

#include "graph/op.h"

enum { OP_CASE_MAX = 16 };

typedef struct op_case_input {
    bool omitted, is_const, wrt;
    sal_dtype dtype;
    int rank;
    int64_t dims[SAL_MAX_RANK];
    double lo, hi;      /* of random values */
    const char *values; /* text between the braces; NULL: random */
} op_case_input;

typedef struct op_case {
    const sal_op_desc *op;
    const char *text;
    int n_in, n_attr, n_out;
    op_case_input in[OP_CASE_MAX];
    sal_attr attr[OP_CASE_MAX];
    bool nograd, nofd2, noort;
    bool dynamic; /* op_case_graph: the first dimension of float inputs is a symbol, unless it is 1
                   */
    sal_arena arena;
} op_case;

/* False with a message in err when the text does not follow the grammar. Free in any case. */
bool op_case_parse(op_case *c, const sal_op_desc *op, const char *text, sal_error *err);
void op_case_free(op_case *c);

/* Input i: floats in `real` (SAL_F32 or SAL_F64; values are exact in float32, the same for both).
 */
sal_status op_case_tensor(const op_case *c, int i, sal_dtype real, uint64_t seed, sal_tensor *out,
                          sal_error *err);
/* Graph of the one node, inferred. The inputs that are not constants are graph inputs called in0,
 * in1 ...; all outputs are graph outputs. ids: value of input i of the case, SAL_NONE when omitted
 * (may be NULL). inputs: tensors of the graph's inputs, in order; free each. */
sal_status op_case_graph(const op_case *c, sal_dtype real, uint64_t seed, sal_graph **g,
                         sal_node **node, sal_vid *ids, sal_tensor *inputs, sal_error *err);
/* New graph input of v's type with a made-up name, and uniform numbers in -1..1 for it. */
sal_status op_case_seed(sal_graph *g, sal_vid like, uint64_t seed, uint64_t stream, sal_vid *out,
                        sal_tensor *t, sal_error *err);

#endif
