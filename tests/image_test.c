/* Pictures: readers and resizing against Pillow (tests/golden/make_image.py), preprocessing,
 * damage. */
#include "base/base.h"
#include "format/image_codec.h"
#include "harness.h"
#include <salience/image.h>

#define GOLDEN SAL_SOURCE_DIR "/tests/golden/image/"

static sal_error err;

static int image_worst(const sal_image *a, const uint8_t *want)
{
    int worst = 0;
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height * 3; i++)
        worst = SAL_MAX(worst, abs((int)a->data[i] - (int)want[i]));
    return worst;
}

/* A text file, NUL-terminated. */
static char *image_lines(const char *path)
{
    sal_file f;
    CHECK_OK(sal_file_open(&f, path, &err));
    char *text = sal_calloc(f.size + 1, 1);
    memcpy(text, f.data, f.size);
    sal_file_close(&f);
    return text;
}

TEST(resize_equals_pillow)
{
    sal_file want;
    int worst = 0, cases = 0;
    char *text = image_lines(GOLDEN "resize.txt"), *save = NULL;
    CHECK_OK(sal_file_open(&want, GOLDEN "resize.bin", &err));
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char name[32], path[512];
        int filter, width, height;
        long offset;
        sal_image in = SAL_IMAGE_INIT, out = SAL_IMAGE_INIT;
        CHECK(sscanf(line, "%31s %d %d %d %ld", name, &filter, &width, &height, &offset) == 5);
        snprintf(path, sizeof path, "%s%s", GOLDEN, name);
        CHECK_OK(sal_image_read(&in, path, &err));
        CHECK_OK(sal_image_resize(&out, &in, width, height, (sal_filter)filter, &err));
        int d = image_worst(&out, want.data + offset);
        CHECK_MSG(d == 0, "%s differs by %d levels", line, d);
        worst = SAL_MAX(worst, d);
        cases++;
        sal_image_free(&in);
        sal_image_free(&out);
    }
    printf("resize: %d cases, worst difference %d levels\n", cases, worst);
    CHECK(cases >= 60);
    sal_file_close(&want);
    sal_free(text);
}

/* PNG and the lossless rest must be equal; lossy decoders may differ by rounding between versions.
 */
TEST(readers_equal_pillow)
{
    sal_file want;
    int cases = 0;
    char *text = image_lines(GOLDEN "read.txt"), *save = NULL;
    CHECK_OK(sal_file_open(&want, GOLDEN "read.bin", &err));
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char name[32], path[512];
        int width, height;
        long offset;
        sal_image image = SAL_IMAGE_INIT;
        CHECK(sscanf(line, "%31s %d %d %ld", name, &width, &height, &offset) == 4);
        snprintf(path, sizeof path, "%sread/%s", GOLDEN, name);
        CHECK_OK(sal_image_read(&image, path, &err));
        CHECK_MSG(image.width == width && image.height == height, "%s: %dx%d", name, image.width,
                  image.height);
        if (image.width == width && image.height == height) {
            int d = image_worst(&image, want.data + offset);
            CHECK_MSG(d <= (strstr(name, ".png") != NULL ? 0 : 2), "%s differs by %d levels", name,
                      d);
        }
        cases++;
        sal_image_free(&image);
    }
    CHECK(cases >= 30);
    sal_file_close(&want);
    sal_free(text);
}

static sal_image image_noise(int32_t width, int32_t height)
{
    sal_image image = SAL_IMAGE_INIT;
    sal_rng rng = sal_rng_seed(harness.seed, 1);
    CHECK_OK(sal_image_new(&image, width, height, &err));
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++)
        image.data[i] = (uint8_t)sal_rng_u64(&rng);
    return image;
}

TEST(png_round_trip)
{
    static const int32_t sizes[][2] = {{1, 1}, {3, 2}, {1, 50}, {257, 3}, {300, 200}};
    for (size_t i = 0; i < SAL_COUNTOF(sizes); i++) {
        sal_image a = image_noise(sizes[i][0], sizes[i][1]), b = SAL_IMAGE_INIT;
        CHECK_OK(sal_image_write_png(&a, SAL_TEST_TMP "/image_test.png", &err));
        CHECK_OK(sal_image_read(&b, SAL_TEST_TMP "/image_test.png", &err));
        CHECK(a.width == b.width && a.height == b.height && image_worst(&b, a.data) == 0);
        sal_image_free(&a);
        sal_image_free(&b);
    }
    sal_image none = SAL_IMAGE_INIT;
    CHECK_EQ(sal_image_write_png(&none, SAL_TEST_TMP "/none.png", &err), SAL_EINVAL);
    sal_image one = image_noise(2, 2);
    CHECK_EQ(sal_image_write_png(&one, SAL_TEST_TMP "/no/such/folder.png", &err), SAL_EIO);
    sal_image_free(&one);
}

/* Every prefix of a file and every single damaged byte: an error of one line or a picture. */
TEST(damage_is_survived)
{
    static const char *const names[] = {"rgb.png",   "interlaced.png",  "palette4.png",
                                        "rgb.jpg",   "progressive.jpg", "cmyk.jpg",
                                        "turn6.jpg", "lossy.webp",      "frames.webp"};
    for (size_t n = 0; n < SAL_COUNTOF(names); n++) {
        char path[512];
        sal_file f;
        snprintf(path, sizeof path, "%sread/%s", GOLDEN, names[n]);
        CHECK_OK(sal_file_open(&f, path, &err));
        uint8_t *copy = sal_malloc(f.size);
        for (size_t i = 0; i < 2 * f.size; i++) {
            sal_image image = SAL_IMAGE_INIT;
            bool cut = i < f.size;
            memcpy(copy, f.data, f.size);
            if (!cut)
                copy[i - f.size] ^= 0x5a;
            sal_status st = sal_image_read_memory(&image, copy, cut ? i : f.size, "x.y", &err);
            CHECK(st == SAL_OK || (image.data == NULL && strncmp(err.msg, "x.y: ", 5) == 0 &&
                                   strchr(err.msg, '\n') == NULL));
            sal_image_free(&image);
        }
        sal_free(copy);
        sal_file_close(&f);
    }
}

TEST(limits_hold)
{
    sal_image image = SAL_IMAGE_INIT;
    CHECK_EQ(sal_image_new(&image, 0, 5, &err), SAL_EINVAL);
    CHECK_EQ(sal_image_new(&image, 65536, 1, &err), SAL_EINVAL);
    CHECK_EQ(sal_image_new(&image, 65535, 65535, &err), SAL_EINVAL);
    CHECK_EQ(sal_image_check_size(1, 0, 100, &err), SAL_EFORMAT);
    CHECK_EQ(sal_image_check_size(20000, 20000, SIZE_MAX, &err), SAL_EUNSUPPORTED);
    CHECK_EQ(sal_image_check_size(16000, 16000, 1000, &err), SAL_EFORMAT);
    CHECK_EQ(sal_image_check_size(16000, 16000, 1000000, &err), SAL_OK);
    CHECK_EQ(sal_image_read_memory(&image, "GIF89a", 6, "a.gif", &err), SAL_EUNSUPPORTED);
    CHECK_STR(err.msg, "a.gif: neither PNG nor JPEG nor WebP; convert the picture first");
    CHECK_EQ(sal_image_read_memory(&image, "", 0, NULL, &err), SAL_EFORMAT);
    CHECK_EQ(sal_image_read(&image, SAL_TEST_TMP "/there/is/none.png", &err), SAL_EIO);
}

TEST(exif_is_bounded)
{
    const uint8_t little[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0";
    CHECK_EQ(sal_exif_orientation(little, sizeof little), 6);
    for (size_t n = 0; n < 20; n++)
        CHECK_EQ(sal_exif_orientation(little, n), 1);
    uint8_t far[sizeof little];
    memcpy(far, little, sizeof far);
    memset(far + 4, 0xff, 4);
    CHECK_EQ(sal_exif_orientation(far, sizeof far), 1);
}

TEST(geometry_follows_torchvision)
{
    static const struct {
        int32_t height, width, crop; /* crop after short side 256 */
        int32_t top, left;
    } rows[] = {
        {600, 800, 224, 16, 58}, /* 256 x 341: (341 - 224) / 2 = 58.5, to even 58 */
        {800, 600, 224, 58, 16}, {256, 259, 224, 16, 18}, /* 17.5, to even 18 */
        {256, 256, 256, 0, 0},   {100, 50, 300, 106, -22},
    };
    for (size_t i = 0; i < SAL_COUNTOF(rows); i++) {
        sal_preprocess p = SAL_PREPROCESS_INIT;
        sal_rect r;
        p.resize = SAL_RESIZE_SHORT;
        p.resize_height = 256;
        p.crop_height = p.crop_width = rows[i].crop;
        p.crop_floor = false;
        double scale = SAL_MIN(rows[i].height, rows[i].width) / 256.0;
        CHECK_OK(sal_preprocess_rect(&p, rows[i].height, rows[i].width, &r, &err));
        CHECK_NEAR(r.y / scale, rows[i].top, 0.5);
        CHECK_NEAR(r.x / scale, rows[i].left, 0.5);
        CHECK_NEAR(r.width / scale, rows[i].crop, 0.5);
    }
}

TEST(tensor_holds_normalised_pixels)
{
    sal_image in = image_noise(5, 4);
    sal_preprocess p = SAL_PREPROCESS_INIT;
    for (int variant = 0; variant < 4; variant++) {
        sal_tensor t = SAL_TENSOR_INIT;
        p.nhwc = (variant & 1) != 0;
        p.bgr = (variant & 2) != 0;
        for (int c = 0; c < 3; c++) {
            p.mean[c] = 0.1F * (float)(c + 1);
            p.std[c] = 0.2F * (float)(c + 1);
        }
        CHECK_OK(sal_preprocess_apply(&t, &in, &p, &err));
        CHECK_EQ(t.rank, 4);
        CHECK_EQ(t.dims[p.nhwc ? 3 : 1], 3);
        const float *v = t.data;
        for (int64_t y = 0; y < 4; y++) {
            for (int64_t x = 0; x < 5; x++) {
                for (int c = 0; c < 3; c++) {
                    int slot = p.bgr ? 2 - c : c;
                    float got = p.nhwc ? v[(y * 5 + x) * 3 + slot] : v[(slot * 4 + y) * 5 + x];
                    float want =
                        ((float)in.data[(y * 5 + x) * 3 + c] / 255.0F - p.mean[c]) / p.std[c];
                    CHECK(got == want);
                }
            }
        }
        sal_image back = SAL_IMAGE_INIT;
        CHECK_OK(sal_image_from_tensor(&back, &t, &p, &err));
        CHECK(back.width == 5 && back.height == 4 && image_worst(&back, in.data) == 0);
        sal_image_free(&back);
        sal_tensor_free(&t);
    }
    p.std[1] = 0.0F;
    sal_tensor t = SAL_TENSOR_INIT;
    CHECK_EQ(sal_preprocess_apply(&t, &in, &p, &err), SAL_EINVAL);
    sal_image_free(&in);
}

/* A crop larger than the picture: black around it, as torchvision pads. */
TEST(crop_pads_with_black)
{
    sal_image in = image_noise(5, 4), view = SAL_IMAGE_INIT;
    sal_preprocess p = SAL_PREPROCESS_INIT;
    p.crop_height = 9;
    p.crop_width = 8;
    CHECK_OK(sal_preprocess_view(&view, &in, &p, &err));
    CHECK(view.width == 8 && view.height == 9);
    CHECK_EQ(view.data[0], 0);
    CHECK_EQ(view.data[(2 * 8 + 1) * 3], in.data[0]);
    sal_image_free(&view);
    CHECK_OK(sal_preprocess_backdrop(&view, &in, &p, 80, &err));
    CHECK(view.width == 80 && view.height == 90);
    sal_image_free(&view);
    sal_image_free(&in);
}

static sal_status image_json(sal_preprocess *p, const char *text)
{
    return sal_preprocess_from_json(p, text, strlen(text), &err);
}

TEST(json_is_understood)
{
    sal_preprocess p;
    char line[256];
    CHECK_OK(image_json(&p, "{\"size\": 256, \"crop\": 224, \"filter\": \"bicubic\", \"mean\": "
                            "[0.5,0.5,0.5], \"std\": 0.5, "
                            "\"layout\": \"nhwc\", \"order\": \"bgr\", \"note\": \"x\"}"));
    CHECK_STR(sal_preprocess_describe(&p, line, sizeof line),
              "short side to 256 (bicubic), centre crop 224 x 224, levels / 255, mean 0.5 0.5 0.5, "
              "std 0.5 0.5 0.5, "
              "NHWC BGR");
    CHECK_OK(image_json(&p, "{\"size\": [224, 192]}"));
    CHECK(p.resize == SAL_RESIZE_EXACT && p.resize_height == 224 && p.resize_width == 192 &&
          p.crop_height == 0);

    /* ViT, DeiT, ConvNeXt and an old file of CLIP */
    CHECK_OK(image_json(
        &p,
        "{\"do_normalize\": true, \"do_resize\": true, \"do_rescale\": true, "
        "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5], \"resample\": 2, "
        "\"rescale_factor\": 0.00392156862745098, \"size\": {\"height\": 224, \"width\": 224}}"));
    CHECK(p.resize == SAL_RESIZE_EXACT && p.filter == SAL_FILTER_BILINEAR &&
          p.rescale == 1.0F / 255.0F);
    CHECK_OK(image_json(
        &p, "{\"crop_size\": {\"height\": 224, \"width\": 224}, \"do_center_crop\": true, "
            "\"do_resize\": true, "
            "\"image_mean\": [0.485, 0.456, 0.406], \"image_std\": [0.229, 0.224, 0.225], "
            "\"resample\": 3, \"size\": {\"shortest_edge\": 256}}"));
    CHECK(p.resize == SAL_RESIZE_SHORT && p.resize_height == 256 && p.crop_width == 224 &&
          p.crop_floor);
    CHECK_OK(image_json(
        &p, "{\"crop_pct\": 0.875, \"do_resize\": true, \"image_mean\": [0.4, 0.4, 0.4], "
            "\"resample\": 3, \"size\": {\"shortest_edge\": 224}}"));
    CHECK(p.resize == SAL_RESIZE_SHORT && p.resize_height == 256 && p.crop_width == 224);
    CHECK_OK(image_json(
        &p, "{\"crop_size\": 224, \"do_center_crop\": true, \"do_normalize\": true, \"size\": 224, "
            "\"image_mean\": [0.4, 0.4, 0.4], \"image_std\": [0.2, 0.2, 0.2], \"resample\": 3}"));
    CHECK(p.resize == SAL_RESIZE_SHORT && p.resize_height == 224 && p.crop_height == 224);
}

/* LeViT, MobileViT, EfficientNet; a configuration of timm */
TEST(json_of_particular_families)
{
    sal_preprocess p;
    CHECK_OK(image_json(&p,
                        "{\"image_processor_type\": \"LevitImageProcessor\", \"do_resize\": true, "
                        "\"size\": {\"shortest_edge\": 224}, \"do_center_crop\": true, "
                        "\"crop_size\": {\"height\": 224, \"width\": 224}}"));
    CHECK(p.resize_height == 256 && p.crop_height == 224);
    CHECK_OK(image_json(&p, "{\"do_flip_channel_order\": true, \"do_resize\": true, "
                            "\"size\": {\"shortest_edge\": 288}, \"do_normalize\": false}"));
    CHECK(p.bgr && p.mean[0] == 0.0F && p.std[0] == 1.0F);
    CHECK_OK(image_json(&p, "{\"do_resize\": true, \"size\": {\"height\": 64, \"width\": 64}, "
                            "\"rescale_factor\": 0.00784313725490196, \"rescale_offset\": true, "
                            "\"do_normalize\": false}"));
    CHECK(p.mean[1] == 1.0F && p.rescale > 0.0078F);
    CHECK_EQ(image_json(&p, "{\"do_resize\": true, \"do_pad\": true}"), SAL_EUNSUPPORTED);
    CHECK_OK(image_json(
        &p, "{\"architecture\": \"x\", \"pretrained_cfg\": {\"input_size\": [3, 240, 240], "
            "\"crop_pct\": 0.95, \"interpolation\": \"bilinear\", "
            "\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}"));
    CHECK(p.resize == SAL_RESIZE_SHORT && p.resize_height == 252 && p.crop_width == 240 &&
          p.filter == SAL_FILTER_BILINEAR && p.mean[2] == 0.5F);
}

TEST(json_damage_is_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"size\": 0}",
        "{\"size\": -3}",
        "{\"size\": 1e9}",
        "{\"size\": [1,2,3]}",
        "{\"size\": \"big\"}",
        "{\"mean\": [1,2]}",
        "{\"mean\": [1,2,\"x\"]}",
        "{\"std\": [0,1,1]}",
        "{\"filter\": \"best\"}",
        "{\"layout\": \"chw\"}",
        "{\"order\": 3}",
        "{\"crop\": {}}",
        "{\"do_resize\": true, \"size\": {\"longest_edge\": 3}}",
        "{\"rescale\": \"x\"}",
    };
    sal_preprocess p;
    for (size_t i = 0; i < SAL_COUNTOF(bad); i++)
        CHECK_MSG(image_json(&p, bad[i]) != SAL_OK && strchr(err.msg, '\n') == NULL, "%s", bad[i]);
}

/* Every allocation of ours may fail: an error, nothing lost. (libjpeg and libwebp use their own.)
 */
TEST(allocation_may_fail)
{
    static const char *const names[] = {"interlaced.png", "cmyk.jpg", "turn6.jpg", "turn.webp"};
    sal_preprocess p = SAL_PREPROCESS_INIT;
    p.resize = SAL_RESIZE_SHORT;
    p.resize_height = 9;
    p.crop_height = p.crop_width = 8;
    for (size_t i = 0; i < SAL_COUNTOF(names); i++) {
        char path[512];
        snprintf(path, sizeof path, "%sread/%s", GOLDEN, names[i]);
        sal_status st = SAL_ENOMEM;
        for (long n = 0; st != SAL_OK && n < 1000; n++) {
            sal_image image = SAL_IMAGE_INIT, back = SAL_IMAGE_INIT;
            sal_tensor t = SAL_TENSOR_INIT;
            long live = sal_test_live();
            sal_test_fail_after(n, true);
            st = sal_image_read(&image, path, &err);
            if (st == SAL_OK)
                st = sal_preprocess_apply(&t, &image, &p, &err);
            if (st == SAL_OK)
                st = sal_preprocess_backdrop(&back, &image, &p, 40, &err);
            if (st == SAL_OK)
                st = sal_image_write_png(&back, SAL_TEST_TMP "/alloc.png", &err);
            sal_test_fail_after(-1, false);
            CHECK_MSG(st == SAL_OK || st == SAL_ENOMEM, "%s, allocation %ld: %s", names[i], n,
                      err.msg);
            sal_image_free(&image);
            sal_image_free(&back);
            sal_tensor_free(&t);
            CHECK_EQ(sal_test_live(), live);
        }
        CHECK_EQ(st, SAL_OK);
    }
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(resize_equals_pillow), T(readers_equal_pillow), T(png_round_trip),
                              T(damage_is_survived), T(limits_hold), T(exif_is_bounded),
                              T(geometry_follows_torchvision), T(tensor_holds_normalised_pixels),
                              T(crop_pads_with_black), T(json_is_understood),
                              T(json_of_particular_families), T(json_damage_is_refused),
                              T(allocation_may_fail)));
}
