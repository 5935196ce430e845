/* Recurrent operators (recurrent.h). */
#include "ops/core/recurrent.h"

#include <strings.h>

/* ---- activations ---- */

static const struct {
    const char *name;
    int parameters; /* that it takes from the lists */
    double alpha, beta;
} activations[] = {
    {"Relu", 0, 0, 0},
    {"Tanh", 0, 0, 0},
    {"Sigmoid", 0, 0, 0},
    {"Softsign", 0, 0, 0},
    {"Softplus", 0, 0, 0},
    {"LeakyRelu", 1, 0.01, 0},
    {"ThresholdedRelu", 1, 1, 0},
    {"Elu", 1, 1, 0},
    {"HardSigmoid", 2, 0.2, 0.5},
    {"Affine", 2, 1, 0},
    {"ScaledTanh", 2, 1, 1},
};

static sal_status activation_find(const char *name, size_t *out, sal_error *err)
{
    for (*out = 0; *out < SAL_COUNTOF(activations); ++*out)
        if (strcasecmp(activations[*out].name, name) == 0)
            return SAL_OK;
    return sal_fail(err, SAL_EUNSUPPORTED, "unknown activation '%.40s'", name);
}

/* Activations of direction d. Numbers are used up by those activations that take some, in order. */
static sal_status activation_read(sal_recurrent *s, int d, int directions,
                                  const char *const *defaults, sal_error *err)
{
    const sal_attr *names = sal_node_attr(s->node, "activations");
    const sal_attr *alpha = sal_node_attr(s->node, "activation_alpha");
    const sal_attr *beta = sal_node_attr(s->node, "activation_beta");
    size_t total = (size_t)(s->functions * directions), at_alpha = 0, at_beta = 0;
    if (names != NULL && names->n != total)
        return sal_fail(err, SAL_EINVAL, "%zu activations are given, %zu are needed", names->n,
                        total);
    for (size_t i = 0; i < total; i++) {
        size_t k;
        sal_status st = activation_find(
            names != NULL ? names->strings[i] : defaults[i % (size_t)s->functions], &k, err);
        if (st != SAL_OK)
            return st;
        sal_activation a = {activations[k].name, activations[k].alpha, activations[k].beta};
        if (activations[k].parameters > 0 && alpha != NULL && at_alpha < alpha->n)
            a.alpha = alpha->floats[at_alpha++];
        if (activations[k].parameters > 1 && beta != NULL && at_beta < beta->n)
            a.beta = beta->floats[at_beta++];
        if (i / (size_t)s->functions == (size_t)d)
            s->f[i % (size_t)s->functions] = a;
    }
    return SAL_OK;
}

sal_vid sal_recurrent_act(const sal_recurrent *s, int i, sal_vid v)
{
    sal_builder *b = s->b;
    const sal_activation *a = &s->f[i];
    sal_attr attr[2] = {SAL_AF("alpha", a->alpha), SAL_AF("beta", a->beta)};
    if (b->st != SAL_OK)
        return SAL_NONE;
    if (s->clip > 0)
        v = sal_b3(b, "Clip", v, sal_b_like(b, v, -s->clip), sal_b_like(b, v, s->clip));
    if (b->st != SAL_OK)
        return SAL_NONE;
    if (strcmp(a->name, "Affine") == 0)
        return sal_b2(b, "Add", sal_b2(b, "Mul", v, sal_b_like(b, v, a->alpha)),
                      sal_b_like(b, v, a->beta));
    if (strcmp(a->name, "ScaledTanh") == 0)
        return sal_b2(b, "Mul", sal_b1(b, "Tanh", sal_b2(b, "Mul", v, sal_b_like(b, v, a->beta))),
                      sal_b_like(b, v, a->alpha));
    if (strcmp(a->name, "ThresholdedRelu") == 0)
        return sal_b3(b, "Where", sal_b2(b, "Greater", v, sal_b_like(b, v, a->alpha)), v,
                      sal_b_like(b, v, 0));
    int n = strcmp(a->name, "HardSigmoid") == 0                                ? 2
            : strcmp(a->name, "LeakyRelu") == 0 || strcmp(a->name, "Elu") == 0 ? 1
                                                                               : 0;
    return sal_b_op(b, a->name, 1, &v, n, attr);
}

/* ---- arithmetic with zeros ---- */

sal_vid sal_recurrent_mul(const sal_recurrent *s, sal_vid a, sal_vid c)
{
    return a == SAL_NONE || c == SAL_NONE ? SAL_NONE : sal_b2(s->b, "Mul", a, c);
}

sal_vid sal_recurrent_rest(const sal_recurrent *s, sal_vid v)
{
    return s->b->st != SAL_OK ? SAL_NONE : sal_b2(s->b, "Sub", sal_b_like(s->b, v, 1), v);
}

sal_vid sal_recurrent_gate(const sal_recurrent *s, sal_vid v, int at, int count)
{
    if (v == SAL_NONE || s->b->st != SAL_OK)
        return SAL_NONE;
    int rank = sal_val(s->b->g, v)->rank;
    return sal_b_slice(s->b, v, rank - 1, at * s->hidden, (at + count) * s->hidden, 1);
}

/* ---- shapes ---- */

static int recurrent_directions(const sal_node *n)
{
    return strcmp(sal_node_str(n, "direction", "forward"), "bidirectional") == 0 ? 2 : 1;
}

static sal_status recurrent_check(const sal_infer *c, int i, int rank, int axis, int64_t want)
{
    const sal_value *v = sal_infer_in(c, i);
    if (v == NULL || v->rank < 0)
        return SAL_OK;
    if (v->rank != rank)
        return sal_fail(c->err, SAL_ESHAPE, "input %d has %d axes, %d are needed", i, (int)v->rank,
                        rank);
    if (want >= 0 && v->dims[axis] >= 0 && v->dims[axis] != want)
        return sal_fail(c->err, SAL_ESHAPE, "input %d has length %lld along axis %d, not %lld", i,
                        (long long)v->dims[axis], axis, (long long)want);
    return SAL_OK;
}

sal_status sal_recurrent_infer(sal_infer *c, int gates)
{
    const sal_node *n = c->node;
    const sal_value *x = sal_infer_in(c, 0), *w = sal_infer_in(c, 1), *r = sal_infer_in(c, 2);
    const char *direction = sal_node_str(n, "direction", "forward");
    bool by_batch = sal_node_int(n, "layout", 0) != 0;
    int64_t d = recurrent_directions(n), h = r->rank == 3 ? r->dims[2] : sal_dim_fresh(c->g);
    int64_t attr = sal_node_int(n, "hidden_size", -1), input = -1;
    sal_status st = SAL_OK;
    if (strcmp(direction, "forward") != 0 && strcmp(direction, "reverse") != 0 && d == 1)
        return sal_fail(c->err, SAL_EINVAL, "unknown direction '%.40s'", direction);
    if (attr > 0 && h >= 0 && attr != h)
        return sal_fail(c->err, SAL_ESHAPE, "hidden_size is %lld, the weights have %lld",
                        (long long)attr, (long long)h);
    if (h > SAL_DIM_MAX / 8)
        return sal_fail(c->err, SAL_ESHAPE, "hidden_size is too large");
    if (x->rank == 3)
        input = x->dims[2];
    SAL_TRY(recurrent_check(c, 0, 3, 0, -1));
    for (int axis = 0; axis < 3; axis++) {
        const int64_t want_w[3] = {d, h < 0 ? -1 : gates * h, input};
        const int64_t want_r[3] = {d, h < 0 ? -1 : gates * h, h};
        SAL_TRY(recurrent_check(c, 1, 3, axis, want_w[axis]));
        SAL_TRY(recurrent_check(c, 2, 3, axis, want_r[axis]));
    }
    for (int axis = 0; axis < 2; axis++) {
        const int64_t want_b[2] = {d, h < 0 ? -1 : 2 * gates * h}, want_p[2] = {d, 3 * h};
        SAL_TRY(recurrent_check(c, 3, 2, axis, want_b[axis]));
        if (gates == 4)
            SAL_TRY(recurrent_check(c, 7, 2, axis, h < 0 ? -1 : want_p[axis]));
    }
    int64_t t = sal_dim_fresh(c->g), batch = sal_dim_fresh(c->g);
    if (x->rank == 3) {
        t = x->dims[by_batch ? 1 : 0];
        batch = x->dims[by_batch ? 0 : 1];
    }
    SAL_TRY(recurrent_check(c, 4, 1, 0, batch));
    for (int i = 5; i < (gates == 4 ? 7 : 6); i++)
        for (int axis = 0; axis < 3; axis++) {
            const int64_t want[3] = {by_batch ? batch : d, by_batch ? d : batch, h};
            SAL_TRY(recurrent_check(c, i, 3, axis, want[axis]));
        }
    const int64_t all[2][4] = {{t, d, batch, h}, {batch, t, d, h}};
    const int64_t last[2][3] = {{d, batch, h}, {batch, d, h}};
    SAL_TRY(sal_infer_out(c, 0, w->dtype, 4, all[by_batch]));
    for (int i = 1; i < n->n_out; i++)
        SAL_TRY(sal_infer_out(c, i, w->dtype, 3, last[by_batch]));
done:
    return st;
}

/* ---- expansion ---- */

/* Part d of the first axis of input i without that axis. */
static sal_vid recurrent_part(sal_builder *b, const sal_node *n, int i, int d)
{
    static const int64_t first[] = {0};
    sal_vid v = sal_node_in(n, i);
    return v == SAL_NONE ? SAL_NONE : sal_b_squeeze(b, sal_b_slice(b, v, 0, d, d + 1, 1), 1, first);
}

/* Initial state i of direction d as [1, batch, hidden]. */
static sal_vid recurrent_state(sal_builder *b, const sal_node *n, int i, int d, bool by_batch)
{
    static const int64_t swap[] = {1, 0, 2};
    sal_vid v = sal_node_in(n, i);
    if (v == SAL_NONE)
        return SAL_NONE;
    if (by_batch)
        v = sal_b_transpose(b, v, swap);
    return sal_b_slice(b, v, 0, d, d + 1, 1);
}

/* W x + Wb (+ Rb) of all steps [steps, batch, gates * hidden]; sets r, rb and p of the direction.
 */
static sal_vid recurrent_inputs(sal_recurrent *s, sal_vid x, int d, bool bias_in_x)
{
    static const int64_t turn[] = {1, 0};
    sal_builder *b = s->b;
    const sal_node *n = s->node;
    int64_t width = s->gates * s->hidden;
    sal_vid y = sal_b2(b, "MatMul", x, sal_b_transpose(b, recurrent_part(b, n, 1, d), turn));
    sal_vid bias = recurrent_part(b, n, 3, d);
    s->r = sal_b_transpose(b, recurrent_part(b, n, 2, d), turn);
    s->p = s->gates == 4 ? recurrent_part(b, n, 7, d) : SAL_NONE;
    s->rb = SAL_NONE;
    if (bias == SAL_NONE)
        return y;
    sal_vid wb = sal_b_slice(b, bias, 0, 0, width, 1);
    sal_vid rb = sal_b_slice(b, bias, 0, width, 2 * width, 1);
    if (!bias_in_x)
        s->rb = rb;
    else
        wb = sal_b2(b, "Add", wb, rb);
    return sal_b2(b, "Add", y, wb);
}

/* Truth values [steps, batch, 1]: is the step within the sequence? SAL_NONE: always. */
static sal_vid recurrent_mask(sal_builder *b, const sal_node *n, int64_t steps)
{
    static const int64_t axes[] = {0, 2};
    sal_vid lens = sal_node_in(n, 4), mask = SAL_NONE;
    sal_tensor t = SAL_TENSOR_INIT;
    const int64_t dims[3] = {steps, 1, 1};
    bool full = true;
    if (lens == SAL_NONE || b->st != SAL_OK)
        return SAL_NONE;
    const sal_tensor *known = sal_val(b->g, lens)->constant;
    for (int64_t i = 0; known != NULL && i < sal_tensor_count(known); i++)
        full = full && sal_tensor_get(known, i) >= (double)steps;
    if (known != NULL && full)
        return SAL_NONE;
    sal_status st = sal_tensor_new(&t, SAL_I32, 3, dims, b->err);
    for (int64_t i = 0; st == SAL_OK && i < steps; i++)
        ((int32_t *)t.data)[i] = (int32_t)i;
    if (st == SAL_OK)
        mask = sal_b2(b, "Less", sal_b_tensor(b, &t), sal_b_unsqueeze(b, lens, 2, axes));
    else
        b->st = st;
    sal_tensor_free(&t);
    return mask;
}

/* The new state where the sequence goes on, the old one behind its end. */
static sal_vid recurrent_keep(sal_builder *b, sal_vid mask, sal_vid now, sal_vid was)
{
    if (mask == SAL_NONE || b->st != SAL_OK)
        return now;
    return sal_b3(b, "Where", mask, now, was == SAL_NONE ? sal_b_like(b, now, 0) : was);
}

/* The steps of x as values of their own. One node: its derivative is one Concat, where that of a
 * slice for every step would fill the whole sequence every time. */
static void recurrent_pieces(sal_builder *b, sal_vid x, int64_t steps, sal_vid *out)
{
    sal_attr attr[2] = {SAL_AI("axis", 0), SAL_AI("num_outputs", steps)};
    sal_node *node;
    for (int64_t t = 0; t < steps && b->st == SAL_OK; t++)
        b->st = sal_graph_value(b->g, NULL, b->origin, &out[t], b->err);
    if (b->st == SAL_OK)
        b->st = sal_graph_node(b->g, sal_op_find(SAL_DOMAIN_ONNX, "Split"), NULL, 1, &x, (int)steps,
                               out, 2, attr, &node, b->err);
    if (b->st == SAL_OK)
        b->st = sal_node_infer(b->g, node, b->err);
}

static void recurrent_walk(sal_recurrent *s, sal_vid x, sal_vid mask, int64_t steps, bool back,
                           sal_recurrent_step step, sal_vid *y)
{
    sal_builder *b = s->b;
    recurrent_pieces(b, x, steps, y); /* y[t] is overwritten by the result of step t */
    for (int64_t k = 0; k < steps && b->st == SAL_OK; k++) {
        int64_t t = back ? steps - 1 - k : k;
        sal_vid h = s->h, c = s->c;
        sal_vid on = mask == SAL_NONE ? SAL_NONE : sal_b_slice(b, mask, 0, t, t + 1, 1);
        s->x = y[t];
        step(s);
        y[t] = recurrent_keep(b, on, s->h, SAL_NONE);
        s->h = recurrent_keep(b, on, s->h, h);
        if (s->gates == 4)
            s->c = recurrent_keep(b, on, s->c, c);
    }
}

/* Join the directions and bring the axes into the order of the layout. */
static void recurrent_finish(sal_builder *b, const sal_node *n, int directions, const sal_vid *all,
                             const sal_vid *h, const sal_vid *c, sal_vid *out)
{
    static const int64_t by_batch[] = {2, 0, 1, 3}, swap[] = {1, 0, 2};
    bool turn = sal_node_int(n, "layout", 0) != 0;
    const sal_vid *last[2] = {h, c};
    if (sal_node_out(n, 0) != SAL_NONE) {
        out[0] = directions == 1 ? all[0] : sal_b_concat(b, directions, all, 1);
        if (turn)
            out[0] = sal_b_transpose(b, out[0], by_batch);
    }
    for (int i = 1; i < n->n_out && i < 3; i++) {
        if (n->out[i] == SAL_NONE)
            continue;
        out[i] = directions == 1 ? last[i - 1][0] : sal_b_concat(b, directions, last[i - 1], 0);
        if (turn)
            out[i] = sal_b_transpose(b, out[i], swap);
    }
}

sal_status sal_recurrent_expand(sal_builder *b, const sal_node *n, int gates, int functions,
                                const char *const *defaults, bool bias_in_x,
                                sal_recurrent_step step, sal_vid *out)
{
    static const int64_t swap[] = {1, 0, 2}, second[] = {1};
    bool by_batch = sal_node_int(n, "layout", 0) != 0;
    bool back = strcmp(sal_node_str(n, "direction", "forward"), "reverse") == 0;
    int directions = recurrent_directions(n);
    const sal_value *x0 = sal_val(b->g, n->in[0]), *r0 = sal_val(b->g, n->in[2]);
    int64_t steps = x0->rank == 3 ? x0->dims[by_batch ? 1 : 0] : -1;
    int64_t hidden = r0->rank == 3 ? r0->dims[2] : -1;
    sal_vid all[2], h[2], c[2] = {SAL_NONE, SAL_NONE}, *y = NULL;
    sal_status st = SAL_OK;
    if (steps < 1 || hidden < 1)
        return sal_fail(b->err, SAL_ESHAPE, "the length of the sequence is not known");
    if (steps > SAL_RECURRENT_STEPS_MAX)
        return sal_fail(b->err, SAL_EUNSUPPORTED, "%lld steps are more than %d", (long long)steps,
                        SAL_RECURRENT_STEPS_MAX);
    y = sal_malloc((size_t)steps * sizeof *y);
    if (y == NULL)
        return sal_fail_nomem(b->err);
    sal_vid x = by_batch ? sal_b_transpose(b, n->in[0], swap) : n->in[0];
    sal_vid mask = recurrent_mask(b, n, steps);
    for (int d = 0; d < directions; d++) {
        sal_recurrent s = {.b = b, .node = n, .gates = gates, .functions = functions};
        s.hidden = hidden;
        s.clip = sal_node_float(n, "clip", 0);
        SAL_TRY(activation_read(&s, d, directions, defaults, b->err));
        sal_vid xw = recurrent_inputs(&s, x, d, bias_in_x);
        s.h = recurrent_state(b, n, 5, d, by_batch);
        s.c = gates == 4 ? recurrent_state(b, n, 6, d, by_batch) : SAL_NONE;
        recurrent_walk(&s, xw, mask, steps, back || d == 1, step, y);
        SAL_TRY(b->st);
        h[d] = s.h;
        c[d] = s.c;
        all[d] = SAL_NONE;
        if (sal_node_out(n, 0) != SAL_NONE)
            all[d] = sal_b_unsqueeze(b, steps == 1 ? y[0] : sal_b_concat(b, (int)steps, y, 0), 1,
                                     second);
    }
    recurrent_finish(b, n, directions, all, h, c, out);
    st = b->st;
done:
    sal_free(y);
    return st;
}
