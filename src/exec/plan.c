/* Physical values and steps of a plan (exec/plan.h). */
#include "exec/plan.h"

#include "exec/onednn.h"

#include <stdio.h>

size_t sal_plan_bytes(const sal_plan *p, sal_layout layout, sal_dtype dtype, int rank,
                      const int64_t *dims)
{
    size_t n = sal_dtype_size(dtype);
    for (int i = 0; i < rank; i++) {
        int64_t d = dims[i];
        if (layout == SAL_BLOCKED && i == 1)
            d = (d + p->block - 1) / p->block * p->block;
        if (!sal_mul_ok(n, (size_t)d, &n))
            return SIZE_MAX;
    }
    return n;
}

sal_dtype sal_plan_dtype(const sal_plan *p, sal_vid v)
{
    sal_dtype d = sal_val(p->g, v)->dtype;
    if (d == SAL_F16 || d == SAL_BF16)
        return SAL_F32;
    return d;
}

static sal_status plan_value(sal_plan *p, sal_pvalue x, sal_pid *out, sal_error *err)
{
    sal_status st = sal_grow(&p->values, p->n_values + 1, &p->cap_values, sizeof *p->values, err);
    if (st == SAL_OK)
        st = sal_grow(&p->next_form, p->n_values + 1, &p->cap_next, sizeof *p->next_form, err);
    if (st != SAL_OK)
        return st;
    if (x.bytes == SIZE_MAX)
        return sal_fail(err, SAL_ENOMEM, "value '%s' is too large",
                        x.vid >= 0 ? sal_val(p->g, x.vid)->name : "scratch");
    *out = (sal_pid)p->n_values++;
    p->values[*out] = x;
    p->next_form[*out] = -1;
    if (x.vid >= 0) {
        p->next_form[*out] = p->of[x.vid];
        p->of[x.vid] = *out;
    }
    return SAL_OK;
}

static sal_pvalue plan_blank(const sal_plan *p, sal_vid v, sal_layout layout, sal_dtype dtype)
{
    const sal_value *x = sal_val(p->g, v);
    sal_pvalue r = {.vid = v,
                    .dtype = dtype,
                    .layout = layout,
                    .rank = x->rank,
                    .input = -1,
                    .alias = -1,
                    .first = -1,
                    .last = -1};
    memcpy(r.dims, x->dims, sizeof r.dims);
    r.bytes = sal_plan_bytes(p, layout, dtype, x->rank, x->dims);
    return r;
}

sal_status sal_plan_new(sal_plan *p, sal_vid v, sal_layout layout, sal_dtype dtype, sal_pid *out,
                        sal_error *err)
{
    return plan_value(p, plan_blank(p, v, layout, dtype), out, err);
}

sal_status sal_plan_alias(sal_plan *p, sal_vid v, sal_pid of, sal_layout layout, sal_pid *out,
                          sal_error *err)
{
    sal_pvalue x = plan_blank(p, v, layout, p->values[of].dtype);
    x.alias = of;
    x.fixed = p->values[of].fixed;
    return plan_value(p, x, out, err);
}

sal_status sal_plan_view(sal_plan *p, sal_vid v, sal_pid of, const int64_t *strides, int64_t shift,
                         sal_pid *out, sal_error *err)
{
    sal_pvalue x = plan_blank(p, v, SAL_STRIDED, p->values[of].dtype);
    x.alias = of;
    x.shift = (size_t)shift * sal_dtype_size(x.dtype);
    if (p->values[of].fixed != NULL)
        x.fixed = (const uint8_t *)p->values[of].fixed + x.shift;
    memcpy(x.strides, strides, sizeof x.strides);
    return plan_value(p, x, out, err);
}

sal_status sal_plan_prepared(sal_plan *p, size_t bytes, void **out, sal_error *err)
{
    sal_status st =
        sal_grow(&p->prepared, p->n_prepared + 1, &p->cap_prepared, sizeof *p->prepared, err);
    if (st != SAL_OK)
        return st;
    const size_t room = SAL_MAX(bytes, 64);
    *out = sal_pages(room);
    if (*out == NULL)
        return sal_fail_nomem(err);
    p->prepared[p->n_prepared++] = (sal_prepared){*out, room};
    p->prepared_bytes += bytes;
    return SAL_OK;
}

sal_status sal_plan_fixed(sal_plan *p, const void *data, size_t bytes, sal_dtype dtype,
                          sal_pid *out, sal_error *err)
{
    sal_pvalue x = {.vid = SAL_NONE,
                    .dtype = dtype,
                    .rank = 1,
                    .bytes = bytes,
                    .fixed = data,
                    .input = -1,
                    .alias = -1,
                    .first = -1,
                    .last = -1};
    x.dims[0] = (int64_t)(bytes / SAL_MAX(sal_dtype_size(dtype), 1));
    return plan_value(p, x, out, err);
}

sal_status sal_plan_opaque(sal_plan *p, size_t bytes, sal_dtype dtype, sal_pid *out, sal_error *err)
{
    return sal_plan_fixed(p, NULL, bytes, dtype, out, err);
}

sal_status sal_plan_step(sal_plan *p, const char *kernel, const sal_node *n,
                         sal_status (*run)(sal_step *, sal_session *, sal_error *), void *state,
                         void (*free_state)(void *), int n_in, const sal_pid *in, int n_out,
                         const sal_pid *out, sal_step **step, sal_error *err)
{
    sal_status st = sal_grow(&p->steps, p->n_steps + 1, &p->cap_steps, sizeof *p->steps, err);
    sal_pid *ids =
        st == SAL_OK ? sal_arena_alloc(&p->arena, (size_t)(n_in + n_out + 1) * sizeof *ids) : NULL;
    if (ids == NULL) {
        if (free_state != NULL)
            free_state(state);
        return st != SAL_OK ? st : sal_fail_nomem(err);
    }
    for (int i = 0; i < n_in; i++) {
        ids[i] = in[i];
        if (in[i] >= 0)
            p->values[in[i]].used = true;
    }
    for (int i = 0; i < n_out; i++)
        ids[n_in + i] = out[i];
    sal_step *s = &p->steps[p->n_steps];
    *s = (sal_step){.run = run,
                    .free_state = free_state,
                    .state = state,
                    .kernel = kernel,
                    .impl = "own",
                    .n_in = n_in,
                    .n_out = n_out,
                    .in = ids,
                    .out = ids + n_in};
    s->text = n == NULL ? "" : n->name;
    p->n_steps++;
    if (step != NULL)
        *step = s;
    return SAL_OK;
}

static sal_pid plan_form(const sal_plan *p, sal_vid v, sal_layout layout, sal_dtype dtype)
{
    for (sal_pid i = p->of[v]; i >= 0; i = p->next_form[i])
        if (p->values[i].layout == layout && p->values[i].dtype == dtype)
            return i;
    return -1;
}

bool sal_plan_has(const sal_plan *p, sal_vid v, sal_layout layout)
{
    for (sal_pid i = p->of[v]; i >= 0; i = p->next_form[i])
        if (p->values[i].layout == layout)
            return true;
    return false;
}

sal_layout sal_plan_layout(const sal_plan *p, sal_vid v)
{
    return sal_plan_has(p, v, SAL_BLOCKED) && !sal_plan_has(p, v, SAL_PLAIN) ? SAL_BLOCKED
                                                                             : SAL_PLAIN;
}

sal_status sal_plan_get_any_plain(sal_plan *p, sal_vid v, sal_pid *out, int64_t *strides,
                                  sal_error *err)
{
    const sal_value *x = sal_val(p->g, v);
    int64_t s = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        strides[i] = s;
        s *= SAL_MAX(x->dims[i], 1);
    }
    if (!sal_plan_has(p, v, SAL_PLAIN))
        for (sal_pid i = p->of[v]; i >= 0; i = p->next_form[i])
            if (p->values[i].layout == SAL_STRIDED) {
                memcpy(strides, p->values[i].strides, sizeof p->values[i].strides);
                *out = i;
                return SAL_OK;
            }
    return sal_plan_get(p, v, SAL_PLAIN, SAL_DT_NONE, out, err);
}

/* A constant in another element type, row-major, in prepared memory. */
static sal_status plan_cast_constant(sal_plan *p, sal_vid v, sal_dtype dtype, sal_pid *out,
                                     sal_error *err)
{
    sal_status st = SAL_OK;
    sal_tensor t = SAL_TENSOR_INIT;
    void *room = NULL;
    sal_pvalue x = plan_blank(p, v, SAL_PLAIN, dtype);
    SAL_TRY(sal_tensor_cast(&t, sal_val(p->g, v)->constant, dtype, err));
    SAL_TRY(sal_plan_prepared(p, x.bytes, &room, err));
    if (x.bytes > 0)
        memcpy(room, t.data, x.bytes);
    x.fixed = room;
    SAL_TRY(plan_value(p, x, out, err));
done:
    sal_tensor_free(&t);
    return st;
}

/* Blocked form of a constant. */
static sal_status plan_block_constant(sal_plan *p, sal_vid v, sal_pid plain, sal_dtype dtype,
                                      sal_pid *out, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_memory_desc_t from = NULL, to = NULL;
    sal_pvalue x = plan_blank(p, v, SAL_BLOCKED, dtype);
    sal_pid made;
    SAL_TRY(sal_dnnl_value_desc(p, plain, &from, err));
    SAL_TRY(sal_dnnl_desc(p, dtype, x.rank, x.dims, SAL_BLOCKED, &to, err));
    SAL_TRY(sal_dnnl_prepare(p, from, p->values[plain].fixed, to, dtype, &made, err));
    x.fixed = p->values[made].fixed;
    SAL_TRY(plan_value(p, x, out, err));
done:
    if (from != NULL)
        dnnl_memory_desc_destroy(from);
    if (to != NULL)
        dnnl_memory_desc_destroy(to);
    return st;
}

/* Blocked with one pixel and whole blocks is row-major as well. */
static bool plan_same_bytes(const sal_plan *p, sal_vid v)
{
    const sal_value *x = sal_val(p->g, v);
    int64_t pixels = 1;
    for (int i = 2; i < x->rank; i++)
        pixels *= x->dims[i];
    return x->rank >= 3 && pixels == 1 && x->dims[1] % p->block == 0;
}

sal_status sal_plan_get(sal_plan *p, sal_vid v, sal_layout layout, sal_dtype dtype, sal_pid *out,
                        sal_error *err)
{
    sal_status st = SAL_OK;
    if (p->of[v] < 0)
        return sal_fail(err, SAL_EINVAL, "value '%s' is read before it is computed",
                        sal_val(p->g, v)->name);
    if (dtype == SAL_DT_NONE) {
        /* Whatever float form there is: a 16-bit activation stays one unless the graph itself
         * stores it so. */
        dtype = sal_plan_dtype(p, v);
        if (dtype == SAL_F32 && p->precision == SAL_BF16 && plan_form(p, v, layout, SAL_F32) < 0 &&
            sal_val(p->g, v)->dtype == SAL_F32 &&
            (plan_form(p, v, SAL_PLAIN, SAL_BF16) >= 0 ||
             plan_form(p, v, SAL_BLOCKED, SAL_BF16) >= 0 ||
             plan_form(p, v, SAL_STRIDED, SAL_BF16) >= 0))
            dtype = SAL_BF16;
    }
    *out = plan_form(p, v, layout, dtype);
    if (*out >= 0)
        return SAL_OK;
    sal_layout other = layout == SAL_PLAIN ? SAL_BLOCKED : SAL_PLAIN;
    sal_pid from = plan_form(p, v, other, dtype);
    if (from >= 0 && plan_same_bytes(p, v))
        return sal_plan_alias(p, v, from, layout, out, err);
    if (sal_val(p->g, v)->constant != NULL) {
        sal_pid plain = plan_form(p, v, SAL_PLAIN, dtype);
        if (plain < 0)
            SAL_TRY(plan_cast_constant(p, v, dtype, &plain, err));
        if (layout == SAL_PLAIN)
            *out = plain;
        else
            SAL_TRY(plan_block_constant(p, v, plain, dtype, out, err));
        return SAL_OK;
    }
    if (from < 0) /* same layout in another dtype, else anything */
        for (sal_pid i = p->of[v]; i >= 0; i = p->next_form[i])
            if (from < 0 || p->values[i].layout == layout)
                from = i;
    SAL_TRY(sal_plan_new(p, v, layout, dtype, out, err));
    SAL_TRY(sal_lower_reorder(p, from, *out, err));
done:
    return st;
}
