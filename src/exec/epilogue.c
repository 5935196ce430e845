/* Element-wise nodes behind a convolution or matrix product as post-operations (exec/epilogue.h).
 */
#include "exec/epilogue.h"

#include "exec/tile.h"
#include "ops/core/window.h"

#include <math.h>

typedef struct epilogue_unary {
    sal_tile_op op;
    dnnl_alg_kind_t alg;
} epilogue_unary;

/* Those whose oneDNN form agrees with ours for all parameters; the rest is mapped in
 * epilogue_unary_alg. */
static const epilogue_unary epilogue_unaries[] = {
    {SAL_TILE_RELU, dnnl_eltwise_relu},
    {SAL_TILE_LEAKY_RELU, dnnl_eltwise_relu},
    {SAL_TILE_ELU, dnnl_eltwise_elu},
    {SAL_TILE_TANH, dnnl_eltwise_tanh},
    {SAL_TILE_SIGMOID, dnnl_eltwise_logistic},
    {SAL_TILE_GELU, dnnl_eltwise_gelu_erf},
    {SAL_TILE_GELU_TANH, dnnl_eltwise_gelu_tanh},
    {SAL_TILE_SWISH, dnnl_eltwise_swish},
    {SAL_TILE_CLIP, dnnl_eltwise_clip},
    {SAL_TILE_ABS, dnnl_eltwise_abs},
    {SAL_TILE_SQUARE, dnnl_eltwise_square},
    {SAL_TILE_NEG, dnnl_eltwise_linear},
};

static bool epilogue_unary_alg(sal_tile_op op, float p0, float p1, dnnl_alg_kind_t *alg, float *a,
                               float *b)
{
    for (size_t i = 0; i < SAL_COUNTOF(epilogue_unaries); i++) {
        if (epilogue_unaries[i].op != op)
            continue;
        *alg = epilogue_unaries[i].alg;
        *a = op == SAL_TILE_NEG ? -1.0f : op == SAL_TILE_RELU ? 0.0f : p0;
        *b = op == SAL_TILE_CLIP ? p1 : 0.0f;
        if (op == SAL_TILE_CLIP && isinf(*a))
            *a = -3.4028235e38f;
        if (op == SAL_TILE_CLIP && isinf(*b))
            *b = 3.4028235e38f;
        return true;
    }
    return false;
}

/* What one epilogue step is. */
typedef struct epilogue_form {
    enum { EPI_NONE, EPI_UNARY, EPI_FULL, EPI_CHANNEL } kind;
    dnnl_alg_kind_t alg;
    float a, b;
    sal_vid operand;
} epilogue_form;

/* Channel axis of an anchor's output: 1 for convolutions, the last for matrix products. */
static int epilogue_channel_axis(const sal_node *anchor, int rank)
{
    return strncmp(anchor->op->name, "Conv", 4) == 0 ? 1 : rank - 1;
}

static bool epilogue_is_channel(const sal_graph *g, sal_vid v, sal_vid out, int axis)
{
    const sal_value *x = sal_val(g, v), *y = sal_val(g, out);
    int lead = y->rank - x->rank;
    if (x->constant == NULL || lead < 0 || x->dtype != SAL_F32)
        return false;
    for (int i = 0; i < y->rank; i++) {
        int64_t d = i < lead ? 1 : x->dims[i - lead];
        if (d != (i == axis ? y->dims[i] : 1))
            return false;
    }
    return true;
}

static bool epilogue_same_dims(const sal_value *x, const sal_value *y)
{
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

static void epilogue_scalar(sal_tile_op op, int chain, double c, epilogue_form *f)
{
    f->alg = dnnl_eltwise_linear;
    f->kind = EPI_UNARY;
    f->a = 1.0f;
    f->b = 0.0f;
    if (op == SAL_TILE_ADD)
        f->b = (float)c;
    else if (op == SAL_TILE_MUL)
        f->a = (float)c;
    else if (op == SAL_TILE_SUB && chain == 0)
        f->b = -(float)c;
    else
        f->kind = EPI_NONE;
}

static epilogue_form epilogue_form_of(const sal_plan *p, const sal_node *anchor, const sal_node *e,
                                      int chain)
{
    epilogue_form f = {.kind = EPI_NONE, .operand = SAL_NONE};
    const sal_graph *g = p->g;
    sal_tile_op op;
    float p0, p1;
    int operands;
    double c;
    if (!sal_tile_supports(p, e) || !sal_tile_code(g, e, &op, &p0, &p1, &operands) ||
        sal_plan_dtype(p, e->out[0]) != SAL_F32)
        return f;
    if (operands == 1) {
        if (epilogue_unary_alg(op, p0, p1, &f.alg, &f.a, &f.b))
            f.kind = EPI_UNARY;
        return f;
    }
    if (op == SAL_TILE_WHERE) {
        /* Where(mask, x, 0) is x * mask: the mask is 0 or 1. It differs for an x that is infinite
         * or no number, which stays NaN under a 0; oneDNN has no selection to fuse instead. */
        if (chain != 1 || !sal_scalar_constant(g, e->in[2], &c) || c != 0.0 ||
            sal_val(g, e->in[0])->dtype != SAL_BOOL ||
            !epilogue_same_dims(sal_val(g, e->in[0]), sal_val(g, e->out[0])))
            return f;
        f = (epilogue_form){EPI_FULL, dnnl_binary_mul, 0.0f, 0.0f, e->in[0]};
        return f;
    }
    if (operands != 2)
        return f;
    f.operand = e->in[1 - chain];
    if (sal_scalar_constant(g, f.operand, &c)) {
        epilogue_scalar(op, chain, c, &f);
        return f;
    }
    if (op == SAL_TILE_ADD)
        f.alg = dnnl_binary_add;
    else if (op == SAL_TILE_MUL)
        f.alg = dnnl_binary_mul;
    else if (op == SAL_TILE_SUB && chain == 0)
        f.alg = dnnl_binary_sub;
    else
        return f;
    const sal_value *x = sal_val(g, f.operand), *y = sal_val(g, e->out[0]);
    if (sal_plan_dtype(p, f.operand) != SAL_F32)
        return f;
    if (epilogue_same_dims(x, y))
        f.kind = EPI_FULL;
    else if (epilogue_is_channel(g, f.operand, e->out[0], epilogue_channel_axis(anchor, y->rank)))
        f.kind = EPI_CHANNEL;
    return f;
}

/* Transposed convolutions take an epilogue only where they run as flipped forward convolutions. */
static bool epilogue_anchor_takes(const sal_plan *p, const sal_node *anchor)
{
    sal_window w;
    if (strcmp(anchor->op->name, "ConvTranspose") != 0)
        return true;
    const sal_value *x = sal_val(p->g, anchor->in[0]), *k = sal_val(p->g, anchor->in[1]);
    if (k->constant == NULL ||
        sal_window_from_node(&w, anchor, x->rank, x->dims, k->dims, true, NULL) != SAL_OK)
        return false;
    for (int i = 0; i < w.n; i++)
        if (w.strides[i] != 1 || w.out_pad[i] != 0)
            return false;
    return true;
}

/* A product with a packed matrix takes one Add of a value of its own shape. */
static bool epilogue_fits_packed(const sal_plan *p, const sal_node *anchor, const sal_node *e,
                                 int chain)
{
    const sal_value *y = sal_val(p->g, anchor->out[0]);
    const sal_value *x = e->n_in == 2 ? sal_val(p->g, e->in[1 - chain]) : NULL;
    if (e->in[chain] != anchor->out[0] || strcmp(e->op->name, "Add") != 0 ||
        sal_node_int(anchor, "transposed", 0) != 0 || x->dtype != SAL_F32 || y->dtype != SAL_F32)
        return false;
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

bool sal_epilogue_fits(const sal_plan *p, const sal_node *anchor, const sal_node *e, int chain)
{
    if (strcmp(anchor->op->name, "PackedMatMul") == 0)
        return epilogue_fits_packed(p, anchor, e, chain);
    if (sal_plan_dtype(p, anchor->out[0]) != SAL_F32 || !epilogue_anchor_takes(p, anchor))
        return false;
    return epilogue_form_of(p, anchor, e, chain).kind != EPI_NONE;
}

static sal_status epilogue_append(sal_postops *po, dnnl_post_ops_t ops, const sal_plan *p,
                                  const epilogue_form *f, int rank, const int64_t *dims,
                                  int channel_axis, sal_layout layout, sal_error *err)
{
    sal_status st = SAL_OK;
    if (f->kind == EPI_UNARY)
        return sal_dnnl_check(dnnl_post_ops_append_eltwise(ops, f->alg, f->a, f->b),
                              "element-wise epilogue", err);
    int k = po->n;
    po->index[k] = dnnl_post_ops_len(ops);
    po->vid[k] = f->operand;
    po->channel[k] = f->kind == EPI_CHANNEL;
    po->layout[k] = layout;
    po->dtype[k] = sal_val(p->g, f->operand)->dtype == SAL_BOOL ? SAL_BOOL
                   : f->kind == EPI_CHANNEL                     ? SAL_F32
                                                                : sal_plan_act(p);
    if (f->kind == EPI_CHANNEL) {
        int64_t one[SAL_MAX_RANK];
        for (int i = 0; i < rank; i++)
            one[i] = i == channel_axis ? dims[i] : 1;
        SAL_TRY(sal_dnnl_desc(p, po->dtype[k], rank, one, SAL_PLAIN, &po->desc[k], err));
    } else {
        SAL_TRY(sal_dnnl_desc(p, po->dtype[k], rank, dims, layout, &po->desc[k], err));
    }
    po->n++;
    SAL_DNNL(dnnl_post_ops_append_binary(ops, f->alg, po->desc[k]));
done:
    return st;
}

sal_status sal_postops_new(sal_postops *po, const sal_plan *p, const sal_group *group, int rank,
                           const int64_t *dims, int channel_axis, sal_layout layout, sal_error *err)
{
    sal_status st = SAL_OK;
    dnnl_post_ops_t ops = NULL;
    memset(po, 0, sizeof *po);
    SAL_TRY(sal_dnnl_attr(&po->attr, err));
    if (group == NULL || group->n_epilogue == 0)
        goto done;
    SAL_DNNL(dnnl_post_ops_create(&ops));
    for (int i = 0; i < group->n_epilogue; i++) {
        epilogue_form f =
            epilogue_form_of(p, group->anchor, group->epilogue[i].node, group->epilogue[i].chain);
        SAL_TRY(epilogue_append(po, ops, p, &f, rank, dims, channel_axis, layout, err));
    }
    SAL_DNNL(dnnl_primitive_attr_set_post_ops(po->attr, ops));
done:
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    return st;
}

void sal_postops_free(sal_postops *po)
{
    for (int i = 0; i < SAL_MAX_EPILOGUE; i++)
        if (po->desc[i] != NULL)
            dnnl_memory_desc_destroy(po->desc[i]);
    if (po->attr != NULL)
        dnnl_primitive_attr_destroy(po->attr);
    memset(po, 0, sizeof *po);
}

sal_status sal_postops_args(sal_plan *p, const sal_postops *po, sal_prim_arg *args, int *n_args,
                            sal_error *err)
{
    for (int i = 0; i < po->n; i++) {
        sal_pid v;
        sal_status st = sal_plan_get(p, po->vid[i], po->channel[i] ? SAL_PLAIN : po->layout[i],
                                     po->dtype[i], &v, err);
        if (st != SAL_OK)
            return st;
        args[(*n_args)++] = (sal_prim_arg){
            DNNL_ARG_ATTR_MULTIPLE_POST_OP(po->index[i]) | DNNL_ARG_SRC_1, v, po->desc[i], false};
    }
    return SAL_OK;
}

int sal_epilogue_ends(const sal_plan *p, const sal_group *group, sal_conv_end *ends,
                      sal_vid *operand)
{
    int n = 0;
    for (int i = 0; group != NULL && i < group->n_epilogue; i++, n++) {
        epilogue_form f =
            epilogue_form_of(p, group->anchor, group->epilogue[i].node, group->epilogue[i].chain);
        if (n == SAL_CONV_ENDS)
            return -1;
        ends[n] = (sal_conv_end){.op = SAL_CONV_CLIP};
        operand[n] = f.operand;
        if (f.kind == EPI_FULL && f.alg == dnnl_binary_add) {
            ends[n].op = SAL_CONV_ADD;
        } else if (f.kind == EPI_FULL && f.alg == dnnl_binary_mul &&
                   sal_val(p->g, f.operand)->dtype == SAL_BOOL) {
            ends[n].op = SAL_CONV_KEEP;
        } else if (f.kind == EPI_UNARY && f.alg == dnnl_eltwise_relu && f.a == 0.0f) {
            ends[n].hi = INFINITY;
        } else if (f.kind == EPI_UNARY && f.alg == dnnl_eltwise_clip) {
            ends[n].lo = f.a;
            ends[n].hi = f.b;
        } else {
            return -1;
        }
    }
    return n;
}
