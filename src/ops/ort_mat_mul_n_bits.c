/* MatMulNBits: A times the transpose of a matrix of N rows of K codes of 2, 4 or 8 bits, in blocks
 * that share a scale and a zero point. Inputs A, codes [N, blocks, bytes] (first code in the lowest
 * bits), scales, zero points (packed like the codes, or floats), order of groups, bias. */
#include "ops/core/ort.h"

typedef struct n_bits {
    int64_t rows, k, bits, block, blocks;
} n_bits;

static sal_status n_bits_of(sal_builder *b, const sal_node *n, n_bits *q)
{
    *q = (n_bits){sal_node_int(n, "N", 0), sal_node_int(n, "K", 0), sal_node_int(n, "bits", 4),
                  sal_node_int(n, "block_size", 32), 0};
    if (q->rows < 1 || q->k < 1 || q->rows > SAL_DIM_MAX || q->k > SAL_DIM_MAX || q->block < 16 ||
        q->block > INT32_MAX || (q->bits != 2 && q->bits != 4 && q->bits != 8))
        return sal_ort_refuse(b, n, "its sizes are not plausible, or bits is none of 2, 4 and 8");
    q->blocks = (q->k + q->block - 1) / q->block;
    return SAL_OK;
}

/* Codes of `rows` rows of `count`, unpacked from rows of row_bytes bytes, as a constant. */
static sal_vid n_bits_unpack(sal_builder *b, const sal_node *n, const n_bits *q, sal_vid packed,
                             int64_t row_bytes, int64_t count)
{
    const sal_tensor *p = sal_val(b->g, packed)->constant;
    int64_t dims[2] = {q->rows, count}, per = 8 / q->bits;
    unsigned mask = (1u << q->bits) - 1u;
    sal_tensor t = SAL_TENSOR_INIT;
    if (p == NULL || p->dtype != SAL_U8 || row_bytes > INT64_MAX / q->rows ||
        sal_tensor_count(p) != q->rows * row_bytes || row_bytes * per < count) {
        (void)sal_ort_refuse(b, n, "packed codes must be constants of the right size");
        return SAL_NONE;
    }
    b->st = sal_tensor_new(&t, SAL_U8, 2, dims, b->err);
    if (b->st != SAL_OK)
        return SAL_NONE;
    const uint8_t *from = p->data;
    uint8_t *to = t.data;
    for (int64_t r = 0; r < q->rows; r++)
        for (int64_t i = 0; i < count; i++)
            to[r * count + i] =
                (uint8_t)((unsigned)from[r * row_bytes + i / per] >> (i % per * q->bits) & mask);
    sal_vid v = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return v;
}

/* The weights [N, K] as floats. */
static sal_vid n_bits_weights(sal_builder *b, const sal_node *n, const n_bits *q)
{
    int64_t grid[2] = {q->rows, q->blocks};
    sal_vid zero = sal_node_in(n, 3);
    sal_vid codes = n_bits_unpack(b, n, q, n->in[1], q->blocks * (q->block * q->bits / 8), q->k);
    sal_vid scales = sal_b_reshape(b, n->in[2], 2, grid, n->in[2]);
    sal_attr a[] = {SAL_AI("axis", 1), SAL_AI("block_size", q->block)};
    if (b->st != SAL_OK)
        return SAL_NONE;
    if (zero != SAL_NONE && sal_dtype_is_float(sal_val(b->g, zero)->dtype)) {
        /* (code - zero) scale = code scale - zero scale, one product for each block */
        sal_vid w = sal_b_op(b, "DequantizeLinear", 2, (sal_vid[]){codes, scales}, 2, a);
        int64_t padded = q->blocks * q->block, pads[4] = {0, 0, 0, padded - q->k};
        int64_t cube[3] = {q->rows, q->blocks, q->block}, flat[2] = {q->rows, padded};
        static const int64_t last = 2;
        w = sal_b2(b, "Pad", w, sal_b_ints(b, pads, 4));
        sal_vid off = sal_b2(b, "Mul", sal_b_reshape(b, zero, 2, grid, zero), scales);
        w = sal_b2(b, "Sub", sal_b_reshape(b, w, 3, cube, w), sal_b_unsqueeze(b, off, 1, &last));
        return sal_b_slice(b, sal_b_reshape(b, w, 2, flat, w), 1, 0, q->k, 1);
    }
    if (zero != SAL_NONE) {
        zero = n_bits_unpack(b, n, q, zero, (q->blocks * q->bits + 7) / 8, q->blocks);
    } else {
        sal_tensor t = SAL_TENSOR_INIT;
        b->st = sal_tensor_new(&t, SAL_U8, 2, grid, b->err);
        if (b->st != SAL_OK)
            return SAL_NONE;
        memset(t.data, 1 << (q->bits - 1), sal_tensor_bytes(&t));
        zero = sal_b_tensor(b, &t);
        sal_tensor_free(&t);
    }
    return sal_b_op(b, "DequantizeLinear", 3, (sal_vid[]){codes, scales, zero}, 2, a);
}

static sal_status ort_mat_mul_n_bits_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t perm[] = {1, 0};
    n_bits q;
    if (sal_node_in(n, 4) != SAL_NONE)
        return sal_ort_refuse(b, n, "an order of groups (g_idx) is not supported");
    if (n_bits_of(b, n, &q) != SAL_OK)
        return b->st;
    sal_vid w = n_bits_weights(b, n, &q);
    sal_vid y = sal_b2(b, "MatMul", n->in[0], b->st == SAL_OK ? sal_b_transpose(b, w, perm) : w);
    out[0] = sal_node_in(n, 5) == SAL_NONE ? y : sal_b2(b, "Add", y, n->in[5]);
    return b->st;
}

static const char *const ort_mat_mul_n_bits_cases[] = {
    "f32[2,32] u8[3,2,8]:0..255 f32[6]:0.1..0.3 ; K=32 N=3 bits=4 block_size=16 ; wrt=0 const=2",
    "f32[2,40] u8[3,3,8]:0..255 f32[9]:0.1..0.3 u8[6]:0..255 ; K=40 N=3 bits=4 block_size=16 ; "
    "wrt=0 "
    "const=2",
    "f32[1,32] u8[2,2,16]:0..255 f32[4]:0.1..0.3 u8[4]:0..255 _ f32[2] ; K=32 N=2 bits=8 "
    "block_size=16 ; wrt=0 const=2",
    NULL,
};

const sal_op_desc sal_op_ort_mat_mul_n_bits = {
    SAL_ORT_OP("MatMulNBits", 3, 6, 1),
    .expand = ort_mat_mul_n_bits_expand,
    .cases = ort_mat_mul_n_bits_cases,
};
