"""Language models: text in, text out; logits, perplexity."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

from . import _abi
from ._lib import Error, Handle, call, lib, path_bytes, struct, text
from ._tokenizer import Tokenizer, Tokens

if TYPE_CHECKING:
    import numpy as np

_INT32 = ctypes.POINTER(ctypes.c_int32)
_FLOAT = ctypes.POINTER(ctypes.c_float)


@dataclass(frozen=True)
class LMInfo:
    """What the file says of a language model."""

    architecture: str
    name: str
    chat_template: str | None
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    feed_forward: int
    vocabulary: int
    context: int
    bos: int
    eos: int
    adds_bos: bool


@dataclass(frozen=True)
class Generation:
    """An answer. stop: "end", "stop string", "token limit", "context full" or "cancelled". Seconds are those of the
    whole batch; reused_tokens of the prompt were in the cache already."""

    text: str
    ids: list[int]
    stop: str
    prompt_tokens: int
    reused_tokens: int
    prompt_seconds: float
    decode_seconds: float

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Perplexity:
    """perplexity = exp(nll); error: its standard error."""

    perplexity: float
    error: float
    nll: float
    tokens: int
    chunks: int


@dataclass(frozen=True)
class Relevance:
    """What a token adds to the answer. in_prompt: part of the prompt's own text; the rest are the chat template's
    tokens and the answer's."""

    token: str
    id: int
    relevance: float
    in_prompt: bool


class LMExplanation:
    """Which tokens an answer rests on.

    tokens        one Relevance for each token that the model reads
    answer        the ids that were asked about; empty: the next token
    explanation   the Explanation of the embeddings: map [1, tokens, width], query, residual, notes ..."""

    def __init__(self, tokens: list[Relevance], answer: list[int], answer_text: str, explanation: Any) -> None:
        self.tokens, self.answer, self.answer_text, self.explanation = tokens, answer, answer_text, explanation

    def __repr__(self) -> str:
        shown = sorted((t for t in self.tokens if t.in_prompt), key=lambda t: -abs(t.relevance))[:8]
        lines = [self.explanation.query if not self.answer else f"why {self.answer_text!r}"]
        return "\n".join(lines + [f"  {t.relevance:+10.4g}  {t.token.strip()}" for t in shown])

    def _repr_html_(self) -> str:
        import html

        most = max((abs(t.relevance) for t in self.tokens if t.in_prompt), default=0.0) or 1.0
        parts = []
        for t in self.tokens:
            if not t.in_prompt:
                continue
            share = max(-1.0, min(1.0, t.relevance / most))
            colour = f"rgba({214 if share > 0 else 33},{47 if share > 0 else 102},{39 if share > 0 else 172},{abs(share):.2f})"
            parts.append(f'<span style="background:{colour}" title="{t.relevance:+.4g}">{html.escape(t.token)}</span>')
        return '<p style="line-height:2">' + "".join(parts) + "</p>"


class _Session:
    """A key-value cache for some texts; one thread at a time."""

    def __init__(self, lm: Handle, threads: int, exact: bool, cache: str, context: int, rows: int) -> None:
        self.lm = lm  # outlives the session
        self.lock = threading.Lock()
        self.rows = rows
        opts = struct("sal_lm_session_opts")
        opts.threads, opts.exact, opts.cache = threads, exact, cache.encode()
        opts.context, opts.rows = context, rows
        self.handle = Handle("sal_lm_session_free")
        call("sal_lm_session_new", self.handle.out(), lm.pointer, ctypes.byref(opts))


class LM:
    """A language model of a GGUF file or a Hugging Face folder.

        lm = salience.LM("smollm2.gguf")
        print(lm.generate("Why is the sky blue?"))
        for piece in lm.generate("Tell me a story.", stream=True):
            print(piece, end="", flush=True)

    threads   0: all
    exact     float32 arithmetic with the weights as they are unpacked, not 8-bit activations
    cache     how keys and values are kept: `salience list policies`
    context   positions of a text; 0: what the model was trained for, at most 4096
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 0, exact: bool = False, cache: str = "f16",
                 context: int = 0, tokenizer: Any = None, chat_template: str | None = None) -> None:
        opts = struct("sal_lm_opts")
        opts.tokenizer = None if tokenizer is None else path_bytes(tokenizer)
        opts.chat_template = None if chat_template is None else chat_template.encode()
        self.path = os.fspath(path)
        self._handle = Handle("sal_lm_free")
        call("sal_lm_open", self._handle.out(), path_bytes(path), ctypes.byref(opts))
        self._how = (threads, exact, cache, context)
        self._session: _Session | None = None
        self._as_model: Any = None
        self._tokenizer: Tokenizer | None = None
        self._tokenizer_source = self.path if tokenizer is None else tokenizer
        info = _abi.sal_lm_info()
        lib.sal_lm_get_info(self._handle.pointer, ctypes.byref(info))
        names = [f for f in LMInfo.__dataclass_fields__]
        values = {n: getattr(info, n) for n in names}
        for n in ("architecture", "name", "chat_template"):
            values[n] = text(values[n])
        self.info = LMInfo(**values)

    def __repr__(self) -> str:
        i = self.info
        return (f"LM({self.path!r}: {i.architecture}, {i.layers} layers of {i.width}, {i.heads} heads "
                f"({i.kv_heads} for keys), vocabulary {i.vocabulary}, context {i.context})")

    @property
    def tokenizer(self) -> Tokenizer:
        if self._tokenizer is None:
            self._tokenizer = Tokenizer(self._tokenizer_source)
        return self._tokenizer

    def _session_for(self, rows: int) -> _Session:
        if self._session is None or self._session.rows < rows:
            self._session = _Session(self._handle, *self._how, rows)
        return self._session

    # ---- text and ids ----

    def tokenize(self, words: str | bytes, special: bool = False) -> list[int]:
        """The ids the model reads, with bos where it wants one. special: names of special tokens in the text become
        these tokens, as in rendered chats."""
        data = words.encode("utf-8", "surrogateescape") if isinstance(words, str) else words
        made = _abi.sal_tokens()
        call("sal_lm_encode", self._handle.pointer, data, len(data), special, ctypes.byref(made))
        return _ids(made)

    def detokenize(self, ids: Sequence[int], skip_special: bool = True) -> str:
        return self.tokenizer.decode(ids, skip_special)

    def chat_ids(self, messages: Sequence[Mapping[str, str]], answer: bool = True) -> list[int]:
        """A conversation ({"role": .., "content": ..}) as ids by the model's chat template, up to where the answer
        begins."""
        made = _abi.sal_tokens()
        rows = (_abi.sal_chat_message * max(len(messages), 1))()
        for row, message in zip(rows, messages):
            row.role, row.content = message["role"].encode(), message["content"].encode()
        call("sal_lm_encode_chat", self._handle.pointer, rows, len(messages), answer, ctypes.byref(made))
        return _ids(made)

    def _prompt(self, prompt: Any, plain: bool, system: str | None) -> list[int]:
        if isinstance(prompt, (str, bytes)):
            if plain or self.info.chat_template is None:
                return self.tokenize(prompt)
            words = prompt if isinstance(prompt, str) else prompt.decode()
            messages = [{"role": "system", "content": system}] if system is not None else []
            return self.chat_ids([*messages, {"role": "user", "content": words}])
        if len(prompt) > 0 and isinstance(prompt[0], Mapping):
            return self.chat_ids(prompt)
        return [int(i) for i in prompt]

    # ---- answers ----

    def generate(self, prompt: Any, *, max_tokens: int = 0, temperature: float = 0.8, top_k: int = 40,
                 top_p: float = 0.95, min_p: float = 0.05, repetition_penalty: float = 1.0, seed: int = 1,
                 stop: Sequence[str] | str = (), system: str | None = None, plain: bool = False,
                 ignore_end: bool = False, special: bool = False, stream: bool = False) -> Any:
        """Answer a prompt: a Generation; for a list of prompts, worked on together, a list of them.

        prompt   text (a turn of the user where the model has a chat template, unless `plain`), a conversation as a
                 list of {"role", "content"}, or ids
        stream   an iterator over pieces of the text in place of the Generation
        The rest as `salience generate --help` says; the same seed gives the same text."""
        several = isinstance(prompt, (list, tuple)) and len(prompt) > 0 and isinstance(prompt[0], (str, bytes))
        prompts = [self._prompt(p, plain, system) for p in (prompt if several else [prompt])]
        opts = struct("sal_generate_opts")
        words = [w.encode() for w in ([stop] if isinstance(stop, str) else stop)]
        kept = (ctypes.c_char_p * max(len(words), 1))(*words)
        opts.max_tokens, opts.temperature, opts.top_k, opts.top_p, opts.min_p = (max_tokens, temperature, top_k, top_p,
                                                                                min_p)
        opts.repetition_penalty, opts.seed, opts.n_stop = repetition_penalty, seed, len(words)
        opts.stop = ctypes.cast(kept, type(opts.stop))
        opts.ignore_end, opts.special = ignore_end, special
        if not stream:
            made = self._generate(prompts, opts, kept)
            return made if several else made[0]
        if several:
            raise Error("several prompts cannot be streamed at once")
        return self._stream(prompts, opts, kept)

    def _generate(self, prompts: list[list[int]], opts: Any, keep: Any) -> list[Generation]:
        arrays = [(ctypes.c_int32 * max(len(p), 1))(*p) for p in prompts]
        rows = (_abi.sal_prompt * len(prompts))()
        out = (_abi.sal_generation * len(prompts))()
        for row, ids, array in zip(rows, prompts, arrays):
            row.ids, row.n = ctypes.cast(array, _INT32), len(ids)
        session = self._session_for(len(prompts))
        try:
            with session.lock:
                call("sal_lm_generate", session.handle.pointer, rows, len(prompts), ctypes.byref(opts), out)
            return [Generation(ctypes.string_at(g.text, g.text_bytes).decode("utf-8", "replace") if g.text else "",
                               [int(i) for i in g.ids[: g.n]], text(lib.sal_stop_name(g.stop)) or "", g.prompt_tokens,
                               g.reused_tokens, g.prompt_seconds, g.decode_seconds) for g in out]
        finally:
            del keep
            for g in out:
                lib.sal_generation_free(ctypes.byref(g))

    def _stream(self, prompts: list[list[int]], opts: Any, keep: Any) -> Iterator[str]:
        pieces: queue.Queue[Any] = queue.Queue()
        closed = threading.Event()

        # The text is n bytes that may hold zeros: no c_char_p, which ends at the first.
        @ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t)
        def on_text(ctx: Any, prompt: int, data: Any, n: int) -> bool:
            pieces.put(ctypes.string_at(data, n).decode("utf-8", "replace"))
            return not closed.is_set()

        opts.on_text = ctypes.cast(on_text, _abi.sal_lm_text_fn)

        def work(keep_callback: Any = on_text) -> None:
            try:
                self._generate(prompts, opts, keep)
                pieces.put(None)
            except BaseException as e:  # noqa: BLE001 - raised again where the pieces are read
                pieces.put(e)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            closed.set()
            worker.join()

    # ---- reasons ----

    def explain(self, prompt: Any, method: str = "gradient-x-input", *, why: Any = None, why_not: Any = None,
                answer: int | str | None = None, system: str | None = None, plain: bool = False, seed: int = 1,
                **parameters: Any) -> LMExplanation:
        """Which tokens of a prompt an answer rests on.

        prompt    as for generate()
        why       the next token that is asked about: its text or id; None: the most probable one
        why_not   the token that it is contrasted with
        answer    in place of the next token: a text that the model is given as the answer, or how many tokens of its own
                  most probable answer; the sum of their log-probabilities is explained
        method    a name of salience.methods() that takes vectors; its parameters as keywords"""
        import numpy as np

        from ._model import Model

        ids = self._prompt(prompt, plain, system)
        asked: list[int] = []
        if isinstance(answer, str):
            asked = self.tokenizer.encode(answer, special=False).ids
        elif answer is not None:
            asked = self.generate(ids, temperature=0, max_tokens=int(answer)).ids
        whole = ids + asked[:-1]
        array = (ctypes.c_int32 * max(len(asked), 1))(*asked)
        handle = Handle("sal_model_free")
        call("sal_lm_asked", handle.out(), self._handle.pointer, array, len(asked))
        embeddings = self._model.run({"input_ids": np.array([whole], np.int64)}, outputs=["embeddings"])["embeddings"]
        if asked:
            why = "sum(answer[:])" if why is None else why
        else:
            why, why_not = self._token(why), self._token(why_not)
        made = Model(handle, threads=self._how[0]).explain(embeddings, method, why=why, why_not=why_not, seed=seed,
                                                           **parameters)
        sums = np.asarray(made.map).reshape(len(whole), -1)
        sums = sums.mean(1) if made.method.kind == "perturbation" else sums.sum(1)
        inside = self._inside(prompt, ids)
        tokens = [Relevance(self.tokenizer.decode([t], False), t, float(v), i < len(inside) and inside[i])
                  for i, (t, v) in enumerate(zip(whole, sums))]
        return LMExplanation(tokens, asked, self.tokenizer.decode(asked) if asked else "", made)

    @property
    def _model(self) -> Any:
        from ._model import Model

        if self._as_model is None:
            self._as_model = Model(self.path, threads=self._how[0])
        return self._as_model

    def _token(self, wanted: Any) -> Any:
        """A text that is one token, with or without a space before it, as its id."""
        if not isinstance(wanted, str) or wanted.isdigit() or wanted.startswith("top"):
            return wanted
        for form in (wanted, " " + wanted):
            ids = self.tokenizer.encode(form, special=False).ids
            if len(ids) == 1:
                return ids[0]
        raise Error(f"{wanted!r} is no single token: answer= explains a longer text")

    def _inside(self, prompt: Any, ids: list[int]) -> list[bool]:
        """Which tokens are the prompt's own text."""
        if not isinstance(prompt, (str, bytes)):
            return [True] * len(ids)
        words = prompt if isinstance(prompt, str) else prompt.decode("utf-8", "replace")
        pieces = [self.tokenizer.decode([i], False) for i in ids]
        text_before = [len("".join(pieces[:k])) for k in range(len(pieces) + 1)]
        at = "".join(pieces).rfind(words)
        if at < 0:
            return [True] * len(ids)
        return [text_before[k + 1] > at and text_before[k] < at + len(words) for k in range(len(pieces))]

    # ---- numbers ----

    def logits(self, words: str | Sequence[int], last: bool = False) -> np.ndarray:
        """The logits behind every token of a text or of ids, [tokens, vocabulary]; `last`: behind the last one alone,
        [vocabulary]. float32."""
        import numpy as np

        ids = self.tokenize(words) if isinstance(words, (str, bytes)) else [int(i) for i in words]
        session = self._session_for(1)
        array = (ctypes.c_int32 * max(len(ids), 1))(*ids)
        made = np.empty((1 if last else len(ids), self.info.vocabulary), np.float32)
        with session.lock:
            lib.sal_lm_truncate(session.handle.pointer, 0, 0)
            call("sal_lm_feed" if last else "sal_lm_feed_all", session.handle.pointer, 0, array, len(ids),
                 made.ctypes.data_as(_FLOAT))
        return made[0] if last else made

    def perplexity(self, words: str | Sequence[int], chunk: int = 512) -> Perplexity:
        """As llama.cpp measures it: chunks of ids, the tokens of their second halves predicted."""
        ids = self.tokenize(words) if isinstance(words, (str, bytes)) else [int(i) for i in words]
        session = self._session_for(1)
        array = (ctypes.c_int32 * max(len(ids), 1))(*ids)
        out = _abi.sal_perplexity()
        with session.lock:
            call("sal_lm_perplexity", session.handle.pointer, array, len(ids), chunk, ctypes.byref(out),
                 _abi.sal_perplexity_fn(), None)
        import math

        p = math.exp(out.nll)
        return Perplexity(p, p * out.error, out.nll, out.tokens, out.chunks)


def _ids(made: Any) -> list[int]:
    try:
        return [int(i) for i in made.ids[: made.n]]
    finally:
        lib.sal_tokens_free(ctypes.byref(made))
