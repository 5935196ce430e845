/* Label files: the shipped table, plain lists, damaged ones; and what words mean. */
#include "harness.h"

#include "format/labels.h"

#define IMAGENET SAL_SOURCE_DIR "/share/labels/imagenet-1k.tsv"

static sal_labels *parse(const char *text)
{
    sal_labels *l = NULL;
    sal_error err = {SAL_OK, 0, ""};
    CHECK_OK(sal_labels_read_memory(&l, text, strlen(text), "text", &err));
    return l;
}

static void check_find(const sal_labels *l, const char *text, sal_label_match how, size_t count,
                       int first)
{
    int32_t *list = NULL;
    size_t n = 0;
    sal_label_match got = SAL_LABEL_INDEX;
    sal_error err = {SAL_OK, 0, ""};
    CHECK_OK(sal_labels_find(l, text, &list, &n, &got, &err));
    CHECK_MSG(got == how && n == count && n > 0 && list[0] == first, "'%s': rule %d, %zu classes",
              text, (int)got, n);
    sal_free(list);
}

static void check_none(const sal_labels *l, const char *text, const char *message)
{
    int32_t *list = NULL;
    size_t n = 0;
    sal_label_match how;
    sal_error err = {SAL_OK, 0, ""};
    CHECK_EQ(sal_labels_find(l, text, &list, &n, &how, &err), SAL_EINVAL);
    CHECK(list == NULL && n == 0);
    CHECK_MSG(strstr(err.msg, message) != NULL, "'%s': %s", text, err.msg);
}

TEST(imagenet)
{
    sal_labels *l = NULL;
    sal_error err = {SAL_OK, 0, ""};
    CHECK_OK(sal_labels_read(&l, IMAGENET, &err));
    CHECK_EQ(sal_labels_count(l), 1000);
    CHECK_STR(sal_labels_text(l, 1), "goldfish, Carassius auratus");
    CHECK_STR(sal_labels_short(l, 1), "goldfish");
    CHECK_STR(sal_labels_wnid(l, 207), "n02099601");
    CHECK_STR(sal_labels_text(l, 1000), "");
    CHECK(sal_labels_wnid(l, 1000) == NULL);
    check_find(l, "207", SAL_LABEL_INDEX, 1, 207);
    check_find(l, "n02099601", SAL_LABEL_WNID, 1, 207);
    check_find(l, " Golden Retriever ", SAL_LABEL_EXACT, 1, 207);
    check_find(l, "carassius auratus", SAL_LABEL_EXACT, 1, 1);
    check_find(l, "crane", SAL_LABEL_EXACT, 2, 134);
    /* counts of WordNet 3.0's tree: 118 breeds (151..268), 13 felines, 59 birds */
    check_find(l, "dog", SAL_LABEL_KIND, 118, 151);
    check_find(l, "n02084071", SAL_LABEL_KIND, 118, 151);
    check_find(l, "Domestic Cat", SAL_LABEL_KIND, 5, 281);
    check_find(l, "bird", SAL_LABEL_KIND, 59, 7);
    check_find(l, "retriever", SAL_LABEL_KIND, 5, 205);
    check_find(l, "bull", SAL_LABEL_WORDS, 4, 179);
    check_find(l, "dalmat", SAL_LABEL_PART, 1, 251);
    check_none(l, "1000", "outside 0..999");
    check_none(l, "tabbi", "did you mean 'tabby'");
    check_none(l, "xyzzy", "no label is or contains 'xyzzy'");
    check_none(l, "", "cannot be looked for");
    check_none(l, "oo", "is part of the labels of");
    sal_labels_free(l);
}

TEST(plain_lists)
{
    sal_labels *l = parse("\xef\xbb\xbf"
                          "cat\r\nbig dog, hound\r\n\r\nsea lion\n");
    CHECK_EQ(sal_labels_count(l), 4);
    CHECK_STR(sal_labels_text(l, 0), "cat");
    CHECK_STR(sal_labels_short(l, 1), "big dog");
    CHECK_STR(sal_labels_text(l, 2), "");
    check_find(l, "hound", SAL_LABEL_EXACT, 1, 1);
    check_find(l, "lion", SAL_LABEL_WORDS, 1, 3);
    sal_labels_free(l);
    l = parse("n01440764 tench, Tinca tinca\nn01443537 goldfish\n");
    CHECK_STR(sal_labels_wnid(l, 1), "n01443537");
    CHECK_STR(sal_labels_short(l, 0), "tench");
    sal_labels_free(l);
    l = parse("2\tship\n0\tplane\n");
    CHECK_EQ(sal_labels_count(l), 3);
    CHECK_STR(sal_labels_text(l, 2), "ship");
    CHECK_STR(sal_labels_text(l, 1), "");
    sal_labels_free(l);
}

TEST(damaged_lists)
{
    static const struct {
        const char *text, *message;
        size_t offset;
    } bad[] = {
        {"", "holds no labels", 0},
        {"index\twnid\tlabels\n", "holds no labels", 0},
        {"0\ta\nx\tb\n", "byte 4: expected an index", 4},
        {"0\ta\n0\tb\n", "byte 4: the index 0 occurs twice", 4},
        {"0\ta\n99999999\tb\n", "byte 4: expected an index below", 4},
        {"0\tn1234\tb\n", "'n1234' is no WordNet id", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sal_labels *l = NULL;
        sal_error err = {SAL_OK, 0, ""};
        CHECK_EQ(sal_labels_read_memory(&l, bad[i].text, strlen(bad[i].text), "bad.tsv", &err),
                 SAL_EFORMAT);
        CHECK(l == NULL);
        CHECK_MSG(strstr(err.msg, bad[i].message) != NULL && strncmp(err.msg, "bad.tsv: ", 9) == 0,
                  "%s", err.msg);
        CHECK_EQ(err.offset, bad[i].offset);
    }
    sal_labels *l = NULL;
    CHECK_EQ(sal_labels_read_memory(&l, "a\0b", 3, "x", NULL), SAL_EFORMAT);
    CHECK_EQ(sal_labels_read(&l, "/nonexistent", NULL), SAL_EIO);
}

TEST(survives_lack_of_memory)
{
    static const char text[] = "0\tn01440764\ta, b\n1\tn01443537\tc dog\n";
    sal_status st = SAL_ENOMEM;
    long live = sal_test_live();
    for (long n = 0; st != SAL_OK && n < 5000; n++) {
        sal_labels *l = NULL;
        int32_t *list = NULL;
        size_t count;
        sal_label_match how;
        sal_test_fail_after(n, true);
        st = sal_labels_read_memory(&l, text, strlen(text), "x", NULL);
        if (st == SAL_OK)
            st = sal_labels_find(l, "dog", &list, &count, &how, NULL);
        sal_test_fail_after(-1, false);
        CHECK(st == SAL_OK || st == SAL_ENOMEM);
        sal_free(list);
        sal_labels_free(l);
        CHECK_EQ(sal_test_live(), live);
    }
    CHECK_EQ(st, SAL_OK);
}

int main(int argc, char **argv)
{
    return harness_main(
        argc, argv,
        TESTS(T(imagenet), T(plain_lists), T(damaged_lists), T(survives_lack_of_memory)));
}
