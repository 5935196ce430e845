/* Constant: a tensor, number or list written in the node. */
#include "ops/core/move.h"

typedef struct constant_value {
    const sal_attr *attr;
    sal_dtype dtype;
    int rank;
    int64_t dims[SAL_MAX_RANK];
} constant_value;

static sal_status constant_read(const sal_node *n, constant_value *v, sal_error *err)
{
    static const struct {
        const char *name;
        sal_attr_kind kind;
        sal_dtype dtype;
        int rank;
    } forms[] = {{"value", SAL_ATTR_TENSOR, SAL_DT_NONE, 0},
                 {"value_float", SAL_ATTR_FLOAT, SAL_F32, 0},
                 {"value_floats", SAL_ATTR_FLOATS, SAL_F32, 1},
                 {"value_int", SAL_ATTR_INT, SAL_I64, 0},
                 {"value_ints", SAL_ATTR_INTS, SAL_I64, 1}};
    for (size_t i = 0; i < SAL_COUNTOF(forms); i++) {
        const sal_attr *a = sal_node_attr(n, forms[i].name);
        if (a == NULL || a->kind != forms[i].kind)
            continue;
        v->attr = a;
        v->dtype = forms[i].dtype;
        v->rank = forms[i].rank;
        v->dims[0] = (int64_t)a->n;
        if (a->kind == SAL_ATTR_TENSOR) {
            v->dtype = a->tensor->dtype;
            v->rank = a->tensor->rank;
            memcpy(v->dims, a->tensor->dims, sizeof v->dims);
        }
        return SAL_OK;
    }
    return sal_fail(err, SAL_EUNSUPPORTED,
                    "none of value, value_float(s), value_int(s) is there; text and sparse "
                    "tensors are not supported");
}

static sal_status constant_infer(sal_infer *c)
{
    constant_value v;
    int64_t known[SAL_KNOWN_MAX];
    sal_status st;
    SAL_TRY(constant_read(c->node, &v, c->err));
    SAL_TRY(sal_infer_out(c, 0, v.dtype, v.rank, v.dims));
    int64_t n = sal_move_count(v.dims, 0, v.rank);
    if (v.rank > 1 || n > SAL_KNOWN_MAX || (v.dtype != SAL_I64 && v.dtype != SAL_I32))
        goto done;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = v.attr->kind == SAL_ATTR_TENSOR ? sal_move_int(v.attr->tensor, i)
                    : v.attr->kind == SAL_ATTR_INT  ? v.attr->i
                                                    : v.attr->ints[i];
        known[i] = sal_known_encode(k);
    }
    SAL_TRY(sal_infer_known_out(c, 0, known, (int)n));
done:
    return st;
}

static sal_status constant_eval(const sal_eval *e)
{
    constant_value v;
    sal_status st;
    SAL_TRY(constant_read(e->node, &v, e->err));
    sal_tensor *y = e->out[0];
    switch (v.attr->kind) {
    case SAL_ATTR_TENSOR:
        SAL_TRY(sal_move_all(y, v.attr->tensor, e->err));
        break;
    case SAL_ATTR_INT:
        *(int64_t *)y->data = v.attr->i;
        break;
    case SAL_ATTR_INTS:
        if (v.attr->n > 0)
            memcpy(y->data, v.attr->ints, v.attr->n * sizeof(int64_t));
        break;
    case SAL_ATTR_FLOAT:
        sal_tensor_set(y, 0, v.attr->f);
        break;
    default:
        for (size_t i = 0; i < v.attr->n; i++)
            sal_tensor_set(y, (int64_t)i, v.attr->floats[i]);
        break;
    }
done:
    return st;
}

static const char *const constant_cases[] = {
    " ; value_float=1.5 ; nograd",
    " ; value_ints=[1,-2,3] ; nograd",
    " ; value_int=7 ; nograd",
    " ; value_floats=[0.5,2.0] ; nograd",
    NULL,
};

const sal_op_desc sal_op_constant = {
    .name = "Constant",
    .min_in = 0,
    .max_in = 0,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 13,
    .infer = constant_infer,
    .eval = constant_eval,
    .cases = constant_cases,
};
