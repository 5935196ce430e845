"""`salience export` in ONNX Runtime against `salience explain --raw`, for every exportable method.

Models: the small network of tests/golden/methods, and whatever stands in $SALIENCE_ZOO (a folder that
tests/oracle/zoo.py wrote). Batches of another size than at export must work, the model's own outputs must not
change, and a query for each sample must be obeyed."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

PROGRAM = os.environ.get("SALIENCE", "salience")
SOURCE = Path(os.environ.get("SALIENCE_SOURCE", Path(__file__).resolve().parents[2]))
TOLERANCE = 1e-4
# Units that rounding flips in one of many noisy copies move the mean by more.
LOOSE = {"smooth-grad-squared": 2e-2, "var-grad": 5e-2, "gradient-shap": 2e-2, "expected-gradients": 2e-2, "smooth-grad": 2e-2, "integrated-gradients": 2e-3}
PARAMS = {"smooth-grad-squared": ["samples=4"], "var-grad": ["samples=4"], "gradient-shap": ["samples=4"], "expected-gradients": ["samples=4"], "deeplift-shap": ["samples=3"], "integrated-gradients": ["steps=8"], "smooth-grad": ["samples=4"]}


# Attention is what only a transformer has; of the others those that do something else there.
TRANSFORMER = {"attention-rollout", "gradient-attention", "attn-lrp", "deeplift", "lrp-gamma"}


def salience(*args):
    done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))}: {done.stderr.strip()}")
    return done.stdout


def methods():
    listed = json.loads(salience("list", "methods", "--json"))
    listed = listed["methods"] if isinstance(listed, dict) else listed
    return [m["name"] for m in listed if m.get("exportable", True)]


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def distance(got, want):
    got, want = np.asarray(got, np.float64).ravel(), np.asarray(want, np.float64).ravel()
    if got.shape != want.shape:
        return np.inf
    scale = np.linalg.norm(want)
    return np.linalg.norm(got - want) / (scale if scale > 0 else 1)


def check(model, x, method, folder):
    """None, or what is wrong."""
    out, raw, data = folder / "explained.onnx", folder / "map.npy", folder / "x.npy"
    params = [word for p in PARAMS.get(method, []) for word in ("--param", p)]
    plain = session(model)
    name, answer = plain.get_inputs()[0].name, plain.get_outputs()[0].name
    expected = plain.run([answer], {name: x})[0]
    classes = expected[0].size
    top = int(expected[0].ravel().argmax())
    np.save(data, x)
    salience("explain", model, data, "--method", method, "--why", top, *params, "--raw", raw, "--quiet")
    salience("export", model, "--method", method, *params, "-o", out)
    onnx.checker.check_model(str(out), full_check=True)
    domains = {node.domain for node in onnx.load(str(out), load_external_data=False).graph.node}
    if domains - {"", "ai.onnx"}:
        return f"operators of {domains}"

    explained = session(out)
    query_shape = next(i.shape for i in explained.get_inputs() if i.name == "query")
    query = np.zeros((1, *query_shape[1:]), np.float32)
    query.reshape(-1)[top] = 1
    outputs = explained.run([answer, "saliency"], {name: x, "query": query})
    far = distance(outputs[1], np.load(raw))
    if not far <= LOOSE.get(method, TOLERANCE):
        return f"off by {far:.2e}"
    if not distance(outputs[0], expected) <= 1e-5:
        return "changed the model's output"
    if isinstance(explained.get_inputs()[0].shape[0], int):
        return None
    # Three samples, each with a question of its own: the first is what it was.
    many = np.concatenate([x[:1], x[:1] * 0.5, x[:1] * 0.9])
    queries = np.repeat(query, 3, 0)
    queries[1] = np.roll(queries[1], 1)
    again = explained.run(["saliency"], {name: many, "query": queries})[0]
    far = distance(again[:1], outputs[1][:1])
    return None if far <= LOOSE.get(method, TOLERANCE) else f"off by {far:.2e} in a batch of three"


def models():
    golden = SOURCE / "tests/golden/methods"
    yield "golden", golden / "model.onnx", np.load(golden / "input.npy")[:1]
    golden = SOURCE / "tests/golden/transformer"
    yield "transformer", golden / "model.onnx", np.load(golden / "input.npy")[:1]
    zoo = os.environ.get("SALIENCE_ZOO")
    for folder in sorted(Path(zoo).iterdir()) if zoo else []:
        if not (folder / "meta.json").exists():
            continue
        meta = json.loads((folder / "meta.json").read_text())
        first = next(iter(meta["inputs"].values()))
        x = np.load(folder / first)
        if len(meta["inputs"]) == 1 and x.dtype == np.float32 and x.ndim == 4:
            yield folder.name, folder / meta["model"], x[:1]


def main():
    try:
        names = methods()
    except (OSError, RuntimeError, json.JSONDecodeError) as error:
        print(f"skipped: {error}")
        return 77
    passed = failed = 0
    for model, path, x in models():
        for method in names:
            if ("attention" in method) == (model == "golden"):
                continue
            if model == "transformer" and method not in TRANSFORMER:
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    wrong = check(path, x, method, Path(folder))
                except RuntimeError as error:
                    wrong = str(error)
            passed, failed = passed + (wrong is None), failed + (wrong is not None)
            if wrong is not None:
                print(f"{model} {method}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
