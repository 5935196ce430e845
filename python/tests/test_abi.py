"""The generated declarations are what the C compiler sees, and the library has every function."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from salience import _abi
from salience._lib import lib


def test_layout_and_values_are_the_compilers(root, tmp_path):
    cc = os.environ.get("CC") or shutil.which("cc")
    if cc is None or not (root / "include/salience").is_dir():
        pytest.skip("no C compiler, or no source tree")
    script = root / "scripts/gen/python_abi.py"
    subprocess.run([sys.executable, script, cc, root / "include", "-o", tmp_path / "_abi.py", "--check-c",
                    tmp_path / "check.c"], check=True)
    shown = (tmp_path / "_abi.py").read_text()
    assert shown == pathlib.Path(_abi.__file__).read_text(), "the package's declarations are not these headers'"
    subprocess.run([cc, "-std=c11", f"-I{root / 'include'}", tmp_path / "check.c", "-o", tmp_path / "check"],
                   check=True)
    rows = subprocess.run([tmp_path / "check"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(rows) > 100
    for row in rows:
        kind, name, number = row.split()
        if kind == "size":
            assert ctypes.sizeof(getattr(_abi, name)) == int(number), row
        elif kind == "offset":
            struct, field = name.split(".")
            assert getattr(getattr(_abi, struct), field).offset == int(number), row
        else:
            assert int(getattr(_abi, name)) == int(number), row


@pytest.mark.parametrize("name", sorted(_abi.FUNCTIONS))
def test_function_is_in_the_library(name):
    assert getattr(lib, name) is not None


def test_initialisers_are_the_macros():
    from salience._lib import struct

    assert struct("sal_explain_opts").struct_size == ctypes.sizeof(_abi.sal_explain_opts)
    assert struct("sal_preprocess").std[:] == [1.0, 1.0, 1.0]
    assert abs(struct("sal_preprocess").rescale * 255 - 1) < 1e-6
    assert struct("sal_picture_opts").min_width == 600
