/* Sidecar files (sidecar.h). */
#include "format/sidecar.h"

#include <jansson.h>

static bool sidecar_describes(const json_t *o)
{
    static const char *const keys[] = {
        "size",       "crop",       "filter",       "mean",           "std",
        "rescale",    "layout",     "order",        "image_mean",     "do_resize",
        "input_size", "do_rescale", "do_normalize", "pretrained_cfg", "image_processor_type"};

    for (size_t i = 0; i < SAL_COUNTOF(keys); i++) {
        if (json_object_get(o, keys[i]) != NULL)
            return true;
    }
    return false;
}

static sal_status sidecar_preprocess(sal_sidecar *out, const json_t *root, sal_error *err)
{
    const json_t *own = json_object_get(root, "preprocess");
    char *text = NULL;
    sal_status st;

    if (own == NULL)
        own = root;
    if (!json_is_object(own) || !sidecar_describes(own))
        return SAL_OK;
    text = json_dumps(own, JSON_COMPACT);
    if (text == NULL)
        return sal_fail_nomem(err);
    st = sal_preprocess_from_json(&out->pre, text, strlen(text), err);
    out->preprocesses = st == SAL_OK;
    free(text); /* jansson's own allocation */
    return st;
}

sal_status sal_sidecar_parse(sal_sidecar *out, const char *text, size_t n, const char *name,
                             sal_error *err)
{
    sal_status st = SAL_OK;
    json_error_t je;
    const json_t *labels;
    json_t *root;

    *out = (sal_sidecar){.preprocesses = false};
    root = json_loadb(text, n, 0, &je);
    if (!json_is_object(root)) {
        st = sal_fail_at(err, SAL_EFORMAT, je.position > 0 ? (uint64_t)je.position : 0, "%s: %s",
                         name, root != NULL ? "must be a JSON object" : je.text);
        goto done;
    }
    st = sidecar_preprocess(out, root, err);
    if (st != SAL_OK) {
        st = sal_fail_prefix(err, st, "%s", name);
        goto done;
    }
    labels = json_object_get(root, "labels");
    if (json_is_string(labels)) {
        out->labels = sal_strdup(json_string_value(labels));
        if (out->labels == NULL)
            st = sal_fail_nomem(err);
    }
done:
    json_decref(root);
    return st;
}

void sal_sidecar_free(sal_sidecar *s)
{
    if (s == NULL)
        return;
    sal_free(s->labels);
    *s = (sal_sidecar){.preprocesses = false};
}
