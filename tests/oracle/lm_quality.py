"""How far language models are from PyTorch's float64 distribution, beside llama.cpp: docs/language-models.md has the table.

    python tests/oracle/lm_quality.py MODEL.gguf TEXT [--llama PYTHON] [--tokens 512]

PYTHONPATH names the package salience; --llama a Python with llama-cpp-python. Each side gives the logits behind every token
of the text's first tokens: exactly, as a prompt, token by token, and llama.cpp as a prompt."""
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
ids = np.load(sys.argv[2]).tolist()
llm = Llama(sys.argv[1], n_ctx=2 * len(ids), n_threads=2, n_threads_batch=2, logits_all=True, verbose=False)
llm.eval(ids)
np.save(sys.argv[3], np.array(llm.scores[:len(ids)], dtype=np.float32))
"""


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
args = p.parse_args()
lm = salience.LM(args.model, threads=2)
ids = lm.tokenize(open(args.text, encoding="utf-8").read()[: 16 * args.tokens])[: args.tokens]
sides = {"exact": salience.LM(args.model, threads=2, exact=True, cache="f32").logits(ids), "prompt": lm.logits(ids),
         "one by one": one_by_one(salience.LM(args.model, threads=2), ids)}
if args.llama:
    with tempfile.TemporaryDirectory() as folder:
        given, got = os.path.join(folder, "ids.npy"), os.path.join(folder, "logits.npy")
        np.save(given, np.array(ids))
        subprocess.run([args.llama, "-c", LLAMA, args.model, given, got], check=True, stderr=subprocess.DEVNULL)
        sides["llama.cpp"] = np.load(got)
with torch.no_grad():
    want = Model(args.model, torch.float64).forward(torch.tensor([ids]))[0].numpy()
    f32 = Model(args.model, torch.float32).forward(torch.tensor([ids]))[0].numpy()
reference = log_softmax(want)
for name, x in sides.items():
    kld = (np.exp(reference) * (reference - log_softmax(x))).sum(-1).mean()
    print("%-10s  KLD %.6f  same top token %.2f %%  largest difference to float32 %.1e of the largest logit"
          % (name, kld, 100 * (x.argmax(-1) == want.argmax(-1)).mean(), np.abs(x - f32).max() / np.abs(f32).max()))
