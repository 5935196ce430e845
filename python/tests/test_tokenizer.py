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
