/* Any bytes as a table of labels, then look for things in it. */
#include "format/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_find(const sal_labels *l, const char *text)
{
    int32_t *list = NULL;
    size_t n = 0;
    sal_label_match how;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st = sal_labels_find(l, text, &list, &n, &how, &err);
    if (st == SAL_OK && (n == 0 || list[0] < 0 || (size_t)list[n - 1] >= sal_labels_count(l)))
        abort();
    if (st != SAL_OK && (list != NULL || err.msg[0] == '\0'))
        abort();
    sal_free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sal_labels *l = NULL;
    sal_error err = {SAL_OK, 0, ""};
    if (sal_labels_read_memory(&l, data, size, "fuzz", &err) != SAL_OK) {
        if (l != NULL || err.msg[0] == '\0' || strchr(err.msg, '\n') != NULL)
            abort();
        return 0;
    }
    fuzz_find(l, "dog");
    fuzz_find(l, "0");
    fuzz_find(l, "n02084071");
    fuzz_find(l, sal_labels_short(l, sal_labels_count(l) / 2));
    sal_labels_free(l);
    return 0;
}
