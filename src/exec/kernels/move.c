/* Transpose, Concat and Slice where oneDNN's reorders or whole runs of memory serve. */
#include "exec/kernels.h"
#include "exec/onednn.h"

#include <stdio.h>

/* Nothing moves here: the result is a view. Matrix products read views; for others sal_plan_get()
 * copies. */
sal_status sal_lower_transpose(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                               sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_value *x = sal_val(p->g, n->in[0]);
    sal_pid from, to;
    size_t count = 0;
    const int64_t *perm = sal_node_ints(n, "perm", &count);
    int64_t strides[SAL_MAX_RANK] = {0}, moved[SAL_MAX_RANK] = {0};
    (void)gr;
    *done = false;
    if (x->rank < 2 || sal_value_count(x) <= 0 || (x->constant != NULL && x->rank != 2) ||
        sal_dnnl_type(sal_plan_dtype(p, n->in[0])) == dnnl_data_type_undef)
        return SAL_OK;
    SAL_TRY(sal_plan_get_any_plain(p, n->in[0], &from, strides, err));
    for (int i = 0; i < x->rank; i++)
        moved[i] = strides[count > 0 ? perm[i] : x->rank - 1 - i];
    SAL_TRY(sal_plan_view(p, n->out[0], from, moved, 0, &to, err));
    *done = true;
done:
    return st;
}

/* Split, where only matrix products (or further views) read the parts. */
sal_status sal_lower_split(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                           sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_value *x = sal_val(p->g, n->in[0]);
    int64_t strides[SAL_MAX_RANK] = {0}, at = 0;
    int axis = (int)sal_node_int(n, "axis", 0);
    sal_pid from, to;
    (void)gr;
    *done = false;
    axis = axis < 0 ? axis + x->rank : axis;
    if (sal_plan_dtype(p, n->in[0]) != SAL_F32 || sal_value_count(x) <= 0 || x->constant != NULL ||
        sal_plan_layout(p, n->in[0]) == SAL_BLOCKED)
        return SAL_OK;
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] == SAL_NONE)
            return SAL_OK; /* the length of a part that nobody wants is not known here */
    SAL_TRY(sal_plan_get_any_plain(p, n->in[0], &from, strides, err));
    for (int i = 0; i < n->n_out; i++) {
        const sal_value *y = sal_val(p->g, n->out[i]);
        if (sal_value_count(y) > 0)
            SAL_TRY(sal_plan_view(p, n->out[i], from, strides, at * strides[axis], &to, err));
        else
            SAL_TRY(sal_plan_new(p, n->out[i], SAL_PLAIN, SAL_F32, &to, err));
        at += y->dims[axis];
    }
    *done = true;
done:
    return st;
}

/* Concat and Slice as copies of runs: row r of the output is filled from, or row r of the input is
 * cut. */
typedef struct move_part {
    size_t bytes; /* a run */
    size_t at;    /* offset of the run within a row of the joined tensor */
} move_part;

typedef struct move_state {
    int64_t rows;
    size_t row_bytes; /* of the joined tensor */
    int n;
    bool join;
    move_part part[];
} move_state;

static sal_status move_run(sal_step *step, sal_session *s, sal_error *err)
{
    const move_state *m = step->state;
    (void)err;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t r = 0; r < m->rows; r++)
        for (int i = 0; i < m->n; i++) {
            const move_part *q = &m->part[i];
            if (m->join)
                memcpy((char *)sal_step_ptr(s, step->out[0]) + (size_t)r * m->row_bytes + q->at,
                       (const char *)sal_step_ptr(s, step->in[i]) + (size_t)r * q->bytes, q->bytes);
            else
                memcpy((char *)sal_step_ptr(s, step->out[0]) + (size_t)r * q->bytes,
                       (const char *)sal_step_ptr(s, step->in[0]) + (size_t)r * m->row_bytes +
                           q->at,
                       q->bytes);
        }
    return SAL_OK;
}

static move_state *move_new(int n)
{
    move_state *m = sal_calloc(1, sizeof *m + (size_t)n * sizeof m->part[0]);
    if (m != NULL)
        m->n = n;
    return m;
}

/* Elements behind (and in) an axis: of one step along it. */
static size_t move_inner(const sal_value *x, int axis, size_t size)
{
    for (int i = axis + 1; i < x->rank; i++)
        size *= (size_t)x->dims[i];
    return size;
}

sal_status sal_lower_concat(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                            sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_value *y = sal_val(p->g, n->out[0]);
    int axis = (int)sal_node_int(n, "axis", 0);
    axis = axis < 0 ? axis + y->rank : axis;
    (void)gr;
    *done = false;
    if (sal_plan_dtype(p, n->out[0]) != SAL_F32 || sal_value_count(y) <= 0)
        return SAL_OK;
    bool blocked = axis == 1 && y->rank >= 3 && y->rank <= 5;
    bool any = false;
    for (int i = 0; i < n->n_in; i++) {
        const sal_value *x = sal_val(p->g, n->in[i]);
        blocked = blocked && (i + 1 == n->n_in || x->dims[1] % p->block == 0);
        any = any || sal_plan_layout(p, n->in[i]) == SAL_BLOCKED;
    }
    sal_layout layout = blocked && any ? SAL_BLOCKED : SAL_PLAIN;
    move_state *m = move_new(n->n_in);
    sal_pid *in = sal_calloc((size_t)n->n_in, sizeof *in), out;
    if (m == NULL || in == NULL)
        SAL_TRY(sal_fail_nomem(err));
    m->join = true;
    m->rows = 1;
    for (int i = 0; i < axis; i++)
        m->rows *= y->dims[i];
    for (int i = 0; i < n->n_in; i++) {
        const sal_value *x = sal_val(p->g, n->in[i]);
        int64_t len = layout == SAL_BLOCKED ? (x->dims[1] + p->block - 1) / p->block * p->block
                                            : x->dims[axis];
        SAL_TRY(sal_plan_get(p, n->in[i], layout, SAL_F32, &in[i], err));
        m->part[i].at = m->row_bytes;
        m->part[i].bytes = (size_t)len * move_inner(x, axis, sizeof(float));
        m->row_bytes += m->part[i].bytes;
    }
    SAL_TRY(sal_plan_new(p, n->out[0], layout, SAL_F32, &out, err));
    move_state *handed = m;
    m = NULL;
    SAL_TRY(
        sal_plan_step(p, "concat", n, move_run, handed, sal_free, n->n_in, in, 1, &out, NULL, err));
    *done = true;
done:
    sal_free(m);
    sal_free(in);
    return st;
}

/* start, end of a Slice along one axis with step 1; false for anything else. */
static bool move_slice_of(const sal_plan *p, const sal_node *n, int *axis, int64_t *start)
{
    const sal_value *x = sal_val(p->g, n->in[0]), *y = sal_val(p->g, n->out[0]);
    int found = -1;
    for (int i = 0; i < x->rank; i++) {
        if (x->dims[i] == y->dims[i])
            continue;
        if (found >= 0)
            return false;
        found = i;
    }
    const sal_tensor *s = sal_val(p->g, n->in[1])->constant;
    const sal_tensor *a = sal_node_in(n, 3) == SAL_NONE ? NULL : sal_val(p->g, n->in[3])->constant;
    const sal_tensor *k = sal_node_in(n, 4) == SAL_NONE ? NULL : sal_val(p->g, n->in[4])->constant;
    if (found < 0 || s == NULL || (sal_node_in(n, 3) != SAL_NONE && a == NULL) ||
        (sal_node_in(n, 4) != SAL_NONE && k == NULL))
        return false;
    for (int64_t i = 0; i < sal_tensor_count(s); i++) {
        int64_t ax = a == NULL ? i : (int64_t)sal_tensor_get(a, i);
        ax = ax < 0 ? ax + x->rank : ax;
        if (k != NULL && sal_tensor_get(k, i) != 1.0)
            return false;
        if (ax != found)
            continue;
        *start = (int64_t)SAL_MAX(sal_tensor_get(s, i), -9e15);
        *start = *start < 0 ? SAL_MAX(*start + x->dims[ax], 0) : *start;
    }
    *axis = found;
    return true;
}

sal_status sal_lower_slice(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                           sal_error *err)
{
    sal_status st = SAL_OK;
    const sal_value *x = sal_val(p->g, n->in[0]), *y = sal_val(p->g, n->out[0]);
    int axis = 0;
    int64_t start = 0;
    (void)gr;
    *done = false;
    if (sal_plan_dtype(p, n->out[0]) != SAL_F32 || sal_value_count(y) <= 0 ||
        !move_slice_of(p, n, &axis, &start))
        return SAL_OK;
    bool blocked = axis == 1 && x->rank >= 3 && x->rank <= 5 && start % p->block == 0 &&
                   (y->dims[1] % p->block == 0 || start + y->dims[1] == x->dims[1]) &&
                   sal_plan_layout(p, n->in[0]) == SAL_BLOCKED;
    int64_t total = blocked ? (x->dims[1] + p->block - 1) / p->block * p->block : x->dims[axis];
    int64_t len = blocked ? (y->dims[1] + p->block - 1) / p->block * p->block : y->dims[axis];
    sal_layout layout = blocked ? SAL_BLOCKED : SAL_PLAIN;
    sal_pid in, out;
    move_state *m = move_new(1);
    if (m == NULL)
        return sal_fail_nomem(err);
    m->rows = 1;
    for (int i = 0; i < axis; i++)
        m->rows *= x->dims[i];
    size_t inner = move_inner(x, axis, sizeof(float));
    m->row_bytes = (size_t)total * inner;
    m->part[0].at = (size_t)start * inner;
    m->part[0].bytes = (size_t)len * inner;
    SAL_TRY(sal_plan_get(p, n->in[0], layout, SAL_F32, &in, err));
    SAL_TRY(sal_plan_new(p, n->out[0], layout, SAL_F32, &out, err));
    move_state *handed = m;
    m = NULL;
    SAL_TRY(sal_plan_step(p, "slice", n, move_run, handed, sal_free, 1, &in, 1, &out, NULL, err));
    *done = true;
done:
    sal_free(m);
    return st;
}
