/* Sanity checks and likeness of maps, on cases whose answer is known beforehand. */
#include "evaluate/check.h"
#include "evaluate/similarity.h"
#include "harness.h"
#include "support/nets.h"

static sal_error err;

enum { SIDE = 16, PIXELS = SIDE * SIDE, CLASSES = 4 };

/* ---- likeness ---- */

/* Ranks by hand: a = {0, 1.5, 1.5, 3}, b = {1, 0, 2, 3}; products -1.5 * -.5 and 1.5 * 1.5,
 * squares 4.5 and 5. */
TEST(ranks_with_ties)
{
    const float a[] = {1, 2, 2, 7}, b[] = {5, -1, 6, 9};
    double ranks[4];
    sal_similarity s;

    CHECK_OK(sal_ranks(ranks, a, 4, &err));
    CHECK(ranks[0] == 0.0 && ranks[1] == 1.5 && ranks[2] == 1.5 && ranks[3] == 3.0);
    CHECK_OK(sal_map_similarity(&s, a, b, 4, &err));
    CHECK(fabs(s.spearman - 3.0 / sqrt(4.5 * 5.0)) < 1e-12);
    /* means 3 and 4.75: products -2*.25, -1*-5.75, -1*1.25, 4*4.25; squares 22 and 52.75 */
    CHECK(fabs(s.pearson - 21.0 / sqrt(22.0 * 52.75)) < 1e-12);
}

TEST(likeness_of_extremes)
{
    float a[50], b[50], flat[50];
    sal_similarity s;

    for (int i = 0; i < 50; i++) {
        a[i] = (float)(i * 7 % 50);
        b[i] = -a[i];
        flat[i] = 0.25F;
    }
    CHECK_OK(sal_map_similarity(&s, a, a, 50, &err));
    CHECK(fabs(s.pearson - 1.0) < 1e-12 && fabs(s.spearman - 1.0) < 1e-12 && s.overlap == 1.0);
    CHECK_OK(sal_map_similarity(&s, a, b, 50, &err));
    CHECK(fabs(s.pearson + 1.0) < 1e-12 && fabs(s.spearman + 1.0) < 1e-12 && s.overlap == 0.0);
    CHECK_OK(sal_map_similarity(&s, a, flat, 50, &err));
    CHECK(s.pearson == 0.0 && s.spearman == 0.0);
    CHECK_EQ(sal_map_similarity(&s, a, b, 0, &err), SAL_EINVAL);
    b[3] = INFINITY;
    CHECK_EQ(sal_map_similarity(&s, a, b, 50, &err), SAL_EINVAL);
}

/* ---- checks ---- */

typedef enum weights { OWN_COLUMNS, SAME_COLUMNS, NO_WEIGHTS } weights;

/* T_k = sum over pixels of w[p, k] x[p]; or, without weights, T_k = (k + 1) * sum(x). */
static sal_graph *linear(weights kind)
{
    static const int64_t dims[] = {1, 1, SIDE, SIDE}, flat[] = {1, PIXELS};
    int64_t w_dims[] = {PIXELS, CLASSES};
    sal_tensor w = SAL_TENSOR_INIT;
    sal_graph *g = NULL;
    sal_vid x = SAL_NONE, wid = SAL_NONE, y;
    sal_builder b = SAL_BUILDER(NULL, &err, NULL);

    CHECK_OK(sal_graph_new(&g, "linear", &err));
    CHECK_OK(sal_graph_input(g, "x", SAL_F32, 4, dims, &x, &err));
    b.g = g;
    CHECK_OK(nets_uniform(&w, SAL_F32, 2, w_dims, -1.0, 1.0, 3, &err));
    for (int64_t i = 0; kind == SAME_COLUMNS && i < PIXELS * CLASSES; i++)
        sal_tensor_set(&w, i, sal_tensor_get(&w, i / CLASSES * CLASSES));
    y = sal_b_reshape(&b, x, 2, flat, SAL_NONE);
    if (kind == NO_WEIGHTS) {
        int64_t axis = 1;
        sal_vid sum = sal_b_reduce(&b, "ReduceSum", y, 1, &axis, true), parts[CLASSES];

        for (int k = 0; k < CLASSES; k++)
            parts[k] = sal_b2(&b, "Mul", sum, sal_b_like(&b, sum, k + 1));
        y = sal_b_concat(&b, CLASSES, parts, 1);
    } else {
        CHECK_OK(sal_graph_constant(g, "w", &w, &wid, &err));
        y = sal_b2(&b, "MatMul", y, wid);
    }
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, y, &err));
    sal_tensor_free(&w);
    return g;
}

/* The checks of gradient x input for class 0, after `spoil` changed the map. */
static void checked(weights kind, void (*spoil)(sal_explanation *e), sal_check_result *out)
{
    const int64_t q_dims[] = {1, CLASSES};
    float q[CLASSES] = {1, 0, 0, 0};
    sal_graph *g = linear(kind);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_explanation map = SAL_EXPLANATION_INIT;
    sal_tensor x = SAL_TENSOR_INIT, query = sal_tensor_borrow(SAL_F32, 2, q_dims, q);
    size_t n = 0;

    opts.method = "gradient-x-input";
    opts.threads = 1;
    CHECK_OK(nets_input(g, 0, 1, 21, &x, &err));
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_OK(sal_explainer_run(e, &x, &query, &map, &err));
    if (spoil != NULL)
        spoil(&map);
    CHECK_OK(sal_checks_run(g, &opts, &x, &query, &map, out, &n, &err));
    CHECK_EQ(n, sal_check_count());
    sal_explanation_free(&map);
    sal_explainer_free(e);
    sal_tensor_free(&x);
    sal_graph_free(g);
}

static const sal_check_result *find(const sal_check_result *r, const char *name)
{
    static const sal_check_result none;

    for (size_t i = 0; i < sal_check_count(); i++) {
        if (strcmp(r[i].check->name, name) == 0)
            return &r[i];
    }
    CHECK_MSG(false, "no check %s", name);
    return &none;
}

#define VERDICT(name, want)                                                                        \
    CHECK_MSG(find(r, name)->verdict == (want), "%s: %s", name, find(r, name)->text)

TEST(honest_map_passes)
{
    sal_check_result r[16];

    checked(OWN_COLUMNS, NULL, r);
    VERDICT("rerun", SAL_VERDICT_PASS);
    VERDICT("completeness", SAL_VERDICT_NONE);
    VERDICT("model-randomisation", SAL_VERDICT_PASS);
    VERDICT("random-logit", SAL_VERDICT_PASS);
    VERDICT("deletion", SAL_VERDICT_PASS);
    CHECK_EQ(sal_check_summary(r, sal_check_count()), SAL_VERDICT_PASS);
}

/* All classes hold the same weights, so their maps cannot differ. */
TEST(same_logits_fail)
{
    sal_check_result r[16];

    checked(SAME_COLUMNS, NULL, r);
    VERDICT("random-logit", SAL_VERDICT_FAIL);
    CHECK(find(r, "random-logit")->value > 0.999);
    VERDICT("deletion", SAL_VERDICT_PASS);
    CHECK_EQ(sal_check_summary(r, sal_check_count()), SAL_VERDICT_FAIL);
}

TEST(nothing_to_shuffle)
{
    sal_check_result r[16];

    checked(NO_WEIGHTS, NULL, r);
    VERDICT("model-randomisation", SAL_VERDICT_NONE);
}

static void spoil_sign(sal_explanation *e)
{
    for (int64_t i = 0; i < sal_tensor_count(&e->map); i++)
        sal_tensor_set(&e->map, i, -sal_tensor_get(&e->map, i));
}

/* A map that marks what speaks against the class. */
TEST(wrong_map_fails)
{
    sal_check_result r[16];

    checked(OWN_COLUMNS, spoil_sign, r);
    VERDICT("rerun", SAL_VERDICT_FAIL);
    VERDICT("deletion", SAL_VERDICT_FAIL);
}

static void spoil_one(sal_explanation *e)
{
    sal_tensor_set(&e->map, 7, nextafter(sal_tensor_get(&e->map, 7), 1e9) + 1e-6);
}

TEST(one_changed_value_is_seen)
{
    sal_check_result r[16];

    checked(OWN_COLUMNS, spoil_one, r);
    VERDICT("rerun", SAL_VERDICT_FAIL);
    CHECK(fabs(find(r, "rerun")->value - 1.0 / PIXELS) < 1e-12);
}

static void spoil_residual(sal_explanation *e)
{
    e->residual = sal_calloc(1, sizeof(*e->residual));
    CHECK(e->residual != NULL);
    if (e->residual != NULL)
        e->residual[0] = 0.05 * e->target[0];
}

TEST(completeness_is_judged)
{
    sal_check_result r[16];

    checked(OWN_COLUMNS, spoil_residual, r);
    VERDICT("completeness", SAL_VERDICT_DOUBT);
    CHECK(fabs(find(r, "completeness")->value - 0.05) < 1e-9);
}

/* Interrupted: the results so far stay. */
static bool stop_late(void *ctx, double done)
{
    (void)ctx;
    return done < 0.5;
}

TEST(interrupted)
{
    const int64_t q_dims[] = {1, CLASSES};
    float q[CLASSES] = {1, 0, 0, 0};
    sal_graph *g = linear(OWN_COLUMNS);
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explainer *e = NULL;
    sal_explanation map = SAL_EXPLANATION_INIT;
    sal_tensor x = SAL_TENSOR_INIT, query = sal_tensor_borrow(SAL_F32, 2, q_dims, q);
    sal_check_result r[16];
    size_t n = 0;

    opts.method = "gradient";
    opts.threads = 1;
    CHECK_OK(nets_input(g, 0, 1, 21, &x, &err));
    CHECK_OK(sal_explainer_new(&e, g, &opts, NULL, &err));
    CHECK_OK(sal_explainer_run(e, &x, &query, &map, &err));
    opts.progress = stop_late;
    CHECK_EQ(sal_checks_run(g, &opts, &x, &query, &map, r, &n, &err), SAL_ECANCELLED);
    CHECK(n > 0 && n < sal_check_count());
    sal_explanation_free(&map);
    sal_explainer_free(e);
    sal_tensor_free(&x);
    sal_graph_free(g);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(ranks_with_ties), T(likeness_of_extremes), T(honest_map_passes),
                              T(same_logits_fail), T(nothing_to_shuffle), T(wrong_map_fails),
                              T(one_changed_value_is_seen), T(completeness_is_judged),
                              T(interrupted)));
}
