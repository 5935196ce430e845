"""The C library, loaded; its errors as exceptions; its handles, released when nobody holds them.

ctypes and not cffi: it comes with Python, so that the wheel is one file for every Python version and needs no
compiler at run time, and it lets other threads run during a call. The declarations are generated (see _abi)."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from typing import Any, Callable

from . import _abi

_HERE = os.path.dirname(os.path.abspath(__file__))
_STATUS = {getattr(_abi, name): name[len("SAL_E") :] for name in _abi.ENUMS["sal_status"]}


class Error(Exception):
    """What the library could not do: one line that says what, where, and what would help.

    `code` is one of NOMEM, INVAL, FORMAT, IO, UNSUPPORTED, SHAPE, NOGRAD, CANCELLED, BACKEND."""

    def __init__(self, message: str, code: str = "INVAL") -> None:
        super().__init__(message)
        self.code = code


class Cancelled(Error):
    """The progress function said no."""

    def __init__(self, message: str = "interrupted") -> None:
        super().__init__(message, "CANCELLED")


class _Library:
    """Functions by name, declared when first used."""

    def __init__(self, path: str) -> None:
        self._dll = ctypes.CDLL(path)

    def __getattr__(self, name: str) -> Any:
        try:
            result, arguments = _abi.FUNCTIONS[name]
        except KeyError:
            raise AttributeError(name) from None
        function = getattr(self._dll, name)
        function.restype, function.argtypes = result, arguments
        setattr(self, name, function)
        return function


def _path() -> str:
    """SALIENCE_LIBRARY, else the library that the package carries."""
    named = os.environ.get("SALIENCE_LIBRARY")
    if named:
        return named
    for name in (f"libsalience.so.{_abi.SAL_VERSION_MAJOR}", "libsalience.so", "libsalience.dylib"):
        path = os.path.join(_HERE, "lib", name)
        if os.path.exists(path):
            return path
    raise ImportError(f"{os.path.join(_HERE, 'lib')} holds no libsalience: install the package with pip, or name the "
                      "library in SALIENCE_LIBRARY")


lib = _Library(_path())
labels_folder = os.path.join(_HERE, "share", "salience", "labels")


def _version_check() -> None:
    built = f"{_abi.SAL_VERSION_MAJOR}.{_abi.SAL_VERSION_MINOR}.{_abi.SAL_VERSION_PATCH}"
    found = lib.sal_version().decode()
    if found != built:
        raise ImportError(f"this package was made for libsalience {built}, but {_path()} is {found}")


_version_check()


def fail(status: int, err: _abi.sal_error, about: str = "") -> Error:
    """The exception for a status; the library's own words where it said something."""
    said = err.msg.decode("utf-8", "replace") or lib.sal_status_text(status).decode()
    if about and not said.startswith(about):
        said = f"{about}: {said}"
    return Cancelled(said) if status == _abi.SAL_ECANCELLED else Error(said, _STATUS.get(status, "UNKNOWN"))


def call(name: str, *arguments: Any, about: str = "") -> None:
    """Call a function that returns a status and takes a sal_error last. `about` begins a message that does not say
    which file it is about."""
    err = _abi.sal_error()
    status = getattr(lib, name)(*arguments, ctypes.byref(err))
    if status != _abi.SAL_OK:
        raise fail(status, err, about)


def struct(name: str) -> Any:
    """A struct as its SAL_..._INIT macro sets it."""
    kind = getattr(_abi, name)
    made = kind()
    for field, value in _abi.INITS.get(name, {}).items():
        if value is None:
            value = ctypes.sizeof(kind)
        elif isinstance(value, tuple):
            value = type(getattr(made, field))(*value)
        setattr(made, field, value)
    return made


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def path_bytes(path: Any) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise Error(f"{path!r}: a path cannot hold a NUL")
    return encoded


def own_text(pointer: ctypes.c_void_p) -> str:
    """Take over a text that the library allocated."""
    try:
        return ctypes.string_at(pointer).decode("utf-8", "replace") if pointer.value else ""
    finally:
        lib.sal_text_free(pointer)


class Handle:
    """An opaque pointer of the library and the function that releases it."""

    __slots__ = ("pointer", "_free", "__weakref__")

    def __init__(self, free: str) -> None:
        self.pointer = ctypes.c_void_p()
        self._free = getattr(lib, free)

    def out(self) -> Any:
        return ctypes.byref(self.pointer)

    def close(self) -> None:
        pointer, self.pointer = self.pointer, ctypes.c_void_p()
        if pointer.value:
            self._free(pointer)

    def __del__(self) -> None:
        if getattr(self, "pointer", None) is not None:
            self.close()


class Progress:
    """A C progress function that asks a Python one, and through which Ctrl-C ends long work.

    Python runs signal handlers while the callback runs, but an exception that comes before its first line would be
    lost. So during the call the handler of Ctrl-C only takes a note, and KeyboardInterrupt comes out of call()."""

    def __init__(self) -> None:
        self.ask: Callable[[float], Any] | None = None
        self.raised: BaseException | None = None
        self.function = _abi.sal_progress_fn(self._step)

    def _step(self, _context: Any, done: float) -> bool:
        try:
            return self.raised is None and (self.ask is None or self.ask(done) is not False)
        except BaseException as error:  # kept for the caller: C cannot pass it on
            self.raised = error
            return False

    def _interrupt(self, *_signal: Any) -> None:
        self.raised = KeyboardInterrupt()

    def call(self, ask: Callable[[float], Any] | None, name: str, *arguments: Any, about: str = "") -> None:
        """Like call(); what `ask` raised, or KeyboardInterrupt, comes out of it."""
        self.ask, self.raised = ask, None
        ours = (threading.current_thread() is threading.main_thread()
                and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        if ours:
            signal.signal(signal.SIGINT, self._interrupt)
        try:
            call(name, *arguments, about=about)
        except Cancelled:
            if self.raised is None:
                raise
        finally:
            if ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            raised, self.ask, self.raised = self.raised, None, None
        if raised is not None:
            raise raised
