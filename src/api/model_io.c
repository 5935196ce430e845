/* What a model's numbers mean: the way from pictures to its input, the names of its classes. */
#include "api/api.h"

#include "format/sidecar.h"

#include <stdio.h>

enum { IO_PATH = 4096 };

const char *sal_model_sidecar(const char *model_path, char *buf, size_t n)
{
    const char *dot = strrchr(model_path, '.'), *slash = strrchr(model_path, '/');
    bool suffix = dot != NULL && (slash == NULL || dot > slash);

    (void)snprintf(buf, n, "%.*s.json",
                   (int)(suffix ? (size_t)(dot - model_path) : strlen(model_path)), model_path);
    return buf;
}

/* The file if it is there. *found tells; a damaged one is an error. */
static sal_status io_sidecar_file(const char *path, sal_sidecar *out, bool *found, sal_error *err)
{
    sal_file file = {NULL, 0, false};
    FILE *there = fopen(path, "rb");
    sal_status st;

    *found = there != NULL;
    if (there == NULL)
        return SAL_OK;
    (void)fclose(there);
    SAL_TRY(sal_file_open(&file, path, err));
    st = sal_sidecar_parse(out, (const char *)file.data, file.size, path, err);
done:
    sal_file_close(&file);
    return st;
}

/* The first file beside the model that says something. source: its name, "" when there is none. */
static sal_status io_sidecar(const sal_model *m, bool labels, sal_sidecar *out, char *source,
                             size_t n, sal_error *err)
{
    const char *slash = strrchr(m->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash - m->path + 1);
    char path[IO_PATH];
    sal_status st = SAL_OK;

    for (int i = 0; !m->in_memory && i < 3; i++) {
        bool found;

        if (i == 0)
            (void)sal_model_sidecar(m->path, path, sizeof(path));
        else if (i == 1)
            (void)snprintf(path, sizeof(path), "%s.json", m->path);
        else
            (void)snprintf(path, sizeof(path), "%.*spreprocessor_config.json", folder, m->path);
        SAL_TRY(io_sidecar_file(path, out, &found, err));
        if (found && (labels ? out->labels != NULL : out->preprocesses)) {
            (void)snprintf(source, n, "%s", path);
            return SAL_OK;
        }
        sal_sidecar_free(out);
    }
    (void)snprintf(source, n, "%s", "");
done:
    return st;
}

/* ---- preprocessing ---- */

/* The first input that looks like a picture. */
static bool io_picture(const sal_graph *g, int64_t *height, int64_t *width, bool *nhwc, bool *gray)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        const sal_value *v = sal_val(g, g->inputs[i]);
        const int64_t *d = v->dims;

        if (v->rank != 4 || !(sal_dtype_is_float(v->dtype) || v->dtype == SAL_U8))
            continue;
        *nhwc = (d[3] == 3 || d[3] == 1) && d[1] != 3 && d[1] != 1;
        *gray = d[*nhwc ? 3 : 1] == 1;
        *height = d[*nhwc ? 1 : 2];
        *width = d[*nhwc ? 2 : 3];
        return true;
    }
    return false;
}

static sal_status io_guess(const sal_model *m, sal_preprocess *out, char *source, size_t n,
                           sal_error *err)
{
    int64_t height, width;
    bool nhwc, gray;

    if (!io_picture(m->structure, &height, &width, &nhwc, &gray))
        return sal_fail(err, SAL_EINVAL,
                        "%s: no input takes pictures ([N,3,H,W] or [N,H,W,3]); give .npy files",
                        m->path);
    if (gray)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "%s: the input has one channel; give it as a .npy file", m->path);
    if (height > SAL_IMAGE_MAX_SIDE || width > SAL_IMAGE_MAX_SIDE)
        return sal_fail(err, SAL_EUNSUPPORTED, "%s: the input of %lld x %lld is no picture",
                        m->path, (long long)height, (long long)width);
    *out = sal_preprocess_default(height > 0 ? (int32_t)height : 224,
                                  width > 0 ? (int32_t)width : 224);
    out->nhwc = nhwc;
    (void)snprintf(source, n, "guessed from the input's shape");
    return SAL_OK;
}

sal_status sal_model_preprocess(const sal_model *m, sal_preprocess *out, bool *guessed,
                                char *source, size_t n, sal_error *err)
{
    const char *text = sal_graph_meta(m->structure, "salience.preprocess");
    sal_sidecar side = {.preprocesses = false};
    sal_status st = SAL_OK;

    *guessed = false;
    SAL_TRY(io_sidecar(m, false, &side, source, n, err));
    if (!side.preprocesses && text != NULL) {
        char name[IO_PATH + 64];

        (void)snprintf(name, sizeof(name), "%s: metadata salience.preprocess", m->path);
        SAL_TRY(sal_sidecar_parse(&side, text, strlen(text), name, err));
        (void)snprintf(source, n, "metadata of the model");
    }
    if (side.preprocesses) {
        *out = side.pre;
    } else {
        *guessed = true;
        SAL_TRY(io_guess(m, out, source, n, err));
    }
done:
    sal_sidecar_free(&side);
    return st;
}

/* ---- labels ---- */

/* A name without folders and suffix stands for a table of ours; else a file, relative to the model.
 */
static sal_status io_labels_path(const sal_model *m, const char *folder, const char *text,
                                 char *path, size_t n, sal_error *err)
{
    const char *slash = strrchr(m->path, '/');
    int length;

    if (strpbrk(text, "/.") != NULL)
        length = snprintf(path, n, "%.*s%s",
                          text[0] == '/' || slash == NULL ? 0 : (int)(slash - m->path + 1), m->path,
                          text);
    else
        length = snprintf(path, n, "%s/%s.tsv", folder == NULL ? "." : folder, text);
    return length < 0 || (size_t)length >= n ? sal_fail(err, SAL_EINVAL, "%s: too long", text)
                                             : SAL_OK;
}

sal_status sal_model_labels(const sal_model *m, const char *folder, int64_t classes,
                            sal_labels **out, bool *guessed, char *source, size_t n, sal_error *err)
{
    const char *name = sal_graph_meta(m->structure, "salience.labels");
    sal_sidecar side = {.preprocesses = false};
    char path[IO_PATH];
    sal_status st = SAL_OK;

    *out = NULL;
    *guessed = false;
    SAL_TRY(io_sidecar(m, true, &side, source, n, err));
    if (side.labels != NULL) {
        SAL_TRY(io_labels_path(m, folder, side.labels, path, sizeof(path), err));
    } else if (name != NULL && strpbrk(name, "/.") == NULL) {
        /* A model from elsewhere must not name files of this machine. */
        SAL_TRY(io_labels_path(m, folder, name, path, sizeof(path), err));
        (void)snprintf(source, n, "metadata of the model: %s", name);
    } else if (classes == 1000 && folder != NULL) {
        SAL_TRY(io_labels_path(m, folder, "imagenet-1k", path, sizeof(path), err));
        *guessed = true;
        (void)snprintf(source, n, "guessed from 1000 classes: imagenet-1k");
    } else {
        goto done;
    }
    st = sal_labels_read(out, path, err);
done:
    sal_sidecar_free(&side);
    return st;
}
