/* salience perplexity: how well a language model predicts a text. */
#include "lm.h"

#include <math.h>

int verb_perplexity(const cli_args *a);

static bool perplexity_step(void *ctx, double done, const sal_perplexity *so_far)
{
    (void)so_far;
    return cli_progress_step(ctx, done);
}

static int perplexity_print(const cli_args *a, const sal_perplexity *r, double seconds, size_t ids)
{
    double ppl = exp(r->nll);
    cli_text t = {NULL, 0, 0, false, 0, false, false};

    if (!cli_has(a, OPT_json)) {
        printf("perplexity %.4f +- %.4f (%zu tokens predicted in %zu chunks, %.4f nats a token)\n",
               ppl, ppl * r->error, r->tokens, r->chunks, r->nll);
        return CLI_OK;
    }
    json_open(&t, NULL, '{');
    json_number(&t, "perplexity", ppl);
    json_number(&t, "error", ppl * r->error);
    json_number(&t, "nll", r->nll);
    json_int(&t, "tokens", (int64_t)r->tokens);
    json_int(&t, "chunks", (int64_t)r->chunks);
    json_int(&t, "text_tokens", (int64_t)ids);
    json_number(&t, "seconds", seconds);
    json_close(&t, '}');
    return json_print(&t);
}

int verb_perplexity(const cli_args *a)
{
    const char *path = a->n_positional > 1 ? a->positional[1] : "-";
    cli_text text = {NULL, 0, 0, false, 0, false, false};
    sal_tokens ids = SAL_TOKENS_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_lm_session *s = NULL;
    sal_perplexity result = {0};
    cli_progress bar;
    int64_t chunk = 512;
    int status = CLI_OK;
    double begun;
    sal_lm *lm;
    sal_status st;

    if (!cli_int(a, OPT_context, 2, 1 << 24, &chunk))
        return CLI_USAGE;
    lm = cli_lm_open(a, &status);
    if (lm == NULL || !cli_text_read(&text, path, &status))
        goto done;
    st = sal_lm_encode(lm, text.data == NULL ? "" : text.data, text.len, false, &ids, &err);
    if (st != SAL_OK) {
        status = cli_fail(path, st, &err);
        goto done;
    }
    s = cli_lm_session(a, lm, 1, chunk, &status);
    if (s == NULL)
        goto done;
    cli_signals(true);
    cli_progress_begin(&bar, a);
    bar.what = "perplexity";
    begun = cli_seconds();
    st = sal_lm_perplexity(s, ids.ids, ids.n, (size_t)chunk, &result, perplexity_step, &bar, &err);
    cli_progress_end(&bar);
    if (st == SAL_ECANCELLED && result.chunks > 0) {
        (void)perplexity_print(a, &result, cli_seconds() - begun, ids.n);
        (void)cli_fail(path, st, &err);
        status = CLI_INTERRUPTED;
    } else if (st != SAL_OK) {
        status = cli_fail(path, st, &err);
    } else {
        status = perplexity_print(a, &result, cli_seconds() - begun, ids.n);
    }
done:
    sal_lm_session_free(s);
    sal_tokens_free(&ids);
    cli_text_free(&text);
    sal_lm_free(lm);
    return status;
}
