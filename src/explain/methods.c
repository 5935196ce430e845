/* The table of methods, and what their graphs share. */
#include "explain/methods.h"

static const sal_method_desc *const methods_table[] = {
#define SAL_METHOD(id) &sal_method_##id,
#include "explain/methods.def"
#undef SAL_METHOD
};

static bool methods_alias(const char *aliases, const char *name)
{
    size_t n = strlen(name);

    while (aliases != NULL && *aliases != '\0') {
        size_t length = strcspn(aliases, " ");

        if (length == n && memcmp(aliases, name, n) == 0)
            return true;
        aliases += length;
        aliases += strspn(aliases, " ");
    }
    return false;
}

const sal_method_desc *sal_method_desc_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < SAL_COUNTOF(methods_table); i++) {
        if (strcmp(methods_table[i]->info.name, name) == 0)
            return methods_table[i];
    }
    for (size_t i = 0; name != NULL && i < SAL_COUNTOF(methods_table); i++) {
        if (methods_alias(methods_table[i]->info.aliases, name))
            return methods_table[i];
    }
    return NULL;
}

size_t sal_method_count(void)
{
    return SAL_COUNTOF(methods_table);
}

const sal_method_info *sal_method_at(size_t i)
{
    return i < SAL_COUNTOF(methods_table) ? &methods_table[i]->info : NULL;
}

const sal_method_info *sal_method_find(const char *name)
{
    const sal_method_desc *d = sal_method_desc_find(name);

    return d == NULL ? NULL : &d->info;
}

const char *sal_method_kind_name(sal_method_kind kind)
{
    switch (kind) {
    case SAL_METHOD_ATTRIBUTION:
        return "attribution";
    case SAL_METHOD_CAM:
        return "cam";
    case SAL_METHOD_PERTURBATION:
        return "perturbation";
    }
    return "unknown";
}

double sal_method_param(const sal_method_desc *d, const double *params, const char *name)
{
    for (size_t i = 0; i < d->info.n_params; i++) {
        if (strcmp(d->info.params[i].name, name) == 0)
            return params[i];
    }
    return 0.0;
}

/* Parameters of a method that are those of its rules, by name. */
static void methods_rule_params(const sal_method_build *m, sal_rule_params *p)
{
    const struct {
        const char *name;
        double *value;
    } known[] = {{"epsilon", &p->epsilon}, {"gamma", &p->gamma}, {"alpha", &p->alpha},
                 {"beta", &p->beta},       {"low", &p->low},     {"high", &p->high}};

    for (size_t i = 0; i < m->method->info.n_params; i++) {
        const char *name = m->method->info.params[i].name;

        for (size_t k = 0; k < SAL_COUNTOF(known); k++) {
            if (strcmp(name, known[k].name) == 0)
                *known[k].value = m->params[i];
        }
        if (strcmp(name, "contrastive") == 0)
            p->contrastive = m->params[i] != 0.0;
    }
}

void sal_build_gradients(sal_method_build *m, const char *set, int n, const sal_vid *wrt,
                         sal_vid *grads)
{
    sal_builder *b = m->b;
    sal_rules rules = {.desc = sal_rules_find(set == NULL ? "gradient" : set),
                       .notes = m->notes,
                       .pair = m->pair,
                       .n_pair = m->n_pair};
    sal_vid logits = m->target->logits, seed = m->target->seed;

    rules.p = rules.desc->params;
    methods_rule_params(m, &rules.p);
    if (rules.desc->unit)
        seed = sal_b2(b, "Div", seed, sal_rule_value(b, rules.desc, logits));
    if (b->st == SAL_OK)
        b->st = sal_differentiate(b->g, 1, &logits, &seed, n, wrt, &rules, grads, b->err);
    for (int i = 0; i < n && b->st == SAL_OK && rules.desc->relevance; i++)
        grads[i] = sal_b2(b, "Mul", sal_rule_value(b, rules.desc, wrt[i]), grads[i]);
    for (int i = 0; i < n && b->st != SAL_OK; i++)
        grads[i] = SAL_NONE;
}

sal_vid sal_build_gradient(sal_method_build *m, sal_vid wrt)
{
    sal_vid grad = SAL_NONE;

    sal_build_gradients(m, m->method->rules, 1, &wrt, &grad);
    return grad;
}

sal_status sal_build_attribution(sal_method_build *m)
{
    m->saliency = sal_build_gradient(m, m->target->input);
    return m->b->st;
}

void sal_build_note_rectifiers(sal_method_build *m)
{
    sal_graph *g = m->b->g;

    for (size_t i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i]->op->name, "Relu") == 0 ||
            strcmp(g->nodes[i]->op->name, "Clip") == 0)
            return;
    }
    if (m->b->st == SAL_OK && m->notes != NULL)
        m->b->st = sal_bytes_printf(m->notes, m->b->err,
                                    "%sthe model has no rectifiers: this is the gradient",
                                    m->notes->len > 0 ? "; " : "");
}

void sal_build_layer(sal_method_build *m, sal_vid *activations, sal_vid *gradient)
{
    sal_vid g = sal_build_gradient(m, m->layer->value);

    *activations = sal_layer_grid(m->b, m->layer, m->layer->value);
    *gradient = sal_layer_grid(m->b, m->layer, g);
}

/* int64 [N, 1, height, width] for a map [N, 1, h, w]. */
static sal_vid methods_size(sal_builder *b, sal_vid map, int64_t height, int64_t width)
{
    const sal_value *v = sal_val(b->g, map);
    int64_t dims[4] = {v->dims[0], 1, height, width};

    if (v->dims[0] >= 0)
        return sal_b_ints(b, dims, 4);
    sal_attr first[] = {SAL_AI("start", 0), SAL_AI("end", 1)};
    sal_vid parts[2] = {sal_b_op(b, "Shape", 1, &map, 2, first), sal_b_ints(b, dims + 1, 3)};
    return b->st == SAL_OK ? sal_b_concat(b, 2, parts, 0) : SAL_NONE;
}

sal_vid sal_build_enlarged(sal_method_build *m, sal_vid map)
{
    static const int64_t channel = 1;
    sal_builder *b = m->b;
    int64_t height = m->target->height, width = m->target->width;

    if (b->st != SAL_OK || height <= 0 || width <= 0 ||
        (sal_val(b->g, map)->dims[1] == height && sal_val(b->g, map)->dims[2] == width))
        return map;
    sal_vid x = sal_b_unsqueeze(b, map, 1, &channel);
    if (b->st != SAL_OK)
        return SAL_NONE;
    sal_attr attr[] = {SAL_AS("mode", "linear"),
                       SAL_AS("coordinate_transformation_mode", "half_pixel")};
    sal_vid in[4] = {x, SAL_NONE, SAL_NONE, methods_size(b, x, height, width)};
    x = sal_b_op(b, "Resize", 4, in, 2, attr);
    return sal_b_squeeze(b, x, 1, &channel);
}

void sal_build_cam(sal_method_build *m, sal_vid map)
{
    m->layer_map = sal_b1(m->b, "Relu", map);
    m->saliency = sal_build_enlarged(m, m->layer_map);
}
