"""How far language models are from PyTorch's float64 distribution, beside llama.cpp: docs/language-models.md has the table.

    python tests/oracle/lm_quality.py MODEL.gguf TEXT [--llama PYTHON] [--tokens 512] [--chunks N]

PYTHONPATH names the package salience; --llama a Python with llama-cpp-python. Each side gives the logits behind every token
of the text's first tokens: exactly, as a prompt, token by token, and llama.cpp as a prompt. With --chunks the perplexity of
that many chunks of --tokens, the second half of each predicted, for PyTorch in float32 and every side but token by token."""
import argparse
import ctypes
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

import salience
from salience._lib import call

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lm_reference import Model  # noqa: E402

LLAMA = """
import sys, numpy as np
from llama_cpp import Llama
chunks = np.load(sys.argv[2])
n = chunks.shape[1]
llm = Llama(sys.argv[1], n_ctx=2 * n, n_threads=2, n_threads_batch=2, logits_all=True, verbose=False)
if len(chunks) == 1:
    llm.eval(chunks[0].tolist())
    np.save(sys.argv[3], np.array(llm.scores[:n], dtype=np.float32))
else:
    nll = []
    for ids in chunks:
        llm.reset()
        llm.eval(ids.tolist())
        x = np.array(llm.scores[n // 2:n - 1], dtype=np.float64)
        x -= x.max(-1, keepdims=True)
        nll.append((np.log(np.exp(x).sum(-1)) - x[np.arange(len(x)), ids[n // 2 + 1:]]).mean())
    np.save(sys.argv[3], np.array(nll))
"""


def llama(python, model, chunks):
    with tempfile.TemporaryDirectory() as folder:
        given, got = os.path.join(folder, "ids.npy"), os.path.join(folder, "out.npy")
        np.save(given, np.array(chunks))
        subprocess.run([python, "-c", LLAMA, model, given, got], check=True, stderr=subprocess.DEVNULL)
        return np.load(got)


def one_by_one(lm, ids):
    session = lm._session_for(1).handle.pointer
    made = np.empty((len(ids), lm.info.vocabulary), np.float32)
    for row, i in zip(made, ids):
        call("sal_lm_feed", session, 0, (ctypes.c_int32 * 1)(i), 1, row.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
    return made


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


p = argparse.ArgumentParser()
p.add_argument("model")
p.add_argument("text")
p.add_argument("--llama")
p.add_argument("--tokens", type=int, default=512)
p.add_argument("--chunks", type=int, default=0)
args = p.parse_args()
torch.set_num_threads(2)
lm = salience.LM(args.model, threads=2)
if args.chunks:
    n = args.tokens
    ids = lm.tokenize(open(args.text, encoding="utf-8").read())[: n * args.chunks]
    chunks = np.array(ids).reshape(-1, n)
    if lm.info.adds_bos:
        chunks[:, 0] = lm.info.bos
    reference, sums = Model(args.model, torch.float32), []
    with torch.no_grad():
        for c in chunks:
            x = reference.forward(torch.tensor(c[None]))[0, n // 2:n - 1].double().log_softmax(-1)
            sums.append(-x[torch.arange(len(x)), torch.tensor(c[n // 2 + 1:])].mean().item())
    rows = {"PyTorch": float(np.mean(sums)), "exact": salience.LM(args.model, threads=2, exact=True).perplexity(ids, n).nll,
            "default": lm.perplexity(ids, n).nll}
    if args.llama:
        rows["llama.cpp"] = float(llama(args.llama, args.model, chunks).mean())
    for name, nll in rows.items():
        print("%-10s perplexity %.4f  (%+.4f %% of PyTorch's)" % (name, np.exp(nll), 100 * (np.exp(nll - rows["PyTorch"]) - 1)))
    sys.exit()
ids = lm.tokenize(open(args.text, encoding="utf-8").read()[: 16 * args.tokens])[: args.tokens]
sides = {"exact": salience.LM(args.model, threads=2, exact=True, cache="f32").logits(ids), "prompt": lm.logits(ids),
         "one by one": one_by_one(salience.LM(args.model, threads=2), ids)}
if args.llama:
    sides["llama.cpp"] = llama(args.llama, args.model, [ids])
with torch.no_grad():
    want = Model(args.model, torch.float64).forward(torch.tensor([ids]))[0].numpy()
    f32 = Model(args.model, torch.float32).forward(torch.tensor([ids]))[0].numpy()
reference = log_softmax(want)
for name, x in sides.items():
    kld = (np.exp(reference) * (reference - log_softmax(x))).sum(-1).mean()
    print("%-10s  KLD %.6f  same top token %.2f %%  largest difference to float32 %.1e of the largest logit"
          % (name, kld, 100 * (x.argmax(-1) == want.argmax(-1)).mean(), np.abs(x - f32).max() / np.abs(f32).max()))
