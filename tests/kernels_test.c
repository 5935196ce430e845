/* Elementary functions and row kernels of every instruction set, called directly, against double
 * precision on dense grids, at odd lengths and on special values. Prints the largest errors. */
#include "harness.h"

#include "exec/isa.h"

#include <float.h>

extern const sal_isa_table sal_isa_table__baseline;
#ifdef __x86_64__
extern const sal_isa_table sal_isa_table__avx2;
extern const sal_isa_table sal_isa_table__avx512;
#endif

enum { CHUNK = 1003 }; /* no multiple of any vector: tails are met */

static int kernels_tables(const sal_isa_table **out)
{
    int n = 0;
    out[n++] = &sal_isa_table__baseline;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[n++] = &sal_isa_table__avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        out[n++] = &sal_isa_table__avx512;
#endif
    return n;
}

/* ---- functions of one number ---- */

static double ref_softplus(double x)
{
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double ref_sigmoid(double x)
{
    return x < 0.0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x));
}

static double ref_cdf(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double ref_gelu(double x)
{
    return x * ref_cdf(x);
}

static double ref_gelu_slope(double x)
{
    return ref_cdf(x) + x * exp(-0.5 * x * x) / sqrt(2.0 * 3.14159265358979323846);
}

static double ref_gelu_tanh(double x)
{
    return x * ref_sigmoid(2.0 * sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
}

static double ref_mish(double x)
{
    return x * tanh(ref_softplus(x));
}

static double ref_swish(double x)
{
    return x * ref_sigmoid(x);
}

static double ref_elu(double x)
{
    return x < 0.0 ? expm1(x) : x;
}

static double ref_square(double x)
{
    return x * x;
}

static double ref_reciprocal(double x)
{
    return 1.0 / x;
}

static double ref_rsqrt(double x)
{
    return 1.0 / sqrt(x);
}

static double ref_relu(double x)
{
    return x < 0.0 ? 0.0 : x;
}

static double ref_sign(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
}

static double ref_softsign(double x)
{
    return x / (1.0 + fabs(x));
}

typedef struct kernels_function {
    const char *name;
    sal_tile_op op;
    double (*ref)(double);
    double lo, hi;   /* of the grid */
    double rel, abs; /* |error| <= abs + rel |y|; abs is for functions that cross or approach 0 by a
                        difference */
    float p0, p1;
} kernels_function;

static const kernels_function kernels_functions[] = {
    {"exp", SAL_TILE_EXP, exp, -87.3, 88.7, 2.5e-7, 0.0, 0.0f, 0.0f},
    {"exp near 0", SAL_TILE_EXP, exp, -1.0, 1.0, 2e-7, 0.0, 0.0f, 0.0f},
    {"log", SAL_TILE_LOG, log, 1e-6, 20.0, 3e-7, 1e-8, 0.0f, 0.0f},
    {"log large", SAL_TILE_LOG, log, 1e3, 3e38, 3e-7, 0.0, 0.0f, 0.0f},
    {"log tiny", SAL_TILE_LOG, log, 1.2e-38, 1e-30, 3e-7, 0.0, 0.0f, 0.0f},
    {"log denormal", SAL_TILE_LOG, log, 1e-44, 1.1e-38, 3e-7, 0.0, 0.0f, 0.0f},
    {"log near 1", SAL_TILE_LOG, log, 0.99, 1.01, 3e-7, 0.0, 0.0f, 0.0f},
    {"erf", SAL_TILE_ERF, erf, -6.0, 6.0, 4e-7, 0.0, 0.0f, 0.0f},
    {"erf near 0", SAL_TILE_ERF, erf, -0.01, 0.01, 4e-7, 0.0, 0.0f, 0.0f},
    {"tanh", SAL_TILE_TANH, tanh, -20.0, 20.0, 4e-7, 0.0, 0.0f, 0.0f},
    {"tanh near 0", SAL_TILE_TANH, tanh, -0.7, 0.7, 4e-7, 0.0, 0.0f, 0.0f},
    {"sigmoid", SAL_TILE_SIGMOID, ref_sigmoid, -87.0, 87.0, 5e-7, 0.0, 0.0f, 0.0f},
    {"softplus", SAL_TILE_SOFTPLUS, ref_softplus, -80.0, 80.0, 1e-6, 0.0, 0.0f, 0.0f},
    {"softplus near 0", SAL_TILE_SOFTPLUS, ref_softplus, -20.0, 2.0, 1e-6, 0.0, 0.0f, 0.0f},
    {"gelu", SAL_TILE_GELU, ref_gelu, -5.0, 10.0, 1e-6, 3e-7, 0.0f, 0.0f},
    {"gelu tanh", SAL_TILE_GELU_TANH, ref_gelu_tanh, -5.0, 10.0, 3e-6, 0.0, 0.0f, 0.0f},
    {"mish", SAL_TILE_MISH, ref_mish, -60.0, 40.0, 2e-6, 0.0, 0.0f, 0.0f},
    {"swish", SAL_TILE_SWISH, ref_swish, -80.0, 80.0, 1e-6, 0.0, 1.0f, 0.0f},
    {"elu", SAL_TILE_ELU, ref_elu, -90.0, 10.0, 1e-7, 1.5e-7, 1.0f, 0.0f},
    {"sin", SAL_TILE_SIN, sin, -100.0, 100.0, 1e-6, 1e-7, 0.0f, 0.0f},
    {"cos", SAL_TILE_COS, cos, -100.0, 100.0, 1e-6, 1e-7, 0.0f, 0.0f},
    {"sqrt", SAL_TILE_SQRT, sqrt, 0.0, 1e6, 1e-7, 0.0, 0.0f, 0.0f},
    {"rsqrt", SAL_TILE_RSQRT, ref_rsqrt, 1e-6, 1e6, 2e-7, 0.0, 0.0f, 0.0f},
    {"reciprocal", SAL_TILE_RECIPROCAL, ref_reciprocal, -50.0, 50.1, 1e-7, 0.0, 0.0f, 0.0f},
    {"square", SAL_TILE_SQUARE, ref_square, -1e3, 1e3, 1e-7, 0.0, 0.0f, 0.0f},
    {"relu", SAL_TILE_RELU, ref_relu, -3.0, 3.0, 0.0, 0.0, 0.0f, 0.0f},
    {"abs", SAL_TILE_ABS, fabs, -3.0, 3.0, 0.0, 0.0, 0.0f, 0.0f},
    {"sign", SAL_TILE_SIGN, ref_sign, -3.0, 3.0, 0.0, 0.0, 0.0f, 0.0f},
    {"floor", SAL_TILE_FLOOR, floor, -30.0, 30.0, 0.0, 0.0, 0.0f, 0.0f},
    {"ceil", SAL_TILE_CEIL, ceil, -30.0, 30.0, 0.0, 0.0, 0.0f, 0.0f},
    {"softsign", SAL_TILE_SOFTSIGN, ref_softsign, -1e3, 1e3, 2e-7, 0.0, 0.0f, 0.0f},
};

/* Largest error in units of what is allowed; *worst_rel, *worst_abs: largest ones seen. */
static double kernels_grid(const sal_isa_table *t, const kernels_function *f, double *worst_rel,
                           double *worst_abs)
{
    enum { POINTS = 200 * CHUNK };
    static float x[CHUNK], y[CHUNK];
    double worst = 0.0;
    *worst_rel = *worst_abs = 0.0;
    for (int start = 0; start < POINTS; start += CHUNK) {
        for (int i = 0; i < CHUNK; i++)
            x[i] = (float)(f->lo + (f->hi - f->lo) * (double)(start + i) / (double)(POINTS - 1));
        t->tile[f->op](y, x, x, x, CHUNK, f->p0, f->p1);
        for (int i = 0; i < CHUNK; i++) {
            double want = f->ref((double)x[i]), e = fabs((double)y[i] - want);
            double allowed = f->abs + f->rel * fabs(want);
            if (e == 0.0 || (double)y[i] == want)
                continue;
            *worst_abs = fmax(*worst_abs, e);
            *worst_rel = fmax(*worst_rel, e / fabs(want));
            if (!(e <= allowed) && !(e / fmax(allowed, 1e-300) <= worst))
                worst = e / fmax(allowed, 1e-300);
            else
                worst = fmax(worst, e / fmax(allowed, 1e-300));
        }
    }
    return worst;
}

TEST(functions_on_grids)
{
    const sal_isa_table *tables[3];
    int n = kernels_tables(tables);
    for (size_t k = 0; k < sizeof kernels_functions / sizeof *kernels_functions; k++) {
        const kernels_function *f = &kernels_functions[k];
        printf("%-16s", f->name);
        for (int i = 0; i < n; i++) {
            double rel, abs;
            double w = kernels_grid(tables[i], f, &rel, &abs);
            printf("  %s rel %.2g abs %.2g", tables[i]->name, rel, abs);
            CHECK_MSG(w <= 1.0, "%s of %s: relative error %.3g, absolute %.3g", f->name,
                      tables[i]->name, rel, abs);
        }
        printf("\n");
    }
}

TEST(gelu_slope)
{
    const sal_isa_table *tables[3];
    int n = kernels_tables(tables);
    float one[CHUNK], x[CHUNK], y[CHUNK];
    for (int k = 0; k < n; k++)
        for (int start = 0; start < 40; start++) {
            for (int i = 0; i < CHUNK; i++) {
                x[i] = (float)(-8.0 + 16.0 * (start * CHUNK + i) / (40.0 * CHUNK));
                one[i] = 1.0f;
            }
            for (int form = 0; form < 2; form++) {
                sal_tile_op op = form == 0 ? SAL_TILE_GELU_GRAD : SAL_TILE_GELU_TANH_GRAD;
                tables[k]->tile[op](y, one, x, x, CHUNK, 0.0f, 0.0f);
                for (int i = 0; i < CHUNK; i++) {
                    double v = (double)x[i];
                    double h = 1e-5,
                           want = form == 0
                                      ? ref_gelu_slope(v)
                                      : (ref_gelu_tanh(v + h) - ref_gelu_tanh(v - h)) / (2.0 * h);
                    CHECK_NEAR(y[i], want, 6e-7);
                }
            }
        }
}

/* ---- special values ---- */

typedef struct kernels_special {
    sal_tile_op op;
    float x, want; /* NAN: a NaN is wanted */
} kernels_special;

TEST(special_values)
{
    const float inf = INFINITY, nan = NAN, tiny = 1e-40f, big = FLT_MAX;
    const kernels_special rows[] = {
        {SAL_TILE_EXP, inf, inf},
        {SAL_TILE_EXP, -inf, 0.0f},
        {SAL_TILE_EXP, nan, nan},
        {SAL_TILE_EXP, big, inf},
        {SAL_TILE_EXP, -big, 0.0f},
        {SAL_TILE_EXP, tiny, 1.0f},
        {SAL_TILE_EXP, 0.0f, 1.0f},
        {SAL_TILE_EXP, -0.0f, 1.0f},
        {SAL_TILE_EXP, 89.0f, inf},
        {SAL_TILE_LOG, inf, inf},
        {SAL_TILE_LOG, -inf, nan},
        {SAL_TILE_LOG, nan, nan},
        {SAL_TILE_LOG, 0.0f, -inf},
        {SAL_TILE_LOG, -0.0f, -inf},
        {SAL_TILE_LOG, -1.0f, nan},
        {SAL_TILE_LOG, 1.0f, 0.0f},
        {SAL_TILE_LOG, big, 88.72284f},
        {SAL_TILE_LOG, tiny, -92.10341f},
        {SAL_TILE_LOG, 1.4e-45f, -103.2789f},
        {SAL_TILE_ERF, inf, 1.0f},
        {SAL_TILE_ERF, -inf, -1.0f},
        {SAL_TILE_ERF, nan, nan},
        {SAL_TILE_ERF, big, 1.0f},
        {SAL_TILE_ERF, 0.0f, 0.0f},
        {SAL_TILE_TANH, inf, 1.0f},
        {SAL_TILE_TANH, -inf, -1.0f},
        {SAL_TILE_TANH, nan, nan},
        {SAL_TILE_TANH, big, 1.0f},
        {SAL_TILE_TANH, tiny, tiny},
        {SAL_TILE_SIGMOID, inf, 1.0f},
        {SAL_TILE_SIGMOID, -inf, 0.0f},
        {SAL_TILE_SIGMOID, nan, nan},
        {SAL_TILE_SIGMOID, big, 1.0f},
        {SAL_TILE_SIGMOID, -big, 0.0f},
        {SAL_TILE_SIGMOID, 0.0f, 0.5f},
        {SAL_TILE_SOFTPLUS, inf, inf},
        {SAL_TILE_SOFTPLUS, -inf, 0.0f},
        {SAL_TILE_SOFTPLUS, nan, nan},
        {SAL_TILE_SOFTPLUS, big, big},
        {SAL_TILE_SOFTPLUS, -big, 0.0f},
        {SAL_TILE_GELU, inf, inf},
        {SAL_TILE_GELU, nan, nan},
        {SAL_TILE_GELU, big, big},
        {SAL_TILE_GELU, -big, 0.0f},
        {SAL_TILE_GELU_TANH, nan, nan},
        {SAL_TILE_MISH, nan, nan},
        {SAL_TILE_RELU, nan, nan},
        {SAL_TILE_RELU, -inf, 0.0f},
        {SAL_TILE_RELU, inf, inf},
        {SAL_TILE_ABS, -inf, inf},
        {SAL_TILE_ABS, nan, nan},
        {SAL_TILE_SIGN, nan, nan},
        {SAL_TILE_SQRT, -1.0f, nan},
        {SAL_TILE_SQRT, inf, inf},
        {SAL_TILE_RECIPROCAL, 0.0f, inf},
        {SAL_TILE_RECIPROCAL, -inf, 0.0f},
        {SAL_TILE_NONZERO, nan, 1.0f},
        {SAL_TILE_FLOOR, -inf, -inf},
    };
    const sal_isa_table *tables[3];
    int n = kernels_tables(tables);
    for (int k = 0; k < n; k++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            float x[37], y[37];
            for (int j = 0; j < 37; j++)
                x[j] = rows[i].x;
            tables[k]->tile[rows[i].op](y, x, x, x, 37, 1.0f, 1.0f);
            for (int j = 0; j < 37; j += 36) { /* vector body and tail */
                bool ok = isnan(rows[i].want)
                              ? isnan(y[j])
                              : y[j] == rows[i].want ||
                                    fabsf(y[j] - rows[i].want) <= 4e-7f * fabsf(rows[i].want);
                CHECK_MSG(ok, "%s: row %zu: f(%g) = %g, not %g", tables[k]->name, i,
                          (double)rows[i].x, (double)y[j], (double)rows[i].want);
            }
        }
}

TEST(clip_and_extremes_keep_nan)
{
    const sal_isa_table *tables[3];
    int n = kernels_tables(tables);
    for (int k = 0; k < n; k++) {
        float a[3] = {NAN, 1.0f, 2.0f}, b[3] = {1.0f, NAN, 5.0f}, y[3];
        tables[k]->tile[SAL_TILE_MIN](y, a, b, a, 3, 0.0f, 0.0f);
        CHECK(isnan(y[0]) && isnan(y[1]) && y[2] == 2.0f);
        tables[k]->tile[SAL_TILE_MAX](y, a, b, a, 3, 0.0f, 0.0f);
        CHECK(isnan(y[0]) && isnan(y[1]) && y[2] == 5.0f);
        tables[k]->tile[SAL_TILE_CLIP](y, a, a, a, 3, 0.0f, 1.5f);
        CHECK(isnan(y[0]) && y[1] == 1.0f && y[2] == 1.5f);
    }
}

/* ---- element formats ---- */

TEST(bfloat16)
{
    const sal_isa_table *tables[3];
    int n = kernels_tables(tables);
    for (int k = 0; k < n; k++)
        for (uint32_t start = 0; start < 65536; start += 255) {
            uint16_t in[255], out[255];
            float f[255];
            for (uint32_t i = 0; i < 255; i++)
                in[i] = (uint16_t)(start + i);
            tables[k]->load_bf16(f, in, 255);
            tables[k]->store_bf16(out, f, 255);
            for (int i = 0; i < 255; i++)
                CHECK(out[i] == in[i] || isnan(f[i]));
        }
    for (int k = 0; k < n; k++) {
        /* halves go to even, infinities and NaN stay */
        const float f[5] = {1.00390625f, 1.01171875f, INFINITY, NAN, FLT_MAX};
        uint16_t out[5];
        tables[k]->store_bf16(out, f, 5);
        CHECK_EQ(out[0], 0x3f80);
        CHECK_EQ(out[1], 0x3f82);
        CHECK_EQ(out[2], 0x7f80);
        CHECK((out[3] & 0x7fff) > 0x7f80);
        CHECK_EQ(out[4], 0x7f80);
    }
}

/* ---- rows ---- */

enum { ROW_MAX = 1100 };

static void kernels_row(float *x, int n, uint32_t seed, float scale)
{
    uint32_t s = seed * 2654435761u + 12345u;
    for (int i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = scale * ((float)(s >> 8) / 8388608.0f - 1.0f);
    }
}

static void ref_softmax(double *y, const float *x, int n)
{
    double top = (double)x[0], sum = 0.0;
    for (int i = 0; i < n; i++)
        top = fmax(top, (double)x[i]);
    for (int i = 0; i < n; i++)
        sum += y[i] = exp((double)x[i] - top);
    for (int i = 0; i < n; i++)
        y[i] /= sum;
}

static const int kernels_lengths[] = {1,  2,  3,   7,   15,  16,  17,   63,
                                      64, 65, 127, 128, 197, 768, 1000, 1100};

TEST(softmax_rows)
{
    const sal_isa_table *tables[3];
    int n_tables = kernels_tables(tables);
    float x[ROW_MAX], y[ROW_MAX], dy[ROW_MAX], dx[ROW_MAX];
    double want[ROW_MAX], worst = 0.0;
    for (int t = 0; t < n_tables; t++)
        for (size_t l = 0; l < sizeof kernels_lengths / sizeof *kernels_lengths; l++)
            for (int scale = 0; scale < 3; scale++) {
                int n = kernels_lengths[l];
                kernels_row(x, n, (uint32_t)l, scale == 0 ? 1.0f : scale == 1 ? 30.0f : 1e4f);
                kernels_row(dy, n, (uint32_t)l + 99u, 1.0f);
                ref_softmax(want, x, n);
                tables[t]->softmax(y, x, n);
                tables[t]->softmax_grad(dx, dy, y, n);
                double inner = 0.0;
                for (int i = 0; i < n; i++)
                    inner += want[i] * (double)dy[i];
                for (int i = 0; i < n; i++) {
                    /* x - max(x) is rounded: half a unit of the spread goes into the exponent */
                    double tol = (1e-6 + 6e-8 * fabs(log(want[i] + 1e-300))) * want[i] + 1e-37;
                    CHECK_NEAR(y[i], want[i], tol);
                    if (want[i] > 1e-6)
                        worst = fmax(worst, fabs((double)y[i] - want[i]) / want[i]);
                    CHECK_NEAR(dx[i], want[i] * ((double)dy[i] - inner), 2.0 * tol);
                }
            }
    printf("softmax: relative error %.2g\n", worst);
}

TEST(softmax_special_rows)
{
    const sal_isa_table *tables[3];
    int n_tables = kernels_tables(tables);
    for (int t = 0; t < n_tables; t++)
        for (int n = 2; n < 200; n += 33) {
            float x[200], y[200];
            for (int i = 0; i < n; i++)
                x[i] = -INFINITY; /* a masked row, but for one place */
            x[n - 1] = 3.0f;
            tables[t]->softmax(y, x, n);
            CHECK(y[n - 1] == 1.0f && y[0] == 0.0f);
            x[n - 1] = -INFINITY; /* all masked: 0 / 0 */
            tables[t]->softmax(y, x, n);
            CHECK(isnan(y[0]) && isnan(y[n - 1]));
            for (int i = 0; i < n; i++)
                x[i] = 3e38f;
            tables[t]->softmax(y, x, n);
            CHECK_NEAR(y[0], 1.0 / n, 1e-7);
            x[n / 2] = NAN;
            tables[t]->softmax(y, x, n);
            CHECK(isnan(y[0]) && isnan(y[n / 2]) && isnan(y[n - 1]));
        }
}

static void ref_layer_norm(double *xhat, double *rstd, const float *x, int n, double eps)
{
    double mu = 0.0, var = 0.0;
    for (int i = 0; i < n; i++)
        mu += (double)x[i] / n;
    for (int i = 0; i < n; i++)
        var += ((double)x[i] - mu) * ((double)x[i] - mu) / n;
    *rstd = 1.0 / sqrt(var + eps);
    for (int i = 0; i < n; i++)
        xhat[i] = ((double)x[i] - mu) * *rstd;
}

TEST(layer_norm_rows)
{
    const sal_isa_table *tables[3];
    int n_tables = kernels_tables(tables);
    float x[ROW_MAX], y[ROW_MAX], z[ROW_MAX], dy[ROW_MAX], dx[ROW_MAX], scale[ROW_MAX],
        bias[ROW_MAX];
    double xhat[ROW_MAX], worst = 0.0, worst_grad = 0.0;
    for (int t = 0; t < n_tables; t++)
        for (size_t l = 0; l < sizeof kernels_lengths / sizeof *kernels_lengths; l++) {
            int n = kernels_lengths[l];
            double rstd, a = 0.0, b = 0.0, eps = (double)1e-5f;
            kernels_row(x, n, (uint32_t)l, 2.0f);
            kernels_row(dy, n, (uint32_t)l + 7u, 1.0f);
            kernels_row(scale, n, (uint32_t)l + 8u, 1.0f);
            kernels_row(bias, n, (uint32_t)l + 9u, 1.0f);
            ref_layer_norm(xhat, &rstd, x, n, eps);
            tables[t]->layer_norm(y, x, scale, bias, n, 1e-5f);
            tables[t]->layer_norm(z, x, scale, NULL, n, 1e-5f);
            tables[t]->layer_norm_grad(dx, dy, x, scale, n, 1e-5f);
            for (int i = 0; i < n; i++) {
                a += (double)dy[i] * (double)scale[i] / n;
                b += (double)dy[i] * (double)scale[i] * xhat[i] / n;
            }
            for (int i = 0; i < n; i++) {
                double g = rstd * ((double)dy[i] * (double)scale[i] - a - xhat[i] * b);
                worst = fmax(worst,
                             fabs((double)y[i] - (xhat[i] * (double)scale[i] + (double)bias[i])));
                worst = fmax(worst, fabs((double)z[i] - xhat[i] * (double)scale[i]));
                worst_grad = fmax(worst_grad, fabs((double)dx[i] - g) / rstd);
            }
        }
    printf("layer normalisation: error %.2g, gradient %.2g\n", worst, worst_grad);
    CHECK_LE(worst, 2e-6);
    CHECK_LE(worst_grad, 2e-6);
}

/* A row far from zero with little variance: one pass over x and x^2 would lose everything. */
TEST(layer_norm_of_offsets)
{
    const sal_isa_table *tables[3];
    int n_tables = kernels_tables(tables);
    float x[ROW_MAX], y[ROW_MAX], scale[ROW_MAX];
    double xhat[ROW_MAX], rstd;
    for (int t = 0; t < n_tables; t++) {
        for (int i = 0; i < 768; i++) {
            x[i] = 1000.0f + (float)(i % 5);
            scale[i] = 1.0f;
        }
        ref_layer_norm(xhat, &rstd, x, 768, (double)1e-5f);
        tables[t]->layer_norm(y, x, scale, NULL, 768, 1e-5f);
        for (int i = 0; i < 768; i++)
            CHECK_NEAR(y[i], xhat[i], 2e-4);
    }
}

TEST(sums)
{
    const sal_isa_table *tables[3];
    int n_tables = kernels_tables(tables);
    static float x[16 * 3200];
    kernels_row(x, 16 * 3200, 5, 1.0f);
    for (int t = 0; t < n_tables; t++) {
        for (size_t l = 0; l < sizeof kernels_lengths / sizeof *kernels_lengths; l++) {
            double want = 0.0;
            for (int i = 0; i < kernels_lengths[l]; i++)
                want += (double)x[i];
            CHECK_NEAR(tables[t]->sum(x, kernels_lengths[l]), want, 1e-12);
        }
        const int block = tables[t]->block;
        for (int n = 1; n <= 3136; n = n < 8 ? n + 1 : n * 7) {
            float acc[16] = {0.0f};
            tables[t]->sum_blocked(acc, x, n);
            for (int c = 0; c < block; c++) {
                double want = 0.0;
                for (int i = 0; i < n; i++)
                    want += (double)x[i * block + c];
                CHECK_NEAR(acc[c], want, 3e-7 * sqrt((double)n) + 1e-7 * n);
            }
        }
    }
}

/* d may be one of the operands. */
TEST(in_place)
{
    const sal_isa_table *tables[3];
    int n_tables = kernels_tables(tables);
    for (int t = 0; t < n_tables; t++)
        for (int op = 0; op < SAL_TILE_COUNT; op++) {
            float a[131], b[131], c[131], want[131];
            kernels_row(a, 131, 1, 1.0f);
            kernels_row(b, 131, 2, 1.0f);
            kernels_row(c, 131, 3, 1.0f);
            tables[t]->tile[op](want, a, b, c, 131, 0.5f, 0.7f);
            for (int which = 0; which < 3; which++) {
                float x[3][131];
                memcpy(x[0], a, sizeof a);
                memcpy(x[1], b, sizeof b);
                memcpy(x[2], c, sizeof c);
                tables[t]->tile[op](x[which], x[0], x[1], x[2], 131, 0.5f, 0.7f);
                CHECK_MSG(memcmp(x[which], want, sizeof want) == 0,
                          "%s: instruction %d over operand %d", tables[t]->name, op, which);
            }
        }
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(functions_on_grids), T(gelu_slope), T(special_values),
                              T(clip_and_extremes_keep_nan), T(bfloat16), T(softmax_rows),
                              T(softmax_special_rows), T(layer_norm_rows), T(layer_norm_of_offsets),
                              T(sums), T(in_place)));
}
