"""Messages as the text that a chat model was trained on."""

from __future__ import annotations

import ctypes
from typing import Any, Iterable, Iterator

from . import _abi
from ._lib import Error, call, lib, own_text, struct, text


class ChatTemplate:
    """A row of the library's table of templates.

    ChatTemplate("gemma3")              by name
    ChatTemplate.find(jinja)            the one that a model's Jinja text says; Error when it is none that is known
    ChatTemplate.names()                all names"""

    def __init__(self, name: str) -> None:
        self._pointer = ctypes.c_void_p()
        call("sal_chat_template_named", ctypes.byref(self._pointer), name.encode())

    @classmethod
    def find(cls, jinja: str | bytes) -> ChatTemplate:
        data = jinja.encode() if isinstance(jinja, str) else jinja
        made = cls.__new__(cls)
        made._pointer = ctypes.c_void_p()
        call("sal_chat_template_find", ctypes.byref(made._pointer), data, len(data))
        return made

    @staticmethod
    def names() -> list[str]:
        return list(_rows())

    @property
    def name(self) -> str:
        return text(lib.sal_chat_template_name(self._pointer)) or ""

    def __repr__(self) -> str:
        return f"ChatTemplate({self.name!r})"

    def render(self, messages: Iterable[tuple[str, str]], *, prompt: bool = True, thinking: bool = True, start: int = 0,
               closes: bool = False, bos: str | None = None, eos: str | None = None, date: str | None = None) -> str:
        """The text of messages, each (role, content) with the role system, user or assistant.

        prompt      end with what begins the assistant's answer
        thinking    False: a model that thinks first is told that it has done so
        start       leave out this many messages, which were rendered before; closes: the last of them is an answer that
                    the model wrote itself, begin with the end of its turn
        bos, eos    how the tokeniser calls its tokens; date: of a template that names one"""
        rows = [(role.encode(), content.encode()) for role, content in messages]
        if any(b"\0" in part for row in rows for part in row):
            raise Error("a message cannot hold a NUL")
        given: Any = (_abi.sal_chat_message * max(len(rows), 1))(*rows)
        opts = struct("sal_chat_opts")
        opts.prompt, opts.no_thinking, opts.closes = prompt, not thinking, closes
        setattr(opts, "from", start)
        opts.bos, opts.eos, opts.date = (None if t is None else t.encode() for t in (bos, eos, date))
        out = ctypes.c_void_p()
        call("sal_chat_render", self._pointer, given, len(rows), ctypes.byref(opts), ctypes.byref(out), None)
        return own_text(out)


def _rows() -> Iterator[str]:
    row = _abi.sal_chat_template_info()
    for i in range(lib.sal_chat_template_count()):
        if lib.sal_chat_template_at(i, ctypes.byref(row)):
            yield text(row.name) or ""
