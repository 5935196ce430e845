"""Logits and gradient x input of language models against lm_reference.py: the program `salience` beside PyTorch in
float32 with the same unpacked weights.

    python tests/oracle/lm_check.py MODEL.gguf... [--program build/dev/bin/salience] [--tokens N] [--seed S]

Prints, for each model, |a - b| / |b| of the logits, the share of equal top tokens, and |a - b| / |b| of gradient x
input (the top logit behind the last token, by the embeddings). Exit 1 beyond 1e-5, below all, beyond 1e-3.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from lm_reference import Model


def apart(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def check(path, options):
    ids = np.random.default_rng(options.seed)
    model = Model(path)
    ids = ids.integers(0, model.weight("token_embd.weight").shape[0], (1, options.tokens))
    x = model.embed(torch.from_numpy(ids)).detach().requires_grad_(True)
    logits = model.forward(embeddings=x)
    top = int(logits[0, -1].argmax())
    (gradient,) = torch.autograd.grad(logits[0, -1, top], x)
    logits, x = logits.detach().numpy(), x.detach().numpy()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        seed = np.zeros_like(logits)
        seed[0, -1, top] = 1
        np.save(folder / "ids.npy", ids)
        np.save(folder / "seed.npy", seed)
        given = ["--in", "input_ids=%s/ids.npy" % folder, "--out", str(folder), "--quiet"]
        subprocess.run([options.program, "run", path, *given], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([options.program, "grad", path, *given, "--of", "logits", "--wrt", "embeddings",
                        "--seed", str(folder / "seed.npy")], check=True, stdout=subprocess.DEVNULL)
        ours, slope = np.load(folder / "logits.npy"), np.load(folder / "grad.embeddings.npy")
    near, same = apart(ours, logits), float((ours.argmax(-1) == logits.argmax(-1)).mean())
    product = apart(slope * x, gradient.numpy() * x)
    print("%s: logits %.1e, same top token %.1f %%, gradient x input %.1e" % (path, near, 100 * same, product))
    return near <= 1e-5 and same == 1 and product <= 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--program", default="build/dev/bin/salience")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(2)
    return 0 if all([check(path, options) for path in options.models]) else 1


if __name__ == "__main__":
    sys.exit(main())
