"""Explain neural networks that exist as a file.

    import salience
    model = salience.load("model.onnx")
    e = model.explain("photo.jpg", why="dog", why_not="cat")
    e.save("heat.png")

`help(salience.Model)` and `salience.methods()` say what there is."""

from __future__ import annotations

from typing import Any, Mapping

from ._catalogue import Method, Parameter, methods, operators, rules, targets
from ._chat import ChatTemplate
from ._lib import Cancelled, Error, lib as _library
from ._lm import LM, Generation, LMExplanation, LMInfo, Perplexity
from ._model import Model, Value
from ._tokenizer import Tokenizer, Tokens

__version__: str = _library.sal_version().decode()
__all__ = ["Cancelled", "ChatTemplate", "Check", "Class", "Error", "Explanation", "Generation", "LM", "LMExplanation", "LMInfo", "Method",
           "Model", "Parameter", "Perplexity", "Sheet", "Tokenizer", "Tokens", "Value", "compare",
           "load", "methods", "operators", "rules", "targets", "threads"]


def load(source: Any, *, name: str | None = None, threads: int = 0, precision: str = "float32", labels: Any = None,
         preprocess: Mapping[str, Any] | None = None) -> Model:
    """Read an ONNX model: a path, or the bytes of a file (`name` then begins its messages).

    threads     0: all
    precision   "float32", or "bfloat16" (faster where the processor has it, less exact)
    labels      names of the classes: a file or a sequence; None: as the model says
    preprocess  how pictures are prepared, for example {"size": 256, "crop": 224, "mean": [..], "std": [..]};
                None: as the model says
    """
    return Model(source, name=name, threads=threads, precision=precision, labels=labels, preprocess=preprocess)


def threads() -> int:
    """How many threads 0 stands for."""
    return int(_library.sal_threads())


def __getattr__(name: str) -> Any:
    # What needs NumPy comes when it is used: `import salience` alone stays quick.
    if name in ("Check", "Class", "Explanation", "Sheet", "compare"):
        from . import _explanation

        return getattr(_explanation, name)
    raise AttributeError(f"module 'salience' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
