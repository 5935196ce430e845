/* Planning and running windows (windows.h). */
#include "exec/windows.h"
#include "exec/windows_plan.h"
#include "graph/op.h"
#include "graph/passes/passes.h"

#include <math.h>
#include <omp.h>

/* ---- which operators ---- */

static double win_macs(const sal_graph *g, const sal_node *n)
{
    double out = (double)sal_value_count(sal_val(g, n->out[0]));

    if (strcmp(n->op->name, "Conv") == 0) {
        const sal_value *w = sal_val(g, n->in[1]);

        return out * (double)sal_value_count(w) / (double)w->dims[0];
    }
    if (strcmp(n->op->name, "MatMul") == 0 || strcmp(n->op->name, "Gemm") == 0) {
        const sal_value *a = sal_val(g, n->in[0]);

        return out * (double)a->dims[a->rank - 1];
    }
    return out;
}

/* Kernel, strides and pads of a convolution or pooling; false where a rule is not covered. */
static bool win_geometry(const sal_node *n, win_node *to, const int64_t *kernel)
{
    size_t count;
    const int64_t *strides = sal_node_ints(n, "strides", &count);
    const int64_t *dilations = sal_node_ints(n, "dilations", &count);
    const int64_t *pads = sal_node_ints(n, "pads", &count);

    if (strcmp(sal_node_str(n, "auto_pad", "NOTSET"), "NOTSET") != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        to->kernel[i] = (int32_t)kernel[i];
        to->stride[i] = strides == NULL ? 1 : (int32_t)strides[i];
        to->dilation[i] = dilations == NULL ? 1 : (int32_t)dilations[i];
        to->pad[i] = pads == NULL ? 0 : (int32_t)pads[i];
        if (kernel[i] < 1 || kernel[i] > 1024 || to->stride[i] < 1 || to->dilation[i] < 1 ||
            to->pad[i] < 0)
            return false;
    }
    return true;
}

/* Constant c of n as a vector of `size` floats; a scalar is repeated. NULL: it has another shape.
 */
static float *win_vector(const sal_graph *g, sal_vid v, int32_t size)
{
    const sal_tensor *t = v == SAL_NONE ? NULL : sal_val(g, v)->constant;
    float *out = NULL;

    if (t == NULL || (sal_tensor_count(t) != 1 && sal_tensor_count(t) != size))
        return NULL;
    out = sal_calloc((size_t)size, sizeof(*out));
    for (int32_t i = 0; out != NULL && i < size; i++)
        out[i] = (float)sal_tensor_get(t, sal_tensor_count(t) == 1 ? 0 : i);
    return out;
}

static bool win_read_conv(const sal_graph *g, const sal_node *n, win_node *to, const win_value *in)
{
    const sal_value *w = sal_val(g, n->in[1]);
    int64_t group = sal_node_int(n, "group", 1), m;

    if (w->constant == NULL || w->rank != 4 || !win_geometry(n, to, w->dims + 2))
        return false;
    m = w->dims[0];
    if (group == 1)
        to->kind = WIN_CONV;
    else if (group == in->c && m == in->c && w->dims[1] == 1)
        to->kind = WIN_DEPTHWISE;
    else
        return false;
    int64_t c = w->dims[1], taps = w->dims[2] * w->dims[3];
    to->a = sal_calloc((size_t)(m * c * taps), sizeof(*to->a));
    to->b = n->n_in > 2 && n->in[2] != SAL_NONE ? win_vector(g, n->in[2], (int32_t)m)
                                                : sal_calloc((size_t)m, sizeof(*to->b));
    if (to->a == NULL || to->b == NULL)
        return false;
    for (int64_t o = 0; o < m; o++) {
        for (int64_t i = 0; i < c; i++) {
            for (int64_t t = 0; t < taps; t++)
                to->a[(t * c + i) * m + o] =
                    (float)sal_tensor_get(w->constant, (o * c + i) * taps + t);
        }
    }
    return true;
}

static bool win_read_pool(const sal_node *n, win_node *to)
{
    size_t count;
    const int64_t *kernel = sal_node_ints(n, "kernel_shape", &count);

    to->kind = WIN_MAX_POOL;
    return count == 2 && n->n_out == 1 && win_geometry(n, to, kernel);
}

static bool win_read_clip(const sal_graph *g, const sal_node *n, win_node *to)
{
    to->kind = WIN_CLIP;
    to->low = strcmp(n->op->name, "Relu") == 0 ? 0.0F : -INFINITY;
    to->high = INFINITY;
    for (int i = 1; i < n->n_in; i++) {
        if (n->in[i] == SAL_NONE)
            continue;
        const sal_tensor *t = sal_val(g, n->in[i])->constant;
        if (t == NULL)
            return false;
        *(i == 1 ? &to->low : &to->high) = (float)sal_tensor_get(t, 0);
    }
    return true;
}

/* x op constant, with one number for all or one a channel. */
static bool win_read_affine(const sal_graph *g, const sal_node *n, win_node *to, int32_t c)
{
    int constant = sal_val(g, n->in[1])->constant != NULL ? 1 : 0;
    const sal_value *v = sal_val(g, n->in[constant]);
    bool mul = strcmp(n->op->name, "Mul") == 0;
    int axis = v->rank - 3;

    if (v->constant == NULL || v->rank > 4 ||
        (sal_value_count(v) > 1 && (axis < 0 || v->dims[axis] != c)))
        return false;
    to->kind = WIN_AFFINE;
    to->a = sal_calloc((size_t)c, sizeof(*to->a));
    to->b = sal_calloc((size_t)c, sizeof(*to->b));
    float *values = win_vector(g, n->in[constant], c);
    for (int32_t i = 0; values != NULL && to->a != NULL && to->b != NULL && i < c; i++) {
        to->a[i] = mul ? values[i] : 1.0F;
        to->b[i] = mul ? 0.0F : values[i];
    }
    bool good = values != NULL && to->a != NULL && to->b != NULL;
    sal_free(values);
    return good;
}

static bool win_read_norm(const sal_graph *g, const sal_node *n, win_node *to, int32_t c)
{
    double epsilon = sal_node_float(n, "epsilon", 1e-5);
    float *variance = win_vector(g, n->in[4], c), *mean = win_vector(g, n->in[3], c);

    to->kind = WIN_AFFINE;
    to->a = win_vector(g, n->in[1], c);
    to->b = win_vector(g, n->in[2], c);
    bool good = n->n_out == 1 && variance != NULL && mean != NULL && to->a != NULL && to->b != NULL;
    for (int32_t i = 0; good && i < c; i++) {
        double scale = (double)to->a[i] / sqrt((double)variance[i] + epsilon);

        to->a[i] = (float)scale;
        to->b[i] = (float)((double)to->b[i] - scale * (double)mean[i]);
    }
    sal_free(variance);
    sal_free(mean);
    return good;
}

/* Fill *to when the node can be computed in parts; its windowed inputs are in to->in. */
static bool win_read(const sal_windows *w, const sal_graph *g, const sal_node *n, win_node *to)
{
    const char *op = n->op->name;
    const win_value *in;

    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] != SAL_NONE && w->values[n->in[k]].windowed) {
            if (to->n_in == WIN_MAX_IN)
                return false;
            to->in[to->n_in++] = n->in[k];
        }
    }
    if (to->n_in == 0 || n->n_out < 1 || n->out[0] == SAL_NONE)
        return false;
    const sal_value *out = sal_val(g, n->out[0]);
    to->out = n->out[0];
    in = &w->values[to->in[0]];
    if (out->rank != 4 || out->dtype != SAL_F32 || !sal_value_is_static(out) || out->dims[0] != 1)
        return false;
    if (strcmp(op, "Conv") == 0)
        return to->n_in == 1 && n->in[0] == to->in[0] && win_read_conv(g, n, to, in);
    if (strcmp(op, "MaxPool") == 0)
        return win_read_pool(n, to);
    if (strcmp(op, "Relu") == 0 || strcmp(op, "Clip") == 0)
        return to->n_in == 1 && n->in[0] == to->in[0] && win_read_clip(g, n, to);
    if (strcmp(op, "BatchNormalization") == 0)
        return to->n_in == 1 && n->in[0] == to->in[0] && win_read_norm(g, n, to, in->c);
    if (strcmp(op, "Sigmoid") == 0 || strcmp(op, "HardSwish") == 0) {
        to->kind = op[0] == 'S' ? WIN_SIGMOID : WIN_HARD_SWISH;
        return true;
    }
    if (strcmp(op, "Concat") == 0) {
        to->kind = WIN_CONCAT;
        return to->n_in == n->n_in && (sal_node_int(n, "axis", 0) + 4) % 4 == 1;
    }
    if ((strcmp(op, "Add") == 0 || strcmp(op, "Mul") == 0) && to->n_in == 1)
        return n->in[0] != n->in[1] && win_read_affine(g, n, to, in->c);
    if (strcmp(op, "Add") == 0) {
        const win_value *other = &w->values[to->in[1]];

        to->kind = WIN_ADD;
        return other->c == in->c && other->h == in->h && other->w == in->w;
    }
    return false;
}

/* The output's kept values are read outside of the input's boxes. */
static bool win_fetches(const win_node *n)
{
    switch (n->kind) {
    case WIN_AFFINE:
    case WIN_CLIP:
    case WIN_SIGMOID:
    case WIN_HARD_SWISH:
        return false;
    case WIN_CONV:
        return n->kernel[0] * n->kernel[1] > 1 || n->pad[0] + n->pad[1] > 0;
    case WIN_DEPTHWISE:
    case WIN_MAX_POOL:
    case WIN_ADD:
    case WIN_CONCAT:
        break;
    }
    return true;
}

/* ---- planning ---- */

static bool win_value_set(sal_windows *w, const sal_graph *g, sal_vid v)
{
    const sal_value *x = sal_val(g, v);
    win_value *to = &w->values[v];

    if (x->rank != 4 || !sal_value_is_static(x) || x->dims[0] != 1 || x->dims[1] > INT32_MAX / 4 ||
        x->dims[2] > 65535 || x->dims[3] > 65535 || sal_value_count(x) > INT32_MAX / 2 ||
        sal_value_count(x) < 1 || x->dtype != SAL_F32)
        return false;
    *to = (win_value){.windowed = true,
                      .c = (int32_t)x->dims[1],
                      .h = (int32_t)x->dims[2],
                      .w = (int32_t)x->dims[3],
                      .last = -1};
    return true;
}

static sal_status win_nodes(sal_windows *w, const sal_graph *g, const uint8_t *need, sal_error *err)
{
    w->nodes = sal_calloc(g->n_nodes + 1, sizeof(*w->nodes));
    if (w->nodes == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        win_node *to = &w->nodes[w->n_nodes];

        if (n->n_out < 1 || n->out[0] == SAL_NONE || !need[n->out[0]])
            continue;
        w->macs += win_macs(g, n);
        if (!win_read(w, g, n, to) || !win_value_set(w, g, n->out[0])) {
            sal_free(to->a);
            sal_free(to->b);
            *to = (win_node){.n_in = 0};
            w->tail_macs += win_macs(g, n);
            continue;
        }
        to->macs = win_macs(g, n);
        for (int k = 0; k < to->n_in; k++) {
            w->values[to->in[k]].last = (int)w->n_nodes;
            w->values[to->in[k]].fetched |= win_fetches(to);
        }
        w->n_nodes++;
    }
    return SAL_OK;
}

/* Values that nodes outside of the plan read. */
static sal_status win_ends(sal_windows *w, const sal_graph *g, const uint8_t *need, sal_error *err)
{
    uint8_t *inside = sal_calloc(g->n_values + 1, 1);

    w->ends = sal_calloc(g->n_values + 1, sizeof(*w->ends));
    w->kept = sal_calloc(2 * g->n_values + 1, sizeof(*w->kept));
    if (inside == NULL || w->ends == NULL || w->kept == NULL) {
        sal_free(inside);
        return sal_fail_nomem(err);
    }
    for (size_t i = 0; i < w->n_nodes; i++)
        inside[w->nodes[i].out] = 1;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];

        if (n->n_out < 1 || n->out[0] == SAL_NONE || !need[n->out[0]] || inside[n->out[0]])
            continue;
        for (int k = 0; k < n->n_in; k++) {
            sal_vid v = n->in[k];
            bool known = v == SAL_NONE || !w->values[v].windowed;

            for (size_t e = 0; e < w->n_ends && !known; e++)
                known = w->ends[e] == v;
            if (!known)
                w->ends[w->n_ends++] = v;
        }
    }
    for (size_t v = 0; v < g->n_values; v++) {
        if (w->values[v].windowed && w->values[v].fetched && (sal_vid)v != w->input)
            w->kept[w->n_kept++] = (sal_vid)v;
    }
    for (size_t e = 0; e < w->n_ends; e++)
        w->kept[w->n_kept++] = w->ends[e];
    sal_free(inside);
    return SAL_OK;
}

/* The rest of the model reads the ends alone, and knows them by the same ids. */
static sal_status win_tail_reads(const sal_windows *w, const sal_graph *many, bool *good,
                                 sal_error *err)
{
    uint8_t *after = sal_calloc(many->n_values + 1, 1), *given = sal_calloc(many->n_values + 1, 1);

    *good = after != NULL && given != NULL;
    for (size_t e = 0; *good && e < w->n_ends; e++) {
        const win_value *v = &w->values[w->ends[e]];
        const sal_value *x = (size_t)w->ends[e] < many->n_values ? sal_val(many, w->ends[e]) : NULL;

        *good = x != NULL && x->rank == 4 && x->dims[0] == (int64_t)w->batch &&
                x->dims[1] == v->c && x->dims[2] == v->h && x->dims[3] == v->w &&
                w->ends[e] != w->input;
        if (*good)
            given[w->ends[e]] = 1;
    }
    if (*good)
        after[w->output] = 1;
    for (size_t i = many->n_nodes; *good && i-- > 0;) {
        const sal_node *n = many->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_out; k++)
            any = any || (n->out[k] != SAL_NONE && after[n->out[k]] && !given[n->out[k]]);
        for (int k = 0; any && k < n->n_in; k++) {
            if (n->in[k] != SAL_NONE)
                after[n->in[k]] = 1;
        }
    }
    for (size_t i = 0; *good && i < many->n_inputs; i++)
        *good = !after[many->inputs[i]];
    bool lost = after == NULL || given == NULL;
    sal_free(after);
    sal_free(given);
    return lost ? sal_fail_nomem(err) : SAL_OK;
}

static sal_status win_sessions(sal_windows *w, const sal_graph *one, const sal_graph *many,
                               const sal_session_opts *opts, sal_error *err)
{
    sal_graph *body = NULL, *tail = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(sal_graph_extract(&body, one, (int)w->n_kept, w->kept, err));
    SAL_TRY(sal_graph_cut(&tail, many, (int)w->n_ends, w->ends, 1, &w->output, err));
    w->tail_in = sal_calloc(w->n_ends + 1, sizeof(*w->tail_in));
    w->plain = sal_calloc(w->n_ends + 1, sizeof(*w->plain));
    if (w->tail_in == NULL || w->plain == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t e = 0; e < w->n_ends; e++) {
        const sal_value *v = sal_val(many, w->ends[e]);

        SAL_TRY(sal_tensor_new(&w->tail_in[e], SAL_F32, 4, v->dims, err));
        w->plain[e] = sal_calloc((size_t)sal_value_count(v) / w->batch, sizeof(float));
        if (w->plain[e] == NULL)
            SAL_TRY(sal_fail_nomem(err));
    }
    st = sal_session_take(&w->body, body, opts, err);
    body = NULL;
    SAL_TRY(st);
    st = sal_session_take(&w->tail, tail, opts, err);
    tail = NULL;
done:
    sal_graph_free(body);
    sal_graph_free(tail);
    return st;
}

static sal_status win_memory(sal_windows *w, sal_error *err)
{
    for (size_t v = 0; v < w->n_values; v++) {
        win_value *x = &w->values[v];

        if (!x->windowed)
            continue;
        x->box = sal_calloc(w->batch, sizeof(*x->box));
        x->at = sal_calloc(w->batch + 1, sizeof(*x->at));
        if (x->fetched)
            x->keep = sal_calloc((size_t)x->c * (size_t)x->h * (size_t)x->w, sizeof(*x->keep));
        if (x->box == NULL || x->at == NULL || (x->fetched && x->keep == NULL))
            return sal_fail_nomem(err);
    }
    return SAL_OK;
}

/* Values that the output depends on. */
static sal_status win_needed(const sal_graph *g, sal_vid output, uint8_t **need, sal_error *err)
{
    *need = sal_calloc(g->n_values + 1, 1);
    if (*need == NULL)
        return sal_fail_nomem(err);
    (*need)[output] = 1;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_out; k++)
            any = any || (n->out[k] != SAL_NONE && (*need)[n->out[k]]);
        for (int k = 0; any && k < n->n_in; k++) {
            if (n->in[k] != SAL_NONE)
                (*need)[n->in[k]] = 1;
        }
    }
    return SAL_OK;
}

sal_status sal_windows_new(sal_windows **out, const sal_graph *one, const sal_graph *many,
                           sal_vid input, sal_vid output, int64_t batch,
                           const sal_session_opts *opts, sal_error *err)
{
    sal_windows *w = sal_calloc(1, sizeof(*w));
    uint8_t *need = NULL;
    bool good = false;
    sal_status st = SAL_OK;

    *out = NULL;
    if (w == NULL)
        return sal_fail_nomem(err);
    w->batch = (size_t)batch;
    w->threads = opts->threads;
    w->input = input;
    w->output = output;
    w->n_values = one->n_values;
    w->values = sal_calloc(one->n_values + 1, sizeof(*w->values));
    if (w->values == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < one->n_inputs; i++)
        w->input_index = one->inputs[i] == input ? (int)i : w->input_index;
    if (opts->precision != SAL_F32 || !win_value_set(w, one, input))
        goto done;
    SAL_TRY(win_needed(one, output, &need, err));
    SAL_TRY(win_nodes(w, one, need, err));
    if (w->n_nodes == 0 || w->values[output].windowed)
        goto done;
    SAL_TRY(win_ends(w, one, need, err));
    SAL_TRY(win_tail_reads(w, many, &good, err));
    if (!good)
        goto done;
    SAL_TRY(win_sessions(w, one, many, opts, err));
    SAL_TRY(win_memory(w, err));
    *out = w;
    w = NULL;
done:
    sal_free(need);
    sal_windows_free(w);
    return st;
}

void sal_windows_free(sal_windows *w)
{
    if (w == NULL)
        return;
    for (size_t v = 0; w->values != NULL && v < w->n_values; v++) {
        sal_free(w->values[v].keep);
        sal_free(w->values[v].data);
        sal_free(w->values[v].box);
        sal_free(w->values[v].at);
    }
    for (size_t i = 0; w->nodes != NULL && i < w->n_nodes; i++) {
        sal_free(w->nodes[i].a);
        sal_free(w->nodes[i].b);
    }
    for (size_t e = 0; e < w->n_ends; e++) {
        if (w->tail_in != NULL)
            sal_tensor_free(&w->tail_in[e]);
        if (w->plain != NULL)
            sal_free(w->plain[e]);
    }
    for (size_t i = 0; i < w->n_spare; i++)
        sal_free(w->spare[i]);
    sal_session_free(w->body);
    sal_session_free(w->tail);
    sal_free(w->values);
    sal_free(w->nodes);
    sal_free(w->ends);
    sal_free(w->kept);
    sal_free(w->tail_in);
    sal_free(w->plain);
    sal_free(w->lines);
    sal_free(w->rows);
    sal_free(w->spare);
    sal_free(w->spare_room);
    sal_free(w);
}

/* ---- running ---- */

/* [c, h, w] as [h, w, c]. */
static void win_turn(const win_value *v, const float *from, float *to)
{
    int64_t n = (int64_t)v->h * v->w;

    for (int64_t p = 0; p < n; p++) {
        for (int32_t c = 0; c < v->c; c++)
            to[p * v->c + c] = from[c * n + p];
    }
}

sal_status sal_windows_keep(sal_windows *w, const sal_tensor *inputs, sal_error *err)
{
    sal_status st = SAL_OK;

    SAL_TRY(sal_session_run(w->body, inputs, err));
    if (w->values[w->input].keep != NULL)
        win_turn(&w->values[w->input], inputs[w->input_index].data, w->values[w->input].keep);
    for (size_t i = 0; i < w->n_kept; i++) {
        const sal_tensor *t = sal_session_output(w->body, i);
        size_t end = i - (w->n_kept - w->n_ends);

        if (i < w->n_kept - w->n_ends)
            win_turn(&w->values[w->kept[i]], t->data, w->values[w->kept[i]].keep);
        else
            memcpy(w->plain[end], t->data, sal_tensor_bytes(t));
    }
done:
    return st;
}

double sal_windows_share(const sal_windows *w, const sal_box *box)
{
    sal_box *boxes = sal_calloc(w->n_values + 1, sizeof(*boxes)), in[WIN_MAX_IN];
    double sum = w->tail_macs;

    if (boxes == NULL)
        return 1.0;
    boxes[w->input] = *box;
    for (size_t i = 0; i < w->n_nodes; i++) {
        const win_node *n = &w->nodes[i];
        const win_value *v = &w->values[n->out];

        for (int k = 0; k < n->n_in; k++)
            in[k] = boxes[n->in[k]];
        boxes[n->out] = win_reach(w, n, in);
        sum += n->macs * (double)win_area(&boxes[n->out]) / ((double)v->h * (double)v->w) *
               (n->kind == WIN_CONV ? 1.0 : 8.0);
    }
    sal_free(boxes);
    return sum / w->macs;
}

/* ---- buffers ---- */

static sal_status win_take(sal_windows *w, win_value *v, size_t floats, sal_error *err)
{
    size_t best = w->n_spare;

    floats = SAL_MAX(floats, 1);
    for (size_t i = 0; i < w->n_spare; i++) {
        if (w->spare_room[i] >= floats &&
            (best == w->n_spare || w->spare_room[i] < w->spare_room[best]))
            best = i;
    }
    if (best < w->n_spare) {
        v->data = w->spare[best];
        v->room = w->spare_room[best];
        w->n_spare--;
        w->spare[best] = w->spare[w->n_spare];
        w->spare_room[best] = w->spare_room[w->n_spare];
        return SAL_OK;
    }
    v->data = sal_aligned(floats * sizeof(float));
    if (v->data == NULL)
        return sal_fail_nomem(err);
    v->room = floats;
    return SAL_OK;
}

/* Few buffers of the sizes lately wanted stay; small ones go first. */
static sal_status win_give(sal_windows *w, win_value *v, sal_error *err)
{
    enum { WIN_SPARE = 8 };
    size_t least = 0;
    float *data = v->data;
    sal_status st = SAL_OK;

    v->data = NULL;
    if (data == NULL)
        return SAL_OK;
    if (w->n_spare == WIN_SPARE) {
        for (size_t i = 1; i < w->n_spare; i++)
            least = w->spare_room[i] < w->spare_room[least] ? i : least;
        sal_free(w->spare[least]);
        w->spare[least] = data;
        w->spare_room[least] = v->room;
        return SAL_OK;
    }
    if (w->spare == NULL) {
        w->spare = sal_calloc(WIN_SPARE, sizeof(*w->spare));
        w->spare_room = sal_calloc(WIN_SPARE, sizeof(*w->spare_room));
    }
    if (w->spare == NULL || w->spare_room == NULL) {
        sal_free(data);
        return sal_fail_nomem(err);
    }
    w->spare[w->n_spare] = data;
    w->spare_room[w->n_spare++] = v->room;
    return st;
}

static sal_status win_begin(sal_windows *w, const win_node *n, size_t changes, sal_error *err)
{
    win_value *out = &w->values[n->out];
    sal_box in[WIN_MAX_IN];

    for (size_t j = 0; j < changes; j++) {
        for (int k = 0; k < n->n_in; k++)
            in[k] = w->values[n->in[k]].box[j];
        out->box[j] = win_reach(w, n, in);
        out->at[j + 1] = out->at[j] + (size_t)win_area(&out->box[j]);
    }
    return win_take(w, out, out->at[changes] * (size_t)out->c, err);
}

static sal_status win_start(sal_windows *w, size_t n, const float *const *x, const sal_box *box,
                            sal_error *err)
{
    win_value *in = &w->values[w->input];
    size_t plane = (size_t)in->h * (size_t)in->w;
    sal_status st = SAL_OK;

    for (size_t j = 0; j < n; j++) {
        in->box[j] = box[j];
        in->at[j + 1] = in->at[j] + (size_t)win_area(&box[j]);
    }
    SAL_TRY(win_take(w, in, in->at[n] * (size_t)in->c, err));
    float *to = in->data;
    for (size_t j = 0; j < n; j++) {
        for (int32_t r = box[j].y0; r < box[j].y1; r++) {
            for (int32_t c = box[j].x0; c < box[j].x1; c++) {
                for (int32_t k = 0; k < in->c; k++)
                    *to++ = x[j][(size_t)k * plane + (size_t)(r * in->w + c)];
            }
        }
    }
done:
    return st;
}

/* Kept values with the boxes pasted over, [c, h, w] for each change. */
static void win_paste(sal_windows *w, size_t e, size_t n)
{
    const win_value *v = &w->values[w->ends[e]];
    size_t plane = (size_t)v->h * (size_t)v->w, one = plane * (size_t)v->c;

#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < n; j++) {
        float *to = (float *)w->tail_in[e].data + j * one;
        const float *from = v->data + v->at[j] * (size_t)v->c;
        const sal_box *b = &v->box[j];

        if ((size_t)win_area(b) < plane)
            memcpy(to, w->plain[e], one * sizeof(*to));
        for (int32_t c = 0; c < v->c; c++) {
            const float *pixel = from + c;

            for (int32_t y = b->y0; y < b->y1; y++) {
                for (int32_t x = b->x0; x < b->x1; x++, pixel += v->c)
                    to[(size_t)c * plane + (size_t)(y * v->w + x)] = *pixel;
            }
        }
    }
}

static bool win_is_end(const sal_windows *w, sal_vid v)
{
    for (size_t e = 0; e < w->n_ends; e++) {
        if (w->ends[e] == v)
            return true;
    }
    return false;
}

static sal_status win_all(sal_windows *w, size_t n, const float *const *x, const sal_box *box,
                          sal_error *err)
{
    sal_status st = SAL_OK;

    SAL_TRY(win_start(w, n, x, box, err));
    for (size_t i = 0; i < w->n_nodes; i++) {
        const win_node *node = &w->nodes[i];

        SAL_TRY(win_begin(w, node, n, err));
        SAL_TRY(win_compute(w, node, n, err));
        for (int k = 0; k < node->n_in; k++) {
            win_value *v = &w->values[node->in[k]];

            if (v->last == (int)i && !win_is_end(w, node->in[k]))
                SAL_TRY(win_give(w, v, err));
        }
    }
    for (size_t e = 0; e < w->n_ends; e++)
        win_paste(w, e, n);
    SAL_TRY(sal_session_run(w->tail, w->tail_in, err));
done:
    for (size_t v = 0; v < w->n_values; v++) {
        if (w->values[v].data != NULL && win_give(w, &w->values[v], err) != SAL_OK)
            st = SAL_ENOMEM;
    }
    return st;
}

sal_status sal_windows_run(sal_windows *w, size_t n, const float *const *x, const sal_box *box,
                           const sal_tensor **result, sal_error *err)
{
    int had = omp_get_max_threads();
    sal_status st;

    if (w->threads > 0)
        omp_set_num_threads(w->threads);
    st = win_all(w, n, x, box, err);
    omp_set_num_threads(had);
    *result = st == SAL_OK ? sal_session_output(w->tail, 0) : NULL;
    return st;
}
