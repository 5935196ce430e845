/* Where the names of a node list mean something: the graph of the file, a graph in an attribute, or
 * the body of a function at one place where it is called. */
#ifndef SAL_ONNX_SCOPE_H
#define SAL_ONNX_SCOPE_H

#include "format/onnx_names.h"
#include "format/onnx_reader.h"

enum {
    /* Functions in functions and graphs in graphs; a call in the C program each. */
    ONNX_DEPTH_MAX = 40,
    ONNX_CAPTURES_MAX = 4096,
    /* Nodes that functions may grow to: a file of a few bytes can ask for any number. */
    ONNX_INLINED_MAX = 200000,
};

/* A list of tensors; its value stands in the graph without a type and is read by no node. */
typedef struct sal_onnx_list {
    const sal_graph *g;
    sal_vid v;
    const sal_vid *items;
    size_t n;
} sal_onnx_list;

/* What all scopes of a file share. */
typedef struct sal_onnx_file {
    const Onnx__ModelProto *model;
    sal_onnx_external *external;
    size_t inlined;  /* nodes of functions so far, every call counted */
    size_t *weights; /* of each function of the file: 1 + the nodes that a call adds; 0: not yet */
    sal_error *err;
    sal_onnx_list *lists;
    size_t n_lists, cap_lists;
} sal_onnx_file;

/* A name of a function's body. */
typedef struct sal_onnx_binding {
    const char *name; /* NULL: free */
    sal_vid v;        /* SAL_NONE: an input that the caller left out */
    bool taken;       /* false: an output of the function that nothing has produced yet */
} sal_onnx_binding;

struct sal_onnx_scope {
    sal_onnx_file *file;
    sal_graph *g;
    sal_onnx_names *names; /* of the nodes of g */
    int opset, depth;
    /* Around this one: of the node that holds the graph or calls the function. */
    struct sal_onnx_scope *outer;
    /* Of a graph in an attribute: outer values that are read, and the inputs that stand for them.
     */
    bool captures;
    sal_vid *captured, *captured_as;
    size_t n_captured, cap_captured, cap_captured_as;
    /* Of a function: its names, the call's attributes, and what its values are called. */
    const Onnx__FunctionProto *function;
    sal_onnx_binding *map;
    size_t map_size, map_used;
    const sal_attr *attr;
    int n_attr;
    const char *prefix;
    /* Values that the nodes of this list declare have ids below. 0: not known yet. */
    size_t declared;
    /* Which of them have been computed, by id: what a graph in an attribute may read. */
    const uint8_t *ready;
};

void sal_onnx_scope_free(sal_onnx_scope *s);
/* The value that `name` means. False when it means nothing. *out may be SAL_NONE (omitted). A value
 * from around a graph becomes an input of it. */
sal_status sal_onnx_scope_find(sal_onnx_scope *s, const char *name, sal_vid *out, bool *found);
/* The value for an output called `name` of a node in this scope. */
sal_status sal_onnx_scope_declare(sal_onnx_scope *s, const char *name, sal_vid *out);
/* Say what a name of a function's body means; *was: it had a meaning already. */
sal_status sal_onnx_scope_bind(sal_onnx_scope *s, const char *name, sal_vid v, bool taken,
                               bool *was);
/* An outer value as an input of this graph, under `name` (NULL: made up). */
sal_status sal_onnx_scope_capture(sal_onnx_scope *s, sal_vid outer, const char *name, sal_vid *out);
/* The attribute of the function's call that `name` refers to; NULL when the call has none. */
const sal_attr *sal_onnx_scope_attr(const sal_onnx_scope *s, const char *name, bool *in_function);

/* All nodes of a list: values, Constant nodes, order, upgrade, inference. Inputs and initialisers
 * must be there already. */
sal_status sal_onnx_nodes(sal_onnx_scope *s, size_t n_node, Onnx__NodeProto *const *node);

/* The function of the file that the node calls; NULL when it is none. */
const Onnx__FunctionProto *sal_onnx_function(const sal_onnx_file *file, const Onnx__NodeProto *p);
/* Put the body in the place of the call: the nodes go into s->g. */
sal_status sal_onnx_call(sal_onnx_scope *s, const Onnx__FunctionProto *f, const Onnx__NodeProto *p,
                         const char *label, const sal_vid *in, const sal_vid *out);
/* Graphs in the attributes of If, Loop and Scan: read, closed and put into the draft; what they
 * read from around them is appended to its inputs. */
sal_status sal_onnx_subgraphs(sal_onnx_scope *s, const Onnx__NodeProto *p, sal_node *draft);

/* Operators on lists of tensors, as far as the lists are known when the file is read. */
bool sal_onnx_is_sequence(const Onnx__NodeProto *p);
sal_status sal_onnx_sequence(sal_onnx_scope *s, const Onnx__NodeProto *p, const sal_vid *in,
                             const sal_vid *out);
/* The list that value v stands for; NULL when it is a tensor. */
const sal_onnx_list *sal_onnx_sequence_find(const sal_onnx_file *file, const sal_graph *g,
                                            sal_vid v);

/* A message whose bytes sal_onnx_wire_check() has passed, within a limit of memory. *out:
 * sal_onnx_unpacked_free(), which accepts NULL. */
sal_status sal_onnx_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *type,
                           const void *bytes, size_t n, sal_error *err);
void sal_onnx_unpacked_free(void *message);

/* One ValueInfoProto as an input of the graph. `like`: the type where the file says nothing, may be
 * NULL. */
sal_status sal_onnx_input(sal_graph *g, const Onnx__ValueInfoProto *p, const sal_value *like,
                          sal_error *err);

/* "ai.onnx" is the long form of the empty domain. */
static inline const char *sal_onnx_domain(const char *domain)
{
    domain = sal_onnx_text(domain);
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* How messages call a node: by its name, else by its first output. */
const char *sal_onnx_label(const Onnx__NodeProto *p);

#endif
