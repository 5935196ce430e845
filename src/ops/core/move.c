/* Strided copies and small helpers of the operators that move data. */
#include "ops/core/move.h"

#include <stdio.h>

/* Edge of the square tiles in which two axes are exchanged: 32 rows of 32 elements fit the
 * first-level cache. */
#define MOVE_TILE 32

void sal_move_strides(int rank, const int64_t *dims, size_t elem, int64_t *stride)
{
    int64_t s = (int64_t)elem;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = s;
        s *= dims[i];
    }
}

int64_t sal_move_count(const int64_t *dims, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= dims[i];
    return n;
}

/* ---- copies ---- */

#define MOVE_RUN(size)                                                                             \
    for (int64_t i = 0; i < n; i++)                                                                \
    memcpy(dst + i * ds, src + i * ss, (size))
#define MOVE_FILL(type)                                                                            \
    do {                                                                                           \
        type v;                                                                                    \
        memcpy(&v, value, sizeof v);                                                               \
        for (int64_t i = 0; i < n; i++)                                                            \
            memcpy((char *)dst + i * (int64_t)sizeof v, &v, sizeof v);                             \
    } while (0)

void sal_move_fill(size_t elem, void *dst, int64_t n, const void *value)
{
    switch (elem) {
    case 1:
        memset(dst, *(const unsigned char *)value, (size_t)n);
        break;
    case 2:
        MOVE_FILL(uint16_t);
        break;
    case 4:
        MOVE_FILL(uint32_t);
        break;
    default:
        MOVE_FILL(uint64_t);
        break;
    }
}

static void move_run(size_t elem, int64_t n, char *dst, int64_t ds, const char *src, int64_t ss)
{
    if (ds == (int64_t)elem && ss == ds) {
        memcpy(dst, src, (size_t)n * elem);
        return;
    }
    if (ds == (int64_t)elem && ss == 0) {
        sal_move_fill(elem, dst, n, src);
        return;
    }
    switch (elem) {
    case 1:
        MOVE_RUN(1);
        break;
    case 2:
        MOVE_RUN(2);
        break;
    case 4:
        MOVE_RUN(4);
        break;
    default:
        MOVE_RUN(8);
        break;
    }
}

/* dst[r][c] = src[c][r]: the source is contiguous along r, the destination along c. Source rows
 * that are a multiple of 2 KiB apart push each other out of the cache: such tiles pass through a
 * dense buffer. */
static void move_exchange(size_t elem, int64_t rows, int64_t cols, char *dst, int64_t dst_row,
                          const char *src, int64_t src_col)
{
    char tile[MOVE_TILE * MOVE_TILE * sizeof(uint64_t)];
    int64_t e = (int64_t)elem, pitch = MOVE_TILE * e;
    bool buffered = src_col % 2048 == 0 && rows >= MOVE_TILE / 2;
    for (int64_t r0 = 0; r0 < rows; r0 += MOVE_TILE) {
        int64_t h = SAL_MIN((int64_t)MOVE_TILE, rows - r0);
        for (int64_t c0 = 0; c0 < cols; c0 += MOVE_TILE) {
            int64_t w = SAL_MIN((int64_t)MOVE_TILE, cols - c0);
            const char *from = src + r0 * e + c0 * src_col;
            char *to = dst + r0 * dst_row + c0 * e;
            for (int64_t c = 0; buffered && c < w; c++)
                memcpy(tile + c * pitch, from + c * src_col, (size_t)(h * e));
            for (int64_t r = 0; r < h; r++)
                move_run(elem, w, to + r * dst_row, e, (buffered ? tile : from) + r * e,
                         buffered ? pitch : src_col);
        }
    }
}

typedef struct move_axes {
    int rank;
    int64_t dims[SAL_MOVE_RANK], ds[SAL_MOVE_RANK], ss[SAL_MOVE_RANK];
} move_axes;

/* Drop axes of one element and merge neighbours that are contiguous on both sides. False: nothing
 * to copy. */
static bool move_merge(move_axes *a, int rank, const int64_t *dims, const int64_t *ds,
                       const int64_t *ss)
{
    a->rank = 0;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0)
            return false;
        if (dims[i] == 1)
            continue;
        int k = a->rank - 1;
        if (k >= 0 && a->ds[k] == ds[i] * dims[i] && a->ss[k] == ss[i] * dims[i]) {
            a->dims[k] *= dims[i];
            a->ds[k] = ds[i];
            a->ss[k] = ss[i];
            continue;
        }
        a->dims[a->rank] = dims[i];
        a->ds[a->rank] = ds[i];
        a->ss[a->rank++] = ss[i];
    }
    return true;
}

/* Take axis k out of the list. */
static void move_drop(move_axes *a, int k)
{
    for (int i = k; i + 1 < a->rank; i++) {
        a->dims[i] = a->dims[i + 1];
        a->ds[i] = a->ds[i + 1];
        a->ss[i] = a->ss[i + 1];
    }
    a->rank--;
}

void sal_move_box(size_t elem, int rank, const int64_t *dims, void *dst, const int64_t *dst_stride,
                  const void *src, const int64_t *src_stride)
{
    move_axes a;
    int64_t at[SAL_MOVE_RANK] = {0};
    int64_t e = (int64_t)elem, n = 1, nd = e, ns = e, m = 1, md = 0;
    char *d = dst;
    const char *s = src;
    if (!move_merge(&a, rank, dims, dst_stride, src_stride))
        return;
    if (a.rank > 0) { /* the innermost axis is the run */
        int k = a.rank - 1;
        n = a.dims[k];
        nd = a.ds[k];
        ns = a.ss[k];
        move_drop(&a, k);
    }
    bool exchange = false;
    for (int k = a.rank - 1; nd == e && ns != e && ns != 0 && k >= 0 && !exchange; k--) {
        exchange = a.ss[k] == e;
        if (exchange) {
            m = a.dims[k];
            md = a.ds[k];
            move_drop(&a, k);
        }
    }
    for (;;) {
        if (exchange)
            move_exchange(elem, m, n, d, md, s, ns);
        else
            move_run(elem, n, d, nd, s, ns);
        int k = a.rank - 1;
        for (; k >= 0; k--) { /* next position of the outer axes */
            d += a.ds[k];
            s += a.ss[k];
            if (++at[k] < a.dims[k])
                break;
            d -= a.ds[k] * a.dims[k];
            s -= a.ss[k] * a.dims[k];
            at[k] = 0;
        }
        if (k < 0)
            break;
    }
}

sal_status sal_move_all(sal_tensor *out, const sal_tensor *in, sal_error *err)
{
    size_t bytes = sal_tensor_bytes(in);
    if (bytes != sal_tensor_bytes(out))
        return sal_fail(err, SAL_ESHAPE, "the input has %lld elements, the output %lld",
                        (long long)sal_tensor_count(in), (long long)sal_tensor_count(out));
    if (bytes > 0)
        memcpy(out->data, in->data, bytes);
    return SAL_OK;
}

/* ---- integers ---- */

int64_t sal_move_int(const sal_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case SAL_I64:
        return ((const int64_t *)t->data)[i];
    case SAL_I32:
        return ((const int32_t *)t->data)[i];
    default:
        return (int64_t)sal_tensor_get(t, i);
    }
}

sal_status sal_move_index(const sal_tensor *t, int64_t i, int64_t dim, int64_t *out, sal_error *err)
{
    int64_t v = sal_move_int(t, i);
    *out = v < 0 ? v + dim : v;
    if (v < -dim || v >= dim)
        return sal_fail(err, SAL_EINVAL, "index %lld is outside an axis of %lld elements",
                        (long long)v, (long long)dim);
    return SAL_OK;
}

/* ---- symbolic dimensions ---- */

int64_t sal_move_product(sal_graph *g, int n, const int64_t *dims)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++)
        p = sal_dim_mul(g, p, dims[i]);
    return p;
}

bool sal_move_is_unknown(const sal_graph *g, int64_t d)
{
    return SAL_DIM_IS_SYMBOL(d) && g->symbols[g->symbols[-1 - d].base].name[0] == '?';
}

/* A product as coefficient times free symbols. */
typedef struct move_monomial {
    int64_t coeff;
    int n;
    int32_t base[SAL_MAX_RANK];
} move_monomial;

/* False on overflow. */
static bool move_monomial_of(const sal_graph *g, int n, const int64_t *dims, int skip,
                             move_monomial *m)
{
    m->coeff = 1;
    m->n = 0;
    for (int i = 0; i < n; i++) {
        if (i == skip)
            continue;
        int64_t f = dims[i];
        if (SAL_DIM_IS_SYMBOL(f)) {
            const sal_symbol *s = &g->symbols[-1 - f];
            m->base[m->n++] = s->base;
            f = s->coeff;
        }
        if (f != 0 && m->coeff > INT64_MAX / f)
            return false;
        m->coeff *= f;
    }
    return true;
}

static void move_cancel(move_monomial *a, move_monomial *b)
{
    for (int i = 0; i < a->n; i++) {
        for (int k = 0; k < b->n; k++) {
            if (a->base[i] != b->base[k])
                continue;
            a->base[i--] = a->base[--a->n];
            b->base[k] = b->base[--b->n];
            break;
        }
    }
}

sal_status sal_move_solve(sal_graph *g, int na, const int64_t *a, int nb, const int64_t *b, int at,
                          int64_t *out, sal_error *err)
{
    move_monomial p, q;
    if (!move_monomial_of(g, na, a, -1, &p) || !move_monomial_of(g, nb, b, at, &q))
        return sal_fail(err, SAL_ESHAPE, "the number of elements overflows");
    move_cancel(&p, &q);
    bool exact = q.coeff != 0 && p.coeff % q.coeff == 0;
    if (p.n == 0 && q.n == 0 && !exact && (q.coeff != 0 || p.coeff != 0))
        return sal_fail(
            err, SAL_ESHAPE,
            "%lld elements (times symbols common to both) do not divide by %lld; one dimension "
            "cannot be solved for",
            (long long)p.coeff, (long long)q.coeff);
    if (q.n > 0 || p.n > 1 || !exact)
        *out = q.coeff == 0 ? 0 : sal_dim_fresh(g);
    else if (p.n == 0)
        *out = p.coeff / q.coeff;
    else
        *out = sal_dim_mul(g, -1 - (int64_t)p.base[0], p.coeff / q.coeff);
    return SAL_OK;
}

sal_status sal_move_out_unknown(sal_infer *c, int rank)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[SAL_MAX_RANK];
    if (rank > SAL_MAX_RANK)
        return sal_fail(c->err, SAL_EUNSUPPORTED,
                        "a result with %d dimensions; at most %d are possible", rank, SAL_MAX_RANK);
    for (int i = 0; i < rank; i++)
        dims[i] = sal_dim_fresh(c->g);
    return sal_infer_out(c, 0, x->dtype, rank, dims);
}

/* ---- graph building ---- */

void sal_move_fail(sal_builder *b, sal_status st, const char *text)
{
    if (b->st == SAL_OK)
        b->st = sal_fail(b->err, st, "%s: %s", b->origin != NULL ? b->origin : "gradient", text);
}

/* One symbolic dimension as a list of one element, from the shape of `from`. */
static sal_vid move_symbol(sal_builder *b, int64_t d, sal_vid from, sal_vid shape)
{
    const sal_value *x = sal_val(b->g, from);
    const sal_symbol s = b->g->symbols[-1 - d];
    for (int pass = 0; pass < 2;
         pass++) { /* the dimension itself, else one that it is a multiple of */
        for (int i = 0; i < x->rank; i++) {
            if (!SAL_DIM_IS_SYMBOL(x->dims[i]))
                continue;
            const sal_symbol t = b->g->symbols[-1 - x->dims[i]];
            if (pass == 0 ? x->dims[i] != d : t.base != s.base || s.coeff % t.coeff != 0)
                continue;
            sal_vid v = sal_b_slice(b, shape, 0, i, i + 1, 1);
            int64_t ratio = s.coeff / t.coeff;
            return ratio == 1 ? v : sal_b2(b, "Mul", v, sal_b_ints(b, &ratio, 1));
        }
    }
    char what[96], text[256];
    sal_dim_text(b->g, d, what, sizeof what);
    snprintf(text, sizeof text, "the dimension %s must be known; fix it when the model is loaded",
             what);
    sal_move_fail(b, SAL_ESHAPE, text);
    return SAL_NONE;
}

sal_vid sal_move_dims(sal_builder *b, int rank, const int64_t *dims, sal_vid from)
{
    sal_vid part[SAL_MAX_RANK];
    int n = 0, first = 0;
    bool symbolic = false;
    if (b->st != SAL_OK)
        return SAL_NONE;
    for (int i = 0; i < rank; i++)
        symbolic = symbolic || SAL_DIM_IS_SYMBOL(dims[i]);
    if (!symbolic)
        return sal_b_ints(b, dims, rank);
    sal_vid shape = sal_b1(b, "Shape", from);
    for (int i = 0; i <= rank; i++) {
        if (i < rank && !SAL_DIM_IS_SYMBOL(dims[i]))
            continue;
        if (i > first)
            part[n++] = sal_b_ints(b, dims + first, i - first);
        if (i < rank)
            part[n++] = move_symbol(b, dims[i], from, shape);
        first = i + 1;
    }
    return n == 1 ? part[0] : sal_b_concat(b, n, part, 0);
}

sal_vid sal_move_zeros(sal_builder *b, sal_dtype dtype, int rank, const int64_t *dims, sal_vid from)
{
    return sal_b2(b, "Expand", sal_b_scalar(b, dtype, 0.0), sal_move_dims(b, rank, dims, from));
}

sal_vid sal_move_pad(sal_builder *b, sal_vid x, const int64_t *begin, const int64_t *end)
{
    int64_t pads[2 * SAL_MAX_RANK];
    bool any = false;
    if (b->st != SAL_OK)
        return SAL_NONE;
    int rank = sal_val(b->g, x)->rank;
    for (int i = 0; i < rank; i++) {
        pads[i] = begin[i];
        pads[rank + i] = end[i];
        any = any || begin[i] != 0 || end[i] != 0;
    }
    return any ? sal_b2(b, "Pad", x, sal_b_ints(b, pads, 2 * rank)) : x;
}
