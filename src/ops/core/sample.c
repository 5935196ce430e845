/* Interpolation at given points (sample.h).
 *
 * Linear: with i = floor(p) and t = p - i, the elements i and i + 1 have the weights 1 - t and t.
 * Cubic: the elements i - 1 .. i + 2 have those of Keys (1981) with A = -3/4. Along several axes
 * the weights multiply. The integer positions are constants of differentiation, the weights are
 * not. */
#include "ops/core/sample.h"

#include "ops/core/elementwise.h"

#define SAMPLE_TAPS 4

/* Positions along one axis. */
typedef struct sample_taps {
    int n;
    sal_vid index[SAMPLE_TAPS];  /* float, within 0 .. D-1 */
    sal_vid weight[SAMPLE_TAPS]; /* SAL_NONE: 1 */
} sample_taps;

bool sal_sample_known(sal_builder *b, const char *node, sal_vid v, int from)
{
    if (b->st != SAL_OK)
        return false;
    const sal_value *x = sal_val(b->g, v);
    bool known = x->rank > from;
    for (int i = from; known && i < x->rank; i++)
        known = x->dims[i] > 0;
    if (!known)
        b->st = sal_fail(b->err, SAL_ESHAPE,
                         "node %s: the spatial sizes of '%s' must be known and not 0; give the "
                         "model fixed input shapes",
                         node, x->name);
    return known;
}

static sal_vid sample_clip(sal_builder *b, sal_vid p, double lo, double hi)
{
    return sal_b3(b, "Clip", p, sal_b_like(b, p, lo), sal_b_like(b, p, hi));
}

/* p folded back at lo and hi as often as needed: a zigzag of period 2 (hi - lo). */
static sal_vid sample_reflect(sal_builder *b, sal_vid p, double lo, double hi)
{
    double span = hi - lo;
    if (span <= 0.0)
        return sal_b_mulc(b, p, 0.0);
    sal_vid u = sal_b_addc(b, p, -lo);
    sal_vid turn = sal_b1(b, "Floor", sal_b_mulc(b, u, 0.5 / span));
    u = sal_b2(b, "Sub", u, sal_b_mulc(b, turn, 2.0 * span)); /* 0 .. 2 span */
    sal_vid back = sal_b_addc(b, sal_b1(b, "Neg", u), 2.0 * span);
    return sal_b_addc(b, sal_b2(b, "Min", u, back), lo);
}

static sal_vid sample_fold(sal_builder *b, const sal_sample *how, sal_vid p, int64_t d)
{
    double last = (double)(d - 1);
    if (how->pad == SAL_SAMPLE_REFLECT)
        p = how->align ? sample_reflect(b, p, 0.0, last) : sample_reflect(b, p, -0.5, last + 0.5);
    return how->pad == SAL_SAMPLE_ZEROS ? p : sample_clip(b, p, 0.0, last);
}

/* The element at integer position i (as float): where it lies, and its weight 0 outside. */
static void sample_tap(sal_builder *b, const sal_sample *how, sal_vid i, sal_vid weight, int64_t d,
                       sample_taps *t)
{
    double last = (double)(d - 1);
    if (how->pad == SAL_SAMPLE_ZEROS) {
        sal_vid in = sal_b2(b, "And", sal_b2(b, "GreaterOrEqual", i, sal_b_like(b, i, 0.0)),
                            sal_b2(b, "LessOrEqual", i, sal_b_like(b, i, last)));
        weight = weight == SAL_NONE
                     ? sal_b_cast(b, in, b->st == SAL_OK ? sal_val(b->g, i)->dtype : SAL_F32)
                     : sal_b_mask(b, in, weight);
        i = sample_clip(b, i, 0.0, last);
    } else {
        i = sample_fold(b, how, i, d);
    }
    t->index[t->n] = i;
    t->weight[t->n++] = weight;
}

/* c3 t^3 + c2 t^2 + c1 t + c0 */
static sal_vid sample_poly(sal_builder *b, sal_vid t, double c3, double c2, double c1, double c0)
{
    sal_vid y = sal_b_addc(b, sal_b_mulc(b, t, c3), c2);
    y = sal_b_addc(b, sal_b2(b, "Mul", y, t), c1);
    return sal_b_addc(b, sal_b2(b, "Mul", y, t), c0);
}

/* Halves to even: q = floor(p + 1/2) is one too large where p + 1/2 is an odd integer. */
static sal_vid sample_round(sal_builder *b, sal_vid p)
{
    sal_vid up = sal_b_addc(b, p, 0.5), q = sal_b1(b, "Floor", up);
    sal_vid half = sal_b_mulc(b, q, 0.5);
    sal_vid odd = sal_b2(b, "Greater", half, sal_b1(b, "Floor", half));
    sal_vid tie = sal_b2(b, "And", odd, sal_b2(b, "Equal", up, q));
    return sal_b3(b, "Where", tie, sal_b_addc(b, q, -1.0), q);
}

static void sample_axis(sal_builder *b, const sal_sample *how, sal_vid p, int64_t d, sample_taps *t)
{
    const double a = -0.75;
    t->n = 0;
    if (how->mode == SAL_SAMPLE_NEAREST) {
        p = sample_round(b, sample_fold(b, how, p, d));
        sample_tap(b, how, p, SAL_NONE, d, t);
        return;
    }
    if (how->mode == SAL_SAMPLE_LINEAR)
        p = sample_fold(b, how, p, d);
    sal_vid i = sal_b1(b, "Floor", p), f = sal_b2(b, "Sub", p, i);
    if (how->mode == SAL_SAMPLE_LINEAR) {
        sample_tap(b, how, i, sal_b_addc(b, sal_b1(b, "Neg", f), 1.0), d, t);
        sample_tap(b, how, sal_b_addc(b, i, 1.0), f, d, t);
        return;
    }
    /* |s| <= 1: (a+2)s^3 - (a+3)s^2 + 1; 1 < |s| < 2: a s^3 - 5a s^2 + 8a s - 4a, at s = f + 1, f,
     * 1 - f, 2 - f, written in powers of f. */
    sample_tap(b, how, sal_b_addc(b, i, -1.0), sample_poly(b, f, a, -2.0 * a, a, 0.0), d, t);
    sample_tap(b, how, i, sample_poly(b, f, a + 2.0, -(a + 3.0), 0.0, 1.0), d, t);
    sample_tap(b, how, sal_b_addc(b, i, 1.0), sample_poly(b, f, -(a + 2.0), 2.0 * a + 3.0, -a, 0.0),
               d, t);
    sample_tap(b, how, sal_b_addc(b, i, 2.0), sample_poly(b, f, -a, a, 0.0, 0.0), d, t);
}

sal_vid sal_sample_build(sal_builder *b, const sal_sample *how, sal_vid x, const sal_vid *at)
{
    static const int64_t channel = 1;
    sample_taps taps[SAL_SAMPLE_AXES];
    sal_vid sum = SAL_NONE;
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x);
    int r = v->rank - 2, combinations = 1;
    if (r < 1 || r > SAL_SAMPLE_AXES || v->dims[1] < 0) {
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                         "interpolation along %d axes; 1 to 3 and a known number of channels are "
                         "needed",
                         r);
        return SAL_NONE;
    }
    for (int k = 0; k < r; k++) {
        sample_axis(b, how, at[k], v->dims[2 + k], &taps[k]);
        combinations *= taps[k].n;
    }
    int64_t plane = sal_dim_mul(b->g, v->dims[2], r > 1 ? v->dims[3] : 1);
    plane = sal_dim_mul(b->g, plane, r > 2 ? v->dims[4] : 1);
    const int64_t flat[3] = {v->dims[0], v->dims[1], plane}, wide[3] = {1, v->dims[1], 1};
    sal_vid rows = sal_b_reshape(b, x, 3, flat, x), shape = sal_b_ints(b, wide, 3);
    for (int c = 0; c < combinations && b->st == SAL_OK; c++) {
        sal_vid index = SAL_NONE, weight = SAL_NONE;
        for (int k = 0, rest = c; k < r; rest /= taps[k].n, k++) {
            int tap = rest % taps[k].n;
            sal_vid i = sal_b_cast(b, taps[k].index[tap], SAL_I64), w = taps[k].weight[tap];
            index = index == SAL_NONE
                        ? i
                        : sal_b2(b, "Add",
                                 sal_b2(b, "Mul", index,
                                        sal_b_scalar(b, SAL_I64, (double)v->dims[2 + k])),
                                 i);
            weight = weight == SAL_NONE ? w : w == SAL_NONE ? weight : sal_b2(b, "Mul", weight, w);
        }
        sal_attr axis = SAL_AI("axis", 2);
        index = sal_b2(b, "Expand", sal_b_unsqueeze(b, index, 1, &channel), shape);
        sal_vid y = sal_b_op(b, "GatherElements", 2, (sal_vid[]){rows, index}, 1, &axis);
        if (weight != SAL_NONE)
            y = sal_b2(b, "Mul", y, sal_b_unsqueeze(b, weight, 1, &channel));
        sum = sal_b_add_opt(b, sum, y);
    }
    return sum;
}
