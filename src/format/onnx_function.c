/* Functions of the file: a call is replaced by the function's body. */
#include "format/onnx_scope.h"
#include "ops/builder.h"

#include <inttypes.h>
#include <stdio.h>

/* Fields that came after the schema which distributions ship; they arrive as unknown ones. */
enum {
    FIELD_NODE_OVERLOAD = 8,
    FIELD_FUNCTION_OVERLOAD = 13,
    FIELD_FUNCTION_ATTRIBUTE_PROTO = 11,
    WIRE_BYTES = 2,
};

/* The contents of unknown field number i of a message, if it is `field` and bytes; else empty. */
static ProtobufCBinaryData function_field(const ProtobufCMessage *m, unsigned i, uint32_t field)
{
    const ProtobufCMessageUnknownField *f = &m->unknown_fields[i];
    size_t at = 0;
    if (f->tag == field && (int)f->wire_type == WIRE_BYTES) {
        while (at < f->len && (f->data[at] & 0x80) != 0) /* the length, a varint */
            at++;
        if (at < f->len)
            return (ProtobufCBinaryData){f->len - at - 1, f->data + at + 1};
    }
    return (ProtobufCBinaryData){0, NULL};
}

static ProtobufCBinaryData function_overload(const ProtobufCMessage *m, uint32_t field)
{
    ProtobufCBinaryData found = {0, NULL};
    for (unsigned i = 0; found.len == 0 && i < m->n_unknown_fields; i++)
        found = function_field(m, i, field);
    return found;
}

static bool function_is(const Onnx__FunctionProto *f, const Onnx__NodeProto *p)
{
    if (strcmp(sal_onnx_text(f->name), sal_onnx_text(p->op_type)) != 0 ||
        strcmp(sal_onnx_domain(f->domain), sal_onnx_domain(p->domain)) != 0)
        return false;
    ProtobufCBinaryData a = function_overload(&f->base, FIELD_FUNCTION_OVERLOAD);
    ProtobufCBinaryData b = function_overload(&p->base, FIELD_NODE_OVERLOAD);
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

const Onnx__FunctionProto *sal_onnx_function(const sal_onnx_file *file, const Onnx__NodeProto *p)
{
    size_t n = SAL_MIN(file->model->n_functions, 4096);
    for (size_t i = 0; i < n; i++)
        if (function_is(file->model->functions[i], p))
            return file->model->functions[i];
    return NULL;
}

static size_t function_weight(sal_onnx_file *file, const Onnx__FunctionProto *f, int depth);

/* Nodes that the calls among these nodes add. */
static size_t function_calls(sal_onnx_file *file, size_t n, Onnx__NodeProto *const *node, int depth)
{
    size_t sum = 0;
    for (size_t i = 0; i < n && sum <= ONNX_INLINED_MAX; i++) {
        const Onnx__NodeProto *p = node[i];
        const Onnx__FunctionProto *f = NULL;
        if (sal_op_find(sal_onnx_domain(p->domain), sal_onnx_text(p->op_type)) == NULL)
            f = sal_onnx_function(file, p);
        if (f != NULL)
            sum += function_weight(file, f, depth + 1);
        for (size_t k = 0; k < p->n_attribute && depth < ONNX_DEPTH_MAX; k++)
            if (p->attribute[k]->g != NULL)
                sum += function_calls(file, p->attribute[k]->g->n_node, p->attribute[k]->g->node,
                                      depth + 1);
    }
    return SAL_MIN(sum, ONNX_INLINED_MAX + 1);
}

/* Nodes that a call of f adds, the calls inside included; each function is looked at once, so that
 * a file whose functions double each other is refused before they are written out. A circle counts
 * as nothing here: it is found where it is walked. */
static size_t function_weight(sal_onnx_file *file, const Onnx__FunctionProto *f, int depth)
{
    size_t i = 0;
    while (file->model->functions[i] != f)
        i++;
    if (file->weights[i] == 0 && depth < ONNX_DEPTH_MAX) {
        file->weights[i] = 1;
        size_t n = f->n_node + function_calls(file, f->n_node, f->node, depth);
        file->weights[i] = 1 + SAL_MIN(n, ONNX_INLINED_MAX + 1);
    }
    return file->weights[i] == 0 ? 0 : file->weights[i] - 1;
}

static sal_status function_count(sal_onnx_file *file, const Onnx__FunctionProto *f)
{
    if (file->weights == NULL)
        file->weights = sal_calloc(file->model->n_functions + 1, sizeof *file->weights);
    if (file->weights == NULL)
        return sal_fail_nomem(file->err);
    if (file->inlined + function_weight(file, f, 0) > ONNX_INLINED_MAX)
        return sal_fail(file->err, SAL_EUNSUPPORTED, "the functions amount to more than %d nodes",
                        ONNX_INLINED_MAX);
    file->inlined += f->n_node;
    return SAL_OK;
}

static sal_status function_opset(sal_onnx_scope *s, const Onnx__FunctionProto *f)
{
    int64_t opset = 0;
    for (size_t i = 0; i < f->n_opset_import; i++)
        if (sal_onnx_domain(f->opset_import[i]->domain)[0] == '\0')
            opset = SAL_MAX(opset, f->opset_import[i]->version);
    if (opset == 0) /* of other domains only, or the model's */
        return SAL_OK;
    if (opset < ONNX_OPSET_MIN || opset > ONNX_OPSET_MAX)
        return sal_fail(s->file->err, SAL_EUNSUPPORTED,
                        "operator set %" PRId64 " is not supported (%d to %d are)", opset,
                        ONNX_OPSET_MIN, ONNX_OPSET_MAX);
    s->opset = (int)opset;
    return SAL_OK;
}

/* Default i of an attribute, as its bytes say. */
static sal_status function_default(sal_onnx_scope *s, ProtobufCBinaryData bytes, sal_attr *out)
{
    ProtobufCMessage *message = NULL;
    Onnx__NodeProto holder = ONNX__NODE_PROTO__INIT;
    Onnx__AttributeProto *one;
    sal_attr *list;
    int n;
    sal_error *err = s->file->err;
    sal_status st = SAL_OK;
    SAL_TRY(sal_onnx_wire_check(bytes.data, 0, bytes.len, &onnx__attribute_proto__descriptor, err));
    SAL_TRY(
        sal_onnx_unpack(&message, &onnx__attribute_proto__descriptor, bytes.data, bytes.len, err));
    one = (Onnx__AttributeProto *)message;
    holder.n_attribute = 1;
    holder.attribute = &one;
    SAL_TRY(sal_onnx_attrs(s, &holder, NULL, &list, &n));
    if (n == 1)
        *out = list[0];
done:
    sal_onnx_unpacked_free(message);
    return st;
}

/* The call's attributes, and behind them the defaults of those that it leaves out. */
static sal_status function_attrs(sal_onnx_scope *call, sal_onnx_scope *s,
                                 const Onnx__FunctionProto *f, const Onnx__NodeProto *p)
{
    sal_attr *given, *all;
    int n;
    sal_status st = sal_onnx_attrs(call, p, NULL, &given, &n);
    if (st != SAL_OK)
        return st;
    if (f->base.n_unknown_fields > 4096)
        return sal_fail(s->file->err, SAL_EFORMAT, "%u unknown fields are not plausible",
                        f->base.n_unknown_fields);
    all = sal_arena_alloc(&s->g->arena, ((size_t)n + f->base.n_unknown_fields + 1) * sizeof *all);
    if (all == NULL)
        return sal_fail_nomem(s->file->err);
    if (n > 0)
        memcpy(all, given, (size_t)n * sizeof *all);
    for (unsigned i = 0; i < f->base.n_unknown_fields; i++) {
        ProtobufCBinaryData bytes = function_field(&f->base, i, FIELD_FUNCTION_ATTRIBUTE_PROTO);
        if (bytes.len == 0)
            continue;
        all[n].name = NULL;
        st = function_default(s, bytes, &all[n]);
        if (st != SAL_OK)
            return st;
        n += all[n].name != NULL;
    }
    s->attr = all;
    s->n_attr = n;
    return SAL_OK;
}

static sal_status function_bind(sal_onnx_scope *s, const Onnx__FunctionProto *f,
                                const Onnx__NodeProto *p, const sal_vid *in, const sal_vid *out,
                                bool *copy)
{
    sal_error *err = s->file->err;
    bool was;
    sal_status st = SAL_OK;
    if (p->n_input > f->n_input || p->n_output > f->n_output)
        return sal_fail(err, SAL_EFORMAT,
                        "%zu inputs and %zu outputs are more than the function has (%zu and %zu)",
                        p->n_input, p->n_output, f->n_input, f->n_output);
    for (size_t i = 0; i < f->n_input; i++) {
        SAL_TRY(sal_onnx_scope_bind(s, f->input[i], i < p->n_input ? in[i] : SAL_NONE, true, &was));
        if (was)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "input '%.120s' of the function is listed twice",
                             f->input[i]));
    }
    for (size_t i = 0; i < p->n_output; i++) {
        copy[i] = false;
        if (out[i] == SAL_NONE)
            continue;
        SAL_TRY(sal_onnx_scope_bind(s, f->output[i], out[i], false, &was));
        copy[i] = was; /* an input handed through, or an output listed twice */
    }
done:
    return st;
}

static sal_status function_copy(sal_onnx_scope *s, const char *name, sal_vid out)
{
    sal_vid v;
    bool found;
    sal_node *node;
    sal_error *err = s->file->err;
    sal_status st = SAL_OK;
    SAL_TRY(sal_onnx_scope_find(s, name, &v, &found));
    if (!found || v == SAL_NONE)
        return sal_fail(err, SAL_EFORMAT, "its output '%.120s' is produced by nothing", name);
    SAL_TRY(sal_graph_node(s->g, sal_op_find(SAL_DOMAIN_ONNX, "Identity"), NULL, 1, &v, 1, &out, 0,
                           NULL, &node, err));
    st = sal_node_infer(s->g, node, err);
done:
    return st;
}

sal_status sal_onnx_call(sal_onnx_scope *call, const Onnx__FunctionProto *f,
                         const Onnx__NodeProto *p, const char *label, const sal_vid *in,
                         const sal_vid *out)
{
    sal_onnx_scope s;
    bool *copy = NULL;
    sal_error *err = call->file->err;
    sal_status st = SAL_OK;
    memset(&s, 0, sizeof s);
    s.file = call->file;
    s.g = call->g;
    s.names = call->names;
    s.opset = call->opset;
    s.depth = call->depth + 1;
    s.outer = call;
    s.function = f;
    s.prefix = label;
    for (const sal_onnx_scope *o = call; o != NULL; o = o->outer)
        if (o->function == f)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "the function calls itself"));
    if (s.depth > ONNX_DEPTH_MAX)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED, "functions call each other more than %d deep",
                         ONNX_DEPTH_MAX));
    SAL_TRY(function_count(call->file, f));
    copy = sal_calloc(p->n_output + 1, sizeof *copy);
    if (copy == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(function_opset(&s, f));
    SAL_TRY(function_attrs(call, &s, f, p));
    SAL_TRY(function_bind(&s, f, p, in, out, copy));
    SAL_TRY(sal_onnx_nodes(&s, f->n_node, f->node));
    for (size_t i = 0; i < p->n_output; i++) {
        bool found;
        sal_vid v;
        if (out[i] == SAL_NONE)
            continue;
        if (copy[i])
            SAL_TRY(function_copy(&s, f->output[i], out[i]));
        SAL_TRY(sal_onnx_scope_find(&s, f->output[i], &v, &found));
        if (!found)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "its output '%.120s' is produced by nothing",
                             f->output[i]));
    }
done:
    sal_free(copy);
    sal_onnx_scope_free(&s);
    if (st == SAL_OK || s.depth > 2) /* a chain of calls would crowd the reason out */
        return st;
    return sal_fail_prefix(err, st, "function %.60s", sal_onnx_text(f->name));
}
