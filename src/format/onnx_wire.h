/* The wire format of protobuf, as far as it has to be looked at before protobuf-c sees the bytes:
 * protobuf-c neither limits nesting nor says where a file is damaged, and it copies every byte
 * string. */
#ifndef SAL_ONNX_WIRE_H
#define SAL_ONNX_WIRE_H

#include "base/base.h"

#include <protobuf-c/protobuf-c.h>

/* A stretch of the file. */
typedef struct sal_onnx_span {
    size_t at, len;
} sal_onnx_span;

/* One field of a message. */
typedef struct sal_onnx_field {
    uint32_t id;
    unsigned wire;       /* wire type: 0 varint, 1 eight bytes, 2 delimited, 5 four bytes */
    sal_onnx_span whole; /* tag, length and payload */
    sal_onnx_span body;  /* the payload alone */
} sal_onnx_field;

/* Read the field at *pos, which must lie before `end`, and advance. err->offset is the damaged
 * byte. */
sal_status sal_onnx_wire_next(const uint8_t *p, size_t *pos, size_t end, sal_onnx_field *f,
                              sal_error *err);

/* Look through a message and all messages in it: every length and tag must be sound, known fields
 * must have their wire type, single sub-messages must occur once, texts must not hold NUL, and
 * nesting must stay below a limit. protobuf-c can then be trusted with the bytes. */
sal_status sal_onnx_wire_check(const uint8_t *p, size_t at, size_t end,
                               const ProtobufCMessageDescriptor *type, sal_error *err);

/* Copy the message p[span] without its field number `skip`, and note where the skipped fields are.
 * `spans` (sal_malloc'ed, may be NULL when there are none) holds their bodies in order. */
sal_status sal_onnx_wire_split(const uint8_t *p, sal_onnx_span span, uint32_t skip, sal_bytes *rest,
                               sal_onnx_span **spans, size_t *n_spans, sal_error *err);

/* An allocator for protobuf-c that gives up after `limit` bytes in all. */
typedef struct sal_onnx_budget {
    ProtobufCAllocator allocator;
    size_t left;
    bool exceeded; /* the limit was the reason of a failure */
    bool failed;   /* lack of memory was */
} sal_onnx_budget;

void sal_onnx_budget_init(sal_onnx_budget *b, size_t limit);

#endif
