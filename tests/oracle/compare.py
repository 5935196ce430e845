#!/usr/bin/env python3
"""Compare `salience run` and `salience grad` with the references that zoo.py wrote.

    python3 tests/oracle/compare.py DIR [--salience PROGRAM] [--only NAME ...] [--json OUT.json]

Prints one row per model and exits 1 if an error exceeds the tolerance in its meta.json.  Forward
errors are max |ours - ref| / max |ref|, gradient errors ||ours - ref|| / ||ref||.  Hessian-vector
products have no command; the C tests check them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy


def file_of(name):
    """The file name the program gives to a tensor."""
    return name.replace("/", "_").replace(":", "_") + ".npy"


def run(program, folder, meta, verb, extra, out):
    command = [program, verb, os.path.join(folder, meta["model"])]
    for name, file in meta["inputs"].items():
        command += ["--in", "%s=%s" % (name, os.path.join(folder, file))]
    result = subprocess.run(
        command + extra + ["--out", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError("exit %d: %s" % (result.returncode, result.stderr.strip()[-300:]))


def forward_error(program, folder, meta, out):
    run(program, folder, meta, "run", [], out)
    worst = 0.0
    for name, file in meta["outputs"].items():
        ours, ref = (
            numpy.load(os.path.join(out, file_of(name))),
            numpy.load(os.path.join(folder, file)),
        )
        if ours.shape != ref.shape:
            raise RuntimeError(
                "output %s has shape %s, expected %s" % (name, ours.shape, ref.shape)
            )
        worst = max(worst, float(numpy.abs(ours - ref).max() / max(numpy.abs(ref).max(), 1e-300)))
    return worst


def gradient_error(program, folder, meta, out):
    extra = ["--of", meta["of"], "--seed", os.path.join(folder, meta["seed"]), "--wrt", meta["wrt"]]
    run(program, folder, meta, "grad", extra, out)
    ours = numpy.load(os.path.join(out, "grad." + file_of(meta["wrt"])))
    ref = numpy.load(os.path.join(folder, meta["grad"]))
    if ours.shape != ref.shape:
        raise RuntimeError("gradient has shape %s, expected %s" % (ours.shape, ref.shape))
    return float(numpy.linalg.norm(ours - ref) / numpy.linalg.norm(ref))


def check(program, folder, row):
    """Fill `row`; a failure of the program is a result too."""
    with open(os.path.join(folder, "meta.json"), encoding="utf-8") as file:
        meta = json.load(file)
    measures = [("forward", forward_error)] + (
        [("grad", gradient_error)] if meta.get("grad") else []
    )
    good = True
    for name, measure in measures:
        out = tempfile.mkdtemp(prefix="compare-")
        try:
            row[name] = measure(program, folder, meta, out)
            good &= row[name] <= meta[name + "_tolerance"]  # a NaN fails
        except (RuntimeError, OSError, ValueError) as problem:
            row[name] = str(problem)
            good = False
        finally:
            shutil.rmtree(out)
        row["torch_" + name] = meta.get("torch_f32", {}).get(name)
    row["pass"] = good


def show(value):
    if value is None:
        return "-"
    return "%.2e" % value if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--salience", default="salience")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--json")
    options = parser.parse_args()
    names = options.only or sorted(
        name
        for name in os.listdir(options.folder)
        if os.path.exists(os.path.join(options.folder, name, "meta.json"))
    )
    rows = []
    print("| model | forward | gradient | PyTorch f32 forward | gradient | |")
    print("|---|---|---|---|---|---|")
    for name in names:
        row = {"name": name}
        check(options.salience, os.path.join(options.folder, name), row)
        rows.append(row)
        print(
            "| %s | %s | %s | %s | %s | %s |"
            % (
                name,
                show(row.get("forward")),
                show(row.get("grad")),
                show(row.get("torch_forward")),
                show(row.get("torch_grad")),
                "pass" if row["pass"] else "FAIL",
            ),
            flush=True,
        )
    failed = sum(not row["pass"] for row in rows)
    print("\n%d passed, %d failed" % (len(rows) - failed, failed))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
