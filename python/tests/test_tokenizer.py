"""Tokenisers: the ids of the Python package tokenizers (tests/oracle/make_tokenizers.py)."""

import json

import pytest

import salience


@pytest.mark.parametrize("name", ["wordpiece-bert", "bpe-gpt2", "bpe-llama2", "unigram-first"])
def test_ids_are_the_packages(root, name):
    folder = root / "tests/golden/tokenizer"
    t = salience.Tokenizer(folder / f"{name}.tokenizer.json")
    for row in json.loads((folder / f"{name}.json").read_text()):
        got = t.encode(row["text"])
        assert got.ids == row["ids"]
        assert t.encode(row["text"], special=False).ids == row["plain"]
        if "\ufffd" not in row["decoded"]:
            assert t.decode(got.ids) == row["decoded"]
        assert [t.id(token) for token in got.tokens] == got.ids


def test_offsets_and_errors(root):
    path = root / "tests/golden/tokenizer/wordpiece-bert.tokenizer.json"
    t = salience.Tokenizer(path.read_bytes())
    k = t.encode("the water")
    assert k.added[0] and k.added[-1] and k.offsets[1][0] == 0 and k.offsets[-2][1] == 9
    assert t.id("no such token") is None and t.token(-1) is None and len(t) > 100
    with pytest.raises(salience.Error, match="tokenizer.json"):
        salience.Tokenizer(b"{}")
    with pytest.raises(salience.Error):
        t.decode([10**6])


@pytest.mark.parametrize("name", ["bytes-smollm", "pieces-llama", "unigram-t5", "words-bert"])
def test_gguf(root, name):
    path = root / f"tests/golden/vocabulary/{name}.gguf"
    t = salience.Tokenizer(path)
    assert len(salience.Tokenizer(path.read_bytes())) == len(t)
    for row in json.loads(path.with_suffix(".json").read_text()):
        assert t.encode(row["text"]).ids == row["ids"]
        assert t.encode(row["text"], special=False, plain=True).ids == row["plain"]
        assert "".join(t.stream(row["ids"])) == t.decode(row["ids"])
    assert t.chat_template is None and t.eos == (None if name == "words-bert" else t.eos)


def test_chat(root):
    rows = json.loads((root / "tests/golden/chat/templates.json").read_text())
    assert salience.ChatTemplate.names() and {r["name"] for r in rows["templates"]} == set(salience.ChatTemplate.names())
    for row in rows["templates"]:
        t = salience.ChatTemplate.find(row["jinja"])
        assert t.name == row["name"]
        for chat, prompt, quiet, want in row["texts"][:40]:
            if want is not None:
                assert t.render([tuple(m) for m in rows["chats"][chat]], prompt=prompt, thinking=not quiet) == want
    with pytest.raises(salience.Error, match="gemma3"):
        salience.ChatTemplate("no such")
    with pytest.raises(salience.Error, match="--template"):
        salience.ChatTemplate.find("{{ messages }}")
    with pytest.raises(salience.Error, match="system"):
        salience.ChatTemplate("gemma").render([("system", "x"), ("user", "y")])
