/* Unique: the different elements, or slices along an axis, sorted or in the order of their first
 * appearance. Outputs: them, where each appears first, which of them each input is, how often each
 * appears. */
#include "ops/builder.h"
#include "ops/infer.h"

static sal_status unique_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK], found = sal_dim_fresh(c->g), all = sal_dim_fresh(c->g);
    bool flat = sal_node_attr(c->node, "axis") == NULL;
    int axis = 0, rank = flat ? 1 : x->rank;
    sal_status st = SAL_OK;
    if (!flat && x->rank >= 0) {
        SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", 0), x->rank, &axis));
        memcpy(dims, x->dims, sizeof dims);
        all = x->dims[axis];
    } else if (flat && sal_value_count(x) >= 0) {
        all = sal_value_count(x);
    }
    if (rank > 0)
        dims[axis] = found;
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    SAL_TRY(sal_infer_out(c, 1, SAL_I64, 1, &found));
    SAL_TRY(sal_infer_out(c, 2, SAL_I64, 1, &all));
    SAL_TRY(sal_infer_out(c, 3, SAL_I64, 1, &found));
done:
    return st;
}

/* One element or slice; `next`: its group, numbered by first appearance. */
typedef struct unique_item {
    int64_t at, group;
} unique_item;

typedef struct unique_run {
    const sal_tensor *x;
    int64_t length, outer, inner;
} unique_run;

static double unique_get(const unique_run *r, int64_t at, int64_t k)
{
    return sal_tensor_get(r->x, (k / r->inner * r->length + at) * r->inner + k % r->inner);
}

/* 64-bit integers do not pass through double unharmed. */
static int unique_compare(const unique_run *r, int64_t a, int64_t b)
{
    for (int64_t k = 0; k < r->outer * r->inner; k++) {
        if (r->x->dtype == SAL_I64) {
            int64_t row = k / r->inner * r->length, col = k % r->inner;
            const int64_t *p = r->x->data;
            int64_t x = p[(row + a) * r->inner + col], y = p[(row + b) * r->inner + col];
            if (x != y)
                return x < y ? -1 : 1;
            continue;
        }
        double x = unique_get(r, a, k), y = unique_get(r, b, k);
        if (x != y && !(x != x && y != y))
            return x < y || y != y ? -1 : 1;
    }
    return 0;
}

/* Merge sort: stable, so that the first of equal ones stands first. */
static void unique_sort(const unique_run *r, int64_t *v, int64_t *room, int64_t n)
{
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t from = 0; from < n; from += 2 * width) {
            int64_t mid = SAL_MIN(from + width, n), end = SAL_MIN(from + 2 * width, n);
            for (int64_t i = from, j = mid, k = from; k < end; k++) {
                bool left = i < mid && (j >= end || unique_compare(r, v[i], v[j]) <= 0);
                room[k] = left ? v[i++] : v[j++];
            }
        }
        memcpy(v, room, (size_t)n * sizeof *v);
    }
}

static int unique_by_place(const void *a, const void *b)
{
    const unique_item *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static sal_status unique_outputs(const sal_eval *e, const unique_run *r, const unique_item *item,
                                 int64_t found, const int64_t *inverse, const int64_t *count,
                                 int axis, bool flat)
{
    const sal_tensor *x = r->x;
    int64_t dims[SAL_MAX_RANK];
    sal_status st = SAL_OK;
    memcpy(dims, x->dims, sizeof dims);
    dims[flat ? 0 : axis] = found;
    if (e->out[0] != NULL) {
        SAL_TRY(sal_tensor_new(e->out[0], x->dtype, flat ? 1 : x->rank, dims, e->err));
        size_t bytes = (size_t)r->inner * sal_dtype_size(x->dtype);
        for (int64_t o = 0; o < r->outer && bytes > 0; o++)
            for (int64_t i = 0; i < found; i++)
                memcpy((char *)e->out[0]->data + (size_t)(o * found + i) * bytes,
                       (const char *)x->data + (size_t)(o * r->length + item[i].at) * bytes, bytes);
    }
    for (int k = 1; k < e->node->n_out; k++) {
        int64_t n = k == 2 ? r->length : found;
        if (e->out[k] == NULL)
            continue;
        SAL_TRY(sal_tensor_new(e->out[k], SAL_I64, 1, &n, e->err));
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)e->out[k]->data)[i] = k == 1   ? item[i].at
                                              : k == 2 ? inverse[i]
                                                       : count[item[i].group];
    }
done:
    return st;
}

static sal_status unique_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0];
    bool flat = sal_node_attr(e->node, "axis") == NULL;
    int64_t axis = flat ? 0 : sal_node_int(e->node, "axis", 0), found = 0;
    unique_run r = {.x = x, .length = flat ? sal_tensor_count(x) : 0, .outer = 1, .inner = 1};
    int64_t *order = NULL, *room = NULL, *group = NULL, *count = NULL, *rank = NULL;
    unique_item *item = NULL;
    sal_status st = SAL_OK;
    axis += axis < 0 ? x->rank : 0;
    if (!flat)
        r.length = x->dims[axis];
    for (int k = 0; !flat && k < x->rank; k++) {
        r.outer *= k < axis ? x->dims[k] : 1;
        r.inner *= k > axis ? x->dims[k] : 1;
    }
    r.inner = SAL_MAX(r.inner, 1);
    size_t n = (size_t)r.length + 1;
    order = sal_malloc(n * sizeof *order);
    room = sal_malloc(n * sizeof *room);
    group = sal_malloc(n * sizeof *group);
    rank = sal_malloc(n * sizeof *rank);
    count = sal_calloc(n, sizeof *count);
    item = sal_malloc(n * sizeof *item);
    if (order == NULL || room == NULL || group == NULL || rank == NULL || count == NULL ||
        item == NULL)
        SAL_TRY(sal_fail_nomem(e->err));
    for (int64_t i = 0; i < r.length; i++)
        order[i] = i;
    unique_sort(&r, order, room, r.length);
    for (int64_t i = 0; i < r.length; i++) {
        if (i == 0 || unique_compare(&r, order[i - 1], order[i]) != 0) {
            item[found] = (unique_item){order[i], found};
            found++;
        }
        group[order[i]] = found - 1;
        count[found - 1]++;
    }
    if (sal_node_int(e->node, "sorted", 1) == 0)
        qsort(item, (size_t)found, sizeof *item, unique_by_place);
    for (int64_t i = 0; i < found; i++)
        rank[item[i].group] = i;
    for (int64_t i = 0; i < r.length; i++)
        room[i] = rank[group[i]];
    st = unique_outputs(e, &r, item, found, room, count, (int)axis, flat);
done:
    sal_free(order);
    sal_free(room);
    sal_free(group);
    sal_free(rank);
    sal_free(count);
    sal_free(item);
    return st;
}

/* exec/settle.c turns the values into what stands at the places of first appearance, which has a
 * derivative, as soon as those are known. */
static sal_status unique_vjp(sal_vjp *v)
{
    return sal_fail(v->b->err, SAL_ENOGRAD,
                    "node '%s' (Unique) has a derivative only where its inputs are given",
                    v->node->name);
}

static const char *const unique_cases[] = {
    "f32[6]{2,1,1,3,4,3} ; ; nograd out=4",
    "f32[6]{2,1,1,3,4,3} ; sorted=0 ; nograd out=4",
    "f32[3,3]{1,0,0,1,0,0,2,3,4} ; axis=0 ; nograd out=4",
    "f32[2,4,2]{1,1,0,1,2,1,0,1,1,1,0,1,2,1,0,1} ; axis=1 ; nograd out=4",
    "i64[5]{7,-3,7,0,-3} ; ; nograd out=4",
    NULL,
};

const sal_op_desc sal_op_unique = {
    .name = "Unique",
    .min_in = 1,
    .max_in = 1,
    .min_out = 0,
    .max_out = 4,
    .flags = SAL_OP_DATA_SHAPE | SAL_OP_MOVE,
    .since = 11,
    .infer = unique_infer,
    .eval = unique_eval,
    .vjp = unique_vjp,
    .cases = unique_cases,
};
