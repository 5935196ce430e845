/* Col2Im: sums overlapping blocks into an image. Input [N, C * block, L] holds in column l the
 * elements of the l-th block; image_shape and block_shape are the spatial sizes. */
#include "ops/core/move.h"

enum { COL2IM_AXES = 4 };

typedef struct col2im {
    int r;
    int64_t image[COL2IM_AXES], block[COL2IM_AXES], padded[COL2IM_AXES], steps[COL2IM_AXES];
    int64_t strides[COL2IM_AXES], dilations[COL2IM_AXES], begin[COL2IM_AXES], end[COL2IM_AXES];
    int64_t elements, blocks, plane; /* of a block, in all, of the padded image */
} col2im;

static bool col2im_ints(const sal_node *n, const char *name, size_t want, int64_t fallback,
                        int64_t lo, int64_t *out)
{
    size_t count;
    const int64_t *v = sal_node_ints(n, name, &count);
    for (size_t i = 0; i < want; i++) {
        out[i] = v == NULL ? fallback : i < count ? v[i] : -1;
        if (out[i] < lo || out[i] > 1 << 20)
            return false;
    }
    return v == NULL || count == want;
}

static sal_status col2im_read(sal_builder *b, const sal_node *n, col2im *m)
{
    sal_infer c = {b->g, n, b->err};
    int64_t pads[2 * COL2IM_AXES];
    int ni, nb;
    bool si, sb;
    memset(m, 0, sizeof *m);
    b->st = sal_infer_ints(&c, 1, m->image, COL2IM_AXES, &ni, &si);
    if (b->st == SAL_OK)
        b->st = sal_infer_ints(&c, 2, m->block, COL2IM_AXES, &nb, &sb);
    if (b->st != SAL_OK)
        return b->st;
    bool fits = ni >= 1 && ni == nb && !si && !sb;
    m->r = fits ? ni : 0;
    fits = fits && col2im_ints(n, "strides", (size_t)m->r, 1, 1, m->strides) &&
           col2im_ints(n, "dilations", (size_t)m->r, 1, 1, m->dilations) &&
           col2im_ints(n, "pads", 2 * (size_t)m->r, 0, 0, pads);
    m->elements = m->blocks = m->plane = 1;
    for (int k = 0; fits && k < m->r; k++) {
        fits = m->image[k] > 0 && m->block[k] > 0 && m->image[k] < 1 << 20 && m->block[k] < 1 << 20;
        m->begin[k] = pads[k];
        m->end[k] = pads[m->r + k];
        m->padded[k] = m->image[k] + m->begin[k] + m->end[k];
        int64_t room = m->padded[k] - m->dilations[k] * (m->block[k] - 1) - 1;
        m->steps[k] = room / m->strides[k] + 1;
        fits = fits && room >= 0 && m->padded[k] <= (1 << 28) / m->plane;
        m->elements *= m->block[k];
        m->blocks *= m->steps[k];
        m->plane *= fits ? m->padded[k] : 1;
        fits = fits && m->elements <= 1 << 20 && m->blocks <= (1 << 28) / m->elements;
    }
    const sal_value *x = sal_val(b->g, n->in[0]);
    if (!fits || x->rank != 3 || x->dims[1] < 0 || x->dims[1] % m->elements != 0 ||
        x->dims[2] != m->blocks)
        return b->st =
                   sal_fail(b->err, SAL_ESHAPE,
                            "node %s: an input [N, C * elements of a block, blocks] and constant "
                            "image_shape and block_shape that fit it are needed",
                            n->name);
    return SAL_OK;
}

/* Where in the padded image element e of block l lies, for all (e, l). */
static sal_vid col2im_index(sal_builder *b, const col2im *m)
{
    sal_tensor t = SAL_TENSOR_INIT;
    int64_t count = m->elements * m->blocks;
    b->st = sal_tensor_new(&t, SAL_I64, 1, &count, b->err);
    for (int64_t i = 0; b->st == SAL_OK && i < count; i++) {
        int64_t e = i / m->blocks, l = i % m->blocks, at = 0, step = 1;
        for (int k = m->r - 1; k >= 0; k--) {
            at += (l % m->steps[k] * m->strides[k] + e % m->block[k] * m->dilations[k]) * step;
            l /= m->steps[k];
            e /= m->block[k];
            step *= m->padded[k];
        }
        ((int64_t *)t.data)[i] = at;
    }
    sal_vid v = b->st == SAL_OK ? sal_b_tensor(b, &t) : SAL_NONE;
    sal_tensor_free(&t);
    return v;
}

static sal_status col2im_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    col2im m;
    int64_t dims[2 + COL2IM_AXES], begin[2 + COL2IM_AXES] = {0}, end[2 + COL2IM_AXES] = {0};
    if (col2im_read(b, n, &m) != SAL_OK)
        return b->st;
    const sal_value *x = sal_val(b->g, n->in[0]);
    const int64_t flat[3] = {x->dims[0], x->dims[1] / m.elements, m.elements * m.blocks};
    sal_vid index = col2im_index(b, &m);
    sal_attr a[] = {SAL_AI("axis", 2), SAL_AI("dim", m.plane)};
    sal_vid rows = sal_b_reshape(b, n->in[0], 3, flat, n->in[0]);
    sal_vid y = sal_b_op(b, "GatherGrad", 2, (sal_vid[]){rows, index}, 2, a);
    dims[0] = flat[0];
    dims[1] = flat[1];
    for (int k = 0; k < m.r; k++) {
        dims[2 + k] = m.padded[k];
        begin[2 + k] = -m.begin[k];
        end[2 + k] = -m.end[k];
    }
    out[0] = sal_move_pad(b, sal_b_reshape(b, y, 2 + m.r, dims, n->in[0]), begin, end);
    return b->st;
}
/* Sizes that are only known at run time leave the result's shape open. */
static sal_status col2im_infer(sal_infer *c)
{
    int64_t size[SAL_MAX_RANK];
    int count;
    bool symbolic;
    const sal_value *x = sal_infer_in(c, 0);
    if (sal_infer_in(c, 1) == NULL)
        return sal_infer_expansion(c);
    sal_status st = sal_infer_ints(c, 1, size, SAL_MAX_RANK, &count, &symbolic);
    if (st == SAL_OK && count >= 0 && !symbolic)
        st = sal_infer_ints(c, 2, size, SAL_MAX_RANK, &count, &symbolic);
    if (st != SAL_OK || (count >= 0 && !symbolic))
        return st != SAL_OK ? st : sal_infer_expansion(c);
    return sal_infer_out(c, 0, x->dtype, -1, NULL);
}

static const char *const col2im_cases[] = {
    "f32[1,8,9] i64[2]{4,4} i64[2]{2,2}",
    "f32[2,6,12] i64[2]{5,6} i64[2]{1,3} ; strides=[2,1] dilations=[1,1]",
    "f32[1,4,16] i64[2]{5,5} i64[2]{2,2} ; pads=[0,1,1,0] dilations=[2,2]",
    "f32[1,8,6] i64[3]{3,4,2} i64[3]{2,2,2}",
    NULL,
};

const sal_op_desc sal_op_col2im = {
    .name = "Col2Im",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 18,
    .infer = col2im_infer,
    .expand = col2im_expand,
    .cases = col2im_cases,
};
