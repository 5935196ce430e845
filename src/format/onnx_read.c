/* ModelProto -> graph. Structure and weights take separate ways: the structure is unpacked by
 * protobuf-c, the initialisers (nearly all bytes of a real file) are found in the file and copied
 * once. */
#define _DEFAULT_SOURCE /* madvise */
#include "format/onnx_read.h"

#include "format/onnx_scope.h"

#include "graph/passes/unfold.h"
#include "ops/core/evaluate.h"
#include "ops/core/quant.h"
#include "ops/expand.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    FIELD_MODEL_GRAPH = 7,
    FIELD_GRAPH_INITIALIZER = 5,
    FIELD_TENSOR_RAW_DATA = 9,
    /* More than any model has; these lists are searched linearly. */
    READ_META_MAX = 4096,
    READ_INPUTS_MAX = 4096,
};

typedef struct read_ctx {
    const uint8_t *bytes;
    size_t n;
    bool mapped; /* pages may be given back once copied */
    sal_onnx_external *external;
    sal_graph *g;
    sal_error *err;
} read_ctx;

/* What unpacking may take: structs are larger than their bytes in the file, most of all for many
 * small messages. Real files were seen to need up to 8 times the bytes of their structure. */
static size_t read_budget(size_t bytes)
{
    size_t small = SAL_MIN(bytes, (size_t)16 << 20);
    return ((size_t)16 << 20) + small * 16 + (bytes - small) * 3;
}

sal_status sal_onnx_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *type,
                           const void *bytes, size_t n, sal_error *err)
{
    static const uint8_t none = 0;
    sal_onnx_budget budget;
    sal_onnx_budget_init(&budget, read_budget(n));
    *out = protobuf_c_message_unpack(type, &budget.allocator, n, n > 0 ? bytes : &none);
    if (*out != NULL)
        return SAL_OK;
    if (budget.exceeded)
        return sal_fail(err, SAL_EFORMAT,
                        "the structure of the model needs more than %zu bytes of memory",
                        read_budget(n));
    if (budget.failed)
        return sal_fail_nomem(err);
    return sal_fail(err, SAL_EFORMAT, "%s cannot be decoded", type->short_name);
}

void sal_onnx_unpacked_free(void *message)
{
    sal_onnx_budget budget;
    sal_onnx_budget_init(&budget, 0);
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, &budget.allocator);
}

/* Pages of the file that were copied need not stay in memory. */
static void read_release(const read_ctx *c, sal_onnx_span s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t from = (s.at + page - 1) / page * page, to = (s.at + s.len) / page * page;
    if (c->mapped && to > from)
        (void)madvise((void *)(uintptr_t)(c->bytes + from), to - from, MADV_DONTNEED);
}

static sal_status read_initialiser(read_ctx *c, sal_onnx_span span)
{
    sal_bytes rest = {NULL, 0, 0};
    sal_onnx_span *raw = NULL;
    size_t n_raw = 0;
    ProtobufCMessage *message = NULL;
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v;
    sal_status st = SAL_OK;
    SAL_TRY(
        sal_onnx_wire_split(c->bytes, span, FIELD_TENSOR_RAW_DATA, &rest, &raw, &n_raw, c->err));
    SAL_TRY(
        sal_onnx_unpack(&message, &onnx__tensor_proto__descriptor, rest.data, rest.len, c->err));
    const Onnx__TensorProto *p = (const Onnx__TensorProto *)message;
    const char *name = sal_onnx_text(p->name);
    if (name[0] == '\0')
        SAL_TRY(sal_fail(c->err, SAL_EFORMAT, "an initialiser has no name"));
    sal_onnx_span data = n_raw > 0 ? raw[n_raw - 1] : (sal_onnx_span){span.at, 0};
    SAL_TRY(sal_onnx_tensor(&t, p, n_raw > 0 ? c->bytes + data.at : NULL, data.len, c->external,
                            c->err));
    SAL_TRY(sal_graph_constant(c->g, name, &t, &v, c->err));
    read_release(c, data);
done:
    if (st != SAL_OK && c->err != NULL && c->err->offset == 0)
        c->err->offset = span.at;
    sal_tensor_free(&t);
    sal_onnx_unpacked_free(message);
    sal_free(raw);
    sal_bytes_free(&rest);
    return st;
}

/* "197*N" is the way a multiple of a symbol is written; anything else is a name of its own. */
static int64_t read_symbol(sal_graph *g, const char *text)
{
    int64_t k = 0;
    const char *s = text;
    for (; *s >= '0' && *s <= '9' && k < (1 << 30); s++)
        k = k * 10 + (*s - '0');
    if (s == text || *s != '*' || k < 1 || s[1] == '\0' || strpbrk(s + 1, " */+-()") != NULL ||
        (s[1] >= '0' && s[1] <= '9'))
        return sal_dim_symbol(g, text);
    return sal_dim_mul(g, sal_dim_symbol(g, s + 1), k);
}

sal_status sal_onnx_input(sal_graph *g, const Onnx__ValueInfoProto *p, const sal_value *like,
                          sal_error *err)
{
    const char *name = sal_onnx_text(p->name);
    int64_t dims[SAL_MAX_RANK] = {0};
    sal_dtype dtype = like == NULL ? SAL_DT_NONE : like->dtype;
    sal_vid v = sal_graph_find(g, name);
    if (name[0] == '\0')
        return sal_fail(err, SAL_EFORMAT, "an input has no name");
    if (v != SAL_NONE && sal_val(g, v)->constant != NULL)
        return SAL_OK; /* an initialiser with a default value, as old files list them */
    if (p->type == NULL && like != NULL)
        return sal_graph_input(g, name, dtype, -1, NULL, &v, err);
    if (p->type == NULL || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        p->type->tensor_type == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "input '%.200s' is no tensor", name);
    const Onnx__TypeProto__Tensor *type = p->type->tensor_type;
    sal_status st = SAL_OK;
    if (like == NULL || type->elem_type != 0)
        st = sal_onnx_dtype(type->elem_type, "input", name, &dtype, err);
    if (st != SAL_OK)
        return st;
    if (type->shape == NULL)
        return sal_graph_input(g, name, dtype, -1, NULL, &v, err);
    if (type->shape->n_dim > SAL_MAX_RANK)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "input '%.200s' has %zu axes; at most %d are supported", name,
                        type->shape->n_dim, SAL_MAX_RANK);
    for (size_t i = 0; i < type->shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = type->shape->dim[i];
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
            d->dim_value >= 0) {
            dims[i] = d->dim_value;
            continue;
        }
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
            d->dim_param != NULL && d->dim_param[0] != '\0' && d->dim_param[0] != '?')
            dims[i] = read_symbol(g, d->dim_param);
        else
            dims[i] = sal_dim_fresh(g); /* no name, or the -1 of some exporters */
        if (dims[i] == 0)
            return sal_fail_nomem(err);
    }
    return sal_graph_input(g, name, dtype, (int)type->shape->n_dim, dims, &v, err);
}

static sal_status read_outputs(read_ctx *c, const Onnx__GraphProto *p)
{
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = sal_onnx_text(p->output[i]->name);
        sal_vid v = sal_graph_find(c->g, name);
        if (v == SAL_NONE)
            return sal_fail(c->err, SAL_EFORMAT,
                            "output '%.200s' is produced by nothing in the file", name);
        sal_status st = sal_graph_add_output(c->g, v, c->err);
        if (st != SAL_OK)
            return st;
    }
    return p->n_output > 0 ? SAL_OK : sal_fail(c->err, SAL_EFORMAT, "the graph has no outputs");
}

static sal_status read_versions(read_ctx *c, const Onnx__ModelProto *m)
{
    int64_t opset = 0;
    if (!m->has_ir_version)
        return sal_fail(c->err, SAL_EFORMAT,
                        "this is no ONNX model (the field ir_version is missing)");
    if (m->ir_version < ONNX_IR_MIN || m->ir_version > ONNX_IR_MAX)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "IR version %" PRId64 " is not supported (%d to %d are)", m->ir_version,
                        ONNX_IR_MIN, ONNX_IR_MAX);
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = sal_onnx_text(m->opset_import[i]->domain);
        if (domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0)
            opset = SAL_MAX(opset, m->opset_import[i]->version);
    }
    if (opset < ONNX_OPSET_MIN || opset > ONNX_OPSET_MAX)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "operator set %" PRId64
                        " is not supported (%d to %d are); onnx.version_converter may help",
                        opset, ONNX_OPSET_MIN, ONNX_OPSET_MAX);
    c->g->opset = (int)opset;
    return SAL_OK;
}

static sal_status read_properties(read_ctx *c, const Onnx__ModelProto *m)
{
    const char *producer = sal_onnx_text(m->producer_name),
               *version = sal_onnx_text(m->producer_version);
    c->g->producer =
        sal_arena_printf(&c->g->arena, "%s%s%s", producer, version[0] == '\0' ? "" : " ", version);
    if (c->g->producer == NULL)
        return sal_fail_nomem(c->err);
    if (m->n_metadata_props > READ_META_MAX)
        return sal_fail(c->err, SAL_EFORMAT, "%zu metadata entries are not plausible",
                        m->n_metadata_props);
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        sal_status st = sal_graph_set_meta(c->g, sal_onnx_text(m->metadata_props[i]->key),
                                           sal_onnx_text(m->metadata_props[i]->value), c->err);
        if (st != SAL_OK)
            return st;
    }
    return SAL_OK;
}

static sal_status read_graph(read_ctx *c, const Onnx__ModelProto *m, sal_onnx_span span)
{
    sal_bytes rest = {NULL, 0, 0};
    sal_onnx_span *weights = NULL;
    size_t n_weights = 0;
    ProtobufCMessage *message = NULL;
    static const sal_fold how = SAL_FOLD(sal_node_eval);
    sal_onnx_file file = {.model = m, .external = c->external, .err = c->err};
    sal_onnx_names names = {NULL, 0, 0};
    sal_onnx_scope scope = {.file = &file, .g = c->g, .names = &names, .opset = c->g->opset};
    sal_status st = SAL_OK;
    SAL_TRY(sal_onnx_wire_split(c->bytes, span, FIELD_GRAPH_INITIALIZER, &rest, &weights,
                                &n_weights, c->err));
    SAL_TRY(sal_onnx_unpack(&message, &onnx__graph_proto__descriptor, rest.data, rest.len, c->err));
    sal_bytes_free(&rest);
    const Onnx__GraphProto *p = (const Onnx__GraphProto *)message;
    if (p->n_sparse_initializer > 0)
        SAL_TRY(sal_fail(c->err, SAL_EUNSUPPORTED, "sparse initialisers are not supported"));
    for (size_t i = 0; i < n_weights; i++)
        SAL_TRY(read_initialiser(c, weights[i]));
    for (size_t i = 0; i < p->n_input; i++) {
        if (c->g->n_inputs > READ_INPUTS_MAX)
            SAL_TRY(sal_fail(c->err, SAL_EFORMAT, "%zu inputs are not plausible", p->n_input));
        SAL_TRY(sal_onnx_input(c->g, p->input[i], NULL, c->err));
    }
    SAL_TRY(sal_onnx_nodes(&scope, p->n_node, p->node));
    SAL_TRY(read_outputs(c, p));
    for (size_t i = 0; i < c->g->n_outputs; i++)
        if (sal_onnx_sequence_find(&file, c->g, c->g->outputs[i]) != NULL)
            SAL_TRY(sal_fail(c->err, SAL_EUNSUPPORTED, "output '%.200s' is a sequence",
                             sal_val(c->g, c->g->outputs[i])->name));
    SAL_TRY(sal_pass_expand(c->g, sal_expand_if_on_read, NULL, c->err));
    SAL_TRY(sal_pass_unfold(c->g, &how, false, c->err));
    SAL_TRY(sal_pass_dequantise(c->g, c->err));
done:
    sal_free(file.lists);
    sal_free(file.weights);
    sal_onnx_scope_free(&scope);
    sal_onnx_names_free(&names);
    sal_onnx_unpacked_free(message);
    sal_free(weights);
    sal_bytes_free(&rest);
    return st;
}

static sal_status read_model(read_ctx *c, sal_graph **out)
{
    sal_bytes rest = {NULL, 0, 0};
    sal_onnx_span *graph = NULL;
    size_t n_graph = 0;
    ProtobufCMessage *message = NULL;
    sal_status st = SAL_OK;
    if (c->n == 0)
        return sal_fail(c->err, SAL_EFORMAT, "the file is empty");
    SAL_TRY(sal_onnx_wire_check(c->bytes, 0, c->n, &onnx__model_proto__descriptor, c->err));
    SAL_TRY(sal_onnx_wire_split(c->bytes, (sal_onnx_span){0, c->n}, FIELD_MODEL_GRAPH, &rest,
                                &graph, &n_graph, c->err));
    SAL_TRY(sal_onnx_unpack(&message, &onnx__model_proto__descriptor, rest.data, rest.len, c->err));
    const Onnx__ModelProto *m = (const Onnx__ModelProto *)message;
    SAL_TRY(sal_graph_new(&c->g, "graph", c->err));
    SAL_TRY(read_versions(c, m));
    if (n_graph == 0)
        SAL_TRY(sal_fail(c->err, SAL_EFORMAT, "the model holds no graph"));
    SAL_TRY(read_properties(c, m));
    SAL_TRY(read_graph(c, m, graph[0]));
    *out = c->g;
    c->g = NULL;
done:
    sal_graph_free(c->g);
    sal_onnx_unpacked_free(message);
    sal_free(graph);
    sal_bytes_free(&rest);
    return st;
}

static sal_status read_all(sal_graph **out, const uint8_t *bytes, size_t n, bool mapped,
                           const char *name, const char *dir, sal_error *err)
{
    read_ctx c = {bytes, n, mapped, NULL, NULL, err};
    sal_status st = SAL_OK;
    *out = NULL;
    if (err != NULL)
        *err = (sal_error){SAL_OK, 0, ""};
    if (dir != NULL)
        SAL_TRY(sal_onnx_external_new(&c.external, dir, err));
    SAL_TRY(read_model(&c, out));
done:
    sal_onnx_external_free(c.external);
    return st == SAL_OK ? st : sal_fail_prefix(err, st, "%.200s", name);
}

sal_status sal_onnx_read_memory(sal_graph **out, const void *bytes, size_t n, const char *name,
                                const char *dir, sal_error *err)
{
    return read_all(out, bytes, n, false, name == NULL ? "model" : name, dir, err);
}

sal_status sal_onnx_read(sal_graph **out, const char *path, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    char *dir = NULL;
    sal_status st = SAL_OK;
    *out = NULL;
    SAL_TRY(sal_file_open(&file, path, err));
    dir = sal_strdup(path);
    if (dir == NULL)
        SAL_TRY(sal_fail_nomem(err));
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    SAL_TRY(read_all(out, file.data, file.size, file.mapped, path, slash == NULL ? "." : dir, err));
done:
    sal_free(dir);
    sal_file_close(&file);
    return st;
}
