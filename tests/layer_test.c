/* Which layer a CAM shows where numbers of rows look like a grid by chance, and models whose rows
 * see each other. */
#include "explain/explainer.h"
#include "harness.h"
#include "support/nets.h"

static sal_error err;

static sal_vid weights(sal_builder *b, int rank, const int64_t *dims, uint64_t seed)
{
    sal_tensor t = SAL_TENSOR_INIT;

    CHECK_OK(nets_uniform(&t, SAL_F32, rank, dims, -0.5, 0.5, seed, &err));
    sal_vid v = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return v;
}

/* Four boxes of four numbers behind a map of 4 x 4: 2 x 2 tokens to those who only count. */
TEST(boxes_are_no_grid)
{
    static const int64_t kernel[] = {6, 3, 3, 3}, two[] = {2, 2}, pads[] = {1, 1, 1, 1};
    static const int64_t wide[] = {96, 16}, narrow[] = {16, 3};
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_graph *g = NULL;
    sal_vid x;

    CHECK_OK(sal_graph_new(&g, "boxes", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 3, 8, 8}, boxes[] = {dims[0], 4, 4};
    CHECK_OK(sal_graph_input(g, "image", SAL_F32, 4, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_attr attrs[] = {SAL_AINTS("strides", two, 2), SAL_AINTS("pads", pads, 4)};
    sal_vid conv[] = {x, weights(&b, 4, kernel, 11)};
    sal_vid map = sal_b1(&b, "Relu", sal_b_op(&b, "Conv", 2, conv, 2, attrs));
    sal_vid y = sal_b2(&b, "MatMul", sal_b1(&b, "Flatten", map), weights(&b, 2, wide, 12));
    y = sal_b1(&b, "Sigmoid", sal_b_reshape(&b, y, 3, boxes, x));
    y = sal_b2(&b, "MatMul", sal_b1(&b, "Flatten", y), weights(&b, 2, narrow, 13));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_rename(g, map, "map", &err));
    CHECK_OK(sal_graph_add_output(g, y, &err));
    opts.method = "grad-cam";
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    if (e != NULL) {
        const sal_explain_graph *method = sal_explainer_method(e);

        CHECK_MSG(strncmp((const char *)method->layer_text.data, "map ", 4) == 0, "layer %s",
                  (const char *)method->layer_text.data);
        CHECK_EQ(method->layer.height, 4);
    }
    sal_explainer_free(e);
    sal_graph_free(g);
}

/* The heads of an attention over a series are no map; there is none. */
TEST(heads_are_no_grid)
{
    static const int64_t square[] = {4, 4}, last[] = {24, 3}, perm[] = {0, 2, 1, 3};
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_graph *g = NULL;
    sal_vid x;

    CHECK_OK(sal_graph_new(&g, "series", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 6, 4}, heads[] = {dims[0], 6, 2, 2};
    CHECK_OK(sal_graph_input(g, "series", SAL_F32, 3, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid y = sal_b2(&b, "MatMul", x, weights(&b, 2, square, 21));
    y = sal_b1(&b, "Tanh", sal_b_transpose(&b, sal_b_reshape(&b, y, 4, heads, x), perm));
    y = sal_b2(&b, "MatMul", sal_b1(&b, "Flatten", y), weights(&b, 2, last, 22));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    opts.method = "grad-cam";
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_EINVAL);
    CHECK(e == NULL);
    sal_explainer_free(e);
    sal_graph_free(g);
}

/* y = x x': the similarity of each row with each. T = y[0][1], whose gradient by row 0 is row 1 and
 * the reverse. */
TEST(rows_see_each_other)
{
    static const int64_t perm[] = {1, 0}, two[] = {2, 3}, asked[] = {2, 2};
    float values[] = {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}, query[] = {0.0F, 1.0F, 0.0F, 0.0F};
    sal_tensor like = sal_tensor_borrow(SAL_F32, 2, two, values);
    sal_tensor q = sal_tensor_borrow(SAL_F32, 2, asked, query);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explanation out = SAL_EXPLANATION_INIT;
    sal_explainer *e = NULL;
    sal_graph *g = NULL;
    sal_vid x;

    CHECK_OK(sal_graph_new(&g, "similar", &err));
    int64_t dims[] = {sal_dim_symbol(g, "N"), 3};
    CHECK_OK(sal_graph_input(g, "rows", SAL_F32, 2, dims, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid y = sal_b2(&b, "MatMul", x, sal_b_transpose(&b, x, perm));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    opts.method = "gradient";
    CHECK_EQ(sal_explainer_new(&e, g, &opts, NULL, &err), SAL_ESHAPE);
    CHECK(e == NULL);
    CHECK_OK(sal_explainer_new(&e, g, &opts, &like, &err));
    if (e != NULL)
        CHECK_OK(sal_explainer_run(e, &like, &q, &out, &err));
    CHECK(out.map.data != NULL);
    for (int64_t i = 0; out.map.data != NULL && i < 6; i++)
        CHECK_NEAR(sal_tensor_get(&out.map, i), values[(i + 3) % 6], 1e-6);
    sal_explanation_free(&out);
    sal_explainer_free(e);
    sal_graph_free(g);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(boxes_are_no_grid), T(heads_are_no_grid), T(rows_see_each_other)));
}
