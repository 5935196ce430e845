/* PackedGather(W, ids; type, columns): rows of a packed matrix, float32 [shape of ids, columns]. */
#include "ops/core/move.h"
#include "ops/core/packed.h"

static sal_status packed_gather_infer(sal_infer *c)
{
    const sal_value *ids = sal_infer_in(c, 1);
    int64_t rows, dims[SAL_MAX_RANK + 1];
    sal_packed_matrix m;
    sal_status st = sal_packed_check(c, 0, &m, &rows);
    if (st != SAL_OK)
        return st;
    if (ids->rank < 0)
        return sal_infer_out(c, 0, SAL_F32, -1, NULL);
    for (int i = 0; i < ids->rank; i++)
        dims[i] = ids->dims[i];
    dims[ids->rank] = m.columns;
    return sal_infer_out(c, 0, SAL_F32, ids->rank + 1, dims);
}

static sal_status packed_gather_eval(const sal_eval *e)
{
    const sal_tensor *w = e->in[0], *ids = e->in[1];
    sal_packed_matrix m;
    sal_status st = sal_packed_of(&m, e->node, e->err);
    for (int64_t i = 0; st == SAL_OK && i < sal_tensor_count(ids); i++) {
        int64_t r;
        st = sal_move_index(ids, i, w->dims[0], &r, e->err);
        if (st == SAL_OK)
            sal_packed_row(&m, w, r, (float *)e->out[0]->data + i * m.columns);
    }
    return st;
}

static sal_status packed_gather_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    out[0] = sal_b2(b, "Gather", sal_packed_unpacked(b, n, 0), n->in[1]);
    return b->st;
}

static const char *const packed_gather_cases[] = {
    "u8[5,34]:0..60 i64[4]{0,2,4,-1} ; type=\"q8_0\" columns=32 ; const=0,1",
    "u8[3,20]:0..60 i64[2,2]{0,2,1,1} ; type=\"q4_1\" columns=32 ; const=0,1",
    NULL,
};

const sal_op_desc sal_op_packed_gather = {
    .name = "PackedGather",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 13,
    .infer = packed_gather_infer,
    .eval = packed_gather_eval,
    .expand = packed_gather_expand,
    .cases = packed_gather_cases,
};
