/* FNV-1a, 64 bits: for tables and fingerprints, not against an adversary. */
#include "base/base.h"

uint64_t sal_hash(const void *p, size_t n, uint64_t seed)
{
    const uint8_t *bytes = p;
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}
