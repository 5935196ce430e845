/* ResizeGrad(dy): adjoint of the linear map of a Resize, from out_sizes back to in_sizes along
 * `axes`. With adjoint=0 it is the map itself, from in_sizes to out_sizes (which its own derivative
 * needs). */
#include "ops/core/resize.h"

static sal_status resize_grad_plan(const sal_node *n, int rank, sal_resize_plan *p, sal_error *err)
{
    size_t na, ni, no;
    const int64_t *axes = sal_node_ints(n, "axes", &na), *in = sal_node_ints(n, "in_sizes", &ni);
    const int64_t *out = sal_node_ints(n, "out_sizes", &no);
    const sal_attr *scales = sal_node_attr(n, "scales"), *roi = sal_node_attr(n, "roi");
    sal_status st = sal_resize_spec_read(n, &p->spec, err);
    if (st != SAL_OK)
        return st;
    if (na > SAL_MAX_RANK || ni != na || no != na || scales == NULL ||
        scales->kind != SAL_ATTR_FLOATS || scales->n != na ||
        (roi != NULL && (roi->kind != SAL_ATTR_FLOATS || roi->n != 2 * na)))
        return sal_fail(err, SAL_EINVAL,
                        "axes, in_sizes, out_sizes, scales and roi differ in length");
    p->spec.extrapolation = 0;
    p->n = (int)na;
    for (size_t i = 0; i < na; i++) {
        p->axis[i] = (sal_resize_axis){(int)axes[i], in[i], out[i], scales->floats[i], {0, 1}};
        if (roi != NULL) {
            p->axis[i].roi[0] = roi->floats[i];
            p->axis[i].roi[1] = roi->floats[na + i];
        }
        if (axes[i] < 0 || axes[i] >= rank || in[i] < 0 || out[i] < 0)
            return sal_fail(err, SAL_EINVAL, "an axis or a size is out of range");
    }
    return SAL_OK;
}

static bool resize_grad_adjoint(const sal_node *n)
{
    return sal_node_int(n, "adjoint", 1) != 0;
}

static sal_status resize_grad_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    sal_resize_plan p;
    bool adjoint = resize_grad_adjoint(c->node);
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    sal_status st = resize_grad_plan(c->node, x->rank, &p, c->err);
    if (st != SAL_OK)
        return st;
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < p.n; i++) {
        const sal_resize_axis *a = &p.axis[i];
        int64_t from = adjoint ? a->out : a->in;
        if (dims[a->axis] >= 0 && dims[a->axis] != from)
            return sal_fail(c->err, SAL_ESHAPE, "axis %d has %lld elements, not %lld", a->axis,
                            (long long)dims[a->axis], (long long)from);
        dims[a->axis] = adjoint ? a->in : a->out;
    }
    return sal_infer_out(c, 0, x->dtype, x->rank, dims);
}

static sal_status resize_grad_eval(const sal_eval *e)
{
    sal_resize_plan p;
    sal_status st = resize_grad_plan(e->node, e->in[0]->rank, &p, e->err);
    return st == SAL_OK
               ? sal_resize_apply(&p, resize_grad_adjoint(e->node), e->in[0], e->out[0], e->err)
               : st;
}

/* Dense weights [from, to] of one axis. */
static sal_vid resize_grad_weights(sal_builder *b, const sal_resize_plan *p, int i, bool adjoint,
                                   sal_dtype dtype)
{
    sal_resize_table t = {0};
    sal_tensor w = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;
    const sal_resize_axis *a = &p->axis[i];
    int64_t dims[2] = {adjoint ? a->out : a->in, adjoint ? a->in : a->out};
    sal_status st = b->st;
    SAL_TRY(st);
    SAL_TRY(sal_resize_table_make(&p->spec, a, &t, b->err));
    SAL_TRY(sal_tensor_new(&w, dtype, 2, dims, b->err));
    for (int64_t j = 0; j < t.out; j++)
        for (int64_t k = t.row[j]; k < t.row[j + 1]; k++)
            sal_tensor_set(&w, adjoint ? j * t.in + t.index[k] : t.index[k] * t.out + j,
                           t.weight[k]);
    v = sal_b_tensor(b, &w);
done:
    if (st != SAL_OK)
        b->st = st;
    sal_resize_table_free(&t);
    sal_tensor_free(&w);
    return v;
}

/* One matrix product an axis, with the axis brought to the end. */
static sal_status resize_grad_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    const sal_value *x = sal_val(b->g, n->in[0]);
    sal_resize_plan p;
    bool adjoint = resize_grad_adjoint(n);
    if (x->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE, "the number of dimensions of the input must be known");
    sal_status st = resize_grad_plan(n, x->rank, &p, b->err);
    if (st != SAL_OK)
        return st;
    sal_vid y = n->in[0];
    for (int i = 0; i < p.n; i++) {
        int64_t perm[SAL_MAX_RANK];
        int last = x->rank - 1;
        for (int k = 0; k <= last; k++)
            perm[k] = k;
        perm[p.axis[i].axis] = last; /* exchanging two axes is its own inverse */
        perm[last] = p.axis[i].axis;
        bool move = p.axis[i].axis != last;
        y = move ? sal_b_transpose(b, y, perm) : y;
        y = sal_b2(b, "MatMul", y, resize_grad_weights(b, &p, i, adjoint, x->dtype));
        y = move ? sal_b_transpose(b, y, perm) : y;
    }
    out[0] = p.n > 0 ? y : sal_b1(b, "Identity", y);
    return b->st;
}

static sal_status resize_grad_vjp(sal_vjp *v)
{
    static const char *const names[] = {"axes", "in_sizes", "out_sizes", "scales", "roi"};
    sal_attr a[12];
    int n = sal_resize_spec_attrs(v->node, a, 6);
    for (size_t i = 0; i < SAL_COUNTOF(names); i++) {
        const sal_attr *one = sal_node_attr(v->node, names[i]);
        if (one != NULL)
            a[n++] = *one;
    }
    a[n++] = SAL_AI("adjoint", !resize_grad_adjoint(v->node));
    if (v->need[0])
        v->gin[0] = sal_b_op(v->b, "ResizeGrad", 1, &v->gout[0], n, a);
    return v->b->st;
}

static const char *const resize_grad_cases[] = {
    "f32[1,2,6,8] ; axes=[2,3] in_sizes=[3,4] out_sizes=[6,8] scales=[2.0,2.0] mode=\"linear\"",
    "f32[1,2,7,3] ; axes=[2,3] in_sizes=[5,4] out_sizes=[7,3] scales=[1.4,0.75] mode=\"cubic\"",
    "f32[2,5] ; axes=[1] in_sizes=[3] out_sizes=[5] scales=[1.7] mode=\"nearest\"",
    "f32[2,3] ; axes=[1] in_sizes=[3] out_sizes=[5] scales=[1.7] mode=\"linear\" adjoint=0",
    "f32[3,2] ; axes=[0] in_sizes=[7] out_sizes=[3] scales=[0.43] mode=\"linear\" antialias=1",
    NULL,
};

const sal_op_desc sal_op_resize_grad = {
    .name = "ResizeGrad",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 1,
    .infer = resize_grad_infer,
    .eval = resize_grad_eval,
    .expand = resize_grad_expand,
    .vjp = resize_grad_vjp,
    .cases = resize_grad_cases,
};
