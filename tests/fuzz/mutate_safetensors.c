/* Edits of the header of a safetensors file: members of its JSON, with the length put right. */
#include "mutate.h"

sal_status mutate_safetensors(sal_rng *rng, const sal_bytes *other, sal_bytes *b)
{
    sal_bytes head = {NULL, 0, 0}, theirs = {NULL, 0, 0};
    size_t n = 0, m = 0;
    sal_status st = SAL_OK;
    if (b->len < 8 || other->len < 8)
        return mutate_bytes(rng, other, b);
    for (int i = 7; i >= 0; i--) {
        n = n << 8 | (uint8_t)b->data[i];
        m = m << 8 | (uint8_t)other->data[i];
    }
    if (n > b->len - 8 || m > other->len - 8 || n == 0)
        return mutate_bytes(rng, other, b);
    SAL_TRY(sal_bytes_add(&head, b->data + 8, n, NULL));
    SAL_TRY(sal_bytes_add(&theirs, other->data + 8, m, NULL));
    SAL_TRY(mutate_json(rng, &theirs, &head));
    SAL_TRY(mutate_splice(b, 8, n, head.len > 0 ? head.data : "", head.len));
    for (size_t i = 0; i < 8; i++)
        b->data[i] = (char)(uint8_t)((uint64_t)head.len >> (8 * i));
done:
    sal_bytes_free(&head);
    sal_bytes_free(&theirs);
    return st;
}
