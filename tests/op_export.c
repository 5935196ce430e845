/* Writes the test cases of all operators as ONNX models with their inputs and expected outputs, for
 * a comparison with another engine (tests/python/ops_ort_test.py).
 *
 *     op_export DIR [OPERATOR]
 *
 * DIR/<Operator>_<case>_<kind>/ (ort.<Operator> for those of ONNX Runtime) holds model.onnx,
 * <input>.npy and out<i>.npy; kind is node (the operator, expanded if ONNX lacks it), expanded, or
 * grad (the gradient of <outputs, seeds>).
 *
 *     op_export --model FILE.gguf OUT.onnx
 *
 * writes a language model (tests/python/language_ort_test.py). */
#include "diff/diff.h"
#include "format/language/gguf_model.h"
#include "format/onnx_write.h"
#include "ops/core/evaluate.h"
#include "ops/expand.h"
#include "support/op_case.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { EXPORT_MAX = 4 * OP_CASE_MAX };

typedef struct export_job {
    op_case c;
    sal_graph *g;
    sal_node *node;
    sal_vid ids[OP_CASE_MAX];
    sal_tensor in[EXPORT_MAX];
    sal_error err;
} export_job;

static bool export_is_same(const sal_graph *g, const sal_node *n, void *ctx)
{
    const sal_op_desc *op = ctx;
    return n->op == op || sal_expand_if_internal(g, n, NULL);
}

/* Outputs: the gradients for the case's inputs. False when there are none. */
static bool export_differentiate(export_job *j, sal_status *st)
{
    sal_graph *g = j->g;
    sal_vid outs[OP_CASE_MAX], seeds[OP_CASE_MAX], wrt[OP_CASE_MAX], grads[OP_CASE_MAX];
    int n_out = 0, n_wrt = 0;
    for (int i = 0; i < j->c.n_in; i++)
        if (j->c.in[i].wrt && j->ids[i] != SAL_NONE)
            wrt[n_wrt++] = j->ids[i];
    for (size_t i = 0; i < g->n_outputs && *st == SAL_OK; i++) {
        if (!sal_dtype_is_float(sal_val(g, g->outputs[i])->dtype))
            continue;
        outs[n_out] = g->outputs[i];
        *st = op_case_seed(g, outs[n_out], 1, i, &seeds[n_out], &j->in[g->n_inputs], &j->err);
        n_out++;
    }
    if (n_out == 0 || n_wrt == 0 || j->c.nograd || (j->c.op->flags & SAL_OP_NOGRAD) != 0)
        return false;
    if (*st == SAL_OK)
        *st = sal_differentiate(g, n_out, outs, seeds, n_wrt, wrt, NULL, grads, &j->err);
    if (*st == SAL_OK) {
        g->n_outputs = 0;
        for (int i = 0; i < n_wrt && *st == SAL_OK; i++)
            *st = sal_graph_add_output(g, grads[i], &j->err);
    }
    return true;
}

static sal_status export_write(export_job *j, const char *dir)
{
    sal_tensor out[EXPORT_MAX] = {SAL_TENSOR_INIT};
    char path[1024];
    sal_status st = SAL_OK;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return sal_fail(&j->err, SAL_EIO, "cannot make the folder %s", dir);
    SAL_TRY(sal_graph_evaluate(j->g, j->in, out, &j->err));
    snprintf(path, sizeof path, "%s/model.onnx", dir);
    SAL_TRY(sal_onnx_write(j->g, path, &j->err));
    for (size_t i = 0; i < j->g->n_inputs; i++) {
        snprintf(path, sizeof path, "%s/%s.npy", dir, sal_val(j->g, j->g->inputs[i])->name);
        SAL_TRY(sal_npy_write(&j->in[i], path, &j->err));
    }
    for (size_t i = 0; i < j->g->n_outputs; i++) {
        snprintf(path, sizeof path, "%s/out%zu.npy", dir, i);
        SAL_TRY(sal_npy_write(&out[i], path, &j->err));
    }
done:
    for (int i = 0; i < EXPORT_MAX; i++)
        sal_tensor_free(&out[i]);
    return st;
}

/* One model. False when this operator has no such kind. */
static bool export_case(const char *root, const sal_op_desc *op, int number, const char *kind)
{
    export_job j = {.g = NULL};
    char dir[512];
    sal_status st = SAL_EFORMAT;
    bool expanded = strcmp(kind, "expanded") == 0, grad = strcmp(kind, "grad") == 0, wanted = true;
    if (expanded && op->expand == NULL)
        return false;
    if (!op_case_parse(&j.c, op, op->cases[number], &j.err))
        goto done;
    wanted = !j.c.noort;
    if (!wanted)
        goto done;
    SAL_TRY(op_case_graph(&j.c, SAL_F32, 1, &j.g, &j.node, j.ids, j.in, &j.err));
    if (grad)
        wanted = export_differentiate(&j, &st);
    if (!wanted)
        goto done;
    SAL_TRY(st);
    union {
        const sal_op_desc *op;
        void *ctx;
    } which = {.op = op};
    SAL_TRY(sal_pass_expand(j.g, expanded ? export_is_same : sal_expand_if_internal,
                            expanded ? which.ctx : NULL, &j.err));
    bool ort = op->domain != NULL && strcmp(op->domain, SAL_DOMAIN_ORT) == 0;
    snprintf(dir, sizeof dir, "%.300s/%s%s_%d_%s", root, ort ? "ort." : "", op->name, number, kind);
    SAL_TRY(export_write(&j, dir));
done:
    if (wanted && st != SAL_OK)
        printf("%s \"%s\" %s: %s\n", op->name, op->cases[number], kind, j.err.msg);
    for (int i = 0; i < EXPORT_MAX; i++)
        sal_tensor_free(&j.in[i]);
    sal_graph_free(j.g);
    op_case_free(&j.c);
    return wanted && st == SAL_OK;
}

static int export_model(const char *from, const char *to)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_graph *g = NULL;
    sal_status st = sal_gguf_read_model(&g, from, &err);
    if (st == SAL_OK)
        st = sal_pass_expand(g, sal_expand_if_internal, NULL, &err);
    if (st == SAL_OK)
        st = sal_onnx_write(g, to, &err);
    if (st != SAL_OK)
        fprintf(stderr, "%s\n", err.msg);
    sal_graph_free(g);
    return st == SAL_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"node", "expanded", "grad"};
    int written = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: op_export DIR [OPERATOR]\n");
        return 2;
    }
    if (argc == 4 && strcmp(argv[1], "--model") == 0)
        return export_model(argv[2], argv[3]);
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = sal_op_at(i);
        if (op->cases == NULL || (argc > 2 && strcmp(argv[2], op->name) != 0))
            continue;
        for (int k = 0; op->cases[k] != NULL; k++)
            for (size_t m = 0; m < SAL_COUNTOF(kinds); m++)
                written += export_case(argv[1], op, k, kinds[m]);
    }
    printf("%d models\n", written);
    return 0;
}
