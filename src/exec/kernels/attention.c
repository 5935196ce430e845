/* Causal attention over a key-value cache: append what this run brings, then an online softmax over
 * the tiles of the cache (Dao et al. 2022, algorithm 1; the L x L matrix never exists).
 *
 * Work is cut into units: a text, a head of keys with all query heads that share it, a block of
 * queries and, where there are few queries, a span of the cache. Units and their order do not
 * depend on the number of threads, and parts of one result are joined in order: the same bytes come
 * out. */
#include "exec/cache.h"
#include "exec/cache_tiles.h"
#include "exec/epilogue.h"
#include "exec/isa.h"
#include "exec/kernels.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>

enum {
    ATTENTION_BLOCK = 8,  /* tiles whose logits are held at once */
    ATTENTION_SPAN = 256, /* keys of a unit where there are few queries */
    ATTENTION_FEW = 4,    /* queries of a text that are few */
    ATTENTION_QUERIES = 8 /* of a unit else */
};

typedef struct attention_state {
    int32_t layer;
    int64_t batch, queries;
    int heads, kv_heads, size, value_size;
    float scale, softcap;
    int64_t left; /* keys before a query that it sees; -1: all */
    const sal_cache_isa *isa;
    int threads;
} attention_state;

/* One unit. */
typedef struct attention_unit {
    int32_t row; /* of the batch */
    int32_t text;
    int head;               /* of keys */
    int64_t query, n_query; /* positions in this run */
    int64_t from, to;       /* keys */
    int64_t past;           /* length of the text before the run */
} attention_unit;

/* A thread's room. */
typedef struct attention_room {
    float *q, *s, *o, *keys, *values, *most, *sum;
} attention_room;

static size_t attention_floats(const attention_state *a, int64_t n_query)
{
    size_t n = (size_t)(a->heads / a->kv_heads) * (size_t)n_query;
    return n * (size_t)(a->size + a->value_size + SAL_CACHE_TILE * ATTENTION_BLOCK + 2) +
           (size_t)SAL_CACHE_TILE * (size_t)(a->size + a->value_size) + 64;
}

static attention_room attention_room_of(const attention_state *a, int64_t n_query, float *at)
{
    size_t n = (size_t)(a->heads / a->kv_heads) * (size_t)n_query;
    attention_room r;
    r.keys = at;
    r.values = r.keys + (size_t)SAL_CACHE_TILE * (size_t)a->size;
    r.q = r.values + (size_t)SAL_CACHE_TILE * (size_t)a->value_size;
    r.s = r.q + n * (size_t)a->size;
    r.o = r.s + n * SAL_CACHE_TILE * ATTENTION_BLOCK;
    r.most = r.o + n * (size_t)a->value_size;
    r.sum = r.most + n;
    return r;
}

/* The keys that query i of the unit's positions sees: [*from, *to). */
static void attention_seen(const attention_state *a, const attention_unit *u, int64_t i,
                           int64_t *from, int64_t *to)
{
    int64_t at = u->past + u->query + i;
    *from = a->left >= 0 ? SAL_MAX(at - a->left, 0) : 0;
    *to = at + 1;
}

/* Query rows of a unit: for each position the heads that share the keys. */
static void attention_load(const attention_state *a, const attention_unit *u, const float *q,
                           bool rotate, attention_room *r)
{
    int group = a->heads / a->kv_heads;
    for (int64_t i = 0; i < u->n_query; i++)
        for (int g = 0; g < group; g++) {
            float *to = r->q + (i * group + g) * a->size;
            const float *x =
                q +
                ((u->row * a->queries + u->query + i) * a->heads + u->head * group + g) * a->size;
            for (int d = 0; d < a->size; d++)
                to[d] = x[d] * a->scale;
            if (rotate)
                a->isa->turn(to, a->size);
        }
}

/* Logits of keys that a query does not see become -infinity. */
static void attention_mask(const attention_state *a, const attention_unit *u, float *s,
                           int64_t first, int64_t n)
{
    const int64_t width = SAL_CACHE_TILE * ATTENTION_BLOCK;
    int group = a->heads / a->kv_heads;
    for (int64_t i = 0; i < u->n_query; i++) {
        int64_t from, to;
        attention_seen(a, u, i, &from, &to);
        from = SAL_MAX(from, u->from);
        to = SAL_MIN(to, u->to);
        if (from <= first && to >= first + n)
            continue;
        for (int g = 0; g < group; g++) {
            float *row = s + (i * group + g) * width;
            for (int64_t t = 0; t < n; t++)
                if (first + t < from || first + t >= to)
                    row[t] = -INFINITY;
        }
    }
}

/* The softmax of one block of logits joins what was seen before. */
static void attention_join(const attention_state *a, float *s, int64_t n, float *o, float *most,
                           float *sum)
{
    float top = a->isa->largest(s, n);
    if (top == -INFINITY) { /* nothing is seen here */
        memset(s, 0, (size_t)n * sizeof *s);
        return;
    }
    if (top > *most) {
        float by = *most == -INFINITY ? 0.0f : expf(*most - top);
        a->isa->scale(o, a->value_size, by);
        *sum *= by;
        *most = top;
    }
    *sum += a->isa->exponentials(s, n, *most);
}

/* o, most and sum of a unit: the result is o / sum. */
static void attention_unit_run(const attention_state *a, const sal_cache *c,
                               const attention_unit *u, attention_room *r)
{
    const sal_cache_policy *policy = sal_cache_policy_of(c);
    const int64_t width = SAL_CACHE_TILE * ATTENTION_BLOCK;
    int n = (int)u->n_query * (a->heads / a->kv_heads);
    memset(r->o, 0, (size_t)n * (size_t)a->value_size * sizeof(float));
    for (int i = 0; i < n; i++) {
        r->most[i] = -INFINITY;
        r->sum[i] = 0.0f;
    }
    for (int64_t at = u->from / SAL_CACHE_TILE; at * SAL_CACHE_TILE < u->to;
         at += ATTENTION_BLOCK) {
        int64_t first = at * SAL_CACHE_TILE;
        int64_t tiles = SAL_MIN((u->to - first + SAL_CACHE_TILE - 1) / SAL_CACHE_TILE,
                                (int64_t)ATTENTION_BLOCK);
        for (int64_t t = 0; t < tiles; t++) {
            const uint8_t *tile = sal_cache_keys(c, a->layer, u->text, u->head, at + t);
            const float *keys = a->isa->get_keys[policy->keys](tile, a->size, r->keys);
            a->isa->scores(r->s + t * SAL_CACHE_TILE, width, r->q, n, a->size, keys);
        }
        for (int i = 0; i < n && a->softcap > 0.0f; i++)
            a->isa->cap(r->s + i * width, tiles * SAL_CACHE_TILE, a->softcap);
        attention_mask(a, u, r->s, first, tiles * SAL_CACHE_TILE);
        for (int i = 0; i < n; i++)
            attention_join(a, r->s + i * width, tiles * SAL_CACHE_TILE,
                           r->o + (int64_t)i * a->value_size, &r->most[i], &r->sum[i]);
        for (int64_t t = 0; t < tiles; t++) {
            const uint8_t *tile = sal_cache_values(c, a->layer, u->text, u->head, at + t);
            const float *values =
                a->isa->get_values[policy->values](tile, a->value_size, r->values);
            int64_t valid = u->to - (first + t * SAL_CACHE_TILE);
            if (valid < SAL_CACHE_TILE) { /* places behind may hold what is left of other texts */
                if (values != r->values)
                    memcpy(r->values, values, (size_t)(valid * a->value_size) * sizeof(float));
                memset(r->values + valid * a->value_size, 0,
                       (size_t)((SAL_CACHE_TILE - valid) * a->value_size) * sizeof(float));
                values = r->values;
            }
            a->isa->mix(r->o, r->s + t * SAL_CACHE_TILE, width, n, a->value_size, values);
        }
    }
}

/* ---- a run ---- */

typedef struct attention_run {
    const attention_state *a;
    sal_cache *c;
    const float *q, *k, *v;
    float *y, *scratch;
    size_t room;    /* floats of a thread */
    int64_t block;  /* queries of a unit */
    int64_t blocks; /* of a text */
    int64_t spans;  /* most of a block */
    float *parts;   /* of spans: for each unit o, most, sum */
} attention_run;

static void attention_append(const attention_run *x, int64_t i)
{
    const attention_state *a = x->a;
    const sal_cache_policy *policy = sal_cache_policy_of(x->c);
    int64_t b = i / a->kv_heads;
    int head = (int)(i % a->kv_heads);
    int32_t text = sal_cache_row(x->c, (int32_t)b);
    int64_t past = sal_cache_length(x->c, text);
    float *room = x->scratch + (size_t)omp_get_thread_num() * x->room;
    for (int64_t t = 0; t < a->queries; t++) {
        const float *k = x->k + ((b * a->queries + t) * a->kv_heads + head) * a->size;
        const float *v = x->v + ((b * a->queries + t) * a->kv_heads + head) * a->value_size;
        int64_t at = past + t;
        int slot = (int)(at % SAL_CACHE_TILE);
        uint8_t *keys = sal_cache_keys(x->c, a->layer, text, head, at / SAL_CACHE_TILE);
        uint8_t *values = sal_cache_values(x->c, a->layer, text, head, at / SAL_CACHE_TILE);
        if (policy->rotate) {
            memcpy(room, k, (size_t)a->size * sizeof *k);
            a->isa->turn(room, a->size);
            k = room;
        }
        a->isa->put_key[policy->keys](keys, slot, k, a->size);
        if (policy->rotate) {
            memcpy(room, v, (size_t)a->value_size * sizeof *v);
            a->isa->turn(room, a->value_size);
            v = room;
        }
        a->isa->put_value[policy->values](values, slot, v, a->value_size);
    }
}

/* Unit i; false when its span lies behind what is seen. */
static bool attention_unit_of(const attention_run *x, int64_t i, attention_unit *u)
{
    const attention_state *a = x->a;
    int64_t span = i % x->spans, block = i / x->spans % x->blocks;
    int64_t from, to, ignored;
    int64_t head = i / x->spans / x->blocks;
    u->row = (int32_t)(head / a->kv_heads);
    u->head = (int)(head % a->kv_heads);
    u->text = sal_cache_row(x->c, u->row);
    u->past = sal_cache_length(x->c, u->text);
    u->query = block * x->block;
    u->n_query = SAL_MIN(x->block, a->queries - u->query);
    attention_seen(a, u, 0, &from, &ignored);
    attention_seen(a, u, u->n_query - 1, &ignored, &to);
    u->from = from;
    u->to = to;
    if (x->spans > 1) {
        u->from = SAL_MAX(from, span * ATTENTION_SPAN);
        u->to = SAL_MIN(to, (span + 1) * ATTENTION_SPAN);
    }
    return u->from < u->to;
}

static void attention_store(const attention_run *x, const attention_unit *u, float *o,
                            const float *sum)
{
    const attention_state *a = x->a;
    int group = a->heads / a->kv_heads;
    bool rotate = sal_cache_policy_of(x->c)->rotate;
    for (int64_t i = 0; i < u->n_query * group; i++) {
        float *from = o + i * a->value_size;
        float *to = x->y + ((u->row * a->queries + u->query + i / group) * a->heads +
                            u->head * group + i % group) *
                               a->value_size;
        a->isa->scale(from, a->value_size, 1.0f / sum[i]);
        if (rotate)
            a->isa->turn(from, a->value_size);
        memcpy(to, from, (size_t)a->value_size * sizeof *to);
    }
}

static size_t attention_part_floats(const attention_run *x)
{
    return (size_t)(x->a->heads / x->a->kv_heads) * (size_t)x->block *
           (size_t)(x->a->value_size + 2);
}

static void attention_one(const attention_run *x, int64_t i)
{
    const attention_state *a = x->a;
    attention_unit u;
    attention_room r =
        attention_room_of(a, x->block, x->scratch + (size_t)omp_get_thread_num() * x->room);
    if (!attention_unit_of(x, i, &u))
        return;
    attention_load(a, &u, x->q, sal_cache_policy_of(x->c)->rotate, &r);
    attention_unit_run(a, x->c, &u, &r);
    if (x->spans == 1) {
        attention_store(x, &u, r.o, r.sum);
        return;
    }
    size_t n = (size_t)(a->heads / a->kv_heads) * (size_t)u.n_query;
    float *part = x->parts + (size_t)i * attention_part_floats(x);
    memcpy(part, r.o, n * (size_t)a->value_size * sizeof *part);
    part += (size_t)(a->heads / a->kv_heads) * (size_t)x->block * (size_t)a->value_size;
    memcpy(part, r.most, n * sizeof *part);
    memcpy(part + (size_t)(a->heads / a->kv_heads) * (size_t)x->block, r.sum, n * sizeof *part);
}

/* Join the spans of block i in their order. */
static void attention_combine(const attention_run *x, int64_t i)
{
    const attention_state *a = x->a;
    size_t rows = (size_t)(a->heads / a->kv_heads) * (size_t)x->block, floats;
    float *first = NULL;
    attention_unit whole, u;
    floats = attention_part_floats(x);
    for (int64_t s = 0; s < x->spans; s++) {
        if (!attention_unit_of(x, i * x->spans + s, &u))
            continue;
        float *o = x->parts + (size_t)(i * x->spans + s) * floats;
        float *most = o + rows * (size_t)a->value_size, *sum = most + rows;
        if (first == NULL) {
            first = o;
            whole = u;
            continue;
        }
        float *most0 = first + rows * (size_t)a->value_size, *sum0 = most0 + rows;
        for (int64_t k = 0; k < u.n_query * (a->heads / a->kv_heads); k++) {
            float top = SAL_MAX(most0[k], most[k]);
            float by0 = most0[k] == -INFINITY ? 0.0f : expf(most0[k] - top);
            float by = most[k] == -INFINITY ? 0.0f : expf(most[k] - top);
            for (int d = 0; d < a->value_size; d++)
                first[k * a->value_size + d] =
                    first[k * a->value_size + d] * by0 + o[k * a->value_size + d] * by;
            sum0[k] = sum0[k] * by0 + sum[k] * by;
            most0[k] = top;
        }
    }
    if (first != NULL)
        attention_store(x, &whole, first, first + rows * (size_t)(a->value_size + 1));
}

static int64_t attention_block_of(const attention_state *a)
{
    return a->queries <= ATTENTION_FEW ? a->queries : ATTENTION_QUERIES;
}

static int64_t attention_spans_of(const attention_state *a, const sal_cache *c)
{
    return a->queries > ATTENTION_FEW
               ? 1
               : (sal_cache_opts_of(c)->context + ATTENTION_SPAN - 1) / ATTENTION_SPAN;
}

static sal_status attention_step(sal_step *step, sal_session *s, sal_error *err)
{
    const attention_state *a = step->state;
    sal_cache *c = s->plan.cache;
    attention_run x = {.a = a,
                       .c = c,
                       .q = sal_step_ptr(s, step->in[0]),
                       .k = sal_step_ptr(s, step->in[1]),
                       .v = sal_step_ptr(s, step->in[2]),
                       .y = sal_step_ptr(s, step->out[0]),
                       .scratch = (float *)(void *)s->scratch,
                       .block = attention_block_of(a)};
    int64_t longest = 0;
    for (int32_t b = 0; b < a->batch; b++) {
        int32_t text = sal_cache_row(c, b);
        if (text < 0 || sal_cache_length(c, text) + a->queries > sal_cache_opts_of(c)->context)
            return sal_fail(err, SAL_EINVAL, "%s: the cache has no room for %lld more tokens",
                            step->text, (long long)a->queries);
        longest = SAL_MAX(longest, sal_cache_length(c, text) + a->queries);
    }
    x.room = attention_floats(a, x.block);
    x.blocks = (a->queries + x.block - 1) / x.block;
    x.spans = a->queries > ATTENTION_FEW ? 1 : (longest + ATTENTION_SPAN - 1) / ATTENTION_SPAN;
    x.parts = x.scratch + (size_t)a->threads * x.room;
    int64_t heads = a->batch * a->kv_heads, blocks = heads * x.blocks, units = blocks * x.spans;
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < heads; i++)
            attention_append(&x, i);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < units; i++)
            attention_one(&x, i);
        if (x.spans > 1) {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < blocks; i++)
                attention_combine(&x, i);
        }
    }
    return SAL_OK;
}

bool sal_covers_attention(const sal_plan *p, const sal_graph *g, const sal_node *n)
{
    const sal_value *q = sal_val(g, n->in[0]);
    const sal_value *k = sal_val(g, n->in[1]), *v = sal_val(g, n->in[2]);
    if (p->cache == NULL || k->rank != 3 || v->rank != 3 || k->dtype != SAL_F32 ||
        v->dtype != SAL_F32 || k->dims[0] != q->dims[0] || k->dims[1] != q->dims[1] ||
        v->dims[1] != q->dims[1] || q->rank != 3 || q->dtype != SAL_F32 ||
        sal_node_int(n, "is_causal", 0) != 1 || n->n_in > 3 || n->n_out > 1 ||
        sal_node_int(n, "right_window_size", -1) >= 0)
        return false;
    return sal_node_int(n, "q_num_heads", 0) > 0 && sal_node_int(n, "kv_num_heads", 0) > 0;
}

sal_status sal_lower_attention(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                               sal_error *err)
{
    const sal_value *q = sal_val(p->g, n->in[0]), *v = sal_val(p->g, n->in[2]);
    const sal_cache_opts *o;
    sal_pid in[3], out;
    sal_step *step;
    attention_state *a = NULL;
    sal_status st = SAL_OK;
    (void)gr;
    *done = false;
    if (!sal_covers_attention(p, p->g, n))
        return SAL_OK;
    o = sal_cache_opts_of(p->cache);
    a = sal_calloc(1, sizeof *a);
    if (a == NULL)
        return sal_fail_nomem(err);
    a->layer = p->cache_layers++;
    a->batch = q->dims[0];
    a->queries = q->dims[1];
    a->heads = (int)sal_node_int(n, "q_num_heads", 0);
    a->kv_heads = (int)sal_node_int(n, "kv_num_heads", 0);
    a->size = (int)(q->dims[2] / a->heads);
    a->value_size = (int)(v->dims[2] / a->kv_heads);
    a->scale = (float)sal_node_float(n, "scale", 1.0 / sqrt((double)a->size));
    a->softcap = (float)sal_node_float(n, "softcap", 0.0);
    a->left = sal_node_int(n, "left_window_size", -1);
    a->isa = sal_isa()->cache;
    a->threads = p->threads;
    if (a->layer >= o->layers || a->kv_heads != o->kv_heads || a->size != o->key_size ||
        a->value_size != o->value_size || a->batch > o->rows)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "node %s does not fit the cache: %d heads of %d", n->name,
                         a->kv_heads, a->size));
    for (int i = 0; i < 3; i++)
        SAL_TRY(sal_plan_get(p, n->in[i], SAL_PLAIN, SAL_F32, &in[i], err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_PLAIN, SAL_F32, &out, err));
    attention_state *handed = a;
    a = NULL;
    SAL_TRY(sal_plan_step(p, "attention", n, attention_step, handed, sal_free, 3, in, 1, &out,
                          &step, err));
    (void)snprintf(step->impl, sizeof step->impl, "cache %s:%s",
                   sal_cache_policy_of(p->cache)->name, sal_isa()->name);
    int64_t block = attention_block_of(handed), spans = attention_spans_of(handed, p->cache);
    attention_run x = {.a = handed, .block = block};
    step->scratch = (size_t)p->threads * attention_floats(handed, block) * sizeof(float);
    if (spans > 1)
        step->scratch += (size_t)(handed->batch * handed->kv_heads * spans) *
                         (size_t)((handed->queries + block - 1) / block) *
                         attention_part_floats(&x) * sizeof(float);
    *done = true;
done:
    sal_free(a);
    return st;
}
