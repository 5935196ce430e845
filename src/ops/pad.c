/* Pad: more elements before and after each axis: a constant, the edge, a mirror image without the
 * edge, or the other end. Negative numbers take elements away. */
#include "ops/core/move.h"
#include "ops/upgrade.h"

static sal_status pad_upgrade(sal_upgrade *u)
{
    sal_status st;
    sal_vid x = sal_node_in(u->node, 0);
    sal_dtype dt = x == SAL_NONE ? SAL_DT_NONE : sal_val(u->g, x)->dtype;
    /* attributes before opset 11 */
    SAL_TRY(sal_upgrade_attr_to_input(u, "pads", 1, SAL_F32));
    SAL_TRY(sal_upgrade_attr_to_input(u, "value", 2, dt == SAL_DT_NONE ? SAL_F32 : dt));
done:
    return st;
}

typedef enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP } pad_mode;

static sal_status pad_mode_of(const sal_node *n, pad_mode *mode, sal_error *err)
{
    static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
    const char *s = sal_node_str(n, "mode", "constant");
    for (int i = 0; i < 4; i++) {
        *mode = (pad_mode)i;
        if (strcmp(s, names[i]) == 0)
            return SAL_OK;
    }
    return sal_fail(err, SAL_EINVAL, "mode '%s' is none of constant, edge, reflect, wrap", s);
}

/* Pads of every axis; *ok false when they are not known. */
static sal_status pad_read(const sal_infer *c, int rank, int64_t *begin, int64_t *end, bool *ok)
{
    int64_t pads[SAL_KNOWN_MAX], axes[SAL_KNOWN_MAX];
    int n, na = -1;
    bool symbolic, axes_symbolic = false;
    sal_status st;
    *ok = false;
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    SAL_TRY(sal_infer_ints(c, 1, pads, SAL_KNOWN_MAX, &n, &symbolic));
    if (sal_infer_in(c, 3) != NULL)
        SAL_TRY(sal_infer_ints(c, 3, axes, SAL_KNOWN_MAX, &na, &axes_symbolic));
    if (n < 0 || symbolic || axes_symbolic || (sal_infer_in(c, 3) != NULL && na < 0))
        goto done;
    int count = na >= 0 ? na : rank;
    if (n != 2 * count)
        return sal_fail(c->err, SAL_ESHAPE, "%d pads for %d axes; two an axis are needed", n,
                        count);
    for (int i = 0; i < count; i++) {
        int k;
        SAL_TRY(sal_infer_axis(c, na >= 0 ? axes[i] : i, rank, &k));
        begin[k] = pads[i];
        end[k] = pads[count + i];
        if (begin[k] > INT32_MAX || end[k] > INT32_MAX || begin[k] < -INT32_MAX ||
            end[k] < -INT32_MAX)
            return sal_fail(c->err, SAL_EINVAL, "a pad of more than 2^31 elements");
    }
    *ok = true;
done:
    return st;
}

static sal_status pad_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t begin[SAL_MAX_RANK], end[SAL_MAX_RANK], dims[SAL_MAX_RANK];
    bool ok;
    pad_mode mode;
    sal_status st;
    SAL_TRY(pad_mode_of(c->node, &mode, c->err));
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    SAL_TRY(pad_read(c, x->rank, begin, end, &ok));
    if (!ok)
        return sal_move_out_unknown(c, x->rank);
    for (int i = 0; i < x->rank; i++) {
        int64_t d = x->dims[i], p = begin[i] + end[i];
        if (d >= 0 && d + p < 0)
            return sal_fail(c->err, SAL_ESHAPE,
                            "axis %d has %lld elements, %lld are to be taken away", i, (long long)d,
                            (long long)-p);
        if (d == 0 && mode != PAD_CONSTANT && p > 0)
            return sal_fail(c->err, SAL_ESHAPE, "axis %d is empty, there is nothing to repeat", i);
        dims[i] = d >= 0 ? d + p : p == 0 ? d : sal_dim_fresh(c->g);
    }
    SAL_TRY(sal_infer_out(c, 0, x->dtype, x->rank, dims));
done:
    return st;
}

/* Which of n elements stands at position i of an axis padded by `begin`; -1 for the constant.
 * Negative pads are cut first: elements lo..hi-1 remain and are continued. */
static int64_t pad_source(pad_mode mode, int64_t n, int64_t begin, int64_t end, int64_t i)
{
    int64_t lo = begin < 0 ? -begin : 0, hi = end < 0 ? n + end : n, len = hi - lo;
    int64_t k = i - SAL_MAX(begin, 0);
    if (k >= 0 && k < len)
        return lo + k;
    if (mode == PAD_CONSTANT || len < 1)
        return -1;
    if (mode == PAD_EDGE)
        return k < 0 ? lo : hi - 1;
    int64_t period = mode == PAD_WRAP ? len : SAL_MAX(2 * (len - 1), 1);
    k = (k % period + period) % period;
    return lo + (k < len ? k : period - k);
}

static sal_status pad_map(pad_mode mode, int64_t n, int64_t begin, int64_t end, int64_t count,
                          int64_t **out, sal_error *err)
{
    int64_t *map = sal_malloc((size_t)SAL_MAX(count, 1) * sizeof *map);
    if (map == NULL)
        return sal_fail_nomem(err);
    for (int64_t i = 0; i < count; i++)
        map[i] = pad_source(mode, n, begin, end, i);
    *out = map;
    return SAL_OK;
}

/* The part that is copied unchanged. */
static void pad_interior(const sal_tensor *x, sal_tensor *y, const int64_t *begin,
                         const int64_t *end)
{
    size_t elem = sal_dtype_size(x->dtype);
    int64_t xs[SAL_MAX_RANK], ys[SAL_MAX_RANK], box[SAL_MAX_RANK], from = 0, to = 0;
    sal_move_strides(x->rank, x->dims, elem, xs);
    sal_move_strides(x->rank, y->dims, elem, ys);
    for (int i = 0; i < x->rank; i++) {
        int64_t lo = begin[i] < 0 ? -begin[i] : 0,
                hi = end[i] < 0 ? x->dims[i] + end[i] : x->dims[i];
        box[i] = SAL_MAX(hi - lo, 0);
        from += lo * xs[i];
        to += SAL_MAX(begin[i], 0) * ys[i];
    }
    if (sal_move_count(box, 0, x->rank) > 0)
        sal_move_box(elem, x->rank, box, (char *)y->data + to, ys, (const char *)x->data + from,
                     xs);
}

/* Continue axis by axis, from the last: rows of the result that already stand are repeated. */
static sal_status pad_continue(pad_mode mode, const sal_tensor *x, sal_tensor *y,
                               const int64_t *begin, const int64_t *end, sal_error *err)
{
    size_t elem = sal_dtype_size(x->dtype);
    for (int k = x->rank - 1; k >= 0; k--) {
        int64_t *map = NULL, n = y->dims[k], shift = SAL_MAX(begin[k], 0) - SAL_MAX(-begin[k], 0);
        sal_status st = pad_map(mode, x->dims[k], begin[k], end[k], n, &map, err);
        if (st != SAL_OK)
            return st;
        int64_t outer = sal_move_count(y->dims, 0, k);
        size_t run = (size_t)sal_move_count(y->dims, k + 1, y->rank) * elem;
        for (int64_t o = 0; run > 0 && o < outer; o++) {
            char *row = (char *)y->data + (size_t)(o * n) * run;
            for (int64_t i = 0; i < n; i++)
                if (map[i] >= 0 && map[i] + shift != i)
                    memcpy(row + (size_t)i * run, row + (size_t)(map[i] + shift) * run, run);
        }
        sal_free(map);
    }
    return SAL_OK;
}

static sal_status pad_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *pads = e->in[1], *axes = e->node->n_in > 3 ? e->in[3] : NULL;
    const sal_tensor *value = e->node->n_in > 2 ? e->in[2] : NULL;
    sal_tensor *y = e->out[0];
    int64_t begin[SAL_MAX_RANK] = {0}, end[SAL_MAX_RANK] = {0};
    int64_t n = axes != NULL ? sal_tensor_count(axes) : x->rank;
    pad_mode mode;
    sal_status st;
    SAL_TRY(pad_mode_of(e->node, &mode, e->err));
    if (sal_tensor_count(pads) != 2 * n)
        return sal_fail(e->err, SAL_ESHAPE, "%lld pads for %lld axes",
                        (long long)sal_tensor_count(pads), (long long)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i;
        if (axes != NULL)
            SAL_TRY(sal_move_index(axes, i, x->rank, &k, e->err));
        begin[k] = sal_move_int(pads, i);
        end[k] = sal_move_int(pads, n + i);
    }
    for (int k = 0; k < x->rank; k++)
        if (x->dims[k] + begin[k] + end[k] != y->dims[k])
            return sal_fail(e->err, SAL_ESHAPE, "the pads do not give the planned shape");
    if (mode == PAD_CONSTANT && value != NULL && sal_tensor_count(value) > 0)
        sal_move_fill(sal_dtype_size(y->dtype), y->data, sal_tensor_count(y), value->data);
    pad_interior(x, y, begin, end);
    if (mode != PAD_CONSTANT && sal_tensor_count(y) > 0)
        SAL_TRY(pad_continue(mode, x, y, begin, end, e->err));
done:
    return st;
}

/* Adjoint of constant padding by p: padding with zeros by -p (cropping), whatever the signs. The
 * other modes are a gather along each axis. */
static sal_status pad_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_value *x = sal_val(b->g, v->node->in[0]);
    sal_infer c = {b->g, v->node, b->err};
    int64_t begin[SAL_MAX_RANK], end[SAL_MAX_RANK];
    bool ok;
    pad_mode mode;
    sal_vid g = v->gout[0];
    sal_status st;
    SAL_TRY(pad_mode_of(v->node, &mode, b->err));
    if (x->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE, "the number of dimensions of the input must be known");
    SAL_TRY(pad_read(&c, x->rank, begin, end, &ok));
    if (!ok)
        return sal_fail(b->err, SAL_ESHAPE, "pads must be constants");
    if (mode == PAD_CONSTANT) {
        for (int i = 0; i < x->rank; i++) {
            begin[i] = -begin[i];
            end[i] = -end[i];
        }
        sal_vid inner = sal_move_pad(b, g, begin, end);
        if (v->need[0])
            v->gin[0] = inner;
        if (v->node->n_in > 2 &&
            v->need[2]) { /* what is not an element of the input is the constant */
            sal_vid sum = sal_b2(b, "Sub", sal_b_reduce(b, "ReduceSum", g, 0, NULL, false),
                                 sal_b_reduce(b, "ReduceSum", inner, 0, NULL, false));
            v->gin[2] = sal_b_reshape_like(b, sum, v->node->in[2]);
        }
        return b->st;
    }
    for (int k = 0; k < x->rank && v->need[0]; k++) {
        if (begin[k] == 0 && end[k] == 0)
            continue;
        if (x->dims[k] < 0)
            return sal_fail(b->err, SAL_ESHAPE, "axis %d is padded, its length must be known", k);
        int64_t *map = NULL, count = x->dims[k] + begin[k] + end[k];
        SAL_TRY(pad_map(mode, x->dims[k], begin[k], end[k], count, &map, b->err));
        sal_attr a[] = {SAL_AI("axis", k), SAL_AI("dim", x->dims[k])};
        sal_vid in[2] = {g, sal_b_ints(b, map, (int)count)};
        sal_free(map);
        g = sal_b_op(b, "GatherGrad", 2, in, 2, a);
    }
    if (v->need[0])
        v->gin[0] = g;
    st = b->st;
done:
    return st;
}

static const char *const pad_cases[] = {
    "f32[2,3] i64[4]{1,0,0,2}",
    "f32[2,3] i64[4]{0,1,2,0} f32[]{0.5}",
    "f32[2,3,4] i64[4]{1,-1,0,2} f32[]{-1} i64[2]{-1,0}",
    "f32[3,5] i64[4]{-1,1,0,-2}",
    "f32[3,5] i64[4]{2,3,1,2} ; mode=\"reflect\"",
    "f32[3,5] i64[4]{2,3,1,4} ; mode=\"edge\"",
    "f32[3,5] i64[4]{2,3,1,4} ; mode=\"wrap\"",
    "f32[1,2,4,4] i64[8]{0,0,1,1,0,0,2,2} ; mode=\"reflect\"",
    "f32[3,5] i64[4]{0,-1,0,2} ; mode=\"edge\"",
    "i64[2,2] i64[4]{1,1,1,1} i64[]{7} ; ; nograd",
    "u8[4] i64[2]{2,1} ; mode=\"edge\" ; nograd",
    NULL,
};

const sal_op_desc sal_op_pad = {
    .name = "Pad",
    .min_in = 2,
    .max_in = 4,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 19,
    .upgrade = pad_upgrade,
    .infer = pad_infer,
    .eval = pad_eval,
    .vjp = pad_vjp,
    .cases = pad_cases,
};
