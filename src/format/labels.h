/* Finding classes by what people call them. */
#ifndef SAL_LABELS_H
#define SAL_LABELS_H

#include "base/base.h"
#include <salience/labels.h>

/* How a text was understood. */
typedef enum sal_label_match {
    SAL_LABEL_INDEX = 1, /* "207" */
    SAL_LABEL_WNID,      /* "n02099601" */
    SAL_LABEL_EXACT, /* a synonym, letters of any case; "crane" is a bird and a machine: two classes
                      */
    SAL_LABEL_KIND, /* what classes are a kind of, by name or WordNet id: "dog" is 118 of ImageNet's
                     */
    SAL_LABEL_WORDS, /* whole words of synonyms: "terrier" is many classes */
    SAL_LABEL_PART,  /* part of one class's synonyms only */
} sal_label_match;

/* Classes that a text means, rising indices, the first rule above that finds any. Where several
 * come back the text is ambiguous: the caller takes the one with the best score. *out: sal_free().
 * SAL_EINVAL when there is none; the message proposes something similar. */
sal_status sal_labels_find(const sal_labels *l, const char *text, int32_t **out, size_t *n,
                           sal_label_match *how, sal_error *err);

#endif
