/* Maps as pictures, and in words. */
#include "explain_job.h"

#include <math.h>

/* Sample 0 of [N,C,H,W] or [N,H,W,C] is summed over its channels; [N,H,W] is taken as it is. */
bool job_map(const explain_job *j, job_cell *c)
{
    const sal_tensor *t = &c->e.map;
    bool flat = t->rank == 3 && j->target.height > 0;
    bool last = j->target.channels_last && !flat;
    int64_t h, w, channels;

    if (j->target.height <= 0 || j->target.width <= 0 || (t->rank != 4 && !flat))
        return true;
    h = flat ? t->dims[1] : t->dims[last ? 1 : 2];
    w = flat ? t->dims[2] : t->dims[last ? 2 : 3];
    channels = flat ? 1 : t->dims[last ? 3 : 1];
    if (h < 1 || w < 1 || channels < 1)
        return true;
    c->map = calloc((size_t)(h * w), sizeof(*c->map));
    if (c->map == NULL)
        return false;
    c->height = h;
    c->width = w;
    for (int64_t i = 0; i < h * w; i++) {
        double sum = 0.0;

        for (int64_t k = 0; k < channels; k++)
            sum += sal_tensor_get(t, last ? i * channels + k : k * h * w + i);
        c->map[i] = (float)sum;
    }
    return true;
}

float *job_pool(const float *map, int64_t height, int64_t width, int64_t *rows, int64_t *columns)
{
    enum { GRID = 28 };
    float *v;

    *rows = height < GRID ? height : GRID;
    *columns = width < GRID ? width : GRID;
    v = calloc((size_t)(*rows * *columns), sizeof(*v));
    for (int64_t r = 0; v != NULL && r < height; r++) {
        for (int64_t k = 0; k < width; k++) {
            float x = map[r * width + k];

            v[r * *rows / height * *columns + k * *columns / width] +=
                isfinite(x) && x > 0.0F ? x : 0.0F;
        }
    }
    return v;
}

/* ---- where ---- */

/* What counts: all of an unsigned map, the positive part of a signed one. */
static double map_weight(const job_cell *c, int64_t i)
{
    double v = (double)c->map[i];

    return isfinite(v) && v > 0.0 ? v : 0.0;
}

/* Centre of the cell of a coarse grid that has most weight: single pixels of a gradient mean
 * little. */
static void map_peak(const job_cell *c, double *x, double *y)
{
    enum { GRID = 7 };
    double cells[GRID][GRID] = {{0}};
    int by = 0, bx = 0;

    for (int64_t r = 0; r < c->height; r++) {
        for (int64_t k = 0; k < c->width; k++)
            cells[r * GRID / c->height][k * GRID / c->width] += map_weight(c, r * c->width + k);
    }
    for (int r = 0; r < GRID; r++) {
        for (int k = 0; k < GRID; k++) {
            if (cells[r][k] > cells[by][bx]) {
                by = r;
                bx = k;
            }
        }
    }
    *x = (bx + 0.5) / GRID;
    *y = (by + 0.5) / GRID;
}

const char *job_where(const explain_job *j, const job_cell *c, char *buf, size_t n)
{
    static const char *const rows[] = {"upper", "middle", "lower"};
    static const char *const columns[] = {"left", "centre", "right"};
    double x, y, left = 0.0, all = 0.0;
    sal_rect rect = {0, 0, (double)c->width, (double)c->height};
    sal_error err;

    for (int64_t i = 0; c->map != NULL && i < c->height * c->width; i++) {
        double v = map_weight(c, i);

        all += v;
        left += i % c->width < c->width / 2 ? v : 0.0;
    }
    if (all <= 0.0) {
        (void)snprintf(buf, n, "nowhere: nothing in the picture speaks for it");
        return buf;
    }
    map_peak(c, &x, &y);
    if (j->picture.is_image && sal_preprocess_rect(&j->picture.pre, j->picture.image.height,
                                                   j->picture.image.width, &rect, &err) != SAL_OK)
        rect = (sal_rect){0, 0, (double)c->width, (double)c->height};
    (void)snprintf(buf, n,
                   "%s %s, around (%.0f, %.0f) of the picture; %.0f %% of the map on the %s half",
                   rows[(int)(y * 3)], columns[(int)(x * 3)], rect.x + x * rect.width,
                   rect.y + y * rect.height, 100.0 * (left > all / 2 ? left : all - left) / all,
                   left > all / 2 ? "left" : "right");
    return buf;
}

/* ---- classes ---- */

bool job_is_classes(const explain_job *j)
{
    int axes = 0;

    for (int i = j->target.batched ? 1 : 0; i < j->logits.rank; i++)
        axes += j->logits.dims[i] > 1;
    return axes <= 1 && j->target.classes > 1;
}

const char *job_element(const explain_job *j, size_t k, char *buf, size_t n)
{
    int first = j->target.batched ? 1 : 0;
    size_t at = 0, below = 1;

    for (int i = first + 1; i < j->logits.rank; i++)
        below *= (size_t)j->logits.dims[i];
    buf[0] = '\0';
    for (int i = first; i < j->logits.rank && at < n && below > 0; i++) {
        at += (size_t)snprintf(buf + at, n - at, "%s%zu", i > first ? "," : "", k / below);
        k %= below;
        below /= i + 1 < j->logits.rank ? (size_t)j->logits.dims[i + 1] : 1;
    }
    return buf;
}

double *job_probabilities(const explain_job *j)
{
    size_t n = (size_t)(j->target.classes > 0 ? j->target.classes : 0);
    double *p = calloc(n + 1, sizeof(*p)), most = -HUGE_VAL, sum = 0.0;
    bool already = true;

    if (p == NULL || (int64_t)n > sal_tensor_count(&j->logits)) {
        free(p);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        p[i] = sal_tensor_get(&j->logits, (int64_t)i);
        most = fmax(most, p[i]);
        already = already && p[i] >= 0.0 && p[i] <= 1.0;
        sum += p[i];
    }
    for (size_t i = 0; i < n && j->words.n_answer > 0; i++)
        p[i] = exp(p[i]); /* log-probabilities of tokens that follow each other */
    if ((already && fabs(sum - 1.0) < 1e-3) || !job_is_classes(j) || j->words.n_answer > 0)
        return p;
    sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        p[i] = exp(p[i] - most);
        sum += p[i];
    }
    for (size_t i = 0; i < n; i++)
        p[i] /= sum;
    return p;
}

size_t job_top(const explain_job *j, const double *p, size_t k, size_t *out)
{
    size_t n = (size_t)j->target.classes, found = 0;

    while (found < k && found < n) {
        size_t best = n;

        for (size_t i = 0; i < n; i++) {
            bool taken = !isfinite(p[i]);

            for (size_t f = 0; f < found; f++)
                taken = taken || out[f] == i;
            if (!taken && (best == n || p[i] > p[best]))
                best = i;
        }
        if (best == n)
            break;
        out[found++] = best;
    }
    return found;
}

const char *job_class(const explain_job *j, size_t k)
{
    return j->labels == NULL ? ""
           : j->words.lm     ? sal_labels_text(j->labels, k)
                             : sal_labels_short(j->labels, k);
}
