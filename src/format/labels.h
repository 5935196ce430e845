/* Names of classes: index <-> label texts <-> WordNet ids. */
#ifndef SAL_LABELS_H
#define SAL_LABELS_H

#include "base/base.h"

typedef struct sal_labels sal_labels;

/* Read a table (columns index, wnid, labels, separated by tabs, with or without that header) or
 * plain text, one class a line, with or without a WordNet id before it. Synonyms are separated by
 * commas. *out: sal_labels_free(). Errors: SAL_EIO, SAL_EFORMAT with the byte offset. */
sal_status sal_labels_read(sal_labels **out, const char *path, sal_error *err);
sal_status sal_labels_read_memory(sal_labels **out, const void *bytes, size_t n, const char *name,
                                  sal_error *err);
void sal_labels_free(sal_labels *l);

size_t sal_labels_count(const sal_labels *l);
/* All synonyms of class i, and the first of them; "" for indices without a label. Borrowed from l.
 */
const char *sal_labels_text(const sal_labels *l, size_t i);
const char *sal_labels_short(const sal_labels *l, size_t i);
/* WordNet id of class i, NULL when the file gives none. */
const char *sal_labels_wnid(const sal_labels *l, size_t i);

/* How a text was understood. */
typedef enum sal_label_match {
    SAL_LABEL_INDEX = 1, /* "207" */
    SAL_LABEL_WNID,      /* "n02099601" */
    SAL_LABEL_EXACT, /* a synonym, letters of any case; "crane" is a bird and a machine: two classes
                      */
    SAL_LABEL_WORDS, /* whole words of synonyms: "dog" is many classes */
    SAL_LABEL_PART,  /* part of one class's synonyms only */
} sal_label_match;

/* Classes that a text means, rising indices, the first rule above that finds any. Where several
 * come back the text is ambiguous: the caller takes the one with the best score. *out: sal_free().
 * SAL_EINVAL when there is none; the message proposes something similar. */
sal_status sal_labels_find(const sal_labels *l, const char *text, int32_t **out, size_t *n,
                           sal_label_match *how, sal_error *err);

#endif
