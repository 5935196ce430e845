/* Einsum: the sum of products that an equation such as "bij,bjk->bik" describes. */
#include "ops/core/einsum_expand.h"
#include "ops/core/gemm_ref.h"
#include "ops/infer.h"

static sal_status einsum_infer(sal_infer *c)
{
    int64_t dims[SAL_MAX_RANK];
    sal_einsum e;
    const sal_value *x = sal_infer_in(c, 0);
    for (int i = 0; i < c->node->n_in; i++) {
        const sal_value *v = sal_infer_in(c, i);
        if (v == NULL)
            return sal_fail(c->err, SAL_EINVAL, "input %d is omitted", i);
        if (v->rank < 0)
            return sal_infer_out(c, 0, x->dtype, -1, NULL);
    }
    sal_status st = sal_einsum_of_node(&e, c->g, c->node, c->err);
    if (st != SAL_OK)
        return st;
    for (int k = 0; k < e.out.n; k++)
        dims[k] = e.size[e.out.label[k]];
    return sal_infer_out(c, 0, x->dtype, e.out.n, dims);
}

/* Loops over all labels, the summed ones inside; step[i][l] is how far input i moves along loop l.
 */
typedef struct einsum_loops {
    int n, n_out; /* the first n_out loops are the output's axes */
    int64_t size[SAL_EINSUM_LABELS], step[SAL_EINSUM_INPUTS][SAL_EINSUM_LABELS];
} einsum_loops;

static void einsum_plan(einsum_loops *p, const sal_einsum *e, const sal_tensor *const *in)
{
    int label[SAL_EINSUM_LABELS];
    memset(p, 0, sizeof(*p));
    for (int k = 0; k < e->out.n; k++)
        label[p->n++] = e->out.label[k];
    p->n_out = p->n;
    for (int l = 0; l < SAL_EINSUM_LABELS; l++)
        if (e->used[l] && sal_einsum_find(&e->out, l) < 0)
            label[p->n++] = l;
    for (int x = 0; x < p->n; x++)
        p->size[x] = e->size[label[x]];
    for (int i = 0; i < e->n_in; i++) {
        int64_t stride = 1;
        for (int k = in[i]->rank - 1; k >= 0; k--) {
            for (int x = 0; x < p->n; x++)
                if (label[x] == e->in[i].label[k] && in[i]->dims[k] != 1)
                    p->step[i][x] += stride; /* a repeated label walks the diagonal */
            stride *= in[i]->dims[k];
        }
    }
}

/* Advance loops from..to-1; false when they are through and back at the start. */
static bool einsum_next(const einsum_loops *p, int n_in, int from, int to, int64_t *at,
                        int64_t *offset)
{
    for (int x = to - 1; x >= from; x--) {
        at[x]++;
        for (int i = 0; i < n_in; i++)
            offset[i] += p->step[i][x];
        if (at[x] < p->size[x])
            return true;
        for (int i = 0; i < n_in; i++)
            offset[i] -= p->step[i][x] * at[x];
        at[x] = 0;
    }
    return false;
}

static sal_status einsum_eval(const sal_eval *ev)
{
    sal_status st = SAL_OK;
    const sal_node *n = ev->node;
    int ranks[SAL_EINSUM_INPUTS];
    const int64_t *dims[SAL_EINSUM_INPUTS];
    int64_t at[SAL_EINSUM_LABELS] = {0}, offset[SAL_EINSUM_INPUTS] = {0};
    int64_t count = sal_tensor_count(ev->out[0]), terms = 1;
    bool whole = !sal_dtype_is_float(ev->in[0]->dtype);
    sal_ref r[SAL_EINSUM_INPUTS], ry = SAL_REF_INIT;
    sal_einsum e;
    einsum_loops p;

    memset(r, 0, sizeof(r));
    for (int i = 0; i < n->n_in && i < SAL_EINSUM_INPUTS; i++) {
        ranks[i] = ev->in[i]->rank;
        dims[i] = ev->in[i]->dims;
    }
    SAL_TRY(sal_einsum_parse(&e, sal_node_str(n, "equation", ""), n->n_in, ranks, dims, ev->err));
    einsum_plan(&p, &e, ev->in);
    for (int i = 0; i < n->n_in; i++)
        SAL_TRY(sal_ref_in(&r[i], ev->in[i], ev->err));
    SAL_TRY(sal_ref_out(&ry, ev->out[0], ev->err));
    for (int x = p.n_out; x < p.n; x++)
        terms *= p.size[x];
    for (int64_t o = 0; o < count; o++) {
        double sum = 0.0;
        uint64_t bits = 0;
        for (int64_t t = 0; t < terms; t++) {
            double product = 1.0;
            uint64_t factor = 1;
            for (int i = 0; i < n->n_in; i++) {
                if (whole)
                    factor *= sal_ref_get_bits(ev->in[i], offset[i]);
                else
                    product *= r[i].x[offset[i]];
            }
            sum += product;
            bits += factor;
            (void)einsum_next(&p, n->n_in, p.n_out, p.n, at, offset);
        }
        if (whole)
            sal_ref_set_bits(ev->out[0], o, bits);
        else
            ry.x[o] = sum;
        (void)einsum_next(&p, n->n_in, 0, p.n_out, at, offset);
    }
    if (!whole)
        sal_ref_store(&ry);
done:
    for (int i = 0; i < SAL_EINSUM_INPUTS; i++)
        sal_ref_free(&r[i]);
    sal_ref_free(&ry);
    return st;
}

static sal_status einsum_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    sal_einsum e;
    sal_status st = sal_einsum_of_node(&e, b->g, n, b->err);
    if (st != SAL_OK)
        return b->st = st;
    out[0] = sal_einsum_build(b, &e, n->in);
    return b->st;
}

/* The gradient of input `which` is an Einsum of gy and the other inputs whose output has the
 * input's labels, except that an axis that broadcasts (1 where the label is longer) is summed and
 * put back as 1; a label of no other term: the result does not depend on it and is repeated; a
 * repeated label becomes two, joined by an identity matrix. */
static sal_vid einsum_input_vjp(sal_vjp *v, const sal_einsum *e, int which)
{
    sal_builder *b = v->b;
    const sal_node *n = v->node;
    const sal_einsum_term *own = &e->in[which];
    const sal_value *x = sal_val(b->g, n->in[which]);
    sal_einsum_term in[SAL_EINSUM_INPUTS + SAL_MAX_RANK], out = {.n = 0};
    sal_vid values[SAL_EINSUM_INPUTS + SAL_MAX_RANK];
    int64_t lost[SAL_MAX_RANK];
    int n_in = 0, n_lost = 0;
    char text[SAL_EINSUM_TEXT + SAL_MAX_RANK * 4];

    in[n_in] = e->out;
    values[n_in++] = v->gout[0];
    for (int i = 0; i < e->n_in; i++) {
        if (i != which) {
            in[n_in] = e->in[i];
            values[n_in++] = n->in[i];
        }
    }
    int n_terms = n_in;
    for (int k = 0; k < own->n; k++) {
        int l = own->label[k];
        bool there = false;
        for (int j = k + 1; j < own->n; j++) /* the identity matrix has it */
            there = there || own->label[j] == l;
        for (int i = 0; i < n_terms; i++) {
            int axis = sal_einsum_find(&in[i], l);
            there = there ||
                    (axis >= 0 && (sal_val(b->g, values[i])->dims[axis] != 1 || e->size[l] == 1));
        }
        if ((x->dims[k] == 1 && e->size[l] != 1) || (!there && sal_einsum_find(own, l) == k)) {
            lost[n_lost++] = k;
        } else if (sal_einsum_find(own, l) < k) {
            if (x->dims[k] < 0) {
                b->st = sal_fail(b->err, SAL_ESHAPE,
                                 "node %s: a diagonal of unknown length; give the model's "
                                 "input a fixed size",
                                 n->name);
                return SAL_NONE;
            }
            int fresh = SAL_EINSUM_LABELS + k;
            in[n_in] = (sal_einsum_term){.n = 2, .label = {l, fresh}};
            values[n_in++] = sal_einsum_eye(b, x->dtype, x->dims[k]);
            out.label[out.n++] = fresh;
        } else {
            out.label[out.n++] = l;
        }
    }
    if (n_in > SAL_EINSUM_INPUTS) {
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED, "node %s: too many inputs to differentiate",
                         n->name);
        return SAL_NONE;
    }
    sal_status st = sal_einsum_text(text, n_in, in, &out, b->err);
    if (st != SAL_OK) {
        b->st = st;
        return SAL_NONE;
    }
    sal_attr equation = SAL_AS("equation", text);
    sal_vid g = sal_b_op(b, "Einsum", n_in, values, 1, &equation);
    if (n_lost > 0)
        g = sal_b_expand_like(b, sal_b_unsqueeze(b, g, n_lost, lost), n->in[which]);
    return g;
}

static sal_status einsum_vjp(sal_vjp *v)
{
    sal_einsum e;
    sal_status st = sal_einsum_of_node(&e, v->b->g, v->node, v->b->err);
    if (st != SAL_OK)
        return v->b->st = st;
    for (int i = 0; i < e.n_in && v->b->st == SAL_OK; i++)
        if (v->need[i])
            v->gin[i] = einsum_input_vjp(v, &e, i);
    return v->b->st;
}

static const char *const einsum_cases[] = {
    "f32[3,4] f32[4,5] ; equation=\"ij,jk->ik\" ;",
    "f32[3,4] f32[4,5] ; equation=\"ij,jk\" ;",
    "f32[2,3,4] f32[2,5,4] ; equation=\"bij,bkj->bik\" ;",
    "f32[2,3,2,4] f32[2,5,2,4] ; equation=\"bqhd,bkhd->bhqk\" ;",
    "f32[2,3,4] f32[4,3,2] ; equation=\"bij,jik->bk\" ;",
    "f32[2,3,4] f32[5,4] ; equation=\"...j,kj->...k\" ;",
    "f32[2,1,4] f32[1,3,4] ; equation=\"...j,...j->...\" ;",
    "f32[2,3,4] ; equation=\"ijk->kji\" ;",
    "f32[2,3,4] ; equation=\"i...->...\" ;",
    "f32[2,3] f32[2,3] ; equation=\"ij,ij->ij\" ;",
    "f32[3] f32[4] ; equation=\"i,j->ij\" ;",
    "f32[3] f32[3] ; equation=\"i,i->\" ;",
    "f32[3,3] ; equation=\"ii->i\" ;",
    "f32[3,3] ; equation=\"ii->\" ;",
    "f32[2,3,3] f32[3,2] ; equation=\"bii,ib->b\" ;",
    "f32[2,3] f32[3,4] f32[4,2] ; equation=\"ij,jk,kl->il\" ;",
    "f32[2,3] f32[3,4] f32[2,4] ; equation=\"ij,jk,ik->\" ;",
    "f32[2,3,4] f32[4] ; equation=\"ijk,k->j\" ;",
    "i64[2,2]{1,2,3,4} i64[2,2]{5,6,7,-8} ; equation=\"ij,jk->ik\" ; nograd",
    NULL,
};

const sal_op_desc sal_op_einsum = {
    .name = "Einsum",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .since = 12,
    .infer = einsum_infer,
    .eval = einsum_eval,
    .expand = einsum_expand,
    .vjp = einsum_vjp,
    .cases = einsum_cases,
};
