"""Small GGUF files that hold only a vocabulary, of every kind, and the ids that llama.cpp makes of hard text. (Of the
package tokenizers for BERT: llama.cpp keeps Hangul composed and joiners, on which BERT was not trained. And without
combining marks for gpt-4o, whose pattern llama.cpp shortens.)

    python make_vocabularies.py --out tests/golden/vocabulary

Needs the packages tokenizers, gguf and llama-cpp-python. The vocabularies are trained here on text without words, so that
their merges would cross every place where a pattern cuts.
"""
import argparse
import json
import pathlib
import re
import unicodedata

import gguf
from llama_cpp import Llama
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from make_tokenizers import HARD, corpus

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden/tokenizer"

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
PRE = ["default", "gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "falcon", "gpt-4o"]
CONTROLS = ["<s>", "</s>", "<|end|>", "<|im_start|>", "<|im_end|>"]
TEXTS = HARD[1:] + [
    "x <s>y</s>  <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "<|end|>  \n <|end|>z <|en<|end|>d|>", "\n\n\n\n\n a   b     c",
    "   leading and trailing   ", "I'M I'm we'LL we'll '\u017f 12 123 1234 12345 1.5e-3 \u00b2\u2460", "a\u200bb \u180e c\u180ed\u2028e",
    "CamelCase HTTPServer \u0130I\u0131i \u01c5 \u00aaword", "tab\t\ttab \t\n\r\n\r\r\n end", "$x+=<y>^~|z` {`a`} ++ == -- \u2014\u2014",
    "\ufffd\ufffe \u0378 \ue000",
]


def trained(name):
    """A tokenizer that make_tokenizers.py made."""
    return Tokenizer.from_file(str(GOLDEN / f"{name}.tokenizer.json"))


def mixed():
    """Text without the names of special tokens, which must not be words too."""
    return [re.sub(r"[<>|\x00]|unk|  \n", " ", text) for text in [" ".join(part) for part in zip(corpus(), reversed(corpus()))] + TEXTS * 4 + [
        "12 123 4567 890 12345 'LL 'll 's\n\n\r\n \t x=1; y+=2; <a></a> A.b $5 Hello World HelloWorld"] * 6]


def bytes_vocabulary():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(mixed(),
                          trainers.BpeTrainer(vocab_size=700, show_progress=False, max_token_length=12,
                                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(t.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]


def pieces():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.Replace(" ", "\u2581")
    t.train_from_iterator(mixed(),
                          trainers.BpeTrainer(vocab_size=700, show_progress=False, limit_alphabet=120, max_token_length=10))
    model = json.loads(t.to_str())["model"]["vocab"]
    return [p for p in sorted(model, key=model.get) if p.strip("\n") or len(p) < 2]


def write(path, kind, tokens, types, scores=None, merges=None, name="test", **keys):
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_name(name)
    w.add_tokenizer_model(kind)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if scores is not None:
        w.add_token_scores(scores)
    if merges is not None:
        w.add_token_merges(merges)
    for key, value in keys.items():
        add = w.add_bool if isinstance(value, bool) else w.add_uint32 if isinstance(value, int) else w.add_string
        add("tokenizer.ggml." + key, value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def vocabularies(folder):
    tokens, merges = bytes_vocabulary()
    for pre in PRE:
        n = len(tokens)
        write(folder / f"bytes-{pre}.gguf", "gpt2", tokens + CONTROLS + ["  \n"], [NORMAL] * n + [CONTROL] * 5 + [USER], merges=merges,
              pre=pre, bos_token_id=n, eos_token_id=n + 1, add_bos_token=pre in ("llama-bpe", "gpt-2"), add_eos_token=pre == "gpt-2")
    raw = ["<0x%02X>" % b for b in range(256)]
    lines = ["\n" * k for k in range(2, 6)] + [" " * k for k in range(2, 6)] + ["</h1>", "<h1>"]
    words = pieces()
    for kind, name, prefix in (("gemma", "test", False), ("llama", "test", True), ("phi", "Phi-3 test", True)):
        user = lines if kind == "gemma" else []
        write(folder / f"pieces-{kind}.gguf", "llama",
              ["<unk>", *CONTROLS, *raw, *user, *words, "<|endoftext|>"],
              [UNKNOWN] + [CONTROL] * 5 + [BYTE] * 256 + [USER] * len(user) + [NORMAL] * len(words) + [CONTROL],
              scores=[0.0] * 262 + [-1000.0] * len(user) + [-float(i // 2) for i in range(len(words))] + [0.0], name=name,
              bos_token_id=1, eos_token_id=2, unknown_token_id=0, add_bos_token=True, add_eos_token=kind == "llama",
              add_space_prefix=prefix)
    vocabulary = trained("wordpiece-bert").get_vocab()
    words = sorted(vocabulary, key=vocabulary.get)
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    write(folder / "words-bert.gguf", "bert",
          [w if w in special else w[2:] if w.startswith("##") else "\u2581" + w for w in words],
          [CONTROL if w in special else NORMAL for w in words], bos_token_id=words.index("[CLS]"), unknown_token_id=words.index("[UNK]"),
          seperator_token_id=words.index("[SEP]"), padding_token_id=words.index("[PAD]"))
    model = json.loads(trained("unigram-always").to_str())["model"]
    for merge in (False, True):
        user = ["<extra>", "qu"]
        special = [i for i, (w, _) in enumerate(model["vocab"]) if w in ("<s>", "</s>", "<unk>")]
        write(folder / f"unigram-{'t5' if merge else 'spaces'}.gguf", "t5", [w for w, _ in model["vocab"]] + user,
              [UNKNOWN if w == "<unk>" else CONTROL if i in special else NORMAL for i, (w, _) in enumerate(model["vocab"])] + [USER] * 2,
              scores=[s for _, s in model["vocab"]] + [0.0] * 2, eos_token_id=1, unknown_token_id=2, padding_token_id=0,
              add_space_prefix=True, remove_extra_whitespaces=merge, add_bos_token=False)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    folder = p.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    vocabularies(folder)
    for path in sorted(folder.glob("*.gguf")):
        model = Llama(str(path), vocab_only=True, verbose=False)
        rows = []
        for text in TEXTS:
            data = text.encode("utf-8")
            if path.stem == "bytes-gpt-4o" and any(unicodedata.category(c).startswith("M") for c in text):
                continue
            if path.stem == "words-bert":
                bert = trained("wordpiece-bert")
                rows.append({"text": text, "ids": bert.encode(text).ids, "bare": bert.encode(text, add_special_tokens=False).ids})
                bert.encode_special_tokens = True
                rows[-1]["plain"] = bert.encode(text, add_special_tokens=False).ids
                continue
            rows.append({"text": text, "ids": model.tokenize(data, add_bos=True, special=True),
                         "bare": model.tokenize(data, add_bos=False, special=True),
                         "plain": model.tokenize(data, add_bos=False, special=False)})
        path.with_suffix(".json").write_text(json.dumps(rows, separators=(",", ":"), ensure_ascii=True) + "\n")
    print(len(list(folder.glob("*.gguf"))), "vocabularies x", len(TEXTS), "texts in", folder)


if __name__ == "__main__":
    main()
