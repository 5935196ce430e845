/* Tokenisers against the Python package tokenizers, on files and texts that
 * tests/oracle/make_tokenizers.py made; damaged files; bytes that are no UTF-8. */
#include "harness.h"

#include <dirent.h>
#include <jansson.h>
#include <salience/salience.h>

#define VOCABULARIES SAL_SOURCE_DIR "/tests/golden/vocabulary/"
#define FOLDER       SAL_SOURCE_DIR "/tests/golden/tokenizer/"

static sal_error err;

static sal_tokenizer *open_golden(const char *name)
{
    char path[512];
    sal_tokenizer *t = NULL;

    (void)snprintf(path, sizeof(path), FOLDER "%s.tokenizer.json", name);
    CHECK_OK(sal_tokenizer_open(&t, path, &err));
    return t;
}

static void compare(const sal_tokenizer *t, const char *name, const json_t *row, const char *key,
                    bool special)
{
    const json_t *text = json_object_get(row, "text"), *want = json_object_get(row, key);
    sal_tokens got = SAL_TOKENS_INIT;
    bool same;

    CHECK_OK(sal_tokenizer_encode(t, json_string_value(text), json_string_length(text), special,
                                  &got, &err));
    same = got.n == json_array_size(want);
    for (size_t i = 0; same && i < got.n; i++)
        same = json_integer_value(json_array_get(want, i)) == got.ids[i] &&
               got.begin[i] <= got.end[i] && got.end[i] <= json_string_length(text);
    CHECK_MSG(same, "%s %s: %.60s", name, key, json_string_value(text));
    sal_tokens_free(&got);
}

/* What a stream gives piece by piece is the decoded text; pieces end with whole characters. */
static void compare_stream(const sal_tokenizer *t, const char *name, const int32_t *ids, size_t n,
                           bool skip)
{
    sal_token_stream *s = NULL;
    char *text = NULL, *joined = calloc(1, 65536);
    size_t bytes = 0, used = 0;

    CHECK_OK(sal_tokenizer_decode(t, ids, n, skip, &text, &bytes, &err));
    CHECK_OK(sal_token_stream_new(&s, t, skip, &err));
    for (int round = 0; s != NULL && joined != NULL && round < 2; round++) {
        used = 0;
        for (size_t i = 0; i <= n; i++) {
            const char *part = NULL;
            size_t k = 0;

            if (i < n)
                CHECK_OK(sal_token_stream_add(s, ids[i], &part, &k, &err));
            else
                CHECK_OK(sal_token_stream_end(s, &part, &k, &err));
            CHECK(used + k < 65536);
            memcpy(joined + used, part, k);
            used += k;
            CHECK_MSG(i == n || k == 0 || used == bytes || ((uint8_t)text[used] & 0xC0) != 0x80 ||
                          ((uint8_t)text[used - 1] & 0x80) == 0,
                      "%s: a piece ends inside a character", name);
        }
        CHECK_MSG(used == bytes && memcmp(joined, text, bytes) == 0, "%s: %.40s streams as %.40s",
                  name, text, joined);
    }
    sal_token_stream_free(s);
    sal_text_free(text);
    free(joined);
}

static void compare_decoded(const sal_tokenizer *t, const char *name, const json_t *row)
{
    const json_t *want = json_object_get(row, "decoded"), *ids = json_object_get(row, "ids");
    int32_t list[1024];
    size_t n = 0, count = json_array_size(ids);
    char *text = NULL;

    CHECK(count <= 1024);
    for (size_t i = 0; i < count && i < 1024; i++)
        list[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    compare_stream(t, name, list, count, true);
    compare_stream(t, name, list, count, false);
    CHECK_OK(sal_tokenizer_decode(t, list, count, true, &text, &n, &err));
    if (text == NULL)
        return;
    /* The package writes U+FFFD where bytes are no UTF-8; such texts are compared as far as that.
     */
    if (strstr(json_string_value(want), "\xEF\xBF\xBD") == NULL)
        CHECK_MSG(n == json_string_length(want) && memcmp(text, json_string_value(want), n) == 0,
                  "%s decodes %.60s as %.60s", name, json_string_value(want), text);
    sal_text_free(text);
}

TEST(as_the_package)
{
    DIR *d = opendir(FOLDER);
    struct dirent *e;
    size_t files = 0;

    CHECK(d != NULL);
    while (d != NULL && (e = readdir(d)) != NULL) {
        char path[768], name[256];
        const char *end = strstr(e->d_name, ".tokenizer.json");
        sal_tokenizer *t;
        json_t *rows;

        if (end == NULL)
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(end - e->d_name), e->d_name);
        (void)snprintf(path, sizeof(path), FOLDER "%s.json", name);
        t = open_golden(name);
        rows = json_load_file(path, JSON_ALLOW_NUL, NULL);
        CHECK_MSG(json_array_size(rows) >= 20, "%s", path);
        for (size_t i = 0; t != NULL && i < json_array_size(rows); i++) {
            compare(t, name, json_array_get(rows, i), "ids", true);
            compare(t, name, json_array_get(rows, i), "plain", false);
            compare_decoded(t, name, json_array_get(rows, i));
        }
        json_decref(rows);
        sal_tokenizer_free(t);
        files++;
    }
    if (d != NULL)
        (void)closedir(d);
    CHECK(files >= 15);
}

static void compare_plain(const sal_tokenizer *t, const char *name, const json_t *row)
{
    const json_t *text = json_object_get(row, "text"), *want = json_object_get(row, "plain");
    sal_encode_opts opts = SAL_ENCODE_OPTS_INIT;
    sal_tokens got = SAL_TOKENS_INIT;
    char *back = NULL;
    size_t n = 0;
    bool same;

    opts.special = false;
    opts.plain = true;
    CHECK_OK(sal_tokenizer_encode_as(t, json_string_value(text), json_string_length(text), &opts,
                                     &got, &err));
    same = got.n == json_array_size(want);
    for (size_t i = 0; same && i < got.n; i++)
        same = json_integer_value(json_array_get(want, i)) == got.ids[i];
    CHECK_MSG(same, "%s plain: %.60s", name, json_string_value(text));
    compare_stream(t, name, got.ids, got.n, false);
    /* What was plain text comes back, but for marks of spaces. */
    if ((strncmp(name, "bytes", 5) == 0 || strncmp(name, "pieces", 6) == 0) &&
        strstr(json_string_value(text), "\xE2\x96\x81") == NULL) {
        CHECK_OK(sal_tokenizer_decode(t, got.ids, got.n, false, &back, &n, &err));
        CHECK_MSG(n == json_string_length(text) && memcmp(back, json_string_value(text), n) == 0,
                  "%s: %.60s comes back as %.60s", name, json_string_value(text), back);
        sal_text_free(back);
    }
    sal_tokens_free(&got);
}

/* Vocabularies of GGUF files against llama.cpp: tests/oracle/make_vocabularies.py. */
TEST(as_llama)
{
    static const char *const names[] = {
        "bytes-dbrx",  "bytes-default",  "bytes-falcon",    "bytes-gpt-2",  "bytes-gpt-4o",
        "bytes-qwen2", "bytes-smollm",   "bytes-llama-bpe", "pieces-gemma", "pieces-llama",
        "pieces-phi",  "unigram-spaces", "unigram-t5",      "words-bert"};

    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        char path[512];
        sal_tokenizer *t = NULL;
        json_t *rows;

        (void)snprintf(path, sizeof(path), VOCABULARIES "%s.json", names[k]);
        rows = json_load_file(path, JSON_ALLOW_NUL, NULL);
        CHECK_MSG(json_array_size(rows) >= 25, "%s", path);
        (void)snprintf(path, sizeof(path), VOCABULARIES "%s.gguf", names[k]);
        CHECK_OK(sal_tokenizer_open(&t, path, &err));
        for (size_t i = 0; t != NULL && i < json_array_size(rows); i++) {
            compare(t, names[k], json_array_get(rows, i), "ids", true);
            compare(t, names[k], json_array_get(rows, i), "bare", false);
            compare_plain(t, names[k], json_array_get(rows, i));
        }
        json_decref(rows);
        sal_tokenizer_free(t);
    }
}

TEST(gguf_info)
{
    sal_tokenizer *t = NULL;
    sal_tokenizer_info info;

    CHECK_OK(sal_tokenizer_open(&t, VOCABULARIES "pieces-llama.gguf", &err));
    if (t == NULL)
        return;
    sal_tokenizer_get_info(t, &info);
    CHECK(info.bos == 1 && info.eos == 2 && info.unk == 0 && info.pad == -1);
    CHECK(info.adds_bos && info.adds_eos && info.chat_template == NULL);
    CHECK(sal_tokenizer_ends(t, 2) && sal_tokenizer_ends(t, sal_tokenizer_id(t, "<|im_end|>")));
    CHECK(!sal_tokenizer_ends(t, 1) && !sal_tokenizer_ends(t, -1) && !sal_tokenizer_ends(t, 9999));
    CHECK(sal_tokenizer_special(t, 1) && !sal_tokenizer_special(t, 300));
    sal_tokenizer_free(t);
}

/* Every token stands for its own part of the text, in order. */
TEST(offsets)
{
    static const char text[] = "H\xC3\xA9llo, world";
    sal_tokenizer *t = open_golden("wordpiece-bert");
    sal_tokens k = SAL_TOKENS_INIT;

    if (t == NULL)
        return;
    CHECK_OK(sal_tokenizer_encode(t, text, strlen(text), true, &k, &err));
    CHECK(k.n > 3 && k.added[0] && k.added[k.n - 1] && k.begin[0] == k.end[0]);
    for (size_t i = 2; i + 1 < k.n; i++)
        CHECK(k.begin[i] >= k.end[i - 1] && k.end[i] > k.begin[i] && !k.added[i]);
    CHECK(k.n > 2 && k.begin[1] == 0 && k.end[k.n - 2] == strlen(text));
    sal_tokens_free(&k);
    sal_tokenizer_free(t);
}

/* Byte-level text gives back any bytes. */
TEST(round_trip_of_bytes)
{
    sal_tokenizer *t = open_golden("bpe-gpt2");
    char bytes[512];
    size_t n = 0;
    sal_tokens k = SAL_TOKENS_INIT;
    char *back = NULL;

    if (t == NULL)
        return;
    for (int i = 0; i < 512; i++)
        bytes[i] = (char)(i < 256 ? 255 - i : (i * 73) & 255);
    CHECK_OK(sal_tokenizer_encode(t, bytes, sizeof(bytes), false, &k, &err));
    CHECK_OK(sal_tokenizer_decode(t, k.ids, k.n, true, &back, &n, &err));
    CHECK(back != NULL && n == sizeof(bytes) && memcmp(back, bytes, n) == 0);
    sal_text_free(back);
    sal_tokens_free(&k);
    sal_tokenizer_free(t);
}

/* Decoders that look at the begin and the end of the text, in one go and as a stream. */
TEST(decoders_at_the_ends)
{
    static const struct {
        const char *decoder, *want;
    } rows[] = {
        {"{\"type\":\"BPEDecoder\",\"suffix\":\"_\"}", "xa b a"},
        {"{\"type\":\"Strip\",\"content\":\"x\",\"start\":1,\"stop\":1}", "a_b_a_"},
        {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\","
         "\"content\":\"x\",\"start\":2,\"stop\":0}]}",
         "a_b_a_"},
        {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\","
         "\"content\":\"_\",\"start\":0,\"stop\":2}]}",
         "xa_b_a"},
        {"{\"type\":\"WordPiece\",\"prefix\":\"b\",\"cleanup\":false}", "x a__ a_"},
        {"{\"type\":\"Metaspace\",\"replacement\":\"x\"}", "a_b_a_"},
        {"null", "x a_ b_ a_"},
    };
    static const int32_t ids[] = {2, 0, 1, 0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char file[512], *text = NULL;
        sal_tokenizer *t = NULL;

        (void)snprintf(file, sizeof(file),
                       "{\"decoder\":%s,\"model\":{\"type\":\"BPE\",\"vocab\":{\"a_\":0,\"b_\":1,"
                       "\"x\":2},\"merges\":[]}}",
                       rows[i].decoder);
        CHECK_OK(sal_tokenizer_open_memory(&t, file, strlen(file), "x.json", &err));
        if (t == NULL)
            continue;
        CHECK_OK(sal_tokenizer_decode(t, ids, 4, false, &text, NULL, &err));
        CHECK_STR(text, rows[i].want);
        compare_stream(t, rows[i].decoder, ids, 4, false);
        sal_text_free(text);
        sal_tokenizer_free(t);
    }
}

TEST(wrong_files)
{
    static const char *const files[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"model\":{}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}",
        "{\"model\":{\"type\":\"Markov\",\"vocab\":{\"a\":0}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"}}}",
        "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"b\"}}",
        "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}",
        "{\"normalizer\":{\"type\":\"Sing\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},"
        "\"merges\":[]}}",
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":"
        "\"Isolated\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
        "{\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"a\",7],\"cls\":[\"a\",0]},"
        "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        sal_tokenizer *t = NULL;
        sal_status st = sal_tokenizer_open_memory(&t, files[i], strlen(files[i]), "x.json", &err);

        CHECK_MSG(st != SAL_OK && t == NULL, "file %zu is taken", i);
        CHECK_MSG(strncmp(err.msg, "x.json: ", 8) == 0 && strchr(err.msg, '\n') == NULL, "%s",
                  err.msg);
        sal_tokenizer_free(t);
    }
}

/* A pattern that backtracks without end gives up. */
TEST(hostile_pattern)
{
    static const char file[] =
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+[0-9]\"},"
        "\"behavior\":\"Isolated\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},"
        "\"merges\":[]}}";
    sal_tokenizer *t = NULL;
    sal_tokens k = SAL_TOKENS_INIT;
    char text[400];

    memset(text, 'a', sizeof(text));
    CHECK_OK(sal_tokenizer_open_memory(&t, file, strlen(file), "x.json", &err));
    if (t != NULL)
        CHECK_EQ(sal_tokenizer_encode(t, text, sizeof(text), false, &k, &err), SAL_EINVAL);
    sal_tokens_free(&k);
    sal_tokenizer_free(t);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(as_the_package), T(as_llama), T(gguf_info), T(offsets),
                              T(round_trip_of_bytes), T(decoders_at_the_ends), T(wrong_files),
                              T(hostile_pattern)));
}
