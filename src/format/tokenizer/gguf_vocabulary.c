/* A tokeniser from the metadata of a GGUF file: `tokenizer.ggml.*`. */
#include "format/gguf.h"
#include "format/tokenizer/tokenizer.h"

#include <math.h>

enum {
    VOCABULARY_MAX_PATTERNS = 4,
    VOCABULARY_MAX_SPECIAL = 256, /* code points of a special token */
};

typedef struct pre_tokenizer {
    const char *names;
    bool whole_words, adds_bos;
    const char *patterns[VOCABULARY_MAX_PATTERNS];
} pre_tokenizer;

static const pre_tokenizer pre_tokenizers[] = {
#define TOK_PRE(names, whole_words, adds_bos, ...) {names, whole_words, adds_bos, {__VA_ARGS__}},
#include "format/tokenizer/pre_tokenizers.def"
#undef TOK_PRE
};

static bool vocabulary_is(sal_gguf_text text, const char *want)
{
    return text.n == strlen(want) && memcmp(text.data, want, text.n) == 0;
}

/* An array of the metadata; NULL when absent. Errors: SAL_EFORMAT (another type, too short). */
static sal_status vocabulary_array(const sal_gguf *g, const char *key, bool strings, uint64_t least,
                                   const sal_gguf_pair **out, sal_error *err)
{
    const sal_gguf_pair *p = sal_gguf_find(g, key);

    *out = p;
    if (p == NULL)
        return SAL_OK;
    if (!p->array || p->type == SAL_GGUF_ARRAY || (p->type == SAL_GGUF_STRING) != strings)
        return sal_fail(err, SAL_EFORMAT, "%s is no array of %s", key,
                        strings ? "strings" : "numbers");
    if (p->count < least)
        return sal_fail(err, SAL_EFORMAT, "%s has %llu elements for %llu tokens", key,
                        (unsigned long long)p->count, (unsigned long long)least);
    return SAL_OK;
}

/* ---- tokens ---- */

static sal_status vocabulary_tokens(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    const sal_gguf_pair *p = NULL;
    const uint8_t *at;
    sal_gguf_text s;
    size_t cap = 0, i = 0;
    char *to;
    sal_status st = SAL_OK;

    SAL_TRY(vocabulary_array(g, "tokenizer.ggml.tokens", true, 1, &p, err));
    if (p == NULL || p->count > TOK_MAX_TOKENS)
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "has no vocabulary of a possible size"));
    SAL_TRY(tok_map_new(&t->vocab, (size_t)p->count, err));
    to = t->strings = sal_malloc((size_t)p->bytes + (size_t)p->count);
    if (to == NULL)
        SAL_TRY(sal_fail_nomem(err));
    at = p->data;
    for (; sal_gguf_array_next(p, &at, &s); i++) {
        if (memchr(s.data, '\0', s.n) != NULL)
            SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED, "token %zu has a zero inside", i));
        memcpy(to, s.data, s.n);
        to[s.n] = '\0';
        SAL_TRY(tok_token_add(t, to, (int64_t)i, &cap, err));
        to += s.n + 1;
    }
done:
    return st;
}

static sal_status vocabulary_types(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    const sal_gguf_pair *p = NULL;
    sal_status st = vocabulary_array(g, "tokenizer.ggml.token_type", false, t->n_tokens, &p, err);

    if (st != SAL_OK)
        return st;
    t->types = sal_calloc(t->n_tokens, 1);
    t->special = sal_calloc(t->n_tokens + 1, sizeof(*t->special));
    if (t->types == NULL || t->special == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < t->n_tokens; i++) {
        int64_t type = p == NULL ? TOK_TYPE_NORMAL : sal_gguf_array_int(p, i);

        t->types[i] = type >= TOK_TYPE_NORMAL && type <= TOK_TYPE_BYTE ? (uint8_t)type : 0;
        t->special[i] = type == TOK_TYPE_CONTROL || type == TOK_TYPE_UNKNOWN;
    }
    return SAL_OK;
}

static sal_status vocabulary_scores(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    const sal_gguf_pair *p = NULL;
    double least = HUGE_VAL;
    sal_status st = vocabulary_array(g, "tokenizer.ggml.scores", false, t->n_tokens, &p, err);

    if (st != SAL_OK)
        return st;
    t->scores = sal_calloc(t->n_tokens, sizeof(*t->scores));
    if (t->scores == NULL)
        return sal_fail_nomem(err);
    t->n_scores = t->n_tokens;
    for (size_t i = 0; i < t->n_tokens; i++) {
        t->scores[i] = p == NULL ? 0.0 : sal_gguf_array_float(p, i);
        if (!isfinite(t->scores[i]))
            return sal_fail(err, SAL_EFORMAT, "the score of token %zu is not finite", i);
        if (t->types[i] == TOK_TYPE_NORMAL)
            least = fmin(least, t->scores[i]);
        if (t->model == &tok_unigram && t->types[i] == TOK_TYPE_USER)
            t->scores[i] = 0.0; /* before all others */
    }
    t->unk_score = (least == HUGE_VAL ? 0.0 : least) - TOK_UNKNOWN_PENALTY;
    return SAL_OK;
}

/* ---- special tokens ---- */

typedef struct vocabulary_length {
    size_t bytes, added;
} vocabulary_length;

static int vocabulary_longer(const void *a, const void *b)
{
    const vocabulary_length *x = a, *y = b;

    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* Number the lengths of the special tokens, the longest first. */
static sal_status vocabulary_ranks(sal_tokenizer *t, sal_error *err)
{
    vocabulary_length *order = sal_calloc(t->n_added + 1, sizeof(*order));

    if (order == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < t->n_added; i++)
        order[i] = (vocabulary_length){strlen(t->added[i].content), i};
    if (t->n_added > 1)
        qsort(order, t->n_added, sizeof(*order), vocabulary_longer);
    for (size_t i = 0; i < t->n_added; i++) {
        if (i > 0 && order[i].bytes != order[i - 1].bytes)
            t->n_ranks++;
        t->added[order[i].added].rank = t->n_ranks;
    }
    t->n_ranks += t->n_added > 0 ? 1 : 0;
    sal_free(order);
    return SAL_OK;
}

/* Phi 3's special tokens take the white space behind them. No key says so. */
static bool vocabulary_strips(const sal_gguf *g, const char *token)
{
    static const char *const names[] = {"phi-3", "phi3"}, *const others[] = {"<unk>", "<s>",
                                                                             "<|endoftext|>"};
    sal_gguf_text s = sal_gguf_string(g, "general.name");
    bool strips = false;

    for (size_t k = 0; k < SAL_COUNTOF(names); k++) {
        size_t n = strlen(names[k]);

        for (size_t i = 0; i + n <= s.n && !strips; i++) {
            strips = true;
            for (size_t c = 0; c < n && strips; c++) {
                char lower = s.data[i + c] >= 'A' && s.data[i + c] <= 'Z'
                                 ? (char)(s.data[i + c] + ('a' - 'A'))
                                 : s.data[i + c];
                strips = lower == names[k][c];
            }
        }
    }
    for (size_t k = 0; k < SAL_COUNTOF(others); k++)
        strips = strips && strcmp(token, others[k]) != 0;
    return strips;
}

static sal_status vocabulary_added(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    size_t n = 0;
    sal_status st = SAL_OK;

    for (size_t i = 0; i < t->n_tokens; i++)
        n += t->special[i] || t->types[i] == TOK_TYPE_USER ? 1 : 0;
    t->added = sal_calloc(n + 1, sizeof(*t->added));
    if (t->added == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < t->n_tokens; i++) {
        tok_added *a = &t->added[t->n_added];

        if (!t->special[i] && t->types[i] != TOK_TYPE_USER)
            continue;
        a->id = (int32_t)i;
        a->special = t->special[i];
        a->rstrip = vocabulary_strips(g, t->tokens[i]);
        a->content = sal_strdup(t->tokens[i]);
        t->n_added++;
        if (a->content == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    SAL_TRY(tok_added_index(t, err));
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].n > VOCABULARY_MAX_SPECIAL)
            SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                             "the special token %ld has more than %d characters",
                             (long)t->added[i].id, VOCABULARY_MAX_SPECIAL));
    }
    st = vocabulary_ranks(t, err);
done:
    return st;
}

/* Names of ends and of gaps to fill are control tokens whatever their type says: many files have
 * them as words. */
static void vocabulary_control(sal_tokenizer *t)
{
    static const char *const names[] = {"<|eot_id|>",
                                        "<|im_end|>",
                                        "<|end|>",
                                        "<|return|>",
                                        "<|call|>",
                                        "<|flush|>",
                                        "<|calls|>",
                                        "<end_of_turn>",
                                        "<|endoftext|>",
                                        "</s>",
                                        "<|eom_id|>",
                                        "<EOT>",
                                        "_<EOT>",
                                        "[EOT]",
                                        "[EOS]",
                                        "<|end_of_text|>",
                                        "<end_of_utterance>",
                                        "<eos>",
                                        "<|fim_prefix|>",
                                        "<fim-prefix>",
                                        "<fim_prefix>",
                                        "<PRE>",
                                        "<|code_prefix|>",
                                        "<|prefix|>",
                                        "<|fim_suffix|>",
                                        "<fim-suffix>",
                                        "<fim_suffix>",
                                        "<SUF>",
                                        "<|code_suffix|>",
                                        "<|suffix|>",
                                        "<|fim_middle|>",
                                        "<fim-middle>",
                                        "<fim_middle>",
                                        "<MID>",
                                        "<|code_middle|>",
                                        "<|middle|>",
                                        "<|fim_pad|>",
                                        "<fim-pad>",
                                        "<fim_pad>",
                                        "<PAD>",
                                        "<|fim_repo|>",
                                        "<|repo_name|>",
                                        "<fim-repo>",
                                        "<REPO>",
                                        "<reponame>",
                                        "<|file_sep|>",
                                        TOK_MARK_UTF8 "<PRE>",
                                        TOK_MARK_UTF8 "<SUF>",
                                        TOK_MARK_UTF8 "<MID>"};

    for (size_t i = 0; i < SAL_COUNTOF(names); i++) {
        int32_t id = sal_tokenizer_id(t, names[i]);

        if (id >= 0)
            t->special[id] = true;
    }
}

/* The id that a key gives; else the usual one, where there is such a token. */
static int32_t vocabulary_id(const sal_tokenizer *t, const sal_gguf *g, const char *key,
                             int64_t usual)
{
    int64_t id = sal_gguf_int(g, key, usual);

    if (id < 0 || (uint64_t)id >= t->n_tokens)
        id = usual;
    return id < 0 || (uint64_t)id >= t->n_tokens ? -1 : (int32_t)id;
}

/* ---- the kinds ---- */

typedef struct vocabulary_kind {
    const char *name; /* `tokenizer.ggml.model` */
    const tok_model_type *model;
    bool byte_level, space_prefix, adds_bos, adds_eos, adds_sep;
    int32_t bos, eos, unk, sep, pad; /* where the file does not say; -1: none */
    sal_status (*read)(sal_tokenizer *t, const sal_gguf *g, bool *adds_bos, sal_error *err);
} vocabulary_kind;

static const tok_step_type *vocabulary_step(const tok_step_type *table, const char *name)
{
    while (strcmp(table->name, name) != 0)
        table++;
    return table;
}

static const pre_tokenizer *vocabulary_pre(sal_gguf_text name)
{
    for (size_t i = 0; i < SAL_COUNTOF(pre_tokenizers); i++) {
        for (const char *p = pre_tokenizers[i].names; *p != '\0';) {
            size_t n = strcspn(p, " ");

            if (n == name.n && memcmp(p, name.data, n) == 0)
                return &pre_tokenizers[i];
            p += n + strspn(p + n, " ");
        }
    }
    return NULL;
}

static sal_status vocabulary_merges(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    const sal_gguf_pair *p = NULL;
    const uint8_t *at;
    sal_gguf_text s;
    size_t i = 0;
    sal_status st = SAL_OK;

    SAL_TRY(vocabulary_array(g, "tokenizer.ggml.merges", true, 0, &p, err));
    if (p == NULL || p->count > TOK_MAX_TOKENS)
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "has no tokenizer.ggml.merges of a possible size"));
    SAL_TRY(tok_merges_new(t, (size_t)p->count, err));
    for (at = p->data; sal_gguf_array_next(p, &at, &s); i++) {
        size_t a = 0, b = 0;

        if (!tok_merges_halves(s.data, s.n, &a, &b))
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "merge %zu is no pair of tokens", i));
        SAL_TRY(tok_merges_add(t, i, s.data, a, s.data + b, s.n - b, err));
    }
done:
    return st;
}

static sal_status vocabulary_bytes(sal_tokenizer *t, const sal_gguf *g, bool *adds_bos,
                                   sal_error *err)
{
    sal_gguf_text name = sal_gguf_string(g, "tokenizer.ggml.pre");
    const pre_tokenizer *pre = vocabulary_pre(name.n == 0 ? (sal_gguf_text){"default", 7} : name);
    sal_status st = SAL_OK;

    if (pre == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED, "the pre-tokeniser %.*s is not known",
                        (int)SAL_MIN(name.n, 64), name.data);
    t->ignore_merges = pre->whole_words;
    *adds_bos = pre->adds_bos;
    for (int i = 0; i < VOCABULARY_MAX_PATTERNS && pre->patterns[i] != NULL; i++) {
        tok_step *s = &t->splitters[t->n_splitters++];

        *s = (tok_step){.type = vocabulary_step(tok_splitters, "Split"), .behaviour = TOK_ISOLATED};
        SAL_TRY(tok_pattern_compile(&s->pattern, pre->patterns[i], err));
    }
    t->splitters[t->n_splitters++] =
        (tok_step){.type = vocabulary_step(tok_splitters, "ByteLevel")};
    for (int b = 0; b < 256; b++)
        t->bytes[b] = -1;
    t->unk = -1; /* bytes without a token are left out */
    st = vocabulary_merges(t, g, err);
done:
    return st;
}

static sal_status vocabulary_spm(sal_tokenizer *t, const sal_gguf *g, bool *adds_bos,
                                 sal_error *err)
{
    sal_status st = vocabulary_scores(t, g, err);

    (void)adds_bos;
    if (st != SAL_OK)
        return st;
    tok_bytes_find(t);
    for (int b = 0; b < 256; b++) {
        char byte = (char)b;

        if (t->bytes[b] < 0)
            t->bytes[b] = tok_map_get(&t->vocab, &byte, 1);
    }
    st = tok_pairs_new(&t->pairs, t, err);
    if (st == SAL_OK)
        t->splitters[t->n_splitters++] = (tok_step){.type = &tok_pairs_split, .pairs = t->pairs};
    return st;
}

static sal_status vocabulary_bert(sal_tokenizer *t, const sal_gguf *g, bool *adds_bos,
                                  sal_error *err)
{
    bool lower = sal_gguf_bool(g, "tokenizer.ggml.normalizer.lowercase", true);
    bool accents = sal_gguf_bool(g, "tokenizer.ggml.normalizer.strip_accents", lower);
    json_t *step = json_pack("{s:s,s:b,s:b}", "type", "BertNormalizer", "lowercase", (int)lower,
                             "strip_accents", (int)accents);
    sal_status st = step == NULL ? sal_fail_nomem(err)
                                 : tok_steps_read(t->normalisers, &t->n_normalisers,
                                                  tok_normalisers, "normaliser", step, err);

    (void)adds_bos;
    json_decref(step);
    t->splitters[t->n_splitters++] =
        (tok_step){.type = vocabulary_step(tok_splitters, "BertPreTokenizer")};
    t->first = TOK_MARK_UTF8;
    t->max_chars = 100; /* as BERT has it; no key says so */
    if (st == SAL_OK && t->unk < 0)
        st = sal_fail(err, SAL_EFORMAT, "has no unknown token");
    return st;
}

static sal_status vocabulary_unigram(sal_tokenizer *t, const sal_gguf *g, bool *adds_bos,
                                     sal_error *err)
{
    const sal_gguf_pair *map = NULL;
    sal_status st = vocabulary_scores(t, g, err);

    (void)adds_bos;
    t->merge_spaces = sal_gguf_bool(g, "tokenizer.ggml.remove_extra_whitespaces", false);
    if (st == SAL_OK)
        st = tok_unigram_check(t, err);
    if (st == SAL_OK)
        st = vocabulary_array(g, "tokenizer.ggml.precompiled_charsmap", false, 0, &map, err);
    if (st != SAL_OK || map == NULL || map->count == 0)
        return st;
    if (map->type != SAL_GGUF_U8 && map->type != SAL_GGUF_I8)
        return sal_fail(err, SAL_EFORMAT,
                        "tokenizer.ggml.precompiled_charsmap is no array of bytes");
    t->normalisers[t->n_normalisers++] =
        (tok_step){.type = vocabulary_step(tok_normalisers, "Precompiled")};
    return tok_precompiled_set(&t->normalisers[0], map->data, (size_t)map->count, err);
}

static const vocabulary_kind vocabulary_kinds[] = {
    {"gpt2", &tok_bpe, true, false, false, false, false, -1, -1, -1, -1, -1, vocabulary_bytes},
    {"llama", &tok_spm, false, true, true, false, false, 1, 2, 0, -1, -1, vocabulary_spm},
    {"bert", &tok_wordpiece, false, false, true, false, true, 101, -1, 100, 102, 0,
     vocabulary_bert},
    {"t5", &tok_unigram, false, false, false, true, false, -1, 1, 2, -1, 0, vocabulary_unigram},
};

/* ---- the whole ---- */

/* bos, the text, eos, as far as the file wants them. */
static sal_status vocabulary_places(sal_tokenizer *t, const sal_gguf *g,
                                    const vocabulary_kind *kind, bool adds_bos, sal_error *err)
{
    int32_t sep = vocabulary_id(t, g, "tokenizer.ggml.seperator_token_id", kind->sep), behind = -1;
    size_t cap = 0;
    sal_status st = SAL_OK;

    if (sep < 0 || sep == kind->sep)
        sep = vocabulary_id(t, g, "tokenizer.ggml.separator_token_id", kind->sep);
    if (sal_gguf_bool(g, "tokenizer.ggml.add_bos_token", adds_bos) && t->bos >= 0)
        SAL_TRY(tok_place_add(t, &cap, t->bos, 0, err));
    SAL_TRY(tok_place_add(t, &cap, -1, 0, err));
    if (sal_gguf_bool(g, "tokenizer.ggml.add_eos_token", kind->adds_eos))
        behind = t->eos;
    if (kind->adds_sep)
        behind = sep;
    if (behind >= 0)
        SAL_TRY(tok_place_add(t, &cap, behind, 0, err));
done:
    return st;
}

static sal_status vocabulary_read(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    sal_gguf_text name = sal_gguf_string(g, "tokenizer.ggml.model");
    sal_gguf_text jinja = sal_gguf_string(g, "tokenizer.chat_template");
    const vocabulary_kind *kind = NULL;
    bool adds_bos;
    int32_t turn;
    sal_status st = SAL_OK;

    for (size_t i = 0; i < SAL_COUNTOF(vocabulary_kinds) && name.n > 0; i++)
        kind = vocabulary_is(name, vocabulary_kinds[i].name) ? &vocabulary_kinds[i] : kind;
    if (kind == NULL)
        return name.n == 0 ? sal_fail(err, SAL_EUNSUPPORTED, "has no tokeniser")
                           : sal_fail(err, SAL_EUNSUPPORTED, "the tokeniser %.*s is not known",
                                      (int)SAL_MIN(name.n, 64), name.data);
    t->model = kind->model;
    t->byte_level = kind->byte_level;
    t->space_prefix = sal_gguf_bool(g, "tokenizer.ggml.add_space_prefix", kind->space_prefix) &&
                      !kind->byte_level;
    adds_bos = kind->adds_bos;
    SAL_TRY(vocabulary_tokens(t, g, err));
    SAL_TRY(vocabulary_types(t, g, err));
    t->bos = vocabulary_id(t, g, "tokenizer.ggml.bos_token_id", kind->bos);
    t->eos = vocabulary_id(t, g, "tokenizer.ggml.eos_token_id", kind->eos);
    t->pad = vocabulary_id(t, g, "tokenizer.ggml.padding_token_id", kind->pad);
    t->unk = t->unknown = vocabulary_id(t, g, "tokenizer.ggml.unknown_token_id", kind->unk);
    vocabulary_control(t);
    SAL_TRY(kind->read(t, g, &adds_bos, err));
    SAL_TRY(vocabulary_added(t, g, err));
    SAL_TRY(vocabulary_places(t, g, kind, adds_bos, err));
    SAL_TRY(tok_ends_find(t, err));
    turn = vocabulary_id(t, g, "tokenizer.ggml.eot_token_id", -1);
    if (turn >= 0)
        t->ends[turn] = true;
    if (jinja.n > 0) {
        t->chat_template = sal_malloc(jinja.n + 1);
        if (t->chat_template == NULL)
            SAL_TRY(sal_fail_nomem(err));
        memcpy(t->chat_template, jinja.data, jinja.n);
        t->chat_template[jinja.n] = '\0';
    }
done:
    return st;
}

sal_status tok_gguf_read(sal_tokenizer *t, const sal_gguf *g, sal_error *err)
{
    sal_error inner = {SAL_OK, 0, ""};
    sal_status st = vocabulary_read(t, g, &inner);

    return st == SAL_OK ? SAL_OK : sal_fail(err, st, "%s: %s", sal_gguf_path(g), inner.msg);
}
