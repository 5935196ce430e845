/* PackedMatMul and PackedGather: products with packed matrices, which are never unpacked whole.
 *
 * Few rows of A: one pass over the packed matrix, rows split between threads. With 8-bit
 * activations (SAL_PACKED_FAST) A is quantised once and multiplied in integers; products that read
 * the same A run as one step. Exactly (SAL_PACKED_EXACT): each row is unpacked to float32 and
 * multiplied. Many rows: panels of the matrix are unpacked, to bfloat16 where that is allowed and
 * fast, and multiplied by oneDNN. */
#include "ops/core/packed.h"
#include "exec/epilogue.h"
#include "exec/isa.h"
#include "exec/kernels.h"
#include "exec/onednn.h"

#include <omp.h>
#include <stdio.h>

enum {
    PACKED_PARTS = 4,
    PACKED_FEW_FAST = 12, /* rows of A up to which the packed matrix is read for each of them */
    PACKED_FEW_EXACT = 4,
    PACKED_PANEL_BYTES = 3 << 20
};

/* One matrix and what it makes. */
typedef struct packed_part {
    sal_packed_matrix m;
    int64_t rows;
    sal_q8_rows_fn fn;
    void (*unpack)(float *d, const void *blocks, int64_t n);
} packed_part;

typedef struct packed_panel {
    dnnl_primitive_t prim;
    dnnl_memory_t a, w, y, pad; /* pad: oneDNN's own room; NULL when it wants none */
    int64_t rows;
} packed_panel;

typedef struct packed_state {
    packed_part part[PACKED_PARTS];
    int n_parts;
    int64_t count, inner; /* rows of A, numbers in each */
    int threads;
    bool residual; /* the last input is added */
    bool transposed;
    /* panels */
    bool half;
    int64_t panel;
    packed_panel panels[2]; /* full and last */
    size_t a_bytes, panel_bytes, rooms_bytes, pad_bytes;
    const sal_isa_table *isa;
} packed_state;

static void packed_panel_free(packed_panel *q)
{
    if (q->prim != NULL)
        dnnl_primitive_destroy(q->prim);
    if (q->a != NULL)
        dnnl_memory_destroy(q->a);
    if (q->w != NULL)
        dnnl_memory_destroy(q->w);
    if (q->y != NULL)
        dnnl_memory_destroy(q->y);
    if (q->pad != NULL)
        dnnl_memory_destroy(q->pad);
}

static void packed_free(void *state)
{
    packed_state *s = state;
    if (s == NULL)
        return;
    packed_panel_free(&s->panels[0]);
    packed_panel_free(&s->panels[1]);
    sal_free(s);
}

/* ---- few rows of A ---- */

/* Rows [from, to) of a part for every row of A. */
static void packed_fast_rows(const packed_state *s, const packed_part *p, const uint8_t *w,
                             float *y, const float *add, int64_t from, int64_t to, const int8_t *q,
                             const float *ds)
{
    enum { TILE = 32 };
    int64_t blocks = s->inner / SAL_Q8_BLOCK;
    for (int64_t r = from; r < to; r += TILE) {
        int64_t n = SAL_MIN(to - r, TILE);
        for (int64_t i = 0; i < s->count; i++) {
            float *into = y + i * p->rows + r;
            p->fn(into, w + (size_t)r * p->m.row_bytes, p->m.row_bytes, n, q + i * s->inner,
                  ds + 2 * i * blocks, s->inner);
            for (int64_t k = 0; add != NULL && k < n; k++)
                into[k] += add[i * p->rows + r + k];
        }
    }
}

static void packed_exact_rows(const packed_state *s, const packed_part *p, const uint8_t *w,
                              float *y, const float *add, int64_t from, int64_t to, const float *a,
                              float *room)
{
    for (int64_t r = from; r < to; r++) {
        p->unpack(room, w + (size_t)r * p->m.row_bytes, s->inner / p->m.type->elements);
        for (int64_t i = 0; i < s->count; i++) {
            float v = s->isa->packed->dot(a + i * s->inner, room, s->inner);
            y[i * p->rows + r] = add != NULL ? v + add[i * p->rows + r] : v;
        }
    }
}

/* Share t of n rows in units of 8. */
static int64_t packed_share(int64_t n, int t, int threads)
{
    int64_t units = (n + 7) / 8;
    return SAL_MIN(units * t / threads * 8, n);
}

static sal_status packed_few(sal_step *step, sal_session *session, sal_error *err)
{
    const packed_state *s = step->state;
    const float *a = sal_step_ptr(session, step->in[0]);
    const float *add = s->residual ? sal_step_ptr(session, step->in[s->n_parts + 1]) : NULL;
    bool fast = s->part[0].fn != NULL;
    int8_t *q = (int8_t *)session->scratch;
    float *ds = (float *)(void *)(session->scratch + s->a_bytes);
    int64_t total = 0;
    (void)err;
    for (int k = 0; k < s->n_parts; k++)
        total += s->part[k].rows;
    for (int64_t i = 0; fast && i < s->count; i++)
        s->isa->packed->quantise(q + i * s->inner, ds + 2 * i * (s->inner / SAL_Q8_BLOCK),
                                 a + i * s->inner, s->inner);
#pragma omp parallel
    {
        int t = omp_get_thread_num(), threads = omp_get_num_threads();
        int64_t from = packed_share(total, t, threads), to = packed_share(total, t + 1, threads);
        float *room = (float *)(void *)session->scratch + t * s->inner;
        for (int k = 0; k < s->n_parts; k++) {
            const packed_part *p = &s->part[k];
            const uint8_t *w = sal_step_ptr(session, step->in[1 + k]);
            float *y = sal_step_ptr(session, step->out[k]);
            int64_t lo = SAL_MAX(from, 0), hi = SAL_MIN(to, p->rows);
            if (lo < hi && fast)
                packed_fast_rows(s, p, w, y, add, lo, hi, q, ds);
            else if (lo < hi)
                packed_exact_rows(s, p, w, y, add, lo, hi, a, room);
            from -= p->rows;
            to -= p->rows;
        }
    }
    return SAL_OK;
}

/* ---- many rows: panels ---- */

/* Rows [from, from + n) of the matrix as floats or bfloat16. */
static void packed_unpack_panel(const packed_state *s, const uint8_t *w, int64_t from, int64_t n,
                                uint8_t *to, float *rooms)
{
    const packed_part *p = &s->part[0];
    int64_t columns = p->m.columns;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n; r++) {
        const uint8_t *row = w + (size_t)(from + r) * p->m.row_bytes;
        if (s->half) {
            float *room = rooms + omp_get_thread_num() * columns;
            p->unpack(room, row, columns / p->m.type->elements);
            s->isa->store_bf16((uint16_t *)(void *)to + r * columns, room, (int)columns);
        } else {
            p->unpack((float *)(void *)to + r * columns, row, columns / p->m.type->elements);
        }
    }
}

static sal_status packed_many(sal_step *step, sal_session *session, sal_error *err)
{
    packed_state *s = step->state;
    const float *a = sal_step_ptr(session, step->in[0]);
    const uint8_t *w = sal_step_ptr(session, step->in[1]);
    const float *add = s->residual ? sal_step_ptr(session, step->in[2]) : NULL;
    float *y = sal_step_ptr(session, step->out[0]);
    uint8_t *panel = session->scratch + s->a_bytes;
    float *rooms = (float *)(void *)(panel + s->panel_bytes);
    int64_t rows = s->part[0].rows, width = s->transposed ? s->part[0].m.columns : rows;
    void *source;
    sal_status st = SAL_OK;
    memcpy(&source, &a, sizeof source); /* oneDNN's handles are not const; it only reads */
    if (s->half) {
        source = session->scratch;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < s->count; i++)
            s->isa->store_bf16((uint16_t *)source + i * s->inner, a + i * s->inner, (int)s->inner);
    }
    if (add != NULL)
        memcpy(y, add, (size_t)(s->count * width) * sizeof *y);
    else if (s->transposed)
        memset(y, 0, (size_t)(s->count * width) * sizeof *y);
    for (int64_t r = 0; r < rows; r += s->panel) {
        packed_panel *q = &s->panels[rows - r >= s->panels[0].rows ? 0 : 1];
        size_t es = s->half ? 2 : 4;
        packed_unpack_panel(s, w, r, q->rows, panel, rooms);
        SAL_DNNL(dnnl_memory_set_data_handle(q->a, (uint8_t *)source +
                                                       (s->transposed ? (size_t)r * es : 0)));
        SAL_DNNL(dnnl_memory_set_data_handle(q->w, panel));
        SAL_DNNL(dnnl_memory_set_data_handle(q->y, s->transposed ? y : y + r));
        if (q->pad != NULL)
            SAL_DNNL(
                dnnl_memory_set_data_handle(q->pad, (uint8_t *)(void *)rooms + s->rooms_bytes));
        dnnl_exec_arg_t args[4] = {{DNNL_ARG_SRC, q->a},
                                   {DNNL_ARG_WEIGHTS, q->w},
                                   {DNNL_ARG_DST, q->y},
                                   {DNNL_ARG_SCRATCHPAD, q->pad}};
        SAL_DNNL(
            dnnl_primitive_execute(q->prim, session->plan.stream, q->pad != NULL ? 4 : 3, args));
    }
done:
    return st;
}

/* The product of A with `rows` unpacked rows; NULL primitive where oneDNN has only its slow one. */
static sal_status packed_panel_new(const sal_plan *p, packed_state *s, int64_t rows,
                                   packed_panel *out, sal_error *err)
{
    sal_dtype type = s->half ? SAL_BF16 : SAL_F32;
    int64_t columns = s->part[0].m.columns, all = s->part[0].rows;
    int64_t a[2] = {s->count, s->transposed ? rows : columns}, lead[2] = {s->inner, 1};
    int64_t w[2] = {a[1], s->transposed ? columns : rows};
    int64_t w_lead[2] = {s->transposed ? columns : 1, s->transposed ? 1 : columns};
    int64_t y[2] = {s->count, w[1]}, y_lead[2] = {s->transposed ? columns : all, 1};
    dnnl_memory_desc_t ad = NULL, wd = NULL, yd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_primitive_desc_t pd = NULL;
    sal_status st = SAL_OK;
    out->rows = rows;
    SAL_TRY(sal_dnnl_strided(type, 2, a, lead, &ad, err));
    SAL_TRY(sal_dnnl_strided(type, 2, w, w_lead, &wd, err));
    SAL_TRY(sal_dnnl_strided(SAL_F32, 2, y, y_lead, &yd, err));
    SAL_DNNL(dnnl_primitive_attr_create(&attr));
    /* All steps share the session's scratch; left to itself, each primitive keeps room of its own.
     */
    SAL_DNNL(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (s->residual || s->transposed) {
        SAL_DNNL(dnnl_post_ops_create(&ops));
        SAL_DNNL(dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef));
        SAL_DNNL(dnnl_primitive_attr_set_post_ops(attr, ops));
    }
    if (dnnl_matmul_primitive_desc_create(&pd, p->engine, ad, wd, NULL, yd, attr) != dnnl_success ||
        sal_dnnl_is_ref(pd))
        goto done;
    SAL_DNNL(dnnl_primitive_create(&out->prim, pd));
    SAL_DNNL(dnnl_memory_create(&out->a, ad, p->engine, DNNL_MEMORY_NONE));
    SAL_DNNL(dnnl_memory_create(&out->w, wd, p->engine, DNNL_MEMORY_NONE));
    SAL_DNNL(dnnl_memory_create(&out->y, yd, p->engine, DNNL_MEMORY_NONE));
    const_dnnl_memory_desc_t pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    if (pad != NULL && dnnl_memory_desc_get_size(pad) > 0) {
        SAL_DNNL(dnnl_memory_create(&out->pad, pad, p->engine, DNNL_MEMORY_NONE));
        s->pad_bytes = SAL_MAX(s->pad_bytes, dnnl_memory_desc_get_size(pad));
    }
done:
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    if (ad != NULL)
        dnnl_memory_desc_destroy(ad);
    if (wd != NULL)
        dnnl_memory_desc_destroy(wd);
    if (yd != NULL)
        dnnl_memory_desc_destroy(yd);
    return st;
}

/* Panels of about equal size; *ok: there are fast products for them. */
static sal_status packed_panels(const sal_plan *p, packed_state *s, bool *ok, sal_error *err)
{
    int64_t rows = s->part[0].rows, columns = s->part[0].m.columns;
    int64_t es = s->half ? 2 : 4, most = SAL_MAX(PACKED_PANEL_BYTES / (columns * es), 64);
    int64_t n = (rows + most - 1) / most;
    sal_status st = SAL_OK;
    s->panel = SAL_MIN(((rows + n - 1) / n + 63) / 64 * 64, rows);
    SAL_TRY(packed_panel_new(p, s, s->panel, &s->panels[0], err));
    if (s->panels[0].prim != NULL && rows % s->panel != 0)
        SAL_TRY(packed_panel_new(p, s, rows % s->panel, &s->panels[1], err));
    *ok = s->panels[0].prim != NULL && (rows % s->panel == 0 || s->panels[1].prim != NULL);
    if (!*ok) {
        packed_panel_free(&s->panels[0]);
        packed_panel_free(&s->panels[1]);
        memset(s->panels, 0, sizeof s->panels);
    }
    s->a_bytes = s->half ? ((size_t)(s->count * s->inner) * 2 + 63) / 64 * 64 : 0;
    s->panel_bytes = ((size_t)(s->panel * columns * es) + 63) / 64 * 64;
    s->rooms_bytes = ((size_t)(s->threads * columns) * sizeof(float) + 63) / 64 * 64;
done:
    return st;
}

/* ---- lowering ---- */

static bool packed_part_of(const sal_plan *p, const sal_node *n, packed_part *part)
{
    const sal_value *w = sal_val(p->g, n->in[1]);
    const sal_packed_isa *isa = sal_isa()->packed;
    if (sal_packed_of(&part->m, n, NULL) != SAL_OK || w->rank != 2 || w->dtype != SAL_U8)
        return false;
    sal_block_id id = part->m.type->id;
    part->rows = w->dims[0];
    part->unpack = isa->unpack[id] != NULL ? isa->unpack[id] : part->m.type->unpack;
    part->fn = NULL;
    if (p->packed == SAL_PACKED_FAST && part->m.columns % SAL_Q8_BLOCK == 0) {
        part->fn = isa->rows[id];
        if (sal_isa_vnni() && isa->rows_vnni[id] != NULL)
            part->fn = isa->rows_vnni[id];
    }
    return part->rows > 0;
}

/* Other products of the same A whose results nobody changes on the way: they run in one step. */
static void packed_siblings(const sal_plan *p, const sal_node *n, packed_state *s,
                            const sal_node **nodes)
{
    sal_vid a = n->in[0];
    for (int32_t c = p->consumers.start[a]; c < p->consumers.start[a + 1]; c++) {
        const sal_node *other = p->g->nodes[p->consumers.node[c]];
        const sal_group *gr = p->groups[other->id];
        packed_part part;
        if (s->n_parts == PACKED_PARTS || other->id <= n->id ||
            strcmp(other->op->name, "PackedMatMul") != 0 || other->in[0] != a ||
            sal_node_int(other, "transposed", 0) != 0 || (gr != NULL && gr->n_epilogue > 0) ||
            sal_val(p->g, other->in[1])->constant == NULL || !packed_part_of(p, other, &part) ||
            (part.fn == NULL) != (s->part[0].fn == NULL))
            continue;
        nodes[s->n_parts] = other;
        s->part[s->n_parts++] = part;
    }
}

static sal_status packed_emit(sal_plan *p, const sal_node *n, const sal_group *gr, packed_state *s,
                              const sal_node *const *nodes, bool few, sal_error *err)
{
    sal_pid in[PACKED_PARTS + 2], out[PACKED_PARTS];
    int n_in = 0;
    sal_step *step;
    size_t scratch;
    sal_status st = SAL_OK;
    SAL_TRY(sal_plan_get(p, n->in[0], SAL_PLAIN, SAL_F32, &in[n_in++], err));
    for (int k = 0; k < s->n_parts; k++)
        SAL_TRY(sal_plan_get(p, nodes[k]->in[1], SAL_PLAIN, SAL_DT_NONE, &in[n_in++], err));
    if (s->residual) {
        const sal_epilogue *e = &gr->epilogue[0];
        SAL_TRY(sal_plan_get(p, e->node->in[1 - e->chain], SAL_PLAIN, SAL_F32, &in[n_in++], err));
    }
    for (int k = 0; k < s->n_parts; k++)
        SAL_TRY(sal_plan_new(p, k == 0 ? sal_group_result(n, gr) : nodes[k]->out[0], SAL_PLAIN,
                             SAL_F32, &out[k], err));
    if (few && s->part[0].fn != NULL) {
        s->a_bytes = ((size_t)(s->count * s->inner) + 63) / 64 * 64;
        scratch = s->a_bytes + (size_t)(s->count * (s->inner / SAL_Q8_BLOCK)) * 2 * sizeof(float);
    } else if (few) {
        scratch = (size_t)s->threads * (size_t)s->inner * sizeof(float);
    } else {
        scratch = s->a_bytes + s->panel_bytes + s->rooms_bytes + s->pad_bytes;
    }
    packed_state *handed = s;
    const char *how = !few                    ? (s->half ? "panels bf16" : "panels f32")
                      : s->part[0].fn != NULL ? "8-bit"
                                              : "rows f32";
    char impl[64];
    (void)snprintf(impl, sizeof impl, "%s %s x%d:%s%s", s->part[0].m.type->name, how, s->n_parts,
                   s->isa->name, few && s->part[0].fn != NULL && sal_isa_vnni() ? "+vnni" : "");
    SAL_TRY(sal_plan_step(p, "packed", n, few ? packed_few : packed_many, handed, packed_free, n_in,
                          in, s->n_parts, out, &step, err));
    (void)snprintf(step->impl, sizeof step->impl, "%s", impl);
    step->scratch = scratch;
    return SAL_OK;
done:
    packed_free(s);
    return st;
}

sal_status sal_lower_packed_mat_mul(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                                    sal_error *err)
{
    const sal_value *a = sal_val(p->g, n->in[0]), *y = sal_val(p->g, n->out[0]);
    const sal_node *nodes[PACKED_PARTS] = {n};
    packed_state *s;
    bool few, ok = true;
    sal_status st = SAL_OK;
    *done = p->of[n->out[0]] >= 0; /* made with a sibling */
    if (*done || a->dtype != SAL_F32 || sal_value_count(y) <= 0 || sal_value_count(a) <= 0)
        return SAL_OK;
    s = sal_calloc(1, sizeof *s);
    if (s == NULL)
        return sal_fail_nomem(err);
    s->isa = sal_isa();
    s->threads = p->threads;
    s->transposed = sal_node_int(n, "transposed", 0) != 0;
    if (!packed_part_of(p, n, &s->part[0]))
        goto done;
    s->n_parts = 1;
    s->inner = s->transposed ? s->part[0].rows : s->part[0].m.columns;
    s->count = sal_value_count(a) / s->inner;
    s->residual = gr != NULL && gr->n_epilogue > 0;
    few =
        !s->transposed && s->count <= (s->part[0].fn != NULL ? PACKED_FEW_FAST : PACKED_FEW_EXACT);
    if (few) {
        if (!s->residual)
            packed_siblings(p, n, s, nodes);
    } else {
        s->part[0].fn = NULL;
        s->half = p->packed == SAL_PACKED_FAST && !s->transposed;
        SAL_TRY(packed_panels(p, s, &ok, err));
        if (!ok && s->half) {
            s->half = false;
            SAL_TRY(packed_panels(p, s, &ok, err));
        }
        if (!ok && s->transposed)
            goto done;
        few = !ok;
    }
    packed_state *handed = s;
    s = NULL;
    SAL_TRY(packed_emit(p, n, gr, handed, nodes, few, err));
    *done = true;
done:
    packed_free(s);
    return st;
}

/* ---- gather ---- */

typedef struct gather_state {
    packed_part part;
    int64_t count;
} gather_state;

static sal_status gather_run(sal_step *step, sal_session *session, sal_error *err)
{
    const gather_state *s = step->state;
    const uint8_t *w = sal_step_ptr(session, step->in[0]);
    const int64_t *ids = sal_step_ptr(session, step->in[1]);
    float *y = sal_step_ptr(session, step->out[0]);
    for (int64_t i = 0; i < s->count; i++) {
        int64_t r = ids[i] < 0 ? ids[i] + s->part.rows : ids[i];
        if (r < 0 || r >= s->part.rows)
            return sal_fail(err, SAL_EINVAL, "%s: index %lld is outside of the %lld rows",
                            step->text, (long long)ids[i], (long long)s->part.rows);
        s->part.unpack(y + i * s->part.m.columns, w + (size_t)r * s->part.m.row_bytes,
                       s->part.m.columns / s->part.m.type->elements);
    }
    return SAL_OK;
}

sal_status sal_lower_packed_gather(sal_plan *p, const sal_node *n, const sal_group *gr, bool *done,
                                   sal_error *err)
{
    const sal_value *w = sal_val(p->g, n->in[0]), *ids = sal_val(p->g, n->in[1]);
    sal_pid in[2], out;
    sal_step *step;
    gather_state *s;
    sal_status st = SAL_OK;
    (void)gr;
    *done = false;
    if (ids->dtype != SAL_I64 || w->rank != 2)
        return SAL_OK;
    s = sal_calloc(1, sizeof *s);
    if (s == NULL)
        return sal_fail_nomem(err);
    SAL_TRY(sal_packed_of(&s->part.m, n, err));
    sal_block_id id = s->part.m.type->id;
    s->part.unpack = sal_isa()->packed->unpack[id] != NULL ? sal_isa()->packed->unpack[id]
                                                           : s->part.m.type->unpack;
    s->part.rows = w->dims[0];
    s->count = sal_value_count(ids);
    SAL_TRY(sal_plan_get(p, n->in[0], SAL_PLAIN, SAL_DT_NONE, &in[0], err));
    SAL_TRY(sal_plan_get(p, n->in[1], SAL_PLAIN, SAL_DT_NONE, &in[1], err));
    SAL_TRY(sal_plan_new(p, n->out[0], SAL_PLAIN, SAL_F32, &out, err));
    gather_state *handed = s;
    s = NULL;
    SAL_TRY(
        sal_plan_step(p, "packed", n, gather_run, handed, sal_free, 2, in, 1, &out, &step, err));
    (void)snprintf(step->impl, sizeof step->impl, "gather %s", handed->part.m.type->name);
    *done = true;
done:
    sal_free(s);
    return st;
}
