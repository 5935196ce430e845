/* The test rig: checks that report and go on, a filter, one closing line. Included once in each
 * program.
 *
 *     TEST(adds_up) { CHECK_EQ(1 + 1, 2); }
 *     int main(int argc, char **argv) { return harness_main(argc, argv, TESTS(T(adds_up))); }
 *
 * program            all tests          program --list     their names
 * program WORD...    those whose name contains one of the words
 * The seed of random tests is SAL_TEST_SEED (default 1); it is printed, so that a failure can be
 * repeated. */
#ifndef SAL_TESTS_HARNESS_H
#define SAL_TESTS_HARNESS_H

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct harness_test {
    const char *name;
    void (*run)(void);
} harness_test;

static struct {
    long checks, failures;
    uint64_t seed;
} harness = {0, 0, 1};

#define TEST(id) static void test_##id(void)
#define T(id)                                                                                      \
    {                                                                                              \
#id, test_##id                                                                             \
    }
#define TESTS(...)                                                                                 \
    ((const harness_test[]){__VA_ARGS__}),                                                         \
        (sizeof((const harness_test[]){__VA_ARGS__}) / sizeof(harness_test))

/* Prints at most a few failures of one test: a broken loop should not drown the cause. */
static inline bool harness_report(bool ok, const char *file, int line)
{
    harness.checks++;
    if (ok)
        return false;
    harness.failures++;
    if (harness.failures > 20)
        return false;
    fprintf(stderr, "%s:%d: ", file, line);
    return true;
}

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (harness_report((cond) ? true : false, __FILE__, __LINE__))                             \
            fprintf(stderr, "CHECK(%s)\n", #cond);                                                 \
    } while (0)

/* With a message: CHECK_MSG(ok, "node %d: %s", i, err.msg). */
#define CHECK_MSG(cond, ...)                                                                       \
    do {                                                                                           \
        if (harness_report((cond) ? true : false, __FILE__, __LINE__)) {                           \
            fprintf(stderr, "CHECK(%s): ", #cond);                                                 \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
        }                                                                                          \
    } while (0)

/* Integers, enums, sizes: shown as signed 64 bit. */
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        const int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                        \
        if (harness_report(a_ == b_, __FILE__, __LINE__))                                          \
            fprintf(stderr, "%s == %s: %" PRId64 " != %" PRId64 "\n", #a, #b, a_, b_);             \
    } while (0)

#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *a_ = (a), *b_ = (b);                                                           \
        bool same_ = a_ != NULL && b_ != NULL && strcmp(a_, b_) == 0;                              \
        if (harness_report(same_, __FILE__, __LINE__))                                             \
            fprintf(stderr, "%s: \"%s\" != \"%s\"\n", #a, a_ ? a_ : "NULL", b_ ? b_ : "NULL");     \
    } while (0)

/* |a - b| <= tol; NaN never passes. */
#define CHECK_NEAR(a, b, tol)                                                                      \
    do {                                                                                           \
        const double a_ = (double)(a), b_ = (double)(b), t_ = (double)(tol);                       \
        if (harness_report(fabs(a_ - b_) <= t_ || a_ == b_, __FILE__, __LINE__))                   \
            fprintf(stderr, "%s ~ %s: %.9g and %.9g differ by %.3g > %.3g\n", #a, #b, a_, b_,      \
                    fabs(a_ - b_), t_);                                                            \
    } while (0)

#define CHECK_LE(a, b)                                                                             \
    do {                                                                                           \
        const double a_ = (double)(a), b_ = (double)(b);                                           \
        if (harness_report(a_ <= b_, __FILE__, __LINE__))                                          \
            fprintf(stderr, "%s <= %s: %.9g > %.9g\n", #a, #b, a_, b_);                            \
    } while (0)

/* A status that must be SAL_OK; needs <salience/error.h> and an `sal_error err` that was passed. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        err.msg[0] = '\0';                                                                         \
        const int st_ = (int)(call);                                                               \
        if (harness_report(st_ == 0, __FILE__, __LINE__))                                          \
            fprintf(stderr, "%s: %d: %s\n", #call, st_, err.msg);                                  \
    } while (0)

/* max |a - b| / max |b|: the error relative to the scale of the expected values b. */
static inline double harness_rel_f32(const float *a, const float *b, size_t n)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst))
            worst = d; /* also takes NaN */
        scale = fmax(scale, fabs((double)b[i]));
    }
    return scale > 0 ? worst / scale : worst;
}

/* sum (a-b)^2 / sum b^2 */
static inline double harness_nmse_f32(const float *a, const float *b, size_t n)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        error += d * d;
        power += (double)b[i] * (double)b[i];
    }
    return power > 0 ? error / power : error;
}

static inline double harness_rel_f64(const double *a, const double *b, size_t n)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]);
        if (!(d <= worst))
            worst = d;
        scale = fmax(scale, fabs(b[i]));
    }
    return scale > 0 ? worst / scale : worst;
}

static inline int harness_main(int argc, char **argv, const harness_test *tests, size_t count)
{
    const char *seed = getenv("SAL_TEST_SEED");
    if (seed != NULL)
        harness.seed = strtoull(seed, NULL, 0);
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    int passed = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = argc < 2 || list;
        for (int a = 1; a < argc; a++)
            wanted = wanted || strstr(tests[i].name, argv[a]) != NULL;
        if (!wanted)
            continue;
        if (list) {
            puts(tests[i].name);
            continue;
        }
        harness.failures = 0;
        tests[i].run();
        bool ok = harness.failures == 0;
        passed += ok;
        failed += !ok;
        if (!ok)
            fprintf(stderr, "FAILED %s: %ld checks\n", tests[i].name, harness.failures);
    }
    if (list)
        return 0;
    printf("seed %" PRIu64 ", %ld checks\n", harness.seed, harness.checks);
    printf("%d passed, %d failed\n", passed, failed);
    fflush(stdout);
    return failed == 0 && passed > 0 ? 0 : 1;
}

#endif
