#!/usr/bin/env python3
"""Functions, control flow and shapes that depend on data through the program: outputs against ONNX Runtime,
gradients against its central differences, and what must be refused."""
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnx.parser
    import onnxruntime as ort
except ImportError as missing:
    print("NOT RUN:", missing)
    sys.exit(77)

SOURCE = pathlib.Path(os.environ.get("SALIENCE_SOURCE", pathlib.Path(__file__).parents[2]))
GOLDEN = SOURCE / "tests/golden/onnx"
PROGRAM = os.environ["SALIENCE"]
failed = passed = 0


def check(good, what):
    global failed, passed
    passed += bool(good)
    failed += not good
    if not good:
        print("FAILED", what)


def program(folder, verb, path, feeds, *extra):
    command = [PROGRAM, verb, str(path), "--out", folder, "-q", *extra]
    for index, (name, value) in enumerate(feeds.items()):
        np.save(f"{folder}/in{index}.npy", value)
        command += ["--in", f"{name}={folder}/in{index}.npy"]
    return subprocess.run(command, capture_output=True, text=True)


def forward(session, path, feeds, what):
    want = session.run(None, feeds)
    with tempfile.TemporaryDirectory() as folder:
        done = program(folder, "run", path, feeds)
        check(done.returncode == 0, f"{what}: {done.stderr}")
        for item, w in zip(session.get_outputs(), want):
            file = pathlib.Path(folder, item.name + ".npy")
            g = np.load(file) if file.exists() else np.zeros(0)
            near = g.shape == w.shape and np.allclose(g, w, rtol=1e-5, atol=1e-6)
            check(near, f"{what}: {item.name} {g.shape} {w.shape}")


def gradient(session, path, feeds, of, wrt):
    index = [item.name for item in session.get_outputs()].index(of)

    def total(x):
        return session.run(None, {**feeds, wrt: x.astype(np.float32)})[index].astype(np.float64).sum()

    x, step = feeds[wrt].astype(np.float64), 2.0**-10
    want = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[at] = step
        want[at] = (total(x + d) - total(x - d)) / (2 * step)
    with tempfile.TemporaryDirectory() as folder:
        done = program(folder, "grad", path, feeds, "--of", of, "--wrt", wrt)
        check(done.returncode == 0, f"{path.stem} {of}: {done.stderr}")
        if done.returncode == 0:
            got = np.load(f"{folder}/grad.{wrt}.npy")
            error = np.abs(got - want).max() / max(np.abs(want).max(), 1)
            check(error < 3e-3, f"d {of} / d {wrt} of {path.stem} differs by {error:.2g}")


def cases(name):
    """The golden inputs, then others that take other branches, lengths and numbers of rounds."""
    graph = onnx.load(GOLDEN / f"good/{name}.onnx").graph
    first = {x.name: np.load(GOLDEN / f"good/{name}.in{i}.npy") for i, x in enumerate(graph.input)}
    rng = np.random.default_rng(1)
    yield first
    for round in range(3):
        feeds = {}
        for key, value in first.items():
            if value.dtype == np.float32:
                feeds[key] = np.asarray(rng.normal(size=value.shape) + (key == "limit") * 3, np.float32)
            elif value.dtype == bool:
                feeds[key] = np.array(round % 2 == 1)
            else:
                feeds[key] = np.array(round, value.dtype)
        yield feeds


GRADIENTS = {
    "functions": [("y", "x"), ("z", "x")],
    "branch": [("y", "x"), ("z", "x"), ("z", "w")],
    "loop": [("y", "x"), ("all", "x")],
    "scan": [("last", "x"), ("all", "h"), ("back", "z")],
    "selections": [("pos", "x"), ("u", "x"), ("picked", "x"), ("big", "img")],
}
for name, pairs in GRADIENTS.items():
    path = GOLDEN / f"good/{name}.onnx"
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for index, feeds in enumerate(cases(name)):
        if name == "loop" and index == 1:  # no round at all: ONNX Runtime has another rank for `all` then
            feeds["n"] = np.array(1)
        forward(session, path, feeds, f"{name} {index}")
        if index in (0, 2):
            for of, wrt in pairs:
                gradient(session, path, feeds, of, wrt)

# A detector in small: boxes, suppression, ranking. The map of a box is the derivative of that box.
DETECTOR = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[1,5,9] x) => (float[K,5] found) {
  parts = Constant <value_ints: ints = [4, 1]> ()
  raw, score = Split <axis = 1> (x, parts)
  wide = Sigmoid(raw)
  box = Transpose <perm = [0, 2, 1]> (wide)
  most = Constant <value_ints: ints = [6]> ()
  overlap = Constant <value_floats: floats = [0.3]> ()
  least = Constant <value_floats: floats = [-0.5]> ()
  kept = NonMaxSuppression (box, score, most, overlap, least)
  two = Constant <value_ints: ints = [2]> ()
  column = Gather <axis = 1> (kept, two)
  at = Squeeze (column, two1)
  two1 = Constant <value_ints: ints = [1]> ()
  rows = Concat <axis = 2> (box, turned)
  turned = Transpose <perm = [0, 2, 1]> (score)
  zero = Constant <value_ints: ints = [0]> ()
  flat = Squeeze (rows, zero)
  chosen = Gather <axis = 0> (flat, at)
  four = Constant <value_int: int = 4> ()
  certain = Gather <axis = 1> (chosen, four)
  count = Shape (certain)
  best, order = TopK (certain, count)
  found = Gather <axis = 0> (chosen, order)
}
"""
with tempfile.TemporaryDirectory() as folder:
    model = onnx.parser.parse_model(DETECTOR)
    path = pathlib.Path(folder, "detector.onnx")
    path.write_bytes(model.SerializeToString())
    order = [n for n in model.graph.node if n.op_type == "Constant"]
    order += [n for n in model.graph.node if n.op_type == "Transpose" and n.output[0] == "turned"]
    rest = [n for n in model.graph.node if n not in order]
    split = next(n for n in rest if n.op_type == "Split")
    rest.remove(split)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(order[:-1] + [split, order[-1]] + rest, "g", model.graph.input, model.graph.output),
        opset_imports=model.opset_import, ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(8)
    for index in range(3):
        feeds = {"x": rng.normal(size=(1, 5, 9)).astype(np.float32)}
        forward(session, path, feeds, f"detector {index}")
        gradient(session, path, feeds, "found", "x")
    np.save(f"{folder}/x.npy", feeds["x"])
    done = subprocess.run([PROGRAM, "explain", str(path), f"{folder}/x.npy", "--method", "gradient", "--why", "1,2", "-q",
                           "--raw", f"{folder}/map.npy"], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    if done.returncode == 0:
        want, step = np.zeros((1, 5, 9)), 2.0**-10
        for at in np.ndindex(want.shape):
            for sign in (1, -1):
                moved = feeds["x"].copy()
                moved[at] += sign * step
                want[at] += sign * session.run(None, {"x": moved})[0][1, 2] / (2 * step)
        error = np.abs(np.load(f"{folder}/map.npy").reshape(want.shape) - want).max()
        check(error < 1e-3 and np.abs(want).max() > 1e-2, f"the map of a box differs by {error:.2g}")

# A loop that never ends, and positions, which have no gradient.
with tempfile.TemporaryDirectory() as folder:
    done = program(folder, "run", GOLDEN / "bad/endless.onnx", {"x": np.zeros(2, np.float32)})
    check(done.returncode == 1 and done.stderr.count("\n") == 1 and "20000 rounds" in done.stderr, done.stderr)
    feeds = next(cases("selections"))
    done = program(folder, "grad", GOLDEN / "good/selections.onnx", feeds, "--of", "nz", "--wrt", "x")
    check(done.returncode == 1 and "floating-point" in done.stderr, done.stderr)

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
