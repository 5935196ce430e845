#!/usr/bin/env python3
"""Write src/explain/picture/glyphs.c: antialiased glyphs of DejaVu Sans in three sizes.

DejaVu Sans (Debian: fonts-dejavu-core) is free: Bitstream Vera licence, changes by the DejaVu project in
the public domain. Both allow embedding in any document or program.

A glyph is the box of its ink, one letter a pixel: 'A' nothing ... 'P' full ink.
"""
import os
import sys

from PIL import Image, ImageDraw, ImageFont

FONT = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "explain", "picture",
                   "glyphs.c")
SIZES = (14, 19, 27)
# ASCII, Latin-1, then: dashes, quotation marks, bullet, ellipsis, arrow, minus, not equal
CODES = [*range(0x20, 0x7F), *range(0xA1, 0x100), 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2026,
         0x2192, 0x2212, 0x2260]


def glyph(font, code):
    text = chr(code)
    advance = round(font.getlength(text))
    canvas = Image.new("L", (font.size * 3, font.size * 3))
    ImageDraw.Draw(canvas).text((font.size, font.size * 2), text, fill=255, font=font, anchor="ls")
    box = canvas.getbbox() or (font.size, font.size * 2, font.size, font.size * 2)
    ink = canvas.crop(box)
    pixels = "".join(chr(ord("A") + round(v / 17)) for v in ink.tobytes())
    return (f"    {{ 0x{code:x}, {box[0] - font.size}, {font.size * 2 - box[1]}, {ink.width}, {ink.height}, "
            f'{advance}, "{pixels}" }},\n')


with open(OUT, "w") as out:
    out.write("/* Glyphs of DejaVu Sans. Made by scripts/gen/font.py; do not edit.\n"
              " * The font: Copyright (c) 2003 by Bitstream, Inc. All Rights Reserved. Bitstream Vera is a\n"
              " * trademark of Bitstream, Inc. DejaVu changes are in public domain. The licence stands\n"
              " * in DEJAVU-LICENSE.txt. */\n"
              '#include "explain/picture/picture.h"\n\n/* clang-format off */\n')
    for size in SIZES:
        font = ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
        out.write(f"static const sal_glyph glyphs_{size}[] = {{\n")
        out.writelines(glyph(font, code) for code in CODES)
        out.write("};\n\n")
    out.write("const sal_font sal_fonts[SAL_FONTS] = {\n")
    for size in SIZES:
        ascent, descent = ImageFont.truetype(FONT, size).getmetrics()
        out.write(f"    {{ {size}, {ascent}, {descent}, {len(CODES)}, glyphs_{size} }},\n")
    out.write("};\n/* clang-format on */\n")
