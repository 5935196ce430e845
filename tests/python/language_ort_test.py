"""Language models of GGUF files, written as ONNX, in ONNX Runtime: the logits of tests/golden/gguf (PyTorch)."""

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

EXPORT = os.environ.get("SALIENCE_OP_EXPORT", "op_export")
GOLDEN = Path(os.environ.get("SALIENCE_SOURCE", Path(__file__).resolve().parents[2])) / "tests/golden/gguf"
TOLERANCE = 3e-6


def check(path, out):
    """How far the logits are apart, as a share of the largest."""
    subprocess.run([EXPORT, "--model", str(path), str(out)], check=True)
    onnx.checker.check_model(str(out))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(out), options, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"input_ids": np.load(path.with_suffix(".ids.npy"))})[0]
    want = np.load(path.with_suffix(".logits.npy"))
    return np.abs(logits - want).max() / np.abs(want).max()


def main():
    failed = passed = 0
    for path in sorted(GOLDEN.glob("*.gguf")):
        if not path.with_suffix(".logits.npy").exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            apart = check(path, Path(folder) / "model.onnx")
        passed, failed = passed + (apart < TOLERANCE), failed + (not apart < TOLERANCE)
        if not apart < TOLERANCE:
            print(f"{path.stem}: off by {apart:.2e}")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
