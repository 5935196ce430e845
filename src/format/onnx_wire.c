/* Walking protobuf's wire format: a message is a sequence of (tag, payload), the tag a varint of
 * field number * 8 + wire type. */
#include "format/onnx_wire.h"

/* Messages inside messages. A real file needs 8 or so, and three more for each nested sub-graph. */
enum { WIRE_DEPTH_MAX = 100 };

static sal_status wire_varint(const uint8_t *p, size_t *pos, size_t end, uint64_t *out,
                              sal_error *err)
{
    uint64_t v = 0;
    size_t at = *pos;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at >= end)
            return sal_fail_at(err, SAL_EFORMAT, at,
                               "byte %zu: the file or message ends inside a number", at);
        uint8_t byte = p[at++];
        v |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if ((byte & 0x80) == 0) {
            *pos = at;
            *out = v;
            return SAL_OK;
        }
    }
    return sal_fail_at(err, SAL_EFORMAT, *pos, "byte %zu: a number is longer than ten bytes", *pos);
}

sal_status sal_onnx_wire_next(const uint8_t *p, size_t *pos, size_t end, sal_onnx_field *f,
                              sal_error *err)
{
    uint64_t tag, value;
    size_t start = *pos, at = *pos, size = 0;
    sal_status st = wire_varint(p, &at, end, &tag, err);
    if (st != SAL_OK)
        return st;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return sal_fail_at(err, SAL_EFORMAT, start, "byte %zu: no field can have the number %llu",
                           start, (unsigned long long)(tag >> 3));
    f->id = (uint32_t)(tag >> 3);
    f->wire = (unsigned)(tag & 7);
    size_t body = at;
    switch (f->wire) {
    case 0:
        st = wire_varint(p, &at, end, &value, err);
        if (st != SAL_OK)
            return st;
        size = at - body;
        break;
    case 1:
        size = 8;
        break;
    case 2:
        st = wire_varint(p, &at, end, &value, err);
        if (st != SAL_OK)
            return st;
        body = at;
        size = value > SIZE_MAX ? SIZE_MAX : (size_t)value;
        break;
    case 5:
        size = 4;
        break;
    default:
        return sal_fail_at(err, SAL_EFORMAT, start, "byte %zu: unknown wire type %u", start,
                           f->wire);
    }
    if (size > end - body)
        return sal_fail_at(
            err, SAL_EFORMAT, start,
            "byte %zu: a field of %llu bytes reaches over the end (%zu bytes are left)", start,
            (unsigned long long)size, end - body);
    f->body = (sal_onnx_span){body, size};
    f->whole = (sal_onnx_span){start, body + size - start};
    *pos = body + size;
    return SAL_OK;
}

static const ProtobufCFieldDescriptor *wire_find(const ProtobufCMessageDescriptor *type,
                                                 uint32_t id)
{
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].id == id)
            return &type->fields[i];
    return NULL;
}

static unsigned wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 5;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 1;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    default:
        return 0;
    }
}

/* A repeated number may also be packed: all elements in one delimited field. */
static sal_status wire_packed(const uint8_t *p, sal_onnx_span s, unsigned wire, const char *name,
                              sal_error *err)
{
    size_t unit = wire == 5 ? 4 : 8, at = s.at, end = s.at + s.len;
    uint64_t value;
    if (wire != 0 && s.len % unit != 0)
        return sal_fail_at(err, SAL_EFORMAT, s.at,
                           "byte %zu: %zu bytes in %s are no whole number of elements", s.at, s.len,
                           name);
    while (wire == 0 && at < end) {
        sal_status st = wire_varint(p, &at, end, &value, err);
        if (st != SAL_OK)
            return st;
    }
    return SAL_OK;
}

static sal_status wire_check(const uint8_t *p, size_t at, size_t end,
                             const ProtobufCMessageDescriptor *type, int depth, sal_error *err)
{
    uint64_t seen = 0; /* bit i: single sub-message number i of the type has occurred */
    if (depth > WIRE_DEPTH_MAX)
        return sal_fail_at(err, SAL_EFORMAT, at, "byte %zu: messages are nested more than %d deep",
                           at, WIRE_DEPTH_MAX);
    while (at < end) {
        sal_onnx_field f;
        sal_status st = sal_onnx_wire_next(p, &at, end, &f, err);
        if (st != SAL_OK)
            return st;
        const ProtobufCFieldDescriptor *d = wire_find(type, f.id);
        if (d == NULL)
            continue; /* of a newer schema */
        unsigned want = wire_type_of(d->type);
        if (f.wire == 2 && want != 2 && d->label == PROTOBUF_C_LABEL_REPEATED) {
            st = wire_packed(p, f.body, want, d->name, err);
            if (st != SAL_OK)
                return st;
            continue;
        }
        if (f.wire != want)
            return sal_fail_at(err, SAL_EFORMAT, f.whole.at,
                               "byte %zu: the field %s.%s has wire type %u instead of %u",
                               f.whole.at, type->short_name, d->name, f.wire, want);
        if (d->type == PROTOBUF_C_TYPE_STRING && memchr(p + f.body.at, 0, f.body.len) != NULL)
            return sal_fail_at(err, SAL_EFORMAT, f.body.at,
                               "byte %zu: the text %s.%s holds a NUL byte", f.body.at,
                               type->short_name, d->name);
        if (d->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        uint64_t bit = (uint64_t)1 << (d - type->fields);
        if (d->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit) != 0)
            return sal_fail_at(err, SAL_EFORMAT, f.whole.at,
                               "byte %zu: the field %s.%s occurs twice", f.whole.at,
                               type->short_name, d->name);
        seen |= bit;
        st = wire_check(p, f.body.at, f.body.at + f.body.len, d->descriptor, depth + 1, err);
        if (st != SAL_OK)
            return st;
    }
    return SAL_OK;
}

sal_status sal_onnx_wire_check(const uint8_t *p, size_t at, size_t end,
                               const ProtobufCMessageDescriptor *type, sal_error *err)
{
    return wire_check(p, at, end, type, 0, err);
}

sal_status sal_onnx_wire_split(const uint8_t *p, sal_onnx_span span, uint32_t skip, sal_bytes *rest,
                               sal_onnx_span **spans, size_t *n_spans, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_onnx_span *list = NULL;
    size_t n = 0, cap = 0, at = span.at, end = span.at + span.len;
    *spans = NULL;
    *n_spans = 0;
    while (at < end) {
        sal_onnx_field f;
        SAL_TRY(sal_onnx_wire_next(p, &at, end, &f, err));
        if (f.id == skip && f.wire == 2) {
            SAL_TRY(sal_grow(&list, n + 1, &cap, sizeof *list, err));
            list[n++] = f.body;
        } else {
            SAL_TRY(sal_bytes_add(rest, p + f.whole.at, f.whole.len, err));
        }
    }
    *spans = list;
    *n_spans = n;
    list = NULL;
done:
    sal_free(list);
    return st;
}

static void *budget_alloc(void *ctx, size_t bytes)
{
    sal_onnx_budget *b = ctx;
    if (bytes > b->left) {
        b->exceeded = true;
        return NULL;
    }
    void *p = sal_malloc(bytes);
    if (p != NULL)
        b->left -= bytes;
    else
        b->failed = true;
    return p;
}

static void budget_free(void *ctx, void *p)
{
    (void)ctx;
    sal_free(p);
}

void sal_onnx_budget_init(sal_onnx_budget *b, size_t limit)
{
    b->allocator = (ProtobufCAllocator){budget_alloc, budget_free, b};
    b->left = limit;
    b->exceeded = b->failed = false;
}
