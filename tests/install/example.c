/* The smallest user of the installed library. */
#include <salience/error.h>
#include <salience/tensor.h>
#include <salience/version.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const int64_t dims[2] = {2, 3};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_error err;
    if (sal_tensor_new(&t, SAL_F32, 2, dims, &err) != SAL_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    sal_tensor_set(&t, 5, 1.5);
    int ok = sal_tensor_get(&t, 5) == 1.5 && sal_tensor_bytes(&t) == 24;
    sal_tensor_free(&t);
    printf("salience %s: %s\n", sal_version(), sal_status_text(ok ? SAL_OK : SAL_EINVAL));
    return ok ? 0 : 1;
}
