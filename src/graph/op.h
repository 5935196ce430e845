/* What an operator is. One const descriptor an operator, at the end of its file src/ops/<id>.c; its
 * row in src/ops/ops.def is the only other edit. Build, program, documentation and tests derive
 * from the table. */
#ifndef SAL_GRAPH_OP_H
#define SAL_GRAPH_OP_H

#include "graph/graph.h"

#define SAL_DOMAIN_ONNX     ""
#define SAL_DOMAIN_INTERNAL "salience" /* operators that ONNX lacks; all have `expand` */
/* Operators of ONNX Runtime, all SAL_OP_ON_READ: nothing behind the reader meets them. */
#define SAL_DOMAIN_ORT      "com.microsoft"

enum sal_op_flags {
    SAL_OP_ELEMENTWISE = 1u << 0, /* out[i] = f(in0[i], in1[i], ...) with NumPy broadcasting */
    SAL_OP_NOGRAD = 1u << 1, /* derivative is zero or undefined (comparisons, Shape, ArgMax, ...) */
    SAL_OP_MOVE = 1u << 2,   /* every output element is a copy of an input element, or a constant */
    SAL_OP_VIEW =
        1u << 3, /* output has the input's elements in the same order (Reshape, Squeeze...) */
    SAL_OP_DATA_SHAPE = 1u << 4, /* output shape depends on input values (NonZero ...) */
    SAL_OP_COMPOSITE = 1u << 5,  /* has no eval; expand defines it */
    SAL_OP_PIECEWISE = 1u << 6,  /* activation through which LRP passes relevance unchanged */
    SAL_OP_CONTROL = 1u << 7,    /* holds graphs; `unfold` puts them in its place */
    SAL_OP_EVAL = 1u << 8,       /* runs by eval; expand is for its derivative only */
    SAL_OP_ON_READ = 1u << 9,    /* expanded as soon as it is read from a file */
};

/* Shape and type inference of one node. Sets dtype, rank, dims (and `known` where shape arithmetic
 * runs through it) of the outputs; checks attributes and input shapes. Unknown input ranks (-1) are
 * possible: set what can be said. */
typedef struct sal_infer {
    sal_graph *g;
    const sal_node *node;
    sal_error *err;
} sal_infer;

/* Refuses inputs whose element types differ although the operator wants them alike (sal_op_desc).
 */
sal_status sal_infer_alike(const sal_infer *c);

/* Compute one node on dense row-major tensors. Inputs that the node omits are NULL, so are unwanted
 * outputs. Outputs are allocated (zeroed) with the inferred shape, except for SAL_OP_DATA_SHAPE
 * operators, which allocate them with sal_tensor_new. Supports every element type that the
 * operator's ONNX definition has; float64 gives the reference that tests compare with. Floats of 16
 * bits arrive as float32: the caller converts. Slow is fine, clear and right is a must;
 * single-threaded. */
typedef struct sal_eval {
    const sal_node *node;
    const sal_tensor *const *in; /* node->n_in pointers */
    sal_tensor *const *out;      /* node->n_out pointers */
    sal_error *err;
} sal_eval;

typedef struct sal_builder sal_builder; /* ops/builder.h */
typedef struct sal_unfold sal_unfold;   /* graph/passes/unfold.h */

/* Vector-Jacobian product of one node, as graph nodes. gout[i] is the gradient of output i,
 * SAL_NONE when it is zero. For each input i with need[i], set gin[i] (same shape as the input), or
 * leave SAL_NONE for zero. May read the node's inputs and outputs. Must not modify the node. */
typedef struct sal_vjp {
    sal_builder *b;
    const sal_node *node;
    const sal_vid *gout;
    const bool *need;
    sal_vid *gin;
} sal_vjp;

/* Bring a node read from an older opset to the descriptor's form (attributes that became inputs,
 * defaults that changed, optional outputs). `opset` is the file's version of the node's domain. The
 * node is not yet appended: change in/attr by the helpers of ops/upgrade.h; constants may be added
 * to the graph. */
typedef struct sal_upgrade {
    sal_graph *g;
    int opset;
    sal_node *node; /* n_in, in, n_attr, attr may be replaced by arena-allocated arrays */
    sal_error *err;
} sal_upgrade;

struct sal_op_desc {
    const char *name;
    const char *domain; /* NULL = SAL_DOMAIN_ONNX */
    int min_in, max_in; /* max_in -1: any number */
    uint32_t alike;     /* bit i: input i must have the element type of input 0 */
    int min_out, max_out;
    uint32_t flags;
    int since; /* oldest ai.onnx opset whose definition agrees with this descriptor's form (for
                  export) */
    sal_status (*upgrade)(sal_upgrade *u);
    sal_status (*infer)(sal_infer *c);
    sal_status (*eval)(const sal_eval *e);
    /* The same operator in simpler ones: builds nodes, sets out[i] for every wanted output. */
    sal_status (*expand)(sal_builder *b, const sal_node *n, sal_vid *out);
    sal_status (*vjp)(sal_vjp *v);
    /* Of operators that hold graphs: put the graphs in the node's place as soon as it is known how
     * often they run; *done says whether it was. The node has been inferred and stays when not. */
    sal_status (*unfold)(sal_unfold *u, const sal_node *n, bool *done);
    double grad_tol; /* relative, for the finite-difference test; 0 = 1e-6 (in float64) */
    /* Test cases, NULL-terminated: "inputs ; attributes ; options".
     *   inputs:     f32[2,3,8]            uniform in -1..1     f32[2,3]:0.1..2     uniform in the
     * range i64[3]{0,2,1}  f32[2]{1,-1}  bool[4]       given values        _   omitted attributes:
     * axis=1 alpha=0.5 (a float has a dot or exponent) pads=[1,1,1,1] scales=[0.5,2.0]
     * mode="linear" options:    out=2 (number of outputs)  nograd (skip derivative)  wrt=0,2
     * (inputs to differentiate; default all float inputs)  const=1,2 (inputs given as constants;
     * default: all integer inputs)  nofd2 (no second-order check)  noort (reason in a comment
     * beside it) */
    const char *const *cases;
};

/* Table of all operators (src/ops/table.c). */
size_t sal_op_count(void);
const sal_op_desc *sal_op_at(size_t i);
const sal_op_desc *sal_op_find(const char *domain, const char *name); /* NULL when unknown */

#endif
