/* Packed matrices: what the three operators that read them share. */
#include "ops/core/packed.h"

sal_status sal_packed_of(sal_packed_matrix *m, const sal_node *n, sal_error *err)
{
    const char *type = sal_node_str(n, "type", "");
    m->type = sal_block_type_find(type);
    m->columns = sal_node_int(n, "columns", 0);
    if (m->type == NULL)
        return sal_fail(err, SAL_EINVAL, "there is no packed format '%s'", type);
    if (m->columns < 1 || m->columns > SAL_DIM_MAX ||
        !sal_block_row_bytes(m->type, m->columns, &m->row_bytes))
        return sal_fail(err, SAL_EINVAL, "rows of %lld numbers fill no whole blocks of %s (%d)",
                        (long long)m->columns, m->type->name, m->type->elements);
    return SAL_OK;
}

sal_status sal_packed_check(sal_infer *c, int i, sal_packed_matrix *m, int64_t *rows)
{
    const sal_value *w = sal_infer_in(c, i);
    sal_status st = sal_packed_of(m, c->node, c->err);
    if (st != SAL_OK)
        return st;
    if (w->dtype != SAL_DT_NONE && w->dtype != SAL_U8)
        return sal_fail(c->err, SAL_EINVAL, "a packed matrix is uint8, not %s",
                        sal_dtype_name(w->dtype));
    if (w->rank >= 0 && (w->rank != 2 || (w->dims[1] >= 0 && (uint64_t)w->dims[1] != m->row_bytes)))
        return sal_fail(c->err, SAL_ESHAPE, "a matrix of %lld columns of %s has rows of %zu bytes",
                        (long long)m->columns, m->type->name, m->row_bytes);
    *rows = w->rank == 2 ? w->dims[0] : sal_dim_fresh(c->g);
    return SAL_OK;
}

void sal_packed_row(const sal_packed_matrix *m, const sal_tensor *w, int64_t r, float *to)
{
    m->type->unpack(to, (const uint8_t *)w->data + (size_t)r * m->row_bytes,
                    m->columns / m->type->elements);
}

sal_vid sal_packed_unpacked(sal_builder *b, const sal_node *n, int i)
{
    const char *type = sal_node_str(n, "type", "");
    sal_attr a[] = {SAL_AS("type", type), SAL_AI("columns", sal_node_int(n, "columns", 0))};
    return sal_b_op(b, "Unpack", 1, (sal_vid[]){n->in[i]}, 2, a);
}
