"""The nine light_* architectures that travel inside the PyPI package onnx.

Their files hold no weights: every tensor is a ConstantOfShape of 0.02.  Channels are then all alike
and the outputs uniform, which tests shapes and little else.  seeded() returns the same graph with
random weights, scaled to the signal that reaches them.
"""

import copy
import os

import numpy
import onnx
import torch
from onnx import numpy_helper

import onnx_torch

NAMES = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)


def load(name):
    """The file's bytes and the model."""
    folder = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")
    path = os.path.join(folder, "light_%s.onnx" % name)
    return path, onnx.load(path)


def _roles(model, made):
    """{tensor: (operator, input position)} of the constants `made`, looking through Unsqueeze."""
    roles, origin = {}, {}
    norms = {node.output[0] for node in model.graph.node if node.op_type == "BatchNormalization"}
    summed = {  # one of the summands: two small ones with opposite biases would meet at zero
        [name for name in node.input if name in norms][0]
        for node in model.graph.node
        if node.op_type == "Sum" and norms.intersection(node.input)
    }
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            name = origin.get(name, name)
            if name in made and node.op_type == "Unsqueeze":
                origin[node.output[0]] = name
            elif name in made:
                gentle = node.op_type == "BatchNormalization" and node.output[0] in summed
                roles[name] = ("gentle" if gentle else node.op_type, position)
    return roles


def _draw(role, shape, rng):
    """Biases before a ReLU stand three deviations off zero, for the reason nets.py gives."""
    operator, position = role
    if operator in ("Conv", "Gemm") and position == 1:
        return rng.normal(0.0, (2.0 / numpy.prod(shape[1:])) ** 0.5, shape)
    if (operator, position) == ("gentle", 1):  # the end of a residual branch, see nets.gentle
        return rng.uniform(0.2, 0.4, shape)
    if (operator, position) in (("BatchNormalization", 1), ("Mul", 1)):
        return rng.uniform(0.7, 1.3, shape)
    far = {"Conv": 3.0, "Add": 3.0, "BatchNormalization": 3.0, "gentle": 0.9}.get(operator, 0.0)
    return far * numpy.resize((1.0, -1.0), shape) + rng.normal(0.0, 0.1, shape)


def seeded(model, image, seed):
    """A copy with initialisers in place of the ConstantOfShape nodes."""
    model = copy.deepcopy(model)
    rng = numpy.random.default_rng(seed)
    shapes = onnx_torch.constants(model)
    made = {}
    kept = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            made[node.output[0]] = tuple(int(size) for size in shapes[node.input[0]])
        else:
            kept.append(node)
    roles = _roles(model, made)
    scaled = {node.input[0] for node in model.graph.node if node.op_type == "Mul"}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and node.output[0] in scaled:
            roles[node.input[2]] = ("inner", 2)  # the Add behind it holds the bias that counts
    weights = {
        name: _draw(roles[name], shape, rng).astype(numpy.float32) for name, shape in made.items()
    }
    del model.graph.node[:]
    model.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    initial = [item for item in model.graph.initializer if item.name in used]
    declared = [
        item
        for item in model.graph.input
        if item.name in {i.name for i in initial} or item.name in graph_inputs(model)
    ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(initial)
    del model.graph.input[:]
    model.graph.input.extend(declared)
    model.graph.initializer.extend(numpy_helper.from_array(weights[name], name) for name in made)
    model.ir_version = max(model.ir_version, 4)  # from 4 on an initialiser need not be an input

    def spread(x):
        """Each channel's deviation; one that is off must not be magnified without bound."""
        deviation = x.std((0, 2, 3))
        return deviation.clamp(min=0.3 * float(deviation.mean()))

    def calibrate(node, values):
        """Running statistics become those of this batch, disturbed; where a bias stands in for the
        normalisation, each channel of the output gets mean zero and deviation one before it."""
        if node.op_type in ("Conv", "Gemm") and len(node.input) == 3:
            weight, bias = node.input[1:]
            x = values[node.input[0]]
            if x.dim() == 4 and values[weight].shape[1] == x.shape[1]:
                # blind to the mean of its input, which would drown the rest in rounding
                mean = x.mean((0, 2, 3))
                share = (values[weight] * mean[:, None, None]).mean((2, 3)).sum(1) / (mean @ mean)
                values[weight] = values[weight] - (share[:, None] * mean)[:, :, None, None]
            y = onnx_torch.apply(model, node, [values[node.input[0]], values[weight]])
            spatial = y.dim() == 4 and y[0, 0].numel() > 1
            mean = y.mean((0, 2, 3)) if spatial else torch.zeros(y.shape[1])
            deviation = spread(y) if spatial else y.std().expand(y.shape[1])
            shape = (-1,) + (1,) * (values[weight].dim() - 1)
            values[weight] = values[weight] / deviation.reshape(shape)
            values[bias] = values[bias] - mean / deviation
            weights[weight], weights[bias] = values[weight].numpy(), values[bias].numpy()
        if node.op_type != "BatchNormalization":
            return
        x = values[node.input[0]]
        mean, deviation = x.mean((0, 2, 3)), spread(x)
        mean = mean + 0.2 * deviation * torch.from_numpy(rng.normal(size=len(mean))).to(x.dtype)
        factor = torch.from_numpy(rng.uniform(0.7, 1.4, len(mean))).to(x.dtype)
        for position, value in ((3, mean), (4, deviation**2 * factor)):
            name = node.input[position]
            values[name] = value
            weights[name] = value.numpy().astype(numpy.float32)

    with torch.no_grad():
        onnx_torch.run(model, {graph_inputs(model)[0]: image}, torch.float32, calibrate)
    for item in model.graph.initializer:
        if item.name in weights:
            item.CopyFrom(numpy_helper.from_array(weights[item.name], item.name))
    return model


def graph_inputs(model):
    """Names of the inputs that are not initialisers."""
    initial = {item.name for item in model.graph.initializer}
    return [item.name for item in model.graph.input if item.name not in initial]


def before_softmax(model):
    """The value that the gradient is taken of: the last one that is not a probability."""
    last = model.graph.node[-1]
    return last.input[0] if last.op_type == "Softmax" else last.output[0]
