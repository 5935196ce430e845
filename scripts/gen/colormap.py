#!/usr/bin/env python3
"""Write src/explain/picture/colormap.c: two colour maps of 256 rows.

Unsigned: viridis of matplotlib (Nathaniel J. Smith, Stefan van der Walt, Eric Firing; dedicated to the
public domain, CC0). Signed: computed here, blue - near white - red: each half runs straight through
CIE Lab (D65), so that equal steps of the value are equal steps to the eye and both ends weigh the same.
"""
import os

import numpy as np
from matplotlib import colormaps

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "explain", "picture",
                   "colormap.c")
WHITE = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])


def lab(rgb):
    c = np.asarray(rgb) / 255.0
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    t = TO_XYZ @ linear / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def rgb(value):
    y = (value[0] + 16) / 116
    f = np.array([y + value[1] / 500, y, y - value[2] / 200])
    t = np.where(f > 6 / 29, f ** 3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE
    c = np.clip(np.linalg.solve(TO_XYZ, t), 0, 1)
    s = np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)
    return np.rint(255 * s).astype(int)


def diverging():
    """Rows 0..255 stand for -1..1; rows 127 and 128 are as near to the middle as it gets."""
    low, middle, high = lab((5, 72, 190)), lab((247, 247, 245)), lab((190, 18, 24))
    rows = []
    for i in range(256):
        t = (2 * i - 255) / 255
        rows.append(rgb(middle + (high if t > 0 else low) * abs(t) - middle * abs(t)))
    return rows


def table(name, rows):
    text = f"const uint8_t {name}[256][3] = {{\n"
    for i in range(0, 256, 6):
        text += "    " + " ".join("{ %d, %d, %d }," % tuple(r) for r in rows[i:i + 6]) + "\n"
    return text + "};\n"


viridis = [np.rint(np.array(c) * 255).astype(int) for c in colormaps["viridis"].colors]
with open(OUT, "w") as out:
    out.write("/* Colour maps. Made by scripts/gen/colormap.py; do not edit.\n"
              " * sal_viridis: matplotlib's viridis (public domain, CC0). sal_diverging: computed in CIE Lab. */\n"
              '#include "explain/picture/picture.h"\n\n/* clang-format off */\n')
    out.write(table("sal_viridis", viridis) + "\n" + table("sal_diverging", diverging()))
    out.write("/* clang-format on */\n")
