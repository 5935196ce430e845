#!/usr/bin/env python3
"""Classify a folder of pictures with PyTorch + Pillow; optionally compare with `salience`.

    python3 tests/oracle/imagenet_sample.py FOLDER [--variant 0] [--json OUT.json]

File names begin with the WordNet id of the right class (n02123045_tabby.jpg).  --json writes
{file: {"top": index, "logits": [five best], "indices": [five best]}} for the program's own check.
"""

import argparse
import json
import os
import sys

import numpy
import torch
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import zoo  # noqa: E402

SIZES = ((224, 256), (240, 274), (260, 297))


def load(path, size, resize):
    """RGB, shorter side to `resize` (bicubic), centre crop, x / 127.5 - 1."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    scale = resize / min(picture.size)
    width, height = (round(extent * scale) for extent in picture.size)
    picture = picture.resize((width, height), Image.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = numpy.asarray(picture.crop((left, top, left + size, top + size)), numpy.float32)
    return torch.from_numpy((pixels / 127.5 - 1).transpose(2, 0, 1)[None].copy())


def classes():
    """{WordNet id: index}"""
    path = os.path.join(ROOT, "share", "labels", "imagenet-1k.tsv")
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return {row[1]: int(row[0]) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--variant", type=int, default=0, choices=(0, 1, 2))
    parser.add_argument("--json")
    options = parser.parse_args()
    size, resize = SIZES[options.variant]
    net, index = zoo.LiteModel(options.variant, size).net, classes()
    results, right = {}, 0
    for name in sorted(os.listdir(options.folder)):
        with torch.no_grad():
            logits = net(load(os.path.join(options.folder, name), size, resize))[0]
        best = logits.topk(5)
        results[name] = {
            "top": int(best.indices[0]),
            "indices": best.indices.tolist(),
            "logits": best.values.tolist(),
        }
        right += results[name]["top"] == index[name.split("_")[0]]
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    print("%d of %d right" % (right, len(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
