"""A small text classifier with seeded weights over the vocabulary of tests/golden/tokenizer, and from PyTorch in float64
what its words are worth.

    python make_text.py --out tests/golden/text

Needs torch, onnx and the package tokenizers.
"""
import argparse
import json
import pathlib
import shutil

import torch
from minilm import MiniLM, golden
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
SENTENCES = ["the water was hot", "how many people could not find their way to the water?", "it's a long look down",
             "\u4e2d\u6587 na\u00efve caf\u00e9", "."]


def weights(vocabulary, width, depth, seed):
    g = torch.Generator().manual_seed(seed)
    def normal(*shape, scale=0.3):
        return torch.randn(*shape, generator=g) * scale
    w = {"embeddings.word_embeddings.weight": normal(vocabulary, width), "embeddings.position_embeddings.weight": normal(64, width),
         "embeddings.token_type_embeddings.weight": normal(2, width)}
    for name in ["embeddings.LayerNorm"] + [f"encoder.layer.{i}.{k}.LayerNorm" for i in range(depth)
                                            for k in ("attention.output", "output")]:
        w[name + ".weight"], w[name + ".bias"] = 1 + normal(width, scale=0.1), normal(width, scale=0.1)
    for i in range(depth):
        for k in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            w[f"encoder.layer.{i}.{k}.weight"], w[f"encoder.layer.{i}.{k}.bias"] = normal(width, width), normal(width)
        w[f"encoder.layer.{i}.intermediate.dense.weight"] = normal(4 * width, width)
        w[f"encoder.layer.{i}.intermediate.dense.bias"] = normal(4 * width)
        w[f"encoder.layer.{i}.output.dense.weight"], w[f"encoder.layer.{i}.output.dense.bias"] = normal(width, 4 * width), normal(width)
    return w


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, type=pathlib.Path)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    source = HERE.parent / "golden/tokenizer/wordpiece-bert.tokenizer.json"
    tok = Tokenizer.from_file(str(source))
    torch.manual_seed(3)
    model = MiniLM(weights(tok.get_vocab_size(), 16, 2, 5), 3, depth=2, heads=4).eval()
    ids = torch.tensor([tok.encode(SENTENCES[0]).ids])
    dims = {n: {0: "batch", 1: "length"} for n in ("input_ids", "attention_mask", "token_type_ids")}
    torch.onnx.export(model, (ids, torch.ones_like(ids), torch.zeros_like(ids)), str(a.out / "model.onnx"), opset_version=17,
                      input_names=list(dims), output_names=["logits"], dynamic_axes={**dims, "logits": {0: "batch"}}, dynamo=False)
    shutil.copy(source, a.out / "model.tokenizer.json")
    (a.out / "golden.json").write_text(json.dumps(golden(model, tok, SENTENCES), indent=1))


if __name__ == "__main__":
    main()
