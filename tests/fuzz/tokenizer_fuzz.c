/* tokenizer.json: whatever is read encodes and decodes a hard text. */
#include <salience/salience.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        " He said: \"na\xC3\xAFve\"  \xE4\xB8\xAD\xE6\x96\x87 it's 42\xFF\xF0\x9F "
        "[MASK]<s> \xE2\x96\x81x e\xCC\x81\xCC\x82\n";
    sal_tokenizer *t = NULL;
    sal_tokens k = SAL_TOKENS_INIT;
    char *back = NULL;

    if (sal_tokenizer_open_memory(&t, data, size, "tokenizer.json", NULL) != SAL_OK)
        return 0;
    if (sal_tokenizer_encode(t, text, sizeof(text) - 1, true, &k, NULL) == SAL_OK &&
        sal_tokenizer_decode(t, k.ids, k.n, false, &back, NULL, NULL) == SAL_OK)
        sal_text_free(back);
    sal_tokens_free(&k);
    sal_tokenizer_free(t);
    return 0;
}
