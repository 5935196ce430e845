"""Operators that draw random numbers: the same at every run, different from node to node, of the right distribution."""

import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

N = 40000
CLASSES = np.log([[0.1, 0.2, 0.3, 0.4]])


def model():
    """Draws of every kind, without a seed; x is the probability 0.3 in N places."""
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["normal"], mean=2.0, scale=3.0),
        helper.make_node("RandomNormalLike", ["x"], ["again"], mean=2.0, scale=3.0),
        helper.make_node("RandomUniform", [], ["uniform"], shape=[N], low=-1.0, high=3.0),
        helper.make_node("RandomNormal", [], ["seeded"], shape=[N], seed=5.0),
        helper.make_node("RandomNormal", [], ["seeded_too"], shape=[N], seed=5.0),
        helper.make_node("Bernoulli", ["x"], ["coin"]),
        helper.make_node("Multinomial", ["logits"], ["choice"], sample_size=N),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [N]),
              helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 4])]
    outputs = [helper.make_tensor_value_info(n.output[0], TensorProto.FLOAT, [N]) for n in nodes[:-1]]
    outputs.append(helper.make_tensor_value_info("choice", TensorProto.INT32, [1, N]))
    graph = helper.make_graph(nodes, "draws", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(program, folder, out):
    command = [program, "run", f"{folder}/model.onnx", "--in", f"x={folder}/x.npy", "--in",
               f"logits={folder}/logits.npy", "--out", f"{folder}/{out}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    names = [o.name for o in onnx.load(f"{folder}/model.onnx").graph.output]
    return {name: np.load(f"{folder}/{out}/{name}.npy") for name in names}


def check(a, b):
    """What is wrong, in words. A mean of N draws is trusted to 5 standard errors."""
    bad = [f"{name} is not the same at both runs" for name in a if a[name].tobytes() != b[name].tobytes()]
    if np.array_equal(a["normal"], a["again"]):
        bad.append("two nodes draw the same")
    if not np.array_equal(a["seeded"], a["seeded_too"]):
        bad.append("one seed gives two results")
    if abs(np.corrcoef(a["normal"], a["again"])[0, 1]) > 5 / N**0.5:
        bad.append("two nodes are correlated")
    means = {"normal": (2.0, 3.0), "again": (2.0, 3.0), "uniform": (1.0, 4 / 12**0.5), "seeded": (0.0, 1.0),
             "coin": (0.3, (0.3 * 0.7) ** 0.5)}
    for name, (mean, deviation) in means.items():
        if abs(a[name].mean() - mean) > 5 * deviation / N**0.5 or abs(a[name].std() / deviation - 1) > 0.03:
            bad.append(f"{name} has mean {a[name].mean():.3f} and deviation {a[name].std():.3f}")
    if a["uniform"].min() < -1 or a["uniform"].max() >= 3:
        bad.append("uniform draws are out of range")
    shares = np.bincount(a["choice"][0], minlength=4) / N
    if len(shares) != 4 or np.abs(shares - np.exp(CLASSES[0])).max() > 5 * 0.5 / N**0.5:
        bad.append(f"the classes have the shares {shares}")
    return bad


def main():
    program = os.environ.get("SALIENCE")
    if not program:
        print("skipped: SALIENCE does not name the program")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model(), f"{folder}/model.onnx")
        np.save(f"{folder}/x.npy", np.full(N, 0.3, np.float32))
        np.save(f"{folder}/logits.npy", CLASSES.astype(np.float32))
        bad = check(run(program, folder, "first"), run(program, folder, "second"))
    for line in bad:
        print(line)
    print("failed" if bad else "passed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
