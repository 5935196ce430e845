/* Any bytes as a tokeniser, of a tokenizer.json or a GGUF file: whatever is read encodes and
 * decodes a hard text. */
#ifndef SAL_TESTS_TOKENIZER_FUZZ_H
#define SAL_TESTS_TOKENIZER_FUZZ_H

#include <salience/salience.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text streams as it is decoded. */
static void tokenizer_fuzz_stream(const sal_tokenizer *t, const sal_tokens *k, const char *text,
                                  size_t n)
{
    sal_token_stream *s = NULL;
    size_t used = 0;
    if (sal_token_stream_new(&s, t, false, NULL) != SAL_OK)
        return;
    for (size_t i = 0; i <= k->n; i++) {
        const char *part = "";
        size_t size = 0;
        sal_status st = i < k->n ? sal_token_stream_add(s, k->ids[i], &part, &size, NULL)
                                 : sal_token_stream_end(s, &part, &size, NULL);
        if (st != SAL_OK || used + size > n || memcmp(text + used, part, size) != 0)
            abort();
        used += size;
    }
    if (used != n)
        abort();
    sal_token_stream_free(s);
}

static void tokenizer_fuzz_text(const sal_tokenizer *t, const char *text, size_t n,
                                const sal_encode_opts *opts)
{
    sal_tokens k = SAL_TOKENS_INIT;
    char *back = NULL;
    size_t bytes = 0;
    if (sal_tokenizer_encode_as(t, text, n, opts, &k, NULL) == SAL_OK &&
        sal_tokenizer_decode(t, k.ids, k.n, false, &back, &bytes, NULL) == SAL_OK) {
        for (size_t i = 0; i < k.n; i++) {
            if (k.begin[i] > k.end[i] || k.end[i] > n)
                abort();
        }
        tokenizer_fuzz_stream(t, &k, back, bytes);
        sal_text_free(back);
    }
    sal_tokens_free(&k);
}

static int tokenizer_fuzz(const uint8_t *data, size_t size, const char *name)
{
    static const char text[] =
        " He said: \"na\xC3\xAFve\"  \xE4\xB8\xAD\xE6\x96\x87 it's 42\xFF\xF0\x9F "
        "[MASK]<s> <|im_end|> \xE2\x96\x81x e\xCC\x81\xCC\x82\n\n\n   \t";
    sal_encode_opts opts = SAL_ENCODE_OPTS_INIT;
    sal_tokenizer *t = NULL;
    sal_tokenizer_info info;
    const sal_chat_template *chat;
    char many[1100];
    if (sal_tokenizer_open_memory(&t, data, size, name, NULL) != SAL_OK)
        return 0;
    sal_tokenizer_get_info(t, &info);
    if (info.chat_template != NULL)
        (void)!sal_chat_template_find(&chat, info.chat_template, strlen(info.chat_template), NULL);
    tokenizer_fuzz_text(t, text, sizeof(text) - 1, &opts);
    opts.plain = true;
    /* Long enough for words to be looked up that were seen before. */
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = i % 40 == 39 ? ' ' : "it's_42,\xE4\xB8\xAD"[i % 40 % 11];
    tokenizer_fuzz_text(t, many, sizeof(many), &opts);
    sal_tokenizer_free(t);
    return 0;
}

#endif
