/* The base layer: allocation, errors, arenas, growing arrays, floats, files, random numbers,
 * tensors. */
#include "base/base.h"
#include "harness.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base_temp(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/base-%ld-%s", SAL_TEST_TMP, (long)getpid(), name);
    return path;
}

/* ---- allocation ---- */

TEST(alloc_counts)
{
    long before = sal_test_live();
    void *a = sal_malloc(0), *b = sal_calloc(3, 5), *c = sal_aligned(100);
    CHECK(a != NULL && b != NULL && c != NULL);
    CHECK_EQ((uintptr_t)c % 64, 0);
    CHECK_EQ(sal_test_live() - before, 3);
    a = sal_realloc(a, 1000);
    CHECK_EQ(sal_test_live() - before, 3);
    sal_free(a);
    sal_free(b);
    sal_free(c);
    sal_free(NULL);
    CHECK_EQ(sal_test_live(), before);
    CHECK(sal_calloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(sal_malloc(SIZE_MAX) == NULL);
    CHECK(sal_aligned(SIZE_MAX) == NULL);
    CHECK_EQ(sal_test_live(), before);
}

TEST(alloc_fails_on_request)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        void *p[4];
        sal_test_fail_after(1, sticky != 0);
        for (int i = 0; i < 4; i++)
            p[i] = sal_malloc(8);
        sal_test_fail_after(-1, false);
        CHECK(p[0] != NULL && p[1] == NULL);
        CHECK((p[2] == NULL) == (sticky != 0) && (p[3] == NULL) == (sticky != 0));
        for (int i = 0; i < 4; i++)
            sal_free(p[i]);
    }
    void *kept = sal_malloc(8);
    sal_test_fail_after(0, false);
    CHECK(sal_realloc(kept, 1 << 20) == NULL);
    sal_test_fail_after(-1, false);
    sal_free(kept);
}

TEST(overflow)
{
    size_t r = 7;
    CHECK(sal_mul_ok(0, SIZE_MAX, &r) && r == 0);
    CHECK(sal_mul_ok(SIZE_MAX, 1, &r) && r == SIZE_MAX);
    CHECK(!sal_mul_ok(SIZE_MAX / 2 + 1, 2, &r));
    CHECK(sal_add_ok(SIZE_MAX - 1, 1, &r) && r == SIZE_MAX);
    CHECK(!sal_add_ok(SIZE_MAX, 1, &r));
}

/* ---- errors ---- */

TEST(errors)
{
    sal_error err;
    CHECK_EQ(sal_fail_at(&err, SAL_EFORMAT, 42, "bad %s\n\x1b[31m", "magic"), SAL_EFORMAT);
    CHECK_EQ(err.code, SAL_EFORMAT);
    CHECK_EQ(err.offset, 42);
    CHECK_STR(err.msg, "bad magic??[31m");
    CHECK_EQ(sal_fail_prefix(&err, SAL_EIO, "%s", "a.onnx"), SAL_EIO);
    CHECK_STR(err.msg, "a.onnx: bad magic??[31m");
    CHECK_EQ(err.offset, 42);
    CHECK_EQ(sal_fail(&err, SAL_EINVAL, "again: %s", err.msg), SAL_EINVAL);
    CHECK_STR(err.msg, "again: a.onnx: bad magic??[31m");
    CHECK_EQ(err.offset, 0);
    CHECK_EQ(sal_fail(NULL, SAL_ESHAPE, "x"), SAL_ESHAPE);
    CHECK_EQ(sal_fail_prefix(NULL, SAL_ESHAPE, "x"), SAL_ESHAPE);
    CHECK_STR(sal_status_text(SAL_ENOMEM), "out of memory");
    CHECK_STR(sal_status_text((sal_status)-999), "unknown status");
    for (int i = 0; i < 200; i++) /* always terminated, however long */
        (void)sal_fail_prefix(&err, SAL_EIO, "prefix %d", i);
    CHECK_EQ(strlen(err.msg), sizeof err.msg - 1);
    char wide[sizeof err.msg + 10];
    for (size_t i = 0; i + 1 < sizeof wide; i += 2)
        memcpy(wide + i, "\xc3\xa9", 2);
    wide[sizeof wide - 1] = '\0';
    (void)sal_fail(&err, SAL_EIO, "%s", wide);
    CHECK_EQ(strlen(err.msg) % 2, 0); /* not cut inside a character */
}

/* ---- arena, growing ---- */

TEST(arena)
{
    long before = sal_test_live();
    sal_arena a = {NULL};
    uint8_t *last = NULL;
    for (size_t n = 0; n < 3000; n++) {
        size_t bytes = n % 97 == 0 ? 20000 : n % 40;
        uint8_t *p = sal_arena_alloc(&a, bytes);
        CHECK(p != NULL && p != last && (uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < bytes; i++)
            if (p[i] != 0)
                CHECK(false);
        memset(p, 0xff, bytes);
        last = p;
    }
    CHECK_STR(sal_arena_strdup(&a, "hello"), "hello");
    CHECK_STR(sal_arena_strndup(&a, "hello", 3), "hel");
    CHECK_STR(sal_arena_strndup(&a, "hello", 30), "hello");
    CHECK_STR(sal_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    CHECK(memcmp(sal_arena_memdup(&a, "abc", 3), "abc", 3) == 0);
    CHECK(sal_arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(sal_test_live() - before < 200);
    sal_arena_free(&a);
    CHECK_EQ(sal_test_live(), before);
    CHECK(a.head == NULL);
}

TEST(bytes_and_grow)
{
    sal_error err;
    sal_bytes b = {NULL, 0, 0};
    for (int i = 0; i < 1000; i++)
        CHECK_OK(sal_bytes_printf(&b, &err, "%03d,", i));
    CHECK_OK(sal_bytes_add(&b, "\0x", 2, &err));
    CHECK_EQ(b.len, 4002);
    CHECK(memcmp(b.data, "000,001,", 8) == 0 && b.data[4002] == '\0');
    sal_test_fail_after(0, true);
    sal_status st = SAL_OK;
    while (st == SAL_OK)
        st = sal_bytes_add(&b, "more", 4, &err);
    sal_test_fail_after(-1, false);
    CHECK_EQ(st, SAL_ENOMEM);
    CHECK(memcmp(b.data, "000,001,", 8) == 0);
    sal_bytes_free(&b);

    int64_t *items = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < 1000; i++) {
        CHECK_OK(sal_grow(&items, i + 1, &cap, sizeof *items, &err));
        items[i] = (int64_t)i;
    }
    CHECK_EQ(items[999], 999);
    CHECK_EQ(sal_grow(&items, SIZE_MAX, &cap, sizeof *items, &err), SAL_ENOMEM);
    sal_free(items);
}

/* ---- floats ---- */

TEST(f16_round_trip)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = sal_f16_to_f32((uint16_t)h);
        uint16_t back = sal_f32_to_f16(f);
        if (isnan(f))
            CHECK((back & 0x7e00u) == 0x7e00u);
        else
            CHECK_EQ(back, h);
        f = sal_bf16_to_f32((uint16_t)h);
        back = sal_f32_to_bf16(f);
        if (isnan(f))
            CHECK((back & 0x7fc0u) == 0x7fc0u);
        else
            CHECK_EQ(back, h);
    }
    CHECK_NEAR(sal_f16_to_f32(0x3c00), 1.0, 0);
    CHECK_NEAR(sal_f16_to_f32(0x0001), 0x1p-24, 0);
    CHECK_NEAR(sal_f16_to_f32(0x7bff), 65504.0, 0);
}

/* Nearest even against the definition: the two neighbours and the even one on a tie. */
TEST(f16_rounds_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        double lo = (double)sal_f16_to_f32((uint16_t)h),
               hi = (double)sal_f16_to_f32((uint16_t)(h + 1));
        float mid = (float)((lo + hi) / 2);
        CHECK_EQ(sal_f32_to_f16(mid), h & 1 ? h + 1 : h);
        CHECK_EQ(sal_f32_to_f16(nextafterf(mid, -1.0f)), h);
        CHECK_EQ(sal_f32_to_f16(nextafterf(mid, 1e9f)), h + 1);
        CHECK_EQ(sal_f32_to_f16(-mid), 0x8000u | (h & 1 ? h + 1 : h));
    }
    CHECK_EQ(sal_f32_to_f16(65519.996f), 0x7bff);
    CHECK_EQ(sal_f32_to_f16(65520.0f), 0x7c00);
    CHECK_EQ(sal_f32_to_bf16(1.00390625f), 0x3f80); /* tie to even: 1 + 2^-8 */
    CHECK_EQ(sal_f32_to_bf16(1.01171875f), 0x3f82); /* 1 + 3 * 2^-8 */
    CHECK_EQ(sal_f32_to_bf16(3.4e38f), 0x7f80);
}

/* ---- files ---- */

TEST(files)
{
    sal_error err;
    const char *path = base_temp("file");
    size_t sizes[] = {0, 1, 1000, 1 << 18, (1 << 18) + 1, 1 << 20};
    for (size_t k = 0; k < SAL_COUNTOF(sizes); k++) {
        uint8_t *data = sal_malloc(sizes[k]);
        for (size_t i = 0; i < sizes[k]; i++)
            data[i] = (uint8_t)(i * 7);
        CHECK_OK(sal_file_write(path, data, sizes[k], &err));
        sal_file f;
        CHECK_OK(sal_file_open(&f, path, &err));
        CHECK_EQ(f.size, sizes[k]);
        CHECK(f.data != NULL && (sizes[k] == 0 || memcmp(f.data, data, sizes[k]) == 0));
        sal_file_close(&f);
        sal_file_close(&f);
        sal_free(data);
    }
    CHECK_EQ(unlink(path), 0);
}

TEST(files_refused)
{
    sal_error err;
    sal_file f;
    CHECK_EQ(sal_file_open(&f, base_temp("none"), &err), SAL_EIO);
    CHECK(strstr(err.msg, "No such file") != NULL);
    CHECK_EQ(sal_file_open(&f, SAL_TEST_TMP, &err), SAL_EIO);
    CHECK(strstr(err.msg, "is a directory") != NULL);
    CHECK_EQ(sal_file_open(&f, "/dev/zero", &err), SAL_EIO);
    const char *fifo = base_temp("fifo");
    CHECK_EQ(mkfifo(fifo, 0600), 0);
    CHECK_EQ(sal_file_open(&f, fifo, &err), SAL_EIO); /* and does not wait for a writer */
    CHECK_EQ(unlink(fifo), 0);
    CHECK_EQ(sal_file_write(SAL_TEST_TMP, "x", 1, &err), SAL_EIO);
    CHECK_EQ(sal_file_write("/nonexistent/x", "x", 1, &err), SAL_EIO);
    CHECK(strncmp(err.msg, "/nonexistent/x: ", 16) == 0);
    CHECK_OK(sal_file_write("/dev/null", "x", 1, &err));
    struct stat info;
    CHECK(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
}

TEST(file_write_follows_links)
{
    sal_error err;
    char link[PATH_MAX];
    snprintf(link, sizeof link, "%s", base_temp("link"));
    const char *path = base_temp("target");
    CHECK_OK(sal_file_write(path, "old", 3, &err));
    CHECK_EQ(symlink(path, link), 0);
    CHECK_OK(sal_file_write(link, "new!", 4, &err));
    struct stat info;
    CHECK(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(stat(path, &info) == 0 && info.st_size == 4);
    CHECK(unlink(link) == 0 && unlink(path) == 0);
}

/* ---- random numbers ---- */

TEST(rng)
{
    sal_rng a = sal_rng_seed(1, 0), b = sal_rng_seed(1, 0), c = sal_rng_seed(1, 1),
            d = sal_rng_seed(2, 0);
    int same_c = 0, same_d = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = sal_rng_u64(&a);
        CHECK(x == sal_rng_u64(&b));
        same_c += x == sal_rng_u64(&c);
        same_d += x == sal_rng_u64(&d);
    }
    CHECK_EQ(same_c + same_d, 0);
    sal_rng jump = sal_rng_seed(1, 0);
    jump.counter = 1000; /* any draw by itself */
    CHECK(sal_rng_u64(&jump) == sal_rng_u64(&a));

    const int n = 200000;
    double mean = 0, square = 0, normal = 0, normal2 = 0, normal4 = 0, serial = 0, last = 0.5;
    for (int i = 0; i < n; i++) {
        double u = sal_rng_uniform(&a), z = sal_rng_normal(&c);
        if (!(u >= 0 && u < 1))
            CHECK(false);
        mean += u / n;
        square += (u - 0.5) * (u - 0.5) / n;
        serial += (u - 0.5) * (last - 0.5) / n;
        last = u;
        normal += z / n;
        normal2 += z * z / n;
        normal4 += z * z * z * z / n;
    }
    /* Bounds are about five standard errors. */
    CHECK_NEAR(mean, 0.5, 0.0033);
    CHECK_NEAR(square, 1.0 / 12, 0.0009);
    CHECK_NEAR(serial, 0, 0.001);
    CHECK_NEAR(normal, 0, 0.0112);
    CHECK_NEAR(normal2, 1, 0.016);
    CHECK_NEAR(normal4, 3, 0.11);
    CHECK_EQ(sal_hash("a", 1, 0) == 0xaf63dc4c8601ec8cu, 1); /* published value of FNV-1a */
    CHECK(sal_hash("a", 1, 1) != sal_hash("a", 1, 0));
}

/* ---- tensors ---- */

TEST(tensor_storage)
{
    sal_error err;
    long before = sal_test_live();
    sal_tensor t = SAL_TENSOR_INIT;
    CHECK_OK(sal_tensor_new(&t, SAL_F32, 3, (int64_t[]){2, 3, 4}, &err));
    CHECK_EQ(sal_tensor_count(&t), 24);
    CHECK_EQ(sal_tensor_bytes(&t), 96);
    CHECK_EQ((uintptr_t)t.data % 64, 0);
    for (int64_t i = 0; i < 24; i++)
        CHECK_NEAR(sal_tensor_get(&t, i), 0, 0);
    sal_tensor_set(&t, 23, 2.5);
    sal_tensor other = sal_tensor_ref(&t);
    sal_tensor_free(&t);
    CHECK_EQ(t.dtype, SAL_DT_NONE);
    CHECK_NEAR(sal_tensor_get(&other, 23), 2.5, 0);
    sal_tensor_free(&other);
    sal_tensor_free(&other);
    sal_tensor_free(NULL);

    CHECK_OK(sal_tensor_new(&t, SAL_I64, 0, NULL, &err));
    CHECK_EQ(sal_tensor_count(&t), 1);
    sal_tensor_free(&t);
    CHECK_OK(sal_tensor_new(&t, SAL_I64, 3, (int64_t[]){INT64_MAX, 0, INT64_MAX}, &err));
    CHECK_EQ(sal_tensor_count(&t), 0);
    CHECK(t.data == NULL);
    sal_tensor_free(&t);

    CHECK_EQ(sal_tensor_new(&t, SAL_F32, 9, (int64_t[]){1}, &err), SAL_EINVAL);
    CHECK_EQ(sal_tensor_new(&t, SAL_F32, 1, (int64_t[]){-1}, &err), SAL_EINVAL);
    CHECK_EQ(sal_tensor_new(&t, SAL_DT_NONE, 1, (int64_t[]){1}, &err), SAL_EINVAL);
    CHECK_EQ(sal_tensor_new(&t, SAL_F64, 2, (int64_t[]){INT64_MAX, INT64_MAX}, &err), SAL_EINVAL);
    CHECK_EQ(sal_tensor_new(&t, SAL_F64, 1, (int64_t[]){INT64_MAX / 9}, NULL), SAL_ENOMEM);
    for (long n = 0; n < 3; n++) {
        sal_test_fail_after(n, true);
        sal_status st = sal_tensor_new(&t, SAL_U8, 1, (int64_t[]){5}, &err);
        sal_test_fail_after(-1, false);
        CHECK(n == 2 ? st == SAL_OK : st == SAL_ENOMEM && t.data == NULL);
        sal_tensor_free(&t);
    }
    CHECK_EQ(sal_test_live(), before);
}

static void base_released(void *ctx)
{
    ++*(int *)ctx;
}

TEST(buffer_release)
{
    int released = 0;
    sal_buffer *b = NULL;
    CHECK_EQ(sal_buffer_wrap(&b, &released, 4, base_released, &released, NULL), SAL_OK);
    CHECK(sal_buffer_ref(b) == b);
    sal_buffer_unref(b);
    CHECK_EQ(released, 0);
    sal_buffer_unref(b);
    CHECK_EQ(released, 1);
    sal_buffer_unref(NULL);
    CHECK(sal_buffer_ref(NULL) == NULL);
}

static double base_cast1(sal_dtype from, double v, sal_dtype to)
{
    sal_tensor a = SAL_TENSOR_INIT, b = SAL_TENSOR_INIT;
    double r = (double)NAN;
    if (sal_tensor_new(&a, from, 1, (int64_t[]){3}, NULL) == SAL_OK) {
        sal_tensor_set(&a, 2, v);
        if (sal_tensor_cast(&b, &a, to, NULL) == SAL_OK)
            r = sal_tensor_get(&b, 2);
    }
    sal_tensor_free(&a);
    sal_tensor_free(&b);
    return r;
}

TEST(cast)
{
    static const sal_dtype all[] = {SAL_F32,  SAL_U8,  SAL_I8,  SAL_U16, SAL_I16, SAL_I32, SAL_I64,
                                    SAL_BOOL, SAL_F16, SAL_F64, SAL_U32, SAL_U64, SAL_BF16};
    for (size_t i = 0; i < SAL_COUNTOF(all); i++)
        for (size_t j = 0; j < SAL_COUNTOF(all); j++) {
            CHECK_NEAR(base_cast1(all[i], 1, all[j]), 1, 0);
            CHECK_NEAR(base_cast1(all[i], 0, all[j]), 0, 0);
        }
    CHECK_NEAR(base_cast1(SAL_F32, -2.9, SAL_I32), -2, 0);
    CHECK_NEAR(base_cast1(SAL_F32, 2.9, SAL_U8), 2, 0);
    CHECK_NEAR(base_cast1(SAL_F32, 1e30, SAL_I32), INT32_MAX, 0);
    CHECK_NEAR(base_cast1(SAL_F64, 1e30, SAL_I64), 0x1p63, 0);
    CHECK_NEAR(base_cast1(SAL_F32, -1e30, SAL_U64), 0, 0);
    CHECK_NEAR(base_cast1(SAL_F32, (double)NAN, SAL_I16), 0, 0);
    CHECK_NEAR(base_cast1(SAL_F32, 0.25, SAL_BOOL), 1, 0);
    CHECK_NEAR(base_cast1(SAL_I32, -1, SAL_U8), 255, 0);
    CHECK_NEAR(base_cast1(SAL_U8, 200, SAL_I8), -56, 0);
    CHECK_NEAR(base_cast1(SAL_F32, 1e6, SAL_F16), (double)INFINITY, 0);
    /* One rounding, not two: just above the tie of float16, below float32's resolution. */
    CHECK_NEAR(base_cast1(SAL_F64, 1 + 0x1p-11 + 0x1p-40, SAL_F16), 1 + 0x1p-10, 0);
    CHECK_NEAR(base_cast1(SAL_F64, 1 + 0x1p-11, SAL_F16), 1, 0);
    CHECK_NEAR(base_cast1(SAL_F64, -1 - 0x1p-8 - 0x1p-40, SAL_BF16), -1 - 0x1p-7, 0);
    CHECK(isnan(base_cast1(SAL_F64, (double)NAN, SAL_F16)));

    sal_tensor big = SAL_TENSOR_INIT, out = SAL_TENSOR_INIT;
    sal_error err;
    CHECK_OK(sal_tensor_new(&big, SAL_I64, 1, (int64_t[]){1}, &err));
    ((int64_t *)big.data)[0] = (INT64_C(1) << 62) + 1;
    CHECK_OK(sal_tensor_cast(&out, &big, SAL_U64, &err)); /* exact beyond 2^53 */
    CHECK(((uint64_t *)out.data)[0] == (UINT64_C(1) << 62) + 1);
    sal_tensor_free(&out);
    sal_tensor_free(&big);
    CHECK_EQ(sal_tensor_cast(&out, &big, SAL_F32, &err), SAL_EINVAL);
}

TEST(dtype_table)
{
    CHECK_EQ(sal_dtype_size(SAL_BF16), 2);
    CHECK_EQ(sal_dtype_size((sal_dtype)999), 0);
    CHECK_STR(sal_dtype_name(SAL_F32), "float32");
    CHECK_STR(sal_dtype_name((sal_dtype)999), "unknown");
    CHECK(sal_dtype_is_float(SAL_F16) && !sal_dtype_is_float(SAL_I8));
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(alloc_counts), T(alloc_fails_on_request), T(overflow), T(errors),
                              T(arena), T(bytes_and_grow), T(f16_round_trip),
                              T(f16_rounds_to_nearest_even), T(files), T(files_refused),
                              T(file_write_follows_links), T(rng), T(tensor_storage),
                              T(buffer_release), T(cast), T(dtype_table)));
}
