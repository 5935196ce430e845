/* Chat templates against jinja2, on texts that tests/oracle/make_chat.py made; going on behind what
 * was rendered before; texts that are no known template. */
#include "harness.h"

#include <jansson.h>
#include <salience/salience.h>

enum { MAX_MESSAGES = 8 };

static sal_error err;
static json_t *golden;

static size_t messages_of(const json_t *chat, sal_chat_message *out)
{
    size_t n = json_array_size(chat);

    CHECK(n > 0 && n <= MAX_MESSAGES);
    for (size_t i = 0; i < n && i < MAX_MESSAGES; i++) {
        const json_t *m = json_array_get(chat, i);

        out[i] = (sal_chat_message){json_string_value(json_array_get(m, 0)),
                                    json_string_value(json_array_get(m, 1))};
    }
    return n;
}

static const sal_chat_template *find(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    const json_t *jinja = json_object_get(row, "jinja");
    const sal_chat_template *t = NULL;

    CHECK_OK(sal_chat_template_find(&t, json_string_value(jinja), json_string_length(jinja), &err));
    CHECK_MSG(t != NULL && strcmp(sal_chat_template_name(t), name) == 0, "%s taken for %s", name,
              t == NULL ? "none" : sal_chat_template_name(t));
    return t;
}

static void compare(const sal_chat_template *t, const json_t *row)
{
    const json_t *chat = json_array_get(json_object_get(golden, "chats"),
                                        (size_t)json_integer_value(json_array_get(row, 0)));
    const char *want = json_string_value(json_array_get(row, 3));
    sal_chat_opts opts = SAL_CHAT_OPTS_INIT;
    sal_chat_message m[MAX_MESSAGES];
    size_t n = messages_of(chat, m), bytes = 0;
    char *got = NULL;
    sal_status st;

    opts.prompt = json_is_true(json_array_get(row, 1));
    opts.no_thinking = json_is_true(json_array_get(row, 2));
    st = sal_chat_render(t, m, n, &opts, &got, &bytes, &err);
    if (want == NULL)
        CHECK_EQ(st, SAL_EINVAL);
    else
        CHECK_MSG(st == SAL_OK && bytes == strlen(want) && strcmp(got, want) == 0,
                  "%s:\n%s\nis not\n%s", sal_chat_template_name(t), st == SAL_OK ? got : err.msg,
                  want);
    sal_text_free(got);
}

TEST(as_jinja)
{
    json_t *row;
    size_t i, k;

    CHECK_EQ(json_array_size(json_object_get(golden, "templates")), sal_chat_template_count());
    json_array_foreach(json_object_get(golden, "templates"), i, row)
    {
        const sal_chat_template *t = find(row);
        json_t *text;

        json_array_foreach(json_object_get(row, "texts"), k, text)
        {
            if (t != NULL)
                compare(t, text);
        }
    }
}

/* What comes behind the first k messages, after them, is the whole. */
TEST(in_parts)
{
    const json_t *chats = json_object_get(golden, "chats");

    for (size_t i = 0; i < sal_chat_template_count(); i++) {
        const sal_chat_template *t = NULL;
        sal_chat_template_info info;

        CHECK(sal_chat_template_at(i, &info));
        CHECK_OK(sal_chat_template_named(&t, info.name, &err));
        for (size_t c = 0; t != NULL && c < json_array_size(chats); c++) {
            sal_chat_opts opts = SAL_CHAT_OPTS_INIT;
            sal_chat_message m[MAX_MESSAGES];
            size_t n = messages_of(json_array_get(chats, c), m), whole = 0, part = 0;
            char *a = NULL, *b = NULL;

            opts.prompt = true;
            if (sal_chat_render(t, m, n, &opts, &a, &whole, NULL) != SAL_OK)
                continue;
            for (opts.from = 1; opts.from <= n; opts.from++) {
                CHECK_OK(sal_chat_render(t, m, n, &opts, &b, &part, &err));
                CHECK_MSG(b != NULL && part <= whole && strcmp(a + whole - part, b) == 0,
                          "%s behind %zu of %zu", info.name, opts.from, n);
                sal_text_free(b);
            }
            sal_text_free(a);
        }
    }
}

/* A chat as it grows: question, the model's own answer, next question. */
TEST(goes_on)
{
    static const sal_chat_message m[] = {{"user", "Hi"}, {"assistant", "Hello!"}, {"user", "Bye"}};
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(golden, "templates"), i, row)
    {
        const sal_chat_template *t = find(row);
        sal_chat_opts opts = SAL_CHAT_OPTS_INIT;
        char *whole = NULL, *first = NULL, *next = NULL, joined[1024];

        if (t == NULL)
            continue;
        CHECK_OK(sal_chat_render(t, m, 3, NULL, &whole, NULL, &err));
        CHECK_OK(sal_chat_render(t, m, 1, NULL, &first, NULL, &err));
        opts.from = 2;
        opts.closes = true;
        CHECK_OK(sal_chat_render(t, m, 3, &opts, &next, NULL, &err));
        /* Llama 2 writes its answers with a space before them. */
        (void)snprintf(joined, sizeof(joined), "%s%sHello!%s", first,
                       strcmp(sal_chat_template_name(t), "llama2") == 0 ? " " : "", next);
        CHECK_STR(joined, whole);
        sal_text_free(whole);
        sal_text_free(first);
        sal_text_free(next);
    }
}

TEST(unknown_is_said)
{
    const char *name;
    const sal_chat_template *t;
    json_t *text;

    json_object_foreach(json_object_get(golden, "unknown"), name, text)
    {
        CHECK_MSG(sal_chat_template_find(&t, json_string_value(text), json_string_length(text),
                                         &err) == SAL_EUNSUPPORTED &&
                      t == NULL && strstr(err.msg, "--template NAME") != NULL &&
                      strstr(err.msg, "gemma3") != NULL,
                  "%s was taken for a template", name);
    }
    CHECK_EQ(sal_chat_template_named(&t, "bogus", &err), SAL_EINVAL);
    CHECK(t == NULL && strstr(err.msg, "chatml") != NULL);
}

TEST(wrong_chats)
{
    static const sal_chat_message tool = {"tool", "1"}, user = {"user", "Hi"};
    const sal_chat_template *t = NULL;
    sal_chat_opts opts = SAL_CHAT_OPTS_INIT;
    char *out = NULL;

    CHECK_OK(sal_chat_template_named(&t, "chatml", &err));
    if (t == NULL)
        return;
    CHECK_EQ(sal_chat_render(t, &user, 0, NULL, &out, NULL, &err), SAL_EINVAL);
    CHECK_EQ(sal_chat_render(t, &tool, 1, NULL, &out, NULL, &err), SAL_EINVAL);
    CHECK(strstr(err.msg, "message 1 has the role tool") != NULL);
    opts.closes = true;
    CHECK_EQ(sal_chat_render(t, &user, 1, &opts, &out, NULL, &err), SAL_EINVAL);
    opts.from = 2;
    CHECK_EQ(sal_chat_render(t, &user, 1, &opts, &out, NULL, &err), SAL_EINVAL);
    CHECK(out == NULL);
}

int main(int argc, char **argv)
{
    int status;

    golden = json_load_file(SAL_SOURCE_DIR "/tests/golden/chat/templates.json", 0, NULL);
    status = harness_main(
        argc, argv,
        TESTS(T(as_jinja), T(in_parts), T(goes_on), T(unknown_is_said), T(wrong_chats)));
    json_decref(golden);
    return status;
}
