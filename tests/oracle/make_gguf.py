"""Tiny language models of every architecture as GGUF files, with the logits and the gradient by the embeddings that
tests/oracle/lm_reference.py computes in float64: tests/golden/gguf.

    python tests/oracle/make_gguf.py
"""
import sys
from pathlib import Path

import gguf
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lm_reference import Model  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "golden" / "gguf"
Q = gguf.GGMLQuantizationType
VOCABULARY, WIDTH, HEADS, KV, HEAD, FF, LAYERS = 96, 64, 4, 2, 16, 96, 2
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
          "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def matrix(rng, rows, columns, kind):
    w = (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
    return w if kind == Q.F32 else gguf.quants.quantize(w, kind)


def vocabulary(w):
    """Byte-level BPE: the 256 bytes, ten merges, three special tokens."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names, extra = {b: chr(b) for b in plain}, 0
    for b in range(256):
        if b not in names:
            names[b] = chr(256 + extra)
            extra += 1
    tokens = [names[b] for b in range(256)]
    merges = ["t h", "h e", "i n", "th e", "a n", "\u0120 the", "o n", "e r", "an d", "\u0120 a"]
    tokens += [m.replace(" ", "") for m in merges] + ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(tokens)
    w.add_token_types([1] * (len(tokens) - 3) + [3] * 3)
    w.add_token_merges(merges)
    w.add_bos_token_id(len(tokens) - 2)
    w.add_eos_token_id(len(tokens) - 1)
    w.add_add_bos_token(False)
    w.add_chat_template(CHATML)
    return tokens


def write(name, arch, more, kind=Q.Q8_0, head=HEAD, rope=None, talks=False):
    global VOCABULARY
    VOCABULARY = 269 if talks else 96
    rng = np.random.default_rng(sum(map(ord, name)))
    path = OUT / (name + ".gguf")
    w = gguf.GGUFWriter(str(path), arch)
    w.add_name("tiny " + name)
    w.add_block_count(LAYERS)
    w.add_context_length(64)
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(FF)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(10000.0)
    if head != WIDTH // HEADS:
        w.add_key_length(head)
        w.add_value_length(head)
    if rope:
        w.add_rope_dimension_count(rope)
    more(w)
    tokens = vocabulary(w) if talks else None
    assert tokens is None or len(tokens) == VOCABULARY

    def add(tensor, rows, columns, k=kind):
        w.add_tensor(tensor, matrix(rng, rows, columns, k), raw_dtype=None if k == Q.F32 else k)

    def norm(tensor, n):
        w.add_tensor(tensor, (1 + 0.1 * rng.standard_normal(n)).astype(np.float32))

    add("token_embd.weight", VOCABULARY, WIDTH)
    if arch in ("llama", "phi3"):
        add("output.weight", VOCABULARY, WIDTH)
    norm("output_norm.weight", WIDTH)
    if name == "llama3":
        w.add_tensor("rope_freqs.weight", np.linspace(1, 8, head // 2).astype(np.float32))
    if arch == "phi3":
        w.add_tensor("rope_factors_short.weight", np.linspace(1, 1.5, head // 2).astype(np.float32))
        w.add_tensor("rope_factors_long.weight", np.linspace(1, 9, head // 2).astype(np.float32))
    for i in range(LAYERS):
        p = "blk.%d." % i
        norm(p + "attn_norm.weight", WIDTH)
        if arch == "phi3":
            add(p + "attn_qkv.weight", (HEADS + 2 * KV) * head, WIDTH)
        else:
            for n, h in (("q", HEADS), ("k", KV), ("v", KV)):
                add(p + "attn_%s.weight" % n, h * head, WIDTH)
                if arch == "qwen2":
                    w.add_tensor(p + "attn_%s.bias" % n, (0.1 * rng.standard_normal(h * head)).astype(np.float32))
        if arch in ("gemma3", "qwen3"):
            norm(p + "attn_q_norm.weight", head)
            norm(p + "attn_k_norm.weight", head)
        add(p + "attn_output.weight", WIDTH, HEADS * head)
        if arch == "gemma3":
            norm(p + "post_attention_norm.weight", WIDTH)
            norm(p + "post_ffw_norm.weight", WIDTH)
        norm(p + "ffn_norm.weight", WIDTH)
        if arch != "phi3":
            add(p + "ffn_gate.weight", FF, WIDTH)
        add(p + "ffn_up.weight", FF * (2 if arch == "phi3" else 1), WIDTH)
        add(p + "ffn_down.weight", WIDTH, FF)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()

    model = Model(str(path), torch.float64)
    if talks:  # what follows a prompt, the most probable token each time; ends or not
        prompt = [tokens.index("<|im_start|>"), *b"us", tokens.index("er"), *b"\nhi", tokens.index("<|im_end|>"), 10,
                  tokens.index("<|im_start|>"), *b"assist", tokens.index("an"), *b"t\n"]
        ids = list(prompt)
        for _ in range(16):
            ids.append(int(model.forward(torch.tensor([ids]))[0, -1].argmax()))
        np.save(OUT / (name + ".prompt.npy"), np.array(prompt))
        np.save(OUT / (name + ".answer.npy"), np.array(ids[len(prompt):]))
    ids = torch.from_numpy(rng.integers(0, VOCABULARY, (2, 11)))
    seed = torch.from_numpy(rng.standard_normal((2, 11, VOCABULARY)))
    x = model.embed(ids).detach().requires_grad_(True)
    y = model.forward(embeddings=x)
    (gradient,) = torch.autograd.grad((y * seed).sum(), x)
    np.save(OUT / (name + ".ids.npy"), ids.numpy())
    np.save(OUT / (name + ".seed.npy"), seed.numpy().astype(np.float32))
    np.save(OUT / (name + ".logits.npy"), y.detach().numpy().astype(np.float32))
    np.save(OUT / (name + ".gradient.npy"), gradient.numpy().astype(np.float32))


def scaled(kind, factor, original=32):
    def more(w):
        w.add_rope_scaling_type(kind)
        w.add_rope_scaling_factor(factor)
        w.add_rope_scaling_orig_ctx_len(original)
    return more


def windowed(w):
    w.add_sliding_window(4)


def capped(w):
    w.add_attn_logit_softcapping(20.0)
    w.add_final_logit_softcapping(10.0)
    w.add_sliding_window(4)


OUT.mkdir(parents=True, exist_ok=True)
R = gguf.RopeScalingType
write("llama", "llama", lambda w: None, Q.Q4_1)
write("talk", "llama", lambda w: None, Q.Q8_0, talks=True)
write("llama3", "llama", lambda w: None, Q.Q5_0)
write("linear", "llama", scaled(R.LINEAR, 2.0), Q.Q5_1)
write("yarn", "llama", scaled(R.YARN, 4.0), Q.Q4_0)
write("window", "llama", windowed, Q.F16)
write("gemma3", "gemma3", capped, Q.Q8_0, head=32)
write("qwen2", "qwen2", lambda w: None, Q.BF16)
write("qwen3", "qwen3", lambda w: None, Q.F32, head=32)
write("phi3", "phi3", lambda w: w.add_rope_scaling_attn_factors(1.2), Q.Q8_0, rope=16)
write("phi3-long", "phi3", lambda w: w.add_rope_scaling_orig_ctx_len(8), Q.Q8_0, rope=16)
