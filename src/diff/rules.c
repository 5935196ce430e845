/* The table of rule sets. */
#include "diff/rules.h"
#include "ops/builder.h"

static const sal_rules_desc *const rules_table[] = {
#define SAL_RULE(id) &sal_rules_##id,
#include "diff/rules.def"
#undef SAL_RULE
};

size_t sal_rules_count(void)
{
    return SAL_COUNTOF(rules_table);
}

const sal_rules_desc *sal_rules_at(size_t i)
{
    return i < SAL_COUNTOF(rules_table) ? rules_table[i] : NULL;
}

const sal_rules_desc *sal_rules_find(const char *name)
{
    for (size_t i = 0; i < SAL_COUNTOF(rules_table); i++) {
        if (strcmp(rules_table[i]->name, name) == 0)
            return rules_table[i];
    }
    return NULL;
}

/* Small beside anything that matters, large enough for relevance divided by it to be finite. */
sal_vid sal_rule_value(sal_builder *b, const sal_rules_desc *desc, sal_vid x)
{
    if (b->st != SAL_OK || desc->by_role[SAL_ROLE_BEFORE] == NULL)
        return x;
    double least = sal_val(b->g, x)->dtype == SAL_F16 ? 1e-4 : 1e-12;
    sal_vid zero = sal_b2(b, "Less", sal_b1(b, "Abs", x), sal_b_like(b, x, least));
    return sal_b3(b, "Where", zero, sal_b_like(b, x, least), x);
}

sal_status sal_rule_note(const sal_rules *rules, const char *text, sal_error *err)
{
    if (rules->notes == NULL || (rules->notes->len > 0 && strstr(rules->notes->data, text) != NULL))
        return SAL_OK;
    return sal_bytes_printf(rules->notes, err, "%s%s", rules->notes->len > 0 ? "; " : "", text);
}
