/* GGUF: the reader, and tiny models of every architecture against PyTorch
 * (tests/oracle/make_gguf.py). */
#include "format/gguf.h"
#include "harness.h"
#include "support/language_case.h"

#include <stdio.h>

static const char *const gguf_names[] = {"llama",  "llama3", "linear", "yarn", "window",
                                         "gemma3", "qwen2",  "qwen3",  "phi3", "phi3-long"};

static const char *gguf_path(const char *name, const char *ending, char buf[512])
{
    (void)snprintf(buf, 512, "%s/tests/golden/gguf/%s.%s", SAL_SOURCE_DIR, name, ending);
    return buf;
}

/* Logits and the gradient by the embeddings through packed weights. */
TEST(models_are_pytorch)
{
    for (size_t i = 0; i < sizeof(gguf_names) / sizeof(gguf_names[0]); i++) {
        const char *name = gguf_names[i];
        double logits = INFINITY, gradient = INFINITY;
        sal_error err = {SAL_OK, 0, ""};
        char path[512], stem[512];

        (void)snprintf(stem, sizeof(stem), "%s/tests/golden/gguf/%s", SAL_SOURCE_DIR, name);
        CHECK_OK(language_case(gguf_path(name, "gguf", path), stem, &logits, &gradient, &err));
        CHECK_MSG(logits < 3e-6, "%s: logits %g", name, logits);
        CHECK_MSG(gradient < 5e-6, "%s: gradient %g", name, gradient);
    }
}

TEST(reader)
{
    char path[512];
    sal_error err = {SAL_OK, 0, ""};
    sal_gguf *g = NULL;
    const sal_gguf_tensor *t;
    sal_tensor bytes = SAL_TENSOR_INIT;

    CHECK_MSG(sal_gguf_open(&g, gguf_path("llama", "gguf", path), &err) == SAL_OK, "%s", err.msg);
    if (g == NULL)
        return;
    CHECK_EQ(sal_gguf_version(g), 3);
    CHECK_EQ(sal_gguf_int(g, "llama.block_count", 0), 2);
    CHECK(fabs(sal_gguf_float(g, "llama.rope.freq_base", 0.0) - 10000.0) < 1e-9);
    CHECK(sal_gguf_string(g, "general.name").n == strlen("tiny llama"));
    CHECK(sal_gguf_find(g, "no.such") == NULL && sal_gguf_int(g, "general.name", -7) == -7);
    t = sal_gguf_tensor_find(g, "blk.1.ffn_down.weight");
    CHECK(t != NULL && sal_gguf_tensor_find(g, "blk.2.ffn_down.weight") == NULL);
    if (t != NULL) {
        CHECK_STR(t->type->name, "q4_1");
        CHECK_EQ(t->rows, 64);
        CHECK_EQ(t->dims[1], 96);
        CHECK_EQ(t->row_bytes, 60);
        CHECK(sal_gguf_bytes(g, t, &bytes, &err) == SAL_OK);
    }
    sal_gguf_close(g);
    CHECK_EQ(sal_tensor_bytes(&bytes), 64 * 60); /* the tensor keeps the file mapped */
    CHECK(sal_tensor_get(&bytes, 0) >= 0.0);
    sal_tensor_free(&bytes);
}

/* Cut off anywhere, the file is refused with one line that names it. */
TEST(cut_off)
{
    char path[512];
    sal_error err = {SAL_OK, 0, ""};
    sal_file f = {NULL, 0, false};

    CHECK(sal_file_open(&f, gguf_path("llama", "gguf", path), &err) == SAL_OK);
    for (size_t n = 0; n < f.size; n += n < 4000 ? 1 : 997) {
        sal_gguf *g = NULL;

        CHECK(sal_gguf_open_memory(&g, f.data, n, "short.gguf", &err) != SAL_OK);
        CHECK(g == NULL && strncmp(err.msg, "short.gguf: ", 12) == 0);
    }
    sal_file_close(&f);
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv, TESTS(T(models_are_pytorch), T(reader), T(cut_off)));
}
