"""Ids of GGUF vocabularies against llama.cpp.

    python llama_tokens.py SALIENCE --model FILE.gguf... [--text FILE...] [--megabytes 1]

Compares whole texts: the files given, and texts drawn here: prose of all scripts, code, emoji, runs of spaces and line
feeds, names of special tokens, noise of all of Unicode, and bytes that are no UTF-8. Special tokens are recognised in one
pass and taken as text in another. Needs llama-cpp-python and nothing else; the program is run with --ids.

llama.cpp reads bytes that are no UTF-8 as U+FFFD where the vocabulary is byte-level, and groups some with the bytes behind
them where it has tokens for bytes: there the round trip is checked, and ids only with U+FFFD in their place.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF),
           (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2190, 0x23FF),
           (0x2600, 0x27BF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF),
           (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x2A6DF)]
WORDS = ("the of and to in is that it was for on as with his they be at one have this from or had by hot but some what there "
         "we can out other were all your when up use word how said an each she don't won't It's we'll WE'LL 'S 're 's 1234567 "
         "3.14159 0x1F caf\u00e9 na\u00efve \u00c5ngstr\u00f6m stra\u00dfe \u0440\u0443\u0441\u0441\u043a\u0438\u0439 "
         "\u4e2d\u6587 \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4 \u0645\u0631\u062d\u0628\u0627 \U0001f600 "
         "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea e\u0301\u0302 \u2581 \u2014 \u2026 \u00bd "
         "for(i=0;i<n;i++){ return x**2; } #include <stdio.h> </div> <h1> == != -> :: /* */ \"quoted\" `code`").split(" ")
SPACES = ["", " ", " ", " ", " ", "  ", "   ", "\n", "\n\n", "\n\n\n\n", "\t", "\t\t", " \n ", "\r\n", "\u00a0", "\u3000", "\u200b",
          "\u180e", "\x0b", "\x85", "\x00", " " * 17, "\n" * 40, " " * 70]


def unassigned(c):
    import unicodedata
    return unicodedata.category(chr(c)) in ("Cn", "Cs")


def texts(size, special):
    """name -> text of about `size` bytes"""
    rng = random.Random(11)

    def fill(draw):
        parts, n = [], 0
        while n < size:
            part = draw()
            parts.append(part)
            n += len(part.encode("utf-8"))
        return "".join(parts)

    def noise():
        lo, hi = rng.choice(SCRIPTS)
        return "".join(chr(c) for c in (rng.randint(lo, hi) for _ in range(rng.choice([1, 1, 2, 3, 5, 9]))) if not unassigned(c))

    every = [chr(c) for c in range(0x110000) if not unassigned(c) and not 0xE000 <= c < 0xF900 and c < 0xE0000]
    return {
        "words": fill(lambda: rng.choice(WORDS) + rng.choice(SPACES)),
        "scripts": fill(lambda: noise() + rng.choice(SPACES)),
        "special": fill(lambda: rng.choice(special + WORDS[:40]) + rng.choice(SPACES + [special[0][:-1], special[0][1:]])),
        "every": "".join(every),
        "characters": fill(lambda: rng.choice(every)),
        "letters": fill(lambda: "".join(rng.choice("abeisT 01'\n ") for _ in range(50))),
        "run": "a" * (size // 4) + " " * (size // 4) + "ab" * (size // 8) + "\n" * (size // 4),
    }


def broken(size):
    rng = random.Random(13)
    raw = bytearray()
    while len(raw) < size:
        part = rng.choice(WORDS).encode("utf-8") + b" "
        raw += part[:rng.randint(0, len(part))] if rng.random() < 0.5 else part
        raw += bytes(rng.randint(0, 255) for _ in range(rng.choice([0, 0, 1, 3])))
    return bytes(raw)


def lost(model):
    """Bytes that a byte-level vocabulary has no token for: no text with them comes back. None: the vocabulary has marks of
    spaces, and U+2581 in a text is one of them."""
    names = {model._model.token_get_text(i) for i in range(model.n_vocab())}
    if "<0x00>" in names:
        return None
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    chars = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    return bytes(b for b, c in chars.items() if c not in names)


def run(program, model, data, temp, *options):
    path = pathlib.Path(temp, "text")
    path.write_bytes(data)
    out = subprocess.run([program, "tokenize", model, str(path), *options], capture_output=True)
    if out.returncode:
        sys.exit(out.stderr.decode())
    return out.stdout


def ids_of(program, model, data, temp, plain=False):
    out = run(program, model, data, temp, "--ids", *(["--plain"] if plain else []))
    return [int(i) for i in out.split()]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--model", nargs="+", required=True)
    p.add_argument("--text", nargs="*", default=[])
    p.add_argument("--megabytes", type=float, default=1)
    a = p.parse_args()
    from llama_cpp import Llama
    bad = 0
    for path in a.model:
        model = Llama(path, vocab_only=True, verbose=False)
        missing = lost(model)
        if missing:
            print(f"{pathlib.Path(path).name[:30]:30} has no tokens for the bytes {missing.hex(' ')}")
        names = [model._model.token_get_text(i) for i in range(min(model.n_vocab(), 4000)) if model._model.token_get_attr(i) & 8]
        special = sorted({n for n in names if n}) or ["<s>"]
        all_texts = {pathlib.Path(t).name: pathlib.Path(t).read_bytes() for t in a.text}
        all_texts |= {k: v.encode("utf-8") for k, v in texts(int(a.megabytes * 1e6), special).items()}
        all_texts["broken, as U+FFFD"] = broken(int(a.megabytes * 1e6)).decode("utf-8", "replace").encode("utf-8")
        with tempfile.TemporaryDirectory() as temp:
            for name, data in all_texts.items():
                for plain in (False, True):
                    want = model.tokenize(data, add_bos=False, special=not plain)
                    got = ids_of(a.program, path, data, temp, plain)
                    same = want == got
                    bad += not same
                    print(f"{pathlib.Path(path).name[:30]:30} {name[:28]:28} {'plain' if plain else 'special':8} {len(data):9} bytes "
                          f"{len(want):8} ids {'equal' if same else 'DIFFERENT'}", flush=True)
                    if not same:
                        at = next((i for i, (x, y) in enumerate(zip(want, got)) if x != y), min(len(want), len(got)))
                        print("    at", at, [model.detokenize([i], special=True) for i in want[max(at - 2, 0):at + 5]],
                              [model.detokenize([i], special=True) for i in got[max(at - 2, 0):at + 5]])
            for name, data in list(all_texts.items()) + [("broken", broken(int(a.megabytes * 1e6)))]:
                ids = ids_of(a.program, path, data, temp, True)
                back = run(a.program, path, " ".join(map(str, ids)).encode(), temp, "--decode", "--special")
                data = data.translate(None, missing) if missing is not None else data.replace("\u2581".encode(), b" ")
                same = back == data
                bad += not same
                print(f"{pathlib.Path(path).name[:30]:30} {name[:28]:28} round trip {'exact' if same else 'NOT EXACT'}", flush=True)
                if not same:
                    at = next((i for i, (x, y) in enumerate(zip(back, data)) if x != y), min(len(back), len(data)))
                    print("    at", at, data[max(at - 10, 0):at + 10], back[max(at - 10, 0):at + 10])
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
