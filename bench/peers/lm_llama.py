"""llama.cpp's side of bench/lm: python lm_llama.py MODEL THREADS CACHE DEPTH PROMPT TOKENS -> one JSON line.

Fills DEPTH positions, then times one prompt of PROMPT tokens (0: none) and TOKENS single tokens, through llama_decode
itself. CACHE: f16, q8_0 or q4_0 for keys and values, with flash attention as its own tools use it then."""
import ctypes
import json
import resource
import sys
import time

import llama_cpp as L

model, threads, cache, depth, prompt, tokens = sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:7])
kind = {"f16": 1, "q8_0": 8, "q4_0": 2}[cache]
llm = L.Llama(model, n_ctx=(depth + prompt + tokens + 255) // 256 * 256, n_batch=512, n_ubatch=512, n_threads=threads,
              n_threads_batch=threads, type_k=kind, type_v=kind, flash_attn=True, verbose=False)
ctx = llm._ctx.ctx


def feed(ids):
    array = (L.llama_token * len(ids))(*ids)
    begun = time.perf_counter()
    if L.llama_decode(ctx, L.llama_batch_get_one(array, len(ids))) != 0:
        sys.exit("llama_decode failed")
    L.llama_get_logits_ith(ctx, -1)
    return (time.perf_counter() - begun) * 1e3


def ids(n, at):
    return [(7 * (at + i) + 11) % 40000 + 100 for i in range(n)]


for at in range(0, depth, 512):
    feed(ids(min(512, depth - at), at))
made = {"prompt_ms": None}
if prompt:
    feed(ids(prompt, 0)) if depth == 0 else None  # once to warm up
    if depth == 0:
        L.llama_memory_clear(L.llama_get_memory(ctx), True)
    made["prompt_ms"] = feed(ids(prompt, depth))
times = sorted(feed([(31 * i + 5) % 40000 + 100]) for i in range(tokens))
if tokens:
    made.update(min_ms=times[0], median_ms=times[len(times) // 2])
made["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(made))
