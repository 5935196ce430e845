/* Tensors: shape, storage, owners. */
#include "base/base.h"

size_t sal_dtype_size(sal_dtype dtype)
{
    switch (dtype) {
#define X(id, code, bytes, name)                                                                   \
    case id:                                                                                       \
        return bytes;
        SAL_DTYPE_MAP(X)
#undef X
    }
    return 0;
}

const char *sal_dtype_name(sal_dtype dtype)
{
    switch (dtype) {
#define X(id, code, bytes, name)                                                                   \
    case id:                                                                                       \
        return name;
        SAL_DTYPE_MAP(X)
#undef X
    }
    return "unknown";
}

bool sal_dtype_is_float(sal_dtype dtype)
{
    return dtype == SAL_F32 || dtype == SAL_F16 || dtype == SAL_BF16 || dtype == SAL_F64;
}

/* A size can overflow before a later zero would make the product zero; zeros are looked for first.
 */
static sal_status tensor_size(size_t *bytes, sal_dtype dtype, int rank, const int64_t *dims,
                              sal_error *err)
{
    if (rank < 0 || rank > SAL_MAX_RANK)
        return sal_fail(err, SAL_EINVAL, "a tensor of rank %d; at most %d axes are supported", rank,
                        SAL_MAX_RANK);
    if (sal_dtype_size(dtype) == 0)
        return sal_fail(err, SAL_EINVAL, "a tensor of unknown element type %d", (int)dtype);
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return sal_fail(err, SAL_EINVAL, "axis %d of a tensor has the negative size %lld", i,
                            (long long)dims[i]);
        empty = empty || dims[i] == 0;
    }
    size_t total = empty ? 0 : sal_dtype_size(dtype);
    for (int i = 0; i < rank && !empty; i++)
        if ((uint64_t)dims[i] > SIZE_MAX || !sal_mul_ok(total, (size_t)dims[i], &total) ||
            total > PTRDIFF_MAX)
            return sal_fail(err, SAL_EINVAL,
                            "a tensor with axis %d of size %lld exceeds the address space", i,
                            (long long)dims[i]);
    *bytes = total;
    return SAL_OK;
}

sal_status sal_tensor_new(sal_tensor *out, sal_dtype dtype, int rank, const int64_t *dims,
                          sal_error *err)
{
    sal_tensor t = SAL_TENSOR_INIT;
    size_t bytes = 0;
    *out = t;
    sal_status st = tensor_size(&bytes, dtype, rank, dims, err);
    if (st != SAL_OK)
        return st;
    t = sal_tensor_borrow(dtype, rank, dims, NULL);
    if (bytes > 0) {
        st = sal_buffer_new(&t.buffer, &t.data, bytes, err);
        if (st != SAL_OK)
            return st;
    }
    *out = t;
    return SAL_OK;
}

sal_tensor sal_tensor_borrow(sal_dtype dtype, int rank, const int64_t *dims, void *data)
{
    sal_tensor t = SAL_TENSOR_INIT;
    t.dtype = dtype;
    t.rank = rank < 0 ? 0 : SAL_MIN(rank, SAL_MAX_RANK);
    for (int i = 0; i < t.rank; i++)
        t.dims[i] = dims[i];
    t.data = data;
    return t;
}

sal_tensor sal_tensor_ref(const sal_tensor *t)
{
    sal_tensor copy = *t;
    (void)sal_buffer_ref(copy.buffer);
    return copy;
}

void sal_tensor_free(sal_tensor *t)
{
    if (t == NULL)
        return;
    sal_buffer_unref(t->buffer);
    sal_tensor empty = SAL_TENSOR_INIT;
    *t = empty;
}

int64_t sal_tensor_count(const sal_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] == 0)
            return 0;
    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

size_t sal_tensor_bytes(const sal_tensor *t)
{
    return (size_t)sal_tensor_count(t) * sal_dtype_size(t->dtype);
}
