/* The leading eigenvector of G = X X^T (or X^T X, whichever is smaller), X = [N, positions,
 * channels].
 *
 * A graph has no eigenvalue operator, so G is squared a few times: G^(2^s) tends to u u^T times a
 * number. That is applied to a start vector several times more. In all the power is SQUARINGS and
 * STEPS below: 16 * 2^8 = 4096, so that a second eigenvalue of 0.995 of the first has faded to
 * 1e-9. Every step is divided by its largest element, lest it overflow. */
#include "explain/principal.h"

enum { PRINCIPAL_SQUARINGS = 8, PRINCIPAL_STEPS = 16, PRINCIPAL_MAX_SIDE = 1024 };

static const int64_t principal_matrix[] = {1, 2};

static sal_vid principal_transpose(sal_builder *b, sal_vid v)
{
    static const int64_t perm[] = {0, 2, 1};

    return sal_b_transpose(b, v, perm);
}

/* v over its largest absolute element, sample by sample; zero stays zero. */
static sal_vid principal_scale(sal_builder *b, sal_vid v)
{
    sal_vid most = sal_b_reduce(b, "ReduceMax", sal_b1(b, "Abs", v), 2, principal_matrix, true);

    return sal_b2(b, "Div", v, sal_b2(b, "Max", most, sal_b_like(b, v, 1e-30)));
}

static sal_vid principal_norm(sal_builder *b, sal_vid v)
{
    sal_vid sum = sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", v, v), 2, principal_matrix, true);

    return sal_b2(b, "Max", sal_b1(b, "Sqrt", sum), sal_b_like(b, v, 1e-30));
}

/* Normal random numbers [1, n, 1]: no structure of a picture is orthogonal to them. */
static sal_vid principal_start(sal_builder *b, sal_dtype dtype, int64_t n)
{
    int64_t dims[] = {1, n, 1};
    sal_rng rng = sal_rng_seed(1, 0);
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;

    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, dtype, 3, dims, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < n; i++)
        sal_tensor_set(&t, i, sal_rng_normal(&rng));
    v = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return v;
}

/* Unit eigenvector [N, n, 1] of the symmetric g [N, n, n] for the eigenvalue of largest size. */
static sal_vid principal_vector(sal_builder *b, sal_vid g, int64_t n)
{
    sal_vid v;

    for (int i = 0; i < PRINCIPAL_SQUARINGS; i++) {
        g = principal_scale(b, g);
        g = sal_b2(b, "MatMul", g, g);
    }
    g = principal_scale(b, g);
    v = b->st == SAL_OK ? principal_start(b, sal_val(b->g, g)->dtype, n) : SAL_NONE;
    for (int i = 0; i < PRINCIPAL_STEPS; i++)
        v = principal_scale(b, sal_b2(b, "MatMul", g, v));
    return b->st == SAL_OK ? sal_b2(b, "Div", v, principal_norm(b, v)) : SAL_NONE;
}

/* [N, C, h, w] as centred rows [N, h * w, C]. */
static sal_vid principal_rows(sal_method_build *m, sal_vid a)
{
    static const int64_t positions = 1;
    sal_builder *b = m->b;

    if (b->st != SAL_OK)
        return SAL_NONE;
    int64_t dims[] = {sal_val(b->g, a)->dims[0], m->layer->channels,
                      m->layer->height * m->layer->width};
    sal_vid rows = principal_transpose(b, sal_b_reshape(b, a, 3, dims, a));
    return sal_b2(b, "Sub", rows, sal_b_reduce(b, "ReduceMean", rows, 1, &positions, true));
}

static bool principal_fits(sal_method_build *m, int64_t side)
{
    if (m->b->st == SAL_OK && side > PRINCIPAL_MAX_SIDE)
        m->b->st = sal_fail(m->b->err, SAL_EUNSUPPORTED,
                            "layer %s has %lld positions and %lld channels: too many for principal "
                            "components; name a layer with a coarser grid",
                            sal_val(m->b->g, m->layer->value)->name,
                            (long long)(m->layer->height * m->layer->width),
                            (long long)m->layer->channels);
    return m->b->st == SAL_OK;
}

/* [N, positions, 1] as [N, h, w], with the sign that makes the larger extreme positive. */
static sal_vid principal_map(sal_method_build *m, sal_vid v)
{
    sal_builder *b = m->b;

    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_vid high = sal_b_reduce(b, "ReduceMax", v, 2, principal_matrix, true);
    sal_vid low = sal_b_reduce(b, "ReduceMin", v, 2, principal_matrix, true);
    sal_vid wrong = sal_b2(b, "Less", sal_b2(b, "Add", high, low), sal_b_like(b, v, 0.0));
    sal_vid map = sal_b3(b, "Where", wrong, sal_b1(b, "Neg", v), v);
    if (b->st != SAL_OK)
        return SAL_NONE;
    int64_t dims[] = {sal_val(b->g, map)->dims[0], m->layer->height, m->layer->width};
    return sal_b_reshape(b, map, 3, dims, map);
}

sal_vid sal_build_principal(sal_method_build *m, sal_vid a)
{
    sal_builder *b = m->b;
    int64_t positions = m->layer->height * m->layer->width, channels = m->layer->channels;

    if (!principal_fits(m, SAL_MIN(positions, channels)))
        return SAL_NONE;
    sal_vid x = principal_rows(m, a), xt = principal_transpose(b, x), v;
    if (channels <= positions) {
        v = principal_vector(b, sal_b2(b, "MatMul", xt, x), channels);
    } else {
        v = principal_vector(b, sal_b2(b, "MatMul", x, xt), positions);
        v = sal_b2(b, "MatMul", xt, v);
        v = b->st == SAL_OK ? sal_b2(b, "Div", v, principal_norm(b, v)) : SAL_NONE;
    }
    return principal_map(m, sal_b2(b, "MatMul", x, v));
}

sal_vid sal_build_kernel_principal(sal_method_build *m, sal_vid a, double gamma)
{
    static const int64_t rows = 1, columns = 2;
    sal_builder *b = m->b;
    int64_t positions = m->layer->height * m->layer->width;

    if (!principal_fits(m, positions))
        return SAL_NONE;
    sal_vid x = principal_rows(m, a);
    sal_vid k = sal_b2(b, "MatMul", x, principal_transpose(b, x));
    k = sal_b2(b, "Add", sal_b2(b, "Mul", k, sal_b_like(b, k, gamma)), sal_b_like(b, k, 1.0));
    k = sal_b1(b, "Tanh", k);
    k = sal_b2(b, "Sub", k, sal_b_reduce(b, "ReduceMean", k, 1, &rows, true));
    k = sal_b2(b, "Sub", k, sal_b_reduce(b, "ReduceMean", k, 1, &columns, true));
    sal_vid u = principal_vector(b, k, positions);
    sal_vid value = principal_norm(b, sal_b2(b, "MatMul", k, u));
    return principal_map(m, sal_b2(b, "Mul", sal_b1(b, "Sqrt", value), u));
}
