"""Salience's side of bench/lm: python lm_salience.py MODEL THREADS CACHE DEPTH PROMPT TOKENS -> one JSON line.

Fills DEPTH positions, then times one prompt of PROMPT tokens (0: none) and TOKENS single tokens, through the C
functions. PYTHONPATH names the package that was built."""
import ctypes
import json
import resource
import sys
import time

import salience
from salience import _abi
from salience._lib import call, lib

model, threads, cache, depth, prompt, tokens = sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:7])
lm = salience.LM(model, threads=threads, cache=cache, context=(depth + prompt + tokens + 255) // 256 * 256)
session = lm._session_for(1).handle.pointer
logits = (ctypes.c_float * lm.info.vocabulary)()


def feed(ids):
    array = (ctypes.c_int32 * len(ids))(*ids)
    begun = time.perf_counter()
    call("sal_lm_feed", session, 0, array, len(ids), logits)
    return (time.perf_counter() - begun) * 1e3


def ids(n, at):
    return [(7 * (at + i) + 11) % 40000 + 100 for i in range(n)]


for at in range(0, depth, 512):
    feed(ids(min(512, depth - at), at))
made = {"prompt_ms": None}
if prompt:
    if depth == 0:  # once to warm up
        feed(ids(prompt, 0))
        lib.sal_lm_truncate(session, 0, 0)
    made["prompt_ms"] = feed(ids(prompt, depth))
times = sorted(feed([(31 * i + 5) % 40000 + 100]) for i in range(tokens))
if tokens:
    made.update(min_ms=times[0], median_ms=times[len(times) // 2])
made["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(made))
