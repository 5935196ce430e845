"""A folder of golden maps, as make_methods.py describes it."""

import json
import os

import captum
import numpy
import torch

ATTRIBUTION, CAM = 0.9999, 0.999


class Folder:
    """Collects the files of one model."""

    def __init__(self, path, net, x, target):
        self.path, self.net, self.x, self.target = path, net, x, target
        self.cases = []
        os.makedirs(path, exist_ok=True)

    def save(self, name, array):
        array = numpy.asarray(array.detach() if isinstance(array, torch.Tensor) else array)
        numpy.save(os.path.join(self.path, name), numpy.ascontiguousarray(array, numpy.float32))
        return name

    def add(self, method, file, array, params=None, kind="attribution", library="captum", **more):
        """`absolute` is the largest difference that rounding in float32 explains, generously."""
        array = numpy.asarray(array.detach() if isinstance(array, torch.Tensor) else array)
        if not numpy.isfinite(array).all() or array.std() == 0:
            raise RuntimeError("%s: the reference is constant or not finite" % file)
        case = {
            "method": method,
            "params": params or {},
            "kind": kind,
            "of": library,
            "pearson": ATTRIBUTION if kind == "attribution" else CAM,
            "file": self.save(file + ".npy", array),
        }
        if kind != "cam-library":
            case["absolute"] = float(1e-4 * numpy.abs(array).max())
        case.update(more)
        case = {key: value for key, value in case.items() if value is not None}
        self.cases.append(case)

    def finish(self, **more):
        meta = {
            "model": "model.onnx",
            "input": self.save("input.npy", self.x),
            "target": self.target,
            "captum": captum.__version__,
            "grad-cam": "1.5.7",
        }
        meta.update(more)
        meta["cases"] = self.cases
        with open(os.path.join(self.path, "meta.json"), "w", encoding="utf-8") as file:
            json.dump(meta, file, indent=1)
            file.write("\n")
