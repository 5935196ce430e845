#!/usr/bin/env python3
"""Explanations by captum and pytorch-grad-cam; `bench/run --set methods` keeps one of these a model.

    python3 bench/peers/methods.py MODEL --models DIR --image FILE --x FILE.npy [--threads N]

At the start the picture goes to --x as the model sees it, and a line of JSON holds its class, the
strongest element of the layer.  Then each line of stdin is a job {"method", "params", "map", "least", "seconds"}: methods and parameters have
the names that Salience gives them, `map` is the file for the result (null: none; then there is no
warm-up either).  What is drawn at random comes from the library's generator (tests/oracle/draws.py),
so that both sides explain the same points; drawing them takes no part in the peers' times.  Where Salience
tells by how much a map misses its sum, captum's convergence delta is asked for as well.
"""

import argparse
import contextlib
import copy
import json
import math
import sys
import time
import types
import warnings

import run  # puts tests/oracle on the path

import captum.attr
import numpy
import torch
from captum._utils.models.linear_model import model as linear_model
from captum.attr._utils.lrp_rules import EpsilonRule

import draws
import gradcam
from pytorch_grad_cam import FullGrad
from pytorch_grad_cam.ablation_layer import AblationLayerVit

BATCH = 8  # of the peers' inner batches


class Least6(torch.nn.Module):
    def forward(self, x):
        return x.clamp(max=6.0)


class Copy(torch.nn.Module):
    def forward(self, x):
        return x.clone()


def normals(seed, samples, shape):
    """draws.noise() for many numbers."""
    step, mask = numpy.uint64(draws.STEP), (1 << 64) - 1
    count = int(numpy.prod(shape))

    def mix(z):
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return z ^ (z >> numpy.uint64(31))

    out = []
    with numpy.errstate(over="ignore"):
        for i in range(samples):
            key = numpy.uint64(draws.Stream(seed & mask, i).key)
            at = numpy.arange(2 * count, dtype=numpy.uint64)
            u = (mix(key ^ mix(key + step * at)) >> numpy.uint64(11)) * 2.0**-53
            radius = numpy.sqrt(-2.0 * numpy.log(1.0 - u[0::2]))
            out.append(radius * numpy.cos(6.283185307179586476925286766559 * u[1::2]))
    return torch.from_numpy(numpy.stack(out).reshape((samples,) + tuple(shape)).astype("f"))


def permutation(i, n):
    stream, order = draws.Stream(1, i), list(range(n))
    for k in range(n - 1, 0, -1):
        other = int(stream.uniform() * (k + 1))
        order[k], order[other] = order[other], order[k]
    return order


def lime_subset(i, n):
    stream = draws.Stream(1, i)
    return [int(stream.uniform() < 0.5) for _ in range(n)]


def kernel_subset(i, n):
    if i < 2:
        return [1 - i] * n  # captum's first two: all and none
    i -= 2
    stream, order = draws.Stream(1, i // 2), list(range(n))
    share = [1.0 / (k * (n - k)) for k in range(1, n)]
    at, size = stream.uniform() * sum(share), 1
    while size + 1 < n and at >= share[size - 1]:
        at -= share[size - 1]
        size += 1
    keep = [i % 2] * n
    for k in range(size):
        other = k + int(stream.uniform() * (n - k))
        order[k], order[other] = order[other], order[k]
        keep[order[k]] ^= 1
    return keep


def generator(draw):
    def generate(original, **options):
        i = 0
        while True:
            yield torch.tensor([draw(i, options["num_interp_features"])])
            i += 1

    return generate


def similarity(_original, _perturbed, keep, **_options):
    d = 1.0 - math.sqrt(float(keep.sum()) / keep.numel())
    return math.exp(-d * d / (2 * 0.25**2))


def grid_mask(x, cells):
    rows, columns = ([i * cells // extent for i in range(extent)] for extent in x.shape[2:])
    return torch.tensor([[r * cells + c for c in columns] for r in rows])[None, None]


@contextlib.contextmanager
def replaced(module, name, value):
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def tokens_to_grid(t):
    side = math.isqrt(t.shape[1] - 1)
    return t[:, 1:].reshape(t.shape[0], side, side, t.shape[2]).permute(0, 3, 1, 2)


class Peer:
    def __init__(self, options):
        torch.set_num_threads(options.threads)
        self.name = options.model
        _, self.net, size = run.torch_model(options.model)
        self.x = run.picture(options.image, size)
        numpy.save(options.x, self.x.numpy())
        self.vit = hasattr(self.net, "blocks")
        with torch.no_grad():
            self.target = int(self.net(self.x).argmax(1))
        self.span = float(self.x.max() - self.x.min())
        self.shape = tuple(self.x.shape[1:])
        self.layer = (
            self.net.blocks[-1].norm1
            if self.vit
            else run.last_feature_map(torch, self.net, self.x)
            if not hasattr(self.net, "stages")
            else self.net.stages[-1]
        )
        self.drawn = {}

    def noise(self, seed, samples):
        key = seed, samples
        if key not in self.drawn:
            self.drawn[key] = normals(seed, samples, self.shape)
        return self.drawn[key]

    def baselines(self, samples):
        return 0.1 * self.span * self.noise(~1, samples)

    def changed(self, kind, instead):
        """A copy of the network in which other modules stand for those of a kind, and its layer."""
        net, layer = copy.deepcopy((self.net, self.layer))
        for module in list(net.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, kind):
                    setattr(module, name, torch.nn.Sequential(*instead(child)))
        return net, layer

    def rectified(self):
        """ReLU6 as ReLU and a clip: captum's rules know no ReLU6."""
        return self.changed(torch.nn.ReLU6, lambda child: (torch.nn.ReLU(), Least6()))

    def apart(self):
        """captum's DeepLIFT sums up only where rectifier and pooling hold different tensors."""
        return self.changed(torch.nn.MaxPool2d, lambda child: (Copy(), child))[0]

    # ---- captum ----

    def gradient(self, p):
        saliency = captum.attr.Saliency(self.net)
        return lambda: saliency.attribute(self.x, target=self.target, abs=False)

    def saliency(self, p):
        saliency = captum.attr.Saliency(self.net)
        return lambda: saliency.attribute(self.x, target=self.target)

    def gradient_x_input(self, p):
        method = captum.attr.InputXGradient(self.net)
        return lambda: method.attribute(self.x, target=self.target)

    def path(self, p, **more):
        return dict(
            baselines=torch.zeros_like(self.x),
            target=self.target,
            n_steps=int(p["steps"]),
            method="riemann_middle",
            internal_batch_size=BATCH,
            **more,
        )

    def integrated_gradients(self, p):
        method, path = captum.attr.IntegratedGradients(self.net), self.path(p)
        return lambda: method.attribute(self.x, return_convergence_delta=True, **path)[0]

    def tunnel(self, p, kind):
        samples = int(p["samples"])
        sigma = 0.15 * self.span
        noise = sigma * self.noise(1, samples)
        tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(self.net))

        def job():
            with replaced(torch, "normal", lambda _mean, stdev: noise.reshape(stdev.shape)):
                return tunnel.attribute(
                    self.x,
                    nt_type=kind,
                    nt_samples=samples,
                    stdevs=sigma,
                    target=self.target,
                    abs=False,
                )

        return job

    def smooth_grad(self, p):
        return self.tunnel(p, "smoothgrad")

    def smooth_grad_squared(self, p):
        return self.tunnel(p, "smoothgrad_sq")

    def var_grad(self, p):
        return self.tunnel(p, "vargrad")

    def gradient_shap(self, p):
        """captum's own estimator, of which GradientShap is the mean."""
        samples = int(p["samples"])
        _, places = draws.choices_and_places(1, samples, 1)
        moved = self.x + 0.1 * self.span * self.noise(1, samples)
        baselines = self.baselines(samples)
        estimator = captum.attr._core.gradient_shap.InputBaselineXGradient(self.net)

        def job():
            with replaced(numpy.random, "uniform", lambda *_range: numpy.array(places)):
                values, _ = estimator.attribute(
                    moved, baselines, target=self.target, return_convergence_delta=True
                )
                return values.mean(0, keepdim=True)

        return job

    def deeplift(self, p):
        method = captum.attr.DeepLift(self.apart())
        return lambda: method.attribute(
            self.x,
            torch.zeros_like(self.x),
            target=self.target,
            return_convergence_delta=True,
        )[0]

    def deeplift_shap(self, p):
        method = captum.attr.DeepLiftShap(self.apart())
        baselines = self.baselines(int(p["samples"]))
        return lambda: method.attribute(
            self.x, baselines, target=self.target, return_convergence_delta=True
        )[0]

    def lrp_epsilon(self, p):
        net = copy.deepcopy(self.net)
        for module in net.modules():
            if not list(module.children()) and not isinstance(module, torch.nn.ReLU):
                module.rule = EpsilonRule(p["epsilon"])
        method = captum.attr.LRP(net)
        return lambda: method.attribute(self.x, target=self.target)

    def guided_backprop(self, p):
        method = captum.attr.GuidedBackprop(self.rectified()[0])
        return lambda: method.attribute(self.x, target=self.target)

    def deconvnet(self, p):
        method = captum.attr.Deconvolution(self.rectified()[0])
        return lambda: method.attribute(self.x, target=self.target)

    def guided_grad_cam(self, p):
        method = captum.attr.GuidedGradCam(*self.rectified())
        return lambda: method.attribute(self.x, target=self.target, interpolate_mode="bilinear")

    def occlusion(self, p):
        window, stride = int(p["window"]), int(p["stride"])
        method = captum.attr.Occlusion(self.net)
        return lambda: method.attribute(
            self.x,
            target=self.target,
            sliding_window_shapes=(3, window, window),
            strides=(3, stride, stride),
            baselines=0.0,
            perturbations_per_eval=BATCH,
        )

    def removed(self, method, p, **more):
        mask = grid_mask(self.x, int(p["grid"]))
        return lambda: method.attribute(
            self.x,
            target=self.target,
            feature_mask=mask,
            perturbations_per_eval=BATCH,
            **more,
        ).expand(1, *self.shape)

    def feature_ablation(self, p):
        return self.removed(captum.attr.FeatureAblation(self.net), p)

    def shapley_value_sampling(self, p):
        method = captum.attr.ShapleyValueSampling(self.net)
        method.permutation_generator = lambda n, samples: (
            permutation(i, n) for i in range(samples)
        )
        return self.removed(method, p, n_samples=int(p["samples"]))

    def kernel_shap(self, p):
        method = captum.attr.KernelShap(self.net)
        method.perturb_func = generator(kernel_subset)
        return self.removed(method, p, n_samples=int(p["samples"]) + 2)

    def lime(self, p):
        method = captum.attr.Lime(
            self.net,
            interpretable_model=linear_model.SkLearnRidge(alpha=1.0),
            similarity_func=similarity,
            perturb_func=generator(lime_subset),
        )
        return self.removed(method, p, n_samples=int(p["samples"]))

    # ---- captum, layers ----

    def layer_activation(self, p):
        method = captum.attr.LayerActivation(self.net, self.layer)
        return lambda: method.attribute(self.x)

    def layer_gradient_x_activation(self, p):
        method = captum.attr.LayerGradientXActivation(self.net, self.layer)
        return lambda: method.attribute(self.x, target=self.target)

    def layer_integrated_gradients(self, p):
        method, path = captum.attr.LayerIntegratedGradients(self.net, self.layer), self.path(p)
        return lambda: method.attribute(self.x, **path)

    def layer_conductance(self, p):
        method, path = captum.attr.LayerConductance(self.net, self.layer), self.path(p)
        path["method"] = "riemann_trapezoid"
        return lambda: method.attribute(self.x, **path)

    def internal_influence(self, p):
        method, path = captum.attr.InternalInfluence(self.net, self.layer), self.path(p)
        return lambda: method.attribute(self.x, **path)

    def strongest(self):
        """An element of the layer that is on, so that there is something to explain."""
        layer = captum.attr.LayerActivation(self.net, self.layer).attribute(self.x)
        return int(torch.where(layer < 5.9, layer, -layer).argmax())  # ReLU6 is flat above

    def neuron(self, p):
        layer = captum.attr.LayerActivation(self.net, self.layer).attribute(self.x)
        place = numpy.unravel_index(int(p["neuron"]), tuple(layer.shape[1:]))
        return tuple(int(i) for i in place)

    def neuron_gradient(self, p):
        method, place = captum.attr.NeuronGradient(self.net, self.layer), self.neuron(p)
        return lambda: method.attribute(self.x, place)

    def neuron_integrated_gradients(self, p):
        method, place = captum.attr.NeuronIntegratedGradients(self.net, self.layer), self.neuron(p)
        path = self.path(p)
        del path["target"]
        return lambda: method.attribute(self.x, place, **path)

    def neuron_conductance(self, p):
        method, place = captum.attr.NeuronConductance(self.net, self.layer), self.neuron(p)
        path = self.path(p)
        return lambda: method.attribute(self.x, place, **path)

    # ---- pytorch-grad-cam ----

    def full_grad(self, p):
        cam = FullGrad(model=self.net, target_layers=[])
        targets = [gradcam.ClassifierOutputTarget(self.target)]
        return lambda: torch.from_numpy(cam(input_tensor=self.x, targets=targets)), cam

    def cam(self, name, p):
        layer = self.net.get_submodule(p["module"]) if "module" in p else self.layer
        more = {"reshape_transform": tokens_to_grid} if self.vit else {}
        if self.vit and name == "ablation-cam":
            more["ablation_layer"] = AblationLayerVit()
        cam = gradcam.METHODS[name](model=self.net, target_layers=[layer], **more)
        if hasattr(cam, "batch_size"):
            cam.batch_size = 16
        image, seen = cam.get_cam_image, []

        def record(*arguments):
            seen[:] = [image(*arguments)]
            return seen[0]

        cam.get_cam_image = record
        self.x.requires_grad_()
        targets = [gradcam.ClassifierOutputTarget(self.target)]

        def job():
            cam(input_tensor=self.x, targets=targets)
            raw = numpy.asarray(seen[0])
            if name in gradcam.SIGNLESS and raw.max() < -raw.min():
                raw = -raw
            return torch.from_numpy(numpy.maximum(raw, 0).astype("f"))

        return job, cam

    def job(self, method, params):
        """(what to time, what to close behind it)"""
        if method in gradcam.METHODS:
            return self.cam(method, params)
        made = getattr(self, method.replace("-", "_"))(params)
        return made if isinstance(made, tuple) else (made, types.SimpleNamespace())

    def arrange(self, method, params):
        """The layout in which they are faster: channels last, but for ResNet-50 one by one."""
        many = method in ("score-cam", "ablation-cam") or bool(
            {"steps", "samples", "grid", "window"} & set(params)
        )
        if self.vit:
            return
        last = many or self.name != "resnet50"
        layout = torch.channels_last if last else torch.contiguous_format
        self.net = self.net.to(memory_format=layout)
        self.x = self.x.detach().contiguous(memory_format=layout)

    def measure(self, request):
        self.arrange(request["method"], request["params"])
        self.x.requires_grad_(False)
        job, owner = self.job(request["method"], request["params"])
        times = []
        begin = time.perf_counter()
        try:
            while not times or (
                len(times) < 50 and time.perf_counter() - begin < request["seconds"]
            ):
                start = time.perf_counter()
                result = job()
                times.append((time.perf_counter() - start) * 1e3)
                if request["map"] and len(times) == 1:
                    numpy.save(request["map"], result.detach().numpy())
        finally:
            with contextlib.suppress(AttributeError, RuntimeError):  # views cannot be detached
                owner.activations_and_grads.release()
        return {"median_ms": float(numpy.median(times)), "min_ms": min(times), "runs": len(times)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--models", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--x", required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # captum prints there
    peer = Peer(options)
    greeting = {"target": peer.target, "neuron": peer.strongest()}
    print(json.dumps(greeting), file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = peer.measure(json.loads(line))
        except Exception as problem:  # whatever a library raises is the row's result
            answer = {"error": "%s: %s" % (type(problem).__name__, str(problem).split("\n")[0])}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
