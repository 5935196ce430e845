/* Sixteen floats: one AVX-512 register, two AVX registers, or an array. Multiply-add is fused where
 * the instruction exists; the project is compiled without contraction, so it never happens by
 * itself. */
#ifndef SAL_SIMD_H
#define SAL_SIMD_H

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 v16;
static inline v16 v16_zero(void)
{
    return _mm512_setzero_ps();
}
static inline v16 v16_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v16_store(float *p, v16 a)
{
    _mm512_storeu_ps(p, a);
}
static inline v16 v16_set1(float x)
{
    return _mm512_set1_ps(x);
}
static inline v16 v16_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
#elif defined(__AVX2__)
#include <immintrin.h>
typedef struct v16 {
    __m256 lo, hi;
} v16;
static inline v16 v16_zero(void)
{
    return (v16){_mm256_setzero_ps(), _mm256_setzero_ps()};
}
static inline v16 v16_load(const float *p)
{
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
static inline void v16_store(float *p, v16 a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
static inline v16 v16_set1(float x)
{
    return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
static inline v16 v16_fma(v16 a, v16 b, v16 c)
{
    return (v16){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
#else
typedef struct v16 {
    float f[16];
} v16;
static inline v16 v16_zero(void)
{
    return (v16){{0.0f}};
}
static inline v16 v16_load(const float *p)
{
    v16 r;
    for (int i = 0; i < 16; i++)
        r.f[i] = p[i];
    return r;
}
static inline void v16_store(float *p, v16 a)
{
    for (int i = 0; i < 16; i++)
        p[i] = a.f[i];
}
static inline v16 v16_set1(float x)
{
    v16 r;
    for (int i = 0; i < 16; i++)
        r.f[i] = x;
    return r;
}
static inline v16 v16_fma(v16 a, v16 b, v16 c)
{
    for (int i = 0; i < 16; i++)
        c.f[i] += a.f[i] * b.f[i];
    return c;
}
#endif

/* One block of channels: as many floats as blocked layouts keep together. */
#if defined(__AVX512F__)
typedef __m512 vblock;
static inline vblock vblock_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void vblock_store(float *p, vblock a)
{
    _mm512_storeu_ps(p, a);
}
static inline vblock vblock_add(vblock a, vblock b)
{
    return _mm512_add_ps(a, b);
}
static inline vblock vblock_sub(vblock a, vblock b)
{
    return _mm512_sub_ps(a, b);
}
/* v where a == b, else 0 */
static inline vblock vblock_where_equal(vblock a, vblock b, vblock v)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), v);
}
#elif defined(__AVX2__)
typedef __m256 vblock;
static inline vblock vblock_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void vblock_store(float *p, vblock a)
{
    _mm256_storeu_ps(p, a);
}
static inline vblock vblock_add(vblock a, vblock b)
{
    return _mm256_add_ps(a, b);
}
static inline vblock vblock_sub(vblock a, vblock b)
{
    return _mm256_sub_ps(a, b);
}
static inline vblock vblock_where_equal(vblock a, vblock b, vblock v)
{
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ), v);
}
#else
typedef struct vblock {
    float f[8];
} vblock;
static inline vblock vblock_load(const float *p)
{
    vblock r;
    for (int i = 0; i < 8; i++)
        r.f[i] = p[i];
    return r;
}
static inline void vblock_store(float *p, vblock a)
{
    for (int i = 0; i < 8; i++)
        p[i] = a.f[i];
}
static inline vblock vblock_add(vblock a, vblock b)
{
    for (int i = 0; i < 8; i++)
        a.f[i] += b.f[i];
    return a;
}
static inline vblock vblock_sub(vblock a, vblock b)
{
    for (int i = 0; i < 8; i++)
        a.f[i] -= b.f[i];
    return a;
}
static inline vblock vblock_where_equal(vblock a, vblock b, vblock v)
{
    for (int i = 0; i < 8; i++)
        v.f[i] = a.f[i] == b.f[i] ? v.f[i] : 0.0f;
    return v;
}
#endif

#endif
