"""Language models written as ONNX, run by ONNX Runtime: the logits of tests/golden/gguf, which are PyTorch's."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

program = os.environ["SALIENCE"]
golden = Path(__file__).resolve().parent.parent / "golden" / "gguf"
failed = 0
with tempfile.TemporaryDirectory() as folder:
    names = sorted(p.stem for p in golden.glob("*.gguf"))
    for name in names:
        out = os.path.join(folder, name + ".onnx")
        subprocess.run([program, "export", str(golden / (name + ".gguf")), "-o", out, "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
        session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
        got = session.run(["logits"], {"input_ids": np.load(golden / (name + ".ids.npy"))})[0]
        want = np.load(golden / (name + ".logits.npy"))
        apart = np.abs(got - want).max() / np.abs(want).max()
        if not apart <= 3e-6:
            print("%s: %g" % (name, apart))
            failed += 1
print("%d passed, %d failed" % (len(names) - failed, failed))
sys.exit(failed != 0 or not names)
