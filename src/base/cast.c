/* Element types: reading, writing and converting values.
 * Conversions go through double, or 64-bit integers when no float takes part, so that a type needs
 * one reader and one writer, not one for each other type; the pairs that move weights have loops of
 * their own. */
#include "base/base.h"

#include <math.h>

/* Nearest double to float would round twice on the way to a 16-bit float. Rounding to odd in
 * between keeps the second rounding exact (Boldo & Melquiond 2008). */
static float cast_round_odd(double v)
{
    float f = (float)v;
    if ((double)f == v || isnan(v))
        return f;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if (fabs((double)f) > fabs(v))
        u--;
    u |= 1u;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Towards zero; out of range gives the nearest value of the type, NaN gives 0: never undefined
 * behaviour. */
static int64_t cast_to_i64(double v, int64_t lo, int64_t hi)
{
    if (isnan(v))
        return 0;
    if (v <= (double)lo)
        return lo;
    if (v >= (double)hi)
        return hi;
    return (int64_t)v;
}

static uint64_t cast_to_u64(double v, uint64_t hi)
{
    if (isnan(v) || v <= 0)
        return 0;
    if (v >= (double)hi)
        return hi;
    return (uint64_t)v;
}

double sal_tensor_get(const sal_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case SAL_F32:
        return (double)((const float *)t->data)[i];
    case SAL_F64:
        return ((const double *)t->data)[i];
    case SAL_F16:
        return (double)sal_f16_to_f32(((const uint16_t *)t->data)[i]);
    case SAL_BF16:
        return (double)sal_bf16_to_f32(((const uint16_t *)t->data)[i]);
    case SAL_U8:
        return (double)((const uint8_t *)t->data)[i];
    case SAL_I8:
        return (double)((const int8_t *)t->data)[i];
    case SAL_U16:
        return (double)((const uint16_t *)t->data)[i];
    case SAL_I16:
        return (double)((const int16_t *)t->data)[i];
    case SAL_I32:
        return (double)((const int32_t *)t->data)[i];
    case SAL_U32:
        return (double)((const uint32_t *)t->data)[i];
    case SAL_I64:
        return (double)((const int64_t *)t->data)[i];
    case SAL_U64:
        return (double)((const uint64_t *)t->data)[i];
    case SAL_BOOL:
        return ((const uint8_t *)t->data)[i] != 0 ? 1.0 : 0.0;
    case SAL_DT_NONE:
        break;
    }
    return 0.0;
}

void sal_tensor_set(sal_tensor *t, int64_t i, double v)
{
    switch (t->dtype) {
    case SAL_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case SAL_F64:
        ((double *)t->data)[i] = v;
        break;
    case SAL_F16:
        ((uint16_t *)t->data)[i] = sal_f32_to_f16(cast_round_odd(v));
        break;
    case SAL_BF16:
        ((uint16_t *)t->data)[i] = sal_f32_to_bf16(cast_round_odd(v));
        break;
    case SAL_U8:
        ((uint8_t *)t->data)[i] = (uint8_t)cast_to_u64(v, UINT8_MAX);
        break;
    case SAL_I8:
        ((int8_t *)t->data)[i] = (int8_t)cast_to_i64(v, INT8_MIN, INT8_MAX);
        break;
    case SAL_U16:
        ((uint16_t *)t->data)[i] = (uint16_t)cast_to_u64(v, UINT16_MAX);
        break;
    case SAL_I16:
        ((int16_t *)t->data)[i] = (int16_t)cast_to_i64(v, INT16_MIN, INT16_MAX);
        break;
    case SAL_I32:
        ((int32_t *)t->data)[i] = (int32_t)cast_to_i64(v, INT32_MIN, INT32_MAX);
        break;
    case SAL_U32:
        ((uint32_t *)t->data)[i] = (uint32_t)cast_to_u64(v, UINT32_MAX);
        break;
    case SAL_I64:
        ((int64_t *)t->data)[i] = cast_to_i64(v, INT64_MIN, INT64_MAX);
        break;
    case SAL_U64:
        ((uint64_t *)t->data)[i] = cast_to_u64(v, UINT64_MAX);
        break;
    case SAL_BOOL:
        ((uint8_t *)t->data)[i] = v != 0.0;
        break;
    case SAL_DT_NONE:
        break;
    }
}

/* Integers and booleans as 64 bits; unsigned ones keep their bit pattern. */
static uint64_t cast_load_int(const sal_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case SAL_I8:
        return (uint64_t)((const int8_t *)t->data)[i];
    case SAL_I16:
        return (uint64_t)((const int16_t *)t->data)[i];
    case SAL_I32:
        return (uint64_t)((const int32_t *)t->data)[i];
    case SAL_I64:
        return (uint64_t)((const int64_t *)t->data)[i];
    case SAL_U8:
        return ((const uint8_t *)t->data)[i];
    case SAL_U16:
        return ((const uint16_t *)t->data)[i];
    case SAL_U32:
        return ((const uint32_t *)t->data)[i];
    case SAL_U64:
        return ((const uint64_t *)t->data)[i];
    case SAL_BOOL:
        return ((const uint8_t *)t->data)[i] != 0;
    default:
        return 0;
    }
}

/* Modulo 2^bits, as C and NumPy convert integers. */
static void cast_store_int(sal_tensor *t, int64_t i, uint64_t v)
{
    switch (sal_dtype_size(t->dtype)) {
    case 1:
        ((uint8_t *)t->data)[i] = t->dtype == SAL_BOOL ? v != 0 : (uint8_t)v;
        break;
    case 2:
        ((uint16_t *)t->data)[i] = (uint16_t)v;
        break;
    case 4:
        ((uint32_t *)t->data)[i] = (uint32_t)v;
        break;
    case 8:
        ((uint64_t *)t->data)[i] = v;
        break;
    default:
        break;
    }
}

static void cast_elements(sal_tensor *out, const sal_tensor *in)
{
    int64_t n = sal_tensor_count(in);
    const float *from32 = in->data;
    const uint16_t *from16 = in->data;
    float *to32 = out->data;
    uint16_t *to16 = out->data;
    if (in->dtype == out->dtype) {
        memcpy(out->data, in->data, sal_tensor_bytes(in));
    } else if (in->dtype == SAL_F16 && out->dtype == SAL_F32) {
        for (int64_t i = 0; i < n; i++)
            to32[i] = sal_f16_to_f32(from16[i]);
    } else if (in->dtype == SAL_BF16 && out->dtype == SAL_F32) {
        for (int64_t i = 0; i < n; i++)
            to32[i] = sal_bf16_to_f32(from16[i]);
    } else if (in->dtype == SAL_F32 && out->dtype == SAL_F16) {
        for (int64_t i = 0; i < n; i++)
            to16[i] = sal_f32_to_f16(from32[i]);
    } else if (in->dtype == SAL_F32 && out->dtype == SAL_BF16) {
        for (int64_t i = 0; i < n; i++)
            to16[i] = sal_f32_to_bf16(from32[i]);
    } else if (!sal_dtype_is_float(in->dtype) && !sal_dtype_is_float(out->dtype)) {
        for (int64_t i = 0; i < n; i++)
            cast_store_int(out, i, cast_load_int(in, i));
    } else if (in->dtype == SAL_I64 && out->dtype == SAL_F32) {
        for (int64_t i = 0; i < n; i++) /* not through double: that would round twice */
            to32[i] = (float)((const int64_t *)in->data)[i];
    } else if (in->dtype == SAL_U64 && out->dtype == SAL_F32) {
        for (int64_t i = 0; i < n; i++)
            to32[i] = (float)((const uint64_t *)in->data)[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            sal_tensor_set(out, i, sal_tensor_get(in, i));
    }
}

sal_status sal_tensor_cast(sal_tensor *out, const sal_tensor *in, sal_dtype dtype, sal_error *err)
{
    sal_tensor t = SAL_TENSOR_INIT;
    *out = t;
    if (sal_dtype_size(in->dtype) == 0)
        return sal_fail(err, SAL_EINVAL, "a tensor of unknown element type %d cannot be converted",
                        (int)in->dtype);
    sal_status st = sal_tensor_new(&t, dtype, in->rank, in->dims, err);
    if (st != SAL_OK)
        return st;
    if (sal_tensor_count(in) > 0)
        cast_elements(&t, in);
    *out = t;
    return SAL_OK;
}
