/* The table of rule sets. */
#include "diff/rules.h"

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

sal_status sal_rule_note(const sal_rules *rules, const char *text, sal_error *err)
{
    if (rules->notes == NULL || (rules->notes->len > 0 && strstr(rules->notes->data, text) != NULL))
        return SAL_OK;
    return sal_bytes_printf(rules->notes, err, "%s%s", rules->notes->len > 0 ? "; " : "", text);
}
