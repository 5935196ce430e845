"""The words of a text through the program against PyTorch in float64 (tests/oracle/make_text.py)."""
import json
import os
import pathlib
import subprocess
import sys

program, source = os.environ["SALIENCE"], pathlib.Path(os.environ["SALIENCE_SOURCE"])
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else source / "tests/golden/text"
model = next(p for p in sorted(folder.glob("*.onnx")) if (folder / "golden.json").exists() and p.name != "minilm.onnx")
failed = count = 0
worst = 0.0
for row in json.loads((folder / "golden.json").read_text()):
    for method in (m for m in ("gradient-x-input", "integrated-gradients", "feature-ablation") if m in row):
        out = subprocess.run([program, "explain", str(model), "--text", row["text"], "--method", method, "--why", str(row["top"]),
                              "--json", "--quiet"], capture_output=True, text=True, check=True).stdout
        got = json.loads(out)
        tokens = got["explanations"][0]["tokens"]
        want = row[method]
        scale = max(map(abs, want))
        # the tokens of the template are their own baseline
        error = max(abs(t["relevance"] - w) for t, w in zip(tokens, want)) / scale
        worst = max(worst, error)
        logit = next(t["logit"] for t in got["top"] if t["index"] == row["top"])
        same = [t["id"] for t in tokens] == row["ids"] and abs(logit - row["logits"][row["top"]]) < 1e-4 * max(map(abs, row["logits"]))
        count += 1
        if not same or error > 1e-4:
            failed += 1
            print(f"FAILED {method} of {row['text']!r}: error {error:.2e} of the largest relevance, ids and logit "
                  f"{'equal' if same else 'DIFFERENT'}")
print(f"{count} comparisons, {failed} failed, largest error {worst:.1e} of the largest relevance")
sys.exit(failed > 0 or count == 0)
