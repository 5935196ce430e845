/* Rectangles and text on a picture. */
#include "explain/picture/picture.h"

void sal_canvas_fill(sal_image *canvas, int x, int y, int width, int height, sal_color c)
{
    int x0 = SAL_MAX(x, 0), x1 = SAL_MIN(x + width, canvas->width);
    int y0 = SAL_MAX(y, 0), y1 = SAL_MIN(y + height, canvas->height);
    for (int py = y0; py < y1; py++) {
        uint8_t *p = canvas->data + ((size_t)py * (size_t)canvas->width + (size_t)x0) * 3;
        for (int px = x0; px < x1; px++, p += 3) {
            p[0] = c.r;
            p[1] = c.g;
            p[2] = c.b;
        }
    }
}

void sal_canvas_paste(sal_image *canvas, const sal_image *part, int x, int y)
{
    int x0 = SAL_MAX(x, 0), x1 = SAL_MIN(x + part->width, canvas->width);
    int y0 = SAL_MAX(y, 0), y1 = SAL_MIN(y + part->height, canvas->height);
    for (int py = y0; py < y1 && x0 < x1; py++) {
        memcpy(canvas->data + ((size_t)py * (size_t)canvas->width + (size_t)x0) * 3,
               part->data + ((size_t)(py - y) * (size_t)part->width + (size_t)(x0 - x)) * 3,
               (size_t)(x1 - x0) * 3);
    }
}

const sal_font *sal_font_near(double size)
{
    const sal_font *best = &sal_fonts[0];
    for (int i = 1; i < SAL_FONTS; i++) {
        if (sal_fonts[i].size <= size)
            best = &sal_fonts[i];
    }
    return best;
}

int sal_font_line(const sal_font *f)
{
    return f->ascent + f->descent;
}

/* Next code point of UTF-8; a byte that fits nowhere counts as U+FFFD. 0 at the end. */
static uint32_t text_next(const char **text)
{
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    const uint8_t *p = (const uint8_t *)*text;
    int more = p[0] < 0x80       ? 0
               : p[0] >> 5 == 6  ? 1
               : p[0] >> 4 == 14 ? 2
               : p[0] >> 3 == 30 ? 3
                                 : -1;
    if (p[0] == 0)
        return 0;
    (*text)++;
    if (more <= 0)
        return more == 0 ? p[0] : 0xfffd;
    uint32_t code = (uint32_t)p[0] & (0x3fU >> more);
    for (int i = 1; i <= more; i++) {
        if (p[i] >> 6 != 2)
            return 0xfffd;
        code = code << 6 | (p[i] & 0x3fU);
    }
    *text += more;
    return code < least[more] ? 0xfffd : code;
}

static const sal_glyph *text_glyph(const sal_font *f, uint32_t code)
{
    int low = 0, high = f->count;
    code = code < 0x20 || code == 0xa0 ? 0x20 : code;
    while (low < high) {
        int middle = (low + high) / 2;
        if (f->glyphs[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->count && f->glyphs[low].code == code ? &f->glyphs[low] : text_glyph(f, '?');
}

int sal_text_width(const sal_font *f, const char *text)
{
    int width = 0;
    for (uint32_t c = text_next(&text); c != 0 && width < INT32_MAX / 2; c = text_next(&text))
        width += text_glyph(f, c)->advance;
    return width;
}

static void text_put(sal_image *canvas, const sal_glyph *g, int x, int base, sal_color c)
{
    const uint8_t ink[3] = {c.r, c.g, c.b};
    const char *s = g->ink;
    for (int gy = 0; gy < g->height; gy++) {
        for (int gx = 0; gx < g->width; gx++, s++) {
            int px = x + g->left + gx, py = base - g->top + gy, a = *s - 'A';
            if (a == 0 || px < 0 || py < 0 || px >= canvas->width || py >= canvas->height)
                continue;
            uint8_t *p = canvas->data + ((size_t)py * (size_t)canvas->width + (size_t)px) * 3;
            for (int i = 0; i < 3; i++)
                p[i] = (uint8_t)((p[i] * (15 - a) + ink[i] * a + 7) / 15);
        }
    }
}

void sal_text_draw(sal_image *canvas, const sal_font *f, int x, int y, int room, sal_color c,
                   const char *text)
{
    const sal_glyph *dots = text_glyph(f, 0x2026);
    bool cut = sal_text_width(f, text) > room;
    int end = x + room - (cut ? dots->advance : 0), base = y + f->ascent;
    for (uint32_t code = text_next(&text); code != 0; code = text_next(&text)) {
        const sal_glyph *g = text_glyph(f, code);
        if (x + g->advance > end)
            break;
        text_put(canvas, g, x, base, c);
        x += g->advance;
    }
    if (cut && x + dots->advance <= end + dots->advance)
        text_put(canvas, dots, x, base, c);
}

void sal_text_centre(sal_image *canvas, const sal_font *f, int x, int y, int left, int right,
                     sal_color c, const char *text)
{
    int width = SAL_MIN(sal_text_width(f, text), right - left);
    int at = SAL_MAX(SAL_MIN(x - width / 2, right - width), left);
    sal_text_draw(canvas, f, at, y, right - at, c, text);
}
