/* From a file to the tensor that a model explains: flags before sidecar before metadata before a
 * guess. */
#include "cli.h"

static bool preprocess_pair(const cli_args *a, cli_option_id o, int32_t *h, int32_t *w, size_t *n)
{
    const char *text = cli_value(a, o);
    double v[2];

    *n = cli_numbers(text, v, 2);
    for (size_t i = 0; i < *n; i++) {
        if (!(v[i] >= 0 && v[i] <= SAL_IMAGE_MAX_SIDE) || v[i] != (double)(int32_t)v[i])
            *n = 0;
    }
    if (*n == 0) {
        (void)cli_usage(a, "--%s must be a number of pixels or H,W, not %s", cli_options[o].name,
                        text);
        return false;
    }
    *h = (int32_t)v[0];
    *w = (int32_t)v[*n - 1];
    return true;
}

static bool preprocess_three(const cli_args *a, cli_option_id o, float out[3])
{
    const char *text = cli_value(a, o);
    double v[3];
    size_t n = cli_numbers(text, v, 3);

    if (n != 1 && n != 3) {
        (void)cli_usage(a, "--%s must be one number or R,G,B, not %s", cli_options[o].name, text);
        return false;
    }
    for (size_t i = 0; i < 3; i++)
        out[i] = (float)v[n == 1 ? 0 : i];
    return true;
}

/* Flags change what was found otherwise, one matter each. */
static bool preprocess_flags(const cli_args *a, sal_preprocess *p, bool *any)
{
    const char *layout = cli_value(a, OPT_layout);
    size_t n;

    *any = cli_has(a, OPT_size) || cli_has(a, OPT_crop) || cli_has(a, OPT_mean) ||
           cli_has(a, OPT_std) || layout != NULL;
    if (cli_has(a, OPT_size)) {
        if (!preprocess_pair(a, OPT_size, &p->resize_height, &p->resize_width, &n))
            return false;
        p->resize = n == 2                  ? SAL_RESIZE_EXACT
                    : p->resize_height == 0 ? SAL_RESIZE_NONE
                                            : SAL_RESIZE_SHORT;
        if (n == 2 && !cli_has(a, OPT_crop))
            p->crop_height = p->crop_width = 0;
    }
    if (cli_has(a, OPT_crop) && !preprocess_pair(a, OPT_crop, &p->crop_height, &p->crop_width, &n))
        return false;
    if (cli_has(a, OPT_mean) || cli_has(a, OPT_std))
        p->rescale = 1.0F / 255.0F; /* the flags speak of pixels scaled to 0..1 */
    if (cli_has(a, OPT_mean) && !preprocess_three(a, OPT_mean, p->mean))
        return false;
    if (cli_has(a, OPT_std) && !preprocess_three(a, OPT_std, p->std))
        return false;
    if (layout != NULL && strcmp(layout, "nchw") != 0 && strcmp(layout, "nhwc") != 0) {
        (void)cli_usage(a, "--layout must be nchw or nhwc, not %s", layout);
        return false;
    }
    if (layout != NULL)
        p->nhwc = strcmp(layout, "nhwc") == 0;
    return true;
}

static bool preprocess_find(cli_picture *p, const cli_args *a, const sal_model *m, int *status)
{
    sal_error err = {SAL_OK, 0, ""};
    bool flags;
    sal_status st =
        sal_model_preprocess(m, &p->pre, &p->guessed, p->source, sizeof(p->source), &err);

    if (st != SAL_OK) {
        *status = cli_fail(NULL, st, &err);
        return false;
    }
    if (!preprocess_flags(a, &p->pre, &flags)) {
        *status = CLI_USAGE;
        return false;
    }
    st = sal_preprocess_check(&p->pre, &err);
    if (st != SAL_OK) {
        (void)cli_fail(flags ? NULL : sal_model_path(m), st, &err);
        *status = flags ? CLI_USAGE : CLI_FAILED;
        return false;
    }
    if (flags) {
        char found[sizeof(p->source)];

        (void)snprintf(found, sizeof(found), "%s", p->source);
        (void)snprintf(p->source, sizeof(p->source), "flags, then %.*s",
                       (int)sizeof(p->source) - 20, found);
    }
    return true;
}

static void preprocess_notes(const cli_picture *p, const cli_args *a, cli_notes *notes)
{
    char line[256];

    cli_note_later(notes, "preprocessing: %s (%s)",
                   sal_preprocess_describe(&p->pre, line, sizeof(line)), p->source);
    if (p->guessed && !(cli_has(a, OPT_mean) && cli_has(a, OPT_std)))
        cli_note_later(notes,
                       "warning: the model does not say how pictures are prepared; the usual "
                       "recipe was taken. Check it with --size --crop --mean --std, or write "
                       "it to a sidecar file");
}

/* (value - mean) / deviation, of the values as the file scales them. */
static bool preprocess_volume(cli_picture *p, const cli_args *a, const sal_model *m,
                              const char *path, sal_tensor *t, cli_notes *notes, int *status)
{
    sal_error err = {SAL_OK, 0, ""};
    float *v, mean[3] = {0.0F, 0.0F, 0.0F}, std[3] = {1.0F, 1.0F, 1.0F};
    const char *from = "no mean and deviation given";
    sal_status st = sal_nifti_read(t, &p->nifti, path, &err);

    p->is_volume = st == SAL_OK;
    if (st != SAL_OK) {
        *status = cli_fail(NULL, st, &err); /* the message names the file */
        return false;
    }
    st = sal_model_preprocess(m, &p->pre, &p->guessed, p->source, sizeof(p->source), &err);
    if (st != SAL_OK && !p->guessed) { /* what would be guessed of pictures does not matter */
        *status = cli_fail(NULL, st, &err);
        return false;
    }
    if (!p->guessed) {
        memcpy(mean, p->pre.mean, sizeof(mean));
        memcpy(std, p->pre.std, sizeof(std));
        from = p->source;
    }
    *status = CLI_USAGE;
    if ((cli_has(a, OPT_mean) && !preprocess_three(a, OPT_mean, mean)) ||
        (cli_has(a, OPT_std) && !preprocess_three(a, OPT_std, std)))
        return false;
    if (cli_has(a, OPT_mean) || cli_has(a, OPT_std))
        from = "flags";
    if (!(std[0] > 0.0F) || !(mean[0] - mean[0] == 0.0F))
        return cli_usage(a, "--std must be above 0 and --mean a number"), false;
    v = t->data;
    for (int64_t i = 0; i < sal_tensor_count(t); i++)
        v[i] = (v[i] - mean[0]) / std[0];
    cli_note_later(notes,
                   "volume: %lld x %lld x %lld voxels of %.3g x %.3g x %.3g (x, y, z%s%s) as "
                   "D,H,W; values - %g, / %g (%s)",
                   (long long)t->dims[4], (long long)t->dims[3], (long long)t->dims[2],
                   p->nifti.spacing[0], p->nifti.spacing[1], p->nifti.spacing[2],
                   p->nifti.orientation[0] == '\0' ? "" : ", growing to ", p->nifti.orientation,
                   (double)mean[0], (double)std[0], from);
    return true;
}

bool cli_picture_read(cli_picture *p, const cli_args *a, const sal_model *m, const char *path,
                      sal_tensor *tensor, cli_notes *notes, int *status)
{
    sal_error err = {SAL_OK, 0, ""};
    sal_status st;

    *p = (cli_picture){.image = SAL_IMAGE_INIT, .pre = SAL_PREPROCESS_INIT};
    if (cli_ends_with(path, ".npy")) {
        st = sal_npy_read(tensor, path, &err);
        if (st != SAL_OK)
            *status = cli_fail(path, st, &err);
        return st == SAL_OK;
    }
    if (cli_ends_with(path, ".nii") || cli_ends_with(path, ".nii.gz"))
        return preprocess_volume(p, a, m, path, tensor, notes, status);
    p->is_image = true;
    st = sal_image_read(&p->image, path, &err);
    if (st != SAL_OK) {
        *status = cli_fail(path, st, &err);
        return false;
    }
    if (!preprocess_find(p, a, m, status))
        return false;
    st = sal_preprocess_apply(tensor, &p->image, &p->pre, &err);
    if (st != SAL_OK) {
        *status = cli_fail(path, st, &err);
        return false;
    }
    preprocess_notes(p, a, notes);
    return true;
}

void cli_picture_free(cli_picture *p)
{
    sal_image_free(&p->image);
}

bool cli_labels(const cli_args *a, const sal_model *m, int64_t classes, sal_labels **out,
                cli_notes *notes, int *status)
{
    const char *file = cli_value(a, OPT_labels);
    char folder[CLI_PATH], source[CLI_PATH];
    sal_error err = {SAL_OK, 0, ""};
    bool guessed = false;
    sal_status st;

    *out = NULL;
    if (file != NULL) {
        st = sal_labels_read(out, file, &err);
        if (st != SAL_OK)
            *status = cli_fail(file, st, &err);
        return st == SAL_OK;
    }
    st = sal_model_labels(m, cli_data("labels", folder, sizeof(folder)), classes, out, &guessed,
                          source, sizeof(source), &err);
    if (st == SAL_EIO) {
        /* Names are a help, not the matter itself. */
        cli_note_later(notes, "classes have no names here: %s", err.msg);
        return true;
    }
    if (st != SAL_OK) {
        *status = cli_fail(NULL, st, &err);
        return false;
    }
    if (guessed)
        cli_note_later(notes, "labels: the model names none; 1000 classes are taken for those of "
                              "ImageNet (--labels FILE to change)");
    return true;
}
