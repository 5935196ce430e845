/* Generating: one step of the decoder for all prompts that go on, then a token for each of them. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "lm/generate.h"

#include "lm/sample.h"

#include <time.h>

/* One prompt's answer. */
typedef struct generate_text {
    sal_sampler *sampler;
    sal_token_stream *stream;
    sal_generation *out;
    size_t cap_ids, cap_text;
    size_t shown; /* bytes of the text that the callback has seen */
    bool done;
} generate_text;

typedef struct generate {
    sal_decoder *d;
    const sal_tokenizer *tokenizer;
    const sal_generate_opts *opts;
    generate_text *texts;
    size_t n;
    float *logits; /* [n, vocabulary] */
    int32_t *rows, *ids;
    sal_error *err;
} generate;

static double generate_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- text ---- */

/* Begin of the first stop string at or behind `from`; SIZE_MAX: none. */
static size_t generate_find_stop(const generate *g, const char *text, size_t n, size_t from)
{
    size_t best = SIZE_MAX;

    for (size_t k = 0; k < g->opts->n_stop; k++) {
        const char *stop = g->opts->stop[k];
        size_t length = strlen(stop);

        for (size_t i = from; length > 0 && i + length <= n && i < best; i++) {
            if (memcmp(text + i, stop, length) == 0)
                best = i;
        }
    }
    return best;
}

/* Bytes at the end that may become the begin of a stop string. */
static size_t generate_held(const generate *g, const char *text, size_t n)
{
    size_t most = 0;

    for (size_t k = 0; k < g->opts->n_stop; k++) {
        size_t length = strlen(g->opts->stop[k]);

        for (size_t m = length == 0 ? 0 : SAL_MIN(length - 1, n); m > most; m--) {
            if (memcmp(text + n - m, g->opts->stop[k], m) == 0)
                most = m;
        }
    }
    return most;
}

static void generate_show(generate *g, size_t i, size_t until)
{
    generate_text *t = &g->texts[i];

    if (until <= t->shown)
        return;
    if (g->opts->on_text != NULL &&
        !g->opts->on_text(g->opts->ctx, i, t->out->text + t->shown, until - t->shown)) {
        t->out->stop = SAL_STOP_CANCEL;
        t->done = true;
    }
    t->shown = until;
}

/* More bytes of the text; looks for stop strings. */
static sal_status generate_add(generate *g, size_t i, const char *bytes, size_t n)
{
    generate_text *t = &g->texts[i];
    sal_generation *out = t->out;
    size_t longest = 0, from, at;
    sal_status st = SAL_OK;

    SAL_TRY(sal_grow(&out->text, out->text_bytes + n + 1, &t->cap_text, 1, g->err));
    for (size_t k = 0; k < g->opts->n_stop; k++)
        longest = SAL_MAX(longest, strlen(g->opts->stop[k]));
    from = out->text_bytes > longest ? out->text_bytes - longest : 0;
    memcpy(out->text + out->text_bytes, bytes, n);
    out->text_bytes += n;
    at = generate_find_stop(g, out->text, out->text_bytes, SAL_MAX(from, t->shown));
    if (at != SIZE_MAX) {
        out->text_bytes = at;
        out->stop = SAL_STOP_STRING;
        t->done = true;
    }
    out->text[out->text_bytes] = '\0';
    generate_show(g, i,
                  out->text_bytes - (t->done ? 0 : generate_held(g, out->text, out->text_bytes)));
done:
    return st;
}

/* What is held back comes out when the text ends otherwise. */
static sal_status generate_finish(generate *g, size_t i)
{
    generate_text *t = &g->texts[i];
    const char *bytes = NULL;
    size_t n = 0;
    sal_status st = SAL_OK;

    if (t->out->stop == SAL_STOP_STRING || t->out->stop == SAL_STOP_CANCEL)
        return SAL_OK;
    SAL_TRY(sal_token_stream_end(t->stream, &bytes, &n, g->err));
    SAL_TRY(generate_add(g, i, bytes == NULL ? "" : bytes, n));
    generate_show(g, i, t->out->text_bytes);
done:
    t->done = true;
    return st;
}

/* ---- tokens ---- */

/* Choose the next token of text i from its logits. */
static sal_status generate_token(generate *g, size_t i, const float *logits)
{
    generate_text *t = &g->texts[i];
    sal_generation *out = t->out;
    int32_t id = sal_sampler_pick(t->sampler, logits);
    const char *bytes;
    size_t n, held;
    sal_status st = SAL_OK;

    if (!g->opts->ignore_end && sal_tokenizer_ends(g->tokenizer, id)) {
        out->stop = SAL_STOP_END;
        return generate_finish(g, i);
    }
    SAL_TRY(sal_grow(&out->ids, out->n + 1, &t->cap_ids, sizeof(*out->ids), g->err));
    out->ids[out->n++] = id;
    sal_sampler_accept(t->sampler, id);
    SAL_TRY(sal_token_stream_add(t->stream, id, &bytes, &n, g->err));
    SAL_TRY(generate_add(g, i, bytes, n));
    (void)sal_decoder_ids(g->d, (int32_t)i, &held);
    if (!t->done && g->opts->max_tokens > 0 && out->n >= g->opts->max_tokens) {
        out->stop = SAL_STOP_TOKENS;
        SAL_TRY(generate_finish(g, i));
    } else if (!t->done && held >= (size_t)sal_decoder_context(g->d)) {
        out->stop = SAL_STOP_CONTEXT;
        SAL_TRY(generate_finish(g, i));
    }
done:
    return st;
}

static sal_status generate_begin(generate *g, const sal_prompt *prompts)
{
    const sal_generate_opts *o = g->opts;
    const sal_sample_opts so = {o->temperature,        o->top_k,          o->top_p, o->min_p,
                                o->repetition_penalty, o->penalty_window, o->seed};
    int64_t vocabulary = sal_decoder_vocabulary(g->d);
    double begun = generate_now();
    sal_status st = SAL_OK;

    for (size_t i = 0; i < g->n; i++) {
        generate_text *t = &g->texts[i];

        SAL_TRY(sal_sampler_new(&t->sampler, &so, i, vocabulary, g->err));
        SAL_TRY(sal_token_stream_new(&t->stream, g->tokenizer, !o->special, g->err));
        SAL_TRY(sal_grow(&t->out->text, 1, &t->cap_text, 1, g->err));
        t->out->text[0] = '\0';
        t->out->prompt_tokens = prompts[i].n;
        for (size_t k = 0; k < prompts[i].n; k++)
            sal_sampler_accept(t->sampler, prompts[i].ids[k]);
    }
    for (size_t i = 0; i < g->n; i++)
        SAL_TRY(sal_decoder_set(g->d, (int32_t)i, prompts[i].ids, prompts[i].n,
                                g->logits + i * (size_t)vocabulary, &g->texts[i].out->reused_tokens,
                                g->err));
    for (size_t i = 0; i < g->n; i++)
        SAL_TRY(generate_token(g, i, g->logits + i * (size_t)vocabulary));
    for (size_t i = 0; i < g->n; i++)
        g->texts[i].out->prompt_seconds = generate_now() - begun;
done:
    return st;
}

static sal_status generate_loop(generate *g)
{
    size_t vocabulary = (size_t)sal_decoder_vocabulary(g->d);
    sal_status st = SAL_OK;

    for (;;) {
        size_t n = 0;

        for (size_t i = 0; i < g->n; i++) {
            const sal_generation *out = g->texts[i].out;

            if (g->texts[i].done)
                continue;
            g->rows[n] = (int32_t)i;
            g->ids[n++] = out->ids[out->n - 1];
        }
        if (n == 0)
            break;
        SAL_TRY(sal_decoder_step(g->d, n, g->rows, g->ids, g->logits, g->err));
        for (size_t k = 0; k < n; k++)
            SAL_TRY(generate_token(g, (size_t)g->rows[k], g->logits + k * vocabulary));
    }
done:
    return st;
}

sal_status sal_generate(sal_decoder *d, const sal_tokenizer *tokenizer, const sal_prompt *prompts,
                        size_t n, const sal_generate_opts *opts, sal_generation *out,
                        sal_error *err)
{
    generate g = {d, tokenizer, opts, NULL, n, NULL, NULL, NULL, err};
    double begun;
    sal_status st = SAL_OK;

    g.texts = sal_calloc(n + 1, sizeof(*g.texts));
    g.logits = sal_malloc((n + 1) * (size_t)sal_decoder_vocabulary(d) * sizeof(*g.logits));
    g.rows = sal_calloc(n + 1, sizeof(*g.rows));
    g.ids = sal_calloc(n + 1, sizeof(*g.ids));
    if (g.texts == NULL || g.logits == NULL || g.rows == NULL || g.ids == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < n; i++)
        g.texts[i].out = &out[i];
    SAL_TRY(generate_begin(&g, prompts));
    begun = generate_now();
    SAL_TRY(generate_loop(&g));
    for (size_t i = 0; i < n; i++)
        out[i].decode_seconds = generate_now() - begun;
done:
    for (size_t i = 0; g.texts != NULL && i < n; i++) {
        sal_sampler_free(g.texts[i].sampler);
        sal_token_stream_free(g.texts[i].stream);
    }
    sal_free(g.texts);
    sal_free(g.logits);
    sal_free(g.rows);
    sal_free(g.ids);
    return st;
}
