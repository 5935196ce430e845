/* ONNX files in and out. The files and what ONNX Runtime computes with them:
 * tests/golden/onnx/make.py. */
#include "harness.h"

#include "format/onnx_read.h"
#include "format/onnx_write.h"
#include "graph/op.h"
#include "ops/core/evaluate.h"

#include <sys/stat.h>
#include <unistd.h>

#define GOLDEN SAL_SOURCE_DIR "/tests/golden/onnx/"

static const char *const good_files[] = {
    "opset7",     "attributes", "types",  "constants",  "unsorted",   "symbols",  "gelu",
    "layer_norm", "swish",      "affine", "identities", "shared",     "metadata", "external",
    "functions",  "branch",     "loop",   "scan",       "selections", "sequences"};

/* Part of the one-line message for each file of golden/onnx/bad. */
static const struct {
    const char *file;
    sal_status st;
    const char *message;
} bad_files[] = {
    {"empty", SAL_EFORMAT, "the file is empty"},
    {"text", SAL_EFORMAT, "byte 0"},
    {"truncated", SAL_EFORMAT, "byte 70: the file or message ends"},
    {"varint", SAL_EFORMAT, "byte 1: a number is longer than ten bytes"},
    {"no_graph", SAL_EFORMAT, "the model holds no graph"},
    {"opset5", SAL_EUNSUPPORTED, "Relu of operator set 5 is not supported"},
    {"opset99", SAL_EUNSUPPORTED, "operator set 99 is not supported"},
    {"ir99", SAL_EUNSUPPORTED, "IR version 99"},
    {"unknown_ops", SAL_EUNSUPPORTED,
     "node 'f1': the operator Frobnicate is not supported; also missing: "
     "com.microsoft.Unheard, Bar"},
    {"recursion", SAL_EFORMAT, "the function calls itself"},
    {"doubling", SAL_EUNSUPPORTED, "the functions amount to more than 200000 nodes"},
    {"endless", SAL_EUNSUPPORTED, "(Loop): it does not end within 20000 rounds"},
    {"late_capture", SAL_EFORMAT, "reads 'z', which is computed later"},
    {"heads", SAL_EUNSUPPORTED, "the numbers of heads are not plausible"},
    {"cycle", SAL_EFORMAT, "node 'first' (Add) depends on its own output"},
    {"missing_value", SAL_EFORMAT, "node 'sum' (Add) reads 'nowhere'"},
    {"twice", SAL_EFORMAT, "node 'again' (Neg): value 'y' is defined twice"},
    {"output", SAL_EFORMAT, "output 'z' is produced by nothing"},
    {"no_outputs", SAL_EFORMAT, "no outputs"},
    {"arity", SAL_EFORMAT, "node 'act': Relu has 2 inputs"},
    {"no_input", SAL_EFORMAT, "node 'act': Relu has 0 inputs"},
    {"axis_type", SAL_EFORMAT, "node 'soft': attribute 'axis' is a number instead of an integer"},
    {"attr_twice", SAL_EFORMAT, "attribute 'alpha' is given twice"},
    {"shapes", SAL_ESHAPE, "sum"},
    {"short_raw", SAL_EFORMAT, "tensor 'w' has 7 bytes of data, its shape needs 8"},
    {"huge_dims", SAL_EFORMAT, "exceeds the address space"},
    {"negative_dim", SAL_EFORMAT, "has the size -2 along axis 0"},
    {"rank9", SAL_EUNSUPPORTED, "has 9 axes"},
    {"dtype", SAL_EFORMAT, "unknown element type 77"},
    {"string", SAL_EUNSUPPORTED, "element type string"},
    {"float8", SAL_EUNSUPPORTED, "element type float8e4m3fn"},
    {"nameless", SAL_EFORMAT, "an initialiser has no name"},
    {"sparse", SAL_EUNSUPPORTED, "sparse initialisers"},
    {"sequence", SAL_EUNSUPPORTED, "input 'x' is no tensor"},
    {"ext_up", SAL_EUNSUPPORTED, "'../secret.bin' is refused: it leads out of the model's folder"},
    {"ext_inner_up", SAL_EUNSUPPORTED, "is refused"},
    {"ext_abs", SAL_EUNSUPPORTED, "the path is absolute"},
    {"ext_missing", SAL_EIO, "'nowhere.bin' cannot be opened"},
    {"ext_folder", SAL_EIO, "cannot be opened"},
    {"ext_empty", SAL_EUNSUPPORTED, "the name is empty"},
    {"ext_offset", SAL_EUNSUPPORTED, "is refused"},
    {"ext_number", SAL_EFORMAT, "the offset '-4' of its external data is no number"},
    {"nested", SAL_EFORMAT, "nested more than 100 deep"},
    {"two_graphs", SAL_EFORMAT, "the field ModelProto.graph occurs twice"},
    {"nul", SAL_EFORMAT, "holds a NUL byte"},
};

static sal_tensor load(const char *name, const char *kind, size_t i)
{
    char path[512];
    sal_tensor t = SAL_TENSOR_INIT;
    sal_error err = {SAL_OK, 0, ""};
    (void)snprintf(path, sizeof path, GOLDEN "good/%s.%s%zu.npy", name, kind, i);
    CHECK_OK(sal_npy_read(&t, path, &err));
    return t;
}

/* Outputs of g on the golden inputs against ONNX Runtime's. */
static void check_outputs(const sal_graph *g, const char *name)
{
    sal_tensor in[4], out[8];
    sal_error err = {SAL_OK, 0, ""};
    CHECK(g->n_inputs <= 4 && g->n_outputs <= 8);
    for (size_t i = 0; i < 4; i++)
        in[i] = (sal_tensor)SAL_TENSOR_INIT;
    for (size_t i = 0; i < 8; i++)
        out[i] = (sal_tensor)SAL_TENSOR_INIT;
    for (size_t i = 0; i < g->n_inputs; i++)
        in[i] = load(name, "in", i);
    CHECK_OK(sal_graph_evaluate(g, in, out, &err));
    for (size_t i = 0; i < g->n_outputs; i++) {
        sal_tensor want = load(name, "out", i);
        CHECK_EQ(sal_tensor_count(&out[i]), sal_tensor_count(&want));
        CHECK_EQ(out[i].rank, want.rank);
        for (int64_t k = 0; k < sal_tensor_count(&want) && out[i].data != NULL; k++)
            CHECK_MSG(fabs(sal_tensor_get(&out[i], k) - sal_tensor_get(&want, k)) <=
                          2e-6 * (1 + fabs(sal_tensor_get(&want, k))),
                      "%s output %zu [%lld]: %g, expected %g", name, i, (long long)k,
                      sal_tensor_get(&out[i], k), sal_tensor_get(&want, k));
        sal_tensor_free(&want);
        sal_tensor_free(&out[i]);
    }
    for (size_t i = 0; i < 4; i++)
        sal_tensor_free(&in[i]);
}

static sal_graph *read_good(const char *name)
{
    char path[512];
    sal_graph *g = NULL;
    sal_error err = {SAL_OK, 0, ""};
    (void)snprintf(path, sizeof path, GOLDEN "good/%s.onnx", name);
    CHECK_OK(sal_onnx_read(&g, path, &err));
    return g;
}

TEST(computes_what_onnx_runtime_does)
{
    for (size_t i = 0; i < sizeof good_files / sizeof *good_files; i++) {
        sal_graph *g = read_good(good_files[i]);
        if (g != NULL)
            check_outputs(g, good_files[i]);
        sal_graph_free(g);
    }
}

/* Write, read, write: the graph computes the same, and the second file is the first. */
TEST(round_trip)
{
    char path[512];
    (void)mkdir(SAL_TEST_TMP "/written", 0777);
    for (size_t i = 0; i < sizeof good_files / sizeof *good_files; i++) {
        sal_error err = {SAL_OK, 0, ""};
        sal_graph *g = read_good(good_files[i]), *again = NULL;
        sal_bytes first = {NULL, 0, 0}, second = {NULL, 0, 0};
        CHECK_OK(sal_onnx_write_memory(g, &first, &err));
        CHECK_OK(sal_onnx_read_memory(&again, first.data, first.len, "again", NULL, &err));
        if (again != NULL) {
            check_outputs(again, good_files[i]);
            CHECK_OK(sal_onnx_write_memory(again, &second, &err));
            CHECK(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
            CHECK_EQ(again->n_nodes, g->n_nodes);
            /* For tests/python/onnx_write_test.py. */
            (void)snprintf(path, sizeof path, "%s/written/%s.onnx", SAL_TEST_TMP, good_files[i]);
            CHECK_OK(sal_onnx_write(g, path, &err));
            CHECK_EQ(again->n_inputs, g->n_inputs);
            for (size_t k = 0; k < g->n_inputs; k++) {
                char a[256], b[256];
                CHECK_STR(sal_value_text(g, g->inputs[k], a, sizeof a),
                          sal_value_text(again, again->inputs[k], b, sizeof b));
            }
        }
        sal_bytes_free(&first);
        sal_bytes_free(&second);
        sal_graph_free(g);
        sal_graph_free(again);
    }
}

TEST(facts_of_a_file)
{
    char text[256];
    sal_graph *g = read_good("metadata");
    CHECK_STR(sal_graph_meta(g, "classes"), "a, b");
    CHECK_STR(sal_graph_meta(g, "empty"), "");
    CHECK(sal_graph_meta(g, "absent") == NULL);
    CHECK_STR(sal_value_text(g, g->inputs[0], text, sizeof text), "float32[N,?2,3]");
    CHECK_STR(sal_value_text(g, g->outputs[0], text, sizeof text), "float32[N,?2,3]");
    CHECK_STR(g->producer, "make");
    CHECK_EQ(g->opset, 17);
    sal_graph_free(g);

    g = read_good("symbols"); /* the batch survives shape arithmetic */
    CHECK_STR(sal_value_text(g, sal_graph_find(g, "p"), text, sizeof text), "float32[batch,6,5]");
    sal_graph_free(g);

    g = read_good("opset7"); /* initialisers that are listed as inputs are constants */
    CHECK_EQ(g->n_inputs, 1);
    CHECK(sal_val(g, sal_graph_find(g, "w"))->constant != NULL);
    sal_graph_free(g);

    g = read_good("unsorted"); /* put in order, twins told apart */
    CHECK_STR(g->nodes[0]->op->name, "Clip");
    CHECK_STR(g->nodes[2]->name, "last");
    CHECK(strcmp(g->nodes[0]->name, g->nodes[1]->name) != 0);
    sal_graph_free(g);
}

TEST(refuses_bad_files)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        char path[512];
        sal_graph *g = NULL;
        sal_error err = {SAL_OK, 0, ""};
        (void)snprintf(path, sizeof path, GOLDEN "bad/%s.onnx", bad_files[i].file);
        sal_status st = sal_onnx_read(&g, path, &err);
        CHECK_MSG(st == bad_files[i].st && g == NULL, "%s: %d, %s", bad_files[i].file, (int)st,
                  err.msg);
        CHECK_MSG(strstr(err.msg, bad_files[i].message) != NULL, "%s: %s", bad_files[i].file,
                  err.msg);
        CHECK_MSG(strncmp(err.msg, path, strlen(path)) == 0, "%s: %s", bad_files[i].file, err.msg);
        CHECK(strchr(err.msg, '\n') == NULL);
        CHECK_EQ(err.code, st);
        CHECK(sal_onnx_read(&g, path, NULL) == st);
        sal_graph_free(g);
    }
}

/* What cannot lie in the source tree: symbolic links and devices in the model's folder. */
TEST(external_data_stays_in_the_folder)
{
    static const char *const kinds[] = {"link", "folder", "fifo"};
    char dir[512], path[640];
    sal_file file;
    sal_error err = {SAL_OK, 0, ""};
    (void)snprintf(dir, sizeof dir, "%s/onnx_external", SAL_TEST_TMP);
    (void)mkdir(dir, 0777);
    (void)snprintf(path, sizeof path, "%s/device", dir);
    CHECK_OK(sal_file_open(&file, GOLDEN "bad/ext_device.onnx", &err));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        sal_graph *g = NULL;
        (void)unlink(path);
        (void)rmdir(path);
        int made = i == 0   ? symlink("/etc/passwd", path)
                   : i == 1 ? mkdir(path, 0777)
                            : mkfifo(path, 0666);
        CHECK_EQ(made, 0);
        sal_status st = sal_onnx_read_memory(&g, file.data, file.size, "m", dir, &err);
        CHECK_MSG(st == SAL_EUNSUPPORTED && strstr(err.msg, "is refused") != NULL, "%s: %s",
                  kinds[i], err.msg);
        sal_graph_free(g);
    }
    (void)unlink(path);
    (void)rmdir(path);
    sal_graph *g = NULL;
    CHECK_EQ(sal_onnx_read_memory(&g, file.data, file.size, "m", NULL, &err), SAL_EUNSUPPORTED);
    sal_file_close(&file);
}

TEST(large_weights_go_to_a_file_of_their_own)
{
    char path[512], data[520];
    sal_error err = {SAL_OK, 0, ""};
    struct stat info;
    sal_graph *g = read_good("affine"), *again = NULL;
    (void)snprintf(path, sizeof path, "%s/split.onnx", SAL_TEST_TMP);
    (void)snprintf(data, sizeof data, "%s.data", path);
    CHECK_OK(sal_onnx_write_limit(g, path, 100, &err));
    CHECK(stat(data, &info) == 0 && info.st_size > 0);
    CHECK_OK(sal_onnx_read(&again, path, &err));
    if (again != NULL)
        check_outputs(again, "affine");
    CHECK_EQ(sal_onnx_write(g, "/nonexistent/x.onnx", &err), SAL_EIO);
    sal_graph_free(again);
    sal_graph_free(g);
    (void)unlink(path);
    (void)unlink(data);
}

/* Every allocation may fail: a clean error, nothing kept. */
TEST(survives_lack_of_memory)
{
    static const char *const files[] = {"symbols", "types", "external", "unsorted"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        sal_status st = SAL_ENOMEM;
        long live = sal_test_live();
        (void)snprintf(path, sizeof path, GOLDEN "good/%s.onnx", files[i]);
        for (long n = 0; st != SAL_OK && n < 5000; n++) {
            sal_graph *g = NULL;
            sal_bytes bytes = {NULL, 0, 0};
            sal_test_fail_after(n, true);
            st = sal_onnx_read(&g, path, NULL);
            if (st == SAL_OK)
                st = sal_onnx_write_memory(g, &bytes, NULL);
            sal_test_fail_after(-1, false);
            CHECK_MSG(st == SAL_OK || st == SAL_ENOMEM, "%s, allocation %ld: %d", files[i], n,
                      (int)st);
            sal_bytes_free(&bytes);
            sal_graph_free(g);
            CHECK_EQ(sal_test_live(), live);
        }
        CHECK_EQ(st, SAL_OK);
    }
}

/* Cut off anywhere: an error with an offset inside the file, or a shorter valid file; never a
 * crash. */
TEST(truncation)
{
    sal_file file;
    sal_error err = {SAL_OK, 0, ""};
    CHECK_OK(sal_file_open(&file, GOLDEN "good/gelu.onnx", &err));
    for (size_t n = 0; n < file.size; n++) {
        sal_graph *g = NULL;
        sal_status st = sal_onnx_read_memory(&g, file.data, n, "cut", NULL, &err);
        CHECK(st != SAL_OK || g != NULL);
        CHECK(st == SAL_OK || err.offset <= n);
        sal_graph_free(g);
    }
    sal_file_close(&file);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(computes_what_onnx_runtime_does), T(round_trip), T(facts_of_a_file),
                              T(refuses_bad_files), T(external_data_stays_in_the_folder),
                              T(large_weights_go_to_a_file_of_their_own),
                              T(survives_lack_of_memory), T(truncation)));
}
