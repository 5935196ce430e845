#!/usr/bin/env python3
"""Two checks of the program on a folder of ImageNet photographs (one class each, names begin with the wnid).

    python3 tests/oracle/imagenet_check.py FOLDER --model efficientnet-lite0.onnx [--salience PROGRAM]
                                           [--pytorch OUT.json] [--pairs 40] [--seed 1]

1. top-1: the program's own image path against PyTorch + Pillow (--pytorch: what imagenet_sample.py --json
   wrote) and against the class in the file's name.
2. contrast: pairs of photographs side by side in one picture such that both classes are among the model's
   five best; Grad-CAM of "why left, not right" must lie on the left half, and the reverse on the right.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

SIDE = 256  # the preprocessing keeps the central 224 of it: both halves lose the same


def labels():
    path = os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "share", "labels", "imagenet-1k.tsv"
    )
    with open(path, encoding="utf-8") as file:
        rows = [line.split("\t") for line in file.read().splitlines()[1:]]
    return {row[1]: int(row[0]) for row in rows}


def ask(program, model, picture, *options):
    command = [program, "explain", model, picture, "--json", "--quiet"] + list(options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()))
    return json.loads(done.stdout)


def top(answer):
    return [entry["index"] for entry in answer["top"]]


def half(path):
    """The middle of a photograph as a strip SIDE / 2 wide and SIDE high."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    scale = SIDE / min(picture.size)
    picture = picture.resize([max(SIDE, round(x * scale)) for x in picture.size], Image.BICUBIC)
    left, upper = (picture.width - SIDE // 2) // 2, (picture.height - SIDE) // 2
    return picture.crop((left, upper, left + SIDE // 2, upper + SIDE))


def pair(left, right, out):
    both = Image.new("RGB", (SIDE, SIDE))
    both.paste(half(left), (0, 0))
    both.paste(half(right), (SIDE // 2, 0))
    both.save(out)


def check_top1(args, files, truth):
    pytorch = json.load(open(args.pytorch, encoding="utf-8")) if args.pytorch else {}
    right = same = 0
    for name in files:
        best = top(
            ask(args.salience, args.model, os.path.join(args.folder, name), "--method", "gradient")
        )[0]
        right += best == truth[name]
        same += not pytorch or best == pytorch[name]["top"]
    print("top-1: %d of %d right; same class as PyTorch on %d" % (right, len(files), same))
    return same >= len(files) - 1


def share(map_file, left):
    cam = numpy.load(map_file).reshape(-1, 224, 224)[0]
    columns = cam[:, :112] if left else cam[:, 112:]
    return float(columns.sum() / max(cam.sum(), 1e-30))


def check_contrast(args, files, truth, folder):
    draw = random.Random(args.seed)
    shares, tried, picture, raw = (
        [],
        0,
        os.path.join(folder, "pair.png"),
        os.path.join(folder, "map.npy"),
    )
    while len(shares) < 2 * args.pairs and tried < 5000:
        tried += 1
        a, b = draw.sample(files, 2)
        pair(os.path.join(args.folder, a), os.path.join(args.folder, b), picture)
        left, right = str(truth[a]), str(truth[b])
        ahead = ["--method", "grad-cam", "--raw", raw]
        found = top(ask(args.salience, args.model, picture, "--why", left, "--not", right, *ahead))[
            :5
        ]
        if truth[a] not in found or truth[b] not in found:
            continue
        shares.append(share(raw, True))
        ask(args.salience, args.model, picture, "--why", right, "--not", left, *ahead)
        shares.append(share(raw, False))
        if min(shares[-2:]) < 0.5:
            print("  wrong half: %s | %s: %.2f %.2f" % (a, b, *shares[-2:]))
    good = sum(s > 0.5 for s in shares)
    print(
        "contrast: right half on %d of %d, mean share %.4f (%d pairs drawn, seed %d)"
        % (good, len(shares), sum(shares) / max(len(shares), 1), tried, args.seed)
    )
    return good >= len(shares) - 1 and len(shares) == 2 * args.pairs


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--model", required=True)
    parser.add_argument("--salience", default="salience")
    parser.add_argument("--pytorch")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    index = labels()
    files = sorted(name for name in os.listdir(args.folder) if name.split("_")[0] in index)
    truth = {name: index[name.split("_")[0]] for name in files}
    with tempfile.TemporaryDirectory() as folder:
        ok = check_top1(args, files, truth)
        ok = check_contrast(args, files, truth, folder) and ok
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
