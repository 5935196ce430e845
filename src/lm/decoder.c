/* Plans of a language model for the block lengths that are met, over one cache. */
#include "lm/decoder.h"

#include "exec/cache.h"
#include "exec/session.h"
#include "graph/passes/passes.h"
#include "ops/builder.h"
#include "ops/core/evaluate.h"

#include <stdio.h>

enum {
    DECODER_PLANS = 6,
    DECODER_BLOCK = 512,     /* tokens of a prompt computed together */
    DECODER_LOGIT_BLOCK = 64 /* where the logits of all of them are wanted */
};

typedef struct decoder_plan {
    sal_session *session; /* NULL: free slot */
    int64_t batch, sequence;
    bool all; /* logits behind every token */
    uint64_t used;
} decoder_plan;

typedef struct decoder_row {
    int32_t *ids;
    size_t n, cap;
} decoder_row;

struct sal_decoder {
    sal_decoder_opts opts;
    sal_graph *last, *whole; /* input_ids, positions -> logits behind the last token, behind all */
    sal_cache *cache;
    decoder_row *rows;
    int64_t vocabulary;
    int64_t *inputs; /* ids, then positions, of one run */
    decoder_plan plans[DECODER_PLANS];
    uint64_t clock;
};

/* ---- the graphs ---- */

static sal_status decoder_find(const sal_graph *g, const char *name, sal_vid *out, sal_error *err)
{
    *out = sal_graph_find(g, name);
    if (*out == SAL_NONE)
        return sal_fail(err, SAL_EUNSUPPORTED, "no language model: it has no value named %s", name);
    return SAL_OK;
}

/* logits -> those of the last token. */
static sal_status decoder_narrow(sal_graph *g, sal_error *err)
{
    static const int64_t last[] = {-1};
    sal_builder b = SAL_BUILDER(g, err, "last");
    sal_attr axis = SAL_AI("axis", 1);
    sal_vid v =
        sal_b_op(&b, "Gather", 2, (sal_vid[]){g->outputs[0], sal_b_ints(&b, last, 1)}, 1, &axis);

    if (b.st != SAL_OK)
        return b.st;
    g->n_outputs = 0;
    return sal_graph_add_output(g, v, err);
}

/* What the cache must hold, from the layers' Attention nodes. */
static sal_status decoder_layers(const sal_graph *g, sal_cache_opts *c, sal_error *err)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        const sal_value *k, *v;
        int64_t kv_heads = sal_node_int(n, "kv_num_heads", 0);

        if (strcmp(n->op->name, "Attention") != 0)
            continue;
        k = sal_val(g, n->in[1]);
        v = sal_val(g, n->in[2]);
        if (kv_heads < 1 || k->rank != 3 || v->rank != 3 || k->dims[2] < 1 || v->dims[2] < 1 ||
            sal_node_int(n, "is_causal", 0) != 1)
            return sal_fail(err, SAL_EUNSUPPORTED,
                            "no language model: %s is no causal attention of known size", n->name);
        if (c->layers > 0 && (c->kv_heads != kv_heads || c->key_size * kv_heads != k->dims[2] ||
                              c->value_size * kv_heads != v->dims[2]))
            return sal_fail(err, SAL_EUNSUPPORTED, "%s has other heads than the layers before it",
                            n->name);
        c->kv_heads = (int32_t)kv_heads;
        c->key_size = (int32_t)(k->dims[2] / kv_heads);
        c->value_size = (int32_t)(v->dims[2] / kv_heads);
        c->layers++;
    }
    return c->layers > 0
               ? SAL_OK
               : sal_fail(err, SAL_EUNSUPPORTED, "no language model: it has no Attention nodes");
}

/* Longrope chooses factors by the length of the text. Keys that are kept must have been rotated as
 * later queries will be: the context decides, not what the row holds so far. */
static sal_status decoder_rope(sal_graph *g, int64_t context, sal_error *err)
{
    sal_vid v = sal_graph_find(g, "rope_length");
    sal_tensor t = SAL_TENSOR_INIT;
    sal_status st = SAL_OK;

    if (v == SAL_NONE)
        return SAL_OK;
    SAL_TRY(sal_tensor_new(&t, SAL_I64, 0, NULL, err));
    *(int64_t *)t.data = context;
    SAL_TRY(sal_graph_set_constant(g, v, &t, err));
    st = sal_pass_dce(g, err);
done:
    sal_tensor_free(&t);
    return st;
}

static sal_status decoder_graphs(sal_decoder *d, const sal_graph *model, sal_error *err)
{
    sal_vid in[2], out;
    const sal_value *logits;
    sal_status st = SAL_OK;

    SAL_TRY(decoder_find(model, "input_ids", &in[0], err));
    SAL_TRY(decoder_find(model, "positions", &in[1], err));
    SAL_TRY(decoder_find(model, "logits", &out, err));
    logits = sal_val(model, out);
    if (logits->rank != 3 || logits->dims[2] < 1 || logits->dims[2] > INT32_MAX)
        SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                         "no language model: logits are not [batch,sequence,vocabulary]"));
    d->vocabulary = logits->dims[2];
    SAL_TRY(sal_graph_cut(&d->whole, model, 2, in, 1, &out, err));
    SAL_TRY(decoder_rope(d->whole, d->opts.context, err));
    SAL_TRY(sal_graph_clone(&d->last, d->whole, err));
    st = decoder_narrow(d->last, err);
done:
    return st;
}

/* A hash of all weights: saved prompts belong to one model. */
static uint64_t decoder_identity(const sal_graph *g)
{
    uint64_t h = 0;

    for (size_t i = 0; i < g->n_values; i++) {
        const sal_tensor *t = g->values[i]->constant;

        if (t == NULL || t->data == NULL)
            continue;
        h = sal_hash(t->dims, (size_t)t->rank * sizeof(*t->dims), h);
        h = sal_hash(t->data, sal_tensor_bytes(t), h);
    }
    return h;
}

sal_status sal_decoder_new(sal_decoder **out, const sal_graph *model, const sal_decoder_opts *opts,
                           sal_error *err)
{
    sal_cache_opts c = {.policy = opts->policy};
    sal_decoder *d = NULL;
    sal_status st = SAL_OK;

    *out = NULL;
    d = sal_calloc(1, sizeof(*d));
    if (d == NULL)
        SAL_TRY(sal_fail_nomem(err));
    d->opts = *opts;
    if (opts->context < 1 || opts->context > 1 << 24 || opts->rows < 1 || opts->rows > 4096)
        SAL_TRY(sal_fail(err, SAL_EINVAL,
                         "a context of %lld positions for %d texts: 1 to 2^24 and 1 to 4096 are "
                         "allowed",
                         (long long)opts->context, (int)opts->rows));
    SAL_TRY(decoder_graphs(d, model, err));
    SAL_TRY(decoder_layers(d->whole, &c, err));
    c.rows = opts->rows;
    c.context = opts->context;
    SAL_TRY(sal_cache_new(&d->cache, &c, err));
    d->opts.policy = sal_cache_opts_of(d->cache)->policy;
    d->rows = sal_calloc((size_t)opts->rows, sizeof(*d->rows));
    d->inputs = sal_calloc(2 * (size_t)SAL_MAX(opts->rows, DECODER_BLOCK), sizeof(*d->inputs));
    if (d->rows == NULL || d->inputs == NULL)
        SAL_TRY(sal_fail_nomem(err));
    *out = d;
    d = NULL;
done:
    sal_decoder_free(d);
    return st;
}

void sal_decoder_free(sal_decoder *d)
{
    if (d == NULL)
        return;
    for (int i = 0; i < DECODER_PLANS; i++)
        sal_session_free(d->plans[i].session);
    for (int32_t i = 0; d->rows != NULL && i < d->opts.rows; i++)
        sal_free(d->rows[i].ids);
    sal_free(d->rows);
    sal_free(d->inputs);
    sal_cache_free(d->cache);
    sal_graph_free(d->last);
    sal_graph_free(d->whole);
    sal_free(d);
}

/* ---- plans ---- */

static sal_status decoder_plan_make(sal_decoder *d, decoder_plan *p, sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    const sal_bound bounds[2] = {{0, 2, {p->batch, p->sequence}}, {1, 2, {p->batch, p->sequence}}};
    sal_session_opts so = SAL_SESSION_OPTS_INIT;
    sal_graph *g = NULL;
    sal_status st = SAL_OK;

    SAL_TRY(sal_graph_bind(&g, p->all ? d->whole : d->last, 2, bounds, &how, err));
    SAL_TRY(sal_pass_all(g, &how, err));
    if (!p->all && p->sequence > 1)
        SAL_TRY(sal_pass_narrow(g, err));
    so.threads = d->opts.threads;
    so.packed = d->opts.exact ? SAL_PACKED_EXACT : SAL_PACKED_FAST;
    so.cache = d->cache;
    st = sal_session_take(&p->session, g, &so, err);
    g = NULL;
done:
    sal_graph_free(g);
    return st;
}

/* One that is there, else a new one in the place of the one used longest ago. Plans for blocks are
 * large and soon made: there is one at a time. */
static sal_status decoder_plan_for(sal_decoder *d, int64_t batch, int64_t sequence, bool all,
                                   decoder_plan **out, sal_error *err)
{
    decoder_plan *slot = NULL;
    sal_status st;

    for (int i = 0; i < DECODER_PLANS; i++) {
        decoder_plan *p = &d->plans[i];

        if (p->session != NULL && p->batch == batch && p->sequence == sequence && p->all == all) {
            p->used = ++d->clock;
            *out = p;
            return SAL_OK;
        }
        if (slot == NULL || p->used < slot->used)
            slot = p;
    }
    for (int i = 0; sequence > 1 && i < DECODER_PLANS; i++) {
        if (d->plans[i].sequence > 1) {
            sal_session_free(d->plans[i].session);
            d->plans[i] = (decoder_plan){.session = NULL};
            slot = &d->plans[i];
        }
    }
    sal_session_free(slot->session);
    *slot = (decoder_plan){NULL, batch, sequence, all, ++d->clock};
    st = decoder_plan_make(d, slot, err);
    if (st != SAL_OK)
        *slot = (decoder_plan){.session = NULL};
    *out = slot;
    return st;
}

/* ---- running ---- */

static sal_status decoder_check(const sal_decoder *d, int32_t row, const int32_t *ids, size_t n,
                                sal_error *err)
{
    size_t held;

    if (row < 0 || row >= d->opts.rows)
        return sal_fail(err, SAL_EINVAL, "row %d: there are %d", (int)row, (int)d->opts.rows);
    held = d->rows[row].n;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= d->vocabulary)
            return sal_fail(err, SAL_EINVAL, "token %zu has the id %ld: the vocabulary has %lld", i,
                            (long)ids[i], (long long)d->vocabulary);
    }
    if (n > (size_t)d->opts.context - held)
        return sal_fail(err, SAL_EINVAL,
                        "%zu tokens do not fit: the context of %lld positions holds %zu already; a "
                        "larger context would help",
                        n, (long long)d->opts.context, held);
    return SAL_OK;
}

/* One run: `sequence` ids for each of `batch` rows, which are in d->inputs. */
static sal_status decoder_run(sal_decoder *d, int64_t batch, int64_t sequence, const int32_t *rows,
                              bool all, const float **logits, sal_error *err)
{
    const int64_t dims[2] = {batch, sequence}, count = batch * sequence;
    sal_tensor in[2] = {sal_tensor_borrow(SAL_I64, 2, dims, d->inputs),
                        sal_tensor_borrow(SAL_I64, 2, dims, d->inputs + count)};
    decoder_plan *p;
    sal_status st = SAL_OK;

    SAL_TRY(decoder_plan_for(d, batch, sequence, all, &p, err));
    SAL_TRY(sal_cache_rows(d->cache, (int32_t)batch, rows, err));
    for (int64_t i = 0; i < count; i++)
        d->inputs[count + i] = (int64_t)d->rows[rows[i / sequence]].n + i % sequence;
    SAL_TRY(sal_session_run(p->session, in, err));
    sal_cache_advance(d->cache, sequence);
    *logits = sal_session_output(p->session, 0)->data;
done:
    return st;
}

/* All or nothing. */
static sal_status decoder_feed(sal_decoder *d, int32_t row, const int32_t *ids, size_t n, bool all,
                               float *logits, sal_error *err)
{
    size_t block = all ? DECODER_LOGIT_BLOCK : DECODER_BLOCK, before, wide;
    decoder_row *r;
    sal_status st = SAL_OK;

    if (n == 0)
        return sal_fail(err, SAL_EINVAL, "no tokens to append");
    st = decoder_check(d, row, ids, n, err);
    if (st != SAL_OK)
        return st;
    r = &d->rows[row];
    before = r->n;
    wide = (size_t)d->vocabulary;
    SAL_TRY(sal_grow(&r->ids, r->n + n, &r->cap, sizeof(*r->ids), err));
    for (size_t i = 0; i < n;) {
        size_t m = SAL_MIN(n - i, block);
        const float *y;

        for (size_t k = 0; k < m; k++)
            d->inputs[k] = ids[i + k];
        SAL_TRY(decoder_run(d, 1, (int64_t)m, &row, all, &y, err));
        memcpy(r->ids + r->n, ids + i, m * sizeof(*ids));
        r->n += m;
        if (all)
            memcpy(logits + i * wide, y, m * wide * sizeof(*y));
        i += m;
        if (!all && logits != NULL && i == n)
            memcpy(logits, y, wide * sizeof(*y));
    }
done:
    if (st != SAL_OK)
        sal_decoder_truncate(d, row, before);
    return st;
}

sal_status sal_decoder_feed(sal_decoder *d, int32_t row, const int32_t *ids, size_t n,
                            float *logits, sal_error *err)
{
    return decoder_feed(d, row, ids, n, false, logits, err);
}

sal_status sal_decoder_feed_all(sal_decoder *d, int32_t row, const int32_t *ids, size_t n,
                                float *logits, sal_error *err)
{
    return decoder_feed(d, row, ids, n, true, logits, err);
}

sal_status sal_decoder_set(sal_decoder *d, int32_t row, const int32_t *ids, size_t n, float *logits,
                           size_t *reused, sal_error *err)
{
    size_t same = 0;
    sal_status st = SAL_OK;

    if (reused != NULL)
        *reused = 0;
    if (n == 0)
        return sal_fail(err, SAL_EINVAL, "the prompt is empty");
    SAL_TRY(decoder_check(d, row, NULL, 0, err));
    if (n > (size_t)d->opts.context)
        SAL_TRY(sal_fail(err, SAL_EINVAL,
                         "the prompt has %zu tokens, the context %lld positions: a larger context "
                         "would help",
                         n, (long long)d->opts.context));
    while (same < d->rows[row].n && same + 1 < n && d->rows[row].ids[same] == ids[same])
        same++;
    sal_decoder_truncate(d, row, same);
    SAL_TRY(sal_decoder_feed(d, row, ids + same, n - same, logits, err));
    if (reused != NULL)
        *reused = same;
done:
    return st;
}

sal_status sal_decoder_step(sal_decoder *d, size_t n, const int32_t *rows, const int32_t *ids,
                            float *logits, sal_error *err)
{
    const float *y;
    sal_status st = SAL_OK;

    if (n == 0 || n > (size_t)d->opts.rows)
        return sal_fail(err, SAL_EINVAL, "a step of %zu rows: there are %d", n, (int)d->opts.rows);
    for (size_t i = 0; i < n; i++) {
        decoder_row *r;

        SAL_TRY(decoder_check(d, rows[i], &ids[i], 1, err));
        r = &d->rows[rows[i]];
        SAL_TRY(sal_grow(&r->ids, r->n + 1, &r->cap, sizeof(*r->ids), err));
        d->inputs[i] = ids[i];
    }
    SAL_TRY(decoder_run(d, (int64_t)n, 1, rows, false, &y, err));
    for (size_t i = 0; i < n; i++)
        d->rows[rows[i]].ids[d->rows[rows[i]].n++] = ids[i];
    memcpy(logits, y, n * (size_t)d->vocabulary * sizeof(*y));
done:
    return st;
}

/* ---- saving ----
 * "SALCACHE", then as 64-bit numbers: version, the model's identity, tokens; the policy's name in
 * 16 bytes; the ids; the cache's tiles; a checksum of all before it. */

enum { DECODER_HEAD = 8 + 3 * 8 + 16, DECODER_VERSION = 1 };

sal_status sal_decoder_save(const sal_decoder *d, int32_t row, const char *path, sal_error *err)
{
    const decoder_row *r = &d->rows[row];
    uint64_t numbers[3] = {DECODER_VERSION, decoder_identity(d->whole), r->n}, sum;
    char policy[16] = {0};
    sal_bytes b = {NULL, 0, 0};
    sal_status st = SAL_OK;

    (void)snprintf(policy, sizeof(policy), "%s", d->opts.policy);
    SAL_TRY(sal_bytes_add(&b, "SALCACHE", 8, err));
    SAL_TRY(sal_bytes_add(&b, numbers, sizeof(numbers), err));
    SAL_TRY(sal_bytes_add(&b, policy, sizeof(policy), err));
    if (r->n > 0)
        SAL_TRY(sal_bytes_add(&b, r->ids, r->n * sizeof(*r->ids), err));
    SAL_TRY(sal_cache_save(d->cache, row, &b, err));
    sum = sal_hash(b.data, b.len, 0);
    SAL_TRY(sal_bytes_add(&b, &sum, sizeof(sum), err));
    st = sal_file_write(path, b.data, b.len, err);
done:
    sal_bytes_free(&b);
    return st;
}

/* The checks before anything is believed; n: tokens. */
static sal_status decoder_load_check(const sal_decoder *d, const char *path, const sal_file *f,
                                     uint64_t *n, sal_error *err)
{
    uint64_t numbers[3], sum;

    if (f->size < DECODER_HEAD + 8 || memcmp(f->data, "SALCACHE", 8) != 0)
        return sal_fail(err, SAL_EFORMAT, "%s: no saved prompt", path);
    memcpy(numbers, f->data + 8, sizeof(numbers));
    memcpy(&sum, f->data + f->size - 8, sizeof(sum));
    if (numbers[0] != DECODER_VERSION)
        return sal_fail(err, SAL_EFORMAT, "%s: saved in format %llu, this program reads %d", path,
                        (unsigned long long)numbers[0], DECODER_VERSION);
    if (sal_hash(f->data, f->size - 8, 0) != sum)
        return sal_fail(err, SAL_EFORMAT, "%s: damaged: its checksum is wrong", path);
    if (numbers[1] != decoder_identity(d->whole))
        return sal_fail(err, SAL_EFORMAT, "%s: saved with another model", path);
    if (strncmp((const char *)f->data + 32, d->opts.policy, 16) != 0)
        return sal_fail(err, SAL_EFORMAT, "%s: saved with the cache policy %.16s, not %s", path,
                        (const char *)f->data + 32, d->opts.policy);
    if (numbers[2] > (uint64_t)d->opts.context)
        return sal_fail(err, SAL_EINVAL,
                        "%s: holds %llu tokens, the context has %lld positions: a larger context "
                        "would help",
                        path, (unsigned long long)numbers[2], (long long)d->opts.context);
    *n = numbers[2];
    if (f->size < DECODER_HEAD + 8 + 4 * numbers[2])
        return sal_fail(err, SAL_EFORMAT, "%s: shorter than its %llu tokens", path,
                        (unsigned long long)numbers[2]);
    return SAL_OK;
}

sal_status sal_decoder_load(sal_decoder *d, int32_t row, const char *path, sal_error *err)
{
    sal_file f = {NULL, 0, false};
    decoder_row *r = &d->rows[row];
    uint64_t n = 0;
    size_t at;
    sal_status st = SAL_OK;

    sal_decoder_truncate(d, row, 0);
    SAL_TRY(sal_file_open(&f, path, err));
    SAL_TRY(decoder_load_check(d, path, &f, &n, err));
    SAL_TRY(sal_grow(&r->ids, (size_t)n + 1, &r->cap, sizeof(*r->ids), err));
    at = DECODER_HEAD + (size_t)n * sizeof(*r->ids);
    memcpy(r->ids, f.data + DECODER_HEAD, (size_t)n * sizeof(*r->ids));
    for (uint64_t i = 0; i < n; i++) {
        if (r->ids[i] < 0 || r->ids[i] >= d->vocabulary)
            SAL_TRY(sal_fail(err, SAL_EFORMAT, "%s: token %llu is none of the model's", path,
                             (unsigned long long)i));
    }
    SAL_TRY(sal_cache_load(d->cache, row, (int64_t)n, f.data + at, f.size - 8 - at, err));
    r->n = (size_t)n;
done:
    sal_file_close(&f);
    return st;
}

/* ---- looking ---- */

const int32_t *sal_decoder_ids(const sal_decoder *d, int32_t row, size_t *n)
{
    *n = row < 0 || row >= d->opts.rows ? 0 : d->rows[row].n;
    return *n == 0 ? NULL : d->rows[row].ids;
}

void sal_decoder_truncate(sal_decoder *d, int32_t row, size_t n)
{
    if (row < 0 || row >= d->opts.rows)
        return;
    d->rows[row].n = SAL_MIN(d->rows[row].n, n);
    sal_cache_truncate(d->cache, row, (int64_t)d->rows[row].n);
}

int64_t sal_decoder_vocabulary(const sal_decoder *d)
{
    return d->vocabulary;
}

int64_t sal_decoder_context(const sal_decoder *d)
{
    return d->opts.context;
}

int32_t sal_decoder_rows(const sal_decoder *d)
{
    return d->opts.rows;
}

void sal_decoder_get_stats(const sal_decoder *d, sal_decoder_stats *out)
{
    *out = (sal_decoder_stats){.cache_bytes = sal_cache_bytes(d->cache),
                               .cache_room = sal_cache_room(d->cache)};
    for (int i = 0; i < DECODER_PLANS; i++) {
        sal_session_stats s;

        if (d->plans[i].session == NULL)
            continue;
        sal_session_get_stats(d->plans[i].session, &s);
        out->arena_bytes += s.arena_bytes + s.scratch_bytes;
        out->weight_bytes += s.weight_bytes;
        out->plans++;
    }
}

sal_status sal_decoder_profile(sal_decoder *d, size_t n, sal_bytes *out, sal_error *err)
{
    const int32_t row = 0;
    const int64_t dims[2] = {1, (int64_t)n};
    size_t held = d->rows[0].n, bound;
    sal_session_stats stats;
    sal_tensor in[2];
    decoder_plan *p;
    double *ms = NULL, total = 0.0;
    sal_status st = SAL_OK;

    if (n < 1 || n > DECODER_BLOCK || held + n > (size_t)d->opts.context)
        return sal_fail(err, SAL_EINVAL,
                        "%zu tokens cannot be measured behind %zu in a context of "
                        "%lld",
                        n, held, (long long)d->opts.context);
    SAL_TRY(decoder_plan_for(d, 1, (int64_t)n, false, &p, err));
    SAL_TRY(sal_cache_rows(d->cache, 1, &row, err));
    for (size_t i = 0; i < n; i++) {
        d->inputs[i] = 0;
        d->inputs[n + i] = (int64_t)(held + i);
    }
    in[0] = sal_tensor_borrow(SAL_I64, 2, dims, d->inputs);
    in[1] = sal_tensor_borrow(SAL_I64, 2, dims, d->inputs + n);
    sal_session_get_stats(p->session, &stats);
    bound = stats.steps;
    ms = sal_calloc(bound + 1, sizeof(*ms));
    if (ms == NULL)
        SAL_TRY(sal_fail_nomem(err));
    for (int i = 0; i < 3; i++) /* the last one counts */
        SAL_TRY(sal_session_profile(p->session, in, ms, err));
    for (size_t i = 0; i < bound; i++) {
        SAL_TRY(sal_bytes_printf(out, err, "%9.4f ms  %s\n", ms[i],
                                 sal_session_step_text(p->session, i)));
        total += ms[i];
    }
    SAL_TRY(sal_bytes_printf(out, err, "%9.4f ms  %zu steps, %zu of them on reference code\n",
                             total, bound, stats.reference_steps));
done:
    sal_free(ms);
    return st;
}
