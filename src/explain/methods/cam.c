/* CAM, for models whose last map is pooled and weighed by one linear layer: with W_c the weights of
 * class c,
 *
 *     map_p = relu(sum_k W_ck A_kp)
 *
 * The weights are found as sum_p dT/dA_kp, which is W_ck for such a head and any question; the head
 * is checked, since elsewhere that sum means nothing of the kind. */
#include "explain/methods.h"

/* What one node of such a head may be. */
typedef enum cam_step { CAM_OTHER, CAM_POOL, CAM_MOVE, CAM_LINEAR, CAM_OFFSET } cam_step;

static cam_step cam_kind(const sal_graph *g, const sal_node *n, sal_vid from)
{
    static const char *const moves[] = {"Identity", "Dropout",   "Flatten", "Reshape",
                                        "Squeeze",  "Transpose", "Cast"};
    const char *op = n->op->name;

    for (size_t i = 0; i < SAL_COUNTOF(moves); i++) {
        if (strcmp(op, moves[i]) == 0)
            return CAM_MOVE;
    }
    if (strcmp(op, "GlobalAveragePool") == 0 || strcmp(op, "ReduceMean") == 0 ||
        strcmp(op, "AveragePool") == 0)
        return CAM_POOL;
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] != SAL_NONE && n->in[k] != from && sal_val(g, n->in[k])->constant == NULL)
            return CAM_OTHER;
    }
    if (strcmp(op, "Gemm") == 0 || strcmp(op, "MatMul") == 0 || strcmp(op, "Conv") == 0)
        return CAM_LINEAR;
    return strcmp(op, "Add") == 0 ? CAM_OFFSET : CAM_OTHER;
}

static const sal_node *cam_reader(const sal_graph *g, sal_vid v)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            if (g->nodes[i]->in[k] == v && (g->nodes[i]->op->flags & SAL_OP_NOGRAD) == 0)
                return g->nodes[i];
        }
    }
    return NULL;
}

static bool cam_head_fits(const sal_method_build *m)
{
    const sal_graph *g = m->b->g;
    sal_vid v = m->layer->value;
    bool pooled = false, linear = false;

    for (int guard = 0; v != m->target->logits && guard < 16; guard++) {
        const sal_node *n = cam_reader(g, v);
        cam_step k = n == NULL ? CAM_OTHER : cam_kind(g, n, v);

        if (k == CAM_OTHER || (k == CAM_POOL && pooled) || (k == CAM_LINEAR && (linear || !pooled)))
            return false;
        pooled = pooled || k == CAM_POOL;
        linear = linear || k == CAM_LINEAR;
        v = n->out[0];
    }
    return pooled && linear && v == m->target->logits;
}

static sal_status cam_build(sal_method_build *m)
{
    static const int64_t space[] = {2, 3}, channels = 1;
    sal_builder *b = m->b;
    sal_vid a, g;

    if (!cam_head_fits(m))
        return sal_fail(b->err, SAL_EUNSUPPORTED,
                        "cam needs a model that averages %s and weighs the averages by one linear "
                        "layer; grad-cam is the same map for any head",
                        sal_val(b->g, m->layer->value)->name);
    sal_build_layer(m, &a, &g);
    sal_vid w = sal_b_reduce(b, "ReduceSum", g, 2, space, true);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", w, a), 1, &channels, false));
    return b->st;
}

const sal_method_desc sal_method_cam = {
    .info = {.name = "cam",
             .title = "CAM",
             .reference = "Zhou et al., 2016, arXiv:1512.04150",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .wants_layer = true},
    .build = cam_build,
};
