"""Networks for inputs that are no pictures (a signal, a table, a volume) with seeded weights, their gradients by PyTorch in
float64, and small NIfTI files with the numbers that they stand for.

    python make_inputs.py --out tests/golden/inputs --corpus tests/fuzz/corpus/nifti

Needs numpy, torch and onnx.
"""
import argparse
import gzip
import pathlib
import struct

import numpy as np
import torch
from torch import nn

# NIfTI type codes and numpy's names
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


def nets():
    torch.manual_seed(11)
    signal = nn.Sequential(nn.Conv1d(2, 6, 7, padding=3), nn.Tanh(), nn.AvgPool1d(2), nn.Conv1d(6, 8, 5, padding=2), nn.Tanh(),
                           nn.Flatten(), nn.Linear(8 * 60, 4))
    table = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 3))
    volume = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Tanh(), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(4 * 3 * 4 * 5, 3))
    t = torch.arange(120) / 6
    x = 0.1 * torch.randn(1, 2, 120)
    x[0, 0, 70:90] += torch.sin(t[70:90] * 3)
    v = 40 * torch.randn(1, 1, 6, 8, 10)
    v[0, 0, 2:4, 3:6, 5:9] += 300
    return {"signal": (signal, x), "table": (table, torch.randn(1, 10)), "volume": (volume, v / 200)}


def header(dims, code, order, slope, inter, place):
    h = bytearray(352)
    put = lambda at, form, *v: struct.pack_into(order + form, h, at, *v)
    put(0, "i", 348)
    put(40, "8h", len(dims), *dims, *[1] * (7 - len(dims)))
    put(70, "2h", code, 8 * np.dtype(TYPES[code]).itemsize)
    put(76, "8f", -1 if place == "qform" else 1, 1.5, 2, 3, 1, 1, 1, 1)
    put(108, "3f", 352, slope, inter)
    if place == "sform":
        put(254, "h", 1)
        put(280, "12f", -1.5, 0, 0, 10, 0, -2, 0, 20, 0, 0, 3, -30)
    if place == "qform":  # half a turn about z, and the sign of pixdim[0] turns z itself
        put(252, "h", 1)
        put(256, "6f", 0, 0, 1, 10, 20, -30)
    h[344:348] = b"n+1\0"
    return bytes(h)


def nifti(corpus):
    """Every type in both orders; returns file name -> numbers, x fastest, as [C, D, H, W]."""
    numbers = np.random.default_rng(5)
    want = {}
    for order in "<>":
        for code, kind in TYPES.items():
            dims = (4, 3, 2) if code != 16 else (4, 3, 2, 2)
            v = numbers.integers(0, 100, dims[::-1]).astype(order + kind)
            if kind[0] != "u":
                v -= np.array(50, v.dtype)
            slope, inter = (0, 9) if code == 64 else (0.5, -3)
            place = {2: "", 4: "qform"}.get(code, "sform")
            data = header(dims, code, order, slope, inter, place) + v.tobytes()
            name = f"{kind}-{'little' if order == '<' else 'big'}.nii" + (".gz" if code in (4, 16) else "")
            if name.endswith(".gz"):  # two members, as parallel compressors write them
                data = gzip.compress(data[:370], mtime=0) + gzip.compress(data[370:], mtime=0)
            (corpus / name).write_bytes(data)
            want[name] = (v.astype("f8") * (slope or 1) + (inter if slope else 0)).astype("f4").reshape((-1, 2, 3, 4))
    return want


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--corpus", required=True, type=pathlib.Path)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    a.corpus.mkdir(parents=True, exist_ok=True)
    for name, (net, x) in nets().items():
        torch.onnx.export(net.eval(), (x,), str(a.out / f"{name}.onnx"), opset_version=17, input_names=["input"],
                          output_names=["logits"], dynamo=False)
        x = x.numpy()
        np.save(a.out / f"{name}.npy", x)
        u = torch.from_numpy(x).double().requires_grad_()
        net.double()(u)[0, 1].backward()
        np.save(a.out / f"{name}.grad.npy", u.grad.float().numpy())
        if name == "volume":  # stored as whole numbers: 200 of them are 1
            stored = np.rint(x[0, 0] * 200).astype("<i2")
            data = header(stored.shape[::-1], 4, "<", 0, 0, "sform") + stored.tobytes()
            (a.out / "volume.nii.gz").write_bytes(gzip.compress(data, mtime=0))
            u = torch.from_numpy(stored.astype("f8") / 200)[None, None].requires_grad_()
            net(u)[0, 1].backward()
            np.save(a.out / "volume.nii.grad.npy", u.grad.float().numpy())
    for name, v in nifti(a.corpus).items():
        np.save(a.out / f"{name}.npy", v)


if __name__ == "__main__":
    main()
