/* Edits of JSON text that leave most of it well formed: a value is found by going down from the
 * outermost one, so that the few settings of a file are met as often as its long lists. */
#include "mutate.h"

typedef struct mutate_item {
    size_t at;    /* its key if it has one, else the value */
    size_t value; /* [value, end) */
    size_t end;
    size_t depth;
} mutate_item;

static bool mutate_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static size_t mutate_skip_string(const sal_bytes *b, size_t i)
{
    for (i++; i < b->len && b->data[i] != '"'; i++)
        i += b->data[i] == '\\';
    return i < b->len ? i + 1 : b->len;
}

/* Behind the value at i; behind the end of the text at most, and always behind i. */
static size_t mutate_skip_value(const sal_bytes *b, size_t i)
{
    size_t depth = 0;

    do {
        char c = b->data[i];
        if (c == '"') {
            i = mutate_skip_string(b, i);
        } else if (c == '[' || c == '{') {
            depth++;
            i++;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
            i++;
        } else {
            for (i++; i < b->len && strchr(",:[]{}\" \n\r\t", b->data[i]) == NULL;)
                i++;
        }
    } while (depth > 0 && i < b->len);
    return i;
}

/* One member of the container `in`, all equally likely; false when it has none. */
static bool mutate_member(sal_rng *rng, const sal_bytes *b, const mutate_item *in, mutate_item *out)
{
    size_t count = 0;

    for (size_t i = in->value + 1; i < in->end;) {
        mutate_item m = {i, i, i, in->depth + 1};
        if (b->data[i] == ',' || b->data[i] == ']' || b->data[i] == '}' ||
            mutate_is_space(b->data[i])) {
            i++;
            continue;
        }
        m.end = mutate_skip_value(b, i);
        size_t next = m.end;
        while (next < in->end && mutate_is_space(b->data[next]))
            next++;
        if (next + 1 < in->end && b->data[next] == ':') {
            for (next++; next + 1 < in->end && mutate_is_space(b->data[next]);)
                next++;
            m.value = next;
            m.end = mutate_skip_value(b, next);
        }
        if (mutate_below(rng, ++count) == 0)
            *out = m;
        i = m.end;
    }
    return count > 0;
}

static bool mutate_find(sal_rng *rng, const sal_bytes *b, mutate_item *out)
{
    mutate_item in = {0, 0, 0, 0}, next = in;

    while (in.value < b->len && mutate_is_space(b->data[in.value]))
        in.value++;
    if (in.value == b->len)
        return false;
    in.end = mutate_skip_value(b, in.value);
    while ((b->data[in.value] == '{' || b->data[in.value] == '[') &&
           (in.depth == 0 || mutate_below(rng, 4) != 0) && mutate_member(rng, b, &in, &next))
        in = next;
    *out = in;
    return in.depth > 0;
}

/* A text in place of a value. */
static sal_status mutate_json_value(sal_rng *rng, sal_bytes *out)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "-0",
                                        "1e999",
                                        "-1e-999",
                                        "0.1",
                                        "4294967295.5",
                                        "99999999999999999999999",
                                        "\"\\u0000\"",
                                        "\"\\ud800\"",
                                        "\"\\udbff\\udfff\"",
                                        "\"\xFF\"",
                                        "\"(?:(?:a+)+)+$\"",
                                        "\"[\"",
                                        "\"(?<=\\\\p{L})\"",
                                        "\"\\\\p{N}{1,3}|\\\\s+(?!\\\\S)\"",
                                        "\"WordPiece\"",
                                        "\"BPE\"",
                                        "\"Unigram\"",
                                        "\"WordLevel\"",
                                        "\"Sequence\"",
                                        "\"Split\"",
                                        "\"ByteLevel\"",
                                        "\"Metaspace\"",
                                        "\"Replace\"",
                                        "\"Precompiled\"",
                                        "\"Prepend\"",
                                        "\"NFKD\"",
                                        "\"Lowercase\"",
                                        "\"TemplateProcessing\"",
                                        "\"Fuse\"",
                                        "\"ByteFallback\"",
                                        "[[]]",
                                        "[null]",
                                        "[\"\",\"\"]",
                                        "[[\"\",0]]",
                                        "{\"\":0}",
                                        "{\"type\":\"BPE\"}"};
    static const char *const bricks[] = {"[", "{\"a\":", "\xE4\xB8\xAD", "a", "(", "\\\\p{L}?"};
    uint64_t kind = mutate_below(rng, 8);

    if (kind < 4) {
        const char *t = texts[mutate_below(rng, SAL_COUNTOF(texts))];
        return sal_bytes_add(out, t, strlen(t), NULL);
    }
    if (kind < 7)
        return sal_bytes_printf(out, NULL, "%lld", (long long)mutate_extreme(rng));
    /* Nesting that is never closed or, for the others, a long string. */
    size_t brick = (size_t)mutate_below(rng, SAL_COUNTOF(bricks));
    int times = (int)mutate_below(rng, brick < 2 ? 20000 : 3000);
    sal_status st = SAL_OK;
    if (brick >= 2)
        SAL_TRY(sal_bytes_add(out, "\"", 1, NULL));
    for (int i = 0; i < times; i++)
        SAL_TRY(sal_bytes_add(out, bricks[brick], strlen(bricks[brick]), NULL));
    if (brick >= 2)
        SAL_TRY(sal_bytes_add(out, "\"", 1, NULL));
    else if (brick == 0) /* closed, the nesting itself is well formed */
        for (int i = 0; i < times && times < 4000; i++)
            SAL_TRY(sal_bytes_add(out, "]", 1, NULL));
done:
    return st;
}

sal_status mutate_json(sal_rng *rng, const sal_bytes *other, sal_bytes *b)
{
    mutate_item m, n;
    sal_bytes text = {NULL, 0, 0};
    sal_status st = SAL_OK;

    if (!mutate_find(rng, b, &m))
        return mutate_bytes(rng, other, b);
    switch (mutate_below(rng, 8)) {
    case 0: /* a member is missing, with the comma behind or before it */
        if (m.end < b->len && b->data[m.end] == ',')
            m.end++;
        else if (m.at > 0 && b->data[m.at - 1] == ',')
            m.at--;
        return mutate_splice(b, m.at, m.end - m.at, "", 0);
    case 1: /* a member twice */
        SAL_TRY(sal_bytes_add(&text, b->data + m.at, m.end - m.at, NULL));
        SAL_TRY(sal_bytes_add(&text, ",", 1, NULL));
        SAL_TRY(mutate_splice(b, m.at, 0, text.data, text.len));
        break;
    case 2: /* the value of another member of the same file, or with its key */
    case 3: /* ... of another file */
    {
        bool own = mutate_below(rng, 2) == 0, keys = mutate_below(rng, 3) == 0;
        const sal_bytes *from = own ? b : other;
        if (!mutate_find(rng, from, &n))
            break;
        keys = keys && (m.at < m.value) == (n.at < n.value);
        size_t at = keys ? m.at : m.value, first = keys ? n.at : n.value;
        SAL_TRY(sal_bytes_add(&text, from->data + first, n.end - first, NULL));
        SAL_TRY(mutate_splice(b, at, m.end - at, text.data, text.len));
        break;
    }
    case 4: /* one character inside */
        b->data[m.value + mutate_below(rng, m.end - m.value)] = (char)(uint8_t)sal_rng_u64(rng);
        break;
    default:
        SAL_TRY(mutate_json_value(rng, &text));
        SAL_TRY(mutate_splice(b, m.value, m.end - m.value, text.data, text.len));
    }
done:
    sal_bytes_free(&text);
    return st;
}
