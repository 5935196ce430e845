/* Language models: opening, sessions, and what is asked of them. */
#include "api/api.h"

#include "lm/generate.h"
#include "lm/perplexity.h"
#include "lm/question.h"

#include <stdio.h>
#include <stdlib.h>

struct sal_lm {
    sal_model *model;
    sal_tokenizer *tokenizer;
    const sal_chat_template *chat; /* NULL: none that is known */
    char *why_no_chat;             /* then */
    sal_lm_info info;
};

struct sal_lm_session {
    const sal_lm *lm;
    sal_decoder *decoder;
};

/* ---- opening ---- */

static int64_t lm_number(const sal_lm *lm, const char *key)
{
    const char *text = sal_graph_meta(lm->model->structure, key);

    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

static const char *lm_text(const sal_lm *lm, const char *key)
{
    const char *text = sal_graph_meta(lm->model->structure, key);

    return text == NULL ? "" : text;
}

static sal_status lm_describe(sal_lm *lm, sal_error *err)
{
    sal_tokenizer_info t;

    sal_tokenizer_get_info(lm->tokenizer, &t);
    lm->info = (sal_lm_info){.architecture = lm_text(lm, "lm.architecture"),
                             .name = lm_text(lm, "lm.name"),
                             .layers = lm_number(lm, "lm.layers"),
                             .width = lm_number(lm, "lm.width"),
                             .heads = lm_number(lm, "lm.heads"),
                             .kv_heads = lm_number(lm, "lm.kv_heads"),
                             .head_size = lm_number(lm, "lm.head_size"),
                             .feed_forward = lm_number(lm, "lm.feed_forward"),
                             .vocabulary = lm_number(lm, "lm.vocabulary"),
                             .context = lm_number(lm, "lm.context"),
                             .bos = t.bos,
                             .eos = t.eos,
                             .adds_bos = t.adds_bos};
    if (lm->info.layers < 1 || sal_graph_find(lm->model->structure, "positions") == SAL_NONE)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s: no language model: GGUF files and Hugging Face folders are",
                        lm->model->path);
    if ((int64_t)sal_tokenizer_size(lm->tokenizer) > lm->info.vocabulary)
        return sal_fail(err, SAL_EFORMAT,
                        "%s: the tokenizer has %zu ids, the model %lld: is it another model's?",
                        lm->model->path, sal_tokenizer_size(lm->tokenizer),
                        (long long)lm->info.vocabulary);
    return SAL_OK;
}

static sal_status lm_chat(sal_lm *lm, const char *name, sal_error *err)
{
    sal_error why = {SAL_OK, 0, ""};
    sal_tokenizer_info t;
    sal_status st = SAL_OK;

    sal_tokenizer_get_info(lm->tokenizer, &t);
    if (name != NULL) {
        SAL_TRY(sal_chat_template_named(&lm->chat, name, err));
    } else if (t.chat_template != NULL &&
               sal_chat_template_find(&lm->chat, t.chat_template, strlen(t.chat_template), &why) !=
                   SAL_OK) {
        lm->chat = NULL;
        lm->why_no_chat = sal_strdup(why.msg);
        if (lm->why_no_chat == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    lm->info.chat_template = lm->chat == NULL ? NULL : sal_chat_template_name(lm->chat);
done:
    return st;
}

sal_status sal_lm_open(sal_lm **out, const char *path, const sal_lm_opts *opts, sal_error *err)
{
    sal_lm_opts o = SAL_LM_OPTS_INIT;
    sal_lm *lm = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(api_opts(&o, sizeof(o), opts, err));
    lm = sal_calloc(1, sizeof(*lm));
    if (lm == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(sal_model_open(&lm->model, path, err));
    SAL_TRY(sal_tokenizer_open(&lm->tokenizer, o.tokenizer == NULL ? path : o.tokenizer, err));
    SAL_TRY(lm_describe(lm, err));
    SAL_TRY(lm_chat(lm, o.chat_template, err));
    *out = lm;
    lm = NULL;
done:
    sal_lm_free(lm);
    return st;
}

void sal_lm_free(sal_lm *lm)
{
    if (lm == NULL)
        return;
    sal_model_free(lm->model);
    sal_tokenizer_free(lm->tokenizer);
    sal_free(lm->why_no_chat);
    sal_free(lm);
}

const sal_model *sal_lm_model(const sal_lm *lm)
{
    return lm->model;
}

const sal_tokenizer *sal_lm_tokenizer(const sal_lm *lm)
{
    return lm->tokenizer;
}

void sal_lm_get_info(const sal_lm *lm, sal_lm_info *out)
{
    *out = lm->info;
}

/* ---- text ---- */

sal_status sal_lm_encode(const sal_lm *lm, const char *text, size_t n, bool special,
                         sal_tokens *out, sal_error *err)
{
    sal_encode_opts o = SAL_ENCODE_OPTS_INIT;

    o.plain = !special;
    return sal_tokenizer_encode_as(lm->tokenizer, text, n, &o, out, err);
}

sal_status sal_lm_encode_chat(const sal_lm *lm, const sal_chat_message *messages, size_t n,
                              bool answer, sal_tokens *out, sal_error *err)
{
    sal_encode_opts o = SAL_ENCODE_OPTS_INIT;
    sal_chat_opts c = SAL_CHAT_OPTS_INIT;
    char *text = NULL;
    size_t bytes = 0;
    sal_status st = SAL_OK;

    if (lm->chat == NULL)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED, "%s: %s", lm->model->path,
                         lm->why_no_chat != NULL ? lm->why_no_chat : "has no chat template"));
    c.prompt = answer;
    o.special = false; /* the rendered text has its bos */
    SAL_TRY(sal_chat_render(lm->chat, messages, n, &c, &text, &bytes, err));
    st = sal_tokenizer_encode_as(lm->tokenizer, text, bytes, &o, out, err);
done:
    sal_text_free(text);
    return st;
}

sal_status sal_lm_asked(sal_model **out, const sal_lm *lm, const int32_t *answer, size_t n,
                        sal_error *err)
{
    sal_model *m = sal_calloc(1, sizeof(*m));
    sal_status st = SAL_OK;

    *out = NULL;
    if (m == NULL)
        return sal_fail_nomem(err);
    m->path = sal_strdup(lm->model->path);
    if (m->path == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(sal_lm_question(&m->structure, lm->model->structure, answer, n, err));
    *out = m;
    m = NULL;
done:
    sal_model_free(m);
    return st;
}

/* ---- sessions ---- */

sal_status sal_lm_session_new(sal_lm_session **out, const sal_lm *lm,
                              const sal_lm_session_opts *opts, sal_error *err)
{
    sal_lm_session_opts o = SAL_LM_SESSION_OPTS_INIT;
    sal_decoder_opts d;
    sal_lm_session *s = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(api_opts(&o, sizeof(o), opts, err));
    s = sal_calloc(1, sizeof(*s));
    if (s == NULL)
        SAL_TRY(sal_fail_nomem(err));
    s->lm = lm;
    d = (sal_decoder_opts){o.threads, o.exact, o.cache == NULL ? "f16" : o.cache,
                           o.context != 0 ? o.context : SAL_MIN(lm->info.context, 4096),
                           o.rows == 0 ? 1 : o.rows};
    SAL_TRY(sal_decoder_new(&s->decoder, lm->model->structure, &d, err));
    *out = s;
    s = NULL;
done:
    sal_lm_session_free(s);
    return st;
}

void sal_lm_session_free(sal_lm_session *s)
{
    if (s == NULL)
        return;
    sal_decoder_free(s->decoder);
    sal_free(s);
}

sal_status sal_lm_feed(sal_lm_session *s, int32_t row, const int32_t *ids, size_t n, float *logits,
                       sal_error *err)
{
    return sal_decoder_feed(s->decoder, row, ids, n, logits, err);
}

sal_status sal_lm_feed_all(sal_lm_session *s, int32_t row, const int32_t *ids, size_t n,
                           float *logits, sal_error *err)
{
    return sal_decoder_feed_all(s->decoder, row, ids, n, logits, err);
}

const int32_t *sal_lm_text(const sal_lm_session *s, int32_t row, size_t *n)
{
    return sal_decoder_ids(s->decoder, row, n);
}

void sal_lm_truncate(sal_lm_session *s, int32_t row, size_t n)
{
    sal_decoder_truncate(s->decoder, row, n);
}

static sal_status lm_row(const sal_lm_session *s, int32_t row, sal_error *err)
{
    if (row < 0 || row >= sal_decoder_rows(s->decoder))
        return sal_fail(err, SAL_EINVAL, "row %d: there are %d", (int)row,
                        (int)sal_decoder_rows(s->decoder));
    return SAL_OK;
}

sal_status sal_lm_session_save(const sal_lm_session *s, int32_t row, const char *path,
                               sal_error *err)
{
    sal_status st = lm_row(s, row, err);

    return st == SAL_OK ? sal_decoder_save(s->decoder, row, path, err) : st;
}

sal_status sal_lm_session_load(sal_lm_session *s, int32_t row, const char *path, sal_error *err)
{
    sal_status st = lm_row(s, row, err);

    return st == SAL_OK ? sal_decoder_load(s->decoder, row, path, err) : st;
}

void sal_lm_session_stats(const sal_lm_session *s, sal_lm_stats *out)
{
    sal_decoder_stats d;

    sal_decoder_get_stats(s->decoder, &d);
    *out = (sal_lm_stats){sal_decoder_context(s->decoder), d.cache_bytes, d.cache_room,
                          d.arena_bytes, d.weight_bytes};
}

sal_status sal_lm_session_profile(sal_lm_session *s, size_t n, char **out, sal_error *err)
{
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(sal_decoder_profile(s->decoder, n, &text, err));
    st = api_hand_over(&text, out, err);
done:
    sal_bytes_free(&text);
    return st;
}

/* ---- generating ---- */

const char *sal_stop_name(sal_stop stop)
{
    static const char *const names[] = {"end", "stop string", "token limit", "context full",
                                        "cancelled"};

    return (size_t)stop < SAL_COUNTOF(names) ? names[stop] : "unknown";
}

void sal_generation_free(sal_generation *g)
{
    if (g == NULL)
        return;
    sal_free(g->ids);
    sal_free(g->text);
    *g = (sal_generation){.ids = NULL};
}

sal_status sal_lm_generate(sal_lm_session *s, const sal_prompt *prompts, size_t n,
                           const sal_generate_opts *opts, sal_generation *out, sal_error *err)
{
    sal_generate_opts o = SAL_GENERATE_OPTS_INIT;
    sal_status st;

    for (size_t i = 0; i < n; i++)
        out[i] = (sal_generation){.ids = NULL};
    st = api_opts(&o, sizeof(o), opts, err);
    if (st != SAL_OK)
        return st;
    if (n < 1 || n > (size_t)sal_decoder_rows(s->decoder))
        return sal_fail(err, SAL_EINVAL, "%zu prompts: the session has room for %d", n,
                        (int)sal_decoder_rows(s->decoder));
    return sal_generate(s->decoder, s->lm->tokenizer, prompts, n, &o, out, err);
}

sal_status sal_lm_perplexity(sal_lm_session *s, const int32_t *ids, size_t n, size_t chunk,
                             sal_perplexity *out, sal_perplexity_fn fn, void *ctx, sal_error *err)
{
    return sal_decoder_perplexity(s->decoder, ids, n, chunk,
                                  s->lm->info.adds_bos ? s->lm->info.bos : -1, out, fn, ctx, err);
}
