"""Quantised models: the straight-through gradient against PyTorch's fake quantisation, and QDQ and QOperator forms of
one small network against ONNX Runtime. The program is $SALIENCE."""

import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    import torch
    from onnx import TensorProto as T
    from onnx import helper as h
    from onnx import numpy_helper as nh
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

RNG = np.random.default_rng(1)


def model(nodes, inputs, outputs, constants, opset=21):
    graph = h.make_graph(nodes, "g", inputs, outputs, [nh.from_array(v, k) for k, v in constants.items()])
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset), h.make_opsetid("com.microsoft", 1)],
                        ir_version=10)


def salience(folder, verb, proto, x, *options):
    path = os.path.join(folder, "model.onnx")
    onnx.save(proto, path)
    np.save(os.path.join(folder, "x.npy"), x)
    subprocess.run([os.environ["SALIENCE"], verb, path, "--in", f"x={folder}/x.npy", "--out", folder, "--quiet",
                    *options], check=True, stdout=subprocess.DEVNULL)
    return np.load(os.path.join(folder, {"run": "y.npy", "grad": "grad.x.npy"}[verb]))


def gradient(folder, scale, zero, axis, lo, hi):
    """Worst gap between the gradients of sum(quantised(x)^2)."""
    x = RNG.uniform(-4, 4, (2, 3, 5)).astype(np.float32)
    nodes = [h.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=axis),
             h.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=axis),
             h.make_node("Mul", ["d", "d"], ["y"])]
    proto = model(nodes, [h.make_tensor_value_info("x", T.FLOAT, x.shape)],
                  [h.make_tensor_value_info("y", T.FLOAT, x.shape)], {"s": scale, "z": zero})
    got = salience(folder, "grad", proto, x, "--of", "y", "--wrt", "x")
    t = torch.from_numpy(x).requires_grad_()
    if scale.ndim == 0:
        q = torch.fake_quantize_per_tensor_affine(t, float(scale), int(zero), lo, hi)
    else:
        q = torch.fake_quantize_per_channel_affine(t, torch.from_numpy(scale),
                                                   torch.from_numpy(zero.astype(np.int32)), axis, lo, hi)
    (q * q).sum().backward()
    clamped = float((t.grad == 0).float().mean())
    return np.abs(got - t.grad.numpy()).max() / np.abs(t.grad.numpy()).max(), clamped


def network(form):
    """Convolution and addition of codes in one of two forms."""
    w = RNG.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
    c = {"sx": np.float32(0.02), "zx": np.uint8(120), "w": w, "sw": np.full(4, 0.011, np.float32),
         "zw": np.zeros(4, np.int8), "sy": np.float32(0.31), "zy": np.uint8(101), "sa": np.float32(0.47),
         "za": np.uint8(97)}
    quantise = [h.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"])]
    if form == "qoperator":
        nodes = quantise + [
            h.make_node("QLinearConv", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["c"], pads=[1, 1, 1, 1]),
            h.make_node("QLinearAdd", ["c", "sy", "zy", "c", "sy", "zy", "sa", "za"], ["a"], domain="com.microsoft"),
            h.make_node("DequantizeLinear", ["a", "sa", "za"], ["y"])]
    else:
        nodes = quantise + [
            h.make_node("DequantizeLinear", ["q", "sx", "zx"], ["dx"]),
            h.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw"], axis=0),
            h.make_node("Conv", ["dx", "dw"], ["cf"], pads=[1, 1, 1, 1]),
            h.make_node("QuantizeLinear", ["cf", "sy", "zy"], ["c"]),
            h.make_node("DequantizeLinear", ["c", "sy", "zy"], ["dc"]),
            h.make_node("Add", ["dc", "dc"], ["af"]),
            h.make_node("QuantizeLinear", ["af", "sa", "za"], ["a"]),
            h.make_node("DequantizeLinear", ["a", "sa", "za"], ["y"])]
    return model(nodes, [h.make_tensor_value_info("x", T.FLOAT, [2, 3, 6, 6])],
                 [h.make_tensor_value_info("y", T.FLOAT, [2, 4, 6, 6])], c)


def main():
    if not os.environ.get("SALIENCE"):
        print("skipped: SALIENCE does not name the program")
        return 77
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        cases = (
            ("uint8", np.array(0.02, np.float32), np.array(128, np.uint8), 1, 0, 255),
            ("int8", np.array(0.021, np.float32), np.array(-7, np.int8), 1, -128, 127),
            ("int8 by channel", np.array([0.02, 0.01, 0.05], np.float32), np.array([3, 0, -7], np.int8), 1, -128, 127),
        )
        for name, *case in cases:
            gap, clamped = gradient(folder, *case)
            if gap > 1e-6 or clamped == 0:
                failed.append(f"gradient, {name}: differs by {gap:.3g}, {clamped:.2f} clamped")
        for form in ("qoperator", "qdq"):
            proto = network(form)
            x = RNG.uniform(-3, 3, (2, 3, 6, 6)).astype(np.float32)
            want = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
            gap = np.abs(salience(folder, "run", proto, x) - want).max()
            if gap > 0.48:  # one quantum of the result
                failed.append(f"{form}: differs by {gap:.3g}")
    for line in failed:
        print(line)
    print(f"{5 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
