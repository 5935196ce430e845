/* What the verbs for language models share: opening, prompts, sampling. */
#include "lm.h"

sal_lm *cli_lm_open(const cli_args *a, int *status)
{
    sal_lm_opts o = SAL_LM_OPTS_INIT;
    char path[CLI_PATH];
    const char *file = cli_model_path(a->positional[0], path, sizeof(path));
    sal_error err = {SAL_OK, 0, ""};
    sal_lm *lm = NULL;
    sal_status st;

    o.tokenizer = cli_value(a, OPT_tokenizer);
    o.chat_template = cli_value(a, OPT_chat_template);
    st = sal_lm_open(&lm, file, &o, &err);
    if (st != SAL_OK)
        *status = cli_fail(file, st, &err);
    return lm;
}

sal_lm_session *cli_lm_session(const cli_args *a, const sal_lm *lm, int32_t rows, int64_t context,
                               int *status)
{
    sal_lm_session_opts o = SAL_LM_SESSION_OPTS_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_lm_session *s = NULL;
    sal_dtype dtype = SAL_F32;
    sal_status st;

    o.rows = rows;
    o.context = context;
    o.cache = cli_value(a, OPT_cache);
    *status = CLI_USAGE;
    if (!cli_dtype(a, &dtype) || !cli_threads(a, &o.threads) || !cli_memory(a) ||
        !cli_int(a, OPT_context, 2, 1 << 24, &o.context))
        return NULL;
    o.exact = cli_has(a, OPT_dtype) && dtype == SAL_F32;
    st = sal_lm_session_new(&s, lm, &o, &err);
    *status = st == SAL_OK ? CLI_OK : cli_fail(NULL, st, &err);
    return s;
}

bool cli_lm_generate_opts(const cli_args *a, sal_generate_opts *o)
{
    int64_t tokens = 0, top_k = o->top_k, seed = (int64_t)o->seed;

    if (!cli_int(a, OPT_tokens, 1, INT32_MAX, &tokens) ||
        !cli_int(a, OPT_top_k, 0, INT32_MAX, &top_k) ||
        !cli_int(a, OPT_seed, 0, INT64_MAX, &seed) ||
        !cli_number(a, OPT_temperature, 0.0, 1e6, &o->temperature) ||
        !cli_number(a, OPT_top_p, 1e-9, 1.0, &o->top_p) ||
        !cli_number(a, OPT_min_p, 0.0, 1.0, &o->min_p) ||
        !cli_number(a, OPT_repetition_penalty, 1e-3, 1e3, &o->repetition_penalty))
        return false;
    o->max_tokens = (size_t)tokens;
    o->top_k = (int32_t)top_k;
    o->seed = (uint64_t)seed;
    o->stop = a->values[OPT_stop];
    o->n_stop = a->n_values[OPT_stop];
    o->ignore_end = cli_has(a, OPT_ignore_end);
    o->special = cli_has(a, OPT_special);
    return true;
}

bool cli_lm_chatty(const cli_args *a, const sal_lm *lm)
{
    sal_lm_info info;

    sal_lm_get_info(lm, &info);
    return !cli_has(a, OPT_plain) && info.chat_template != NULL;
}

bool cli_lm_encode(const cli_args *a, const sal_lm *lm, const char *prompt, size_t n,
                   sal_tokens *out, int *status)
{
    const char *system = cli_value(a, OPT_system);
    sal_error err = {SAL_OK, 0, ""};
    sal_chat_message messages[2];
    size_t count = 0;
    sal_status st;

    if (cli_lm_chatty(a, lm)) {
        if (strlen(prompt) != n) {
            *status =
                cli_fail_text("a prompt with a zero byte has no turn in a chat; --plain takes it");
            return false;
        }
        if (system != NULL)
            messages[count++] = (sal_chat_message){"system", system};
        messages[count++] = (sal_chat_message){"user", prompt};
        st = sal_lm_encode_chat(lm, messages, count, true, out, &err);
    } else {
        st = sal_lm_encode(lm, prompt, n, false, out, &err);
    }
    if (st != SAL_OK)
        *status = cli_fail(a->positional[0], st, &err);
    return st == SAL_OK;
}
