/* Running the head of a model (head.h). */
#include "explain/head.h"
#include "explain/explainer_private.h"
#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

struct sal_head {
    int64_t batch;  /* variants at a time */
    int64_t body_n; /* samples that the body runs on; 1 unless the model wants more */
    sal_vid *reads; /* what the head reads of the body; reads[0] is the layer */
    size_t n_reads;
    sal_session *body; /* outputs: reads */
    sal_session *head; /* inputs: reads; output: logits */
    sal_tensor *in;    /* of the head */
    sal_tensor layer;  /* of the sample, float32 */
    sal_tensor wide;   /* the layer of all slots as float32, where in[0] has another type */
    size_t elements;   /* of the layer, one sample */
    int64_t classes;
    bool whole; /* the head itself is planned, not just the body */
};

void sal_head_free(sal_head *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; h->in != NULL && i < h->n_reads; i++)
        sal_tensor_free(&h->in[i]);
    sal_tensor_free(&h->layer);
    sal_tensor_free(&h->wide);
    sal_session_free(h->body);
    sal_session_free(h->head);
    sal_free(h->in);
    sal_free(h->reads);
    sal_free(h);
}

const float *sal_head_layer(const sal_head *h, size_t *elements)
{
    *elements = h->elements;
    return h->layer.data;
}

/* ---- planning ---- */

/* The model for n samples. */
static sal_status head_bind(const sal_explainer *e, int64_t n, sal_graph **out, sal_error *err)
{
    const sal_target *t = &e->x.target;
    const sal_value *v = sal_val(e->x.graph, t->input);
    sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_bound bound = {.input = t->input_index, .rank = v->rank};

    memcpy(bound.dims, v->dims, sizeof(v->dims));
    if (v->rank > 0 && v->dims[0] < 0)
        bound.dims[0] = n;
    return sal_graph_bind(out, e->x.graph, 1, &bound, &how, err);
}

/* Find what the nodes between layer and logits read from elsewhere. */
static sal_status head_find_reads(sal_head *h, const sal_graph *g, sal_vid layer, sal_vid logits,
                                  sal_error *err)
{
    bool *after = sal_calloc(g->n_values + 1, sizeof(*after));
    bool *need = sal_calloc(g->n_values + 1, sizeof(*need));
    sal_status st = SAL_OK;

    h->reads = sal_malloc((g->n_values + 1) * sizeof(*h->reads));
    if (after == NULL || need == NULL || h->reads == NULL)
        SAL_TRY(sal_fail_nomem(err));
    after[layer] = true;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_in; k++)
            any = any || (n->in[k] != SAL_NONE && after[n->in[k]]);
        for (int k = 0; any && k < n->n_out; k++) {
            if (n->out[k] != SAL_NONE)
                after[n->out[k]] = true;
        }
    }
    need[logits] = true;
    h->reads[h->n_reads++] = layer;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const sal_node *n = g->nodes[i];
        bool any = false;

        for (int k = 0; k < n->n_out; k++)
            any = any || (n->out[k] != SAL_NONE && n->out[k] != layer && need[n->out[k]] &&
                          after[n->out[k]]);
        for (int k = 0; any && k < n->n_in; k++) {
            sal_vid v = n->in[k];

            if (v == SAL_NONE || need[v] || sal_val(g, v)->constant != NULL)
                continue;
            need[v] = true;
            if (!after[v])
                h->reads[h->n_reads++] = v;
        }
    }
done:
    sal_free(after);
    sal_free(need);
    return st;
}

static sal_status head_sessions(sal_head *h, const sal_explainer *e, sal_error *err)
{
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    sal_vid logits = e->x.target.logits;
    sal_graph *one = NULL, *many = NULL, *body = NULL, *head = NULL;
    sal_status st = SAL_OK;

    so.threads = e->opts.threads;
    so.precision = e->opts.precision;
    SAL_TRY(head_bind(e, h->body_n, &one, err));
    SAL_TRY(head_bind(e, h->batch, &many, err));
    SAL_TRY(head_find_reads(h, many, e->x.layer.value, logits, err));
    if (h->whole)
        SAL_TRY(sal_graph_cut(&head, many, (int)h->n_reads, h->reads, 1, &logits, err));
    else
        h->n_reads = 1;
    SAL_TRY(sal_graph_extract(&body, one, (int)h->n_reads, h->reads, err));
    h->in = sal_calloc(h->n_reads, sizeof(*h->in));
    if (h->in == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (size_t i = 0; i < h->n_reads; i++) {
        const sal_value *v = sal_val(many, h->reads[i]);

        SAL_TRY(sal_tensor_new(&h->in[i], v->dtype, v->rank, v->dims, err));
    }
    h->elements = (size_t)(sal_tensor_count(&h->in[0]) / h->batch);
    if (h->in[0].dtype != SAL_F32)
        SAL_TRY(sal_tensor_new(&h->wide, SAL_F32, h->in[0].rank, h->in[0].dims, err));
    st = sal_session_take(&h->body, body, &so, err);
    body = NULL;
    if (st == SAL_OK && h->whole) {
        st = sal_session_take(&h->head, head, &so, err);
        head = NULL;
    }
done:
    sal_graph_free(one);
    sal_graph_free(many);
    sal_graph_free(body);
    sal_graph_free(head);
    return st;
}

sal_status sal_head_open(const sal_method_run *r, size_t count, sal_head **out)
{
    sal_explainer *e = r->e;
    int64_t fixed = sal_val(e->x.graph, e->x.target.input)->dims[0], batch = 32;
    sal_head *h = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    if (e->opts.batch > 0)
        batch = e->opts.batch;
    batch = SAL_MAX(SAL_MIN(batch, (int64_t)count), 1);
    if (!e->x.target.batched)
        batch = 1;
    else if (fixed > 0)
        batch = fixed;
    if (e->head != NULL && e->head->batch == batch && e->head->whole == (count > 0)) {
        *out = e->head;
        return SAL_OK;
    }
    sal_head_free(e->head);
    e->head = NULL;
    h = sal_calloc(1, sizeof(*h));
    if (h == NULL)
        return sal_fail_nomem(r->err);
    h->batch = batch;
    h->body_n = e->x.target.batched && fixed > 0 ? fixed : 1;
    h->classes = e->x.target.classes;
    h->whole = count > 0;
    SAL_TRY(head_sessions(h, e, r->err));
    *out = e->head = h;
    h = NULL;
done:
    sal_head_free(h);
    return st;
}

/* ---- running ---- */

/* Give every slot of the head's input the sample's values. Row `row` of the body's output holds
 * them where the value has a batch; a value without one is the same for all. */
static void head_spread(const sal_head *h, const sal_tensor *from, sal_tensor *to, size_t row)
{
    size_t a = sal_tensor_bytes(from), b = sal_tensor_bytes(to);

    if (a * (size_t)h->batch != b * (size_t)h->body_n) {
        memcpy(to->data, from->data, SAL_MIN(a, b));
        return;
    }
    size_t one = a / (size_t)h->body_n;
    for (int64_t k = 0; k < h->batch && one > 0; k++)
        memcpy((char *)to->data + (size_t)k * one, (const char *)from->data + row * one, one);
}

sal_status sal_head_cache(sal_head *h, const sal_method_run *r, size_t s)
{
    const sal_explainer *e = r->e;
    const sal_graph *g = e->x.graph;
    const sal_target *t = &e->x.target;
    sal_tensor *in = NULL, *own = NULL, first;
    size_t row = h->body_n > 1 ? s : 0;
    sal_status st = SAL_OK;

    in = sal_calloc(g->n_inputs + 1, sizeof(*in));
    own = sal_calloc(g->n_inputs + 1, sizeof(*own));
    if (in == NULL || own == NULL)
        SAL_TRY(sal_fail_nomem(r->err));
    for (size_t i = 0; i < g->n_inputs; i++) {
        in[i] = r->inputs[i];
        if (!t->batched || h->body_n > 1 || !sal_target_is_batch(t, g, g->inputs[i]))
            continue;
        SAL_TRY(explainer_tile(&r->inputs[i], (int64_t)s, 1, &own[i], r->err));
        in[i] = own[i];
    }
    SAL_TRY(sal_session_run(h->body, in, r->err));
    for (size_t i = 0; i < h->n_reads; i++)
        head_spread(h, sal_session_output(h->body, i), &h->in[i], row);
    sal_tensor_free(&h->layer);
    first = h->in[0];
    first.rank = 1;
    first.dims[0] = (int64_t)h->elements;
    SAL_TRY(sal_tensor_cast(&h->layer, &first, SAL_F32, r->err));
    for (int64_t k = 0; h->wide.data != NULL && k < h->batch; k++)
        memcpy((float *)h->wide.data + (size_t)k * h->elements, h->layer.data,
               h->elements * sizeof(float));
done:
    for (size_t i = 0; own != NULL && i < g->n_inputs; i++)
        sal_tensor_free(&own[i]);
    sal_free(own);
    sal_free(in);
    return st;
}

static sal_status head_step(sal_head *h, sal_error *err)
{
    sal_tensor *in = NULL, cast = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;

    in = sal_malloc(h->n_reads * sizeof(*in));
    if (in == NULL)
        return sal_fail_nomem(err);
    memcpy(in, h->in, h->n_reads * sizeof(*in));
    if (h->wide.data != NULL) {
        SAL_TRY(sal_tensor_cast(&cast, &h->wide, h->in[0].dtype, err));
        in[0] = cast;
    }
    st = sal_session_run(h->head, in, err);
done:
    sal_tensor_free(&cast);
    sal_free(in);
    return st;
}

sal_status sal_head_run(sal_head *h, const sal_method_run *r, size_t s, const sal_head_job *job)
{
    float *data = h->wide.data != NULL ? h->wide.data : h->in[0].data;
    int64_t rows = sal_tensor_count(r->query) / h->classes;
    size_t batch = (size_t)h->batch;
    sal_status st = SAL_OK;

    for (size_t first = 0; first < job->count; first += batch) {
        size_t used = SAL_MIN(batch, job->count - first);

        for (size_t i = 0; i < used; i++)
            SAL_TRY(job->fill(job->ctx, first + i, i, data + i * h->elements, r->err));
        SAL_TRY(head_step(h, r->err));
        for (size_t i = 0; i < used; i++)
            SAL_TRY(
                job->take(job->ctx, first + i,
                          explainer_target(r->query, rows > 1 ? (int64_t)s : 0,
                                           sal_session_output(h->head, 0), (int64_t)i, h->classes),
                          r->err));
        double done = ((double)s + (double)(first + used) / (double)job->count) / (double)r->out->n;
        SAL_TRY(explainer_progress(r->e, done, r->err));
    }
done:
    return st;
}
