"""Explanations: the maps of captum and pytorch-grad-cam, questions, pictures, and how long work is stopped."""

import _thread
import json
import pathlib
import sys
import threading
import time

import numpy as np
import pytest

import salience

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/methods"
CASES = json.loads((GOLDEN / "meta.json").read_text())["cases"]


def pearson(a, b):
    return np.corrcoef(np.ravel(a).astype("float64"), np.ravel(b).astype("float64"))[0, 1]


@pytest.mark.parametrize("case", [c for c in CASES if "noise" not in c], ids=lambda c: c["file"])
def test_maps_are_the_oracles(model, x, meta, golden, case):
    want = np.load(golden / case["file"])
    more = {"layer": meta["layers"][case["layer"]]} if case.get("layer") in meta["layers"] else {}
    e = model.explain(x, case["method"], why=meta["target"], **more, **case["params"])
    got = e.layer_map if case["kind"] == "cam-layer" else e.map
    assert got.size == want.size and got.shape[-2:] == want.shape[-2:]
    got = got.reshape(want.shape)
    if case["params"].get("epsilon", 0) > 1e-6:
        # captum stabilises batch normalisation as a layer of its own; the library joins it with the convolution
        assert pearson(got, want) >= 0.99
        return
    assert pearson(got, want) >= case["pearson"]
    if "absolute" in case:
        assert np.abs(got - want).max() <= case["absolute"]


def test_every_method_is_there(model, x):
    for name, method in salience.methods().items():
        few = {p.name: max(p.min, 4) for p in method.parameters if p.name in ("steps", "samples", "masks", "grid")}
        try:
            e = model.explain(x, name, **few)
        except salience.Error as error:
            assert error.code in ("UNSUPPORTED", "NOGRAD", "INVAL"), name
            continue
        assert np.isfinite(e.map).all() and e.method is method
        if method.kind == "attribution":
            assert e.map.shape == x.shape
    assert "grad-cam: Grad-CAM" in (salience.Model.explain.__doc__ or "")
    assert all(name in repr(salience.methods()) for name in salience.methods())


def test_parameters_are_the_tables(model, x):
    e = model.explain(x, "integrated-gradients", steps=7)
    assert e.parameters["steps"] == 7 and e.parameters["baseline"] == 0
    assert e.residual is not None and abs(e.residual[0] - (e.map.sum() - (e.target - e.baseline_target)[0])) < 1e-4
    for wrong in ({"step": 7}, {"steps": 0}, {"steps": 1e9}):
        with pytest.raises(salience.Error, match="step"):
            model.explain(x, "integrated-gradients", **wrong)
    with pytest.raises(salience.Error, match="did you mean grad-cam"):
        model.explain(x, "gradcam")


def test_other_names_and_baselines(model, x):
    aliased = next((m for m in salience.methods().values() if m.aliases), None)
    if aliased is not None:
        assert model.explain(x, aliased.aliases[0]).method is aliased
    other = np.full(x.shape, 0.25, "float32")
    a, b = model.explain(x, "deeplift", baselines=other), model.explain(x, "deeplift", baseline=0.25)
    assert np.abs(a.map - b.map).max() <= 1e-6 * np.abs(b.map).max()
    for wrong in (other[:, :2], other.astype("complex64")):
        with pytest.raises(salience.Error):
            model.explain(x, "deeplift", baselines=wrong)
    halves = np.zeros(x.shape[2:], "int64")
    halves[8:] = 1
    e = model.explain(x, "feature-ablation", features=halves)
    assert len(np.unique(e.map)) == 2


# ---- questions


def test_questions(model, x):
    e = model.explain(x, "gradient", why=1, why_not=3)
    one, other = (model.explain(x, "gradient", why=k).map for k in (1, 3))
    assert np.abs(e.map - (one - other)).max() <= 1e-5 * np.abs(one).max()
    assert [c.index for c in e.why] == [1] and [c.index for c in e.why_not] == [3]
    weights = np.zeros((1, 5), "float32")
    weights[0, 1], weights[0, 3] = 1, -1
    assert np.abs(model.explain(x, "gradient", why=weights).map - e.map).max() <= 1e-5 * np.abs(e.map).max()
    mean = model.explain(x, "gradient", why=[1, "3"]).map
    assert np.abs(mean - (one + other) / 2).max() <= 1e-5 * np.abs(one).max()
    assert (model.explain(x, "gradient", why=np.int64(1)).map == one).all()


def test_labels_are_asked_by_name(golden, x):
    named = salience.load(golden / "model.onnx", labels=["ant", "bee", "cat", "dog", "elk"])
    e = named.explain(x, why="dog", why_not="bee")
    assert [c.label for c in e.why] == ["dog"] and "dog" in e.query
    assert {c.label for c in e.top} == {"ant", "bee", "cat", "dog", "elk"}
    assert abs(sum(c.probability for c in e.top) - 1) < 1e-6
    with pytest.raises(salience.Error, match="unicorn"):
        named.explain(x, why="unicorn")


def test_a_batch_is_explained_sample_by_sample(model, x):
    both = np.concatenate([x, 0.5 * x])
    e = model.explain(both, "gradient", why=1)
    assert e.map.shape == both.shape and len(e.target) == 2
    for i in range(2):
        alone = model.explain(both[i : i + 1], "gradient", why=1).map
        assert np.abs(e.map[i] - alone[0]).max() <= 1e-5 * np.abs(alone).max()


def test_the_seed_decides(model, x):
    def noisy(seed):
        return model.explain(x, "smooth-grad", samples=3, seed=seed).map

    assert (noisy(5) == noisy(5)).all() and (noisy(5) != noisy(6)).any()


# ---- pictures


@pytest.fixture(scope="module")
def seeing(golden):
    recipe = {"size": [32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    m = salience.load(golden / "model.onnx", preprocess=recipe, threads=1)
    assert m.inputs[0].shape[1] == 3, "the network takes pictures"
    height, width = np.load(golden / "input.npy").shape[2:]
    return salience.load(golden / "model.onnx", preprocess={**recipe, "size": [height, width]}, threads=1)


def test_every_way_to_give_a_picture(seeing, picture):
    e = seeing.explain(picture)
    pixels = e._backdrop._image.array()
    assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
    for given in (str(picture), picture.read_bytes(), pixels, seeing.preprocess(picture)):
        assert np.abs(seeing.explain(given).map - e.map).max() <= 1e-6 * np.abs(e.map).max()
    assert e.preprocessing.endswith("(given)")
    pil = pytest.importorskip("PIL.Image")
    assert (seeing.explain(pil.open(picture)).map == e.map).all()


def test_pictures_are_drawn(seeing, picture, tmp_path):
    e = seeing.explain(picture)
    drawn = e.overlay()
    assert drawn.dtype == np.uint8 and drawn.ndim == 3 and drawn.shape[1] >= 600
    assert e.overlay(bare=True).shape[0] < drawn.shape[0]
    assert e._repr_png_().startswith(b"\x89PNG") and "<img" in e._repr_html_() and e.query in repr(e)
    for end in ("png", "npy", "json"):
        e.save(tmp_path / f"map.{end}")
    assert (np.load(tmp_path / "map.npy") == e.map).all()
    assert json.loads((tmp_path / "map.json").read_text())["question"] == e.query
    with pytest.raises(salience.Error, match="must end in"):
        e.save(tmp_path / "map.gif")
    with pytest.raises(salience.Error):
        e.save(tmp_path / "no such folder" / "map.png")


def test_a_sheet_is_drawn(seeing, picture, tmp_path):
    sheet = seeing.compare(picture, ["gradient", "grad-cam"], [(0, None), (1, 0)])
    assert len(sheet) == 2 and sheet[1][0].why[0].index == 1
    sheet.save(tmp_path / "sheet.png")
    own = salience.compare([sheet[0][0], sheet[0][1]], columns=["a", "b"])
    assert own.overlay().shape[2] == 3 and own._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(salience.Error):
        salience.compare([sheet[0][0]], columns=["a", "b"])


def test_what_is_no_picture_is_refused(seeing, tmp_path):
    (tmp_path / "not.png").write_bytes(b"not a picture")
    for wrong in (tmp_path / "not.png", tmp_path / "missing.png", b"", np.zeros((2, 2, 2), "uint8")):
        with pytest.raises(salience.Error):
            seeing.explain(wrong)


def test_doctor(seeing, picture, x):
    told = seeing.doctor(picture)
    assert told["methods"]["grad-cam"]["works"] and "methods work" in repr(told)
    assert set(told["methods"]) == set(salience.methods())
    assert any("not finite" in w for w in seeing.doctor(np.full_like(x, np.nan))["warnings"])


# ---- long work


def test_progress_is_told_and_stops(model, x):
    seen = []
    model.explain(x, "occlusion", progress=seen.append, batch=1)
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1 and len(seen) > 3
    with pytest.raises(salience.Cancelled) as caught:
        model.explain(x, "occlusion", progress=lambda done: done < 0.3)
    assert caught.value.code == "CANCELLED"
    model.explain(x, "occlusion")


def test_what_progress_raises_comes_out(model, x):
    def complain(_done):
        raise ZeroDivisionError("from progress")

    with pytest.raises(ZeroDivisionError, match="from progress"):
        model.explain(x, "occlusion", progress=complain)
    model.explain(x, "occlusion")


def test_ctrl_c_stops(model, x):
    began = time.perf_counter()
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.explain(x, "rise", masks=100000, batch=16)
        time.sleep(60)
    timer.join()
    assert time.perf_counter() - began < 30
    model.explain(x)


# ---- export


def test_export_runs_in_onnx_runtime(model, x, meta, tmp_path):
    told = model.export(tmp_path / "explained.onnx", "hires-cam")
    assert isinstance(told, str) and (tmp_path / "explained.onnx").stat().st_size > 0
    ours = salience.load(tmp_path / "explained.onnx")
    query = np.zeros((1, 5), "float32")
    query[0, meta["target"]] = 1
    inputs = {model.inputs[0].name: x, "query": query}
    want = model.explain(x, "hires-cam", why=meta["target"]).map
    assert np.abs(np.ravel(ours.run(inputs)["saliency"]) - np.ravel(want)).max() <= 1e-5 * np.abs(want).max()
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(str(tmp_path / "explained.onnx"), providers=["CPUExecutionProvider"])
    got = session.run(["saliency"], inputs)[0]
    assert np.abs(np.ravel(got) - np.ravel(want)).max() <= 1e-4 * np.abs(want).max()
    with pytest.raises(salience.Error):
        model.export(tmp_path / "no.onnx", "rise")


# ---- types


def test_types_are_the_tables(root, tmp_path):
    import subprocess

    script, held = root / "scripts/gen/python_types.py", pathlib.Path(salience.__file__).parent / "_types.pyi"
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert done.stdout == held.read_text()
    assert all(f'"{name}"' in done.stdout for name in salience.methods())


def test_checks_come_with_the_map(model, x, meta):
    e = model.explain(x, "gradient", why=meta["target"], check=True)
    found = {c.name: c for c in e.checks}
    assert found["rerun"].verdict == "pass"
    assert {"completeness", "model-randomisation", "random-logit", "deletion"} <= set(found)
    assert all(c.verdict in ("none", "pass", "doubt", "fail") and c.text and c.help for c in e.checks)
    assert json.loads(json.dumps(e.describe()["checks"]))[0]["name"] == "rerun"
    assert model.explain(x, "gradient", why=meta["target"]).checks is None
