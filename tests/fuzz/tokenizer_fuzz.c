/* tokenizer.json. */
#include "tokenizer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return tokenizer_fuzz(data, size, "tokenizer.json");
}
