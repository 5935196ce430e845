/* Attention of ONNX Runtime (ort_attention.h). */
#include "ops/core/ort_attention.h"

void sal_ort_attend(sal_builder *b, const sal_ort_attention *a, bool more, sal_vid out[3])
{
    sal_attr attr[8];
    int k = 0;
    out[0] = out[1] = out[2] = SAL_NONE;
    if (b->st != SAL_OK)
        return;
    if (sal_val(b->g, a->q)->rank == 3) {
        attr[k++] = SAL_AI("q_num_heads", a->heads);
        attr[k++] = SAL_AI("kv_num_heads", a->kv_heads);
    }
    if (a->scale != 0.0)
        attr[k++] = SAL_AF("scale", a->scale);
    if (a->softcap != 0.0)
        attr[k++] = SAL_AF("softcap", a->softcap);
    attr[k++] = SAL_AI("is_causal", a->causal);
    sal_vid in[6] = {a->q, a->k, a->v, a->mask, a->past_k, a->past_v};
    sal_b_node(b, "Attention", 6, in, k, attr, more ? 3 : 1, out);
}

sal_vid sal_ort_length(sal_builder *b, sal_vid v, int64_t axis)
{
    static const int64_t zero = 0;
    if (b->st != SAL_OK)
        return SAL_NONE;
    int64_t d = sal_val(b->g, v)->dims[axis];
    if (d >= 0)
        return sal_b_scalar(b, SAL_I64, (double)d);
    return sal_b_squeeze(b, sal_b_slice(b, sal_b_shape_of(b, v), 0, axis, axis + 1, 1), 1, &zero);
}

sal_vid sal_ort_range(sal_builder *b, sal_vid count)
{
    return sal_b3(b, "Range", sal_b_scalar(b, SAL_I64, 0.0), count, sal_b_scalar(b, SAL_I64, 1.0));
}

sal_vid sal_ort_padding(sal_builder *b, const sal_node *n, sal_vid mask, sal_vid queries,
                        sal_vid keys, int64_t axis, double filter)
{
    static const int64_t column[] = {1}, heads[] = {1, 2}, head[] = {1};
    int rank = sal_ort_rank(b, n, mask);
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_dtype dtype = sal_val(b->g, queries)->dtype;
    sal_vid seen = SAL_NONE;
    if (rank == 1) {
        if (sal_val(b->g, mask)->dims[0] != sal_val(b->g, keys)->dims[0]) {
            (void)sal_ort_refuse(b, n, "a mask of one length for each row is needed");
            return SAL_NONE;
        }
        sal_vid at = sal_ort_range(b, sal_ort_length(b, keys, axis));
        seen = sal_b2(b, "Less", at, sal_b_unsqueeze(b, sal_b_cast(b, mask, SAL_I64), 1, column));
        seen = sal_b_unsqueeze(b, seen, 2, heads);
    } else if (rank <= 4 && rank >= 2) {
        seen = sal_b_cast(b, mask, SAL_BOOL);
        if (rank < 4)
            seen = sal_b_unsqueeze(b, seen, 4 - rank, rank == 2 ? heads : head);
    } else {
        (void)sal_ort_refuse(b, n, "the mask has another rank than 1 to 4");
    }
    sal_vid y =
        sal_b3(b, "Where", seen, sal_b_scalar(b, dtype, 0.0), sal_b_scalar(b, dtype, filter));
    if (rank > 2)
        return y;
    /* One row for each query: not every engine broadcasts masks. */
    sal_vid rows =
        sal_b_unsqueeze(b, sal_ort_range(b, sal_ort_length(b, queries, axis)), 1, column);
    sal_vid zero = sal_b2(b, "Mul", sal_b_cast(b, rows, dtype), sal_b_scalar(b, dtype, 0.0));
    return sal_b2(b, "Add", y, zero);
}
