/* GridSample: x [N, C, D1 .. Dr] read at the points of a grid [N, L1 .. Lr, r], whose last axis
 * holds a point with the last axis of x first, -1 and 1 at the ends of x. */
#include "ops/core/elementwise.h"
#include "ops/core/sample.h"

/* Coordinates -1..1 to element positions along an axis of d elements. */
static sal_vid grid_position(sal_builder *b, sal_vid g, int64_t d, bool align)
{
    double scale = align ? 0.5 * (double)(d - 1) : 0.5 * (double)d;
    return sal_b_addc(b, sal_b_mulc(b, g, scale), 0.5 * (double)(d - 1));
}

static bool grid_how(const sal_node *n, sal_sample *how)
{
    const char *mode = sal_node_str(n, "mode", "linear");
    const char *pad = sal_node_str(n, "padding_mode", "zeros");
    how->align = sal_node_int(n, "align_corners", 0) != 0;
    how->mode = strcmp(mode, "nearest") == 0                                 ? SAL_SAMPLE_NEAREST
                : strcmp(mode, "cubic") == 0 || strcmp(mode, "bicubic") == 0 ? SAL_SAMPLE_CUBIC
                                                                             : SAL_SAMPLE_LINEAR;
    how->pad = strcmp(pad, "border") == 0       ? SAL_SAMPLE_BORDER
               : strcmp(pad, "reflection") == 0 ? SAL_SAMPLE_REFLECT
                                                : SAL_SAMPLE_ZEROS;
    return (how->mode != SAL_SAMPLE_LINEAR || strcmp(mode, "linear") == 0 ||
            strcmp(mode, "bilinear") == 0) &&
           (how->pad != SAL_SAMPLE_ZEROS || strcmp(pad, "zeros") == 0);
}

/* Opset 16 called the modes bilinear and bicubic. */
static sal_status grid_sample_upgrade(sal_upgrade *u)
{
    const char *mode = sal_node_str(u->node, "mode", "linear");
    if (strcmp(mode, "bilinear") == 0)
        return sal_upgrade_set_str(u, "mode", "linear");
    return strcmp(mode, "bicubic") == 0 ? sal_upgrade_set_str(u, "mode", "cubic") : SAL_OK;
}

static sal_status grid_sample_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_sample how;
    sal_vid at[SAL_SAMPLE_AXES];
    int64_t dims[SAL_MAX_RANK], points = 1;
    if (!grid_how(n, &how))
        return b->st =
                   sal_fail(b->err, SAL_EINVAL, "node %s: no such mode or padding_mode", n->name);
    if (!sal_sample_known(b, n->name, n->in[0], 1))
        return b->st;
    const sal_value *x = sal_val(b->g, n->in[0]), *g = sal_val(b->g, n->in[1]);
    int r = x->rank - 2;
    if (r < 1 || r > (how.mode == SAL_SAMPLE_CUBIC ? 2 : SAL_SAMPLE_AXES) || g->rank != x->rank ||
        g->dims[g->rank - 1] != r)
        return b->st = sal_fail(
                   b->err, SAL_ESHAPE,
                   "node %s: an input of 1 to 3 spatial axes (cubic: 1 or 2) and a "
                   "grid of the same rank are needed, its last axis as long as they are many",
                   n->name);
    for (int i = 1; i <= r; i++)
        points = sal_dim_mul(b->g, points, g->dims[i]);
    const int64_t flat[3] = {g->dims[0], points, r};
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 0; i < r; i++)
        dims[2 + i] = g->dims[1 + i];
    sal_vid rows = sal_b_reshape(b, n->in[1], 3, flat, n->in[1]);
    for (int k = 0; k < r; k++) {
        static const int64_t last = 2;
        sal_vid p = sal_b_squeeze(b, sal_b_slice(b, rows, 2, r - 1 - k, r - k, 1), 1, &last);
        at[k] = grid_position(b, p, x->dims[2 + k], how.align);
    }
    sal_vid y = sal_sample_build(b, &how, n->in[0], at);
    out[0] = sal_b_reshape(b, y, r + 2, dims, n->in[1]);
    return b->st;
}

static const char *const grid_sample_cases[] = {
    "f32[2,3,4,5] f32[2,3,2,2]:-1.2..1.2",
    "f32[1,2,4,5] f32[1,3,3,2]:-1.6..1.6 ; padding_mode=\"border\" align_corners=1",
    "f32[1,2,4,5] f32[1,3,3,2]:-2.6..2.6 ; padding_mode=\"reflection\"",
    "f32[1,2,4,5] f32[1,3,3,2]:-2.6..2.6 ; padding_mode=\"reflection\" align_corners=1",
    "f32[1,2,4,5] f32[1,3,3,2]:-1.3..1.3 ; mode=\"nearest\" ; wrt=0",
    "f32[1,2,4,5] f32[1,3,3,2]:-1.3..1.3 ; mode=\"cubic\" ; nofd2",
    "f32[1,2,4,5] f32[1,3,3,2]:-1.3..1.3 ; mode=\"cubic\" padding_mode=\"border\" ; nofd2",
    "f32[1,2,4,5] f32[1,3,3,2]:-1.9..1.9 ; mode=\"cubic\" padding_mode=\"reflection\" "
    "align_corners=1 ; nofd2",
    "f32[1,2,3,4,5] f32[1,2,2,3,3]:-1.2..1.2 ; align_corners=1",
    "f32[1,2,3,4,5] f32[1,2,2,3,3]:-1.2..1.2 ; mode=\"nearest\" ; wrt=0",
    NULL,
};

const sal_op_desc sal_op_grid_sample = {
    .name = "GridSample",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 20,
    .upgrade = grid_sample_upgrade,
    .infer = sal_infer_expansion,
    .expand = grid_sample_expand,
    .cases = grid_sample_cases,
};
