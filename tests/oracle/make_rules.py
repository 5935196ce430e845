#!/usr/bin/env python3
"""Golden maps of the relevance rules and what stands on gradients: tests/golden/rules/.

The oracles are zennit 0.5.1 and captum 0.9. The format is that of make_methods.py.
"""

import os
import sys
import types

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import captum.attr  # noqa: E402
import draws  # noqa: E402
import numpy  # noqa: E402
from golden_folder import Folder  # noqa: E402
import nets  # noqa: E402
import zoo  # noqa: E402

# zennit reads torchvision for the names of two blocks, which are not used here.
for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
    sys.modules.setdefault(name, types.ModuleType(name))
for name in ("BasicBlock", "Bottleneck"):
    setattr(sys.modules["torchvision.models.resnet"], name, type(name, (), {}))

from zennit import composites, rules  # noqa: E402
from zennit.canonizers import SequentialMergeBatchNorm  # noqa: E402
from zennit.types import Convolution, Linear  # noqa: E402

MERGE = [SequentialMergeBatchNorm()]
BASE = composites.layer_map_base()


def everywhere(rule):
    return composites.LayerMapComposite(BASE + [((Linear,), rule)], canonizers=MERGE)


def first(rule, others):
    return composites.SpecialFirstLayerMapComposite(
        BASE + [((Linear,), others)], [((Convolution,), rule)], canonizers=MERGE
    )


def relevance(net, x, target, composite, unit=False):
    """Relevance of the input when the target's logit is handed out (unit: when one is)."""
    x = x.clone().requires_grad_()
    with composite.context(net) as changed:
        out = changed(x)
        start = torch.zeros_like(out)
        start[0, target] = 1.0 if unit else out[0, target].detach()
        (result,) = torch.autograd.grad(out, x, start)
    return result


def add_relevance(folder, net, x):
    target, low, high = folder.target, float(x.min()), float(x.max())
    box = {"low": -2.5, "high": 2.5}

    def add(method, composite, params=None, suffix="", **more):
        folder.add(
            method, method + suffix, relevance(net, x, target, composite, **more), params,
            library="zennit",
        )

    add("lrp-gamma", everywhere(rules.Gamma(0.25)), {"gamma": 0.25})
    add("lrp-gamma", everywhere(rules.Gamma(2.0)), {"gamma": 2.0}, "-2")
    add("lrp-alpha-beta", everywhere(rules.AlphaBeta(2.0, 1.0)))
    add("lrp-z-plus", everywhere(rules.ZPlus()))
    add("epsilon-plus", composites.EpsilonPlus(canonizers=MERGE))
    add("epsilon-plus", composites.EpsilonPlus(epsilon=0.1, canonizers=MERGE), {"epsilon": 0.1}, "-0.1")
    add("epsilon-plus-flat", composites.EpsilonPlusFlat(canonizers=MERGE))
    given = composites.EpsilonGammaBox(
        torch.full_like(x, -2.5), torch.full_like(x, 2.5), canonizers=MERGE
    )
    own = composites.EpsilonGammaBox(
        torch.full_like(x, low), torch.full_like(x, high), canonizers=MERGE
    )
    add("epsilon-gamma-box", given, box)
    add("epsilon-gamma-box", own, None, "-own")
    add("epsilon-alpha2-beta1", composites.EpsilonAlpha2Beta1(canonizers=MERGE))
    add("epsilon-alpha2-beta1-flat", composites.EpsilonAlpha2Beta1Flat(canonizers=MERGE))
    z_box = rules.ZBox(torch.full_like(x, -2.5), torch.full_like(x, 2.5))
    add("deep-taylor", first(z_box, rules.ZPlus()), box)
    add("deep-taylor-w-square", first(rules.WSquare(), rules.ZPlus()))
    # The paper's probabilities know no offsets; zennit keeps them unless told otherwise.
    add(
        "excitation-backprop",
        composites.ExcitationBackprop(zero_params="bias", canonizers=MERGE),
        unit=True,
    )


def add_noise(folder, net, x):
    """captum's tunnel receives the library's noise in place of its own."""
    samples, seed = 6, 1
    sigma = 0.15 * float(x.max() - x.min())
    noise = torch.from_numpy(sigma * draws.noise(seed, samples, tuple(x.shape[1:])))
    draw = torch.normal
    torch.normal = lambda _mean, stdev: noise.to(x.dtype).reshape(stdev.shape)
    try:
        for method, kind in (("smooth-grad-squared", "smoothgrad_sq"), ("var-grad", "vargrad")):
            result = captum.attr.NoiseTunnel(captum.attr.Saliency(net)).attribute(
                x, nt_type=kind, nt_samples=samples, stdevs=sigma, target=folder.target, abs=False
            )
            folder.add(method, method, result, {"samples": samples})
    finally:
        torch.normal = draw


class Apart(nets.SmallCnn):
    """The value between rectifier and pooling twice.

    captum hooks tensors. Where a rectifier's output is what a pooling reads, the rectifier sees the
    gradient from before the pooling's rule changed it, and the sum over the input is then not the
    change of the output.
    """

    def forward(self, x):
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))).clone())
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        return self.fc(torch.flatten(self.gap(self.relu3(self.conv3(x))), 1))


def apart(net):
    twin = Apart().double().eval()
    twin.load_state_dict(net.state_dict())
    return twin


def add_baselines(folder, net, x):
    """DeepLIFT and what averages over baselines.

    Constant baselines make maps that are constant but for the border: which element of a window wins
    then is left to chance in the oracle, and what it computes without the pooling's rule agrees with
    ours but for the border.
    """
    target, shape = folder.target, tuple(x.shape[1:])
    spread = 0.1 * float(x.max() - x.min())
    lift = captum.attr.DeepLift(net)
    folder.add(
        "deeplift",
        "deeplift",
        lift.attribute(x, torch.zeros_like(x), target=target),
        pearson=0.999,
        absolute=None,
    )
    lift = captum.attr.DeepLift(apart(net))
    rng = numpy.random.default_rng(5)
    given = torch.from_numpy(rng.normal(0.2, 0.5, (3,) + shape).astype("f")).to(x.dtype)
    name = folder.save("baselines.npy", given)
    folder.add(
        "deeplift", "deeplift-given", lift.attribute(x, given[:1], target=target), given=name
    )
    shap = captum.attr.DeepLiftShap(apart(net))
    folder.add(
        "deeplift-shap", "deeplift-shap", shap.attribute(x, given, target=target), given=name
    )
    drawn = torch.from_numpy(draws.drawn_baselines(1, 4, shape, 0.0, spread))
    folder.add(
        "deeplift-shap",
        "deeplift-shap-drawn",
        shap.attribute(x, drawn, target=target),
        {"samples": 4},
    )
    add_gradient_shap(folder, net, x, given, name)


def add_gradient_shap(folder, net, x, given, name):
    """captum's own estimator, InputBaselineXGradient, at the library's draws."""
    samples, seed, shape = 12, 1, tuple(x.shape[1:])
    which, places = draws.choices_and_places(seed, samples, len(given))
    noise = torch.from_numpy(draws.noise(seed, samples, shape))
    span = float(x.max() - x.min())
    drawn = torch.from_numpy(draws.drawn_baselines(seed, samples, shape, 0.0, 0.1 * span))
    for method, deviation in (("gradient-shap", 0.1), ("expected-gradients", 0.0)):
        for suffix, baselines in (("", given[which]), ("-drawn", drawn)):
            moved = x + deviation * span * noise
            uniform = numpy.random.uniform
            numpy.random.uniform = lambda *_range: numpy.array(places)
            try:
                estimator = captum.attr._core.gradient_shap.InputBaselineXGradient(net)
                result = estimator.attribute(moved, baselines, target=folder.target)
            finally:
                numpy.random.uniform = uniform
            more = {} if suffix else {"given": name}
            folder.add(
                method,
                method + suffix,
                result.mean(0, keepdim=True),
                {"samples": samples},
                **more,
            )


def add_layers(folder, net, x):
    """captum's layer and neuron attributions; of a layer's, its own shape is compared."""
    target, attr = folder.target, captum.attr
    zero = torch.zeros_like(x)
    value = {"relu2": "/relu2/Relu_output_0", "fc": "/Flatten_output_0"}
    for suffix, name, module, inputs in (
        ("", "relu2", net.relu2, False),
        ("-dense", "fc", net.fc, True),
    ):

        def add(method, result, params=None, **more):
            params = dict(params or {}, layer=value[name])  # noqa: B023
            folder.add(method, method + suffix, result, params, kind="layer", **more)  # noqa: B023

        here = {"attribute_to_layer_input": inputs}
        path = {"baselines": zero, "target": target, "n_steps": 20, "method": "riemann_middle"}
        add("layer-activation", attr.LayerActivation(net, module).attribute(x, **here))
        add(
            "layer-gradient-x-activation",
            attr.LayerGradientXActivation(net, module).attribute(x, target=target, **here),
        )
        add(
            "layer-integrated-gradients",
            attr.LayerIntegratedGradients(net, module).attribute(x, **path, **here),
            {"steps": 20},
        )
        add(
            "internal-influence",
            attr.InternalInfluence(net, module).attribute(x, **path, **here),
            {"steps": 20},
        )
        # Left ends of 3,000 steps there, the trapezium rule of 500 here: the same integral.
        fine = dict(path, n_steps=3000, method="riemann_trapezoid", internal_batch_size=500)
        add(
            "layer-conductance",
            attr.LayerConductance(net, module).attribute(x, **fine, **here),
            {"steps": 500},
            absolute=None,
        )
    add_neurons(folder, net, x, zero, value["relu2"])
    cam = attr.GuidedGradCam(net, net.relu2).attribute(
        x, target=target, interpolate_mode="bilinear"
    )
    folder.add("guided-grad-cam", "guided-grad-cam", cam, {"layer": value["relu2"]})


def add_neurons(folder, net, x, zero, value):
    layer = captum.attr.LayerActivation(net, net.relu2).attribute(x)
    shape = tuple(layer.shape[1:])
    # an element that is on, so that there is something to explain
    place = numpy.unravel_index(int(layer[0].argmax()), shape)
    place = tuple(int(p) for p in place)
    params = {"neuron": int(numpy.ravel_multi_index(place, shape)), "layer": value}
    attr, steps = captum.attr, {"n_steps": 20, "method": "riemann_middle"}
    folder.add(
        "neuron-gradient",
        "neuron-gradient",
        attr.NeuronGradient(net, net.relu2).attribute(x, place),
        params,
    )
    folder.add(
        "neuron-integrated-gradients",
        "neuron-integrated-gradients",
        attr.NeuronIntegratedGradients(net, net.relu2).attribute(
            x, place, baselines=zero, **steps
        ),
        dict(params, steps=20),
    )
    folder.add(
        "neuron-conductance",
        "neuron-conductance",
        attr.NeuronConductance(net, net.relu2).attribute(
            x, place, baselines=zero, target=folder.target, **steps
        ),
        dict(params, steps=20),
    )


# ---- written down from the papers, on PyTorch's derivatives --------------------------------------


def full_grad(net, x, target, rescale):
    """FullGrad. Asserts its identity: input and offset terms sum to the target."""
    with composites.LayerMapComposite([], canonizers=MERGE).context(net):
        values, handles = [], []
        for module in net.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
                handles.append(
                    module.register_forward_hook(lambda m, _i, out: values.append((m.bias, out)))
                )
        x = x.clone().requires_grad_()
        out = net(x)[0, target]
        grads = torch.autograd.grad(out, [x] + [value for _, value in values])
        for handle in handles:
            handle.remove()
        terms = [x * grads[0]]
        for (bias, value), grad in zip(values, grads[1:]):
            shape = (1, -1) + (1,) * (value.dim() - 2)
            terms.append(bias.reshape(shape) * grad)
    torch.testing.assert_close(sum(t.sum() for t in terms), out)
    result = 0.0
    for term in terms:
        if term.dim() != 4:
            continue
        term = term.abs()
        if rescale:
            term = (term - term.min()) / (term - term.min()).max()
        result = result + torch.nn.functional.interpolate(
            term, x.shape[2:], mode="bilinear", align_corners=False
        ).sum(1)
    return result.detach()


def block_parts(block, x, half=None):
    """One encoder block and its attention weights; half=True as AttnLRP reads it."""
    normalise, product, activation = plain_norm, torch.matmul, torch.nn.functional.gelu
    if half:
        normalise, product, activation = frozen_norm, halved, unchanged_gelu
    attention = block.attention
    n, tokens, width = x.shape
    heads = attention.heads
    qkv = attention.qkv(normalise(block.norm1, x)).reshape(n, tokens, 3, heads, width // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    weights = product(q * attention.scale, k.transpose(-2, -1)).softmax(-1)
    y = product(weights, v).transpose(1, 2).reshape(n, tokens, width)
    x = x + attention.out(y)
    first, _, second = block.mlp
    return x + second(activation(first(normalise(block.norm2, x)))), weights


def plain_norm(norm, x):
    return norm(x)


def frozen_norm(norm, x):
    """The deviation is no function of x."""
    deviation = (x.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt().detach()
    return (x - x.mean(-1, keepdim=True)) / deviation * norm.weight + norm.bias


def halved(a, b):
    """The product, of which each factor gets half."""
    y = torch.matmul(a, b)
    return 0.5 * y + (0.5 * y).detach()


def unchanged_gelu(x):
    """gelu(x) as x times a constant: relevance passes unchanged."""
    return x * (torch.nn.functional.gelu(x) / x).detach()


def vit_forward(net, x, half=False):
    tokens = net.patches(x).flatten(2).transpose(1, 2)
    tokens = torch.cat((net.cls.expand(x.shape[0], -1, -1), tokens), 1) + net.position
    weights = []
    for block in net.blocks:
        tokens, attention = block_parts(block, tokens, half)
        weights.append(attention)
    norm = frozen_norm if half else plain_norm
    return net.head(norm(net.norm, tokens)[:, 0]), weights


def attention_grid(owed, side):
    return owed[:, 0, 1:].reshape(1, side, side)


def enlarged(grid, x):
    return torch.nn.functional.interpolate(
        grid[:, None], x.shape[2:], mode="bilinear", align_corners=False
    )[:, 0]


def make_transformer(path):
    torch.manual_seed(32)
    net = nets.ViT(size=32, patch=8, width=24, depth=3, heads=3, classes=5).eval()
    nets.settle(net, seed=32)
    x = zoo.crops(1, 32, 0.5, 0.5, seed=6)
    target = int(net(x).argmax())
    folder = Folder(path, net, x, target)
    zoo.export(net, {"input": x}, "logits", os.path.join(path, "model.onnx"))
    net, x = net.double(), x.double().requires_grad_()
    out, weights = vit_forward(net, x)
    torch.testing.assert_close(out, net(x))
    eye = torch.eye(weights[0].shape[-1], dtype=x.dtype)[None]
    rollout = eye
    for w in weights:
        rollout = 0.5 * (w.mean(1) + eye) @ rollout
    grads = torch.autograd.grad(out[0, target], weights)
    relevance = eye
    for w, g in zip(weights, grads):
        relevance = relevance + (g * w).clamp(min=0).mean(1) @ relevance
    for method, owed in (("attention-rollout", rollout), ("gradient-attention", relevance)):
        grid = attention_grid(owed, 4)
        folder.add(method, method + "-layer", grid, kind="cam-layer", library="paper")
        folder.add(method, method, enlarged(grid, x), kind="cam", library="paper")
    out, _ = vit_forward(net, x, half=True)
    (g,) = torch.autograd.grad(out[0, target], x)
    folder.add("attn-lrp", "attn-lrp", x * g, {"epsilon": 0.0}, library="paper", absolute=None)
    folder.finish(logits=out[0].tolist())


def main():
    path = os.path.join(ROOT, "tests", "golden", "rules")
    torch.manual_seed(31)
    net = nets.settle(nets.SmallCnn(), zoo.crops(16, 32, 0.5, 0.5, seed=2), seed=31, far=0.0)
    x = zoo.crops(1, 32, 0.5, 0.5, seed=6)
    x[0, :, 3:6, 4:9] = 0.0  # relevance of elements that are zero must not be lost
    target = int(net(x).argmax())
    folder = Folder(path, net, x, target)
    file = os.path.join(path, "model.onnx")
    zoo.export(net, {"input": x}, "logits", file)
    exact, x64 = net.double(), x.double()
    add_relevance(folder, exact, x64)
    add_noise(folder, exact, x64)
    add_baselines(folder, exact, x64)
    add_layers(folder, exact, x64)
    folder.add("saliency", "saliency", captum.attr.Saliency(exact).attribute(x64, target=target))
    for rescale in (1, 0):
        folder.add(
            "full-grad",
            "full-grad-%d" % rescale,
            full_grad(exact, x64, target, rescale),
            {"rescale": rescale},
            kind="cam",
            library="paper",
        )
    folder.finish(logits=exact(x64)[0].tolist(), zennit="0.5.1")
    make_transformer(os.path.join(ROOT, "tests", "golden", "transformer"))


if __name__ == "__main__":
    main()
