/* Random numbers in graphs (ops/core/random.h). */
#include "ops/core/random.h"

sal_status sal_random_upgrade(sal_upgrade *u)
{
    const char *name = u->node->name != NULL ? u->node->name : "";
    if (sal_node_attr(u->node, "seed") != NULL)
        return SAL_OK;
    /* The attribute is a float32: 24 bits are exact. */
    return sal_upgrade_set_float(u, "seed", (double)(sal_hash(name, strlen(name), 0) >> 40));
}

sal_rng sal_random_of(const sal_node *n)
{
    double seed = sal_node_float(n, "seed", 0.0);
    uint64_t bits;
    memcpy(&bits, &seed, sizeof bits);
    return sal_rng_seed(bits, 0);
}

sal_status sal_random_dtype(const sal_infer *c, sal_dtype otherwise, sal_dtype *out)
{
    int64_t t = sal_node_int(c->node, "dtype", (int64_t)otherwise);
    if (t < 0 || t > 64 || (t != SAL_DT_NONE && sal_dtype_size((sal_dtype)t) == 0))
        return sal_fail(c->err, SAL_EUNSUPPORTED, "dtype = %lld is no supported element type",
                        (long long)t);
    *out = (sal_dtype)t;
    return SAL_OK;
}

sal_status sal_random_infer_shape(sal_infer *c)
{
    const sal_attr *shape = sal_node_attr(c->node, "shape");
    sal_dtype t;
    sal_status st;
    if (shape == NULL || shape->kind != SAL_ATTR_INTS || shape->n > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_EINVAL, "attribute shape must be a list of at most %d lengths",
                        SAL_MAX_RANK);
    for (size_t i = 0; i < shape->n; i++)
        if (shape->ints[i] < 0)
            return sal_fail(c->err, SAL_EINVAL, "a negative length in shape");
    SAL_TRY(sal_random_dtype(c, SAL_F32, &t));
    SAL_TRY(sal_infer_out(c, 0, t, (int)shape->n, shape->ints));
done:
    return st;
}

sal_status sal_random_infer_like(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    sal_dtype t;
    sal_status st;
    SAL_TRY(sal_random_dtype(c, x->dtype, &t));
    SAL_TRY(sal_infer_out(c, 0, t, x->rank, x->dims));
done:
    return st;
}

sal_status sal_random_eval_uniform(const sal_eval *e)
{
    double low = sal_node_float(e->node, "low", 0.0), high = sal_node_float(e->node, "high", 1.0);
    sal_rng r = sal_random_of(e->node);
    int64_t n = sal_tensor_count(e->out[0]);
    for (int64_t i = 0; i < n; i++)
        sal_tensor_set(e->out[0], i, low + (high - low) * sal_rng_uniform(&r));
    return SAL_OK;
}

sal_status sal_random_eval_normal(const sal_eval *e)
{
    double mean = sal_node_float(e->node, "mean", 0.0);
    double scale = sal_node_float(e->node, "scale", 1.0);
    sal_rng r = sal_random_of(e->node);
    int64_t n = sal_tensor_count(e->out[0]);
    for (int64_t i = 0; i < n; i++)
        sal_tensor_set(e->out[0], i, mean + scale * sal_rng_normal(&r));
    return SAL_OK;
}
