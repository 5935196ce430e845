#!/usr/bin/env python3
"""Measure one job of another program; bench/run calls this between measurements of our own.

    python3 bench/peers/run.py JOB MODEL --models DIR [--batch N] [--threads N] [--seconds S]
    python3 bench/peers/run.py overlay MODEL --models DIR --image FILE --out FILE

JOB is one of those below; MODEL a folder of DIR, which tests/oracle/zoo.py wrote.  The last line of
stdout is JSON: median_ms, min_ms, peak_rss_mb (of the measured work, after loading), rss_mb (before
it), runs. Parameters need no gradient in any job, so that no peer computes what nobody asked for.
"""

import argparse
import ctypes
import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "oracle"))


# ---- memory --------------------------------------------------------------------------------------


def status(key):
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no " + key)


def reset_peak():
    """Give freed memory back, then restart the kernel's high-water mark."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


# ---- models --------------------------------------------------------------------------------------


def torch_model(name):
    """The module whose export is the ONNX file of this name, and its input size."""
    import torch
    import nets

    if name.startswith("efficientnet-lite"):
        variant = int(name[-1])
        net, size = nets.EfficientNetLite(variant), (224, 240, 260)[variant]
    else:
        import zoo

        model = zoo.catalogue(os.environ.get("SALIENCE_CIFAR"), None)[name](name)
        net, size = model.net, next(iter(model.inputs.values())).shape[-1]
    return torch, net.eval().requires_grad_(False), size


def fold(torch, net, x):
    """Batch normalisation folded into the convolution that feeds it, found by running the net."""
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    made, pairs, keep = {}, [], []

    def conv_hook(module, _inputs, output):
        made[id(output)] = module
        keep.append(output)  # an id is only unique while its object lives

    def norm_hook(module, inputs, _output):
        if id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])], module))

    hooks = [
        module.register_forward_hook(
            conv_hook if isinstance(module, torch.nn.Conv2d) else norm_hook
        )
        for module in net.modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.BatchNorm2d))
    ]
    with torch.no_grad():
        before = net(x)
    for hook in hooks:
        hook.remove()
    parents = {
        child: (parent, name) for parent in net.modules() for name, child in parent.named_children()
    }
    for conv, norm in pairs:
        weight, bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        conv.weight, conv.bias = weight.requires_grad_(False), bias.requires_grad_(False)
        parent, name = parents[norm]
        setattr(parent, name, torch.nn.Identity())
    with torch.no_grad():
        if not torch.allclose(net(x), before, rtol=1e-3, atol=1e-3 * float(before.abs().max())):
            raise RuntimeError("folding changed the result")
    return net


def last_feature_map(torch, net, x):
    """The last module with a spatial output: what Grad-CAM takes by default."""
    found = []
    hooks = [
        module.register_forward_hook(
            lambda module, _inputs, y: (
                found.append(module) if y.dim() == 4 and y.shape[2] > 1 else None
            )
        )
        for module in net.modules()
        if not list(module.children())
    ]
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return found[-1]


# ---- jobs: each returns a function to be timed ---------------------------------------------------


def ort_forward(options):
    import numpy
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        os.path.join(options.models, options.model, "model.onnx"),
        settings,
        providers=["CPUExecutionProvider"],
    )
    slot = session.get_inputs()[0]
    shape = [options.batch] + list(slot.shape[1:])
    x = numpy.random.default_rng(1).normal(size=shape).astype(numpy.float32)
    return lambda: session.run(None, {slot.name: x})


def torch_setup(options, folded=False):
    torch, net, size = torch_model(options.model)
    torch.set_num_threads(options.threads)
    x = torch.randn(options.batch, 3, size, size, generator=torch.Generator().manual_seed(1))
    if folded:
        net = fold(torch, net, x[:1]).to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    return torch, net, x


def torch_forward(options, folded=False):
    torch, net, x = torch_setup(options, folded)

    def job():
        with torch.inference_mode():
            net(x)

    return job


def torch_gradient(options, folded=False, dtype=None):
    torch, net, x = torch_setup(options, folded)
    if dtype == "bf16":
        net, x = net.bfloat16(), x.bfloat16()
    x.requires_grad_()
    return lambda: torch.autograd.grad(net(x).max(1).values.sum(), x)


def captum_gradients(options, internal):
    import captum.attr

    torch, net, x = torch_setup(options)
    target = net(x).argmax(1)
    method = captum.attr.IntegratedGradients(net)
    return lambda: method.attribute(
        x,
        baselines=0.0,
        target=target,
        n_steps=50,
        method="riemann_middle",
        internal_batch_size=internal,
    )


def grad_cam(options):
    import gradcam

    torch, net, x = torch_setup(options)
    layer = last_feature_map(torch, net, x)
    targets = [gradcam.ClassifierOutputTarget(int(i)) for i in net(x).argmax(1)]
    x.requires_grad_()
    cam = gradcam.METHODS["grad-cam"](model=net, target_layers=[layer])
    return lambda: cam(input_tensor=x, targets=targets)


JOBS = {
    "ort-forward": ort_forward,
    "torch-forward": torch_forward,
    "torch-forward-folded": lambda o: torch_forward(o, True),
    "torch-gradient": torch_gradient,
    "torch-gradient-folded": lambda o: torch_gradient(o, True),
    "torch-gradient-bf16": lambda o: torch_gradient(o, True, "bf16"),
    "captum-ig-8": lambda o: captum_gradients(o, 8),
    "captum-ig-50": lambda o: captum_gradients(o, 50),
    "grad-cam": grad_cam,
}


def cropped(path, size):
    """The picture's centre, pixels from 0 to 1."""
    import numpy
    from PIL import Image

    with Image.open(path) as file:
        whole = file.convert("RGB")
    scale = size / 0.875 / min(whole.size)
    whole = whole.resize([round(extent * scale) for extent in whole.size], Image.BICUBIC)
    left, top = ((extent - size) // 2 for extent in whole.size)
    box = (left, top, left + size, top + size)
    return numpy.asarray(whole.crop(box), numpy.float32) / 255


def network_input(torch, pixels):
    return torch.from_numpy((pixels * 2 - 1).transpose(2, 0, 1)[None].copy())


def picture(path, size):
    """What a network of zoo.py gets to see of a photo."""
    import torch

    return network_input(torch, cropped(path, size))


def overlay(options):
    """The whole way a user of PyTorch goes: load, classify, explain, draw, write."""
    import gradcam
    from PIL import Image
    from pytorch_grad_cam.utils.image import show_cam_on_image

    torch, net, size = torch_model(options.model)
    torch.set_num_threads(options.threads)
    pixels = cropped(options.image, size)
    x = network_input(torch, pixels).requires_grad_()
    layer = last_feature_map(torch, net, x)
    cam = gradcam.METHODS["grad-cam"](model=net, target_layers=[layer])
    heat = cam(input_tensor=x, targets=None)[0]
    Image.fromarray(show_cam_on_image(pixels, heat, use_rgb=True)).save(options.out)


def measure(job, seconds):
    """Warm up, then repeat for the given time, five times at least."""
    start = time.perf_counter()
    runs = 0
    while runs < 2 or time.perf_counter() - start < min(1.0, seconds / 2):
        job()
        runs += 1
    times = []
    start = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        job()
        times.append((time.perf_counter() - begin) * 1e3)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", choices=sorted(JOBS) + ["overlay"])
    parser.add_argument("model")
    parser.add_argument("--models", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--image")
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.job == "overlay":
        if not options.image or not options.out:
            parser.error("overlay needs --image and --out")
        overlay(options)
        return 0
    job = JOBS[options.job](options)
    reset_peak()
    before = status("VmRSS")
    times = measure(job, options.seconds)
    print(
        json.dumps(
            {
                "job": options.job,
                "model": options.model,
                "batch": options.batch,
                "threads": options.threads,
                "median_ms": statistics.median(times),
                "min_ms": min(times),
                "peak_rss_mb": status("VmHWM"),
                "rss_mb": before,
                "runs": len(times),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
