/* Gradients at random places between random baselines and the input. */
#ifndef SAL_EXPLAIN_SHAP_H
#define SAL_EXPLAIN_SHAP_H

#include "explain/method.h"

/* Parameters `samples`, `baseline`, `spread` and, where the method has it, `noise`. */
sal_status sal_shap_build(sal_method_build *m);
sal_status sal_shap_run(sal_method_run *r);
sal_status sal_shap_export(sal_method_build *m);

#endif
