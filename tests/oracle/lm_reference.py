"""Language models of GGUF files in PyTorch, float32 or float64, with the weights that the package gguf unpacks: what
Salience's graphs are compared with. Written from the papers and the files' metadata; nothing of Salience is used.

    python tests/oracle/lm_reference.py MODEL.gguf IDS.npy LOGITS.npy [--f64]
"""
import math
import sys

import gguf
import numpy as np
import torch
import torch.nn.functional as F


class Model:
    def __init__(self, path, dtype=torch.float32):
        self.reader = gguf.GGUFReader(path)
        self.dtype = dtype
        self.meta = {k: self.field(f) for k, f in self.reader.fields.items()}
        self.tensors = {t.name: t for t in self.reader.tensors}
        self.cache = {}
        self.arch = self.meta["general.architecture"]
        self.layers = self.get("block_count")
        self.width = self.get("embedding_length")
        self.heads = self.get("attention.head_count")
        self.kv_heads = self.get("attention.head_count_kv", self.heads)
        default = 128 if self.arch == "qwen3" else self.width // self.heads
        self.head = self.get("attention.key_length", default)
        self.eps = self.get("attention.layer_norm_rms_epsilon", 1e-5)
        self.base = self.get("rope.freq_base", 1e6 if self.arch == "gemma3" else 1e4)
        self.window = self.get("attention.sliding_window", 0)
        if self.window >= self.get("context_length"):
            self.window = 0
        self.rope_size = self.get("rope.dimension_count", self.head)

    @staticmethod
    def field(f):
        value = f.contents() if hasattr(f, "contents") else None
        return value

    def get(self, key, default=None):
        v = self.meta.get(self.arch + "." + key)
        return default if v is None else (v[0] if isinstance(v, list) else v)

    def weight(self, name, must=True):
        if name not in self.cache:
            t = self.tensors.get(name)
            if t is None:
                if must:
                    raise KeyError(name)
                return None
            w = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
            shape = [int(d) for d in reversed(t.shape)]
            self.cache[name] = torch.from_numpy(w.reshape(shape).copy()).to(self.dtype)
        return self.cache[name]

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight(name)

    def linear(self, x, name):
        y = x @ self.weight(name + ".weight").T
        bias = self.weight(name + ".bias", must=False)
        return y if bias is None else y + bias

    def is_local(self, i):
        if not self.window:
            return False
        pattern = self.get("attention.sliding_window_pattern", 6 if self.arch == "gemma3" else 0)
        return pattern == 0 or (i + 1) % pattern != 0

    def frequencies(self, local, length):
        base = (self.get("rope.freq_base_swa", 1e4) if self.arch == "gemma3" else self.base) if local else self.base
        f = base ** (-2.0 * np.arange(self.rope_size // 2) / self.rope_size)
        trained = self.get("rope.scaling.original_context_length", self.get("context_length"))
        for name in ("rope_freqs.weight", "rope_factors_%s.weight" % ("long" if length > trained else "short")):
            factors = self.weight(name, must=False)
            if factors is not None and not local:
                f = f / factors.numpy().astype(np.float64)
        kind = self.get("rope.scaling.type")
        factor = self.get("rope.scaling.factor", self.get("rope.scale_linear", 1.0)) or 1.0
        size = 1.0
        if not local:
            if kind == "linear" or (kind is None and factor != 1.0):
                f = f / factor
            if kind == "yarn":
                n = self.get("rope.scaling.original_context_length")
                at = lambda turns: self.rope_size * math.log(n / (turns * 2 * math.pi)) / (2 * math.log(base))
                low = max(math.floor(at(self.get("rope.scaling.yarn_beta_fast", 32.0))), 0)
                high = min(math.ceil(at(self.get("rope.scaling.yarn_beta_slow", 1.0))), self.rope_size - 1)
                ramp = np.clip((np.arange(self.rope_size // 2) - low) / max(high - low, 0.001), 0, 1)
                f = f / factor * ramp + f * (1 - ramp)
                size = 1.0 + 0.1 * math.log(factor)
            size *= self.get("rope.scaling.attn_factor", 1.0)
        return f, size

    def rope(self, x, local):
        """x [batch, heads, sequence, size]"""
        f, size = self.frequencies(local, x.shape[2])
        angle = torch.arange(x.shape[2], dtype=self.dtype)[:, None] * torch.tensor(f, dtype=torch.float32).to(self.dtype)
        cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
        n = self.rope_size
        turned, rest = x[..., :n], x[..., n:]
        if self.arch == "llama":
            a, b = turned[..., 0::2], turned[..., 1::2]
            y = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
        else:
            a, b = turned[..., : n // 2], turned[..., n // 2:]
            y = torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
        return torch.cat([y, rest], -1)

    def attention(self, q, k, v, local):
        b, s, _ = q.shape
        split = lambda x, h: x.view(b, s, h, -1).transpose(1, 2)
        q, k, v = split(q, self.heads), split(k, self.kv_heads), split(v, self.kv_heads)
        return q, k, v, b, s

    def block(self, i, x):
        p = "blk.%d." % i
        local = self.is_local(i)
        h = self.norm(x, p + "attn_norm.weight")
        b, s, _ = x.shape
        if self.arch == "phi3":
            qkv = self.linear(h, p + "attn_qkv")
            q, k, v = qkv.split([self.heads * self.head, self.kv_heads * self.head, self.kv_heads * self.head], -1)
        else:
            q, k, v = (self.linear(h, p + "attn_" + n) for n in "qkv")
        q = q.reshape(b, s, self.heads, self.head)
        k = k.reshape(b, s, self.kv_heads, self.head)
        v = v.reshape(b, s, self.kv_heads, self.head)
        if self.arch in ("gemma3", "qwen3"):
            q, k = self.norm(q, p + "attn_q_norm.weight"), self.norm(k, p + "attn_k_norm.weight")
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        q, k = self.rope(q, local), self.rope(k, local)
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        w = q @ k.transpose(-1, -2) * (self.get("attention.scale") or self.head ** -0.5)
        cap = self.get("attn_logit_softcapping", 0.0)
        if cap:
            w = torch.tanh(w / cap) * cap
        at = torch.arange(s)
        seen = at[None, :] <= at[:, None]
        if local:
            seen &= at[:, None] - at[None, :] < self.window
        w = w.masked_fill(~seen, float("-inf")).softmax(-1)
        h = (w @ v).transpose(1, 2).reshape(b, s, -1)
        h = self.linear(h, p + "attn_output")
        if self.arch == "gemma3":
            h = self.norm(h, p + "post_attention_norm.weight")
        x = x + h
        h = self.norm(x, p + "ffn_norm.weight")
        if self.arch == "phi3":
            gate, up = self.linear(h, p + "ffn_up").chunk(2, -1)
        else:
            gate, up = self.linear(h, p + "ffn_gate"), self.linear(h, p + "ffn_up")
        act = F.gelu(gate, approximate="tanh") if self.arch == "gemma3" else F.silu(gate)
        h = self.linear(act * up, p + "ffn_down")
        if self.arch == "gemma3":
            h = self.norm(h, p + "post_ffw_norm.weight")
        return x + h

    def embed(self, ids):
        x = self.weight("token_embd.weight")[ids]
        return x * math.sqrt(self.width) if self.arch == "gemma3" else x

    def forward(self, ids=None, embeddings=None):
        """ids [batch, sequence] or embeddings [batch, sequence, width] -> logits."""
        x = self.embed(ids) if embeddings is None else embeddings
        for i in range(self.layers):
            x = self.block(i, x)
        x = self.norm(x, "output_norm.weight")
        out = self.weight("output.weight", must=False)
        y = x @ (self.weight("token_embd.weight") if out is None else out).T
        cap = self.get("final_logit_softcapping", 0.0)
        return torch.tanh(y / cap) * cap if cap else y


if __name__ == "__main__":
    torch.set_num_threads(2)
    model = Model(sys.argv[1], torch.float64 if "--f64" in sys.argv else torch.float32)
    with torch.no_grad():
        np.save(sys.argv[3], model.forward(torch.from_numpy(np.load(sys.argv[2]))).numpy())
