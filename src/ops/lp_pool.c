/* LpPool: y = (sum over the window of |x|^p)^(1/p). */
#include "ops/core/pool_ref.h"

#include <math.h>

static sal_status lp_pool_infer(sal_infer *c)
{
    if (sal_node_int(c->node, "p", 2) < 1)
        return sal_fail(c->err, SAL_EINVAL, "attribute p must be at least 1");
    return sal_pool_infer(c);
}

static sal_status lp_pool_eval(const sal_eval *e)
{
    sal_status st = SAL_OK;
    const sal_tensor *x = e->in[0];
    sal_ref rx = SAL_REF_INIT, ry = SAL_REF_INIT;
    double p = (double)sal_node_int(e->node, "p", 2), *power = NULL;
    sal_pool_ref pool;

    SAL_TRY(sal_pool_ref_make(&pool, e->node, x->rank, x->dims, e->err));
    SAL_TRY(sal_ref_in(&rx, x, e->err));
    SAL_TRY(sal_ref_out(&ry, e->out[0], e->err));
    power = sal_calloc((size_t)SAL_MAX(pool.in_size, 1), sizeof(*power));
    if (power == NULL) {
        st = sal_fail_nomem(e->err);
        goto done;
    }
    for (int64_t n = 0; n < pool.planes; n++) {
        double *y = ry.x + n * pool.out_size;
        for (int64_t i = 0; i < pool.in_size; i++)
            power[i] = pow(fabs(rx.x[n * pool.in_size + i]), p);
        sal_pool_ref_sum(&pool, power, y);
        for (int64_t o = 0; o < pool.out_size; o++)
            y[o] = pow(y[o], 1.0 / p);
    }
    sal_ref_store(&ry);
done:
    sal_free(power);
    sal_ref_free(&rx);
    sal_ref_free(&ry);
    return st;
}

/* Elements of each window including padding, by which the average is multiplied to be a sum: a
 * number, or a map of them where ceil_mode cuts windows off. */
static sal_vid lp_pool_counts(sal_builder *b, const sal_node *n, sal_vid x)
{
    const sal_value *xv = sal_val(b->g, x);
    sal_status st = SAL_OK;
    sal_window win;
    double count = 1.0;

    if (sal_node_int(n, "ceil_mode", 0) != 0) {
        st = sal_window_need_static(b->g, n, x, b->err);
        if (st == SAL_OK)
            return sal_pool_build_counts(b, n, x, xv->dims, true);
    } else {
        st = sal_window_from_node(&win, n, xv->rank, xv->dims, NULL, false, b->err);
    }
    if (st != SAL_OK) {
        b->st = st;
        return SAL_NONE;
    }
    for (int i = 0; i < win.n; i++)
        count *= (double)win.kernel[i];
    return sal_b_like(b, x, count);
}

static sal_status lp_pool_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_attr attr[SAL_POOL_ATTRS + 1], include = SAL_AI("count_include_pad", 1);
    double p = (double)sal_node_int(n, "p", 2);
    sal_vid x = n->in[0];
    sal_vid power = sal_b2(b, "Pow", sal_b1(b, "Abs", x), sal_b_like(b, x, p));
    sal_vid mean =
        sal_b_op(b, "AveragePool", 1, &power, sal_pool_attrs(n, 1, &include, attr), attr);
    sal_vid sum = sal_b2(b, "Mul", mean, lp_pool_counts(b, n, x));
    out[0] = sal_b2(b, "Pow", sum, sal_b_like(b, x, 1.0 / p));
    return b->st;
}

/* dx = sign(x) |x|^(p-1) * (sum over the windows that hold x of gy y^(1-p)), zero where y is: the
 * power of the expansion has no derivative there. */
static sal_status lp_pool_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    sal_attr attr[SAL_POOL_ATTRS + 2];
    sal_vid x = n->in[0], y = n->out[0], g = v->gout[0];
    const sal_value *xv = sal_val(b->g, x);
    double p = (double)sal_node_int(n, "p", 2);

    if (!v->need[0])
        return SAL_OK;
    sal_status st = sal_window_need_static(b->g, n, x, b->err);
    if (st != SAL_OK)
        return b->st = st;
    sal_vid zero = sal_b_like(b, y, 0.0), flat = sal_b2(b, "Equal", y, zero);
    sal_vid safe = sal_b3(b, "Where", flat, sal_b_like(b, y, 1.0), y);
    g = sal_b3(b, "Where", flat, zero,
               sal_b2(b, "Mul", g, sal_b2(b, "Pow", safe, sal_b_like(b, y, 1.0 - p))));
    g = sal_b2(b, "Mul", g, lp_pool_counts(b, n, x));
    sal_attr more[] = {SAL_AI("count_include_pad", 1),
                       SAL_AINTS("spatial", xv->dims + 2, xv->rank - 2)};
    g = sal_b_op(b, "AveragePoolGrad", 1, &g, sal_pool_attrs(n, 2, more, attr), attr);
    sal_vid slope = sal_b1(b, "Sign", x);
    if (p == 2.0)
        slope = x;
    else if (p > 2.0)
        slope = sal_b2(b, "Mul", slope,
                       sal_b2(b, "Pow", sal_b1(b, "Abs", x), sal_b_like(b, x, p - 1.0)));
    v->gin[0] = sal_b2(b, "Mul", g, slope);
    return b->st;
}

static const char *const lp_pool_cases[] = {
    "f32[2,3,5,6]:0.1..1 ; kernel_shape=[2,2] ;",
    "f32[1,2,7,6] ; kernel_shape=[3,2] strides=[2,2] pads=[1,0,1,1] p=3 ;",
    "f32[1,2,7,6]:0.1..1 ; kernel_shape=[3,2] strides=[2,2] auto_pad=\"SAME_UPPER\" p=1 ;",
    "f32[2,3,7] ; kernel_shape=[3] strides=[2] pads=[1,1] ;",
    /* Implementations disagree on windows that ceil_mode cuts off: some scale them up. */
    "f32[1,2,6,7] ; kernel_shape=[3,3] strides=[2,3] ceil_mode=1 ; noort",
    "f32[1,2,7,8] ; kernel_shape=[2,3] dilations=[2,3] ;",
    "f32[1,2,3,4,3] ; kernel_shape=[2,2,2] strides=[1,2,1] ;",
    NULL,
};

const sal_op_desc sal_op_lp_pool = {
    .name = "LpPool",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .since = 18,
    .infer = lp_pool_infer,
    .eval = lp_pool_eval,
    .expand = lp_pool_expand,
    .vjp = lp_pool_vjp,
    .cases = lp_pool_cases,
};
