/* Reading chains of steps, patterns and their matches. */
#include "format/tokenizer/tokenizer.h"

#include <string.h>

sal_status tok_string(const json_t *json, const char *key, char **out, sal_error *err)
{
    const json_t *v = json_object_get(json, key);

    *out = NULL;
    if (v != NULL && !json_is_null(v) && !json_is_string(v))
        return sal_fail(err, SAL_EFORMAT, "\"%s\" is no string", key);
    *out = sal_strdup(json_is_string(v) ? json_string_value(v) : "");
    return *out == NULL ? sal_fail_nomem(err) : SAL_OK;
}

bool tok_flag(const json_t *json, const char *key, bool fallback)
{
    const json_t *v = json_object_get(json, key);

    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

sal_status tok_steps_read(tok_step *steps, size_t *n, const tok_step_type *table, const char *what,
                          const json_t *json, sal_error *err)
{
    static const char *const lists[] = {"normalizers", "pretokenizers", "decoders"};
    const char *name = json_string_value(json_object_get(json, "type"));
    tok_step *s = &steps[*n];

    if (json == NULL || json_is_null(json))
        return SAL_OK;
    if (name == NULL)
        return sal_fail(err, SAL_EFORMAT, "a %s has no type", what);
    if (strcmp(name, "Sequence") == 0) {
        sal_status st = SAL_OK;

        for (size_t k = 0; k < SAL_COUNTOF(lists); k++) {
            const json_t *list = json_object_get(json, lists[k]);

            for (size_t i = 0; i < json_array_size(list) && st == SAL_OK; i++)
                st = tok_steps_read(steps, n, table, what, json_array_get(list, i), err);
        }
        return st;
    }
    if (*n == TOK_MAX_STEPS)
        return sal_fail(err, SAL_EUNSUPPORTED, "more than %d steps in a row as %s", TOK_MAX_STEPS,
                        what);
    for (const tok_step_type *t = table; t->name != NULL; t++) {
        if (strcmp(t->name, name) == 0) {
            *s = (tok_step){.type = t};
            ++*n;
            return t->read == NULL ? SAL_OK : t->read(s, json, err);
        }
    }
    return sal_fail(err, SAL_EUNSUPPORTED, "the %s %s is not known", what, name);
}

void tok_steps_free(tok_step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tok_pattern_free(&steps[i].pattern);
        sal_free(steps[i].text);
        sal_free(steps[i].blob);
    }
}

sal_status tok_normalise(const tok_step *steps, size_t n, tok_text *t, sal_error *err)
{
    sal_status st = SAL_OK;

    for (size_t i = 0; i < n && st == SAL_OK; i++)
        st = steps[i].type->normalise(&steps[i], t, err);
    return st;
}

/* ---- patterns ---- */

static sal_status pattern_code_points(const char *text, uint32_t **out, size_t *n, sal_error *err)
{
    tok_text t = {NULL, 0, 0};
    sal_status st = tok_text_read(&t, text, strlen(text), err);

    *n = t.n;
    if (st == SAL_OK) {
        *out = sal_calloc(t.n + 1, sizeof(**out));
        if (*out == NULL)
            st = sal_fail_nomem(err);
    }
    for (size_t i = 0; st == SAL_OK && i < t.n; i++)
        (*out)[i] = t.v[i].c >= TOK_BYTE ? 0xFFFD : t.v[i].c;
    tok_text_free(&t);
    return st;
}

sal_status tok_pattern_compile(tok_pattern *p, const char *regex, sal_error *err)
{
    uint32_t *points = NULL;
    size_t n = 0, at = 0;
    int code = 0;
    sal_status st = pattern_code_points(regex, &points, &n, err);

    if (st != SAL_OK)
        return st;
    p->code =
        pcre2_compile(points, n, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
    sal_free(points);
    if (p->code == NULL)
        return sal_fail(err, SAL_EFORMAT, "a pattern cannot be read at its character %zu", at);
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    return SAL_OK;
}

sal_status tok_pattern_read(tok_pattern *p, const json_t *json, sal_error *err)
{
    const char *literal = json_string_value(json_object_get(json, "String"));
    const char *regex = json_string_value(json_object_get(json, "Regex"));

    if (json_is_string(json))
        literal = json_string_value(json);
    if (literal != NULL && literal[0] != '\0')
        return pattern_code_points(literal, &p->literal, &p->n, err);
    if (regex != NULL)
        return tok_pattern_compile(p, regex, err);
    return sal_fail(err, SAL_EFORMAT, "a pattern is neither a string nor a regular expression");
}

void tok_pattern_free(tok_pattern *p)
{
    pcre2_code_free(p->code);
    sal_free(p->literal);
}

sal_status tok_matcher_new(tok_matcher *m, const tok_pattern *p, const tok_char *v, size_t n,
                           sal_error *err)
{
    *m = (tok_matcher){.p = p, .begin = 0, .n = n};
    m->subject = sal_calloc(n + 1, sizeof(*m->subject));
    if (p->code != NULL) {
        m->data = pcre2_match_data_create_from_pattern(p->code, NULL);
        m->context = pcre2_match_context_create(NULL);
    }
    if (m->subject == NULL || (p->code != NULL && (m->data == NULL || m->context == NULL))) {
        tok_matcher_free(m);
        return sal_fail_nomem(err);
    }
    if (p->code != NULL) {
        (void)pcre2_set_match_limit(m->context, (uint32_t)SAL_MIN(2000000 + 8 * n, UINT32_MAX));
        (void)pcre2_set_depth_limit(m->context, 20000);
        (void)pcre2_set_heap_limit(m->context, 32768);
    }
    /* U+180E was a space once and still is one for PCRE2: another format character stands for it.
     */
    for (size_t i = 0; i < n; i++)
        m->subject[i] = v[i].c >= TOK_BYTE ? 0xFFFD : v[i].c == 0x180E ? 0x200B : v[i].c;
    return SAL_OK;
}

void tok_matcher_part(tok_matcher *m, tok_range r)
{
    m->begin = r.begin;
    m->n = r.end - r.begin;
}

sal_status tok_matcher_next(tok_matcher *m, size_t from, bool *found, tok_range *r, sal_error *err)
{
    const tok_pattern *p = m->p;
    const uint32_t *subject = m->subject + m->begin;

    *found = false;
    if (p->code == NULL) {
        for (size_t i = from; i + p->n <= m->n; i++) {
            if (memcmp(subject + i, p->literal, p->n * sizeof(*p->literal)) == 0) {
                *r = (tok_range){i, i + p->n};
                *found = true;
                return SAL_OK;
            }
        }
        return SAL_OK;
    }
    while (from <= m->n) {
        const size_t *at;
        int rc = pcre2_match(p->code, subject, m->n, from, PCRE2_NO_UTF_CHECK, m->data, m->context);

        if (rc == PCRE2_ERROR_NOMATCH)
            return SAL_OK;
        if (rc < 0)
            return sal_fail(err, SAL_EINVAL,
                            "the pattern of the tokeniser gives up on this text (PCRE2 error %d); "
                            "shorter lines would help",
                            rc);
        at = pcre2_get_ovector_pointer(m->data);
        if (at[1] > at[0]) {
            *r = (tok_range){at[0], at[1]};
            *found = true;
            return SAL_OK;
        }
        from = at[1] + 1; /* an empty match splits nothing */
    }
    return SAL_OK;
}

void tok_matcher_free(tok_matcher *m)
{
    sal_free(m->subject);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    *m = (tok_matcher){.p = NULL};
}
