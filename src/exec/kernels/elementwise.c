/* Element-wise groups as one tiled pass.
 *
 * A group becomes a small program over registers of SAL_TILE_LEN floats. Threads take tiles of the
 * output's physical elements; operands of the output's own shape are read in place, broadcast ones
 * are gathered into a register, scalars fill a register once. So a chain of n operators costs one
 * pass over memory. */
#include "exec/tile.h"

#include <omp.h>
#include <stdio.h>

enum { TILE_LEN = 1024, TILE_DIMS = SAL_MAX_RANK + 1 };

typedef struct tile_operand {
    sal_vid vid;
    sal_pid pid;
    sal_dtype dtype;
    int64_t stride[TILE_DIMS]; /* of the collapsed iteration space, in elements */
    bool contiguous, splat;
    int reg; /* register it is brought into; contiguous float32 needs none (-1) */
} tile_operand;

typedef struct tile_instr {
    sal_tile_fn fn;
    int dst;    /* register */
    int src[3]; /* >= 0 register, < 0 operand -1 - index (contiguous float32) */
    float p0, p1;
    int direct; /* output index that is written in place of the register; -1 */
} tile_instr;

typedef struct tile_output {
    sal_vid vid;
    sal_pid pid;
    sal_dtype dtype;
    int reg;
} tile_output;

typedef struct tile_program {
    const sal_isa_table *isa;
    int n_dims;
    int64_t dims[TILE_DIMS];
    int64_t total;
    int n_operands, n_instr, n_outputs, n_regs;
    tile_operand operands[SAL_MAX_TILE_OPERANDS];
    tile_instr instr[SAL_MAX_TILE_NODES * 4];
    tile_output outputs[SAL_MAX_TILE_NODES];
    /* blocked outputs: lanes beyond the channels are cleared unless the program keeps zero */
    int64_t pad_outer, pad_blocks, pad_inner;
    int pad_from, block;
    int threads;
} tile_program;

/* ---- running ---- */

static void tile_gather(const tile_program *t, const tile_operand *o, const void *base,
                        int64_t start, float *reg, int n)
{
    int64_t index[TILE_DIMS], at = 0, rest = start;
    int last = t->n_dims - 1;
    for (int i = last; i >= 0; i--) {
        index[i] = rest % t->dims[i];
        rest /= t->dims[i];
        at += index[i] * o->stride[i];
    }
    for (int done = 0; done < n;) {
        int run = (int)SAL_MIN((int64_t)(n - done), t->dims[last] - index[last]);
        if (o->dtype == SAL_F32) {
            const float *s = (const float *)base + at;
            if (o->stride[last] == 1)
                memcpy(reg + done, s, (size_t)run * sizeof *s);
            else
                for (int i = 0; i < run; i++)
                    reg[done + i] = s[i * o->stride[last]];
        } else if (o->dtype == SAL_BF16) {
            for (int i = 0; i < run; i++)
                reg[done + i] = sal_bf16_to_f32(((const uint16_t *)base)[at + i * o->stride[last]]);
        } else {
            for (int i = 0; i < run; i++)
                reg[done + i] = (float)((const uint8_t *)base)[at + i * o->stride[last]];
        }
        done += run;
        at += run * o->stride[last];
        index[last] += run;
        for (int i = last; i > 0 && index[i] == t->dims[i]; i--) {
            at += o->stride[i - 1] - index[i] * o->stride[i];
            index[i] = 0;
            index[i - 1]++;
        }
    }
}

static void tile_fill(const tile_operand *o, const void *base, float *reg)
{
    float v = o->dtype == SAL_F32    ? *(const float *)base
              : o->dtype == SAL_BF16 ? sal_bf16_to_f32(*(const uint16_t *)base)
                                     : (float)*(const uint8_t *)base;
    for (int i = 0; i < TILE_LEN; i++)
        reg[i] = v;
}

static void tile_load(const tile_program *t, const tile_operand *o, const void *base, int64_t start,
                      float *reg, int n)
{
    if (!o->contiguous)
        tile_gather(t, o, base, start, reg, n);
    else if (o->dtype == SAL_BF16)
        t->isa->load_bf16(reg, (const uint16_t *)base + start, n);
    else if (o->dtype == SAL_BOOL)
        t->isa->load_u8(reg, (const uint8_t *)base + start, n);
    else
        memcpy(reg, (const float *)base + start, (size_t)n * sizeof *reg);
}

static void tile_store(const tile_program *t, const tile_output *o, void *base, int64_t start,
                       const float *reg, int n)
{
    if (o->dtype == SAL_BF16)
        t->isa->store_bf16((uint16_t *)base + start, reg, n);
    else if (o->dtype == SAL_BOOL)
        t->isa->store_bool((uint8_t *)base + start, reg, n);
    else
        memcpy((float *)base + start, reg, (size_t)n * sizeof *reg);
}

static const float *tile_source(void *const *in, float *regs, int src, int64_t start)
{
    if (src >= 0)
        return regs + (size_t)src * TILE_LEN;
    return (const float *)in[-1 - src] + start;
}

static void tile_execute(const tile_program *t, void *const *in, void *const *out, float *regs,
                         int64_t start, int n)
{
    for (int i = 0; i < t->n_operands; i++) {
        const tile_operand *o = &t->operands[i];
        if (o->reg >= 0 && !o->splat)
            tile_load(t, o, in[i], start, regs + (size_t)o->reg * TILE_LEN, n);
    }
    for (int i = 0; i < t->n_instr; i++) {
        const tile_instr *k = &t->instr[i];
        float *d =
            k->direct >= 0 ? (float *)out[k->direct] + start : regs + (size_t)k->dst * TILE_LEN;
        k->fn(d, tile_source(in, regs, k->src[0], start), tile_source(in, regs, k->src[1], start),
              tile_source(in, regs, k->src[2], start), n, k->p0, k->p1);
    }
    for (int i = 0; i < t->n_outputs; i++)
        if (t->outputs[i].reg >= 0)
            tile_store(t, &t->outputs[i], out[i], start,
                       regs + (size_t)t->outputs[i].reg * TILE_LEN, n);
}

static void tile_clear_padding(const tile_program *t, const tile_output *o, void *base)
{
    size_t size = sal_dtype_size(o->dtype);
    size_t lanes = (size_t)(t->block - t->pad_from) * size;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < t->pad_outer; n++) {
        uint8_t *p =
            (uint8_t *)base +
            (size_t)(((n + 1) * t->pad_blocks - 1) * t->pad_inner * t->block + t->pad_from) * size;
        for (int64_t i = 0; i < t->pad_inner; i++, p += (size_t)t->block * size)
            memset(p, 0, lanes);
    }
}

static sal_status tile_run(sal_step *step, sal_session *s, sal_error *err)
{
    const tile_program *t = step->state;
    void *in[SAL_MAX_TILE_OPERANDS] = {NULL}, *out[SAL_MAX_TILE_NODES] = {NULL};
    (void)err;
    for (int i = 0; i < t->n_operands; i++)
        in[i] = sal_step_ptr(s, t->operands[i].pid);
    for (int i = 0; i < t->n_outputs; i++)
        out[i] = sal_step_ptr(s, t->outputs[i].pid);
    int64_t tiles = (t->total + TILE_LEN - 1) / TILE_LEN;
#pragma omp parallel num_threads(t->total < 4096 ? 1 : t->threads)
    {
        int64_t me = omp_get_thread_num(), all = omp_get_num_threads();
        float *regs = (float *)(void *)s->scratch + (size_t)me * (size_t)t->n_regs * TILE_LEN;
        for (int i = 0; i < t->n_operands; i++)
            if (t->operands[i].splat)
                tile_fill(&t->operands[i], in[i], regs + (size_t)t->operands[i].reg * TILE_LEN);
        for (int64_t k = tiles * me / all; k < tiles * (me + 1) / all; k++)
            tile_execute(t, in, out, regs, k * TILE_LEN,
                         (int)SAL_MIN((int64_t)TILE_LEN, t->total - k * TILE_LEN));
    }
    if (t->pad_from > 0)
        for (int i = 0; i < t->n_outputs; i++)
            tile_clear_padding(t, &t->outputs[i], out[i]);
    return SAL_OK;
}

/* ---- building ---- */

typedef struct tile_build {
    sal_plan *p;
    tile_program *t;
    sal_layout layout;
    int rank; /* of the output */
    const int64_t *dims;
    sal_vid reg_of[SAL_MAX_TILE_NODES * 4]; /* value held by a virtual register */
    int n_virtual;
} tile_build;

/* Dimensions of v aligned to the output's rank (leading ones). */
static void tile_aligned(const tile_build *b, sal_vid v, int64_t *dims)
{
    const sal_value *x = sal_val(b->p->g, v);
    for (int i = 0; i < b->rank; i++)
        dims[i] = i < b->rank - x->rank ? 1 : x->dims[i - (b->rank - x->rank)];
}

enum tile_kind { TILE_FULL, TILE_SCALAR, TILE_CHANNEL, TILE_SPATIAL, TILE_OTHER };

static enum tile_kind tile_kind_of(const tile_build *b, sal_vid v)
{
    int64_t d[SAL_MAX_RANK];
    bool full = true, scalar = true, spatial_one = true;
    tile_aligned(b, v, d);
    for (int i = 0; i < b->rank; i++) {
        full = full && d[i] == b->dims[i];
        scalar = scalar && d[i] == 1;
        spatial_one = spatial_one && (i < 2 || d[i] == 1);
    }
    if (full && sal_val(b->p->g, v)->rank == b->rank)
        return TILE_FULL;
    if (scalar)
        return TILE_SCALAR;
    if (b->rank >= 2 && d[1] == 1)
        return TILE_SPATIAL;
    if (spatial_one && d[1] == b->dims[1])
        return TILE_CHANNEL;
    return TILE_OTHER;
}

/* Channel vectors of lower rank ([C,1,1]) are padded into prepared memory. */
static sal_status tile_channel_constant(tile_build *b, sal_vid v, sal_pid *out, sal_error *err)
{
    sal_status st = SAL_OK;
    sal_tensor f = SAL_TENSOR_INIT;
    sal_dtype dtype = sal_plan_dtype(b->p, v);
    void *room = NULL;
    int64_t c = b->dims[1], padded = (c + b->p->block - 1) / b->p->block * b->p->block;
    size_t size = sal_dtype_size(dtype);
    SAL_TRY(sal_tensor_cast(&f, sal_val(b->p->g, v)->constant, dtype, err));
    SAL_TRY(sal_plan_prepared(b->p, (size_t)padded * size, &room, err));
    memcpy(room, f.data, (size_t)c * size);
    SAL_TRY(sal_plan_fixed(b->p, room, (size_t)padded * size, dtype, out, err));
done:
    sal_tensor_free(&f);
    return st;
}

static bool tile_blockable(const tile_build *b, sal_vid v)
{
    const sal_value *x = sal_val(b->p->g, v);
    switch (tile_kind_of(b, v)) {
    case TILE_FULL:
    case TILE_SCALAR:
        return true;
    case TILE_SPATIAL:
        return true;
    case TILE_CHANNEL: /* batch of vectors only in full rank; else constants */
        return x->rank == b->rank || x->constant != NULL;
    default:
        return false;
    }
}

/* Strides of operand o over the physical, not yet collapsed, iteration space. */
static void tile_strides(const tile_build *b, const tile_operand *o, enum tile_kind kind,
                         int64_t *stride)
{
    int64_t d[SAL_MAX_RANK], plain[SAL_MAX_RANK], s = 1;
    const int64_t blk = b->p->block;
    tile_aligned(b, o->vid, d);
    for (int i = b->rank - 1; i >= 0; i--) {
        plain[i] = d[i] == 1 ? 0 : s;
        s *= d[i];
    }
    if (b->layout == SAL_PLAIN) {
        for (int i = 0; i < b->rank; i++)
            stride[i] = plain[i];
        return;
    }
    bool channels = kind == TILE_FULL || kind == TILE_CHANNEL;
    int64_t spatial = 1;
    for (int i = b->rank - 1; i >= 2; i--) {
        int64_t unit = channels ? blk : 1;
        stride[i] = d[i] == 1 ? 0 : spatial * unit;
        spatial *= d[i];
    }
    int64_t c_blocks = channels ? (d[1] + blk - 1) / blk : 1;
    stride[1] = channels && c_blocks > 1 ? spatial * blk : 0;
    stride[0] = d[0] == 1 ? 0 : spatial * (channels ? c_blocks * blk : 1);
    stride[b->rank] = channels ? 1 : 0;
}

static sal_status tile_add_operand(tile_build *b, sal_vid v, int *out, sal_error *err)
{
    tile_program *t = b->t;
    for (int i = 0; i < t->n_operands; i++) {
        if (t->operands[i].vid == v) {
            *out = i;
            return SAL_OK;
        }
    }
    if (t->n_operands >= SAL_MAX_TILE_OPERANDS)
        return sal_fail(err, SAL_EUNSUPPORTED, "too many operands in one element-wise group");
    enum tile_kind kind = tile_kind_of(b, v);
    tile_operand *o = &t->operands[t->n_operands];
    *o = (tile_operand){.vid = v, .reg = -1};
    sal_status st;
    bool blocked = b->layout == SAL_BLOCKED && (kind == TILE_FULL || kind == TILE_CHANNEL);
    if (blocked && sal_val(b->p->g, v)->rank != b->rank)
        st = tile_channel_constant(b, v, &o->pid, err);
    else
        st = sal_plan_get(b->p, v, blocked ? SAL_BLOCKED : SAL_PLAIN, SAL_DT_NONE, &o->pid, err);
    if (st != SAL_OK)
        return st;
    o->dtype = b->p->values[o->pid].dtype;
    o->splat = kind == TILE_SCALAR;
    o->contiguous = kind == TILE_FULL;
    tile_strides(b, o, kind, o->stride);
    *out = t->n_operands++;
    return SAL_OK;
}

/* Merge neighbouring dimensions along which every operand moves evenly. */
static void tile_collapse(tile_program *t)
{
    for (int i = t->n_dims - 1; i > 0; i--) {
        bool merge = true;
        for (int k = 0; merge && k < t->n_operands; k++) {
            const int64_t *s = t->operands[k].stride;
            merge = t->dims[i] == 1 || t->dims[i - 1] == 1 || s[i - 1] == s[i] * t->dims[i];
        }
        if (!merge)
            continue;
        for (int k = 0; k < t->n_operands; k++) {
            int64_t *s = t->operands[k].stride;
            if (t->dims[i] != 1)
                s[i - 1] = s[i];
            for (int j = i; j + 1 < t->n_dims; j++)
                s[j] = s[j + 1];
        }
        t->dims[i - 1] *= t->dims[i];
        for (int j = i; j + 1 < t->n_dims; j++)
            t->dims[j] = t->dims[j + 1];
        t->n_dims--;
    }
}

/* Operand or virtual register that holds v: virtual register r is encoded r, operand i as -1 - i.
 */
static sal_status tile_source_of(tile_build *b, sal_vid v, int *out, sal_error *err)
{
    for (int r = 0; r < b->n_virtual; r++) {
        if (b->reg_of[r] == v) {
            *out = r;
            return SAL_OK;
        }
    }
    int operand = 0;
    sal_status st = tile_add_operand(b, v, &operand, err);
    *out = -1 - operand;
    return st;
}

static void tile_emit(tile_build *b, sal_tile_op op, int s0, int s1, int s2, float p0, float p1,
                      sal_vid holds)
{
    tile_instr *k = &b->t->instr[b->t->n_instr++];
    *k = (tile_instr){b->t->isa->tile[op], b->n_virtual, {s0, s1, s2}, p0, p1, -1};
    b->reg_of[b->n_virtual++] = holds;
}

static sal_status tile_node(tile_build *b, const sal_node *n, sal_error *err)
{
    sal_tile_op op;
    float p0, p1;
    int operands, src[3] = {0, 0, 0};
    if (!sal_tile_code(b->p->g, n, &op, &p0, &p1, &operands))
        return sal_fail(err, SAL_EUNSUPPORTED, "no element-wise instruction for %s", n->op->name);
    if (b->t->n_instr + operands + 1 > SAL_MAX_TILE_NODES * 4)
        return sal_fail(err, SAL_EUNSUPPORTED, "element-wise group is too long");
    for (int k = 0; k < SAL_MIN(operands, 3); k++) {
        sal_status st = tile_source_of(b, n->in[k], &src[k], err);
        if (st != SAL_OK)
            return st;
    }
    for (int k = operands; k < 3; k++)
        src[k] = src[0];
    bool joins = operands > 2 && op != SAL_TILE_WHERE && op != SAL_TILE_FAKE_QUANTIZE;
    tile_emit(b, op, src[0], src[1], src[2], p0, p1, joins ? SAL_NONE : n->out[0]);
    for (int k = 2; joins && k < operands; k++) {
        int next = 0;
        sal_status st = tile_source_of(b, n->in[k], &next, err);
        if (st != SAL_OK)
            return st;
        int left = b->n_virtual - 1;
        tile_emit(b, op, left, next, left, p0, p1, k + 1 == operands ? n->out[0] : SAL_NONE);
    }
    return SAL_OK;
}

/* Values of members that somebody outside reads. */
static sal_status tile_outputs(tile_build *b, const sal_group *gr, sal_error *err)
{
    sal_plan *p = b->p;
    for (int i = 0; i < gr->n_members; i++) {
        sal_vid v = gr->members[i]->out[0];
        int inside = 0;
        for (int m = 0; m < gr->n_members; m++)
            for (int k = 0; k < gr->members[m]->n_in; k++)
                inside += gr->members[m]->in[k] == v;
        if (p->uses[v] == inside)
            continue;
        tile_output *o = &b->t->outputs[b->t->n_outputs++];
        o->vid = v;
        o->dtype = sal_plan_dtype(p, v);
        if (o->dtype == SAL_F32 && p->precision == SAL_BF16)
            for (int k = 0; k < b->t->n_operands; k++)
                if (b->t->operands[k].dtype == SAL_BF16)
                    o->dtype = SAL_BF16;
        for (int r = 0; r < b->n_virtual; r++)
            if (b->reg_of[r] == v)
                o->reg = r;
        sal_status st = sal_plan_new(p, v, b->layout, o->dtype, &o->pid, err);
        if (st != SAL_OK)
            return st;
    }
    return SAL_OK;
}

/* Virtual registers -> few physical ones; operands that need conversion get registers first. */
static void tile_registers(tile_program *t)
{
    int last[SAL_MAX_TILE_NODES * 4], phys[SAL_MAX_TILE_NODES * 4],
        free_list[SAL_MAX_TILE_NODES * 4];
    int n_free = 0;
    for (int i = 0; i < t->n_operands; i++)
        if (!(t->operands[i].contiguous && t->operands[i].dtype == SAL_F32))
            t->operands[i].reg = t->n_regs++;
    for (int i = 0; i < t->n_instr; i++)
        last[i] = i;
    for (int i = 0; i < t->n_instr; i++)
        for (int k = 0; k < 3; k++)
            if (t->instr[i].src[k] >= 0)
                last[t->instr[i].src[k]] = i;
    for (int o = 0; o < t->n_outputs; o++)
        last[t->outputs[o].reg] = t->n_instr;
    for (int i = 0; i < t->n_instr; i++) {
        tile_instr *in = &t->instr[i];
        int reg = n_free > 0 ? free_list[--n_free] : t->n_regs++;
        bool freed[3] = {false, false, false};
        for (int k = 0; k < 3; k++) {
            int v = in->src[k];
            if (v < 0) {
                const tile_operand *o = &t->operands[-1 - v];
                in->src[k] = o->reg >= 0 ? o->reg : v;
                continue;
            }
            in->src[k] = phys[v];
            for (int j = 0; j < k; j++)
                freed[k] = freed[k] || (freed[j] && in->src[j] == phys[v]);
            if (last[v] == i && !freed[k]) {
                free_list[n_free++] = phys[v];
                freed[k] = true;
            }
        }
        in->dst = phys[i] = reg;
        if (last[i] == i)
            free_list[n_free++] = reg;
    }
    for (int o = 0; o < t->n_outputs; o++) {
        int v = t->outputs[o].reg;
        /* The last instruction may write its float32 output itself: nothing is read after it. */
        if (v == t->n_instr - 1 && t->outputs[o].dtype == SAL_F32) {
            t->instr[v].direct = o;
            t->outputs[o].reg = -1;
        } else {
            t->outputs[o].reg = phys[v];
        }
    }
}

/* Is every output zero where all operands are zero (padding lanes)? */
static bool tile_keeps_zero(const tile_program *t)
{
    enum { MAX_REGS = SAL_MAX_TILE_NODES * 4 + SAL_MAX_TILE_OPERANDS };
    float value[MAX_REGS] = {0.0f};
    for (int i = 0; i < t->n_operands; i++)
        if (!t->operands[i].contiguous && t->operands[i].stride[t->n_dims - 1] == 0)
            return false; /* a scalar or a spatial map need not be zero there */
    for (int i = 0; i < t->n_instr; i++) {
        const tile_instr *k = &t->instr[i];
        float zero = 0.0f, r;
        const float *s[3];
        for (int j = 0; j < 3; j++)
            s[j] = k->src[j] >= 0 ? &value[k->src[j]] : &zero;
        k->fn(&r, s[0], s[1], s[2], 1, k->p0, k->p1);
        if (k->direct >= 0 && r != 0.0f)
            return false;
        value[k->dst] = r;
    }
    for (int o = 0; o < t->n_outputs; o++)
        if (t->outputs[o].reg >= 0 && value[t->outputs[o].reg] != 0.0f)
            return false;
    return true;
}

static void tile_padding(tile_build *b)
{
    tile_program *t = b->t;
    int over = b->layout == SAL_BLOCKED ? (int)(b->dims[1] % b->p->block) : 0;
    if (over == 0 || tile_keeps_zero(t))
        return;
    t->pad_from = over;
    t->pad_outer = b->dims[0];
    t->pad_blocks = (b->dims[1] + b->p->block - 1) / b->p->block;
    t->pad_inner = 1;
    for (int i = 2; i < b->rank; i++)
        t->pad_inner *= b->dims[i];
}

/* Blocked when an operand of full shape already is and no other forbids it. */
static sal_layout tile_layout(const tile_build *b, const sal_group *gr)
{
    bool any = false;
    if (b->rank < 3 || b->rank > 5)
        return SAL_PLAIN;
    for (int i = 0; i < gr->n_members; i++) {
        const sal_node *n = gr->members[i];
        for (int k = 0; k < n->n_in; k++) {
            sal_vid v = n->in[k];
            if (v == SAL_NONE || b->p->of[v] < 0)
                continue; /* made inside the group */
            if (!tile_blockable(b, v))
                return SAL_PLAIN;
            any =
                any || (tile_kind_of(b, v) == TILE_FULL && sal_plan_layout(b->p, v) == SAL_BLOCKED);
        }
    }
    return any ? SAL_BLOCKED : SAL_PLAIN;
}

static void tile_space(tile_build *b)
{
    tile_program *t = b->t;
    t->n_dims = b->rank;
    for (int i = 0; i < b->rank; i++)
        t->dims[i] = b->dims[i];
    if (b->layout == SAL_BLOCKED) {
        t->dims[1] = (b->dims[1] + b->p->block - 1) / b->p->block;
        t->dims[t->n_dims++] = b->p->block;
    }
    if (t->n_dims == 0)
        t->dims[t->n_dims++] = 1;
    t->total = 1;
    for (int i = 0; i < t->n_dims; i++)
        t->total *= t->dims[i];
}

sal_status sal_lower_elementwise(sal_plan *p, const sal_group *gr, sal_error *err)
{
    sal_status st = SAL_OK;
    tile_program *t = sal_calloc(1, sizeof *t);
    if (t == NULL)
        return sal_fail_nomem(err);
    const sal_value *shape = sal_val(p->g, gr->members[0]->out[0]);
    tile_build b = {.p = p, .t = t, .rank = shape->rank, .dims = shape->dims};
    t->isa = sal_isa();
    t->block = p->block;
    t->threads = p->threads;
    b.layout = tile_layout(&b, gr);
    tile_space(&b);
    for (int i = 0; i < gr->n_members; i++)
        SAL_TRY(tile_node(&b, gr->members[i], err));
    SAL_TRY(tile_outputs(&b, gr, err));
    tile_collapse(t);
    tile_registers(t);
    tile_padding(&b);
    sal_pid in[SAL_MAX_TILE_OPERANDS], out[SAL_MAX_TILE_NODES];
    uint32_t in_place = 0;
    for (int i = 0; i < t->n_operands; i++) {
        in[i] = t->operands[i].pid;
        if (t->operands[i].contiguous)
            in_place |= 1u << i;
    }
    for (int i = 0; i < t->n_outputs; i++)
        out[i] = t->outputs[i].pid;
    const sal_node *last = gr->members[gr->n_members - 1];
    tile_program *handed = t;
    t = NULL;
    if (handed->n_outputs == 0 || handed->total == 0) {
        sal_free(handed);
        goto done;
    }
    sal_step *step;
    SAL_TRY(sal_plan_step(p, "elementwise", last, tile_run, handed, sal_free, handed->n_operands,
                          in, handed->n_outputs, out, &step, err));
    step->scratch =
        (size_t)p->threads * (size_t)SAL_MAX(handed->n_regs, 1) * TILE_LEN * sizeof(float);
    step->in_place = in_place;
    snprintf(step->impl, sizeof step->impl, "tile:%s x%d", handed->isa->name, gr->n_members);
done:
    sal_free(t);
    return st;
}
