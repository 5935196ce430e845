/* Memory of the key-value cache. */
#include "exec/cache.h"

#include "exec/cache_tiles.h"

#define SAL_CACHE_POLICY(id) extern const sal_cache_policy sal_cache_policy_##id;
#include "exec/policies.def"
#undef SAL_CACHE_POLICY

static const sal_cache_policy *const cache_policies[] = {
#define SAL_CACHE_POLICY(id) &sal_cache_policy_##id,
#include "exec/policies.def"
#undef SAL_CACHE_POLICY
};

struct sal_cache {
    sal_cache_opts opts;
    const sal_cache_policy *policy;
    size_t key_bytes, value_bytes; /* of a tile */
    int64_t tiles;                 /* of a head */
    uint8_t *keys, *values;
    size_t keys_size, values_size;
    int64_t *lengths;
    int32_t *rows;
    int32_t n_rows;
};

size_t sal_cache_policy_count(void)
{
    return SAL_COUNTOF(cache_policies);
}

const sal_cache_policy *sal_cache_policy_at(size_t i)
{
    return i < SAL_COUNTOF(cache_policies) ? cache_policies[i] : NULL;
}

const sal_cache_policy *sal_cache_policy_find(const char *name)
{
    for (size_t i = 0; i < SAL_COUNTOF(cache_policies); i++)
        if (strcmp(cache_policies[i]->name, name) == 0)
            return cache_policies[i];
    return NULL;
}

size_t sal_cache_tile_bytes(sal_cache_format format, int32_t size)
{
    size_t n = (size_t)size * SAL_CACHE_TILE, scales = (size_t)(size / 32) * SAL_CACHE_TILE * 2;
    switch (format) {
    case SAL_CACHE_F32:
        return 4 * n;
    case SAL_CACHE_F16:
    case SAL_CACHE_BF16:
        return 2 * n;
    case SAL_CACHE_Q8:
        return size % 32 == 0 ? n + scales : 0;
    case SAL_CACHE_Q4:
        return size % 32 == 0 ? n / 2 + scales : 0;
    case SAL_CACHE_FORMATS:
        break;
    }
    return 0;
}

static sal_status cache_size(const sal_cache *c, size_t tile, size_t *out, sal_error *err)
{
    const sal_cache_opts *o = &c->opts;
    if (!sal_mul_ok((size_t)o->layers * (size_t)o->kv_heads, (size_t)o->rows, out) ||
        !sal_mul_ok(*out, (size_t)c->tiles, out) || !sal_mul_ok(*out, tile, out) ||
        *out > (size_t)1 << 46)
        return sal_fail(err, SAL_ENOMEM, "a cache of %lld positions is larger than any memory",
                        (long long)o->context);
    return SAL_OK;
}

sal_status sal_cache_new(sal_cache **out, const sal_cache_opts *opts, sal_error *err)
{
    sal_cache *c = sal_calloc(1, sizeof *c);
    sal_status st = SAL_OK;
    *out = NULL;
    if (c == NULL)
        return sal_fail_nomem(err);
    c->opts = *opts;
    c->policy = sal_cache_policy_find(opts->policy);
    if (c->policy == NULL)
        SAL_TRY(sal_fail(err, SAL_EINVAL,
                         "unknown cache policy %s; `salience list policies` shows all",
                         opts->policy));
    c->opts.policy = c->policy->name;
    if (opts->layers < 1 || opts->kv_heads < 1 || opts->rows < 1 || opts->context < 1 ||
        opts->key_size < 1 || opts->value_size < 1)
        SAL_TRY(sal_fail(err, SAL_EINVAL, "a cache without layers, heads, texts or positions"));
    c->key_bytes = sal_cache_tile_bytes(c->policy->keys, opts->key_size);
    c->value_bytes = sal_cache_tile_bytes(c->policy->values, opts->value_size);
    if (c->key_bytes == 0 || c->value_bytes == 0)
        SAL_TRY(sal_fail(err, SAL_EINVAL,
                         "the policy %s takes heads of 32, 64, 96 ... features, not %d; f16 takes "
                         "all",
                         c->policy->name,
                         (int)(c->key_bytes == 0 ? opts->key_size : opts->value_size)));
    c->tiles = (opts->context + SAL_CACHE_TILE - 1) / SAL_CACHE_TILE;
    SAL_TRY(cache_size(c, c->key_bytes, &c->keys_size, err));
    SAL_TRY(cache_size(c, c->value_bytes, &c->values_size, err));
    c->lengths = sal_calloc((size_t)opts->rows, sizeof *c->lengths);
    c->rows = sal_calloc((size_t)opts->rows, sizeof *c->rows);
    c->keys = sal_pages(c->keys_size);
    c->values = sal_pages(c->values_size);
    if (c->lengths == NULL || c->rows == NULL || c->keys == NULL || c->values == NULL)
        SAL_TRY(sal_fail(err, SAL_ENOMEM,
                         "out of memory: a cache of %lld positions takes %zu MB; a smaller context "
                         "would help",
                         (long long)opts->context, (c->keys_size + c->values_size) >> 20));
    *out = c;
    c = NULL;
done:
    sal_cache_free(c);
    return st;
}

void sal_cache_free(sal_cache *c)
{
    if (c == NULL)
        return;
    sal_pages_free(c->keys, c->keys_size);
    sal_pages_free(c->values, c->values_size);
    sal_free(c->lengths);
    sal_free(c->rows);
    sal_free(c);
}

const sal_cache_policy *sal_cache_policy_of(const sal_cache *c)
{
    return c->policy;
}

const sal_cache_opts *sal_cache_opts_of(const sal_cache *c)
{
    return &c->opts;
}

sal_status sal_cache_rows(sal_cache *c, int32_t n, const int32_t *rows, sal_error *err)
{
    if (n < 1 || n > c->opts.rows)
        return sal_fail(err, SAL_EINVAL, "%d texts at once: the cache has room for %d", (int)n,
                        (int)c->opts.rows);
    for (int32_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= c->opts.rows)
            return sal_fail(err, SAL_EINVAL, "text %d: the cache has room for %d", (int)rows[i],
                            (int)c->opts.rows);
        for (int32_t k = 0; k < i; k++)
            if (rows[k] == rows[i])
                return sal_fail(err, SAL_EINVAL, "text %d twice in one run", (int)rows[i]);
    }
    memcpy(c->rows, rows, (size_t)n * sizeof *rows);
    c->n_rows = n;
    return SAL_OK;
}

int32_t sal_cache_row(const sal_cache *c, int32_t b)
{
    return b < c->n_rows ? c->rows[b] : -1;
}

int64_t sal_cache_length(const sal_cache *c, int32_t row)
{
    return c->lengths[row];
}

void sal_cache_advance(sal_cache *c, int64_t n)
{
    for (int32_t i = 0; i < c->n_rows; i++)
        c->lengths[c->rows[i]] = SAL_MIN(c->lengths[c->rows[i]] + n, c->opts.context);
}

void sal_cache_truncate(sal_cache *c, int32_t row, int64_t n)
{
    c->lengths[row] = SAL_MIN(c->lengths[row], SAL_MAX(n, 0));
}

size_t sal_cache_token_bytes(const sal_cache *c)
{
    return (c->key_bytes + c->value_bytes) / SAL_CACHE_TILE * (size_t)c->opts.layers *
           (size_t)c->opts.kv_heads;
}

size_t sal_cache_bytes(const sal_cache *c)
{
    size_t tokens = 0;
    for (int32_t i = 0; i < c->opts.rows; i++)
        tokens += (size_t)c->lengths[i];
    return tokens * sal_cache_token_bytes(c);
}

size_t sal_cache_room(const sal_cache *c)
{
    return c->keys_size + c->values_size;
}

static size_t cache_at(const sal_cache *c, int32_t layer, int32_t row, int32_t head, int64_t t)
{
    const sal_cache_opts *o = &c->opts;
    return (((size_t)layer * (size_t)o->rows + (size_t)row) * (size_t)o->kv_heads + (size_t)head) *
               (size_t)c->tiles +
           (size_t)t;
}

uint8_t *sal_cache_keys(const sal_cache *c, int32_t layer, int32_t row, int32_t head, int64_t t)
{
    return c->keys + cache_at(c, layer, row, head, t) * c->key_bytes;
}

uint8_t *sal_cache_values(const sal_cache *c, int32_t layer, int32_t row, int32_t head, int64_t t)
{
    return c->values + cache_at(c, layer, row, head, t) * c->value_bytes;
}

/* ---- saving ---- */

static size_t cache_tiles_of(int64_t n)
{
    return (size_t)((n + SAL_CACHE_TILE - 1) / SAL_CACHE_TILE);
}

sal_status sal_cache_save(const sal_cache *c, int32_t row, sal_bytes *out, sal_error *err)
{
    size_t tiles = cache_tiles_of(c->lengths[row]);
    sal_status st = SAL_OK;
    for (int32_t l = 0; l < c->opts.layers; l++)
        for (int32_t h = 0; h < c->opts.kv_heads && tiles > 0; h++) {
            SAL_TRY(sal_bytes_add(out, sal_cache_keys(c, l, row, h, 0), tiles * c->key_bytes, err));
            SAL_TRY(
                sal_bytes_add(out, sal_cache_values(c, l, row, h, 0), tiles * c->value_bytes, err));
        }
done:
    return st;
}

sal_status sal_cache_load(sal_cache *c, int32_t row, int64_t n, const uint8_t *bytes, size_t size,
                          sal_error *err)
{
    size_t tiles = cache_tiles_of(n);
    c->lengths[row] = 0;
    if (n < 0 || n > c->opts.context)
        return sal_fail(err, SAL_EINVAL,
                        "%lld tokens do not fit into the context of %lld positions", (long long)n,
                        (long long)c->opts.context);
    if (size !=
        tiles * (c->key_bytes + c->value_bytes) * (size_t)c->opts.layers * (size_t)c->opts.kv_heads)
        return sal_fail(err, SAL_EFORMAT,
                        "%zu bytes of keys and values are not those of %lld tokens", size,
                        (long long)n);
    for (int32_t l = 0; l < c->opts.layers; l++)
        for (int32_t h = 0; h < c->opts.kv_heads && tiles > 0; h++) {
            memcpy(sal_cache_keys(c, l, row, h, 0), bytes, tiles * c->key_bytes);
            bytes += tiles * c->key_bytes;
            memcpy(sal_cache_values(c, l, row, h, 0), bytes, tiles * c->value_bytes);
            bytes += tiles * c->value_bytes;
        }
    c->lengths[row] = n;
    return SAL_OK;
}
