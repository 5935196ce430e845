"""Blocks of every packed format with the numbers that the package gguf makes of them: tests/golden/block_types.

    python tests/oracle/make_block_types.py
"""
from pathlib import Path

import gguf
import numpy as np

OUT = Path(__file__).resolve().parent.parent / "golden" / "block_types"
NAMES = "F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL".split()

OUT.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(5)
for name in NAMES:
    kind = getattr(gguf.GGMLQuantizationType, name)
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    n = 16 if elements == 1 else 3
    while True:  # random bytes whose scales are ordinary numbers
        blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
        with np.errstate(all="ignore"):
            values = gguf.quants.dequantize(blocks, kind).astype(np.float32).reshape(n, elements)
        if np.isfinite(values).all() and np.abs(values).max() < 1e6:
            break
    np.save(OUT / (name.lower() + ".bytes.npy"), blocks)
    np.save(OUT / (name.lower() + ".values.npy"), values)
