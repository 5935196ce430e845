/* Reductions (ops/core/reduce.h). */
#include "ops/core/reduce.h"

sal_status sal_reduce_upgrade(sal_upgrade *u)
{
    return sal_upgrade_attr_to_input(u, "axes", 1, SAL_F32);
}

static sal_status reduce_set_axes(sal_axes *a, const sal_node *node, int rank, const int64_t *axes,
                                  int n, sal_error *err)
{
    *a = (sal_axes){.rank = rank, .keepdims = sal_node_int(node, "keepdims", 1) != 0};
    if (n <= 0 && sal_node_int(node, "noop_with_empty_axes", 0) == 0)
        for (int d = 0; d < rank; d++)
            a->reduced[d] = true;
    for (int i = 0; i < n; i++) {
        if (axes[i] < -rank || axes[i] >= rank)
            return sal_fail(err, SAL_EINVAL, "axis %lld is outside -%d..%d of the input",
                            (long long)axes[i], rank, rank - 1);
        a->reduced[axes[i] < 0 ? axes[i] + rank : axes[i]] = true;
    }
    for (int d = 0; d < rank; d++)
        if (a->reduced[d])
            a->list[a->n++] = d;
    return SAL_OK;
}

/* ReduceProd over a shape gives a number of elements: x.known multiplied up. */
static sal_status reduce_known(sal_infer *c)
{
    int64_t in[SAL_KNOWN_MAX], r = 1;
    int n;
    sal_status st = SAL_OK;
    if (strcmp(c->node->op->name, "ReduceProd") != 0)
        return SAL_OK;
    SAL_TRY(sal_infer_known_in(c, 0, in, &n));
    for (int i = 0; i < n; i++) {
        if (in[i] < 0 && sal_known_is_number(in[i]))
            goto done;
        r = sal_dim_mul(c->g, r, in[i]);
    }
    SAL_TRY(sal_infer_known_out(c, 0, &r, n < 0 ? -1 : 1));
done:
    return st;
}

sal_status sal_reduce_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t axes[SAL_MAX_RANK], dims[SAL_MAX_RANK];
    int n = 0, rank = 0;
    bool symbolic = false;
    sal_axes a;
    sal_status st = SAL_OK;
    if (x == NULL)
        return sal_fail(c->err, SAL_EINVAL, "input 0 is missing");
    bool keep = sal_node_int(c->node, "keepdims", 1) != 0;
    bool noop = sal_node_int(c->node, "noop_with_empty_axes", 0) != 0;
    if (sal_infer_in(c, 1) != NULL)
        SAL_TRY(sal_infer_ints(c, 1, axes, SAL_MAX_RANK, &n, &symbolic));
    if (x->rank < 0 || n < 0 ||
        symbolic) { /* axes only known at run time, or too many to be right */
        for (int d = 0; d < x->rank; d++)
            dims[d] = sal_dim_fresh(c->g);
        return sal_infer_out(c, 0, x->dtype,
                             keep                              ? x->rank
                             : x->rank >= 0 && n == 0 && !noop ? 0
                                                               : -1,
                             dims);
    }
    SAL_TRY(reduce_set_axes(&a, c->node, x->rank, axes, n, c->err));
    for (int d = 0; d < x->rank; d++) {
        if (!a.reduced[d])
            dims[rank++] = x->dims[d];
        else if (a.keepdims)
            dims[rank++] = 1;
    }
    SAL_TRY(sal_infer_out(c, 0, x->dtype, rank, dims));
    if (a.n == x->rank && x->rank == 1)
        SAL_TRY(reduce_known(c));
done:
    return st;
}

/* ---- computing ---- */

static sal_status reduce_eval_axes(sal_axes *a, const sal_eval *e)
{
    int64_t axes[SAL_MAX_RANK];
    int n = 0;
    if (e->node->n_in > 1 && e->in[1] != NULL) {
        if (sal_tensor_count(e->in[1]) > SAL_MAX_RANK)
            return sal_fail(e->err, SAL_EINVAL, "more axes than the input can have");
        n = (int)sal_tensor_count(e->in[1]);
        for (int i = 0; i < n; i++)
            axes[i] = (int64_t)sal_tensor_get(e->in[1], i);
    }
    return reduce_set_axes(a, e->node, e->in[0]->rank, axes, n, e->err);
}

typedef union reduce_scalar {
    double f;
    int64_t i;
    uint64_t u;
} reduce_scalar;

static reduce_scalar reduce_load(const sal_tensor *t, int64_t at)
{
    reduce_scalar s;
    if (sal_dtype_is_float(t->dtype))
        s.f = sal_tensor_get(t, at);
    else if (t->dtype == SAL_U64)
        s.u = ((const uint64_t *)t->data)[at];
    else if (t->dtype == SAL_I64)
        s.i = ((const int64_t *)t->data)[at];
    else
        s.i = (int64_t)sal_tensor_get(t, at);
    return s;
}

static sal_status reduce_store(const sal_eval *e, int64_t at, reduce_scalar s)
{
    sal_tensor *y = e->out[0];
    switch (y->dtype) {
    case SAL_F32:
    case SAL_F64:
        sal_tensor_set(y, at, s.f);
        return SAL_OK;
    case SAL_I64:
    case SAL_U64:
        memcpy((uint8_t *)y->data + (size_t)at * 8, &s, 8);
        return SAL_OK;
    case SAL_BOOL:
        ((uint8_t *)y->data)[at] = s.i != 0;
        return SAL_OK;
    case SAL_I32:
    case SAL_U32:
        ((uint32_t *)y->data)[at] = (uint32_t)s.u;
        return SAL_OK;
    case SAL_I16:
    case SAL_U16:
        ((uint16_t *)y->data)[at] = (uint16_t)s.u;
        return SAL_OK;
    case SAL_I8:
    case SAL_U8:
        ((uint8_t *)y->data)[at] = (uint8_t)s.u;
        return SAL_OK;
    default:
        return sal_fail(e->err, SAL_EUNSUPPORTED, "cannot give %s", sal_dtype_name(y->dtype));
    }
}

/* Offsets of a sub-grid of the input: the axes for which reduced[d] == which, in row-major order.
 */
static int64_t *reduce_offsets(const sal_tensor *x, const sal_axes *a, bool which, int64_t *count)
{
    int64_t index[SAL_MAX_RANK] = {0}, stride[SAL_MAX_RANK], step = 1, n = 1, at = 0;
    for (int d = x->rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= x->dims[d];
        n *= a->reduced[d] == which ? x->dims[d] : 1;
    }
    *count = n;
    int64_t *offset = sal_calloc((size_t)SAL_MAX(n, 1), sizeof *offset);
    for (int64_t k = 0; offset != NULL && k < n; k++) {
        offset[k] = at;
        for (int d = x->rank - 1; d >= 0; d--) {
            if (a->reduced[d] != which)
                continue;
            at += stride[d];
            if (++index[d] < x->dims[d])
                break;
            at -= stride[d] * x->dims[d];
            index[d] = 0;
        }
    }
    return offset;
}

sal_status sal_reduce_eval(const sal_eval *e, const sal_reduce *k)
{
    const sal_tensor *x = e->in[0];
    int64_t *kept = NULL, *inner = NULL, n_kept = 0, n_inner = 0;
    reduce_scalar *group = NULL;
    sal_axes a;
    sal_status st;
    bool is_float = sal_dtype_is_float(x->dtype);
    if (is_float ? k->f == NULL : x->dtype == SAL_U64 ? k->u == NULL : k->i == NULL)
        return sal_fail(e->err, SAL_EUNSUPPORTED, "not defined for %s", sal_dtype_name(x->dtype));
    SAL_TRY(reduce_eval_axes(&a, e));
    kept = reduce_offsets(x, &a, false, &n_kept);
    inner = reduce_offsets(x, &a, true, &n_inner);
    group = sal_calloc((size_t)SAL_MAX(n_inner, 1), sizeof *group);
    if (kept == NULL || inner == NULL || group == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    if (n_kept != sal_tensor_count(e->out[0])) {
        st = sal_fail(e->err, SAL_ESHAPE, "the output has %lld elements instead of %lld",
                      (long long)sal_tensor_count(e->out[0]), (long long)n_kept);
        goto done;
    }
    for (int64_t i = 0; i < n_kept; i++) {
        reduce_scalar r;
        for (int64_t j = 0; j < n_inner; j++)
            group[j] = reduce_load(x, kept[i] + inner[j]);
        if (is_float)
            r.f = k->f(&group->f, n_inner);
        else if (x->dtype == SAL_U64)
            r.u = k->u(&group->u, n_inner);
        else
            r.i = k->i(&group->i, n_inner, x->dtype);
        SAL_TRY(reduce_store(e, i, r));
    }
done:
    sal_free(group);
    sal_free(inner);
    sal_free(kept);
    return st;
}

/* ---- building ---- */

bool sal_reduce_axes(sal_builder *b, const sal_node *n, sal_axes *out)
{
    if (b->st != SAL_OK)
        return false;
    const sal_value *x = sal_val(b->g, n->in[0]);
    int64_t axes[SAL_MAX_RANK];
    int count = 0;
    bool symbolic = false;
    sal_infer c = {b->g, n, b->err};
    if (sal_node_in(n, 1) != SAL_NONE) {
        b->st = sal_infer_ints(&c, 1, axes, SAL_MAX_RANK, &count, &symbolic);
        if (b->st != SAL_OK)
            return false;
    }
    if (x->rank < 0 || count < 0 || symbolic) {
        b->st = sal_fail(
            b->err, SAL_ENOGRAD,
            "%s node '%s': its axes are only known at run time; give the model fixed input shapes",
            n->op->name, n->name);
        return false;
    }
    b->st = reduce_set_axes(out, n, x->rank, axes, count, b->err);
    return b->st == SAL_OK;
}

sal_vid sal_reduce_as(sal_builder *b, const char *op, sal_vid x, const sal_axes *a, bool keep)
{
    if (b->st != SAL_OK || a->n == 0)
        return x;
    return sal_b_reduce(b, op, x, a->n, a->list, keep);
}

sal_vid sal_reduce_keep(sal_builder *b, sal_vid v, const sal_axes *a)
{
    if (a->keepdims || a->n == 0)
        return v;
    return sal_b_unsqueeze(b, v, a->n, a->list);
}

sal_vid sal_reduce_count(sal_builder *b, sal_vid x, sal_vid y, const sal_axes *a)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x);
    double count = 1.0;
    bool fixed = true;
    for (int i = 0; i < a->n; i++) {
        fixed = fixed && v->dims[a->list[i]] >= 0;
        count *= (double)v->dims[a->list[i]];
    }
    if (fixed)
        return sal_b_like(b, x, count);
    return sal_b_cast(b, sal_b2(b, "Div", sal_b1(b, "Size", x), sal_b1(b, "Size", y)), v->dtype);
}

sal_status sal_reduce_extremum_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_vid x = n->in[0];
    sal_axes a;
    if (!v->need[0] || !sal_reduce_axes(b, n, &a))
        return b->st;
    sal_vid m = sal_b2(b, "Equal", x, sal_reduce_keep(b, n->out[0], &a));
    sal_vid ties =
        sal_reduce_as(b, "ReduceSum", sal_b_cast(b, m, sal_val(b->g, x)->dtype), &a, true);
    sal_vid share = sal_b2(b, "Div", sal_reduce_keep(b, v->gout[0], &a), ties);
    v->gin[0] = sal_b_mask(b, m, share);
    return b->st;
}

/* ---- lines along one axis ---- */

sal_status sal_lines_of(sal_lines *out, const sal_tensor *t, int64_t axis, sal_error *err)
{
    if (axis < -t->rank || axis >= t->rank)
        return sal_fail(err, SAL_EINVAL, "axis %lld is outside -%d..%d of the input",
                        (long long)axis, (int)t->rank, (int)t->rank - 1);
    int d = (int)(axis < 0 ? axis + t->rank : axis);
    *out = (sal_lines){1, t->dims[d], 1};
    for (int i = 0; i < d; i++)
        out->outer *= t->dims[i];
    for (int i = d + 1; i < t->rank; i++)
        out->inner *= t->dims[i];
    return SAL_OK;
}

sal_status sal_infer_softmax(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int axis;
    sal_status st;
    SAL_TRY(sal_infer_broadcast_float(c));
    if (x->rank > 0)
        SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", -1), x->rank, &axis));
done:
    return st;
}

sal_status sal_infer_arg(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    int axis = 0, rank = 0;
    sal_status st = SAL_OK;
    bool keep = sal_node_int(c->node, "keepdims", 1) != 0;
    if (x == NULL)
        return sal_fail(c->err, SAL_EINVAL, "input 0 is missing");
    if (x->rank < 0)
        return sal_infer_out(c, 0, SAL_I64, -1, NULL);
    SAL_TRY(sal_infer_axis(c, sal_node_int(c->node, "axis", 0), x->rank, &axis));
    if (x->dims[axis] == 0) {
        st = sal_fail(c->err, SAL_ESHAPE, "axis %d has no elements to choose from", axis);
        goto done;
    }
    for (int d = 0; d < x->rank; d++)
        if (d != axis || keep)
            dims[rank++] = d == axis ? 1 : x->dims[d];
    SAL_TRY(sal_infer_out(c, 0, SAL_I64, rank, dims));
done:
    return st;
}

sal_status sal_arg_eval(const sal_eval *e, bool (*better)(double a, double b))
{
    const sal_tensor *x = e->in[0];
    bool last = sal_node_int(e->node, "select_last_index", 0) != 0;
    int64_t *y = e->out[0]->data;
    sal_lines l;
    sal_status st;
    SAL_TRY(sal_lines_of(&l, x, sal_node_int(e->node, "axis", 0), e->err));
    for (int64_t line = 0; line < l.outer * l.inner; line++) {
        int64_t at = line / l.inner * l.len * l.inner + line % l.inner, best = 0;
        for (int64_t k = 1; k < l.len; k++) {
            double now = sal_tensor_get(x, at + k * l.inner),
                   top = sal_tensor_get(x, at + best * l.inner);
            if (better(now, top) || (last && !better(top, now)))
                best = k;
        }
        y[line] = best;
    }
done:
    return st;
}
