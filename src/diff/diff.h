/* Differentiation as a graph transform: a reverse sweep that appends nodes to the graph.
 *
 * What is appended are ordinary nodes, so the result is planned, fused, run and exported like any
 * forward graph, and can be differentiated again. A rule set replaces the derivative of some
 * operators (guided backpropagation, layer-wise relevance propagation ...); everything else is
 * shared. */
#ifndef SAL_DIFF_DIFF_H
#define SAL_DIFF_DIFF_H

#include "graph/graph.h"
#include "graph/op.h"

typedef struct sal_rules sal_rules;

/* Replacement for an operator's vector-Jacobian product; same contract as sal_op_desc.vjp. */
typedef sal_status (*sal_rule_fn)(sal_vjp *v, const sal_rules *rules);

typedef struct sal_rule_override {
    const char *op; /* operator name; NULL ends the table */
    sal_rule_fn fn;
} sal_rule_override;

/* The part a node plays in the network, for rule sets that treat layers by their depth. A layer is
 * a Conv, ConvTranspose, Gemm or MatMul whose second operand does not depend on the graph's inputs.
 * The first of these that a rule set has a rule for is used, in this order. */
typedef enum sal_role {
    SAL_ROLE_LAST,        /* a layer between which and the outputs there is no other */
    SAL_ROLE_FIRST,       /* a layer between which and the graph's inputs there is no other */
    SAL_ROLE_CONVOLUTION, /* Conv, ConvTranspose */
    SAL_ROLE_DENSE,       /* Gemm, MatMul */
    SAL_ROLE_BEFORE,      /* any other node that no layer stands before */
    SAL_ROLES,
} sal_role;

/* Parameters of rule sets; each names those it reads. */
typedef struct sal_rule_params {
    double epsilon;     /* stabiliser of the epsilon rule */
    double gamma;       /* how much positive weights are favoured */
    double alpha, beta; /* weights of the positive and the negative share */
    double low, high;   /* bounds of the input; low >= high: its own least and largest value */
    bool contrastive;   /* the last layer's negative weights count against */
} sal_rule_params;

/* One rule set: src/diff/rules/<id>.c and its row in src/diff/rules.def. */
typedef struct sal_rules_desc {
    const char *name, *help;
    const sal_rule_override *overrides; /* NULL-terminated; may be NULL */
    sal_rule_fn fallback;           /* every other operator; NULL: the operator's own derivative */
    sal_rule_fn by_role[SAL_ROLES]; /* come before the overrides; NULL: no rule */
    sal_rule_params params;         /* defaults */
    bool relevance; /* a value's relevance is the value (sal_rule_value) times its gradient under
                       these rules */
    bool unit;      /* the outputs' relevance is the seed, not the seed times their value */
    bool merge;     /* the rules speak of layers with their normalisation folded in */
    bool pairs;     /* needs the network twice, sal_rules.pair */
    /* Nodes that are to be written out in simpler ones beforehand; NULL: none. */
    bool (*write_out)(const sal_graph *g, const sal_node *n, void *ctx);
} sal_rules_desc;

/* A rule set with its parameters. */
struct sal_rules {
    const sal_rules_desc *desc;
    sal_rule_params p;
    sal_bytes *notes;    /* what the reader of the map should know, "; "-separated; may be NULL */
    const sal_vid *pair; /* by value id: its twin in the network of the baseline, SAL_NONE where
                            there is none; for rules with `pairs` */
    size_t n_pair;
};

size_t sal_rules_count(void);
const sal_rules_desc *sal_rules_at(size_t i);
const sal_rules_desc *sal_rules_find(const char *name); /* NULL when unknown */

/* Append the gradient of sum_i <seeds[i], outputs[i]> with respect to wrt[0..n_wrt) and set grads[]
 * to its values; a wrt without a path to the outputs gets zeros of its shape. A seed of SAL_NONE
 * means ones. Outputs and wrt may be any values of the graph, inner ones too; with respect to an
 * inner value means that the value is free, so nothing before it is visited on its account. rules
 * NULL: the plain gradient.
 *
 * An operator without a derivative of its own but with an expansion is expanded on fresh values and
 * the expansion is differentiated; the original node and its consumers stay. Errors: SAL_ENOGRAD
 * names the node and its operator; SAL_EUNSUPPORTED when the rules need pairs and there are none.
 * On failure the graph may hold some appended nodes that nothing reads. */
sal_status sal_differentiate(sal_graph *g, int n_out, const sal_vid *outputs, const sal_vid *seeds,
                             int n_wrt, const sal_vid *wrt, const sal_rules *rules, sal_vid *grads,
                             sal_error *err);

/* For rule sets: the operator's own derivative (by its expansion when it has none), ignoring rules.
 */
sal_status sal_rule_plain(sal_vjp *v);
/* As the entry of an operator: the rules are applied to the nodes of its expansion. */
sal_status sal_rule_expand(sal_vjp *v, const sal_rules *rules);
/* x for multiplying and dividing by: where relevance is given to elements that are zero, the
 * quotient of relevance and value needs a value that is none. The same x away from zero. */
sal_vid sal_rule_value(sal_builder *b, const sal_rules_desc *desc, sal_vid x);
/* Note in rules->notes, once. */
sal_status sal_rule_note(const sal_rules *rules, const char *text, sal_error *err);

#endif
