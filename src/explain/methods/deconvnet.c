/* Deconvnet: rectifiers rectify the gradient itself, whatever their input was. */
#include "explain/methods.h"

static sal_status deconvnet_build(sal_method_build *m)
{
    sal_build_note_rectifiers(m);
    m->saliency = sal_build_gradient(m, m->target->input);
    return m->b->st;
}

const sal_method_desc sal_method_deconvnet = {
    .info = {.name = "deconvnet",
             .title = "Deconvnet",
             .reference = "Zeiler and Fergus, 2014, arXiv:1311.2901",
             .kind = SAL_METHOD_ATTRIBUTION,
             .is_signed = true,
             .exportable = true,
             .aliases = "deconvolution"},
    .rules = "deconvnet",
    .build = deconvnet_build,
};
