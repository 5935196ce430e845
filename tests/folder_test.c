/* Hugging Face folders: the reader of safetensors, config.json, and tiny models of every family
 * against transformers (tests/oracle/make_folder.py). */
#include "format/language/folder_config.h"
#include "format/language/folder_model.h"
#include "format/safetensors.h"
#include "harness.h"
#include "support/language_case.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER SAL_SOURCE_DIR "/tests/golden/folder/"

static sal_error err;

TEST(models_are_transformers)
{
    static const char *const names[] = {"llama", "mistral", "gemma3",   "qwen2",
                                        "qwen3", "phi3",    "phi3-long"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        double logits = INFINITY, gradient = INFINITY;
        char stem[512];
        (void)snprintf(stem, sizeof stem, FOLDER "%s", names[i]);
        CHECK_OK(language_case(stem, stem, &logits, &gradient, &err));
        CHECK_MSG(logits < 3e-6, "%s: logits %g", names[i], logits);
        CHECK_MSG(gradient < 5e-6, "%s: gradient %g", names[i], gradient);
    }
}

/* ---- safetensors ---- */

static sal_status safe_make(sal_safetensors **out, const char *header, size_t data)
{
    uint8_t bytes[1024] = {0};
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (8 * i));
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < data; i++)
        bytes[8 + n + i] = (uint8_t)i;
    return sal_safetensors_open_memory(out, bytes, 8 + n + data, "made.safetensors", &err);
}

TEST(tensors_are_found)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\n \"a\" : {\"shape\":[2,3], \"dtype\":\"F16\","
        "\"data_offsets\":[4,16]},\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"e\":{\"dtype\":\"I64\",\"shape\":[4,0],\"data_offsets\":[16,16]}}  ";
    sal_safetensors *s = NULL;
    sal_tensor bytes = SAL_TENSOR_INIT, none = SAL_TENSOR_INIT;
    CHECK_OK(safe_make(&s, header, 16));
    if (s == NULL)
        return;
    CHECK_EQ(sal_safetensors_count(s), 3);
    const sal_safetensors_tensor *a = sal_safetensors_find(s, "a"),
                                 *one = sal_safetensors_find(s, "s");
    CHECK(sal_safetensors_find(s, "b") == NULL && sal_safetensors_at(s, 3) == NULL);
    CHECK(a != NULL && one != NULL);
    if (a != NULL && one != NULL) {
        CHECK(a->type == &sal_block_type_f16);
        CHECK_EQ(a->rows, 2);
        CHECK_EQ(a->columns, 3);
        CHECK_EQ(a->data[0], 4);
        CHECK_EQ(one->rank, 0);
        CHECK_EQ(one->rows * one->columns, 1);
        CHECK_OK(sal_safetensors_bytes(s, a, &bytes, &err));
    }
    CHECK(sal_safetensors_bytes(s, sal_safetensors_find(s, "e"), &none, &err) == SAL_EUNSUPPORTED);
    sal_safetensors_close(s);
    CHECK_EQ(bytes.dims[1], 6); /* keeps the file */
    CHECK_EQ(((const uint8_t *)bytes.data)[11], 15);
    sal_tensor_free(&bytes);
}

TEST(damage_is_refused)
{
    static const char *const headers[] = {
        "",
        "[]",
        "{",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}x",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[16,20]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F8_E9\",\"shape\":[70368744177664,70368744177664],"
        "\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"__metadata__\":{\"a\":1}}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        sal_safetensors *s = NULL;
        CHECK_MSG(safe_make(&s, headers[i], 16) == SAL_EFORMAT, "%s", headers[i]);
        CHECK_MSG(s == NULL && strncmp(err.msg, "made.safetensors: byte ", 23) == 0, "%s", err.msg);
    }
}

TEST(cut_off)
{
    sal_file f = {NULL, 0, false};
    CHECK_OK(sal_file_open(&f, FOLDER "mistral/model.safetensors", &err));
    for (size_t n = 0; n < f.size; n += n < 4000 ? 1 : 997) {
        sal_safetensors *s = NULL;
        CHECK(sal_safetensors_open_memory(&s, f.data, n, "short", &err) == SAL_EFORMAT);
        CHECK(s == NULL && strncmp(err.msg, "short: byte ", 12) == 0);
    }
    sal_file_close(&f);
}

/* ---- config.json ---- */

static sal_status config_of(sal_folder_config *c, const char *more)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"model_type\": \"qwen2\", \"hidden_size\": 64, \"num_hidden_layers\": 4,"
                   "\"num_attention_heads\": 4, \"intermediate_size\": 96, \"vocab_size\": 97,"
                   "\"max_position_embeddings\": 64%s}",
                   more);
    return sal_folder_config_parse(c, text, strlen(text), "config.json", &err);
}

TEST(config)
{
    static const struct {
        const char *more;
        sal_status st;
        const char *says;
    } bad[] = {
        {", \"hidden_size\": \"64\"", SAL_EFORMAT, "hidden_size"},
        {", \"rms_norm_eps\": []", SAL_EFORMAT, "rms_norm_eps"},
        {", \"head_dim\": 9000000000000000000", SAL_EFORMAT, "head_dim"},
        {", \"hidden_act\": \"relu\"", SAL_EUNSUPPORTED, "hidden_act"},
        {", \"quantization_config\": {}", SAL_EUNSUPPORTED, "quantization_config"},
        {", \"model_type\": \"mamba\"", SAL_EUNSUPPORTED, "known are llama"},
        {", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}", SAL_EUNSUPPORTED,
         "dynamic"},
        {", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", SAL_EFORMAT, "factor"},
        {", \"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2]}", SAL_EFORMAT,
         "short_factor"},
        {", \"use_sliding_window\": true, \"sliding_window\": 8, \"layer_types\": []", SAL_EFORMAT,
         "layer_types"},
        {", \"use_sliding_window\": true, \"sliding_window\": 8, \"layer_types\": "
         "[\"full_attention\", \"full_attention\", \"sliding_attention\", \"sliding_attention\"]",
         SAL_EUNSUPPORTED, "layer_types"},
    };
    sal_folder_config c;
    CHECK_OK(config_of(&c, ", \"sliding_window\": 8"));
    CHECK_EQ(c.lm.window, 0); /* Qwen must say that it is used */
    CHECK_EQ(c.lm.head_size, 16);
    CHECK(!c.tied);
    sal_folder_config_free(&c);
    CHECK_OK(config_of(&c, ", \"use_sliding_window\": true, \"sliding_window\": 8"));
    CHECK_EQ(c.lm.window, 8);
    sal_folder_config_free(&c);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_MSG(config_of(&c, bad[i].more) == bad[i].st, "%s", bad[i].more);
        CHECK_MSG(strncmp(err.msg, "config.json: ", 13) == 0 &&
                      strstr(err.msg, bad[i].says) != NULL,
                  "%s", err.msg);
        sal_folder_config_free(&c);
    }
}

/* ---- folders ---- */

static void folder_put(const char *folder, const char *name, const char *text)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_OK(sal_file_write(path, text, strlen(text), &err));
}

TEST(folders_that_are_none)
{
    static const char folder[] = SAL_TEST_TMP "/folder_test";
    static const char *const names[] = {"../model.safetensors", "/etc/passwd", "", "..",
                                        "absent.safetensors"};
    char text[256];
    sal_graph *g = NULL;
    (void)mkdir(folder, 0777);
    (void)unlink(SAL_TEST_TMP "/folder_test/config.json");
    CHECK(sal_folder_read_model(&g, folder, &err) == SAL_EIO);
    folder_put(folder, "config.json", "{\"model_type\": \"llama\"}");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"weight_map\": {\"a\": \"%s\"}}", names[i]);
        folder_put(folder, "model.safetensors.index.json", text);
        CHECK(sal_folder_read_model(&g, folder, &err) == (i == 4 ? SAL_EIO : SAL_EFORMAT));
        CHECK(g == NULL && strncmp(err.msg, folder, strlen(folder)) == 0);
    }
    CHECK(!sal_folder_is(FOLDER "mistral/config.json") && sal_folder_is(folder));
}

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(models_are_transformers), T(tensors_are_found),
                              T(damage_is_refused), T(cut_off), T(config),
                              T(folders_that_are_none)));
}
