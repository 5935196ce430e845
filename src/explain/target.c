/* Finding input, output and logits; the query as a graph input. */
#include "explain/target.h"

#include <stdio.h>

static bool target_is_float(const sal_graph *g, sal_vid v)
{
    return sal_dtype_is_float(sal_val(g, v)->dtype);
}

static sal_status target_input(sal_target *t, const sal_graph *g, const char *name, sal_error *err)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        const sal_value *v = sal_val(g, g->inputs[i]);

        if (name != NULL ? strcmp(v->name, name) != 0 : !target_is_float(g, g->inputs[i]))
            continue;
        if (!target_is_float(g, g->inputs[i]))
            return sal_fail(err, SAL_ENOGRAD,
                            "input %s holds %s: only floating-point inputs can be explained",
                            v->name, sal_dtype_name(v->dtype));
        t->input = g->inputs[i];
        t->input_index = (int)i;
        return SAL_OK;
    }
    if (name != NULL)
        return sal_fail(err, SAL_EINVAL, "the model has no input named %s", name);
    return sal_fail(err, SAL_ENOGRAD, "the model has no floating-point input to explain");
}

static sal_status target_output(sal_target *t, const sal_graph *g, const char *name, sal_error *err)
{
    if (name != NULL) {
        t->output = sal_graph_find(g, name);
        if (t->output == SAL_NONE)
            return sal_fail(err, SAL_EINVAL, "the model has no output or value named %s", name);
        if (!target_is_float(g, t->output))
            return sal_fail(err, SAL_ENOGRAD,
                            "output %s holds %s: only floating-point outputs can be explained",
                            name, sal_dtype_name(sal_val(g, t->output)->dtype));
        return SAL_OK;
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        if (target_is_float(g, g->outputs[i])) {
            t->output = g->outputs[i];
            return SAL_OK;
        }
    }
    return sal_fail(err, SAL_ENOGRAD, "the model has no floating-point output to explain");
}

static bool target_named(const char *op, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(op, *names) == 0)
            return true;
    }
    return false;
}

/* What a final softmax (or its kin) reads; the output itself when there is none. A softmax makes
 * every map implicitly contrastive and flattens the gradient of confident answers. */
static sal_vid target_logits(const sal_graph *g, sal_vid output)
{
    static const char *const skip[] = {"Identity", "Dropout", "Cast", "Reshape",
                                       "Flatten",  "Squeeze", NULL};
    static const char *const strip[] = {"Softmax", "LogSoftmax", "Sigmoid", NULL};
    sal_vid v = output;

    for (int guard = 0; guard < 8; guard++) {
        int32_t p = sal_val(g, v)->producer;

        if (p < 0)
            return output;
        const sal_node *n = g->nodes[p];
        if (target_named(n->op->name, strip))
            return n->in[0];
        if (!target_named(n->op->name, skip))
            return output;
        v = n->in[0];
        if (!target_is_float(g, v))
            return output;
    }
    return output;
}

bool sal_target_is_batch(const sal_target *t, const sal_graph *g, sal_vid v)
{
    const sal_value *in = sal_val(g, t->input), *x = sal_val(g, v);

    return in->rank >= 2 && x->rank >= 1 && x->dims[0] == in->dims[0];
}

static bool target_is_channels(int64_t d)
{
    return d == 1 || d == 3 || d == 4;
}

sal_status sal_target_find(sal_target *t, const sal_graph *g, const char *input, const char *output,
                           bool probabilities, sal_error *err)
{
    sal_status st = SAL_OK;

    *t = (sal_target){.query = SAL_NONE, .seed = SAL_NONE};
    SAL_TRY(target_input(t, g, input, err));
    SAL_TRY(target_output(t, g, output, err));
    t->logits = probabilities ? t->output : target_logits(g, t->output);
    const sal_value *x = sal_val(g, t->input), *z = sal_val(g, t->logits);
    if (x->rank < 0 || z->rank < 0) {
        st = sal_fail(err, SAL_ESHAPE,
                      "the shape of %s is not known; give the model fixed input shapes",
                      x->rank < 0 ? x->name : z->name);
        goto done;
    }
    t->batched = sal_target_is_batch(t, g, t->logits);
    t->classes = 1;
    for (int i = t->batched ? 1 : 0; i < z->rank; i++)
        t->classes = z->dims[i] < 0 || t->classes < 0 ? -1 : t->classes * z->dims[i];
    if (x->rank == 4) {
        t->nhwc = target_is_channels(x->dims[3]) && !target_is_channels(x->dims[1]);
        t->height = SAL_MAX(x->dims[t->nhwc ? 1 : 2], 0);
        t->width = SAL_MAX(x->dims[t->nhwc ? 2 : 3], 0);
    }
done:
    return st;
}

/* Free the name for our own use: inner values of the model give way, its inputs and outputs do not.
 */
static sal_status target_claim(sal_graph *g, const char *name, bool *ours, sal_error *err)
{
    sal_vid v = sal_graph_find(g, name);
    char other[64];

    *ours = true;
    if (v == SAL_NONE)
        return SAL_OK;
    for (size_t i = 0; i < g->n_inputs; i++)
        *ours = *ours && g->inputs[i] != v;
    for (size_t i = 0; i < g->n_outputs; i++)
        *ours = *ours && g->outputs[i] != v;
    if (!*ours)
        return SAL_OK;
    (void)snprintf(other, sizeof(other), "model.%s.%d", name, (int)v);
    return sal_graph_rename(g, v, other, err);
}

sal_status sal_target_claim_name(sal_graph *g, const char *name, const char *fallback,
                                 const char **out, sal_error *err)
{
    bool ours = false;
    sal_status st = SAL_OK;

    *out = name;
    SAL_TRY(target_claim(g, name, &ours, err));
    if (!ours)
        *out = fallback;
done:
    return st;
}

sal_status sal_target_add_query(sal_target *t, sal_graph *g, sal_error *err)
{
    sal_builder b = SAL_BUILDER(g, err, "query");
    const sal_value *z = sal_val(g, t->logits);
    int64_t dims[SAL_MAX_RANK], full[SAL_MAX_RANK];
    int rank = z->rank, whole = z->rank;
    const char *name;
    sal_vid q;
    sal_status st = SAL_OK;

    memcpy(dims, z->dims, sizeof(dims));
    if (t->batched && dims[0] != 1)
        dims[0] = sal_dim_symbol(g, "query_batch");
    memcpy(full, dims, sizeof(full));
    /* [N, K, 1, 1], the output of a convolutional classifier, is asked about as [N, K]. */
    while (rank > (t->batched ? 2 : 1) && dims[rank - 1] == 1)
        rank--;
    SAL_TRY(sal_target_claim_name(g, "query", "salience_query", &name, err));
    SAL_TRY(sal_graph_input(g, name, SAL_F32, rank, dims, &t->query, err));
    q = sal_b_cast(&b, t->query, z->dtype);
    if (whole != rank)
        q = sal_b_reshape(&b, q, whole, full, t->query);
    t->seed = sal_b_expand_like(&b, q, t->logits);
    st = b.st;
done:
    return st;
}
