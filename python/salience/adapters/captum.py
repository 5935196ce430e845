"""The classes of captum.attr for models that are ONNX files.

    from salience.adapters.captum import IntegratedGradients
    attributions, delta = IntegratedGradients(salience.load("model.onnx")).attribute(
        x, target=207, n_steps=50, return_convergence_delta=True)

Arguments, defaults and results are captum's; the model's output is differentiated as it is. Inputs are one array (or
a tuple with one); further inputs of the model go into additional_forward_args. What draws random numbers takes a
`seed` and draws others than captum does. What an argument asks for that there is not is refused."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from .._lib import Error
from . import _common

__all__ = [
    "Deconvolution", "DeepLift", "DeepLiftShap", "FeatureAblation", "GradientShap", "GuidedBackprop",
    "GuidedGradCam", "InputXGradient", "IntegratedGradients", "InternalInfluence", "KernelShap", "LRP",
    "LayerActivation", "LayerAttribution", "LayerConductance", "LayerGradCam", "LayerGradientXActivation", "Lime",
    "NeuronGradient", "NeuronIntegratedGradients", "NoiseTunnel", "Occlusion", "Saliency", "ShapleyValueSampling",
]

_CHUNK = 8  # samples that a path evaluates together unless internal_batch_size says otherwise


class _Asked:
    """Inputs and target of one call, taken apart."""

    def __init__(self, model: Any, inputs: Any, target: Any = None, extra: Any = None) -> None:
        self.model, self.tuple = model, isinstance(inputs, tuple)
        if self.tuple and len(inputs) != 1:
            raise Error(f"{len(inputs)} inputs at once: explain one, and give the others as additional_forward_args")
        self.given = inputs[0] if self.tuple else inputs
        self.x = _common.floats(self.given)
        more = [] if extra is None else list(extra) if isinstance(extra, tuple) else [extra]
        self.extra = [_common._arrays.asarray(v) for v in more]
        self.target = target
        self._weights: np.ndarray | None = None

    def inputs(self, x: np.ndarray, index: Any = None) -> Any:
        """The model's inputs with x in the first place; of those that have as many samples, those of `index`."""
        n = len(self.x)
        more = [v if index is None or not v.ndim or len(v) != n else v[index] for v in self.extra]
        return [x, *more] if more else x

    @property
    def weights(self) -> np.ndarray:
        if self._weights is None:
            shape = _common.output_shape(self.model, [self.x, *self.extra])
            self._weights = _common.weights(self.target, shape, len(self.x))
        return self._weights

    def out(self, result: np.ndarray) -> Any:
        made = _common.like(self.given, result)
        return (made,) if self.tuple else made

    def gradient(self, x: np.ndarray, index: np.ndarray, wrt: str, of: str | None = None,
                 outputs: tuple[str, ...] = (), seed: np.ndarray | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """d target / d wrt for samples x, of which row i asks the question of self.x[index[i]]."""
        name = self.model._first_output() if of is None else of
        if seed is None:
            shape = _common.output_shape(self.model, [self.x, *self.extra])
            seed = self.weights[index].reshape(len(index), *shape)
        return self.model._grad(self.inputs(x, index), name, wrt, seed, "gradient", outputs)

    def values(self, x: np.ndarray) -> np.ndarray:
        """The target for every sample."""
        name = self.model._first_output()
        got = self.model.run(self.inputs(x), [name])[name]
        return (got.reshape(len(x), -1).astype("float64") * self.weights).sum(1)


def _delta(asked: _Asked, map: np.ndarray, baseline: np.ndarray) -> Any:
    gained = asked.values(asked.x) - asked.values(baseline)
    found = map.reshape(len(map), -1).sum(1, dtype="float64") - gained
    return _common.like(asked.given, found.astype("float32"))


def _baseline(baselines: Any, x: np.ndarray) -> np.ndarray:
    if isinstance(baselines, tuple) and len(baselines) == 1:
        baselines = baselines[0]
    if baselines is None:
        return np.zeros_like(x)
    return np.ascontiguousarray(np.broadcast_to(_common.floats(baselines, "the baseline"), x.shape))


def _scalar(baselines: Any, who: str) -> float:
    array = np.zeros(()) if baselines is None else _common.floats(
        baselines[0] if isinstance(baselines, tuple) else baselines, "the baseline")
    if array.size and (array == array.reshape(-1)[0]).all():
        return float(array.reshape(-1)[0])
    raise Error(f"{who}: every element of the baseline must have one value")


class _Attribution:
    """The base of all: a model."""

    def __init__(self, forward_func: Any) -> None:
        self.model = _common.as_model(forward_func)
        self.forward_func = self.model

    def has_convergence_delta(self) -> bool:
        return False

    @property
    def multiplies_by_inputs(self) -> bool:
        return False


class _Row(_Attribution):
    """A class that is a method of the library."""

    row = ""

    def _map(self, asked: _Asked, batch: int = 0, seed: int = 1, features: Any = None, baselines: Any = None,
             **parameters: Any) -> np.ndarray:
        method = _common.row(self.row, type(self).__name__)
        for name in parameters:
            if name not in {p.name for p in method.parameters}:
                raise Error(f"{type(self).__name__}: the method {self.row} has no parameter {name}")
        names = [v.name for v in self.model.inputs]
        inputs = asked.inputs(asked.x)
        given = dict(zip(names, inputs)) if isinstance(inputs, list) else inputs
        return self.model.explain(given, self.row, why=asked.weights, input=names[0], probabilities=True, batch=batch,
                                  seed=seed, features=features, baselines=baselines, **parameters).map


# ---- gradients


class Saliency(_Row):
    row = "gradient"

    def attribute(self, inputs: Any, target: Any = None, abs: bool = True, additional_forward_args: Any = None) -> Any:
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        map = self._map(asked)
        return asked.out(np.abs(map) if abs else map)


class InputXGradient(_Row):
    row = "gradient-x-input"

    def attribute(self, inputs: Any, target: Any = None, additional_forward_args: Any = None) -> Any:
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        return asked.out(self._map(asked))


class GuidedBackprop(InputXGradient):
    row = "guided-backprop"


class Deconvolution(InputXGradient):
    row = "deconvnet"


class LRP(_Row):
    """captum's default rule: epsilon for every layer."""

    row = "lrp-epsilon"

    def attribute(self, inputs: Any, target: Any = None, additional_forward_args: Any = None,
                  return_convergence_delta: bool = False, verbose: bool = False) -> Any:
        del verbose
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        map = self._map(asked)
        if not return_convergence_delta:
            return asked.out(map)
        delta = asked.values(asked.x) - map.reshape(len(map), -1).sum(1, dtype="float64")
        return asked.out(map), _common.like(asked.given, delta.astype("float32"))

    def has_convergence_delta(self) -> bool:
        return True


class DeepLift(_Row):
    """captum's rule, rescale. One baseline serves all samples."""

    row = "deeplift"

    def __init__(self, model: Any, multiply_by_inputs: bool = True, eps: float = 1e-10) -> None:
        super().__init__(model)
        del eps
        if not multiply_by_inputs:
            raise Error(f"{type(self).__name__}: multiply_by_inputs=False is not there")

    def _references(self, inputs: Any, baselines: Any, x: np.ndarray) -> np.ndarray:
        """What is compared with, as [1, ...]."""
        every = _baseline(baselines, x)
        if (every != every[:1]).any():
            raise Error("DeepLift: the baseline must be the same for all samples")
        return every[:1]

    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  return_convergence_delta: bool = False, custom_attribution_func: Any = None) -> Any:
        if custom_attribution_func is not None:
            raise Error(f"{type(self).__name__}: custom_attribution_func is not there")
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        references = self._references(inputs, baselines, asked.x)
        map = self._map(asked, baselines=references)
        if not return_convergence_delta:
            return asked.out(map)
        # captum tells it for every pair of a sample and a baseline; here the baselines are averaged.
        start = [asked.values(np.ascontiguousarray(np.broadcast_to(r, asked.x.shape))) for r in references]
        delta = map.reshape(len(map), -1).sum(1, dtype="float64") - (asked.values(asked.x) - np.mean(start, 0))
        return asked.out(map), _common.like(asked.given, delta.astype("float32"))

    def has_convergence_delta(self) -> bool:
        return True


class DeepLiftShap(DeepLift):
    """DeepLift averaged over several baselines."""

    row = "deeplift-shap"

    def _references(self, inputs: Any, baselines: Any, x: np.ndarray) -> np.ndarray:
        if baselines is None:
            raise Error("DeepLiftShap needs baselines")
        start = baselines(inputs) if callable(baselines) else baselines
        return _common.floats(start[0] if isinstance(start, tuple) else start, "the baselines")


# ---- along a path


def _quadrature(method: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and positions in 0..1."""
    if method == "gausslegendre":
        at, weight = np.polynomial.legendre.leggauss(n)
        return weight / 2, (1 + at) / 2
    weight = np.full(n, 1 / n)
    if method == "riemann_trapezoid":
        weight[[0, -1]] /= 2
        return weight, np.linspace(0, 1, n)
    shift = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}
    if method not in shift:
        raise Error(f"method must be gausslegendre, riemann_trapezoid or one of {', '.join(shift)}, not {method}")
    return weight, (np.arange(n) + shift[method]) / n


def _along(asked: _Asked, start: np.ndarray, positions: np.ndarray, chunk: int | None,
           visit: Callable[[np.ndarray, np.ndarray, np.ndarray], None]) -> None:
    """Visit the points start + a (x - start) for all samples, a few together: points, sample and position of each."""
    n, size = len(asked.x), max(1, chunk or _CHUNK)
    pairs = [(s, k) for s in range(n) for k in range(len(positions))]
    for at in range(0, len(pairs), size):
        s, k = (np.array(v) for v in zip(*pairs[at : at + size]))
        a = positions[k].astype("float32").reshape(-1, *[1] * (asked.x.ndim - 1))
        visit(start[s] + a * (asked.x[s] - start[s]), s, k)


class IntegratedGradients(_Row):
    """captum's midpoint rule (method="riemann_middle") from a baseline of one value is the library's own method, the
    faster way; the other rules and baselines follow captum point by point."""

    row = "integrated-gradients"

    def __init__(self, forward_func: Any, multiply_by_inputs: bool = True) -> None:
        super().__init__(forward_func)
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply

    def has_convergence_delta(self) -> bool:
        return True

    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  n_steps: int = 50, method: str = "gausslegendre", internal_batch_size: int | None = None,
                  return_convergence_delta: bool = False) -> Any:
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        start = _baseline(baselines, asked.x)
        if method == "riemann_middle" and self._multiply and (start == start.reshape(-1)[0]).all():
            map = self._map(asked, internal_batch_size or 0, steps=n_steps, baseline=float(start.reshape(-1)[0]))
        else:
            map = self._path(asked, start, n_steps, method, internal_batch_size)
        if not return_convergence_delta:
            return asked.out(map)
        return asked.out(map), _delta(asked, map, start)

    def _path(self, asked: _Asked, start: np.ndarray, n_steps: int, method: str, chunk: int | None,
              of: str | None = None, seed: np.ndarray | None = None) -> np.ndarray:
        step, positions = _quadrature(method, n_steps)
        total = np.zeros(asked.x.shape, "float64")
        name = self.model.inputs[0].name

        def visit(x: np.ndarray, s: np.ndarray, k: np.ndarray) -> None:
            gradient = asked.gradient(x, s, name, of, seed=None if seed is None else seed[s])[0]
            np.add.at(total, s, gradient * step[k].reshape(-1, *[1] * (x.ndim - 1)))

        _along(asked, start, positions, chunk, visit)
        return (total * (asked.x - start if self._multiply else 1)).astype("float32")


class GradientShap(_Attribution):
    """Expected gradients: from baselines drawn at random, at random points of the way."""

    def __init__(self, forward_func: Any, multiply_by_inputs: bool = True) -> None:
        super().__init__(forward_func)
        self._multiply = multiply_by_inputs

    def attribute(self, inputs: Any, baselines: Any, n_samples: int = 5, stdevs: float = 0.0, target: Any = None,
                  additional_forward_args: Any = None, return_convergence_delta: bool = False, seed: int = 1) -> Any:
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        every = _common.floats(baselines(inputs) if callable(baselines) else
                               baselines[0] if isinstance(baselines, tuple) else baselines, "the baselines")
        every = every.reshape(1, *every.shape) if every.ndim < asked.x.ndim else every
        rng, name = np.random.default_rng(seed), self.model.inputs[0].name
        total, deltas = np.zeros(asked.x.shape, "float64"), []
        index = np.arange(len(asked.x))
        for _ in range(n_samples):
            start = np.broadcast_to(every[rng.integers(len(every), size=len(asked.x))], asked.x.shape)
            end = asked.x + rng.normal(0, stdevs, asked.x.shape).astype("float32") if stdevs else asked.x
            a = rng.random((len(asked.x), *[1] * (asked.x.ndim - 1))).astype("float32")
            found = asked.gradient(start + a * (end - start), index, name)[0] * (end - start if self._multiply else 1)
            total += found
            if return_convergence_delta:
                gained = asked.values(end) - asked.values(np.ascontiguousarray(start))
                deltas.append(found.reshape(len(found), -1).sum(1, dtype="float64") - gained)
        map = (total / n_samples).astype("float32")
        if not return_convergence_delta:
            return asked.out(map)
        return asked.out(map), _common.like(asked.given, np.stack(deltas, 1).reshape(-1).astype("float32"))


class NoiseTunnel(_Attribution):
    """SmoothGrad and its relatives over any attribution."""

    def __init__(self, attribution_method: Any) -> None:
        super().__init__(attribution_method.model)
        self.attribution_method = attribution_method

    def attribute(self, inputs: Any, nt_type: str = "smoothgrad", nt_samples: int = 5,
                  nt_samples_batch_size: int | None = None, stdevs: Any = 1.0, draw_baseline_from_distrib: bool = False,
                  seed: int = 1, **kwargs: Any) -> Any:
        if nt_type not in ("smoothgrad", "smoothgrad_sq", "vargrad"):
            raise Error(f"nt_type must be smoothgrad, smoothgrad_sq or vargrad, not {nt_type}")
        if draw_baseline_from_distrib or kwargs.get("return_convergence_delta"):
            raise Error("NoiseTunnel: draw_baseline_from_distrib and return_convergence_delta are not there")
        del nt_samples_batch_size
        asked = _Asked(self.model, inputs)
        deviation = float(stdevs[0] if isinstance(stdevs, tuple) else stdevs)
        rng, first, second = np.random.default_rng(seed), 0.0, 0.0
        for _ in range(nt_samples):
            noisy = asked.x + rng.normal(0, deviation, asked.x.shape).astype("float32")
            found = np.asarray(self.attribution_method.attribute(noisy, **kwargs), "float64")
            first, second = first + found / nt_samples, second + found**2 / nt_samples
        kinds = {"smoothgrad": first, "smoothgrad_sq": second, "vargrad": second - first**2}
        return asked.out(np.asarray(kinds[nt_type], "float32"))


# ---- by perturbation


class Occlusion(_Row):
    row = "occlusion"

    def attribute(self, inputs: Any, sliding_window_shapes: Any, strides: Any = None, baselines: Any = None,
                  target: Any = None, additional_forward_args: Any = None, perturbations_per_eval: int = 1,
                  show_progress: bool = False) -> Any:
        del show_progress
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        window = tuple(sliding_window_shapes[0] if isinstance(sliding_window_shapes[0], tuple)
                       else sliding_window_shapes)
        if isinstance(strides, tuple) and strides and isinstance(strides[0], tuple):
            strides = strides[0]
        step = (strides or 1,) * len(window) if not isinstance(strides, tuple) else tuple(strides)
        channels = asked.x.shape[1] if asked.x.ndim > 2 else None
        if channels is not None and window[0] == channels:
            window, step = window[1:], step[1:]
        elif channels is not None:
            raise Error(f"Occlusion: the window must cover all {channels} channels")
        if len(set(window)) != 1 or len(set(step)) != 1:
            raise Error("Occlusion: the window and the strides must be the same along all axes")
        if (baselines is not None) and not np.isscalar(baselines):
            baselines = _scalar(baselines, "Occlusion")
        return asked.out(self._map(asked, 0 if perturbations_per_eval <= 1 else perturbations_per_eval,
                                   window=window[0], stride=step[0], baseline=float(baselines or 0)))


class FeatureAblation(_Row):
    """feature_mask: whole numbers, equal where elements go together; None: every element alone."""

    row = "feature-ablation"

    def _features(self, feature_mask: Any, x: np.ndarray) -> np.ndarray:
        if feature_mask is None:
            return np.arange(x[0].size, dtype="int32").reshape(x.shape[1:])
        mask = _common._arrays.asarray(feature_mask[0] if isinstance(feature_mask, tuple) else feature_mask)
        if mask.ndim == x.ndim:
            if len(mask) > 1 and (mask != mask[:1]).any():
                raise Error(f"{type(self).__name__}: one feature_mask serves all samples")
            mask = mask[0]
        _, numbered = np.unique(np.broadcast_to(mask, x.shape[1:]), return_inverse=True)
        return np.ascontiguousarray(numbered.reshape(x.shape[1:]), "int32")

    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  feature_mask: Any = None, perturbations_per_eval: int = 1, show_progress: bool = False,
                  **kwargs: Any) -> Any:
        del show_progress
        return self._removed(inputs, baselines, target, additional_forward_args, feature_mask,
                             perturbations_per_eval, **kwargs)

    def _removed(self, inputs: Any, baselines: Any, target: Any, extra: Any, feature_mask: Any, batch: int,
                 seed: int = 1, **parameters: Any) -> Any:
        asked = _Asked(self.model, inputs, target, extra)
        _common.row(self.row, type(self).__name__)
        return asked.out(self._map(asked, 0 if batch <= 1 else batch, seed, self._features(feature_mask, asked.x),
                                   baseline=_scalar(baselines, type(self).__name__), **parameters))


class ShapleyValueSampling(FeatureAblation):
    row = "shapley-value-sampling"

    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  feature_mask: Any = None, n_samples: int = 25, perturbations_per_eval: int = 1,
                  show_progress: bool = False, seed: int = 1) -> Any:
        del show_progress
        return self._removed(inputs, baselines, target, additional_forward_args, feature_mask,
                             perturbations_per_eval, seed, samples=n_samples)


class KernelShap(ShapleyValueSampling):
    row = "kernel-shap"


class Lime(FeatureAblation):
    """The library's weights and regression (ridge), not captum's defaults: see its method lime."""

    row = "lime"

    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  feature_mask: Any = None, n_samples: int = 25, perturbations_per_eval: int = 1,
                  return_input_shape: bool = True, show_progress: bool = False, seed: int = 1) -> Any:
        del show_progress
        if not return_input_shape:
            raise Error("Lime: return_input_shape=False is not there")
        return self._removed(inputs, baselines, target, additional_forward_args, feature_mask,
                             perturbations_per_eval, seed, samples=n_samples)


# ---- layers and neurons


class LayerAttribution(_Attribution):
    """The base of what looks at a layer; `layer` is the name of a value."""

    def __init__(self, forward_func: Any, layer: Any, device_ids: Any = None) -> None:
        super().__init__(forward_func)
        del device_ids
        self.layer = _common.layer_name(layer)
        self.model.value(self.layer)

    def _plain(self, attribute_to_layer_input: bool) -> None:
        if attribute_to_layer_input:
            raise Error("attribute_to_layer_input: give the name of the layer's input instead")

    @staticmethod
    def interpolate(layer_attribution: Any, interpolate_dims: Any, interpolate_mode: str = "nearest") -> Any:
        """To another size of the last two dimensions: "nearest" or "bilinear"."""
        x = _common.floats(layer_attribution, "the attribution")
        dims = (interpolate_dims,) * 2 if isinstance(interpolate_dims, int) else tuple(interpolate_dims)
        if interpolate_mode == "nearest":
            for axis, size in zip((-2, -1), dims):
                x = np.take(x, np.arange(size) * x.shape[axis] // size, axis)
        elif interpolate_mode == "bilinear":
            x = _common.resize(x, *dims)
        else:
            raise Error(f"interpolate_mode must be nearest or bilinear, not {interpolate_mode}")
        return _common.like(layer_attribution, np.ascontiguousarray(x))


class LayerActivation(LayerAttribution):
    def attribute(self, inputs: Any, additional_forward_args: Any = None, attribute_to_layer_input: bool = False) -> Any:
        self._plain(attribute_to_layer_input)
        asked = _Asked(self.model, inputs, None, additional_forward_args)
        return _common.like(asked.given, self.model.run(asked.inputs(asked.x), [self.layer])[self.layer])


class LayerGradientXActivation(LayerAttribution):
    def __init__(self, forward_func: Any, layer: Any, device_ids: Any = None, multiply_by_inputs: bool = True) -> None:
        super().__init__(forward_func, layer, device_ids)
        self._multiply = multiply_by_inputs

    def attribute(self, inputs: Any, target: Any = None, additional_forward_args: Any = None,
                  attribute_to_layer_input: bool = False) -> Any:
        self._plain(attribute_to_layer_input)
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        g, held = asked.gradient(asked.x, np.arange(len(asked.x)), self.layer, outputs=(self.layer,))
        return _common.like(asked.given, g * held[self.layer] if self._multiply else g)


class LayerGradCam(LayerAttribution):
    """Signed, at the layer's size, as captum's; the methods grad-cam and hires-cam of the library have the ReLU."""

    def attribute(self, inputs: Any, target: Any = None, additional_forward_args: Any = None,
                  attribute_to_layer_input: bool = False, relu_attributions: bool = False,
                  attr_dim_summation: bool = True) -> Any:
        self._plain(attribute_to_layer_input)
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        g, held = asked.gradient(asked.x, np.arange(len(asked.x)), self.layer, outputs=(self.layer,))
        space = tuple(range(2, g.ndim))
        found = g.mean(space, keepdims=True, dtype="float64") * held[self.layer]
        found = found.sum(1, keepdims=True) if attr_dim_summation else found
        found = np.maximum(found, 0) if relu_attributions else found
        return _common.like(asked.given, np.asarray(found, "float32"))


class GuidedGradCam(_Attribution):
    """Guided backpropagation times the layer's Grad-CAM."""

    def __init__(self, model: Any, layer: Any, device_ids: Any = None) -> None:
        super().__init__(model)
        self._cam, self._guided = LayerGradCam(self.model, layer, device_ids), GuidedBackprop(self.model)

    def attribute(self, inputs: Any, target: Any = None, additional_forward_args: Any = None,
                  interpolate_mode: str = "nearest", attribute_to_layer_input: bool = False) -> Any:
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        cam = self._cam.attribute(asked.x, target, additional_forward_args, attribute_to_layer_input, True)
        guided = self._guided.attribute(asked.x, target, additional_forward_args)
        return asked.out(LayerAttribution.interpolate(cam, guided.shape[2:], interpolate_mode) * guided)


class _LayerPath(LayerAttribution):
    def _collect(self, asked: _Asked, start: np.ndarray, positions: np.ndarray,
                 chunk: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Gradients and activations of the layer, [samples, positions, ...]."""
        shape = self.model.run(asked.inputs(asked.x), [self.layer])[self.layer].shape[1:]
        g = np.empty((len(asked.x), len(positions), *shape), "float32")
        a = np.empty_like(g)

        def visit(x: np.ndarray, s: np.ndarray, k: np.ndarray) -> None:
            g[s, k], held = asked.gradient(x, s, self.layer, outputs=(self.layer,))
            a[s, k] = held[self.layer]

        _along(asked, start, positions, chunk, visit)
        return g, a


class LayerConductance(_LayerPath):
    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  n_steps: int = 50, method: str = "gausslegendre", internal_batch_size: int | None = None,
                  return_convergence_delta: bool = False, attribute_to_layer_input: bool = False) -> Any:
        self._plain(attribute_to_layer_input)
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        start = _baseline(baselines, asked.x)
        _, positions = _quadrature(method, n_steps + 1)
        g, a = self._collect(asked, start, positions, internal_batch_size)
        found = (np.diff(a.astype("float64"), axis=1) * g[:, :-1]).sum(1).astype("float32")
        made = _common.like(asked.given, found)
        return (made, _delta(asked, found, start)) if return_convergence_delta else made


class InternalInfluence(_LayerPath):
    def attribute(self, inputs: Any, baselines: Any = None, target: Any = None, additional_forward_args: Any = None,
                  n_steps: int = 50, method: str = "gausslegendre", internal_batch_size: int | None = None,
                  attribute_to_layer_input: bool = False) -> Any:
        self._plain(attribute_to_layer_input)
        asked = _Asked(self.model, inputs, target, additional_forward_args)
        step, positions = _quadrature(method, n_steps)
        g, _ = self._collect(asked, _baseline(baselines, asked.x), positions, internal_batch_size)
        return _common.like(asked.given, np.einsum("k,sk...->s...", step, g).astype("float32"))


def _neuron(model: Any, asked: _Asked, layer: str, selector: Any) -> np.ndarray:
    """One where the neuron is, in the layer's shape."""
    if callable(selector):
        raise Error("neuron_selector must be an index or a tuple of indices")
    shape = model.run(asked.inputs(asked.x), [layer])[layer].shape
    seed, index = np.zeros(shape, "float32"), selector if isinstance(selector, tuple) else (selector,)
    if len(index) != len(shape) - 1:
        raise Error(f"neuron_selector: {layer} has {len(shape) - 1} indices a sample, not {len(index)}")
    try:
        seed[(slice(None), *index)] = 1
    except IndexError:
        raise Error(f"neuron_selector {selector} is none of a layer of shape {list(shape[1:])}") from None
    return seed


class NeuronGradient(LayerAttribution):
    def attribute(self, inputs: Any, neuron_selector: int | Sequence[int], additional_forward_args: Any = None,
                  attribute_to_neuron_input: bool = False) -> Any:
        self._plain(attribute_to_neuron_input)
        asked = _Asked(self.model, inputs, None, additional_forward_args)
        seed = _neuron(self.model, asked, self.layer, neuron_selector)
        name = self.model.inputs[0].name
        return asked.out(asked.gradient(asked.x, np.arange(len(asked.x)), name, self.layer, seed=seed)[0])


class NeuronIntegratedGradients(LayerAttribution):
    def attribute(self, inputs: Any, neuron_selector: int | Sequence[int], baselines: Any = None,
                  additional_forward_args: Any = None, n_steps: int = 50, method: str = "gausslegendre",
                  internal_batch_size: int | None = None, attribute_to_neuron_input: bool = False) -> Any:
        self._plain(attribute_to_neuron_input)
        asked = _Asked(self.model, inputs, None, additional_forward_args)
        seed = _neuron(self.model, asked, self.layer, neuron_selector)
        path = IntegratedGradients(self.model)
        return asked.out(path._path(asked, _baseline(baselines, asked.x), n_steps, method, internal_batch_size,
                                    self.layer, seed))
