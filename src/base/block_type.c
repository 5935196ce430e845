/* The table of packed formats. */
#include "base/block_type.h"

static const sal_block_type *const block_table[] = {
#define SAL_BLOCK_TYPE(id) &sal_block_type_##id,
#include "base/block_types.def"
#undef SAL_BLOCK_TYPE
};

const sal_block_type *sal_block_type_at(size_t i)
{
    return i < SAL_COUNTOF(block_table) ? block_table[i] : NULL;
}

const sal_block_type *sal_block_type_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < SAL_COUNTOF(block_table); i++)
        if (strcmp(block_table[i]->name, name) == 0)
            return block_table[i];
    return NULL;
}

const sal_block_type *sal_block_type_of_ggml(uint32_t number)
{
    for (size_t i = 0; i < SAL_COUNTOF(block_table); i++)
        if (block_table[i]->ggml == number)
            return block_table[i];
    return NULL;
}

bool sal_block_row_bytes(const sal_block_type *t, int64_t columns, size_t *bytes)
{
    return columns >= 0 && columns % t->elements == 0 &&
           sal_mul_ok((size_t)(columns / t->elements), (size_t)t->bytes, bytes);
}
