/* Scales, colours and pictures: numbers against numpy's, pixels where they must be, bad input
 * refused. */
#include "explain/picture/picture.h"
#include "harness.h"

static sal_error err;

static sal_image picture_grey(int32_t width, int32_t height, uint8_t level)
{
    sal_image image = SAL_IMAGE_INIT;
    CHECK_OK(sal_image_new(&image, width, height, &err));
    memset(image.data, level, (size_t)width * (size_t)height * 3);
    return image;
}

static const uint8_t *picture_at(const sal_image *image, int x, int y)
{
    return image->data + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
}

static int picture_compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* numpy.percentile on the sorted values is the reference. */
TEST(percentile_is_numpys)
{
    sal_rng rng = sal_rng_seed(harness.seed, 7);
    for (int round = 0; round < 60; round++) {
        int64_t h = 1 + (int64_t)(sal_rng_uniform(&rng) * 20),
                w = 1 + (int64_t)(sal_rng_uniform(&rng) * 20);
        size_t n = (size_t)(h * w);
        bool is_signed = round % 2 == 1;
        double percentile = round % 3 == 0 ? 99.0 : 1.0 + sal_rng_uniform(&rng) * 99.0;
        float *map = sal_malloc(n * sizeof *map), *sorted = sal_malloc(n * sizeof *map);
        for (size_t i = 0; i < n; i++) {
            map[i] = (float)(sal_rng_normal(&rng) * (round % 5 == 0 ? 1e-20 : 3.0));
            sorted[i] = is_signed ? fabsf(map[i]) : map[i];
        }
        qsort(sorted, n, sizeof *sorted, picture_compare);
        double rank = (double)(n - 1) * percentile / 100.0;
        size_t k = (size_t)rank;
        double want = (double)sorted[k];
        if (k + 1 < n)
            want += (rank - (double)k) * ((double)sorted[k + 1] - want);
        sal_scale s;
        CHECK_OK(sal_scale_of(&s, map, h, w, is_signed, percentile, &err));
        CHECK_NEAR(s.max, want, 1e-12 * fabs(want));
        CHECK_NEAR(s.largest, sorted[n - 1], 0);
        CHECK(is_signed ? s.min == -s.max : s.min <= (double)sorted[0]);
        sal_free(map);
        sal_free(sorted);
    }
}

TEST(sparse_and_flat_maps_have_a_scale)
{
    float map[400] = {0};
    sal_scale s;
    CHECK_OK(sal_scale_of(&s, map, 20, 20, false, 99.0, &err));
    CHECK(s.min == 0.0 && s.max == 0.0);
    map[7] = 5.0F; /* the 99th percentile is still 0 */
    CHECK_OK(sal_scale_of(&s, map, 20, 20, false, 99.0, &err));
    CHECK(s.min == 0.0 && s.max == 5.0);
    map[7] = -5.0F;
    CHECK_OK(sal_scale_of(&s, map, 20, 20, true, 99.0, &err));
    CHECK(s.min == -5.0 && s.max == 5.0);
}

TEST(colours_are_ordered_and_symmetric)
{
    uint8_t a[3], b[3];
    sal_scale_color(a, 0.0, false);
    CHECK(a[0] == 68 && a[1] == 1 && a[2] == 84); /* viridis begins dark violet, ends yellow */
    sal_scale_color(a, 1.0, false);
    CHECK(a[0] == 253 && a[1] == 231 && a[2] == 37);
    sal_scale_color(a, 7.0, false);
    sal_scale_color(b, 1.0, false);
    CHECK(memcmp(a, b, 3) == 0);
    sal_scale_color(a, -1.0, true);
    sal_scale_color(b, 1.0, true);
    CHECK(a[2] > 150 && a[0] < 60 && b[0] > 150 && b[2] < 60); /* blue below, red above */
    sal_scale_color(a, 0.0, true);
    CHECK(a[0] > 235 && a[1] > 235 && a[2] > 235);
    for (int i = 1; i < 256; i++) {
        int before = 2 * sal_viridis[i - 1][0] + 5 * sal_viridis[i - 1][1] + sal_viridis[i - 1][2];
        int here = 2 * sal_viridis[i][0] + 5 * sal_viridis[i][1] + sal_viridis[i][2];
        CHECK(here >= before - 4); /* lightness only grows, but for rounding */
    }
}

static sal_picture_opts picture_bare(void)
{
    sal_picture_opts o = SAL_PICTURE_OPTS_INIT;
    o.bare = true;
    o.is_signed = true;
    o.percentile = 100.0;
    o.opacity = 1.0;
    return o;
}

static bool picture_is(const sal_image *image, int x, int y, double t)
{
    uint8_t c[3];
    sal_scale_color(c, t, true);
    return memcmp(picture_at(image, x, y), c, 3) == 0;
}

/* One channel is relevant in its second half, the other against it in its first; the line lies in
 * the middle of the strip or below. */
TEST(signals_stand_on_their_relevance)
{
    enum { N = 100 };
    float x[2 * N] = {0}, map[2 * N] = {0};
    for (int i = 0; i < N; i++) {
        x[i] = i == 0 ? 1.0F : 0.0F;
        x[N + i] = i == N - 1 ? 1.0F : 0.0F;
        map[i] = i < N / 2 ? 0.0F : 2.0F;
        map[N + i] = i < N / 2 ? -2.0F : 0.0F;
    }
    sal_picture_opts o = picture_bare();
    sal_image image = SAL_IMAGE_INIT;
    sal_scale used;
    CHECK_OK(sal_picture_signal(&image, x, map, 2, N, NULL, &o, &used, &err));
    CHECK_NEAR(used.max, 2.0, 0);
    /* strips of 150 pixels begin at 2 and 162, their left edge is 92 */
    CHECK(picture_is(&image, 92 + 300, 40, 0.0));
    CHECK(picture_is(&image, 92 + 600, 40, 1.0));
    CHECK(picture_is(&image, 92 + 300, 200, -1.0));
    CHECK(picture_is(&image, 92 + 600, 200, 0.0));
    const uint8_t *line = picture_at(&image, 92 + 300, 2 + 142); /* at 0: low in the strip */
    CHECK(line[0] < 60 && line[1] < 60 && line[2] < 60);
    sal_image_free(&image);
    x[3] = NAN;
    CHECK_EQ(sal_picture_signal(&image, x, map, 2, N, NULL, &o, NULL, &err), SAL_EINVAL);
    CHECK_EQ(sal_picture_signal(&image, x, map, 0, N, NULL, &o, NULL, &err), SAL_EINVAL);
    /* a million samples, one of them relevant: it is seen */
    float *many = sal_calloc(1000000, sizeof *many), *spike = sal_calloc(1000000, sizeof *spike);
    spike[500000] = 1.0F;
    CHECK_OK(sal_picture_signal(&image, many, spike, 1, 1000000, NULL, &o, NULL, &err));
    CHECK(picture_is(&image, 92 + 450, 20, 1.0) || picture_is(&image, 92 + 449, 20, 1.0));
    sal_image_free(&image);
    sal_free(many);
    sal_free(spike);
}

/* The strongest is on top, red to the right of zero, blue to the left; length is proportional. */
TEST(bars_are_sorted_and_signed)
{
    const float map[3] = {1.0F, -4.0F, 2.0F};
    sal_picture_opts o = picture_bare();
    sal_image image = SAL_IMAGE_INIT;
    CHECK_OK(sal_picture_bars(&image, map, NULL, NULL, 3, &o, NULL, &err));
    int row = image.height / 3, wide[3] = {0, 0, 0};
    double place[3] = {-1.0, 0.5, 0.25};
    for (int r = 0; r < 3; r++) {
        for (int x = 0; x < image.width; x++)
            wide[r] += picture_is(&image, x, r * row + row / 2, place[r]);
    }
    CHECK(wide[0] > 100);
    CHECK_NEAR(wide[1], wide[0] / 2.0, 3);
    CHECK_NEAR(wide[2], wide[0] / 4.0, 3);
    sal_image_free(&image);
    float many[100] = {0};
    many[99] = 1.0F;
    CHECK_OK(sal_picture_bars(&image, many, many, NULL, 100, &o, NULL, &err));
    CHECK_EQ(image.height % 33, 0); /* 32 and what the rest adds up to */
    sal_image_free(&image);
    CHECK_EQ(sal_picture_bars(&image, many, NULL, NULL, 0, &o, NULL, &err), SAL_EINVAL);
}

TEST(volumes_are_cut_where_the_map_is_strongest)
{
    enum { D = 6, H = 8, W = 10 };
    float x[D * H * W] = {0}, map[D * H * W] = {0};
    const int64_t dims[3] = {D, H, W};
    int64_t at[3];
    for (int d = 1; d < 4; d++) {
        for (int h = 4; h < 7; h++) {
            for (int w = 6; w < 9; w++)
                map[(d * H + h) * W + w] = -1.0F;
        }
    }
    map[0] = 2.0F; /* alone, it is not the strongest place */
    CHECK_OK(sal_volume_peak(at, map, dims, &err));
    CHECK(at[0] == 2 && at[1] == 5 && at[2] == 7);
    sal_volume_view v = SAL_VOLUME_VIEW_INIT;
    sal_picture_opts o = picture_bare();
    sal_image image = SAL_IMAGE_INIT;
    memcpy(v.dims, dims, sizeof dims);
    v.volume = x;
    v.map = map;
    sal_scale s = {-1.0, 1.0, 1.0};
    o.scale = &s;
    CHECK_OK(sal_picture_volume(&image, &v, &o, NULL, &err));
    /* the first plane has d fixed: 10 to the right, 8 down, from the upper left corner */
    int unit = (960 - 16) / 28;
    CHECK(picture_is(&image, (int)(7.5 * unit), (int)(5.5 * unit), -1.0));
    CHECK(picture_at(&image, 2 * unit, 2 * unit)[2] == 0);
    sal_image_free(&image);
    v.flip[1] = v.flip[2] = true;
    CHECK_OK(sal_picture_volume(&image, &v, &o, NULL, &err));
    CHECK(picture_is(&image, (int)(2.5 * unit), (int)(2.5 * unit), -1.0));
    sal_image_free(&image);
    v.spacing[1] = 0.0;
    CHECK_EQ(sal_picture_volume(&image, &v, &o, NULL, &err), SAL_EINVAL);
    v.dims[0] = 0;
    v.spacing[1] = 1.0;
    CHECK_EQ(sal_picture_volume(&image, &v, &o, NULL, &err), SAL_EINVAL);
}

/* At the same size the map is taken as it is; enlarged, it is linear between the centres of its
 * cells. */
TEST(maps_are_stretched_bilinearly)
{
    const float map[4] = {0.0F, 1.0F, 2.0F, 3.0F};
    float *out = NULL;
    CHECK_OK(sal_map_resize(&out, map, 2, 2, 2, 2, &err));
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(out[i], map[i], 0);
    sal_free(out);
    CHECK_OK(sal_map_resize(&out, map, 2, 2, 8, 8, &err));
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) {
            double u = fmin(fmax((x + 0.5) / 4 - 0.5, 0), 1),
                   v = fmin(fmax((y + 0.5) / 4 - 0.5, 0), 1);
            CHECK_NEAR(out[y * 8 + x], u + 2 * v, 1e-6);
        }
    }
    sal_free(out);
    float big[64], sum = 0;
    for (int i = 0; i < 64; i++)
        sum += big[i] = (float)i;
    CHECK_OK(sal_map_resize(&out, big, 8, 8, 1, 1, &err));
    CHECK_NEAR(out[0], sum / 64, 1e-4);
    sal_free(out);
}

/* The overlay is the blend of picture and colour; the hot corner lies where the map has it. */
TEST(overlay_blends_where_it_should)
{
    sal_image base = picture_grey(60, 40, 100), out = SAL_IMAGE_INIT;
    sal_picture_opts opts = SAL_PICTURE_OPTS_INIT;
    sal_scale used;
    const float map[4] = {0.0F, 0.0F, 0.0F, 1.0F};
    opts.bare = true;
    opts.percentile = 100.0;
    CHECK_OK(sal_picture_overlay(&out, &base, map, 2, 2, &opts, &used, &err));
    CHECK(out.width == 600 && out.height == 400);
    CHECK(used.min == 0.0 && used.max == 1.0);
    const uint8_t *cold = picture_at(&out, 2, 2), *hot = picture_at(&out, 598, 398);
    for (int c = 0; c < 3; c++) {
        CHECK_NEAR(cold[c], (100 + sal_viridis[0][c]) / 2.0, 1);
        CHECK_NEAR(hot[c], (100 + sal_viridis[255][c]) / 2.0, 1);
    }
    sal_image_free(&out);

    /* under a signed map the picture is grey: 0 shows its luma, whitened */
    for (int i = 0; i < base.width * base.height; i++)
        memcpy(base.data + (size_t)i * 3, (const uint8_t[3]){200, 40, 10}, 3);
    opts.is_signed = true;
    CHECK_OK(sal_picture_overlay(&out, &base, map, 2, 2, &opts, &used, &err));
    CHECK(used.min == -1.0 && used.max == 1.0);
    cold = picture_at(&out, 2, 2);
    for (int c = 0; c < 3; c++)
        CHECK_NEAR(cold[c], (0.299 * 200 + 0.587 * 40 + 0.114 * 10 + 247) / 2.0, 2);
    sal_image_free(&out);
    opts.is_signed = false;

    opts.bare = false;
    opts.title = "grad-cam \xc2\xb7 why: beagle \xc2\xb7 not: tabby";
    CHECK_OK(sal_picture_overlay(&out, &base, map, 2, 2, &opts, NULL, &err));
    CHECK(out.width > 600 && out.height > 450);
    /* a margin of paper all around, ink in the title line */
    bool ink = false;
    for (int x = 0; x < out.width; x++) {
        CHECK(picture_at(&out, x, 0)[0] == 255 && picture_at(&out, x, out.height - 1)[0] == 255);
        for (int y = 1; y < 30; y++)
            ink = ink || picture_at(&out, x, y)[0] < 80;
    }
    CHECK(ink);
    sal_image_free(&out);

    sal_scale scale = {0.0, 2.0, 2.0};
    opts.scale = &scale;
    CHECK_OK(sal_picture_overlay(&out, &base, map, 2, 2, &opts, &used, &err));
    CHECK(used.max == 2.0 && used.largest == 1.0);
    sal_image_free(&out);
    sal_image_free(&base);
}

TEST(nonsense_is_refused)
{
    sal_image base = picture_grey(8, 8, 1), none = SAL_IMAGE_INIT, out = SAL_IMAGE_INIT;
    sal_picture_opts opts = SAL_PICTURE_OPTS_INIT;
    float map[4] = {0.0F, 1.0F, 2.0F, NAN};
    CHECK_EQ(sal_picture_overlay(&out, &base, map, 2, 2, &opts, NULL, &err), SAL_EINVAL);
    CHECK_STR(err.msg, "the map holds NaN at row 1, column 1; nothing can be drawn");
    map[3] = INFINITY;
    CHECK_EQ(sal_picture_overlay(&out, &base, map, 2, 2, &opts, NULL, &err), SAL_EINVAL);
    map[3] = 0.0F;
    CHECK_EQ(sal_picture_overlay(&out, &none, map, 2, 2, &opts, NULL, &err), SAL_EINVAL);
    CHECK_EQ(sal_picture_overlay(&out, &base, map, 0, 2, &opts, NULL, &err), SAL_EINVAL);
    opts.opacity = 1.5;
    CHECK_EQ(sal_picture_overlay(&out, &base, map, 2, 2, &opts, NULL, &err), SAL_EINVAL);
    opts.opacity = 0.5;
    opts.percentile = 0.0;
    CHECK_EQ(sal_picture_overlay(&out, &base, map, 2, 2, &opts, NULL, &err), SAL_EINVAL);
    CHECK(out.data == NULL);
    sal_image_free(&base);
}

/* Broken UTF-8, unknown letters and no room: never outside the canvas. */
TEST(text_stays_inside)
{
    static const char *const texts[] = {
        "",
        "a",
        "\xff\xfe\xc2",
        "\xe2\x82",
        "\xf0\x9f\x90\xb6 dog",
        "W\xc3\xbcrfel\n\t",
        "a line that is far too long for a picture of forty pixels"};
    sal_image canvas = picture_grey(40, 20, 255);
    const sal_color black = {0, 0, 0};
    for (size_t i = 0; i < SAL_COUNTOF(texts); i++) {
        for (int f = 0; f < SAL_FONTS; f++) {
            for (int at = -50; at < 60; at += 11) {
                sal_text_draw(&canvas, &sal_fonts[f], at, at / 2, 30, black, texts[i]);
                sal_text_centre(&canvas, &sal_fonts[f], at, at / 2, 0, 40, black, texts[i]);
            }
            for (int g = 1; g < sal_fonts[f].count; g++)
                CHECK(sal_fonts[f].glyphs[g].code > sal_fonts[f].glyphs[g - 1].code);
        }
    }
    CHECK_EQ(sal_text_width(&sal_fonts[0], "ab"),
             sal_text_width(&sal_fonts[0], "a") + sal_text_width(&sal_fonts[0], "b"));
    sal_image_free(&canvas);
    char text[32];
    sal_scale_print(text, sizeof text, -0.00123456);
    CHECK_STR(text, "\xe2\x88\x92"
                    "0.00123");
}

TEST(sheet_has_a_cell_for_each)
{
    static const char *const rows[2] = {"why: beagle", "why: tabby"};
    static const char *const columns[3] = {"grad-cam", "gradient", "rise"};
    sal_image base = picture_grey(50, 40, 100), out = SAL_IMAGE_INIT;
    const float low[4] = {0, 0, 0, 1}, high[4] = {0, 0, 0, 4};
    const sal_sheet_cell cells[6] = {
        {low, 2, 2, false, NULL},
        {low, 2, 2, true, NULL},
        {NULL, 0, 0, false, "not for this model"},
        {high, 2, 2, false, NULL},
        {high, 2, 2, true, "x"},
        {low, 2, 2, false, NULL},
    };
    sal_sheet_opts opts = SAL_SHEET_OPTS_INIT;
    opts.rows = 2;
    opts.columns = 3;
    opts.row_labels = rows;
    opts.column_labels = columns;
    opts.title = "title";
    for (int scale = SAL_SHEET_EACH; scale <= SAL_SHEET_ROW; scale++) {
        opts.scale = (sal_sheet_scale)scale;
        CHECK_OK(sal_picture_sheet(&out, &base, cells, &opts, &err));
        CHECK(out.width > 1300 && out.width < 1600 && out.height > 560);
        sal_image_free(&out);
    }
    /* six cells in two lines: lower, narrower */
    opts.per_line = 2;
    CHECK_OK(sal_picture_sheet(&out, &base, cells, &opts, &err));
    CHECK(out.width < 1000 && out.height > 1200);
    sal_image_free(&out);
    opts.per_line = 0;
    opts.without_base = true;
    opts.row_labels = opts.column_labels = NULL;
    opts.title = NULL;
    opts.cell_width = 100;
    CHECK_OK(sal_picture_sheet(&out, &base, cells, &opts, &err));
    CHECK(out.width > 300 && out.width < 400);
    sal_image_free(&out);
    opts.cell_width = 60000;
    CHECK_EQ(sal_picture_sheet(&out, &base, cells, &opts, &err), SAL_EINVAL);
    opts.rows = 0;
    CHECK_EQ(sal_picture_sheet(&out, &base, cells, &opts, &err), SAL_EINVAL);
    CHECK(out.data == NULL);
    sal_image_free(&base);
}

TEST(allocation_may_fail)
{
    sal_image base = picture_grey(20, 10, 100);
    const float map[4] = {0, 0.5F, 0, 1};
    const sal_sheet_cell cell = {map, 2, 2, true, NULL};
    sal_picture_opts overlay = SAL_PICTURE_OPTS_INIT;
    sal_sheet_opts sheet = SAL_SHEET_OPTS_INIT;
    sheet.rows = sheet.columns = 1;
    overlay.min_width = 50;
    sheet.cell_width = 50;
    sal_status st = SAL_ENOMEM;
    for (long n = 0; st != SAL_OK && n < 200; n++) {
        sal_image a = SAL_IMAGE_INIT, b = SAL_IMAGE_INIT;
        long live = sal_test_live();
        sal_test_fail_after(n, true);
        st = sal_picture_overlay(&a, &base, map, 2, 2, &overlay, NULL, &err);
        if (st == SAL_OK)
            st = sal_picture_sheet(&b, &base, &cell, &sheet, &err);
        sal_test_fail_after(-1, false);
        CHECK(st == SAL_OK || st == SAL_ENOMEM);
        sal_image_free(&a);
        sal_image_free(&b);
        CHECK_EQ(sal_test_live(), live);
    }
    CHECK_EQ(st, SAL_OK);
    sal_image_free(&base);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(percentile_is_numpys), T(sparse_and_flat_maps_have_a_scale),
                              T(colours_are_ordered_and_symmetric),
                              T(signals_stand_on_their_relevance), T(bars_are_sorted_and_signed),
                              T(volumes_are_cut_where_the_map_is_strongest),
                              T(maps_are_stretched_bilinearly), T(overlay_blends_where_it_should),
                              T(nonsense_is_refused), T(text_stays_inside),
                              T(sheet_has_a_cell_for_each), T(allocation_may_fail)));
}
