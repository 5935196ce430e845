/* Reading a tokenizer.json. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

static const tok_model_type *const read_models[] = {&tok_wordpiece, &tok_wordlevel, &tok_bpe,
                                                    &tok_unigram};

/* ---- vocabulary ---- */

static sal_status read_room(sal_tokenizer *t, int64_t id, size_t *cap, sal_error *err)
{
    size_t old = *cap;
    sal_status st;

    if (id < 0 || id >= TOK_MAX_TOKENS)
        return sal_fail(err, SAL_EFORMAT, "the id %lld of a token is out of range", (long long)id);
    st = sal_grow(&t->tokens, (size_t)id + 1, cap, sizeof(*t->tokens), err);
    if (st != SAL_OK)
        return st;
    memset(t->tokens + old, 0, (*cap - old) * sizeof(*t->tokens));
    t->n_tokens = SAL_MAX(t->n_tokens, (size_t)id + 1);
    return SAL_OK;
}

sal_status tok_token_add(sal_tokenizer *t, const char *token, int64_t id, size_t *cap,
                         sal_error *err)
{
    sal_status st = read_room(t, id, cap, err);

    if (st == SAL_OK && t->tokens[id] == NULL)
        t->tokens[id] = token;
    if (st == SAL_OK)
        t->longest = SAL_MAX(t->longest, strlen(token));
    if (st == SAL_OK && token[0] != '\0')
        (void)tok_map_put(&t->vocab, token, strlen(token), (int32_t)id);
    return st;
}

/* {"token": id, ...} or, for Unigram, [["token", score], ...]. */
static sal_status read_vocab(sal_tokenizer *t, const json_t *model, const json_t *added,
                             size_t *cap, sal_error *err)
{
    const json_t *vocab = json_object_get(model, "vocab");
    size_t n = json_is_object(vocab) ? json_object_size(vocab) : json_array_size(vocab);
    void *it;
    sal_status st = tok_map_new(&t->vocab, n + json_array_size(added) + 1, err);

    if (st != SAL_OK)
        return st;
    if (n == 0)
        return sal_fail(err, SAL_EFORMAT, "the model has no vocabulary");
    if (json_is_array(vocab)) {
        for (size_t i = 0; i < n; i++) {
            const char *token = json_string_value(json_array_get(json_array_get(vocab, i), 0));

            if (token == NULL)
                SAL_TRY(sal_fail(err, SAL_EFORMAT, "token %zu is no string", i));
            SAL_TRY(tok_token_add(t, token, (int64_t)i, cap, err));
        }
        return SAL_OK;
    }
    for (it = json_object_iter(json_object_get(model, "vocab")); it != NULL;
         it = json_object_iter_next(json_object_get(model, "vocab"), it)) {
        if (!json_is_integer(json_object_iter_value(it)))
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "token %s has no number", json_object_iter_key(it)));
        SAL_TRY(tok_token_add(t, json_object_iter_key(it),
                              json_integer_value(json_object_iter_value(it)), cap, err));
    }
done:
    return st;
}

void tok_bytes_find(sal_tokenizer *t)
{
    for (int b = 0; b < 256; b++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "<0x%02X>", (unsigned)b);
        t->bytes[b] = tok_map_get(&t->vocab, name, 6);
    }
}

/* The model's name; old files leave it out where the fields tell. */
static sal_status read_model(sal_tokenizer *t, const json_t *model, sal_error *err)
{
    const char *name = json_string_value(json_object_get(model, "type"));

    if (name == NULL)
        name = json_object_get(model, "merges") != NULL                     ? "BPE"
               : json_is_array(json_object_get(model, "vocab"))             ? "Unigram"
               : json_object_get(model, "max_input_chars_per_word") != NULL ? "WordPiece"
                                                                            : "WordLevel";
    for (size_t i = 0; i < SAL_COUNTOF(read_models); i++) {
        if (strcmp(read_models[i]->name, name) == 0) {
            t->model = read_models[i];
            return t->model->read(t, model, err);
        }
    }
    return sal_fail(err, SAL_EUNSUPPORTED, "the model %s is not known", name);
}

/* ---- added tokens ---- */

static int read_longer(const void *a, const void *b)
{
    const tok_added *x = a, *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static sal_status read_added_code(const sal_tokenizer *t, tok_added *a, sal_error *err)
{
    tok_text text = {NULL, 0, 0};
    sal_status st = tok_text_read(&text, a->content, strlen(a->content), err);

    if (st == SAL_OK && a->normalised)
        st = tok_normalise(t->normalisers, t->n_normalisers, &text, err);
    if (st == SAL_OK) {
        a->code = sal_calloc(text.n + 1, sizeof(*a->code));
        if (a->code == NULL)
            st = sal_fail_nomem(err);
    }
    for (size_t i = 0; st == SAL_OK && i < text.n; i++)
        a->code[i] = text.v[i].c;
    a->n = text.n;
    tok_text_free(&text);
    return st;
}

sal_status tok_added_index(sal_tokenizer *t, sal_error *err)
{
    size_t symbols[2] = {0, 0};
    sal_status st = SAL_OK;

    for (size_t i = 0; i < t->n_added; i++) {
        SAL_TRY(read_added_code(t, &t->added[i], err));
        symbols[t->added[i].normalised ? 1 : 0] += t->added[i].n;
    }
    qsort(t->added, t->n_added, sizeof(*t->added), read_longer);
    for (int k = 0; k < 2; k++) {
        if (symbols[k] > 0)
            SAL_TRY(tok_trie_new(&t->tries[k], symbols[k], err));
    }
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].n > 0)
            tok_trie_put(&t->tries[t->added[i].normalised ? 1 : 0], t->added[i].code, t->added[i].n,
                         (int32_t)i);
    }
done:
    return st;
}

static sal_status read_added(sal_tokenizer *t, const json_t *list, size_t *cap, sal_error *err)
{
    size_t n = json_array_size(list);
    sal_status st = SAL_OK;

    t->added = sal_calloc(n + 1, sizeof(*t->added));
    if (t->added == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *j = json_array_get(list, i);
        const char *content = json_string_value(json_object_get(j, "content"));
        tok_added *a = &t->added[i];

        if (content == NULL || !json_is_integer(json_object_get(j, "id")))
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "added token %zu has no content or id", i));
        t->n_added = i + 1;
        SAL_TRY(tok_string(j, "content", &a->content, err));
        SAL_TRY(tok_token_add(t, content, json_integer_value(json_object_get(j, "id")), cap, err));
        a->id = (int32_t)json_integer_value(json_object_get(j, "id"));
        a->special = tok_flag(j, "special", false);
        a->single_word = tok_flag(j, "single_word", false);
        a->lstrip = tok_flag(j, "lstrip", false);
        a->rstrip = tok_flag(j, "rstrip", false);
        a->normalised = tok_flag(j, "normalized", !a->special);
    }
    SAL_TRY(tok_added_index(t, err));
    t->special = sal_calloc(t->n_tokens + 1, sizeof(*t->special));
    if (t->special == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < t->n_added; i++)
        t->special[t->added[i].id] = t->added[i].special;
done:
    return st;
}

/* ---- template ---- */

sal_status tok_place_add(sal_tokenizer *t, size_t *cap, int32_t id, int64_t type, sal_error *err)
{
    sal_status st = sal_grow(&t->places, t->n_places + 1, cap, sizeof(*t->places), err);

    if (st == SAL_OK)
        t->places[t->n_places++] = (tok_place){id, (int32_t)type};
    return st;
}

static sal_status read_template_item(sal_tokenizer *t, const json_t *processor, const json_t *item,
                                     size_t *cap, sal_error *err)
{
    const json_t *special = json_object_get(item, "SpecialToken");
    const json_t *sequence = json_object_get(item, "Sequence");
    const char *name = json_string_value(json_object_get(special, "id"));
    const json_t *ids;
    int64_t type =
        json_integer_value(json_object_get(special != NULL ? special : sequence, "type_id"));
    sal_status st = SAL_OK;

    if (type < 0 || type > 255)
        return sal_fail(err, SAL_EFORMAT, "the template has a wrong type");
    if (special == NULL)
        return sequence == NULL ? sal_fail(err, SAL_EFORMAT, "the template is damaged")
                                : tok_place_add(t, cap, -1, type, err);
    ids = json_object_get(
        json_object_get(json_object_get(processor, "special_tokens"), name == NULL ? "" : name),
        "ids");
    if (json_array_size(ids) == 0)
        return sal_fail(err, SAL_EFORMAT, "the template names the unknown token %s",
                        name == NULL ? "" : name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        int64_t id = json_integer_value(json_array_get(ids, i));

        if (id < 0 || (uint64_t)id >= t->n_tokens || t->tokens[id] == NULL)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "the template names the unknown id %lld",
                             (long long)id));
        SAL_TRY(tok_place_add(t, cap, (int32_t)id, type, err));
    }
done:
    return st;
}

/* ["[CLS]", 101] */
static sal_status read_pair(sal_tokenizer *t, const json_t *json, size_t *cap, sal_error *err)
{
    int64_t id =
        json_is_integer(json_array_get(json, 1)) ? json_integer_value(json_array_get(json, 1)) : -1;

    if (id < 0 || (uint64_t)id >= t->n_tokens || t->tokens[id] == NULL)
        return sal_fail(err, SAL_EFORMAT, "the template names an unknown token");
    return tok_place_add(t, cap, (int32_t)id, 0, err);
}

static sal_status read_template(sal_tokenizer *t, const json_t *json, size_t *cap, int depth,
                                sal_error *err)
{
    const char *name = json_string_value(json_object_get(json, "type"));
    const json_t *list;
    sal_status st = SAL_OK;

    if (json == NULL || json_is_null(json))
        return SAL_OK;
    if (name == NULL || depth > 4)
        return sal_fail(err, SAL_EFORMAT, "the post-processor is damaged");
    if (strcmp(name, "Sequence") == 0) {
        list = json_object_get(json, "processors");
        for (size_t i = 0; i < json_array_size(list); i++)
            SAL_TRY(read_template(t, json_array_get(list, i), cap, depth + 1, err));
        return SAL_OK;
    }
    if (strcmp(name, "ByteLevel") == 0)
        return SAL_OK; /* changes no ids */
    if (strcmp(name, "BertProcessing") == 0 || strcmp(name, "RobertaProcessing") == 0) {
        SAL_TRY(read_pair(t, json_object_get(json, "cls"), cap, err));
        SAL_TRY(tok_place_add(t, cap, -1, 0, err));
        return read_pair(t, json_object_get(json, "sep"), cap, err);
    }
    if (strcmp(name, "TemplateProcessing") != 0)
        return sal_fail(err, SAL_EUNSUPPORTED, "the post-processor %s is not known", name);
    list = json_object_get(json, "single");
    for (size_t i = 0; i < json_array_size(list); i++)
        SAL_TRY(read_template_item(t, json, json_array_get(list, i), cap, err));
done:
    return st;
}

/* ---- the whole ---- */

static sal_status read_all(sal_tokenizer *t, sal_error *err)
{
    const json_t *model = json_object_get(t->json, "model");
    const json_t *added = json_object_get(t->json, "added_tokens");
    const json_t *limit = json_object_get(json_object_get(t->json, "truncation"), "max_length");
    size_t cap = 0, places = 0;
    sal_status st = SAL_OK;

    if (!json_is_object(model))
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "is no tokenizer.json: it has no model"));
    t->limit = json_is_integer(limit) && json_integer_value(limit) > 0
                   ? (size_t)json_integer_value(limit)
                   : 0;
    SAL_TRY(tok_steps_read(t->normalisers, &t->n_normalisers, tok_normalisers, "normaliser",
                           json_object_get(t->json, "normalizer"), err));
    SAL_TRY(tok_steps_read(t->splitters, &t->n_splitters, tok_splitters, "pre-tokeniser",
                           json_object_get(t->json, "pre_tokenizer"), err));
    SAL_TRY(tok_steps_read(t->decoders, &t->n_decoders, tok_decoders, "decoder",
                           json_object_get(t->json, "decoder"), err));
    SAL_TRY(read_vocab(t, model, added, &cap, err));
    tok_bytes_find(t);
    SAL_TRY(read_model(t, model, err));
    t->unknown = t->unk;
    SAL_TRY(read_added(t, added, &cap, err));
    SAL_TRY(read_template(t, json_object_get(t->json, "post_processor"), &places, 0, err));
    if (t->n_places == 0)
        SAL_TRY(tok_place_add(t, &places, -1, 0, err));
done:
    return st;
}

static sal_status read_json(sal_tokenizer *t, const void *bytes, size_t n, const char *name,
                            sal_error *err)
{
    json_error_t where;
    sal_error inner = {SAL_OK, 0, ""};
    sal_status st;

    t->json = json_loadb(bytes, n, 0, &where);
    if (t->json == NULL)
        return sal_fail(err, SAL_EFORMAT, "%s: line %d: %s", name, where.line, where.text);
    st = read_all(t, &inner);
    return st == SAL_OK ? SAL_OK : sal_fail(err, st, "%s: %s", name, inner.msg);
}

static sal_status read_new(sal_tokenizer **out, sal_error *err)
{
    *out = sal_calloc(1, sizeof(**out));
    if (*out == NULL)
        return sal_fail_nomem(err);
    (*out)->first = (*out)->prefix = (*out)->suffix = "";
    (*out)->unk = (*out)->unknown = (*out)->bos = (*out)->eos = (*out)->pad = -1;
    return SAL_OK;
}

sal_status sal_tokenizer_open_memory(sal_tokenizer **out, const void *bytes, size_t n,
                                     const char *name, sal_error *err)
{
    sal_tokenizer *t = NULL;
    sal_gguf *g = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(read_new(&t, err));
    if (sal_gguf_is(bytes, n)) {
        SAL_TRY(sal_gguf_open_memory(&g, bytes, n, name, err));
        SAL_TRY(tok_gguf_read(t, g, err));
    } else {
        SAL_TRY(read_json(t, bytes, n, name, err));
    }
    *out = t;
    t = NULL;
done:
    sal_gguf_close(g);
    sal_tokenizer_free(t);
    return st;
}

/* ---- what a tokenizer_config.json adds ---- */

/* The token that a member names, as a string or as {"content": "..."}. */
static int32_t config_id(const sal_tokenizer *t, const json_t *config, const char *key)
{
    const json_t *v = json_object_get(config, key);
    const char *name = json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);

    return name == NULL ? -1 : sal_tokenizer_id(t, name);
}

static sal_status read_config(sal_tokenizer *t, const char *path, sal_error *err)
{
    sal_file f = {NULL, 0, false};
    json_error_t where;
    json_t *config = NULL;
    const char *jinja;
    sal_status st = SAL_OK;

    if (sal_file_open(&f, path, NULL) != SAL_OK)
        return SAL_OK; /* there need not be one */
    config = json_loadb((const char *)f.data, f.size, 0, &where);
    if (config == NULL)
        SAL_TRY(sal_fail(err, SAL_EFORMAT, "%s: line %d: %s", path, where.line, where.text));
    t->bos = config_id(t, config, "bos_token");
    t->eos = config_id(t, config, "eos_token");
    t->pad = config_id(t, config, "pad_token");
    jinja = json_string_value(json_object_get(config, "chat_template"));
    if (jinja != NULL) {
        t->chat_template = sal_strdup(jinja);
        if (t->chat_template == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    st = tok_ends_find(t, err);
done:
    json_decref(config);
    sal_file_close(&f);
    return st;
}

/* "folder/name" in the place of what is behind the last of `folder` bytes of path. */
static char *read_beside(const char *path, size_t folder, const char *name)
{
    char *out = sal_malloc(folder + 1 + strlen(name) + 1);

    if (out != NULL) {
        memcpy(out, path, folder);
        out[folder] = '/';
        memcpy(out + folder + 1, name, strlen(name) + 1);
    }
    return out;
}

sal_status sal_tokenizer_open(sal_tokenizer **out, const char *path, sal_error *err)
{
    static const char name[] = "tokenizer.json", config_name[] = "tokenizer_config.json";
    size_t n = strlen(path), folder = n;
    sal_file f = {NULL, 0, false};
    char *file = read_beside(path, n, name), *config = NULL;
    sal_tokenizer *t = NULL;
    sal_gguf *g = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    if (file == NULL)
        return sal_fail_nomem(err);
    if (sal_file_open(&f, file, NULL) != SAL_OK) {
        SAL_TRY(sal_file_open(&f, path, err));
        if (sal_gguf_is(f.data, f.size)) {
            SAL_TRY(sal_gguf_open(&g, path, err));
            SAL_TRY(read_new(&t, err));
            SAL_TRY(tok_gguf_read(t, g, err));
            *out = t;
            t = NULL;
            goto done;
        }
        sal_free(file);
        file = NULL;
        folder = n > sizeof(name) && strcmp(path + n - sizeof(name) + 1, name) == 0 &&
                         path[n - sizeof(name)] == '/'
                     ? n - sizeof(name)
                     : SIZE_MAX;
    }
    SAL_TRY(sal_tokenizer_open_memory(&t, f.data, f.size, file == NULL ? path : file, err));
    config = folder == SIZE_MAX ? NULL : read_beside(path, folder, config_name);
    if (folder != SIZE_MAX && config == NULL)
        SAL_TRY(sal_fail_nomem(err));
    if (config != NULL)
        SAL_TRY(read_config(t, config, err));
    *out = t;
    t = NULL;
done:
    sal_gguf_close(g);
    sal_tokenizer_free(t);
    sal_free(file);
    sal_free(config);
    sal_file_close(&f);
    return st;
}

void sal_tokenizer_free(sal_tokenizer *t)
{
    if (t == NULL)
        return;
    tok_steps_free(t->normalisers, t->n_normalisers);
    tok_steps_free(t->splitters, t->n_splitters);
    tok_steps_free(t->decoders, t->n_decoders);
    for (size_t i = 0; i < t->n_added; i++) {
        sal_free(t->added[i].content);
        sal_free(t->added[i].code);
    }
    sal_free(t->added);
    tok_trie_free(&t->tries[0]);
    tok_trie_free(&t->tries[1]);
    sal_free(t->special);
    sal_free(t->ends);
    sal_free(t->chat_template);
    sal_free(t->types);
    tok_pairs_free(t->pairs);
    sal_free(t->strings);
    sal_free(t->places);
    sal_free(t->merges);
    sal_free(t->scores);
    sal_free(t->tokens);
    tok_map_free(&t->vocab);
    json_decref(t->json);
    sal_free(t);
}

size_t sal_tokenizer_size(const sal_tokenizer *t)
{
    return t->n_tokens;
}

int32_t sal_tokenizer_id(const sal_tokenizer *t, const char *token)
{
    return tok_map_get(&t->vocab, token, strlen(token));
}

const char *sal_tokenizer_token(const sal_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_tokens ? t->tokens[id] : NULL;
}

bool sal_tokenizer_special(const sal_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_tokens && t->special[id];
}

size_t sal_tokenizer_limit(const sal_tokenizer *t)
{
    return t->limit;
}

void sal_tokenizer_get_info(const sal_tokenizer *t, sal_tokenizer_info *out)
{
    *out = (sal_tokenizer_info){t->bos, t->eos, t->pad, t->unknown, false, false, t->chat_template};
    if (t->n_places > 1) {
        out->adds_bos = t->bos >= 0 && t->places[0].id == t->bos;
        out->adds_eos = t->eos >= 0 && t->places[t->n_places - 1].id == t->eos;
    }
}

/* ---- the ends of what a model says ---- */

sal_status tok_ends_find(sal_tokenizer *t, sal_error *err)
{
    static const char *const names[] = {
        "<|eot_id|>",  "<|im_end|>",    "<|end|>",         "<|return|>",
        "<|call|>",    "<end_of_turn>", "<|endoftext|>",   "</s>",
        "<|eom_id|>",  "<EOT>",         "<|end_of_text|>", "<eos>",
        "<|fim_pad|>", "<|fim_repo|>",  "<|repo_name|>",   "<|file_sep|>"};

    if (t->ends == NULL)
        t->ends = sal_calloc(t->n_tokens + 1, sizeof(*t->ends));
    if (t->ends == NULL)
        return sal_fail_nomem(err);
    if (t->eos >= 0)
        t->ends[t->eos] = true;
    for (size_t i = 0; i < SAL_COUNTOF(names); i++) {
        int32_t id = sal_tokenizer_id(t, names[i]);

        if (id >= 0 && t->special[id])
            t->ends[id] = true;
    }
    return SAL_OK;
}

bool sal_tokenizer_ends(const sal_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_tokens && (t->ends == NULL ? id == t->eos : t->ends[id]);
}
