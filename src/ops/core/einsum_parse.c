/* Equations of Einsum. */
#include "ops/core/einsum_parse.h"

int sal_einsum_find(const sal_einsum_term *t, int label)
{
    for (int i = 0; i < t->n; i++)
        if (t->label[i] == label)
            return i;
    return -1;
}

static int einsum_letter(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}

/* One term of the equation, up to ',' or '-' or the end. `dots` is the number of axes that its
 * ellipsis stands for; -1: whatever is left of `rank`. */
static sal_status einsum_term(sal_einsum_term *t, const char **text, int rank, int *dots,
                              bool *has_dots, sal_error *err)
{
    int letters = 0, n_dots = *dots;
    const char *p = *text;
    bool seen = false;

    for (const char *q = p; *q != '\0' && *q != ',' && *q != '-'; q++)
        letters += einsum_letter(*q) >= 0;
    if (n_dots < 0)
        n_dots = rank - letters;
    t->n = 0;
    for (; *p != '\0' && *p != ',' && *p != '-'; p++) {
        int label = einsum_letter(*p);
        if (*p == ' ')
            continue;
        if (label >= 0) {
            if (t->n >= SAL_MAX_RANK)
                return sal_fail(err, SAL_EUNSUPPORTED,
                                "a term of the equation has more than %d axes", SAL_MAX_RANK);
            t->label[t->n++] = label;
        } else if (strncmp(p, "...", 3) == 0 && !seen) {
            if (n_dots < 0 || t->n + n_dots > SAL_MAX_RANK)
                return sal_fail(err, SAL_ESHAPE,
                                "a term of the equation does not fit its input of rank %d", rank);
            for (int i = n_dots - 1; i >= 0; i--)
                t->label[t->n++] = 52 + i;
            seen = true;
            p += 2;
        } else {
            return sal_fail(err, SAL_EINVAL, "unexpected '%c' in the equation", *p);
        }
    }
    *has_dots = seen;
    *dots = seen ? n_dots : 0;
    *text = p;
    return SAL_OK;
}

static void einsum_implicit(sal_einsum *e, int dots)
{
    e->out.n = 0;
    for (int i = dots - 1; i >= 0; i--)
        e->out.label[e->out.n++] = 52 + i;
    for (int l = 0; l < 52; l++) {
        int count = 0;
        for (int i = 0; i < e->n_in; i++)
            for (int k = 0; k < e->in[i].n; k++)
                count += e->in[i].label[k] == l;
        if (count == 1 && e->out.n < SAL_MAX_RANK)
            e->out.label[e->out.n++] = l;
    }
}

/* Sizes of the labels: equal, or 1 where an input broadcasts; a number wins over a symbol. */
static sal_status einsum_sizes(sal_einsum *e, const int64_t *const *dims, sal_error *err)
{
    for (int l = 0; l < SAL_EINSUM_LABELS; l++)
        e->size[l] = 1;
    for (int i = 0; i < e->n_in; i++) {
        for (int k = 0; k < e->in[i].n; k++) {
            int l = e->in[i].label[k];
            int64_t d = dims[i][k], first = dims[i][sal_einsum_find(&e->in[i], l)];
            e->used[l] = true;
            if (d != first && d >= 0 && first >= 0)
                return sal_fail(err, SAL_ESHAPE,
                                "a diagonal of the equation has the sizes %lld and %lld",
                                (long long)first, (long long)d);
            if (d == 1 || d == e->size[l])
                continue;
            if (e->size[l] != 1 && e->size[l] >= 0 && d >= 0)
                return sal_fail(err, SAL_ESHAPE,
                                "one index of the equation has the sizes %lld and %lld",
                                (long long)e->size[l], (long long)d);
            if (e->size[l] == 1 || d >= 0)
                e->size[l] = d;
        }
    }
    return SAL_OK;
}

sal_status sal_einsum_parse(sal_einsum *e, const char *equation, int n_in, const int *ranks,
                            const int64_t *const *dims, sal_error *err)
{
    const char *p = equation;
    int dots = 0;
    bool seen = false;
    sal_status st = SAL_OK;

    memset(e, 0, sizeof(*e));
    if (n_in < 1 || n_in > SAL_EINSUM_INPUTS)
        return sal_fail(err, SAL_EUNSUPPORTED, "%d inputs; 1 to %d are supported", n_in,
                        SAL_EINSUM_INPUTS);
    e->n_in = n_in;
    for (int i = 0; i < n_in; i++) {
        int own = -1;
        SAL_TRY(einsum_term(&e->in[i], &p, ranks[i], &own, &seen, err));
        if (e->in[i].n != ranks[i])
            return sal_fail(err, SAL_ESHAPE,
                            "input %d has rank %d but the equation gives it %d axes", i, ranks[i],
                            e->in[i].n);
        dots = SAL_MAX(dots, own);
        if (*p != (i + 1 < n_in ? ',' : *p == '-' ? '-' : '\0'))
            return sal_fail(err, SAL_EINVAL,
                            "the equation \"%.64s\" does not have a term for each of %d "
                            "inputs",
                            equation, n_in);
        p += *p == ',';
    }
    SAL_TRY(einsum_sizes(e, dims, err));
    if (*p == '\0') {
        einsum_implicit(e, dots);
        return SAL_OK;
    }
    if (p[1] != '>')
        return sal_fail(err, SAL_EINVAL, "the equation \"%.64s\" has a '-' without '>'", equation);
    p += 2;
    SAL_TRY(einsum_term(&e->out, &p, -1, &dots, &seen, err));
    if (*p != '\0')
        return sal_fail(err, SAL_EINVAL, "the equation \"%.64s\" goes on after its output",
                        equation);
    for (int k = 0; k < e->out.n; k++)
        if (!e->used[e->out.label[k]] || sal_einsum_find(&e->out, e->out.label[k]) != k)
            return sal_fail(err, SAL_EINVAL,
                            "an output index of the equation \"%.64s\" is repeated or in no "
                            "input",
                            equation);
done:
    return st;
}

sal_status sal_einsum_of_node(sal_einsum *e, const sal_graph *g, const sal_node *n, sal_error *err)
{
    int ranks[SAL_EINSUM_INPUTS];
    const int64_t *dims[SAL_EINSUM_INPUTS];
    for (int i = 0; i < n->n_in && i < SAL_EINSUM_INPUTS; i++) {
        const sal_value *v = n->in[i] == SAL_NONE ? NULL : sal_val(g, n->in[i]);
        if (v == NULL || v->rank < 0)
            return sal_fail(err, SAL_ESHAPE, "the rank of input %d is not known", i);
        ranks[i] = v->rank;
        dims[i] = v->dims;
    }
    return sal_einsum_parse(e, sal_node_str(n, "equation", ""), n->n_in, ranks, dims, err);
}

sal_status sal_einsum_text(char *buf, int n_in, const sal_einsum_term *in,
                           const sal_einsum_term *out, sal_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int name[2 * SAL_EINSUM_LABELS], n_names = 0;
    char *p = buf;

    for (size_t i = 0; i < SAL_COUNTOF(name); i++)
        name[i] = -1;
    for (int i = 0; i <= n_in; i++) {
        const sal_einsum_term *t = i < n_in ? &in[i] : out;
        if (i > 0 && i < n_in)
            *p++ = ',';
        if (i == n_in) {
            *p++ = '-';
            *p++ = '>';
        }
        for (int k = 0; k < t->n; k++) {
            int *at = &name[t->label[k]];
            if (*at < 0)
                *at = n_names++;
            if (*at >= 52)
                return sal_fail(err, SAL_EUNSUPPORTED, "an equation with more than 52 indices");
            *p++ = letters[*at];
        }
    }
    *p = '\0';
    return SAL_OK;
}
