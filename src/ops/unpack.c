/* Unpack(W; type, columns): the numbers of a packed matrix, float32 [rows, columns]. */
#include "ops/core/packed.h"

static sal_status unpack_infer(sal_infer *c)
{
    sal_packed_matrix m;
    int64_t rows;
    sal_status st = sal_packed_check(c, 0, &m, &rows);
    return st == SAL_OK ? sal_infer_out(c, 0, SAL_F32, 2, (const int64_t[]){rows, m.columns}) : st;
}

static sal_status unpack_matrix(const sal_node *n, const sal_tensor *w, float *to, sal_error *err)
{
    sal_packed_matrix m;
    sal_status st = sal_packed_of(&m, n, err);
    for (int64_t r = 0; st == SAL_OK && r < w->dims[0]; r++)
        sal_packed_row(&m, w, r, to + r * m.columns);
    return st;
}

static sal_status unpack_eval(const sal_eval *e)
{
    return unpack_matrix(e->node, e->in[0], e->out[0]->data, e->err);
}

/* ONNX has no such formats: the numbers themselves. */
static sal_status unpack_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    const sal_tensor *w = sal_val(b->g, n->in[0])->constant;
    const sal_value *y = sal_val(b->g, n->out[0]);
    sal_tensor t = SAL_TENSOR_INIT;
    if (w == NULL || (w->data == NULL && sal_tensor_count(w) > 0))
        return b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                                "node %s: a packed matrix must be a constant", n->name);
    b->st = sal_tensor_new(&t, SAL_F32, 2, y->dims, b->err);
    if (b->st == SAL_OK)
        b->st = unpack_matrix(n, w, t.data, b->err);
    if (b->st == SAL_OK)
        out[0] = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return b->st;
}

/* Bytes up to 60 keep half-precision scales finite: at most 1.05. */
static const char *const unpack_cases[] = {
    "u8[2,34]:0..60 ; type=\"q8_0\" columns=32 ; const=0",
    "u8[3,36]:0..60 ; type=\"q4_0\" columns=64 ; const=0",
    "u8[2,20]:0..60 ; type=\"q4_1\" columns=32 ; const=0",
    "u8[2,6]:0..60 ; type=\"f16\" columns=3 ; const=0",
    NULL,
};

const sal_op_desc sal_op_unpack = {
    .name = "Unpack",
    .domain = SAL_DOMAIN_INTERNAL,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD,
    .since = 1,
    .infer = unpack_infer,
    .eval = unpack_eval,
    .expand = unpack_expand,
    .cases = unpack_cases,
};
