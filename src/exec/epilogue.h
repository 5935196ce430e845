/* Epilogues of fused groups as oneDNN post-operations. */
#ifndef SAL_EXEC_EPILOGUE_H
#define SAL_EXEC_EPILOGUE_H

#include "exec/conv_rows.h"
#include "exec/onednn.h"

typedef struct sal_postops {
    dnnl_primitive_attr_t attr; /* with user scratchpad and the post-operations */
    int n;                      /* operands */
    int index[SAL_MAX_EPILOGUE];
    sal_vid vid[SAL_MAX_EPILOGUE];
    sal_dtype dtype[SAL_MAX_EPILOGUE];
    sal_layout layout[SAL_MAX_EPILOGUE];
    bool channel[SAL_MAX_EPILOGUE]; /* vector along the channel axis, a constant */
    dnnl_memory_desc_t desc[SAL_MAX_EPILOGUE];
} sal_postops;

/* Attributes for a primitive whose output has the given rank and dims (as the primitive sees them,
 * with the same number of elements as the logical output) in `layout`; channels lie along
 * `channel_axis`. group may be NULL. Free with sal_postops_free, also after failure. */
sal_status sal_postops_new(sal_postops *po, const sal_plan *p, const sal_group *group, int rank,
                           const int64_t *dims, int channel_axis, sal_layout layout,
                           sal_error *err);
void sal_postops_free(sal_postops *po);
/* Bring the operands into their forms and add them as arguments. */
sal_status sal_postops_args(sal_plan *p, const sal_postops *po, sal_prim_arg *args, int *n_args,
                            sal_error *err);

/* The epilogue as operations of our own convolution kernel; operands are the logical values of
 * `operand`, SAL_NONE where there is none. Returns their number, or -1 when one of them needs
 * oneDNN. */
int sal_epilogue_ends(const sal_plan *p, const sal_group *group, sal_conv_end *ends,
                      sal_vid *operand);

/* The element type of activations of heavy kernels. */
static inline sal_dtype sal_plan_act(const sal_plan *p)
{
    return p->precision;
}

/* Logical value that the group leaves (the last epilogue's output, or the anchor's). */
static inline sal_vid sal_group_result(const sal_node *n, const sal_group *gr)
{
    return gr != NULL && gr->n_epilogue > 0 ? gr->epilogue[gr->n_epilogue - 1].node->out[0]
                                            : n->out[0];
}

#endif
