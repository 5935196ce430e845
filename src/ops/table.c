/* The table of all operators, from ops.def. */
#include "ops/table.h"

static const sal_op_desc *const table_ops[] = {
#define SAL_OP(id) &sal_op_##id,
#include "ops/ops.def"
#undef SAL_OP
    NULL, /* keeps the array legal whatever ops.def holds */
};

size_t sal_op_count(void)
{
    return SAL_COUNTOF(table_ops) - 1;
}

const sal_op_desc *sal_op_at(size_t i)
{
    return i < sal_op_count() ? table_ops[i] : NULL;
}

/* A plain scan: a few hundred rows, most of which differ in the first letter, cost well under a
 * microsecond, and a constant table needs neither an initialiser nor a lock. */
const sal_op_desc *sal_op_find(const char *domain, const char *name)
{
    if (name == NULL)
        return NULL;
    if (domain == NULL || strcmp(domain, "ai.onnx") == 0)
        domain = SAL_DOMAIN_ONNX;
    for (size_t i = 0; i < sal_op_count(); i++) {
        const sal_op_desc *op = table_ops[i];
        if (op->name[0] != name[0] || strcmp(op->name, name) != 0)
            continue;
        const char *d = op->domain != NULL ? op->domain : SAL_DOMAIN_ONNX;
        if (strcmp(d, domain) == 0)
            return op;
    }
    return NULL;
}
