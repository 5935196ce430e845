/* Declarations of every method, from the table. */
#ifndef SAL_EXPLAIN_METHODS_H
#define SAL_EXPLAIN_METHODS_H

#include "explain/method.h"

#define SAL_METHOD(id) extern const sal_method_desc sal_method_##id;
#include "explain/methods.def"
#undef SAL_METHOD

#endif
