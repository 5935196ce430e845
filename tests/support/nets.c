/* Small networks for tests (nets.h). */
#include "support/nets.h"

#include <math.h>
#include <stdio.h>

typedef struct net {
    sal_builder b;
    const nets_opts *o;
    uint64_t stream;
} net;

sal_status nets_uniform(sal_tensor *out, sal_dtype dtype, int rank, const int64_t *dims, double lo,
                        double hi, uint64_t seed, sal_error *err)
{
    sal_rng r = sal_rng_seed(seed, 77);
    sal_status st = sal_tensor_new(out, dtype, rank, dims, err);

    for (int64_t i = 0; st == SAL_OK && i < sal_tensor_count(out); i++)
        sal_tensor_set(out, i, (double)(float)(lo + (hi - lo) * sal_rng_uniform(&r)));
    return st;
}

static sal_vid net_weight(net *n, const char *name, int rank, const int64_t *dims, double lo,
                          double hi)
{
    sal_tensor t = SAL_TENSOR_INIT;
    sal_vid v = SAL_NONE;

    if (n->b.st == SAL_OK)
        n->b.st = nets_uniform(&t, n->o->dtype, rank, dims, lo, hi, n->o->seed * 1000 + n->stream++,
                               n->b.err);
    if (n->b.st == SAL_OK)
        n->b.st = sal_graph_constant(n->b.g, name, &t, &v, n->b.err);
    sal_tensor_free(&t);
    return v;
}

static sal_vid net_name(net *n, sal_vid v, const char *name)
{
    if (n->b.st == SAL_OK)
        n->b.st = sal_graph_rename(n->b.g, v, name, n->b.err);
    return v;
}

static sal_vid net_conv(net *n, sal_vid x, int64_t in, int64_t out, int64_t k, int64_t stride,
                        int64_t pad)
{
    int64_t w[] = {out, in, k, k}, strides[] = {stride, stride}, pads[] = {pad, pad, pad, pad};
    double scale = 1.5 / sqrt((double)(in * k * k));
    sal_vid ids[] = {x, net_weight(n, NULL, 4, w, -scale, scale),
                     n->o->bias ? net_weight(n, NULL, 1, &out, -0.2, 0.2) : SAL_NONE};
    sal_attr a[] = {SAL_AINTS("strides", strides, 2), SAL_AINTS("pads", pads, 4)};

    return sal_b_op(&n->b, "Conv", 3, ids, 2, a);
}

static sal_vid net_activation(net *n, sal_vid x)
{
    return sal_b1(&n->b, n->o->smooth ? "Softplus" : "Relu", x);
}

static sal_vid net_norm(net *n, sal_vid x, int64_t c)
{
    sal_vid ids[] = {x, net_weight(n, NULL, 1, &c, 0.5, 1.5),
                     net_weight(n, NULL, 1, &c, n->o->bias ? -0.2 : 0, n->o->bias ? 0.2 : 0),
                     net_weight(n, NULL, 1, &c, n->o->bias ? -0.2 : 0, n->o->bias ? 0.2 : 0),
                     net_weight(n, NULL, 1, &c, 0.5, 1.5)};

    return sal_b_op(&n->b, "BatchNormalization", 5, ids, 0, NULL);
}

static sal_vid net_begin(net *n, const nets_opts *o, sal_error *err)
{
    sal_graph *g = NULL;
    sal_vid x = SAL_NONE;

    *n = (net){.b = SAL_BUILDER(NULL, err, NULL), .o = o};
    n->b.st = sal_graph_new(&g, "net", err);
    n->b.g = g;
    if (n->b.st != SAL_OK)
        return x;
    int64_t dims[] = {o->batch > 0 ? o->batch : sal_dim_symbol(g, "N"), 3, 12, 12};
    n->b.st = sal_graph_input(g, "image", o->dtype, 4, dims, &x, err);
    return x;
}

/* Head on [N, width]; finishes the graph. */
static sal_status net_end(net *n, sal_vid x, int64_t width, sal_graph **out)
{
    int64_t w[] = {5, width}, classes = 5;
    sal_vid ids[] = {x, net_weight(n, "head.weight", 2, w, -0.8, 0.8),
                     n->o->bias ? net_weight(n, "head.bias", 1, &classes, -0.3, 0.3) : SAL_NONE};
    sal_attr t = SAL_AI("transB", 1), axis = SAL_AI("axis", 1);
    sal_vid y = net_name(n, sal_b_op(&n->b, "Gemm", 3, ids, 1, &t), "logits");

    if (n->o->softmax)
        y = net_name(n, sal_b_op(&n->b, "Softmax", 1, &y, 1, &axis), "probs");
    if (n->b.st == SAL_OK)
        n->b.st = sal_graph_add_output(n->b.g, y, n->b.err);
    *out = NULL;
    if (n->b.st == SAL_OK)
        *out = n->b.g;
    else
        sal_graph_free(n->b.g);
    return n->b.st;
}

sal_status nets_cnn(sal_graph **out, const nets_opts *o, sal_error *err)
{
    static const int64_t two[] = {2, 2};
    net n;
    sal_vid x = net_begin(&n, o, err);
    sal_attr pool[] = {SAL_AINTS("kernel_shape", two, 2), SAL_AINTS("strides", two, 2)};
    sal_attr axis = SAL_AI("axis", 1);

    x = net_name(&n, net_activation(&n, net_conv(&n, x, 3, 6, 3, 1, 1)), "stem");
    x = net_name(&n, sal_b_op(&n.b, o->smooth ? "AveragePool" : "MaxPool", 1, &x, 2, pool),
                 "pooled");
    x = net_conv(&n, x, 6, 8, 3, 1, 1);
    sal_vid y = net_activation(&n, net_norm(&n, x, 8));
    y = net_norm(&n, net_conv(&n, y, 8, 8, 3, 1, 1), 8);
    x = net_name(&n, net_activation(&n, sal_b2(&n.b, "Add", x, y)), "features");
    x = sal_b1(&n.b, "GlobalAveragePool", x);
    x = sal_b_op(&n.b, "Flatten", 1, &x, 1, &axis);
    return net_end(&n, x, 8, out);
}

static sal_vid net_layer_norm(net *n, sal_vid x, const char *name)
{
    int64_t d = 8;
    sal_attr axis = SAL_AI("axis", -1);
    sal_vid ids[] = {x, net_weight(n, NULL, 1, &d, 0.5, 1.5),
                     net_weight(n, NULL, 1, &d, -0.2, 0.2)};

    return net_name(n, sal_b_op(&n->b, "LayerNormalization", 3, ids, 1, &axis), name);
}

static sal_vid net_linear(net *n, sal_vid x, int64_t in, int64_t out)
{
    int64_t w[] = {in, out};
    double scale = 1.5 / sqrt((double)in);
    sal_vid y = sal_b2(&n->b, "MatMul", x, net_weight(n, NULL, 2, w, -scale, scale));

    return sal_b2(&n->b, "Add", y, net_weight(n, NULL, 1, &out, -0.2, 0.2));
}

/* [N, 10, 8] -> [N, 2, 10, 4] */
static sal_vid net_heads(net *n, sal_vid x)
{
    static const int64_t perm[] = {0, 2, 1, 3};

    if (n->b.st != SAL_OK)
        return SAL_NONE;
    int64_t dims[] = {sal_val(n->b.g, x)->dims[0], 10, 2, 4};
    return sal_b_transpose(&n->b, sal_b_reshape(&n->b, x, 4, dims, x), perm);
}

static sal_vid net_attention(net *n, sal_vid x)
{
    static const int64_t perm[] = {0, 2, 1, 3}, turn[] = {0, 1, 3, 2};
    sal_builder *b = &n->b;
    sal_vid q = net_heads(n, net_linear(n, x, 8, 8)), k = net_heads(n, net_linear(n, x, 8, 8));
    sal_vid v = net_heads(n, net_linear(n, x, 8, 8));
    sal_attr axis = SAL_AI("axis", -1);
    sal_vid scores = sal_b2(b, "MatMul", q, sal_b_transpose(b, k, turn));

    scores = sal_b2(b, "Mul", scores, sal_b_scalar(b, n->o->dtype, 0.5));
    scores = sal_b_op(b, "Softmax", 1, &scores, 1, &axis);
    sal_vid y = sal_b_transpose(b, sal_b2(b, "MatMul", scores, v), perm);
    if (b->st != SAL_OK)
        return SAL_NONE;
    int64_t dims[] = {sal_val(b->g, x)->dims[0], 10, 8};
    return net_linear(n, sal_b_reshape(b, y, 3, dims, y), 8, 8);
}

sal_status nets_vit(sal_graph **out, const nets_opts *o, int blocks, sal_error *err)
{
    static const int64_t perm[] = {0, 2, 1}, token[] = {1, 1, 8}, positions[] = {1, 10, 8};
    static const int64_t first = 0;
    net n;
    sal_vid x = net_begin(&n, o, err), image = x;
    sal_builder *b = &n.b;
    sal_attr axis = SAL_AI("axis", 1);

    x = net_conv(&n, x, 3, 8, 4, 4, 0);
    if (b->st == SAL_OK) {
        int64_t dims[] = {sal_val(b->g, image)->dims[0], 8, 9};

        x = sal_b_transpose(b, sal_b_reshape(b, x, 3, dims, x), perm);
    }
    /* The class token for each sample: zeros of the first patch's shape plus the token. */
    sal_vid like = sal_b_slice(b, x, 1, 0, 1, 1);
    sal_vid cls = sal_b2(b, "Add", sal_b2(b, "Mul", like, sal_b_scalar(b, o->dtype, 0.0)),
                         net_weight(&n, NULL, 3, token, -1, 1));
    sal_vid both[] = {cls, x};
    x = sal_b_op(b, "Concat", 2, both, 1, &axis);
    x = sal_b2(b, "Add", x, net_weight(&n, NULL, 3, positions, -0.5, 0.5));
    for (int i = 0; i < blocks; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "block%d.norm1", i);
        x = sal_b2(b, "Add", x, net_attention(&n, net_layer_norm(&n, x, name)));
        (void)snprintf(name, sizeof(name), "block%d.norm2", i);
        sal_vid y = sal_b1(b, "Gelu", net_linear(&n, net_layer_norm(&n, x, name), 8, 16));
        x = sal_b2(b, "Add", x, net_linear(&n, y, 16, 8));
    }
    x = net_layer_norm(&n, x, "norm");
    sal_vid pick = b->st == SAL_OK ? sal_b_ints(b, &first, 1) : SAL_NONE;
    pick = sal_b_squeeze(b, pick, 1, &first);
    sal_vid ids[] = {x, pick};
    x = sal_b_op(b, "Gather", 2, ids, 1, &axis);
    return net_end(&n, x, 8, out);
}

sal_status nets_input(const sal_graph *g, size_t i, int64_t batch, uint64_t seed, sal_tensor *out,
                      sal_error *err)
{
    const sal_value *v = sal_val(g, g->inputs[i]);
    int64_t dims[SAL_MAX_RANK];

    memcpy(dims, v->dims, sizeof(dims));
    if (v->rank > 0 && dims[0] < 0)
        dims[0] = batch;
    return nets_uniform(out, v->dtype, v->rank, dims, -1, 1, seed, err);
}

double nets_pearson(const sal_tensor *a, const sal_tensor *b)
{
    int64_t n = sal_tensor_count(a);
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;

    if (n != sal_tensor_count(b) || n == 0)
        return -2;
    for (int64_t i = 0; i < n; i++) {
        ma += sal_tensor_get(a, i) / (double)n;
        mb += sal_tensor_get(b, i) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = sal_tensor_get(a, i) - ma, y = sal_tensor_get(b, i) - mb;

        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : -2;
}

double nets_rel(const sal_tensor *a, const sal_tensor *b)
{
    int64_t n = sal_tensor_count(a);
    double worst = 0, scale = 0;

    if (n != sal_tensor_count(b))
        return (double)INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(sal_tensor_get(a, i) - sal_tensor_get(b, i));

        if (!(d <= worst))
            worst = d;
        scale = fmax(scale, fabs(sal_tensor_get(b, i)));
    }
    return scale > 0 ? worst / scale : worst;
}
