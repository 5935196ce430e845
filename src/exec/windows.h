/* Exact recomputation of what a change in a rectangle of the input can reach.
 *
 * Through convolutions, pooling and element-wise operators a change spreads by a few positions
 * along each axis; everything outside of that interval keeps the values of the unchanged input,
 * which are kept. Here only the positions that a change can reach are computed, for many changes at
 * once. The positions of all of them are rows of one matrix, whatever their rectangles, so that
 * matrix products stay large. From the first operator that looks at all positions on (pooling over
 * all, attention) the model runs as always.
 *
 * The results differ from a full run by the order of sums alone. */
#ifndef SAL_EXEC_WINDOWS_H
#define SAL_EXEC_WINDOWS_H

#include "exec/session.h"

/* Rows y0 <= y < y1, columns x0 <= x < x1; empty where they are equal. */
typedef struct sal_box {
    int32_t y0, y1, x0, x1;
} sal_box;

typedef struct sal_windows sal_windows;

/* Plan for changes of `input`, asking for `output`. one, many: the model bound to a batch of 1 and
 * of `batch`, the same value ids. *out is NULL when no operator behind the input can be computed in
 * parts (input not [1, C, H, W] float32, say). *out: sal_windows_free(). */
sal_status sal_windows_new(sal_windows **out, const sal_graph *one, const sal_graph *many,
                           sal_vid input, sal_vid output, int64_t batch,
                           const sal_session_opts *opts, sal_error *err);
void sal_windows_free(sal_windows *w);
/* Run the unchanged inputs (of `one`, in order) and keep what is needed. */
sal_status sal_windows_keep(sal_windows *w, const sal_tensor *inputs, sal_error *err);
/* Multiply-adds of a change of this rectangle over those of a full run; small operators are counted
 * by what they cost beside large ones. */
double sal_windows_share(const sal_windows *w, const sal_box *box);
/* Evaluate n <= batch changes: x[i] is the whole changed input [C, H, W], equal to the kept one
 * outside of box[i]. *result is the output, rows 0 .. n - 1 valid; borrowed until the next run. */
sal_status sal_windows_run(sal_windows *w, size_t n, const float *const *x, const sal_box *box,
                           const sal_tensor **result, sal_error *err);

#endif
