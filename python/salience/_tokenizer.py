"""Text as a model's ids."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Sequence

from . import _abi
from ._lib import Error, Handle, call, lib, path_bytes, struct, text


@dataclass(frozen=True)
class Tokens:
    """Encoded text: one entry a token. offsets: the bytes of the text's UTF-8 that a token stands for; added: put
    there by the template ([CLS], [SEP])."""

    ids: list[int]
    tokens: list[str]
    types: list[int]
    offsets: list[tuple[int, int]]
    added: list[bool]

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """The tokeniser of a tokenizer.json, of a folder with one, or of a GGUF file: a path, or the bytes of a file."""

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        self._handle = Handle("sal_tokenizer_free")
        if isinstance(source, bytes):
            call("sal_tokenizer_open_memory", self._handle.out(), source, len(source), b"tokenizer.json")
        else:
            call("sal_tokenizer_open", self._handle.out(), path_bytes(source))

    def __len__(self) -> int:
        return int(lib.sal_tokenizer_size(self._handle.pointer))

    def id(self, token: str) -> int | None:
        """Id of a token as it is in the vocabulary; None when there is none."""
        found = int(lib.sal_tokenizer_id(self._handle.pointer, token.encode()))
        return None if found < 0 else found

    def token(self, id: int) -> str | None:
        """The token of an id; None when there is none."""
        return text(lib.sal_tokenizer_token(self._handle.pointer, id))

    @property
    def bos(self) -> int | None:
        """The token that begins a text; None: none is known."""
        return self._named("bos")

    @property
    def eos(self) -> int | None:
        """The token that ends a text; None: none is known."""
        return self._named("eos")

    @property
    def chat_template(self) -> str | None:
        """The Jinja text that comes with the model, for ChatTemplate.find(); None: there is none."""
        return text(self._info().chat_template)

    def _info(self) -> Any:
        info = _abi.sal_tokenizer_info()
        lib.sal_tokenizer_get_info(self._handle.pointer, ctypes.byref(info))
        return info

    def _named(self, name: str) -> int | None:
        id = int(getattr(self._info(), name))
        return None if id < 0 else id

    def encode(self, words: str | bytes, special: bool = True, plain: bool = False) -> Tokens:
        """special: with the tokens of the template. plain: names of special tokens in the text are only text."""
        data = words.encode("utf-8", "surrogateescape") if isinstance(words, str) else words
        made = _abi.sal_tokens()
        opts = struct("sal_encode_opts")
        opts.special, opts.plain = special, plain
        call("sal_tokenizer_encode_as", self._handle.pointer, data, len(data), ctypes.byref(opts), ctypes.byref(made))
        try:
            ids = [int(i) for i in made.ids[: made.n]]
            return Tokens(ids, [self.token(i) or "" for i in ids], [int(i) for i in made.types[: made.n]],
                          list(zip(map(int, made.begin[: made.n]), map(int, made.end[: made.n]))),
                          [bool(a) for a in made.added[: made.n]])
        finally:
            lib.sal_tokens_free(ctypes.byref(made))

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """The text of ids; bytes that are no UTF-8 become U+FFFD."""
        given: Any = (ctypes.c_int32 * max(len(ids), 1))(*ids)
        out, size = ctypes.c_void_p(), ctypes.c_size_t()
        call("sal_tokenizer_decode", self._handle.pointer, given, len(ids), skip_special, ctypes.byref(out),
             ctypes.byref(size))
        if not out.value:
            raise Error("nothing was decoded")
        try:
            return ctypes.string_at(out.value, size.value).decode("utf-8", "replace")
        finally:
            lib.sal_text_free(out)

    def stream(self, ids: Iterable[int], skip_special: bool = True) -> Iterator[str]:
        """The text of ids as they come, in whole characters."""
        handle, part, size = Handle("sal_token_stream_free"), ctypes.c_char_p(), ctypes.c_size_t()
        call("sal_token_stream_new", handle.out(), self._handle.pointer, skip_special)
        for id in ids:
            call("sal_token_stream_add", handle.pointer, id, ctypes.byref(part), ctypes.byref(size))
            if size.value:
                yield ctypes.string_at(part, size.value).decode("utf-8", "replace")
        call("sal_token_stream_end", handle.pointer, ctypes.byref(part), ctypes.byref(size))
        if size.value:
            yield ctypes.string_at(part, size.value).decode("utf-8", "replace")
