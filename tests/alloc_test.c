/* Every public call survives an allocation that fails, whichever it is: a clean error, nothing
 * leaked, and the same call works afterwards. */
#include "base/base.h"
#include "harness.h"

#include <salience/salience.h>
#include <stdio.h>
#include <unistd.h>

#define MODEL SAL_SOURCE_DIR "/tests/golden/methods/model.onnx"
#define INPUT SAL_SOURCE_DIR "/tests/golden/methods/input.npy"

typedef struct alloc_fixture {
    sal_model *model;
    sal_tensor input;
} alloc_fixture;

static alloc_fixture fixture;

/* One thing to try: releases all it made, whether it failed or not. */
typedef sal_status (*alloc_job)(sal_error *err);

/* Fail every step-th allocation in turn, alone and with all that follow it, until the job gets
 * through. Returns how many allocations the job makes. */
static long alloc_sweep(const char *name, alloc_job job, long step)
{
    long live = sal_test_live(), n = 0, bad = 0;

    for (bool through = false; !through && bad < 5; n += step) {
        through = true;
        for (int sticky = 0; sticky < 2; sticky++) {
            sal_error err = {SAL_OK, 0, ""};

            sal_test_fail_after(n, sticky != 0);
            sal_status st = job(&err);
            sal_test_fail_after(-1, false);
            bool clean = sal_test_live() == live && (st == SAL_OK || st == SAL_ENOMEM) &&
                         (st == SAL_OK || err.msg[0] != '\0');
            CHECK_MSG(clean, "%s, allocation %ld%s: status %d, %ld not freed: %s", name, n,
                      sticky != 0 ? " and all after it" : "", (int)st, sal_test_live() - live,
                      err.msg);
            bad += !clean;
            live = sal_test_live();
            /* A lone failure may be got over (a cache less); with all that follow it may not. */
            through = through && st == SAL_OK;
        }
    }
    printf("%s: %ld allocations\n", name, n);
    return n;
}

/* ---- jobs ---- */

/* Functions, graphs in attributes, loops, shapes that depend on data. */
static sal_status alloc_golden(const char *name, bool run, sal_error *err)
{
    char path[512];
    sal_model *m = NULL;
    sal_runner *r = NULL;
    sal_tensor in[4];
    size_t n = 0;
    sal_status st;

    memset(in, 0, sizeof in);
    snprintf(path, sizeof path, SAL_SOURCE_DIR "/tests/golden/onnx/good/%s.onnx", name);
    st = sal_model_open(&m, path, err);
    for (; st == SAL_OK && run && n < sal_model_input_count(m); n++) {
        snprintf(path, sizeof path, SAL_SOURCE_DIR "/tests/golden/onnx/good/%s.in%zu.npy", name, n);
        st = sal_npy_read(&in[n], path, err);
    }
    if (st == SAL_OK && run)
        st = sal_runner_new(&r, m, NULL, err);
    if (st == SAL_OK && run)
        st = sal_runner_run(r, in, NULL, err);
    for (size_t i = 0; i < n; i++)
        sal_tensor_free(&in[i]);
    sal_runner_free(r);
    sal_model_free(m);
    return st;
}

static sal_status job_functions(sal_error *err)
{
    return alloc_golden("functions", false, err);
}

static sal_status job_branch(sal_error *err)
{
    return alloc_golden("branch", true, err);
}

static sal_status job_selections(sal_error *err)
{
    return alloc_golden("selections", true, err);
}

static sal_status job_open(sal_error *err)
{
    sal_model *m = NULL;
    sal_status st = sal_model_open(&m, MODEL, err);

    CHECK((st == SAL_OK) == (m != NULL));
    sal_model_free(m);
    return st;
}

static sal_status job_look(sal_error *err)
{
    sal_model_stats stats;
    sal_model_op *ops = NULL;
    char *text = NULL, *dot = NULL;
    size_t n;
    sal_status st = sal_model_get_stats(fixture.model, NULL, &stats, err);

    if (st == SAL_OK)
        st = sal_model_ops(fixture.model, &ops, &n, err);
    if (st == SAL_OK)
        st = sal_model_text(fixture.model, SAL_VIEW_TEXT, &text, err);
    if (st == SAL_OK)
        st = sal_model_text(fixture.model, SAL_VIEW_DOT, &dot, err);
    sal_text_free(ops);
    sal_text_free(text);
    sal_text_free(dot);
    return st;
}

static sal_status alloc_runner(const sal_runner_opts *o, sal_error *err)
{
    sal_runner *r = NULL;
    char *text = NULL;
    sal_status st = sal_runner_new(&r, fixture.model, o, err);

    CHECK((st == SAL_OK) == (r != NULL));
    if (st == SAL_OK)
        st = sal_runner_run(r, &fixture.input, NULL, err);
    if (st == SAL_OK)
        st = sal_runner_describe(r, &text, err);
    if (st == SAL_OK)
        CHECK(sal_runner_output(r, 0) != NULL);
    sal_text_free(text);
    sal_runner_free(r);
    return st;
}

static sal_status job_run(sal_error *err)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;

    o.threads = 1;
    return alloc_runner(&o, err);
}

/* Two sizes: the second plan reads the file again. */
static sal_status job_lean(sal_error *err)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    static float data[2 * 3 * 32 * 32];
    static const int64_t dims[] = {2, 3, 32, 32};
    sal_model *m = NULL;
    sal_runner *r = NULL;
    sal_tensor two = sal_tensor_borrow(SAL_F32, 4, dims, data);
    sal_status st = sal_model_open_lean(&m, MODEL, err);

    o.threads = 1;
    if (st == SAL_OK)
        st = sal_runner_new(&r, m, &o, err);
    if (st == SAL_OK)
        st = sal_runner_run(r, &two, NULL, err);
    two.dims[0] = 1;
    if (st == SAL_OK)
        st = sal_runner_run(r, &two, NULL, err);
    sal_runner_free(r);
    sal_model_free(m);
    return st;
}

static sal_status job_differentiate(sal_error *err)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    sal_value_info in, out;

    CHECK(sal_model_input(fixture.model, 0, &in) && sal_model_output(fixture.model, 0, &out));
    o.threads = 1;
    o.of = out.name;
    o.wrt = &in.name;
    o.n_wrt = 1;
    return alloc_runner(&o, err);
}

static sal_status alloc_explain(const char *method, sal_error *err)
{
    static const char *const why[] = {"1"}, *const foil[] = {"top2"};
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    sal_question q = {why, 1, foil, 1, NULL};
    sal_explanation e;
    sal_asked asked;
    const sal_param steps = {"steps", 3}, masks = {"masks", 3};

    o.method = method;
    o.threads = 1;
    o.params = strcmp(method, "rise") == 0 ? &masks : &steps;
    o.n_params = strcmp(method, "rise") == 0 || strcmp(method, "integrated-gradients") == 0;
    sal_status st = sal_explain(&e, fixture.model, &fixture.input, &q, NULL, &o, &asked, err);
    CHECK((st == SAL_OK) == (e.map.data != NULL));
    sal_explanation_free(&e);
    sal_asked_free(&asked);
    return st;
}

static sal_status job_grad_cam(sal_error *err)
{
    return alloc_explain("grad-cam", err);
}

static sal_status job_integrated_gradients(sal_error *err)
{
    return alloc_explain("integrated-gradients", err);
}

static sal_status job_lrp(sal_error *err)
{
    return alloc_explain("lrp-epsilon", err);
}

static sal_status job_box(sal_error *err)
{
    return alloc_explain("epsilon-gamma-box", err);
}

static sal_status job_deeplift(sal_error *err)
{
    return alloc_explain("deeplift", err);
}

static sal_status job_conductance(sal_error *err)
{
    return alloc_explain("layer-conductance", err);
}

static sal_status job_full_grad(sal_error *err)
{
    return alloc_explain("full-grad", err);
}

static sal_status job_rise(sal_error *err)
{
    return alloc_explain("rise", err);
}

static sal_status job_export(sal_error *err)
{
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    char *info = NULL;

    o.method = "grad-cam";
    sal_status st = sal_explain_export(fixture.model, &o, SAL_TEST_TMP "/alloc.onnx", &info, err);
    sal_text_free(info);
    return st;
}

/* Every part of a tokenizer that the file of this kind has. */
static sal_status alloc_tokenizer(const char *name, sal_error *err)
{
    static const char text[] = " na\xC3\xAFve  it's 42\n\xE4\xB8\xAD [MASK]<s> e\xCC\x81";
    char path[512], *back = NULL;
    const char *part;
    size_t n;
    sal_tokenizer *t = NULL;
    sal_token_stream *stream = NULL;
    sal_tokens k = SAL_TOKENS_INIT;

    snprintf(path, sizeof path, SAL_SOURCE_DIR "/tests/golden/%s", name);
    sal_status st = sal_tokenizer_open(&t, path, err);
    CHECK((st == SAL_OK) == (t != NULL));
    if (st == SAL_OK)
        st = sal_tokenizer_encode(t, text, sizeof(text) - 1, true, &k, err);
    if (st == SAL_OK)
        st = sal_tokenizer_decode(t, k.ids, k.n, false, &back, NULL, err);
    if (st == SAL_OK)
        st = sal_token_stream_new(&stream, t, false, err);
    for (size_t i = 0; i < k.n && st == SAL_OK; i++)
        st = sal_token_stream_add(stream, k.ids[i], &part, &n, err);
    if (st == SAL_OK)
        st = sal_token_stream_end(stream, &part, &n, err);
    sal_token_stream_free(stream);
    sal_text_free(back);
    sal_tokens_free(&k);
    sal_tokenizer_free(t);
    return st;
}

static sal_status job_word_piece(sal_error *err)
{
    return alloc_tokenizer("tokenizer/wordpiece-bert.tokenizer.json", err);
}

static sal_status job_bpe(sal_error *err)
{
    return alloc_tokenizer("tokenizer/bpe-llama3.tokenizer.json", err);
}

static sal_status job_unigram(sal_error *err)
{
    return alloc_tokenizer("tokenizer/unigram-first.tokenizer.json", err);
}

static sal_status job_word_level(sal_error *err)
{
    return alloc_tokenizer("tokenizer/wordlevel.tokenizer.json", err);
}

static sal_status job_gguf_bytes(sal_error *err)
{
    return alloc_tokenizer("vocabulary/bytes-smollm.gguf", err);
}

static sal_status job_gguf_pieces(sal_error *err)
{
    return alloc_tokenizer("vocabulary/pieces-gemma.gguf", err);
}

static sal_status job_gguf_unigram(sal_error *err)
{
    return alloc_tokenizer("vocabulary/unigram-t5.gguf", err);
}

static sal_status job_gguf_bert(sal_error *err)
{
    return alloc_tokenizer("vocabulary/words-bert.gguf", err);
}

static sal_status job_chat(sal_error *err)
{
    static const sal_chat_message m[] = {{"system", "Be brief."}, {"user", "Hi"}};
    const sal_chat_template *t = NULL;
    char *out = NULL;
    sal_status st = sal_chat_template_named(&t, "gemma3", err);

    if (st == SAL_OK)
        st = sal_chat_render(t, m, 2, NULL, &out, NULL, err);
    CHECK((st == SAL_OK) == (out != NULL));
    sal_text_free(out);
    return st;
}

static sal_status alloc_model(const char *name, sal_error *err)
{
    char path[512];
    sal_model *m = NULL;

    snprintf(path, sizeof path, SAL_SOURCE_DIR "/tests/golden/%s", name);
    sal_status st = sal_model_open(&m, path, err);
    CHECK((st == SAL_OK) == (m != NULL));
    sal_model_free(m);
    return st;
}

static sal_status job_gguf(sal_error *err)
{
    return alloc_model("gguf/llama3.gguf", err);
}

static sal_status job_folder(sal_error *err)
{
    return alloc_model("folder/gemma3", err);
}

/* A language model: opened, asked, saved and loaded, its perplexity. */
static sal_status job_lm(sal_error *err)
{
    static const char path[] = SAL_SOURCE_DIR "/tests/golden/gguf/talk.gguf";
    sal_lm_session_opts so = SAL_LM_SESSION_OPTS_INIT;
    sal_generate_opts go = SAL_GENERATE_OPTS_INIT;
    sal_chat_message hi = {"user", "hi"};
    sal_tokens ids = SAL_TOKENS_INIT;
    sal_generation answer = {0};
    sal_lm_session *s = NULL;
    sal_lm *lm = NULL;
    char saved[256];
    sal_status st = sal_lm_open(&lm, path, NULL, err);

    CHECK((st == SAL_OK) == (lm != NULL));
    so.threads = 1;
    so.context = 48;
    go.max_tokens = 3;
    snprintf(saved, sizeof saved, "%s/alloc-%ld.cache", SAL_TEST_TMP, (long)getpid());
    if (st == SAL_OK)
        st = sal_lm_encode_chat(lm, &hi, 1, true, &ids, err);
    if (st == SAL_OK)
        st = sal_lm_session_new(&s, lm, &so, err);
    if (st == SAL_OK) {
        sal_prompt prompt = {ids.ids, ids.n};

        st = sal_lm_generate(s, &prompt, 1, &go, &answer, err);
        sal_generation_free(&answer);
    }
    if (st == SAL_OK)
        st = sal_lm_session_save(s, 0, saved, err);
    if (st == SAL_OK)
        st = sal_lm_session_load(s, 0, saved, err);
    sal_tokens_free(&ids);
    sal_lm_session_free(s);
    sal_lm_free(lm);
    (void)unlink(saved);
    return st;
}

/* What is asked of it as a model, and the model as a file. */
static sal_status job_lm_asked(sal_error *err)
{
    static const char path[] = SAL_SOURCE_DIR "/tests/golden/gguf/talk.gguf";
    static const int32_t answer[] = {5, 7};
    sal_model *m = NULL;
    sal_lm *lm = NULL;
    char written[256];
    sal_status st = sal_lm_open(&lm, path, NULL, err);

    snprintf(written, sizeof written, "%s/alloc-%ld.onnx", SAL_TEST_TMP, (long)getpid());
    if (st == SAL_OK)
        st = sal_lm_asked(&m, lm, answer, 2, err);
    CHECK((st == SAL_OK) == (m != NULL));
    if (st == SAL_OK)
        st = sal_model_export(sal_lm_model(lm), written, err);
    sal_model_free(m);
    sal_lm_free(lm);
    (void)unlink(written);
    return st;
}

static sal_status job_labels(sal_error *err)
{
    static const char table[] =
        "index\twnid\tlabels\n0\tn01440764\ttench, Tinca\n2\tn02123045\tcat\n";
    static const char plain[] = "tench, Tinca tinca\ncat\n";
    const struct {
        const char *text;
        size_t n;
    } kinds[] = {{table, sizeof table - 1}, {plain, sizeof plain - 1}};
    sal_status st = SAL_OK;

    for (size_t i = 0; i < SAL_COUNTOF(kinds) && st == SAL_OK; i++) {
        sal_labels *l = NULL;
        st = sal_labels_read_memory(&l, kinds[i].text, kinds[i].n, "labels", err);
        CHECK((st == SAL_OK) == (l != NULL));
        sal_labels_free(l);
    }
    return st;
}

/* A model that begins at an inner value, run from there. */
static sal_status job_cut(sal_error *err)
{
    sal_runner_opts o = SAL_RUNNER_OPTS_INIT;
    static float data[64 * 64 * 64];
    sal_model *m = NULL;
    sal_runner *r = NULL;
    sal_value_info info;
    sal_status st = sal_model_cut(&m, fixture.model, "/relu2/Relu_output_0", err);

    CHECK((st == SAL_OK) == (m != NULL));
    o.threads = 1;
    if (st == SAL_OK)
        st = sal_runner_new(&r, m, &o, err);
    if (st == SAL_OK) {
        sal_tensor in[2] = {fixture.input, SAL_TENSOR_INIT};
        int64_t dims[SAL_MAX_RANK];
        CHECK(sal_model_input(m, 1, &info));
        for (int k = 0; k < info.rank; k++)
            dims[k] = info.dims[k] < 0 ? 1 : info.dims[k];
        in[1] = sal_tensor_borrow(SAL_F32, info.rank, dims, data);
        CHECK(sal_tensor_bytes(&in[1]) <= sizeof data);
        st = sal_runner_run(r, in, NULL, err);
    }
    sal_runner_free(r);
    sal_model_free(m);
    return st;
}

static sal_status job_check(sal_error *err)
{
    static const char *const why[] = {"1"};
    sal_explain_opts o = SAL_EXPLAIN_OPTS_INIT;
    sal_question q = {.why = why, .n_why = 1};
    sal_check_result result[16];
    sal_explanation e;
    sal_asked asked;
    size_t n = 0;

    o.method = "gradient";
    o.threads = 1;
    sal_status st = sal_explain(&e, fixture.model, &fixture.input, &q, NULL, &o, &asked, err);
    CHECK(sal_check_count() <= SAL_COUNTOF(result));
    if (st == SAL_OK)
        st = sal_explain_check(fixture.model, &o, &fixture.input, &asked.weights, &e, result, &n,
                               err);
    sal_explanation_free(&e);
    sal_asked_free(&asked);
    return st;
}

static sal_status job_similarity(sal_error *err)
{
    static const float a[] = {1, 5, 2, 2, 4, 3}, b[] = {2, 1, 2, 6, 4, 0};
    sal_similarity s;

    return sal_map_similarity(&s, a, b, SAL_COUNTOF(a), err);
}

/* Drawn maps: one, and a sheet of two; then written as PNG and read. */
static sal_status job_picture(sal_error *err)
{
    static const float map[] = {-1.0F, 0.5F, 0.0F, 2.0F};
    static const char *const labels[] = {"a", "b"};
    const sal_sheet_cell cells[] = {{map, 2, 2, true, NULL}, {NULL, 0, 0, false, "nothing"}};
    sal_picture_opts o = SAL_PICTURE_OPTS_INIT;
    sal_sheet_opts sheet = SAL_SHEET_OPTS_INIT;
    sal_image base, over, grid, again;
    uint8_t *png = NULL;
    size_t n = 0;

    memset(&base, 0, sizeof base);
    memset(&over, 0, sizeof over);
    memset(&grid, 0, sizeof grid);
    memset(&again, 0, sizeof again);
    sal_status st = sal_image_new(&base, 24, 16, err);
    o.is_signed = true;
    o.title = "title \xE2\x80\xA6";
    o.min_width = 60;
    sheet.rows = 1;
    sheet.columns = 2;
    sheet.column_labels = labels;
    sheet.cell_width = 40;
    if (st == SAL_OK)
        st = sal_picture_overlay(&over, &base, map, 2, 2, &o, NULL, err);
    if (st == SAL_OK)
        st = sal_picture_sheet(&grid, &base, cells, &sheet, err);
    if (st == SAL_OK)
        st = sal_image_encode_png(&over, &png, &n, err);
    if (st == SAL_OK)
        st = sal_image_read_memory(&again, png, n, "memory", err);
    sal_image_bytes_free(png);
    sal_image_free(&again);
    sal_image_free(&grid);
    sal_image_free(&over);
    sal_image_free(&base);
    return st;
}

static bool alloc_begin(void)
{
    sal_error err;

    sal_test_fail_after(-1, false);
    CHECK(sal_model_open(&fixture.model, MODEL, &err) == SAL_OK);
    CHECK(sal_npy_read(&fixture.input, INPUT, &err) == SAL_OK);
    return fixture.model != NULL && fixture.input.data != NULL;
}

static void alloc_end(void)
{
    sal_model_free(fixture.model);
    sal_tensor_free(&fixture.input);
    fixture.model = NULL;
    CHECK_EQ(sal_test_live(), 0);
}

/* SAL_TEST_ALLOC_STEP=1 tries every single allocation of the large jobs too. */
static long alloc_step(long usual)
{
    const char *text = getenv("SAL_TEST_ALLOC_STEP");
    long step = text == NULL ? 0 : atol(text);

    return step > 0 ? step : usual;
}

#define SWEEP(id, step)                                                                            \
    TEST(id)                                                                                       \
    {                                                                                              \
        if (alloc_begin())                                                                         \
            CHECK(alloc_sweep(#id, job_##id, alloc_step(step)) > 1);                               \
        alloc_end();                                                                               \
    }

SWEEP(open, 1)
SWEEP(functions, 1)
SWEEP(branch, 3)
SWEEP(selections, 7)
SWEEP(look, 1)
SWEEP(run, 1)
SWEEP(lean, 1)
SWEEP(differentiate, 1)
SWEEP(grad_cam, 1)
SWEEP(integrated_gradients, 1)
SWEEP(lrp, 1)
SWEEP(box, 17)
SWEEP(deeplift, 17)
SWEEP(conductance, 17)
SWEEP(full_grad, 17)
SWEEP(rise, 1)
SWEEP(export, 1)
SWEEP(word_piece, 1)
SWEEP(bpe, 1)
SWEEP(unigram, 1)
SWEEP(word_level, 1)
SWEEP(gguf, 3)
SWEEP(folder, 3)
SWEEP(gguf_bytes, 7)
SWEEP(gguf_pieces, 7)
SWEEP(gguf_unigram, 1)
SWEEP(gguf_bert, 1)
SWEEP(chat, 1)
SWEEP(lm, 23)
SWEEP(lm_asked, 23)
SWEEP(labels, 1)
SWEEP(cut, 1)
SWEEP(check, 61)
SWEEP(similarity, 1)
SWEEP(picture, 1)

int main(int argc, char **argv)
{
    return harness_main(argc, argv,
                        TESTS(T(open), T(functions), T(branch), T(selections), T(look), T(run),
                              T(lean), T(differentiate), T(grad_cam), T(integrated_gradients),
                              T(lrp), T(box), T(deeplift), T(conductance), T(full_grad), T(rise),
                              T(export), T(word_piece), T(bpe), T(unigram), T(word_level),
                              T(gguf_bytes), T(gguf_pieces), T(gguf_unigram), T(gguf_bert), T(chat),
                              T(gguf), T(folder), T(lm), T(lm_asked), T(labels), T(cut), T(check),
                              T(similarity), T(picture)));
}
