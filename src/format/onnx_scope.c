/* Names and what they mean (onnx_scope.h). */
#include "format/onnx_scope.h"

#include <stdio.h>

void sal_onnx_scope_free(sal_onnx_scope *s)
{
    sal_free(s->captured);
    sal_free(s->captured_as);
    sal_free(s->map);
}

/* ---- names of a function's body ---- */

static sal_onnx_binding *scope_slot(const sal_onnx_scope *s, const char *name)
{
    size_t i = (size_t)sal_hash(name, strlen(name), 0) & (s->map_size - 1);
    while (s->map[i].name != NULL && strcmp(s->map[i].name, name) != 0)
        i = (i + 1) & (s->map_size - 1);
    return &s->map[i];
}

static sal_status scope_fit(sal_onnx_scope *s)
{
    if ((s->map_used + 1) * 2 <= s->map_size)
        return SAL_OK;
    sal_onnx_scope bigger = *s;
    bigger.map_size = s->map_size == 0 ? 32 : s->map_size * 2;
    bigger.map = sal_calloc(bigger.map_size, sizeof *bigger.map);
    if (bigger.map == NULL)
        return sal_fail_nomem(s->file->err);
    for (size_t i = 0; i < s->map_size; i++)
        if (s->map[i].name != NULL)
            *scope_slot(&bigger, s->map[i].name) = s->map[i];
    sal_free(s->map);
    s->map = bigger.map;
    s->map_size = bigger.map_size;
    return SAL_OK;
}

sal_status sal_onnx_scope_bind(sal_onnx_scope *s, const char *name, sal_vid v, bool taken,
                               bool *was)
{
    sal_status st = scope_fit(s);
    if (st != SAL_OK)
        return st;
    sal_onnx_binding *b = scope_slot(s, name);
    *was = b->name != NULL;
    if (*was)
        return SAL_OK;
    *b = (sal_onnx_binding){name, v, taken};
    s->map_used++;
    return SAL_OK;
}

sal_status sal_onnx_scope_declare(sal_onnx_scope *s, const char *name, sal_vid *out)
{
    char full[256];
    bool was = false;
    sal_error *err = s->file->err;
    *out = SAL_NONE;
    if (s->function == NULL)
        return sal_graph_value(s->g, name, NULL, out, err);
    sal_status st = scope_fit(s);
    if (st != SAL_OK)
        return st;
    sal_onnx_binding *b = scope_slot(s, name);
    if (b->name != NULL && b->taken)
        return sal_fail(err, SAL_EFORMAT, "value '%.120s' is defined twice", name);
    if (b->name != NULL) {
        b->taken = true;
        *out = b->v;
        return SAL_OK;
    }
    snprintf(full, sizeof full, "%.120s/%.120s", s->prefix, name);
    bool free_name = sal_graph_find(s->g, full) == SAL_NONE;
    st = sal_graph_value(s->g, free_name ? full : NULL, full, out, err);
    return st == SAL_OK ? sal_onnx_scope_bind(s, name, *out, true, &was) : st;
}

/* ---- values from around a graph ---- */

/* The same dimension in another graph: numbers and names stay, unknown ones are new. */
static int64_t scope_dim(sal_graph *g, const sal_graph *from, int64_t d)
{
    if (d >= 0)
        return d;
    const sal_symbol *s = &from->symbols[-1 - d];
    const char *name = from->symbols[s->base].name;
    return name[0] == '?' ? sal_dim_fresh(g) : sal_dim_mul(g, sal_dim_symbol(g, name), s->coeff);
}

sal_status sal_onnx_scope_capture(sal_onnx_scope *s, sal_vid outer, const char *name, sal_vid *out)
{
    const sal_graph *from = s->outer->g;
    const sal_value *x = sal_val(from, outer);
    sal_error *err = s->file->err;
    int64_t dims[SAL_MAX_RANK] = {0};
    for (size_t i = 0; i < s->n_captured; i++)
        if (s->captured[i] == outer) {
            *out = s->captured_as[i];
            return SAL_OK;
        }
    if (sal_onnx_sequence_find(s->file, from, outer) != NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "a graph inside reads a sequence from around it, which is not supported");
    if (s->n_captured >= ONNX_CAPTURES_MAX)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "a graph inside reads more than %d values from around it",
                        ONNX_CAPTURES_MAX);
    sal_status st =
        sal_grow(&s->captured, s->n_captured + 1, &s->cap_captured, sizeof *s->captured, err);
    if (st == SAL_OK)
        st = sal_grow(&s->captured_as, s->n_captured + 1, &s->cap_captured_as,
                      sizeof *s->captured_as, err);
    for (int i = 0; i < x->rank; i++)
        dims[i] = scope_dim(s->g, from, x->dims[i]);
    if (st == SAL_OK)
        st = sal_graph_input(s->g, name, x->dtype, x->rank, dims, out, err);
    if (st != SAL_OK)
        return st;
    s->captured[s->n_captured] = outer;
    s->captured_as[s->n_captured++] = *out;
    return SAL_OK;
}

/* From the outer scope, whose nodes stand before the one that holds the graph. */
static sal_status scope_find_outer(sal_onnx_scope *s, const char *name, sal_vid *out, bool *found)
{
    sal_onnx_scope *outer = s->outer;
    sal_vid v;
    sal_status st = sal_onnx_scope_find(outer, name, &v, found);
    if (st != SAL_OK || !*found || v == SAL_NONE) {
        *out = SAL_NONE;
        return st;
    }
    const sal_value *x = sal_val(outer->g, v);
    if (x->constant != NULL)
        return sal_graph_constant(s->g, name, x->constant, out, s->file->err);
    if ((size_t)v < outer->declared && outer->ready != NULL && !outer->ready[v])
        return sal_fail(s->file->err, SAL_EFORMAT,
                        "a graph inside reads '%.120s', which is computed later", name);
    return sal_onnx_scope_capture(s, v, name, out);
}

sal_status sal_onnx_scope_find(sal_onnx_scope *s, const char *name, sal_vid *out, bool *found)
{
    *out = SAL_NONE;
    *found = false;
    if (s->function != NULL) {
        if (s->map_size == 0)
            return SAL_OK;
        const sal_onnx_binding *b = scope_slot(s, name);
        /* An output of the function that no node has declared means nothing inside. */
        *found = b->name != NULL && b->taken;
        *out = *found ? b->v : SAL_NONE;
        return SAL_OK;
    }
    *out = sal_graph_find(s->g, name);
    /* Values that were made up on the way have no meaning in the file. */
    if (*out != SAL_NONE && s->declared > 0 && (size_t)*out >= s->declared &&
        sal_val(s->g, *out)->producer >= 0)
        *out = SAL_NONE;
    *found = *out != SAL_NONE;
    return *found || !s->captures ? SAL_OK : scope_find_outer(s, name, out, found);
}

const sal_attr *sal_onnx_scope_attr(const sal_onnx_scope *s, const char *name, bool *in_function)
{
    while (s != NULL && s->function == NULL && s->captures)
        s = s->outer;
    *in_function = s != NULL && s->function != NULL;
    for (int i = 0; *in_function && i < s->n_attr; i++)
        if (strcmp(s->attr[i].name, name) == 0)
            return &s->attr[i];
    return NULL;
}
