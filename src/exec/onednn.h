/* A thin layer over oneDNN's C API: memory descriptors of physical values, primitives as steps. */
#ifndef SAL_EXEC_ONEDNN_H
#define SAL_EXEC_ONEDNN_H

#include "exec/plan.h"

/* Turn a oneDNN status into ours. */
sal_status sal_dnnl_check(dnnl_status_t st, const char *what, sal_error *err);
#define SAL_DNNL(call) SAL_TRY(sal_dnnl_check((call), #call, err))

/* oneDNN's element type; dnnl_data_type_undef when it has none. Bool is u8. */
dnnl_data_type_t sal_dnnl_type(sal_dtype dtype);
/* Descriptor of dims in a layout (SAL_BLOCKED: rank 3..5). *out: dnnl_memory_desc_destroy(). */
sal_status sal_dnnl_desc(const sal_plan *p, sal_dtype dtype, int rank, const int64_t *dims,
                         sal_layout layout, dnnl_memory_desc_t *out, sal_error *err);
sal_status sal_dnnl_value_desc(const sal_plan *p, sal_pid v, dnnl_memory_desc_t *out,
                               sal_error *err);
/* Row-major strides given explicitly (in elements). */
sal_status sal_dnnl_strided(sal_dtype dtype, int rank, const int64_t *dims, const int64_t *strides,
                            dnnl_memory_desc_t *out, sal_error *err);
sal_status sal_dnnl_any(sal_dtype dtype, int rank, const int64_t *dims, dnnl_memory_desc_t *out,
                        sal_error *err);

/* One argument of a primitive: a physical value read or written. */
typedef struct sal_prim_arg {
    int arg;
    sal_pid value;
    const_dnnl_memory_desc_t desc; /* borrowed during the call */
    bool write;
} sal_prim_arg;

enum { SAL_MAX_PRIM_ARGS = 20 };

/* Append a step that executes pd (taken over and destroyed, also on failure). in-place: see
 * sal_step. */
sal_status sal_dnnl_step(sal_plan *p, const char *kernel, const sal_node *n,
                         dnnl_primitive_desc_t pd, int n_args, const sal_prim_arg *args,
                         sal_step **step, sal_error *err);
/* True when pd's implementation is oneDNN's slow reference code. */
bool sal_dnnl_is_ref(const_dnnl_primitive_desc_t pd);
/* Attributes with user scratchpad. */
sal_status sal_dnnl_attr(dnnl_primitive_attr_t *out, sal_error *err);
/* Prepare a constant: reorder `data` (described by from) into prepared memory described by `to`;
 * the result is a fixed physical value. Nothing is copied when the descriptors are equal. */
sal_status sal_dnnl_prepare(sal_plan *p, const_dnnl_memory_desc_t from, const void *data,
                            const_dnnl_memory_desc_t to, sal_dtype dtype, sal_pid *out,
                            sal_error *err);
/* Weights of a heavy kernel in the form `to`: prepared once when v is constant, by a reorder step
 * each run otherwise. `plain` describes how the kernel sees the row-major value. */
sal_status sal_dnnl_weights(sal_plan *p, sal_vid v, const_dnnl_memory_desc_t plain,
                            const_dnnl_memory_desc_t to, sal_dtype dtype, sal_pid *out,
                            sal_error *err);
/* A physical value without logical one, of opaque layout. */
sal_status sal_plan_opaque(sal_plan *p, size_t bytes, sal_dtype dtype, sal_pid *out,
                           sal_error *err);

#endif
