/* FullGrad: what the input and every convolution's offset b contribute. With z the output of a
 * convolution, batch normalisation folded in, and g = dT/dz,
 *
 *     map = sum_c psi(x dT/dx)_c + sum over convolutions and channels of psi(b_c g_c)
 *
 * psi(v) = |v|, scaled to 0..1 over all channels of the sample (rescale=1), brought to the input's
 * size. In networks of rectifiers x dT/dx and all b g, those of dense layers too, sum to T. */
#include "explain/methods.h"

#define FULL_GRAD_MOST 1024

enum { FULL_GRAD_RESCALE };

static const sal_param_info full_grad_params[] = {
    {"rescale", SAL_PARAM_INT, 1, 0, 1, "scale every term to 0..1 before they are added up"},
};

/* psi without its enlargement, summed over the channels: [N, h, w]. */
static sal_vid full_grad_term(sal_method_build *m, sal_vid v, int64_t channels)
{
    static const int64_t all[] = {1, 2, 3};
    sal_builder *b = m->b;

    v = sal_b1(b, "Abs", v);
    if (m->params[FULL_GRAD_RESCALE] != 0.0) {
        v = sal_b2(b, "Sub", v, sal_b_reduce(b, "ReduceMin", v, 3, all, true));
        sal_vid most = sal_b_reduce(b, "ReduceMax", v, 3, all, true);

        v = sal_b2(b, "Div", v, sal_b2(b, "Add", most, sal_b_like(b, v, 1e-30)));
    }
    return sal_b_reduce(b, "ReduceSum", v, 1, &channels, false);
}

/* The offset of a convolution's channels as [1, C, 1, 1]; SAL_NONE when it has none. */
static sal_vid full_grad_offset(sal_builder *b, const sal_node *n)
{
    static const int64_t axes[] = {0, 2, 3};
    sal_vid bias = sal_node_in(n, 2);

    if (bias == SAL_NONE ||
        (strcmp(n->op->name, "Conv") != 0 && strcmp(n->op->name, "ConvTranspose") != 0) ||
        sal_val(b->g, n->out[0])->rank != 4)
        return SAL_NONE;
    return sal_b_unsqueeze(b, bias, 3, axes);
}

static sal_status full_grad_build(sal_method_build *m)
{
    sal_builder *b = m->b;
    size_t n_nodes = b->g->n_nodes;
    sal_vid *wrt = NULL, *grads = NULL, *offsets = NULL, sum = SAL_NONE;
    int n = 0;
    sal_status st = SAL_OK;

    if (m->target->height < 1 || m->target->width < 1)
        return sal_fail(b->err, SAL_EUNSUPPORTED,
                        "full-grad needs a picture as input; take gradient-x-input");
    wrt = sal_malloc(3 * (FULL_GRAD_MOST + 1) * sizeof(*wrt));
    if (wrt == NULL)
        return sal_fail_nomem(b->err);
    grads = wrt + FULL_GRAD_MOST + 1;
    offsets = grads + FULL_GRAD_MOST + 1;
    wrt[n++] = m->target->input;
    for (size_t i = 0; i < n_nodes && n <= FULL_GRAD_MOST; i++) {
        const sal_node *node = b->g->nodes[i];
        sal_vid offset = full_grad_offset(b, node);

        if (offset == SAL_NONE)
            continue;
        offsets[n] = offset;
        wrt[n++] = node->out[0];
    }
    sal_build_gradients(m, NULL, n, wrt, grads);
    for (int i = 0; i < n && b->st == SAL_OK; i++) {
        sal_vid v = sal_b2(b, "Mul", i == 0 ? wrt[0] : offsets[i], grads[i]);

        v = full_grad_term(m, v, i == 0 && m->target->nhwc ? 3 : 1);
        sum = sal_b_add_opt(b, sum, sal_build_enlarged(m, v));
    }
    m->saliency = sum;
    st = b->st;
    sal_free(wrt);
    return st;
}

const sal_method_desc sal_method_full_grad = {
    .info = {.name = "full-grad",
             .title = "FullGrad",
             .reference = "Srinivas and Fleuret, 2019, arXiv:1905.00780",
             .kind = SAL_METHOD_CAM,
             .exportable = true,
             .n_params = SAL_COUNTOF(full_grad_params),
             .params = full_grad_params,
             .aliases = "fullgrad"},
    .build = full_grad_build,
    .merge = true,
};
