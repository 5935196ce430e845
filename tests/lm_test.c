/* The decoder: prompts in blocks and token by token over a key-value cache against PyTorch's logits
 * of the whole text (tests/oracle/make_gguf.py); sampling; saved prompts. */
#include "exec/cache.h"
#include "exec/session.h"
#include "format/language/gguf_model.h"
#include "graph/passes/passes.h"
#include "harness.h"
#include "lm/decoder.h"
#include "lm/perplexity.h"
#include "lm/sample.h"
#include "ops/core/evaluate.h"

#include <stdio.h>
#include <unistd.h>

enum { LM_VOCABULARY = 96, LM_TOKENS = 11 };

static const char *const lm_names[] = {"llama",  "llama3", "linear", "yarn", "window",
                                       "gemma3", "qwen2",  "qwen3",  "phi3", "phi3-long"};

typedef struct lm_case {
    sal_graph *g;
    sal_tensor logits;
    int32_t ids[2][LM_TOKENS];
} lm_case;

static bool lm_open(lm_case *c, const char *name)
{
    char path[512];
    sal_tensor ids = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    bool ok;

    *c = (lm_case){.logits = SAL_TENSOR_INIT};
    (void)snprintf(path, sizeof(path), "%s/tests/golden/gguf/%s.ids.npy", SAL_SOURCE_DIR, name);
    ok = sal_npy_read(&ids, path, &err) == SAL_OK;
    (void)snprintf(path, sizeof(path), "%s/tests/golden/gguf/%s.logits.npy", SAL_SOURCE_DIR, name);
    ok = ok && sal_npy_read(&c->logits, path, &err) == SAL_OK;
    (void)snprintf(path, sizeof(path), "%s/tests/golden/gguf/%s.gguf", SAL_SOURCE_DIR, name);
    ok = ok && sal_gguf_read_model(&c->g, path, &err) == SAL_OK;
    for (int i = 0; ok && i < 2 * LM_TOKENS; i++)
        c->ids[i / LM_TOKENS][i % LM_TOKENS] = (int32_t)sal_tensor_get(&ids, i);
    CHECK_MSG(ok, "%s: %s", name, err.msg);
    sal_tensor_free(&ids);
    return ok;
}

static void lm_close(lm_case *c)
{
    sal_graph_free(c->g);
    sal_tensor_free(&c->logits);
}

static sal_decoder *lm_decoder(const lm_case *c, const char *policy, bool exact, int32_t rows)
{
    sal_decoder_opts o = {2, exact, policy, 64, rows};
    sal_error err = {SAL_OK, 0, ""};
    sal_decoder *d = NULL;

    CHECK_MSG(sal_decoder_new(&d, c->g, &o, &err) == SAL_OK, "%s", err.msg);
    return d;
}

/* Largest difference to the logits of text `row` from token `from` on, as a share of the largest.
 */
static double lm_apart(const lm_case *c, const float *got, int row, int from, int n)
{
    double most = 0.0, apart = 0.0;

    for (int i = 0; i < n * LM_VOCABULARY; i++) {
        double want =
            sal_tensor_get(&c->logits, ((int64_t)row * LM_TOKENS + from) * LM_VOCABULARY + i);

        most = fmax(most, fabs(want));
        apart = fmax(apart, fabs((double)got[i] - want));
    }
    return apart / most;
}

/* The whole text at once, in two blocks, token by token. */
static double lm_worst(const lm_case *c, const char *policy, bool exact)
{
    static float logits[LM_TOKENS * LM_VOCABULARY];
    sal_decoder *d = lm_decoder(c, policy, exact, 1);
    double worst = 0.0;

    if (d == NULL)
        return INFINITY;
    CHECK(sal_decoder_feed_all(d, 0, c->ids[0], LM_TOKENS, logits, NULL) == SAL_OK);
    worst = fmax(worst, lm_apart(c, logits, 0, 0, LM_TOKENS));
    sal_decoder_truncate(d, 0, 0);
    CHECK(sal_decoder_feed(d, 0, c->ids[0], 5, NULL, NULL) == SAL_OK);
    CHECK(sal_decoder_feed(d, 0, c->ids[0] + 5, 6, logits, NULL) == SAL_OK);
    worst = fmax(worst, lm_apart(c, logits, 0, 10, 1));
    sal_decoder_truncate(d, 0, 7); /* the rest again, one by one */
    for (int i = 7; i < LM_TOKENS; i++) {
        CHECK(sal_decoder_feed(d, 0, c->ids[0] + i, 1, logits, NULL) == SAL_OK);
        worst = fmax(worst, lm_apart(c, logits, 0, i, 1));
    }
    sal_decoder_free(d);
    return worst;
}

TEST(exact_is_pytorch)
{
    for (size_t i = 0; i < sizeof(lm_names) / sizeof(lm_names[0]); i++) {
        lm_case c;

        if (lm_open(&c, lm_names[i])) {
            double apart = lm_worst(&c, "f32", true);

            CHECK_MSG(apart < 4e-6, "%s: %g", lm_names[i], apart);
        }
        lm_close(&c);
    }
}

/* Every policy, and 8-bit activations: near, and not exact by accident. */
TEST(policies)
{
    static const struct {
        const char *policy;
        double most;
    } rows[] = {{"f16", 2e-3},        {"bf16", 1.5e-2}, {"q8_0", 2e-2},
                {"q8_0-plain", 2e-2}, {"q4_0", 0.25},   {"q4_0-plain", 0.25}};
    lm_case c;

    if (lm_open(&c, "gemma3")) { /* heads of 32, a window, softcaps */
        CHECK_EQ(sizeof(rows) / sizeof(rows[0]) + 1, sal_cache_policy_count());
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            double apart = lm_worst(&c, rows[i].policy, true);

            CHECK_MSG(apart < rows[i].most && apart > 1e-6, "%s: %g", rows[i].policy, apart);
        }
        CHECK_MSG(lm_worst(&c, "f32", false) < 3e-2, "fast: %g", lm_worst(&c, "f32", false));
    }
    lm_close(&c);
}

/* Two texts of different length go on together. */
TEST(rows_of_different_length)
{
    static float logits[2 * LM_VOCABULARY];
    const int32_t rows[2] = {1, 0};
    int32_t ids[2];
    lm_case c;

    if (lm_open(&c, "llama")) {
        sal_decoder *d = lm_decoder(&c, "f32", true, 2);

        CHECK(sal_decoder_feed(d, 0, c.ids[0], 3, NULL, NULL) == SAL_OK);
        CHECK(sal_decoder_feed(d, 1, c.ids[1], 8, NULL, NULL) == SAL_OK);
        for (int i = 0; i < 3; i++) {
            ids[0] = c.ids[1][8 + i];
            ids[1] = c.ids[0][3 + i];
            CHECK(sal_decoder_step(d, 2, rows, ids, logits, NULL) == SAL_OK);
            CHECK(lm_apart(&c, logits, 1, 8 + i, 1) < 4e-6);
            CHECK(lm_apart(&c, logits + LM_VOCABULARY, 0, 3 + i, 1) < 4e-6);
        }
        sal_decoder_free(d);
    }
    lm_close(&c);
}

/* Longer than tiles, blocks and spans of the cache: blocks of many lengths, single tokens, and
 * again behind a truncation, against the graph without a cache. */
TEST(long_texts)
{
    enum { N = 600 };
    static const size_t blocks[] = {15, 1, 1, 110, 2, 127, 1, 3, 255, 1, 1, 83}; /* 600 */
    static const char *const names[] = {"llama", "gemma3", "window"};
    static float got[N * LM_VOCABULARY];
    int32_t ids[N];
    sal_rng rng = sal_rng_seed(harness.seed, 5);

    for (int i = 0; i < N; i++)
        ids[i] = (int32_t)(sal_rng_u64(&rng) % LM_VOCABULARY);
    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
        const sal_bound bound = {0, 2, {1, N}};
        sal_session *s = NULL;
        sal_graph *g = NULL;
        sal_tensor in = SAL_TENSOR_INIT;
        sal_error err = {SAL_OK, 0, ""};
        lm_case c;
        const float *want;
        double most = 0.0, apart = 0.0;

        if (!lm_open(&c, names[k]))
            continue;
        CHECK(sal_graph_bind(&g, c.g, 1, &bound, &how, &err) == SAL_OK);
        CHECK(sal_pass_all(g, &how, &err) == SAL_OK);
        CHECK_MSG(sal_session_take(&s, g, NULL, &err) == SAL_OK, "%s", err.msg);
        CHECK(sal_tensor_new(&in, SAL_I64, 2, bound.dims, NULL) == SAL_OK);
        for (int i = 0; i < N; i++)
            sal_tensor_set(&in, i, ids[i]);
        CHECK_MSG(sal_session_run(s, &in, &err) == SAL_OK, "%s", err.msg);
        want = sal_session_output(s, 0)->data;
        for (int threads = 1; threads <= 2; threads++) {
            sal_decoder_opts o = {threads, true, "f32", N, 1};
            sal_decoder *d = NULL;
            size_t at = 0;

            CHECK(sal_decoder_new(&d, c.g, &o, &err) == SAL_OK);
            for (size_t b = 0; b < sizeof(blocks) / sizeof(blocks[0]); b++) {
                CHECK(sal_decoder_feed_all(d, 0, ids + at, blocks[b], got + at * LM_VOCABULARY,
                                           &err) == SAL_OK);
                at += blocks[b];
            }
            CHECK_EQ(at, N);
            sal_decoder_truncate(d, 0, 250); /* inside of a tile, before the end of a span */
            CHECK(sal_decoder_feed_all(d, 0, ids + 250, N - 250, got + 250 * LM_VOCABULARY, &err) ==
                  SAL_OK);
            for (int i = 0; i < N * LM_VOCABULARY; i++) {
                most = fmax(most, fabs((double)want[i]));
                apart = fmax(apart, fabs((double)got[i] - (double)want[i]));
            }
            CHECK_MSG(apart < 6e-6 * most, "%s, %d threads: %g", names[k], threads, apart / most);
            sal_decoder_free(d);
        }
        sal_session_free(s);
        sal_tensor_free(&in);
        lm_close(&c);
    }
}

/* What a row holds from the beginning of a prompt is kept; refused calls leave the row as it was.
 */
TEST(set_and_refuse)
{
    static float logits[LM_VOCABULARY];
    lm_case c;
    size_t reused = 0, n = 0;
    sal_error err = {SAL_OK, 0, ""};
    int32_t bad[2] = {3, 4000}, many[80] = {0};

    if (lm_open(&c, "llama")) {
        sal_decoder *d = lm_decoder(&c, "f32", true, 1);

        CHECK(sal_decoder_set(d, 0, c.ids[0], 6, logits, &reused, &err) == SAL_OK);
        CHECK_EQ(reused, 0);
        CHECK(sal_decoder_set(d, 0, c.ids[0], LM_TOKENS, logits, &reused, &err) == SAL_OK);
        CHECK_EQ(reused, 6);
        CHECK(lm_apart(&c, logits, 0, 10, 1) < 4e-6);
        CHECK(sal_decoder_set(d, 0, c.ids[0], 6, logits, &reused, &err) == SAL_OK);
        CHECK_EQ(reused, 5); /* one token must be computed for its logits */
        CHECK(lm_apart(&c, logits, 0, 5, 1) < 4e-6);
        CHECK(sal_decoder_feed(d, 0, bad, 2, logits, &err) == SAL_EINVAL);
        CHECK(sal_decoder_feed(d, 0, many, 80, logits, &err) == SAL_EINVAL);
        CHECK(sal_decoder_feed(d, 3, many, 1, logits, &err) == SAL_EINVAL);
        CHECK(sal_decoder_feed(d, 0, many, 0, logits, &err) == SAL_EINVAL);
        (void)sal_decoder_ids(d, 0, &n);
        CHECK_EQ(n, 6);
        CHECK(sal_decoder_feed(d, 0, c.ids[0] + 6, 5, logits, &err) == SAL_OK);
        CHECK(lm_apart(&c, logits, 0, 10, 1) < 4e-6);
        sal_decoder_free(d);
    }
    lm_close(&c);
}

TEST(saved_prompt)
{
    static float logits[LM_VOCABULARY];
    char path[512];
    sal_error err = {SAL_OK, 0, ""};
    lm_case c;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/lm-%ld.cache", SAL_TEST_TMP, (long)getpid());
    if (lm_open(&c, "gemma3")) {
        sal_decoder *d = lm_decoder(&c, "q8_0", true, 1), *other = lm_decoder(&c, "f16", true, 1);
        static float want[LM_VOCABULARY];

        CHECK(sal_decoder_feed(d, 0, c.ids[0], 9, NULL, &err) == SAL_OK);
        CHECK_MSG(sal_decoder_save(d, 0, path, &err) == SAL_OK, "%s", err.msg);
        CHECK(sal_decoder_feed(d, 0, c.ids[0] + 9, 2, want, &err) == SAL_OK);
        CHECK(sal_decoder_load(d, 0, path, &err) == SAL_OK);
        CHECK(sal_decoder_feed(d, 0, c.ids[0] + 9, 2, logits, &err) == SAL_OK);
        CHECK(memcmp(want, logits, sizeof(want)) == 0);
        CHECK(sal_decoder_load(other, 0, path, &err) == SAL_EFORMAT); /* another policy */
        f = fopen(path, "r+b");
        CHECK(f != NULL && fseek(f, 200, SEEK_SET) == 0 && fputc(77, f) == 77 && fclose(f) == 0);
        CHECK(sal_decoder_load(d, 0, path, &err) == SAL_EFORMAT); /* damaged */
        CHECK(strncmp(err.msg, path, strlen(path)) == 0);
        sal_decoder_free(d);
        sal_decoder_free(other);
        (void)unlink(path);
    }
    lm_close(&c);
}

/* -log p of the second half of each chunk, from PyTorch's logits. */
TEST(perplexity)
{
    lm_case c;
    sal_perplexity p;
    sal_error err = {SAL_OK, 0, ""};

    if (lm_open(&c, "qwen2")) {
        sal_decoder *d = lm_decoder(&c, "f32", true, 1);
        double want = 0.0;

        for (int i = 5; i < 10; i++) { /* chunks of 11: tokens 6 to 10 */
            double sum = 0.0, id = 0.0;

            for (int v = 0; v < LM_VOCABULARY; v++) {
                double x = sal_tensor_get(&c.logits, (int64_t)i * LM_VOCABULARY + v);

                sum += exp(x);
                id = v == c.ids[0][i + 1] ? x : id;
            }
            want += (log(sum) - id) / 5.0;
        }
        CHECK(sal_decoder_perplexity(d, c.ids[0], LM_TOKENS, LM_TOKENS, -1, &p, NULL, NULL, &err) ==
              SAL_OK);
        CHECK_EQ(p.tokens, 5);
        CHECK_MSG(fabs(p.nll - want) < 1e-5, "%g, not %g", p.nll, want);
        CHECK(sal_decoder_perplexity(d, c.ids[0], 5, 11, -1, &p, NULL, NULL, &err) == SAL_EINVAL);
        sal_decoder_free(d);
    }
    lm_close(&c);
}

/* Same inputs and threads: the same bytes. */
TEST(repeats)
{
    static float a[LM_TOKENS * LM_VOCABULARY], b[LM_TOKENS * LM_VOCABULARY];
    lm_case c;

    if (lm_open(&c, "llama")) {
        for (int i = 0; i < 2; i++) {
            sal_decoder *d = lm_decoder(&c, "f16", false, 1);

            CHECK(sal_decoder_feed_all(d, 0, c.ids[0], 9, i == 0 ? a : b, NULL) == SAL_OK);
            CHECK(sal_decoder_feed(d, 0, c.ids[0] + 9, 1, (i == 0 ? a : b) + 9 * LM_VOCABULARY,
                                   NULL) == SAL_OK);
            sal_decoder_free(d);
        }
        CHECK(memcmp(a, b, 10 * LM_VOCABULARY * sizeof(*a)) == 0);
    }
    lm_close(&c);
}

/* ---- sampling ---- */

static sal_sample_opts lm_sample_opts(void)
{
    return (sal_sample_opts){1.0, 0, 1.0, 0.0, 1.0, 64, 1};
}

/* How often each of 4 tokens is drawn. */
static void lm_draw(const sal_sample_opts *o, const float *logits, int *counts)
{
    sal_sampler *s = NULL;

    memset(counts, 0, 4 * sizeof(*counts));
    CHECK(sal_sampler_new(&s, o, 0, 4, NULL) == SAL_OK);
    for (int i = 0; s != NULL && i < 4000; i++)
        counts[sal_sampler_pick(s, logits)]++;
    sal_sampler_free(s);
}

TEST(sampling)
{
    /* probabilities 0.1, 0.6, 0.25, 0.05 */
    const float logits[4] = {logf(0.1F), logf(0.6F), logf(0.25F), logf(0.05F)};
    sal_sample_opts o = lm_sample_opts();
    sal_sampler *s = NULL;
    sal_error err = {SAL_OK, 0, ""};
    int n[4];

    lm_draw(&o, logits, n);
    CHECK(abs(n[0] - 400) < 80 && abs(n[1] - 2400) < 130 && abs(n[2] - 1000) < 120 &&
          abs(n[3] - 200) < 60);
    o.top_k = 2;
    lm_draw(&o, logits, n);
    CHECK(n[0] == 0 && n[3] == 0 && abs(n[1] - 2824) < 130); /* 0.6 / 0.85 */
    o.top_k = 0;
    o.top_p = 0.9; /* 0.6 + 0.25 < 0.9: the third one too */
    lm_draw(&o, logits, n);
    CHECK(n[3] == 0 && n[0] > 300);
    o.top_p = 1.0;
    o.min_p = 0.2; /* of 0.6: at least 0.12 */
    lm_draw(&o, logits, n);
    CHECK(n[0] == 0 && n[3] == 0 && n[2] > 1000);
    o = lm_sample_opts();
    o.temperature = 0.5; /* p^2: 0.01, 0.36, 0.0625, 0.0025 */
    lm_draw(&o, logits, n);
    CHECK(abs(n[1] - 3310) < 130 && n[3] < 60);
    o.temperature = 0.0;
    lm_draw(&o, logits, n);
    CHECK_EQ(n[1], 4000);
    o.repetition_penalty = 4.0;
    CHECK(sal_sampler_new(&s, &o, 0, 4, NULL) == SAL_OK);
    sal_sampler_accept(s, 1); /* log 0.6 < 0: times 4 is less than log 0.25 */
    CHECK_EQ(sal_sampler_pick(s, logits), 2);
    sal_sampler_free(s);
    o.top_p = 0.0;
    CHECK(sal_sampler_new(&s, &o, 0, 4, &err) == SAL_EINVAL);
    CHECK(strstr(err.msg, "top-p") != NULL);
}

/* The same seed gives the same tokens, another one others. */
TEST(seeds)
{
    float logits[96];
    int32_t first[50];
    int same = 0;

    for (int i = 0; i < 96; i++)
        logits[i] = (float)(i % 7) * 0.3F;
    for (int run = 0; run < 3; run++) {
        sal_sample_opts o = lm_sample_opts();
        sal_sampler *s = NULL;

        o.seed = run < 2 ? 7 : 8;
        CHECK(sal_sampler_new(&s, &o, 0, 96, NULL) == SAL_OK);
        for (int i = 0; i < 50; i++) {
            int32_t id = sal_sampler_pick(s, logits);

            if (run == 0)
                first[i] = id;
            else if (run == 1)
                CHECK_EQ(first[i], id);
            else
                same += first[i] == id;
        }
        sal_sampler_free(s);
    }
    CHECK(same < 20);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(exact_is_pytorch), T(policies), T(rows_of_different_length),
                              T(long_texts), T(set_and_refuse), T(saved_prompt), T(perplexity),
                              T(repeats), T(sampling), T(seeds)));
}
