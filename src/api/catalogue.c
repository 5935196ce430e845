/* The tables for listings. */
#include "api/api.h"

#include "exec/cache_tiles.h"
#include "format/language/language.h"

#include "diff/diff.h"
#include "graph/op.h"

#include <string.h>

const char *api_derivative(const sal_op_desc *op)
{
    if ((op->flags & SAL_OP_NOGRAD) != 0)
        return "zero";
    if (op->vjp != NULL)
        return "own";
    return op->expand != NULL ? "expansion" : "none";
}

static const char *catalogue_domain(const sal_op_desc *op)
{
    return op->domain == NULL || op->domain[0] == '\0' ? "ai.onnx" : op->domain;
}

size_t sal_op_info_count(void)
{
    return sal_op_count();
}

bool sal_op_info_at(size_t i, sal_op_info *out)
{
    const sal_op_desc *op = i < sal_op_count() ? sal_op_at(i) : NULL;

    if (op == NULL)
        return false;
    *out = (sal_op_info){.name = op->name,
                         .domain = catalogue_domain(op),
                         .internal = strcmp(catalogue_domain(op), SAL_DOMAIN_INTERNAL) == 0,
                         .since = op->since,
                         .min_inputs = op->min_in,
                         .max_inputs = op->max_in,
                         .derivative = api_derivative(op)};
    return true;
}

size_t sal_rule_count(void)
{
    return sal_rules_count();
}

bool sal_rule_at(size_t i, sal_rule_info *out)
{
    const sal_rules_desc *r = i < sal_rules_count() ? sal_rules_at(i) : NULL;

    if (r == NULL)
        return false;
    *out = (sal_rule_info){r->name, r->help};
    return true;
}

static const sal_target_info catalogue_targets[] = {
    {"INDEX", "207", "a class by its number, from 0"},
    {"LABEL", "golden retriever", "a class by its name"},
    {"KIND", "dog",
     "what classes are a kind of, by name or WordNet id: the likeliest of them is taken"},
    {"WNID", "n02099601", "a class by its WordNet id"},
    {"top", "top", "the class with the largest logit; top2 is the second, and so on"},
    {"I,J,..", "12,40", "an element of an output that is no list of classes"},
    {"NAME[I,J,..]", "mask[0,12,40]",
     "the same; the name of an output chooses that output. Fewer indices: all behind them"},
    {"NAME[A:B,:,..]", "logits[3:7,1234]",
     "the mean over a range of elements: tokens, pixels, rows of a detector; : is all of an axis"},
    {"sum(NAME[..])", "sum(mask[1,10:20,:])", "the sum in place of the mean"},
};

size_t sal_target_count(void)
{
    return SAL_COUNTOF(catalogue_targets);
}

bool sal_target_at(size_t i, sal_target_info *out)
{
    if (i >= SAL_COUNTOF(catalogue_targets))
        return false;
    *out = catalogue_targets[i];
    return true;
}

size_t sal_policy_count(void)
{
    return sal_cache_policy_count();
}

bool sal_policy_at(size_t i, sal_policy_info *out)
{
    enum { SIZE = 64 };
    const sal_cache_policy *p = sal_cache_policy_at(i);

    if (p == NULL)
        return false;
    *out = (sal_policy_info){
        p->name, p->what,
        8.0 *
            (double)(sal_cache_tile_bytes(p->keys, SIZE) + sal_cache_tile_bytes(p->values, SIZE)) /
            (2.0 * SIZE * SAL_CACHE_TILE)};
    return true;
}

size_t sal_architecture_info_count(void)
{
    return sal_architecture_count();
}

bool sal_architecture_info_at(size_t i, sal_architecture_info *out)
{
    const sal_architecture *a = sal_architecture_at(i);

    if (a == NULL)
        return false;
    *out = (sal_architecture_info){a->name, a->what};
    return true;
}
