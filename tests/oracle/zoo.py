#!/usr/bin/env python3
"""Write models and their reference results, for the tests to compare with.

    python3 tests/oracle/zoo.py --out DIR [--only NAME ...] [--cifar FOLDER] [--rapidocr FOLDER] [--list]

For each model DIR/NAME/ receives model.onnx, the .npy files and meta.json, the contract with test
drivers (paths are relative to the folder; files of references are float64, of inputs float32 or
int64):

    model                        the ONNX file
    inputs   {name: file}        what to feed
    outputs  {name: file}        what PyTorch computes in float64
    outputs_f32 {name: file}     and in float32
    of, seed                     a value of the graph, inner ones too, and weights of its shape:
                                 T = sum(seed * of), for classifiers the top-1 logits
    wrt, grad                    a value of the graph, and dT/d wrt
    hvp_v, hvp                   optional: a direction v, shaped as wrt, and d<dT/d wrt, v>/d wrt
    forward_tolerance            max |ours - ref| / max |ref|
    grad_tolerance, hvp_tolerance    ||ours - ref|| / ||ref||
    torch_f32 {forward, grad, hvp}   the same distances for PyTorch in float32

A model without the keys of/wrt has only a forward reference.

The gradient of a network with ReLU jumps where a pre-activation is zero.  Of ten million of them
one or two lie so near zero that float32 falls on either side, and one flip changes the gradient by
1e-3: no float32 program, PyTorch included, can then agree with float64.  So inputs are taken, from
a number of candidates, on which no flip happens in several float32 evaluations with simulated
rounding, or no unit is nearer to its kink than float32 errs; how PyTorch's own float32 compares on
them is recorded.
"""

import argparse
import copy
import functools
import json
import logging
import os
import subprocess
import sys
import warnings

import numpy
import onnx
import onnxruntime
import torch
from PIL import Image, ImageDraw

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import families  # noqa: E402
import light  # noqa: E402
import nets  # noqa: E402
import onnx_torch  # noqa: E402

PICTURES = os.path.join(ROOT, "examples", "images")
TOLERANCE = 1e-4


# ---- inputs --------------------------------------------------------------------------------------


def noise(count, *shape, seed=1):
    """Low-frequency noise plus white noise: closer to pictures than white noise alone."""
    rng = numpy.random.default_rng(seed)
    white = rng.normal(size=(count,) + shape)
    coarse = rng.normal(size=(count, shape[0], 6, 6))
    smooth = torch.nn.functional.interpolate(
        torch.from_numpy(coarse), size=shape[1:], mode="bilinear", align_corners=False
    ).numpy()
    return torch.from_numpy((smooth + 0.5 * white).astype(numpy.float32))


def crops(count, size, mean, std, seed=1):
    """Random crops of the example pictures, resized and normalised."""
    rng = numpy.random.default_rng(seed)
    names = ("dog_and_cat.png", "cat_chelsea.png", "coffee.png")
    out = []
    for index in range(count):
        with Image.open(os.path.join(PICTURES, names[index % len(names)])) as file:
            picture = file.convert("RGB")
        side = int(min(picture.size) * rng.uniform(0.8, 1.0))
        left, top = (int(rng.integers(0, extent - side + 1)) for extent in picture.size)
        box = (left, top, left + side, top + side)
        pixels = (
            numpy.asarray(picture.resize((size, size), Image.BICUBIC, box), numpy.float32) / 255
        )
        out.append(((pixels - mean) / std).transpose(2, 0, 1))
    return torch.from_numpy(numpy.stack(out).astype(numpy.float32))


def plain(count, size, seed=1):
    """Pictures of two plain colours side by side, the later half of them of one, in -1..1."""
    rng = numpy.random.default_rng(seed)
    colours = rng.uniform(-1, 1, (count, 3, 1, 2))
    colours[count // 2 :, ..., 1] = colours[count // 2 :, ..., 0]
    colours = colours.repeat((size + 1) // 2, axis=3)[..., :size]
    return torch.from_numpy(colours.repeat(size, axis=2).astype(numpy.float32))


# ---- references ----------------------------------------------------------------------------------


def page(high, wide):
    """A picture of text."""
    image = Image.new("RGB", (wide // 2, high // 2), (250, 248, 240))
    ImageDraw.Draw(image).multiline_text((6, 8), "Salience\n\n42 lines", fill=(20, 20, 40))
    rows = numpy.asarray(image.resize((wide, high), Image.BICUBIC), dtype=numpy.float32)
    return torch.from_numpy(((rows / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].copy())


def relative(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-300))


def scaled(a, b):
    return float((a.double() - b.double()).abs().max() / b.double().abs().max().clamp_min(1e-300))


def top_seed(of):
    """One at each row's largest element."""
    flat = of.detach().flatten(1)
    seed = torch.zeros_like(flat)
    seed[torch.arange(len(flat)), flat.argmax(1)] = 1
    return seed.reshape(of.shape)


def gradient(evaluate, inputs, seed):
    """(outputs, of, dT/d wrt) with T = sum(seed * of)."""
    outputs, of, wrt = evaluate(inputs)
    scalar = (of * seed.to(of.dtype)).sum()
    return outputs, of.detach(), torch.autograd.grad(scalar, wrt)[0].detach()


def second(evaluate, inputs, seed, v):
    """d <dT/d wrt, v> / d wrt."""
    _, of, wrt = evaluate(inputs)
    (first,) = torch.autograd.grad((of * seed.to(of.dtype)).sum(), wrt, create_graph=True)
    return torch.autograd.grad((first * v.to(first.dtype)).sum(), wrt)[0].detach()


def cast(inputs, dtype):
    return {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in inputs.items()
    }


NOISE = 2e-7  # relative to the root mean square, twice what a convolution in float32 errs by
TRIALS = 6


def jitter(x):
    """The value with random errors of the size of rounding; channels differ widely in scale."""
    axes = (0, 2, 3) if x.dim() == 4 else None
    scale = x.detach().square().mean(axes, keepdim=axes is not None).sqrt()
    return x + NOISE * scale * torch.randn_like(x)


def rounding(values, exact):
    """Deviation of float32 evaluations from the exact one, the largest, channel by channel."""
    axes = (0, 2, 3) if exact.dim() == 4 else None
    errors = [
        (z.double() - exact).square().mean(axes, keepdim=axes is not None).sqrt() for z in values
    ]
    return torch.stack(errors).amax(0)


def folded(net):
    """A copy with the batch normalisations inside the convolutions, which rounds differently."""
    net = copy.deepcopy(net)
    for parent in list(net.modules()):
        before, last = None, None
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.BatchNorm2d) and isinstance(last, torch.nn.Conv2d):
                fused = torch.nn.utils.fusion.fuse_conv_bn_eval(last, child)
                setattr(parent, before, fused)
                setattr(parent, name, torch.nn.Identity())
            before, last = name, child
    return net


class Model:
    """What a reference needs to know; a subclass says how to evaluate and how to write the file."""

    keep = 2  # rows of the batch that are kept
    rows_apart = True  # rows do not influence each other, so candidates can be chosen one by one
    limit = 5e-5  # float32 evaluations that differ by more have flipped a unit

    def __init__(self, name, inputs, wrt, hvp=False, seed=None, tags=()):
        self.name, self.inputs, self.wrt, self.hvp, self.seed = name, inputs, wrt, hvp, seed
        self.tags = tags

    def evaluator(self, dtype, noisy=False):
        """inputs -> (outputs {name: tensor}, of, wrt); noisy: with simulated rounding."""
        raise NotImplementedError

    def write(self, path, inputs):
        """Write the ONNX file; return (name of `of`, name of `wrt`)."""
        raise NotImplementedError

    def choose(self):
        """The first `keep` candidates on which float32 flips no unit, else the best."""
        if not self.rows_apart:
            return self.inputs
        exact = self.evaluator(torch.float64)
        plain, noisy = self.evaluator(torch.float32), self.evaluator(torch.float32, noisy=True)
        scores = []
        for row in range(len(next(iter(self.inputs.values())))):
            inputs = {key: value[row : row + 1] for key, value in self.inputs.items()}
            scores.append(self.doubt(inputs, exact, plain, noisy))
            if sum(score < self.limit for score in scores) == self.keep:
                break
        order = numpy.argsort(scores, kind="stable")[: self.keep]
        good = [int(row) for row in order if scores[row] < self.limit] or [int(order[0])]
        print(
            "%s: candidates %s of %d, in doubt by %s"
            % (self.name, sorted(good), len(scores), max(scores[row] for row in good)),
            file=sys.stderr,
        )
        return {key: value[sorted(good)].contiguous() for key, value in self.inputs.items()}

    def doubt(self, inputs, exact, plain, noisy):
        """The largest distance between gradients; stops at the first that is a flip."""
        of = plain(inputs)[1]
        seed = top_seed(of) if self.seed is None else self.seed
        base = gradient(plain, inputs, seed)[2]
        worst = 0.0
        for _ in range(TRIALS):
            worst = max(worst, relative(gradient(noisy, inputs, seed)[2], base))
            if worst > self.limit:
                return worst
        return max(worst, relative(base, gradient(exact, cast(inputs, torch.float64), seed)[2]))


class TorchModel(Model):
    """A module; exported by PyTorch's old (script) or new (dynamo) exporter."""

    def __init__(
        self,
        name,
        net,
        inputs,
        wrt="input",
        output="logits",
        opset=17,
        dynamo=False,
        fold=False,
        **more,
    ):
        super().__init__(name, inputs, wrt, **more)
        self.net, self.output = net, output
        self.opset, self.dynamo, self.fold = opset, dynamo, fold

    def evaluator(self, dtype, noisy=False):
        net = copy.deepcopy(self.net).to(dtype)
        for module in net.modules() if noisy else ():
            if isinstance(
                module, (torch.nn.modules.conv._ConvNd, torch.nn.Linear, torch.nn.BatchNorm2d)
            ):
                module.register_forward_hook(lambda _module, _arguments, y: jitter(y))

        def evaluate(inputs):
            inputs = dict(inputs)
            inputs[self.wrt] = inputs[self.wrt].detach().clone().requires_grad_()
            logits = net(*inputs.values())
            return {self.output: logits.detach()}, logits, inputs[self.wrt]

        return evaluate

    def write(self, path, inputs):
        export(self.net, inputs, self.output, path, self.opset, self.dynamo, self.fold)
        return self.output, self.wrt


class BertModel(TorchModel):
    """The gradient is with respect to the embeddings, a value inside the graph."""

    def evaluator(self, dtype, noisy=False):
        net = copy.deepcopy(self.net).to(dtype)

        def evaluate(inputs):
            kept = []
            hook = net.norm.register_forward_hook(
                lambda _module, _args, y: kept.append(y.detach().requires_grad_()) or kept[-1]
            )
            logits = net(*inputs.values())
            hook.remove()
            return {self.output: logits.detach()}, logits, kept[0]

        return evaluate

    def write(self, path, inputs):
        super().write(path, inputs)
        first = next(
            node for node in onnx.load(path).graph.node if node.op_type == "LayerNormalization"
        )
        return self.output, first.output[0]


class FamilyModel(TorchModel):
    """A member of families.FAMILIES.

    more: words, the shape of the embedding whose rows the gradient is taken with respect to;
    together, rows of the batch influence each other or are too few to choose from; square, an
    output of N x N; axes, the dynamic ones of the inputs; fixed, none is dynamic.
    """

    def __init__(self, name, make, dynamo):
        net, inputs, more = make()
        options = {key: more[key] for key in ("seed",) if key in more}
        super().__init__(
            name, net, inputs, opset=18 if dynamo else 17, dynamo=dynamo, output="out", **options
        )
        self.rows_apart = not more.get("together")
        self.words, self.axes = more.get("words"), more.get("axes")
        self.fixed = bool(more.get("fixed"))
        self.output_axes = {0: "N", 1: "N"} if more.get("square") else {0: "N"}
        if self.words:
            self.wrt = "embeddings"

    def evaluator(self, dtype, noisy=False):
        if not self.words:
            return super().evaluator(dtype, noisy)
        net = copy.deepcopy(self.net).to(dtype)

        def evaluate(inputs):
            kept = []
            hook = net.words.register_forward_hook(
                lambda _module, _args, y: kept.append(y.detach().requires_grad_()) or kept[-1]
            )
            logits = net(*inputs.values())
            hook.remove()
            return {self.output: logits.detach()}, logits, kept[0]

        return evaluate

    def write(self, path, inputs):
        axes = self.axes or {name: {0: "N"} for name in inputs}
        axes = dict(axes, **{self.output: self.output_axes})
        if self.fixed:
            axes = {name: {} for name in axes}
        export(self.net, inputs, self.output, path, self.opset, self.dynamo, axes=axes)
        if not self.words:
            return self.output, self.wrt
        graph = onnx.load(path).graph
        tables = {item.name for item in graph.initializer if tuple(item.dims) == self.words}
        embed = next(n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables)
        return self.output, embed.output[0]


class DetectorModel(TorchModel):
    """How many boxes there are depends on the picture, so the file has one picture and free rows."""

    rows_apart = False

    def write(self, path, inputs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                self.net,
                tuple(inputs.values()),
                path,
                dynamo=False,
                opset_version=self.opset,
                input_names=list(inputs),
                output_names=[self.output],
                dynamic_axes={self.output: {0: "found"}},
            )
        return self.output, self.wrt


class RapidModel(Model):
    """A file of the package rapidocr-onnxruntime.  Forward only."""

    keep, rows_apart = 1, False

    def __init__(self, name, folder, file, *shape):
        if not folder:
            raise FileNotFoundError("needs --rapidocr FOLDER with " + file)
        self.path = os.path.join(folder, file)
        super().__init__(name, {"x": page(*shape)}, None)

    def write(self, path, inputs):
        with open(self.path, "rb") as source, open(path, "wb") as target:
            target.write(source.read())
        return None, None


class LiteModel(TorchModel):
    """EfficientNet-Lite: our converter writes the file, the authors' package is the reference."""

    limit = 1

    def __init__(self, variant, size):
        self.copies = {}
        super().__init__(
            "efficientnet-lite%d" % variant,
            nets.EfficientNetLite(variant).eval(),
            {"input": plain(150, size)},
        )

    def doubt(self, inputs, exact, plain, noisy):
        """How many ReLU6 inputs lie within two deviations of float32's own error from 0 or from 6.

        That error is the larger one of the net as it stands and with its batch normalisations
        folded.  Trained weights cannot be chosen to keep off the kinks, and hardly a photo in a
        hundred does; on plain colours the early layers have few different values.
        """
        if not self.copies:
            self.copies = {
                "plain": self.net,
                "folded": folded(self.net),
                "exact": copy.deepcopy(self.net).double(),
            }
        true = self.relu_inputs("exact", cast(inputs, torch.float64))
        near = 0
        for *rounded, z in zip(
            self.relu_inputs("plain", inputs), self.relu_inputs("folded", inputs), true
        ):
            error = 2 * rounding(rounded, z)
            near += int((z.abs() < error).sum() + ((z - 6).abs() < error).sum())
        return near

    def relu_inputs(self, which, inputs):
        net, kept = self.copies[which], []
        hooks = [
            module.register_forward_hook(lambda _module, given, _y: kept.append(given[0]))
            for module in net.modules()
            if isinstance(module, torch.nn.ReLU6)
        ]
        with torch.no_grad():
            net(*inputs.values())
        for hook in hooks:
            hook.remove()
        return kept

    def write(self, path, inputs):
        script = os.path.join(ROOT, "scripts", "pull", "efficientnet_lite.py")
        subprocess.run([sys.executable, script, self.name, path], check=True)
        return "logits", "input"


class LightModel(Model):
    """A light_* architecture with seeded weights, evaluated by our own interpreter."""

    keep = 1
    limit = 0.25  # deviations

    def __init__(self, name):
        # of 60 inputs of inception_v1 none is clear of kinks
        candidates = noise(161 if name == "inception_v1" else 61, 3, 224, 224, seed=3)
        _, self.plain = light.load(name)
        self.onnx = light.seeded(self.plain, candidates[:1], seed=7)
        candidates = candidates[1:]  # the last layer is blind to what it was calibrated on
        (self.input,) = light.graph_inputs(self.onnx)
        super().__init__("light_" + name, {self.input: candidates}, self.input)

    def doubt(self, inputs, exact, plain, noisy):
        """Float32's own error in shares of the distance to the nearest kink: of a ReLU input from
        zero, of the largest element under a MaxPool from the second.

        Exact zeros and ties come from one element below, as when pooling what is pooled already,
        and make no doubt.
        """
        with torch.no_grad():
            rounded = onnx_torch.run(self.onnx, inputs, torch.float32)
            true = onnx_torch.run(self.onnx, cast(inputs, torch.float64), torch.float64)
        worst = 0.0
        for node in self.onnx.graph.node:
            if node.op_type not in ("Relu", "MaxPool"):
                continue
            z = true[node.input[0]]
            error = rounding([rounded[node.input[0]]], z)
            if node.op_type == "MaxPool":
                first, after = onnx_torch.two_largest(node, z)
                z = first - after
            worst = max(worst, float((error / z.abs())[z != 0].max()))
        return worst

    def evaluator(self, dtype, noisy=False):
        def evaluate(inputs):
            # the reshapes of some of these files fix the batch at one
            x = inputs[self.input].detach().clone().requires_grad_()
            rows = [onnx_torch.run(self.onnx, {self.input: row[None]}, dtype) for row in x]
            of = torch.cat([values[light.before_softmax(self.onnx)] for values in rows])
            outputs = {
                item.name: torch.cat([values[item.name] for values in rows]).detach()
                for item in self.onnx.graph.output
            }
            return outputs, of, x

        return evaluate

    def write(self, path, inputs):
        onnx.save(self.onnx, path)
        return light.before_softmax(self.onnx), self.input


class ConstantLightModel(Model):
    """A light_* file as it is, all weights 0.02.  Forward only: the outputs are uniform."""

    keep, rows_apart = 1, False

    def __init__(self, name):
        self.path, self.onnx = light.load(name)
        (self.input,) = light.graph_inputs(self.onnx)
        super().__init__(
            "light_%s_constant" % name, {self.input: noise(1, 3, 224, 224, seed=3)}, None
        )

    def write(self, path, inputs):
        with open(self.path, "rb") as source, open(path, "wb") as target:
            target.write(source.read())
        return None, None


def export(net, inputs, output, path, opset=17, dynamo=False, fold=False, axes=None):
    """torch.onnx.export with the batch as a symbolic dimension named N, or `axes`.

    Either exporter folds batch normalisation into the convolutions; fold=False keeps the old one
    from it.
    """
    names = list(inputs)
    axes = axes or {name: {0: "N"} for name in names + [output]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            sizes = {name: torch.export.Dim(name, min=1, max=4096) for name in "NE"}
            shapes = tuple({k: sizes[v] for k, v in axes[name].items()} for name in names)
            program = torch.onnx.export(
                net,
                tuple(inputs.values()),
                dynamo=True,
                opset_version=opset,
                input_names=names,
                output_names=[output],
                dynamic_shapes=shapes,
                verbose=False,
            )
            program.save(path)
        else:
            mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
            torch.onnx.export(
                net,
                tuple(inputs.values()),
                path,
                dynamo=False,
                opset_version=opset,
                input_names=names,
                output_names=[output],
                dynamic_axes=axes,
                training=mode,
            )


# ---- one model -----------------------------------------------------------------------------------


def file_name(prefix, name):
    return "%s_%s.npy" % (prefix, name.replace("/", "_").replace(":", "_"))


def save(folder, name, tensor):
    """C order, little-endian, never a view with odd strides."""
    numpy.save(os.path.join(folder, name), numpy.ascontiguousarray(tensor.detach().numpy()))
    return name


def run_onnxruntime(path, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    feeds = {key: value.contiguous().numpy() for key, value in inputs.items()}
    return {name: torch.from_numpy(value) for name, value in zip(names, session.run(None, feeds))}


def write_forward_only(model, folder):
    model.write(os.path.join(folder, "model.onnx"), model.inputs)
    outputs = run_onnxruntime(os.path.join(folder, "model.onnx"), model.inputs)
    return {
        "name": model.name,
        "model": "model.onnx",
        "inputs": {k: save(folder, file_name("input", k), v) for k, v in model.inputs.items()},
        "outputs": {
            k: save(folder, file_name("output", k), v.double()) for k, v in outputs.items()
        },
        "outputs_f32": {k: save(folder, file_name("output_f32", k), v) for k, v in outputs.items()},
        "reference": "ONNX Runtime",
        "forward_tolerance": TOLERANCE,
        "tags": list(model.tags),
    }


def write_model(model, folder):
    """All files of one model; returns meta.json's content."""
    os.makedirs(folder, exist_ok=True)
    if model.wrt is None:
        return write_forward_only(model, folder)
    inputs = model.choose()
    exact, rounded = model.evaluator(torch.float64), model.evaluator(torch.float32)
    of = exact(cast(inputs, torch.float64))[1]
    seed = top_seed(of) if model.seed is None else model.seed.expand_as(of).clone()
    outputs, _, grad = gradient(exact, cast(inputs, torch.float64), seed)
    outputs_f32, _, grad_f32 = gradient(rounded, inputs, seed)
    path = os.path.join(folder, "model.onnx")
    of_name, wrt_name = model.write(path, inputs)
    onnx.checker.check_model(path)
    names = {item.name for item in onnx.load(path).graph.output}
    if set(outputs) != names:
        raise RuntimeError("%s: outputs %s, expected %s" % (model.name, names, set(outputs)))
    ort = run_onnxruntime(path, inputs)
    meta = {
        "name": model.name,
        "model": "model.onnx",
        "inputs": {k: save(folder, file_name("input", k), v) for k, v in inputs.items()},
        "outputs": {k: save(folder, file_name("output", k), v) for k, v in outputs.items()},
        "outputs_f32": {
            k: save(folder, file_name("output_f32", k), v) for k, v in outputs_f32.items()
        },
        "reference": "PyTorch " + torch.__version__,
        "of": of_name,
        "seed": save(folder, "seed.npy", seed.float()),
        "wrt": wrt_name,
        "grad": save(folder, "grad.npy", grad),
        "forward_tolerance": TOLERANCE,
        "grad_tolerance": TOLERANCE,
        "tags": list(model.tags),
        "torch_f32": {
            "forward": max(scaled(outputs_f32[k], v) for k, v in outputs.items()),
            "grad": relative(grad_f32, grad),
        },
        "onnxruntime": {"forward": max(scaled(ort[k], v) for k, v in outputs.items())},
    }
    if model.hvp:
        v = torch.from_numpy(
            numpy.random.default_rng(5).normal(size=grad.shape).astype(numpy.float32)
        )
        reference = second(exact, cast(inputs, torch.float64), seed, v)
        meta["hvp_v"], meta["hvp"] = save(folder, "v.npy", v), save(folder, "hvp.npy", reference)
        meta["hvp_tolerance"] = TOLERANCE
        meta["torch_f32"]["hvp"] = relative(second(rounded, inputs, seed, v), reference)
    return meta


# ---- the list ------------------------------------------------------------------------------------


def seeded(build, *calibration, seed=11):
    torch.manual_seed(seed)
    return nets.settle(build(), *calibration, seed=seed)


def classifier(build, size, count=30, **more):
    """A maker of a TorchModel on seeded noise."""

    def make(name):
        net = seeded(build, noise(8 if size <= 64 else 4, 3, size, size, seed=2))
        return TorchModel(name, net, {"input": noise(count, 3, size, size)}, **more)

    return make


def unet(smooth, **more):
    def make(name):
        net = seeded(lambda: nets.UNet(smooth=smooth), noise(4, 1, 64, 64, seed=2))
        weights = torch.from_numpy(numpy.random.default_rng(9).normal(size=(1, 3, 64, 64)))
        return TorchModel(
            name,
            net,
            {"input": noise(30, 1, 64, 64)},
            output="mask",
            seed=weights.float().double(),
            **more,
        )

    return make


def bert(**more):
    def make(name):
        torch.manual_seed(11)
        net = nets.settle(nets.Bert(), seed=11)
        rng = numpy.random.default_rng(4)
        ids = torch.from_numpy(rng.integers(0, 500, (2, 24)))
        mask = torch.ones(2, 24, dtype=torch.int64)
        mask[1, 17:] = 0
        model = BertModel(
            name, net, {"input_ids": ids, "attention_mask": mask}, wrt="embeddings", **more
        )
        model.rows_apart = False
        return model

    return make


def tagger(**more):
    def make(name):
        torch.manual_seed(11)
        rng = numpy.random.default_rng(6)
        ids = torch.from_numpy(rng.integers(0, 300, (2, 12)))
        model = BertModel(name, nets.Tagger().eval(), {"ids": ids}, wrt="embeddings", **more)
        model.rows_apart = False
        return model

    return make


def detector(name):
    net = seeded(nets.Detector, noise(4, 3, 64, 64, seed=2))
    return DetectorModel(name, net, {"input": noise(1, 3, 64, 64)}, output="found")


def listener(**more):
    def make(name):
        net = seeded(nets.Listener, noise(1, 1, 40, 64, seed=2)[:, 0])
        weights = torch.from_numpy(numpy.random.default_rng(9).normal(size=(1, 32, 48)))
        inputs = {"input": noise(2, 1, 40, 64)[:, 0]}
        model = TorchModel(name, net, inputs, output="hidden", seed=weights, **more)
        model.rows_apart = False
        return model

    return make


def cifar(n, file, folder):
    def make(name):
        if not folder:
            raise FileNotFoundError("needs --cifar FOLDER (or SALIENCE_CIFAR) with " + file)
        net = nets.cifar_resnet(n, os.path.join(folder, file)).eval()
        mean, std = numpy.array([0.485, 0.456, 0.406]), numpy.array([0.229, 0.224, 0.225])
        return TorchModel(name, net, {"input": crops(40, 32, mean, std)}, fold=True)

    return make


def catalogue(cifar_folder, rapid):
    """{name: maker}, cheap ones first."""
    small_convnext = functools.partial(nets.ConvNeXt, (2, 2, 2, 2), (24, 48, 96, 192), 10)
    tiny_swin = functools.partial(nets.Swin, 32, 2, 24, (2, 2), (2, 4), window=4, classes=10)
    table = {
        "cifar-resnet20": cifar(3, "resnet20-12fca82f.th", cifar_folder),
        "cifar-resnet56": cifar(9, "resnet56-4bfd9763.th", cifar_folder),
        "vit-tiny": classifier(nets.vit_tiny, 32, hvp=True),
        "vit-tiny-dynamo": classifier(lambda: nets.vit_tiny(fused=True), 32, dynamo=True, opset=18),
        "vit-tiny-dynamo23": classifier(
            lambda: nets.vit_tiny(fused=True), 32, dynamo=True, opset=23
        ),
        "convnext-small": classifier(small_convnext, 64, hvp=True),
        "convnext-small-dynamo": classifier(small_convnext, 64, dynamo=True, opset=20),
        "swin-small": classifier(tiny_swin, 32),
        "swin-small-dynamo": classifier(tiny_swin, 32, dynamo=True, opset=18),
        "unet": unet(False),
        "unet-dynamo": unet(False, dynamo=True, opset=18),
        "unet-smooth": unet(True, hvp=True),
        "bert": bert(),
        "bert-dynamo": bert(dynamo=True, opset=18),
        "tagger": tagger(hvp=True),
        "tagger-dynamo": tagger(dynamo=True, opset=18),
        "detector": detector,
        "listener": listener(hvp=True),
        "listener-dynamo": listener(dynamo=True, opset=20),
        "resnet18": classifier(nets.resnet18, 224),
        "resnet18-dynamo": classifier(nets.resnet18, 224, dynamo=True, opset=18),
        "mobilenetv2": classifier(nets.MobileNetV2, 224),
        "mobilenetv2-dynamo": classifier(nets.MobileNetV2, 224, dynamo=True, opset=18),
        "densenet121": classifier(nets.DenseNet, 224),
        "resnet50": classifier(nets.resnet50, 224),
        "convnext-tiny": classifier(nets.ConvNeXt, 224, count=2),
        "swin-tiny": classifier(nets.Swin, 224, count=2),
        "vit-b16": classifier(nets.ViT, 224, count=2),
    }
    for name, make in families.FAMILIES.items():
        if name not in families.DYNAMO_ONLY:
            table["family-" + name] = functools.partial(FamilyModel, make=make, dynamo=False)
        table["family-%s-dynamo" % name] = functools.partial(FamilyModel, make=make, dynamo=True)
    for part, file, shape in (
        ("cls", "ch_ppocr_mobile_v2.0_cls_infer.onnx", (48, 192)),
        ("det", "ch_PP-OCRv4_det_infer.onnx", (160, 224)),
        ("rec", "ch_PP-OCRv4_rec_infer.onnx", (48, 160)),
    ):
        table["ppocr-" + part] = lambda name, f=file, s=shape: RapidModel(name, rapid, f, *s)
    for variant, size in enumerate((224, 240, 260)):
        table["efficientnet-lite%d" % variant] = lambda _name, v=variant, s=size: LiteModel(v, s)
    for name in light.NAMES:
        table["light_" + name] = lambda _name, n=name: LightModel(n)
        table["light_%s_constant" % name] = lambda _name, n=name: ConstantLightModel(n)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="folder that receives the models")
    parser.add_argument("--only", nargs="+", help="names, default all")
    parser.add_argument(
        "--cifar",
        default=os.environ.get("SALIENCE_CIFAR"),
        help="folder of the CIFAR ResNet checkpoints (akamaster/pytorch_resnet_cifar10)",
    )
    parser.add_argument(
        "--rapidocr",
        default=os.environ.get("SALIENCE_RAPIDOCR"),
        help="folder of the models inside the package rapidocr-onnxruntime",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    table = catalogue(options.cifar, options.rapidocr)
    if options.list:
        print("\n".join(table))
        return 0
    if not options.out:
        parser.error("--out is required")
    unknown = [name for name in options.only or [] if name not in table]
    if unknown:
        parser.error("unknown models: " + ", ".join(unknown))
    torch.set_num_threads(options.threads)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*TF32 acceleration.*")
    failed = 0
    for name in options.only or table:
        try:
            folder = os.path.join(options.out, name)
            meta = write_model(table[name](name), folder)
            with open(os.path.join(folder, "meta.json"), "w", encoding="utf-8") as file:
                json.dump(meta, file, indent=2)
                file.write("\n")
            print(name, meta.get("torch_f32", ""), meta.get("onnxruntime", ""), flush=True)
        except Exception as problem:  # one model must not stop the others
            failed += 1
            print(
                "%s: %s: %s" % (name, type(problem).__name__, str(problem)[:2000]), file=sys.stderr
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
