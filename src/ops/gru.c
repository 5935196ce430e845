/* GRU: z = f(W x + R h + b), r = f(W x + R h + b), n = g(W x + R (r h) + b), h' = (1 - z) n + z h;
 * with linear_before_reset n = g(W x + Wb + r (R h + Rb)). Gates stand in the order z, r, n. Inputs
 * X, W, R, B, sequence_lens, initial_h; outputs Y, Y_h. */
#include "ops/core/recurrent.h"

static sal_status gru_infer(sal_infer *c)
{
    return sal_recurrent_infer(c, 3);
}

/* The part of n that the reset gate acts on. */
static sal_vid gru_reset(const sal_recurrent *s, sal_vid all, sal_vid r)
{
    sal_builder *b = s->b;
    sal_vid rb = sal_recurrent_gate(s, s->rb, 2, 1);
    if (sal_node_int(s->node, "linear_before_reset", 0) != 0)
        return sal_recurrent_mul(s, r, sal_b_add_opt(b, sal_recurrent_gate(s, all, 2, 1), rb));
    if (s->h == SAL_NONE)
        return rb;
    return sal_b_add_opt(
        b, sal_b2(b, "MatMul", sal_b2(b, "Mul", r, s->h), sal_recurrent_gate(s, s->r, 2, 1)), rb);
}

static void gru_step(sal_recurrent *s)
{
    sal_builder *b = s->b;
    bool before = sal_node_int(s->node, "linear_before_reset", 0) != 0;
    sal_vid all = SAL_NONE;
    if (s->h != SAL_NONE)
        all = sal_b2(b, "MatMul", s->h, before ? s->r : sal_recurrent_gate(s, s->r, 0, 2));
    sal_vid zr =
        sal_b_add_opt(b, sal_recurrent_gate(s, s->x, 0, 2), sal_recurrent_gate(s, s->rb, 0, 2));
    zr = sal_recurrent_act(s, 0, sal_b_add_opt(b, zr, sal_recurrent_gate(s, all, 0, 2)));
    sal_vid z = sal_recurrent_gate(s, zr, 0, 1), r = sal_recurrent_gate(s, zr, 1, 1);
    sal_vid n = sal_recurrent_act(
        s, 1, sal_b_add_opt(b, sal_recurrent_gate(s, s->x, 2, 1), gru_reset(s, all, r)));
    s->h = sal_b_add_opt(b, sal_b2(b, "Mul", sal_recurrent_rest(s, z), n),
                         sal_recurrent_mul(s, z, s->h));
}

static sal_status gru_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const defaults[] = {"Sigmoid", "Tanh"};
    return sal_recurrent_expand(b, n, 3, 2, defaults, false, gru_step, out);
}

static const char *const gru_cases[] = {
    "f32[3,2,4] f32[1,9,4] f32[1,9,3] ; hidden_size=3 ; out=2",
    "f32[3,2,4] f32[1,9,4] f32[1,9,3] f32[1,18] ; hidden_size=3 linear_before_reset=1 ; out=2",
    "f32[3,2,4] f32[2,9,4] f32[2,9,3] f32[2,18] i32[2]{2,3} f32[2,2,3] ; hidden_size=3 "
    "direction=\"bidirectional\" ; out=2 const=4",
    "f32[2,2,3] f32[1,9,3] f32[1,9,3] f32[1,18] _ f32[1,2,3] ; hidden_size=3 clip=0.4 "
    "linear_before_reset=1 direction=\"reverse\" ; out=2",
    "f32[2,1,2] f32[1,6,2] f32[1,6,2] f32[1,12] ; hidden_size=2 activations=[\"HardSigmoid\","
    "\"ScaledTanh\"] activation_alpha=[0.3,1.5] activation_beta=[0.4,0.7] ; out=2",
    /* ONNX Runtime has no layout 1 on the CPU. */
    "f32[2,3,4] f32[1,9,4] f32[1,9,3] f32[1,18] _ f32[2,1,3] ; hidden_size=3 layout=1 ; out=2 "
    "noort",
    NULL,
};

const sal_op_desc sal_op_gru = {
    .name = "GRU",
    .min_in = 3,
    .max_in = 6,
    .alike = 0x2f,
    .min_out = 0,
    .max_out = 2,
    .flags = SAL_OP_COMPOSITE,
    .since = 14,
    .infer = gru_infer,
    .expand = gru_expand,
    .cases = gru_cases,
};
