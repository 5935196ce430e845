/* Random numbers: a keyed hash of a counter. Any draw can be made alone, so the work can be split
 * over threads and machines without changing a single number. */
#include "base/base.h"

#include <math.h>
#include <string.h>

static const uint64_t rng_step = 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */

/* A bijection of 64 bits in which every input bit moves about half of the output bits
 * (the finaliser of splitmix64: Steele, Lea, Flood, OOPSLA 2014, variant 13 of D. Stafford). */
static uint64_t rng_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

sal_rng sal_rng_seed(uint64_t seed, uint64_t stream)
{
    sal_rng r = {rng_mix(rng_mix(seed + rng_step) ^ (stream * 0xd1342543de82ef95u + 1)), 0};
    return r;
}

uint64_t sal_rng_u64(sal_rng *r)
{
    /* The key enters twice: with one use, two streams would be one sequence, shifted. */
    return rng_mix(r->key ^ rng_mix(r->key + rng_step * r->counter++));
}

double sal_rng_uniform(sal_rng *r)
{
    return (double)(sal_rng_u64(r) >> 11) * 0x1p-53;
}

/* log x for normal x > 0, off by less than 1e-15 of itself or of the exponent's share: x = 2^e m,
 * sqrt(1/2) <= m < sqrt(2), log m = 2 artanh(s) with s = (m - 1) / (m + 1), abs s < 0.172. */
static double rng_log(double x)
{
    const uint64_t root_half = 0x3fe6a09e667f3bcdu;
    uint64_t bits, shift;
    double m, s, t, p = 1.0 / 19;
    int64_t e;

    memcpy(&bits, &x, sizeof(bits));
    e = (int64_t)(bits - root_half) >> 52;
    shift = bits - ((uint64_t)e << 52);
    memcpy(&m, &shift, sizeof(m));
    s = (m - 1.0) / (m + 1.0);
    t = s * s;
    for (int k = 17; k > 0; k -= 2)
        p = p * t + 1.0 / k;
    return (double)e * 0.69314718055994530942 + 2.0 * s * p;
}

/* cos(2 pi u) for 0 <= u < 1 as -sin(y), y = 2 pi (1/4 - abs(u - 1/2)), by its series. */
static double rng_cos(double u)
{
    static const double over_factorial[] = {
        -1.0 / 6,
        1.0 / 120,
        -1.0 / 5040,
        1.0 / 362880,
        -1.0 / 39916800,
        1.0 / 6227020800.0,
        -1.0 / 1307674368e3,
        1.0 / 355687428096e3,
        -1.0 / 121645100408832e3,
        1.0 / 51090942171709440e3,
    };
    double y = 6.283185307179586476925286766559 * (0.25 - fabs(u - 0.5)), t = y * y, p = 0.0;

    for (int k = SAL_COUNTOF(over_factorial) - 1; k >= 0; k--)
        p = (p + over_factorial[k]) * t;
    return -(y + y * p);
}

/* Box-Muller, one of the pair: each normal takes exactly two draws, u and v. 1 - u lies in (0,1].
 * Own functions, so that the numbers do not depend on the C library, and loops over them vectorise.
 */
static double rng_box_muller(double u, double v)
{
    return sqrt(-2.0 * rng_log(1.0 - u)) * rng_cos(v);
}

double sal_rng_normal(sal_rng *r)
{
    double u = sal_rng_uniform(r);

    return rng_box_muller(u, sal_rng_uniform(r));
}

void sal_rng_normals(sal_rng *r, size_t n, float *out)
{
    enum { BLOCK = 64 };
    double u[BLOCK], v[BLOCK];

    for (size_t at = 0; at < n; at += BLOCK) {
        size_t count = SAL_MIN(n - at, (size_t)BLOCK);

        for (size_t k = 0; k < count; k++) {
            u[k] = sal_rng_uniform(r);
            v[k] = sal_rng_uniform(r);
        }
        for (size_t k = 0; k < count; k++)
            out[at + k] = (float)rng_box_muller(u[k], v[k]);
    }
}
