/* What the operators of signal processing share: cosine windows, Fourier matrices. */
#ifndef SAL_OPS_CORE_SIGNAL_H
#define SAL_OPS_CORE_SIGNAL_H

#include "ops/builder.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/upgrade.h"

/* Number in a scalar integer input: *known says whether it is there already. */
sal_status sal_signal_int(const sal_infer *c, int i, int64_t *out, bool *known);
/* Output type by the attribute output_datatype (float32 without). */
sal_status sal_signal_dtype(const sal_infer *c, sal_dtype *out);

/* A Fourier matrix in 16 bits would not do: x as float32, and y in the type of x again. */
sal_vid sal_signal_wide(sal_builder *b, sal_vid x);
sal_vid sal_signal_narrow(sal_builder *b, sal_vid y, sal_vid x);

/* Windows: input 0 their length; w_k = sum_j a_j cos(2 pi j k / N), N the length (periodic = 1) or
 * one less. */
sal_status sal_signal_window_infer(sal_infer *c);
sal_status sal_signal_window_eval(const sal_eval *e, const double a[3]);

/* Discrete Fourier transform as a matrix, applied from the right to rows of n_in numbers, each real
 * (parts_in 1) or complex (2, interleaved). Inputs beyond `length` are not looked at, missing ones
 * are zero. */
typedef struct sal_fourier {
    int64_t n_in, length, n_out;
    int parts_in, parts_out;
    bool inverse;   /* exp(+...), divided by length */
    bool hermitian; /* the inputs are the first half of a symmetric spectrum; the output is real */
} sal_fourier;

/* Number of elements, (n_in parts_in) x (n_out parts_out); -1 beyond the limit of 2^26. */
int64_t sal_fourier_size(const sal_fourier *f);
/* Weight of part p of input j in part q of output k. */
double sal_fourier_weight(const sal_fourier *f, int64_t j, int p, int64_t k, int q);

#endif
