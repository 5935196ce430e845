/* Constant folding: a node whose inputs are all constant becomes a constant. Shape arithmetic
 * counts as constant as soon as inference knows its numbers, even where the tensor it starts from
 * is not. */
#include "graph/passes/fold.h"

enum { FOLD_OUTPUTS_MAX = 64, FOLD_TRANSPOSED_MIN = 1 << 18 };

/* Work of slow reference evaluation that is still worth while: a product of two large weights would
 * take minutes. Estimated as (elements in) x (elements out), which is exact for one row of a matrix
 * product. */
static const double fold_work_max = 6.9e10; /* 2^36 */

/* Numbers that inference already has. Known numbers are integers >= 0; symbols are negative. */
static sal_status fold_known(sal_graph *g, sal_vid v, bool *done, sal_error *err)
{
    const sal_value *x = sal_val(g, v);
    sal_tensor t = SAL_TENSOR_INIT;
    int64_t dims[1] = {x->known_n};
    *done = false;
    if (x->known == NULL || x->rank < 0 || x->rank > 1 ||
        (x->dtype != SAL_I64 && x->dtype != SAL_I32))
        return SAL_OK;
    if (x->rank == 0 ? x->known_n != 1 : x->dims[0] != x->known_n)
        return SAL_OK;
    for (int i = 0; i < x->known_n; i++)
        if (x->known[i] < 0 || (x->dtype == SAL_I32 && x->known[i] > INT32_MAX))
            return SAL_OK;
    sal_status st = sal_tensor_new(&t, x->dtype, x->rank, dims, err);
    for (int i = 0; st == SAL_OK && i < x->known_n; i++) {
        if (x->dtype == SAL_I64)
            ((int64_t *)t.data)[i] = x->known[i];
        else
            ((int32_t *)t.data)[i] = (int32_t)x->known[i];
    }
    if (st == SAL_OK)
        st = sal_graph_set_constant(g, v, &t, err);
    *done = st == SAL_OK;
    sal_tensor_free(&t);
    return st;
}

/* May the node be computed: inputs constant, sizes within the limits? *grow: bytes beyond its
 * inputs' size. */
static bool fold_allowed(const sal_graph *g, const sal_node *n, const sal_fold *how, size_t *grow)
{
    double in = 0, out = 0;
    size_t in_bytes = 0, out_bytes = 0;
    if (n->n_out > FOLD_OUTPUTS_MAX || (n->op->eval == NULL && n->op->expand == NULL))
        return false;
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] == SAL_NONE)
            continue;
        const sal_tensor *t = sal_val(g, n->in[k])->constant;
        if (t == NULL || (t->data == NULL && sal_tensor_count(t) > 0))
            return false; /* not constant, or given up (sal_graph_strip) */
        in += (double)sal_tensor_count(t);
        in_bytes += sal_tensor_bytes(t);
    }
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] == SAL_NONE)
            continue;
        const sal_value *v = sal_val(g, n->out[k]);
        int64_t count = sal_value_count(v);
        size_t bytes;
        if (count < 0 && (n->op->flags & SAL_OP_DATA_SHAPE) != 0)
            count = (int64_t)in *
                    (v->rank > 0 ? v->rank : 1); /* NonZero: at most rank numbers an element */
        if (count < 0 || !sal_mul_ok((size_t)count, sal_dtype_size(v->dtype), &bytes) ||
            !sal_add_ok(out_bytes, bytes, &out_bytes))
            return false;
        out += (double)count;
    }
    /* Packed matrices stay packed: kernels read them as they lie in the file. */
    if (sal_node_is_ours(n, "Unpack") || sal_node_is_ours(n, "PackedMatMul") ||
        sal_node_is_ours(n, "PackedGather"))
        return false;
    /* Quantised weights: small in a file, but to be run they are needed as floats once, not anew in
     * every run. */
    if (sal_node_is(n, "DequantizeLinear")) {
        *grow = 0;
        return how->weights && out_bytes <= PTRDIFF_MAX;
    }
    *grow = out_bytes > in_bytes ? out_bytes - in_bytes : 0;
    if (out_bytes > PTRDIFF_MAX || *grow > how->grow_max)
        return false;
    return (n->op->flags & (SAL_OP_ELEMENTWISE | SAL_OP_MOVE | SAL_OP_VIEW)) != 0 ||
           in * out <= fold_work_max;
}

/* A large transposed matrix that only matrix products read, as their right operand. */
static bool fold_is_transposed_weight(const sal_graph *g, const sal_node *n)
{
    if (!sal_node_is(n, "Transpose") || n->n_in != 1 || n->n_out != 1)
        return false;
    const sal_tensor *t = sal_value_constant(g, n->in[0]);
    if (t == NULL || t->rank != 2 || t->dtype != SAL_F32 ||
        sal_tensor_bytes(t) < FOLD_TRANSPOSED_MIN)
        return false;
    for (size_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == n->out[0])
            return false;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] == n->out[0] && (k != 1 || !sal_node_is(g->nodes[i], "MatMul")))
                return false;
    return true;
}

sal_status sal_fold_node(sal_graph *g, const sal_node *n, const sal_fold *how, size_t *grown,
                         bool *folded, sal_error *err)
{
    const sal_tensor *one[16], **in = one;
    sal_tensor results[FOLD_OUTPUTS_MAX], *out[FOLD_OUTPUTS_MAX];
    size_t grow = 0;
    bool all = true, done;
    sal_status st = SAL_OK;
    *folded = false;
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] == SAL_NONE || sal_val(g, n->out[k])->constant != NULL)
            continue;
        st = fold_known(g, n->out[k], &done, err);
        if (st != SAL_OK)
            return st;
        all = all && done;
    }
    *folded = all;
    if (all || how->eval == NULL || !fold_allowed(g, n, how, &grow) ||
        grow > how->grow_total - *grown ||
        (how->keep_transposed && fold_is_transposed_weight(g, n)))
        return SAL_OK;
    for (int k = 0; k < n->n_out; k++) {
        results[k] = (sal_tensor)SAL_TENSOR_INIT;
        out[k] = n->out[k] == SAL_NONE ? NULL : &results[k];
    }
    if (n->n_in > (int)SAL_COUNTOF(one)) {
        in = sal_malloc((size_t)n->n_in * sizeof *in);
        if (in == NULL)
            return sal_fail_nomem(err);
    }
    for (int k = 0; k < n->n_in; k++)
        in[k] = sal_value_constant(g, n->in[k]);
    st = how->eval(g, n, in, out, err);
    if (st != SAL_OK)
        SAL_TRY(sal_fail_prefix(err, st, "node '%s' (%s)", n->name, n->op->name));
    for (int k = 0; k < n->n_out; k++)
        if (out[k] != NULL)
            SAL_TRY(sal_graph_set_constant(g, n->out[k], out[k], err));
    *grown += grow;
    *folded = true;
done:
    for (int k = 0; k < n->n_out; k++)
        sal_tensor_free(&results[k]);
    if (in != one)
        sal_free((void *)(uintptr_t)in);
    return st;
}

sal_status sal_pass_fold(sal_graph *g, const sal_fold *how, sal_error *err)
{
    sal_rewrite r;
    size_t grown = 0;
    sal_status st = SAL_OK;
    SAL_TRY(sal_rewrite_begin(&r, g, err));
    for (size_t i = 0; i < g->n_nodes; i++) {
        bool folded;
        SAL_TRY(sal_fold_node(g, g->nodes[i], how, &grown, &folded, err));
        r.dead[i] = folded;
        r.changed = r.changed || folded;
    }
done:
    return sal_rewrite_end(&r, st);
}
