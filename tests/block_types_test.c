/* Packed formats: unpacking against the package gguf (tests/oracle/make_block_types.py), packing.
 */
#include "base/block_type.h"
#include "harness.h"

#include <stdio.h>

static sal_tensor block_golden(const char *type, const char *what)
{
    char path[512];
    sal_tensor t = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};

    (void)snprintf(path, sizeof(path), "%s/tests/golden/block_types/%s.%s.npy", SAL_SOURCE_DIR,
                   type, what);
    CHECK_MSG(sal_npy_read(&t, path, &err) == SAL_OK, "%s", err.msg);
    return t;
}

TEST(unpack_is_gguf)
{
    for (size_t i = 0; sal_block_type_at(i) != NULL; i++) {
        const sal_block_type *t = sal_block_type_at(i);
        sal_tensor bytes, values;
        float got[3 * SAL_BLOCK_ELEMENTS_MAX];

        if (t->id == SAL_BLOCK_f32)
            continue;
        bytes = block_golden(t->name, "bytes");
        values = block_golden(t->name, "values");
        if (bytes.data != NULL && values.data != NULL) {
            int64_t n = bytes.dims[0];

            CHECK_EQ(bytes.dims[1], t->bytes);
            CHECK_EQ(values.dims[1], t->elements);
            t->unpack(got, bytes.data, n);
            for (int64_t k = 0; k < n * t->elements; k++) {
                double want = sal_tensor_get(&values, k);

                CHECK_MSG(fabs((double)got[k] - want) <= 1e-6 * fabs(want) + 1e-30,
                          "%s, number %d: %g, not %g", t->name, (int)k, (double)got[k], want);
            }
        }
        sal_tensor_free(&bytes);
        sal_tensor_free(&values);
    }
}

/* Packing and unpacking again gives back what is on the grid, and stays near elsewhere. */
TEST(pack_round_trip)
{
    for (size_t i = 0; sal_block_type_at(i) != NULL; i++) {
        const sal_block_type *t = sal_block_type_at(i);
        sal_rng rng = sal_rng_seed(harness.seed, i);
        float s[SAL_BLOCK_ELEMENTS_MAX], once[SAL_BLOCK_ELEMENTS_MAX],
            twice[SAL_BLOCK_ELEMENTS_MAX];
        uint8_t blocks[SAL_BLOCK_ELEMENTS_MAX * 4];
        double worst = 0.0;

        if (t->pack == NULL)
            continue;
        for (int k = 0; k < t->elements; k++)
            s[k] = (float)sal_rng_normal(&rng);
        t->pack(blocks, s, 1);
        t->unpack(once, blocks, 1);
        t->pack(blocks, once, 1);
        t->unpack(twice, blocks, 1);
        for (int k = 0; k < t->elements; k++) {
            worst = fmax(worst, fabs((double)s[k] - (double)once[k]));
            CHECK_MSG(fabs((double)once[k] - (double)twice[k]) < 0.02, "%s", t->name);
        }
        CHECK_MSG(worst < 0.5, "%s: off by %g", t->name, worst);
    }
}

TEST(rows)
{
    const sal_block_type *t = sal_block_type_find("q4_k");
    size_t bytes = 0;

    CHECK(t != NULL && sal_block_type_of_ggml(12) == t);
    CHECK(sal_block_row_bytes(t, 512, &bytes));
    CHECK_EQ(bytes, 288);
    CHECK(!sal_block_row_bytes(t, 100, &bytes));
    CHECK(sal_block_type_find("q9_9") == NULL && sal_block_type_of_ggml(999) == NULL);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(unpack_is_gguf), T(pack_round_trip), T(rows)));
}
