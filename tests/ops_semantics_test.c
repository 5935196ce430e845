/* What test cases of one node cannot say: nodes of older opsets, shape arithmetic, element types at
 * their limits, not-a-number, half-width floats. */
#include "harness.h"

#include "diff/diff.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"

static sal_error err;

/* A graph with input x of the given shape, and a node that was read from an old file. */
typedef struct old_node {
    sal_graph *g;
    sal_node node;
    sal_vid in[4];
    sal_vid out[2];
} old_node;

static void old_open(old_node *o, const char *op, int rank, const int64_t *dims)
{
    memset(o, 0, sizeof *o);
    CHECK_OK(sal_graph_new(&o->g, "old", &err));
    CHECK_OK(sal_graph_input(o->g, "x", SAL_F32, rank, dims, &o->in[0], &err));
    CHECK_OK(sal_graph_value(o->g, "y", NULL, &o->out[0], &err));
    o->node = (sal_node){.op = sal_op_find(NULL, op),
                         .name = "old",
                         .n_in = 1,
                         .n_out = 1,
                         .in = o->in,
                         .out = o->out};
    CHECK_MSG(o->node.op != NULL, "%s is in the table", op);
}

static void old_upgrade(old_node *o, int opset, int n_attr, sal_attr *attr)
{
    o->node.attr = attr;
    o->node.n_attr = n_attr;
    sal_upgrade u = {o->g, opset, &o->node, &err};
    if (o->node.op->upgrade != NULL)
        CHECK_OK(o->node.op->upgrade(&u));
}

static const sal_tensor *old_const(const old_node *o, int i)
{
    sal_vid v = sal_node_in(&o->node, i);
    return v == SAL_NONE ? NULL : sal_val(o->g, v)->constant;
}

TEST(clip_bounds_become_inputs)
{
    old_node o;
    old_open(&o, "Clip", 1, (int64_t[]){3});
    sal_attr a[] = {SAL_AF("min", -0.5), SAL_AF("max", 6.0)};
    old_upgrade(&o, 6, 2, a);
    CHECK_EQ(o.node.n_attr, 0);
    CHECK(old_const(&o, 1) != NULL && old_const(&o, 2) != NULL);
    CHECK_EQ(old_const(&o, 1)->dtype, SAL_F32);
    CHECK_NEAR(sal_tensor_get(old_const(&o, 1), 0), -0.5, 0);
    CHECK_NEAR(sal_tensor_get(old_const(&o, 2), 0), 6.0, 0);
    sal_graph_free(o.g);
    old_open(&o, "Clip", 1, (int64_t[]){3}); /* one bound only */
    old_upgrade(&o, 10, 1, a + 1);
    CHECK(old_const(&o, 1) == NULL && old_const(&o, 2) != NULL);
    sal_graph_free(o.g);
}

TEST(reduction_axes_become_an_input)
{
    static const char *const names[] = {
        "ReduceSum", "ReduceMean", "ReduceMax",    "ReduceMin",       "ReduceProd",
        "ReduceL1",  "ReduceL2",   "ReduceLogSum", "ReduceSumSquare", "ReduceLogSumExp"};
    for (size_t i = 0; i < SAL_COUNTOF(names); i++) {
        old_node o;
        int64_t axes[] = {1, -1};
        old_open(&o, names[i], 3, (int64_t[]){2, 3, 4});
        sal_attr a[] = {SAL_AINTS("axes", axes, 2), SAL_AI("keepdims", 0)};
        old_upgrade(&o, 11, 2, a);
        CHECK(old_const(&o, 1) != NULL && sal_tensor_count(old_const(&o, 1)) == 2);
        CHECK_OK(sal_node_infer(o.g, &o.node, &err));
        CHECK_EQ(sal_val(o.g, o.out[0])->rank, 1);
        CHECK_EQ(sal_val(o.g, o.out[0])->dims[0], 2);
        sal_graph_free(o.g);
    }
}

TEST(old_softmax_sees_a_matrix)
{
    old_node o;
    sal_attr axis1 = SAL_AI("axis", 1);
    old_open(&o, "Softmax", 2, (int64_t[]){4, 10}); /* default axis 1 is the last one */
    old_upgrade(&o, 11, 0, NULL);
    CHECK_STR(o.node.op->name, "Softmax");
    CHECK_EQ(sal_node_int(&o.node, "axis", 99), 1);
    sal_graph_free(o.g);
    old_open(&o, "LogSoftmax", 4, (int64_t[]){4, 10, 1, 1}); /* what follows has length 1 */
    old_upgrade(&o, 9, 1, &axis1);
    CHECK_STR(o.node.op->name, "LogSoftmax");
    sal_graph_free(o.g);
    old_open(&o, "LogSoftmax", 3, (int64_t[]){4, 10, 2});
    old_upgrade(&o, 9, 1, &axis1);
    CHECK_STR(o.node.op->name, "CoercedSoftmax");
    CHECK_EQ(sal_node_int(&o.node, "log", 0), 1);
    sal_graph_free(o.g);
    old_open(&o, "Softmax", 3, (int64_t[]){4, 10, 2}); /* as it has been since */
    old_upgrade(&o, 13, 1, &axis1);
    CHECK_STR(o.node.op->name, "Softmax");
    sal_graph_free(o.g);
}

TEST(coerced_softmax_normalises_rows)
{
    sal_graph *g = NULL;
    sal_vid x;
    sal_tensor in = SAL_TENSOR_INIT, out = SAL_TENSOR_INIT;
    CHECK_OK(sal_graph_new(&g, "rows", &err));
    int64_t n = sal_dim_symbol(g, "N"), dims[3] = {2, 3, 2};
    CHECK_OK(sal_graph_input(g, "x", SAL_F64, 3, (int64_t[]){n, 3, 2}, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    CHECK_OK(sal_graph_add_output(g, sal_b1(&b, "CoercedSoftmax", x), &err));
    CHECK_OK(b.st);
    CHECK_OK(sal_tensor_new(&in, SAL_F64, 3, dims, &err));
    for (int i = 0; i < 12; i++)
        sal_tensor_set(&in, i, 0.3 * i);
    CHECK_OK(sal_graph_evaluate(g, &in, &out, &err));
    for (int row = 0; row < 2; row++) {
        double sum = 0.0;
        for (int i = 0; i < 6; i++)
            sum += sal_tensor_get(&out, row * 6 + i);
        CHECK_NEAR(sum, 1.0, 1e-12);
    }
    sal_tensor_free(&in);
    sal_tensor_free(&out);
    sal_graph_free(g);
}

TEST(other_old_forms)
{
    old_node o;
    sal_attr k = SAL_AI("k", 2), ratio = SAL_AF("ratio", 0.3);
    old_open(&o, "TopK", 1, (int64_t[]){3});
    old_upgrade(&o, 9, 1, &k);
    CHECK(old_const(&o, 1) != NULL && sal_tensor_get(old_const(&o, 1), 0) == 2.0);
    CHECK_EQ(o.node.n_attr, 0);
    sal_graph_free(o.g);
    old_open(&o, "Dropout", 1, (int64_t[]){3});
    old_upgrade(&o, 7, 1, &ratio);
    CHECK_STR(o.node.op->name, "Identity");
    CHECK_EQ(o.node.n_attr, 0);
    sal_graph_free(o.g);
}

/* Expand(x, Where(shape == -1, ones, shape)) as exporters write it, with a batch of unknown length.
 */
TEST(comparisons_of_known_lengths)
{
    sal_graph *g = NULL;
    sal_vid x;
    CHECK_OK(sal_graph_new(&g, "known", &err));
    int64_t n = sal_dim_symbol(g, "N");
    CHECK_OK(sal_graph_input(g, "x", SAL_F32, 3, (int64_t[]){n, 3, 4}, &x, &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    sal_vid shape = sal_b1(&b, "Shape", x);
    sal_vid ones = sal_b_ints(&b, (int64_t[]){1, 1, 1}, 3);
    sal_vid minus = sal_b_ints(&b, (int64_t[]){-1}, 1);
    sal_vid pick = sal_b3(&b, "Where", sal_b2(&b, "Equal", shape, minus), ones, shape);
    CHECK_OK(b.st);
    const sal_value *v = sal_val(g, pick);
    CHECK(v->known != NULL && v->known_n == 3);
    CHECK(v->known != NULL && v->known[0] == n && v->known[1] == 3 && v->known[2] == 4);
    sal_vid count = sal_b_reduce(&b, "ReduceProd", shape, 0, NULL, false);
    CHECK(sal_val(g, count)->known != NULL && sal_val(g, count)->known[0] == sal_dim_mul(g, 12, n));
    /* undecided: N may or may not be 3 */
    sal_vid three = sal_b_ints(&b, (int64_t[]){3}, 1);
    CHECK(sal_val(g, sal_b2(&b, "Equal", shape, three))->known == NULL);
    CHECK_OK(b.st);
    sal_graph_free(g);
}

/* y = op(a, b) on two lists of one type, given and read as doubles. */
static void eval2(const char *op, sal_dtype dtype, int n, const double *a, const double *b,
                  double *y)
{
    sal_graph *g = NULL;
    sal_vid in[2];
    sal_tensor t[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT}, out = SAL_TENSOR_INIT;
    int64_t dims[1] = {n};
    CHECK_OK(sal_graph_new(&g, "two", &err));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(sal_graph_input(g, i == 0 ? "a" : "b", dtype, 1, dims, &in[i], &err));
        CHECK_OK(sal_tensor_new(&t[i], dtype, 1, dims, &err));
        for (int k = 0; k < n; k++)
            sal_tensor_set(&t[i], k, (i == 0 ? a : b)[k]);
    }
    sal_builder builder = SAL_BUILDER(g, &err, NULL);
    CHECK_OK(sal_graph_add_output(g, sal_b2(&builder, op, in[0], in[1]), &err));
    CHECK_OK(builder.st);
    CHECK_OK(sal_graph_evaluate(g, t, &out, &err));
    for (int k = 0; k < n && out.data != NULL; k++)
        y[k] = sal_tensor_get(&out, k);
    sal_tensor_free(&t[0]);
    sal_tensor_free(&t[1]);
    sal_tensor_free(&out);
    sal_graph_free(g);
}

TEST(integers_wrap_and_truncate)
{
    double y[4];
    eval2("Add", SAL_U8, 2, (double[]){250, 3}, (double[]){10, 4}, y);
    CHECK(y[0] == 4 && y[1] == 7);
    eval2("Sub", SAL_U32, 1, (double[]){0}, (double[]){1}, y);
    CHECK(y[0] == 4294967295.0);
    eval2("Mul", SAL_I16, 1, (double[]){300}, (double[]){300}, y);
    CHECK(y[0] == 90000 - 65536);
    eval2("Div", SAL_I8, 4, (double[]){7, -7, -128, 5}, (double[]){2, 2, -1, 0}, y);
    CHECK(y[0] == 3 && y[1] == -3 && y[2] == -128 && y[3] == 0);
    eval2("Div", SAL_I64, 1, (double[]){-0x1p63}, (double[]){-1}, y);
    CHECK(y[0] == -0x1p63);
    eval2("Div", SAL_U64, 2, (double[]){0x1p63, 9}, (double[]){2, 0}, y);
    CHECK(y[0] == 0x1p62 && y[1] == 0);
    eval2("Max", SAL_U64, 1, (double[]){0x1p63}, (double[]){1}, y);
    CHECK(y[0] == 0x1p63);
    eval2("Less", SAL_U64, 1, (double[]){0x1p63}, (double[]){1}, y);
    CHECK(y[0] == 0);
    eval2("Pow", SAL_I32, 3, (double[]){-2, 3, 2}, (double[]){3, 4, -1}, y);
    CHECK(y[0] == -8 && y[1] == 81 && y[2] == 0);
}

TEST(not_a_number_is_kept)
{
    const double nan = (double)NAN;
    double y[3];
    eval2("Max", SAL_F32, 3, (double[]){nan, 1, 2}, (double[]){1, nan, 1}, y);
    CHECK(isnan(y[0]) && isnan(y[1]) && y[2] == 2);
    eval2("Min", SAL_F64, 3, (double[]){nan, 1, 2}, (double[]){1, nan, 1}, y);
    CHECK(isnan(y[0]) && isnan(y[1]) && y[2] == 1);
    eval2("Equal", SAL_F32, 1, (double[]){nan}, (double[]){nan}, y);
    CHECK(y[0] == 0);
    static const char *const ops[] = {
        "Relu",        "LeakyRelu",       "Elu",        "Selu",
        "Celu",        "Sigmoid",         "Tanh",       "Gelu",
        "HardSigmoid", "HardSwish",       "Softplus",   "Softsign",
        "Mish",        "Swish",           "Clip",       "ReduceMax",
        "ReduceMin",   "Softmax",         "LogSoftmax", "Sign",
        "ReduceMean",  "ReduceLogSumExp", "Abs",        "CoercedSoftmax"};
    for (size_t i = 0; i < SAL_COUNTOF(ops); i++) {
        sal_graph *g = NULL;
        float x[2] = {1.0f, NAN};
        sal_tensor t = sal_tensor_borrow(SAL_F32, 2, (int64_t[]){1, 2}, x), out = SAL_TENSOR_INIT;
        CHECK_OK(sal_graph_new(&g, "nan", &err));
        sal_builder b = SAL_BUILDER(g, &err, NULL);
        CHECK_OK(sal_graph_add_output(g, sal_b1(&b, ops[i], sal_b_tensor(&b, &t)), &err));
        CHECK_OK(sal_graph_evaluate(g, NULL, &out, &err));
        int64_t last = sal_tensor_count(&out) - 1;
        CHECK_MSG(isnan(sal_tensor_get(&out, last)), "%s loses a NaN", ops[i]);
        sal_tensor_free(&out);
        sal_graph_free(g);
    }
}

TEST(large_numbers_do_not_overflow)
{
    static const struct {
        const char *op;
        double low, high; /* at -1000 and 1000 */
    } want[] = {{"Sigmoid", 0, 1}, {"Softplus", 0, 1000}, {"Mish", 0, 1000}, {"Gelu", 0, 1000},
                {"Tanh", -1, 1},   {"Elu", -1, 1000},     {"Swish", 0, 1000}};
    for (size_t i = 0; i < SAL_COUNTOF(want); i++) {
        sal_graph *g = NULL;
        float x[2] = {-1000.0f, 1000.0f};
        sal_tensor t = sal_tensor_borrow(SAL_F32, 1, (int64_t[]){2}, x), out = SAL_TENSOR_INIT;
        CHECK_OK(sal_graph_new(&g, "large", &err));
        sal_builder b = SAL_BUILDER(g, &err, NULL);
        CHECK_OK(sal_graph_add_output(g, sal_b1(&b, want[i].op, sal_b_tensor(&b, &t)), &err));
        CHECK_OK(sal_graph_evaluate(g, NULL, &out, &err));
        CHECK_NEAR(sal_tensor_get(&out, 0), want[i].low, 1e-6);
        CHECK_NEAR(sal_tensor_get(&out, 1), want[i].high, 1e-6);
        sal_tensor_free(&out);
        sal_graph_free(g);
    }
}

TEST(half_width_floats_are_widened_and_rounded)
{
    static const sal_dtype types[] = {SAL_F16, SAL_BF16};
    double y[2];
    for (size_t i = 0; i < 2; i++) {
        eval2("Mul", types[i], 2, (double[]){1.5, -2}, (double[]){2, 0.25}, y);
        CHECK(y[0] == 3 && y[1] == -0.5);
        eval2("Less", types[i], 2, (double[]){1.5, -2}, (double[]){2, -4}, y);
        CHECK(y[0] == 1 && y[1] == 0);
    }
    eval2("Add", SAL_F16, 1, (double[]){2048}, (double[]){1}, y);
    CHECK(y[0] == 2048); /* 2049 is no float16; ties go to even */
}

/* Gradient of the sum of op's output for inputs of n elements each, by element; want[i] belongs to
 * input i. */
static void check_gradient(const char *op, int n_attr, const sal_attr *attr, int n_in, int n,
                           double x[][4], double want[][4])
{
    sal_graph *g = NULL;
    sal_vid in[2], none = SAL_NONE, y, grads[2];
    sal_tensor t[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT}, d[2] = {SAL_TENSOR_INIT, SAL_TENSOR_INIT};
    int64_t dims[1] = {n};
    CHECK_OK(sal_graph_new(&g, "kink", &err));
    for (int i = 0; i < n_in; i++) {
        CHECK_OK(sal_graph_input(g, i == 0 ? "a" : "b", SAL_F64, 1, dims, &in[i], &err));
        CHECK_OK(sal_tensor_new(&t[i], SAL_F64, 1, dims, &err));
        for (int k = 0; k < n; k++)
            sal_tensor_set(&t[i], k, x[i][k]);
    }
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    y = sal_b_op(&b, op, n_in, in, n_attr, attr);
    CHECK_OK(b.st);
    CHECK_OK(sal_differentiate(g, 1, &y, &none, n_in, in, NULL, grads, &err));
    for (int i = 0; i < n_in; i++)
        CHECK_OK(sal_graph_add_output(g, grads[i], &err));
    CHECK_OK(sal_graph_evaluate(g, t, d, &err));
    for (int i = 0; i < n_in; i++) {
        for (int k = 0; k < n && d[i].data != NULL; k++) {
            double got = sal_tensor_get(&d[i], k);
            CHECK_MSG(fabs(got - want[i][k]) <= 1e-12,
                      "%s, input %d, element %d: %.17g instead of %.17g", op, i, k, got,
                      want[i][k]);
        }
        sal_tensor_free(&t[i]);
        sal_tensor_free(&d[i]);
    }
    sal_graph_free(g);
}

/* The values are PyTorch's (2.13, float64). */
TEST(derivatives_at_kinks_are_those_of_pytorch)
{
    sal_attr half = SAL_AF("alpha", 0.5), flat = SAL_AI("keepdims", 0);
    sal_attr relu6[] = {SAL_AF("alpha", 1.0 / 6.0), SAL_AF("beta", 0.5)};
    const double third = 1.0 / 3.0;
#define ROW(...)                                                                                   \
    (double[][4])                                                                                  \
    {                                                                                              \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
    check_gradient("Relu", 0, NULL, 1, 2, ROW(0, 1), ROW(0, 1));
    check_gradient("Abs", 0, NULL, 1, 2, ROW(0, -2), ROW(0, -1));
    check_gradient("LeakyRelu", 0, NULL, 1, 2, ROW(0, 2), ROW(0.01, 1));
    check_gradient("Elu", 1, &half, 1, 2, ROW(0, 2), ROW(0.5, 1));
    check_gradient("Celu", 1, &half, 1, 1, ROW(0), ROW(1));
    /* ONNX has the constants of Selu as float32: 5e-9 from PyTorch's */
    check_gradient("Selu", 0, NULL, 1, 1, ROW(0), ROW(1.7580993463430303));
    check_gradient("Softsign", 0, NULL, 1, 1, ROW(0), ROW(1));
    check_gradient("HardSigmoid", 2, relu6, 1, 3, ROW(-3, 3, 0), ROW(0, 0, 1.0 / 6.0));
    check_gradient("HardSwish", 0, NULL, 1, 3, ROW(-3, 3, 0), ROW(0, 1, 0.5));
    check_gradient("ReduceMax", 1, &flat, 1, 4, ROW(3, 1, 3, 3), ROW(third, 0, third, third));
    check_gradient("ReduceProd", 1, &flat, 1, 3, ROW(0, 2, 3), ROW(6, 0, 0));
    check_gradient("ReduceProd", 1, &flat, 1, 3, ROW(0, 0, 3), ROW(0, 0, 0));
    check_gradient("ReduceL1", 1, &flat, 1, 2, ROW(0, 1), ROW(0, 1));
    check_gradient("ReduceL2", 1, &flat, 1, 2, ROW(0, 0), ROW(0, 0));
#undef ROW
    double max_in[2][4] = {{1, 2}, {1, 3}}, max_d[2][4] = {{0.5, 0}, {0.5, 1}};
    check_gradient("Max", 0, NULL, 2, 2, max_in, max_d);
    double prelu_in[2][4] = {{0, -1}, {0.3, 0.3}}, prelu_d[2][4] = {{0.3, 0.3}, {0, -1}};
    check_gradient("PRelu", 0, NULL, 2, 2, prelu_in, prelu_d);
    double pow_in[2][4] = {{0, 0, 2}, {0, 2, 0}},
           pow_d[2][4] = {{0, 0, 0}, {0, 0, 0.6931471805599453}};
    check_gradient("Pow", 0, NULL, 2, 3, pow_in, pow_d);
}

/* Of relu6 = Clip(x, 0, 6), which PyTorch gives no gradient at 0 and 6. */
TEST(clip_has_no_gradient_at_its_bounds)
{
    sal_graph *g = NULL;
    sal_vid in[3], none = SAL_NONE, y, grad;
    double x[4] = {0, 6, 3, 7};
    int64_t dims[1] = {4};
    sal_tensor t = sal_tensor_borrow(SAL_F64, 1, dims, x), d = SAL_TENSOR_INIT;
    CHECK_OK(sal_graph_new(&g, "relu6", &err));
    CHECK_OK(sal_graph_input(g, "x", SAL_F64, 1, dims, &in[0], &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    in[1] = sal_b_scalar(&b, SAL_F64, 0);
    in[2] = sal_b_scalar(&b, SAL_F64, 6);
    y = sal_b_op(&b, "Clip", 3, in, 0, NULL);
    CHECK_OK(sal_differentiate(g, 1, &y, &none, 1, in, NULL, &grad, &err));
    CHECK_OK(sal_graph_add_output(g, grad, &err));
    CHECK_OK(sal_graph_evaluate(g, &t, &d, &err));
    for (int k = 0; k < 4; k++)
        CHECK_NEAR(sal_tensor_get(&d, k), k == 2 ? 1 : 0, 0);
    sal_tensor_free(&d);
    sal_graph_free(g);
}

TEST(faults_are_named)
{
    sal_graph *g = NULL;
    sal_vid a, b3, i;
    CHECK_OK(sal_graph_new(&g, "faults", &err));
    CHECK_OK(sal_graph_input(g, "a", SAL_F32, 2, (int64_t[]){2, 4}, &a, &err));
    CHECK_OK(sal_graph_input(g, "b", SAL_F32, 1, (int64_t[]){3}, &b3, &err));
    CHECK_OK(sal_graph_input(g, "i", SAL_I64, 1, (int64_t[]){4}, &i, &err));
    sal_attr axis = SAL_AI("axis", 2), to = SAL_AI("to", 8), bad = SAL_AS("approximate", "some");
    int64_t far[] = {5};
    struct {
        sal_status want;
        const char *part;
    } faults[] = {{SAL_ESHAPE, "do not broadcast"}, {SAL_EINVAL, "insert a Cast"},
                  {SAL_EINVAL, "axis 2"},           {SAL_EUNSUPPORTED, "to = 8"},
                  {SAL_EINVAL, "approximate"},      {SAL_EINVAL, "must be a float"},
                  {SAL_EINVAL, "axis 5"},           {SAL_ESHAPE, "k is 5"}};
    for (size_t k = 0; k < SAL_COUNTOF(faults); k++) {
        sal_builder b = SAL_BUILDER(g, &err, "here");
        sal_vid two[2] = {a, SAL_NONE}, res[2];
        switch (k) {
        case 0:
            sal_b2(&b, "Add", a, b3);
            break;
        case 1:
            sal_b2(&b, "Add", a, i);
            break;
        case 2:
            sal_b_op(&b, "Softmax", 1, &a, 1, &axis);
            break;
        case 3:
            sal_b_op(&b, "Cast", 1, &a, 1, &to);
            break;
        case 4:
            sal_b_op(&b, "Gelu", 1, &a, 1, &bad);
            break;
        case 5:
            sal_b1(&b, "Exp", i);
            break;
        case 6:
            sal_b_reduce(&b, "ReduceSum", a, 1, far, true);
            break;
        default:
            two[1] = sal_b_ints(&b, far, 1);
            sal_b_node(&b, "TopK", 2, two, 0, NULL, 2, res);
            break;
        }
        CHECK_EQ(b.st, faults[k].want);
        CHECK_MSG(strstr(err.msg, faults[k].part) != NULL && strstr(err.msg, "here") != NULL,
                  "fault %zu: \"%s\"", k, err.msg);
    }
    sal_graph_free(g);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(clip_bounds_become_inputs), T(reduction_axes_become_an_input),
                              T(old_softmax_sees_a_matrix), T(coerced_softmax_normalises_rows),
                              T(other_old_forms), T(comparisons_of_known_lengths),
                              T(integers_wrap_and_truncate), T(not_a_number_is_kept),
                              T(large_numbers_do_not_overflow),
                              T(half_width_floats_are_widened_and_rounded),
                              T(derivatives_at_kinks_are_those_of_pytorch),
                              T(clip_has_no_gradient_at_its_bounds), T(faults_are_named)));
}
