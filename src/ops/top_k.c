/* TopK: the k largest (or smallest) elements along an axis, in order, and their indices. Equal
 * elements come in the order of their indices; NaN counts as larger than every number. */
#include "ops/core/reduce.h"

/* k was an attribute until opset 9. */
static sal_status top_k_upgrade(sal_upgrade *u)
{
    const sal_attr *k = sal_node_attr(u->node, "k");
    sal_vid v;
    sal_status st;
    if (k == NULL)
        return SAL_OK;
    SAL_TRY(sal_upgrade_const_ints(u, &k->i, 1, &v));
    SAL_TRY(sal_upgrade_set_input(u, 1, v));
    SAL_TRY(sal_upgrade_drop(u, "k"));
done:
    return st;
}

static sal_status top_k_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t k = 0, dims[SAL_MAX_RANK];
    int axis, n;
    bool symbolic;
    sal_status st;
    if (x == NULL)
        return sal_fail(c->err, SAL_EINVAL, "input 0 is missing");
    if (x->rank < 0) {
        SAL_TRY(sal_infer_out(c, 0, x->dtype, -1, NULL));
        return sal_infer_out(c, 1, SAL_I64, -1, NULL);
    }
    SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", -1), x->rank, &axis));
    SAL_TRY(sal_infer_ints(c, 1, &k, 1, &n, &symbolic));
    if (n == 1 && !symbolic && (k < 0 || (x->dims[axis] >= 0 && k > x->dims[axis]))) {
        st = sal_fail(c->err, SAL_ESHAPE, "k is %lld, the axis has %lld elements", (long long)k,
                      (long long)x->dims[axis]);
        goto done;
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = n == 1 ? k : sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, x->dtype, x->rank, dims));
    SAL_TRY(sal_infer_out(c, 1, SAL_I64, x->rank, dims));
done:
    return st;
}

/* Floats are ordered by f, integers by i; the index decides between equals. */
typedef struct top_k_item {
    double f;
    int64_t i, at;
} top_k_item;

static int top_k_order(const top_k_item *a, const top_k_item *b)
{
    if (isnan(a->f) || isnan(b->f))
        return (isnan(b->f) != 0) - (isnan(a->f) != 0);
    if (a->f != b->f)
        return a->f > b->f ? -1 : 1;
    return (a->i < b->i) - (a->i > b->i);
}

static int top_k_largest(const void *pa, const void *pb)
{
    const top_k_item *a = pa, *b = pb;
    int order = top_k_order(a, b);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static int top_k_smallest(const void *pa, const void *pb)
{
    const top_k_item *a = pa, *b = pb;
    int order = top_k_order(b, a);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static top_k_item top_k_load(const sal_tensor *x, int64_t from, int64_t at)
{
    top_k_item item = {.at = at};
    if (sal_dtype_is_float(x->dtype))
        item.f = sal_tensor_get(x, from);
    else if (x->dtype == SAL_I64)
        item.i = ((const int64_t *)x->data)[from];
    else if (x->dtype == SAL_U64) /* the same order among signed numbers */
        item.i = sal_ew_wrap(((const uint64_t *)x->data)[from] ^ (UINT64_C(1) << 63));
    else
        item.i = (int64_t)sal_tensor_get(x, from);
    return item;
}

static void top_k_store(const sal_eval *e, int64_t from, int64_t to, int64_t at)
{
    size_t size = sal_dtype_size(e->in[0]->dtype);
    if (e->out[0] != NULL)
        memcpy((uint8_t *)e->out[0]->data + (size_t)to * size,
               (const uint8_t *)e->in[0]->data + (size_t)from * size, size);
    if (e->node->n_out > 1 && e->out[1] != NULL)
        ((int64_t *)e->out[1]->data)[to] = at;
}

static sal_status top_k_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    bool largest = sal_node_int(e->node, "largest", 1) != 0;
    int64_t axis = sal_node_int(e->node, "axis", -1);
    top_k_item *items = NULL;
    sal_lines l, lk;
    sal_status st;
    SAL_TRY(sal_lines_of(&l, x, axis, e->err));
    SAL_TRY(sal_lines_of(&lk, e->out[0] != NULL ? e->out[0] : e->out[1], axis, e->err));
    if (lk.len > l.len) {
        st = sal_fail(e->err, SAL_ESHAPE, "k is %lld, the axis has %lld elements",
                      (long long)lk.len, (long long)l.len);
        goto done;
    }
    items = sal_calloc((size_t)SAL_MAX(l.len, 1), sizeof *items);
    if (items == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    for (int64_t o = 0; o < l.outer; o++) {
        for (int64_t i = 0; i < l.inner; i++) {
            int64_t from = o * l.len * l.inner + i, to = o * lk.len * l.inner + i;
            for (int64_t j = 0; j < l.len; j++)
                items[j] = top_k_load(x, from + j * l.inner, j);
            qsort(items, (size_t)l.len, sizeof *items, largest ? top_k_largest : top_k_smallest);
            for (int64_t j = 0; j < lk.len; j++)
                top_k_store(e, from + items[j].at * l.inner, to + j * l.inner, items[j].at);
        }
    }
done:
    sal_free(items);
    return st;
}

/* The gradient goes back to where the elements came from. */
static sal_status top_k_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid x = n->in[0], indices = sal_node_out(n, 1), both[2];
    if (!v->need[0] || v->gout[0] == SAL_NONE)
        return b->st;
    if (indices == SAL_NONE) {
        sal_b_node(b, "TopK", 2, n->in, n->n_attr, n->attr, 2, both);
        indices = both[1];
    }
    sal_vid in[3] = {sal_b_zeros_like(b, x), indices, v->gout[0]};
    sal_attr a = SAL_AI("axis", sal_node_int(n, "axis", -1));
    v->gin[0] = sal_b_op(b, "ScatterElements", 3, in, 1, &a);
    return b->st;
}

static const char *const top_k_cases[] = {
    "f32[2,3,5] i64[1]{3} ; ; out=2",
    "f32[2,3,5] i64[1]{2} ; axis=1 ; out=2",
    "f32[7] i64[1]{7} ; largest=0 ; out=2",
    "f32[6]{3,1,3,2,3,1} i64[1]{4} ; ; out=2 nograd",
    "i64[5]{3,1,4,1,5} i64[1]{2} ; largest=0 ; out=2",
    NULL,
};

const sal_op_desc sal_op_top_k = {
    .name = "TopK",
    .min_in = 2,
    .max_in = 2,
    .min_out = 2,
    .max_out = 2,
    .since = 11,
    .upgrade = top_k_upgrade,
    .infer = top_k_infer,
    .eval = top_k_eval,
    .vjp = top_k_vjp,
    .cases = top_k_cases,
};
