/* Variants that differ from the sample in a rectangle, through exec/windows.h. */
#include "exec/windows.h"
#include "explain/explainer_private.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

struct sal_partial {
    sal_windows *windows; /* NULL: the model cannot be computed in parts */
    int64_t batch;
};

void explainer_partial_free(sal_partial *p)
{
    if (p == NULL)
        return;
    sal_windows_free(p->windows);
    sal_free(p);
}

static sal_status partial_bind(const sal_explain_graph *x, int64_t n, sal_graph **out,
                               sal_error *err)
{
    const sal_value *v = sal_val(x->graph, x->target.input);
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_bound bound = {.input = x->target.input_index, .rank = v->rank};

    memcpy(bound.dims, v->dims, sizeof(v->dims));
    bound.dims[0] = n;
    return sal_graph_bind(out, x->graph, 1, &bound, &how, err);
}

static sal_status partial_open(sal_explainer *e, const sal_explain_graph *x, int64_t batch,
                               sal_error *err)
{
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_graph *one = NULL, *many = NULL;
    sal_partial *p = NULL;
    sal_status st = SAL_OK;

    if (e->partial != NULL && e->partial->batch == batch)
        return SAL_OK;
    explainer_partial_free(e->partial);
    e->partial = NULL;
    p = sal_calloc(1, sizeof(*p));
    if (p == NULL)
        return sal_fail_nomem(err);
    so.threads = e->opts.threads;
    so.precision = e->opts.precision;
    p->batch = batch;
    SAL_TRY(partial_bind(x, 1, &one, err));
    SAL_TRY(partial_bind(x, batch, &many, err));
    SAL_TRY(sal_pass_all(one, &how, err));
    SAL_TRY(sal_windows_new(&p->windows, one, many, x->target.input, x->target.logits, batch, &so,
                            err));
    e->partial = p;
    p = NULL;
done:
    sal_graph_free(one);
    sal_graph_free(many);
    explainer_partial_free(p);
    return st;
}

/* The rectangle of variant i within the picture; a window that begins beyond the edge changes
 * nothing. */
static sal_box partial_box(const sal_method_run *r, const sal_batch_job *job, size_t i)
{
    const sal_target *t = sal_explainer_target(r->e);
    sal_box b = job->box(job->ctx, i);

    b.y0 = SAL_MAX(b.y0, 0);
    b.x0 = SAL_MAX(b.x0, 0);
    b.y1 = SAL_MIN(b.y1, (int32_t)t->height);
    b.x1 = SAL_MIN(b.x1, (int32_t)t->width);
    return b.y0 < b.y1 && b.x0 < b.x1 ? b : (sal_box){0, 0, 0, 0};
}

/* Mean share of a full run over some of the variants. */
static double partial_share(const sal_method_run *r, const sal_batch_job *job)
{
    size_t step = SAL_MAX(job->count / 64, 1), n = 0;
    double sum = 0.0;

    for (size_t i = 0; i < job->count; i += step, n++) {
        sal_box b = partial_box(r, job, i);

        sum += sal_windows_share(r->e->partial->windows, &b);
    }
    return n == 0 ? 1.0 : sum / (double)n;
}

sal_status explainer_partial_ready(const sal_method_run *r, const sal_explain_graph *x, size_t s,
                                   const sal_batch_job *job, bool *ready)
{
    sal_explainer *e = r->e;
    const sal_value *in = sal_val(x->graph, x->target.input);
    int64_t batch = e->opts.batch > 0 ? e->opts.batch : 32;
    sal_tensor one = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;

    *ready = false;
    if (job->box == NULL || e->opts.whole || !x->target.batched || x->target.nhwc ||
        in->rank != 4 || in->dims[0] > 0 || in->dtype != SAL_F32 || x->graph->n_inputs != 1 ||
        job->count < 8)
        return SAL_OK;
    SAL_TRY(partial_open(e, x, SAL_MIN(batch, (int64_t)job->count), r->err));
    if (e->partial->windows == NULL || partial_share(r, job) * 1.5 > 0.95)
        return SAL_OK;
    SAL_TRY(explainer_tile(&r->inputs[0], (int64_t)s, 1, &one, r->err));
    SAL_TRY(sal_windows_keep(e->partial->windows, &one, r->err));
    *ready = true;
done:
    sal_tensor_free(&one);
    return st;
}

sal_status explainer_partial_run(const sal_method_run *r, size_t s, const sal_batch_job *job,
                                 const sal_tensor *query, int64_t classes)
{
    sal_explainer *e = r->e;
    size_t batch = (size_t)e->partial->batch;
    size_t elements =
        sal_tensor_bytes(&r->inputs[0]) / sizeof(float) / (size_t)r->inputs[0].dims[0];
    float *x = sal_calloc(batch * elements, sizeof(*x));
    const float **rows = sal_calloc(batch, sizeof(*rows));
    sal_box *boxes = sal_calloc(batch, sizeof(*boxes));
    sal_status st = SAL_OK;

    if (x == NULL || rows == NULL || boxes == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    for (size_t first = 0; first < job->count; first += batch) {
        size_t used = SAL_MIN(batch, job->count - first);
        const sal_tensor *logits;

        for (size_t i = 0; i < used; i++) {
            rows[i] = x + i * elements;
            boxes[i] = partial_box(r, job, first + i);
            SAL_TRY(job->fill(job->ctx, first + i, x + i * elements, r->err));
        }
        SAL_TRY(sal_windows_run(e->partial->windows, used, rows, boxes, &logits, r->err));
        for (size_t i = 0; i < used; i++) {
            sal_variant v = {.logits = logits, .row = (int64_t)i};

            v.target = explainer_target(query, 0, logits, v.row, classes);
            SAL_TRY(job->take(job->ctx, first + i, &v, r->err));
        }
        double done = ((double)s + (double)(first + used) / (double)job->count) / (double)r->out->n;
        if (!job->quiet)
            SAL_TRY(explainer_progress(e, done, r->err));
    }
done:
    sal_free(x);
    sal_free(rows);
    sal_free(boxes);
    return st;
}
