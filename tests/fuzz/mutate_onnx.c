/* Edits of one field of an ONNX message. The message is copied field by field, the lengths around
 * the edited field put right, so that the edit reaches the code behind the parser of the wire
 * format. */
#include "mutate.h"

#include "graph/op.h"

#include <math.h>
#include <stdio.h>

typedef enum onnx_kind {
    LEAF,
    MODEL,
    GRAPH,
    NODE,
    ATTR,
    TENSOR,
    VALUE,
    TYPE,
    TENSOR_TYPE,
    SHAPE,
    DIM,
    ENTRY,
    OPSET
} onnx_kind;

enum { DEEP = 40 }; /* levels that are walked into */

typedef struct onnx_edit {
    sal_rng *rng;
    size_t seen, target; /* fields passed so far; which one is edited */
    sal_bytes name;      /* of some value of the model */
    size_t names;
    int depth;
} onnx_edit;

static onnx_kind onnx_kind_of(onnx_kind in, uint64_t field)
{
    static const struct {
        onnx_kind in;
        uint64_t field;
        onnx_kind kind;
    } fields[] = {{MODEL, 7, GRAPH},      {MODEL, 8, OPSET},       {MODEL, 14, ENTRY},
                  {GRAPH, 1, NODE},       {GRAPH, 5, TENSOR},      {GRAPH, 11, VALUE},
                  {GRAPH, 12, VALUE},     {GRAPH, 13, VALUE},      {NODE, 5, ATTR},
                  {ATTR, 5, TENSOR},      {ATTR, 6, GRAPH},        {ATTR, 10, TENSOR},
                  {ATTR, 11, GRAPH},      {TENSOR, 13, ENTRY},     {VALUE, 2, TYPE},
                  {TYPE, 1, TENSOR_TYPE}, {TENSOR_TYPE, 2, SHAPE}, {SHAPE, 1, DIM}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].in == in && fields[i].field == field)
            return fields[i].kind;
    }
    return LEAF;
}

/* ---- the wire format ---- */

static bool onnx_varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t c = *(*p)++;
        *out |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return true;
    }
    return false;
}

static sal_status onnx_put(sal_bytes *out, uint64_t v)
{
    uint8_t text[10];
    size_t n = 0;
    do {
        text[n] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        v >>= 7;
        n++;
    } while (v != 0);
    return sal_bytes_add(out, text, n, NULL);
}

static sal_status onnx_put_field(sal_bytes *out, uint64_t field, const void *p, size_t n)
{
    sal_status st = onnx_put(out, field << 3 | 2);
    if (st == SAL_OK)
        st = onnx_put(out, n);
    return st == SAL_OK && n > 0 ? sal_bytes_add(out, p, n, NULL) : st;
}

static sal_status onnx_put_text(sal_bytes *out, uint64_t field, const char *s)
{
    return onnx_put_field(out, field, s, strlen(s));
}

static sal_status onnx_put_int(sal_bytes *out, uint64_t field, int64_t v)
{
    sal_status st = onnx_put(out, field << 3);
    return st == SAL_OK ? onnx_put(out, (uint64_t)v) : st;
}

static sal_status onnx_put_float(sal_bytes *out, uint64_t field, float v)
{
    sal_status st = onnx_put(out, field << 3 | 5);
    return st == SAL_OK ? sal_bytes_add(out, &v, sizeof v, NULL) : st;
}

/* ---- what is put in ---- */

static int64_t onnx_int(sal_rng *rng)
{
    return mutate_below(rng, 2) == 0 ? mutate_extreme(rng) : (int64_t)mutate_below(rng, 12);
}

static float onnx_float(sal_rng *rng)
{
    static const float values[] = {0.0F,   -0.0F,  1.0F,          -1.0F,    0.5F, 1e38F,
                                   -1e38F, 1e-45F, 2147483648.0F, INFINITY, NAN};
    return values[mutate_below(rng, sizeof values / sizeof values[0])];
}

static const char *onnx_text(sal_rng *rng)
{
    static const char *const texts[] = {
        "",          "x",          "\n",      "a\nb",          "\xff\xfe", "%s%n%s",
        "..",        "/",          "NOTSET",  "linear",        "none",     "SAME_UPPER",
        "ij,jk->ik", "...i->i...", "ai.onnx", "location",      "N*N",      "-1",
        "2*N",       "N",          "\x1b[2J", "com.microsoft", "offset",   "\xe2\x80\xae",
        "nearest",   "constant"};
    return texts[mutate_below(rng, sizeof texts / sizeof texts[0])];
}

static const char *onnx_attr_name(sal_rng *rng)
{
    static const char *const names[] = {"axis",
                                        "axes",
                                        "pads",
                                        "perm",
                                        "keepdims",
                                        "group",
                                        "strides",
                                        "dilations",
                                        "to",
                                        "mode",
                                        "value",
                                        "transA",
                                        "kernel_shape",
                                        "auto_pad",
                                        "allowzero",
                                        "equation",
                                        "epsilon",
                                        "num_outputs",
                                        "k",
                                        "alpha",
                                        "batch_dims",
                                        "split",
                                        "blocksize",
                                        "start",
                                        "end",
                                        "shape",
                                        "upper",
                                        "largest",
                                        "output_shape",
                                        "exclusive",
                                        "ceil_mode",
                                        "num_groups",
                                        "training_mode",
                                        "coordinate_transformation_mode",
                                        "reduction",
                                        "output_padding",
                                        "is_causal"};
    return names[mutate_below(rng, sizeof names / sizeof names[0])];
}

/* Places outside of the model's folder, and things in it that are no files (see hostile.c). */
static const char *onnx_place(sal_rng *rng)
{
    static const char *const places[] = {"external.bin",
                                         "./external.bin",
                                         "../external.bin",
                                         "a/../../external.bin",
                                         "/etc/passwd",
                                         "/dev/zero",
                                         "link",
                                         "chain/x",
                                         "fifo",
                                         "folder",
                                         "folder/",
                                         "",
                                         ".",
                                         "..",
                                         "/",
                                         "missing.bin",
                                         "/dev/stdin",
                                         "nul\nline"};
    return places[mutate_below(rng, sizeof places / sizeof places[0])];
}

static sal_status onnx_put_entry(sal_bytes *out, uint64_t field, const char *key, const char *text)
{
    sal_bytes b = {NULL, 0, 0};
    sal_status st = SAL_OK;
    SAL_TRY(onnx_put_text(&b, 1, key));
    SAL_TRY(onnx_put_text(&b, 2, text));
    SAL_TRY(onnx_put_field(out, field, b.data, b.len));
done:
    sal_bytes_free(&b);
    return st;
}

/* Fields that make a tensor lie in another file. */
static sal_status onnx_external(sal_rng *rng, sal_bytes *out)
{
    char number[32];
    sal_status st = SAL_OK;
    SAL_TRY(onnx_put_entry(out, 13, "location", onnx_place(rng)));
    for (int i = 0; i < 2; i++) {
        if (mutate_below(rng, 2) == 0)
            continue;
        (void)snprintf(number, sizeof number, "%lld", (long long)onnx_int(rng));
        SAL_TRY(onnx_put_entry(out, 13, i == 0 ? "offset" : "length", number));
    }
    SAL_TRY(onnx_put_int(out, 14, 1));
done:
    return st;
}

/* A graph in a graph in a graph ... */
static sal_status onnx_nested(sal_rng *rng, sal_bytes *out)
{
    sal_bytes b = {NULL, 0, 0}, around = {NULL, 0, 0};
    sal_status st = SAL_OK;
    for (uint64_t level = 1 + mutate_below(rng, 1500); level > 0; level--) {
        sal_bytes swap = b;
        around.len = 0;
        SAL_TRY(onnx_put_field(&around,
                               level % 3 == 0   ? 1
                               : level % 3 == 1 ? 5
                                                : 6,
                               b.data, b.len));
        b = around;
        around = swap;
    }
    SAL_TRY(onnx_put_field(out, 6, b.data, b.len));
    SAL_TRY(onnx_put_int(out, 20, 5));
done:
    sal_bytes_free(&b);
    sal_bytes_free(&around);
    return st;
}

static sal_status onnx_attribute(sal_rng *rng, sal_bytes *out)
{
    sal_bytes b = {NULL, 0, 0}, t = {NULL, 0, 0};
    sal_status st = SAL_OK;
    SAL_TRY(onnx_put_text(&b, 1, onnx_attr_name(rng)));
    switch (mutate_below(rng, 6)) {
    case 0:
        SAL_TRY(onnx_put_int(&b, 3, onnx_int(rng)));
        SAL_TRY(onnx_put_int(&b, 20, 2));
        break;
    case 1:
        SAL_TRY(onnx_put_float(&b, 2, onnx_float(rng)));
        SAL_TRY(onnx_put_int(&b, 20, 1));
        break;
    case 2:
        SAL_TRY(onnx_put_text(&b, 4, onnx_text(rng)));
        SAL_TRY(onnx_put_int(&b, 20, 3));
        break;
    case 3:
        SAL_TRY(onnx_put_int(&t, 1, onnx_int(rng)));
        SAL_TRY(onnx_put_int(&t, 2, (int64_t)mutate_below(rng, 20)));
        SAL_TRY(onnx_external(rng, &t));
        SAL_TRY(onnx_put_field(&b, 5, t.data, t.len));
        SAL_TRY(onnx_put_int(&b, 20, 4));
        break;
    case 4:
        if (mutate_below(rng, 4) == 0) {
            SAL_TRY(onnx_nested(rng, &b));
            break;
        }
        /* fallthrough */
    default:
        for (uint64_t n = mutate_below(rng, 7); n > 0; n--)
            SAL_TRY(onnx_put_int(&b, 8, onnx_int(rng)));
        SAL_TRY(onnx_put_int(&b, 20, 7));
    }
    SAL_TRY(onnx_put_field(out, 5, b.data, b.len));
done:
    sal_bytes_free(&b);
    sal_bytes_free(&t);
    return st;
}

/* ---- the edit ---- */

/* Text, or the bytes of a tensor. */
static sal_status onnx_edit_leaf(onnx_edit *e, onnx_kind in, uint64_t field, const uint8_t *p,
                                 size_t n, sal_bytes *out)
{
    sal_bytes b = {NULL, 0, 0}, none = {NULL, 0, 0};
    sal_status st = SAL_OK;
    if (in == NODE && field == 4 && mutate_below(e->rng, 8) != 0)
        return onnx_put_text(out, field,
                             sal_op_at((size_t)mutate_below(e->rng, sal_op_count()))->name);
    if ((in == NODE && field <= 2 && mutate_below(e->rng, 4) != 0) ||
        (in == VALUE && mutate_below(e->rng, 2) == 0))
        return onnx_put_field(out, field, e->name.data, e->name.len);
    if (in == ATTR && field == 1)
        return onnx_put_text(out, field, onnx_attr_name(e->rng));
    if (in == ENTRY)
        return onnx_put_text(out, field,
                             mutate_below(e->rng, 4) == 0 ? onnx_text(e->rng) : onnx_place(e->rng));
    if (in != TENSOR && mutate_below(e->rng, 4) != 0)
        return onnx_put_text(out, field, onnx_text(e->rng));
    if (mutate_below(e->rng, 16) == 0) { /* long */
        for (int i = 0; i < 5000; i++)
            SAL_TRY(sal_bytes_add(&b, "twenty characters   ", 20, NULL));
    } else {
        SAL_TRY(sal_bytes_add(&b, n == 0 ? (const void *)"" : p, n, NULL));
        if (in == TENSOR && field == 9 && n >= 8 && mutate_below(e->rng, 3) != 0) {
            size_t at = (size_t)mutate_below(e->rng, n / 8) * 8;
            int64_t v = onnx_int(e->rng);
            float f[2];
            f[0] = onnx_float(e->rng);
            f[1] = onnx_float(e->rng);
            memcpy(b.data + at, mutate_below(e->rng, 2) == 0 ? (const void *)&v : (const void *)f,
                   8);
        } else if (n > 0) {
            none = b;
            SAL_TRY(mutate_bytes(e->rng, &none, &b));
        }
    }
    SAL_TRY(onnx_put_field(out, field, b.data, b.len));
done:
    sal_bytes_free(&b);
    return st;
}

static sal_status onnx_edit_message(onnx_edit *e, onnx_kind kind, uint64_t field, const uint8_t *p,
                                    size_t n, sal_bytes *out)
{
    sal_bytes b = {NULL, 0, 0};
    sal_status st = SAL_OK;
    if (mutate_below(e->rng, 8) != 0)
        SAL_TRY(sal_bytes_add(&b, n == 0 ? (const void *)"" : p, n, NULL));
    switch (kind) {
    case NODE:
        if (mutate_below(e->rng, 3) == 0)
            SAL_TRY(onnx_put_field(&b, 1 + mutate_below(e->rng, 2), e->name.data, e->name.len));
        else
            SAL_TRY(onnx_attribute(e->rng, &b));
        break;
    case TENSOR:
        if (mutate_below(e->rng, 3) == 0)
            SAL_TRY(onnx_put_int(&b, 1, onnx_int(e->rng)));
        else
            SAL_TRY(onnx_external(e->rng, &b));
        break;
    case ATTR:
        if (mutate_below(e->rng, 3) == 0)
            SAL_TRY(onnx_nested(e->rng, &b));
        else
            SAL_TRY(onnx_put_int(&b, 8, onnx_int(e->rng)));
        break;
    case DIM:
        SAL_TRY(onnx_put_int(&b, 1, onnx_int(e->rng)));
        break;
    case SHAPE:
        SAL_TRY(onnx_put_text(&b, 1, ""));
        break;
    default:
        SAL_TRY(onnx_put_int(&b, mutate_below(e->rng, 24), onnx_int(e->rng)));
    }
    SAL_TRY(onnx_put_field(out, field, b.data, b.len));
done:
    sal_bytes_free(&b);
    return st;
}

/* One field, [from, p) as it was; its contents are the last n bytes of that. */
static sal_status onnx_edit_field(onnx_edit *e, onnx_kind in, uint64_t tag, const uint8_t *from,
                                  const uint8_t *p, size_t n, sal_bytes *out)
{
    uint64_t field = tag >> 3;
    onnx_kind kind = onnx_kind_of(in, field);
    sal_status st;
    switch (mutate_below(e->rng, 10)) {
    case 0:
        return SAL_OK; /* missing */
    case 1:
        st = sal_bytes_add(out, from, (size_t)(p - from), NULL);
        return st == SAL_OK ? sal_bytes_add(out, from, (size_t)(p - from), NULL) : st;
    default:
        break;
    }
    if ((tag & 7) == 0)
        return onnx_put_int(out, field, onnx_int(e->rng));
    if ((tag & 7) == 5)
        return onnx_put_float(out, field, onnx_float(e->rng));
    if ((tag & 7) != 2)
        return SAL_OK;
    return kind == LEAF ? onnx_edit_leaf(e, in, field, p - n, n, out)
                        : onnx_edit_message(e, kind, field, p - n, n, out);
}

/* Copies a message, out = NULL only counts; bytes that are no fields are copied as they are. */
static sal_status onnx_walk(onnx_edit *e, onnx_kind in, const uint8_t *p, const uint8_t *end,
                            sal_bytes *out)
{
    sal_bytes inner = {NULL, 0, 0};
    sal_status st = SAL_OK;
    e->depth++;
    while (p < end) {
        const uint8_t *from = p;
        uint64_t tag, n = 0;
        bool right = onnx_varint(&p, end, &tag);
        unsigned wire = right ? (unsigned)(tag & 7) : 7;
        if (wire == 0 || wire == 2)
            right = onnx_varint(&p, end, &n);
        if (wire != 2)
            n = wire == 5 ? 4 : wire == 1 ? 8 : 0;
        if (!right || (wire != 0 && wire != 1 && wire != 2 && wire != 5) ||
            n > (uint64_t)(end - p)) {
            if (out != NULL)
                SAL_TRY(sal_bytes_add(out, from, (size_t)(end - from), NULL));
            break;
        }
        p += n;
        onnx_kind kind = wire == 2 ? onnx_kind_of(in, tag >> 3) : LEAF;
        if (out == NULL && in == NODE && wire == 2 && tag >> 3 <= 2 &&
            mutate_below(e->rng, ++e->names) == 0) {
            e->name.len = 0;
            SAL_TRY(sal_bytes_add(&e->name, n == 0 ? p : p - n, (size_t)n, NULL));
        }
        if (e->seen++ == e->target && out != NULL) {
            SAL_TRY(onnx_edit_field(e, in, tag, from, p, (size_t)n, out));
        } else if (kind != LEAF && e->depth < DEEP) {
            inner.len = 0;
            SAL_TRY(onnx_walk(e, kind, p - n, p, out == NULL ? NULL : &inner));
            if (out != NULL)
                SAL_TRY(onnx_put_field(out, tag >> 3, inner.data, inner.len));
        } else if (out != NULL) {
            SAL_TRY(sal_bytes_add(out, from, (size_t)(p - from), NULL));
        }
    }
done:
    e->depth--;
    sal_bytes_free(&inner);
    return st;
}

sal_status mutate_onnx(sal_rng *rng, const sal_bytes *other, sal_bytes *b)
{
    onnx_edit e = {rng, 0, SIZE_MAX, {NULL, 0, 0}, 0, 0};
    sal_bytes out = {NULL, 0, 0};
    sal_status st = SAL_OK;
    if (b->len == 0)
        return sal_bytes_add(b, other->data, other->len, NULL);
    const uint8_t *p = (const uint8_t *)b->data;
    SAL_TRY(onnx_walk(&e, MODEL, p, p + b->len, NULL));
    e.target = (size_t)mutate_below(rng, e.seen);
    e.seen = 0;
    SAL_TRY(onnx_walk(&e, MODEL, p, p + b->len, &out));
    sal_bytes_free(b);
    *b = out;
    out = (sal_bytes){NULL, 0, 0};
done:
    sal_bytes_free(&e.name);
    sal_bytes_free(&out);
    return st;
}
