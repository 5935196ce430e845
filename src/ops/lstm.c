/* LSTM: i, f = f(W x + R h + P c + b), g = g(W x + R h + b), c' = f c + i g, o = f(W x + R h + P c'
 * + b), h' = o h(c'). Gates stand in the order i, o, f, c. Inputs X, W, R, B, sequence_lens,
 * initial_h, initial_c, P; outputs Y, Y_h, Y_c. */
#include "ops/core/recurrent.h"

static sal_status lstm_infer(sal_infer *c)
{
    return sal_recurrent_infer(c, 4);
}

static void lstm_step(sal_recurrent *s)
{
    sal_builder *b = s->b;
    sal_vid z = s->h == SAL_NONE ? s->x : sal_b2(b, "Add", s->x, sal_b2(b, "MatMul", s->h, s->r));
    sal_attr pieces[2] = {SAL_AI("axis", 2), SAL_AI("num_outputs", 4)};
    sal_vid gate[4];
    sal_b_node(b, "Split", 1, &z, 2, pieces, 4, gate);
    sal_vid pi = sal_recurrent_mul(s, sal_recurrent_gate(s, s->p, 0, 1), s->c);
    sal_vid pf = sal_recurrent_mul(s, sal_recurrent_gate(s, s->p, 2, 1), s->c);
    sal_vid i = sal_recurrent_act(s, 0, sal_b_add_opt(b, gate[0], pi));
    sal_vid f = sal_node_int(s->node, "input_forget", 0) != 0
                    ? sal_recurrent_rest(s, i)
                    : sal_recurrent_act(s, 0, sal_b_add_opt(b, gate[2], pf));
    sal_vid g = sal_recurrent_act(s, 1, gate[3]);
    s->c = sal_b_add_opt(b, sal_recurrent_mul(s, f, s->c), sal_b2(b, "Mul", i, g));
    sal_vid po = sal_recurrent_mul(s, sal_recurrent_gate(s, s->p, 1, 1), s->c);
    sal_vid o = sal_recurrent_act(s, 0, sal_b_add_opt(b, gate[1], po));
    sal_recurrent plain = *s; /* the cell itself is not clipped */
    plain.clip = 0;
    s->h = sal_b2(b, "Mul", o, sal_recurrent_act(&plain, 2, s->c));
}

static sal_status lstm_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const char *const defaults[] = {"Sigmoid", "Tanh", "Tanh"};
    return sal_recurrent_expand(b, n, 4, 3, defaults, true, lstm_step, out);
}

static const char *const lstm_cases[] = {
    "f32[3,2,4] f32[1,12,4] f32[1,12,3] ; hidden_size=3 ; out=3",
    "f32[3,2,4] f32[1,12,4] f32[1,12,3] f32[1,24] ; hidden_size=3 ; out=3",
    "f32[3,2,4] f32[1,12,4] f32[1,12,3] f32[1,24] ; hidden_size=3 direction=\"reverse\" ; out=3",
    "f32[3,2,4] f32[2,12,4] f32[2,12,3] f32[2,24] i32[2]{3,1} f32[2,2,3] f32[2,2,3] f32[2,9] ; "
    "hidden_size=3 direction=\"bidirectional\" ; out=3 const=4",
    "f32[2,1,2] f32[1,8,2] f32[1,8,2] f32[1,16] i32[1]{1} f32[1,1,2] f32[1,1,2] f32[1,6] ; "
    "hidden_size=2 input_forget=1 clip=0.3 direction=\"reverse\" ; out=3 const=4",
    "f32[2,1,2] f32[1,8,2] f32[1,8,2] f32[1,16] ; hidden_size=2 activations=[\"HardSigmoid\","
    "\"Affine\",\"Softsign\"] activation_alpha=[0.3,1.5] activation_beta=[0.4,0.1] ; out=3",
    /* ONNX Runtime has no layout 1 on the CPU. */
    "f32[2,3,4] f32[1,12,4] f32[1,12,3] f32[1,24] _ f32[2,1,3] ; hidden_size=3 layout=1 ; "
    "out=3 noort",
    NULL,
};

const sal_op_desc sal_op_lstm = {
    .name = "LSTM",
    .min_in = 3,
    .max_in = 8,
    .alike = 0xef,
    .min_out = 0,
    .max_out = 3,
    .flags = SAL_OP_COMPOSITE,
    .since = 14,
    .infer = lstm_infer,
    .expand = lstm_expand,
    .cases = lstm_cases,
};
