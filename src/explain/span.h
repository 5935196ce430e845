/* Sets of output elements in words: name[5], name[:,3,10:20], sum(name[3:7,12]). */
#ifndef SAL_EXPLAIN_SPAN_H
#define SAL_EXPLAIN_SPAN_H

#include "base/base.h"

/* Index ranges of a sample of the output, low <= i < high along each axis. */
typedef struct sal_span {
    int64_t low[SAL_MAX_RANK], high[SAL_MAX_RANK];
    bool sum; /* add the elements up; else their mean */
} sal_span;

/* The text has the form of a span. */
bool sal_span_fits(const char *text);
/* Read it for an output whose samples have these dimensions. Axes behind those named are whole. */
sal_status sal_span_read(sal_span *out, const char *text, int rank, const int64_t *dims,
                         sal_error *err);

/* The part of the picture that counts, for outputs that are pictures. */
typedef struct sal_region {
    int axis;              /* of the output's height; its width is the next */
    int64_t height, width; /* of the output */
    uint8_t *inside;       /* [height, width] */
} sal_region;

/* mask: [h, w], [1, h, w] or [h, w, channels], not 0 inside; brought to the output's size by taking
 * the nearest element. *out: sal_region_free(), also after failure. */
sal_status sal_region_make(sal_region *out, const sal_tensor *mask, int rank, const int64_t *dims,
                           sal_error *err);
void sal_region_free(sal_region *r);

/* w[k] += share * (1, or for a mean 1 / elements) over the elements of the span that lie in the
 * region (NULL: everywhere). *first: the first of them, -1 when there are none. */
void sal_span_weigh(const sal_span *s, const sal_region *r, int rank, const int64_t *dims,
                    double share, float *w, int64_t *first);

#endif
