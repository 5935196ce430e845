/* Every operator of the table against its own test cases:
 *   float32 = float64, expansion = evaluation, derivative = finite differences, and the derivative
 * of <derivative, v> = finite differences of the derivative. SAL_TEST_OP=Name looks at one operator
 * only. */
#include "harness.h"

#include "diff/diff.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"
#include "support/op_case.h"

enum { MAX_TENSORS = 4 * OP_CASE_MAX, MAX_PROBES = 40 };

/* What was done, for the closing line. */
static struct {
    long cases, expanded, first, second, probes, dynamic, refused;
} ops_done;

static bool ops_skip(const sal_op_desc *op)
{
    const char *only = getenv("SAL_TEST_OP");
    return only != NULL && strcmp(only, op->name) != 0;
}

/* One case, with its graph in float64 and what goes into it. */
typedef struct ops_run {
    op_case c;
    sal_graph *g;
    sal_node *node;
    sal_vid ids[OP_CASE_MAX];
    sal_tensor in[MAX_TENSORS]; /* in the order of g->inputs */
    char what[256];
    sal_error err;
} ops_run;

static bool ops_open(ops_run *r, const sal_op_desc *op, const char *text, sal_dtype real)
{
    memset(r, 0, sizeof *r);
    snprintf(r->what, sizeof r->what, "%s \"%s\"", op->name, text);
    bool ok = op_case_parse(&r->c, op, text, &r->err);
    ok = ok && op_case_graph(&r->c, real, harness.seed, &r->g, &r->node, r->ids, r->in, &r->err) ==
                   SAL_OK;
    CHECK_MSG(ok, "%s: %s", r->what, r->err.msg);
    return ok;
}

static void ops_close(ops_run *r)
{
    for (int i = 0; i < MAX_TENSORS; i++)
        sal_tensor_free(&r->in[i]);
    sal_graph_free(r->g);
    op_case_free(&r->c);
}

/* max |a - b| / max(|b|, 1e-2), infinite where shape, type class or NaN differ. */
static double ops_distance(const sal_tensor *a, const sal_tensor *b)
{
    double worst = 0.0, scale = 1e-2;
    if (a->rank != b->rank || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0 ||
        sal_dtype_is_float(a->dtype) != sal_dtype_is_float(b->dtype))
        return (double)INFINITY;
    for (int64_t i = 0; i < sal_tensor_count(a); i++) {
        double x = sal_tensor_get(a, i), y = sal_tensor_get(b, i);
        if ((isnan(x) && isnan(y)) || x == y)
            continue;
        if (!isfinite(x) || !isfinite(y))
            return (double)INFINITY;
        worst = fmax(worst, fabs(x - y));
        scale = fmax(scale, fabs(y));
    }
    return worst / scale;
}

static void ops_free_all(sal_tensor *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sal_tensor_free(&t[i]);
}

/* ---- evaluation ---- */

static void ops_check_precision(const sal_op_desc *op, const char *text)
{
    ops_run wide, narrow;
    sal_tensor a[OP_CASE_MAX] = {SAL_TENSOR_INIT}, b[OP_CASE_MAX] = {SAL_TENSOR_INIT};
    bool ok = ops_open(&wide, op, text, SAL_F64);
    ok = ops_open(&narrow, op, text, SAL_F32) && ok;
    if (ok) {
        ops_done.cases++;
        sal_status sa = sal_graph_evaluate(wide.g, wide.in, a, &wide.err);
        CHECK_MSG(sa == SAL_OK, "%s in float64: %s", wide.what, wide.err.msg);
        sal_status sb = sal_graph_evaluate(narrow.g, narrow.in, b, &narrow.err);
        CHECK_MSG(sb == SAL_OK, "%s in float32: %s", wide.what, narrow.err.msg);
        for (int i = 0; i < wide.c.n_out && sa == SAL_OK && sb == SAL_OK; i++) {
            double d = ops_distance(&b[i], &a[i]);
            CHECK_MSG(d <= (sal_dtype_is_float(a[i].dtype) ? 1e-5 : 0.0),
                      "%s: float32 differs by %.3g", wide.what, d);
            const sal_value *v = sal_val(wide.g, wide.g->outputs[i]);
            CHECK_MSG(v->dtype == a[i].dtype, "%s: inferred type %s, got %s", wide.what,
                      sal_dtype_name(v->dtype), sal_dtype_name(a[i].dtype));
        }
    }
    ops_free_all(a, OP_CASE_MAX);
    ops_free_all(b, OP_CASE_MAX);
    ops_close(&wide);
    ops_close(&narrow);
}

/* The tensors that the node reads, constants included. */
static void ops_node_inputs(const ops_run *r, const sal_tensor **in)
{
    for (int i = 0; i < r->node->n_in; i++) {
        sal_vid v = r->node->in[i];
        in[i] = v == SAL_NONE ? NULL : sal_val(r->g, v)->constant;
        for (size_t k = 0; v != SAL_NONE && k < r->g->n_inputs; k++)
            if (r->g->inputs[k] == v)
                in[i] = &r->in[k];
    }
}

static void ops_check_expansion(const sal_op_desc *op, const char *text)
{
    ops_run r;
    sal_tensor a[OP_CASE_MAX] = {SAL_TENSOR_INIT}, b[OP_CASE_MAX] = {SAL_TENSOR_INIT},
               *pb[OP_CASE_MAX];
    const sal_tensor *in[OP_CASE_MAX] = {NULL};
    if (ops_open(&r, op, text, SAL_F64)) {
        ops_done.expanded++;
        for (int i = 0; i < OP_CASE_MAX; i++)
            pb[i] = i < r.c.n_out ? &b[i] : NULL;
        ops_node_inputs(&r, in);
        sal_status sa = sal_graph_evaluate(r.g, r.in, a, &r.err);
        sal_status sb = sa == SAL_OK ? sal_node_eval_expanded(r.node, in, pb, &r.err) : sa;
        CHECK_MSG(sb == SAL_OK, "%s: %s", r.what, r.err.msg);
        for (int i = 0; i < r.c.n_out && sb == SAL_OK; i++) {
            double d = ops_distance(&b[i], &a[i]);
            CHECK_MSG(d <= 1e-9, "%s: output %d of the expansion differs by %.3g", r.what, i, d);
        }
    }
    ops_free_all(a, OP_CASE_MAX);
    ops_free_all(b, OP_CASE_MAX);
    ops_close(&r);
}

/* ---- derivatives ---- */

static sal_status ops_add_input(ops_run *r, sal_vid like, uint64_t stream, sal_vid *out)
{
    size_t at = r->g->n_inputs;
    return op_case_seed(r->g, like, harness.seed, stream, out, &r->in[at], &r->err);
}

/* sum_i <values[i], seeds[i]> as numbers, by evaluating the graph as it is. */
static sal_status ops_objective(ops_run *r, int n, const sal_vid *values, const sal_vid *seeds,
                                double *out)
{
    sal_tensor y[OP_CASE_MAX] = {SAL_TENSOR_INIT};
    sal_vid *keep = r->g->outputs, list[OP_CASE_MAX];
    size_t n_keep = r->g->n_outputs;
    memcpy(list, values, (size_t)n * sizeof *list);
    r->g->outputs = list;
    r->g->n_outputs = (size_t)n;
    sal_status st = sal_graph_evaluate(r->g, r->in, y, &r->err);
    r->g->outputs = keep;
    r->g->n_outputs = n_keep;
    *out = 0.0;
    for (int i = 0; i < n && st == SAL_OK; i++) {
        const sal_tensor *s = NULL;
        for (size_t k = 0; k < r->g->n_inputs; k++)
            if (r->g->inputs[k] == seeds[i])
                s = &r->in[k];
        for (int64_t k = 0; s != NULL && k < sal_tensor_count(&y[i]); k++)
            *out += sal_tensor_get(&y[i], k) * sal_tensor_get(s, k);
    }
    ops_free_all(y, (size_t)n);
    return st;
}

/* Derivative of the objective along element `at` of graph input k: central differences of fourth
 * order. */
static sal_status ops_probe(ops_run *r, int n, const sal_vid *values, const sal_vid *seeds,
                            size_t k, int64_t at, double *out)
{
    static const double weight[4] = {1.0 / 12.0, -2.0 / 3.0, 2.0 / 3.0, -1.0 / 12.0};
    static const double shift[4] = {-2.0, -1.0, 1.0, 2.0};
    const double h = 1e-4;
    double x = sal_tensor_get(&r->in[k], at), f;
    sal_status st = SAL_OK;
    *out = 0.0;
    for (int i = 0; i < 4 && st == SAL_OK; i++) {
        sal_tensor_set(&r->in[k], at, x + shift[i] * h);
        st = ops_objective(r, n, values, seeds, &f);
        *out += weight[i] * f / h;
    }
    sal_tensor_set(&r->in[k], at, x);
    return st;
}

/* grads[i] is said to be the derivative of the objective for graph input number wrt[i]. */
static void ops_compare(ops_run *r, const char *order, int n, const sal_vid *values,
                        const sal_vid *seeds, int n_wrt, const sal_vid *wrt, const sal_vid *grads)
{
    double tol = r->c.op->grad_tol > 0.0 ? r->c.op->grad_tol : 1e-6;
    sal_tensor d[MAX_TENSORS] = {SAL_TENSOR_INIT};
    sal_vid *keep = r->g->outputs, list[MAX_TENSORS];
    size_t n_keep = r->g->n_outputs;
    memcpy(list, grads, (size_t)n_wrt * sizeof *list);
    r->g->outputs = list;
    r->g->n_outputs = (size_t)n_wrt;
    sal_status st = sal_graph_evaluate(r->g, r->in, d, &r->err);
    r->g->outputs = keep;
    r->g->n_outputs = n_keep;
    CHECK_MSG(st == SAL_OK, "%s: evaluating the %s derivative: %s", r->what, order, r->err.msg);
    for (int i = 0; i < n_wrt && st == SAL_OK; i++) {
        size_t k = 0;
        while (k < r->g->n_inputs && r->g->inputs[k] != wrt[i])
            k++;
        const sal_tensor *x = &r->in[k];
        bool same = d[i].rank == x->rank &&
                    memcmp(d[i].dims, x->dims, (size_t)x->rank * sizeof *x->dims) == 0;
        CHECK_MSG(same, "%s: %s derivative %d has another shape than its input", r->what, order, i);
        int64_t count = sal_tensor_count(x), step = count / MAX_PROBES + 1, bad = 0;
        double worst = 0.0, scale = 1e-2, got = 0.0, want = 0.0;
        for (int64_t at = 0; at < count && same && st == SAL_OK; at += step) {
            ops_done.probes++;
            double fd = 0.0, g = sal_tensor_get(&d[i], at);
            st = ops_probe(r, n, values, seeds, k, at, &fd);
            scale = fmax(scale, fabs(fd));
            if (!(fabs(g - fd) <= worst)) {
                worst = fabs(g - fd);
                got = g;
                want = fd;
                bad = at;
            }
        }
        CHECK_MSG(worst <= tol * scale,
                  "%s: %s derivative for %s[%lld] is %.9g, finite differences say %.9g", r->what,
                  order, sal_val(r->g, wrt[i])->name, (long long)bad, got, want);
    }
    ops_free_all(d, MAX_TENSORS);
}

static void ops_check_derivative(const sal_op_desc *op, const char *text, bool second)
{
    ops_run r;
    sal_vid wrt[MAX_TENSORS], outs[OP_CASE_MAX], seeds[OP_CASE_MAX], grads[MAX_TENSORS],
        grads2[MAX_TENSORS];
    sal_vid v[MAX_TENSORS];
    int n_wrt = 0, n_out = 0;
    sal_status st = SAL_OK;
    if (!ops_open(&r, op, text, SAL_F64) || r.c.nograd || (second && r.c.nofd2))
        goto done;
    for (int i = 0; i < r.c.n_in; i++)
        if (r.c.in[i].wrt && r.ids[i] != SAL_NONE)
            wrt[n_wrt++] = r.ids[i];
    for (int i = 0; i < r.c.n_out; i++) {
        if (!sal_dtype_is_float(sal_val(r.g, r.g->outputs[i])->dtype))
            continue;
        outs[n_out] = r.g->outputs[i];
        st = st == SAL_OK ? ops_add_input(&r, outs[n_out], (uint64_t)i, &seeds[n_out]) : st;
        n_out++;
    }
    if (n_wrt == 0 || n_out == 0)
        goto done;
    st = st == SAL_OK ? sal_differentiate(r.g, n_out, outs, seeds, n_wrt, wrt, NULL, grads, &r.err)
                      : st;
    CHECK_MSG(st == SAL_OK, "%s: %s", r.what, r.err.msg);
    if (st != SAL_OK)
        goto done;
    if (!second) {
        ops_done.first++;
        ops_compare(&r, "first", n_out, outs, seeds, n_wrt, wrt, grads);
        goto done;
    }
    /* The derivative is linear in the seeds: they are inputs for the second order too. */
    int n2 = n_wrt;
    for (int i = 0; i < n_wrt && st == SAL_OK; i++)
        st = ops_add_input(&r, grads[i], 100 + (uint64_t)i, &v[i]);
    for (int i = 0; i < n_out; i++)
        wrt[n2++] = seeds[i];
    st = st == SAL_OK ? sal_differentiate(r.g, n_wrt, grads, v, n2, wrt, NULL, grads2, &r.err) : st;
    CHECK_MSG(st == SAL_OK, "%s: second order: %s", r.what, r.err.msg);
    ops_done.second++;
    if (st == SAL_OK)
        ops_compare(&r, "second", n_wrt, grads, v, n2, wrt, grads2);
done:
    ops_close(&r);
}

/* ---- dynamic shapes ---- */

/* Outputs of the node and its derivative, seeded with ones, by evaluating one graph. What cannot be
 * built fails. */
static sal_status ops_with_gradient(ops_run *r, bool dynamic, sal_tensor *y, int *n)
{
    sal_vid wrt[OP_CASE_MAX], outs[OP_CASE_MAX], grads[OP_CASE_MAX], none[OP_CASE_MAX];
    int n_wrt = 0, n_out = 0;
    sal_status st;
    r->c.dynamic = dynamic;
    SAL_TRY(op_case_graph(&r->c, SAL_F64, harness.seed, &r->g, &r->node, r->ids, r->in, &r->err));
    for (int i = 0; i < r->c.n_in; i++)
        if (r->c.in[i].wrt && r->ids[i] != SAL_NONE)
            wrt[n_wrt++] = r->ids[i];
    for (size_t i = 0; i < r->g->n_outputs; i++) {
        none[n_out] = SAL_NONE;
        if (sal_dtype_is_float(sal_val(r->g, r->g->outputs[i])->dtype))
            outs[n_out++] = r->g->outputs[i];
    }
    if (n_wrt > 0 && n_out > 0 && !r->c.nograd && (r->c.op->flags & SAL_OP_NOGRAD) == 0) {
        SAL_TRY(sal_differentiate(r->g, n_out, outs, none, n_wrt, wrt, NULL, grads, &r->err));
        for (int i = 0; i < n_wrt; i++)
            SAL_TRY(sal_graph_add_output(r->g, grads[i], &r->err));
    }
    *n = (int)r->g->n_outputs;
    SAL_TRY(sal_graph_evaluate(r->g, r->in, y, &r->err));
done:
    return st;
}

/* With a symbol for the first dimension the results are the same, or the error says what is not
 * known. */
static void ops_check_dynamic(const sal_op_desc *op, const char *text)
{
    ops_run fixed, dynamic;
    sal_tensor a[MAX_TENSORS] = {SAL_TENSOR_INIT}, b[MAX_TENSORS] = {SAL_TENSOR_INIT};
    int n = 0, m = 0;
    memset(&fixed, 0, sizeof fixed);
    memset(&dynamic, 0, sizeof dynamic);
    bool ok = op_case_parse(&fixed.c, op, text, &fixed.err) &&
              op_case_parse(&dynamic.c, op, text, &fixed.err);
    sal_status sa = ok ? ops_with_gradient(&fixed, false, a, &n) : SAL_EFORMAT;
    sal_status sb = ok ? ops_with_gradient(&dynamic, true, b, &m) : SAL_EFORMAT;
    CHECK_MSG(sa == SAL_OK, "%s \"%s\": %s", op->name, text, fixed.err.msg);
    if (sa == SAL_OK && sb != SAL_OK) {
        bool said = sb == SAL_ESHAPE || sb == SAL_ENOGRAD || sb == SAL_EUNSUPPORTED;
        CHECK_MSG(said && dynamic.err.msg[0] != '\0', "%s \"%s\": status %d: %s", op->name, text,
                  (int)sb, dynamic.err.msg);
        ops_done.refused++;
        if (getenv("SAL_TEST_VERBOSE") != NULL)
            fprintf(stderr, "%s \"%s\" needs fixed shapes: %s\n", op->name, text, dynamic.err.msg);
    }
    for (int i = 0; i < n && sa == SAL_OK && sb == SAL_OK; i++) {
        double d = ops_distance(&b[i], &a[i]);
        CHECK_MSG(d <= 1e-12, "%s \"%s\": result %d with a dynamic shape differs by %.3g", op->name,
                  text, i, d);
    }
    ops_done.dynamic += sa == SAL_OK && sb == SAL_OK;
    ops_free_all(a, MAX_TENSORS);
    ops_free_all(b, MAX_TENSORS);
    ops_close(&fixed);
    ops_close(&dynamic);
}

/* ---- the table ---- */

TEST(table_is_sound)
{
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = sal_op_at(i);
        bool internal = op->domain != NULL && strcmp(op->domain, SAL_DOMAIN_INTERNAL) == 0;
        CHECK_MSG(op->eval != NULL || op->expand != NULL || op->unfold != NULL,
                  "%s can neither be evaluated nor expanded", op->name);
        CHECK_MSG(op->vjp != NULL || op->expand != NULL || op->unfold != NULL ||
                      (op->flags & SAL_OP_NOGRAD) != 0,
                  "%s has no derivative, no expansion and no flag that says so", op->name);
        /* A name that only old files use becomes another operator when it is read. */
        bool renamed = op->upgrade != NULL && op->eval == NULL && !internal;
        CHECK_MSG(op->infer != NULL, "%s has no inference", op->name);
        CHECK_MSG(!internal || op->expand != NULL, "%s is no ONNX operator and has no expansion",
                  op->name);
        /* Graphs do not fit in a line: tests/golden/onnx and control_ort_test.py have them. */
        CHECK_MSG(renamed || op->unfold != NULL || (op->cases != NULL && op->cases[0] != NULL),
                  "%s has no test cases", op->name);
        CHECK_MSG(op->since >= 1, "%s does not say since which opset it is", op->name);
        CHECK_MSG(sal_op_find(op->domain, op->name) == op, "%s is in the table twice", op->name);
    }
}

static void ops_each(void (*check)(const sal_op_desc *op, const char *text))
{
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = sal_op_at(i);
        for (int k = 0; op->cases != NULL && op->cases[k] != NULL && !ops_skip(op); k++)
            check(op, op->cases[k]);
    }
}

TEST(float32_follows_float64)
{
    ops_each(ops_check_precision);
}

static void ops_expansion_if_any(const sal_op_desc *op, const char *text)
{
    if (op->expand != NULL && op->eval != NULL)
        ops_check_expansion(op, text);
}

TEST(expansion_equals_evaluation)
{
    ops_each(ops_expansion_if_any);
}

static void ops_first(const sal_op_desc *op, const char *text)
{
    if ((op->flags & SAL_OP_NOGRAD) == 0)
        ops_check_derivative(op, text, false);
}

static void ops_second(const sal_op_desc *op, const char *text)
{
    if ((op->flags & SAL_OP_NOGRAD) == 0)
        ops_check_derivative(op, text, true);
}

TEST(derivative_equals_finite_differences)
{
    ops_each(ops_first);
}

TEST(second_derivative_equals_finite_differences)
{
    ops_each(ops_second);
}

/* The n-th allocation and all after it fail, for growing n: a clean error and nothing left behind.
 */
static void ops_check_memory(const sal_op_desc *op)
{
    sal_tensor y[MAX_TENSORS] = {SAL_TENSOR_INIT};
    sal_status st = SAL_ENOMEM;
    for (long n = 0; st == SAL_ENOMEM && n < 100000; n += 1 + n / 8) {
        ops_run r;
        int n_out = 0;
        long live = sal_test_live();
        memset(&r, 0, sizeof r);
        bool ok = op_case_parse(&r.c, op, op->cases[0], &r.err);
        sal_test_fail_after(n, true);
        st = ok ? ops_with_gradient(&r, false, y, &n_out) : SAL_EFORMAT;
        sal_test_fail_after(-1, false);
        CHECK_MSG(st == SAL_OK || st == SAL_ENOMEM, "%s without memory (%ld): status %d: %s",
                  op->name, n, (int)st, r.err.msg);
        ops_free_all(y, MAX_TENSORS);
        ops_close(&r);
        CHECK_MSG(sal_test_live() == live, "%s without memory (%ld): %ld allocations left",
                  op->name, n, sal_test_live() - live);
    }
}

TEST(missing_memory_is_reported)
{
    for (size_t i = 0; i < sal_op_count(); i++)
        if (sal_op_at(i)->cases != NULL && !ops_skip(sal_op_at(i)))
            ops_check_memory(sal_op_at(i));
}

TEST(dynamic_shapes_give_the_same)
{
    ops_each(ops_check_dynamic);
}

int main(int argc, char **argv)
{
    int rc =
        harness_main(argc, argv,
                     TESTS(T(table_is_sound), T(float32_follows_float64),
                           T(expansion_equals_evaluation), T(derivative_equals_finite_differences),
                           T(second_derivative_equals_finite_differences),
                           T(dynamic_shapes_give_the_same), T(missing_memory_is_reported)));
    fprintf(
        stderr,
        "%zu operators: %ld cases evaluated, %ld expansions, %ld first and %ld second derivatives "
        "(%ld elements), %ld dynamic (%ld need fixed shapes)\n",
        sal_op_count(), ops_done.cases, ops_done.expanded, ops_done.first, ops_done.second,
        ops_done.probes, ops_done.dynamic, ops_done.refused);
    return rc;
}
