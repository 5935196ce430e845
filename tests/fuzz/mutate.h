/* Hostile files made from good ones, the same for the same seed. */
#ifndef SAL_TESTS_MUTATE_H
#define SAL_TESTS_MUTATE_H

#include "base/base.h"

typedef enum mutate_format {
    MUTATE_ONNX,
    MUTATE_NPY,
    MUTATE_PNG,
    MUTATE_JPEG,
    MUTATE_WEBP,
    MUTATE_JSON,
    MUTATE_TEXT,
    MUTATE_NIFTI, /* edits of bytes: its header has fixed places */
    MUTATE_GGUF,
    MUTATE_SAFETENSORS
} mutate_format;

/* By the ending of a file's name; false for anything else. */
bool mutate_format_of(const char *path, mutate_format *out);

/* Appends to *out what a few random edits make of data; `other` is a second file of the format, for
 * pieces of it. Half of the edits know the format: fields of an ONNX message, the header of .npy,
 * chunks of PNG (with checksums put right) and WebP, segments of JPEG, members of JSON, numbers and
 * names in the head of GGUF, members of the header of safetensors. The rest know only bytes. */
sal_status mutate(mutate_format format, sal_rng *rng, const sal_bytes *data, const sal_bytes *other,
                  sal_bytes *out);

/* For the files of the formats. Each replaces *b by an edited one. */
uint64_t mutate_below(sal_rng *rng, uint64_t n); /* 0 for n = 0 */
int64_t mutate_extreme(sal_rng *rng);            /* integers at which code goes wrong */
sal_status mutate_bytes(sal_rng *rng, const sal_bytes *other, sal_bytes *b);
sal_status mutate_onnx(sal_rng *rng, const sal_bytes *other, sal_bytes *b);
sal_status mutate_gguf(sal_rng *rng, const sal_bytes *other, sal_bytes *b);
sal_status mutate_safetensors(sal_rng *rng, const sal_bytes *other, sal_bytes *b);
sal_status mutate_json(sal_rng *rng, const sal_bytes *other, sal_bytes *b);
/* Puts m bytes in place of n at `at`; p may lie in b. */
sal_status mutate_splice(sal_bytes *b, size_t at, size_t n, const void *p, size_t m);

#endif
