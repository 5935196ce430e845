"""The adapters against the libraries whose names they carry, on networks exported by PyTorch."""

import sys
import warnings

import numpy as np
import pytest

import salience

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("captum.attr")

from captum.attr._utils.lrp_rules import EpsilonRule  # noqa: E402

from salience.adapters import captum as ours  # noqa: E402
from salience.adapters import pytorch_grad_cam as cams  # noqa: E402


class Net(torch.nn.Module):
    """Small, with everything that methods treat in their own way."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.relu1 = torch.nn.ReLU()
        self.pool = torch.nn.MaxPool2d(2)
        self.conv2 = torch.nn.Conv2d(8, 12, 3, padding=1)
        self.relu2 = torch.nn.ReLU()
        self.head = torch.nn.Linear(12, 5)

    def forward(self, x):
        x = self.pool(self.relu1(self.conv1(x)))
        return self.head(self.relu2(self.conv2(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    torch.manual_seed(3)
    net = Net().eval()
    x = torch.randn(2, 3, 16, 16)
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), str(path), input_names=["x"], output_names=["y"], dynamo=False,
                          dynamic_axes={"x": {0: "N"}, "y": {0: "N"}})
    model = salience.load(path, threads=1)
    layers = [line for line in model.graph().split() if "relu2" in line and "Relu_output" in line]
    name = next(word.strip("%,():=") for word in layers)
    return net, model, x, name


def agree(got, want, bound=2e-4):
    got, want = np.asarray(got.detach() if hasattr(got, "detach") else got), want.detach().numpy()
    assert got.shape == want.shape
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] >= 0.9999
    assert np.abs(got - want).max() <= bound * np.abs(want).max()


SAME = [
    ("Saliency", {}, {}), ("Saliency", {}, {"abs": False}), ("InputXGradient", {}, {}), ("GuidedBackprop", {}, {}),
    ("Deconvolution", {}, {}), ("IntegratedGradients", {}, {"n_steps": 20}),
    ("IntegratedGradients", {}, {"n_steps": 20, "method": "riemann_middle"}),
    ("IntegratedGradients", {}, {"n_steps": 20, "method": "riemann_trapezoid", "internal_batch_size": 4}),
    ("IntegratedGradients", {}, {"n_steps": 20, "method": "riemann_left", "baselines": 0.5}),
    ("IntegratedGradients", {"multiply_by_inputs": False}, {"n_steps": 10}),
    ("Occlusion", {}, {"sliding_window_shapes": (3, 4, 4), "strides": (3, 2, 2)}),
    ("Occlusion", {}, {"sliding_window_shapes": (3, 5, 5), "baselines": 0.3}),
    ("LRP", {}, {}), ("DeepLift", {}, {}),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "made", "asked"), SAME)
@pytest.mark.parametrize("target", [3, [1, 4]])
def test_the_same_as_captum(pair, name, made, asked, target):
    net, model, x, _ = pair
    if name in ("LRP", "DeepLift"):
        class Plain(torch.nn.Module):  # captum's LRP knows no mean()
            def __init__(self):
                super().__init__()
                self.body = torch.nn.Sequential(net.conv1, net.relu1, net.pool, net.conv2, net.relu2,
                                                torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), net.head)

            def forward(self, x):
                return self.body(x)

        net = Plain()
        net.body[6].rule = EpsilonRule()
    want = getattr(theirs, name)(net, **made).attribute(x, target=target, **asked)
    got = getattr(ours, name)(model, **made).attribute(x, target=target, **asked)
    assert isinstance(got, torch.Tensor)
    agree(got, want)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["FeatureAblation", "ShapleyValueSampling", "KernelShap"])
def test_removed_features_as_captum(pair, name):
    net, model, x, _ = pair
    mask = torch.arange(4).reshape(2, 2).repeat_interleave(8, 0).repeat_interleave(8, 1)[None, None].repeat(1, 3, 1, 1)
    if name == "FeatureAblation":
        want = theirs.FeatureAblation(net).attribute(x[:1], target=2, feature_mask=mask)
        return agree(ours.FeatureAblation(model).attribute(x[:1], target=2, feature_mask=mask), want)
    # Four features: the samples tend to the exact values.
    want = theirs.ShapleyValues(net).attribute(x[:1], target=2, feature_mask=mask)
    got = getattr(ours, name)(model).attribute(x[:1], target=2, feature_mask=mask, n_samples=1000)
    assert (got - want).abs().max() < 0.03 * want.abs().max()


@pytest.mark.parametrize(("name", "asked"), [
    ("LayerActivation", {}), ("LayerGradientXActivation", {"target": 1}), ("LayerGradCam", {"target": 1}),
    ("LayerGradCam", {"target": 1, "relu_attributions": True}), ("LayerConductance", {"target": 1, "n_steps": 12}),
    ("InternalInfluence", {"target": 1, "n_steps": 12}), ("GuidedGradCam", {"target": 1}),
    ("NeuronGradient", {"neuron_selector": (2, 3, 3)}),
    ("NeuronIntegratedGradients", {"neuron_selector": (2, 3, 3), "n_steps": 12})])
@pytest.mark.filterwarnings("ignore")
def test_layers_and_neurons_as_captum(pair, name, asked):
    net, model, x, layer = pair
    want = getattr(theirs, name)(net, net.relu2).attribute(x, **asked)
    agree(getattr(ours, name)(model, layer).attribute(x, **asked), want)


def test_deltas_as_captum(pair):
    net, model, x, _ = pair
    want = theirs.IntegratedGradients(net).attribute(x, target=1, n_steps=9, return_convergence_delta=True)[1]
    got = ours.IntegratedGradients(model).attribute(x, target=1, n_steps=9, return_convergence_delta=True)[1]
    assert got.shape == want.shape and (got - want).abs().max() < 1e-4


def test_deeplift_sums_to_the_difference(pair):
    """At maxima the library's rule is not captum's, so only the sums are the same."""
    _, model, x, _ = pair
    other = torch.sin(torch.arange(768.0)).reshape(1, 3, 16, 16)
    map, delta = ours.DeepLift(model).attribute(x, other, target=1, return_convergence_delta=True)
    assert delta.abs().max() < 1e-3 * map.abs().sum()
    several = torch.cat([other, 0.5 * other, -other])
    map, delta = ours.DeepLiftShap(model).attribute(x, several, target=1, return_convergence_delta=True)
    assert map.shape == x.shape and delta.abs().max() < 1e-3 * map.abs().sum()


def test_random_methods_tend_to_captums(pair):
    net, model, x, _ = pair
    torch.manual_seed(1)
    base = torch.zeros(4, 3, 16, 16)
    want = theirs.GradientShap(net).attribute(x, base, n_samples=400, target=1)
    got = ours.GradientShap(model).attribute(x, base, n_samples=200, target=1)
    assert np.corrcoef(got.numpy().ravel(), want.numpy().ravel())[0, 1] > 0.97
    for kind in ("smoothgrad", "smoothgrad_sq", "vargrad"):
        want = theirs.NoiseTunnel(theirs.Saliency(net)).attribute(x, kind, nt_samples=300, stdevs=0.3, target=1)
        got = ours.NoiseTunnel(ours.Saliency(model)).attribute(x, kind, nt_samples=300, stdevs=0.3, target=1)
        assert np.corrcoef(got.numpy().ravel(), want.numpy().ravel())[0, 1] > 0.9


def test_interpolate_as_captum(pair):
    a = torch.randn(2, 1, 4, 4)
    for mode in ("nearest", "bilinear"):
        agree(ours.LayerAttribution.interpolate(a, (9, 11), mode),
              theirs.LayerAttribution.interpolate(a, (9, 11), mode), 1e-5)


def test_forms_of_inputs_and_results(pair):
    _, model, x, _ = pair
    tensor, array = ours.Saliency(model).attribute(x, 1), ours.Saliency(model).attribute(x.numpy(), 1)
    assert isinstance(array, np.ndarray) and (tensor.numpy() == array).all()
    (one,) = ours.Saliency(model).attribute((x,), torch.tensor([1, 1]))
    assert (one == tensor).all()
    assert (ours.Saliency(model.path).attribute(x, 1) == tensor).all()


def test_what_is_not_there_is_said(pair):
    net, model, x, layer = pair
    for wrong in (lambda: ours.Saliency(net), lambda: ours.Saliency(model).attribute(x),
                  lambda: ours.Saliency(model).attribute(x, 5), lambda: ours.Saliency(model).attribute(x, [1, 2, 3]),
                  lambda: ours.Saliency(model).attribute((x, x), 1), lambda: ours.LayerGradCam(model, net.relu2),
                  lambda: ours.LayerGradCam(model, "no layer"), lambda: cams.GradCAM(model, [net.relu2]),
                  lambda: ours.Occlusion(model).attribute(x, (1, 4, 4), target=1),
                  lambda: ours.IntegratedGradients(model).attribute(x, target=1, method="simpson"),
                  lambda: ours.NeuronGradient(model, layer).attribute(x, (99, 0, 0)),
                  lambda: cams.GradCAM(model)(x, [len])):
        with pytest.raises(salience.Error):
            wrong()


def test_missing_rows_are_said(pair, monkeypatch):
    _, model, x, _ = pair
    monkeypatch.setattr(ours.Saliency, "row", "not-there")
    with pytest.raises(salience.Error, match="not-there") as caught:
        ours.Saliency(model).attribute(x, 1)
    assert caught.value.code == "UNSUPPORTED"


# ---- pytorch-grad-cam


CAMS = ["GradCAM", "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "XGradCAM", "GradCAMElementWise", "EigenCAM",
        "EigenGradCAM", "AblationCAM", "ScoreCAM"]


@pytest.fixture(scope="module")
def grad_cam(root):
    sys.path.insert(0, str(root / "tests/oracle"))
    try:
        import gradcam  # gives pytorch_grad_cam the four names of torchvision that it imports
        import pytorch_grad_cam
    except ImportError as error:
        pytest.skip(str(error))
    finally:
        sys.path.pop(0)
    del gradcam
    return pytorch_grad_cam


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CAMS)
def test_the_same_as_pytorch_grad_cam(pair, grad_cam, name):
    net, model, x, layer = pair
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    # Its AblationCAM divides by the score, which turns the map round where that is negative: the top class.
    one, two = net(x).argmax(1).tolist() if name == "AblationCAM" else (1, 4)
    with getattr(grad_cam, name)(model=net, target_layers=[net.relu2]) as cam:
        want = cam(input_tensor=x, targets=[ClassifierOutputTarget(one), ClassifierOutputTarget(two)])
    with getattr(cams, name)(model=model, target_layers=[layer]) as cam:
        got = cam(input_tensor=x, targets=[cams.ClassifierOutputTarget(one), cams.ClassifierOutputTarget(two)])
        again = cam(input_tensor=x, targets=[ClassifierOutputTarget(one), ClassifierOutputTarget(two)])
    assert got.shape == want.shape == (2, 16, 16) and got.dtype == np.float32
    assert (got == again).all()
    for a, b in zip(got, want):
        if name in ("EigenCAM", "EigenGradCAM") and np.corrcoef(a.ravel(), b.ravel())[0, 1] < 0:
            continue  # the sign of a principal component is nobody's
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] >= 0.999


def test_targets_and_several_layers(pair):
    _, model, x, layer = pair
    cam = cams.GradCAM(model, [layer, None])
    assert cam(x).shape == (2, 16, 16) and cam(x).max() <= 1 and cam(x).min() >= 0
    soft = cams.GradCAM(model)(x, [cams.ClassifierOutputSoftmaxTarget(1)])
    assert soft.shape == (2, 16, 16)
    shown = cams.show_cam_on_image(np.zeros((16, 16, 3), "float32"), soft[0], use_rgb=True)
    assert shown.dtype == np.uint8 and shown.shape == (16, 16, 3)
