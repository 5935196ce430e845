"""What the adapters share: models, arrays and targets in other libraries' forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _abi, _arrays, _catalogue
from .._lib import Error
from .._model import Model


def as_model(model: Any) -> Model:
    """A salience.Model, or what salience.load() takes."""
    if isinstance(model, Model):
        return model
    if isinstance(model, (str, bytes)) or hasattr(model, "__fspath__"):
        return Model(model)
    raise Error(f"{type(model).__module__}.{type(model).__name__} is no salience.Model: export it to ONNX "
                "(torch.onnx.export) and give salience.load(file)")


def layer_name(layer: Any) -> str:
    if isinstance(layer, str):
        return layer
    raise Error(f"a layer is named by a value or node of the file, not given as {type(layer).__name__}: "
                "model.graph() lists the names")


def like(given: Any, result: np.ndarray) -> Any:
    """The result as a PyTorch tensor where one was given."""
    if type(given).__module__.partition(".")[0] == "torch":
        import torch

        return torch.from_numpy(np.array(result, copy=None if result.flags.writeable else True)).to(given.device)
    return result


def floats(x: Any, what: str = "the input") -> np.ndarray:
    array = _arrays.asarray(x)
    if array.dtype.kind in "iu":
        array = array.astype("float32")
    return _arrays.fit(array, _abi.SAL_F32, what) if array.dtype != np.float64 else array.astype("float32")


def output_shape(model: Model, inputs: list[np.ndarray]) -> tuple[int, ...]:
    """Shape of one sample of the first output that holds floats."""
    name = model._first_output()
    shape = model.value(name).shape
    if model.value(name).rank is None or None in shape[1:]:
        return model.run(inputs if len(inputs) > 1 else inputs[0], [name])[name].shape[1:]
    return tuple(int(d or 1) for d in shape[1:])


def weights(target: Any, shape: tuple[int, ...], n: int) -> np.ndarray:
    """captum's targets as weights [n, elements]: an index, a tuple of indices, or one of either for each sample."""
    elements = int(np.prod(shape, dtype="int64"))
    if target is None:
        if elements != 1:
            raise Error(f"the output has {elements} elements a sample: give a target")
        target = 0 if shape else ()
    if hasattr(target, "detach") or isinstance(target, np.ndarray):
        target = _arrays.asarray(target).tolist()
    each = target if isinstance(target, list) else [target] * n
    if len(each) == 1:
        each = list(each) * n
    if len(each) != n:
        raise Error(f"{len(each)} targets for {n} samples")
    out = np.zeros((n, elements), "float32")
    for row, one in zip(out, each):
        index = tuple(one) if isinstance(one, (tuple, list)) else (one,)
        index = index if len(shape) == len(index) else index + (0,) * (len(shape) - len(index))
        try:
            row[np.ravel_multi_index(index, shape) if shape else 0] = 1
        except (ValueError, TypeError):
            raise Error(f"target {one} is none of an output of shape {list(shape)}") from None
    return out


def row(name: str, wanted_by: str) -> _catalogue.Method:
    """The method behind a class of another library."""
    try:
        return _catalogue.methods()[name]
    except KeyError:
        raise Error(f"{wanted_by} needs the method {name}, which this version of the library does not have",
                    "UNSUPPORTED") from None


def resize(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, half-pixel centres, edges repeated, as cv2.resize: [..., h, w] to [..., height, width]."""

    def along(x: np.ndarray, size: int, axis: int) -> np.ndarray:
        n = x.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
        low = np.minimum(at.astype("int64"), max(n - 2, 0))
        share = (at - low).astype("float32").reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
        return np.take(x, low, axis) * (1 - share) + np.take(x, np.minimum(low + 1, n - 1), axis) * share

    return along(along(maps, height, -2), width, -1)
