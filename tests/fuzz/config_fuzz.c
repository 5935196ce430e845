/* Any bytes as the config.json of a folder, with the weights of small models. */
#include "folder_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < FOLDER_FUZZ_SEEDS; i++) {
        const sal_file *weights = folder_fuzz_seed(i, "safetensors", "safetensors");
        folder_fuzz_model(data, size, weights->data, weights->size);
    }
    return 0;
}
