/* The list of passes and their order. */
#include "graph/passes/passes.h"

static const sal_pass passes_list[] = {
    {"dce", "drop what no output needs", sal_pass_dce},
    {"identity", "drop nodes that change nothing", sal_pass_identity},
    {"cse", "compute equal things once", sal_pass_cse},
    {"recognise", "find written-out Gelu, LayerNormalization, Swish, HardSwish",
     sal_pass_recognise},
    {"narrow", "compute only the row that is picked", sal_pass_narrow},
    {"bn", "fold scales and shifts into the convolution before", sal_pass_bn},
};

size_t sal_pass_count(void)
{
    return SAL_COUNTOF(passes_list);
}

const sal_pass *sal_pass_at(size_t i)
{
    return i < SAL_COUNTOF(passes_list) ? &passes_list[i] : NULL;
}

/* Folding uncovers identities, identities uncover equal nodes; a second round finds little and
 * costs little. */
sal_status sal_pass_all(sal_graph *g, const sal_fold *how, sal_error *err)
{
    sal_status st = SAL_OK;
    for (int round = 0; round < 2; round++) {
        SAL_TRY(sal_pass_dce(g, err));
        SAL_TRY(sal_pass_fold(g, how, err));
        SAL_TRY(sal_pass_identity(g, err));
        SAL_TRY(sal_pass_cse(g, err));
        SAL_TRY(sal_pass_recognise(g, err));
        SAL_TRY(sal_pass_bn(g, err));
    }
    SAL_TRY(sal_pass_dce(g, err));
done:
    return st;
}
