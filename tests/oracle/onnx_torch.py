"""Run the CNN part of ONNX in PyTorch, in any precision, differentiably.

An oracle for models that exist only as ONNX files.  Deliberately slow and literal: every operator
is written from the specification, asymmetric padding by padding first.
"""

import numpy
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F


def _pair(attributes, key, rank, default):
    return list(attributes.get(key, [default] * rank))


def _pad(x, pads, value):
    """ONNX order is (begins, ends) from the first spatial axis; torch's is pairs from the last."""
    rank = len(pads) // 2
    flat = []
    for axis in reversed(range(rank)):
        flat += [pads[axis], pads[axis + rank]]
    return F.pad(x, flat, value=value)


def _conv(x, weight, bias, attributes):
    rank = weight.dim() - 2
    x = _pad(x, _pair(attributes, "pads", 2 * rank, 0), 0.0)
    call = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    return call(
        x,
        weight,
        bias,
        _pair(attributes, "strides", rank, 1),
        0,
        _pair(attributes, "dilations", rank, 1),
        attributes.get("group", 1),
    )


def _window(x, attributes):
    kernel = attributes["kernel_shape"]
    rank = len(kernel)
    if attributes.get("ceil_mode", 0) or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NotImplementedError("pooling with ceil_mode or auto_pad")
    return kernel, _pair(attributes, "strides", rank, 1), _pair(attributes, "pads", 2 * rank, 0)


def _max_pool(x, attributes):
    kernel, strides, pads = _window(x, attributes)
    return F.max_pool2d(_pad(x, pads, -float("inf")), kernel, strides)


def two_largest(node, x):
    """The largest and the second largest element under each window of a MaxPool."""
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    (high, wide), strides, pads = _window(x, attributes)
    x = _pad(x, pads, -float("inf")).unfold(2, high, strides[0]).unfold(3, wide, strides[1])
    first, second = x.flatten(4).topk(2).values.unbind(-1)
    return first, second


def _average_pool(x, attributes):
    kernel, strides, pads = _window(x, attributes)
    total = F.avg_pool2d(_pad(x, pads, 0.0), kernel, strides, divisor_override=1)
    ones = torch.ones_like(x[:1, :1])
    if attributes.get("count_include_pad", 0):
        return total / float(numpy.prod(kernel))
    return total / F.avg_pool2d(_pad(ones, pads, 0.0), kernel, strides, divisor_override=1)


def _batch_norm(x, scale, bias, mean, variance, attributes):
    shape = [1, -1] + [1] * (x.dim() - 2)
    factor = scale / torch.sqrt(variance + attributes.get("epsilon", 1e-5))
    return (x - mean.view(shape)) * factor.view(shape) + bias.view(shape)


def _gemm(a, b, c, attributes):
    a = a.t() if attributes.get("transA", 0) else a
    b = b.t() if attributes.get("transB", 0) else b
    y = attributes.get("alpha", 1.0) * (a @ b)
    return y if c is None else y + attributes.get("beta", 1.0) * c


def _lrn(x, attributes):
    """x / (bias + alpha/size * sum of squares over the channels around)^beta."""
    size = attributes["size"]
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    square = F.pad(x * x, [0, 0] * (x.dim() - 2) + [before, after])
    total = sum(square[:, i : i + x.shape[1]] for i in range(size))
    alpha, beta = attributes.get("alpha", 1e-4), attributes.get("beta", 0.75)
    return x / (attributes.get("bias", 1.0) + alpha / size * total) ** beta


def _reshape(x, shape):
    target = [x.shape[i] if size == 0 else size for i, size in enumerate(shape.tolist())]
    return x.reshape(target)


def _softmax(x, attributes, opset):
    if opset >= 13:
        return x.softmax(attributes.get("axis", -1))
    flat = x.flatten(attributes.get("axis", 1))  # before opset 13: over all axes from `axis` on
    return flat.softmax(-1).reshape(x.shape)


def _unsqueeze(x, axes):
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


def _operators(opset):
    return {
        "Add": lambda a, x, y: x + y,
        "AveragePool": lambda a, x: _average_pool(x, a),
        "BatchNormalization": lambda a, x, s, b, m, v: _batch_norm(x, s, b, m, v, a),
        "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
        "Conv": lambda a, x, w, b=None: _conv(x, w, b, a),
        "Dropout": lambda a, x, *_: x,
        "Gemm": lambda a, x, w, c=None: _gemm(x, w, c, a),
        "GlobalAveragePool": lambda a, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
        "LRN": lambda a, x: _lrn(x, a),
        "MaxPool": lambda a, x: _max_pool(x, a),
        "Mul": lambda a, x, y: x * y,
        "Relu": lambda a, x: torch.relu(x),
        "Reshape": lambda a, x, shape: _reshape(x, shape),
        "Softmax": lambda a, x: _softmax(x, a, opset),
        "Sum": lambda a, *xs: sum(xs),
        "Transpose": lambda a, x: x.permute(*a["perm"]),
        "Unsqueeze": lambda a, x: _unsqueeze(x, a["axes"]),
    }


def constants(model):
    """{name: array} of the initialisers."""
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def apply(model, node, arguments):
    """One node on given arguments."""
    opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    operators = _operators(opset)
    if node.op_type not in operators:
        raise NotImplementedError("%s: operator %s" % (node.name, node.op_type))
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    return operators[node.op_type](attributes, *arguments)


def run(model, inputs, dtype, before=None):
    """Every value of the graph by name.

    before(node, values), if given, is called ahead of each node and may change the values: this is
    how weights are calibrated to the signal that reaches them.
    """
    values = {}
    for name, array in constants(model).items():
        value = torch.from_numpy(numpy.array(array))
        values[name] = value.to(dtype) if value.is_floating_point() else value
    values.update(inputs)
    for node in model.graph.node:
        if before is not None:
            before(node, values)
        values[node.output[0]] = apply(model, node, [values[name] for name in node.input])
    return values
