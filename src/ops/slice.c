/* Slice: start, end and step along axes, as Python's x[start:end:step]. */
#include "ops/core/move.h"
#include "ops/upgrade.h"

/* One axis of `dim` elements: first element and number of elements. */
typedef struct slice_range {
    int64_t start, step, count;
} slice_range;

static sal_status slice_upgrade(sal_upgrade *u)
{
    sal_status st;
    /* attributes before opset 10 */
    SAL_TRY(sal_upgrade_attr_to_input(u, "starts", 1, SAL_F32));
    SAL_TRY(sal_upgrade_attr_to_input(u, "ends", 2, SAL_F32));
    SAL_TRY(sal_upgrade_attr_to_input(u, "axes", 3, SAL_F32));
done:
    return st;
}

static slice_range slice_resolve(int64_t dim, int64_t start, int64_t end, int64_t step)
{
    slice_range r = {.step = step};
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    if (start < 0)
        start += dim;
    if (end < 0)
        end += dim; /* cannot overflow: one of the two is negative */
    start = SAL_MAX(SAL_MIN(start, high), step > 0 ? 0 : SAL_MIN((int64_t)0, high));
    end = SAL_MAX(SAL_MIN(end, high), low);
    r.start = start;
    if (step > 0 && end > start)
        r.count = (end - start - 1) / step + 1;
    else if (step < 0 && start > end)
        r.count = (start - end - 1) / -(step + 1 == -INT64_MAX ? step + 1 : step) + 1;
    return r;
}

/* ---- inference ---- */

typedef struct slice_args {
    int n; /* number of axes, -1 when unknown */
    int axis[SAL_MAX_RANK];
    bool have; /* starts, ends and steps are known (maybe as symbols) */
    int64_t start[SAL_MAX_RANK], end[SAL_MAX_RANK], step[SAL_MAX_RANK];
} slice_args;

static sal_status slice_list(const sal_infer *c, int i, int64_t *v, int *n)
{
    int64_t buf[SAL_KNOWN_MAX];
    sal_status st;
    SAL_TRY(sal_infer_known_in(c, i, buf, n));
    if (*n > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_ESHAPE,
                        "input %d has %d elements, more than any tensor has axes", i, *n);
    for (int k = 0; k < *n; k++)
        v[k] = buf[k];
done:
    return st;
}

/* start and end stay in the encoding of `known`; steps are numbers. */
static sal_status slice_read(const sal_infer *c, int rank, slice_args *a)
{
    const sal_value *starts = sal_infer_in(c, 1);
    int64_t axes[SAL_MAX_RANK];
    int ns, ne, na = -1, nt = -1;
    sal_status st = SAL_OK;
    a->n = -1;
    a->have = false;
    SAL_TRY(slice_list(c, 1, a->start, &ns));
    SAL_TRY(slice_list(c, 2, a->end, &ne));
    if (sal_infer_in(c, 3) != NULL)
        SAL_TRY(slice_list(c, 3, axes, &na));
    if (sal_infer_in(c, 4) != NULL)
        SAL_TRY(slice_list(c, 4, a->step, &nt));
    int n = ns >= 0 ? ns : ne >= 0 ? ne : na;
    if (n < 0 && starts->rank == 1 && starts->dims[0] >= 0 && starts->dims[0] <= SAL_MAX_RANK)
        n = (int)starts->dims[0];
    if (n < 0 || (sal_infer_in(c, 3) != NULL && na < 0))
        goto done;
    if ((na >= 0 && na != n) || (nt >= 0 && nt != n) || (ns >= 0 && ns != n) ||
        (ne >= 0 && ne != n) || n > rank)
        return sal_fail(c->err, SAL_ESHAPE, "starts, ends, axes and steps differ in length");
    for (int i = 0; i < n; i++) {
        SAL_TRY(sal_infer_axis(c, na >= 0 ? sal_known_decode(axes[i]) : i, rank, &a->axis[i]));
        if (sal_infer_in(c, 4) == NULL)
            a->step[i] = 1;
        else if (nt >= 0)
            a->step[i] = sal_known_decode(a->step[i]);
        if ((nt >= 0 || sal_infer_in(c, 4) == NULL) && a->step[i] == 0)
            return sal_fail(c->err, SAL_EINVAL, "a step of 0");
    }
    a->n = n;
    a->have = ns >= 0 && ne >= 0 && (nt >= 0 || sal_infer_in(c, 4) == NULL);
done:
    return st;
}

static bool slice_number(int64_t k, int64_t *v)
{
    *v = sal_known_decode(k);
    return sal_known_is_number(k);
}

/* Length along one axis; *full when it is the whole axis in order. */
static int64_t slice_length(sal_graph *g, int64_t dim, int64_t ks, int64_t ke, int64_t step,
                            bool *full)
{
    const int64_t far = INT32_MAX - 1;
    int64_t s = 0, e = 0;
    bool ns = slice_number(ks, &s), ne = slice_number(ke, &e);
    *full = ns && s == 0 && step == 1 && (ke == dim || (ne && e >= far));
    if (*full)
        return dim;
    if (ns && ne && dim >= 0) {
        slice_range r = slice_resolve(dim, s, e, step);
        *full = r.count == dim && step == 1;
        return r.count;
    }
    if (ns && s == 0 && step == 1 && !ne) /* x[:S]: the model means S not to exceed the axis */
        return ke;
    if (ns && ne && step == 1 && ((s == 0 && e == 1) || (s == -1 && e >= far)))
        return 1; /* the first or last of a named dimension, which is not 0 */
    if (ns && ne && step == -1 && (s == -1 || s >= far) && e <= -far)
        return dim;
    return sal_dim_fresh(g);
}

static sal_status slice_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK], known[SAL_KNOWN_MAX], part[SAL_KNOWN_MAX];
    slice_args a;
    int n;
    bool full;
    sal_status st;
    if (x->rank < 0)
        return sal_infer_out(c, 0, x->dtype, -1, NULL);
    SAL_TRY(slice_read(c, x->rank, &a));
    if (a.n < 0)
        return sal_move_out_unknown(c, x->rank);
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < a.n; i++)
        dims[a.axis[i]] =
            a.have ? slice_length(c->g, x->dims[a.axis[i]], a.start[i], a.end[i], a.step[i], &full)
                   : sal_dim_fresh(c->g);
    SAL_TRY(sal_infer_out(c, 0, x->dtype, x->rank, dims));
    SAL_TRY(sal_infer_known_in(c, 0, known, &n));
    int64_t s, e;
    if (n < 0 || x->rank != 1 || !a.have || a.n != 1 || !slice_number(a.start[0], &s) ||
        !slice_number(a.end[0], &e))
        goto done;
    slice_range r = slice_resolve(n, s, e, a.step[0]);
    for (int64_t i = 0; i < r.count; i++)
        part[i] = known[r.start + i * r.step];
    SAL_TRY(sal_infer_known_out(c, 0, part, (int)r.count));
done:
    return st;
}

/* ---- value ---- */

static sal_status slice_eval(const sal_eval *e)
{
    const sal_tensor *x = e->in[0], *starts = e->in[1], *ends = e->in[2];
    const sal_tensor *axes = e->node->n_in > 3 ? e->in[3] : NULL,
                     *steps = e->node->n_in > 4 ? e->in[4] : NULL;
    sal_tensor *y = e->out[0];
    size_t elem = sal_dtype_size(x->dtype);
    int64_t xs[SAL_MAX_RANK], ys[SAL_MAX_RANK], offset = 0, n = sal_tensor_count(starts);
    if (sal_tensor_count(ends) != n || (axes != NULL && sal_tensor_count(axes) != n) ||
        (steps != NULL && sal_tensor_count(steps) != n) || n > x->rank)
        return sal_fail(e->err, SAL_ESHAPE, "starts, ends, axes and steps differ in length");
    sal_move_strides(x->rank, x->dims, elem, xs);
    sal_move_strides(y->rank, y->dims, elem, ys);
    if (sal_tensor_count(y) == 0)
        return SAL_OK;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = axes != NULL ? sal_move_int(axes, i) : i;
        k = k < 0 ? k + x->rank : k;
        int64_t step = steps != NULL ? sal_move_int(steps, i) : 1;
        if (k < 0 || k >= x->rank || step == 0)
            return sal_fail(e->err, SAL_EINVAL, "an axis outside the input or a step of 0");
        slice_range r =
            slice_resolve(x->dims[k], sal_move_int(starts, i), sal_move_int(ends, i), step);
        if (r.count != y->dims[k])
            return sal_fail(e->err, SAL_ESHAPE, "axis %lld gives %lld elements, %lld were planned",
                            (long long)k, (long long)r.count, (long long)y->dims[k]);
        offset += r.start * xs[k];
        xs[k] *= r.count > 1 ? r.step : 1;
    }
    sal_move_box(elem, y->rank, y->dims, y->data, ys, (const char *)x->data + offset, xs);
    return SAL_OK;
}

/* ---- derivative: put the gradient back where the elements came from, zeros elsewhere ---- */

/* g with step-1 zeros behind every element of the axis but the last. */
static sal_vid slice_dilate(sal_builder *b, sal_vid g, int axis, int64_t count, int64_t step)
{
    int64_t dims[SAL_MAX_RANK], begin[SAL_MAX_RANK] = {0}, end[SAL_MAX_RANK] = {0};
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *x = sal_val(b->g, g);
    int rank = x->rank,
        wide = axis + 1 < rank ? axis + 1 : axis; /* the zeros go before the next axis */
    memcpy(dims, x->dims, sizeof dims);
    /* Behind element i stand (step-1) rows of the inner axes: seen as [count, inner] that is
     * padding of a row from inner to step*inner; with the axis last, [count, 1] to [count, step].
     */
    if (rank == SAL_MAX_RANK && wide == axis) {
        sal_move_fail(b, SAL_ESHAPE, "a step over the last of 8 axes has no derivative here");
        return SAL_NONE;
    }
    if (wide == axis) {
        int64_t at = rank;
        sal_vid u = sal_b_unsqueeze(b, g, 1, &at);
        end[rank] = step - 1;
        u = sal_move_pad(b, u, begin, end);
        dims[axis] = count * step;
        return sal_b_reshape(b, u, rank, dims, g);
    }
    if (dims[wide] < 0) {
        sal_move_fail(b, SAL_ESHAPE, "a step needs a known length of the axis behind it");
        return SAL_NONE;
    }
    end[wide] = (step - 1) * dims[wide];
    sal_vid u = sal_move_pad(b, g, begin, end);
    dims[axis] = count * step;
    return sal_b_reshape(b, u, rank, dims, g);
}

static sal_status slice_vjp(sal_vjp *v)
{
    sal_builder *b = v->b;
    const sal_value *x = sal_val(b->g, v->node->in[0]);
    sal_infer c = {b->g, v->node, b->err};
    int64_t begin[SAL_MAX_RANK] = {0}, end[SAL_MAX_RANK] = {0};
    slice_args a;
    sal_status st = SAL_OK;
    sal_vid g = v->gout[0];
    if (!v->need[0])
        return SAL_OK;
    if (x->rank < 0)
        return sal_fail(b->err, SAL_ESHAPE, "the number of dimensions of the input must be known");
    SAL_TRY(slice_read(&c, x->rank, &a));
    if (a.n < 0 || !a.have)
        return sal_fail(b->err, SAL_ESHAPE, "starts, ends, axes and steps must be constants");
    for (int i = 0; i < a.n; i++) {
        int k = a.axis[i];
        int64_t s, e;
        bool full;
        slice_length(b->g, x->dims[k], a.start[i], a.end[i], a.step[i], &full);
        if (full)
            continue;
        if (!slice_number(a.start[i], &s) || !slice_number(a.end[i], &e) || x->dims[k] < 0)
            return sal_fail(b->err, SAL_ESHAPE,
                            "axis %d is cut at places that are not known; fix its length when "
                            "the model is loaded",
                            k);
        slice_range r = slice_resolve(x->dims[k], s, e, a.step[i]);
        if (r.count == 0) { /* nothing was taken anywhere */
            v->gin[0] = SAL_NONE;
            return SAL_OK;
        }
        if (r.step < 0 && r.count > 1) { /* the same elements, rising */
            g = sal_b_slice(b, g, k, -1, INT64_MIN, -1);
            r.start += (r.count - 1) * r.step;
            r.step = -r.step;
        }
        int64_t span = r.count;
        if (r.step > 1 && r.count > 1) {
            g = slice_dilate(b, g, k, r.count, r.step);
            span = r.count * r.step;
        }
        begin[k] = r.start;
        end[k] = x->dims[k] - r.start - span; /* may crop zeros again */
    }
    v->gin[0] = sal_move_pad(b, g, begin, end);
    st = b->st;
done:
    return st;
}

static const char *const slice_cases[] = {
    "f32[5,6] i64[2]{1,0} i64[2]{4,5}",
    "f32[5,6] i64[1]{-3} i64[1]{9223372036854775807} i64[1]{-1}",
    "f32[5,6] i64[1]{1} i64[1]{6} i64[1]{1} i64[1]{2}",
    "f32[7,2,3] i64[1]{0} i64[1]{7} i64[1]{0} i64[1]{3}",
    "f32[2,7,3] i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{1} i64[1]{-2}",
    "f32[2,6] i32[2]{5,0} i32[2]{-100,1} i32[2]{1,0} i32[2]{-1,1}",
    "f32[4] i64[1]{2} i64[1]{1} ; ; nograd",
    "u8[3,3] i64[1]{0} i64[1]{2} _ i64[1]{2} ; ; nograd",
    "i64[6] i64[1]{-4} i64[1]{-1} ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_slice = {
    .name = "Slice",
    .min_in = 3,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_MOVE,
    .since = 13,
    .upgrade = slice_upgrade,
    .infer = slice_infer,
    .eval = slice_eval,
    .vjp = slice_vjp,
    .cases = slice_cases,
};
