"""salience.LM on the tiny models of tests/golden/gguf (logits of PyTorch) and, with their tokenisers, on text."""

import numpy as np
import pytest

import salience


@pytest.fixture(scope="module")
def gguf(root):
    return root / "tests/golden/gguf"


def test_a_model_without_a_tokenizer_is_refused(gguf):
    with pytest.raises(salience.Error, match="llama.gguf"):
        salience.LM(gguf / "llama.gguf")


def test_the_graph_below_is_a_model(gguf):
    model = salience.load(gguf / "qwen3.gguf")
    ids = np.load(gguf / "qwen3.ids.npy")
    got = model.run({"input_ids": ids})["logits"]
    want = np.load(gguf / "qwen3.logits.npy")
    assert np.abs(got - want).max() <= 3e-6 * np.abs(want).max()


@pytest.fixture(scope="module")
def talk(gguf):
    return salience.LM(gguf / "talk.gguf", exact=True, cache="f32", threads=1)


def test_prompt_and_answer_are_pytorchs(talk, gguf):
    assert talk.info.chat_template == "chatml"
    assert talk.chat_ids([{"role": "user", "content": "hi"}]) == np.load(gguf / "talk.prompt.npy").tolist()
    made = talk.generate("hi", temperature=0, max_tokens=16)
    assert made.ids == np.load(gguf / "talk.answer.npy").tolist()
    assert made.stop == "token limit" and made.prompt_tokens == 19


def test_streaming_gives_the_same_text(talk):
    whole = talk.generate("hi", max_tokens=40, seed=3, ignore_end=True).text
    assert "".join(talk.generate("hi", max_tokens=40, seed=3, ignore_end=True, stream=True)) == whole
    assert talk.generate("hi", max_tokens=40, seed=4, ignore_end=True).text != whole


def test_a_stream_can_be_left(talk):
    for _piece in talk.generate("hi", max_tokens=60, ignore_end=True, stream=True):
        break
    assert talk.generate("hi", temperature=0, max_tokens=1).ids


def test_several_prompts_are_answered_as_alone(talk):
    made = talk.generate(["hi", "and the other one"], temperature=0, max_tokens=8, ignore_end=True)
    for prompt, answer in zip(["hi", "and the other one"], made):
        assert talk.generate(prompt, temperature=0, max_tokens=8, ignore_end=True).ids == answer.ids


def test_logits_and_perplexity(talk, gguf):
    ids = np.load(gguf / "talk.ids.npy")[0]
    want = np.load(gguf / "talk.logits.npy")[0]
    got = talk.logits(ids.tolist())
    assert np.abs(got - want).max() <= 4e-6 * np.abs(want).max()
    assert np.array_equal(talk.logits(ids.tolist(), last=True).argmax(), want[-1].argmax())
    p = talk.perplexity(ids.tolist(), chunk=11)
    nll = -(want[5:10] - np.log(np.exp(want[5:10]).sum(-1, keepdims=True)))[np.arange(5), ids[6:11]].mean()
    assert abs(p.nll - nll) < 1e-5 and p.tokens == 5


def test_what_cannot_be_is_said(talk):
    with pytest.raises(salience.Error, match="top-p"):
        talk.generate("hi", top_p=0)
    with pytest.raises(salience.Error, match="context 64 positions"):
        talk.generate("and so on and so on " * 20)
    with pytest.raises(salience.Error, match="f16"):
        salience.LM(talk.path, cache="q4_0").generate("hi")  # heads of 16


def test_explain_is_the_gradient_that_pytorch_gives_to_the_same_question(talk):
    made = talk.explain("hi the and")
    sums = np.asarray(made.explanation.map)
    assert sums.shape == (1, len(made.tokens), 64)
    assert np.allclose([t.relevance for t in made.tokens], sums[0].sum(1), rtol=1e-5, atol=1e-7)
    assert "".join(t.token for t in made.tokens if t.in_prompt) == "hi the and"
    assert "<span" in made._repr_html_() and "why" in repr(made)


def test_explain_an_answer_adds_up_over_its_tokens(talk):
    whole = talk.explain("hi the and", answer=3)
    assert len(whole.answer) == 3 and len(whole.tokens) == len(talk.chat_ids([{"role": "user", "content": "hi the and"}])) + 2
    parts = [talk.explain("hi the and", answer=3, why=f"answer[{i}]") for i in range(3)]
    total = sum(np.asarray(p.explanation.map) for p in parts)
    assert np.allclose(total, np.asarray(whole.explanation.map), atol=1e-5)


def test_explain_a_contrast_and_what_is_no_token(talk):
    a = talk.explain("hi", why="the", why_not="an")
    b, c = talk.explain("hi", why="the"), talk.explain("hi", why="an")
    assert np.allclose(np.asarray(a.explanation.map),
                       np.asarray(b.explanation.map) - np.asarray(c.explanation.map), atol=1e-5)
    with pytest.raises(salience.Error, match="no single token"):
        talk.explain("hi", why="no token")
