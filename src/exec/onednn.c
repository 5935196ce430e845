/* oneDNN's C API as the planner uses it (exec/onednn.h). */
#include "exec/onednn.h"

#include <ctype.h>
#include <stdio.h>

sal_status sal_dnnl_check(dnnl_status_t st, const char *what, sal_error *err)
{
    if (st == dnnl_success)
        return SAL_OK;
    if (st == dnnl_out_of_memory)
        return sal_fail_nomem(err);
    return sal_fail(err, SAL_EBACKEND, "oneDNN status %d from %.100s", (int)st, what);
}

dnnl_data_type_t sal_dnnl_type(sal_dtype dtype)
{
    switch (dtype) {
    case SAL_F32:
        return dnnl_f32;
    case SAL_BF16:
        return dnnl_bf16;
    case SAL_F16:
        return dnnl_f16;
    case SAL_I32:
        return dnnl_s32;
    case SAL_I8:
        return dnnl_s8;
    case SAL_U8:
    case SAL_BOOL:
        return dnnl_u8;
    default:
        return dnnl_data_type_undef;
    }
}

static dnnl_format_tag_t onednn_tag(int block, int rank)
{
    static const dnnl_format_tag_t of16[] = {dnnl_nCw16c, dnnl_nChw16c, dnnl_nCdhw16c};
    static const dnnl_format_tag_t of8[] = {dnnl_nCw8c, dnnl_nChw8c, dnnl_nCdhw8c};
    if (rank < 3 || rank > 5)
        return dnnl_format_tag_undef;
    return block == 16 ? of16[rank - 3] : of8[rank - 3];
}

sal_status sal_dnnl_strided(sal_dtype dtype, int rank, const int64_t *dims, const int64_t *strides,
                            dnnl_memory_desc_t *out, sal_error *err)
{
    dnnl_dims_t d = {0}, s = {0}; /* the C API declares full arrays */
    *out = NULL;
    for (int i = 0; i < rank; i++) {
        d[i] = dims[i];
        s[i] = strides[i];
    }
    return sal_dnnl_check(
        dnnl_memory_desc_create_with_strides(out, rank, d, sal_dnnl_type(dtype), s),
        "memory descriptor", err);
}

static sal_status onednn_tagged(sal_dtype dtype, int rank, const int64_t *dims,
                                dnnl_format_tag_t tag, dnnl_memory_desc_t *out, sal_error *err)
{
    dnnl_dims_t d = {0};
    *out = NULL;
    for (int i = 0; i < rank; i++)
        d[i] = dims[i];
    return sal_dnnl_check(dnnl_memory_desc_create_with_tag(out, rank, d, sal_dnnl_type(dtype), tag),
                          "memory descriptor", err);
}

sal_status sal_dnnl_desc(const sal_plan *p, sal_dtype dtype, int rank, const int64_t *dims,
                         sal_layout layout, dnnl_memory_desc_t *out, sal_error *err)
{
    static const int64_t one[1] = {1};
    *out = NULL;
    if (layout == SAL_BLOCKED)
        return onednn_tagged(dtype, rank, dims, onednn_tag(p->block, rank), out, err);
    if (rank == 0)
        return sal_dnnl_strided(dtype, 1, one, one, out, err);
    int64_t strides[SAL_MAX_RANK];
    int64_t s = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = s;
        s *= SAL_MAX(dims[i], 1);
    }
    return sal_dnnl_strided(dtype, rank, dims, strides, out, err);
}

sal_status sal_dnnl_value_desc(const sal_plan *p, sal_pid v, dnnl_memory_desc_t *out,
                               sal_error *err)
{
    const sal_pvalue *x = &p->values[v];
    if (x->layout == SAL_STRIDED)
        return sal_dnnl_strided(x->dtype, x->rank, x->dims, x->strides, out, err);
    return sal_dnnl_desc(p, x->dtype, x->rank, x->dims, x->layout, out, err);
}

sal_status sal_dnnl_any(sal_dtype dtype, int rank, const int64_t *dims, dnnl_memory_desc_t *out,
                        sal_error *err)
{
    return onednn_tagged(dtype, rank, dims, dnnl_format_tag_any, out, err);
}

sal_status sal_dnnl_attr(dnnl_primitive_attr_t *out, sal_error *err)
{
    *out = NULL;
    sal_status st = sal_dnnl_check(dnnl_primitive_attr_create(out), "attributes", err);
    if (st == SAL_OK)
        st =
            sal_dnnl_check(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user),
                           "scratchpad", err);
    return st;
}

static const char *onednn_impl(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success ||
        name == NULL)
        return "?";
    return name;
}

bool sal_dnnl_is_ref(const_dnnl_primitive_desc_t pd)
{
    /* As in "ref:any", "simple:ref" and "conv:any+ref:any" (a reference part behind a good one). */
    const char *impl = onednn_impl(pd);
    for (const char *at = strstr(impl, "ref"); at != NULL; at = strstr(at + 1, "ref"))
        if (at == impl || isalnum((unsigned char)at[-1]) == 0)
            return true;
    return false;
}

typedef struct onednn_state {
    dnnl_primitive_t prim;
    int n;
    dnnl_exec_arg_t args[SAL_MAX_PRIM_ARGS + 1];
    sal_pid values[SAL_MAX_PRIM_ARGS + 1];
    dnnl_memory_t scratchpad; /* one of args; NULL when none is needed */
} onednn_state;

static void onednn_free(void *state)
{
    onednn_state *s = state;
    if (s == NULL)
        return;
    for (int i = 0; i < s->n; i++)
        dnnl_memory_destroy(s->args[i].memory);
    if (s->prim != NULL)
        dnnl_primitive_destroy(s->prim);
    sal_free(s);
}

static sal_status onednn_run(sal_step *step, sal_session *session, sal_error *err)
{
    onednn_state *s = step->state;
    sal_status st = SAL_OK;
    for (int i = 0; i < s->n; i++) {
        void *at = s->args[i].memory == s->scratchpad ? session->scratch
                                                      : sal_step_ptr(session, s->values[i]);
        SAL_DNNL(dnnl_memory_set_data_handle(s->args[i].memory, at));
    }
    SAL_DNNL(dnnl_primitive_execute(s->prim, session->plan.stream, s->n, s->args));
done:
    return st;
}

static sal_status onednn_add_arg(sal_plan *p, onednn_state *s, int arg, sal_pid value,
                                 const_dnnl_memory_desc_t desc, sal_error *err)
{
    dnnl_memory_t m = NULL;
    if (s->n >= SAL_MAX_PRIM_ARGS)
        return sal_fail(err, SAL_EBACKEND, "too many arguments for one primitive");
    sal_status st =
        sal_dnnl_check(dnnl_memory_create(&m, desc, p->engine, DNNL_MEMORY_NONE), "memory", err);
    if (st != SAL_OK)
        return st;
    s->args[s->n] = (dnnl_exec_arg_t){arg, m};
    s->values[s->n++] = value;
    return SAL_OK;
}

sal_status sal_dnnl_step(sal_plan *p, const char *kernel, const sal_node *n,
                         dnnl_primitive_desc_t pd, int n_args, const sal_prim_arg *args,
                         sal_step **out, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_pid in[SAL_MAX_PRIM_ARGS], outs[4];
    int n_in = 0, n_out = 0;
    sal_step *step = NULL;
    size_t scratch = 0;
    onednn_state *s = sal_calloc(1, sizeof *s);
    if (s == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_DNNL(dnnl_primitive_create(&s->prim, pd));
    for (int i = 0; i < n_args; i++) {
        SAL_TRY(onednn_add_arg(p, s, args[i].arg, args[i].value, args[i].desc, err));
        if (args[i].write)
            outs[n_out++] = args[i].value;
        else
            in[n_in++] = args[i].value;
    }
    const_dnnl_memory_desc_t pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    if (pad != NULL && dnnl_memory_desc_get_size(pad) > 0) {
        scratch = dnnl_memory_desc_get_size(pad);
        SAL_TRY(onednn_add_arg(p, s, DNNL_ARG_SCRATCHPAD, -1, pad, err));
        s->scratchpad = s->args[s->n - 1].memory;
    }
    onednn_state *handed = s;
    s = NULL;
    SAL_TRY(sal_plan_step(p, kernel, n, onednn_run, handed, onednn_free, n_in, in, n_out, outs,
                          &step, err));
    snprintf(step->impl, sizeof step->impl, "%s", onednn_impl(pd));
    step->reference = sal_dnnl_is_ref(pd);
    step->scratch = scratch;
    if (out != NULL)
        *out = step;
done:
    onednn_free(s);
    dnnl_primitive_desc_destroy(pd);
    return st;
}

sal_status sal_dnnl_prepare(sal_plan *p, const_dnnl_memory_desc_t from, const void *data,
                            const_dnnl_memory_desc_t to, sal_dtype dtype, sal_pid *out,
                            sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t prim = NULL;
    dnnl_memory_t src = NULL, dst = NULL;
    void *room = NULL;
    size_t bytes = dnnl_memory_desc_get_size(to);
    if (dnnl_memory_desc_equal(from, to) != 0)
        return sal_plan_fixed(p, data, bytes, dtype, out, err);
    SAL_TRY(sal_plan_prepared(p, bytes, &room, err));
    void *source;
    memcpy(&source, &data, sizeof source); /* oneDNN's handles are not const; it only reads */
    SAL_DNNL(dnnl_memory_create(&src, from, p->engine, source));
    SAL_DNNL(dnnl_memory_create(&dst, to, p->engine, room));
    SAL_DNNL(dnnl_reorder_primitive_desc_create(&pd, from, p->engine, to, p->engine, NULL));
    SAL_DNNL(dnnl_primitive_create(&prim, pd));
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, src}, {DNNL_ARG_TO, dst}};
    SAL_DNNL(dnnl_primitive_execute(prim, p->stream, 2, args));
    SAL_DNNL(dnnl_stream_wait(p->stream));
    SAL_TRY(sal_plan_fixed(p, room, bytes, dtype, out, err));
done:
    if (prim != NULL)
        dnnl_primitive_destroy(prim);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (src != NULL)
        dnnl_memory_destroy(src);
    if (dst != NULL)
        dnnl_memory_destroy(dst);
    return st;
}

sal_status sal_dnnl_weights(sal_plan *p, sal_vid v, const_dnnl_memory_desc_t plain,
                            const_dnnl_memory_desc_t to, sal_dtype dtype, sal_pid *out,
                            sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    sal_pid source;
    SAL_TRY(sal_plan_get(p, v, SAL_PLAIN, SAL_F32, &source, err));
    if (p->values[source].fixed != NULL)
        return sal_dnnl_prepare(p, plain, p->values[source].fixed, to, dtype, out, err);
    if (dnnl_memory_desc_equal(plain, to) != 0) {
        *out = source;
        return SAL_OK;
    }
    SAL_TRY(sal_plan_opaque(p, dnnl_memory_desc_get_size(to), dtype, out, err));
    SAL_TRY(sal_dnnl_attr(&attr, err));
    SAL_DNNL(dnnl_reorder_primitive_desc_create(&pd, plain, p->engine, to, p->engine, attr));
    sal_prim_arg args[] = {{DNNL_ARG_FROM, source, plain, false}, {DNNL_ARG_TO, *out, to, true}};
    sal_step *step;
    SAL_TRY(sal_dnnl_step(p, "reorder", NULL, pd, 2, args, &step, err));
    step->reference = false;
    step->text = sal_val(p->g, v)->name;
done:
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    return st;
}
