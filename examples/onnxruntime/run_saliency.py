"""Run a model that explains itself with ONNX Runtime: no Salience, no PyTorch.

    salience export efficientnet-lite0.onnx --method grad-cam -o explained.onnx
    python run_saliency.py explained.onnx dog_and_cat.png --why 243 --not 282 -o overlay.png

The exported file is the model with one more input, `query` (a weight for each class, for all samples or for
each), and one more output, `saliency`. How a picture becomes the model's input is read from the file's metadata
where it is there. Needs numpy, onnxruntime and Pillow.
"""

import argparse
import json
import time

import numpy as np
import onnxruntime
from PIL import Image


def read_picture(path, size, short, mean, std, channels_last):
    """Shorter side to `short`, centre crop to `size`, normalise: the usual recipe of ImageNet classifiers."""
    picture = Image.open(path).convert("RGB")
    scale = short / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], Image.BICUBIC)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    picture = picture.crop((left, top, left + size, top + size))
    x = (np.asarray(picture, np.float32) / 255 - mean) / std
    return picture, (x if channels_last else x.transpose(2, 0, 1))[None].astype(np.float32)


def as_picture(saliency):
    """[height, width] in 0..1: attributions are summed over their channels first."""
    while saliency.ndim > 2:
        axis = 0 if saliency.shape[0] <= 4 else -1
        saliency = saliency.sum(axis)
    top = np.percentile(np.abs(saliency), 99)
    return np.clip(np.abs(saliency) / (top if top > 0 else 1), 0, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="written by `salience export`")
    parser.add_argument("input", help="a picture, or the final tensor as .npy")
    parser.add_argument("--why", type=int, nargs="*", default=[], help="classes to explain; default: the top one")
    parser.add_argument("--not", type=int, nargs="*", default=[], dest="foils", help="classes to contrast with")
    parser.add_argument("--mean", type=float, nargs=3, help="default: of the model, else of ImageNet")
    parser.add_argument("--std", type=float, nargs=3)
    parser.add_argument("--raw", help="write the map as .npy")
    parser.add_argument("-o", "--output", help="write the map over the picture as .png")
    args = parser.parse_args()

    session = onnxruntime.InferenceSession(args.model, providers=["CPUExecutionProvider"])
    inputs = {value.name: value for value in session.get_inputs()}
    outputs = [value.name for value in session.get_outputs()]
    query_name = "query" if "query" in inputs else "salience_query"
    name = next(n for n in inputs if n != query_name)
    shape = inputs[name].shape
    picture = None
    if args.input.endswith(".npy"):
        x = np.load(args.input)
    else:
        last = shape[3] in (1, 3)
        size = shape[1] if last else shape[2]
        known = json.loads(session.get_modelmeta().custom_metadata_map.get("salience.preprocess", "{}"))
        mean = args.mean or known.get("mean", [0.485, 0.456, 0.406])
        std = args.std or known.get("std", [0.229, 0.224, 0.225])
        picture, x = read_picture(args.input, size, known.get("size", size / 0.875), mean, std, last)

    classes = inputs[query_name].shape[1]
    query = np.zeros((1, classes), np.float32)
    if not args.why:
        # The model's own outputs are still there: ask for the top class first.
        scores = session.run(outputs[:1], {name: x, query_name: query})[0].reshape(len(x), -1)
        args.why = [int(scores[0].argmax())]
    for group, sign in ((args.why, 1), (args.foils, -1)):
        for index in group:
            query[0, index] += sign / len(group)

    start = time.perf_counter()
    results = dict(zip(outputs, session.run(None, {name: x, query_name: query})))
    milliseconds = (time.perf_counter() - start) * 1e3
    scores = results[outputs[0]].reshape(len(x), -1)
    saliency = results[outputs[-1]]
    print(f"why {args.why} not {args.foils}: {milliseconds:.1f} ms, top class {int(scores[0].argmax())}, "
          f"saliency {saliency.shape} from {saliency.min():.4g} to {saliency.max():.4g}")
    if args.raw:
        np.save(args.raw, saliency)
    if args.output and picture is not None:
        strength = as_picture(saliency[0])
        heat = np.stack([strength * 255, strength * 160, 60 + 0 * strength], -1).astype(np.uint8)
        Image.blend(picture, Image.fromarray(heat), 0.5).save(args.output)


if __name__ == "__main__":
    main()
