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

from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM  # noqa: E402
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402

METHODS = {
    "grad-cam": GradCAM,
    "grad-cam++": GradCAMPlusPlus,
    "hires-cam": HiResCAM,
    "layer-cam": LayerCAM,
}


def maps(name, net, layer, x, target):
    """(map at the layer's size after ReLU, the same at input size, the library's own result).

    The library subtracts the minimum and divides by the maximum before and after cv2.resize; the
    first two are free of that.  Interpolation is bilinear with half-pixel centres, as cv2.resize
    does it.
    """
    with METHODS[name](model=net, target_layers=[layer]) as cam:
        final = cam(input_tensor=x, targets=[ClassifierOutputTarget(target)] * len(x))
        activations = cam.activations_and_grads.activations[0].numpy()
        gradients = cam.activations_and_grads.gradients[0].numpy()
        raw = cam.get_cam_image(x, layer, None, activations, gradients, False)
    raw = numpy.maximum(raw, 0)
    full = torch.nn.functional.interpolate(
        torch.from_numpy(raw)[:, None], size=x.shape[2:], mode="bilinear", align_corners=False
    )[:, 0].numpy()
    return raw, full, final
