/* config.json of a Hugging Face folder. */
#ifndef SAL_FORMAT_FOLDER_CONFIG_H
#define SAL_FORMAT_FOLDER_CONFIG_H

#include "format/language/language.h"

typedef struct sal_folder_config {
    sal_language_config lm;
    const sal_architecture *architecture;
    bool tied;          /* the output matrix is the table of embeddings */
    bool norms_from_1;  /* weights w of norms stand for 1 + w */
    float *factors;     /* each frequency of global layers is divided by; NULL: none */
    float *far_factors; /* those beyond lm.rope_context positions; NULL: the same */
    int64_t n_factors;  /* of each */
} sal_folder_config;

/* Understand the text. `name` begins the messages. *out: sal_folder_config_free(), also after
 * failure. Errors: SAL_EFORMAT, SAL_EUNSUPPORTED (a family or a variant that is not built; names
 * it), SAL_ENOMEM. */
sal_status sal_folder_config_parse(sal_folder_config *out, const char *text, size_t n,
                                   const char *name, sal_error *err);
void sal_folder_config_free(sal_folder_config *c);

#endif
