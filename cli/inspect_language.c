/* What a language model consists of, from the metadata lm.* that the readers write. */
#include "inspect.h"

static const char *language_text(const sal_model *m, const char *key)
{
    const char *text = sal_model_meta(m, key);

    return text == NULL ? "" : text;
}

static long long language_number(const sal_model *m, const char *key)
{
    return strtoll(language_text(m, key), NULL, 10);
}

bool inspect_is_language(const sal_model *m)
{
    return sal_model_meta(m, "lm.architecture") != NULL;
}

bool inspect_language_tells(const char *key)
{
    return strncmp(key, "lm.", 3) == 0 || strncmp(key, "tokenizer.", 10) == 0;
}

/* Keys and values of one token in all layers. */
static double language_cached(const sal_model *m)
{
    return (double)language_number(m, "lm.layers") * (double)language_number(m, "lm.kv_heads") *
           ((double)language_number(m, "lm.head_size") +
            (double)language_number(m, "lm.value_size"));
}

/* The next "name bytes" of lm.weights: true and *at behind it. */
static bool language_format(const char **at, char name[32], double *bytes)
{
    unsigned long long n;
    int used = 0;

    if (sscanf(*at, "%31[^ ,] %llu%n", name, &n, &used) != 2)
        return false;
    *bytes = (double)n;
    *at += used;
    *at += strspn(*at, ", ");
    return true;
}

void inspect_language_print(const sal_model *m)
{
    sal_policy_info policy;
    const char *at = language_text(m, "lm.weights"), *name = language_text(m, "lm.name");
    long long window = language_number(m, "lm.window");
    char buf[64], format[32];
    double bytes;

    printf("%-11s %s%s%s\n", "family", language_text(m, "lm.architecture"),
           name[0] == '\0' ? "" : ": ", name);
    printf("%-11s %lld of width %lld, feed-forward %lld\n", "layers",
           language_number(m, "lm.layers"), language_number(m, "lm.width"),
           language_number(m, "lm.feed_forward"));
    printf("%-11s %lld heads of %lld, %lld for keys and values", "attention",
           language_number(m, "lm.heads"), language_number(m, "lm.head_size"),
           language_number(m, "lm.kv_heads"));
    if (window > 0)
        printf("; %lld of the layers see %lld tokens back", language_number(m, "lm.local_layers"),
               window);
    printf("\n%-11s %lld tokens\n", "context", language_number(m, "lm.context"));
    printf("%-11s %lld tokens\n", "vocabulary", language_number(m, "lm.vocabulary"));
    printf("%-11s", "weights");
    for (const char *comma = " "; language_format(&at, format, &bytes); comma = ", ")
        printf("%s%s %s", comma, format, inspect_number(bytes, "B", buf, sizeof(buf)));
    printf("\n%-11s", "cache");
    for (size_t i = 0; sal_policy_at(i, &policy); i++)
        printf("%s%s %s", i == 0 ? " " : ", ", policy.name,
               inspect_number(language_cached(m) * policy.bits / 8.0, "B", buf, sizeof(buf)));
    printf(" a token\n");
}

void inspect_language_json(cli_text *t, const sal_model *m)
{
    sal_policy_info policy;
    static const char *const numbers[] = {"layers",     "width",      "heads",        "kv_heads",
                                          "head_size",  "value_size", "feed_forward", "context",
                                          "vocabulary", "window",     "local_layers"};
    const char *at = language_text(m, "lm.weights");
    char key[64], format[32];
    double bytes;

    json_open(t, "language", '{');
    json_string(t, "architecture", language_text(m, "lm.architecture"));
    json_string(t, "name", language_text(m, "lm.name"));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)snprintf(key, sizeof(key), "lm.%s", numbers[i]);
        json_int(t, numbers[i], language_number(m, key));
    }
    json_open(t, "weight_bytes", '{');
    while (language_format(&at, format, &bytes))
        json_int(t, format, (int64_t)bytes);
    json_close(t, '}');
    json_open(t, "cache_bytes_a_token", '{');
    for (size_t i = 0; sal_policy_at(i, &policy); i++)
        json_int(t, policy.name, (int64_t)(language_cached(m) * policy.bits / 8.0));
    json_close(t, '}');
    json_close(t, '}');
}
