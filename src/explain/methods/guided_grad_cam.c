/* Guided Grad-CAM: guided backpropagation times the map of Grad-CAM, brought to the input's size.
 */
#include "explain/methods.h"

static sal_status guided_grad_cam_build(sal_method_build *m)
{
    static const int64_t space[] = {2, 3}, channels = 1, last = 3;
    sal_builder *b = m->b;
    sal_vid layer = m->layer->value, x = m->target->input, g = SAL_NONE, guided = SAL_NONE;

    sal_build_note_rectifiers(m);
    sal_build_gradients(m, NULL, 1, &layer, &g);
    sal_build_gradients(m, "guided", 1, &x, &guided);
    if (b->st != SAL_OK)
        return b->st;
    if (m->target->height < 1 || m->target->width < 1)
        return b->st = sal_fail(b->err, SAL_EUNSUPPORTED,
                                "guided-grad-cam needs a picture as input; take guided-backprop");
    sal_vid a = sal_layer_grid(b, m->layer, layer);
    sal_vid w = sal_b_reduce(b, "ReduceMean", sal_layer_grid(b, m->layer, g), 2, space, true);
    sal_build_cam(m, sal_b_reduce(b, "ReduceSum", sal_b2(b, "Mul", w, a), 1, &channels, false));
    sal_vid cam = sal_b_unsqueeze(b, m->saliency, 1, m->target->nhwc ? &last : &channels);
    m->saliency = sal_b2(b, "Mul", guided, cam);
    return b->st;
}

const sal_method_desc sal_method_guided_grad_cam = {
    .info = {.name = "guided-grad-cam",
             .title = "Guided Grad-CAM",
             .reference = "Selvaraju et al., 2017, arXiv:1610.02391",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .wants_layer = true},
    .build = guided_grad_cam_build,
};
