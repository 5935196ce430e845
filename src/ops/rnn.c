/* RNN: h' = f(W x + R h + b). Inputs X, W, R, B, sequence_lens, initial_h; outputs Y, Y_h. */
#include "ops/core/recurrent.h"

static sal_status rnn_infer(sal_infer *c)
{
    return sal_recurrent_infer(c, 1);
}

static void rnn_step(sal_recurrent *s)
{
    sal_builder *b = s->b;
    sal_vid z = s->h == SAL_NONE ? s->x : sal_b2(b, "Add", s->x, sal_b2(b, "MatMul", s->h, s->r));
    s->h = sal_recurrent_act(s, 0, z);
}

static sal_status rnn_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const defaults[] = {"Tanh"};
    return sal_recurrent_expand(b, n, 1, 1, defaults, true, rnn_step, out);
}

static const char *const rnn_cases[] = {
    "f32[3,2,4] f32[1,3,4] f32[1,3,3] ; hidden_size=3 ; out=2",
    "f32[3,2,4] f32[2,3,4] f32[2,3,3] f32[2,6] i32[2]{2,3} f32[2,2,3] ; hidden_size=3 "
    "direction=\"bidirectional\" activations=[\"Relu\",\"Sigmoid\"] ; out=2 const=4",
    "f32[2,1,2] f32[1,2,2] f32[1,2,2] f32[1,4] ; hidden_size=2 clip=0.2 direction=\"reverse\" ; "
    "out=2",
    "f32[2,1,2] f32[1,2,2] f32[1,2,2] f32[1,4] ; hidden_size=2 activations=[\"LeakyRelu\"] "
    "activation_alpha=[0.3] ; out=2",
    "f32[2,1,2] f32[1,2,2] f32[1,2,2] f32[1,4] ; hidden_size=2 activations=[\"Elu\"] ; out=2",
    /* ONNX Runtime has no layout 1 on the CPU. */
    "f32[2,3,4] f32[1,3,4] f32[1,3,3] f32[1,6] _ f32[2,1,3] ; hidden_size=3 layout=1 ; out=2 "
    "noort",
    NULL,
};

const sal_op_desc sal_op_rnn = {
    .name = "RNN",
    .min_in = 3,
    .max_in = 6,
    .alike = 0x2f,
    .min_out = 0,
    .max_out = 2,
    .flags = SAL_OP_COMPOSITE,
    .since = 14,
    .infer = rnn_infer,
    .expand = rnn_expand,
    .cases = rnn_cases,
};
