/* .npy: what NumPy writes is read, what is written is read back, damage is refused. */
#include "format/npy.h"
#include "harness.h"

static sal_error err;

/* A file of version 1 with this header text and these bytes. */
static size_t npy_make(uint8_t *to, const char *header, const void *data, size_t bytes)
{
    size_t n = strlen(header);
    memcpy(to, "\x93NUMPY\x01\x00", 8);
    to[8] = (uint8_t)n;
    to[9] = (uint8_t)(n >> 8);
    memcpy(to + 10, header, n);
    if (bytes > 0)
        memcpy(to + 10 + n, data, bytes);
    return 10 + n + bytes;
}

TEST(corpus_is_read)
{
    sal_tensor t = SAL_TENSOR_INIT;
    CHECK_OK(sal_npy_read(&t, SAL_SOURCE_DIR "/tests/fuzz/corpus/npy/f4.npy", &err));
    CHECK_EQ(t.dtype, SAL_F32);
    CHECK_EQ(t.rank, 2);
    CHECK_EQ(t.dims[1], 3);
    for (int64_t i = 0; i < 6; i++)
        CHECK_NEAR(sal_tensor_get(&t, i), i, 0);
    sal_tensor_free(&t);
    CHECK_OK(sal_npy_read(&t, SAL_SOURCE_DIR "/tests/fuzz/corpus/npy/f8_big.npy", &err));
    CHECK_EQ(t.dtype, SAL_F64);
    for (int64_t i = 0; i < 4; i++)
        CHECK_NEAR(sal_tensor_get(&t, i), i, 0);
    sal_tensor_free(&t);
    CHECK_OK(sal_npy_read(&t, SAL_SOURCE_DIR "/tests/fuzz/corpus/npy/i8_fortran.npy", &err));
    CHECK_EQ(t.dtype, SAL_I64);
    for (int64_t i = 0; i < 24; i++)
        CHECK_NEAR(sal_tensor_get(&t, i), i, 0);
    sal_tensor_free(&t);
    CHECK_OK(sal_npy_read(&t, SAL_SOURCE_DIR "/tests/fuzz/corpus/npy/scalar.npy", &err));
    CHECK_EQ(t.rank, 0);
    CHECK_NEAR(sal_tensor_get(&t, 0), 5, 0);
    sal_tensor_free(&t);
    CHECK_OK(sal_npy_read(&t, SAL_SOURCE_DIR "/tests/fuzz/corpus/npy/empty.npy", &err));
    CHECK_EQ(sal_tensor_count(&t), 0);
    sal_tensor_free(&t);
}

TEST(written_is_read_back)
{
    static const int64_t shapes[][4] = {{0, 0, 0, 0}, {1, 7, 0, 0}, {2, 2, 3, 0}, {3, 2, 0, 5}};
    static const sal_dtype types[] = {SAL_F32, SAL_U8,   SAL_I8,  SAL_U16, SAL_I16, SAL_I32,
                                      SAL_I64, SAL_BOOL, SAL_F16, SAL_F64, SAL_U32, SAL_U64};
    for (size_t d = 0; d < SAL_COUNTOF(types); d++) {
        for (size_t s = 0; s < SAL_COUNTOF(shapes); s++) {
            sal_tensor a = SAL_TENSOR_INIT, b = SAL_TENSOR_INIT;
            CHECK_OK(sal_tensor_new(&a, types[d], (int)shapes[s][0], shapes[s] + 1, &err));
            for (int64_t i = 0; i < sal_tensor_count(&a); i++)
                sal_tensor_set(&a, i, types[d] == SAL_BOOL ? (double)(i % 2) : (double)(i * 3));
            CHECK_OK(sal_npy_write(&a, SAL_TEST_TMP "/npy_test.npy", &err));
            CHECK_OK(sal_npy_read(&b, SAL_TEST_TMP "/npy_test.npy", &err));
            CHECK_EQ(b.dtype, a.dtype);
            CHECK_EQ(b.rank, a.rank);
            for (int64_t i = 0; i < sal_tensor_count(&a); i++)
                CHECK_NEAR(sal_tensor_get(&b, i), sal_tensor_get(&a, i), 0);
            sal_tensor_free(&a);
            sal_tensor_free(&b);
        }
    }
}

TEST(header_is_aligned)
{
    const int64_t dims[1] = {3};
    float data[3] = {1, 2, 3};
    sal_tensor t = sal_tensor_borrow(SAL_F32, 1, dims, data);
    sal_bytes bytes = {NULL, 0, 0};
    CHECK_OK(sal_npy_encode(&bytes, &t, &err));
    CHECK_EQ(bytes.len % 64, 12);
    CHECK(strstr(bytes.data + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }") !=
          NULL);
    sal_bytes_free(&bytes);
    t.dtype = SAL_DT_NONE;
    CHECK_EQ(sal_npy_encode(&bytes, &t, &err), SAL_EINVAL);
}

TEST(damage_is_refused)
{
    static const struct {
        const char *header;
        size_t bytes;
        sal_status want;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, SAL_OK},
        {"{\"shape\": (2L, 1), 'descr': '=f4', 'fortran_order': True, }\n", 8, SAL_OK},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8,
         SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 0,
         SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8, SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4, SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2}", 8, SAL_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': maybe, 'shape': (2,)}", 8, SAL_EFORMAT},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, SAL_EFORMAT},
        {"{'descr': '<f4', 'shape': (2,)}", 8, SAL_EFORMAT},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8, SAL_EUNSUPPORTED},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8, SAL_EUNSUPPORTED},
        {"", 0, SAL_EFORMAT},
    };
    static const uint8_t zero[16];
    for (size_t i = 0; i < SAL_COUNTOF(rows); i++) {
        uint8_t file[256];
        sal_tensor t = SAL_TENSOR_INIT;
        size_t n = npy_make(file, rows[i].header, zero, rows[i].bytes);
        sal_status st = sal_npy_decode(&t, file, n, "test", &err);
        CHECK_MSG(st == rows[i].want, "row %zu: status %d", i, (int)st);
        CHECK(st == SAL_OK || (t.data == NULL && strncmp(err.msg, "test: ", 6) == 0));
        sal_tensor_free(&t);
    }
    CHECK(sal_test_live() == 0);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(corpus_is_read), T(written_is_read_back), T(header_is_aligned),
                              T(damage_is_refused)));
}
