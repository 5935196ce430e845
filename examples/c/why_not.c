/* Why is it the likeliest class, and not the second one?
 *
 *     cc why_not.c $(pkg-config --cflags --libs salience) -o why_not
 *     ./why_not model.onnx x.npy map.npy */
#include <salience/salience.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const char *why[] = {"top"}, *not_[] = {"top2"};
    sal_question question = {why, 1, not_, 1, NULL};
    sal_explain_opts opts = SAL_EXPLAIN_OPTS_INIT;
    sal_explanation e = SAL_EXPLANATION_INIT;
    sal_tensor x = SAL_TENSOR_INIT; /* one for each input of the model */
    sal_model *model = NULL;
    sal_error err;
    int status = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: why_not MODEL.onnx INPUT.npy MAP.npy\n");
        return 2;
    }
    opts.method = "grad-cam";
    if (sal_model_open(&model, argv[1], &err) == SAL_OK &&
        sal_npy_read(&x, argv[2], &err) == SAL_OK &&
        sal_explain(&e, model, &x, &question, NULL, &opts, NULL, &err) == SAL_OK &&
        sal_npy_write(&e.map, argv[3], &err) == SAL_OK) {
        printf("%s shows %s: T(x) = %g\n", argv[3], e.layer, e.target[0]);
        status = 0;
    } else {
        fprintf(stderr, "%s\n", err.msg);
    }
    sal_explanation_free(&e);
    sal_tensor_free(&x);
    sal_model_free(model);
    return status;
}
