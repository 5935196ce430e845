#!/usr/bin/env python3
"""Fetch a ready model: look it up in models.json and run the script that makes it.

    pull.py NAME OUT [options of the script]     OUT.* gets the ending of the model's kind of file
    pull.py --list [--json]
"""
import difflib
import json
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def models():
    with open(os.path.join(FOLDER, "models.json"), encoding="utf-8") as file:
        return json.load(file)["models"]


def show(entries, as_json):
    if as_json:
        keys = ("name", "description", "licence", "homepage")
        print(json.dumps([{key: entry[key] for key in keys} for entry in entries], indent=2))
        return
    for entry in entries:
        print("%-22s %s (%s)" % (entry["name"], entry["description"], entry["licence"]))


def main():
    entries = models()
    if sys.argv[1:2] == ["--list"]:
        show(entries, "--json" in sys.argv)
        return 0
    if len(sys.argv) < 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    names = {entry["name"]: entry for entry in entries}
    name = sys.argv[1]
    if name not in names:
        like = difflib.get_close_matches(name, names, 1)
        hint = "did you mean %s?" % like[0] if like else "`salience pull --list` shows the names"
        print("%s: no such model; %s" % (name, hint), file=sys.stderr)
        return 2
    script = os.path.join(FOLDER, names[name]["script"])
    out = sys.argv[2]
    if out.endswith(".*"):
        out = out[:-1] + names[name].get("ending", "onnx")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, script, name, out] + sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
