"""Tiny language models as Hugging Face folders, with logits and gradients of the library transformers in float32:
tests/golden/folder/ and the seeds of two fuzz targets.

    python tests/oracle/make_folder.py

Needs transformers (made with 5.24.0) and safetensors beside the development environment; the tests do not.
"""
import json
import logging
import os
import shutil
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import numpy as np
import torch
import transformers

logging.disable(logging.WARNING)
ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/folder"
CORPUS = ROOT / "tests/fuzz/corpus"
SMALL = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96,
             vocab_size=97, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0,
             initializer_range=0.1, attn_implementation="eager")


def rope(kind, **more):
    return {"rope_type": kind, "rope_theta": 10000.0, **more}


LLAMA3 = rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
FAMILIES = {
    "llama": ("Llama", "float32", dict(rope_parameters=LLAMA3, attention_bias=True)),
    "mistral": ("Mistral", "bfloat16", dict(sliding_window=4, head_dim=16)),
    "gemma3": ("Gemma3", "bfloat16", dict(
        num_hidden_layers=3, head_dim=32, sliding_window=4, query_pre_attn_scalar=20, final_logit_softcapping=10.0,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={"full_attention": rope("linear", factor=4.0) | {"rope_theta": 1e6},
                         "sliding_attention": rope("default")})),
    "qwen2": ("Qwen2", "float16", dict(rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16))),
    "qwen3": ("Qwen3", "bfloat16", dict(head_dim=32, tie_word_embeddings=True)),
    "phi3": ("Phi3", "float16", dict(
        head_dim=16, original_max_position_embeddings=32,
        rope_parameters=rope("longrope", short_factor=[1.0, 1.1, 1.2, 1.5], long_factor=[1.0, 2.0, 4.0, 9.0],
                             original_max_position_embeddings=32, partial_rotary_factor=0.5))),
}


# Longer than the trained positions: the other factors hold.
FAMILIES["phi3-long"] = ("Phi3", "float16", {
    **FAMILIES["phi3"][2], "original_max_position_embeddings": 8,
    "rope_parameters": {**FAMILIES["phi3"][2]["rope_parameters"], "original_max_position_embeddings": 8}})


def classes(family):
    config = getattr(transformers, "Gemma3TextConfig" if family == "Gemma3" else family + "Config")
    return config, getattr(transformers, family + "ForCausalLM")


def older(path, config):
    """As version 4 of transformers wrote it."""
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    config["rope_scaling"] = parameters
    config["torch_dtype"] = config.pop("dtype", None)
    path.write_text(json.dumps(config, indent=1))


def nested(path, config):
    """As a part of a model that also sees."""
    path.write_text(json.dumps({"model_type": "gemma3", "text_config": config}, indent=1))


def write(name, family, dtype, more):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(sum(map(ord, name)))
    rng = np.random.default_rng(sum(map(ord, name)))
    make_config, make_model = classes(family)
    model = make_model(make_config(**{**SMALL, **more}))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "norm" in key:
                parameter.copy_((0.0 if family == "Gemma3" else 1.0) + 0.1 * torch.randn_like(parameter))
            elif key.endswith("bias"):
                parameter.copy_(0.1 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(
        folder, max_shard_size="150KB" if name == "gemma3" else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)

    model = make_model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = rng.integers(0, SMALL["vocab_size"], (2, 11))
    seed = rng.standard_normal((2, 11, SMALL["vocab_size"])).astype(np.float32)
    x = model.get_input_embeddings()(torch.from_numpy(ids)).detach().requires_grad_(True)
    y = model(inputs_embeds=x, use_cache=False).logits
    same = model(input_ids=torch.from_numpy(ids), use_cache=False).logits
    assert torch.allclose(y, same, atol=1e-5)
    (gradient,) = torch.autograd.grad((y * torch.from_numpy(seed)).sum(), x)
    for what, array in (("ids", ids), ("seed", seed), ("logits", y.detach().numpy()), ("gradient", gradient.numpy())):
        np.save(OUT / ("%s.%s.npy" % (name, what)), array)

    path = folder / "config.json"
    config = json.loads(path.read_text())
    if name == "llama":
        older(path, config)
    elif name == "gemma3":
        nested(path, config)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, row in FAMILIES.items():
        write(name, *row)
    for kind in ("safetensors", "config"):
        shutil.rmtree(CORPUS / kind, ignore_errors=True)
        (CORPUS / kind).mkdir(parents=True)
    for name in ("gemma3", "phi3", "llama"):
        seed(name)


def seed(name):
    """One layer as small as can be, for the fuzz targets."""
    family, dtype, more = FAMILIES[name]
    more = {**SMALL, **more, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
            "intermediate_size": 24, "vocab_size": 11, "num_hidden_layers": 1}
    if name == "gemma3":
        more["layer_types"] = ["sliding_attention"]
    if name == "phi3":
        more["rope_parameters"] = {**more["rope_parameters"], "short_factor": [1.0, 1.1], "long_factor": [1.0, 2.0]}
    make_config, make_model = classes(family)
    torch.manual_seed(1)
    folder = OUT / "seed"
    make_model(make_config(**more)).to(getattr(torch, dtype)).save_pretrained(folder)
    path = folder / "config.json"
    if name == "llama":
        older(path, json.loads(path.read_text()))
    elif name == "gemma3":
        nested(path, json.loads(path.read_text()))
    shutil.copy(path, CORPUS / "config" / (name + ".json"))
    shutil.copy(folder / "model.safetensors", CORPUS / "safetensors" / (name + ".safetensors"))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
