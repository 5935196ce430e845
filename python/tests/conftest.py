"""What the tests share: the small network of tests/golden/methods with the maps that captum and pytorch-grad-cam
gave for it."""

import json
import os
import pathlib

import numpy as np
import pytest

import salience

ROOT = pathlib.Path(os.environ.get("SALIENCE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = ROOT / "tests/golden/methods"
PICTURE = ROOT / "examples/images/dog_and_cat.png"


@pytest.fixture(scope="session")
def golden():
    return GOLDEN


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def meta():
    return json.loads((GOLDEN / "meta.json").read_text())


@pytest.fixture(scope="session")
def model():
    return salience.load(GOLDEN / "model.onnx", threads=1)  # so small that threads would only wait for each other


@pytest.fixture(scope="session")
def x():
    return np.load(GOLDEN / "input.npy")


@pytest.fixture(scope="session")
def picture():
    return PICTURE
