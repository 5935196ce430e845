/* Passes: the graph computes the same afterwards, and the pass did what it is for. Files and
 * expected values: tests/golden/onnx/make.py. */
#include "harness.h"

#include "format/onnx_read.h"
#include "graph/dump.h"
#include "graph/op.h"
#include "graph/passes/passes.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"

#define GOLDEN SAL_SOURCE_DIR "/tests/golden/onnx/good/"

static const char *const files[] = {
    "opset7",     "attributes", "types",  "constants",  "unsorted", "symbols",  "gelu",
    "layer_norm", "swish",      "affine", "identities", "shared",   "metadata", "external"};

static const sal_fold fold = SAL_FOLD(sal_node_eval);

static sal_graph *read_file(const char *name)
{
    char path[512];
    sal_graph *g = NULL;
    sal_error err = {SAL_OK, 0, ""};
    (void)snprintf(path, sizeof path, GOLDEN "%s.onnx", name);
    CHECK_OK(sal_onnx_read(&g, path, &err));
    return g;
}

static sal_tensor load(const char *name, const char *kind, size_t i)
{
    char path[512];
    sal_tensor t = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    (void)snprintf(path, sizeof path, GOLDEN "%s.%s%zu.npy", name, kind, i);
    CHECK_OK(sal_npy_read(&t, path, &err));
    return t;
}

static void check_outputs(const sal_graph *g, const char *name, const char *after)
{
    sal_tensor in[4], out[8];
    sal_error err = {SAL_OK, 0, ""};
    for (size_t i = 0; i < 4; i++)
        in[i] = (sal_tensor)SAL_TENSOR_INIT;
    for (size_t i = 0; i < 8; i++)
        out[i] = (sal_tensor)SAL_TENSOR_INIT;
    for (size_t i = 0; i < g->n_inputs && i < 4; i++)
        in[i] = load(name, "in", i);
    CHECK_OK(sal_graph_evaluate(g, in, out, &err));
    for (size_t i = 0; i < g->n_outputs && i < 8; i++) {
        sal_tensor want = load(name, "out", i);
        CHECK_EQ(sal_tensor_count(&out[i]), sal_tensor_count(&want));
        for (int64_t k = 0; k < sal_tensor_count(&want) && out[i].data != NULL; k++)
            CHECK_MSG(fabs(sal_tensor_get(&out[i], k) - sal_tensor_get(&want, k)) <=
                          4e-6 * (1 + fabs(sal_tensor_get(&want, k))),
                      "%s after %s, output %zu [%lld]: %g, expected %g", name, after, i,
                      (long long)k, sal_tensor_get(&out[i], k), sal_tensor_get(&want, k));
        sal_tensor_free(&want);
        sal_tensor_free(&out[i]);
    }
    for (size_t i = 0; i < 4; i++)
        sal_tensor_free(&in[i]);
}

/* What every graph must fulfil: order, producers, numbering, unique names, inputs and outputs as
 * before. */
static void check_sound(const sal_graph *g, const sal_graph *before)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        CHECK_EQ(n->id, i);
        for (int k = 0; k < n->n_in; k++)
            CHECK(n->in[k] == SAL_NONE || sal_val(g, n->in[k])->producer < n->id);
        for (int k = 0; k < n->n_out; k++) {
            CHECK(n->out[k] == SAL_NONE || sal_val(g, n->out[k])->producer == n->id);
            CHECK(n->out[k] == SAL_NONE || sal_val(g, n->out[k])->producer_out == k);
            CHECK(n->out[k] == SAL_NONE || sal_val(g, n->out[k])->constant == NULL);
        }
    }
    for (size_t v = 0; v < g->n_values; v++)
        CHECK_EQ(sal_graph_find(g, g->values[v]->name), v);
    CHECK_EQ(g->n_inputs, before->n_inputs);
    CHECK_EQ(g->n_outputs, before->n_outputs);
    for (size_t i = 0; i < g->n_inputs; i++)
        CHECK_STR(sal_val(g, g->inputs[i])->name, sal_val(before, before->inputs[i])->name);
    for (size_t i = 0; i < g->n_outputs; i++)
        CHECK_STR(sal_val(g, g->outputs[i])->name, sal_val(before, before->outputs[i])->name);
}

static int count(const sal_graph *g, const char *op)
{
    int n = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        n += strcmp(g->nodes[i]->op->name, op) == 0;
    return n;
}

/* Bind the shapes of the golden inputs. */
static sal_graph *bind_file(const sal_graph *g, const char *name)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_bound in[4];
    sal_graph *out = NULL;
    memset(in, 0, sizeof in);
    for (size_t i = 0; i < g->n_inputs; i++) {
        sal_tensor t = load(name, "in", i);
        in[i].input = (int32_t)i;
        in[i].rank = t.rank;
        memcpy(in[i].dims, t.dims, sizeof in[i].dims);
        sal_tensor_free(&t);
    }
    CHECK_OK(sal_graph_bind(&out, g, (int)g->n_inputs, in, &fold, &err));
    return out;
}

TEST(each_pass_keeps_what_is_computed)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sal_error err = {SAL_OK, 0, ""};
        sal_graph *g = read_file(files[i]), *c = NULL;
        for (size_t p = 0; p <= sal_pass_count() + 1; p++) {
            bool single = p < sal_pass_count();
            const char *what = single                  ? sal_pass_at(p)->name
                               : p == sal_pass_count() ? "fold"
                                                       : "all";
            CHECK_OK(sal_graph_clone(&c, g, &err));
            if (single)
                CHECK_OK(sal_pass_at(p)->run(c, &err));
            else if (p == sal_pass_count())
                CHECK_OK(sal_pass_fold(c, &fold, &err));
            else
                CHECK_OK(sal_pass_all(c, &fold, &err));
            check_sound(c, g);
            check_outputs(c, files[i], what);
            sal_graph_free(c);
        }
        sal_graph_free(g);
    }
}

TEST(binding_makes_every_shape_concrete)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sal_error err = {SAL_OK, 0, ""};
        sal_graph *g = read_file(files[i]), *b = bind_file(g, files[i]);
        if (b != NULL) {
            for (size_t n = 0; n < b->n_nodes; n++)
                for (int k = 0; k < b->nodes[n]->n_out; k++)
                    CHECK(b->nodes[n]->out[k] == SAL_NONE ||
                          sal_value_is_static(sal_val(b, b->nodes[n]->out[k])));
            check_sound(b, g);
            check_outputs(b, files[i], "bind");
            CHECK_OK(sal_pass_all(b, &fold, &err));
            check_sound(b, g);
            check_outputs(b, files[i], "bind, all");
        }
        sal_graph_free(b);
        sal_graph_free(g);
    }
}

TEST(shape_arithmetic_vanishes)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = read_file("symbols"), *b = bind_file(g, "symbols");
    CHECK_EQ(count(b, "Shape") + count(b, "Gather") + count(b, "Unsqueeze") +
                 count(b, "ConstantOfShape"),
             0);
    CHECK_EQ(count(b, "Concat"), 1);
    sal_graph_free(b);

    const sal_bound_symbol batch = {"batch", 1}, wrong = {"bunch", 3};
    char text[128];
    CHECK_OK(sal_graph_bind_symbols(&b, g, 1, &batch, &fold, &err));
    CHECK_STR(sal_value_text(b, b->outputs[0], text, sizeof text), "float32[1,7,5]");
    sal_graph_free(b);
    CHECK_EQ(sal_graph_bind_symbols(&b, g, 1, &wrong, &fold, &err), SAL_EINVAL);
    CHECK(b == NULL && strstr(err.msg, "no dimension 'bunch'") != NULL);
    sal_graph_free(g);
}

TEST(binding_refuses_other_shapes)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = read_file("symbols"), *b = NULL;
    sal_bound in = {0, 4, {2, 3, 4, 7}};
    CHECK_EQ(sal_graph_bind(&b, g, 1, &in, &fold, &err), SAL_ESHAPE);
    CHECK(b == NULL &&
          strstr(err.msg, "input 'x' has size 7 along axis 3, the model wants 6") != NULL);
    in.rank = 3;
    CHECK_EQ(sal_graph_bind(&b, g, 1, &in, &fold, &err), SAL_ESHAPE);
    CHECK_EQ(sal_graph_bind(&b, g, 0, NULL, &fold, &err), SAL_ESHAPE);
    CHECK(strstr(err.msg, "its shape must be given") != NULL);
    in.input = 1;
    CHECK_EQ(sal_graph_bind(&b, g, 1, &in, &fold, &err), SAL_EINVAL);
    sal_graph_free(g);
}

TEST(composites_are_recognised)
{
    static const struct {
        const char *file, *op;
        int n;
    } want[] = {{"gelu", "Gelu", 5},
                {"gelu", "Erf", 0},
                {"gelu", "Tanh", 0},
                {"gelu", "Mul", 0},
                {"swish", "Swish", 2},
                {"swish", "HardSwish", 1},
                {"layer_norm", "LayerNormalization", 2},
                {"layer_norm", "ReduceMean", 0},
                {"layer_norm", "Mul", 0}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        sal_error err = {SAL_OK, 0, ""};
        sal_graph *g = read_file(want[i].file);
        CHECK_OK(sal_pass_recognise(g, &err));
        CHECK_MSG(count(g, want[i].op) == want[i].n, "%s: %d x %s", want[i].file,
                  count(g, want[i].op), want[i].op);
        sal_graph_free(g);
    }
}

TEST(scales_go_into_convolutions)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = read_file("affine");
    sal_vid n1 = sal_graph_find(g, "n1");
    CHECK_OK(sal_pass_bn(g, &err));
    CHECK_EQ(count(g, "BatchNormalization") + count(g, "Mul") + count(g, "Add") + count(g, "Sub") +
                 count(g, "Div"),
             0);
    CHECK_EQ(count(g, "Conv"), 2);
    /* The value behind the normalisation is still there under its name. */
    CHECK_STR(sal_val(g, n1)->name, "n1");
    CHECK_STR(g->nodes[sal_val(g, n1)->producer]->op->name, "Conv");
    sal_graph_free(g);
}

TEST(identities_vanish)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = read_file("identities");
    CHECK_OK(sal_pass_all(g, &fold, &err));
    /* Relu, one Transpose of its own for each branch (equal: one), Add, Slice. */
    CHECK_EQ(count(g, "Relu"), 1);
    CHECK_EQ(count(g, "Transpose"), 1);
    CHECK_EQ(count(g, "Slice"), 1);
    CHECK_EQ(g->n_nodes, 4);
    sal_graph_free(g);

    g = read_file("shared"); /* outputs stay apart even where they are equal */
    CHECK_OK(sal_pass_all(g, &fold, &err));
    CHECK(g->outputs[1] != g->outputs[2] && g->outputs[2] != g->outputs[4]);
    CHECK(g->n_nodes <= 4);
    sal_graph_free(g);
}

/* Much out of little stays a node; what was large already may be folded. */
TEST(folding_keeps_to_its_limits)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = NULL;
    CHECK_OK(sal_graph_new(&g, "fold", &err));
    sal_builder b = SAL_BUILDER(g, &err, NULL);
    const int64_t small[] = {10, 10}, large[] = {1000, 1000}, absurd[] = {1 << 30, 1 << 30};
    sal_vid s = sal_b1(&b, "ConstantOfShape", sal_b_ints(&b, small, 2));
    sal_vid l = sal_b1(&b, "ConstantOfShape", sal_b_ints(&b, large, 2));
    sal_vid a = sal_b1(&b, "ConstantOfShape", sal_b_ints(&b, absurd, 2));
    CHECK_OK(b.st);
    CHECK_OK(sal_graph_add_output(g, s, &err));
    CHECK_OK(sal_graph_add_output(g, l, &err));
    CHECK_OK(sal_graph_add_output(g, a, &err));
    CHECK_OK(sal_pass_fold(g, &fold, &err));
    CHECK(sal_val(g, s)->constant != NULL);
    CHECK(sal_val(g, l)->constant == NULL && sal_val(g, a)->constant == NULL);
    const sal_fold run = SAL_FOLD_EXEC(sal_node_eval);
    CHECK_OK(sal_pass_fold(g, &run, &err));
    CHECK(sal_val(g, l)->constant != NULL && sal_val(g, a)->constant == NULL);
    sal_graph_free(g);
}

TEST(extract)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = read_file("affine"), *e = NULL;
    sal_vid want[2] = {sal_graph_find(g, "r1"), sal_graph_find(g, "c1")};
    CHECK_OK(sal_graph_extract(&e, g, 2, want, &err));
    CHECK_EQ(e->n_nodes, 3);
    CHECK_EQ(e->n_inputs, 1);
    CHECK_STR(sal_val(e, e->outputs[0])->name, "r1");
    CHECK_STR(sal_val(e, e->outputs[1])->name, "c1");
    sal_graph_free(e);
    want[0] = 12345;
    CHECK_EQ(sal_graph_extract(&e, g, 1, want, &err), SAL_EINVAL);
    CHECK(e == NULL);
    sal_graph_free(g);
}

TEST(dumps)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = read_file("opset7");
    sal_bytes text = {NULL, 0, 0}, dot = {NULL, 0, 0};
    CHECK_OK(sal_graph_dump_text(g, &text, &err));
    CHECK(strstr(text.data, "input   x float32[1,3,6,6]\n") == text.data);
    CHECK(strstr(text.data, "BatchNormalization") != NULL &&
          strstr(text.data, "kernel_shape=[3,3]") != NULL);
    CHECK_OK(sal_graph_dump_dot(g, &dot, &err));
    CHECK(strstr(dot.data, "digraph") == dot.data &&
          strstr(dot.data, "Conv\\n1 x 4 x 6 x 6") != NULL);
    sal_bytes_free(&text);
    sal_bytes_free(&dot);
    sal_graph_free(g);
}

TEST(survives_lack_of_memory)
{
    static const char *const names[] = {"symbols", "affine",     "identities",
                                        "gelu",    "layer_norm", "shared"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sal_graph *g = read_file(names[i]);
        sal_bound in[1];
        sal_tensor t = load(names[i], "in", 0);
        memset(in, 0, sizeof in);
        in[0].rank = t.rank;
        memcpy(in[0].dims, t.dims, sizeof in[0].dims);
        sal_tensor_free(&t);
        long live = sal_test_live();
        sal_status st = SAL_ENOMEM;
        for (long n = 0; st != SAL_OK && n < 5000; n++) {
            sal_graph *b = NULL;
            sal_test_fail_after(n, true);
            st = sal_graph_bind(&b, g, 1, in, &fold, NULL);
            if (st == SAL_OK)
                st = sal_pass_all(b, &fold, NULL);
            sal_test_fail_after(-1, false);
            CHECK_MSG(st == SAL_OK || st == SAL_ENOMEM, "%s, allocation %ld: %d", names[i], n,
                      (int)st);
            sal_graph_free(b);
            CHECK_EQ(sal_test_live(), live);
        }
        CHECK_EQ(st, SAL_OK);
        sal_graph_free(g);
    }
}

int main(int argc, char **argv)
{
    return harness_main(
        argc, argv,
        TESTS(T(each_pass_keeps_what_is_computed), T(binding_makes_every_shape_concrete),
              T(shape_arithmetic_vanishes), T(binding_refuses_other_shapes),
              T(composites_are_recognised), T(scales_go_into_convolutions), T(identities_vanish),
              T(folding_keeps_to_its_limits), T(extract), T(dumps), T(survives_lack_of_memory)));
}
