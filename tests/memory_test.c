/* How often a session holds the weights of matrix products: once where the forward pass and the
 * gradient both read weights that outweigh the activations, packed for each otherwise. */
#include "harness.h"

#include "exec/session.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"
#include "support/nets.h"
#include "support/session_check.h"

enum { SIDE = 320 };

/* y = x W, z = y W^T for x of `rows` rows. */
static sal_graph *there_and_back(int64_t rows, bool back, sal_tensor *x)
{
    const int64_t xd[2] = {rows, SIDE}, wd[2] = {SIDE, SIDE};
    sal_graph *g = NULL;
    sal_error err = {0};
    sal_tensor w = SAL_TENSOR_INIT;
    sal_vid in = SAL_NONE, weights = SAL_NONE;
    CHECK_OK(sal_graph_new(&g, "there-and-back", &err));
    CHECK_OK(nets_uniform(&w, SAL_F32, 2, wd, -0.1, 0.1, 1, &err));
    CHECK_OK(nets_uniform(x, SAL_F32, 2, xd, -1.0, 1.0, 2, &err));
    CHECK_OK(sal_graph_input(g, "x", SAL_F32, 2, xd, &in, &err));
    CHECK_OK(sal_graph_constant(g, "w", &w, &weights, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid y = sal_b2(&b, "MatMul", in, weights);
    if (back)
        y = sal_b2(&b, "MatMul", sal_b1(&b, "Relu", y), sal_b1(&b, "Transpose", weights));
    CHECK_MSG(b.st == SAL_OK, "%s", err.msg);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    sal_tensor_free(&w);
    return g;
}

static size_t weight_bytes(int64_t rows, bool back, sal_dtype precision)
{
    sal_tensor x = SAL_TENSOR_INIT, want = SAL_TENSOR_INIT;
    sal_graph *g = there_and_back(rows, back, &x);
    sal_session_opts o = SAL_SESSION_OPTS_INIT;
    sal_session *s = NULL;
    sal_session_stats stats = {0};
    sal_error err = {0};
    o.precision = precision;
    CHECK_OK(sal_graph_evaluate(g, &x, &want, &err));
    CHECK_OK(sal_session_new(&s, g, &o, &err));
    sal_graph_free(g); /* what is read as it lies must stay */
    if (s != NULL) {
        CHECK_OK(sal_session_run(s, &x, &err));
        double d = session_distance(sal_session_output(s, 0), &want);
        CHECK_MSG(precision == SAL_BF16 || d <= 1e-4, "%.3g apart", d);
        sal_session_get_stats(s, &stats);
        CHECK_EQ(stats.reference_steps, 0);
    }
    sal_session_free(s);
    sal_tensor_free(&x);
    sal_tensor_free(&want);
    return stats.weight_bytes;
}

TEST(weights_of_products_are_shared)
{
    const size_t one = (size_t)SIDE * SIDE * sizeof(float);
    CHECK(weight_bytes(3, true, SAL_F32) < one / 2);
    CHECK(weight_bytes(3, false, SAL_F32) >= one); /* packed: nobody else reads them */
    CHECK(weight_bytes(4 * SIDE, true, SAL_F32) >= 2 * one);
    CHECK(weight_bytes(3, true, SAL_BF16) >= one); /* twice half the bytes */
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(weights_of_products_are_shared)));
}
