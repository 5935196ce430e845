/* Graph -> ModelProto. The messages are built in an arena, borrow the graph's texts and weights,
 * and are packed in one go. */
#define _POSIX_C_SOURCE 200809L
#include "format/onnx_write.h"

#include "format/onnx_names.h"
#include "format/onnx_proto.h"
#include "graph/op.h"
#include "ops/expand.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <salience/version.h>
#include <stdio.h>
#include <unistd.h>

enum {
    WRITE_OPSET_MIN = 13,
    WRITE_ALIGN = 64, /* of tensors in the data file */
};

/* Graphs around the one that is being written: no name may mean two things. */
typedef struct write_around {
    const sal_graph *g;
    const struct write_around *outer;
} write_around;

typedef struct write_ctx {
    sal_arena arena;
    const sal_graph *g;
    const char *const *called; /* names of g's values; NULL: their own */
    const struct write_around *around;
    sal_onnx_names names; /* of nodes */
    sal_vid *weights;     /* constants that are read, in order of first use */
    size_t n_weights, cap_weights;
    const char *data_name; /* file of the weights, relative to the model; NULL: inline */
    uint64_t offset;       /* where the next weight goes in it */
    sal_error *err;
} write_ctx;

static void *write_alloc(write_ctx *c, size_t count, size_t size)
{
    size_t bytes;
    return sal_mul_ok(count, size, &bytes) ? sal_arena_alloc(&c->arena, bytes + 1) : NULL;
}

/* protobuf-c's structs want mutable pointers, but packing only reads. */
static char *write_text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* Array of `n` pointers to fresh messages of one type. */
#define WRITE_LIST(c, list, count, type, init)                                                     \
    do {                                                                                           \
        (list) = write_alloc((c), (count), sizeof *(list));                                        \
        type *items_ = write_alloc((c), (count), sizeof(type));                                    \
        if ((list) == NULL || items_ == NULL)                                                      \
            return sal_fail_nomem((c)->err);                                                       \
        for (size_t i_ = 0; i_ < (count); i_++) {                                                  \
            init(&items_[i_]);                                                                     \
            (list)[i_] = &items_[i_];                                                              \
        }                                                                                          \
    } while (0)

static sal_status write_dims(write_ctx *c, const sal_tensor *t, Onnx__TensorProto *p)
{
    p->dims = write_alloc(c, (size_t)t->rank, sizeof *p->dims);
    if (p->dims == NULL)
        return sal_fail_nomem(c->err);
    memcpy(p->dims, t->dims, (size_t)t->rank * sizeof *p->dims);
    p->n_dims = (size_t)t->rank;
    p->has_data_type = 1;
    p->data_type = (int32_t)t->dtype;
    return SAL_OK;
}

static sal_status write_inline(write_ctx *c, const sal_tensor *t, Onnx__TensorProto *p)
{
    sal_status st = write_dims(c, t, p);
    p->has_raw_data = 1;
    p->raw_data = (ProtobufCBinaryData){sal_tensor_bytes(t), t->data};
    return st;
}

static sal_status write_external(write_ctx *c, const sal_tensor *t, Onnx__TensorProto *p)
{
    static const char *const keys[] = {"location", "offset", "length"};
    sal_status st = write_dims(c, t, p);
    if (st != SAL_OK)
        return st;
    uint64_t bytes = sal_tensor_bytes(t);
    WRITE_LIST(c, p->external_data, SAL_COUNTOF(keys), Onnx__StringStringEntryProto,
               onnx__string_string_entry_proto__init);
    p->n_external_data = SAL_COUNTOF(keys);
    for (size_t i = 0; i < SAL_COUNTOF(keys); i++)
        p->external_data[i]->key = write_text(keys[i]);
    p->external_data[0]->value = write_text(c->data_name);
    p->external_data[1]->value = sal_arena_printf(&c->arena, "%" PRIu64, c->offset);
    p->external_data[2]->value = sal_arena_printf(&c->arena, "%" PRIu64, bytes);
    if (p->external_data[1]->value == NULL || p->external_data[2]->value == NULL)
        return sal_fail_nomem(c->err);
    p->has_data_location = 1;
    p->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    c->offset = (c->offset + bytes + WRITE_ALIGN - 1) / WRITE_ALIGN * WRITE_ALIGN;
    return SAL_OK;
}

static const char *write_called(const write_ctx *c, sal_vid v)
{
    return c->called != NULL ? c->called[v] : sal_val(c->g, v)->name;
}

static sal_status write_attr(write_ctx *c, const sal_attr *a, Onnx__AttributeProto *p)
{
    p->name = write_text(a->name);
    p->has_type = 1;
    switch (a->kind) {
    case SAL_ATTR_INT:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        p->has_i = 1;
        p->i = a->i;
        return SAL_OK;
    case SAL_ATTR_FLOAT:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        p->has_f = 1;
        p->f = (float)a->f;
        return SAL_OK;
    case SAL_ATTR_STRING:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        p->has_s = 1;
        p->s = (ProtobufCBinaryData){a->n, (uint8_t *)write_text(a->s)};
        return SAL_OK;
    case SAL_ATTR_INTS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        p->n_ints = a->n;
        p->ints = (int64_t *)(uintptr_t)a->ints;
        return SAL_OK;
    case SAL_ATTR_FLOATS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        p->n_floats = a->n;
        p->floats = write_alloc(c, a->n, sizeof *p->floats);
        if (p->floats == NULL)
            return sal_fail_nomem(c->err);
        for (size_t i = 0; i < a->n; i++)
            p->floats[i] = (float)a->floats[i];
        return SAL_OK;
    case SAL_ATTR_STRINGS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
        p->n_strings = a->n;
        p->strings = write_alloc(c, a->n, sizeof *p->strings);
        if (p->strings == NULL)
            return sal_fail_nomem(c->err);
        for (size_t i = 0; i < a->n; i++)
            p->strings[i] =
                (ProtobufCBinaryData){strlen(a->strings[i]), (uint8_t *)write_text(a->strings[i])};
        return SAL_OK;
    case SAL_ATTR_TENSOR:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        WRITE_LIST(c, p->tensors, 1, Onnx__TensorProto, onnx__tensor_proto__init);
        p->t = p->tensors[0];
        p->tensors = NULL;
        return write_inline(c, a->tensor, p->t);
    default:
        return sal_fail(c->err, SAL_EUNSUPPORTED, "attribute '%s' cannot be written", a->name);
    }
}

/* Names of node inputs or outputs; what is omitted at the end is left off. */
static sal_status write_names(write_ctx *c, const sal_vid *ids, int n, char ***out, size_t *n_out)
{
    while (n > 0 && ids[n - 1] == SAL_NONE)
        n--;
    char **names = write_alloc(c, (size_t)n, sizeof *names);
    if (names == NULL)
        return sal_fail_nomem(c->err);
    for (int i = 0; i < n; i++)
        names[i] = write_text(ids[i] == SAL_NONE ? "" : write_called(c, ids[i]));
    *out = names;
    *n_out = (size_t)n;
    return SAL_OK;
}

static sal_status write_subgraph(write_ctx *c, const sal_node *n, int captures,
                                 const sal_graph *sub, Onnx__AttributeProto *p);

/* If, Loop, Scan: graphs read what is around them by name, so captured values are left out. */
static sal_status write_control(write_ctx *c, const sal_node *n, Onnx__NodeProto *p)
{
    int captures = (int)sal_node_int(n, "captures", 0);
    sal_status st = SAL_OK;
    if (sal_node_int(n, "start", 0) != 0)
        return sal_fail(c->err, SAL_EUNSUPPORTED, "node '%s': a loop under way cannot be written",
                        n->name);
    p->n_attribute = 0;
    SAL_TRY(write_names(c, n->in, n->n_in - captures, &p->input, &p->n_input));
    SAL_TRY(write_names(c, n->out, n->n_out, &p->output, &p->n_output));
    for (int i = 0; i < n->n_attr; i++) {
        const sal_attr *a = &n->attr[i];
        Onnx__AttributeProto *to = p->attribute[p->n_attribute];
        if (strcmp(a->name, "captures") == 0 || strcmp(a->name, "start") == 0)
            continue;
        p->n_attribute++;
        to->name = write_text(a->name);
        if (a->kind == SAL_ATTR_GRAPH)
            SAL_TRY(write_subgraph(c, n, captures, a->graph, to));
        else
            SAL_TRY(write_attr(c, a, to));
    }
done:
    return st;
}

/* Such nodes are expanded when they are read; a graph that was built with one can still be written.
 */
static bool write_is_ort(const sal_node *n)
{
    return n->op->domain != NULL && strcmp(n->op->domain, SAL_DOMAIN_ORT) == 0;
}

static sal_status write_node(write_ctx *c, const sal_node *n, Onnx__NodeProto *p)
{
    bool ort = write_is_ort(n);
    if (n->op->domain != NULL && n->op->domain[0] != '\0' && !ort)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "node '%s': the operator %s is not part of ONNX; expand it first", n->name,
                        n->op->name);
    const char *name;
    sal_status st = sal_onnx_names_unique(&c->names, &c->arena, n->name, &name, c->err);
    if (st != SAL_OK)
        return st;
    p->name = write_text(name);
    p->op_type = write_text(n->op->name);
    if (ort)
        p->domain = write_text(SAL_DOMAIN_ORT);
    WRITE_LIST(c, p->attribute, (size_t)n->n_attr, Onnx__AttributeProto,
               onnx__attribute_proto__init);
    p->n_attribute = (size_t)n->n_attr;
    if ((n->op->flags & SAL_OP_CONTROL) != 0)
        return write_control(c, n, p);
    st = write_names(c, n->in, n->n_in, &p->input, &p->n_input);
    if (st == SAL_OK)
        st = write_names(c, n->out, n->n_out, &p->output, &p->n_output);
    for (int i = 0; st == SAL_OK && i < n->n_attr; i++)
        st = write_attr(c, &n->attr[i], p->attribute[i]);
    return st;
}

static sal_status write_value(write_ctx *c, sal_vid v, Onnx__ValueInfoProto *p)
{
    const sal_value *x = sal_val(c->g, v);
    p->name = write_text(write_called(c, v));
    if (x->dtype == SAL_DT_NONE && c->around != NULL)
        return SAL_OK; /* inside it need not be said */
    if (x->dtype == SAL_DT_NONE)
        return sal_fail(c->err, SAL_EINVAL, "value '%s' has no element type", x->name);
    Onnx__TypeProto *type = write_alloc(c, 1, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = write_alloc(c, 1, sizeof *tensor);
    Onnx__TensorShapeProto *shape = write_alloc(c, 1, sizeof *shape);
    if (type == NULL || tensor == NULL || shape == NULL)
        return sal_fail_nomem(c->err);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    p->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)x->dtype;
    if (x->rank < 0)
        return SAL_OK;
    tensor->shape = shape;
    WRITE_LIST(c, shape->dim, (size_t)x->rank, Onnx__TensorShapeProto__Dimension,
               onnx__tensor_shape_proto__dimension__init);
    shape->n_dim = (size_t)x->rank;
    for (int i = 0; i < x->rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        if (x->dims[i] >= 0) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = x->dims[i];
            continue;
        }
        char text[256];
        sal_dim_text(c->g, x->dims[i], text, sizeof text);
        if (strchr(text, '?') != NULL)
            continue; /* unknown: a dimension without a name */
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        d->dim_param = sal_arena_strdup(&c->arena, text);
        if (d->dim_param == NULL)
            return sal_fail_nomem(c->err);
    }
    return SAL_OK;
}

static sal_status write_values(write_ctx *c, const sal_vid *ids, size_t n,
                               Onnx__ValueInfoProto ***out, size_t *n_out)
{
    WRITE_LIST(c, *out, n, Onnx__ValueInfoProto, onnx__value_info_proto__init);
    *n_out = n;
    for (size_t i = 0; i < n; i++) {
        sal_status st = write_value(c, ids[i], (*out)[i]);
        if (st != SAL_OK)
            return st;
    }
    return SAL_OK;
}

static sal_status write_collect_one(write_ctx *c, sal_vid v, uint8_t *seen)
{
    if (v == SAL_NONE || seen[v] || sal_val(c->g, v)->constant == NULL)
        return SAL_OK;
    seen[v] = 1;
    sal_status st =
        sal_grow(&c->weights, c->n_weights + 1, &c->cap_weights, sizeof *c->weights, c->err);
    if (st == SAL_OK)
        c->weights[c->n_weights++] = v;
    return st;
}

/* Constants that anything reads. A graph input with contents is listed as input and as initialiser.
 */
static sal_status write_collect(write_ctx *c)
{
    const sal_graph *g = c->g;
    uint8_t *seen = sal_calloc(g->n_values + 1, 1);
    sal_status st = SAL_OK;
    if (seen == NULL)
        return sal_fail_nomem(c->err);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            SAL_TRY(write_collect_one(c, g->nodes[i]->in[k], seen));
    for (size_t i = 0; i < g->n_outputs; i++)
        SAL_TRY(write_collect_one(c, g->outputs[i], seen));
done:
    sal_free(seen);
    return st;
}

static sal_status write_graph(write_ctx *c, Onnx__GraphProto *p)
{
    const sal_graph *g = c->g;
    sal_status st = SAL_OK;
    p->name = write_text(g->name);
    WRITE_LIST(c, p->node, g->n_nodes, Onnx__NodeProto, onnx__node_proto__init);
    p->n_node = g->n_nodes;
    for (size_t i = 0; i < g->n_nodes; i++)
        SAL_TRY(write_node(c, g->nodes[i], p->node[i]));
    WRITE_LIST(c, p->initializer, c->n_weights, Onnx__TensorProto, onnx__tensor_proto__init);
    p->n_initializer = c->n_weights;
    for (size_t i = 0; i < c->n_weights; i++) {
        const sal_value *v = sal_val(g, c->weights[i]);
        p->initializer[i]->name = write_text(write_called(c, c->weights[i]));
        if (c->data_name != NULL && sal_tensor_bytes(v->constant) > 0)
            SAL_TRY(write_external(c, v->constant, p->initializer[i]));
        else
            SAL_TRY(write_inline(c, v->constant, p->initializer[i]));
    }
    SAL_TRY(write_values(c, g->inputs, g->n_inputs, &p->input, &p->n_input));
    SAL_TRY(write_values(c, g->outputs, g->n_outputs, &p->output, &p->n_output));
done:
    return st;
}

/* A name for value v of `sub` that means nothing else in it or around it. */
static const char *write_unused(write_ctx *c, const sal_graph *sub, const write_around *around,
                                sal_vid v)
{
    const char *name = sal_val(sub, v)->name;
    for (unsigned number = 0;; number++) {
        bool used = number > 0 && sal_graph_find(sub, name) != SAL_NONE;
        for (const write_around *a = around; a != NULL && !used; a = a->outer)
            used = sal_graph_find(a->g, name) != SAL_NONE;
        if (!used)
            return name;
        name = sal_arena_printf(&c->arena, "%s_%u", sal_val(sub, v)->name, number + 1);
        if (name == NULL)
            return NULL;
    }
}

static sal_status write_subgraph(write_ctx *c, const sal_node *n, int captures,
                                 const sal_graph *sub, Onnx__AttributeProto *p)
{
    const write_ctx outer = *c;
    const write_around around = {outer.g, outer.around};
    const char **called = write_alloc(c, sub->n_values, sizeof *called);
    Onnx__GraphProto *g = write_alloc(c, 1, sizeof *g);
    sal_status st = SAL_OK;
    if (called == NULL || g == NULL)
        return sal_fail_nomem(c->err);
    for (size_t v = 0; v < sub->n_values; v++)
        called[v] = NULL;
    size_t own = sub->n_inputs - (size_t)captures;
    for (size_t i = own; i < sub->n_inputs; i++)
        called[sub->inputs[i]] = write_called(c, n->in[n->n_in - captures + (int)(i - own)]);
    for (size_t v = 0; v < sub->n_values; v++)
        if (called[v] == NULL && (called[v] = write_unused(c, sub, &around, (sal_vid)v)) == NULL)
            return sal_fail_nomem(c->err);
    onnx__graph_proto__init(g);
    c->g = sub;
    c->called = called;
    c->around = &around;
    c->weights = NULL;
    c->n_weights = c->cap_weights = 0;
    c->data_name = NULL; /* weights of graphs inside stay in the file */
    SAL_TRY(write_collect(c));
    SAL_TRY(write_graph(c, g));
    g->n_input = own;
done:
    sal_free(c->weights);
    c->g = outer.g;
    c->called = outer.called;
    c->around = outer.around;
    c->weights = outer.weights;
    c->n_weights = outer.n_weights;
    c->cap_weights = outer.cap_weights;
    c->data_name = outer.data_name;
    p->g = g;
    p->has_type = 1;
    p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    return st;
}

/* Operator set and the IR version that came with it. */
static int write_ir_version(int opset)
{
    static const struct {
        int opset, ir;
    } table[] = {{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {13, 7}};
    for (size_t i = 0; i < SAL_COUNTOF(table); i++)
        if (opset >= table[i].opset)
            return table[i].ir;
    return 7;
}

/* The lowest that has all operators, those of graphs inside too. */
static int write_opset(const sal_graph *g)
{
    int opset = WRITE_OPSET_MIN;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        opset = SAL_MAX(opset, sal_node_since(n));
        for (int k = 0; k < n->n_attr; k++)
            if (n->attr[k].kind == SAL_ATTR_GRAPH)
                opset = SAL_MAX(opset, write_opset(n->attr[k].graph));
    }
    return opset;
}

static sal_status write_model(write_ctx *c, Onnx__ModelProto *m)
{
    int opset = write_opset(c->g);
    bool ort = false;
    for (size_t i = 0; i < c->g->n_nodes; i++)
        ort = ort || write_is_ort(c->g->nodes[i]);
    m->has_ir_version = 1;
    m->ir_version = write_ir_version(opset);
    m->producer_name = write_text("salience");
    m->producer_version = write_text(sal_version());
    WRITE_LIST(c, m->opset_import, 2, Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__init);
    m->n_opset_import = ort ? 2 : 1;
    m->opset_import[1]->domain = write_text(SAL_DOMAIN_ORT);
    m->opset_import[1]->has_version = 1;
    m->opset_import[1]->version = 1;
    m->opset_import[0]->domain = write_text("");
    m->opset_import[0]->has_version = 1;
    m->opset_import[0]->version = opset;
    WRITE_LIST(c, m->metadata_props, c->g->n_meta, Onnx__StringStringEntryProto,
               onnx__string_string_entry_proto__init);
    m->n_metadata_props = c->g->n_meta;
    for (size_t i = 0; i < c->g->n_meta; i++) {
        m->metadata_props[i]->key = write_text(c->g->meta[i].key);
        m->metadata_props[i]->value = write_text(c->g->meta[i].text);
    }
    m->graph = write_alloc(c, 1, sizeof *m->graph);
    if (m->graph == NULL)
        return sal_fail_nomem(c->err);
    onnx__graph_proto__init(m->graph);
    sal_status st = write_collect(c);
    return st == SAL_OK ? write_graph(c, m->graph) : st;
}

/* The whole model as bytes. */
static sal_status write_pack(write_ctx *c, sal_bytes *out)
{
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    sal_status st = write_model(c, &m);
    if (st != SAL_OK)
        return st;
    size_t n = onnx__model_proto__get_packed_size(&m);
    if (n > INT32_MAX)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "the model needs %zu bytes, but an ONNX file ends at 2 GB", n);
    out->data = sal_malloc(n + 1);
    if (out->data == NULL)
        return sal_fail_nomem(c->err);
    out->cap = n + 1;
    out->len = onnx__model_proto__pack(&m, (uint8_t *)out->data);
    out->data[out->len] = '\0';
    return SAL_OK;
}

static void write_done(write_ctx *c)
{
    sal_onnx_names_free(&c->names);
    sal_arena_free(&c->arena);
    sal_free(c->weights);
}

sal_status sal_onnx_write_memory(const sal_graph *g, sal_bytes *out, sal_error *err)
{
    write_ctx c;
    memset(&c, 0, sizeof c);
    c.g = g;
    c.err = err;
    *out = (sal_bytes){NULL, 0, 0};
    sal_status st = write_pack(&c, out);
    write_done(&c);
    return st;
}

static sal_status write_fd(int fd, const void *data, size_t n, const char *path, sal_error *err)
{
    const uint8_t *p = data;
    while (n > 0) {
        ssize_t k = write(fd, p, SAL_MIN(n, (size_t)1 << 30));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return sal_fail(err, SAL_EIO, "%s: cannot be written (is the disk full?)", path);
        p += k;
        n -= (size_t)k;
    }
    return SAL_OK;
}

/* The weights one after another into PATH, through a temporary file. */
static sal_status write_data(const write_ctx *c, const char *path, sal_error *err)
{
    static const uint8_t zeros[WRITE_ALIGN] = {0};
    sal_status st = SAL_OK;
    uint64_t at = 0;
    int fd = -1;
    char *temp = sal_malloc(strlen(path) + 32);
    if (temp == NULL)
        return sal_fail_nomem(err);
    (void)snprintf(temp, strlen(path) + 32, "%s.%ld.tmp", path, (long)getpid());
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        SAL_TRY(sal_fail(err, SAL_EIO, "%s: cannot be created", temp));
    for (size_t i = 0; i < c->n_weights; i++) {
        const sal_tensor *t = sal_val(c->g, c->weights[i])->constant;
        size_t n = sal_tensor_bytes(t);
        SAL_TRY(write_fd(fd, t->data, n, path, err));
        at += n;
        size_t pad = (size_t)((WRITE_ALIGN - at % WRITE_ALIGN) % WRITE_ALIGN);
        SAL_TRY(write_fd(fd, zeros, pad, path, err));
        at += pad;
    }
    if (fsync(fd) != 0)
        SAL_TRY(sal_fail(err, SAL_EIO, "%s: cannot be written (is the disk full?)", path));
done:
    if (fd >= 0 && close(fd) != 0 && st == SAL_OK)
        st = sal_fail(err, SAL_EIO, "%s: cannot be written (is the disk full?)", path);
    if (fd >= 0 && st == SAL_OK && rename(temp, path) != 0)
        st = sal_fail(err, SAL_EIO, "%s: cannot be put in place", path);
    if (fd >= 0 && st != SAL_OK)
        (void)unlink(temp);
    sal_free(temp);
    return st;
}

sal_status sal_onnx_write_limit(const sal_graph *g, const char *path, size_t inline_max,
                                sal_error *err)
{
    write_ctx c;
    sal_bytes bytes = {NULL, 0, 0};
    char *data_path = NULL;
    sal_status st = SAL_OK;
    size_t total = 0;
    memset(&c, 0, sizeof c);
    c.g = g;
    c.err = err;
    for (size_t v = 0; v < g->n_values; v++)
        if (g->values[v]->constant != NULL)
            total += sal_tensor_bytes(g->values[v]->constant);
    if (total > inline_max) {
        data_path = sal_malloc(strlen(path) + 6);
        if (data_path == NULL)
            SAL_TRY(sal_fail_nomem(err));
        memcpy(data_path, path, strlen(path));
        memcpy(data_path + strlen(path), ".data", 6);
        const char *slash = strrchr(data_path, '/');
        c.data_name = slash == NULL ? data_path : slash + 1;
    }
    st = write_pack(&c, &bytes);
    if (st != SAL_OK)
        SAL_TRY(sal_fail_prefix(err, st, "%s", path));
    /* Weights first: a model without its weights would be worse than weights without their model.
     */
    if (data_path != NULL)
        SAL_TRY(write_data(&c, data_path, err));
    SAL_TRY(sal_file_write(path, bytes.data, bytes.len, err));
done:
    sal_bytes_free(&bytes);
    sal_free(data_path);
    write_done(&c);
    return st;
}

sal_status sal_onnx_write(const sal_graph *g, const char *path, sal_error *err)
{
    return sal_onnx_write_limit(g, path, SAL_ONNX_INLINE_MAX, err);
}
