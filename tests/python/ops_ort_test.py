"""Every operator's test cases, their expansions and their gradients, written as ONNX and run by ONNX Runtime.

Where ONNX Runtime has no kernel, the reference evaluator of the onnx package stands in. The models come from the
program op_export ($SALIENCE_OP_EXPORT)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx.reference import ReferenceEvaluator
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TOLERANCE = 2e-5  # of the scale of the expected values: float32 sums in another order


def run(path, feeds):
    """Outputs, and by whom."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # As written: what the optimiser makes of it is not in question.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds), "onnxruntime"
    except Exception as error:  # the Python binding has one class for each status
        if "NOT_IMPLEMENTED" not in str(error) and "under development" not in str(error):
            raise
    return ReferenceEvaluator(onnx.load(path)).run(None, feeds), "onnx"


def distance(got, want):
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or got.dtype != want.dtype:
        return np.inf
    if got.dtype.kind != "f":
        return 0.0 if np.array_equal(got, want) else np.inf
    if got.size == 0:
        return 0.0
    got, want = got.astype(np.float64), want.astype(np.float64)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    if same.all():
        return 0.0
    gap = np.abs(np.where(same, 0, got - want)).max()
    return gap / max(np.abs(want[np.isfinite(want)]).max(initial=0), 0.1)


def check(folder):
    """None, or what is wrong; and who ran it."""
    model = folder / "model.onnx"
    try:
        onnx.checker.check_model(str(model), full_check=True)
        proto = onnx.load(model, load_external_data=False)
        feeds = {i.name: np.load(folder / f"{i.name}.npy") for i in proto.graph.input}
        outputs, who = run(model, feeds)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:220]}", None
    for i, got in enumerate(outputs):
        gap = distance(got, np.load(folder / f"out{i}.npy"))
        if not gap <= TOLERANCE:
            return f"output {i} ({who}) differs by {gap:.3g}", who
    return None, who


def main():
    exporter = os.environ.get("SALIENCE_OP_EXPORT")
    if not exporter:
        print("skipped: SALIENCE_OP_EXPORT does not name the program op_export")
        return 77
    only = sys.argv[1:2]
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run([exporter, root, *only], capture_output=True, text=True, check=True)
        *failures, summary = done.stdout.splitlines()
        ran = {"onnxruntime": 0, "onnx": 0}
        by_reference = set()
        for folder in sorted(Path(root).iterdir()):
            problem, who = check(folder)
            if problem:
                failures.append(f"{folder.name}: {problem}")
            else:
                ran[who] += 1
                if who == "onnx":
                    by_reference.add(folder.name.split("_")[0])
    for line in failures:
        print(line)
    print(f"{summary}: {ran['onnxruntime']} agree with ONNX Runtime, {ran['onnx']} with the reference evaluator "
          f"({' '.join(sorted(by_reference))})")
    print(f"{sum(ran.values())} passed, {len(failures)} failed")
    return 1 if failures or not sum(ran.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
