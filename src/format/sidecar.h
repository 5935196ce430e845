/* A JSON file beside a model, or JSON in its metadata: does it describe the preprocessing, which
 * labels does it name? */
#ifndef SAL_FORMAT_SIDECAR_H
#define SAL_FORMAT_SIDECAR_H

#include "base/base.h"
#include <salience/image.h>

typedef struct sal_sidecar {
    bool preprocesses; /* pre is set */
    sal_preprocess pre;
    char *labels; /* file or name of a table; NULL: not mentioned. sal_free() */
} sal_sidecar;

/* Understand the text: own keys at the top or below "preprocess", the files of Hugging Face and
 * timm, "labels". An object without any of them is no error. *out: sal_sidecar_free(), also after
 * failure. `name` begins the messages. */
sal_status sal_sidecar_parse(sal_sidecar *out, const char *text, size_t n, const char *name,
                             sal_error *err);
void sal_sidecar_free(sal_sidecar *s);

#endif
