/* Any bytes as NIfTI. What is read must be written, compressed or not, and read back to the same
 * bytes. */
#include "format/nifti.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const sal_tensor *first, const sal_nifti *info, bool gzip)
{
    sal_tensor second = SAL_TENSOR_INIT;
    sal_bytes text = {NULL, 0, 0};

    if (sal_nifti_encode(&text, first, info, gzip, NULL) != SAL_OK ||
        sal_nifti_decode(&second, NULL, (const uint8_t *)text.data, text.len, "fuzz", NULL) !=
            SAL_OK ||
        memcmp(first->dims, second.dims, sizeof second.dims) != 0 ||
        memcmp(first->data, second.data, sal_tensor_bytes(first)) != 0)
        abort();
    sal_bytes_free(&text);
    sal_tensor_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_tensor first = SAL_TENSOR_INIT;
    sal_nifti info;

    if (sal_nifti_decode(&first, &info, data, size, "fuzz", &err) != SAL_OK) {
        if (err.msg[0] == '\0' || strchr(err.msg, '\n') != NULL || first.data != NULL)
            abort();
        return 0;
    }
    if (sal_tensor_count(&first) < (1 << 20)) {
        again(&first, &info, false);
        again(&first, &info, true);
    }
    sal_tensor_free(&first);
    return 0;
}
