"""A quarter of the node tests of the package onnx: none gives wrong numbers, crashes or hangs, and nearly all pass.

All of them: tests/oracle/onnx_backend.py; the last results stand in docs/operators.md."""

import os
import sys

try:
    import numpy  # noqa: F401
    import onnx  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.environ.get("SALIENCE_SOURCE", "."), "tests", "oracle"))

import onnx_backend  # noqa: E402

AT_LEAST = 0.98  # of those that are run


def main():
    program = os.environ.get("SALIENCE")
    if not program:
        print("skipped: SALIENCE does not name the program")
        return 77
    cases, about = onnx_backend.collect()
    results = onnx_backend.run_all(program, onnx_backend.select(cases, about, [], 4), about, None, 2)
    bad = onnx_backend.surprises(results)
    passed = sum(r["status"] == "passed" for r in results.values())
    ran = passed + sum(r["status"] == "failed" for r in results.values())
    if passed < AT_LEAST * ran:
        bad.append(f"fewer than {AT_LEAST:.0%} pass")
    for line in bad:
        print(line)
    print(onnx_backend.totals(results))
    return 1 if bad or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
