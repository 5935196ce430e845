/* AttributeProto -> attributes and the contents of Constant nodes. */
#include "format/onnx_scope.h"

/* The kinds of the attributes of standard operators. A name has one kind in all of them, so a file
 * that gives another is damaged; without this check the operator would take its default in silence.
 */
static const struct {
    const char *name;
    sal_attr_kind kind;
} attr_kinds[] = {
    {"activation_alpha", SAL_ATTR_FLOATS},
    {"activation_beta", SAL_ATTR_FLOATS},
    {"activations", SAL_ATTR_STRINGS},
    {"align_corners", SAL_ATTR_INT},
    {"alpha", SAL_ATTR_FLOAT},
    {"antialias", SAL_ATTR_INT},
    {"approximate", SAL_ATTR_STRING},
    {"auto_pad", SAL_ATTR_STRING},
    {"axes", SAL_ATTR_INTS},
    {"axis", SAL_ATTR_INT},
    {"batch_dims", SAL_ATTR_INT},
    {"beta", SAL_ATTR_FLOAT},
    {"blocksize", SAL_ATTR_INT},
    {"ceil_mode", SAL_ATTR_INT},
    {"clip", SAL_ATTR_FLOAT},
    {"coordinate_transformation_mode", SAL_ATTR_STRING},
    {"count_include_pad", SAL_ATTR_INT},
    {"cubic_coeff_a", SAL_ATTR_FLOAT},
    {"dilations", SAL_ATTR_INTS},
    {"direction", SAL_ATTR_STRING},
    {"epsilon", SAL_ATTR_FLOAT},
    {"equation", SAL_ATTR_STRING},
    {"exclude_outside", SAL_ATTR_INT},
    {"exclusive", SAL_ATTR_INT},
    {"extrapolation_value", SAL_ATTR_FLOAT},
    {"fmod", SAL_ATTR_INT},
    {"gamma", SAL_ATTR_FLOAT},
    {"group", SAL_ATTR_INT},
    {"hidden_size", SAL_ATTR_INT},
    {"interleaved", SAL_ATTR_INT},
    {"is_causal", SAL_ATTR_INT},
    {"keep_aspect_ratio_policy", SAL_ATTR_STRING},
    {"keepdims", SAL_ATTR_INT},
    {"kernel_shape", SAL_ATTR_INTS},
    {"kv_num_heads", SAL_ATTR_INT},
    {"lambd", SAL_ATTR_FLOAT},
    {"largest", SAL_ATTR_INT},
    {"linear_before_reset", SAL_ATTR_INT},
    {"mode", SAL_ATTR_STRING},
    {"nearest_mode", SAL_ATTR_STRING},
    {"noop_with_empty_axes", SAL_ATTR_INT},
    {"num_groups", SAL_ATTR_INT},
    {"num_heads", SAL_ATTR_INT},
    {"num_outputs", SAL_ATTR_INT},
    {"output_padding", SAL_ATTR_INTS},
    {"output_shape", SAL_ATTR_INTS},
    {"padding_mode", SAL_ATTR_STRING},
    {"pads", SAL_ATTR_INTS},
    {"perm", SAL_ATTR_INTS},
    {"q_num_heads", SAL_ATTR_INT},
    {"reduction", SAL_ATTR_STRING},
    {"reverse", SAL_ATTR_INT},
    {"rotary_embedding_dim", SAL_ATTR_INT},
    {"saturate", SAL_ATTR_INT},
    {"scales", SAL_ATTR_FLOATS},
    {"select_last_index", SAL_ATTR_INT},
    {"size", SAL_ATTR_INT},
    {"softcap", SAL_ATTR_FLOAT},
    {"sorted", SAL_ATTR_INT},
    {"spatial", SAL_ATTR_INT},
    {"split", SAL_ATTR_INTS},
    {"stash_type", SAL_ATTR_INT},
    {"storage_order", SAL_ATTR_INT},
    {"strides", SAL_ATTR_INTS},
    {"to", SAL_ATTR_INT},
    {"training_mode", SAL_ATTR_INT},
    {"transA", SAL_ATTR_INT},
    {"transB", SAL_ATTR_INT},
    {"upper", SAL_ATTR_INT},
};

static const char *const attr_kind_names[] = {
    [SAL_ATTR_INT] = "an integer",
    [SAL_ATTR_FLOAT] = "a number",
    [SAL_ATTR_STRING] = "a text",
    [SAL_ATTR_INTS] = "a list of integers",
    [SAL_ATTR_FLOATS] = "a list of numbers",
    [SAL_ATTR_STRINGS] = "a list of texts",
    [SAL_ATTR_TENSOR] = "a tensor",
    [SAL_ATTR_GRAPH] = "a graph",
};

static sal_status attr_check_kind(const char *name, sal_attr_kind kind, sal_error *err)
{
    for (size_t i = 0; i < SAL_COUNTOF(attr_kinds); i++)
        if (strcmp(attr_kinds[i].name, name) == 0 && attr_kinds[i].kind != kind)
            return sal_fail(err, SAL_EFORMAT, "attribute '%s' is %s instead of %s", name,
                            attr_kind_names[kind], attr_kind_names[attr_kinds[i].kind]);
    return SAL_OK;
}

/* Files of IR version 1 leave the type out. */
static int attr_type(const Onnx__AttributeProto *p)
{
    if (p->has_type && p->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return (int)p->type;
    if (p->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (p->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (p->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (p->t != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (p->g != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    if (p->n_floats > 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (p->n_strings > 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static char *attr_bytes(sal_graph *g, ProtobufCBinaryData s)
{
    return sal_arena_strndup(&g->arena, s.len > 0 ? (const char *)s.data : "", s.len);
}

static sal_status attr_strings(sal_graph *g, const Onnx__AttributeProto *p, sal_attr *a,
                               sal_error *err)
{
    const char **list = sal_arena_alloc(&g->arena, (p->n_strings + 1) * sizeof *list);
    if (list == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < p->n_strings; i++) {
        list[i] = attr_bytes(g, p->strings[i]);
        if (list[i] == NULL)
            return sal_fail_nomem(err);
    }
    a->kind = SAL_ATTR_STRINGS;
    a->strings = list;
    a->n = p->n_strings;
    return SAL_OK;
}

static sal_status attr_floats(sal_graph *g, const Onnx__AttributeProto *p, sal_attr *a,
                              sal_error *err)
{
    double *list = sal_arena_alloc(&g->arena, (p->n_floats + 1) * sizeof *list);
    if (list == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < p->n_floats; i++)
        list[i] = (double)p->floats[i];
    a->kind = SAL_ATTR_FLOATS;
    a->floats = list;
    a->n = p->n_floats;
    return SAL_OK;
}

/* The tensor goes through an anonymous constant, so that the graph owns it. */
static sal_status attr_tensor(sal_graph *g, const Onnx__AttributeProto *p,
                              sal_onnx_external *external, sal_attr *a, sal_error *err)
{
    sal_tensor t = SAL_TENSOR_INIT;
    sal_attr borrowed = {.name = a->name, .kind = SAL_ATTR_TENSOR, .tensor = &t}, *copy;
    if (p->t == NULL)
        return sal_fail(err, SAL_EFORMAT, "attribute '%s' holds no tensor", a->name);
    sal_status st = sal_onnx_tensor(&t, p->t, NULL, 0, external, err);
    if (st == SAL_OK)
        st = sal_graph_copy_attrs(g, 1, &borrowed, &copy, err);
    if (st == SAL_OK)
        *a = *copy;
    sal_tensor_free(&t);
    return st;
}

/* The call's attribute that p refers to, under p's name. *given: the call has it. */
static sal_status attr_refer(const sal_onnx_scope *s, const Onnx__AttributeProto *p, sal_attr *a,
                             bool *given)
{
    bool in_function;
    const sal_attr *found = sal_onnx_scope_attr(s, p->ref_attr_name, &in_function);
    const char *name = a->name;
    *given = found != NULL;
    if (!in_function)
        return sal_fail(s->file->err, SAL_EFORMAT,
                        "attribute '%s' refers to '%s' of a function, but stands in none", name,
                        p->ref_attr_name);
    if (found != NULL)
        *a = *found;
    a->name = name;
    return SAL_OK;
}

static bool attr_refers(const Onnx__AttributeProto *p)
{
    return p->ref_attr_name != NULL && p->ref_attr_name[0] != '\0';
}

static sal_status attr_read(const sal_onnx_scope *s, const Onnx__AttributeProto *p, sal_attr *a,
                            bool *given)
{
    sal_graph *g = s->g;
    sal_onnx_external *external = s->file->external;
    sal_error *err = s->file->err;
    sal_status st = SAL_OK;
    memset(a, 0, sizeof *a);
    *given = true;
    a->name = sal_arena_strdup(&g->arena, sal_onnx_text(p->name));
    if (a->name == NULL)
        return sal_fail_nomem(err);
    if (attr_refers(p))
        return attr_refer(s, p, a, given);
    switch (attr_type(p)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->kind = SAL_ATTR_INT;
        a->i = p->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->kind = SAL_ATTR_FLOAT;
        a->f = (double)p->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a->kind = SAL_ATTR_STRING;
        a->s = attr_bytes(g, p->s);
        a->n = a->s != NULL ? strlen(a->s) : 0;
        st = a->s == NULL ? sal_fail_nomem(err) : SAL_OK;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->kind = SAL_ATTR_INTS;
        a->n = p->n_ints;
        a->ints = p->n_ints == 0
                      ? NULL
                      : sal_arena_memdup(&g->arena, p->ints, p->n_ints * sizeof *p->ints);
        st = p->n_ints > 0 && a->ints == NULL ? sal_fail_nomem(err) : SAL_OK;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        st = attr_floats(g, p, a, err);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        st = attr_strings(g, p, a, err);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        st = attr_tensor(g, p, external, a, err);
        break;
    default:
        return sal_fail(
            err, SAL_EUNSUPPORTED,
            "attribute '%s' holds a graph, a sparse tensor or a type, which is not supported",
            a->name);
    }
    return st;
}

sal_status sal_onnx_attrs(const sal_onnx_scope *s, const Onnx__NodeProto *p, const sal_op_desc *op,
                          sal_attr **out, int *n)
{
    sal_error *err = s->file->err;
    *out = NULL;
    *n = 0;
    if (p->n_attribute > 256)
        return sal_fail(err, SAL_EFORMAT, "%zu attributes are more than any operator has",
                        p->n_attribute);
    sal_attr *list = sal_arena_alloc(&s->g->arena, (p->n_attribute + 1) * sizeof *list);
    if (list == NULL)
        return sal_fail_nomem(err);
    int count = 0;
    for (size_t i = 0; i < p->n_attribute; i++) {
        bool given;
        if (op != NULL && (op->flags & SAL_OP_CONTROL) != 0 &&
            attr_type(p->attribute[i]) == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)
            continue; /* sal_onnx_subgraphs() reads them */
        sal_status st = attr_read(s, p->attribute[i], &list[count], &given);
        if (st == SAL_OK && given && op != NULL)
            st = attr_check_kind(list[count].name, list[count].kind, err);
        if (st != SAL_OK)
            return st;
        for (int k = 0; k < count; k++)
            if (strcmp(list[k].name, list[count].name) == 0)
                return sal_fail(err, SAL_EFORMAT, "attribute '%s' is given twice", list[k].name);
        count += given;
    }
    *out = list;
    *n = count;
    return SAL_OK;
}

static sal_status constant_list(sal_tensor *out, const sal_attr *a, sal_dtype dtype, int rank,
                                sal_error *err)
{
    int64_t n = rank == 0 ? 1 : (int64_t)a->n;
    sal_status st = sal_tensor_new(out, dtype, rank, &n, err);
    for (int64_t i = 0; st == SAL_OK && i < n; i++) {
        if (dtype == SAL_I64)
            ((int64_t *)out->data)[i] = rank == 0 ? a->i : a->ints[i];
        else
            ((float *)out->data)[i] = (float)(rank == 0 ? a->f : a->floats[i]);
    }
    return st;
}

sal_status sal_onnx_constant(sal_tensor *out, const Onnx__NodeProto *p, const sal_onnx_scope *s)
{
    static const struct {
        const char *name;
        sal_attr_kind kind;
        sal_dtype dtype;
        int rank;
    } forms[] = {
        {"value_int", SAL_ATTR_INT, SAL_I64, 0},
        {"value_float", SAL_ATTR_FLOAT, SAL_F32, 0},
        {"value_ints", SAL_ATTR_INTS, SAL_I64, 1},
        {"value_floats", SAL_ATTR_FLOATS, SAL_F32, 1},
    };
    sal_error *err = s->file->err;
    sal_attr a;
    bool given;
    *out = (sal_tensor)SAL_TENSOR_INIT;
    if (p->n_attribute != 1)
        return sal_fail(err, SAL_EFORMAT, "a Constant has %zu attributes instead of one",
                        p->n_attribute);
    const Onnx__AttributeProto *x = p->attribute[0];
    const char *name = sal_onnx_text(x->name);
    /* Not through an attribute: that would keep the contents for as long as the graph lives. */
    if (strcmp(name, "value") == 0 && x->t != NULL && !attr_refers(x))
        return sal_onnx_tensor(out, x->t, NULL, 0, s->file->external, err);
    sal_status st = attr_read(s, x, &a, &given);
    if (st != SAL_OK)
        return st;
    if (!given)
        return sal_fail(err, SAL_EFORMAT, "a Constant refers to '%s', which the call does not give",
                        x->ref_attr_name);
    if (strcmp(name, "value") == 0 && a.kind == SAL_ATTR_TENSOR) {
        *out = sal_tensor_ref(a.tensor);
        return SAL_OK;
    }
    for (size_t i = 0; i < SAL_COUNTOF(forms); i++)
        if (strcmp(name, forms[i].name) == 0 && a.kind == forms[i].kind)
            return constant_list(out, &a, forms[i].dtype, forms[i].rank, err);
    return sal_fail(err, SAL_EUNSUPPORTED, "a Constant given by '%s' is not supported", name);
}
