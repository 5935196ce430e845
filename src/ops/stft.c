/* STFT: discrete Fourier transforms of windows of a signal [batch, samples, 1 or 2], frame_step
 * apart, as [batch, frames, frequencies, 2]. It is a convolution in one dimension whose filters are
 * the windowed rows of the Fourier matrix. */
#include "ops/core/signal.h"

typedef struct stft_plan {
    sal_fourier f;
    int64_t step, samples; /* < 0 while not known */
} stft_plan;

static sal_status stft_lengths(const sal_infer *c, stft_plan *s)
{
    const sal_value *x = sal_infer_in(c, 0), *w = sal_infer_in(c, 2);
    int64_t length = -1, window = -1;
    bool known;
    sal_status st;
    SAL_TRY(sal_signal_int(c, 1, &s->step, &known));
    if (known && s->step < 1)
        return sal_fail(c->err, SAL_EINVAL, "a frame_step of %lld", (long long)s->step);
    s->step = known ? s->step : -1;
    SAL_TRY(sal_signal_int(c, 3, &length, &known));
    length = known ? length : -1;
    if (w != NULL && w->rank >= 0) {
        if (w->rank != 1)
            return sal_fail(c->err, SAL_ESHAPE, "the window must be a list");
        window = w->dims[0];
    }
    if (known && window >= 0 && window != length)
        return sal_fail(c->err, SAL_ESHAPE, "a window of %lld elements for frames of %lld",
                        (long long)window, (long long)length);
    if (!known && window >= 0)
        length = window;
    if (sal_infer_in(c, 3) == NULL && w == NULL)
        length = x->rank == 3 ? x->dims[1] : -1;
    if (length == 0 || (known && length < 1))
        return sal_fail(c->err, SAL_EINVAL, "frames of %lld samples", (long long)length);
    s->f.n_in = s->f.length = length < 0 ? -1 : length;
done:
    return st;
}

static sal_status stft_plan_of(const sal_infer *c, stft_plan *s)
{
    const sal_value *x = sal_infer_in(c, 0);
    sal_status st;
    *s = (stft_plan){.step = -1, .samples = -1};
    s->f.parts_in = -1;
    s->f.parts_out = 2;
    if (x->rank >= 0 && x->rank != 2 && x->rank != 3)
        return sal_fail(c->err, SAL_ESHAPE, "the signal must be [batch, samples, 1 or 2]");
    SAL_TRY(stft_lengths(c, s));
    if (x->rank == 2) /* seen in files although it is not what ONNX says: real */
        s->f.parts_in = 1;
    if (x->rank == 3 && x->dims[2] >= 0) {
        if (x->dims[2] != 1 && x->dims[2] != 2)
            return sal_fail(c->err, SAL_ESHAPE,
                            "the signal's last axis has length %lld, not 1 or 2",
                            (long long)x->dims[2]);
        s->f.parts_in = (int)x->dims[2];
    }
    s->samples = x->rank > 0 ? x->dims[1] : -1;
    bool onesided = sal_node_int(c->node, "onesided", 1) != 0 && s->f.parts_in != 2;
    s->f.n_out = s->f.length < 0 ? -1 : onesided ? s->f.length / 2 + 1 : s->f.length;
    if (s->samples >= 0 && s->f.length > s->samples)
        return sal_fail(c->err, SAL_ESHAPE, "frames of %lld samples from a signal of %lld",
                        (long long)s->f.length, (long long)s->samples);
done:
    return st;
}

static sal_status stft_infer(sal_infer *c)
{
    const sal_value *x = sal_infer_in(c, 0);
    int64_t dims[4];
    stft_plan s;
    sal_status st;
    if (x->dtype != SAL_DT_NONE && !sal_dtype_is_float(x->dtype))
        return sal_fail(c->err, SAL_EINVAL, "input 0 must be a float");
    SAL_TRY(stft_plan_of(c, &s));
    bool frames = s.samples >= 0 && s.step > 0 && s.f.length > 0;
    dims[0] = x->rank > 0 ? x->dims[0] : sal_dim_fresh(c->g);
    dims[1] = frames ? (s.samples - s.f.length) / s.step + 1 : sal_dim_fresh(c->g);
    dims[2] = s.f.n_out >= 0 ? s.f.n_out : sal_dim_fresh(c->g);
    dims[3] = 2;
    SAL_TRY(sal_infer_out(c, 0, x->dtype, 4, dims));
done:
    return st;
}

/* [frequency x part, part of the input, sample]: the filters of the convolution. */
static sal_vid stft_filters(sal_builder *b, const sal_node *n, const sal_fourier *f,
                            sal_dtype dtype)
{
    int64_t dims[3] = {f->n_out * 2, f->parts_in, f->n_in}, i = 0;
    sal_tensor t = SAL_TENSOR_INIT;
    if (b->st == SAL_OK && sal_fourier_size(f) < 0)
        b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                         "STFT node '%s': the matrix of a transform of length %lld is too large",
                         n->name, (long long)f->length);
    if (b->st == SAL_OK)
        b->st = sal_tensor_new(&t, dtype, 3, dims, b->err);
    for (int64_t k = 0; k < dims[0] && b->st == SAL_OK; k++)
        for (int p = 0; p < f->parts_in; p++)
            for (int64_t j = 0; j < f->n_in; j++)
                sal_tensor_set(&t, i++, sal_fourier_weight(f, j, p, k / 2, (int)(k % 2)));
    sal_vid m = sal_b_tensor(b, &t);
    sal_tensor_free(&t);
    return m;
}

static sal_status stft_expand(sal_builder *b, const sal_node *n, sal_vid *out)
{
    static const int64_t swap[] = {0, 2, 1}, middle = 1;
    sal_infer c = {b->g, n, b->err};
    sal_vid x = n->in[0], window = sal_node_in(n, 2);
    const sal_value *v = sal_val(b->g, x);
    stft_plan s;
    b->st = stft_plan_of(&c, &s);
    if (b->st == SAL_OK && (s.step < 0 || s.f.length < 0 || s.f.parts_in < 0))
        b->st =
            sal_fail(b->err, SAL_ESHAPE,
                     "STFT node '%s': frame_step and the length of a frame must be known before "
                     "it runs",
                     n->name);
    if (b->st != SAL_OK)
        return b->st;
    sal_vid wide = sal_signal_wide(b, x);
    sal_vid w = stft_filters(b, n, &s.f, v->dtype == SAL_F64 ? SAL_F64 : SAL_F32);
    if (window != SAL_NONE)
        w = sal_b2(b, "Mul", w, sal_signal_wide(b, window));
    sal_vid rows =
        v->rank == 2 ? sal_b_unsqueeze(b, wide, 1, &middle) : sal_b_transpose(b, wide, swap);
    sal_attr a = SAL_AINTS("strides", &s.step, 1);
    sal_vid y = sal_b_op(b, "Conv", 2, (sal_vid[]){rows, w}, 1, &a);
    y = sal_b_transpose(b, y, swap);
    if (b->st != SAL_OK)
        return b->st;
    const sal_value *yv = sal_val(b->g, y);
    int64_t dims[4] = {yv->dims[0], yv->dims[1], s.f.n_out, 2};
    out[0] = sal_signal_narrow(b, sal_b_reshape(b, y, 4, dims, y), x);
    return b->st;
}

static const char *const stft_cases[] = {
    "f32[2,32,1] i64[]{4} f32[8]:0.1..1 ; onesided=1",
    "f32[1,20,1] i64[]{3} _ i64[]{7} ; onesided=1",
    "f32[1,20,1] i64[]{5} f32[6]:0.1..1 i64[]{6} ; onesided=0",
    "f32[2,12,2] i64[]{2} f32[4]:0.1..1 ; onesided=0",
    NULL,
};

const sal_op_desc sal_op_stft = {
    .name = "STFT",
    .min_in = 2,
    .max_in = 4,
    .alike = 1 << 2,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_COMPOSITE,
    .since = 17,
    .infer = stft_infer,
    .expand = stft_expand,
    .cases = stft_cases,
};
