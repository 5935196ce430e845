/* Half-width floats, by integer arithmetic: the result does not depend on the rounding mode or the
 * CPU. */
#include "base/base.h"

static uint32_t float_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* float16: 1 sign, 5 exponent (bias 15), 10 fraction. */
float sal_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 0x1fu;
    uint32_t fraction = h & 0x3ffu;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {
        /* fraction * 2^-24 is exact in float32 */
        float f = (float)fraction * 0x1p-24f;
        return float_of(sign | float_bits(f));
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t sal_f32_to_f16(float f)
{
    uint32_t u = float_bits(f);
    uint32_t sign = u >> 16 & 0x8000u;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) /* NaN: keep the payload's top bits, make it quiet */
        return (uint16_t)(sign | 0x7e00u | (u >> 13 & 0x3ffu));
    if (u >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (u >=
        0x38800000u) { /* 2^-14 and more: normal; a carry out of the fraction raises the exponent */
        uint32_t r = u - (112u << 23) + 0xfffu + (u >> 13 & 1u);
        return (uint16_t)(sign | r >> 13);
    }
    /* Subnormal: count of 2^-24 units, m * 2^(e-150) = m * 2^(e-126) units. */
    uint32_t e = u >> 23;
    if (e < 102)
        return (uint16_t)sign;
    uint32_t m = (u & 0x7fffffu) | 0x800000u;
    uint32_t shift = 126 - e;
    uint32_t r = m >> shift;
    uint32_t rest = m & ((1u << shift) - 1);
    uint32_t half = 1u << (shift - 1);
    if (rest > half || (rest == half && (r & 1u)))
        r++;
    return (uint16_t)(sign | r);
}

/* bfloat16: the upper half of a float32. */
float sal_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t sal_f32_to_bf16(float f)
{
    uint32_t u = float_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}
