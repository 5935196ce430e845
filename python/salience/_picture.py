"""Pictures: files and arrays to a model's input, maps drawn over them."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any

import numpy as np

from . import _abi, _arrays
from ._lib import Error, call, lib, path_bytes, struct


class Image:
    """An 8-bit RGB picture of the library."""

    def __init__(self) -> None:
        self.image = _abi.sal_image()
        self._free = lib.sal_image_free

    def __del__(self) -> None:
        self._free(ctypes.byref(self.image))

    def ref(self) -> Any:
        return ctypes.byref(self.image)

    def png(self) -> bytes:
        data, size = ctypes.POINTER(ctypes.c_uint8)(), ctypes.c_size_t()
        call("sal_image_encode_png", self.ref(), ctypes.byref(data), ctypes.byref(size))
        try:
            return ctypes.string_at(data, size.value)
        finally:
            lib.sal_image_bytes_free(data)

    def array(self) -> np.ndarray:
        return _arrays.image_array(self.image)

    @staticmethod
    def read(path: Any) -> Image:
        made = Image()
        call("sal_image_read", made.ref(), path_bytes(path), about=os.fspath(path))
        return made

    @staticmethod
    def decode(data: bytes) -> Image:
        made = Image()
        call("sal_image_read_memory", made.ref(), data, len(data), b"picture")
        return made

    @staticmethod
    def of(pixels: np.ndarray) -> Image:
        """From uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] (alpha is dropped)."""
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.dtype != np.uint8:
            raise Error(f"{pixels.dtype} {pixels.shape} is no picture: uint8 [H, W, 3] is wanted", "SHAPE")
        rgb = np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels[:, :, :3]
        rgb = np.ascontiguousarray(rgb)
        made = Image()
        call("sal_image_new", made.ref(), rgb.shape[1], rgb.shape[0])
        ctypes.memmove(made.image.data, rgb.ctypes.data, rgb.nbytes)
        return made


def is_picture(x: Any) -> bool:
    """Does x go through the preprocessing? File names, encoded pictures, PIL images, uint8 [H, W, 1, 3 or 4]."""
    if isinstance(x, (str, os.PathLike)):
        return not os.fspath(x).endswith(".npy")
    if isinstance(x, (bytes, bytearray, memoryview)) or _is_pil(x):
        return True
    return (isinstance(x, np.ndarray) and x.dtype == np.uint8
            and (x.ndim == 2 or x.ndim == 3 and x.shape[2] in (1, 3, 4)))


def _is_pil(x: Any) -> bool:
    return hasattr(x, "getbands") and hasattr(x, "convert")


def load(x: Any) -> Image:
    if isinstance(x, (str, os.PathLike)):
        return Image.read(x)
    if isinstance(x, (bytes, bytearray, memoryview)):
        return Image.decode(bytes(x))
    if _is_pil(x):
        return Image.of(np.asarray(x.convert("RGB")))
    return Image.of(x)


def preprocess_of(model: Any, description: Any) -> tuple[Any, bool, str]:
    """How pictures become the model's input, is it a guess, and who said so. description: None (the model's own), or
    a mapping with the keys of a sidecar file."""
    pre = struct("sal_preprocess")
    if description is not None:
        said = json.dumps(dict(description)).encode()
        call("sal_preprocess_from_json", ctypes.byref(pre), said, len(said), about="preprocess")
        return pre, False, "given"
    guessed, source = ctypes.c_bool(), ctypes.create_string_buffer(4200)
    call("sal_model_preprocess", model, ctypes.byref(pre), ctypes.byref(guessed), source, len(source))
    return pre, guessed.value, source.value.decode("utf-8", "replace")


def describe(pre: Any) -> str:
    line = ctypes.create_string_buffer(256)
    return (lib.sal_preprocess_describe(ctypes.byref(pre), line, len(line)) or b"").decode()


def apply(image: Image, pre: Any) -> np.ndarray:
    out = _abi.sal_tensor()
    call("sal_preprocess_apply", ctypes.byref(out), image.ref(), ctypes.byref(pre))
    return np.asarray(_arrays.OwnTensor(out))


class Backdrop:
    """What maps of one input are drawn over."""

    def __init__(self, image: Image | None, pre: Any, x: np.ndarray, channels_last: bool) -> None:
        self._image, self._pre, self._last = image, pre, channels_last
        self._x = None if image is not None else x[:1]
        self._made: dict[int, Image] = {}

    def at(self, width: int) -> Image:
        """The part of the picture that the model sees, `width` pixels across."""
        if width not in self._made:
            made = Image()
            if self._image is not None:
                call("sal_preprocess_backdrop", made.ref(), self._image.ref(), ctypes.byref(self._pre), width)
            else:
                x = np.moveaxis(self._x, 3, 1) if self._last else self._x
                x = x if x.shape[1] == 3 else x.mean(1, keepdims=True)
                plain = _arrays.fit(x.astype("float32"), _abi.SAL_F32, "picture")
                t = _arrays.borrow(plain)
                call("sal_image_from_tensor", made.ref(), ctypes.byref(t), None)
            self._made[width] = made
        return self._made[width]


def float_pointer(x: np.ndarray) -> Any:
    return x.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
