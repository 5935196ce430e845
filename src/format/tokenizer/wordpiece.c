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
                                   tok_work *w, tok_ids *out, sal_error *err)
{
    size_t first = out->n, from = 0;
    uint32_t begin = word[0].begin, end = word[n - 1].end;
    sal_status st = SAL_OK;

    if (n > t->max_chars)
        return tok_ids_add(out, t->unk, begin, end, err);
    while (from < n) {
        const char *prefix = from > 0 ? t->prefix : t->first;
        size_t best = from;
        int32_t id = -1;

        w->bytes.len = 0;
        SAL_TRY(sal_bytes_add(&w->bytes, prefix, strlen(prefix), err));
        for (size_t to = from; to < n && w->bytes.len < t->longest; to++) {
            char buf[4];
            int32_t k;

            SAL_TRY(sal_bytes_add(&w->bytes, buf, tok_utf8(word[to].c, buf), err));
            k = tok_map_get(&t->vocab, w->bytes.data, w->bytes.len);
            if (k >= 0) {
                id = k;
                best = to + 1;
            }
        }
        if (id < 0) {
            out->n = first;
            return tok_ids_add(out, t->unk, begin, end, err);
        }
        SAL_TRY(tok_ids_add(out, id, word[from].begin, word[best - 1].end, err));
        from = best;
    }
done:
    return st;
}

static sal_status wordlevel_encode(const sal_tokenizer *t, const tok_char *word, size_t n,
                                   tok_work *w, tok_ids *out, sal_error *err)
{
    int32_t id;
    sal_status st = SAL_OK;

    w->bytes.len = 0;
    for (size_t i = 0; i < n; i++) {
        char buf[4];

        SAL_TRY(sal_bytes_add(&w->bytes, buf, tok_utf8(word[i].c, buf), err));
    }
    id = tok_map_get(&t->vocab, w->bytes.data, w->bytes.len);
    st = tok_ids_add(out, id < 0 ? t->unk : id, word[0].begin, word[n - 1].end, err);
done:
    return st;
}

const tok_model_type tok_wordpiece = {"WordPiece", wordpiece_read, wordpiece_encode};
const tok_model_type tok_wordlevel = {"WordLevel", unknown_read, wordlevel_encode};
