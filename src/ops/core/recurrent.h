/* What LSTM, GRU and RNN share: shapes, activations, the walk over the sequence. They are defined
 * by their expansion: one product for the inputs of all steps, then a few nodes a step. */
#ifndef SAL_OPS_CORE_RECURRENT_H
#define SAL_OPS_CORE_RECURRENT_H

#include "ops/builder.h"
#include "ops/infer.h"

enum {
    SAL_RECURRENT_GATES = 4,
    /* Nodes grow with the length of the sequence. */
    SAL_RECURRENT_STEPS_MAX = 20000,
};

typedef struct sal_activation {
    const char *name;
    double alpha, beta;
} sal_activation;

/* One direction while it is expanded. Values are [1, batch, ...]; SAL_NONE: zero. */
typedef struct sal_recurrent {
    sal_builder *b;
    const sal_node *node;
    int gates, functions; /* of the operator: 4 and 3 for LSTM */
    int64_t hidden;
    sal_activation f[3];
    double clip;  /* 0: none */
    sal_vid r;    /* recurrent weights [hidden, gates * hidden] */
    sal_vid rb;   /* recurrent bias [gates * hidden]; SAL_NONE when it is in x already */
    sal_vid p;    /* peepholes [3 * hidden] */
    sal_vid h, c; /* the state */
    sal_vid x;    /* W x + biases of the current step [1, batch, gates * hidden] */
} sal_recurrent;

/* One step: reads x, h, c; sets h and c. */
typedef void (*sal_recurrent_step)(sal_recurrent *s);

sal_status sal_recurrent_infer(sal_infer *c, int gates);
/* bias_in_x: both biases may be added before the recurrent product. */
sal_status sal_recurrent_expand(sal_builder *b, const sal_node *n, int gates, int functions,
                                const char *const *defaults, bool bias_in_x,
                                sal_recurrent_step step, sal_vid *out);

/* For steps. Columns [at, at + count) * hidden of the last axis of v. */
sal_vid sal_recurrent_gate(const sal_recurrent *s, sal_vid v, int at, int count);
/* Activation number i of the clipped v. */
sal_vid sal_recurrent_act(const sal_recurrent *s, int i, sal_vid v);
/* a * c and a + c where SAL_NONE is zero. */
sal_vid sal_recurrent_mul(const sal_recurrent *s, sal_vid a, sal_vid c);
/* 1 - v */
sal_vid sal_recurrent_rest(const sal_recurrent *s, sal_vid v);

#endif
