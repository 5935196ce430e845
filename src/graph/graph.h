/* The graph: values, nodes, attributes, with ONNX semantics. Graphs that were read from a file,
 * made by differentiation or rewritten by a pass are all of this one type.
 *
 * A graph is mutable while it is being built by one thread and treated as immutable afterwards.
 * Values and nodes live in the graph's arena and never move; ids index g->values and g->nodes.
 * Nodes stand in topological order: a node reads only values that are graph inputs, constants or
 * outputs of earlier nodes. */
#ifndef SAL_GRAPH_H
#define SAL_GRAPH_H

#include "base/base.h"

typedef struct sal_graph sal_graph;
typedef struct sal_node sal_node;
typedef struct sal_value sal_value;
typedef struct sal_op_desc sal_op_desc; /* graph/op.h */

/* Id of a value. SAL_NONE marks an omitted optional input or output. */
typedef int32_t sal_vid;
#define SAL_NONE (-1)

/* ---- dimensions ----
 * A dimension is an int64: >= 0 is concrete, < 0 names a symbol (-1 - index into g->symbols). A
 * symbol is a free name ("N", or an unknown length) or an integer multiple of one ("197*N").
 * Symbols are interned: equal dimensions are equal integers; unknown ones are all different. */
typedef struct sal_symbol {
    const char *name; /* never NULL; unknown lengths are called "?1", "?2" ... */
    int32_t
        base; /* index of the free symbol that this one is a multiple of; its own index if free */
    int64_t coeff; /* >= 1; 1 if free */
} sal_symbol;

#define SAL_DIM_IS_SYMBOL(d) ((d) < 0)
/* Longest axis: sums and small multiples of lengths cannot overflow in inference. */
#define SAL_DIM_MAX          ((int64_t)1 << 47)

/* Find or make the named symbol; a fresh unknown. Return the dimension, or 0 when out of memory (a
 * dimension of 0 is harmless to hold; the next allocation will report the failure). */
int64_t sal_dim_symbol(sal_graph *g, const char *name);
int64_t sal_dim_fresh(sal_graph *g);
/* Arithmetic: exact when it can be, else a fresh unknown. div is exact division where known to
 * divide. */
int64_t sal_dim_mul(sal_graph *g, int64_t a, int64_t b);
int64_t sal_dim_add(sal_graph *g, int64_t a, int64_t b);
int64_t sal_dim_div(sal_graph *g, int64_t a, int64_t b);
/* Text of a dimension ("8", "N", "197*N"), into buf; returns buf. */
const char *sal_dim_text(const sal_graph *g, int64_t d, char *buf, size_t n);
/* "float32[N,3,224,224]" of a value, into buf; returns buf. */
const char *sal_value_text(const sal_graph *g, sal_vid v, char *buf, size_t n);

/* ---- values ---- */

struct sal_value {
    const char *name; /* unique within the graph */
    sal_dtype dtype;  /* SAL_DT_NONE until inferred */
    int32_t rank;     /* -1 until inferred */
    int64_t dims[SAL_MAX_RANK];
    const sal_tensor *constant; /* contents, owned by the graph; NULL when not constant */
    /* Shape arithmetic: contents of a small integer tensor (rank <= 1, at most 64 elements) whose
     * elements may be symbols, encoded as dimensions are; NULL when unknown. A negative NUMBER
     * cannot be told from a symbol, so `known` is only set when every number is >= 0 or the tensor
     * is constant (then read that). */
    const int64_t *known;
    int32_t known_n;
    int32_t producer;     /* node id; -1 for graph inputs and constants */
    int32_t producer_out; /* which output of it */
};

/* ---- attributes ---- */

typedef enum sal_attr_kind {
    SAL_ATTR_INT = 1,
    SAL_ATTR_FLOAT,
    SAL_ATTR_STRING,
    SAL_ATTR_INTS,
    SAL_ATTR_FLOATS,
    SAL_ATTR_STRINGS,
    SAL_ATTR_TENSOR,
    SAL_ATTR_GRAPH
} sal_attr_kind;

typedef struct sal_attr {
    const char *name;
    sal_attr_kind kind;
    int64_t i;
    double f;
    const char *s;
    size_t n; /* elements of ints, floats, strings; bytes of s */
    const int64_t *ints;
    const double *floats;
    const char *const *strings;
    const sal_tensor *tensor;
    const sal_graph *graph;
} sal_attr;

/* Initialisers for builder calls: sal_attr a[] = {SAL_AI("axis", 1), SAL_AF("alpha", 0.1), ...}. */
#define SAL_AI(nm, v) ((sal_attr){.name = (nm), .kind = SAL_ATTR_INT, .i = (v)})
#define SAL_AF(nm, v) ((sal_attr){.name = (nm), .kind = SAL_ATTR_FLOAT, .f = (v)})
#define SAL_AS(nm, v) ((sal_attr){.name = (nm), .kind = SAL_ATTR_STRING, .s = (v), .n = strlen(v)})
#define SAL_AINTS(nm, p, cnt)                                                                      \
    ((sal_attr){.name = (nm), .kind = SAL_ATTR_INTS, .ints = (p), .n = (size_t)(cnt)})
#define SAL_AFLOATS(nm, p, cnt)                                                                    \
    ((sal_attr){.name = (nm), .kind = SAL_ATTR_FLOATS, .floats = (p), .n = (size_t)(cnt)})

/* ---- nodes ---- */

/* A graph in an attribute (If, Loop, Scan) is closed: what it reads from around it are inputs of
 * its own behind those that the operator defines, and the node lists the values for them behind its
 * own inputs. The attribute `captures` tells how many there are. */
struct sal_node {
    const sal_op_desc *op;
    const char *name; /* never NULL, unique; made up when the file gives none */
    int32_t id;       /* index in g->nodes; renumbered by passes */
    int32_t n_in, n_out, n_attr;
    sal_vid *in;  /* SAL_NONE = omitted */
    sal_vid *out; /* SAL_NONE = not wanted */
    sal_attr *attr;
};

const sal_attr *sal_node_attr(const sal_node *n, const char *name); /* NULL when absent */
int64_t sal_node_int(const sal_node *n, const char *name, int64_t fallback);
double sal_node_float(const sal_node *n, const char *name, double fallback);
const char *sal_node_str(const sal_node *n, const char *name, const char *fallback);
/* Integers of an INTS attribute; *count = 0 and NULL when absent. */
const int64_t *sal_node_ints(const sal_node *n, const char *name, size_t *count);
/* Input / output i or SAL_NONE when beyond the end. */
sal_vid sal_node_in(const sal_node *n, int i);
sal_vid sal_node_out(const sal_node *n, int i);

/* ---- graph ---- */

typedef struct sal_meta {
    const char *key, *text;
} sal_meta;

struct sal_graph {
    sal_arena arena;
    const char *name;
    const char *producer; /* producer name and version of the file, may be NULL */
    int opset;            /* ai.onnx opset of the file it came from (information only) */
    sal_value **values;
    size_t n_values, cap_values;
    sal_node **nodes;
    size_t n_nodes, cap_nodes;
    sal_vid *inputs, *outputs;
    size_t n_inputs, cap_inputs, n_outputs, cap_outputs;
    sal_symbol *symbols;
    size_t n_symbols, cap_symbols;
    sal_meta *meta;
    size_t n_meta, cap_meta;
    sal_tensor **constants; /* every tensor owned by the graph */
    size_t n_constants, cap_constants;
    sal_graph **subgraphs; /* every graph in an attribute, owned */
    size_t n_subgraphs, cap_subgraphs;
    struct sal_name_map *names; /* value name -> id */
    int32_t *symbol_slot;       /* hash of symbols (symbol.c): index + 1, 0 is free */
    size_t symbol_slots, symbols_hashed;
    uint32_t unique; /* for made-up names */
};

sal_status sal_graph_new(sal_graph **out, const char *name, sal_error *err);
void sal_graph_free(sal_graph *g);
/* Independent copy that shares the constants' storage. Ids of values and nodes stay the same. */
sal_status sal_graph_clone(sal_graph **out, const sal_graph *g, sal_error *err);

/* Give up this graph's share of its large constants: types and shapes stay, contents do not. Such a
 * graph can be looked at, but neither run nor folded nor written. */
void sal_graph_strip(sal_graph *g);

static inline sal_value *sal_val(const sal_graph *g, sal_vid v)
{
    return g->values[v];
}

/* New value. name NULL: made up from `hint` ("relu_12"). Fails with SAL_EFORMAT when the name is
 * taken. */
sal_status sal_graph_value(sal_graph *g, const char *name, const char *hint, sal_vid *out,
                           sal_error *err);
/* New constant; takes its own reference of the tensor's storage (borrowed data is copied). */
sal_status sal_graph_constant(sal_graph *g, const char *name, const sal_tensor *t, sal_vid *out,
                              sal_error *err);
/* Make an existing value constant (folding); it keeps its id and name and loses its producer. */
sal_status sal_graph_set_constant(sal_graph *g, sal_vid v, const sal_tensor *t, sal_error *err);
/* New graph input with a type. */
sal_status sal_graph_input(sal_graph *g, const char *name, sal_dtype dtype, int rank,
                           const int64_t *dims, sal_vid *out, sal_error *err);
sal_status sal_graph_add_output(sal_graph *g, sal_vid v, sal_error *err);
/* Append a node; copies the arrays and attributes into the graph. out[] ids must exist already and
 * have no producer. No inference is done here (ops/builder.h does). name NULL: made up. */
sal_status sal_graph_node(sal_graph *g, const sal_op_desc *op, const char *name, int n_in,
                          const sal_vid *in, int n_out, const sal_vid *out, int n_attr,
                          const sal_attr *attr, sal_node **node, sal_error *err);
/* Copy attributes (deeply) into the graph's arena; tensors are registered as the graph's constants,
 * graphs as its sub-graphs. */
sal_status sal_graph_copy_attrs(sal_graph *g, int n, const sal_attr *in, sal_attr **out,
                                sal_error *err);
/* Take a graph over, also on failure: it lives as long as g. */
sal_status sal_graph_adopt(sal_graph *g, sal_graph *sub, sal_error *err);
sal_vid sal_graph_find(const sal_graph *g, const char *name); /* SAL_NONE when absent */
sal_status sal_graph_rename(sal_graph *g, sal_vid v, const char *name, sal_error *err);
sal_status sal_graph_set_meta(sal_graph *g, const char *key, const char *text, sal_error *err);
const char *sal_graph_meta(const sal_graph *g, const char *key); /* NULL when absent */

/* Set dtype and shape of a value (inference, readers). Fails with SAL_ESHAPE when a concrete shape
 * that is already there contradicts. */
sal_status sal_value_set_type(sal_graph *g, sal_vid v, sal_dtype dtype, int rank,
                              const int64_t *dims, sal_error *err);
sal_status sal_value_set_known(sal_graph *g, sal_vid v, const int64_t *known, int n,
                               sal_error *err);
bool sal_value_is_static(const sal_value *v); /* rank and all dims concrete */
int64_t sal_value_count(const sal_value *v);  /* elements; -1 unless static */

/* How often each value is read by nodes plus once for each time it is a graph output. uses:
 * n_values. */
void sal_graph_uses(const sal_graph *g, int32_t *uses);

#endif
