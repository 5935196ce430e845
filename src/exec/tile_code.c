/* Element-wise operators -> instructions of the tile engine. */
#include "exec/tile.h"

#include <float.h>
#include <math.h>

typedef struct tile_row {
    const char *op;
    sal_tile_op code;
    int operands; /* -1: two or more, joined pairwise */
} tile_row;

static const tile_row tile_rows[] = {
    {"Add", SAL_TILE_ADD, 2},
    {"Sub", SAL_TILE_SUB, 2},
    {"Mul", SAL_TILE_MUL, 2},
    {"Div", SAL_TILE_DIV, 2},
    {"Pow", SAL_TILE_POW, 2},
    {"PRelu", SAL_TILE_PRELU, 2},
    {"Sum", SAL_TILE_ADD, -1},
    {"Min", SAL_TILE_MIN, -1},
    {"Max", SAL_TILE_MAX, -1},
    {"Equal", SAL_TILE_EQ, 2},
    {"Greater", SAL_TILE_GT, 2},
    {"GreaterOrEqual", SAL_TILE_GE, 2},
    {"Less", SAL_TILE_LT, 2},
    {"LessOrEqual", SAL_TILE_LE, 2},
    {"And", SAL_TILE_AND, 2},
    {"Or", SAL_TILE_OR, 2},
    {"Xor", SAL_TILE_XOR, 2},
    {"Where", SAL_TILE_WHERE, 3},
    {"FakeQuantize", SAL_TILE_FAKE_QUANTIZE, 3},
    {"GeluGrad", SAL_TILE_GELU_GRAD, 2},
    {"Not", SAL_TILE_NOT, 1},
    {"Neg", SAL_TILE_NEG, 1},
    {"Abs", SAL_TILE_ABS, 1},
    {"Sqrt", SAL_TILE_SQRT, 1},
    {"Reciprocal", SAL_TILE_RECIPROCAL, 1},
    {"Exp", SAL_TILE_EXP, 1},
    {"Log", SAL_TILE_LOG, 1},
    {"Erf", SAL_TILE_ERF, 1},
    {"Tanh", SAL_TILE_TANH, 1},
    {"Sigmoid", SAL_TILE_SIGMOID, 1},
    {"Sin", SAL_TILE_SIN, 1},
    {"Cos", SAL_TILE_COS, 1},
    {"Sign", SAL_TILE_SIGN, 1},
    {"Floor", SAL_TILE_FLOOR, 1},
    {"Ceil", SAL_TILE_CEIL, 1},
    {"Relu", SAL_TILE_RELU, 1},
    {"Clip", SAL_TILE_CLIP, 1},
    {"LeakyRelu", SAL_TILE_LEAKY_RELU, 1},
    {"Elu", SAL_TILE_ELU, 1},
    {"Selu", SAL_TILE_SELU, 1},
    {"Celu", SAL_TILE_CELU, 1},
    {"HardSigmoid", SAL_TILE_HARD_SIGMOID, 1},
    {"HardSwish", SAL_TILE_HARD_SWISH, 1},
    {"Softplus", SAL_TILE_SOFTPLUS, 1},
    {"Softsign", SAL_TILE_SOFTSIGN, 1},
    {"Mish", SAL_TILE_MISH, 1},
    {"Gelu", SAL_TILE_GELU, 1},
    {"Swish", SAL_TILE_SWISH, 1},
    {"Identity", SAL_TILE_COPY, 1},
    {"Cast", SAL_TILE_COPY, 1},
};

bool sal_scalar_constant(const sal_graph *g, sal_vid v, double *out)
{
    if (v == SAL_NONE || sal_val(g, v)->constant == NULL ||
        sal_tensor_count(sal_val(g, v)->constant) != 1)
        return false;
    *out = sal_tensor_get(sal_val(g, v)->constant, 0);
    return true;
}

/* Bounds of Clip as numbers; omitted ones are infinite. */
static bool tile_clip_bounds(const sal_graph *g, const sal_node *n, float *p0, float *p1)
{
    double lo = -(double)INFINITY, hi = (double)INFINITY;
    if (sal_node_in(n, 1) != SAL_NONE && !sal_scalar_constant(g, n->in[1], &lo))
        return false;
    if (sal_node_in(n, 2) != SAL_NONE && !sal_scalar_constant(g, n->in[2], &hi))
        return false;
    *p0 = (float)lo;
    *p1 = (float)hi;
    return true;
}

/* x^y with the exponents that models use has its own instruction. */
static void tile_special_power(const sal_graph *g, const sal_node *n, sal_tile_op *op,
                               int *operands)
{
    static const struct {
        double y;
        sal_tile_op op;
    } rows[] = {{2.0, SAL_TILE_SQUARE}, {3.0, SAL_TILE_CUBE},        {0.5, SAL_TILE_SQRT},
                {-0.5, SAL_TILE_RSQRT}, {-1.0, SAL_TILE_RECIPROCAL}, {1.0, SAL_TILE_COPY}};
    double y;
    if (!sal_scalar_constant(g, n->in[1], &y) ||
        sal_val(g, n->in[1])->rank > sal_val(g, n->in[0])->rank)
        return;
    for (size_t i = 0; i < SAL_COUNTOF(rows); i++) {
        if (rows[i].y == y) {
            *op = rows[i].op;
            *operands = 1;
        }
    }
}

/* Codes up to 16 bits: the instruction counts in float. */
static bool tile_codes(const sal_node *n, float *p0, float *p1)
{
    int64_t lo = sal_node_int(n, "lo", 0), hi = sal_node_int(n, "hi", 255);
    *p0 = (float)lo;
    *p1 = (float)hi;
    return lo >= -32768 && hi <= 65535;
}

static void tile_parameters(const sal_node *n, sal_tile_op *op, float *p0, float *p1)
{
    switch (*op) {
    case SAL_TILE_LEAKY_RELU:
        *p0 = (float)sal_node_float(n, "alpha", 0.01);
        break;
    case SAL_TILE_ELU:
    case SAL_TILE_CELU:
    case SAL_TILE_SWISH:
        *p0 = (float)sal_node_float(n, "alpha", 1.0);
        break;
    case SAL_TILE_SELU:
        *p0 = (float)sal_node_float(n, "alpha", 1.67326319217681884765625);
        *p1 = (float)sal_node_float(n, "gamma", 1.05070102214813232421875);
        break;
    case SAL_TILE_HARD_SIGMOID:
        *p0 = (float)sal_node_float(n, "alpha", 0.2);
        *p1 = (float)sal_node_float(n, "beta", 0.5);
        break;
    case SAL_TILE_GELU:
        if (strcmp(sal_node_str(n, "approximate", "none"), "tanh") == 0)
            *op = SAL_TILE_GELU_TANH;
        break;
    case SAL_TILE_GELU_GRAD:
        if (strcmp(sal_node_str(n, "approximate", "none"), "tanh") == 0)
            *op = SAL_TILE_GELU_TANH_GRAD;
        break;
    default:
        break;
    }
}

bool sal_tile_code(const sal_graph *g, const sal_node *n, sal_tile_op *op, float *p0, float *p1,
                   int *operands)
{
    const tile_row *row = NULL;
    for (size_t i = 0; i < SAL_COUNTOF(tile_rows) && row == NULL; i++)
        if (strcmp(tile_rows[i].op, n->op->name) == 0)
            row = &tile_rows[i];
    if (row == NULL)
        return false;
    *op = row->code;
    *operands = row->operands < 0 ? n->n_in : row->operands;
    *p0 = *p1 = 0.0f;
    if (*op == SAL_TILE_CLIP && !tile_clip_bounds(g, n, p0, p1))
        return false;
    if (*op == SAL_TILE_FAKE_QUANTIZE && !tile_codes(n, p0, p1))
        return false;
    if (*op == SAL_TILE_POW)
        tile_special_power(g, n, op, operands);
    if (row->operands < 0 && n->n_in == 1)
        *op = SAL_TILE_COPY;
    if (strcmp(n->op->name, "Cast") == 0 && sal_val(g, n->out[0])->dtype == SAL_BOOL)
        *op = SAL_TILE_NONZERO;
    tile_parameters(n, op, p0, p1);
    return true;
}

bool sal_tile_supports(const sal_plan *p, const sal_node *n)
{
    sal_tile_op op;
    float p0, p1;
    int operands;
    const sal_graph *g = p->g;
    if (n->n_out != 1 || n->out[0] == SAL_NONE || n->n_in < 1)
        return false;
    sal_dtype od = sal_plan_dtype(p, n->out[0]);
    if ((od != SAL_F32 && od != SAL_BOOL) || sal_val(g, n->out[0])->rank > SAL_MAX_RANK - 2 ||
        !sal_tile_code(g, n, &op, &p0, &p1, &operands))
        return false;
    if (operands > SAL_MAX_TILE_OPERANDS / 2)
        return false;
    for (int k = 0; k < operands; k++) {
        if (n->in[k] == SAL_NONE)
            return false;
        sal_dtype d = sal_plan_dtype(p, n->in[k]);
        if (d != SAL_F32 && d != SAL_BOOL)
            return false;
    }
    return true;
}

bool sal_tile_fits(const sal_plan *p, const sal_group *gr, const sal_node *n)
{
    sal_vid seen[SAL_MAX_TILE_NODES * 8];
    int count = 0, instructions = 0;
    (void)p;
    for (int m = 0; m <= gr->n_members; m++) {
        const sal_node *node = m < gr->n_members ? gr->members[m] : n;
        instructions += node->n_in + 1; /* at most; sums of many take one for each */
        for (int k = 0; k < node->n_in; k++) {
            int j = 0;
            while (j < count && seen[j] != node->in[k])
                j++;
            if (j == count && count < (int)SAL_COUNTOF(seen))
                seen[count++] = node->in[k];
        }
    }
    return count < SAL_MAX_TILE_OPERANDS && instructions <= SAL_MAX_TILE_INSTR;
}
