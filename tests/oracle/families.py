"""Families of networks that nobody looked at while the library was written, small but built as their
papers build them: the check that a net from elsewhere works at the first try.

FAMILIES names, for each, a function that makes (net, inputs, options of zoo.TorchModel).  Weights
are seeded, not trained.
"""

import math

import numpy
import torch
from torch import nn
from torch.nn import functional as F

import families_pictures as pictures
import nets


# ---- text ----------------------------------------------------------------------------------------


class Gpt(nn.Module):
    """GPT-2: a causal mask cut from a buffer, tanh GELU, the output tied to the embedding."""

    def __init__(self, words=200, length=32, width=32, depth=3, heads=4):
        super().__init__()
        self.words, self.place = nn.Embedding(words, width), nn.Embedding(length, width)
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth + 1))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.up = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(depth))
        self.down = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(depth))
        mask = torch.tril(torch.ones(length, length, dtype=torch.bool))
        self.register_buffer("mask", mask[None, None])

    def attend(self, x, index):
        n, tokens, width = x.shape
        q, k, v = (
            part.view(n, tokens, self.heads, -1).transpose(1, 2)
            for part in self.qkv[index](x).split(width, dim=2)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // self.heads)
        low = torch.finfo(scores.dtype).min
        scores = torch.where(self.mask[:, :, :tokens, :tokens], scores, low)
        y = scores.softmax(-1) @ v
        return self.out[index](y.transpose(1, 2).contiguous().view(n, tokens, width))

    def forward(self, ids):
        places = torch.arange(0, ids.shape[1], dtype=torch.long, device=ids.device).unsqueeze(0)
        x = self.words(ids) + self.place(places)
        for index, (up, down) in enumerate(zip(self.up, self.down)):
            x = x + self.attend(self.norms[2 * index](x), index)
            y = up(self.norms[2 * index + 1](x))
            x = x + down(F.gelu(y, approximate="tanh"))
        return (self.norms[-1](x) @ self.words.weight.t())[:, -1]


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class T5(nn.Module):
    """T5 encoder: relative positions in logarithmic buckets, gated GELU, RMS normalisation."""

    def __init__(self, words=200, width=32, depth=2, heads=4, buckets=16, far=32, classes=4):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.heads, self.buckets, self.far = heads, buckets, far
        self.bias = nn.Embedding(buckets, heads)
        self.norms = nn.ModuleList(RmsNorm(width) for _ in range(2 * depth + 1))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width, bias=False) for _ in range(depth))
        self.out = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.gate = nn.ModuleList(nn.Linear(width, 64, bias=False) for _ in range(depth))
        self.up = nn.ModuleList(nn.Linear(width, 64, bias=False) for _ in range(depth))
        self.down = nn.ModuleList(nn.Linear(64, width, bias=False) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def bucket(self, apart):
        half = self.buckets // 2
        result = (apart > 0).to(torch.long) * half
        apart, exact = apart.abs(), half // 2
        large = torch.log(apart.float() / exact) / math.log(self.far / exact) * (half - exact)
        large = torch.min(exact + large.to(torch.long), torch.full_like(apart, half - 1))
        return result + torch.where(apart < exact, apart, large)

    def forward(self, ids, mask):
        n, tokens = ids.shape
        places = torch.arange(tokens, device=ids.device)
        bias = self.bias(self.bucket(places[None, :] - places[:, None]))
        bias = bias.permute(2, 0, 1).unsqueeze(0)
        bias = bias + (1 - mask[:, None, None, :].to(bias.dtype)) * torch.finfo(bias.dtype).min
        x = self.words(ids)
        for index, qkv in enumerate(self.qkv):
            q, k, v = qkv(self.norms[2 * index](x)).view(n, tokens, 3, self.heads, -1).unbind(2)
            scores = torch.einsum("bqhd,bkhd->bhqk", q, k) + bias
            y = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v)
            x = x + self.out[index](y.reshape(n, tokens, -1))
            y = self.norms[2 * index + 1](x)
            x = x + self.down[index](F.gelu(self.gate[index](y)) * self.up[index](y))
        x = self.norms[-1](x) * mask[..., None]
        return self.head(x.sum(1) / mask.sum(1, keepdim=True))


# ---- sound and series ----------------------------------------------------------------------------


class Wav2Vec(nn.Module):
    """Raw samples, a convolution with GroupNorm per channel, a positional one with weight norm."""

    def __init__(self, width=32, classes=12):
        super().__init__()
        self.first, self.group = nn.Conv1d(1, 16, 10, 5, bias=False), nn.GroupNorm(16, 16)
        self.second = nn.Conv1d(16, 24, 3, 2, bias=False)
        self.norm, self.project = nn.LayerNorm(24), nn.Linear(24, width)
        self.place = nn.utils.parametrizations.weight_norm(
            nn.Conv1d(width, width, 8, padding=4, groups=4), dim=2
        )
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 4, 64, 0.0, "gelu", batch_first=True), 2
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = F.gelu(self.group(self.first(x[:, None])))
        x = F.gelu(self.second(x)).transpose(1, 2)
        x = self.project(self.norm(x))
        place = self.place(x.transpose(1, 2))[:, :, :-1]
        x = self.encoder(x + F.gelu(place).transpose(1, 2))
        return F.log_softmax(self.head(x), -1)


class Conformer(nn.Module):
    """Half feed-forward, attention with relative shift, convolution with GLU, half feed-forward."""

    def __init__(self, bins=20, width=32, heads=4, classes=8):
        super().__init__()
        self.heads = heads
        self.sample = nn.Conv2d(1, 4, 3, 2, 1)
        self.enter = nn.Linear(4 * bins // 2, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(5))
        self.feeds = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.SiLU(), nn.Linear(64, width)) for _ in range(2)
        )
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.far = nn.Linear(width, width, bias=False)
        self.u = nn.Parameter(0.3 * torch.randn(heads, width // heads))
        self.v = nn.Parameter(0.3 * torch.randn(heads, width // heads))
        self.point = nn.Conv1d(width, 2 * width, 1)
        self.depth = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.batch, self.point2 = nn.BatchNorm1d(width), nn.Conv1d(width, width, 1)
        self.head = nn.Linear(width, classes)

    def attend(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, -1).unbind(2)
        place = torch.arange(tokens - 1, -tokens, -1, device=x.device).to(x.dtype)
        angle = place[:, None] * torch.exp(torch.arange(0, width, 2).to(x.dtype) * (-9.21 / width))
        r = self.far(torch.stack((angle.sin(), angle.cos()), -1).flatten(1))
        r = r.view(-1, self.heads, width // self.heads)
        near = torch.einsum("nqhd,nkhd->nhqk", q + self.u, k)
        far = torch.einsum("nqhd,khd->nhqk", q + self.v, r)
        far = F.pad(far, (1, 0)).view(n, self.heads, 2 * tokens, tokens)
        far = far[:, :, 1:].view(n, self.heads, tokens, 2 * tokens - 1)[..., :tokens]
        y = ((near + far) / math.sqrt(width // self.heads)).softmax(-1)
        return self.out(torch.einsum("nhqk,nkhd->nqhd", y, v).reshape(n, tokens, width))

    def forward(self, x):
        x = F.silu(self.sample(x[:, None]))
        x = self.enter(x.transpose(1, 2).flatten(2))
        x = x + 0.5 * self.feeds[0](self.norms[0](x))
        x = x + self.attend(self.norms[1](x))
        y = F.glu(self.point(self.norms[2](x).transpose(1, 2)), dim=1)
        x = x + self.point2(F.silu(self.batch(self.depth(y)))).transpose(1, 2)
        x = self.norms[4](x + 0.5 * self.feeds[1](self.norms[3](x)))
        return self.head(x).mean(1)


class WaveNet(nn.Module):
    """Dilated causal convolutions, gates of tanh and sigmoid, skip connections."""

    def __init__(self, width=24, levels=5, classes=16):
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.dilated = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=2**level) for level in range(levels)
        )
        self.residual = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(levels))
        self.skip = nn.ModuleList(nn.Conv1d(width, 32, 1) for _ in range(levels))
        self.last = nn.Sequential(nn.ELU(), nn.Conv1d(32, 32, 1), nn.ELU(), nn.Conv1d(32, classes, 1))

    def forward(self, x):
        x, total = self.enter(x), 0
        for dilated, residual, skip in zip(self.dilated, self.residual, self.skip):
            y = dilated(F.pad(x, (dilated.dilation[0], 0)))
            one, two = y.chunk(2, 1)
            y = torch.tanh(one) * torch.sigmoid(two)
            total = total + skip(y)
            x = x + residual(y)
        return self.last(total)[:, :, -1]


class Mamba(nn.Module):
    """Selective state space: causal convolution, steps that depend on the input, a scan."""

    def __init__(self, channels=8, width=16, state=4, rank=2, classes=6):
        super().__init__()
        inner = 2 * width
        self.enter, self.norm = nn.Linear(channels, width), RmsNorm(width)
        self.split = nn.Linear(width, 2 * inner, bias=False)
        self.conv = nn.Conv1d(inner, inner, 4, padding=3, groups=inner)
        self.choose = nn.Linear(inner, rank + 2 * state, bias=False)
        self.step = nn.Linear(rank, inner)
        self.log_a = nn.Parameter(torch.log(torch.arange(1.0, state + 1)).repeat(inner, 1))
        self.d = nn.Parameter(torch.ones(inner))
        self.out, self.head = nn.Linear(inner, width, bias=False), nn.Linear(width, classes)
        self.rank, self.state = rank, state

    def forward(self, x):
        x = self.enter(x)
        length = x.shape[1]
        u, gate = self.split(self.norm(x)).chunk(2, -1)
        u = F.silu(self.conv(u.transpose(1, 2))[..., :length]).transpose(1, 2)
        dt, b, c = self.choose(u).split([self.rank, self.state, self.state], -1)
        dt = F.softplus(self.step(dt))
        decay = torch.exp(dt.unsqueeze(-1) * -torch.exp(self.log_a))
        drive = (dt * u).unsqueeze(-1) * b.unsqueeze(2)
        h, rows = torch.zeros_like(drive[:, 0]), []
        for t in range(length):
            h = decay[:, t] * h + drive[:, t]
            rows.append((h @ c[:, t].unsqueeze(-1)).squeeze(-1))
        y = (torch.stack(rows, 1) + u * self.d) * F.silu(gate)
        return self.head((x + self.out(y))[:, -1])


class NeuralOde(nn.Module):
    """Four steps of the classical Runge-Kutta method, time as an input of the field."""

    def __init__(self, features=6, width=24, classes=3, steps=4):
        super().__init__()
        self.enter = nn.Linear(features, width)
        self.field = nn.Sequential(nn.Linear(width + 1, 48), nn.Tanh(), nn.Linear(48, width))
        self.head, self.steps = nn.Linear(width, classes), steps

    def forward(self, x):
        y, h = self.enter(x), 1.0 / self.steps

        def f(t, y):
            return self.field(torch.cat((y, torch.full_like(y[:, :1], t)), 1))

        for index in range(self.steps):
            t = index * h
            k1 = f(t, y)
            k2 = f(t + h / 2, y + h / 2 * k1)
            k3 = f(t + h / 2, y + h / 2 * k2)
            k4 = f(t + h, y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return self.head(y)


# ---- sets and graphs -----------------------------------------------------------------------------


class PointNet(nn.Module):
    """A learned transformation of the points, shared MLPs, the maximum over the points."""

    def __init__(self, classes=8):
        super().__init__()

        def shared(*widths):
            return nn.Sequential(
                *[
                    layer
                    for a, b in zip(widths, widths[1:])
                    for layer in (nn.Conv1d(a, b, 1), nn.BatchNorm1d(b), nn.ReLU())
                ]
            )

        self.turn = shared(3, 16, 32)
        self.turn_out = nn.Linear(32, 9)
        self.one, self.two = shared(3, 16), shared(16, 32, 48)
        self.head = nn.Sequential(nn.Linear(48, 24), nn.BatchNorm1d(24), nn.ReLU())
        self.out = nn.Linear(24, classes)

    def forward(self, x):
        turn = self.turn_out(torch.max(self.turn(x), 2)[0]).view(-1, 3, 3)
        turn = turn + torch.eye(3, dtype=x.dtype, device=x.device)
        x = self.one(torch.bmm(x.transpose(2, 1), turn).transpose(2, 1))
        x = torch.max(self.two(x), 2, keepdim=True)[0]
        return F.log_softmax(self.out(self.head(x.view(-1, 48))), dim=1)


class GraphSage(nn.Module):
    """Messages along edges given as an input, their mean and their maximum at each node."""

    def __init__(self, features=8, width=24, classes=4):
        super().__init__()
        self.own = nn.ModuleList([nn.Linear(features, width), nn.Linear(width, width)])
        self.other = nn.ModuleList([nn.Linear(features, width), nn.Linear(width, width)])
        self.attend = nn.Linear(2 * width, 1)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x, edges):
        source, target = edges[0], edges[1]
        for own, other in zip(self.own, self.other):
            # the old exporter writes index_add as a scatter without reduction
            index = target[:, None].expand(-1, x.shape[1])
            total = torch.zeros_like(x).scatter_add(0, index, x[source])
            count = torch.zeros_like(x[:, :1]).scatter_add(
                0, target[:, None], torch.ones_like(x[source][:, :1])
            )
            x = F.elu(own(x) + other(total / count.clamp(min=1)))
        score = F.leaky_relu(self.attend(torch.cat((x[source], x[target]), 1)), 0.2).exp()
        norm = torch.zeros_like(x[:, :1]).scatter_add(0, target[:, None], score)
        share = score / (norm[target] + 1e-9)
        index = target[:, None].expand(-1, x.shape[1])
        mean = torch.zeros_like(x).scatter_add(0, index, share * x[source])
        best = torch.full_like(x, -4.0).scatter_reduce(0, index, x[source], "amax")
        return self.head(torch.cat((mean, best), 1))


# ---- the list ------------------------------------------------------------------------------------


def settled(build, *calibration):
    """Seeded weights; every batch normalisation has the statistics of the calibration batch."""
    torch.manual_seed(11)
    net = build()
    if any(isinstance(module, nn.BatchNorm2d) for module in net.modules()):
        return nets.settle(net, *calibration, seed=11)
    norms = [m for m in net.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm3d))]
    for norm in norms:
        norm.momentum = 1.0
    net.train()
    with torch.no_grad():
        net(*calibration)
        for norm in norms:
            norm.bias.uniform_(-0.5, 0.5)
    return net.eval()


def random(*shape, seed=1, scale=1.0):
    values = numpy.random.default_rng(seed).normal(size=shape) * scale
    return torch.from_numpy(values.astype(numpy.float32))


def whole(high, *shape, seed=4):
    return torch.from_numpy(numpy.random.default_rng(seed).integers(0, high, shape))


def seed_like(*shape):
    """Weights of every element of an output that is no row of logits."""
    return random(1, *shape, seed=9).double()


def field(build, *shape, seed=None, count=30, **more):
    """One input of floats named input; seed: shape of the weights of an output, None for logits."""

    def make():
        net = settled(build, random(8, *shape, seed=2))
        if seed is not None:
            more["seed"] = seed_like(*seed)
        return net, {"input": random(count, *shape)}, more

    return make


def clip():
    inputs = {"input": random(2, 3, 32, 32), "ids": whole(100, 2, 10)}
    return settled(pictures.Clip, *inputs.values()), inputs, {"together": True, "square": True}


def gpt():
    ids = whole(200, 2, 14)
    return settled(Gpt, ids), {"ids": ids}, {"together": True, "words": (200, 32)}


def t5():
    inputs = {"ids": whole(200, 2, 20), "mask": torch.ones(2, 20, dtype=torch.int64)}
    inputs["mask"][1, 13:] = 0
    return settled(T5, *inputs.values()), inputs, {"together": True, "words": (200, 32)}


def graph():
    inputs = {"input": random(12, 8), "edges": whole(12, 2, 40)}
    more = {"together": True, "axes": {"input": {0: "N"}, "edges": {1: "E"}}}
    return settled(GraphSage, *inputs.values()), inputs, more


FAMILIES = {
    "regnet": field(pictures.RegNet, 3, 64, 64),
    "mobilenetv3": field(pictures.MobileNetV3, 3, 64, 64),
    "ghostnet": field(pictures.GhostNet, 3, 32, 32),
    "deeplabv3": field(pictures.DeepLab, 3, 48, 48, seed=(5, 48, 48)),
    "retinanet": field(pictures.RetinaNet, 3, 64, 64, seed=(1008, 4)),
    "hrnet": field(pictures.HrNet, 3, 32, 32),
    "stylegan": field(pictures.Generator, 24, seed=(3, 16, 16), fixed=True),
    "video": field(pictures.Video, 3, 6, 24, 24),
    "mixer": field(pictures.Mixer, 3, 32, 32, count=2),
    "poolformer": field(pictures.PoolFormer, 3, 32, 32, count=2),
    "maxvit": field(pictures.MaxVit, 3, 32, 32, count=2),
    "segformer": field(pictures.SegFormer, 3, 32, 32, seed=(4, 16, 16)),
    "detr": field(pictures.Detr, 3, 32, 32, seed=(6, 10), count=2),
    "clip": clip,
    "perceiver": field(pictures.Perceiver, 3, 16, 16, count=2),
    "gpt": gpt,
    "t5": t5,
    "wav2vec": field(Wav2Vec, 800, seed=(79, 12), count=2),
    "conformer": field(Conformer, 24, 20, count=2),
    "wavenet": field(WaveNet, 1, 64, count=2),
    "mamba": field(Mamba, 10, 8, count=2),
    "neural-ode": field(NeuralOde, 6, count=2),
    "pointnet": field(PointNet, 3, 64),
    "graphsage": graph,
}

# The old exporter cannot write a convolution whose weights it does not know the shape of.
DYNAMO_ONLY = ("stylegan",)
