"""Small tokenizers of every kind, trained here, and what the Python package tokenizers makes of hard text.

    python make_tokenizers.py --out tests/golden/tokenizer           write tokenizer files and expected ids
    python make_tokenizers.py --check SALIENCE [--text FILE...] [--tokenizer FILE...]
                                                                     compare on files of any size

Needs the package tokenizers (0.23), nothing else.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")

HARD = [
    "", " ", "  two  spaces ", "\t\n\r\n mixed \u00a0 spaces\u3000here", "Hello, World! It's 3.14159 o'clock; isn't it?",
    "na\u00efve caf\u00e9 r\u00e9sum\u00e9 \u00c5ngstr\u00f6m A\u030angstro\u0308m \u0130stanbul \u01c5 \ufb01ne \u2460",
    "\u4e2d\u6587\u548c\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3001\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea e\u0301\u0302\u0323 \u0e01\u0e33 \u0928\u093f",
    "def f(x):\n    return x**2 + 0x1F  # comment\n\n\n", "<s>[CLS] [MASK] <|end|>  <|end|>x [MASK]y</s>",
    "a" * 120 + " " + "b" * 99, "\u2581already \u2581there", "\x00\x01\x1f\x7f\u0080 control \ufeff\ufffd",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u1e9b\u0323 \u212b \u03a9 \uff76\uff9e",
    "1234567 12 1 \u00bd \u0663\u0664 IV \u2163", "don't DON'T we'll We'LL 's ' s", "x\u0301" * 70, "...!?,;:--\u2014\u2026\u300c\u300d",
    "https://example.org/a?b=c&d=%20 user@mail.example", "\u00df \u1e9e \ufb03 \u0149 \u01f0 \u03b0",
]


def corpus():
    rng = random.Random(7)
    words = ("the of and to in is that it was for on as with his they be at one have this from or had by hot but some what "
             "there we can out other were all your when up use word how said an each she which do their time if will way "
             "about many then them would write like so these her long make thing see him two has look more day could go "
             "come did my sound no most number who over know water than call first people may down side been now find").split()
    lines = [text.replace("\x00", "") for text in HARD] * 3  # a vocabulary with U+0000 is refused
    for _ in range(400):
        lines.append(" ".join(rng.choice(words) for _ in range(12)) + rng.choice([".", "!", "?", ", 42"]))
    return lines


def train(tok, trainer):
    tok.train_from_iterator(corpus(), trainer)
    return tok


def kinds():
    """name -> tokenizer"""
    out = {}
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    train(t, trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
                                       show_progress=False))
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", t.token_to_id("[CLS]")), ("[SEP]", t.token_to_id("[SEP]"))])
    out["wordpiece-bert"] = t

    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False, handle_chinese_chars=False)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    train(t, trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[UNK]", "[MASK]"], show_progress=False))
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True, special=True)])
    t.post_processor = processors.BertProcessing(("[UNK]", 0), ("[MASK]", 1))
    out["wordpiece-cased"] = t

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    train(t, trainers.BpeTrainer(vocab_size=500, special_tokens=["<|end|>"], show_progress=False,
                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    out["bpe-gpt2"] = t

    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    train(t, trainers.BpeTrainer(vocab_size=450, special_tokens=["<s>", "</s>"], show_progress=False,
                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)])])
    t.add_tokens([AddedToken("<|end|>", rstrip=True, normalized=False), AddedToken("water", single_word=True)])
    out["bpe-llama3"] = t

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    train(t, trainers.BpeTrainer(vocab_size=600, show_progress=False, limit_alphabet=60, max_token_length=12,
                                 special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]))
    out["bpe-llama2"] = t

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
                                           behavior="removed", invert=True)
    t.decoder = decoders.BPEDecoder(suffix="</w>")
    train(t, trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"], limit_alphabet=80, end_of_word_suffix="</w>",
                                 show_progress=False))
    out["bpe-clip"] = t

    for scheme in ("always", "first", "never"):
        t = Tokenizer(models.Unigram())
        t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        t.decoder = decoders.Metaspace(prepend_scheme=scheme)
        train(t, trainers.UnigramTrainer(vocab_size=300, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>",
                                         show_progress=False))
        out["unigram-" + scheme] = t

    t = Tokenizer(models.WordLevel(unk_token="?"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous")])
    train(t, trainers.WordLevelTrainer(vocab_size=300, special_tokens=["?"], show_progress=False))
    out["wordlevel"] = t

    for behaviour in ("merged_with_previous", "merged_with_next", "contiguous", "isolated", "removed"):
        t = Tokenizer(models.WordLevel(unk_token="?"))
        t.normalizer = normalizers.NFKD()
        t.pre_tokenizer = pre_tokenizers.Split("e", behavior=behaviour)
        train(t, trainers.WordLevelTrainer(vocab_size=150, special_tokens=["?"], show_progress=False))
        out["split-" + behaviour.replace("_", "-")] = t
    return out


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, tok in kinds().items():
        tok.save(str(folder / f"{name}.tokenizer.json"), pretty=False)
        rows = []
        for text in HARD:
            e = tok.encode(text, add_special_tokens=True)
            rows.append({"text": text, "ids": e.ids, "plain": tok.encode(text, add_special_tokens=False).ids,
                         "decoded": tok.decode(e.ids, skip_special_tokens=True)})
        (folder / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=True, indent=0))
    print(f"{len(kinds())} tokenizers x {len(HARD)} texts in {folder}")


def ids_of(program, tokenizer, text, temp):
    path = pathlib.Path(temp, "text")
    path.write_bytes(text.encode("utf-8"))
    out = subprocess.run([program, "tokenize", tokenizer, str(path), "--special", "--json"], capture_output=True, check=True)
    return json.loads(out.stdout)["ids"]


def check(program, texts, tokenizers):
    bad = 0
    with tempfile.TemporaryDirectory() as temp:
        if not tokenizers:
            tokenizers = []
            for name, tok in kinds().items():
                path = pathlib.Path(temp, name + ".json")
                tok.save(str(path))
                tokenizers.append(str(path))
        for path in tokenizers:
            tok = Tokenizer.from_file(path)
            tok.no_truncation()
            tok.no_padding()
            for source in texts:
                text = pathlib.Path(source).read_text(encoding="utf-8")
                want, got = tok.encode(text).ids, ids_of(program, path, text, temp)
                same = want == got
                bad += not same
                print(f"{pathlib.Path(path).name:40} {pathlib.Path(source).name:40} {len(want):9} ids "
                      f"{'equal' if same else 'DIFFERENT'}")
                if not same:
                    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
                    print("   first difference at", at, "of", len(want), len(got), [tok.id_to_token(i) for i in want[at - 2:at + 4]],
                          [tok.id_to_token(i) for i in got[at - 2:at + 4]])
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path)
    p.add_argument("--check", metavar="SALIENCE")
    p.add_argument("--text", nargs="*", default=[])
    p.add_argument("--tokenizer", nargs="*", default=[])
    a = p.parse_args()
    if a.out:
        write(a.out)
    if a.check:
        sys.exit(1 if check(a.check, a.text, a.tokenizer) else 0)


if __name__ == "__main__":
    main()
