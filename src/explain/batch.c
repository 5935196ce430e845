/* The batch evaluator: variants of one sample, written by a method, in filled batches through one
 * plan. */
#include "explain/explainer_private.h"

sal_status explainer_tile(const sal_tensor *in, int64_t s, int64_t copies, sal_tensor *out,
                          sal_error *err)
{
    size_t bytes =
        in->rank == 0 || in->dims[0] == 0 ? 0 : sal_tensor_bytes(in) / (size_t)in->dims[0];
    int64_t dims[SAL_MAX_RANK];

    memcpy(dims, in->dims, sizeof(dims));
    dims[0] = copies;
    sal_status st = sal_tensor_new(out, in->dtype, in->rank, dims, err);
    for (int64_t k = 0; st == SAL_OK && bytes > 0 && k < copies; k++)
        memcpy((char *)out->data + (size_t)k * bytes, (const char *)in->data + (size_t)s * bytes,
               bytes);
    return st;
}

/* Variants at a time. Few slots should stay empty in the last batch, and the size must not grow
 * with the number of variants, because memory does. */
static int64_t batch_size(const sal_explainer *e, const sal_explain_graph *x,
                          const sal_batch_job *job)
{
    const sal_value *in = sal_val(x->graph, x->target.input);
    int64_t count = (int64_t)job->count, most = job->forward ? 16 : 10, best = 1, waste = INT64_MAX;

    if (!x->target.batched)
        return 1;
    if (in->dims[0] > 0)
        return in->dims[0];
    if (e->opts.batch > 0)
        return SAL_MIN(count, e->opts.batch);
    if (count <= most)
        return count;
    for (int64_t b = most; b >= most / 2; b--) {
        int64_t w = (count + b - 1) / b * b - count;

        if (w < waste) {
            waste = w;
            best = b;
        }
    }
    return best;
}

typedef struct batch_inputs {
    sal_tensor *all;   /* of the session, in order */
    sal_tensor *owned; /* those made here */
    sal_tensor x;      /* explained input as float32, the variants are written here */
    size_t n;
} batch_inputs;

static void batch_inputs_free(batch_inputs *in)
{
    for (size_t i = 0; in->owned != NULL && i < in->n; i++)
        sal_tensor_free(&in->owned[i]);
    sal_free(in->owned);
    sal_free(in->all);
    sal_tensor_free(&in->x);
}

/* Other inputs are repeated where they hold one row a sample. */
static sal_status batch_inputs_make(batch_inputs *in, const sal_method_run *r,
                                    const sal_explain_graph *x, int64_t s, int64_t size,
                                    sal_tensor *query)
{
    const sal_graph *g = x->graph;
    size_t k = (size_t)x->target.input_index;
    sal_status st = SAL_OK;

    in->n = g->n_inputs;
    in->all = sal_calloc(in->n + 1, sizeof(*in->all));
    in->owned = sal_calloc(in->n + 1, sizeof(*in->owned));
    if (in->all == NULL || in->owned == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    for (size_t i = 0; i < in->n; i++) {
        if (g->inputs[i] == x->target.query) {
            in->all[i] = *query;
        } else if (g->inputs[i] == x->other) {
            if (x->target.batched)
                SAL_TRY(explainer_tile(&r->inputs[k], s, size, &in->owned[i], r->err));
            in->all[i] = x->target.batched ? in->owned[i] : r->inputs[k];
        } else if (x->target.batched && sal_target_is_batch(&x->target, g, g->inputs[i])) {
            SAL_TRY(explainer_tile(&r->inputs[i], s, size, &in->owned[i], r->err));
            in->all[i] = in->owned[i];
        } else {
            in->all[i] = r->inputs[i];
        }
    }
    const sal_tensor *t = &in->all[k];
    if (t->dtype != SAL_F32 || in->owned[k].data == NULL)
        SAL_TRY(sal_tensor_new(&in->x, SAL_F32, t->rank, t->dims, r->err));
done:
    return st;
}

sal_status sal_explainer_sample(const sal_method_run *r, size_t s, sal_tensor *out)
{
    const sal_target *t = sal_explainer_target(r->e);
    const sal_tensor *in = &r->inputs[t->input_index];
    sal_tensor one = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;

    if (!t->batched)
        return sal_tensor_cast(out, in, SAL_F32, r->err);
    SAL_TRY(explainer_tile(in, (int64_t)s, 1, &one, r->err));
    st = sal_tensor_cast(out, &one, SAL_F32, r->err);
done:
    sal_tensor_free(&one);
    return st;
}

/* Run one filled batch and hand its rows out. */
static sal_status batch_step(const sal_method_run *r, const sal_batch_job *job,
                             const sal_explain_graph *x, sal_session *session, batch_inputs *in,
                             const sal_tensor *query, size_t first, size_t used)
{
    size_t k = (size_t)x->target.input_index;
    sal_tensor cast = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;

    if (in->x.data != NULL) {
        SAL_TRY(sal_tensor_cast(&cast, &in->x, r->inputs[k].dtype, r->err));
        in->all[k] = cast;
    }
    SAL_TRY(sal_session_run(session, in->all, r->err));
    for (size_t i = 0; i < used; i++) {
        sal_variant v = {.logits = sal_session_output(session, 0),
                         .map = x->saliency == SAL_NONE ? NULL : sal_session_output(session, 1),
                         .row = (int64_t)i};

        v.target = explainer_target(query, 0, v.logits, v.row, x->target.classes);
        SAL_TRY(job->take(job->ctx, first + i, &v, r->err));
    }
done:
    sal_tensor_free(&cast);
    return st;
}

double sal_explainer_own_target(const sal_method_run *r, size_t s)
{
    int64_t classes = sal_explainer_target(r->e)->classes;
    bool rows = sal_tensor_count(r->query) > classes;

    return explainer_target(r->query, rows ? (int64_t)s : 0, &r->out->logits, (int64_t)s, classes);
}

void sal_variant_add(const sal_variant *v, size_t elements, double *sum)
{
    size_t first = (size_t)v->row * elements;

    if (v->map->dtype == SAL_F32) {
        const float *row = (const float *)v->map->data + first;

        for (size_t k = 0; k < elements; k++)
            sum[k] += (double)row[k];
        return;
    }
    for (size_t k = 0; k < elements; k++)
        sum[k] += sal_tensor_get(v->map, (int64_t)(first + k));
}

sal_status sal_explainer_batch(const sal_method_run *r, size_t s, const sal_batch_job *job)
{
    sal_explainer *e = r->e;
    const sal_explain_graph *x = &e->x;
    sal_session *session;
    batch_inputs in = {0};
    sal_tensor query = *r->query;
    sal_status st = SAL_OK;

    if (job->forward)
        SAL_TRY(explainer_forward(e, &x, r->err));
    size_t size = (size_t)batch_size(e, x, job);
    if (sal_tensor_count(&query) > x->target.classes) {
        query.data = (char *)query.data + s * (size_t)x->target.classes * sizeof(float);
        query.buffer = NULL;
    }
    if (x->target.batched)
        query.dims[0] = 1;
    if (job->forward) {
        bool ready;

        SAL_TRY(explainer_partial_ready(r, x, s, job, &ready));
        if (ready)
            return explainer_partial_run(r, s, job, &query, x->target.classes);
    }
    SAL_TRY(explainer_session(e, x, (int64_t)size, 1, &session, r->err));
    SAL_TRY(batch_inputs_make(&in, r, x, (int64_t)s, (int64_t)size, &query));
    size_t k = (size_t)x->target.input_index;
    float *data = in.x.data != NULL ? in.x.data : in.all[k].data;
    size_t elements = (size_t)sal_tensor_count(&in.all[k]) / (x->target.batched ? size : 1);
    for (size_t first = 0; first < job->count; first += size) {
        size_t used = SAL_MIN(size, job->count - first);

        for (size_t i = 0; i < used; i++)
            SAL_TRY(job->fill(job->ctx, first + i, data + i * elements, r->err));
        SAL_TRY(batch_step(r, job, x, session, &in, &query, first, used));
        double done = ((double)s + (double)(first + used) / (double)job->count) / (double)r->out->n;
        if (!job->quiet)
            SAL_TRY(explainer_progress(e, done, r->err));
    }
done:
    batch_inputs_free(&in);
    return st;
}
