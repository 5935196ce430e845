/* Any bytes as the JSON that describes preprocessing. What is accepted must be sound and
 * describable. */
#include "base/base.h"

#include <math.h>
#include <salience/image.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sal_preprocess p = SAL_PREPROCESS_INIT;
    sal_error err = {SAL_OK, 0, ""};
    char text[512];
    sal_status st = sal_preprocess_from_json(&p, (const char *)data, size, &err);
    if (st != SAL_OK) {
        if (err.msg[0] == '\0' || strchr(err.msg, '\n') != NULL)
            abort();
        return 0;
    }
    if (sal_preprocess_check(&p, NULL) != SAL_OK)
        abort();
    for (int c = 0; c < 3; c++)
        if (!isfinite(p.mean[c]) || !isfinite(p.std[c]))
            abort();
    (void)sal_preprocess_describe(&p, text, sizeof text);
    return 0;
}
