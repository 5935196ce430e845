#!/usr/bin/env python3
"""Write python/salience/_types.pyi: the methods, their parameters and the rule sets as types, from the tables of the
library that the package on PYTHONPATH loads. The build runs this, so that an editor completes every method the
library has."""

import argparse
import sys


def main():
    parser = argparse.ArgumentParser(description="Types of the methods for the Python package")
    parser.add_argument("-o", dest="out")
    args = parser.parse_args()
    import salience

    methods = salience.methods()
    parameters = {}
    for method in methods.values():
        for p in method.parameters:
            parameters.setdefault(p.name, []).append((method.name, p))
    lines = ["# Written by scripts/gen/python_types.py from the tables of the library.",
             "from typing import Literal, TypedDict", ""]
    for name, values in (("MethodName", methods), ("RuleName", salience.rules())):
        lines += [f"{name} = Literal[", *(f'    "{v}",' for v in values), "]", ""]
    lines += ["class MethodParameters(TypedDict, total=False):"]
    for name, uses in sorted(parameters.items()):
        kind = "float" if any(p.kind is float for _, p in uses) else "int"
        for method, p in uses:
            lines.append(f"    # {method}: {p}")
        lines.append(f"    {name}: {kind}")
    text = "\n".join(lines) + "\n"
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
