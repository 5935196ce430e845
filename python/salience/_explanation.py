"""What `explain` returns, and several of them side by side."""

from __future__ import annotations

import base64
import ctypes
import html
import json
import os
from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from . import _abi, _picture
from ._catalogue import Method
from ._lib import Error, call, struct


_SHOWN = 400  # pixels across in a notebook


@dataclass(frozen=True)
class Class:
    """One answer of the model, or one class that a question means."""

    index: int
    label: str
    wnid: str | None = None
    probability: float | None = None
    logit: float | None = None

    def __str__(self) -> str:
        share = "" if self.probability is None else f"{100 * self.probability:5.1f} %  "
        return f"{share}{self.index} {self.label}".rstrip()


@dataclass(frozen=True)
class Check:
    """What a sanity check found. verdict: "pass", "doubt", "fail", or "none" where it says nothing."""

    name: str
    verdict: str
    value: float
    text: str
    help: str

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}: {self.text}"


def _json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Class):
        return {k: v for k, v in vars(value).items() if v is not None}
    raise TypeError(type(value).__name__)


class Explanation:
    """A map and what it answers.

    map             attributions have the input's shape, others are [N, H, W]; never normalised
    layer_map       CAMs: the map at the layer's size, else None
    query           the question in words;  why, why_not: the classes it means
    top             the model's likeliest answers for the first sample
    target          T(x) for each sample;  baseline_target: T(baseline) where there is one
    residual        what is missing of the sum that the method promises, for each sample; None: it promises nothing
    logits          what the question weighs;  weights: the question as numbers
    method          a row of salience.methods();  parameters: with their values
    checks          with explain(..., check=True): what the sanity checks found; else None
    layer, output, notes, seconds, preprocessing
    """

    checks: list[Check] | None = None

    def __init__(self, **facts: Any) -> None:
        self.map: np.ndarray = facts.pop("map")
        self.layer_map: np.ndarray | None = facts.pop("layer_map")
        self.logits: np.ndarray = facts.pop("logits")
        self.weights: np.ndarray = facts.pop("weights")
        self.query: str = facts.pop("query")
        self.why: list[Class] = facts.pop("why")
        self.why_not: list[Class] = facts.pop("why_not")
        self.top: list[Class] = facts.pop("top")
        self.target: np.ndarray = facts.pop("target")
        self.baseline_target: np.ndarray | None = facts.pop("baseline_target")
        self.residual: np.ndarray | None = facts.pop("residual")
        self.method: Method = facts.pop("method")
        self.parameters: dict[str, float] = facts.pop("parameters")
        self.signed: bool = facts.pop("signed")
        self.layer: str | None = facts.pop("layer")
        self.output: str = facts.pop("output")
        self.notes: list[str] = facts.pop("notes")
        self.seconds: float = facts.pop("seconds")
        self.model: str = facts.pop("model")
        self.seed: int = facts.pop("seed")
        self.preprocessing: str | None = facts.pop("preprocessing")
        self._size: tuple[int, int] = facts.pop("size")
        self._last: bool = facts.pop("channels_last")
        self._backdrop: _picture.Backdrop | None = facts.pop("backdrop")
        if facts:
            raise TypeError(f"unknown: {', '.join(facts)}")

    # ---- as numbers

    @property
    def heat(self) -> np.ndarray | None:
        """The map of the first sample as [H, W]: attributions summed over the channels. None where the input is no
        picture."""
        m = self.map
        if min(self._size) <= 0 or m.ndim not in (3, 4) or not m.size:
            return None
        if m.ndim == 3:
            return np.ascontiguousarray(m[0], "float32")
        return np.ascontiguousarray(m[0].sum(2 if self._last else 0, dtype="float64"), "float32")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.map, dtype, copy=True) if copy else np.asarray(self.map, dtype)

    def describe(self) -> dict[str, Any]:
        """Everything but the arrays, ready for JSON."""
        from . import __version__

        return {
            "salience": __version__, "model": self.model, "question": self.query, "why": self.why,
            "not": self.why_not, "top": self.top, "method": self.method.name, "parameters": self.parameters,
            "seed": self.seed, "layer": self.layer, "differentiated": self.output, "signed": self.signed,
            "map_shape": list(self.map.shape), "target": self.target, "baseline_target": self.baseline_target,
            "residual": self.residual, "preprocessing": self.preprocessing, "notes": self.notes,
            "seconds": self.seconds, "checks": None if self.checks is None else [vars(c) for c in self.checks],
        }

    # ---- as a picture

    def _draw(self, opacity: float, percentile: float, bare: bool, width: int, title: str | None) -> _picture.Image:
        heat = self.heat
        if heat is None or self._backdrop is None:
            raise Error("the input is no picture, so there is nothing to draw on: .map holds the numbers")
        look = struct("sal_picture_opts")
        words = f"{self.method.title}: {self.query}" if title is None else title
        look.title = words.encode()
        look.is_signed, look.bare, look.opacity, look.percentile = self.signed, bare, opacity, percentile
        look.min_width = width
        across = heat.shape[1]
        across = across * -(-width // across) if across < width else across
        drawn = _picture.Image()
        call("sal_picture_overlay", drawn.ref(), self._backdrop.at(across).ref(), _picture.float_pointer(heat),
             heat.shape[0], heat.shape[1], ctypes.byref(look), None)
        return drawn

    def overlay(self, *, opacity: float = 0.5, percentile: float = 99.0, bare: bool = False, width: int = 600,
                title: str | None = None) -> np.ndarray:
        """The map over the picture as uint8 [H, W, 3]; bare: without title and colour bar."""
        return self._draw(opacity, percentile, bare, width, title).array()

    def png(self, *, opacity: float = 0.5, percentile: float = 99.0, bare: bool = False, width: int = 600,
            title: str | None = None) -> bytes:
        """The same as a PNG file's bytes."""
        return self._draw(opacity, percentile, bare, width, title).png()

    def save(self, path: str | os.PathLike[str], **look: Any) -> None:
        """Write the overlay (.png), the map (.npy) or the description (.json), by the name's end."""
        name = os.fspath(path)
        if name.endswith(".png"):
            write(name, self.png(**look))
        elif name.endswith(".npy"):
            with open(name, "wb") as file:
                np.save(file, self.map)
        elif name.endswith(".json"):
            write(name, (json.dumps(self.describe(), default=_json, indent=1) + "\n").encode())
        else:
            raise Error(f"{name}: must end in .png, .npy or .json")

    # ---- in a notebook and on a terminal

    def _facts(self) -> list[tuple[str, str]]:
        facts = [("question", self.query), ("method", self.method.title)]
        if self.layer:
            facts.append(("layer", self.layer))
        if self.residual is not None:
            want = float(self.target[0]) - (0.0 if self.baseline_target is None else float(self.baseline_target[0]))
            facts.append(("residual", f"{self.residual[0]:.3g} of {want:.4g}"))
        return facts + [("note", note) for note in self.notes]

    def __repr__(self) -> str:
        lines = [f"<Explanation {list(self.map.shape)} of {self.model}>"]
        lines += [f"  {c}" for c in self.top]
        return "\n".join(lines + [f"  {name:<9} {value}" for name, value in self._facts()])

    def _repr_png_(self) -> bytes | None:
        return None if self.heat is None or self._backdrop is None else self.png(width=_SHOWN)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(value)}"
                       "</td></tr>" for name, value in self._facts())
        rows += "".join(f"<tr><td></td><td style='text-align:left'>{html.escape(str(c))}</td></tr>" for c in self.top)
        return _img(self._repr_png_()) + f"<table>{rows}</table>"


def _img(png: bytes | None) -> str:
    if png is None:
        return ""
    return f"<img src='data:image/png;base64,{base64.b64encode(png).decode()}' style='max-width:100%'>"


def write(path: str, data: bytes) -> None:
    call("sal_file_save", os.fsencode(path), data, len(data), about=path)


class Sheet:
    """Explanations in rows (questions) and columns (methods), drawn side by side."""

    def __init__(self, rows: Sequence[Sequence[Explanation | str]], row_labels: Sequence[str],
                 column_labels: Sequence[str], scale: str = "each") -> None:
        self.rows = [list(row) for row in rows]
        self.row_labels, self.column_labels, self.scale = list(row_labels), list(column_labels), scale
        if not self.rows or not self.rows[0] or any(len(row) != len(self.rows[0]) for row in self.rows):
            raise Error("a sheet needs rows of one length")

    def __getitem__(self, at: Any) -> Any:
        return self.rows[at[0]][at[1]] if isinstance(at, tuple) else self.rows[at]

    def __len__(self) -> int:
        return len(self.rows)

    def _draw(self) -> _picture.Image:
        scales = {"each": _abi.SAL_SHEET_EACH, "column": _abi.SAL_SHEET_COLUMN, "row": _abi.SAL_SHEET_ROW}
        if self.scale not in scales:
            raise Error(f"scale must be one of {', '.join(scales)}, not {self.scale}")
        flat = [cell for row in self.rows for cell in row]
        first = next((e for e in flat if isinstance(e, Explanation) and e.heat is not None), None)
        if first is None or first._backdrop is None:
            raise Error("none of these explanations is of a picture")
        cells = (_abi.sal_sheet_cell * len(flat))()
        keep: list[Any] = []
        for cell, entry in zip(cells, flat):
            heat = entry.heat if isinstance(entry, Explanation) else None
            if heat is None:
                cell.note = (entry if isinstance(entry, str) else "no picture").encode()
            else:
                cell.map, cell.height, cell.width = _picture.float_pointer(heat), *heat.shape
                cell.is_signed = entry.signed
            keep.append(heat)
        opts = struct("sal_sheet_opts")
        opts.rows, opts.columns, opts.scale = len(self.rows), len(self.rows[0]), scales[self.scale]
        opts.row_labels = (ctypes.c_char_p * opts.rows)(*(text.encode() for text in self.row_labels))
        opts.column_labels = (ctypes.c_char_p * opts.columns)(*(text.encode() for text in self.column_labels))
        drawn = _picture.Image()
        call("sal_picture_sheet", drawn.ref(), first._backdrop.at(672).ref(), cells, ctypes.byref(opts))
        return drawn

    def overlay(self) -> np.ndarray:
        """The sheet as uint8 [H, W, 3]."""
        return self._draw().array()

    def png(self) -> bytes:
        return self._draw().png()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sheet as a PNG file."""
        if not os.fspath(path).endswith(".png"):
            raise Error(f"{os.fspath(path)}: must end in .png")
        write(os.fspath(path), self.png())

    def __repr__(self) -> str:
        return f"<Sheet of {len(self.rows)} questions x {len(self.column_labels)} methods>"

    def _repr_png_(self) -> bytes:
        return self.png()

    def _repr_html_(self) -> str:
        return _img(self.png())


def compare(explanations: Sequence[Any], rows: Sequence[str] | None = None, columns: Sequence[str] | None = None,
            scale: str = "each") -> Sheet:
    """Explanations of one picture side by side: a list, or a list of rows. They may come from several models,
    methods and questions. scale: "each", "row" or "column" share one colour scale."""
    table = [list(explanations)] if isinstance(explanations[0], (Explanation, str)) else [list(r) for r in explanations]
    first = [next((e for e in row if isinstance(e, Explanation)), None) for row in table]
    row_labels = rows if rows is not None else [e.query if e is not None else "" for e in first]
    column_labels = columns if columns is not None else [
        e.method.name if isinstance(e, Explanation) else "" for e in table[0]]
    if len(row_labels) != len(table) or len(column_labels) != len(table[0]):
        raise Error(f"{len(table)} x {len(table[0])} explanations need as many labels")
    return Sheet(table, row_labels, column_labels, scale)
