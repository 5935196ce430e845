/* WordPiece: the longest token that begins the word, then the longest with the prefix "##" that
 * begins the rest; a word that cannot be made of tokens is unknown. WordLevel: whole words. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

static sal_status unknown_read(sal_tokenizer *t, const json_t *json, sal_error *err)
{
    const char *unk = json_string_value(json_object_get(json, "unk_token"));

    t->unk = unk == NULL ? -1 : tok_map_get(&t->vocab, unk, strlen(unk));
    if (t->unk < 0)
        return sal_fail(err, SAL_EFORMAT, "the unknown token %s is not in the vocabulary",
                        unk == NULL ? "" : unk);
    return SAL_OK;
}

static sal_status wordpiece_read(sal_tokenizer *t, const json_t *json, sal_error *err)
{
    const char *prefix = json_string_value(json_object_get(json, "continuing_subword_prefix"));
    const json_t *most = json_object_get(json, "max_input_chars_per_word");

    t->prefix = prefix == NULL ? "##" : prefix;
    t->max_chars = json_is_integer(most) && json_integer_value(most) > 0
                       ? (size_t)json_integer_value(most)
                       : 100;
    if (strlen(t->prefix) > 64 || t->max_chars > 10000)
        return sal_fail(err, SAL_EFORMAT, "a limit of WordPiece is out of range");
    return unknown_read(t, json, err);
}

static sal_status wordpiece_encode(const sal_tokenizer *t, const tok_char *word, size_t n,
                                   tok_ids *out, sal_error *err)
{
    size_t first = out->n, prefix = strlen(t->prefix), from = 0;
    uint32_t begin = word[0].begin, end = word[n - 1].end;
    char *key = NULL;
    sal_status st = SAL_OK;

    if (n > t->max_chars)
        return tok_ids_add(out, t->unk, begin, end, err);
    key = sal_calloc(prefix + 4 * n + 1, 1);
    if (key == NULL)
        return sal_fail_nomem(err);
    while (from < n) {
        size_t bytes = from > 0 ? prefix : 0, to = from, best = from;
        int32_t id = -1;

        memcpy(key, t->prefix, bytes);
        for (; to < n; to++) {
            int32_t k;

            bytes += tok_utf8(word[to].c, key + bytes);
            k = tok_map_get(&t->vocab, key, bytes);
            if (k >= 0) {
                id = k;
                best = to + 1;
            }
        }
        if (id < 0) {
            out->n = first;
            SAL_TRY(tok_ids_add(out, t->unk, begin, end, err));
            break;
        }
        SAL_TRY(tok_ids_add(out, id, word[from].begin, word[best - 1].end, err));
        from = best;
    }
done:
    sal_free(key);
    return st;
}

static sal_status wordlevel_encode(const sal_tokenizer *t, const tok_char *word, size_t n,
                                   tok_ids *out, sal_error *err)
{
    char *key = sal_calloc(4 * n + 1, 1);
    size_t bytes = 0;
    int32_t id;

    if (key == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        bytes += tok_utf8(word[i].c, key + bytes);
    id = tok_map_get(&t->vocab, key, bytes);
    sal_free(key);
    return tok_ids_add(out, id < 0 ? t->unk : id, word[0].begin, word[n - 1].end, err);
}

const tok_model_type tok_wordpiece = {"WordPiece", wordpiece_read, wordpiece_encode};
const tok_model_type tok_wordlevel = {"WordLevel", unknown_read, wordlevel_encode};
