#!/usr/bin/env python3
"""Compare outputs, gradients and Hessian-vector products with the references that zoo.py wrote.

    python3 tests/oracle/compare.py DIR [--salience PROGRAM] [--hvp PROGRAM] [--only NAME ...]
                                    [--json OUT.json]

Prints one row per model and exits 1 if an error exceeds the tolerance in its meta.json.  Forward
errors are max |ours - ref| / max |ref|, the others ||ours - ref|| / ||ref||; PyTorch's own float32
stands beside them.  Outputs and gradients come from `salience run` and `salience grad`, products
from the test program hvp_run, as no command forms them; without --hvp it is looked for in the build
folder of the program.
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


def feeds(folder, meta):
    return ["%s=%s" % (name, os.path.join(folder, file)) for name, file in meta["inputs"].items()]


def run(program, folder, meta, verb, extra, out):
    command = [program, verb, os.path.join(folder, meta["model"])]
    for feed in feeds(folder, meta):
        command += ["--in", feed]
    call(command + extra + ["--out", out])


def call(command):
    result = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError("exit %d: %s" % (result.returncode, result.stderr.strip()[-300:]))


def forward_error(programs, folder, meta, out):
    run(programs["salience"], folder, meta, "run", [], out)
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


def gradient_error(programs, folder, meta, out):
    extra = ["--of", meta["of"], "--seed", os.path.join(folder, meta["seed"]), "--wrt", meta["wrt"]]
    run(programs["salience"], folder, meta, "grad", extra, out)
    return distance(
        os.path.join(out, "grad." + file_of(meta["wrt"])), os.path.join(folder, meta["grad"])
    )


def hvp_error(programs, folder, meta, out):
    result = os.path.join(out, "hvp.npy")
    command = [programs["hvp"], os.path.join(folder, meta["model"]), meta["of"], meta["wrt"]]
    command += [os.path.join(folder, meta["seed"]), os.path.join(folder, meta["hvp_v"]), result]
    call(command + feeds(folder, meta))
    return distance(result, os.path.join(folder, meta["hvp"]))


def distance(ours, ref):
    ours, ref = numpy.load(ours), numpy.load(ref)
    if ours.shape != ref.shape:
        raise RuntimeError("shape %s, expected %s" % (ours.shape, ref.shape))
    return float(numpy.linalg.norm(ours - ref) / numpy.linalg.norm(ref))


MEASURES = {"forward": forward_error, "grad": gradient_error, "hvp": hvp_error}


def check(programs, folder, row):
    """Fill `row`; a failure of the program is a result too."""
    with open(os.path.join(folder, "meta.json"), encoding="utf-8") as file:
        meta = json.load(file)
    good = True
    for name, measure in MEASURES.items():
        if name != "forward" and not meta.get(name):
            continue
        out = tempfile.mkdtemp(prefix="compare-")
        try:
            row[name] = measure(programs, folder, meta, out)
            good &= row[name] <= meta[name + "_tolerance"]  # a NaN fails
        except (RuntimeError, OSError, ValueError) as problem:
            row[name] = str(problem)
            good = False
        finally:
            shutil.rmtree(out)
        row["torch_" + name] = meta.get("torch_f32", {}).get(name)
        row["tolerance"] = meta[name + "_tolerance"]
    row["pass"] = good


def hvp_program(salience):
    """BUILD/tests/hvp_run for BUILD/bin/salience."""
    build = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which(salience) or salience)))
    return os.path.join(build, "tests", "hvp_run")


def show(value):
    if value is None:
        return "-"
    return "%.2e" % value if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--salience", default="salience")
    parser.add_argument("--hvp", help="hvp_run, default tests/hvp_run of the program's build")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--json")
    options = parser.parse_args()
    names = options.only or sorted(
        name
        for name in os.listdir(options.folder)
        if os.path.exists(os.path.join(options.folder, name, "meta.json"))
    )
    programs = {"salience": options.salience, "hvp": options.hvp or hvp_program(options.salience)}
    rows = []
    columns = [kind + name for name in MEASURES for kind in ("", "torch_")]
    print("| model | forward | PyTorch | gradient | PyTorch | HVP | PyTorch | tolerance | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in names:
        row = {"name": name}
        check(programs, os.path.join(options.folder, name), row)
        rows.append(row)
        cells = [name] + [show(row.get(column)) for column in columns]
        cells += ["%g" % row["tolerance"], "pass" if row["pass"] else "FAIL"]
        print("| %s |" % " | ".join(cells), flush=True)
    failed = sum(not row["pass"] for row in rows)
    print("\n%d passed, %d failed" % (len(rows) - failed, failed))
    for name in MEASURES:
        errors = [row[name] for row in rows if isinstance(row.get(name), float)]
        if errors:
            print("%s: %d models, largest error %.2e" % (name, len(errors), max(errors)))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
