/* NIfTI-1: files of every type, order and place against the numbers that oracle/make_inputs.py put
 * into them; damage is refused. */
#include "format/nifti.h"
#include "harness.h"

#define CORPUS SAL_SOURCE_DIR "/tests/fuzz/corpus/nifti/"
#define GOLDEN SAL_SOURCE_DIR "/tests/golden/inputs/"

static sal_error err;

static void nifti_same(const char *name)
{
    char path[512];
    sal_tensor got = SAL_TENSOR_INIT, want = SAL_TENSOR_INIT;
    sal_nifti info;

    (void)snprintf(path, sizeof path, CORPUS "%s", name);
    CHECK_OK(sal_nifti_read(&got, &info, path, &err));
    (void)snprintf(path, sizeof path, GOLDEN "%s.npy", name);
    CHECK_OK(sal_npy_read(&want, path, &err));
    CHECK_EQ(got.rank, 5);
    CHECK_EQ(got.dims[0], 1);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(got.dims[i + 1], want.dims[i]);
    CHECK_MSG(sal_tensor_bytes(&got) == sal_tensor_bytes(&want) &&
                  memcmp(got.data, want.data, sal_tensor_bytes(&want)) == 0,
              "%s", name);
    CHECK(info.spacing[0] == 1.5 && info.spacing[1] == 2.0 && info.spacing[2] == 3.0);
    CHECK_STR(info.orientation, strstr(name, "u1") != NULL   ? ""
                                : strstr(name, "i2") != NULL ? "LPI"
                                                             : "LPS");
    sal_tensor_free(&got);
    sal_tensor_free(&want);
}

TEST(all_types_and_orders)
{
    static const char *const kinds[] = {"u1", "i4", "f8", "i1", "u2", "u4", "i8", "u8"};
    char name[64];

    for (size_t i = 0; i < SAL_COUNTOF(kinds); i++) {
        (void)snprintf(name, sizeof name, "%s-little.nii", kinds[i]);
        nifti_same(name);
        (void)snprintf(name, sizeof name, "%s-big.nii", kinds[i]);
        nifti_same(name);
    }
    nifti_same("f4-little.nii.gz");
    nifti_same("f4-big.nii.gz");
    nifti_same("i2-little.nii.gz");
    nifti_same("i2-big.nii.gz");
}

/* The sform (-1.5 x + 10, -2 y + 20, 3 z - 30), and half a turn about z as a quaternion with z
 * turned by the sign of pixdim[0]. */
TEST(voxels_have_a_place)
{
    static const double sform[3][4] = {{-1.5, 0, 0, 10}, {0, -2, 0, 20}, {0, 0, 3, -30}};
    static const double qform[3][4] = {{-1.5, 0, 0, 10}, {0, -2, 0, 20}, {0, 0, -3, -30}};
    sal_tensor t = SAL_TENSOR_INIT;
    sal_nifti info;

    CHECK_OK(sal_nifti_read(&t, &info, CORPUS "f8-big.nii", &err));
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(info.affine[i / 4][i % 4], sform[i / 4][i % 4], 1e-12);
    CHECK_EQ(info.stored, SAL_F64);
    CHECK(info.slope == 1.0 && info.inter == 0.0); /* a slope of 0 is none */
    sal_tensor_free(&t);
    CHECK_OK(sal_nifti_read(&t, &info, CORPUS "i2-little.nii.gz", &err));
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(info.affine[i / 4][i % 4], qform[i / 4][i % 4], 1e-12);
    CHECK(info.slope == 0.5 && info.inter == -3.0);
    sal_tensor_free(&t);
}

TEST(written_is_read_back)
{
    const char *const paths[] = {SAL_TEST_TMP "/nifti_test.nii", SAL_TEST_TMP "/nifti_test.nii.gz"};
    sal_tensor a = SAL_TENSOR_INIT, b = SAL_TENSOR_INIT;
    sal_nifti info, back;

    CHECK_OK(sal_nifti_read(&a, &info, CORPUS "f4-big.nii.gz", &err));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(sal_nifti_write(&a, &info, paths[i], &err));
        CHECK_OK(sal_nifti_read(&b, &back, paths[i], &err));
        CHECK_EQ(memcmp(a.dims, b.dims, sizeof a.dims), 0);
        CHECK_EQ(memcmp(a.data, b.data, sal_tensor_bytes(&a)), 0);
        CHECK_EQ(memcmp(info.affine, back.affine, sizeof info.affine), 0);
        CHECK_STR(back.orientation, "LPS");
        sal_tensor_free(&b);
        (void)remove(paths[i]);
    }
    a.rank = 2;
    CHECK_EQ(sal_nifti_write(&a, &info, paths[0], &err), SAL_EINVAL);
    sal_tensor_free(&a);
}

/* Cut off anywhere, compressed or not, it is refused. */
TEST(cut_off_is_refused)
{
    static const char *const names[] = {CORPUS "i4-big.nii", CORPUS "i2-big.nii.gz"};

    for (size_t k = 0; k < 2; k++) {
        sal_file f = {NULL, 0, false};
        CHECK_OK(sal_file_open(&f, names[k], &err));
        for (size_t n = 0; n < f.size; n++) {
            sal_tensor t = SAL_TENSOR_INIT;
            /* exactly as large: a sanitizer sees a byte too many */
            uint8_t *part = sal_malloc(n + 1);
            memcpy(part, f.data, n);
            CHECK_EQ(sal_nifti_decode(&t, NULL, part, n, "x", &err), SAL_EFORMAT);
            sal_free(part);
        }
        sal_file_close(&f);
    }
}

static void nifti_refused(size_t at, const void *p, size_t n, sal_status want)
{
    sal_file f = {NULL, 0, false};
    sal_tensor t = SAL_TENSOR_INIT;
    uint8_t *copy;

    CHECK_OK(sal_file_open(&f, CORPUS "i4-little.nii", &err));
    copy = sal_malloc(f.size);
    memcpy(copy, f.data, f.size);
    memcpy(copy + at, p, n);
    CHECK_EQ(sal_nifti_decode(&t, NULL, copy, f.size, "x", &err), want);
    sal_free(copy);
    sal_file_close(&f);
}

TEST(damage_is_refused)
{
    static const int16_t dims[] = {0, 8, -1, 0};
    const int16_t large[8] = {4, 32767, 32767, 32767, 32767, 1, 1, 1}, five[8] = {5, 1, 1, 1, 1, 2};
    const int16_t colour = 128;
    const float nowhere = NAN, inside = 12, half = 352.5F;
    const int32_t other = 349, two = 540;

    for (size_t i = 0; i < SAL_COUNTOF(dims); i++)
        nifti_refused(i < 2 ? 40 : 42, &dims[i], 2, SAL_EFORMAT);
    nifti_refused(40, large, sizeof large, SAL_EFORMAT);
    nifti_refused(40, five, sizeof five, SAL_EUNSUPPORTED);
    nifti_refused(70, &colour, 2, SAL_EUNSUPPORTED);
    nifti_refused(108, &nowhere, 4, SAL_EFORMAT);
    nifti_refused(108, &inside, 4, SAL_EFORMAT);
    nifti_refused(108, &half, 4, SAL_EFORMAT);
    nifti_refused(0, &other, 4, SAL_EFORMAT);
    nifti_refused(0, &two, 4, SAL_EUNSUPPORTED);
    nifti_refused(344, "ni1", 3, SAL_EUNSUPPORTED);
    nifti_refused(344, "xyz", 3, SAL_EFORMAT);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(all_types_and_orders), T(voxels_have_a_place),
                              T(written_is_read_back), T(cut_off_is_refused),
                              T(damage_is_refused)));
}
