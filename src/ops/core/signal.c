/* Windows and Fourier matrices (ops/core/signal.h). */
#include "ops/core/signal.h"

#include <math.h>

static const double signal_two_pi = 6.283185307179586476925286766559;

sal_status sal_signal_int(const sal_infer *c, int i, int64_t *out, bool *known)
{
    const sal_value *x = sal_infer_in(c, i);
    int64_t buf[SAL_KNOWN_MAX];
    int n = -1;
    sal_status st = SAL_OK;
    *known = false;
    if (x == NULL)
        return SAL_OK;
    if (x->dtype != SAL_DT_NONE && x->dtype != SAL_I64 && x->dtype != SAL_I32)
        return sal_fail(c->err, SAL_EINVAL, "input %d must be an int32 or int64", i);
    SAL_TRY(sal_infer_known_in(c, i, buf, &n));
    if (n > 1)
        return sal_fail(c->err, SAL_ESHAPE, "input %d must be a single number", i);
    *known = n == 1 && sal_known_is_number(buf[0]);
    if (*known)
        *out = sal_known_decode(buf[0]);
done:
    return st;
}

sal_status sal_signal_dtype(const sal_infer *c, sal_dtype *out)
{
    int64_t t = sal_node_int(c->node, "output_datatype", SAL_F32);
    if (t < 1 || t > 64 || sal_dtype_size((sal_dtype)t) == 0)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "output_datatype = %lld is no supported element type", (long long)t);
    *out = (sal_dtype)t;
    return SAL_OK;
}

static bool signal_is_half(const sal_builder *b, sal_vid x)
{
    sal_dtype t = b->st == SAL_OK ? sal_val(b->g, x)->dtype : SAL_DT_NONE;
    return t == SAL_F16 || t == SAL_BF16;
}

sal_vid sal_signal_wide(sal_builder *b, sal_vid x)
{
    return signal_is_half(b, x) ? sal_b_cast(b, x, SAL_F32) : x;
}

sal_vid sal_signal_narrow(sal_builder *b, sal_vid y, sal_vid x)
{
    return signal_is_half(b, x) ? sal_b_cast(b, y, sal_val(b->g, x)->dtype) : y;
}

/* ---- windows ---- */

sal_status sal_signal_window_infer(sal_infer *c)
{
    int64_t length = 0;
    bool known;
    sal_dtype t;
    sal_status st;
    SAL_TRY(sal_signal_dtype(c, &t));
    SAL_TRY(sal_signal_int(c, 0, &length, &known));
    if (known && length < 1)
        return sal_fail(c->err, SAL_EINVAL, "a window of %lld elements", (long long)length);
    if (!known)
        length = sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, t, 1, &length));
done:
    return st;
}

sal_status sal_signal_window_eval(const sal_eval *e, const double a[3])
{
    int64_t n = sal_tensor_count(e->out[0]);
    bool periodic = sal_node_int(e->node, "periodic", 1) != 0;
    double period = (double)(periodic ? n : n - 1);
    for (int64_t k = 0; k < n; k++) {
        /* a symmetric window of one element is its peak */
        double t = period > 0.0 ? signal_two_pi * (double)k / period : signal_two_pi / 2.0;
        sal_tensor_set(e->out[0], k, a[0] + a[1] * cos(t) + a[2] * cos(2.0 * t));
    }
    return SAL_OK;
}

/* ---- Fourier ---- */

int64_t sal_fourier_size(const sal_fourier *f)
{
    const int64_t most = INT64_C(1) << 26;
    if (f->n_in > most || f->n_out > most || f->length > most)
        return -1;
    int64_t rows = f->n_in * f->parts_in, cols = f->n_out * f->parts_out;
    return cols > 0 && rows > most / cols ? -1 : rows * cols;
}

double sal_fourier_weight(const sal_fourier *f, int64_t j, int p, int64_t k, int q)
{
    int64_t half = f->length / 2, n = f->length;
    double scale = f->inverse ? 1.0 / (double)n : 1.0;
    if (j >= (f->hermitian ? half + 1 : n))
        return 0.0;
    if (f->hermitian && j > 0 && 2 * j != n) /* stands for its mirror image too */
        scale *= 2.0;
    /* reduced before it is a float: large products of j and k would lose the angle */
    double t = signal_two_pi * (double)(j % n * (k % n) % n) / (double)n;
    double re = cos(t), im = f->inverse ? sin(t) : -sin(t);
    /* (a + ib)(re + i im) */
    if (q == 0)
        return scale * (p == 0 ? re : -im);
    return scale * (p == 0 ? im : re);
}
