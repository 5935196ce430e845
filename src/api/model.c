/* Opening models and looking at their values. */
#define _POSIX_C_SOURCE 200809L /* st_mtim */
#include "api/api.h"

#include "format/gguf.h"
#include "format/language/folder_model.h"
#include "format/language/gguf_model.h"
#include "format/onnx_read.h"
#include "graph/op.h"
#include "ops/core/evaluate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

sal_status api_opts(void *out, size_t size, const void *opts, sal_error *err)
{
    uint32_t given;

    if (opts == NULL)
        return SAL_OK;
    memcpy(&given, opts, sizeof(given));
    if (given < sizeof(given) || given > size)
        return sal_fail(err, SAL_EINVAL,
                        "options of %u bytes: begin with the _INIT macro of this library's headers",
                        (unsigned)given);
    memcpy(out, opts, given);
    return SAL_OK;
}

sal_status api_hand_over(sal_bytes *b, char **out, sal_error *err)
{
    *out = b->data != NULL ? b->data : sal_strdup("");
    *b = (sal_bytes){NULL, 0, 0};
    return *out == NULL ? sal_fail_nomem(err) : SAL_OK;
}

sal_status api_optimised(sal_graph **out, const sal_graph *g, sal_error *err)
{
    static const sal_fold how = SAL_FOLD(sal_node_eval);
    sal_graph *copy = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    SAL_TRY(sal_graph_clone(&copy, g, err));
    SAL_TRY(sal_pass_all(copy, &how, err));
    *out = copy;
    copy = NULL;
done:
    sal_graph_free(copy);
    return st;
}

int api_bounds(const sal_graph *g, const sal_tensor *shapes, sal_bound *bounds)
{
    int n = 0;

    for (size_t i = 0; i < g->n_inputs; i++) {
        if (shapes[i].rank < 0)
            continue;
        bounds[n].input = (int32_t)i;
        bounds[n].rank = shapes[i].rank;
        memcpy(bounds[n].dims, shapes[i].dims, sizeof(bounds[n].dims));
        n++;
    }
    return n;
}

/* ---- opening ---- */

/* ---- lean models: weights are read again for every plan ---- */

struct api_source {
    _Atomic(sal_graph *) first; /* what opening read, until somebody takes it */
    struct stat stamp;
};

static sal_status model_stamp(const char *path, struct stat *out, sal_error *err)
{
    if (stat(path, out) != 0)
        return sal_fail(err, SAL_EIO, "%s: cannot be read again: it is gone", path);
    return SAL_OK;
}

/* A graph from a file or folder of any kind that is known. */
static sal_status model_read(sal_graph **out, const char *path, sal_error *err)
{
    if (sal_folder_is(path))
        return sal_folder_read_model(out, path, err);
    return sal_gguf_is_file(path) ? sal_gguf_read_model(out, path, err)
                                  : sal_onnx_read(out, path, err);
}

static sal_status model_reread(const sal_model *m, sal_graph **out, sal_error *err)
{
    const struct stat *had = &m->source->stamp;
    struct stat now;
    sal_status st = model_stamp(m->path, &now, err);

    if (st != SAL_OK)
        return st;
    if (now.st_dev != had->st_dev || now.st_ino != had->st_ino || now.st_size != had->st_size ||
        now.st_mtim.tv_sec != had->st_mtim.tv_sec || now.st_mtim.tv_nsec != had->st_mtim.tv_nsec)
        return sal_fail(err, SAL_EIO, "%s: has changed since it was opened; open it again",
                        m->path);
    return model_read(out, m->path, err);
}

sal_status api_graph_own(const sal_model *m, sal_graph **out, sal_error *err)
{
    *out = NULL;
    if (m->source == NULL)
        return sal_graph_clone(out, m->structure, err);
    *out = atomic_exchange(&m->source->first, NULL);
    return *out != NULL ? SAL_OK : model_reread(m, out, err);
}

sal_status api_graph(const sal_model *m, sal_graph **own, const sal_graph **use, sal_error *err)
{
    sal_status st = SAL_OK;

    *own = NULL;
    *use = m->structure;
    if (m->source != NULL) {
        st = api_graph_own(m, own, err);
        *use = *own;
    }
    return st;
}

static sal_status model_make_lean(sal_model *m, const struct stat *stamp, sal_error *err)
{
    sal_graph *bare = NULL;

    m->source = sal_calloc(1, sizeof(*m->source));
    if (m->source == NULL)
        return sal_fail_nomem(err);
    m->source->stamp = *stamp;
    atomic_init(&m->source->first, NULL);
    sal_status st = sal_graph_clone(&bare, m->structure, err);
    if (st != SAL_OK)
        return st;
    sal_graph_strip(bare);
    atomic_store(&m->source->first, m->structure);
    m->structure = bare;
    return SAL_OK;
}

static sal_status model_new(sal_model **out, sal_graph *g, const char *path, sal_error *err)
{
    sal_model *m = sal_calloc(1, sizeof(*m));

    *out = m;
    if (m != NULL)
        m->path = sal_strdup(path);
    if (m == NULL || m->path == NULL) {
        sal_free(m);
        *out = NULL;
        sal_graph_free(g);
        return sal_fail_nomem(err);
    }
    m->structure = g;
    return SAL_OK;
}

sal_status sal_model_open(sal_model **out, const char *path, sal_error *err)
{
    sal_graph *g = NULL;
    sal_status st;

    *out = NULL;
    st = model_read(&g, path, err);
    return st == SAL_OK ? model_new(out, g, path, err) : st;
}

sal_status sal_model_open_lean(sal_model **out, const char *path, sal_error *err)
{
    struct stat stamp;
    sal_model *m = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    if (stat(path, &stamp) != 0)
        return sal_model_open(out, path, err); /* which says why not */
    SAL_TRY(sal_model_open(&m, path, err));
    SAL_TRY(model_make_lean(m, &stamp, err));
    *out = m;
    m = NULL;
done:
    sal_model_free(m);
    return st;
}

sal_status sal_model_open_memory(sal_model **out, const void *bytes, size_t n, const char *name,
                                 sal_error *err)
{
    sal_graph *g = NULL;
    sal_status st;

    *out = NULL;
    st = sal_gguf_is(bytes, n) ? sal_gguf_read_model_memory(&g, bytes, n, name, err)
                               : sal_onnx_read_memory(&g, bytes, n, name, NULL, err);
    if (st == SAL_OK)
        st = model_new(out, g, name == NULL ? "model" : name, err);
    if (st == SAL_OK)
        (*out)->in_memory = true;
    return st;
}

void sal_model_free(sal_model *m)
{
    if (m == NULL)
        return;
    sal_graph_free(m->structure);
    if (m->source != NULL)
        sal_graph_free(atomic_load(&m->source->first));
    sal_free(m->source);
    sal_free(m->path);
    sal_free(m);
}

/* ---- values ---- */

void api_value_info(const sal_graph *g, sal_vid v, sal_value_info *out)
{
    const sal_value *x = sal_val(g, v);

    *out = (sal_value_info){.name = x->name, .dtype = x->dtype, .rank = x->rank};
    for (int i = 0; i < x->rank; i++)
        out->dims[i] = x->dims[i] < 0 ? -1 : x->dims[i];
    (void)sal_value_text(g, v, out->type, sizeof(out->type));
}

size_t sal_model_input_count(const sal_model *m)
{
    return m->structure->n_inputs;
}

size_t sal_model_output_count(const sal_model *m)
{
    return m->structure->n_outputs;
}

bool sal_model_input(const sal_model *m, size_t i, sal_value_info *out)
{
    if (i >= m->structure->n_inputs)
        return false;
    api_value_info(m->structure, m->structure->inputs[i], out);
    return true;
}

bool sal_model_output(const sal_model *m, size_t i, sal_value_info *out)
{
    if (i >= m->structure->n_outputs)
        return false;
    api_value_info(m->structure, m->structure->outputs[i], out);
    return true;
}

bool sal_model_value(const sal_model *m, const char *name, sal_value_info *out)
{
    sal_vid v = sal_graph_find(m->structure, name);

    if (v == SAL_NONE)
        return false;
    api_value_info(m->structure, v, out);
    return true;
}

/* Letters to change, insert or drop to make b of a; both are cut off at 127. */
static size_t model_distance(const char *a, const char *b)
{
    size_t row[128], n = strlen(b);

    n = SAL_MIN(n, SAL_COUNTOF(row) - 1);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0' && i < SAL_COUNTOF(row) - 1; i++) {
        size_t corner = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = corner + (a[i] != b[j] ? 1 : 0);

            corner = row[j + 1];
            row[j + 1] = SAL_MIN(SAL_MIN(row[j], corner) + 1, change);
        }
    }
    return row[n];
}

const char *sal_model_similar(const sal_model *m, const char *name)
{
    const sal_graph *g = m->structure;
    size_t best = strlen(name) / 3 + 1;
    const char *found = NULL;

    for (size_t i = 0; i < g->n_values; i++) {
        const sal_value *v = g->values[i];
        size_t d = v->constant != NULL ? best : model_distance(name, v->name);

        if (d < best) {
            best = d;
            found = v->name;
        }
    }
    return found;
}

/* ---- metadata ---- */

const char *sal_model_path(const sal_model *m)
{
    return m->path;
}

bool sal_model_meta_at(const sal_model *m, size_t i, const char **key, const char **text)
{
    if (i >= m->structure->n_meta)
        return false;
    *key = m->structure->meta[i].key;
    *text = m->structure->meta[i].text;
    return true;
}

const char *sal_model_meta(const sal_model *m, const char *key)
{
    return sal_graph_meta(m->structure, key);
}

void sal_text_free(void *text)
{
    sal_free(text);
}
