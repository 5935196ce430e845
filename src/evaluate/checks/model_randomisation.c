/* Model randomisation: a map that stays the same when the network's weights are shuffled does not
 * show what the network has learnt. Every weight tensor keeps its values and loses their order. */
#include "evaluate/check.h"

#include "graph/op.h"

#include <math.h>
#include <string.h>

#define MODEL_RANDOMISATION_PASS  0.5
#define MODEL_RANDOMISATION_FAIL  0.8
#define MODEL_RANDOMISATION_DRAWS 3 /* a CAM has 49 cells: one draw says little */

/* Inputs of an operator that hold what was learnt: bits 1 << input. */
static unsigned randomise_inputs(const sal_op_desc *op)
{
    static const struct {
        const char *op;
        unsigned inputs;
    } table[] = {
        {"Conv", 6},   {"ConvTranspose", 6}, {"Gemm", 7},        {"MatMul", 3},
        {"LSTM", 14},  {"GRU", 14},          {"RNN", 14},        {"BatchNormalization", 30},
        {"Gather", 1}, {"Einsum", 255},      {"DeformConv", 10},
    };

    for (size_t i = 0; i < SAL_COUNTOF(table); i++) {
        if (strcmp(table[i].op, op->name) == 0)
            return table[i].inputs;
    }
    return 0;
}

/* The constant behind a value, through nodes that only move its elements. */
static sal_vid randomise_source(const sal_graph *g, sal_vid v)
{
    for (int depth = 0; v != SAL_NONE && depth < 8; depth++) {
        const sal_value *x = sal_val(g, v);
        const sal_node *n;

        if (x->constant != NULL)
            return v;
        if (x->producer < 0)
            return SAL_NONE;
        n = g->nodes[x->producer];
        if (strcmp(n->op->name, "Transpose") != 0 && strcmp(n->op->name, "Reshape") != 0 &&
            strcmp(n->op->name, "Identity") != 0 && strcmp(n->op->name, "Cast") != 0 &&
            strcmp(n->op->name, "DequantizeLinear") != 0 && strcmp(n->op->name, "Unsqueeze") != 0)
            return SAL_NONE;
        v = sal_node_in(n, 0);
    }
    return SAL_NONE;
}

/* Fisher and Yates. */
static sal_status randomise_shuffle(sal_graph *g, sal_vid v, uint64_t seed, sal_error *err)
{
    const sal_tensor *t = sal_val(g, v)->constant;
    sal_rng rng = sal_rng_seed(seed, (uint64_t)v + 1);
    sal_tensor own = SAL_TENSOR_INIT;
    size_t size = sal_dtype_size(t->dtype), n = (size_t)sal_tensor_count(t);
    char swap[16], *p;
    sal_status st = sal_tensor_new(&own, t->dtype, t->rank, t->dims, err);

    if (st != SAL_OK)
        return st;
    memcpy(own.data, t->data, n * size);
    p = own.data;
    for (size_t i = n; i-- > 1;) {
        size_t k = (size_t)(sal_rng_uniform(&rng) * (double)(i + 1));

        memcpy(swap, p + i * size, size);
        memcpy(p + i * size, p + k * size, size);
        memcpy(p + k * size, swap, size);
    }
    st = sal_graph_set_constant(g, v, &own, err);
    sal_tensor_free(&own);
    return st;
}

/* Shuffle the weights of all layers; *layers: how many tensors. */
static sal_status randomise_graph(sal_graph *g, uint64_t seed, size_t *layers, sal_error *err)
{
    bool *done = sal_calloc(g->n_values + 1, sizeof(*done));
    sal_status st = SAL_OK;

    *layers = 0;
    if (done == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        unsigned inputs = randomise_inputs(n->op);

        for (int k = 0; k < n->n_in && k < 8; k++) {
            sal_vid v = (inputs >> k & 1U) == 0 ? SAL_NONE : randomise_source(g, n->in[k]);

            if (v == SAL_NONE || done[v] || sal_tensor_count(sal_val(g, v)->constant) < 2 ||
                sal_dtype_size(sal_val(g, v)->dtype) > 16)
                continue;
            SAL_TRY(randomise_shuffle(g, v, seed, err));
            done[v] = true;
            ++*layers;
        }
    }
done:
    sal_free(done);
    return st;
}

/* Likeness to the map of one shuffled network; NaN when that gives infinite values. */
static sal_status randomisation_once(sal_check_run *r, uint64_t seed, size_t *layers, double *alike)
{
    sal_graph *g = NULL;
    sal_explainer *x = NULL;
    sal_explanation other = SAL_EXPLANATION_INIT;
    sal_status st = SAL_OK;

    SAL_TRY(sal_graph_clone(&g, r->model, r->err));
    SAL_TRY(randomise_graph(g, seed, layers, r->err));
    if (*layers == 0)
        goto done;
    SAL_TRY(sal_explainer_new(&x, g, r->opts, r->inputs, r->err));
    SAL_TRY(sal_explainer_run(x, r->inputs, r->query, &other, r->err));
    st = sal_check_alike(r, &other, true, alike);
    if (st == SAL_EINVAL) {
        *alike = NAN;
        st = SAL_OK;
    }
done:
    sal_explanation_free(&other);
    sal_explainer_free(x);
    sal_graph_free(g);
    return st;
}

static sal_status randomisation_run(sal_check_run *r)
{
    double mean = 0.0;
    sal_status st = SAL_OK;

    for (int i = 0; i < MODEL_RANDOMISATION_DRAWS; i++) {
        size_t layers = 0;
        double alike = 0.0;

        SAL_TRY(randomisation_once(r, r->opts->seed + (uint64_t)i, &layers, &alike));
        if (layers == 0 || isnan(alike)) {
            sal_check_say(r, SAL_VERDICT_NONE, NAN,
                          layers == 0 ? "the model has no weights that could be shuffled"
                                      : "the shuffled network gives infinite values");
            return SAL_OK;
        }
        mean += alike / MODEL_RANDOMISATION_DRAWS;
    }
    sal_check_say(r,
                  mean <= MODEL_RANDOMISATION_PASS   ? SAL_VERDICT_PASS
                  : mean <= MODEL_RANDOMISATION_FAIL ? SAL_VERDICT_DOUBT
                                                     : SAL_VERDICT_FAIL,
                  mean, "rank correlation %.2f with maps of the network with shuffled weights (%d)",
                  mean, MODEL_RANDOMISATION_DRAWS);
done:
    return st;
}

const sal_check_desc sal_check_model_randomisation = {
    .info = {.name = "model-randomisation",
             .title = "Model randomisation",
             .reference = "Adebayo et al., 2018, arXiv:1810.03292",
             .help = "mean rank correlation with the maps of three copies of the network with "
                     "shuffled weights: passes up to 0.5, fails above 0.8"},
    .run = randomisation_run,
};
