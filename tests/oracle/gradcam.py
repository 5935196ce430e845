"""pytorch-grad-cam without torchvision, and its maps before it normalises them.

The library imports four names of torchvision at load time; the CAM classes call none of them.  In
their place stand functions that refuse to be called, so nothing can silently differ.
"""

import importlib.util
import sys
import types

import numpy
import torch


def _absent(name):
    def refuse(*_arguments, **_keywords):
        raise RuntimeError("torchvision is not installed; %s was called" % name)

    return refuse


def _stand_in():
    if importlib.util.find_spec("torchvision") is not None:
        return
    names = {
        "torchvision": (),
        "torchvision.ops": ("box_iou",),
        "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
        "torchvision.transforms.functional": ("resize",),
    }
    for path, members in names.items():
        module = types.ModuleType(path)
        for member in members:
            setattr(module, member, _absent(path + "." + member))
        sys.modules[path] = module
        parent, _, leaf = path.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, module)


_stand_in()

import pytorch_grad_cam  # noqa: E402
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402

METHODS = {
    "grad-cam": pytorch_grad_cam.GradCAM,
    "grad-cam++": pytorch_grad_cam.GradCAMPlusPlus,
    "hires-cam": pytorch_grad_cam.HiResCAM,
    "layer-cam": pytorch_grad_cam.LayerCAM,
    "xgrad-cam": pytorch_grad_cam.XGradCAM,
    "grad-cam-elementwise": pytorch_grad_cam.GradCAMElementWise,
    "shapley-cam": pytorch_grad_cam.ShapleyCAM,
    "eigen-cam": pytorch_grad_cam.EigenCAM,
    "eigen-grad-cam": pytorch_grad_cam.EigenGradCAM,
    "kpca-cam": pytorch_grad_cam.KPCA_CAM,
    "ablation-cam": pytorch_grad_cam.AblationCAM,
    "score-cam": pytorch_grad_cam.ScoreCAM,
}
# Principal components, whose sign the library leaves to LAPACK.
SIGNLESS = ("eigen-cam", "eigen-grad-cam", "kpca-cam")


def _upsample(half_pixel):
    """What the library calls to enlarge the masks of Score-CAM: its own choice aligns corners."""
    if not half_pixel:
        return _aligned
    return lambda size: torch.nn.Upsample(size=size, mode="bilinear", align_corners=False)


_aligned = torch.nn.UpsamplingBilinear2d


def maps(name, net, layer, x, target, half_pixel=False):
    """(map at the layer's size after ReLU, the same at input size, the library's own result).

    The library subtracts the minimum and divides by the maximum before and after cv2.resize; the
    first two are free of that.  Interpolation is bilinear with half-pixel centres, as cv2.resize
    does it.  The library's own result is None where its sign is the other one.
    """
    seen = []
    torch.nn.UpsamplingBilinear2d = _upsample(half_pixel)
    try:
        with METHODS[name](model=net, target_layers=[layer]) as cam:
            image = cam.get_cam_image

            def record(*arguments):
                seen.append(image(*arguments))
                return seen[-1]

            cam.get_cam_image = record
            final = cam(input_tensor=x, targets=[ClassifierOutputTarget(target)] * len(x))
    finally:
        torch.nn.UpsamplingBilinear2d = _aligned
    raw = numpy.asarray(seen[0])
    if name in SIGNLESS and raw.max() < -raw.min():
        raw, final = -raw, None
    raw = numpy.maximum(raw, 0)
    full = torch.nn.functional.interpolate(
        torch.from_numpy(raw)[:, None], size=x.shape[2:], mode="bilinear", align_corners=False
    )[:, 0].numpy()
    return raw, full, final
