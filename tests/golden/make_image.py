#!/usr/bin/env python3
"""Golden values of tests/image_test.c, made with Pillow.

Writes to tests/golden/image/:
  photo.png, tall.png           what is resized: 64 x 48 and 21 x 70 pixels
  resize.txt, resize.bin        lines "source filter width height offset"; the pixels, one after another
  read/*                        tiny files of every type, read.txt "file width height offset", read.bin
                                (what ImageOps.exif_transpose(image).convert("RGB") gives)
and the seeds of the fuzz targets to tests/fuzz/corpus/{png,jpeg,webp,npy}/.
"""
import io
import os
import shutil
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "image")
CORPUS = os.path.join(HERE, "..", "fuzz", "corpus")


def scene(width, height, seed):
    """Smooth colours, hard edges and noise: what shows errors of a filter."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    a = np.stack([127 + 127 * np.sin(x / 5.0 + y / 9.0), x * 255.0 / width, y * 255.0 / height], -1)
    a[(x // 7 + y // 7) % 5 == 0] = (255, 255, 255)
    a[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 4) ** 2] = (10, 0, 240)
    part = (slice(height // 2, height), slice(0, width // 3))
    a[part] = rng.integers(0, 256, a[part].shape)
    return Image.fromarray(a.clip(0, 255).astype(np.uint8))


def save(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, depth, colour, rows, interlace=0):
    """A PNG of a type that Pillow does not write."""
    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def resize_goldens():
    sources = {"photo": scene(64, 48, 1), "tall": scene(21, 70, 2)}
    sizes = {"photo": [(32, 24), (17, 40), (64, 20), (90, 48), (100, 70), (7, 5), (1, 1), (80, 11)],
             "tall": [(16, 53), (20, 9), (40, 30)]}
    lines, data = [], b""
    for name, image in sources.items():
        image.save(os.path.join(OUT, name + ".png"))
        for number in range(6):
            for width, height in sizes[name]:
                lines.append(f"{name}.png {number} {width} {height} {len(data)}")
                data += image.resize((width, height), Image.Resampling(number)).tobytes()
    write("resize.txt", "\n".join(lines) + "\n")
    write("resize.bin", data)


def samples():
    rng = np.random.default_rng(3)
    colour, half = scene(19, 13, 4), scene(10, 6, 5)
    grey = colour.convert("L")
    alpha = colour.copy()
    alpha.putalpha(Image.fromarray(rng.integers(0, 256, (13, 19)).astype(np.uint8)))
    files = {
        "rgb.png": save(colour, "PNG"), "rgba.png": save(alpha, "PNG"), "grey.png": save(grey, "PNG"),
        "grey_alpha.png": save(alpha.convert("LA"), "PNG"), "bits.png": save(grey.convert("1"), "PNG"),
        "key.png": save(colour, "PNG", transparency=(255, 255, 255)),
        "rgb.jpg": save(colour, "JPEG", quality=90), "grey.jpg": save(grey, "JPEG", quality=90),
        "progressive.jpg": save(colour, "JPEG", quality=80, progressive=True),
        "half_colour.jpg": save(colour, "JPEG", quality=80, subsampling=2),
        "cmyk.jpg": save(colour.convert("CMYK"), "JPEG", quality=90),
        "lossy.webp": save(colour, "WEBP", quality=80), "lossless.webp": save(colour, "WEBP", lossless=True),
        "alpha.webp": save(alpha, "WEBP", quality=80), "alpha_lossless.webp": save(alpha, "WEBP", lossless=True),
        "frames.webp": save(alpha, "WEBP", save_all=True, append_images=[alpha.rotate(180)], duration=50),
    }
    for bits in (1, 2, 4, 8):
        files[f"palette{bits}.png"] = save(colour.quantize(2 ** bits if bits < 8 else 60), "PNG", bits=bits)
    files["palette_alpha.png"] = save(colour.quantize(16), "PNG", transparency=2)
    for depth in (2, 4):
        rows = b"".join(b"\0" + rng.integers(0, 256, (9 * depth + 7) // 8).astype(np.uint8).tobytes()
                        for _ in range(5))
        files[f"grey{depth}.png"] = png(9, 5, depth, 0, rows)
    for kind, channels in ((2, 3), (6, 4)):
        rows = b"".join(b"\0" + rng.integers(0, 256, 9 * channels * 2).astype(np.uint8).tobytes()
                        for _ in range(5))
        files[f"deep{kind}.png"] = png(9, 5, 16, kind, rows)
    pixels, rows = np.asarray(colour), b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                           (0, 1, 1, 2)):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[y0::dy, x0::dx])
    files["interlaced.png"] = png(19, 13, 8, 2, rows, 1)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = turn
        files[f"turn{turn}.jpg"] = save(half, "JPEG", exif=exif, quality=95)
    exif[0x112] = 6
    files["turn.png"] = save(half, "PNG", exif=exif)
    files["turn.webp"] = save(half, "WEBP", exif=exif, lossless=True)
    return files


def read_goldens(files):
    lines, data = [], b""
    os.makedirs(os.path.join(OUT, "read"), exist_ok=True)
    for name, content in sorted(files.items()):
        write(os.path.join("read", name), content)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
        lines.append(f"{name} {image.width} {image.height} {len(data)}")
        data += image.tobytes()
    write("read.txt", "\n".join(lines) + "\n")
    write("read.bin", data)


def fuzz_seeds(files):
    kinds = {".png": "png", ".jpg": "jpeg", ".webp": "webp"}
    for folder in ("png", "jpeg", "webp", "npy"):
        shutil.rmtree(os.path.join(CORPUS, folder), ignore_errors=True)
        os.makedirs(os.path.join(CORPUS, folder))
    for name, content in files.items():
        base, extension = os.path.splitext(name)
        if not base.startswith("turn") or base in ("turn", "turn6"):
            write(os.path.join(CORPUS, kinds[extension], name), content)
    # a chunk that announces 768 MiB
    head = files["rgb.png"][:33]
    write(os.path.join(CORPUS, "png", "huge_exif.png"), head + b"\x30\0\0\0eXIfMM\0*" + files["rgb.png"][33:])
    arrays = {"f4": np.arange(6, dtype="<f4").reshape(2, 3), "f8_big": np.arange(4, dtype=">f8"),
              "i8_fortran": np.asfortranarray(np.arange(24).reshape(2, 3, 4)), "bool": np.array([True, False]),
              "empty": np.zeros((0, 3), "<f2"), "scalar": np.array(5, "<u2")}
    for version, (name, array) in enumerate(arrays.items()):
        with open(os.path.join(CORPUS, "npy", name + ".npy"), "wb") as f:
            np.lib.format.write_array(f, array, (1 + version % 3, 0))


def write(name, content):
    with open(os.path.join(OUT, name), "w" if isinstance(content, str) else "wb") as f:
        f.write(content)


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    resize_goldens()
    all_files = samples()
    read_goldens(all_files)
    fuzz_seeds(all_files)
