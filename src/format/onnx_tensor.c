/* TensorProto -> tensor. Contents stand in raw_data, in a field for the element type, or in another
 * file. */
#include "format/onnx_reader.h"

#include <inttypes.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "raw_data is little-endian and is taken over as it is"
#endif

static const char *const tensor_other_types[] = {
    [8] = "string",          [14] = "complex64",  [15] = "complex128",     [17] = "float8e4m3fn",
    [18] = "float8e4m3fnuz", [19] = "float8e5m2", [20] = "float8e5m2fnuz", [21] = "uint4",
    [22] = "int4",           [23] = "float4e2m1", [24] = "float8e8m0",
};

sal_status sal_onnx_dtype(int32_t code, const char *what, const char *name, sal_dtype *out,
                          sal_error *err)
{
    switch (code) {
#define X(id, number, bytes, text) case number:
        SAL_DTYPE_MAP(X)
#undef X
        if (code != 0) {
            *out = (sal_dtype)code;
            return SAL_OK;
        }
        return sal_fail(err, SAL_EFORMAT, "%s '%s' has no element type", what, name);
    default:
        break;
    }
    const char *text = code > 0 && (size_t)code < SAL_COUNTOF(tensor_other_types)
                           ? tensor_other_types[code]
                           : NULL;
    if (text != NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s '%s' has element type %s, which is not supported", what, name, text);
    return sal_fail(err, SAL_EFORMAT, "%s '%s' has the unknown element type %" PRId32, what, name,
                    code);
}

/* How many elements the typed field that belongs to the element type holds. */
static size_t tensor_typed_count(const Onnx__TensorProto *p, sal_dtype dtype)
{
    switch (dtype) {
    case SAL_F32:
        return p->n_float_data;
    case SAL_F64:
        return p->n_double_data;
    case SAL_I64:
        return p->n_int64_data;
    case SAL_U32:
    case SAL_U64:
        return p->n_uint64_data;
    default:
        return p->n_int32_data;
    }
}

/* 16-bit floats stand as bit patterns in int32_data; small integers are stored one an int32. */
static void tensor_take_typed(sal_tensor *t, const Onnx__TensorProto *p, size_t count)
{
    switch (t->dtype) {
    case SAL_F32:
        memcpy(t->data, p->float_data, count * sizeof(float));
        return;
    case SAL_F64:
        memcpy(t->data, p->double_data, count * sizeof(double));
        return;
    case SAL_I64:
        memcpy(t->data, p->int64_data, count * sizeof(int64_t));
        return;
    case SAL_U64:
        memcpy(t->data, p->uint64_data, count * sizeof(uint64_t));
        return;
    case SAL_I32:
        memcpy(t->data, p->int32_data, count * sizeof(int32_t));
        return;
    case SAL_U32:
        for (size_t i = 0; i < count; i++)
            ((uint32_t *)t->data)[i] = (uint32_t)p->uint64_data[i];
        return;
    case SAL_U16:
    case SAL_I16:
    case SAL_F16:
    case SAL_BF16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)t->data)[i] = (uint16_t)((uint32_t)p->int32_data[i] & 0xffff);
        return;
    default:
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)t->data)[i] = (uint8_t)((uint32_t)p->int32_data[i] & 0xff);
        return;
    }
}

/* Elements and bytes of the declared shape; sizes that no file could hold are refused here. */
static sal_status tensor_shape(sal_tensor *t, const Onnx__TensorProto *p, const char *name,
                               size_t *count, size_t *bytes, sal_error *err)
{
    sal_status st = sal_onnx_dtype(p->data_type, "tensor", name, &t->dtype, err);
    if (st != SAL_OK)
        return st;
    if (p->n_dims > SAL_MAX_RANK)
        return sal_fail(err, SAL_EUNSUPPORTED, "tensor '%s' has %zu axes; at most %d are supported",
                        name, p->n_dims, SAL_MAX_RANK);
    t->rank = (int32_t)p->n_dims;
    *count = 1;
    bool empty = false;
    for (size_t i = 0; i < p->n_dims; i++) {
        t->dims[i] = p->dims[i];
        if (p->dims[i] < 0)
            return sal_fail(err, SAL_EFORMAT, "tensor '%s' has the size %" PRId64 " along axis %zu",
                            name, p->dims[i], i);
        empty = empty || p->dims[i] == 0;
    }
    for (size_t i = 0; i < p->n_dims && !empty; i++)
        if ((uint64_t)p->dims[i] > SIZE_MAX || !sal_mul_ok(*count, (size_t)p->dims[i], count))
            *count = SIZE_MAX;
    *count = empty ? 0 : *count;
    if (!sal_mul_ok(*count, sal_dtype_size(t->dtype), bytes) || *bytes > PTRDIFF_MAX)
        return sal_fail(err, SAL_EFORMAT,
                        "tensor '%s' declares a shape that exceeds the address space", name);
    return SAL_OK;
}

sal_status sal_onnx_tensor(sal_tensor *out, const Onnx__TensorProto *p, const uint8_t *raw,
                           size_t raw_n, sal_onnx_external *external, sal_error *err)
{
    const char *name = sal_onnx_text(p->name);
    sal_tensor t = SAL_TENSOR_INIT;
    size_t count, bytes;
    *out = t;
    sal_status st = tensor_shape(&t, p, name, &count, &bytes, err);
    if (st != SAL_OK)
        return st;
    if (p->segment != NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "tensor '%s' is stored in segments", name);

    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        if (external == NULL)
            return sal_fail(
                err, SAL_EUNSUPPORTED,
                "tensor '%s' lies in another file, but the model was not read from a folder", name);
        st = sal_onnx_external_get(external, p, name, &t, err);
    } else {
        if (raw == NULL && p->has_raw_data) {
            raw = p->raw_data.data;
            raw_n = p->raw_data.len;
        }
        size_t have = raw != NULL ? raw_n : tensor_typed_count(p, t.dtype);
        if (have != (raw != NULL ? bytes : count))
            return sal_fail(err, SAL_EFORMAT, "tensor '%s' has %zu %s of data, its shape needs %zu",
                            name, have, raw != NULL ? "bytes" : "elements",
                            raw != NULL ? bytes : count);
        sal_tensor shape = t; /* sal_tensor_new() clears its result first */
        st = sal_tensor_new(&t, shape.dtype, shape.rank, shape.dims, err);
        if (st == SAL_OK && bytes > 0 && raw != NULL)
            memcpy(t.data, raw, bytes);
        else if (st == SAL_OK && bytes > 0)
            tensor_take_typed(&t, p, count);
        /* Other bytes than 0 and 1 would be two different kinds of true. */
        for (size_t i = 0; st == SAL_OK && t.dtype == SAL_BOOL && i < count; i++)
            ((uint8_t *)t.data)[i] = ((uint8_t *)t.data)[i] != 0;
    }
    if (st == SAL_OK)
        *out = t;
    return st;
}
