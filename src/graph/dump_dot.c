/* The graph for Graphviz. */
#include "graph/dump.h"

#include "graph/op.h"

#include <stdio.h>

/* What a node does decides its colour. First match counts; operators in no row are white. */
static const struct {
    const char *color;
    const char *ops; /* names with a space before and after each */
} dot_kinds[] = {
    {"#a6cee3", " Conv ConvTranspose Gemm MatMul Einsum Attention QLinearConv LSTM GRU RNN "},
    {"#b2df8a", " Relu LeakyRelu PRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Tanh Gelu Mish "
                "Swish Softplus "
                "Softsign Clip Erf Softmax LogSoftmax "},
    {"#fdbf6f",
     " MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool ReduceMean ReduceSum ReduceMax "
     "ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp ArgMax ArgMin TopK "},
    {"#cab2d6", " BatchNormalization InstanceNormalization LayerNormalization GroupNormalization "
                "RMSNormalization LRN "},
    {"#e8e8e8",
     " Reshape Transpose Flatten Squeeze Unsqueeze Concat Split Slice Pad Expand Tile Gather "
     "GatherElements GatherND ScatterND ScatterElements Shape Size ConstantOfShape Range Resize "
     "DepthToSpace SpaceToDepth Cast Identity Dropout "},
    {"#fff2ae", " Add Sub Mul Div Neg Abs Sqrt Exp Log Pow Reciprocal Min Max Mean Sum Where "},
};

static const char *dot_color(const char *op)
{
    char word[80];
    (void)snprintf(word, sizeof word, " %.70s ", op);
    for (size_t i = 0; i < SAL_COUNTOF(dot_kinds); i++)
        if (strstr(dot_kinds[i].ops, word) != NULL)
            return dot_kinds[i].color;
    return "#ffffff";
}

/* Text inside double quotes. */
static sal_status dot_text(sal_bytes *out, const char *s, size_t n, sal_error *err)
{
    sal_status st = SAL_OK;
    for (size_t i = 0; st == SAL_OK && i < n; i++) {
        bool special =
            s[i] == '"' || s[i] == '\\' || s[i] == '<' || s[i] == '>' || s[i] == '{' || s[i] == '}';
        char two[2] = {'\\', (unsigned char)s[i] < 0x20 ? '?' : s[i]};
        st = sal_bytes_add(out, special ? two : two + 1, special ? 2 : 1, err);
    }
    return st;
}

/* The type without its element type: "1x3x224x224". */
static sal_status dot_shape(const sal_graph *g, sal_vid v, sal_bytes *out, sal_error *err)
{
    const sal_value *x = sal_val(g, v);
    char text[96];
    sal_status st = SAL_OK;
    if (x->rank < 0)
        return sal_bytes_printf(out, err, "?");
    for (int i = 0; st == SAL_OK && i < x->rank; i++) {
        st = sal_bytes_printf(out, err, "%s", i == 0 ? "" : " x ");
        sal_dim_text(g, x->dims[i], text, sizeof text);
        if (st == SAL_OK)
            st = dot_text(out, text, strlen(text), err);
    }
    return st == SAL_OK && x->rank == 0 ? sal_bytes_printf(out, err, "scalar") : st;
}

/* Bytes of a node's name up to its last "/": the frame that it belongs to. 0: none. */
static size_t dot_prefix(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? 0 : (size_t)(slash - name);
}

static sal_status dot_node(const sal_graph *g, const sal_node *n, sal_bytes *out, sal_error *err)
{
    size_t prefix = dot_prefix(n->name);
    const char *rest = n->name + prefix + (prefix > 0 ? 1 : 0);
    sal_status st = SAL_OK;
    SAL_TRY(sal_bytes_printf(out, err, "  n%d [fillcolor=\"%s\", label=\"", (int)n->id,
                             dot_color(n->op->name)));
    SAL_TRY(dot_text(out, n->op->name, strlen(n->op->name), err));
    SAL_TRY(sal_bytes_printf(out, err, "\\n"));
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] == SAL_NONE)
            continue;
        SAL_TRY(dot_shape(g, n->out[k], out, err));
        break;
    }
    SAL_TRY(sal_bytes_printf(out, err, "\", tooltip=\""));
    SAL_TRY(dot_text(out, rest, strlen(rest), err));
    SAL_TRY(sal_bytes_printf(out, err, "\"];\n"));
done:
    return st;
}

/* Consecutive nodes of one prefix share a frame. Nested prefixes nest: frames are closed and opened
 * at each
 * "/" where the names of neighbours part. */
static sal_status dot_nodes(const sal_graph *g, sal_bytes *out, sal_error *err)
{
    const char *open = "";
    size_t open_n = 0, depth = 0, serial = 0;
    sal_status st = SAL_OK;
    for (size_t i = 0; i <= g->n_nodes; i++) {
        const char *name = i < g->n_nodes ? g->nodes[i]->name : "";
        size_t n = i < g->n_nodes ? dot_prefix(name) : 0, same = 0, keep = 0;
        /* Common whole components of both prefixes, and how many frames they are. */
        size_t frames = 0;
        for (size_t k = 0; k <= SAL_MIN(n, open_n); k++) {
            bool end_a = k == n || name[k] == '/', end_b = k == open_n || open[k] == '/';
            if (k > 0 && end_a && end_b) {
                same = k;
                frames += open[k - 1] != '/';
                keep = frames;
            }
            if (k < n && k < open_n && name[k] != open[k])
                break;
        }
        for (; depth > keep; depth--)
            SAL_TRY(sal_bytes_printf(out, err, "  }\n"));
        for (size_t k = same; k < n;) {
            k += name[k] == '/';
            size_t len = strcspn(name + k, "/");
            len = SAL_MIN(len, n - k);
            if (len > 0) {
                SAL_TRY(
                    sal_bytes_printf(out, err, "  subgraph cluster_%zu {\n  label=\"", serial++));
                SAL_TRY(dot_text(out, name + k, len, err));
                SAL_TRY(sal_bytes_printf(out, err, "\";\n"));
                depth++;
            }
            k += len;
        }
        open = name;
        open_n = n;
        if (i < g->n_nodes)
            SAL_TRY(dot_node(g, g->nodes[i], out, err));
    }
done:
    return st;
}

static sal_status dot_edges(const sal_graph *g, sal_bytes *out, sal_error *err)
{
    sal_status st = SAL_OK;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] == SAL_NONE || sal_val(g, n->in[k])->constant != NULL)
                continue;
            int32_t from = sal_val(g, n->in[k])->producer;
            if (from >= 0)
                SAL_TRY(sal_bytes_printf(out, err, "  n%d -> n%d;\n", (int)from, (int)n->id));
            else
                SAL_TRY(sal_bytes_printf(out, err, "  v%d -> n%d;\n", (int)n->in[k], (int)n->id));
        }
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        int32_t from = sal_val(g, g->outputs[i])->producer;
        if (from >= 0)
            SAL_TRY(sal_bytes_printf(out, err, "  n%d -> o%zu;\n", (int)from, i));
        else
            SAL_TRY(sal_bytes_printf(out, err, "  v%d -> o%zu;\n", (int)g->outputs[i], i));
    }
done:
    return st;
}

/* Inputs and outputs of the graph: ellipses. `id` is v and the value's id, or o and the output's
 * number. */
static sal_status dot_end(const sal_graph *g, sal_vid v, char kind, size_t id, sal_bytes *out,
                          sal_error *err)
{
    const char *name = sal_val(g, v)->name;
    sal_status st = SAL_OK;
    SAL_TRY(sal_bytes_printf(out, err, "  %c%zu [shape=ellipse, fillcolor=\"#fb9a99\", label=\"",
                             kind, id));
    SAL_TRY(dot_text(out, name, strlen(name), err));
    SAL_TRY(sal_bytes_printf(out, err, "\\n"));
    SAL_TRY(dot_shape(g, v, out, err));
    SAL_TRY(sal_bytes_printf(out, err, "\"];\n"));
done:
    return st;
}

sal_status sal_graph_dump_dot(const sal_graph *g, sal_bytes *out, sal_error *err)
{
    sal_status st = SAL_OK;
    SAL_TRY(sal_bytes_printf(
        out, err,
        "digraph model {\n  rankdir=TB;\n"
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=10];\n"
        "  graph [fontname=\"Helvetica\", fontsize=10, color=\"#b0b0b0\", style=rounded];\n"
        "  edge [arrowsize=0.6, color=\"#606060\"];\n"));
    for (size_t i = 0; i < g->n_inputs; i++)
        SAL_TRY(dot_end(g, g->inputs[i], 'v', (size_t)g->inputs[i], out, err));
    SAL_TRY(dot_nodes(g, out, err));
    for (size_t i = 0; i < g->n_outputs; i++)
        SAL_TRY(dot_end(g, g->outputs[i], 'o', i, out, err));
    SAL_TRY(dot_edges(g, out, err));
    SAL_TRY(sal_bytes_printf(out, err, "}\n"));
done:
    return st;
}
