"""`bench/run --set methods`: every method that captum or pytorch-grad-cam has as well.

Both sides explain the same class of the same photo with the same parameters and the same random
draws; the peers stay loaded, one process a model.  A row holds the time of both, how alike the maps
are and what share of the machine's arithmetic ours reached.
"""

import collections
import json
import math
import os
import statistics
import subprocess
import sys
import time

LITE, RESNET, VIT, SMALL = "efficientnet-lite0", "resnet50", "vit-b16", "vit-tiny"
STEPS = {LITE: 10, RESNET: 10, VIT: 4, SMALL: 10}
GRID = {LITE: 7, RESNET: 7, VIT: 4, SMALL: 4}
SIZE = {LITE: 224, RESNET: 224, VIT: 224, SMALL: 32}

# params: of both sides; ours, peer: of one side only; same: are the maps the same by definition;
# passes: nominal forward (derivatives by the input alone cost as much) passes, None: not counted;
# bar: least ratio; once: measured in the first round only.
Row = collections.namedtuple("Row", "method model params ours peer same passes bar once")

SINGLE = (
    ("saliency", 2),
    ("gradient-x-input", 2),
    ("layer-activation", 1),
    ("layer-gradient-x-activation", None),
    ("neuron-gradient", 2),
    ("grad-cam", None),
    ("grad-cam++", None),
    ("hires-cam", None),
    ("layer-cam", None),
    ("xgrad-cam", None),
    ("grad-cam-elementwise", None),
    ("shapley-cam", None),
    ("eigen-cam", 1),
    ("eigen-grad-cam", None),
    ("kpca-cam", 1),
)
STEPPED = (
    ("integrated-gradients", 2),
    ("layer-integrated-gradients", None),
    ("layer-conductance", None),
    ("internal-influence", None),
    ("neuron-integrated-gradients", 2),
    ("neuron-conductance", None),
)
SAMPLED = ("smooth-grad", "smooth-grad-squared", "var-grad", "gradient-shap")


def rows():
    table = []

    def add(
        method, model, params=(), ours=(), peer=(), same=True, passes=None, bar=1.5, once=False
    ):
        table.append(
            Row(method, model, dict(params), tuple(ours), dict(peer), same, passes, bar, once)
        )

    for model in (LITE, RESNET, VIT):
        for method, passes in SINGLE:
            if method == "shapley-cam" and model != VIT:
                continue  # pytorch-grad-cam fails where the head is linear
            add(method, model, {"neuron": None} if "neuron" in method else {}, passes=passes)
        for method, passes in STEPPED:
            steps = STEPS[model]
            params = {"steps": steps}
            if "neuron" in method:
                params["neuron"] = None
            # captum's sum over the path is another one
            same = method != "layer-conductance"
            add(method, model, params, same=same, passes=passes and passes * steps)
        for method in SAMPLED:
            add(method, model, {"samples": STEPS[model]}, passes=2 * STEPS[model])
        perturb(add, model)
    for model in (LITE, RESNET):
        for method in ("guided-backprop", "deconvnet"):
            # as ReLU and a clip, ReLU6 stops the gradient above 6, which a deconvnet does not
            add(method, model, same=method != "deconvnet" or model != LITE, passes=2)
        add("guided-grad-cam", model)
        # that of pytorch-grad-cam reads batch normalisation in another way
        add("full-grad", model, same=False)
    # captum's DeepLIFT refuses the other network, which uses modules twice. Here, its rectifiers see
    # gradients from before other rules changed them wherever their output is used more than once.
    add("deeplift", RESNET, same=False, passes=4)
    add("deeplift-shap", RESNET, {"samples": 4}, same=False, passes=16)
    # all channels of the layer, each a pass through the whole network
    align = ("--param", "align=1")
    add("score-cam", LITE, ours=align, passes=1280, bar=5.0, once=True)
    early = ("--param", "layer=/stages/stages.0/stages.0.2/relu/Relu_output_0")
    module = {"module": "stages.0"}
    add("score-cam", RESNET, (), align + early, module, passes=256, bar=5.0, once=True)
    add("score-cam", SMALL, ours=align, passes=48, bar=5.0)
    add("ablation-cam", LITE, bar=5.0, once=True)
    add("ablation-cam", RESNET, bar=5.0, once=True)
    # pytorch-grad-cam puts -1e7 where a layer has negative values
    add("ablation-cam", SMALL, ours=("--param", "value=-1e7"), bar=5.0)
    return table


def perturb(add, model):
    grid, size = GRID[model], SIZE[model]
    cells = grid * grid
    window, stride = (64, 32) if model != VIT else (56, 56)
    windows = (math.ceil((size - window) / stride) + 1) ** 2
    add("occlusion", model, {"window": window, "stride": stride}, passes=windows)
    grid = {"grid": grid}
    add("feature-ablation", model, grid, passes=cells)
    add("shapley-value-sampling", model, dict(grid, samples=2), passes=2 * cells)
    samples = 2 * cells
    # four samples a feature: with fewer the regression is all but singular
    few = {"grid": min(GRID[model], 5)}
    few["samples"] = 4 * few["grid"] ** 2
    add("kernel-shap", model, few, passes=few["samples"])
    add("lime", model, dict(grid, samples=samples), ours=("--param", "segments=0"), passes=samples)


def own_rows():
    """Computing only what a change reaches against computing everything."""
    table = []
    for method, params in (
        ("occlusion", {"window": 16, "stride": 16}),
        ("occlusion", {"window": 8, "stride": 32}),
        ("feature-ablation", {"grid": 14}),
    ):
        table.append(Row(method, RESNET, params, (), None, True, None, 4.0, False))
    return table


class Peers:
    """A process of peers/methods.py for each model, started when first needed."""

    def __init__(self, options, root, image, folder):
        self.options, self.folder, self.root, self.image = options, folder, root, image
        self.running, self.greetings = {}, {}

    def photo(self, model):
        return os.path.join(self.folder, model + ".npy")

    def start(self, model):
        if model in self.running:
            return
        self.running[model] = subprocess.Popen(
            [
                self.options.python,
                os.path.join(self.root, "bench", "peers", "methods.py"),
                model,
                "--models",
                self.options.models,
                "--image",
                self.image,
                "--x",
                self.photo(model),
                "--threads",
                str(self.options.threads),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=dict(os.environ, OMP_NUM_THREADS=str(self.options.threads)),
        )
        self.greetings[model] = self.answer(model)

    def answer(self, model):
        text = self.running[model].stdout.readline()
        if not text:
            raise RuntimeError("the peers of %s ended" % model)
        return json.loads(text)

    def measure(self, row, params, path, seconds):
        request = {"method": row.method, "params": dict(params, **row.peer), "map": path}
        request["seconds"] = seconds
        self.running[row.model].stdin.write(json.dumps(request) + "\n")
        self.running[row.model].stdin.flush()
        answer = self.answer(row.model)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self):
        for process in self.running.values():
            process.stdin.close()
            process.wait()


def pearson(options, one, other):
    """Of two .npy files, by the peers' Python; 1 where both are zero everywhere."""
    code = (
        "import numpy, sys; a, b = (numpy.load(f).astype('d').ravel() for f in sys.argv[1:]); "
        "print('nan' if a.size != b.size else 1.0 if not a.any() and not b.any() else "
        "numpy.corrcoef(a, b)[0, 1])"
    )
    result = subprocess.run(
        [options.python, "-c", code, one, other],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    )
    return float(result.stdout)


class Run:
    def __init__(self, options, root, folder, last_json):
        self.options, self.folder, self.last_json = options, folder, last_json
        image = os.path.join(root, "examples", "images", "dog_and_cat.png")
        self.peers = Peers(options, root, image, folder)
        self.alike = {}

    def ours(self, row, params, path, fast, more=()):
        command = [
            self.options.salience,
            "bench",
            os.path.join(self.options.models, row.model, "model.onnx"),
            "--in",
            self.peers.photo(row.model),
            "--method",
            row.method,
            "--threads",
            str(self.options.threads),
            "--repeat",
            "20" if fast else "2",
            "--json",
        ]
        for key, value in params.items():
            command += ["--param", "%s=%s" % (key, value)]
        if path:
            layer = row.method.endswith("cam") and row.method != "guided-grad-cam"
            layer = layer or "cam" in row.method and row.method != "guided-grad-cam"
            layer = layer or row.method.startswith(("layer-", "internal-"))
            command += ["--raw-layer" if layer else "--raw", path]
        return self.last_json(
            command + list(row.ours) + list(more),
            dict(os.environ, OMP_NUM_THREADS=str(self.options.threads)),
        )

    def once(self, row, turn):
        """{side: result}; the sides swap places from round to round."""
        self.peers.start(row.model)
        params = {
            key: self.peers.greetings[row.model]["neuron"] if value is None else value
            for key, value in row.params.items()
        }
        fast = row.method in dict(SINGLE) or "back" in row.method or row.method == "deconvnet"
        paths = [os.path.join(self.folder, side + ".npy") for side in ("ours", "peer")]
        results = {}
        for side in ("ours", "peer") if turn % 2 == 0 else ("peer", "ours"):
            path = paths[side == "peer"] if turn == 0 else None
            if side == "ours":
                results[side] = self.ours(row, params, path, fast)
            elif row.peer is None:
                results[side] = self.ours(row, params, path, fast, ("--whole",))
            else:
                results[side] = self.peers.measure(
                    row, params, path, self.options.seconds if fast else 0.5
                )
        if turn == 0:
            self.alike[id(row)] = pearson(self.options, *paths)
        return results


def measure(options, selected, root, folder, last_json):
    """[(row, {side: [result of each round]})], how alike the maps are"""
    run = Run(options, root, folder, last_json)
    results = [(row, {"ours": [], "peer": [], "problem": ""}) for row in selected]
    try:
        for turn in range(options.rounds):
            for row, sides in results:
                if sides["problem"] or (row.once and turn > 0):
                    continue
                begin = time.perf_counter()
                try:
                    for side, result in run.once(row, turn).items():
                        sides[side].append(result)
                except (RuntimeError, OSError, ValueError, subprocess.CalledProcessError) as why:
                    sides["problem"] = str(why)
                print(
                    "round %d: %s, %s: %.1f s %s"
                    % (
                        turn + 1,
                        name(row),
                        row.model,
                        time.perf_counter() - begin,
                        sides["problem"],
                    ),
                    file=sys.stderr,
                )
    finally:
        run.peers.close()
    return results, run.alike


def name(row):
    text = " ".join("%s %s" % item for item in row.params.items() if item[1] is not None)
    text = row.method + (", " + text if text else "")
    return text + (" / the whole model each time" if row.peer is None else "")


def work(options, model):
    """Multiply-adds of a forward pass."""
    result = subprocess.run(
        [
            options.salience,
            "inspect",
            os.path.join(options.models, model, "model.onnx"),
            "--json",
        ],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    )
    return json.loads(result.stdout)["macs"]


def report(options, results, alike):
    peak = options.peak
    macs = {model: work(options, model) for model in {row.model for row, _ in results}}
    ratios, low, out = [], 0, []
    out += [
        "| method | model | Salience | peer | ratio | bar | reached | Pearson | share of peak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row, sides in results:
        if sides["problem"]:
            out.append("| %s | %s | %s |" % (name(row), row.model, sides["problem"]))
            continue
        best = {side: min(item["min_ms"] for item in sides[side]) for side in ("ours", "peer")}
        ratio = best["peer"] / best["ours"]
        if row.peer is not None:
            ratios.append(ratio)
            low += ratio < 1.5
        share = ""
        if row.passes:
            share = "%.0f %%" % (100 * 2 * macs[row.model] * row.passes / best["ours"] / 1e6 / peak)
        r = alike.get(id(row))
        text = "" if r is None else "%.5f" % r + ("" if row.same else " (other rule)")
        if row.same and not (r is not None and r >= 0.999):
            text = "**%s**" % text
        cells = [
            "%.3g / %.3g" % (best[side], statistics.median(i["median_ms"] for i in sides[side]))
            for side in ("ours", "peer")
        ]
        out.append(
            "| %s | %s | %s | %s | %.2f | %.1f | %s | %s | %s |"
            % (
                name(row),
                row.model,
                cells[0],
                cells[1],
                ratio,
                row.bar,
                "yes" if ratio >= row.bar else "**no**",
                text,
                share,
            )
        )
    if ratios:
        out += [
            "",
            "Peak: %.0f GFLOP/s; work is 2 x multiply-adds x passes, nominal also where less is computed. "
            "%d rows with a peer: median ratio %.2f, least %.2f, %d below 1.5."
            % (peak, len(ratios), statistics.median(ratios), min(ratios), low),
        ]
    return "\n".join(out) + "\n"
