/* Pictures of a graph for people: text in columns and Graphviz. */
#ifndef SAL_GRAPH_DUMP_H
#define SAL_GRAPH_DUMP_H

#include "graph/graph.h"

/* One line a node: name, operator, inputs, attributes, outputs with their types; inputs and outputs
 * of the graph before and after. Appended to *out. */
sal_status sal_graph_dump_text(const sal_graph *g, sal_bytes *out, sal_error *err);
/* A digraph for `dot`: nodes labelled with operator and output shape, coloured by kind, framed by
 * the common part of their names up to a "/". Weights are not drawn. Appended to *out. */
sal_status sal_graph_dump_dot(const sal_graph *g, sal_bytes *out, sal_error *err);

#endif
