/* RotaryEmbedding: pairs (x1, x2) of the first rotary_embedding_dim features of every head are
 * rotated by the angle of their position, (x1, x2) -> (cos x1 - sin x2, sin x1 + cos x2). The pairs
 * are the two halves, or neighbours when interleaved. Input [batch, heads, sequence, features] or
 * [batch, sequence, heads*features]. */
#include "ops/builder.h"
#include "ops/infer.h"

static sal_status rotary_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t heads = sal_node_int(c->node, "num_heads", 0),
            rotary = sal_node_int(c->node, "rotary_embedding_dim", 0);
    if (x->rank >= 0 && x->rank != 3 && x->rank != 4)
        return sal_fail(c->err, SAL_ESHAPE, "input of rank %d; 3 or 4 is needed", (int)x->rank);
    if (x->rank == 3 && (heads < 1 || (x->dims[2] >= 0 && x->dims[2] % heads != 0)))
        return sal_fail(c->err, SAL_EINVAL, "num_heads is %lld; it must divide the %lld features",
                        (long long)heads, (long long)x->dims[2]);
    if (x->rank > 0) {
        int64_t size = x->dims[x->rank - 1];
        size = x->rank == 3 && size >= 0 ? size / heads : size;
        if (rotary < 0 || (rotary > 0 ? rotary : SAL_MAX(size, 0)) % 2 != 0 ||
            (size >= 0 && rotary > size))
            return sal_fail(c->err, SAL_EINVAL,
                            "rotary_embedding_dim is %lld; an even number up to the head "
                            "size of %lld is needed",
                            (long long)rotary, (long long)size);
    }
    return sal_infer_out_like(c, 0, 0);
}

/* Rotate the last axis of x [.., rotary], cos and sin broadcast to its pairs. */
static sal_vid rotary_turn(sal_builder *b, sal_vid x, sal_vid cosine, sal_vid sine, int64_t rotary,
                           bool interleaved)
{
    int64_t half = rotary / 2;
    sal_vid x1 =
        interleaved ? sal_b_slice(b, x, 3, 0, rotary, 2) : sal_b_slice(b, x, 3, 0, half, 1);
    sal_vid x2 =
        interleaved ? sal_b_slice(b, x, 3, 1, rotary, 2) : sal_b_slice(b, x, 3, half, rotary, 1);
    sal_vid part[2];
    part[0] = sal_b2(b, "Sub", sal_b2(b, "Mul", cosine, x1), sal_b2(b, "Mul", sine, x2));
    part[1] = sal_b2(b, "Add", sal_b2(b, "Mul", sine, x1), sal_b2(b, "Mul", cosine, x2));
    if (!interleaved)
        return sal_b_concat(b, 2, part, 3);
    static const int64_t last[] = {4};
    for (int i = 0; i < 2; i++)
        part[i] = sal_b_unsqueeze(b, part[i], 1, last);
    return sal_b_reshape_like(b, sal_b_concat(b, 2, part, 4), x);
}

static sal_status rotary_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_vid x = n->in[0], position = sal_node_in(n, 3);
    const sal_value *xv = sal_val(b->g, x);
    bool flat = xv->rank == 3;
    sal_vid angle[2];

    if (xv->rank < 0)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE, "node %s: the input's rank is not known", n->name);
    int64_t heads = flat ? sal_node_int(n, "num_heads", 1) : xv->dims[1];
    int64_t size = flat ? sal_dim_div(b->g, xv->dims[2], heads) : xv->dims[3];
    int64_t rotary = sal_node_int(n, "rotary_embedding_dim", 0);
    if (size < 0)
        return b->st = sal_fail(b->err, SAL_ESHAPE, "node %s: the head size is not known", n->name);
    rotary = rotary > 0 ? rotary : size;
    if (flat)
        x = sal_b_reshape(b, x, 4, (const int64_t[]){xv->dims[0], xv->dims[1], heads, size}, x);

    for (int i = 0; i < 2; i++) {
        sal_attr axis = SAL_AI("axis", 0);
        int64_t head_axis = flat ? 2 : 1;
        angle[i] = n->in[1 + i];
        if (position != SAL_NONE)
            angle[i] = sal_b_op(b, "Gather", 2, (sal_vid[]){angle[i], position}, 1, &axis);
        angle[i] = sal_b_unsqueeze(b, angle[i], 1, &head_axis);
    }
    bool part = rotary < size;
    sal_vid turned = rotary_turn(b, part ? sal_b_slice(b, x, 3, 0, rotary, 1) : x, angle[0],
                                 angle[1], rotary, sal_node_int(n, "interleaved", 0) != 0);
    if (part)
        turned = sal_b_concat(b, 2, (sal_vid[]){turned, sal_b_slice(b, x, 3, rotary, size, 1)}, 3);
    out[0] = flat ? sal_b_reshape_like(b, turned, n->in[0]) : turned;
    return b->st;
}

static const char *const rotary_cases[] = {
    "f32[2,3,4,6] f32[2,4,3] f32[2,4,3] ; ;",
    "f32[2,3,4,6] f32[5,3] f32[5,3] i64[2,4]{0,2,1,4,3,0,4,2} ; interleaved=1 ;",
    "f32[2,4,12] f32[5,2] f32[5,2] i64[2,4]{0,2,1,4,3,0,4,2} ; num_heads=2 rotary_embedding_dim=4 "
    ";",
    "f32[1,3,8] f32[1,3,2] f32[1,3,2] ; num_heads=2 interleaved=1 ;",
    "f32[1,2,3,6] f32[1,3,2] f32[1,3,2] ; rotary_embedding_dim=4 interleaved=1 ;",
    NULL,
};

const sal_op_desc sal_op_rotary_embedding = {
    .name = "RotaryEmbedding",
    .min_in = 3,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 23,
    .infer = rotary_infer,
    .expand = rotary_expand,
    .cases = rotary_cases,
};
