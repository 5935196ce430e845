/* Stages (staged.h). A stage that waits for facts has a probe that finds them, and for each set of
 * facts met so far the stage that comes then. */
#include "exec/staged.h"

#include "graph/passes/passes.h"
#include "ops/core/evaluate.h"

enum { STAGED_CASES = 4 };

typedef struct stage stage;

typedef struct stage_case {
    stage *next; /* NULL: free */
    sal_tensor *key;
    uint64_t used;
} stage_case;

struct stage {
    sal_graph *g; /* waits for facts; NULL in the last stage */
    sal_fact *facts;
    size_t n, n_inputs;
    sal_probe *probe;
    stage_case cases[STAGED_CASES];
    sal_session *session; /* of the last stage */
    sal_tensor extra;
    bool has_extra;
};

struct sal_staged {
    sal_staged_opts opts;
    stage *first, *last;
    size_t n_base;
    sal_tensor *in;
    size_t n_in, cap_in;
    uint64_t clock;
};

static void stage_free(stage *s);

static void case_free(stage_case *c, size_t n)
{
    for (size_t i = 0; c->key != NULL && i < n; i++)
        sal_tensor_free(&c->key[i]);
    sal_free(c->key);
    stage_free(c->next);
    *c = (stage_case){NULL, NULL, 0};
}

/* As deep as stages are: SAL_SETTLE_ROUNDS_MAX at most. */
static void stage_free(stage *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < STAGED_CASES; i++)
        case_free(&s->cases[i], s->n);
    sal_probe_free(s->probe);
    sal_free(s->facts);
    sal_session_free(s->session);
    sal_tensor_free(&s->extra);
    sal_graph_free(s->g);
    sal_free(s);
}

void sal_staged_free(sal_staged *s)
{
    if (s == NULL)
        return;
    stage_free(s->first);
    sal_free(s->in);
    sal_free(s);
}

sal_session *sal_staged_session(const sal_staged *s)
{
    return s->last == NULL ? NULL : s->last->session;
}

/* g is taken over. */
static sal_status stage_new(sal_staged *owner, sal_graph *g, stage **out, sal_error *err)
{
    stage *s = sal_calloc(1, sizeof *s);
    sal_status st = SAL_OK;
    *out = NULL;
    if (s == NULL)
        SAL_TRY(sal_fail_nomem(err));
    SAL_TRY(sal_settle_facts(g, owner->opts.cut, &s->facts, &s->n, err));
    s->n_inputs = g->n_inputs;
    if (s->n > 0) {
        s->g = g;
        g = NULL;
        SAL_TRY(sal_probe_new(&s->probe, s->g, s->facts, s->n, &owner->opts.session, err));
    } else {
        SAL_TRY(owner->opts.finish(owner->opts.ctx, g, &s->extra, err));
        s->has_extra = g->n_inputs > s->n_inputs;
        st = sal_session_take(&s->session, g, &owner->opts.session, err);
        g = NULL;
        SAL_TRY(st);
    }
    *out = s;
    s = NULL;
done:
    sal_graph_free(g);
    stage_free(s);
    return st;
}

sal_status sal_staged_take(sal_staged **out, sal_graph *g, const sal_staged_opts *opts,
                           sal_error *err)
{
    static const sal_fold how = SAL_FOLD_EXEC(sal_node_eval);
    sal_staged *s = sal_calloc(1, sizeof *s);
    sal_status st = SAL_OK;
    *out = NULL;
    if (s == NULL)
        SAL_TRY(sal_fail_nomem(err));
    s->opts = *opts;
    s->n_base = g->n_inputs;
    SAL_TRY(sal_settle_prepare(g, err));
    SAL_TRY(sal_graph_reinfer(g, &how, true, err));
    SAL_TRY(sal_pass_dce(g, err));
    st = stage_new(s, g, &s->first, err);
    g = NULL;
    SAL_TRY(st);
    *out = s;
    s = NULL;
done:
    sal_graph_free(g);
    sal_staged_free(s);
    return st;
}

/* ---- running ---- */

static bool stage_same(const sal_fact *f, const sal_tensor *key, const sal_tensor *t)
{
    if (key->dtype != t->dtype || key->rank != t->rank ||
        memcmp(key->dims, t->dims, (size_t)t->rank * sizeof *t->dims) != 0)
        return false;
    size_t n = sal_tensor_bytes(t);
    return !f->contents || n == 0 || memcmp(key->data, t->data, n) == 0;
}

static sal_status stage_remember(stage *s, stage_case *c, const sal_tensor *t, sal_error *err)
{
    sal_status st = SAL_OK;
    c->key = sal_calloc(s->n + 1, sizeof *c->key);
    if (c->key == NULL)
        return sal_fail_nomem(err);
    for (size_t i = 0; st == SAL_OK && i < s->n; i++) {
        if (!s->facts[i].contents) { /* the shape alone */
            c->key[i] = sal_tensor_borrow(t[i].dtype, t[i].rank, t[i].dims, NULL);
            continue;
        }
        st = sal_tensor_new(&c->key[i], t[i].dtype, t[i].rank, t[i].dims, err);
        if (st == SAL_OK && sal_tensor_bytes(&t[i]) > 0)
            memcpy(c->key[i].data, t[i].data, sal_tensor_bytes(&t[i]));
    }
    return st;
}

/* The stage that comes when the facts are t. */
static sal_status stage_next(sal_staged *owner, stage *s, const sal_tensor *t, stage **out,
                             sal_error *err)
{
    stage_case *slot = &s->cases[0];
    sal_graph *g = NULL;
    sal_status st = SAL_OK;
    for (int k = 0; k < STAGED_CASES; k++) {
        stage_case *c = &s->cases[k];
        bool same = c->next != NULL;
        for (size_t i = 0; same && i < s->n; i++)
            same = stage_same(&s->facts[i], &c->key[i], &t[i]);
        if (same) {
            c->used = ++owner->clock;
            *out = c->next;
            return SAL_OK;
        }
        if (c->used < slot->used)
            slot = c;
    }
    case_free(slot, s->n);
    SAL_TRY(sal_graph_clone(&g, s->g, err));
    SAL_TRY(sal_settle_put(g, s->facts, s->n, t, false, err));
    SAL_TRY(stage_remember(s, slot, t, err));
    st = stage_new(owner, g, &slot->next, err);
    g = NULL;
    SAL_TRY(st);
    slot->used = ++owner->clock;
    *out = slot->next;
done:
    sal_graph_free(g);
    if (st != SAL_OK)
        case_free(slot, s->n);
    return st;
}

static sal_status staged_add(sal_staged *s, const sal_tensor *t, sal_error *err)
{
    sal_status st = sal_grow(&s->in, s->n_in + 1, &s->cap_in, sizeof *s->in, err);
    if (st == SAL_OK)
        s->in[s->n_in++] = sal_tensor_borrow(t->dtype, t->rank, t->dims, t->data);
    return st;
}

sal_status sal_staged_run(sal_staged *s, const sal_tensor *inputs, const sal_tensor *extra,
                          double *ms, sal_error *err)
{
    stage *at = s->first;
    const sal_tensor *t;
    sal_status st = SAL_OK;
    s->n_in = 0;
    s->last = NULL;
    for (size_t i = 0; i < s->n_base; i++)
        SAL_TRY(staged_add(s, &inputs[i], err));
    for (int round = 0; at->g != NULL; round++) {
        if (round == SAL_SETTLE_ROUNDS_MAX)
            SAL_TRY(sal_fail(err, SAL_EUNSUPPORTED,
                             "shapes depend on data more than %d times in a row", round));
        SAL_TRY(sal_probe_run(at->probe, s->in, &t, err));
        /* Before the next stage is made, while t is what it was. */
        for (size_t i = 0; i < at->n; i++)
            if (!at->facts[i].contents && sal_val(at->g, at->facts[i].v)->producer >= 0)
                SAL_TRY(staged_add(s, &t[i], err));
        SAL_TRY(stage_next(s, at, t, &at, err));
    }
    if (at->has_extra) {
        SAL_TRY(staged_add(s, extra != NULL ? extra : &at->extra, err));
        sal_tensor *x = &s->in[s->n_in - 1];
        if (sal_tensor_count(x) == sal_tensor_count(&at->extra) && x->rank != at->extra.rank) {
            x->rank = at->extra.rank;
            memcpy(x->dims, at->extra.dims, sizeof x->dims);
        }
    }
    SAL_TRY(sal_session_profile(at->session, s->in, ms, err));
    s->last = at;
done:
    return st;
}
