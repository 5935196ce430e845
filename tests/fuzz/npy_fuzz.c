/* Any bytes as .npy. What is read must be written and read back to the same bytes. */
#include "format/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_tensor first = SAL_TENSOR_INIT, second = SAL_TENSOR_INIT;
    sal_bytes text = {NULL, 0, 0};
    sal_status st = sal_npy_decode(&first, data, size, "fuzz", &err);
    if (st != SAL_OK) {
        if (err.msg[0] == '\0' || strchr(err.msg, '\n') != NULL)
            abort();
        return 0;
    }
    if (sal_npy_encode(&text, &first, NULL) != SAL_OK ||
        sal_npy_decode(&second, (const uint8_t *)text.data, text.len, "fuzz", NULL) != SAL_OK ||
        second.dtype != first.dtype || second.rank != first.rank ||
        memcmp(first.dims, second.dims, sizeof first.dims) != 0 ||
        (sal_tensor_bytes(&first) != 0 &&
         memcmp(first.data, second.data, sal_tensor_bytes(&first)) != 0)) {
        abort();
    }
    sal_bytes_free(&text);
    sal_tensor_free(&first);
    sal_tensor_free(&second);
    return 0;
}
