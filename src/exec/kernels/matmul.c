/* MatMul and Gemm: oneDNN's matmul with prepared weights, bias and epilogue fused. */
#include "exec/epilogue.h"
#include "exec/kernels.h"

/* A matrix product as oneDNN sees it: batched [.., M, K] x [.., K, N], ranks equal. */
typedef struct product {
    int rank;
    int64_t a[SAL_MAX_RANK], b[SAL_MAX_RANK], y[SAL_MAX_RANK];
    int64_t a_strides[SAL_MAX_RANK], b_strides[SAL_MAX_RANK];
    sal_vid bias;        /* SAL_NONE, or a constant vector over N */
    bool a_view, b_view; /* the operand is read as a view */
    sal_pid weights;     /* form of b with fixed contents, which b_strides describe; -1 */
} product;

static void product_row_major(const int64_t *dims, int rank, int64_t *strides)
{
    int64_t s = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = s;
        s *= dims[i];
    }
}

/* Gemm: alpha and beta must be 1 (others are rare and take the evaluator's way through expansion).
 */
static bool product_of_gemm(const sal_plan *p, const sal_node *n, product *q)
{
    const sal_value *a = sal_val(p->g, n->in[0]), *b = sal_val(p->g, n->in[1]),
                    *y = sal_val(p->g, n->out[0]);
    int64_t ta = sal_node_int(n, "transA", 0), tb = sal_node_int(n, "transB", 0);
    if (sal_node_float(n, "alpha", 1.0) != 1.0 ||
        (sal_node_in(n, 2) != SAL_NONE && sal_node_float(n, "beta", 1.0) != 1.0))
        return false;
    q->rank = 2;
    q->a[0] = y->dims[0];
    q->a[1] = ta != 0 ? a->dims[0] : a->dims[1];
    q->b[0] = q->a[1];
    q->b[1] = y->dims[1];
    q->a_strides[0] = ta != 0 ? 1 : a->dims[1];
    q->a_strides[1] = ta != 0 ? a->dims[1] : 1;
    q->b_strides[0] = tb != 0 ? 1 : b->dims[1];
    q->b_strides[1] = tb != 0 ? b->dims[1] : 1;
    memcpy(q->y, y->dims, sizeof q->y);
    q->bias = SAL_NONE;
    sal_vid c = sal_node_in(n, 2);
    if (c != SAL_NONE) {
        const sal_value *bias = sal_val(p->g, c);
        if (bias->rank < 1 || sal_value_count(bias) != y->dims[1] ||
            bias->dims[bias->rank - 1] != y->dims[1])
            return false;
        q->bias = c;
    }
    return true;
}

/* Operand v as a view with the strides it has, aligned to `rank`; false when it is no view or
 * oneDNN's fast kernels would not take it (one of the last two strides must be 1). */
static bool product_view(const sal_plan *p, sal_vid v, int rank, int64_t *strides)
{
    const sal_value *x = sal_val(p->g, v);
    const sal_pvalue *form = NULL;
    if (sal_plan_has(p, v, SAL_PLAIN) || x->rank < 2)
        return false;
    for (sal_pid i = p->of[v]; i >= 0 && form == NULL; i = p->next_form[i])
        if (p->values[i].layout == SAL_STRIDED && p->values[i].dtype == sal_plan_act(p))
            form = &p->values[i];
    if (form == NULL || (form->strides[x->rank - 1] != 1 && form->strides[x->rank - 2] != 1))
        return false;
    for (int i = 0; i < rank; i++)
        strides[i] = i < rank - x->rank ? 1 : form->strides[i - (rank - x->rank)];
    return true;
}

/* The right operand as fixed contents: a constant, or a constant seen transposed. */
static void product_find_weights(const sal_plan *p, const sal_node *n, product *q)
{
    const sal_value *b = sal_val(p->g, n->in[1]);
    q->weights = -1;
    for (sal_pid i = p->of[n->in[1]]; i >= 0 && q->weights < 0; i = p->next_form[i]) {
        const sal_pvalue *x = &p->values[i];
        if (x->fixed == NULL || x->dtype != SAL_F32)
            continue;
        if (x->layout == SAL_PLAIN && b->constant != NULL)
            q->weights = i;
        if (x->layout == SAL_STRIDED && q->rank == 2 && b->rank == 2 &&
            strcmp(n->op->name, "MatMul") == 0) {
            q->weights = i;
            memcpy(q->b_strides, x->strides, sizeof q->b_strides);
        }
    }
}

/* Matrix products that read v as their right operand, also through a transposition. */
static int product_readers(const sal_plan *p, sal_vid v)
{
    int count = 0;
    for (int32_t c = p->consumers.start[v]; c < p->consumers.start[v + 1]; c++) {
        const sal_node *n = p->g->nodes[p->consumers.node[c]];
        if (strcmp(n->op->name, "Transpose") == 0)
            count += product_readers(p, n->out[0]);
        else if (n->n_in >= 2 && n->in[1] == v)
            count += strcmp(n->op->name, "MatMul") == 0 || strcmp(n->op->name, "Gemm") == 0;
    }
    return count;
}

/* Weights that several products read (the forward pass and the gradient) are kept once, as the file
 * has them, where they outweigh the activations: a product from there takes a tenth longer, while
 * packing them for each direction would make them most of the memory. */
static bool product_shares(const sal_plan *p, const product *q)
{
    enum { LEAST = 1 << 18 };
    if (q->weights < 0 || q->rank != 2 || sal_plan_act(p) != SAL_F32)
        return false;
    sal_pid root = q->weights;
    while (p->values[root].alias >= 0)
        root = p->values[root].alias;
    const sal_vid v = p->values[root].vid;
    int64_t k = q->b[0], n = q->b[1];
    return v != SAL_NONE && k * n * (int64_t)sizeof(float) >= LEAST && k * n >= q->a[0] * (k + n) &&
           product_readers(p, v) > 1;
}

/* Products of two batches read transposed and cut operands where they lie. */
static void product_use_views(const sal_plan *p, const sal_node *n, product *q)
{
    if (q->rank < 3)
        return;
    q->a_view = product_view(p, n->in[0], q->rank, q->a_strides);
    q->b_view = product_view(p, n->in[1], q->rank, q->b_strides);
}

static bool product_of_matmul(const sal_plan *p, const sal_node *n, product *q)
{
    const sal_value *a = sal_val(p->g, n->in[0]), *b = sal_val(p->g, n->in[1]),
                    *y = sal_val(p->g, n->out[0]);
    if (a->rank < 2 || b->rank < 2 || y->rank > 6)
        return false;
    q->bias = SAL_NONE;
    if (b->rank == 2 && a->rank >= 2) {
        q->rank = 2;
        q->a[1] = a->dims[a->rank - 1];
        q->a[0] = 1;
        for (int i = 0; i + 1 < a->rank; i++)
            q->a[0] *= a->dims[i];
        q->b[0] = b->dims[0];
        q->b[1] = b->dims[1];
        q->y[0] = q->a[0];
        q->y[1] = q->b[1];
    } else {
        q->rank = y->rank;
        for (int i = 0; i < y->rank; i++) {
            q->a[i] = i < y->rank - a->rank ? 1 : a->dims[i - (y->rank - a->rank)];
            q->b[i] = i < y->rank - b->rank ? 1 : b->dims[i - (y->rank - b->rank)];
            q->y[i] = y->dims[i];
        }
    }
    product_row_major(q->a, q->rank, q->a_strides);
    product_row_major(q->b, q->rank, q->b_strides);
    product_use_views(p, n, q);
    return true;
}

typedef struct product_pd {
    dnnl_primitive_desc_t pd;
    dnnl_memory_desc_t a, b, b_plain, bias, y;
    sal_postops po;
} product_pd;

static void product_pd_free(product_pd *d)
{
    dnnl_memory_desc_t all[] = {d->a, d->b, d->b_plain, d->bias, d->y};
    for (size_t i = 0; i < SAL_COUNTOF(all); i++)
        if (all[i] != NULL)
            dnnl_memory_desc_destroy(all[i]);
    if (d->pd != NULL)
        dnnl_primitive_desc_destroy(d->pd);
    sal_postops_free(&d->po);
    memset(d, 0, sizeof *d);
}

/* packed: the weights in a layout of oneDNN's choice, else as they lie. */
static sal_status product_create(const sal_plan *p, const product *q, const sal_group *gr,
                                 bool packed, product_pd *d, sal_error *err)
{
    sal_status st = SAL_OK;
    int64_t bias[SAL_MAX_RANK];
    for (int i = 0; i < q->rank; i++)
        bias[i] = i == q->rank - 1 ? q->y[i] : 1;
    SAL_TRY(sal_dnnl_strided(sal_plan_act(p), q->rank, q->a, q->a_strides, &d->a, err));
    SAL_TRY(sal_dnnl_strided(packed ? SAL_F32 : sal_plan_act(p), q->rank, q->b, q->b_strides,
                             &d->b_plain, err));
    if (packed)
        SAL_TRY(sal_dnnl_any(sal_plan_act(p), q->rank, q->b, &d->b, err));
    else
        SAL_TRY(sal_dnnl_strided(sal_plan_act(p), q->rank, q->b, q->b_strides, &d->b, err));
    SAL_TRY(sal_dnnl_desc(p, sal_plan_act(p), q->rank, q->y, SAL_PLAIN, &d->y, err));
    if (q->bias != SAL_NONE)
        SAL_TRY(sal_dnnl_desc(p, SAL_F32, q->rank, bias, SAL_PLAIN, &d->bias, err));
    SAL_TRY(sal_postops_new(&d->po, p, gr, q->rank, q->y, q->rank - 1, SAL_PLAIN, err));
    if (dnnl_matmul_primitive_desc_create(&d->pd, p->engine, d->a, d->b, d->bias, d->y,
                                          d->po.attr) != dnnl_success)
        d->pd = NULL;
    if (d->pd != NULL && sal_dnnl_is_ref(d->pd)) {
        dnnl_primitive_desc_destroy(d->pd);
        d->pd = NULL;
    }
done:
    return st;
}

static sal_status product_emit(sal_plan *p, const sal_node *n, const sal_group *gr,
                               const product *q, bool packed, product_pd *d, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_prim_arg args[SAL_MAX_PRIM_ARGS];
    int n_args = 0;
    sal_pid a, b, bias, y;
    const_dnnl_memory_desc_t wd = dnnl_primitive_desc_query_md(d->pd, dnnl_query_weights_md, 0);
    SAL_TRY(
        sal_plan_get(p, n->in[0], q->a_view ? SAL_STRIDED : SAL_PLAIN, sal_plan_act(p), &a, err));
    if (packed)
        SAL_TRY(sal_dnnl_prepare(p, d->b_plain, p->values[q->weights].fixed, wd, sal_plan_act(p),
                                 &b, err));
    else if (q->weights >= 0 && sal_plan_act(p) == SAL_F32)
        b = q->weights;
    else
        SAL_TRY(sal_plan_get(p, n->in[1], q->b_view ? SAL_STRIDED : SAL_PLAIN, sal_plan_act(p), &b,
                             err));
    args[n_args++] = (sal_prim_arg){DNNL_ARG_SRC, a, d->a, false};
    args[n_args++] = (sal_prim_arg){DNNL_ARG_WEIGHTS, b, wd, false};
    if (q->bias != SAL_NONE) {
        SAL_TRY(sal_plan_get(p, q->bias, SAL_PLAIN, SAL_F32, &bias, err));
        args[n_args++] = (sal_prim_arg){DNNL_ARG_BIAS, bias, d->bias, false};
    }
    SAL_TRY(sal_postops_args(p, &d->po, args, &n_args, err));
    SAL_TRY(sal_plan_new(p, sal_group_result(n, gr), SAL_PLAIN, sal_plan_act(p), &y, err));
    args[n_args++] = (sal_prim_arg){DNNL_ARG_DST, y, d->y, true};
    dnnl_primitive_desc_t pd = d->pd;
    d->pd = NULL;
    SAL_TRY(sal_dnnl_step(p, "matmul", n, pd, n_args, args, NULL, err));
done:
    return st;
}

/* A constant bias vector that a following Add would apply becomes the primitive's bias. */
static sal_group product_take_bias(const sal_plan *p, const sal_node *n, const sal_group *gr,
                                   product *q)
{
    sal_group rest = *gr;
    if (q->bias != SAL_NONE || gr->n_epilogue == 0 ||
        strcmp(gr->epilogue[0].node->op->name, "Add") != 0)
        return rest;
    const sal_node *e = gr->epilogue[0].node;
    sal_vid c = e->in[1 - gr->epilogue[0].chain];
    const sal_value *x = sal_val(p->g, c), *y = sal_val(p->g, n->out[0]);
    int64_t cols = y->dims[y->rank - 1];
    if (x->constant == NULL || x->dtype != SAL_F32 || x->rank < 1 || sal_value_count(x) != cols ||
        x->dims[x->rank - 1] != cols)
        return rest;
    q->bias = c;
    rest.n_epilogue--;
    for (int i = 0; i < rest.n_epilogue; i++)
        rest.epilogue[i] = gr->epilogue[i + 1];
    return rest;
}

/* With the epilogue in the primitive, else with a pass behind it. */
static sal_status product_lower(sal_plan *p, const sal_node *n, const sal_group *gr,
                                const product *of, bool packed, bool *done, sal_error *err)
{
    sal_status st = SAL_OK;
    product q = *of;
    product_pd d = {.pd = NULL};
    sal_group rest = gr != NULL ? product_take_bias(p, n, gr, &q) : (sal_group){.anchor = n};
    sal_vid result = gr != NULL ? sal_group_result(n, gr) : n->out[0];
    SAL_TRY(product_create(p, &q, &rest, packed, &d, err));
    if (d.pd != NULL) {
        /* The bias' Add may have been the whole epilogue: the result is still the group's. */
        sal_group whole = rest;
        if (rest.n_epilogue == 0 && result != n->out[0]) {
            whole.n_epilogue = gr->n_epilogue;
            memcpy(whole.epilogue, gr->epilogue, sizeof whole.epilogue);
        }
        SAL_TRY(product_emit(p, n, &whole, &q, packed, &d, err));
        *done = true;
        goto done;
    }
    product_pd_free(&d);
    q.bias = of->bias; /* the bias of an Add behind it is added by the pass that follows */
    SAL_TRY(product_create(p, &q, NULL, packed, &d, err));
    if (d.pd == NULL)
        goto done;
    SAL_TRY(product_emit(p, n, NULL, &q, packed, &d, err));
    if (gr != NULL && gr->n_epilogue > 0)
        SAL_TRY(sal_lower_epilogue(p, gr, err));
    *done = true;
done:
    product_pd_free(&d);
    return st;
}

sal_status sal_lower_matmul(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                            sal_error *err)
{
    sal_status st = SAL_OK;
    product q;
    const sal_value *y = sal_val(p->g, n->out[0]);
    *done = false;
    memset(&q, 0, sizeof q);
    if (y->dtype != SAL_F32 || sal_value_count(y) == 0 ||
        !(strcmp(n->op->name, "Gemm") == 0 ? product_of_gemm(p, n, &q)
                                           : product_of_matmul(p, n, &q)))
        return SAL_OK;
    for (int i = 0; i < q.rank; i++)
        if (q.a[i] == 0 || q.b[i] == 0)
            return SAL_OK;
    product_find_weights(p, n, &q);
    if (product_shares(p, &q))
        SAL_TRY(product_lower(p, n, gr, &q, false, done, err));
    if (!*done)
        SAL_TRY(product_lower(p, n, gr, &q, q.weights >= 0, done, err));
done:
    return st;
}
