/* Files for callers, and SHA-256 (FIPS 180-4). */
#include "api/api.h"

#include <stdio.h>

sal_status sal_file_save(const char *path, const void *data, size_t bytes, sal_error *err)
{
    return sal_file_write(path, data, bytes, err);
}

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define SHA_TURN(x, n) ((x) >> (n) | (x) << (32 - (n)))
/* One round. The eight variables change their parts instead of their places. */
#define SHA_ROUND(a, b, c, d, e, f, g, h, i)                                                       \
    do {                                                                                           \
        h += (SHA_TURN(e, 6) ^ SHA_TURN(e, 11) ^ SHA_TURN(e, 25)) + (g ^ (e & (f ^ g))) +          \
             sha_k[i] + w[i];                                                                      \
        d += h;                                                                                    \
        h += (SHA_TURN(a, 2) ^ SHA_TURN(a, 13) ^ SHA_TURN(a, 22)) + ((a & b) | (c & (a | b)));     \
    } while (0)

static void sha_block(uint32_t s[8], const uint8_t *p)
{
    uint32_t w[64], a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 |
               (uint32_t)p[i * 4 + 2] << 8 | (uint32_t)p[i * 4 + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];

        w[i] = w[i - 16] + (SHA_TURN(x, 7) ^ SHA_TURN(x, 18) ^ (x >> 3)) + w[i - 7] +
               (SHA_TURN(y, 17) ^ SHA_TURN(y, 19) ^ (y >> 10));
    }
    for (int i = 0; i < 64; i += 8) {
        SHA_ROUND(a, b, c, d, e, f, g, h, i);
        SHA_ROUND(h, a, b, c, d, e, f, g, i + 1);
        SHA_ROUND(g, h, a, b, c, d, e, f, i + 2);
        SHA_ROUND(f, g, h, a, b, c, d, e, i + 3);
        SHA_ROUND(e, f, g, h, a, b, c, d, i + 4);
        SHA_ROUND(d, e, f, g, h, a, b, c, i + 5);
        SHA_ROUND(c, d, e, f, g, h, a, b, i + 6);
        SHA_ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
}

void sal_sha256(const void *data, size_t bytes, char hex[65])
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint8_t *p = data;
    uint8_t last[128] = {0};
    size_t rest = bytes % 64, tail = rest < 56 ? 64 : 128;

    for (size_t i = 0; i + 64 <= bytes; i += 64)
        sha_block(h, p + i);
    if (rest > 0)
        memcpy(last, p + bytes - rest, rest);
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++)
        last[tail - 1 - i] = (uint8_t)((uint64_t)bytes * 8 >> (8 * i));
    for (size_t i = 0; i < tail; i += 64)
        sha_block(h, last + i);
    for (int i = 0; i < 8; i++)
        (void)snprintf(hex + i * 8, 9, "%08x", (unsigned)h[i]);
}

sal_status sal_file_sha256(const char *path, char hex[65], sal_error *err)
{
    sal_file file;
    sal_status st = sal_file_open(&file, path, err);

    if (st != SAL_OK)
        return st;
    sal_sha256(file.data, file.size, hex);
    sal_file_close(&file);
    return SAL_OK;
}
