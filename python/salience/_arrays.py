"""NumPy arrays to the library's tensors and back, without copies where the bytes already lie as they should."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from . import _abi
from ._lib import Error, call, lib, text

# Element types that NumPy knows; bfloat16 is not one of them and travels as float32.
DTYPES = {
    _abi.SAL_F32: np.dtype("float32"), _abi.SAL_F64: np.dtype("float64"), _abi.SAL_F16: np.dtype("float16"),
    _abi.SAL_U8: np.dtype("uint8"), _abi.SAL_I8: np.dtype("int8"), _abi.SAL_U16: np.dtype("uint16"),
    _abi.SAL_I16: np.dtype("int16"), _abi.SAL_U32: np.dtype("uint32"), _abi.SAL_I32: np.dtype("int32"),
    _abi.SAL_U64: np.dtype("uint64"), _abi.SAL_I64: np.dtype("int64"), _abi.SAL_BOOL: np.dtype("bool"),
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}


def asarray(x: Any) -> np.ndarray:
    """Anything array-like: NumPy arrays and what has __array_interface__, __dlpack__ (PyTorch, CuPy on the host,
    JAX) or __array__, sequences, numbers. Nothing is copied where the protocol allows that."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "detach"):  # a PyTorch tensor in an autograd graph does not export itself
        x = x.detach()
    if hasattr(x, "__array_interface__"):
        return np.asarray(x)
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (RuntimeError, TypeError, BufferError) as error:
            if not hasattr(x, "__array__"):
                raise Error(f"{type(x).__name__} cannot be read: {error}") from None
    return np.asarray(x)


def _contiguous(x: np.ndarray) -> np.ndarray:
    """C order and native bytes, of the same rank (ascontiguousarray would give a number a dimension)."""
    return np.require(x, dtype=x.dtype.newbyteorder("="), requirements=["C", "A"]).reshape(x.shape)


def fit(x: np.ndarray, dtype: int, what: str) -> np.ndarray:
    """x in an element type that a value of the model takes. Floats become floats of another width, integers integers
    (where the values fit); anything else is refused, because it is seldom meant."""
    want = DTYPES.get(dtype, np.dtype("float32"))  # bfloat16 goes by way of float32
    if x.dtype == want:
        return _contiguous(x)
    same = {"f": "f", "i": "iu", "u": "iu", "b": "b"}.get(x.dtype.kind, "")
    if want.kind not in same:
        raise Error(f"{what} takes {lib.sal_dtype_name(dtype).decode()}, not {x.dtype}: convert it with "
                    f".astype('{want}') if that is what is meant")
    if want.kind in "iu" and x.size and (x.min() < np.iinfo(want).min or x.max() > np.iinfo(want).max):
        raise Error(f"{what} takes {want}, which cannot hold {x.min()} to {x.max()}")
    return _contiguous(x.astype(want))


class Tensors:
    """An array of sal_tensor that borrows the memory of NumPy arrays, which it keeps alive."""

    def __init__(self, arrays: list[np.ndarray], dtypes: list[int]) -> None:
        self.keep: list[Any] = []
        self.array = (_abi.sal_tensor * max(len(arrays), 1))()
        for i, (x, dtype) in enumerate(zip(arrays, dtypes)):
            self.array[i] = borrow(x)
            self.keep.append(x)
            if self.array[i].dtype != dtype:  # bfloat16
                cast = OwnTensor()
                call("sal_tensor_cast", ctypes.byref(cast.tensor), ctypes.byref(self.array[i]), dtype)
                self.array[i] = cast.tensor
                self.keep.append(cast)


def borrow(x: np.ndarray) -> Any:
    if x.ndim > _abi.SAL_MAX_RANK:
        raise Error(f"an array of {x.ndim} dimensions: at most {_abi.SAL_MAX_RANK} are possible", "SHAPE")
    if x.dtype not in _CODES:
        raise Error(f"an array of {x.dtype}: only numbers and truth values are possible")
    t = _abi.sal_tensor(dtype=_CODES[x.dtype], rank=x.ndim, data=x.ctypes.data)
    t.dims[: x.ndim] = x.shape
    return t


class OwnTensor:
    """A tensor of the library as the base of a NumPy array: its memory lives as long as the array."""

    def __init__(self, tensor: Any = None) -> None:
        self.tensor = _abi.sal_tensor() if tensor is None else tensor
        self._free = lib.sal_tensor_free

    def __del__(self) -> None:
        self._free(ctypes.byref(self.tensor))

    @property
    def __array_interface__(self) -> dict[str, Any]:
        t = self.tensor
        return {"version": 3, "shape": tuple(t.dims[: t.rank]), "typestr": DTYPES[t.dtype].str,
                "data": (t.data, False)}


def _widen(t: Any) -> Any:
    """A bfloat16 tensor as float32."""
    wide = _abi.sal_tensor()
    call("sal_tensor_cast", ctypes.byref(wide), ctypes.byref(t), _abi.SAL_F32)
    return wide


def take(t: Any) -> np.ndarray | None:
    """A second owner of a tensor's memory as an array; None for an empty place."""
    if t.dtype == _abi.SAL_DT_NONE:
        return None
    if t.dtype == _abi.SAL_BF16:
        return np.asarray(OwnTensor(_widen(t)))
    if not t.data:
        return np.empty(tuple(t.dims[: t.rank]), DTYPES[t.dtype])
    return np.asarray(OwnTensor(lib.sal_tensor_ref(ctypes.byref(t))))


def copy(t: Any) -> np.ndarray:
    """A copy of a tensor that the library will write to again."""
    if t.dtype == _abi.SAL_BF16:
        return np.asarray(OwnTensor(_widen(t)))
    out = np.empty(tuple(t.dims[: t.rank]), DTYPES[t.dtype])
    if out.nbytes:
        ctypes.memmove(out.ctypes.data, t.data, out.nbytes)
    return out


def doubles(pointer: Any, n: int) -> np.ndarray | None:
    return np.array(pointer[:n], "float64") if pointer else None


def image_array(image: Any) -> np.ndarray:
    """A copy of a picture as uint8 [H, W, 3]."""
    n = image.width * image.height * 3
    return np.frombuffer(ctypes.string_at(image.data, n), "uint8").reshape(image.height, image.width, 3)


def dtype_name(dtype: int) -> str:
    return text(lib.sal_dtype_name(dtype)) or "unknown"
