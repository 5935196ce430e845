#!/usr/bin/env python3
"""Golden maps of the explanation methods, from captum and pytorch-grad-cam.

    make_methods.py                     the small network: tests/golden/methods/
    make_methods.py --large --out DIR   EfficientNet-Lite0, ResNet-18

Each folder holds model.onnx, input.npy, one file per result and meta.json:

    model, input, labels         files; the input's preprocessing is done
    target                       class index every map answers
    layers {file layer: value}   the names of the CAM layers in the ONNX file
    cases [{method, params, file, of, kind, pearson, ...}]

`method` and `params` are those of `salience explain`; `of` names the library.  kind "attribution"
is signed and has the input's shape; "cam-layer" is H x W at the layer's size after the ReLU, "cam"
the same at input size, and "cam-library" the library's own result, which is "cam" after two min-max
scalings. `pearson` is the least correlation to accept; "absolute" is set where values must agree as
well. SmoothGrad takes the noise from the file named by "noise", one sample after the other.
"""

import argparse
import math
import os
import sys
import warnings

import captum.attr
import numpy
import onnx
import torch
from captum._utils.models.linear_model import model as linear_model
from captum.attr._utils.lrp_rules import EpsilonRule
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import gradcam  # noqa: E402
from golden_folder import Folder  # noqa: E402
import nets  # noqa: E402
import zoo  # noqa: E402

def add_gradients(folder, net, x, steps=50):
    """The methods that need only the plain gradient."""
    target = folder.target
    folder.add(
        "gradient", "gradient", captum.attr.Saliency(net).attribute(x, target=target, abs=False)
    )
    folder.add(
        "gradient-x-input",
        "gradient-x-input",
        captum.attr.InputXGradient(net).attribute(x, target=target),
    )
    ig = captum.attr.IntegratedGradients(net).attribute(
        x,
        baselines=0.0,
        target=target,
        n_steps=steps,
        method="riemann_middle",
        internal_batch_size=8,
    )
    folder.add("integrated-gradients", "integrated-gradients", ig, {"steps": steps})


def add_smooth_grad(folder, net, x, samples, deviation):
    """NoiseTunnel draws its noise from torch.normal; here it receives ours."""
    rng = numpy.random.default_rng(21)
    noise = torch.from_numpy(
        rng.normal(0.0, deviation, (samples,) + tuple(x.shape[1:])).astype("f")
    )
    draw = torch.normal
    torch.normal = lambda _mean, stdev: noise.to(x.dtype).reshape(stdev.shape)
    try:
        tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(net))
        result = tunnel.attribute(
            x,
            nt_type="smoothgrad",
            nt_samples=samples,
            stdevs=deviation,
            target=folder.target,
            abs=False,
        )
    finally:
        torch.normal = draw
    folder.add(
        "smooth-grad",
        "smooth-grad",
        result,
        {"samples": samples},
        noise=folder.save("noise.npy", noise),
    )


def add_occlusion(folder, net, x, window, stride):
    result = captum.attr.Occlusion(net).attribute(
        x,
        target=folder.target,
        sliding_window_shapes=(x.shape[1], window, window),
        strides=(x.shape[1], stride, stride),
        baselines=0.0,
        perturbations_per_eval=8,
    )
    folder.add(
        "occlusion",
        "occlusion-%d-%d" % (window, stride),
        result,
        {"window": window, "stride": stride},
    )


class Rng:
    """The library's generator (src/base/rng.c), so that both sides draw the same."""

    MASK, STEP = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def __init__(self, seed, stream):
        self.counter = 0
        self.key = self.mix(
            self.mix((seed + self.STEP) & self.MASK)
            ^ ((stream * 0xD1342543DE82EF95 + 1) & self.MASK)
        )

    @classmethod
    def mix(cls, x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & cls.MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & cls.MASK
        return x ^ (x >> 31)

    def uniform(self):
        draw = self.mix((self.key + self.STEP * self.counter) & self.MASK)
        self.counter += 1
        return (self.mix(self.key ^ draw) >> 11) * 2.0**-53


def permutation(i, n):
    rng, order = Rng(1, i), list(range(n))
    for k in range(n - 1, 0, -1):
        other = int(rng.uniform() * (k + 1))
        order[k], order[other] = order[other], order[k]
    return order


def bernoulli(i, n):
    rng = Rng(1, i)
    return [int(rng.uniform() < 0.5) for _ in range(n)]


def kernel_subset(i, n):
    rng, order = Rng(1, i // 2), list(range(n))
    share = [1.0 / (k * (n - k)) for k in range(1, n)]
    at, size = rng.uniform() * sum(share), 1
    while size + 1 < n and at >= share[size - 1]:
        at -= share[size - 1]
        size += 1
    keep = [i % 2] * n
    for k in range(size):
        other = k + int(rng.uniform() * (n - k))
        order[k], order[other] = order[other], order[k]
        keep[order[k]] ^= 1
    return keep


def grid_mask(x, cells):
    rows, columns = ([i * cells // extent for i in range(extent)] for extent in x.shape[2:])
    mask = torch.tensor([[r * cells + c for c in columns] for r in rows])
    return mask[None, None].expand(1, x.shape[1], -1, -1).contiguous()


def exact_shapley(net, x, target, mask, n):
    """Over all 2^n subsets, by the definition."""
    values = {}
    for bits in range(1 << n):
        keep = torch.tensor([bits >> f & 1 for f in range(n)])
        values[bits] = float(net(x * keep[mask])[0, target])
    phi = numpy.zeros(n)
    for f in range(n):
        for bits in range(1 << n):
            if bits >> f & 1 == 0:
                size = bin(bits).count("1")
                weight = 1.0 / (math.comb(n - 1, size) * n)
                phi[f] += weight * (values[bits | 1 << f] - values[bits])
    return phi[mask.numpy()]


def add_features(folder, net, x):
    """The methods that remove features, every random choice fed to both sides."""
    target = folder.target

    def perturbations(draw):
        def generate(original, **options):
            n, i = options["num_interp_features"], 0
            while True:
                yield torch.tensor([draw(i, n)])
                i += 1

        return generate

    folder.add(
        "feature-ablation",
        "feature-ablation",
        captum.attr.FeatureAblation(net).attribute(x, target=target, feature_mask=grid_mask(x, 5)),
        {"grid": 5},
    )
    sampling = captum.attr.ShapleyValueSampling(net)
    sampling.permutation_generator = lambda n, samples: (permutation(i, n) for i in range(samples))
    folder.add(
        "shapley-value-sampling",
        "shapley-value-sampling",
        sampling.attribute(x, target=target, feature_mask=grid_mask(x, 3), n_samples=6),
        {"grid": 3, "samples": 6},
    )
    folder.add(
        "kernel-shap",
        "kernel-shap-all-2",
        captum.attr.ShapleyValues(net).attribute(x, target=target, feature_mask=grid_mask(x, 2)),
        {"grid": 2},
    )
    folder.add(
        "kernel-shap",
        "kernel-shap-all-3",
        exact_shapley(net, x, target, grid_mask(x, 3), 9),
        {"grid": 3},
        library="the definition",
    )
    kernel = captum.attr.KernelShap(net)
    ends = {0: 1, 1: 0}
    kernel.perturb_func = perturbations(
        lambda i, n: [ends[i]] * n if i in ends else kernel_subset(i - 2, n)
    )
    folder.add(
        "kernel-shap",
        "kernel-shap-drawn",
        kernel.attribute(x, target=target, feature_mask=grid_mask(x, 4), n_samples=102),
        {"grid": 4, "samples": 100},
    )

    def similarity(_original, _perturbed, keep, **_options):
        d = 1.0 - math.sqrt(float(keep.sum()) / keep.numel())
        return math.exp(-d * d / (2 * 0.25**2))

    for name, fit, params in (
        ("ridge", linear_model.SkLearnRidge(alpha=0.5), {"ridge": 0.5}),
        ("lasso", linear_model.SkLearnLasso(alpha=0.0005), {"ridge": 0, "lasso": 0.0005}),
    ):
        lime = captum.attr.Lime(
            net,
            interpretable_model=fit,
            similarity_func=similarity,
            perturb_func=perturbations(bernoulli),
        )
        folder.add(
            "lime",
            "lime-" + name,
            lime.attribute(x, target=target, feature_mask=grid_mask(x, 4), n_samples=80),
            dict({"grid": 4, "segments": 0, "samples": 80}, **params),
        )


def add_rectified(folder, net, x):
    """Guided backpropagation and deconvnet: captum hooks every nn.ReLU."""
    folder.add(
        "guided-backprop",
        "guided-backprop",
        captum.attr.GuidedBackprop(net).attribute(x, target=folder.target),
    )
    folder.add(
        "deconvnet", "deconvnet", captum.attr.Deconvolution(net).attribute(x, target=folder.target)
    )


def add_lrp(folder, net, x, epsilon):
    """captum applies the rule to pooling and batch normalisation too, as layers of their own."""
    for module in net.modules():
        if not list(module.children()) and not isinstance(module, torch.nn.ReLU):
            module.rule = EpsilonRule(epsilon)
    result = captum.attr.LRP(net).attribute(x, target=folder.target)
    folder.add("lrp-epsilon", "lrp-epsilon-%g" % epsilon, result, {"epsilon": epsilon})


def add_cams(folder, net, x, layer, value, suffix=""):
    """Every CAM at one layer; `value` is the layer's output in the ONNX file."""
    runs = [(method, {}, False) for method in gradcam.METHODS if method != "score-cam"]
    runs += [("score-cam", {"align": 1}, False), ("score-cam", {}, True)]
    for method, params, half_pixel in runs:
        raw, full, library = gradcam.maps(method, net, layer, x, folder.target, half_pixel)
        results = [("cam-layer", raw), ("cam", full)]
        if not suffix and library is not None:
            results.append(("cam-library", library))
        name = method.replace("++", "pp") + ("-aligned" if params else "") + suffix
        for kind, array in results:
            folder.add(
                method,
                "%s-%s" % (name, kind),
                array,
                dict(params, **({"layer": value} if suffix else {})),
                kind=kind,
                library="pytorch-grad-cam",
                layer=value,
            )


def onnx_value(path, operator, index):
    """The output of the index-th node of a kind."""
    return [node for node in onnx.load(path).graph.node if node.op_type == operator][index].output[
        0
    ]


def make_small(path):
    torch.manual_seed(31)
    net = nets.settle(nets.SmallCnn(), zoo.crops(16, 32, 0.5, 0.5, seed=2), seed=31, far=0.0)
    x = zoo.crops(1, 32, 0.5, 0.5, seed=6)
    target = int(net(x).argmax())
    folder = Folder(path, net, x, target)
    file = os.path.join(path, "model.onnx")
    zoo.export(net, {"input": x}, "logits", file)
    onnx.checker.check_model(file)
    exact, x64 = net.double(), x.double()
    add_gradients(folder, exact, x64)
    add_smooth_grad(folder, exact, x64, 5, 0.15)
    add_occlusion(folder, exact, x64, 8, 4)
    add_occlusion(folder, exact, x64, 9, 5)
    add_features(folder, exact, x64)
    add_rectified(folder, exact, x64)
    add_cams(folder, exact, x64, exact.relu3, onnx_value(file, "Relu", 2))
    add_cams(folder, exact, x64, exact.relu2, onnx_value(file, "Relu", 1), "-relu2")
    for epsilon in (1e-9, 0.01):
        add_lrp(folder, exact, x64, epsilon)
    folder.finish(
        layers={"relu3": onnx_value(file, "Relu", 2), "relu2": onnx_value(file, "Relu", 1)},
        logits=exact(x64)[0].tolist(),
    )


def picture(size, resize):
    """dog_and_cat.png as the models' metadata says: shorter side to `resize`, centre crop."""
    with Image.open(os.path.join(zoo.PICTURES, "dog_and_cat.png")) as file:
        image = file.convert("RGB").resize((resize, resize), Image.BICUBIC)
    left = (resize - size) // 2
    pixels = numpy.asarray(image.crop((left, left, left + size, left + size)), numpy.float32)
    return torch.from_numpy((pixels / 127.5 - 1).transpose(2, 0, 1)[None].copy())


def make_large(path):
    lite = zoo.LiteModel(0, 224)
    x = picture(224, 256)
    folder = Folder(os.path.join(path, "methods-lite0"), lite.net, x, 243)  # bull mastiff
    file = os.path.join(folder.path, "model.onnx")
    lite.write(file, None)
    large(folder, lite.net, x, lite.net.features, "head/relu6", None)

    torch.manual_seed(31)
    net = nets.settle(nets.resnet18(), zoo.noise(4, 3, 224, 224, seed=2), seed=31)
    folder = Folder(os.path.join(path, "methods-resnet18"), net, x, int(net(x).argmax()))
    file = os.path.join(folder.path, "model.onnx")
    zoo.export(net, {"input": x}, "logits", file)
    large(folder, net, x, net.stages[-1], onnx_value(file, "Relu", -1), add_rectified)


def large(folder, net, x, layer, value, rectified):
    """Float32 here: the forward pass alone takes a second in float64."""
    add_gradients(folder, net, x)
    add_smooth_grad(folder, net, x, 4, 0.15)
    add_occlusion(folder, net, x, 64, 32)
    if rectified is not None:
        rectified(folder, net, x)
    add_cams(folder, net, x, layer, value)
    folder.finish(layers={"last": value}, logits=net(x)[0].tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--out", help="folder for --large")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", category=UserWarning, module="captum")
    if not options.large:
        make_small(os.path.join(ROOT, "tests", "golden", "methods"))
        return 0
    if not options.out:
        parser.error("--large needs --out DIR")
    make_large(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
