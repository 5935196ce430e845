/* NonMaxSuppression: of overlapping boxes of a class the one with the highest score stays. Inputs
 * boxes [batch, boxes, 4], scores [batch, classes, boxes], max_output_boxes_per_class,
 * iou_threshold, score_threshold; output [selected, 3]: batch, class, box. */
#include "ops/infer.h"

static sal_status nms_infer(sal_infer *c)
{
    const sal_value *boxes = sal_infer_in(c, 0), *scores = sal_infer_in(c, 1);
    int64_t dims[2] = {sal_dim_fresh(c->g), 3};
    if ((boxes->rank >= 0 && (boxes->rank != 3 || (boxes->dims[2] >= 0 && boxes->dims[2] != 4))) ||
        (scores->rank >= 0 && scores->rank != 3))
        return sal_fail(c->err, SAL_ESHAPE,
                        "boxes must be [batch, boxes, 4] and scores [batch, classes, boxes]");
    if (boxes->rank == 3 && scores->rank == 3 &&
        ((boxes->dims[0] >= 0 && scores->dims[0] >= 0 && boxes->dims[0] != scores->dims[0]) ||
         (boxes->dims[1] >= 0 && scores->dims[2] >= 0 && boxes->dims[1] != scores->dims[2])))
        return sal_fail(c->err, SAL_ESHAPE, "boxes and scores differ in batch or number of boxes");
    return sal_infer_out(c, 0, SAL_I64, 2, dims);
}

typedef struct nms_candidate {
    float score;
    int64_t box;
} nms_candidate;

/* Highest score first, of equal ones the first box; NaN never gets this far. */
static int nms_compare(const void *a, const void *b)
{
    const nms_candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->box < y->box ? -1 : x->box > y->box;
}

typedef struct nms_box {
    float y0, x0, y1, x1, area;
} nms_box;

/* Corners in any order, or [x centre, y centre, width, height]. */
static nms_box nms_get(const sal_tensor *boxes, int64_t at, bool center)
{
    float v[4];
    for (int k = 0; k < 4; k++)
        v[k] = (float)sal_tensor_get(boxes, at * 4 + k);
    nms_box b;
    if (center) {
        b = (nms_box){v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2, 0};
        b.area = v[2] * v[3];
    } else {
        b = (nms_box){SAL_MIN(v[0], v[2]), SAL_MIN(v[1], v[3]), SAL_MAX(v[0], v[2]),
                      SAL_MAX(v[1], v[3]), 0};
        b.area = (b.y1 - b.y0) * (b.x1 - b.x0);
    }
    return b;
}

/* Is the intersection more than `threshold` of the union? */
static bool nms_overlap(const nms_box *a, const nms_box *b, float threshold)
{
    float w = SAL_MIN(a->x1, b->x1) - SAL_MAX(a->x0, b->x0);
    float h = SAL_MIN(a->y1, b->y1) - SAL_MAX(a->y0, b->y0);
    if (!(w > 0) || !(h > 0) || a->area <= 0 || b->area <= 0)
        return false;
    float both = w * h, either = a->area + b->area - both;
    return either > 0 && both / either > threshold;
}

typedef struct nms_run {
    const sal_tensor *boxes, *scores;
    bool center, has_score;
    float iou, score;
    int64_t most;
    nms_candidate *list;
    nms_box *kept;
    int64_t *out; /* [found, 3] */
    size_t found, cap;
    sal_error *err;
} nms_run;

static sal_status nms_class(nms_run *r, int64_t batch, int64_t class)
{
    int64_t boxes = r->boxes->dims[1], classes = r->scores->dims[1], kept = 0;
    size_t n = 0;
    for (int64_t i = 0; i < boxes; i++) {
        float s = (float)sal_tensor_get(r->scores, (batch * classes + class) * boxes + i);
        if (s == s && (!r->has_score || s > r->score))
            r->list[n++] = (nms_candidate){s, i};
    }
    qsort(r->list, n, sizeof *r->list, nms_compare);
    for (size_t i = 0; i < n && kept < r->most; i++) {
        nms_box b = nms_get(r->boxes, batch * boxes + r->list[i].box, r->center);
        bool free_standing = true;
        for (int64_t k = 0; k < kept && free_standing; k++)
            free_standing = !nms_overlap(&b, &r->kept[k], r->iou);
        if (!free_standing)
            continue;
        r->kept[kept++] = b;
        sal_status st = sal_grow(&r->out, (r->found + 1) * 3, &r->cap, sizeof *r->out, r->err);
        if (st != SAL_OK)
            return st;
        const int64_t row[3] = {batch, class, r->list[i].box};
        memcpy(r->out + r->found++ * 3, row, sizeof row);
    }
    return SAL_OK;
}

static double nms_number(const sal_eval *e, int i, double fallback)
{
    return i < e->node->n_in && e->in[i] != NULL && sal_tensor_count(e->in[i]) > 0
               ? sal_tensor_get(e->in[i], 0)
               : fallback;
}

static sal_status nms_eval(const sal_eval *e)
{
    nms_run r = {.boxes = e->in[0], .scores = e->in[1], .err = e->err};
    sal_status st = SAL_OK;
    r.center = sal_node_int(e->node, "center_point_box", 0) != 0;
    r.has_score = e->node->n_in > 4 && e->in[4] != NULL;
    r.iou = (float)nms_number(e, 3, 0);
    r.score = (float)nms_number(e, 4, 0);
    double most = nms_number(e, 2, 0);
    r.most = most < 0 ? 0 : most > 9e15 ? INT64_MAX : (int64_t)most;
    size_t boxes = (size_t)r.boxes->dims[1];
    r.list = sal_malloc((boxes + 1) * sizeof *r.list);
    r.kept = sal_malloc((boxes + 1) * sizeof *r.kept);
    if (r.list == NULL || r.kept == NULL)
        SAL_TRY(sal_fail_nomem(e->err));
    for (int64_t b = 0; b < r.boxes->dims[0]; b++)
        for (int64_t c = 0; c < r.scores->dims[1]; c++)
            SAL_TRY(nms_class(&r, b, c));
    const int64_t dims[2] = {(int64_t)r.found, 3};
    SAL_TRY(sal_tensor_new(e->out[0], SAL_I64, 2, dims, e->err));
    if (r.found > 0)
        memcpy(e->out[0]->data, r.out, r.found * 3 * sizeof *r.out);
done:
    sal_free(r.list);
    sal_free(r.kept);
    sal_free(r.out);
    return st;
}

static const char *const nms_cases[] = {
    "f32[1,6,4]{0,0,1,1,0,0.1,1,1.1,0,-0.1,1,0.9,0,10,1,11,0,10.1,1,11.1,0,100,1,101} "
    "f32[1,1,6]{0.9,0.75,0.6,0.95,0.5,0.3} i64[1]{3} f32[1]{0.5} f32[1]{0.4} ; ; nograd const=3,4",
    "f32[2,12,4]:0..1 f32[2,3,12]:0..1 i64[1]{5} f32[1]{0.1} ; ; nograd const=3",
    "f32[1,9,4]:0..1 f32[1,2,9]:0..1 i64[1]{4} f32[1]{0.2} f32[1]{0.3} ; center_point_box=1 ; "
    "nograd const=3,4",
    "f32[1,3,4]:0..1 f32[1,1,3]:0..1 ; ; nograd",
    NULL,
};

const sal_op_desc sal_op_non_max_suppression = {
    .name = "NonMaxSuppression",
    .min_in = 2,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = SAL_OP_NOGRAD | SAL_OP_DATA_SHAPE,
    .since = 11,
    .infer = nms_infer,
    .eval = nms_eval,
    .cases = nms_cases,
};
