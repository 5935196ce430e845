/* Elementary functions in single precision, written so that compilers vectorise loops over them: no
 * calls, no branches, selection by conditional expressions. Maximum errors were measured against
 * double precision on dense grids (tests/kernels_test.c repeats that). */
#ifndef SAL_VECTOR_MATH_H
#define SAL_VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

static inline float vm_from_bits(int32_t i)
{
    float f;
    memcpy(&f, &i, sizeof f);
    return f;
}

static inline int32_t vm_to_bits(float f)
{
    int32_t i;
    memcpy(&i, &f, sizeof i);
    return i;
}

/* e^x = 2^k e^r, |r| <= ln2/2, Taylor polynomial to r^7; 0 below -87.3, infinity above 88.7. */
static inline float vm_exp(float x)
{
    float t = x > -87.33654f ? x : -87.33654f; /* NaN too: it must not reach the conversion below */
    t = t > 88.72283f ? 88.72283f : t;
    float z = t * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to an integer in the low bits */
    float k = z - 12582912.0f;
    float r = t - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    /* 2^k in two factors, so that k = 128 does not overflow the exponent field early */
    int32_t n = (int32_t)k;
    int32_t h = n / 2;
    float y = p * vm_from_bits((h + 127) << 23) * vm_from_bits((n - h + 127) << 23);
    y = x > 88.72283f ? vm_from_bits(0x7f800000) : y;
    y = x < -87.33654f ? 0.0f : y;
    return x != x ? x : y;
}

/* log x for x > 0, denormals too; -inf at 0, NaN below. */
static inline float vm_log(float x)
{
    int tiny = x < 1.17549435e-38f; /* denormal: times 2^23 it is a normal number */
    int32_t bits = vm_to_bits(tiny ? x * 8388608.0f : x);
    int32_t e = (bits >> 23) - (tiny ? 149 : 126);
    float m = vm_from_bits((bits & 0x007fffff) | 0x3f000000); /* [0.5, 1) */
    int small = m < 0.707106781f;
    float k = (float)e - (small ? 1.0f : 0.0f);
    float f = (small ? m + m : m) - 1.0f;
    float z = f * f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    float y = f * z * p + k * -2.12194440e-4f - 0.5f * z + f + k * 0.693359375f;
    y = x == 0.0f ? vm_from_bits((int32_t)0xff800000) : y;
    y = x < 0.0f ? vm_from_bits(0x7fc00000) : y;
    y = x > 3.4028234e38f ? x : y;
    return x != x ? x : y;
}

/* erf: x P(x^2) below 1, 1 - exp(-Q(|x| - 2.5)) above; Chebyshev fits, absolute error below 2e-7.
 */
static inline float vm_erf(float x)
{
    float a = x < 0.0f ? -x : x;
    float u = x * x;
    float s = -9.673590029e-06f;
    s = s * u + 1.126825362e-04f;
    s = s * u - 8.484396512e-04f;
    s = s * u + 5.221053410e-03f;
    s = s * u - 2.686543831e-02f;
    s = s * u + 1.128378262e-01f;
    s = s * u - 3.761263848e-01f;
    s = s * u + 1.128379167e+00f;
    float t = (a > 4.0f ? 4.0f : a) - 2.5f;
    float q = 6.582856691e-08f;
    q = q * t - 1.614061584e-06f;
    q = q * t + 1.297613327e-05f;
    q = q * t - 7.739442564e-05f;
    q = q * t + 4.207069389e-04f;
    q = q * t - 2.165160310e-03f;
    q = q * t + 1.085816553e-02f;
    q = q * t + 9.438936403e-01f;
    q = q * t + 5.352680740e+00f;
    q = q * t + 7.806815277e+00f;
    float b = 1.0f - vm_exp(-q);
    b = x < 0.0f ? -b : b;
    return a < 1.0f ? x * s : x != x ? x : b;
}

static inline float vm_tanh(float x)
{
    float a = x < 0.0f ? -x : x;
    float u = x * x;
    float p = -5.70498872745e-3f;
    p = p * u + 2.06390887954e-2f;
    p = p * u - 5.37397155531e-2f;
    p = p * u + 1.33314422036e-1f;
    p = p * u - 3.33332819422e-1f;
    float small = p * u * x + x;
    float big = 1.0f - 2.0f / (vm_exp(2.0f * (a > 20.0f ? 20.0f : a)) + 1.0f);
    big = x < 0.0f ? -big : big;
    return a < 0.625f ? small : x != x ? x : big;
}

static inline float vm_sigmoid(float x)
{
    return 1.0f / (1.0f + vm_exp(-x));
}

/* log(1 + e^x) */
static inline float vm_softplus(float x)
{
    float a = x < 0.0f ? -x : x;
    float m = x > 0.0f ? x : 0.0f;
    float e = vm_exp(-a);
    /* log1p(e): log of the rounded sum, corrected for the rounding */
    float w = 1.0f + e;
    float l = w == 1.0f ? e : vm_log(w) * (e / (w - 1.0f));
    return m + l;
}

#endif
