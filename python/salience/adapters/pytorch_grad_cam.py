"""The classes of pytorch_grad_cam for models that are ONNX files.

    from salience.adapters.pytorch_grad_cam import GradCAM, ClassifierOutputTarget, show_cam_on_image
    with GradCAM(model=salience.load("model.onnx"), target_layers=["/layer4/layer4.1/relu_1/Relu_output_0"]) as cam:
        maps = cam(input_tensor=x, targets=[ClassifierOutputTarget(281)])     # float32 [N, H, W], 0 to 1

target_layers: names of values of the file; None: the layer that the library finds. Maps are scaled as there: each by
its own smallest and largest value, before and after it is brought to the input's size."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .. import _abi
from .._lib import Error, lib
from . import _common

__all__ = [
    "AblationCAM", "BinaryClassifierOutputTarget", "ClassifierOutputSoftmaxTarget", "ClassifierOutputTarget",
    "EigenCAM", "EigenGradCAM", "GradCAM", "GradCAMElementWise", "GradCAMPlusPlus", "HiResCAM", "KPCA_CAM",
    "LayerCAM", "RawScoresOutputTarget", "ScoreCAM", "ShapleyCAM", "XGradCAM", "scale_cam_image",
    "show_cam_on_image",
]


class ClassifierOutputTarget:
    """The score of one class."""

    def __init__(self, category: int) -> None:
        self.category = int(category)

    def weights(self, scores: np.ndarray) -> np.ndarray:
        found = np.zeros_like(scores)
        try:
            found.reshape(-1)[self.category] = 1
        except IndexError:
            raise Error(f"category {self.category} is none of {scores.size} classes") from None
        return found


class ClassifierOutputSoftmaxTarget(ClassifierOutputTarget):
    """The probability of one class: its derivative by the scores, at these scores."""

    def weights(self, scores: np.ndarray) -> np.ndarray:
        p = np.exp(scores - scores.max())
        p = p / p.sum()
        return p.reshape(-1)[self.category] * (super().weights(scores) - p)


class BinaryClassifierOutputTarget:
    """The only score, or its opposite."""

    def __init__(self, category: int) -> None:
        self.category = int(category)

    def weights(self, scores: np.ndarray) -> np.ndarray:
        return np.full_like(scores, 1 if self.category == 1 else -1)


class RawScoresOutputTarget:
    """The sum of the scores."""

    def weights(self, scores: np.ndarray) -> np.ndarray:
        return np.ones_like(scores)


def scale_cam_image(cam: np.ndarray, target_size: tuple[int, int] | None = None) -> np.ndarray:
    """Each map from 0 to 1; target_size is (width, height)."""
    low = cam - cam.min((-2, -1), keepdims=True)
    scaled = np.float32(low / (1e-7 + low.max((-2, -1), keepdims=True)))
    return scaled if target_size is None else np.float32(_common.resize(scaled, target_size[1], target_size[0]))


class _BaseCAM:
    """A method of the library that looks at a layer."""

    row = ""
    parameters: dict[str, float] = {}

    def __init__(self, model: Any, target_layers: Sequence[str] | None = None, reshape_transform: Any = None,
                 **options: Any) -> None:
        self.model = _common.as_model(model)
        if reshape_transform is not None:
            raise Error("reshape_transform: the grid of tokens is found from the model, leave it out")
        options.pop("use_cuda", None)
        if options:
            raise Error(f"{type(self).__name__} takes no {', '.join(options)}")
        _common.row(self.row, type(self).__name__)
        layers = target_layers if target_layers else [None]
        self.target_layers = [None if layer is None else _common.layer_name(layer) for layer in layers]
        self.outputs: np.ndarray | None = None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_error: Any) -> None:
        return None

    def __call__(self, input_tensor: Any, targets: Sequence[Any] | None = None, aug_smooth: bool = False,
                 eigen_smooth: bool = False) -> np.ndarray:
        return self.forward(input_tensor, targets, aug_smooth, eigen_smooth)

    def forward(self, input_tensor: Any, targets: Sequence[Any] | None = None, aug_smooth: bool = False,
                eigen_smooth: bool = False) -> np.ndarray:
        """Maps [N, H, W] from 0 to 1. targets: one for each sample, or one for all; None: the top class."""
        if aug_smooth or eigen_smooth:
            raise Error("aug_smooth and eigen_smooth are not there; the classes EigenCAM and EigenGradCAM are")
        x = _common.floats(input_tensor)
        if x.ndim != 4:
            raise Error(f"input_tensor must be [N, C, H, W], not {list(x.shape)}", "SHAPE")
        name = self.model._first_output()
        self.outputs = scores = self.model.run(x, [name])[name]
        question = self._weights(scores, targets)
        each = []
        for layer in self.target_layers:
            e = self.model.explain(x, self.row, why=question, layer=layer, probabilities=True, **self.parameters)
            cam = np.maximum(e.layer_map if e.layer_map is not None else e.map, 0)
            each.append(scale_cam_image(cam, (x.shape[3], x.shape[2])))
        return scale_cam_image(np.maximum(np.mean(each, 0), 0))

    @staticmethod
    def _weights(scores: np.ndarray, targets: Sequence[Any] | None) -> np.ndarray:
        n = len(scores)
        if targets is None:
            targets = [ClassifierOutputTarget(int(row.reshape(-1).argmax())) for row in scores]
        targets = list(targets) * n if len(targets) == 1 else list(targets)
        if len(targets) != n:
            raise Error(f"{len(targets)} targets for {n} samples")
        for target in targets:
            if not hasattr(target, "weights") and not hasattr(target, "category"):
                raise Error(f"{type(target).__name__} is no target that can be written as weights of the scores: "
                            "take those of this module")
        # Those of pytorch_grad_cam itself are known by their names.
        own = [t if hasattr(t, "weights") else globals().get(type(t).__name__, ClassifierOutputTarget)(t.category)
               for t in targets]
        return np.stack([t.weights(row.astype("float64")).reshape(-1) for t, row in zip(own, scores)]).astype("float32")


class GradCAM(_BaseCAM):
    row = "grad-cam"


class GradCAMPlusPlus(_BaseCAM):
    row = "grad-cam++"


class HiResCAM(_BaseCAM):
    row = "hires-cam"


class LayerCAM(_BaseCAM):
    row = "layer-cam"


class XGradCAM(_BaseCAM):
    row = "xgrad-cam"


class GradCAMElementWise(_BaseCAM):
    row = "grad-cam-elementwise"


class ShapleyCAM(_BaseCAM):
    row = "shapley-cam"


class EigenCAM(_BaseCAM):
    row = "eigen-cam"


class EigenGradCAM(_BaseCAM):
    row = "eigen-grad-cam"


class KPCA_CAM(_BaseCAM):
    row = "kpca-cam"


class AblationCAM(_BaseCAM):
    row = "ablation-cam"


class ScoreCAM(_BaseCAM):
    row = "score-cam"
    parameters = {"align": 1}  # masks as pytorch_grad_cam enlarges them


def show_cam_on_image(img: np.ndarray, mask: np.ndarray, use_rgb: bool = False, colormap: int | None = None,
                      image_weight: float = 0.5) -> np.ndarray:
    """The map over a picture of floats from 0 to 1, uint8 [H, W, 3]. The colours are viridis, in which equal steps
    look equal, not OpenCV's jet."""
    if colormap is not None:
        raise Error("colormap: the colours are viridis")
    if not 0 <= image_weight <= 1:
        raise Error(f"image_weight must be from 0 to 1, not {image_weight}")
    if np.max(img) > 1:
        raise Error("the picture must hold floats from 0 to 1")
    table, rgb = np.empty((256, 3), "float32"), (_abi.c.c_uint8 * 3)()
    for i in range(256):
        lib.sal_scale_color(rgb, i / 255, False)
        table[i] = rgb[:]
    heat = table[np.clip(np.asarray(mask) * 255, 0, 255).astype("uint8")] / 255
    mixed = (1 - image_weight) * (heat if use_rgb else heat[..., ::-1]) + image_weight * img
    return np.uint8(255 * mixed / max(float(mixed.max()), 1e-7))
