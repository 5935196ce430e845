/* Names of classes: index <-> label texts <-> WordNet ids. */
#ifndef SALIENCE_LABELS_H
#define SALIENCE_LABELS_H

#include <salience/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sal_labels sal_labels;

/* Read a table (columns index, wnid, labels and perhaps kinds, separated by tabs, with or without
 * that header; kinds are the names of what the class belongs to) or plain text, one class a line,
 * with or without a WordNet id before it. Synonyms are separated by commas. *out:
 * sal_labels_free(). Errors: SAL_EIO, SAL_EFORMAT with the byte offset. */
SAL_API SAL_MUST_USE sal_status sal_labels_read(sal_labels **out, const char *path, sal_error *err);
/* The same from memory; `name` begins the error messages. */
SAL_API SAL_MUST_USE sal_status sal_labels_read_memory(sal_labels **out, const void *bytes,
                                                       size_t n, const char *name, sal_error *err);
/* Accepts NULL. */
SAL_API void sal_labels_free(sal_labels *l);

/* Rows, up to the largest index. */
SAL_API size_t sal_labels_count(const sal_labels *l);
/* All synonyms of class i, and the first of them; "" for indices without a label. Borrowed from l.
 */
SAL_API const char *sal_labels_text(const sal_labels *l, size_t i);
SAL_API const char *sal_labels_short(const sal_labels *l, size_t i);
/* WordNet id of class i, NULL when the file gives none. */
SAL_API const char *sal_labels_wnid(const sal_labels *l, size_t i);

#ifdef __cplusplus
}
#endif
#endif
