/* RotaryEmbedding of ONNX Runtime: that of ONNX with its inputs in another order (input, positions,
 * cosines, sines); one position alone is that of the first element. */
#include "ops/core/ort_attention.h"

static sal_status ort_rotary_embedding_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    int rank = sal_ort_rank(b, n, n->in[0]);
    sal_vid at = n->in[1];
    int64_t heads = sal_node_int(n, "num_heads", 0);
    if (b->st == SAL_OK && rank != 3 && rank != 4)
        return sal_ort_refuse(b, n, "an input of rank 3 or 4 is needed");
    if (sal_node_int(n, "is_packed_batching", 0) != 0 || sal_node_float(n, "scale", 1.0) != 1.0)
        return sal_ort_refuse(b, n, "packed batches and a scale are not supported");
    if (b->st != SAL_OK || sal_ort_rank(b, n, at) < 0 || sal_ort_rank(b, n, n->in[2]) < 0)
        return b->st;
    const sal_value *x = sal_val(b->g, n->in[0]), *table = sal_val(b->g, n->in[2]);
    if (rank == 3 && heads == 0 && table->rank == 2 && table->dims[1] > 0 && x->dims[2] > 0)
        heads = x->dims[2] / (2 * table->dims[1]);
    if (sal_val(b->g, at)->rank == 1) {
        static const int64_t row = 0;
        sal_vid steps = sal_ort_range(b, sal_ort_length(b, n->in[0], rank == 3 ? 1 : 2));
        at = sal_b_unsqueeze(b, sal_b2(b, "Add", steps, at), 1, &row);
        /* Every row of the batch has the same positions. */
        sal_vid batch = sal_b_unsqueeze(b, sal_ort_length(b, n->in[0], 0), 1, &row);
        sal_vid shape =
            sal_b_concat(b, 2, (sal_vid[]){batch, sal_b_ints(b, (const int64_t[]){1}, 1)}, 0);
        at = sal_b2(b, "Expand", at, shape);
    }
    sal_attr a[] = {SAL_AI("interleaved", sal_node_int(n, "interleaved", 0)),
                    SAL_AI("rotary_embedding_dim", sal_node_int(n, "rotary_embedding_dim", 0)),
                    SAL_AI("num_heads", heads)};
    out[0] = sal_b_op(b, "RotaryEmbedding", 4, (sal_vid[]){n->in[0], n->in[2], n->in[3], at},
                      rank == 3 ? 3 : 2, a);
    return b->st;
}

static const char *const ort_rotary_embedding_cases[] = {
    "f32[2,4,12] i64[2,4]{0,2,1,4,3,0,4,2} f32[5,3] f32[5,3]",
    "f32[2,3,4,6] i64[1]{1} f32[5,3] f32[5,3] ; interleaved=1",
    "f32[2,4,12] i64[2,4]{0,2,1,4,3,0,4,2} f32[5,2] f32[5,2] ; num_heads=2 rotary_embedding_dim=4",
    NULL,
};

const sal_op_desc sal_op_ort_rotary_embedding = {
    SAL_ORT_OP("RotaryEmbedding", 4, 4, 1),
    .expand = ort_rotary_embedding_expand,
    .cases = ort_rotary_embedding_cases,
};
