"""Families of families.py that read or make pictures and videos."""

import math

import torch
from torch import nn
from torch.nn import functional as F

import nets


def conv_act(c_in, c_out, kernel, stride=1, groups=1, act=None):
    return nets.conv_bn(c_in, c_out, kernel, stride, groups, act if act is not None else nn.SiLU())


class SqueezeExcite(nn.Module):
    def __init__(self, channels, inner, act, gate):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.down, self.up = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)
        self.act, self.gate = act, gate

    def forward(self, x):
        return x * self.gate(self.up(self.act(self.down(self.pool(x)))))


# ---- pictures: convolutions ----------------------------------------------------------------------


class RegNetBlock(nn.Module):
    """Block Y of RegNet: grouped 3x3 between two 1x1, squeeze and excitation."""

    def __init__(self, c_in, width, stride, group):
        super().__init__()
        self.one = conv_act(c_in, width, 1, act=nn.ReLU())
        self.two = conv_act(width, width, 3, stride, width // group, nn.ReLU())
        self.se = SqueezeExcite(width, max(c_in // 4, 4), nn.ReLU(), nn.Sigmoid())
        self.three = nets.gentle(nets.conv_bn(width, width, 1))
        same = stride == 1 and c_in == width
        self.shortcut = nn.Identity() if same else nets.conv_bn(c_in, width, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.shortcut(x) + self.three(self.se(self.two(self.one(x)))))


class RegNet(nn.Module):
    def __init__(self, widths=(16, 32, 64), depths=(1, 2, 2), group=8, classes=10):
        super().__init__()
        self.stem = conv_act(3, 16, 3, 2, act=nn.ReLU())
        blocks, before = [], 16
        for width, depth in zip(widths, depths):
            for index in range(depth):
                blocks.append(RegNetBlock(before, width, 2 if index == 0 else 1, group))
                before = width
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(before, classes)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3)))


class MobileV3Block(nn.Module):
    def __init__(self, c_in, inner, c_out, kernel, stride, se, hard):
        super().__init__()
        act = nn.Hardswish if hard else nn.ReLU
        layers = [conv_act(c_in, inner, 1, act=act())] if inner != c_in else []
        layers.append(conv_act(inner, inner, kernel, stride, inner, act()))
        if se:
            layers.append(SqueezeExcite(inner, 8, nn.ReLU(), nn.Hardsigmoid()))
        layers.append(nets.gentle(nets.conv_bn(inner, c_out, 1)))
        self.body = nn.Sequential(*layers)
        self.same = stride == 1 and c_in == c_out

    def forward(self, x):
        return x + self.body(x) if self.same else self.body(x)


class MobileNetV3(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.body = nn.Sequential(
            conv_act(3, 16, 3, 2, act=nn.Hardswish()),
            MobileV3Block(16, 16, 16, 3, 2, True, False),
            MobileV3Block(16, 40, 24, 3, 1, False, False),
            MobileV3Block(24, 56, 24, 3, 1, False, False),
            MobileV3Block(24, 64, 40, 5, 2, True, True),
            MobileV3Block(40, 80, 40, 5, 1, True, True),
            conv_act(40, 96, 1, act=nn.Hardswish()),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(
            nn.Linear(96, 64), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(64, classes)
        )

    def forward(self, x):
        return self.head(torch.flatten(self.pool(self.body(x)), 1))


class GhostModule(nn.Module):
    """Half of the maps by a convolution, the others from them by a cheap depthwise one."""

    def __init__(self, c_in, c_out, act=True):
        super().__init__()
        half = (c_out + 1) // 2
        last = nn.ReLU() if act else nn.Identity()
        self.primary = conv_act(c_in, half, 1, act=last)
        self.cheap = conv_act(half, half, 3, groups=half, act=last)
        self.c_out = c_out

    def forward(self, x):
        first = self.primary(x)
        return torch.cat([first, self.cheap(first)], 1)[:, : self.c_out]


class GhostNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = conv_act(3, 16, 3, 2, act=nn.ReLU())
        self.one = nn.Sequential(GhostModule(16, 33), nets.conv_bn(33, 33, 3, 2, 33))
        self.two = nn.Sequential(
            SqueezeExcite(33, 8, nn.ReLU(), nn.Hardsigmoid()), GhostModule(33, 40, act=False)
        )
        self.head = nn.Conv2d(40, classes, 1)

    def forward(self, x):
        return F.adaptive_avg_pool2d(self.head(self.two(self.one(self.stem(x)))), 1).flatten(1)


class DeepLab(nn.Module):
    """DeepLabV3: atrous convolutions side by side, a pooled branch, bilinear enlargement."""

    def __init__(self, classes=5):
        super().__init__()
        self.stem = nn.Sequential(
            conv_act(3, 16, 3, 2, act=nn.ReLU()), conv_act(16, 32, 3, 2, act=nn.ReLU())
        )
        self.rates = nn.ModuleList([conv_act(32, 24, 1, act=nn.ReLU())])
        for rate in (2, 4, 6):
            self.rates.append(
                nn.Sequential(
                    nn.Conv2d(32, 24, 3, padding=rate, dilation=rate, bias=False),
                    nn.BatchNorm2d(24),
                    nn.ReLU(),
                )
            )
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(32, 24, 1), nn.ReLU())
        self.project = conv_act(24 * 5, 32, 1, act=nn.ReLU())
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x):
        y = self.stem(x)
        parts = [rate(y) for rate in self.rates]
        parts.append(
            F.interpolate(self.pooled(y), size=y.shape[-2:], mode="bilinear", align_corners=False)
        )
        y = self.head(self.project(torch.cat(parts, 1)))
        return F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)


class RetinaNet(nn.Module):
    """Feature pyramid and the heads shared by its levels; scores of all anchors, flattened."""

    def __init__(self, anchors=3, classes=4):
        super().__init__()
        self.classes = classes
        widths = (16, 24, 32)
        self.stem = conv_act(3, 16, 3, 2, act=nn.ReLU())
        self.stages = nn.ModuleList(
            conv_act(a, b, 3, 2, act=nn.ReLU()) for a, b in zip((16,) + widths, widths)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, 24, 1) for width in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(24, 24, 3, padding=1) for _ in widths)
        self.tower = nn.Sequential(
            nn.Conv2d(24, 24, 3, padding=1), nn.GroupNorm(4, 24), nn.ReLU(),
            nn.Conv2d(24, anchors * classes, 3, padding=1),
        )  # fmt: skip

    def forward(self, x):
        x, maps = self.stem(x), []
        for stage, lateral in zip(self.stages, self.lateral):
            x = stage(x)
            maps.append(lateral(x))
        for level in (1, 0):
            maps[level] = maps[level] + F.interpolate(
                maps[level + 1], size=maps[level].shape[-2:], mode="nearest"
            )
        scores = []
        for smooth, one in zip(self.smooth, maps):
            y = self.tower(smooth(one))
            n, _, high, wide = y.shape
            y = y.view(n, -1, self.classes, high, wide).permute(0, 3, 4, 1, 2)
            scores.append(y.reshape(n, -1, self.classes))
        return torch.cat(scores, 1).sigmoid()


class HrNet(nn.Module):
    """Two resolutions side by side that exchange what they find."""

    def __init__(self, classes=10):
        super().__init__()
        self.stem = conv_act(3, 16, 3, 2, act=nn.ReLU())
        self.high = nn.ModuleList(nets.BasicBlock(16, 16, 1) for _ in range(2))
        self.down = nn.ModuleList(nets.conv_bn(16, 32, 3, 2) for _ in range(2))
        self.low = nn.ModuleList(nets.BasicBlock(32, 32, 1) for _ in range(2))
        self.up = nn.ModuleList(
            nn.Sequential(nets.conv_bn(32, 16, 1), nn.Upsample(scale_factor=2)) for _ in range(2)
        )
        self.head = nn.Conv2d(48, classes, 1)

    def forward(self, x):
        high, low = self.stem(x), None
        for block, down, small, up in zip(self.high, self.down, self.low, self.up):
            high = block(high)
            low = F.relu(down(high) if low is None else low + down(high))
            low = small(low)
            high = F.relu(high + up(low))
        low = F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=True)
        return self.head(torch.cat([high, low], 1)).amax((2, 3))


class Generator(nn.Module):
    """StyleGAN2: weights modulated by the style, demodulated; noise, blurred enlargement."""

    def __init__(self, width=16, z=24, levels=3):
        super().__init__()
        self.mapping = nn.Sequential(
            nn.Linear(z, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2)
        )
        self.start = nn.Parameter(torch.randn(1, width, 4, 4))
        self.styles = nn.ModuleList(nn.Linear(32, width) for _ in range(levels))
        self.weights = nn.ParameterList(torch.randn(width, width, 3, 3) for _ in range(levels))
        self.noises = nn.ParameterList(
            0.1 * torch.randn(1, 1, 4 * 2**level, 4 * 2**level) for level in range(levels)
        )
        self.register_buffer("blur", torch.outer(*[torch.tensor([1.0, 3, 3, 1]) / 8] * 2))
        self.rgb = nn.Conv2d(width, 3, 1)

    def forward(self, z):
        z = z * torch.rsqrt((z**2).mean(1, keepdim=True) + 1e-8)
        w, n = self.mapping(z), z.shape[0]
        x = self.start.expand(n, -1, -1, -1)
        for level, (style, weight, noise) in enumerate(zip(self.styles, self.weights, self.noises)):
            if level:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
                kernel = self.blur[None, None].repeat(x.shape[1], 1, 1, 1)
                x = F.conv2d(F.pad(x, (2, 1, 2, 1), mode="reflect"), kernel, groups=x.shape[1])
            scaled = weight[None] * (style(w) + 1)[:, None, :, None, None]
            scaled = scaled * torch.rsqrt(scaled.square().sum((2, 3, 4), keepdim=True) + 1e-8)
            out, high, wide = weight.shape[0], x.shape[2], x.shape[3]
            x = F.conv2d(
                x.reshape(1, -1, high, wide), scaled.reshape(-1, *weight.shape[1:]), padding=1,
                groups=n,
            ).reshape(n, out, high, wide)  # fmt: skip
            x = F.leaky_relu(x + noise, 0.2) * math.sqrt(2)
        return torch.tanh(self.rgb(x))


class Video(nn.Module):
    """3-D residual network with one block R(2+1)D."""

    def __init__(self, classes=6):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, 12, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False),
            nn.BatchNorm3d(12), nn.ReLU(), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )  # fmt: skip
        self.one = nn.Sequential(
            nn.Conv3d(12, 16, (1, 3, 3), padding=(0, 1, 1), bias=False), nn.BatchNorm3d(16),
            nn.ReLU(), nn.Conv3d(16, 12, (3, 1, 1), padding=(1, 0, 0), bias=False),
            nn.BatchNorm3d(12),
        )  # fmt: skip
        self.two = nn.Sequential(
            nn.Conv3d(12, 24, 3, 2, 1, bias=False), nn.BatchNorm3d(24), nn.ReLU()
        )
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(24, classes)

    def forward(self, x):
        x = self.stem(x)
        x = self.two(F.relu(x + self.one(x)))
        return self.head(self.pool(x).flatten(1))


# ---- pictures: attention and mixing --------------------------------------------------------------


class MixerBlock(nn.Module):
    def __init__(self, tokens, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across, self.along = nets.Mlp(tokens, 2 * tokens), nets.Mlp(width, 4 * width)

    def forward(self, x):
        x = x + self.across(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.along(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, size=32, patch=4, width=32, depth=3, classes=10):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        tokens = (size // patch) ** 2
        self.blocks = nn.Sequential(*[MixerBlock(tokens, width) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(1))


class PoolFormer(nn.Module):
    """Average pooling minus the value itself mixes the tokens; layer scale; GroupNorm of one."""

    def __init__(self, width=32, depth=3, classes=10):
        super().__init__()
        self.embed = nn.Conv2d(3, width, 7, 4, 2)
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2 * depth))
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, 96, 1), nn.GELU(), nn.Conv2d(96, width, 1))
            for _ in range(depth)
        )
        self.scales = nn.ParameterList(0.5 * torch.ones(width) for _ in range(2 * depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.embed(x)
        for index, mlp in enumerate(self.mlps):
            y = self.norms[2 * index](x)
            x = x + self.scales[2 * index][:, None, None] * (self.pool(y) - y)
            scale = self.scales[2 * index + 1].unsqueeze(-1).unsqueeze(-1)
            x = x + scale * mlp(self.norms[2 * index + 1](x))
        return self.head(x.mean([-2, -1]))


class RelativeAttention(nn.Module):
    """Attention within windows with a table of biases by relative position."""

    def __init__(self, width, heads, window):
        super().__init__()
        self.attention = nets.Attention(width, heads)
        self.table = nn.Parameter(0.5 * torch.randn((2 * window - 1) ** 2, heads))
        where = torch.stack(
            torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        )
        where = where.flatten(1)
        apart = where[:, :, None] - where[:, None] + window - 1
        self.register_buffer("index", apart[0] * (2 * window - 1) + apart[1])
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        bias = self.table[self.index].permute(2, 0, 1)
        return x + self.attention(self.norm(x), bias[None])


class MaxVit(nn.Module):
    """MBConv, attention within blocks, attention over a dilated grid."""

    def __init__(self, width=32, heads=2, window=4, classes=10):
        super().__init__()
        self.window = window
        self.stem = conv_act(3, width, 3, 2, act=nn.GELU())
        self.mb = nn.Sequential(
            nn.BatchNorm2d(width), conv_act(width, 64, 1, act=nn.GELU()),
            conv_act(64, 64, 3, 1, 64, nn.GELU()), SqueezeExcite(64, 8, nn.SiLU(), nn.Sigmoid()),
            nn.Conv2d(64, width, 1),
        )  # fmt: skip
        self.block = RelativeAttention(width, heads, window)
        self.grid = RelativeAttention(width, heads, window)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mlps = nn.ModuleList(nets.Mlp(width, 2 * width) for _ in range(2))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.mb(x)
        n, c, high, wide = x.shape
        p = self.window
        y = x.view(n, c, high // p, p, wide // p, p).permute(0, 2, 4, 3, 5, 1)
        y = self.block(y.reshape(-1, p * p, c))
        y = y + self.mlps[0](self.norms[0](y))
        x = y.view(n, high // p, wide // p, p, p, c).permute(0, 5, 1, 3, 2, 4)
        x = x.reshape(n, c, high, wide)
        y = x.view(n, c, p, high // p, p, wide // p).permute(0, 3, 5, 2, 4, 1)
        y = self.grid(y.reshape(-1, p * p, c))
        y = y + self.mlps[1](self.norms[1](y))
        x = y.view(n, high // p, wide // p, p, p, c).permute(0, 5, 3, 1, 4, 2)
        return self.head(x.reshape(n, c, -1).mean(-1))


class SegFormer(nn.Module):
    """Overlapping patches, attention over shortened keys, mix-FFN, all-MLP decoder."""

    def __init__(self, widths=(16, 32), heads=(1, 2), ratios=(4, 2), classes=4):
        super().__init__()
        self.stages, before = nn.ModuleList(), 3
        for width, head, ratio in zip(widths, heads, ratios):
            self.stages.append(SegFormerStage(before, width, head, ratio))
            before = width
        self.linears = nn.ModuleList(nn.Linear(width, 32) for width in widths)
        self.fuse = conv_act(64, 32, 1, act=nn.ReLU())
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x):
        maps = []
        for stage, linear in zip(self.stages, self.linears):
            x = stage(x)
            n, _, high, wide = x.shape
            y = linear(x.flatten(2).transpose(1, 2)).permute(0, 2, 1).reshape(n, -1, high, wide)
            if maps:
                y = F.interpolate(
                    y, size=maps[0].size()[2:], mode="bilinear", align_corners=False
                )
            maps.append(y)
        return self.head(self.fuse(torch.cat(maps[::-1], 1)))


class SegFormerStage(nn.Module):
    def __init__(self, c_in, width, heads, ratio):
        super().__init__()
        self.heads = heads
        self.embed = nn.Conv2d(c_in, width, 3, 2, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.q, self.kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.shorten = nn.Conv2d(width, width, ratio, ratio)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, 1, 1, groups=2 * width)

    def attend(self, x, high, wide):
        n, tokens, c = x.shape
        q = self.q(x).reshape(n, tokens, self.heads, c // self.heads).permute(0, 2, 1, 3)
        short = self.shorten(x.permute(0, 2, 1).reshape(n, c, high, wide))
        short = self.norms[1](short.reshape(n, c, -1).permute(0, 2, 1))
        kv = self.kv(short).reshape(n, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q @ kv[0].transpose(-2, -1)) * (c // self.heads) ** -0.5
        return self.out((scores.softmax(-1) @ kv[1]).transpose(1, 2).reshape(n, tokens, c))

    def forward(self, x):
        x = self.embed(x)
        n, c, high, wide = x.shape
        x = self.norms[0](x.flatten(2).transpose(1, 2))
        x = x + self.attend(self.norms[2](x), high, wide)
        y = self.up(self.norms[3](x))
        y = self.depthwise(y.transpose(1, 2).view(n, -1, high, wide)).flatten(2).transpose(1, 2)
        x = x + self.down(F.gelu(y))
        return x.reshape(n, high, wide, c).permute(0, 3, 1, 2).contiguous()


class Detr(nn.Module):
    """Sine positions computed from a mask, an encoder, learned queries, cross-attention."""

    def __init__(self, width=32, heads=4, queries=6, classes=5):
        super().__init__()
        self.backbone = nn.Sequential(
            conv_act(3, 16, 3, 2, act=nn.GELU()), conv_act(16, width, 3, 4, act=nn.GELU())
        )
        self.width = width
        self.encoder = nn.TransformerEncoderLayer(
            width, heads, 64, dropout=0.0, activation="gelu", batch_first=True
        )
        self.decoder = nn.TransformerDecoderLayer(
            width, heads, 64, dropout=0.0, activation="gelu", batch_first=True
        )
        self.queries = nn.Embedding(queries, width)
        self.labels = nn.Linear(width, classes + 1)
        self.boxes = nn.Linear(width, 4)

    def positions(self, x):
        ones = torch.ones_like(x[:, 0])
        down, right = ones.cumsum(1), ones.cumsum(2)
        down = down / (down[:, -1:, :] + 1e-6) * 2 * math.pi
        right = right / (right[:, :, -1:] + 1e-6) * 2 * math.pi
        count = self.width // 2
        steps = torch.arange(count, dtype=x.dtype, device=x.device)
        steps = 10000 ** (2 * torch.div(steps, 2, rounding_mode="floor") / count)
        parts = []
        for place in (down, right):
            angle = place[..., None] / steps
            parts.append(torch.stack((angle[..., 0::2].sin(), angle[..., 1::2].cos()), 4).flatten(3))
        return torch.cat(parts, 3).flatten(1, 2)

    def forward(self, x):
        x = self.backbone(x)
        memory = self.encoder(x.flatten(2).transpose(1, 2) + self.positions(x))
        queries = self.queries.weight.unsqueeze(0).repeat(x.shape[0], 1, 1)
        y = self.decoder(queries, memory)
        return torch.cat((self.labels(y), self.boxes(y).sigmoid()), -1)


class Clip(nn.Module):
    """Two towers: cosine between each picture and each text of the batch."""

    def __init__(self, width=32, words=100, length=10):
        super().__init__()
        self.visual = nets.ViT(32, 8, width, 2, 2, 24, fused=True)
        self.token = nn.Embedding(words, width)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 2, 64, 0.0, F.gelu, batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.project = nn.Parameter(width**-0.5 * torch.randn(width, 24))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, input, ids):
        x = self.token(ids) + self.place
        mask = torch.full((ids.shape[1], ids.shape[1]), float("-inf")).triu(1).to(x.dtype)
        for block in self.blocks:
            x = block(x, src_mask=mask)
        rows = torch.arange(ids.shape[0], device=ids.device)
        text = self.norm(x)[rows, ids.argmax(-1)] @ self.project
        image = self.visual(input)
        image = image / image.norm(dim=-1, keepdim=True)
        text = text / text.norm(dim=1, keepdim=True)
        return self.scale.exp() * image @ text.t()


class Perceiver(nn.Module):
    """Fourier features of the place, latents that attend to all pixels."""

    def __init__(self, size=16, bands=4, latents=12, width=32, classes=10):
        super().__init__()
        axis = torch.linspace(-1, 1, size)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
        angles = grid[..., None] * torch.linspace(1, size / 2, bands) * math.pi
        features = torch.cat((angles.sin(), angles.cos(), grid[..., None]), -1).flatten(2)
        self.register_buffer("features", features.flatten(0, 1))
        inner = 3 + self.features.shape[1]
        self.latents = nn.Parameter(torch.randn(latents, width))
        self.norm = nn.LayerNorm(inner)
        self.cross = nn.MultiheadAttention(width, 1, kdim=inner, vdim=inner, batch_first=True)
        self.blocks = nn.ModuleList(nets.EncoderBlock(width, 4) for _ in range(2))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        n = x.shape[0]
        x = torch.cat((x.flatten(2).transpose(1, 2), self.features.expand(n, -1, -1)), -1)
        x, z = self.norm(x), self.latents[None].expand(n, -1, -1)
        for block in self.blocks:
            z = block(z + self.cross(z, x, x, need_weights=False)[0])
        return self.head(z.mean(1))
