/* Inputs that are no pictures and no text: signals, tables of features, volumes. */
#include "explain_job.h"

#include <ctype.h>
#include <math.h>

enum { KIND_TABLE = 1024, KIND_TOP = 10, KIND_SHOWN = 8 };

/* ---- what it is ---- */

/* The longer of the two axes of [N, ., .] is time. */
job_kind job_kind_of(const explain_job *j)
{
    const sal_tensor *x = j->in.tensors == NULL || j->target.input >= j->in.n
                              ? NULL
                              : &j->in.tensors[j->target.input];

    if (j->words.tokenizer != NULL)
        return JOB_TEXT;
    if (x == NULL || j->picture.is_image || (j->target.height > 0 && j->target.width > 0))
        return JOB_PICTURE;
    if (sal_tensor_count(x) < 1)
        return JOB_OTHER;
    if (x->rank == 5)
        return JOB_VOLUME;
    if (x->rank == 2 && (x->dims[1] <= KIND_TABLE || j->n_names > 0))
        return JOB_TABLE;
    return x->rank >= 1 && x->rank <= 3 ? JOB_SIGNAL : JOB_OTHER;
}

bool job_is_drawn(const explain_job *j)
{
    job_kind kind = job_kind_of(j);

    return kind == JOB_SIGNAL || kind == JOB_TABLE || kind == JOB_VOLUME;
}

/* Sample 0 as plain rows of floats. */
typedef struct kind_data {
    int64_t dims[3]; /* signal: 1, channels, samples; table: 1, 1, features; volume: D, H, W */
    size_t n;
    float *x, *map;
} kind_data;

static void kind_free(kind_data *d)
{
    free(d->x);
    free(d->map);
    *d = (kind_data){.n = 0};
}

static void kind_dims(const explain_job *j, const sal_tensor *x, kind_data *d, bool *last,
                      int64_t *channels)
{
    job_kind kind = job_kind_of(j);

    *last = false;
    *channels = 1;
    d->dims[0] = d->dims[1] = 1;
    d->dims[2] = x->dims[x->rank - 1];
    if (kind == JOB_VOLUME) {
        /* channels last only where there can be no doubt */
        *last = x->dims[4] <= 4 && x->dims[1] > 4;
        *channels = x->dims[*last ? 4 : 1];
        for (int i = 0; i < 3; i++)
            d->dims[i] = x->dims[*last ? i + 1 : i + 2];
    } else if (kind == JOB_SIGNAL && x->rank == 3) {
        *last = x->dims[1] > x->dims[2];
        d->dims[1] = x->dims[*last ? 2 : 1];
        d->dims[2] = x->dims[*last ? 1 : 2];
    }
}

/* Channels of a volume: of the map their sum, of the volume their mean. Of a map whose elements
 * share the value of what was removed together the mean as well. */
static bool kind_get(const explain_job *j, const job_cell *c, kind_data *d)
{
    const sal_tensor *x = &j->in.tensors[j->target.input], *map = &c->e.map;
    bool volume = job_kind_of(j) == JOB_VOLUME, last;
    int64_t channels;

    *d = (kind_data){.n = 0};
    if (map->rank != x->rank || sal_tensor_count(map) != sal_tensor_count(x))
        return false;
    kind_dims(j, x, d, &last, &channels);
    d->n = (size_t)(d->dims[0] * d->dims[1] * d->dims[2]);
    d->x = calloc(d->n, sizeof(*d->x));
    d->map = calloc(d->n, sizeof(*d->map));
    if (d->x == NULL || d->map == NULL) {
        kind_free(d);
        return false;
    }
    for (size_t i = 0; i < d->n; i++) {
        if (!volume) {
            size_t at =
                last ? i % (size_t)d->dims[2] * (size_t)d->dims[1] + i / (size_t)d->dims[2] : i;

            d->x[i] = (float)sal_tensor_get(x, (int64_t)at);
            d->map[i] = (float)sal_tensor_get(map, (int64_t)at);
            continue;
        }
        double sum = 0.0, grey = 0.0;

        for (int64_t k = 0; k < channels; k++) {
            int64_t at = last ? (int64_t)i * channels + k : k * (int64_t)d->n + (int64_t)i;

            sum += sal_tensor_get(map, at);
            grey += sal_tensor_get(x, at);
        }
        d->map[i] = (float)sum;
        d->x[i] = (float)(grey / (double)channels);
    }
    return true;
}

/* ---- names of features and channels ---- */

static bool kind_add_name(explain_job *j, const char *line, size_t n)
{
    char **more = realloc(j->names, (j->n_names + 1) * sizeof(*more));
    char *copy = malloc(n + 1);

    if (more != NULL)
        j->names = more;
    if (more == NULL || copy == NULL) {
        free(copy);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        copy[i] = (char)(iscntrl((unsigned char)line[i]) ? ' ' : line[i]);
    copy[n] = '\0';
    j->names[j->n_names++] = copy;
    return true;
}

/* --names FILE, else MODEL.names.txt, one a line. */
bool job_names(explain_job *j, int *status)
{
    const char *given = cli_value(j->a, OPT_names), *path = given;
    char beside[CLI_PATH], line[1024];
    FILE *f;
    bool ok = true;

    if (path == NULL)
        path = cli_suffix(j->model_path, ".names.txt", beside, sizeof(beside));
    f = fopen(path, "rb");
    if (f == NULL && given == NULL)
        return true;
    while (f != NULL && ok && fgets(line, sizeof(line), f) != NULL)
        ok = kind_add_name(j, line, strcspn(line, "\r\n"));
    if (f == NULL || ferror(f) != 0 || !ok) {
        *status = cli_fail_text("%s: cannot be read", path);
        ok = false;
    }
    if (f != NULL)
        (void)fclose(f);
    return ok;
}

void job_names_free(explain_job *j)
{
    for (size_t i = 0; i < j->n_names; i++)
        free(j->names[i]);
    free(j->names);
}

/* Enough names for all, or none. */
static const char *const *kind_names(const explain_job *j, const kind_data *d)
{
    size_t need = (size_t)(job_kind_of(j) == JOB_TABLE ? d->dims[2] : d->dims[1]);

    return j->n_names >= need && j->names != NULL ? (const char *const *)j->names : NULL;
}

bool job_names_fit(const explain_job *j, int *status)
{
    const sal_tensor *x = &j->in.tensors[j->target.input];
    bool last;
    int64_t channels;
    kind_data d = {.n = 0};
    job_kind kind = job_kind_of(j);

    if (j->n_names == 0 || (kind != JOB_TABLE && kind != JOB_SIGNAL))
        return true;
    kind_dims(j, x, &d, &last, &channels);
    if (kind_names(j, &d) != NULL)
        return true;
    *status = cli_fail_text("the file of names has %zu lines, input %s %lld %s", j->n_names,
                            j->input_name, (long long)(kind == JOB_TABLE ? d.dims[2] : d.dims[1]),
                            kind == JOB_TABLE ? "features" : "channels");
    return false;
}

static const char *kind_name(const explain_job *j, const kind_data *d, size_t i, char *buf,
                             size_t n)
{
    const char *const *names = kind_names(j, d);

    if (names != NULL)
        return names[i];
    (void)snprintf(buf, n, "%s %zu", job_kind_of(j) == JOB_TABLE ? "feature" : "channel", i);
    return buf;
}

/* ---- drawing ---- */

/* Patients are shown as radiologists see them: their right on the left, front and head up. */
static void kind_orient(const explain_job *j, sal_volume_view *v)
{
    static const char *const captions[] = {
        "axial (right on the left), z =", "coronal (right on the left), y =",
        "sagittal (front on the left), x ="};
    const char *o = j->picture.nifti.orientation;

    if (!j->picture.is_volume)
        return;
    for (int i = 0; i < 3; i++)
        v->spacing[i] = j->picture.nifti.spacing[2 - i];
    if (o[0] == '\0' || strchr("RL", o[0]) == NULL || strchr("AP", o[1]) == NULL ||
        strchr("SI", o[2]) == NULL)
        return;
    v->flip[0] = o[2] == 'S';
    v->flip[1] = o[1] == 'A';
    v->flip[2] = o[0] == 'R';
    memcpy(v->captions, captions, sizeof(captions));
}

sal_status job_kind_draw(const explain_job *j, size_t q, size_t m, sal_image *out, sal_error *err)
{
    const job_cell *c = job_cell_at(j, q, m);
    sal_picture_opts look = j->look;
    sal_volume_view view = SAL_VOLUME_VIEW_INIT;
    char title[512], verdict[512];
    kind_data d;
    sal_status st;

    (void)snprintf(title, sizeof(title), "%s: %s", sal_method_find(j->methods.names[m])->title,
                   j->asked[q].text);
    look.title = title;
    look.verdict = job_check_line(c, verdict, sizeof(verdict));
    look.is_signed = c->e.is_signed;
    if (!kind_get(j, c, &d)) {
        if (err != NULL)
            (void)snprintf(err->msg, sizeof(err->msg), "the map of %s has not the input's shape",
                           j->methods.names[m]);
        return SAL_EUNSUPPORTED;
    }
    switch (job_kind_of(j)) {
    case JOB_TABLE:
        st = sal_picture_bars(out, d.map, d.x, kind_names(j, &d), d.dims[2], &look, NULL, err);
        break;
    case JOB_VOLUME:
        memcpy(view.dims, d.dims, sizeof(view.dims));
        view.volume = d.x;
        view.map = d.map;
        kind_orient(j, &view);
        /* what is weak is transparent already */
        look.opacity = cli_has(j->a, OPT_opacity) ? look.opacity : 0.8;
        st = sal_picture_volume(out, &view, &look, NULL, err);
        break;
    default:
        look.opacity = cli_has(j->a, OPT_opacity) ? look.opacity : 0.9;
        st = sal_picture_signal(out, d.x, d.map, d.dims[1], d.dims[2], kind_names(j, &d), &look,
                                NULL, err);
        break;
    }
    kind_free(&d);
    return st;
}

int job_kind_write(const explain_job *j)
{
    size_t cells = j->n_questions * j->methods.n, n = 0;
    sal_image *parts = calloc(cells, sizeof(*parts)), all = SAL_IMAGE_INIT;
    sal_error err = {SAL_OK, 0, ""};
    sal_status st = parts == NULL ? SAL_ENOMEM : SAL_OK;
    int status = CLI_OK;

    for (size_t i = 0; st == SAL_OK && i < cells; i++) {
        if (!j->cells[i].done)
            continue;
        st = job_kind_draw(j, i / j->methods.n, i % j->methods.n, &parts[n], &err);
        n += st == SAL_OK;
    }
    if (st == SAL_OK)
        st = sal_picture_stack(&all, parts, n, &err);
    if (st == SAL_OK)
        st = sal_image_write_png(&all, j->png, &err);
    if (st != SAL_OK)
        status = cli_fail(NULL, st, &err);
    for (size_t i = 0; parts != NULL && i < cells; i++)
        sal_image_free(&parts[i]);
    free(parts);
    sal_image_free(&all);
    return status;
}

/* ---- in words ---- */

static double kind_magnitude(const float *v, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += isfinite(v[i]) ? fabs((double)v[i]) : 0.0;
    return sum;
}

/* The elements of largest magnitude, strongest first; how many. */
static size_t kind_top(const kind_data *d, size_t most, size_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        double v = fabs((double)d->map[i]);
        size_t at = n;

        if (!(v > 0.0))
            continue;
        while (at > 0 && fabs((double)d->map[out[at - 1]]) < v)
            at--;
        if (at >= most)
            continue;
        n = n < most ? n + 1 : n;
        memmove(out + at + 1, out + at, (n - 1 - at) * sizeof(*out));
        out[at] = i;
    }
    return n;
}

/* "channel 0, samples 80 to 99; 41 % of the map's magnitude": the window of a twentieth that holds
 * most. */
static void kind_signal_where(const explain_job *j, const kind_data *d, char *buf, size_t n)
{
    int64_t length = d->dims[2], window = length / 20 > 0 ? length / 20 : 1, at = 0;
    double all = kind_magnitude(d->map, d->n), best = -1.0;
    int64_t channel = 0;
    char name[64];

    for (int64_t k = 0; k < d->dims[1]; k++) {
        double sum = 0.0;

        for (int64_t i = 0; i < length; i++) {
            const float *line = d->map + k * length;

            sum += fabs((double)line[i]) - (i >= window ? fabs((double)line[i - window]) : 0.0);
            if (i + 1 >= window && sum > best) {
                best = sum;
                channel = k;
                at = i + 1 - window;
            }
        }
    }
    if (!(all > 0.0))
        (void)snprintf(buf, n, "nowhere: the map is 0");
    else
        (void)snprintf(buf, n, "%s%ssamples %lld to %lld, %.0f %% of the map's magnitude",
                       d->dims[1] > 1 ? kind_name(j, d, (size_t)channel, name, sizeof(name)) : "",
                       d->dims[1] > 1 ? ", " : "", (long long)at, (long long)(at + window - 1),
                       100.0 * best / all);
}

static void kind_millimetres(const explain_job *j, const int64_t at[3], double mm[3])
{
    for (int i = 0; i < 3; i++) {
        const double *row = j->picture.nifti.affine[i];

        mm[i] = row[0] * (double)at[2] + row[1] * (double)at[1] + row[2] * (double)at[0] + row[3];
    }
}

static void kind_volume_where(const explain_job *j, const kind_data *d, char *buf, size_t n)
{
    size_t plane = (size_t)(d->dims[1] * d->dims[2]);
    double all = kind_magnitude(d->map, d->n), sum = 0.0, mm[3];
    int64_t at[3], from, to;
    sal_error err;
    int used;

    if (!(all > 0.0) || sal_volume_peak(at, d->map, d->dims, &err) != SAL_OK) {
        (void)snprintf(buf, n, "nowhere: the map is 0");
        return;
    }
    /* slices about the peak until they hold half */
    sum = kind_magnitude(d->map + (size_t)at[0] * plane, plane);
    for (from = to = at[0]; sum < all / 2.0;) {
        double below = from > 0 ? kind_magnitude(d->map + (size_t)(from - 1) * plane, plane) : -1.0;
        double above =
            to + 1 < d->dims[0] ? kind_magnitude(d->map + (size_t)(to + 1) * plane, plane) : -1.0;

        if (below < 0.0 && above < 0.0)
            break;
        sum += fmax(below, above);
        if (above >= below)
            to++;
        else
            from--;
    }
    used = snprintf(buf, n, "strongest about d %lld, h %lld, w %lld", (long long)at[0],
                    (long long)at[1], (long long)at[2]);
    if (j->picture.is_volume && j->picture.nifti.orientation[0] != '\0' && used > 0 &&
        (size_t)used < n) {
        kind_millimetres(j, at, mm);
        used += snprintf(buf + used, n - (size_t)used, " (%.1f, %.1f, %.1f mm right, front, up)",
                         mm[0], mm[1], mm[2]);
    }
    if (used > 0 && (size_t)used < n)
        (void)snprintf(buf + used, n - (size_t)used,
                       "; slices %lld to %lld hold %.0f %% of the map's magnitude", (long long)from,
                       (long long)to, 100.0 * sum / all);
}

static void kind_features(const explain_job *j, const kind_data *d)
{
    size_t top[KIND_SHOWN], n = kind_top(d, KIND_SHOWN, top);

    for (size_t i = 0; i < n; i++) {
        double v = (double)d->map[top[i]], most = fabs((double)d->map[top[0]]);
        int bar = (int)lround(fabs(v) / most * 20.0);
        char name[64];

        printf("  %s  %+10.4g  %.*s%.*s  %s = %.4g\n", i == 0 ? "features" : "        ", v, bar,
               v < 0.0 ? "--------------------" : "++++++++++++++++++++", 20 - bar,
               "                    ", kind_name(j, d, top[i], name, sizeof(name)),
               (double)d->x[top[i]]);
    }
}

const char *job_kind_where(const explain_job *j, size_t q, size_t m, char *buf, size_t n)
{
    kind_data d;
    size_t top;

    buf[0] = '\0';
    if (!kind_get(j, job_cell_at(j, q, m), &d))
        return buf;
    if (job_kind_of(j) == JOB_SIGNAL)
        kind_signal_where(j, &d, buf, n);
    else if (job_kind_of(j) == JOB_VOLUME)
        kind_volume_where(j, &d, buf, n);
    else if (kind_top(&d, 1, &top) == 1) {
        char name[64];

        (void)snprintf(buf, n, "%s, %.0f %% of the map's magnitude",
                       kind_name(j, &d, top, name, sizeof(name)),
                       100.0 * fabs((double)d.map[top]) / kind_magnitude(d.map, d.n));
    }
    kind_free(&d);
    return buf;
}

void job_kind_summary(const explain_job *j, size_t q, size_t m)
{
    char where[512];
    kind_data d;

    if (job_kind_of(j) != JOB_TABLE) {
        if (job_kind_where(j, q, m, where, sizeof(where))[0] != '\0')
            printf("  where     %s\n", where);
        return;
    }
    if (kind_get(j, job_cell_at(j, q, m), &d))
        kind_features(j, &d);
    kind_free(&d);
}

/* ---- JSON ---- */

static void kind_json_place(const explain_job *j, const kind_data *d, size_t at, cli_text *t)
{
    int64_t row = d->dims[2], plane = d->dims[1] * row, i = (int64_t)at;
    int64_t place[3] = {i / plane, i % plane / row, i % row};
    double mm[3];
    char name[64];

    switch (job_kind_of(j)) {
    case JOB_TABLE:
        json_int(t, "feature", i);
        json_string(t, "name", kind_name(j, d, at, name, sizeof(name)));
        break;
    case JOB_VOLUME:
        json_int(t, "d", place[0]);
        json_int(t, "h", place[1]);
        json_int(t, "w", place[2]);
        if (!j->picture.is_volume)
            break;
        kind_millimetres(j, place, mm);
        json_open(t, "mm", '[');
        for (int k = 0; k < 3; k++)
            json_number(t, NULL, mm[k]);
        json_close(t, ']');
        break;
    default:
        json_int(t, "channel", place[1]);
        json_int(t, "sample", place[2]);
        break;
    }
    json_number(t, "value", (double)d->x[at]);
    json_number(t, "relevance", (double)d->map[at]);
}

void job_kind_json(const explain_job *j, size_t q, size_t m, cli_text *t)
{
    size_t top[KIND_TOP], n;
    char where[512];
    kind_data d;

    if (!kind_get(j, job_cell_at(j, q, m), &d))
        return;
    json_string(t, "where", job_kind_where(j, q, m, where, sizeof(where)));
    n = kind_top(&d, KIND_TOP, top);
    json_open(t, "strongest", '[');
    for (size_t i = 0; i < n; i++) {
        json_open(t, NULL, '{');
        kind_json_place(j, &d, top[i], t);
        json_close(t, '}');
    }
    json_close(t, ']');
    kind_free(&d);
}
