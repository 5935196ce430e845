/* Label files and looking for classes in them. */
#include "format/labels.h"

#include <stdio.h>

enum {
    LABELS_MAX = 1 << 20,
    LABELS_TEXT_MAX = 4096,
};

typedef struct labels_row {
    const char *text; /* all synonyms; NULL for an index without a row */
    const char *first;
    const char *wnid;
    const char
        *kinds; /* what the class is a kind of, as synonyms are listed; NULL when not given */
} labels_row;

struct sal_labels {
    sal_arena arena;
    labels_row *rows;
    size_t n, cap;
};

/* ---- reading ---- */

/* A piece of the file. */
typedef struct labels_piece {
    const char *p;
    size_t n;
} labels_piece;

static labels_piece labels_trim(labels_piece s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = (labels_piece){s.p + 1, s.n - 1};
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static bool labels_is_wnid(labels_piece s)
{
    if (s.n != 9 || s.p[0] != 'n')
        return false;
    for (size_t i = 1; i < 9; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static bool labels_number(labels_piece s, int64_t *out)
{
    int64_t v = 0;
    if (s.n == 0 || s.n > 9)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

static bool labels_equal(labels_piece s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static sal_status labels_put(sal_labels *l, size_t index, labels_piece wnid, labels_piece text,
                             labels_piece kinds, sal_error *err)
{
    text = labels_trim(text);
    sal_status st = sal_grow(&l->rows, index + 1, &l->cap, sizeof *l->rows, err);
    if (st != SAL_OK)
        return st;
    while (l->n <= index)
        l->rows[l->n++] = (labels_row){NULL, NULL, NULL, NULL};
    labels_row *row = &l->rows[index];
    const char *comma = text.n > 0 ? memchr(text.p, ',', text.n) : NULL;
    row->text = sal_arena_strndup(&l->arena, text.n > 0 ? text.p : "", text.n);
    row->first = sal_arena_strndup(&l->arena, text.n > 0 ? text.p : "",
                                   comma == NULL ? text.n : (size_t)(comma - text.p));
    row->wnid = wnid.n > 0 ? sal_arena_strndup(&l->arena, wnid.p, wnid.n) : NULL;
    row->kinds = kinds.n > 0 ? sal_arena_strndup(&l->arena, kinds.p, kinds.n) : NULL;
    return row->text == NULL || row->first == NULL || (wnid.n > 0 && row->wnid == NULL) ||
                   (kinds.n > 0 && row->kinds == NULL)
               ? sal_fail_nomem(err)
               : SAL_OK;
}

/* Fields of a line between tabs; returns how many, at most 4 (the last takes the rest). */
static int labels_fields(labels_piece line, labels_piece f[4])
{
    int n = 0;
    while (n < 3) {
        const char *tab = line.n > 0 ? memchr(line.p, '\t', line.n) : NULL;
        if (tab == NULL)
            break;
        f[n++] = labels_trim((labels_piece){line.p, (size_t)(tab - line.p)});
        line.n -= (size_t)(tab + 1 - line.p);
        line.p = tab + 1;
    }
    f[n++] = labels_trim(line);
    return n;
}

/* One row of a table: index, WordNet id (may be missing), labels, kinds (may be missing). */
static sal_status labels_table_row(sal_labels *l, labels_piece line, size_t offset,
                                   const char *name, sal_error *err)
{
    labels_piece f[4], none = {"", 0};
    int64_t index;
    int n = labels_fields(line, f);
    if (n < 2 || !labels_number(f[0], &index) || index >= LABELS_MAX)
        return sal_fail_at(err, SAL_EFORMAT, offset,
                           "%s: byte %zu: expected an index below %d, a tab and a label", name,
                           offset, LABELS_MAX);
    bool has_wnid = n >= 3 && labels_is_wnid(f[1]);
    if (n >= 3 && !has_wnid && f[1].n > 0)
        return sal_fail_at(err, SAL_EFORMAT, offset,
                           "%s: byte %zu: '%.*s' is no WordNet id such as n02099601", name, offset,
                           (int)SAL_MIN(f[1].n, 40), f[1].p);
    if ((size_t)index < l->n && l->rows[index].text != NULL)
        return sal_fail_at(err, SAL_EFORMAT, offset, "%s: byte %zu: the index %d occurs twice",
                           name, offset, (int)index);
    return labels_put(l, (size_t)index, has_wnid ? f[1] : none, n >= 3 ? f[2] : f[1],
                      n == 4 ? f[3] : none, err);
}

static sal_status labels_plain_row(sal_labels *l, labels_piece line, size_t offset,
                                   const char *name, sal_error *err)
{
    labels_piece none = {"", 0}, head = {line.p, SAL_MIN(line.n, 9)};
    if (l->n >= LABELS_MAX)
        return sal_fail_at(err, SAL_EFORMAT, offset, "%s: byte %zu: more than %d labels", name,
                           offset, LABELS_MAX);
    if (line.n > 10 && line.p[9] == ' ' && labels_is_wnid(head))
        return labels_put(l, l->n, head, (labels_piece){line.p + 10, line.n - 10}, none, err);
    return labels_put(l, l->n, none, line, none, err);
}

static sal_status labels_parse(sal_labels *l, const char *p, size_t n, const char *name,
                               sal_error *err)
{
    size_t at = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
    bool table = false, first = true;
    if (n > 0 && memchr(p, 0, n) != NULL)
        return sal_fail(err, SAL_EFORMAT, "%s: is no text", name);
    /* An end of line at the end of the file is no empty last label. */
    while (n > at && (p[n - 1] == '\n' || p[n - 1] == '\r'))
        n--;
    while (at < n) {
        const char *end = memchr(p + at, '\n', n - at);
        size_t len = end == NULL ? n - at : (size_t)(end - (p + at));
        labels_piece line = labels_trim((labels_piece){p + at, len}), f[4];
        sal_status st = SAL_OK;
        if (len > LABELS_TEXT_MAX)
            return sal_fail_at(err, SAL_EFORMAT, at, "%s: byte %zu: a line is longer than %d bytes",
                               name, at, LABELS_TEXT_MAX);
        int64_t index;
        bool header = false;
        if (first) {
            int fields = labels_fields(line, f);
            header = fields > 1 && labels_equal(f[0], "index");
            table = header || (fields > 1 && labels_number(f[0], &index));
            first = false;
        }
        if (!header)
            st = table ? labels_table_row(l, line, at, name, err)
                       : labels_plain_row(l, line, at, name, err);
        if (st != SAL_OK)
            return st;
        at += len + 1;
    }
    return l->n > 0 ? SAL_OK : sal_fail(err, SAL_EFORMAT, "%s: holds no labels", name);
}

sal_status sal_labels_read_memory(sal_labels **out, const void *bytes, size_t n, const char *name,
                                  sal_error *err)
{
    sal_status st = SAL_OK;
    *out = NULL;
    sal_labels *l = sal_calloc(1, sizeof *l);
    if (l == NULL)
        return sal_fail_nomem(err);
    SAL_TRY(labels_parse(l, bytes, n, name == NULL ? "labels" : name, err));
    *out = l;
    l = NULL;
done:
    sal_labels_free(l);
    return st;
}

sal_status sal_labels_read(sal_labels **out, const char *path, sal_error *err)
{
    sal_file file;
    *out = NULL;
    sal_status st = sal_file_open(&file, path, err);
    if (st != SAL_OK)
        return st;
    st = sal_labels_read_memory(out, file.data, file.size, path, err);
    sal_file_close(&file);
    return st;
}

void sal_labels_free(sal_labels *l)
{
    if (l == NULL)
        return;
    sal_arena_free(&l->arena);
    sal_free(l->rows);
    sal_free(l);
}

size_t sal_labels_count(const sal_labels *l)
{
    return l->n;
}

const char *sal_labels_text(const sal_labels *l, size_t i)
{
    return i < l->n && l->rows[i].text != NULL ? l->rows[i].text : "";
}

const char *sal_labels_short(const sal_labels *l, size_t i)
{
    return i < l->n && l->rows[i].first != NULL ? l->rows[i].first : "";
}

const char *sal_labels_wnid(const sal_labels *l, size_t i)
{
    return i < l->n ? l->rows[i].wnid : NULL;
}

/* ---- finding ---- */

static char labels_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Part of a word: letters, digits and every byte of a UTF-8 sequence. "great-aunt" is two words. */
static bool labels_word(char c)
{
    c = labels_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || ((unsigned char)c & 0x80) != 0;
}

static bool labels_same(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (labels_lower(a[i]) != labels_lower(b[i]))
            return false;
    return true;
}

/* Does `text` (n bytes) occur in the row: as a whole synonym, as whole words, as any part? */
static bool labels_occurs(const char *row, const char *text, size_t n, sal_label_match how)
{
    size_t len = strlen(row);
    for (size_t i = 0; i + n <= len; i++) {
        if (!labels_same(row + i, text, n))
            continue;
        char before = i == 0 ? ',' : row[i - 1], after = row[i + n];
        bool start = before == ',' || (before == ' ' && i >= 2 && row[i - 2] == ',');
        if (how == SAL_LABEL_EXACT || how == SAL_LABEL_KIND
                ? start && (after == ',' || after == '\0')
                : how == SAL_LABEL_PART || (!labels_word(before) && !labels_word(after)))
            return true;
    }
    return false;
}

static bool labels_matches(const labels_row *row, const char *text, size_t n, sal_label_match how)
{
    const char *where = how == SAL_LABEL_KIND ? row->kinds : row->text;
    if (how == SAL_LABEL_WNID)
        return row->wnid != NULL && strcmp(row->wnid, text) == 0;
    return where != NULL && labels_occurs(where, text, n, how);
}

static sal_status labels_collect(const sal_labels *l, const char *text, size_t n,
                                 sal_label_match how, int32_t **out, size_t *count, sal_error *err)
{
    size_t cap = 0;
    sal_status st = SAL_OK;
    *count = 0;
    for (size_t i = 0; st == SAL_OK && i < l->n; i++) {
        if (!labels_matches(&l->rows[i], text, n, how))
            continue;
        st = sal_grow(out, *count + 1, &cap, sizeof **out, err);
        if (st == SAL_OK)
            (*out)[(*count)++] = (int32_t)i;
    }
    return st;
}

/* Number of letters to change, insert or drop to come from a to b; at most `limit` + 1. Rows of the
 * usual table, of which two are kept. */
static int labels_distance(const char *a, const char *b, int limit)
{
    enum { LONGEST = 48 };
    int row[LONGEST + 1];
    int na = (int)strlen(a), nb = (int)strcspn(b, ",");
    if (na > LONGEST || nb > LONGEST || na - nb > limit || nb - na > limit)
        return limit + 1;
    for (int j = 0; j <= nb; j++)
        row[j] = j;
    for (int i = 1; i <= na; i++) {
        int diagonal = row[0], best;
        row[0] = best = i;
        for (int j = 1; j <= nb; j++) {
            int change = diagonal + (labels_lower(a[i - 1]) != labels_lower(b[j - 1]));
            diagonal = row[j];
            row[j] = SAL_MIN(change, SAL_MIN(row[j], row[j - 1]) + 1);
            best = SAL_MIN(best, row[j]);
        }
        if (best > limit)
            return limit + 1;
    }
    return row[nb];
}

static sal_status labels_none(const sal_labels *l, const char *text, sal_error *err)
{
    const char *nearest = NULL;
    int best = 2;
    for (size_t i = 0; i < l->n; i++) {
        for (const char *s = sal_labels_text(l, i); *s != '\0';) {
            int d = labels_distance(text, s, best);
            if (d < best || (d == best && nearest == NULL)) {
                best = d;
                nearest = s;
            }
            s += strcspn(s, ",");
            while (*s == ',' || *s == ' ')
                s++;
        }
    }
    if (nearest == NULL)
        return sal_fail(err, SAL_EINVAL,
                        "no label is or contains '%.100s'; an index or a WordNet id works as well",
                        text);
    return sal_fail(err, SAL_EINVAL, "no label is or contains '%.100s'; did you mean '%.*s'?", text,
                    (int)SAL_MIN(strcspn(nearest, ","), 100), nearest);
}

sal_status sal_labels_find(const sal_labels *l, const char *text, int32_t **out, size_t *n,
                           sal_label_match *how, sal_error *err)
{
    static const sal_label_match order[] = {SAL_LABEL_WNID, SAL_LABEL_EXACT, SAL_LABEL_KIND,
                                            SAL_LABEL_WORDS, SAL_LABEL_PART};
    labels_piece s = labels_trim((labels_piece){text, strlen(text)});
    char word[256];
    int32_t *list = NULL;
    int64_t index;
    sal_status st = SAL_OK;
    *out = NULL;
    *n = 0;
    if (s.n == 0 || s.n >= sizeof word)
        return sal_fail(err, SAL_EINVAL, "a label of %zu letters cannot be looked for", s.n);
    memcpy(word, s.p, s.n);
    word[s.n] = '\0';
    if (labels_number(s, &index)) {
        if ((size_t)index >= l->n)
            return sal_fail(err, SAL_EINVAL, "the index %d is outside 0..%zu", (int)index,
                            l->n - 1);
        list = sal_malloc(sizeof *list);
        if (list == NULL)
            return sal_fail_nomem(err);
        list[0] = (int32_t)index;
        *out = list;
        *n = 1;
        *how = SAL_LABEL_INDEX;
        return SAL_OK;
    }
    for (size_t i = 0; i < SAL_COUNTOF(order) && *n == 0; i++) {
        SAL_TRY(labels_collect(l, word, s.n, order[i], &list, n, err));
        *how = order[i];
    }
    if (*n == 0)
        SAL_TRY(labels_none(l, word, err));
    if (*how == SAL_LABEL_PART && *n > 1)
        SAL_TRY(sal_fail(
            err, SAL_EINVAL,
            "'%.100s' is part of the labels of %zu classes, such as '%.60s' and '%.60s'", word, *n,
            sal_labels_short(l, (size_t)list[0]), sal_labels_short(l, (size_t)list[1])));
    *out = list;
    list = NULL;
done:
    if (st != SAL_OK)
        *n = 0;
    sal_free(list);
    return st;
}
