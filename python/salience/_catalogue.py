"""The library's tables as Python sees them: methods, rule sets, operators, targets."""

from __future__ import annotations

import ctypes
import html
from dataclasses import dataclass
from typing import Iterator, Mapping

from . import _abi
from ._lib import Error, lib, text


@dataclass(frozen=True)
class Parameter:
    """A number that a method can be given."""

    name: str
    kind: type
    default: float
    min: float
    max: float
    help: str

    def __str__(self) -> str:
        return f"{self.name}={self.default:g}  {self.help} ({self.min:g}..{self.max:g})"


@dataclass(frozen=True)
class Method:
    """One way of explaining: `model.explain(x, method=name, **parameters)`."""

    name: str
    title: str
    reference: str
    kind: str
    signed: bool
    exportable: bool
    wants_layer: bool
    parameters: tuple[Parameter, ...]
    aliases: tuple[str, ...]

    def __str__(self) -> str:
        facts = [self.kind, "signed" if self.signed else "unsigned"]
        facts += ["exportable"] * self.exportable + ["of a layer"] * self.wants_layer
        lines = [f"{self.name}: {self.title} ({', '.join(facts)})", f"    {self.reference}"]
        lines += [f"    also {', '.join(self.aliases)}"] * bool(self.aliases)
        return "\n".join(lines + [f"    {p}" for p in self.parameters])


class Table(Mapping[str, Method]):
    """The methods by name. Printed, it is their documentation."""

    def __init__(self, rows: dict[str, Method]) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> Method:
        if name not in self._rows:  # another name of a method?
            found = lib.sal_method_find(name.encode())
            name = (text(found.contents.name) or name) if found else name
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return "\n".join(str(m) for m in self._rows.values())

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td><code>{html.escape(m.name)}</code></td><td>{html.escape(m.title)}</td><td>{m.kind}</td><td>"
            + "<br>".join(html.escape(str(p)) for p in m.parameters)
            + f"</td><td>{html.escape(m.reference)}</td></tr>"
            for m in self._rows.values())
        return f"<table><tr><th>method</th><th></th><th>kind</th><th>parameters</th><th>from</th></tr>{cells}</table>"


def _parameter(p: _abi.sal_param_info) -> Parameter:
    kind = int if p.kind == _abi.SAL_PARAM_INT else float
    return Parameter(text(p.name) or "", kind, kind(p.fallback), kind(p.min), kind(p.max), text(p.help) or "")


def _method(m: _abi.sal_method_info) -> Method:
    return Method(text(m.name) or "", text(m.title) or "", text(m.reference) or "",
                  text(lib.sal_method_kind_name(m.kind)) or "", bool(m.is_signed), bool(m.exportable),
                  bool(m.wants_layer), tuple(_parameter(m.params[i]) for i in range(m.n_params)),
                  tuple((text(m.aliases) or "").split()))


_table: Table | None = None


def methods() -> Table:
    """Every method of the library, by name: title, paper, parameters with defaults and ranges."""
    global _table
    if _table is None:
        found = (_method(lib.sal_method_at(i).contents) for i in range(lib.sal_method_count()))
        _table = Table({m.name: m for m in found})
    return _table


def method(name: str) -> Method:
    """One method; the error for an unknown name says what is like it."""
    try:
        return methods()[name]
    except KeyError:
        import difflib

        near = difflib.get_close_matches(name, list(methods()), 1, 0.5)
        raise Error(f"unknown method {name}" + (f": did you mean {near[0]}?" if near else "")
                    + " salience.methods() lists all") from None


def _rows(name: str, fields: tuple[str, ...]) -> list[dict[str, str | int | bool | None]]:
    out = []
    row = getattr(_abi, f"sal_{name}_info")()
    for i in range(getattr(lib, f"sal_{name}_count" if name != "op" else "sal_op_info_count")()):
        getattr(lib, f"sal_{name}_at" if name != "op" else "sal_op_info_at")(i, ctypes.byref(row))
        values = (getattr(row, field) for field in fields)
        out.append(dict(zip(fields, (text(v) if isinstance(v, bytes) else v for v in values))))
    return out


def rules() -> dict[str, str]:
    """The rule sets of `model.grad(rules=...)`, and what they do."""
    return {str(r["name"]): str(r["help"]) for r in _rows("rule", ("name", "help"))}


def targets() -> list[dict[str, str | int | bool | None]]:
    """The forms that `why` and `why_not` can take."""
    return _rows("target", ("form", "example", "help"))


def operators() -> list[dict[str, str | int | bool | None]]:
    """The operators that models may consist of, and how each is differentiated."""
    return _rows("op", ("name", "domain", "internal", "since", "min_inputs", "max_inputs", "derivative"))
