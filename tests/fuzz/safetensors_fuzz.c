/* Any bytes as a safetensors file: all that is listed is there, and it is tried as the weights of
 * small models. */
#include "folder_fuzz.h"
#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_safetensors *s = NULL;
    if (sal_safetensors_open_memory(&s, data, size, "fuzz", &err) != SAL_OK) {
        folder_fuzz_message(&err);
        return 0;
    }
    for (size_t i = 0; i < sal_safetensors_count(s); i++) {
        const sal_safetensors_tensor *t = sal_safetensors_at(s, i);
        if (t->bytes > 0) /* the last byte is there */
            err.offset += t->data[t->bytes - 1];
        if (t->type != NULL &&
            (size_t)t->rows * (size_t)t->columns * (size_t)t->type->bytes != t->bytes)
            abort();
    }
    sal_safetensors_close(s);
    for (size_t i = 0; i < FOLDER_FUZZ_SEEDS; i++) {
        const sal_file *config = folder_fuzz_seed(i, "config", "json");
        folder_fuzz_model(config->data, config->size, data, size);
    }
    return 0;
}
