/* Which nodes run together.
 *
 * An anchor (convolution, matrix product) takes the element-wise nodes that follow it as an
 * epilogue, as long as nobody else reads the value between. Other element-wise nodes of one shape
 * form groups that run as one tiled pass. A group runs where its last member stood, so a node may
 * join only while no other node between reads what the group makes. */
#include "exec/plan.h"

#include "exec/tile.h"

static bool group_same_shape(const sal_graph *g, sal_vid a, sal_vid b)
{
    const sal_value *x = sal_val(g, a), *y = sal_val(g, b);
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

static sal_group *group_new(sal_plan *p, const sal_node *anchor, int position)
{
    sal_group *gr = sal_arena_alloc(&p->arena, sizeof *gr);
    if (gr != NULL) {
        gr->anchor = anchor;
        gr->position = position;
    }
    return gr;
}

static const sal_node *group_only_consumer(const sal_plan *p, sal_vid v)
{
    if (p->uses[v] != 1 || p->consumers.start[v] + 1 != p->consumers.start[v + 1])
        return NULL;
    return p->g->nodes[p->consumers.node[p->consumers.start[v]]];
}

/* The epilogue of an anchor: follow single consumers. */
static void group_extend_anchor(sal_plan *p, sal_group *gr)
{
    sal_vid v = gr->anchor->out[0];
    while (gr->n_epilogue < SAL_MAX_EPILOGUE) {
        const sal_node *e = group_only_consumer(p, v);
        if (e == NULL || p->groups[e->id] != NULL || (e->op->flags & SAL_OP_ELEMENTWISE) == 0 ||
            e->n_out != 1 || e->out[0] == SAL_NONE || !group_same_shape(p->g, v, e->out[0]))
            return;
        int chain = -1, times = 0;
        for (int k = 0; k < e->n_in; k++) {
            if (e->in[k] != v)
                continue;
            chain = k;
            times++;
        }
        if (times != 1 || !sal_epilogue_fits(p, gr->anchor, e, chain))
            return;
        gr->epilogue[gr->n_epilogue++] = (sal_epilogue){e, chain};
        gr->position = e->id;
        p->groups[e->id] = gr;
        v = e->out[0];
    }
}

/* Values made by members and read elsewhere: all readers must come after `position`. */
static bool group_may_move(const sal_plan *p, const sal_group *gr, const sal_node *joining)
{
    for (int i = 0; i < gr->n_members; i++) {
        sal_vid v = gr->members[i]->out[0];
        for (int32_t c = p->consumers.start[v]; c < p->consumers.start[v + 1]; c++) {
            int32_t id = p->consumers.node[c];
            if (id < joining->id && p->groups[id] != gr)
                return false;
        }
    }
    return true;
}

static sal_status group_add_member(sal_plan *p, sal_group *gr, const sal_node *n, sal_error *err)
{
    if (gr->members == NULL)
        gr->members = sal_arena_alloc(&p->arena, SAL_MAX_TILE_NODES * sizeof *gr->members);
    if (gr->members == NULL)
        return sal_fail_nomem(err);
    gr->members[gr->n_members++] = n;
    gr->position = n->id;
    p->groups[n->id] = gr;
    return SAL_OK;
}

static bool group_reads(const sal_group *gr, sal_vid v)
{
    for (int i = 0; i < gr->n_members; i++)
        for (int k = 0; k < gr->members[i]->n_in; k++)
            if (gr->members[i]->in[k] == v)
                return true;
    return false;
}

/* Groups of masks stay where scheduling put them: moved to where the mask is used, they would keep
 * alive the float values that they exist to replace. */
static bool group_is_mask(const sal_plan *p, const sal_group *gr)
{
    return sal_val(p->g, gr->members[gr->n_members - 1]->out[0])->dtype == SAL_BOOL;
}

static bool group_can_join(const sal_plan *p, const sal_group *gr, const sal_node *n)
{
    return gr != NULL && gr->anchor == NULL && gr->n_members < SAL_MAX_TILE_NODES &&
           (!group_is_mask(p, gr) || gr->position + 1 == n->id) &&
           group_same_shape(p->g, gr->members[0]->out[0], n->out[0]) && sal_tile_fits(p, gr, n) &&
           group_may_move(p, gr, n);
}

static sal_status group_elementwise(sal_plan *p, const sal_node *n, sal_error *err)
{
    sal_group *best = NULL;
    for (int k = 0; k < n->n_in; k++) {
        int32_t from = n->in[k] == SAL_NONE ? -1 : sal_val(p->g, n->in[k])->producer;
        sal_group *gr = from < 0 ? NULL : p->groups[from];
        if (group_can_join(p, gr, n) && (best == NULL || gr->position > best->position))
            best = gr;
    }
    /* The neighbour just before reads the same value: one pass serves both. */
    sal_group *before = n->id > 0 ? p->groups[n->id - 1] : NULL;
    for (int k = 0; best == NULL && k < n->n_in; k++)
        if (group_can_join(p, before, n) && group_reads(before, n->in[k]) &&
            group_same_shape(p->g, n->in[k], n->out[0]))
            best = before;
    if (best == NULL && (best = group_new(p, NULL, n->id)) == NULL)
        return sal_fail_nomem(err);
    return group_add_member(p, best, n, err);
}

sal_status sal_plan_group(sal_plan *p, sal_error *err)
{
    const sal_graph *g = p->g;
    p->groups = sal_calloc(g->n_nodes + 1, sizeof *p->groups);
    if (p->groups == NULL)
        return sal_fail_nomem(err);
    if (p->reference)
        return SAL_OK;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sal_node *n = g->nodes[i];
        if (p->groups[i] != NULL)
            continue;
        if (sal_kernel_anchors(n->op->name)) {
            sal_group *gr = group_new(p, n, n->id);
            if (gr == NULL)
                return sal_fail_nomem(err);
            p->groups[i] = gr;
            group_extend_anchor(p, gr);
        } else if (sal_tile_supports(p, n)) {
            sal_status st = group_elementwise(p, n, err);
            if (st != SAL_OK)
                return st;
        }
    }
    return SAL_OK;
}
