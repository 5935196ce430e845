"""A model: run it, differentiate it, explain it, write its explanations as ONNX."""

from __future__ import annotations

import collections
import ctypes
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence

from . import _abi, _catalogue
from ._lib import Error, Handle, Progress, call, labels_folder, lib, own_text, path_bytes, struct, text

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Unpack

    from ._explanation import Check, Class, Explanation, Sheet
    from ._types import MethodName, MethodParameters, RuleName

_PLANS = 8  # kept for each thread, those used last
_PRECISIONS = {"float32": _abi.SAL_F32, "bfloat16": _abi.SAL_BF16, "f32": _abi.SAL_F32, "bf16": _abi.SAL_BF16}


@dataclass(frozen=True)
class Value:
    """An input, output or inner value of a model. shape: None where it is free; () and rank None: not known."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    rank: int | None
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


def _value(info: Any) -> Value:
    shape = tuple(None if d < 0 else d for d in info.dims[: max(info.rank, 0)])
    return Value(text(info.name) or "", text(lib.sal_dtype_name(info.dtype)) or "", shape,
                 None if info.rank < 0 else info.rank, text(info.type) or "")


class Inspection(dict):  # type: ignore[type-arg]
    """What a model consists of; printed, for people."""

    def __repr__(self) -> str:
        lines = [f"{self['file']}: {self['nodes']} nodes, {self['parameters']:,} parameters, "
                 + ("" if self["macs"] is None else f"{self['macs']:,} multiply-adds, ")
                 + f"opset {self['opset']}" + (f", by {self['producer']}" if self["producer"] else "")]
        lines += [f"  input     {v}" for v in self["inputs"]] + [f"  output    {v}" for v in self["outputs"]]
        lines += [f"  {o['count']:>6} x {o['name']:<24} derivative: {o['derivative']}" for o in self["operators"]]
        return "\n".join(lines)


class Diagnosis(dict):  # type: ignore[type-arg]
    """Which methods work, by name; printed, for people."""

    def __repr__(self) -> str:
        works = sum(row["works"] for row in self["methods"].values())
        lines = [f"{self['file']}: {works} of {len(self['methods'])} methods work"]
        for name, row in self["methods"].items():
            lines.append(f"  {'yes' if row['works'] else 'no':<4} {name:<24} {row['layer'] or row['why_not'] or ''}")
        if self["preprocessing"]:
            lines.append(f"preprocessing: {self['preprocessing']}")
        return "\n".join(lines + [f"warning: {w}" for w in self["warnings"]])


class _Plans:
    """What one thread has prepared, the last few."""

    def __init__(self) -> None:
        self._made: collections.OrderedDict[Any, Any] = collections.OrderedDict()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            made = make()
            while len(self._made) >= _PLANS:
                self._made.popitem(last=False)
            self._made[key] = made
        self._made.move_to_end(key)
        return self._made[key]


class _ExplainPlan:
    """A prepared method, and what it is applied to."""

    def __init__(self, model: Handle, opts: Any, keep: Any, like: Any) -> None:
        self.handle = Handle("sal_explain_plan_free")
        self.progress = Progress()
        opts.progress = self.progress.function
        call("sal_explain_plan_new", self.handle.out(), model.pointer, ctypes.byref(opts), like)
        del keep
        target = _abi.sal_explain_target()
        lib.sal_explain_plan_target(self.handle.pointer, ctypes.byref(target))
        self.input, self.classes = target.input, target.classes
        self.size = (target.height, target.width)
        self.batched, self.channels_last = target.batched, target.channels_last
        self.output_name, self.layer, self.notes = text(target.output_name), text(target.layer), text(target.notes)


def _names(names: Iterable[str]) -> Any:
    encoded = [name.encode() for name in names]
    return (ctypes.c_char_p * max(len(encoded), 1))(*encoded), len(encoded)


def _words(question: Any) -> list[bytes]:
    """why and why_not as the library's texts: an index, a name, or several of them."""
    if question is None:
        return []
    if isinstance(question, (str, int)) or hasattr(question, "__index__"):
        question = [question]
    return [(word if isinstance(word, str) else str(word.__index__())).encode() for word in question]


class Model:
    """A model that was read from a file. Threads may share it: each prepares its own plans, which are kept and
    released with the thread.

    Attributes: path, inputs, outputs (tuples of Value), metadata (dict), threads, precision."""

    def __init__(self, source: Any, *, name: str | None = None, threads: int = 0, precision: str = "float32",
                 labels: Any = None, preprocess: Mapping[str, Any] | None = None) -> None:
        if precision not in _PRECISIONS:
            raise Error(f"precision must be float32 or bfloat16, not {precision}")
        if not 0 <= int(threads) <= 4096:
            raise Error(f"threads must be 0 (all) to 4096, not {threads}")
        self._handle = source if isinstance(source, Handle) else Handle("sal_model_free")
        if isinstance(source, Handle):
            pass  # opened already
        elif isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
            call("sal_model_open_memory", self._handle.out(), data, len(data), (name or "model").encode())
        else:
            call("sal_model_open", self._handle.out(), path_bytes(source))
        self.threads, self.precision = int(threads), precision
        self._local = threading.local()
        self._labels_given, self._preprocess_given = labels, preprocess
        self._labels_made: dict[int, Handle | None] = {}
        self.path: str = text(lib.sal_model_path(self._handle.pointer)) or ""
        self.inputs = self._values("input")
        self.outputs = self._values("output")
        self.metadata = self._metadata()

    # ---- what it is

    def _values(self, kind: str) -> tuple[Value, ...]:
        info = _abi.sal_value_info()
        at, found = getattr(lib, f"sal_model_{kind}"), []
        while at(self._handle.pointer, len(found), ctypes.byref(info)):
            found.append(_value(info))
        return tuple(found)

    def _metadata(self) -> dict[str, str]:
        key, value, found = ctypes.c_char_p(), ctypes.c_char_p(), {}
        while lib.sal_model_meta_at(self._handle.pointer, len(found), ctypes.byref(key), ctypes.byref(value)):
            found[text(key.value) or str(len(found))] = text(value.value) or ""
        return found

    def value(self, name: str) -> Value:
        """An inner value by its name; the error says what is like it."""
        info = _abi.sal_value_info()
        if lib.sal_model_value(self._handle.pointer, name.encode(), ctypes.byref(info)):
            return _value(info)
        near = text(lib.sal_model_similar(self._handle.pointer, name.encode()))
        raise Error(f"the model has no value named {name}" + (f"; {near} is like it" if near else ""))

    def __repr__(self) -> str:
        lines = [f"<Model {self.path}>"] + [f"  input     {v}" for v in self.inputs]
        return "\n".join(lines + [f"  output    {v}" for v in self.outputs])

    def inspect(self) -> Inspection:
        """Inputs, outputs, operators and how each is differentiated, parameters, multiply-adds."""
        stats = _abi.sal_model_stats()
        call("sal_model_get_stats", self._handle.pointer, None, ctypes.byref(stats))
        ops, n = ctypes.POINTER(_abi.sal_model_op)(), ctypes.c_size_t()
        call("sal_model_ops", self._handle.pointer, ctypes.byref(ops), ctypes.byref(n))
        rows = [{"name": text(ops[i].name), "count": ops[i].count, "derivative": text(ops[i].derivative)}
                for i in range(n.value)]
        lib.sal_text_free(ops)
        return Inspection(file=self.path, inputs=self.inputs, outputs=self.outputs, nodes=stats.nodes,
                          constants=stats.constants, parameters=stats.parameters,
                          parameter_bytes=stats.parameter_bytes, macs=None if stats.macs < 0 else stats.macs,
                          opset=stats.opset, producer=text(stats.producer), metadata=self.metadata, operators=rows)

    def graph(self, form: str = "text") -> str:
        """The graph for people: one line a node ("text"), or for Graphviz ("dot")."""
        views = {"text": _abi.SAL_VIEW_TEXT, "dot": _abi.SAL_VIEW_DOT}
        if form not in views:
            raise Error(f"form must be text or dot, not {form}")
        out = ctypes.c_void_p()
        call("sal_model_text", self._handle.pointer, views[form], ctypes.byref(out))
        return own_text(out)

    def doctor(self, image: Any = None) -> Diagnosis:
        """Which methods will work for this model, and what stands in the way of the others. With a picture or an
        array, also whether the input looks as it should."""
        tensors, x, source = (None, None, None) if image is None else self._given(image)
        found: dict[str, dict[str, Any]] = {}
        for name in _catalogue.methods():
            try:
                plan = self._explain_plan(name, {}, tensors, None, None, None, False, 1, 0)
                found[name] = {"works": True, "layer": plan.layer, "notes": plan.notes, "why_not": None}
            except Error as error:
                found[name] = {"works": False, "layer": None, "notes": None, "why_not": str(error)}
        warnings = []
        if source is not None and source[2]:
            warnings.append("the model does not say how pictures are prepared: the recipe is a guess")
        if x is not None and x.dtype.kind == "f" and x.size:
            import numpy as np

            if not np.isfinite(x).all():
                warnings.append("the input holds values that are not finite")
            elif x.min() == x.max():
                warnings.append("every value of the input is the same")
            elif abs(x).max() > 20:
                warnings.append(f"the input reaches from {x.min():.3g} to {x.max():.3g}: most models want pixels "
                                "scaled to about -2.7..2.7, -1..1 or 0..1")
        return Diagnosis(file=self.path, methods=found, warnings=warnings,
                         preprocessing=None if source is None else f"{source[3]} ({source[4]})")

    # ---- inputs

    def _arrays(self, inputs: Any) -> list[Any]:
        """One array for each input, in order, of its element type."""
        from . import _arrays

        if isinstance(inputs, Mapping):
            known = [v.name for v in self.inputs]
            for name in inputs:
                if name not in known:
                    raise Error(f"the model has no input {name}; it takes {', '.join(known)}")
            missing = [name for name in known if name not in inputs]
            if missing:
                raise Error(f"no array for input {', '.join(missing)}")
            given = [inputs[name] for name in known]
        elif len(self.inputs) == 1:
            given = [inputs]
        elif isinstance(inputs, (list, tuple)) and len(inputs) == len(self.inputs):
            given = list(inputs)
        else:
            raise Error(f"the model takes {len(self.inputs)} inputs: give a dict with "
                        + ", ".join(v.name for v in self.inputs))
        return [self._fit(_arrays.asarray(x), v) for x, v in zip(given, self.inputs)]

    def _fit(self, x: np.ndarray, v: Value) -> np.ndarray:
        from . import _arrays

        if v.rank is not None and (x.ndim != v.rank or any(
                want is not None and want != have for want, have in zip(v.shape, x.shape))):
            raise Error(f"input {v.name} is {v.type}, but the array has the shape {list(x.shape)}", "SHAPE")
        return _arrays.fit(x, self._dtype(v), f"input {v.name}")

    def _dtype(self, v: Value) -> int:
        info = _abi.sal_value_info()
        lib.sal_model_value(self._handle.pointer, v.name.encode(), ctypes.byref(info))
        return int(info.dtype)

    def _tensors(self, arrays: list[Any]) -> Any:
        from . import _arrays

        return _arrays.Tensors(arrays, [self._dtype(v) for v in self.inputs])

    def _picture_input(self, name: str | None) -> Value:
        for v in self.inputs:
            if v.name == name or name is None and v.dtype in ("float32", "float16", "float64", "bfloat16"):
                return v
        raise Error(f"the model has no input {name}" if name else "no input holds floating-point numbers")

    def _given(self, image: Any, input: str | None = None,
               preprocess: Mapping[str, Any] | None = None) -> tuple[Any, Any, Any]:
        """Tensors, the array that is explained, and (image, preprocessing, guessed, description, source) or None."""
        import numpy as np

        from . import _arrays, _picture

        v = self._picture_input(input)
        others = dict(image) if isinstance(image, Mapping) else {}
        x = others.get(v.name) if others else image
        if others and x is None:
            raise Error(f"no array for input {v.name}")
        source = None
        if isinstance(x, (str, os.PathLike)) and os.fspath(x).endswith(".npy"):
            x = np.load(x, allow_pickle=False)
        elif not _picture.is_picture(x):
            x = _arrays.asarray(x)
        if _picture.is_picture(x):
            picture = _picture.load(x)
            given = preprocess if preprocess is not None else self._preprocess_given
            pre, guessed, who = _picture.preprocess_of(self._handle.pointer, given)
            x = _picture.apply(picture, pre)
            source = (picture, pre, guessed, _picture.describe(pre), who)
            dtype = _arrays.DTYPES.get(self._dtype(v))
            x = x if dtype is None or dtype.kind != "f" else x.astype(dtype, copy=False)
        arrays = self._arrays({**others, v.name: x} if len(self.inputs) > 1 else x)
        return self._tensors(arrays), x, source

    def preprocess(self, image: Any) -> np.ndarray:
        """A picture (file, encoded bytes, PIL image, uint8 [H, W, 3]) as the model's input [1, 3, H, W]."""
        from . import _arrays, _picture

        x = image if isinstance(image, (str, os.PathLike, bytes)) else image
        if not _picture.is_picture(x):
            x = _arrays.asarray(x)
        pre, _, _ = _picture.preprocess_of(self._handle.pointer, self._preprocess_given)
        return _picture.apply(_picture.load(x), pre)

    # ---- running

    def _plans(self) -> _Plans:
        plans = getattr(self._local, "plans", None)
        if plans is None:
            plans = self._local.plans = _Plans()
        return plans

    def _runner(self, outputs: tuple[str, ...] | None, of: str | None, wrt: tuple[str, ...], rules: str) -> Handle:
        def make() -> Handle:
            opts = struct("sal_runner_opts")
            if outputs is not None:
                opts.outputs, opts.n_outputs = _names(outputs)
            if of is not None:
                opts.of = of.encode()
                opts.wrt, opts.n_wrt = _names(wrt)
            opts.rules = rules.encode()
            opts.threads, opts.precision = self.threads, _PRECISIONS[self.precision]
            handle = Handle("sal_runner_free")
            call("sal_runner_new", handle.out(), self._handle.pointer, ctypes.byref(opts))
            return handle

        return self._plans().get(("run", outputs, of, wrt, rules, self.threads, self.precision), make)

    def _run(self, runner: Handle, inputs: Any, seed: Any = None) -> list[Any]:
        from . import _arrays

        tensors = self._tensors(self._arrays(inputs))
        call("sal_runner_run", runner.pointer, tensors.array, None if seed is None else ctypes.byref(seed))
        return [_arrays.copy(lib.sal_runner_output(runner.pointer, i).contents)
                for i in range(lib.sal_runner_output_count(runner.pointer))]

    def run(self, inputs: Any, outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The outputs by name. inputs: an array, or a dict of arrays by name. outputs: names of any values, inner
        ones too."""
        names = tuple(v.name for v in self.outputs) if outputs is None else tuple(outputs)
        for name in names:
            self.value(name)
        return dict(zip(names, self._run(self._runner(names, None, (), "gradient"), inputs)))

    def _first_output(self) -> str:
        for v in self.outputs:
            if v.dtype in ("float32", "float16", "float64", "bfloat16"):
                return v.name
        raise Error("no output holds floating-point numbers")

    def grad(self, inputs: Any, of: str | None = None, wrt: str | Sequence[str] | None = None, seed: Any = None,
             rules: RuleName = "gradient") -> Any:
        """The gradient of a value (None: the first output) by one or several others (None: the first input that
        holds floats), inner ones too. seed: what it begins with, in the shape of `of`; None: ones, so that the
        result is the gradient of the sum. An array for one name, a dict for several."""
        return self._grad(inputs, of, wrt, seed, rules, ())[0]

    def _grad(self, inputs: Any, of: str | None, wrt: Any, seed: Any, rules: str,
              outputs: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
        """The gradients, and values from the same run."""
        from . import _arrays

        of = self._first_output() if of is None else of
        alone = wrt is None or isinstance(wrt, str)
        names = (self._picture_input(None).name if wrt is None else wrt,) if alone else tuple(wrt)
        for name in (of, *names, *outputs):
            self.value(name)
        start = None
        if seed is not None:
            info = self.value(of)
            fitted = _arrays.fit(_arrays.asarray(seed), self._dtype(info), f"the seed of {of}")
            start = _arrays.Tensors([fitted], [self._dtype(info)])
        found = self._run(self._runner(outputs or None, of, names, rules), inputs,
                          None if start is None else start.array[0])
        values, gradients = found[: len(outputs)], found[len(outputs) :]
        return gradients[0] if alone else dict(zip(names, gradients)), dict(zip(outputs, values))

    # ---- explaining

    def _options(self, method: str, params: Mapping[str, Any], layer: str | None, input: str | None,
                 output: str | None, probabilities: bool, seed: int, batch: int,
                 features: Any = None, baselines: Any = None) -> tuple[Any, Any]:
        """Options, and what must live until they were used."""
        row = _catalogue.method(method)
        method = row.name
        known = {p.name for p in row.parameters}
        for name in params:
            if name not in known:
                raise Error(f"{method} has no parameter {name}; it takes {', '.join(sorted(known)) or 'none'}")
        given = (_abi.sal_param * max(len(params), 1))()
        for slot, (name, value) in zip(given, params.items()):
            slot.name, slot.value = name.encode(), float(value)
        opts = struct("sal_explain_opts")
        opts.method, opts.params, opts.n_params = method.encode(), given, len(params)
        opts.layer = layer.encode() if layer is not None else None
        opts.input = input.encode() if input is not None else None
        opts.output = output.encode() if output is not None else None
        opts.probabilities, opts.seed, opts.batch = probabilities, int(seed), int(batch)
        opts.threads, opts.precision = self.threads, _PRECISIONS[self.precision]
        keep: list[Any] = [given]
        for field, array, dtype in (("features", features, _abi.SAL_I32), ("baselines", baselines, _abi.SAL_F32)):
            if array is not None:
                from . import _arrays

                held = _arrays.fit(array, dtype, field)
                keep += [held, _arrays.borrow(held)]
                setattr(opts, field, ctypes.pointer(keep[-1]))
        return opts, keep

    def _explain_plan(self, method: str, params: Mapping[str, Any], tensors: Any, layer: str | None,
                      input: str | None, output: str | None, probabilities: bool, seed: int,
                      batch: int, features: Any = None, baselines: Any = None) -> _ExplainPlan:
        key = ("explain", method, tuple(sorted(params.items())), layer, input, output, probabilities, seed, batch,
               self.threads, self.precision, *(None if a is None else (a.shape, a.dtype.str, a.tobytes()) for a in (features, baselines)),
               None if tensors is None else tuple(x.shape[1:] for x in tensors.keep if hasattr(x, "shape")))

        def make() -> _ExplainPlan:
            opts, keep = self._options(method, params, layer, input, output, probabilities, seed, batch, features,
                                       baselines)
            return _ExplainPlan(self._handle, opts, keep, None if tensors is None else tensors.array)

        return self._plans().get(key, make)

    def _labels(self, classes: int) -> Handle | None:
        if classes not in self._labels_made:
            handle = Handle("sal_labels_free")
            given = self._labels_given
            if given is None:
                guessed, source = ctypes.c_bool(), ctypes.create_string_buffer(4200)
                call("sal_model_labels", self._handle.pointer, labels_folder.encode(), classes, handle.out(),
                     ctypes.byref(guessed), source, len(source))
            elif isinstance(given, (str, os.PathLike)):
                call("sal_labels_read", handle.out(), path_bytes(given))
            else:
                lines = "\n".join(str(label).replace("\n", " ") for label in given).encode()
                call("sal_labels_read_memory", handle.out(), lines, len(lines), b"labels")
            self._labels_made[classes] = handle if handle.pointer.value else None
        return self._labels_made[classes]

    def explain(self, image: Any, method: MethodName = "grad-cam", *, why: Any = None, why_not: Any = None,
                layer: str | None = None, input: str | None = None, output: str | None = None,
                probabilities: bool = False, seed: int = 1, batch: int = 0, features: Any = None, baselines: Any = None,
                check: bool = False, progress: Callable[[float], Any] | None = None, preprocess: Mapping[str, Any] | None = None,
                **parameters: Unpack[MethodParameters]) -> Explanation:
        """What in the input speaks for an answer, or for one answer and against another.

        image       a picture (file name, encoded bytes, PIL image, uint8 [H, W, 3]), the final tensor (any array of
                    floats, a .npy file), or for models with several inputs a dict of them
        why         an index, a label, a WordNet id, "top", "top2", an element "name[12,40]", or a list of these
                    (averaged); an array of floats: weights of the classes. None: the top class
        why_not     the same for what is contrasted with
        layer       value or node name for methods that show a layer; None: found
        features    whole numbers, one for each position of the input or each element, equal where elements go
                    together: for methods that remove features
        baselines   what methods that compare with a baseline compare with: an array of the input's shape, or
                    several along its first dimension; None: their parameters say
        check       test the map as well: Explanation.checks tells whether it can be trusted
        progress    called with the share done; returning False stops. Ctrl-C stops as well
        preprocess  how pictures are prepared, with the keys of a sidecar file; None: as the model says

        Methods and their parameters:

        """
        from . import _arrays

        began = time.perf_counter()
        tensors, x, source = self._given(image, input, preprocess)
        features, baselines = (None if a is None else _arrays.asarray(a) for a in (features, baselines))
        plan = self._explain_plan(method, parameters, tensors, layer, input, output, probabilities, seed, batch,
                                  features, baselines)
        labels = self._labels(plan.classes)
        asked = self._ask(plan, tensors, why, why_not, labels)
        result = _abi.sal_explanation()
        try:
            plan.progress.call(progress, "sal_explain_plan_run", plan.handle.pointer, tensors.array,
                               ctypes.byref(_arrays.borrow(asked["weights"])), ctypes.byref(result), about=self.path)
            made = self._explanation(plan, result, asked, method, parameters, x, source, seed, labels, began)
            if check:
                opts, keep = self._options(method, parameters, layer, input, output, probabilities, seed, batch,
                                           features, baselines)
                made.checks = self._check(opts, tensors, asked["weights"], result)
                del keep
            return made
        finally:
            lib.sal_explanation_free(ctypes.byref(result))

    def _check(self, opts: Any, tensors: Any, weights: Any, result: Any) -> list[Check]:
        from . import _arrays
        from ._explanation import Check

        found = (_abi.sal_check_result * int(lib.sal_check_count()))()
        count = ctypes.c_size_t()
        call("sal_explain_check", self._handle.pointer, ctypes.byref(opts), tensors.array,
             ctypes.byref(_arrays.borrow(weights)), ctypes.byref(result), found, ctypes.byref(count))
        return [Check(text(r.check.contents.name) or "", text(lib.sal_verdict_name(r.verdict)) or "", float(r.value),
                      r.text.decode(), text(r.check.contents.help) or "") for r in found[: count.value]]

    def _ask(self, plan: _ExplainPlan, tensors: Any, why: Any, why_not: Any, labels: Handle | None) -> dict[str, Any]:
        """Weights, classes, words and notes of a question."""
        from . import _arrays

        if hasattr(why, "dtype") and _arrays.asarray(why).dtype.kind == "f":
            if why_not is not None:
                raise Error("why holds weights: why_not must be None")
            weights = _arrays.fit(_arrays.asarray(why), _abi.SAL_F32, "why")
            return {"weights": weights, "query": "why these weights", "why": [], "why_not": [], "notes": None}
        question, asked = _abi.sal_question(), _abi.sal_asked()
        for words, field in ((_words(why), "why"), (_words(why_not), "not")):
            setattr(question, "not_" if field == "not" else field, (ctypes.c_char_p * max(len(words), 1))(*words))
            setattr(question, f"n_{field}", len(words))
        call("sal_explain_plan_ask", plan.handle.pointer, tensors.array, ctypes.byref(question), None,
             labels.pointer if labels is not None else None, ctypes.byref(asked))
        try:
            return {"weights": _arrays.take(asked.weights), "query": text(asked.text) or "",
                    "why": asked.why[: asked.n_why] if asked.n_why else [],
                    "why_not": asked.foil[: asked.n_not] if asked.n_not else [], "notes": text(asked.notes)}
        finally:
            lib.sal_asked_free(ctypes.byref(asked))

    def _class(self, labels: Handle | None, index: int, probability: float | None = None,
               logit: float | None = None) -> Class:
        from ._explanation import Class

        if labels is None:
            return Class(index, "", None, probability, logit)
        return Class(index, text(lib.sal_labels_short(labels.pointer, index)) or "",
                     text(lib.sal_labels_wnid(labels.pointer, index)), probability, logit)

    def _top(self, plan: _ExplainPlan, logits: np.ndarray, labels: Handle | None) -> list[Class]:
        """The five likeliest classes of the first sample; of an output that is no list of classes, its largest
        elements."""
        import numpy as np

        z = np.asarray(logits, "float64").reshape(-1)[: plan.classes]
        shape = logits.shape[1:] if plan.batched else logits.shape
        if z.size < 2 or not np.isfinite(z).all():
            return []
        p: Any = None
        if sum(d > 1 for d in shape) <= 1:
            p = z if (z >= 0).all() and abs(z.sum() - 1) < 1e-3 else np.exp(z - z.max())
            p = p / p.sum()
        best = np.argsort(-z, kind="stable")[:5]
        return [self._class(labels, int(i), None if p is None else float(p[i]), float(z[i])) for i in best]

    def _explanation(self, plan: _ExplainPlan, e: Any, asked: dict[str, Any], method: str, parameters: Any, x: Any,
                     source: Any, seed: int, labels: Handle | None, began: float) -> Explanation:
        from . import _arrays, _picture
        from ._explanation import Explanation

        row = _catalogue.method(method)
        logits = _arrays.take(e.logits)
        backdrop = None
        if min(plan.size) > 0 and x.ndim == 4:
            image, pre = (source[0], source[1]) if source is not None else (None, None)
            backdrop = _picture.Backdrop(image, pre, x, plan.channels_last)
        notes = [text(n) if isinstance(n, bytes) else n for n in (asked["notes"], e.notes) if n]
        if source is not None and source[2]:
            notes.append(f"the model does not say how pictures are prepared; guessed: {source[3]}")
        return Explanation(
            map=_arrays.take(e.map), layer_map=_arrays.take(e.layer_map), logits=logits, weights=asked["weights"],
            query=asked["query"], why=[self._class(labels, i) for i in asked["why"]],
            why_not=[self._class(labels, i) for i in asked["why_not"]], top=self._top(plan, logits, labels),
            target=_arrays.doubles(e.target, e.n), baseline_target=_arrays.doubles(e.baseline_target, e.n),
            residual=_arrays.doubles(e.residual, e.n), method=row,
            parameters={p.name: p.kind(parameters.get(p.name, p.default)) for p in row.parameters},
            signed=bool(e.is_signed), layer=text(e.layer), output=text(e.output), notes=notes,
            seconds=time.perf_counter() - began, model=self.path, seed=seed,
            preprocessing=None if source is None else f"{source[3]} ({source[4]})", size=plan.size,
            channels_last=plan.channels_last, backdrop=backdrop)

    def compare(self, image: Any, methods: Sequence[MethodName] | None = None,
                questions: Sequence[tuple[Any, Any]] | None = None, *, scale: str = "each",
                **options: Any) -> Sheet:
        """Several methods (None: all that take one pass) and questions, pairs (why, why_not), side by side. A method
        that fails leaves a cell with the reason."""
        from ._explanation import Sheet

        names = list(methods) if methods is not None else [
            m.name for m in _catalogue.methods().values()
            if m.kind != "perturbation" and not any(p.name in ("steps", "samples") for p in m.parameters)]
        rows: list[list[Any]] = []
        for why, why_not in questions or [(None, None)]:
            row: list[Any] = []
            for name in names:
                try:
                    row.append(self.explain(image, name, why=why, why_not=why_not, **options))
                except Error as error:
                    if error.code == "CANCELLED":
                        raise
                    row.append(str(error))
            rows.append(row)
        labels = [next((cell.query for cell in row if not isinstance(cell, str)), "") for row in rows]
        return Sheet(rows, labels, names, scale)

    # ---- export

    def export(self, path: str | os.PathLike[str], method: MethodName = "grad-cam", *, layer: str | None = None,
               input: str | None = None, output: str | None = None, probabilities: bool = False, seed: int = 1,
               **parameters: Unpack[MethodParameters]) -> str:
        """Write model and method as one ONNX file of standard operators: the model's inputs and outputs, the input
        `query` [batch or 1, classes] and the output `saliency`. Returns what the library says about it."""
        opts, keep = self._options(method, parameters, layer, input, output, probabilities, seed, 0)
        out = ctypes.c_void_p()
        call("sal_explain_export", self._handle.pointer, ctypes.byref(opts), path_bytes(path), ctypes.byref(out))
        del keep
        return own_text(out)


def _document() -> None:
    """The methods and their parameters, as the library lists them, in the help of explain()."""
    doc = Model.explain.__doc__ or ""
    rows = "\n".join("        " + line for m in _catalogue.methods().values() for line in str(m).splitlines())
    Model.explain.__doc__ = doc.rstrip() + "\n\n" + rows + "\n        "


_document()
