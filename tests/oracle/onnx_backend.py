#!/usr/bin/env python3
"""Run the node tests that come with the onnx package through `salience run`.

    python3 tests/oracle/onnx_backend.py [--salience PROGRAM] [--only PATTERN ...] [--every N]
                                         [--keep DIR] [--json OUT.json] [--markdown docs/operators.md]

The package generates each test from code: a model, inputs and the outputs to expect.  A test passes
when the program gives outputs of the same types and shapes and of values that are equal within the
tolerances of ONNX's own test runner (rtol and atol of the test; 2^-6 relative for bfloat16).

Prints every failure with its reason, then the totals of each operator.  What is not run stands below,
with the reason.  A model may be refused with a line that says why; numbers that differ, a crash or a
hang make the exit status 1, unless DIFFERENT lists the test, and so does a listed one that passes.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings

import numpy
import onnx
from onnx import TensorProto, numpy_helper

# ---- what is not run -----------------------------------------------------------------------------

DOMAINS = {
    "ai.onnx.preview.training": "training: the step of an optimiser",
    "ai.onnx.preview": "preview: the definition may still change",
    "ai.onnx.ml": "classical machine learning: another domain than neural networks",
}

TYPES = (
    (r"STRING", "strings: no tensor of numbers"),
    (r"FLOAT8.*|FLOAT4.*", "8- and 4-bit floats: the library has no such element type"),
    (r"U?INT4|U?INT2", "4- and 2-bit integers: the library has no such element type"),
    (r"sequence_type", "sequences: a list of tensors is no output of `salience run`"),
    (r"optional_type", "optional values: not a tensor"),
    (r"map_type", "maps: not a tensor"),
)

OPERATORS = (
    (r"String.*|Regex.*", "strings: no tensor of numbers"),
    (r"Sequence.*|SplitToSequence|ConcatFromSequence", "sequences: a list of tensors"),
    (r"Optional.*", "optional values: not a tensor"),
)

# Patterns of names, and the reason.
EXCLUDED = (
    ("test_training_dropout_zero_ratio*", None),
    ("test_training_dropout*", "training: Dropout is the identity, a model is explained as it infers"),
)

# The expected numbers are one draw of NumPy's generator: type, shape and range are compared.
RANDOM = ("test_bernoulli*",)

# Tests whose numbers differ, {name: reason}.  One that passes must leave this list.
ZERO = "the values to expect are 0 within 1e-7, float32 sums of ten products err by 2e-7"
CORNERS = "the corners of a fractional length (4 x 0.8) are expected; ONNX Runtime takes whole rows, and so do we"
DIFFERENT = {
    "test_dft_inverse": ZERO,
    "test_dft_inverse_opset19": ZERO,
    "test_resize_downsample_scales_cubic_align_corners": CORNERS,
    "test_resize_downsample_scales_linear_align_corners": CORNERS,
}


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


def types_of(graph):
    """The names of all types that a graph says it uses."""
    found = set()
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.WhichOneof("value")
        if kind == "tensor_type":
            found.add(TensorProto.DataType.Name(value.type.tensor_type.elem_type))
        elif kind:
            found.add(kind)
    for node in graph.node:
        for a in node.attribute:
            if a.HasField("t"):
                found.add(TensorProto.DataType.Name(a.t.data_type))
            if a.HasField("g"):
                found |= types_of(a.g)
            if node.op_type == "Cast" and a.name == "to":
                found.add(TensorProto.DataType.Name(a.i))
    return found | {TensorProto.DataType.Name(t.data_type) for t in graph.initializer}


def excluded(case):
    """Why a test is not run, or None."""
    graph = case.model.graph
    for node in graph.node:
        if node.domain in DOMAINS:
            return DOMAINS[node.domain]
    for found in sorted(types_of(graph)):
        for pattern, reason in TYPES:
            if re.fullmatch(pattern, found):
                return reason
    for node in graph.node:
        for pattern, reason in OPERATORS:
            if re.fullmatch(pattern, node.op_type):
                return reason
    for pattern, reason in EXCLUDED:
        if fnmatch.fnmatchcase(case.name, pattern):
            return reason
    return None


# ---- running -------------------------------------------------------------------------------------


def collect():
    """All node tests, and the operator that each is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the overflows that are tested
        import onnx.backend.test.case.node as node_cases

        cases = node_cases.collect_testcases(None)
    about = {c.name: c.model.graph.node[0].op_type for c in cases if len(c.model.graph.node) == 1}
    for case in cases:
        if case.name not in about:  # the function body of an operator, written out
            base = re.sub(r"_expanded.*", "", case.name)
            about[case.name] = about.get(base) or case.model.graph.node[0].op_type
    return sorted(cases, key=lambda c: c.name), about


def file_of(name):
    """The file name the program gives to a tensor."""
    return name.replace("/", "_").replace(":", "_") + ".npy"


def is_bfloat16(array):
    return array.dtype.name == "bfloat16"


def as_array(value):
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return numpy.asarray(value)


def save(path, array):
    """NumPy has no bfloat16: its bits are kept as uint16, as the program does."""
    numpy.save(path, array.view(numpy.uint16) if is_bfloat16(array) else array)


def difference(got, want, case, random):
    """What is wrong with an output, or None."""
    if got.shape != want.shape:
        return f"shape {list(got.shape)}, expected {list(want.shape)}"
    rtol = case.rtol
    if is_bfloat16(want):
        if got.dtype != numpy.uint16:
            return f"type {got.dtype}, expected bfloat16"
        got = (got.astype(numpy.uint32) << 16).view(numpy.float32)
        want = want.astype(numpy.float32)
        rtol = max(rtol, 2**-6)
    if got.dtype != want.dtype:
        return f"type {got.dtype}, expected {want.dtype}"
    if random:
        return None if numpy.isin(got, (0, 1)).all() else "a draw is neither 0 nor 1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            numpy.testing.assert_allclose(got, want, rtol=rtol, atol=case.atol)
    except AssertionError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return "; ".join(line for line in lines if not line.startswith("["))[:220]
    return None


def run(program, case, folder):
    """None, or the reason why the test fails."""
    os.makedirs(folder, exist_ok=True)
    model = os.path.join(folder, "model.onnx")
    onnx.save(case.model, model)
    random = matches(case.name, RANDOM)
    for inputs, outputs in case.data_sets:
        command = [program, "run", model, "--threads", "1", "--out", os.path.join(folder, "out")]
        for value, data in zip(case.model.graph.input, inputs):
            path = os.path.join(folder, "in." + file_of(value.name))
            save(path, as_array(data))
            command += ["--in", f"{value.name}={path}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "takes more than a minute"
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or [""]
            text = last[0].replace(model + ": ", "").replace(folder + os.sep, "")
            return f"{'refused' if done.returncode == 1 else f'exit {done.returncode}'}: {text[:220]}"
        for value, data in zip(case.model.graph.output, outputs):
            path = os.path.join(folder, "out", file_of(value.name))
            want = as_array(data)
            save(os.path.join(folder, "want." + file_of(value.name)), want)
            if not os.path.exists(path):
                return f"output {value.name} was not written"
            problem = difference(numpy.load(path), want, case, random)
            if problem:
                return f"output {value.name}: {problem}"
    return None


def select(cases, about, only, every):
    """Those asked for: by pattern of the test's name, or by operator; every N-th of them."""
    if only:
        cases = [c for c in cases if matches(c.name, only) or matches(about[c.name], only)]
    return cases[::every]


def run_all(program, cases, about, keep, workers):
    """{name: {operator, status, reason}}; status: passed, failed, excluded."""
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            jobs = {}
            for case in cases:
                reason = excluded(case)
                results[case.name] = {"operator": about[case.name], "status": "excluded", "reason": reason}
                if reason is None:
                    folder = os.path.join(keep or scratch, case.name)
                    jobs[case.name] = pool.submit(run, program, case, folder)
            for name, job in jobs.items():
                reason = job.result()
                results[name].update(status="failed" if reason else "passed", reason=reason)
    return results


# ---- reporting -----------------------------------------------------------------------------------


def by_operator(results):
    """{operator: Counter of statuses}, sorted."""
    table = collections.defaultdict(collections.Counter)
    for r in results.values():
        table[r["operator"]][r["status"]] += 1
    return dict(sorted(table.items()))


def totals(results):
    n = collections.Counter(r["status"] for r in results.values())
    ran = n["passed"] + n["failed"]
    share = 100.0 * n["passed"] / ran if ran else 0.0
    return f"{n['passed']} of {ran} passed ({share:.1f} %), {n['failed']} failed, {n['excluded']} not run"


def report(results):
    failures = collections.defaultdict(list)
    for name, r in sorted(results.items()):
        if r["status"] == "failed":
            failures[r["operator"]].append(f"  {name}: {r['reason']}")
    for operator, lines in sorted(failures.items()):
        print(f"{operator}: {len(lines)} failed")
        print("\n".join(lines))
    print("\noperator passed failed not-run")
    for operator, n in by_operator(results).items():
        print(f"{operator} {n['passed']} {n['failed']} {n['excluded']}")
    print("\nnot run:")
    reasons = collections.Counter(r["reason"] for r in results.values() if r["status"] == "excluded")
    for reason, n in reasons.most_common():
        print(f"  {n} {reason}")
    print(totals(results))


def surprises(results):
    """What makes the exit status 1."""
    bad = []
    for name, r in results.items():
        failed = r["status"] == "failed"
        if failed and not r["reason"].startswith("refused: ") and name not in DIFFERENT:
            bad.append(f"{name}: {r['reason']}")
        elif r["status"] == "passed" and name in DIFFERENT:
            bad.append(f"{name}: passes now; take it off the list DIFFERENT")
    return bad


# ---- documentation -------------------------------------------------------------------------------

HEAD = """# Operators

ONNX has {n_onnx} operators in its main domain; {n_have} of them are supported. The table is written by
`tests/oracle/onnx_backend.py --markdown` from the library's table and from the node tests of the package
`onnx` {version}, run through `salience run` with the tolerances of ONNX's own test runner:
**{totals}**.

* *read from*: the oldest operator set whose form of the operator is exported as it is. Nodes of operator
  sets 7 to 28 are brought to the newest form when a file is read; of the sets 1 to 6 the operators that have
  not changed since are read.
* *derivative*: *own* is a formula, *expansion* follows from simpler operators, *zero* is zero or undefined
  everywhere (comparisons, indices, rounding, draws): no gradient goes through.
* *node tests*: passed of run; a test that is not run stands in the second table.

"""


def operator_rows(results, program):
    """Rows of the table; of ONNX's operators those that are there and those that are not."""
    listed = subprocess.run([program, "list", "ops", "--json"], capture_output=True, text=True, check=True)
    ours = {o["name"]: o for o in json.loads(listed.stdout) if o["domain"] == "ai.onnx"}
    theirs = {s.name for s in onnx.defs.get_all_schemas() if s.domain == ""}
    tests = by_operator(results)
    rows = []
    for name, o in sorted(ours.items(), key=lambda item: item[0].lower()):
        n = tests.get(name, collections.Counter())
        ran = n["passed"] + n["failed"]
        passed = f"{n['passed']} of {ran}" if ran else ""
        rows.append(f"| {name} | {o['since']} | {o['derivative']} | {passed} |")
    return rows, ours.keys() & theirs, sorted(theirs - ours.keys())


def write_markdown(path, results, program):
    rows, have, missing = operator_rows(results, program)
    n_onnx = len(have) + len(missing)
    out = [HEAD.format(n_onnx=n_onnx, n_have=len(have), version=onnx.__version__, totals=totals(results))]
    out += ["| operator | read from | derivative | node tests |", "|---|---|---|---|", *rows]
    lists = [name for name in missing if "Sequence" in name and name != "SequenceMap"]
    out += ["", "Resolved where the length of the list is known when the file is read: " + ", ".join(lists) + "."]
    out += ["", "Not supported: " + ", ".join(name for name in missing if name not in lists) + "."]
    out += ["", "Operators of ONNX Runtime's domain `com.microsoft`: [quantised models](quantised.md)."]
    out += ["", "## Node tests that are not run", "", "| tests | why |", "|---|---|"]
    reasons = collections.Counter(r["reason"] for r in results.values() if r["status"] == "excluded")
    out += [f"| {n} | {reason} |" for reason, n in reasons.most_common()]
    out += ["", "## Node tests that fail", "", "| test | why |", "|---|---|"]
    for name, r in sorted(results.items()):
        if r["status"] == "failed":
            why = DIFFERENT.get(name) or re.sub(r"\s+", " ", r["reason"]).replace("|", "\\|")
            out.append(f"| {name} | {why} |")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--salience", default=os.environ.get("SALIENCE", "salience"))
    parser.add_argument("--only", nargs="+", default=[], help="patterns of test names or operators")
    parser.add_argument("--every", type=int, default=1, help="run every N-th test only")
    parser.add_argument("--keep", help="leave models, inputs and outputs in this folder")
    parser.add_argument("--json", help="write the result of every test")
    parser.add_argument("--markdown", help="write docs/operators.md from the results")
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    cases, about = collect()
    results = run_all(a.salience, select(cases, about, a.only, a.every), about, a.keep, a.jobs)
    if a.json:
        with open(a.json, "w", encoding="utf-8") as out:
            json.dump({"onnx": onnx.__version__, "tests": results}, out, indent=1)
    if a.markdown:
        write_markdown(a.markdown, results, a.salience)
    report(results)
    return 1 if surprises(results) else 0


if __name__ == "__main__":
    sys.exit(main())
