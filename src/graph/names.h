/* Index of value names; used by graph.c alone. */
#ifndef SAL_GRAPH_NAMES_H
#define SAL_GRAPH_NAMES_H

#include "graph/graph.h"

typedef struct sal_name_map sal_name_map;
sal_status sal_names_new(sal_name_map **out, sal_error *err);
void sal_names_free(sal_name_map *m);
sal_vid sal_names_find(const sal_name_map *m, const sal_graph *g, const char *name);
sal_status sal_names_add(sal_name_map *m, const sal_graph *g, sal_vid v, sal_error *err);
sal_status sal_names_rebuild(sal_name_map *m, const sal_graph *g, sal_error *err);

#endif
