/* Between physical forms: oneDNN where it has the types, else a plain conversion. */
#include "exec/onednn.h"

#include <stdio.h>

/* Row-major conversion of element types that oneDNN lacks (float16 graphs, 64-bit numbers). */
typedef struct reorder_cast {
    sal_tensor from, to;
} reorder_cast;

static sal_status reorder_run_cast(sal_step *step, sal_session *s, sal_error *err)
{
    reorder_cast *c = step->state;
    sal_tensor out = SAL_TENSOR_INIT;
    c->from.data = sal_step_ptr(s, step->in[0]);
    sal_status st = sal_tensor_cast(&out, &c->from, c->to.dtype, err);
    if (st == SAL_OK && sal_tensor_bytes(&out) > 0)
        memcpy(sal_step_ptr(s, step->out[0]), out.data, sal_tensor_bytes(&out));
    sal_tensor_free(&out);
    return st;
}

static sal_status reorder_cast_step(sal_plan *p, sal_pid from, sal_pid to, sal_error *err)
{
    reorder_cast *c = sal_calloc(1, sizeof *c);
    if (c == NULL)
        return sal_fail_nomem(err);
    const sal_pvalue *a = &p->values[from], *b = &p->values[to];
    c->from = sal_tensor_borrow(a->dtype, a->rank, a->dims, NULL);
    c->to = sal_tensor_borrow(b->dtype, b->rank, b->dims, NULL);
    sal_step *step;
    sal_status st =
        sal_plan_step(p, "cast", NULL, reorder_run_cast, c, sal_free, 1, &from, 1, &to, &step, err);
    if (st == SAL_OK)
        snprintf(step->impl, sizeof step->impl, "%s to %s", sal_dtype_name(a->dtype),
                 sal_dtype_name(b->dtype));
    return st;
}

static sal_status reorder_run_copy(sal_step *step, sal_session *s, sal_error *err)
{
    size_t bytes = s->plan.values[step->out[0]].bytes;
    (void)err;
    if (bytes > 0)
        memcpy(sal_step_ptr(s, step->out[0]), sal_step_ptr(s, step->in[0]), bytes);
    return SAL_OK;
}

/* The same bytes in memory of their own. */
sal_status sal_lower_copy(sal_plan *p, sal_pid from, sal_pid to, sal_error *err)
{
    sal_step *step;
    sal_status st =
        sal_plan_step(p, "copy", NULL, reorder_run_copy, NULL, NULL, 1, &from, 1, &to, &step, err);
    if (st == SAL_OK)
        step->text = sal_val(p->g, p->values[to].vid)->name;
    return st;
}

sal_status sal_lower_reorder(sal_plan *p, sal_pid from, sal_pid to, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t a = NULL, b = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    bool plain = p->values[from].layout == SAL_PLAIN && p->values[to].layout == SAL_PLAIN;
    if (p->values[from].layout == SAL_STRIDED &&
        sal_dnnl_type(p->values[from].dtype) == dnnl_data_type_undef)
        return sal_fail(err, SAL_EBACKEND, "a view of %s cannot be copied",
                        sal_dtype_name(p->values[from].dtype));
    if (plain && (sal_dnnl_type(p->values[from].dtype) == dnnl_data_type_undef ||
                  sal_dnnl_type(p->values[to].dtype) == dnnl_data_type_undef ||
                  p->values[from].dtype == SAL_F16))
        return reorder_cast_step(p, from, to, err);
    SAL_TRY(sal_dnnl_value_desc(p, from, &a, err));
    SAL_TRY(sal_dnnl_value_desc(p, to, &b, err));
    SAL_TRY(sal_dnnl_attr(&attr, err));
    SAL_DNNL(dnnl_reorder_primitive_desc_create(&pd, a, p->engine, b, p->engine, attr));
    sal_prim_arg args[] = {{DNNL_ARG_FROM, from, a, false}, {DNNL_ARG_TO, to, b, true}};
    sal_step *step;
    SAL_TRY(sal_dnnl_step(p, "reorder", NULL, pd, 2, args, &step, err));
    step->reference = false; /* its "simple" reorders are direct copies */
    step->text = sal_val(p->g, p->values[to].vid)->name;
done:
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    if (a != NULL)
        dnnl_memory_desc_destroy(a);
    if (b != NULL)
        dnnl_memory_desc_destroy(b);
    return st;
}
