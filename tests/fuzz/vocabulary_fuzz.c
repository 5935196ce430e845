/* The vocabulary of a GGUF file; and the same bytes as a chat template. */
#include "tokenizer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sal_chat_template *chat;
    (void)!sal_chat_template_find(&chat, (const char *)data, size, NULL);
    return tokenizer_fuzz(data, size, "vocabulary.gguf");
}
