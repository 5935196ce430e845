"""Loading, running, differentiating; what goes wrong and how it is told."""

import gc
import os
import pathlib
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import salience


def close(got, want, bound):
    got, want = np.asarray(got, "float64"), np.asarray(want, "float64")
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= bound * max(np.abs(want).max(), 1e-30)


# ---- loading


def test_load_tells_inputs_and_outputs(model):
    assert [str(v) for v in model.inputs] and model.inputs[0].dtype == "float32"
    assert model.inputs[0].shape[0] is None
    assert model.path.endswith("model.onnx") and model.path in repr(model)


def test_load_from_bytes_is_the_same(model, golden, x):
    again = salience.load((golden / "model.onnx").read_bytes(), name="twin")
    assert again.path == "twin"
    a, b = model.run(x), again.run(x)
    assert all((a[name] == b[name]).all() for name in a)


def test_a_model_in_memory_has_no_files_beside_it(golden, tmp_path, monkeypatch):
    (tmp_path / "model.json").write_text("{ damaged")
    monkeypatch.chdir(tmp_path)
    twin = salience.load((golden / "model.onnx").read_bytes())
    twin.explain(np.load(golden / "input.npy"))


def test_inspect_counts(model):
    told = model.inspect()
    assert told["nodes"] == sum(o["count"] for o in told["operators"])
    assert told["parameters"] > 0 and "Conv" in repr(told)
    assert model.graph().count("\n") >= told["nodes"] and "digraph" in model.graph("dot")


@pytest.mark.parametrize(("source", "code", "word"), [
    ("/nowhere/model.onnx", "IO", "/nowhere/model.onnx"), (b"rubbish", "FORMAT", "model"), (b"", "FORMAT", "model")])
def test_what_cannot_be_loaded(source, code, word):
    with pytest.raises(salience.Error, match=word) as caught:
        salience.load(source)
    assert caught.value.code == code and "\n" not in str(caught.value)


def test_wrong_options_are_refused(golden):
    for wrong in ({"precision": "float8"}, {"threads": -1}, {"threads": 10**6}):
        with pytest.raises(salience.Error):
            salience.load(golden / "model.onnx", **wrong)


# ---- running


def test_run_gives_the_oracles_logits(model, x, meta):
    got = model.run(x)[model.outputs[0].name]
    close(np.ravel(got[0]), meta["logits"], 1e-5)


def test_inner_values_by_name(model, x, meta):
    name = meta["layers"]["relu3"]
    assert model.run(x, [name])[name].min() >= 0


@pytest.mark.parametrize("folder", ["affine", "types", "shared", "gelu"])
def test_run_equals_the_files_of_onnx_runtime(root, folder):
    good = root / "tests/golden/onnx/good"
    m = salience.load(good / f"{folder}.onnx")
    inputs = {v.name: np.load(good / f"{folder}.in{i}.npy") for i, v in enumerate(m.inputs)}
    for i, (name, got) in enumerate(m.run(inputs).items()):
        want = np.load(good / f"{folder}.out{i}.npy")
        assert got.dtype == want.dtype
        close(got, want, 1e-5)


def test_arrays_of_every_kind_are_taken(model, x):
    want = model.run(x)[model.outputs[0].name]

    class Interface:
        __array_interface__ = x.__array_interface__

    class Dlpack:
        def __dlpack__(self, **how):
            return x.__dlpack__(**how)

        def __dlpack_device__(self):
            return x.__dlpack_device__()

    misaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    for given in (x.astype("float64"), np.asfortranarray(x), Interface(), Dlpack(), x[::-1][::-1],
                  x.astype(x.dtype.newbyteorder()), misaligned, x.tolist(), {model.inputs[0].name: x}):
        close(model.run(given)[model.outputs[0].name], want, 1e-6)


def test_results_are_the_callers(model, x):
    first = model.run(x)[model.outputs[0].name]
    kept = first.copy()
    model.run(x * 2)
    assert (first == kept).all() and first.flags.writeable


def test_torch_tensors_are_taken(model, x):
    torch = pytest.importorskip("torch")
    given = torch.from_numpy(x.copy()).requires_grad_()
    assert (model.run(given)[model.outputs[0].name] == model.run(x)[model.outputs[0].name]).all()


@pytest.mark.parametrize("wrong", [
    lambda x: x.astype("int32"), lambda x: x[0], lambda x: x[..., :-1], lambda x: {"no such": x}, lambda x: {},
    lambda x: np.array("text"), lambda x: np.array([object()]), lambda x: x.astype("complex64"),
    lambda x: np.zeros((1,) * 9, "float32")])
def test_wrong_arrays_are_refused(model, x, wrong):
    with pytest.raises(salience.Error):
        model.run(wrong(x))


# ---- gradients


def test_grad_is_the_oracles(model, x, golden, meta):
    out = model.outputs[0].name
    seed = np.zeros(model.run(x)[out].shape, "float32")
    seed[:, meta["target"]] = 1
    close(model.grad(x, of=out, seed=seed), np.load(golden / "gradient.npy"), 1e-4)


def test_grad_by_finite_differences(model, x):
    out, layer = model.outputs[0].name, None
    g = model.grad(x, wrt=layer)
    direction = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    step = 1e-2
    ends = [model.run(x + s * step * direction)[out].astype("float64").sum() for s in (1, -1)]
    assert abs((ends[0] - ends[1]) / (2 * step) - (g * direction).sum()) < 2e-2 * abs(g * direction).sum()


def test_grad_by_several_values_and_inner_ones(model, x, meta):
    layer = meta["layers"]["relu2"]
    both = model.grad(x, wrt=[model.inputs[0].name, layer])
    assert both[layer].shape == model.run(x, [layer])[layer].shape
    close(both[model.inputs[0].name], model.grad(x), 1e-5)
    inner = model.grad(x, of=layer, seed=np.ones_like(both[layer]))
    assert inner.shape == x.shape


@pytest.mark.parametrize("wrong", [
    {"of": "nothing"}, {"wrt": "nothing"}, {"rules": "nothing"}, {"seed": np.ones(3, "float32")},
    {"seed": np.ones((1, 5), "int64")}])
def test_wrong_gradients_are_refused(model, x, wrong):
    with pytest.raises(salience.Error):
        model.grad(x, **wrong)


def test_a_misspelt_value_is_guessed(model, meta):
    with pytest.raises(salience.Error, match="is like it"):
        model.value(meta["layers"]["relu3"][:-1])


# ---- threads and lifetimes


def test_threads_share_a_model(model, x):
    out = model.outputs[0].name
    inputs = [x * (1 + i / 8) for i in range(8)]
    want = [(model.run(v)[out], model.grad(v), model.explain(v, "grad-cam++").map) for v in inputs]
    wrong = []

    def work(i):
        for _ in range(5):
            got = (model.run(inputs[i])[out], model.grad(inputs[i]), model.explain(inputs[i], "grad-cam++").map)
            if any((a != b).any() for a, b in zip(got, want[i])):
                wrong.append(i)

    team = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in team:
        t.start()
    for t in team:
        t.join()
    assert not wrong


def test_other_threads_run_during_a_call(model, x):
    """The library is called without the interpreter's lock: a counter goes on while a method works."""
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1

    inside = []
    t = threading.Thread(target=count)
    t.start()
    # progress() is called before and after the work: in between the lock is free.
    model.explain(x, "rise", masks=2000, batch=2000, progress=lambda done: inside.append(counted[0]))
    stop.set()
    t.join()
    assert inside[-1] - inside[0] > 1000


def test_plans_go_with_their_thread(golden, x):
    m = salience.load(golden / "model.onnx")
    seen = []

    def work():
        m.run(x)
        seen.append(weakref.ref(next(iter(m._plans()._made.values()))))

    t = threading.Thread(target=work)
    t.start()
    t.join()
    gc.collect()
    assert seen[0]() is None


def test_maps_outlive_the_model(golden, x):
    m = salience.load(golden / "model.onnx")
    e = m.explain(x, "gradient")
    kept, alive = e.map.copy(), e.map
    del m, e
    gc.collect()
    salience.load(golden / "model.onnx").explain(x * 3, "gradient")
    assert (alive == kept).all()


def test_nothing_leaks(golden, x):
    """Loading and explaining again and again takes no more memory."""
    program = """
import gc, resource, sys
import numpy as np
import salience
x = np.load(sys.argv[2])
def once():
    m = salience.load(sys.argv[1], threads=1)
    m.run(x); m.grad(x); e = m.explain(x); e.png(); m.explain(x, "integrated-gradients", steps=4).map.sum()
    try: m.explain(x, why="no such class")
    except salience.Error: pass
def size():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
for _ in range(20): once()
gc.collect(); before = size()
for _ in range(60): once()
gc.collect(); print(size() - before)
"""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc")
    done = subprocess.run([sys.executable, "-c", program, golden / "model.onnx", golden / "input.npy"], check=True,
                          capture_output=True, text=True)
    assert int(done.stdout) < 4 << 20, f"{done.stdout.strip()} bytes more"


# ---- the package itself


def test_import_is_light():
    program = "import sys, salience; print('numpy' in sys.modules, 'PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_program_is_there():
    program = pathlib.Path(salience.__file__).parent / "bin/salience"
    if not program.exists():
        pytest.skip("this build has no program")
    done = subprocess.run([sys.executable, "-m", "salience", "list", "methods"], check=True, capture_output=True,
                          text=True)
    assert "grad-cam" in done.stdout
