/* Sessions against the reference evaluation (session_check.h). */
#include "support/session_check.h"

#include <math.h>

static bool session_same_shape(const sal_tensor *a, const sal_tensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0 &&
           sal_dtype_is_float(a->dtype) == sal_dtype_is_float(b->dtype);
}

double session_distance(const sal_tensor *a, const sal_tensor *b)
{
    double worst = 0.0, scale = 1e-2;
    if (!session_same_shape(a, b))
        return (double)INFINITY;
    for (int64_t i = 0; i < sal_tensor_count(a); i++) {
        double x = sal_tensor_get(a, i), y = sal_tensor_get(b, i);
        if ((isnan(x) && isnan(y)) || x == y)
            continue;
        if (!isfinite(x) || !isfinite(y))
            return (double)INFINITY;
        worst = fmax(worst, fabs(x - y));
        scale = fmax(scale, fabs(y));
    }
    return worst / scale;
}

double session_cosine(const sal_tensor *a, const sal_tensor *b)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    if (!session_same_shape(a, b))
        return -2.0;
    for (int64_t i = 0; i < sal_tensor_count(a); i++) {
        double x = sal_tensor_get(a, i), y = sal_tensor_get(b, i);
        if (!isfinite(y))
            continue;
        if (!isfinite(x))
            return -2.0;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if (aa < 1e-12 && bb < 1e-12)
        return 1.0;
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : 0.0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SESSION_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SESSION_TSAN 1
#endif

int session_threads(int wanted)
{
#ifdef SESSION_TSAN
    return wanted > 1 ? 1 : wanted;
#else
    return wanted;
#endif
}

void session_free_all(sal_tensor *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sal_tensor_free(&t[i]);
}

sal_status session_outputs(const sal_graph *g, const sal_tensor *inputs, const sal_session_opts *o,
                           sal_tensor *out, sal_error *err)
{
    sal_session *s = NULL;
    sal_status st;
    SAL_TRY(sal_session_new(&s, g, o, err));
    SAL_TRY(sal_session_run(s, inputs, err));
    for (size_t i = 0; i < g->n_outputs; i++) {
        const sal_tensor *y = sal_session_output(s, i);
        SAL_TRY(sal_tensor_new(&out[i], y->dtype, y->rank, y->dims, err));
        if (sal_tensor_bytes(y) > 0)
            memcpy(out[i].data, y->data, sal_tensor_bytes(y));
    }
done:
    sal_session_free(s);
    return st;
}
