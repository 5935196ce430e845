/* Edits of the head of a GGUF file: counts, lengths, types, values, dimensions, offsets, names. */
#include "mutate.h"

enum { GGUF_FIELDS = 4096 };

typedef struct gguf_field {
    size_t at, n;
} gguf_field;

typedef struct gguf_walk {
    const sal_bytes *b;
    size_t at;
    bool ok;
    gguf_field fields[GGUF_FIELDS];
    size_t n_fields;
} gguf_walk;

static uint64_t gguf_walk_number(gguf_walk *w, size_t bytes)
{
    uint64_t v = 0;
    if (!w->ok || w->b->len - w->at < bytes) {
        w->ok = false;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)(uint8_t)w->b->data[w->at + i] << (8 * i);
    if (w->n_fields < GGUF_FIELDS)
        w->fields[w->n_fields++] = (gguf_field){w->at, bytes};
    w->at += bytes;
    return v;
}

static void gguf_walk_skip(gguf_walk *w, uint64_t n)
{
    if (!w->ok || n > w->b->len - w->at)
        w->ok = false;
    else
        w->at += (size_t)n;
}

static void gguf_walk_text(gguf_walk *w)
{
    uint64_t n = gguf_walk_number(w, 8);
    if (n > 0 && w->ok && n <= w->b->len - w->at && w->n_fields < GGUF_FIELDS)
        w->fields[w->n_fields++] = (gguf_field){w->at, n < 16 ? (size_t)n : 16};
    gguf_walk_skip(w, n);
}

static void gguf_walk_value(gguf_walk *w, uint64_t type)
{
    static const size_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8)
        gguf_walk_text(w);
    else if (type < 13 && type != 9)
        (void)gguf_walk_number(w, bytes[type]);
    else
        w->ok = false;
}

static void gguf_walk_all(gguf_walk *w)
{
    gguf_walk_skip(w, 4);
    (void)gguf_walk_number(w, 4);
    uint64_t tensors = gguf_walk_number(w, 8), pairs = gguf_walk_number(w, 8);
    for (uint64_t i = 0; i < pairs && w->ok; i++) {
        gguf_walk_text(w);
        uint64_t type = gguf_walk_number(w, 4), count = 1;
        if (type == 9) {
            type = gguf_walk_number(w, 4);
            count = gguf_walk_number(w, 8);
        }
        for (uint64_t k = 0; k < count && w->ok; k++)
            gguf_walk_value(w, type);
    }
    for (uint64_t i = 0; i < tensors && w->ok; i++) {
        gguf_walk_text(w);
        uint64_t rank = gguf_walk_number(w, 4);
        for (uint64_t k = 0; k < rank && w->ok; k++)
            (void)gguf_walk_number(w, 8);
        (void)gguf_walk_number(w, 4);
        (void)gguf_walk_number(w, 8);
    }
}

sal_status mutate_gguf(sal_rng *rng, const sal_bytes *other, sal_bytes *b)
{
    static gguf_walk w; /* large; the program has one thread */
    w = (gguf_walk){.b = b, .ok = true};
    gguf_walk_all(&w);
    if (w.n_fields == 0)
        return mutate_bytes(rng, other, b);
    gguf_field f = w.fields[mutate_below(rng, w.n_fields)],
               g = w.fields[mutate_below(rng, w.n_fields)];
    uint64_t v = 0;
    switch (mutate_below(rng, 6)) {
    case 0: /* an extreme number */
        v = (uint64_t)mutate_extreme(rng);
        break;
    case 1: /* a little more or less */
        for (size_t i = 0; i < f.n && i < 8; i++)
            v |= (uint64_t)(uint8_t)b->data[f.at + i] << (8 * i);
        v += mutate_below(rng, 9) - 4;
        break;
    case 2: /* any small one: types */
        v = mutate_below(rng, 40);
        break;
    case 3: /* what another field holds: names, lengths */
        memmove(b->data + f.at, b->data + g.at, f.n < g.n ? f.n : g.n);
        return SAL_OK;
    case 4: /* the end is missing */
        b->len = f.at;
        return SAL_OK;
    default: /* a field is missing or doubled */
        return mutate_below(rng, 2) == 0 ? mutate_splice(b, f.at, f.n, "", 0)
                                         : mutate_splice(b, f.at, 0, b->data + f.at, f.n);
    }
    for (size_t i = 0; i < f.n && i < 8; i++)
        b->data[f.at + i] = (char)(uint8_t)(v >> (8 * i));
    return SAL_OK;
}
