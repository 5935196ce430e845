/* Test cases of operators (support/op_case.h). */
#include "support/op_case.h"
#include "ops/builder.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const struct {
    const char *name;
    sal_dtype dtype;
} case_types[] = {
    {"f32", SAL_F32}, {"f64", SAL_F64}, {"f16", SAL_F16}, {"bf16", SAL_BF16}, {"bool", SAL_BOOL},
    {"i8", SAL_I8},   {"i16", SAL_I16}, {"i32", SAL_I32}, {"i64", SAL_I64},   {"u8", SAL_U8},
    {"u16", SAL_U16}, {"u32", SAL_U32}, {"u64", SAL_U64},
};

static bool case_fail(const op_case *c, const char *what, const char *at, sal_error *err)
{
    sal_fail(err, SAL_EFORMAT, "case \"%s\" of %s: %s at \"%.40s\"", c->text, c->op->name, what,
             at);
    return false;
}

/* Next word: up to a space outside of brackets and quotes. NULL at the end. */
static char *case_word(op_case *c, const char **p)
{
    const char *s = *p;
    int depth = 0;
    bool quoted = false;
    while (*s == ' ')
        s++;
    const char *from = s;
    for (; *s != '\0' && (depth > 0 || quoted || *s != ' '); s++) {
        if (*s == '"')
            quoted = !quoted;
        depth += *s == '[' || *s == '{';
        depth -= *s == ']' || *s == '}';
    }
    *p = s;
    return s == from ? NULL : sal_arena_strndup(&c->arena, from, (size_t)(s - from));
}

/* ---- inputs ---- */

static bool case_dims(op_case *c, op_case_input *in, char **s, sal_error *err)
{
    char *p = *s;
    if (*p++ != '[')
        return case_fail(c, "'[' expected", *s, err);
    while (*p != ']') {
        char *end;
        if (in->rank == SAL_MAX_RANK || !isdigit((unsigned char)*p))
            return case_fail(c, "dimension expected", p, err);
        in->dims[in->rank++] = strtoll(p, &end, 10);
        p = *end == ',' ? end + 1 : end;
    }
    *s = p + 1;
    return true;
}

static bool case_input(op_case *c, char *word, sal_error *err)
{
    if (c->n_in == OP_CASE_MAX)
        return case_fail(c, "too many inputs", word, err);
    op_case_input *in = &c->in[c->n_in++];
    *in = (op_case_input){.lo = -1.0, .hi = 1.0};
    if (strcmp(word, "_") == 0) {
        in->omitted = true;
        return true;
    }
    size_t len = strcspn(word, "[");
    for (size_t i = 0; i < SAL_COUNTOF(case_types); i++)
        if (strlen(case_types[i].name) == len && strncmp(word, case_types[i].name, len) == 0)
            in->dtype = case_types[i].dtype;
    if (in->dtype == SAL_DT_NONE)
        return case_fail(c, "element type expected", word, err);
    char *p = word + len;
    if (!case_dims(c, in, &p, err))
        return false;
    in->is_const = !sal_dtype_is_float(in->dtype);
    in->wrt = !in->is_const;
    if (*p == ':') {
        char *dots = strstr(p, "..");
        if (dots == NULL)
            return case_fail(c, "lo..hi expected", p, err);
        *dots = '\0';
        in->lo = strtod(p + 1, NULL);
        in->hi = strtod(dots + 2, &p);
    } else if (*p == '{') {
        char *close = strchr(p, '}');
        if (close == NULL)
            return case_fail(c, "'}' expected", p, err);
        *close = '\0';
        in->values = p + 1;
        p = close + 1;
    }
    return *p == '\0' || case_fail(c, "unexpected text", p, err);
}

/* ---- attributes ---- */

static bool case_is_float(const char *s)
{
    return strpbrk(s, ".eE") != NULL || strstr(s, "inf") != NULL;
}

/* ["Relu","Tanh"] */
static bool case_texts(op_case *c, sal_attr *a, char *s, sal_error *err)
{
    const char **list = sal_arena_alloc(&c->arena, strlen(s) * sizeof *list);
    if (list == NULL)
        return case_fail(c, "out of memory", s, err);
    for (char *p = strchr(s, '"'); p != NULL; p = strchr(p + 1, '"')) {
        char *end = strchr(p + 1, '"');
        if (end == NULL)
            return case_fail(c, "closing quote expected", p, err);
        *end = '\0';
        list[a->n++] = p + 1;
        p = end;
    }
    a->kind = SAL_ATTR_STRINGS;
    a->strings = list;
    return true;
}

static bool case_list(op_case *c, sal_attr *a, char *s, sal_error *err)
{
    if (s[1] == '"')
        return case_texts(c, a, s, err);
    bool real = case_is_float(s);
    int64_t *ints = sal_arena_alloc(&c->arena, strlen(s) * sizeof *ints);
    double *floats = sal_arena_alloc(&c->arena, strlen(s) * sizeof *floats);
    if (ints == NULL || floats == NULL)
        return case_fail(c, "out of memory", s, err);
    char *p = s + 1;
    while (*p != ']' && *p != '\0') {
        char *end;
        if (real)
            floats[a->n] = strtod(p, &end);
        else
            ints[a->n] = strtoll(p, &end, 10);
        if (end == p)
            return case_fail(c, "number expected", p, err);
        a->n++;
        p = *end == ',' ? end + 1 : end;
    }
    a->kind = real ? SAL_ATTR_FLOATS : SAL_ATTR_INTS;
    a->ints = real ? NULL : ints;
    a->floats = real ? floats : NULL;
    return true;
}

static bool case_attr(op_case *c, char *word, sal_error *err)
{
    char *value = strchr(word, '=');
    if (value == NULL || c->n_attr == OP_CASE_MAX)
        return case_fail(c, "attribute=value expected", word, err);
    sal_attr *a = &c->attr[c->n_attr++];
    *value++ = '\0';
    *a = (sal_attr){.name = word};
    if (*value == '[')
        return case_list(c, a, value, err);
    if (*value == '"') {
        size_t len = strlen(value);
        if (len < 2 || value[len - 1] != '"')
            return case_fail(c, "closing quote expected", value, err);
        value[len - 1] = '\0';
        a->kind = SAL_ATTR_STRING;
        a->s = value + 1;
        a->n = len - 2;
        return true;
    }
    char *end;
    if (case_is_float(value)) {
        a->kind = SAL_ATTR_FLOAT;
        a->f = strtod(value, &end);
    } else {
        a->kind = SAL_ATTR_INT;
        a->i = strtoll(value, &end, 10);
    }
    return (end != value && *end == '\0') || case_fail(c, "number expected", value, err);
}

/* ---- options ---- */

/* "0,2" as flags. */
static void case_flags(const char *s, bool *flags)
{
    memset(flags, 0, OP_CASE_MAX * sizeof *flags);
    while (*s != '\0') {
        char *end;
        long i = strtol(s, &end, 10);
        if (end == s)
            break;
        if (i >= 0 && i < OP_CASE_MAX)
            flags[i] = true;
        s = *end == ',' ? end + 1 : end;
    }
}

static bool case_option(op_case *c, const char *word, sal_error *err)
{
    bool flags[OP_CASE_MAX];
    if (strncmp(word, "out=", 4) == 0) {
        c->n_out = (int)strtol(word + 4, NULL, 10);
        return (c->n_out >= 1 && c->n_out <= OP_CASE_MAX) ||
               case_fail(c, "outputs out of range", word, err);
    }
    if (strncmp(word, "wrt=", 4) == 0) {
        case_flags(word + 4, flags);
        for (int i = 0; i < c->n_in; i++)
            c->in[i].wrt = flags[i];
        return true;
    }
    if (strncmp(word, "const=", 6) == 0) {
        case_flags(word + 6, flags);
        for (int i = 0; i < c->n_in; i++) {
            c->in[i].is_const = flags[i] || !sal_dtype_is_float(c->in[i].dtype);
            c->in[i].wrt = c->in[i].wrt && !flags[i];
        }
        return true;
    }
    if (strcmp(word, "nograd") == 0)
        return c->nograd = true;
    if (strcmp(word, "nofd2") == 0)
        return c->nofd2 = true;
    if (strcmp(word, "noort") == 0)
        return c->noort = true;
    return case_fail(c, "unknown option", word, err);
}

bool op_case_parse(op_case *c, const sal_op_desc *op, const char *text, sal_error *err)
{
    *c = (op_case){.op = op, .text = text, .n_out = 1};
    const char *p = text;
    for (int section = 0; section < 3; section++) {
        for (char *word = case_word(c, &p); word != NULL; word = case_word(c, &p)) {
            if (strcmp(word, ";") == 0)
                break;
            bool ok = section == 0   ? case_input(c, word, err)
                      : section == 1 ? case_attr(c, word, err)
                                     : case_option(c, word, err);
            if (!ok)
                return false;
        }
    }
    return *p == '\0' || case_fail(c, "text after the options", p, err);
}

void op_case_free(op_case *c)
{
    sal_arena_free(&c->arena);
}

/* ---- tensors and graphs ---- */

static sal_status case_given(const op_case *c, const char *s, sal_tensor *t, sal_error *err)
{
    int64_t n = sal_tensor_count(t), k = 0;
    double v = 0.0;
    while (*s != '\0') {
        char *end;
        v = strtod(s, &end);
        if (end == s || k >= n)
            return sal_fail(err, SAL_EFORMAT, "case \"%s\" of %s: bad list of values", c->text,
                            c->op->name);
        if (t->dtype == SAL_I64)
            ((int64_t *)t->data)[k] = strtoll(s, NULL, 10);
        else if (t->dtype == SAL_U64)
            ((uint64_t *)t->data)[k] = strtoull(s, NULL, 10);
        else
            sal_tensor_set(t, k, v);
        k++;
        s = *end == ',' ? end + 1 : end;
    }
    if (k == 1) /* one value for all */
        for (; k < n; k++)
            sal_tensor_set(t, k, v);
    return k == n ? SAL_OK
                  : sal_fail(err, SAL_EFORMAT, "case \"%s\" of %s: too few values", c->text,
                             c->op->name);
}

/* Floats are drawn one from each of n equal cells of the range, in random order, and keep clear of
 * 0: finite differences must not cross the kinks of Relu or change the winner of a maximum. */
static sal_status case_random(const op_case_input *in, uint64_t seed, uint64_t stream,
                              sal_tensor *out, sal_error *err)
{
    int64_t n = sal_tensor_count(out);
    int64_t *cell = sal_calloc((size_t)SAL_MAX(n, 1), sizeof *cell);
    sal_rng rng = sal_rng_seed(seed, stream);
    if (cell == NULL)
        return sal_fail_nomem(err);
    for (int64_t k = 0; k < n; k++) {
        int64_t j = (int64_t)(sal_rng_uniform(&rng) * (double)(k + 1));
        cell[k] = cell[j];
        cell[j] = k;
    }
    for (int64_t k = 0; k < n; k++) {
        double u = sal_rng_uniform(&rng), v;
        if (sal_dtype_is_float(out->dtype)) {
            v = in->lo + ((double)cell[k] + 0.2 + 0.6 * u) / (double)n * (in->hi - in->lo);
            if (v > -1e-3 && v < 1e-3)
                v = v < 0.0 ? v - 1e-3 : v + 1e-3;
            sal_tensor_set(out, k, (double)(float)v);
        } else if (out->dtype == SAL_BOOL) {
            sal_tensor_set(out, k, u < 0.5);
        } else {
            sal_tensor_set(out, k, (double)(int64_t)(in->lo + u * (in->hi - in->lo + 1.0)));
        }
    }
    sal_free(cell);
    return SAL_OK;
}

sal_status op_case_tensor(const op_case *c, int i, sal_dtype real, uint64_t seed, sal_tensor *out,
                          sal_error *err)
{
    const op_case_input *in = &c->in[i];
    sal_dtype dtype = in->dtype == SAL_F32 ? real : in->dtype;
    sal_status st = sal_tensor_new(out, dtype, in->rank, in->dims, err);
    if (st != SAL_OK)
        return st;
    if (in->values != NULL)
        return case_given(c, in->values, out, err);
    return case_random(in, seed, (uint64_t)i, out, err);
}

/* Dynamic: equal lengths get equal symbols, as in a model whose inputs share a batch. */
static sal_status case_graph_input(const op_case *c, sal_graph *g, const char *name,
                                   const sal_tensor *t, sal_vid *out, sal_error *err)
{
    int64_t dims[SAL_MAX_RANK];
    char symbol[32];
    memcpy(dims, t->dims, sizeof dims);
    if (c->dynamic && t->rank > 0 && dims[0] > 1) {
        snprintf(symbol, sizeof symbol, "N%lld", (long long)dims[0]);
        dims[0] = sal_dim_symbol(g, symbol);
    }
    return sal_graph_input(g, name, t->dtype, t->rank, dims, out, err);
}

sal_status op_case_graph(const op_case *c, sal_dtype real, uint64_t seed, sal_graph **out,
                         sal_node **node, sal_vid *ids, sal_tensor *inputs, sal_error *err)
{
    sal_graph *g = NULL;
    sal_vid in[OP_CASE_MAX], made[OP_CASE_MAX];
    sal_tensor t = SAL_TENSOR_INIT;
    int n_inputs = 0;
    char name[32];
    sal_status st;
    SAL_TRY(sal_graph_new(&g, c->op->name, err));
    for (int i = 0; i < c->n_in; i++) {
        in[i] = SAL_NONE;
        if (c->in[i].omitted)
            continue;
        snprintf(name, sizeof name, "in%d", i);
        SAL_TRY(op_case_tensor(c, i, real, seed, &t, err));
        if (c->in[i].is_const) {
            SAL_TRY(sal_graph_constant(g, name, &t, &in[i], err));
            sal_tensor_free(&t);
        } else {
            SAL_TRY(case_graph_input(c, g, name, &t, &in[i], err));
            sal_tensor empty = SAL_TENSOR_INIT;
            inputs[n_inputs++] = t;
            t = empty;
        }
    }
    for (int i = 0; i < c->n_out; i++) {
        snprintf(name, sizeof name, "out%d", i);
        SAL_TRY(sal_graph_value(g, name, NULL, &made[i], err));
    }
    SAL_TRY(sal_graph_node(g, c->op, "node", c->n_in, in, c->n_out, made, c->n_attr, c->attr, node,
                           err));
    SAL_TRY(sal_node_infer(g, *node, err));
    for (int i = 0; i < c->n_out; i++)
        SAL_TRY(sal_graph_add_output(g, made[i], err));
    if (ids != NULL)
        memcpy(ids, in, (size_t)c->n_in * sizeof *ids);
    *out = g;
    g = NULL;
done:
    sal_tensor_free(&t);
    sal_graph_free(g);
    return st;
}

sal_status op_case_seed(sal_graph *g, sal_vid like, uint64_t seed, uint64_t stream, sal_vid *out,
                        sal_tensor *t, sal_error *err)
{
    const sal_value *v = sal_val(g, like);
    char name[32];
    snprintf(name, sizeof name, "seed%zu", g->n_inputs);
    sal_status st = sal_graph_input(g, name, v->dtype, v->rank, v->dims, out, err);
    if (st == SAL_OK)
        st = sal_tensor_new(t, v->dtype, v->rank, v->dims, err);
    sal_rng rng = sal_rng_seed(seed, 1000 + stream);
    for (int64_t i = 0; st == SAL_OK && i < sal_tensor_count(t); i++)
        sal_tensor_set(t, i, 2.0 * sal_rng_uniform(&rng) - 1.0);
    return st;
}
