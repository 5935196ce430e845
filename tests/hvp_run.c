/* hvp_run MODEL OF WRT SEED.npy V.npy OUT.npy NAME=INPUT.npy ...
 *
 * Hessian-vector product of T = sum(seed * of) with respect to `wrt`, times v: differentiate, form
 * sum(gradient * v), differentiate again, run the result by the executor. tests/oracle/compare.py
 * compares it with PyTorch in float64; no command of the program does this. */
#include "diff/diff.h"
#include "exec/session.h"
#include "format/onnx_read.h"
#include "graph/passes/passes.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"

#include <stdio.h>

enum { MAX_INPUTS = 16 };

static sal_status hvp_constant(sal_builder *b, const char *path, sal_vid *out, sal_error *err)
{
    sal_tensor t = SAL_TENSOR_INIT, f = SAL_TENSOR_INIT;
    sal_status st = sal_npy_read(&t, path, err);
    if (st == SAL_OK)
        st = sal_tensor_cast(&f, &t, SAL_F32, err);
    if (st == SAL_OK) {
        *out = sal_b_tensor(b, &f);
        st = b->st;
    }
    sal_tensor_free(&t);
    sal_tensor_free(&f);
    return st;
}

static sal_status hvp_inputs(const sal_graph *g, int n, char **args, sal_tensor *in,
                             sal_bound *bound, int *n_bound, sal_error *err)
{
    *n_bound = 0;
    for (int i = 0; i < n; i++) {
        char *eq = strchr(args[i], '=');
        if (eq == NULL)
            return sal_fail(err, SAL_EINVAL, "'%s' is not NAME=FILE.npy", args[i]);
        *eq = '\0';
        for (size_t k = 0; k < g->n_inputs && k < MAX_INPUTS; k++) {
            if (strcmp(sal_val(g, g->inputs[k])->name, args[i]) != 0)
                continue;
            sal_status st = sal_npy_read(&in[k], eq + 1, err);
            if (st != SAL_OK)
                return st;
            sal_bound *b = &bound[(*n_bound)++];
            *b = (sal_bound){.input = (int32_t)k, .rank = in[k].rank};
            memcpy(b->dims, in[k].dims, sizeof b->dims);
        }
    }
    return SAL_OK;
}

static sal_status hvp_build(sal_graph *g, const char *of, const char *wrt, const char *seed,
                            const char *v, sal_graph **out, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_builder b = SAL_BUILDER(g, err, "hvp");
    sal_vid y = sal_graph_find(g, of), x = sal_graph_find(g, wrt), s, w, grad, hvp, one;
    if (y == SAL_NONE || x == SAL_NONE)
        return sal_fail(err, SAL_EINVAL, "no value '%s'", y == SAL_NONE ? of : wrt);
    SAL_TRY(hvp_constant(&b, seed, &s, err));
    SAL_TRY(hvp_constant(&b, v, &w, err));
    SAL_TRY(sal_differentiate(g, 1, &y, &s, 1, &x, NULL, &grad, err));
    sal_vid along = sal_b_reduce(&b, "ReduceSum", sal_b2(&b, "Mul", grad, w), 0, NULL, false);
    one = sal_b_scalar(&b, SAL_F32, 1.0);
    SAL_TRY(b.st);
    SAL_TRY(sal_differentiate(g, 1, &along, &one, 1, &x, NULL, &hvp, err));
    SAL_TRY(sal_graph_extract(out, g, 1, &hvp, err));
done:
    return st;
}

int main(int argc, char **argv)
{
    static const sal_fold how = SAL_FOLD(sal_node_eval);
    sal_status st = SAL_EINVAL;
    sal_error err = {0};
    sal_graph *file = NULL, *g = NULL, *h = NULL;
    sal_session *session = NULL;
    sal_tensor in[MAX_INPUTS] = {0};
    sal_bound bound[MAX_INPUTS];
    sal_session_opts opts = SAL_SESSION_OPTS_INIT;
    int n_bound;
    if (argc < 8) {
        fprintf(stderr, "usage: hvp_run MODEL OF WRT SEED.npy V.npy OUT.npy NAME=INPUT.npy ...\n");
        return 2;
    }
    SAL_TRY(sal_onnx_read(&file, argv[1], &err));
    SAL_TRY(hvp_inputs(file, argc - 7, argv + 7, in, bound, &n_bound, &err));
    SAL_TRY(sal_graph_bind(&g, file, n_bound, bound, &how, &err));
    SAL_TRY(sal_pass_all(g, &how, &err));
    SAL_TRY(hvp_build(g, argv[2], argv[3], argv[4], argv[5], &h, &err));
    SAL_TRY(sal_session_new(&session, h, &opts, &err));
    SAL_TRY(sal_session_run(session, in, &err));
    SAL_TRY(sal_npy_write(sal_session_output(session, 0), argv[6], &err));
done:
    if (st != SAL_OK)
        fprintf(stderr, "%s\n", err.msg);
    sal_session_free(session);
    for (int i = 0; i < MAX_INPUTS; i++)
        sal_tensor_free(&in[i]);
    sal_graph_free(h);
    sal_graph_free(g);
    sal_graph_free(file);
    return st == SAL_OK ? 0 : 1;
}
