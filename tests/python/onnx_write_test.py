#!/usr/bin/env python3
"""The files that onnx_test wrote are valid ONNX, and ONNX Runtime computes with them what it computed with the
files they were read from."""
import os
import pathlib
import subprocess
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError as e:
    print("NOT RUN:", e)
    sys.exit(77)

BUILD = pathlib.Path(os.environ["SALIENCE"]).resolve().parent
SOURCE = pathlib.Path(os.environ.get("SALIENCE_SOURCE", pathlib.Path(__file__).parents[2]))
GOOD = SOURCE / "tests/golden/onnx/good"
program = next((p / "tests/onnx_test" for p in (BUILD, BUILD.parent) if (p / "tests/onnx_test").exists()), None)
if program is None:
    print("NOT RUN: the test program onnx_test is not built")
    sys.exit(77)
subprocess.run([program, "round_trip"], check=True)

failed = 0
files = sorted((program.parent / "tmp/written").glob("*.onnx"))
for path in files:
    onnx.checker.check_model(str(path), full_check=True)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {x.name: np.load(GOOD / f"{path.stem}.in{i}.npy") for i, x in enumerate(session.get_inputs())}
    for i, got in enumerate(session.run(None, feeds)):
        want = np.load(GOOD / f"{path.stem}.out{i}.npy")
        error = np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)
        if got.shape != want.shape or not error <= 1e-6:
            failed += 1
            print(f"{path.stem}: output {i} differs by {error:.3g}")
print(f"{len(files) - failed} passed, {failed} failed")
sys.exit(failed > 0 or not files)
