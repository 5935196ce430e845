/* Shapes, axes and broadcasting for the builder (ops/builder.h). */
#include "ops/builder.h"

static bool builder_known(sal_builder *b, sal_vid v, const char *what)
{
    if (b->st != SAL_OK)
        return false;
    if (sal_val(b->g, v)->rank >= 0)
        return true;
    b->st = sal_fail(b->err, SAL_ESHAPE,
                     "%s: the shape of '%s' is not known; give the model fixed input shapes", what,
                     sal_val(b->g, v)->name);
    return false;
}

sal_vid sal_b_shape_of(sal_builder *b, sal_vid x)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, x);
    if (sal_value_is_static(v))
        return sal_b_ints(b, v->dims, v->rank);
    return sal_b1(b, "Shape", x);
}

sal_vid sal_b_concat(sal_builder *b, int n, const sal_vid *in, int64_t axis)
{
    sal_attr a = SAL_AI("axis", axis);
    return n == 1 ? in[0] : sal_b_op(b, "Concat", n, in, 1, &a);
}

/* One dimension as an int64 tensor of one element: a number, or read off a value that has this
 * symbol. */
static sal_vid builder_dim(sal_builder *b, int64_t d, sal_vid from)
{
    if (d >= 0)
        return sal_b_ints(b, &d, 1);
    const sal_value *v = sal_val(b->g, from);
    for (int i = 0; i < v->rank; i++) {
        if (v->dims[i] == d) {
            sal_attr a[] = {SAL_AI("start", i), SAL_AI("end", i + 1)};
            return sal_b_op(b, "Shape", 1, &from, 2, a);
        }
    }
    char text[96];
    b->st = sal_fail(b->err, SAL_ESHAPE,
                     "no value at hand has the dimension %s; give the model fixed input shapes",
                     sal_dim_text(b->g, d, text, sizeof text));
    return SAL_NONE;
}

/* First dimension that is a symbol `from` does not have (a product, say), -1 when there is none. */
static int builder_missing(const sal_builder *b, int rank, const int64_t *dims, sal_vid from)
{
    const sal_value *v = sal_val(b->g, from);
    for (int i = 0; i < rank; i++) {
        bool found = dims[i] >= 0;
        for (int k = 0; k < v->rank && !found; k++)
            found = v->dims[k] == dims[i];
        if (!found)
            return i;
    }
    return -1;
}

sal_vid sal_b_reshape(sal_builder *b, sal_vid x, int rank, const int64_t *dims, sal_vid from)
{
    if (b->st != SAL_OK)
        return SAL_NONE;
    int symbols = 0, zeros = 0;
    for (int i = 0; i < rank; i++) {
        symbols += dims[i] < 0;
        zeros += dims[i] == 0;
    }
    sal_vid shape;
    if (symbols == 0 || (symbols == 1 && zeros == 0)) {
        int64_t spec[SAL_MAX_RANK];
        for (int i = 0; i < rank; i++)
            spec[i] = dims[i] < 0 ? -1 : dims[i];
        shape = sal_b_ints(b, spec, rank);
    } else {
        sal_vid parts[SAL_MAX_RANK];
        int rest = zeros == 0 ? builder_missing(b, rank, dims, from) : -1;
        const int64_t minus = -1;
        for (int i = 0; i < rank && b->st == SAL_OK; i++)
            parts[i] = i == rest ? sal_b_ints(b, &minus, 1) : builder_dim(b, dims[i], from);
        shape = b->st == SAL_OK ? sal_b_concat(b, rank, parts, 0) : SAL_NONE;
    }
    sal_attr zero = SAL_AI("allowzero", 1);
    sal_vid in[2] = {x, shape};
    sal_vid y = sal_b_op(b, "Reshape", 2, in, zeros > 0, &zero);
    if (b->st != SAL_OK)
        return SAL_NONE;
    /* A single -1 was a symbol that we know by name. */
    sal_value *v = sal_val(b->g, y);
    if (v->rank == rank && rank > 0) /* a scalar may come without dims */
        memcpy(v->dims, dims, (size_t)rank * sizeof *dims);
    return y;
}

sal_vid sal_b_reshape_like(sal_builder *b, sal_vid x, sal_vid like)
{
    if (!builder_known(b, like, "reshape"))
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, like);
    return sal_b_reshape(b, x, v->rank, v->dims, like);
}

sal_vid sal_b_transpose(sal_builder *b, sal_vid x, const int64_t *perm)
{
    if (!builder_known(b, x, "transpose"))
        return SAL_NONE;
    sal_attr a = SAL_AINTS("perm", perm, sal_val(b->g, x)->rank);
    return sal_b_op(b, "Transpose", 1, &x, 1, &a);
}

sal_vid sal_b_unsqueeze(sal_builder *b, sal_vid x, int n_axes, const int64_t *axes)
{
    return sal_b2(b, "Unsqueeze", x, sal_b_ints(b, axes, n_axes));
}

sal_vid sal_b_squeeze(sal_builder *b, sal_vid x, int n_axes, const int64_t *axes)
{
    return sal_b2(b, "Squeeze", x, sal_b_ints(b, axes, n_axes));
}

sal_vid sal_b_slice(sal_builder *b, sal_vid x, int64_t axis, int64_t start, int64_t end,
                    int64_t step)
{
    sal_vid in[5] = {x, sal_b_ints(b, &start, 1), sal_b_ints(b, &end, 1), sal_b_ints(b, &axis, 1),
                     sal_b_ints(b, &step, 1)};
    return sal_b_op(b, "Slice", 5, in, 0, NULL);
}

sal_vid sal_b_reduce(sal_builder *b, const char *op, sal_vid x, int n_axes, const int64_t *axes,
                     bool keepdims)
{
    sal_attr a = SAL_AI("keepdims", keepdims);
    sal_vid in[2] = {x, n_axes > 0 ? sal_b_ints(b, axes, n_axes) : SAL_NONE};
    return sal_b_op(b, op, 2, in, 1, &a);
}

sal_vid sal_b_cast(sal_builder *b, sal_vid x, sal_dtype dtype)
{
    if (b->st != SAL_OK || sal_val(b->g, x)->dtype == dtype)
        return x;
    sal_attr a = SAL_AI("to", (int64_t)dtype);
    return sal_b_op(b, "Cast", 1, &x, 1, &a);
}

sal_vid sal_b_sum_to(sal_builder *b, sal_vid g, sal_vid like)
{
    if (!builder_known(b, g, "gradient of a broadcast") ||
        !builder_known(b, like, "gradient of a broadcast"))
        return SAL_NONE;
    const sal_value *from = sal_val(b->g, g), *to = sal_val(b->g, like);
    int lead = from->rank - to->rank, n = 0;
    int64_t axes[SAL_MAX_RANK];
    if (lead < 0)
        return sal_b_expand_like(b, g, like);
    for (int i = 0; i < from->rank; i++) {
        int64_t have = from->dims[i], want = i < lead ? 1 : to->dims[i - lead];
        if (i >= lead && have == want)
            continue;
        if (i < lead || want == 1) {
            axes[n++] = i;
        } else if (have >= 0 && want >= 0) {
            b->st =
                sal_fail(b->err, SAL_ESHAPE, "gradient of '%s' does not have its shape", to->name);
            return SAL_NONE;
        }
        /* Two different symbols stand for one length here: the forward pass would have failed
         * otherwise. */
    }
    if (n > 0)
        g = sal_b_reduce(b, "ReduceSum", g, n, axes, true);
    return lead > 0 ? sal_b_reshape_like(b, g, like) : g;
}

static bool builder_same_dims(const sal_value *x, const sal_value *y)
{
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

sal_vid sal_b_expand_like(sal_builder *b, sal_vid x, sal_vid like)
{
    if (!builder_known(b, x, "broadcast") || !builder_known(b, like, "broadcast"))
        return SAL_NONE;
    if (builder_same_dims(sal_val(b->g, x), sal_val(b->g, like)))
        return x;
    sal_vid y = sal_b2(b, "Expand", x, sal_b_shape_of(b, like));
    if (b->st != SAL_OK)
        return SAL_NONE;
    const sal_value *v = sal_val(b->g, like);
    if (sal_val(b->g, y)->rank == v->rank)
        memcpy(sal_val(b->g, y)->dims, v->dims, sizeof v->dims);
    return y;
}

static sal_vid builder_filled_like(sal_builder *b, sal_vid like, double value)
{
    return sal_b_expand_like(b, sal_b_like(b, like, value), like);
}

sal_vid sal_b_zeros_like(sal_builder *b, sal_vid like)
{
    return builder_filled_like(b, like, 0.0);
}

sal_vid sal_b_ones_like(sal_builder *b, sal_vid like)
{
    return builder_filled_like(b, like, 1.0);
}

sal_vid sal_b_add_opt(sal_builder *b, sal_vid a, sal_vid c)
{
    if (a == SAL_NONE || c == SAL_NONE)
        return a == SAL_NONE ? c : a;
    return sal_b2(b, "Add", a, c);
}
