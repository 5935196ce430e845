/* Lists of tensors whose length is known when the file is read: the list itself disappears, what it
 * holds is passed on. */
#include "format/onnx_scope.h"
#include "ops/builder.h"

#include <inttypes.h>

enum { SEQUENCES_MAX = 4096 };

static const char *const sequence_ops[] = {
    "SequenceEmpty", "SequenceConstruct", "SequenceInsert",     "SequenceErase",
    "SequenceAt",    "SequenceLength",    "ConcatFromSequence", "SplitToSequence"};

bool sal_onnx_is_sequence(const Onnx__NodeProto *p)
{
    for (size_t i = 0; i < SAL_COUNTOF(sequence_ops); i++)
        if (sal_onnx_domain(p->domain)[0] == '\0' &&
            strcmp(sequence_ops[i], sal_onnx_text(p->op_type)) == 0)
            return true;
    return false;
}

const sal_onnx_list *sal_onnx_sequence_find(const sal_onnx_file *file, const sal_graph *g,
                                            sal_vid v)
{
    for (size_t i = file->n_lists; v != SAL_NONE && i-- > 0;)
        if (file->lists[i].g == g && file->lists[i].v == v)
            return &file->lists[i];
    return NULL;
}

static sal_status sequence_add(sal_onnx_scope *s, sal_vid v, const sal_vid *items, size_t n)
{
    sal_onnx_file *f = s->file;
    if (v == SAL_NONE)
        return SAL_OK;
    if (n >= SEQUENCES_MAX || f->n_lists >= SEQUENCES_MAX)
        return sal_fail(f->err, SAL_EUNSUPPORTED, "more than %d sequences or elements of one",
                        SEQUENCES_MAX);
    sal_status st = sal_grow(&f->lists, f->n_lists + 1, &f->cap_lists, sizeof *f->lists, f->err);
    sal_vid *own = sal_arena_alloc(&s->g->arena, (n + 1) * sizeof *own);
    if (st != SAL_OK || own == NULL)
        return st != SAL_OK ? st : sal_fail_nomem(f->err);
    if (n > 0)
        memcpy(own, items, n * sizeof *own);
    f->lists[f->n_lists++] = (sal_onnx_list){s->g, v, own, n};
    return SAL_OK;
}

static int64_t sequence_int(const Onnx__NodeProto *p, const char *name, int64_t fallback)
{
    for (size_t i = 0; i < p->n_attribute; i++)
        if (strcmp(sal_onnx_text(p->attribute[i]->name), name) == 0)
            return p->attribute[i]->i;
    return fallback;
}

/* A position that is constant, counted from the end when negative. */
static sal_status sequence_at(const sal_onnx_scope *s, sal_vid v, size_t n, size_t *out)
{
    const sal_tensor *t = sal_val(s->g, v)->constant;
    if (t == NULL || sal_tensor_count(t) != 1 || sal_dtype_is_float(t->dtype))
        return sal_fail(s->file->err, SAL_EUNSUPPORTED,
                        "the position in a sequence is computed, which is not supported");
    int64_t at = (int64_t)sal_tensor_get(t, 0);
    at += at < 0 ? (int64_t)n : 0;
    if (at < 0 || at > (int64_t)n)
        return sal_fail(s->file->err, SAL_EINVAL,
                        "position %" PRId64 " is outside of a sequence of %zu", at, n);
    *out = (size_t)at;
    return SAL_OK;
}

/* The value that the file calls `out` is v. */
static sal_status sequence_give(sal_onnx_scope *s, sal_vid v, sal_vid out)
{
    sal_node *node;
    if (out == SAL_NONE)
        return SAL_OK;
    sal_status st = sal_graph_node(s->g, sal_op_find(SAL_DOMAIN_ONNX, "Identity"), NULL, 1, &v, 1,
                                   &out, 0, NULL, &node, s->file->err);
    return st == SAL_OK ? sal_node_infer(s->g, node, s->file->err) : st;
}

/* Pieces along an axis; without a list of lengths each has `size` elements, or one. */
static sal_status sequence_split(sal_onnx_scope *s, const Onnx__NodeProto *p, const sal_vid *in,
                                 sal_vid out)
{
    sal_builder b = SAL_BUILDER(s->g, s->file->err, sal_onnx_label(p));
    const sal_value *x = sal_val(s->g, in[0]);
    sal_vid lens = p->n_input > 1 ? in[1] : SAL_NONE, piece[SEQUENCES_MAX];
    const sal_tensor *t = lens == SAL_NONE ? NULL : sal_val(s->g, lens)->constant;
    int64_t axis = sequence_int(p, "axis", 0), at = 0;
    bool keep = lens != SAL_NONE || sequence_int(p, "keepdims", 1) != 0;
    size_t n = 0;
    axis += axis < 0 ? x->rank : 0;
    if (x->rank < 1 || axis < 0 || axis >= x->rank || x->dims[axis] < 0 ||
        (lens != SAL_NONE && (t == NULL || sal_dtype_is_float(t->dtype))))
        return sal_fail(s->file->err, SAL_EUNSUPPORTED,
                        "the number of pieces is not known when the file is read");
    int64_t size = t == NULL ? 1 : t->rank == 0 ? (int64_t)sal_tensor_get(t, 0) : 0;
    while (at < x->dims[axis]) {
        int64_t len = size;
        if (t != NULL && t->rank > 0)
            len = (int64_t)n < sal_tensor_count(t) ? (int64_t)sal_tensor_get(t, (int64_t)n) : 0;
        if (len < 1 || n + 1 >= SEQUENCES_MAX)
            return sal_fail(s->file->err, SAL_EUNSUPPORTED, "a split into such pieces");
        int64_t end = SAL_MIN(at + len, x->dims[axis]);
        piece[n] = sal_b_slice(&b, in[0], axis, at, end, 1);
        if (!keep)
            piece[n] = sal_b_squeeze(&b, piece[n], 1, &axis);
        n++;
        at = end;
    }
    return b.st == SAL_OK ? sequence_add(s, out, piece, n) : b.st;
}

static sal_status sequence_join(sal_onnx_scope *s, const Onnx__NodeProto *p,
                                const sal_onnx_list *list, sal_vid out)
{
    sal_builder b = SAL_BUILDER(s->g, s->file->err, sal_onnx_label(p));
    int64_t axis = sequence_int(p, "axis", 0);
    sal_vid *items = sal_arena_alloc(&s->g->arena, (list->n + 1) * sizeof *items);
    if (items == NULL)
        return sal_fail_nomem(s->file->err);
    if (list->n == 0)
        return sal_fail(s->file->err, SAL_EINVAL, "an empty sequence cannot be joined");
    for (size_t i = 0; i < list->n; i++)
        items[i] = sequence_int(p, "new_axis", 0) != 0
                       ? sal_b_unsqueeze(&b, list->items[i], 1, &axis)
                       : list->items[i];
    sal_vid v = sal_b_concat(&b, (int)list->n, items, axis);
    return b.st == SAL_OK ? sequence_give(s, v, out) : b.st;
}

/* SequenceInsert, SequenceErase. */
static sal_status sequence_edit(sal_onnx_scope *s, const Onnx__NodeProto *p, const sal_vid *in,
                                const sal_onnx_list *list, sal_vid out)
{
    bool insert = p->op_type[8] == 'I';
    size_t where = insert ? 2 : 1, n = 0, at = insert || list->n == 0 ? list->n : list->n - 1;
    sal_vid *items = sal_arena_alloc(&s->g->arena, (list->n + 2) * sizeof *items);
    if (items == NULL)
        return sal_fail_nomem(s->file->err);
    if (p->n_input > where && in[where] != SAL_NONE) {
        sal_status st = sequence_at(s, in[where], list->n, &at);
        if (st != SAL_OK)
            return st;
    }
    if (!insert && at >= list->n)
        return sal_fail(s->file->err, SAL_EINVAL, "position %zu is outside of a sequence of %zu",
                        at, list->n);
    for (size_t i = 0; i <= list->n; i++) {
        if (insert && i == at)
            items[n++] = in[1];
        if (i < list->n && (insert || i != at))
            items[n++] = list->items[i];
    }
    return sequence_add(s, out, items, n);
}

sal_status sal_onnx_sequence(sal_onnx_scope *s, const Onnx__NodeProto *p, const sal_vid *in,
                             const sal_vid *out)
{
    const char *op = sal_onnx_text(p->op_type);
    sal_error *err = s->file->err;
    size_t at;
    sal_status st = SAL_OK;
    if (p->n_output != 1)
        return sal_fail(err, SAL_EFORMAT, "%zu outputs instead of one", p->n_output);
    if (strcmp(op, "SequenceEmpty") == 0)
        return sequence_add(s, out[0], NULL, 0);
    for (size_t i = 0; i < p->n_input; i++)
        if (in[i] == SAL_NONE && i == 0)
            return sal_fail(err, SAL_EFORMAT, "input 0 is left out, but it is needed");
    if (p->n_input < 1 || (strcmp(op, "SequenceInsert") == 0 && (p->n_input < 2 || in[1] < 0)) ||
        (strcmp(op, "SequenceAt") == 0 && (p->n_input < 2 || in[1] < 0)))
        return sal_fail(err, SAL_EFORMAT, "inputs are missing");
    for (size_t i = 0; i < p->n_input; i++)
        if ((i > 0 || strcmp(op, "SequenceConstruct") == 0 || strcmp(op, "SplitToSequence") == 0) &&
            sal_onnx_sequence_find(s->file, s->g, in[i]) != NULL)
            return sal_fail(err, SAL_EFORMAT, "input %zu is a sequence and should be a tensor", i);
    if (strcmp(op, "SequenceConstruct") == 0) {
        for (size_t i = 0; i < p->n_input; i++)
            if (in[i] == SAL_NONE)
                return sal_fail(err, SAL_EFORMAT, "input %zu is left out, but it is needed", i);
        return sequence_add(s, out[0], in, p->n_input);
    }
    if (strcmp(op, "SplitToSequence") == 0)
        return sequence_split(s, p, in, out[0]);
    const sal_onnx_list *list = sal_onnx_sequence_find(s->file, s->g, in[0]);
    if (list == NULL)
        return sal_fail(err, SAL_EUNSUPPORTED,
                        "a sequence that is made around this graph, or in it, is not supported");
    if (strcmp(op, "ConcatFromSequence") == 0)
        return sequence_join(s, p, list, out[0]);
    if (strcmp(op, "SequenceLength") == 0) {
        sal_tensor t = SAL_TENSOR_INIT;
        st = sal_tensor_new(&t, SAL_I64, 0, NULL, err);
        if (st == SAL_OK)
            *(int64_t *)t.data = (int64_t)list->n;
        if (st == SAL_OK && out[0] != SAL_NONE)
            st = sal_graph_set_constant(s->g, out[0], &t, err);
        sal_tensor_free(&t);
        return st;
    }
    if (strcmp(op, "SequenceAt") != 0)
        return sequence_edit(s, p, in, list, out[0]);
    st = sequence_at(s, in[1], list->n, &at);
    if (st == SAL_OK && at >= list->n)
        st = sal_fail(err, SAL_EINVAL, "position %zu is outside of a sequence of %zu", at, list->n);
    return st == SAL_OK ? sequence_give(s, list->items[at], out[0]) : st;
}
