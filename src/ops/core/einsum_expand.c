/* Einsum in simpler operators. */
#include "ops/core/einsum_expand.h"

typedef struct einsum_operand {
    sal_vid v;
    sal_einsum_term t;
} einsum_operand;

sal_vid sal_einsum_eye(sal_builder *b, sal_dtype dtype, int64_t n)
{
    sal_tensor t = SAL_TENSOR_INIT;
    int64_t dims[2] = {n, n};
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_status st = sal_tensor_new(&t, dtype, 2, dims, b->err);
    if (st != SAL_OK) {
        b->st = st;
        return SAL_NONE;
    }
    for (int64_t i = 0; i < n; i++)
        sal_tensor_set(&t, i * n + i, 1.0);
    sal_vid v = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return v;
}

static void einsum_drop(sal_einsum_term *t, int axis)
{
    for (int k = axis; k + 1 < t->n; k++)
        t->label[k] = t->label[k + 1];
    t->n--;
}

static int64_t einsum_dim(const sal_builder *b, const einsum_operand *o, int axis)
{
    return sal_val(b->g, o->v)->dims[axis];
}

/* Axes that broadcast (1 where the label is longer) carry nothing: drop them, unless all that is
 * left of the label is of length 1. A label that occurs twice is a diagonal: keep it through a mask
 * and sum. */
static void einsum_simplify(sal_builder *b, const sal_einsum *e, einsum_operand *o)
{
    for (int k = 0; k < o->t.n && b->st == SAL_OK;) {
        if (einsum_dim(b, o, k) == 1 && e->size[o->t.label[k]] != 1) {
            o->v = sal_b_squeeze(b, o->v, 1, (const int64_t[]){k});
            einsum_drop(&o->t, k);
        } else {
            k++;
        }
    }
    for (int k = 1; k < o->t.n && b->st == SAL_OK;) {
        int first = sal_einsum_find(&o->t, o->t.label[k]);
        if (first == k) {
            k++;
            continue;
        }
        int64_t n = einsum_dim(b, o, k), axis = k, dims[SAL_MAX_RANK];
        if (n < 0) {
            b->st = sal_fail(b->err, SAL_ESHAPE,
                             "node %s: a diagonal of unknown length; give the model's input "
                             "a fixed size",
                             b->origin != NULL ? b->origin : "Einsum");
            return;
        }
        for (int i = 0; i < o->t.n; i++)
            dims[i] = i == k || i == first ? n : 1;
        sal_vid eye =
            sal_b_reshape(b, sal_einsum_eye(b, sal_val(b->g, o->v)->dtype, n), o->t.n, dims, o->v);
        sal_vid mask = sal_b_cast(b, eye, SAL_BOOL);
        o->v = sal_b3(b, "Where", mask, o->v, sal_b_like(b, o->v, 0.0));
        o->v = sal_b_reduce(b, "ReduceSum", o->v, 1, &axis, false);
        einsum_drop(&o->t, k);
    }
}

/* Sum over the labels that `keep` does not mark. */
static void einsum_sum(sal_builder *b, einsum_operand *o, const bool *keep)
{
    int64_t axes[SAL_MAX_RANK];
    int n = 0, left = 0;
    for (int k = 0; k < o->t.n; k++) {
        if (keep[o->t.label[k]])
            o->t.label[left++] = o->t.label[k];
        else
            axes[n++] = k;
    }
    o->t.n = left;
    if (n > 0)
        o->v = sal_b_reduce(b, "ReduceSum", o->v, n, axes, false);
}

static void einsum_order(sal_builder *b, einsum_operand *o, const sal_einsum_term *want)
{
    int64_t perm[SAL_MAX_RANK];
    bool same = true;
    for (int k = 0; k < want->n; k++) {
        perm[k] = sal_einsum_find(&o->t, want->label[k]);
        same = same && perm[k] == k;
    }
    if (!same)
        o->v = sal_b_transpose(b, o->v, perm);
    o->t = *want;
}

static void einsum_append(sal_einsum_term *t, const sal_einsum_term *more)
{
    for (int k = 0; k < more->n && t->n < SAL_MAX_RANK; k++)
        t->label[t->n++] = more->label[k];
}

static int64_t einsum_product(sal_builder *b, const sal_einsum *e, const sal_einsum_term *t)
{
    int64_t d = 1;
    for (int k = 0; k < t->n; k++)
        d = sal_dim_mul(b->g, d, e->size[t->label[k]]);
    return d;
}

/* Transpose o to batch, rows, columns and join the rows and the columns to one axis each. */
static sal_vid einsum_matrix(sal_builder *b, const sal_einsum *e, einsum_operand *o,
                             const sal_einsum_term *batch, const sal_einsum_term *rows,
                             const sal_einsum_term *columns)
{
    sal_einsum_term want = *batch;
    int64_t dims[SAL_MAX_RANK + 2];
    einsum_append(&want, rows);
    einsum_append(&want, columns);
    einsum_order(b, o, &want);
    if (rows->n == 1 && columns->n == 1)
        return o->v;
    for (int k = 0; k < batch->n; k++)
        dims[k] = e->size[batch->label[k]];
    dims[batch->n] = einsum_product(b, e, rows);
    dims[batch->n + 1] = einsum_product(b, e, columns);
    return sal_b_reshape(b, o->v, batch->n + 2, dims, o->v);
}

/* Element-wise product over the union of the labels: nothing is summed. */
static void einsum_multiply(sal_builder *b, einsum_operand *a, einsum_operand *o)
{
    sal_einsum_term all = a->t;
    for (int k = 0; k < o->t.n; k++)
        if (sal_einsum_find(&a->t, o->t.label[k]) < 0 && all.n < SAL_MAX_RANK)
            all.label[all.n++] = o->t.label[k];
    einsum_operand *both[2] = {a, o};
    for (int i = 0; i < 2; i++) {
        sal_einsum_term have = {.n = 0};
        int64_t missing[SAL_MAX_RANK];
        int n = 0;
        for (int k = 0; k < all.n; k++) {
            if (sal_einsum_find(&both[i]->t, all.label[k]) >= 0)
                have.label[have.n++] = all.label[k];
            else
                missing[n++] = k;
        }
        einsum_order(b, both[i], &have);
        if (n > 0)
            both[i]->v = sal_b_unsqueeze(b, both[i]->v, n, missing);
    }
    a->v = sal_b2(b, "Mul", a->v, o->v);
    a->t = all;
}

/* a becomes the product of a and o, summed over the labels that `keep` does not mark. */
static void einsum_contract(sal_builder *b, const sal_einsum *e, einsum_operand *a,
                            einsum_operand *o, const bool *keep)
{
    sal_einsum_term batch = {.n = 0}, rows = {.n = 0}, sum = {.n = 0}, columns = {.n = 0};
    bool keep_a[SAL_EINSUM_LABELS], keep_o[SAL_EINSUM_LABELS];
    int64_t dims[SAL_MAX_RANK];

    for (int l = 0; l < SAL_EINSUM_LABELS; l++) {
        keep_a[l] = keep[l] || sal_einsum_find(&o->t, l) >= 0;
        keep_o[l] = keep[l] || sal_einsum_find(&a->t, l) >= 0;
    }
    einsum_sum(b, a, keep_a);
    einsum_sum(b, o, keep_o);
    for (int k = 0; k < a->t.n; k++) {
        int l = a->t.label[k];
        sal_einsum_term *to = sal_einsum_find(&o->t, l) < 0 ? &rows : keep[l] ? &batch : &sum;
        to->label[to->n++] = l;
    }
    for (int k = 0; k < o->t.n; k++)
        if (sal_einsum_find(&a->t, o->t.label[k]) < 0)
            columns.label[columns.n++] = o->t.label[k];
    if (batch.n + rows.n + columns.n > SAL_MAX_RANK || batch.n + 2 > SAL_MAX_RANK) {
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "node %s: a product of more than %d axes",
                         b->origin != NULL ? b->origin : "Einsum", SAL_MAX_RANK);
        return;
    }
    if (sum.n == 0) {
        einsum_multiply(b, a, o);
        return;
    }
    sal_vid x = einsum_matrix(b, e, a, &batch, &rows, &sum);
    sal_vid y = einsum_matrix(b, e, o, &batch, &sum, &columns);
    sal_vid from = rows.n > 0 || batch.n > 0 ? a->v : o->v;
    for (int k = 0; k < columns.n; k++)
        if (e->size[columns.label[k]] < 0)
            from = o->v;
    a->v = sal_b2(b, "MatMul", x, y);
    a->t = batch;
    einsum_append(&a->t, &rows);
    einsum_append(&a->t, &columns);
    if (rows.n == 1 && columns.n == 1)
        return;
    for (int k = 0; k < a->t.n; k++)
        dims[k] = e->size[a->t.label[k]];
    a->v = sal_b_reshape(b, a->v, a->t.n, dims, from);
}

sal_vid sal_einsum_build(sal_builder *b, const sal_einsum *e, const sal_vid *in)
{
    bool keep[SAL_EINSUM_LABELS];
    einsum_operand a = {in[0], e->in[0]};
    einsum_simplify(b, e, &a);
    for (int i = 1; i <= e->n_in && b->st == SAL_OK; i++) {
        memset(keep, 0, sizeof(keep));
        for (int k = 0; k < e->out.n; k++)
            keep[e->out.label[k]] = true;
        for (int j = i + 1; j < e->n_in; j++)
            for (int k = 0; k < e->in[j].n; k++)
                keep[e->in[j].label[k]] = true;
        if (i < e->n_in) {
            einsum_operand o = {in[i], e->in[i]};
            einsum_simplify(b, e, &o);
            if (b->st == SAL_OK)
                einsum_contract(b, e, &a, &o, keep);
        } else {
            einsum_sum(b, &a, keep);
        }
    }
    if (b->st == SAL_OK)
        einsum_order(b, &a, &e->out);
    return b->st != SAL_OK ? SAL_NONE : a.v == in[0] ? sal_b1(b, "Identity", a.v) : a.v;
}
