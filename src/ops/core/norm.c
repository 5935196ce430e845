/* What the normalisation operators share. */
#include "ops/core/norm.h"

#include <math.h>

void sal_norm_ref_rows(const double *x, double *y, int64_t rows, int64_t n, double epsilon,
                       bool centred, double *mean, double *inv)
{
    for (int64_t r = 0; r < rows; r++) {
        const double *from = x + r * n;
        double *to = y + r * n, m = 0.0, square = 0.0;
        for (int64_t i = 0; i < n && centred; i++)
            m += from[i];
        m /= (double)SAL_MAX(n, 1);
        for (int64_t i = 0; i < n; i++)
            square += (from[i] - m) * (from[i] - m);
        double scale = 1.0 / sqrt(square / (double)SAL_MAX(n, 1) + epsilon);
        for (int64_t i = 0; i < n; i++)
            to[i] = (from[i] - m) * scale;
        if (mean != NULL)
            mean[r] = m;
        if (inv != NULL)
            inv[r] = scale;
    }
}

sal_vid sal_norm_build(sal_builder *b, sal_vid x, int n_axes, const int64_t *axes, double epsilon,
                       bool centred, sal_vid *mean, sal_vid *inv)
{
    sal_vid d = x;
    if (centred) {
        sal_vid m = sal_b_reduce(b, "ReduceMean", x, n_axes, axes, true);
        d = sal_b2(b, "Sub", x, m);
        if (mean != NULL)
            *mean = m;
    }
    sal_vid var = sal_b_reduce(b, "ReduceMean", sal_b2(b, "Mul", d, d), n_axes, axes, true);
    sal_vid root = sal_b1(b, "Sqrt", sal_b2(b, "Add", var, sal_b_like(b, var, epsilon)));
    if (inv == NULL)
        return sal_b2(b, "Div", d, root);
    *inv = sal_b1(b, "Reciprocal", root);
    return sal_b2(b, "Mul", d, *inv);
}

sal_dtype sal_norm_stash(const sal_node *n, sal_dtype x)
{
    bool small = x == SAL_F16 || x == SAL_BF16;
    return small && sal_node_int(n, "stash_type", 1) == 1 ? SAL_F32 : x;
}

sal_vid sal_norm_wide(sal_builder *b, const sal_node *n, sal_vid x)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_dtype have = sal_val(b->g, x)->dtype, want = sal_norm_stash(n, have);
    return have == want ? x : sal_b_cast(b, x, want);
}

sal_vid sal_norm_narrow(sal_builder *b, sal_vid v, sal_vid like)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_dtype want = sal_val(b->g, like)->dtype;
    return sal_val(b->g, v)->dtype == want ? v : sal_b_cast(b, v, want);
}

sal_vid sal_norm_per_channel(sal_builder *b, sal_vid v, int rank)
{
    static const int64_t axes[SAL_MAX_RANK] = {1, 2, 3, 4, 5, 6, 7, 8};
    return rank <= 2 ? v : sal_b_unsqueeze(b, v, rank - 2, axes);
}

sal_status sal_norm_check_vector(const sal_infer *c, int i, const sal_value *x, const char *what)
{
    const sal_value *v = sal_infer_in(c, i);
    if (v == NULL || v->rank < 0 || x->rank < 0)
        return SAL_OK;
    int64_t channels = x->rank > 1 ? x->dims[1] : 1;
    if (v->rank == 1 && (v->dims[0] < 0 || channels < 0 || v->dims[0] == channels))
        return SAL_OK;
    char text[160];
    return sal_fail(c->err, SAL_ESHAPE, "%s is %s; one element for each of %lld channels is needed",
                    what, sal_value_text(c->g, c->node->in[i], text, sizeof(text)),
                    (long long)channels);
}

sal_status sal_norm_check_scale(const sal_infer *c, int i, const sal_value *x, bool broadcast)
{
    const sal_value *v = sal_infer_in(c, i);
    char a[160], b[160];
    if (v == NULL || v->rank < 0 || x->rank < 0)
        return SAL_OK;
    bool fits = broadcast ? v->rank <= x->rank : v->rank == x->rank;
    for (int k = 0; k < v->rank && fits; k++) {
        int64_t have = v->dims[k], want = x->dims[x->rank - v->rank + k];
        fits = have == want || have < 0 || want < 0 || (broadcast && have == 1);
    }
    if (fits)
        return SAL_OK;
    return sal_fail(
        c->err, SAL_ESHAPE, "input %d, %s, does not fit %s", i,
        sal_value_text(c->g, c->node->in[i], a, sizeof(a)),
        sal_value_text(c->g, c->node->in[x == sal_infer_in(c, 0) ? 0 : 1], b, sizeof(b)));
}

int64_t sal_norm_span(const int64_t *dims, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= dims[i];
    return n;
}
