#!/usr/bin/env python3
"""Write and execute examples/salience.ipynb.

    pip install . nbclient ipykernel pillow
    python scripts/gen/notebook.py efficientnet-lite0.onnx        # fetched by `salience pull efficientnet-lite0`

The cells are here; the outputs are what they gave. It fails when a cell does."""

import argparse
import base64
import io
import os
import pathlib
import sys
import tempfile

try:
    import nbformat
    from nbclient import NotebookClient
    from PIL import Image
except ImportError as missing:
    sys.exit(f"notebook: {missing}: pip install nbclient ipykernel pillow")

ROOT = pathlib.Path(__file__).resolve().parents[2]

CELLS = [
    "md", """# Explain a model that is only a file

EfficientNet-Lite0 as an ONNX file (`salience pull efficientnet-lite0 -o efficientnet-lite0.onnx`), a photo of a dog
behind a cat, and no other library than `salience` (and NumPy).""",
    "code", """import salience

model = salience.load("efficientnet-lite0.onnx")
model""",
    "md", "## Why dog, and not cat?",
    "code", """e = model.explain("images/dog_and_cat.png", why="dog", why_not="cat")
print(e)""",
    "code", "e",
    "md", "The reverse question of the same model:",
    "code", """model.explain("images/dog_and_cat.png", why="cat", why_not="dog")""",
    "md", "## Several methods, both questions",
    "code", """model.compare("images/dog_and_cat.png", ["grad-cam", "hires-cam", "integrated-gradients"],
              [("dog", "cat"), ("cat", "dog")])""",
    "md", """## The numbers

`map` is never normalised. Integrated gradients promise a sum; what is missing of it is the residual.""",
    "code", """ig = model.explain("images/dog_and_cat.png", "integrated-gradients", why="dog", steps=100)
print(ig.map.shape, ig.map.dtype)
print("sum of the map     ", ig.map.sum())
print("T(x) - T(baseline)", ig.target[0] - ig.baseline_target[0])
print("residual           ", ig.residual[0])""",
    "md", "Any value of the graph can be run, and differentiated by any other:",
    "code", """x = model.preprocess("images/dog_and_cat.png")
print({name: y.shape for name, y in model.run(x, ["logits", "head/relu6"]).items()})
print(model.grad(x, of="logits", wrt="head/relu6").shape)""",
    "md", "## Under the names you know",
    "code", """from salience.adapters.captum import IntegratedGradients
from salience.adapters.pytorch_grad_cam import ClassifierOutputTarget, GradCAM

attributions, delta = IntegratedGradients(model).attribute(x, target=243, n_steps=20, return_convergence_delta=True)
maps = GradCAM(model=model, target_layers=["head/relu6"])(input_tensor=x, targets=[ClassifierOutputTarget(243)])
print(attributions.shape, "delta", delta, "-", maps.shape, maps.min(), maps.max())""",
    "md", "## The explanation as a model",
    "code", """import numpy as np

print(model.export("explained.onnx", "grad-cam"))
explained = salience.load("explained.onnx")          # or onnxruntime, or any other engine
query = np.zeros((1, 1000), "float32")
query[0, 243], query[0, 282] = 1, -1                 # why bull mastiff, not tiger cat
saliency = explained.run({"input": x, "query": query})["saliency"]
print(np.abs(saliency.ravel() - e.map.ravel()).max() / e.map.max())""",
    "md", "## What works for this model",
    "code", "model.doctor(\"images/dog_and_cat.png\")",
]


def build():
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for n, (kind, text) in enumerate(zip(CELLS[::2], CELLS[1::2])):
        cell = nbformat.v4.new_markdown_cell(text) if kind == "md" else nbformat.v4.new_code_cell(text)
        cell["id"] = f"cell-{n}"  # the same at every run
        made.cells.append(cell)
    return made


def small(png):
    """A picture for the repository: at most 720 pixels across, 96 colours."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    image.thumbnail((720, 2000))
    out = io.BytesIO()
    image.quantize(96, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def tidy(made):
    """One form of each output: pictures as small PNG; no times of execution."""
    for cell in made.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"].pop("text/html", None)
                output["data"]["image/png"] = small(output["data"]["image/png"])
    made.metadata.pop("language_info", None)


def main():
    parser = argparse.ArgumentParser(description="Write and execute examples/salience.ipynb")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("-o", dest="out", type=pathlib.Path, default=ROOT / "examples/salience.ipynb")
    args = parser.parse_args()
    made = build()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(args.model.resolve(), os.path.join(folder, "efficientnet-lite0.onnx"))
        os.symlink(ROOT / "examples/images", os.path.join(folder, "images"))
        NotebookClient(made, timeout=600, resources={"metadata": {"path": folder}}).execute()
    tidy(made)
    nbformat.validate(made)
    args.out.write_text(nbformat.writes(made) + "\n", encoding="utf-8")
    print(f"{args.out}: {args.out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
