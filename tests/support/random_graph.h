/* Random graphs of many operators, the same for a seed on every machine. */
#ifndef SAL_TESTS_RANDOM_GRAPH_H
#define SAL_TESTS_RANDOM_GRAPH_H

#include "graph/graph.h"

enum { RANDOM_GRAPH_INPUTS = 64 };

typedef struct random_graph {
    sal_graph *g;
    sal_tensor in[RANDOM_GRAPH_INPUTS]; /* of the graph's inputs, in order */
} random_graph;

/* Structure from `seed`, contents of the inputs from `data`; floats are `real` (numbers that
 * float32 holds exactly). Several outputs; with `gradient`, also the derivative of the float ones
 * by all float inputs. random_graph_free() in any case. */
sal_status random_graph_new(random_graph *r, uint64_t seed, uint64_t data, sal_dtype real,
                            bool gradient, sal_error *err);
void random_graph_free(random_graph *r);

#endif
