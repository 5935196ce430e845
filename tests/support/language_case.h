/* A language model beside what PyTorch made of it: STEM.ids.npy, .seed.npy, .logits.npy and
 * .gradient.npy (of the seed times the logits, by the embeddings). */
#ifndef SAL_TESTS_LANGUAGE_CASE_H
#define SAL_TESTS_LANGUAGE_CASE_H

#include <salience/salience.h>

/* The largest differences as shares of the largest numbers. */
sal_status language_case(const char *model, const char *stem, double *logits, double *gradient,
                         sal_error *err);

#endif
