/* Random numbers: a keyed hash of a counter. Any draw can be made alone, so the work can be split
 * over threads and machines without changing a single number. */
#include "base/base.h"

#include <math.h>

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

double sal_rng_normal(sal_rng *r)
{
    /* Box-Muller, one of the pair: each normal takes exactly two draws. 1 - u lies in (0,1]. */
    const double two_pi = 6.283185307179586476925286766559;
    double radius = sqrt(-2.0 * log(1.0 - sal_rng_uniform(r)));
    return radius * cos(two_pi * sal_rng_uniform(r));
}
