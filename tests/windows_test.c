/* Recomputing what a change can reach: against full runs, for rectangles anywhere. */
#include "exec/windows.h"
#include "explain/explainer.h"
#include "graph/passes/passes.h"
#include "harness.h"
#include "ops/core/evaluate.h"
#include "support/nets.h"

static sal_error err;

enum { BATCH = 5 };

static sal_graph *bound(const sal_graph *g, int64_t n)
{
    const sal_value *v = sal_val(g, g->inputs[0]);
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_bound b = {.input = 0, .rank = v->rank};
    sal_graph *out = NULL;

    memcpy(b.dims, v->dims, sizeof(v->dims));
    b.dims[0] = n;
    CHECK_OK(sal_graph_bind(&out, g, 1, &b, &how, &err));
    return out;
}

/* Rectangle number i of a list that has the corners, one pixel, all and nothing in it. */
static sal_box box_at(int i, int32_t h, int32_t w)
{
    const sal_box fixed[] = {
        {0, 3, 0, 2}, {h - 2, h, w - 4, w}, {0, h, 0, w}, {0, 0, 0, 0}, {h / 2, h / 2 + 1, 5, 6}};
    sal_rng rng = sal_rng_seed(7, (uint64_t)i);

    if (i < (int)SAL_COUNTOF(fixed))
        return fixed[i];
    int32_t y = (int32_t)(sal_rng_uniform(&rng) * h), x = (int32_t)(sal_rng_uniform(&rng) * w);
    int32_t a = (int32_t)(sal_rng_uniform(&rng) * 5) + 1, b = (int32_t)(sal_rng_uniform(&rng) * 5);
    return (sal_box){y, SAL_MIN(y + a, h), x, SAL_MIN(x + b + 1, w)};
}

/* Changed inputs, their boxes, and what a full run gives for them. */
static void compare(const sal_graph *g, const sal_tensor *x, const sal_tensor *other)
{
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_graph *one = bound(g, 1), *many = bound(g, BATCH);
    sal_windows *w = NULL;
    sal_session *full = NULL;
    int32_t height = (int32_t)x->dims[2], width = (int32_t)x->dims[3];
    size_t elements = (size_t)sal_tensor_count(x), plane = (size_t)height * (size_t)width;
    sal_tensor changed = SAL_TENSOR_INIT;
    int64_t dims[] = {BATCH, x->dims[1], x->dims[2], x->dims[3]};

    so.threads = 2;
    CHECK_OK(sal_pass_all(one, &how, &err));
    CHECK_OK(sal_tensor_new(&changed, SAL_F32, 4, dims, &err));
    CHECK_OK(sal_session_new(&full, many, &so, &err));
    CHECK_OK(sal_windows_new(&w, one, many, one->inputs[0], one->outputs[0], BATCH, &so, &err));
    CHECK(w != NULL);
    if (w != NULL)
        CHECK_OK(sal_windows_keep(w, x, &err));
    for (int first = 0; w != NULL && first < 6 * BATCH; first += BATCH) {
        const float *rows[BATCH];
        const sal_tensor *got = NULL;
        sal_box box[BATCH];
        double worst = 0, scale = 0;

        for (int j = 0; j < BATCH; j++) {
            float *to = (float *)changed.data + (size_t)j * elements;

            memcpy(to, x->data, elements * sizeof(*to));
            box[j] = box_at(first + j, height, width);
            for (size_t k = 0; k < elements; k++) {
                int32_t r = (int32_t)(k % plane) / width, c = (int32_t)(k % plane) % width;

                if (r >= box[j].y0 && r < box[j].y1 && c >= box[j].x0 && c < box[j].x1)
                    to[k] = ((const float *)other->data)[k];
            }
            rows[j] = to;
        }
        CHECK_OK(sal_windows_run(w, BATCH, rows, box, &got, &err));
        CHECK_OK(sal_session_run(full, &changed, &err));
        const sal_tensor *expected = sal_session_output(full, 0);
        CHECK_EQ(sal_tensor_count(got), sal_tensor_count(expected));
        for (int64_t k = 0; k < sal_tensor_count(expected); k++) {
            worst = fmax(worst, fabs(sal_tensor_get(got, k) - sal_tensor_get(expected, k)));
            scale = fmax(scale, fabs(sal_tensor_get(expected, k)));
        }
        CHECK_MSG(worst <= 1e-5 * scale && scale > 0, "off by %g of %g", worst, scale);
    }
    if (w != NULL) {
        sal_box all = {0, height, 0, width}, corner = {0, 1, 0, 1};

        CHECK(sal_windows_share(w, &corner) < sal_windows_share(w, &all));
    }
    sal_windows_free(w);
    sal_session_free(full);
    sal_tensor_free(&changed);
    sal_graph_free(one);
    sal_graph_free(many);
}

/* Residual connection, batch normalisation, max-pooling, strides. */
TEST(residual)
{
    nets_opts o = {.dtype = SAL_F32, .batch = 0, .bias = true, .seed = 61};
    sal_graph *g = NULL;
    sal_tensor x = SAL_TENSOR_INIT, other = SAL_TENSOR_INIT;

    CHECK_OK(nets_cnn(&g, &o, &err));
    CHECK_OK(nets_input(g, 0, 1, 62, &x, &err));
    CHECK_OK(nets_input(g, 0, 1, 63, &other, &err));
    compare(g, &x, &other);
    sal_tensor_free(&x);
    sal_tensor_free(&other);
    sal_graph_free(g);
}

static sal_vid weights(sal_builder *b, int rank, const int64_t *dims, uint64_t seed)
{
    sal_tensor t = SAL_TENSOR_INIT;

    CHECK_OK(nets_uniform(&t, SAL_F32, rank, dims, -0.5, 0.5, seed, &err));
    sal_vid v = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return v;
}

/* Depthwise and dilated convolutions, uneven pads, concatenation, activations, constants; the rest
 * reads two values. */
TEST(many_operators)
{
    static const int64_t full[] = {6, 2, 3, 3}, depth[] = {6, 1, 3, 3}, point[] = {4, 12, 1, 1};
    static const int64_t channels[] = {6, 1, 1}, fives[] = {5, 6, 5, 5};
    static const int64_t two[] = {2, 2}, pads[] = {2, 2, 2, 2}, uneven[] = {0, 1, 1, 0};
    static const int64_t kernel[] = {3, 3}, five_pads[] = {2, 2, 2, 2};
    sal_graph *g = NULL;
    sal_vid x, parts[2], tail[2];
    sal_tensor in = SAL_TENSOR_INIT, other = SAL_TENSOR_INIT;

    CHECK_OK(sal_graph_new(&g, "many", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 2, 19, 17};
    CHECK_OK(sal_graph_input(g, "image", SAL_F32, 4, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_attr dilated[] = {SAL_AINTS("dilations", two, 2), SAL_AINTS("pads", pads, 4)};
    sal_vid stem[] = {x, weights(&b, 4, full, 64)};
    sal_vid y = sal_b1(&b, "HardSwish", sal_b_op(&b, "Conv", 2, stem, 2, dilated));
    sal_attr strided[] = {SAL_AINTS("strides", two, 2), SAL_AINTS("pads", uneven, 4),
                          SAL_AI("group", 6)};
    sal_vid deep[] = {y, weights(&b, 4, depth, 65)};
    parts[0] = sal_b_op(&b, "Conv", 2, deep, 3, strided);
    sal_attr pooled[] = {SAL_AINTS("kernel_shape", kernel, 2), SAL_AINTS("strides", two, 2),
                         SAL_AINTS("pads", uneven, 4)};
    parts[1] = sal_b_op(&b, "MaxPool", 1, &y, 3, pooled);
    parts[1] = sal_b2(&b, "Add", sal_b2(&b, "Mul", parts[1], weights(&b, 3, channels, 66)),
                      sal_b_scalar(&b, SAL_F32, 0.25));
    sal_vid both = sal_b1(&b, "Sigmoid", sal_b_concat(&b, 2, parts, 1));
    sal_vid narrow[] = {both, weights(&b, 4, point, 67)};
    tail[0] = sal_b1(&b, "GlobalAveragePool",
                     sal_b1(&b, "Relu", sal_b_op(&b, "Conv", 2, narrow, 0, NULL)));
    sal_attr wide[] = {SAL_AINTS("pads", five_pads, 4)};
    sal_vid last[] = {parts[0], weights(&b, 4, fives, 68)};
    tail[1] = sal_b1(&b, "GlobalAveragePool", sal_b_op(&b, "Conv", 2, last, 1, wide));
    sal_vid out = sal_b1(&b, "Flatten", sal_b_concat(&b, 2, tail, 1));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, out, &err));
    CHECK_OK(nets_input(g, 0, 1, 69, &in, &err));
    CHECK_OK(nets_input(g, 0, 1, 70, &other, &err));
    compare(g, &in, &other);
    sal_tensor_free(&in);
    sal_tensor_free(&other);
    sal_graph_free(g);
}

/* A stack of small convolutions on a large picture: the explainer takes the short way, and the map
 * is that of whole runs. */
TEST(maps_are_the_same)
{
    static const int64_t first[] = {4, 1, 3, 3}, next[] = {4, 4, 3, 3}, pads[] = {1, 1, 1, 1};
    static const char *const names[] = {"occlusion", "feature-ablation"};
    static const int64_t q_dims[] = {1, 4};
    float weight[] = {1, 0, -1, 0};
    sal_tensor q = sal_tensor_borrow(SAL_F32, 2, q_dims, weight), in = SAL_TENSOR_INIT;
    sal_graph *g = NULL;
    sal_vid x;

    CHECK_OK(sal_graph_new(&g, "stack", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 1, 64, 48};
    CHECK_OK(sal_graph_input(g, "image", SAL_F32, 4, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_attr pad[] = {SAL_AINTS("pads", pads, 4)};
    for (int i = 0; i < 4; i++) {
        sal_vid conv[] = {x, weights(&b, 4, i == 0 ? first : next, 71 + (uint64_t)i)};

        x = sal_b1(&b, "Relu", sal_b_op(&b, "Conv", 2, conv, 1, pad));
    }
    x = sal_b1(&b, "Flatten", sal_b1(&b, "GlobalAveragePool", x));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, x, &err));
    CHECK_OK(nets_input(g, 0, 2, 75, &in, &err));
    for (size_t m = 0; m < SAL_COUNTOF(names); m++) {
        sal_explanation maps[2] = {SAL_EXPLANATION_INIT, SAL_EXPLANATION_INIT};

        for (int whole = 0; whole < 2; whole++) {
            sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
            sal_explainer *e = NULL;

            opts.method = names[m];
            opts.threads = 1;
            opts.whole = whole == 1;
            CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
            if (e != NULL)
                CHECK_OK(sal_explainer_run(e, &in, &q, &maps[whole], &err));
            sal_explainer_free(e);
        }
        double d = nets_rel(&maps[0].map, &maps[1].map);
        CHECK_MSG(d <= 1e-4, "%s: off by %g", names[m], d);
        CHECK(d > 0); /* another order of sums: the short way was taken */
        sal_explanation_free(&maps[0]);
        sal_explanation_free(&maps[1]);
    }
    sal_tensor_free(&in);
    sal_graph_free(g);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(residual), T(many_operators), T(maps_are_the_same)));
}
