"""A masked network: each of its outputs depends only on the bits before it.

M. Germain et al. (2015), *MADE: masked autoencoder for distribution estimation*, ICML. Units have
degrees: a unit of degree d depends on the first d bits. The units of a layer are in the order of
their degrees, so that all adjacency matrices are lower staircases.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.latent.draws import draw_normals

_LOG_ODDS = 8.0  # largest log-odds of a bit at the start


def degrees(latent_size: int, units: int) -> Tensor:
    """Degrees of the units of a hidden layer, ascending, in [1, N-1]: int64 (units,)."""
    return 1 + torch.arange(units, device="cpu") * (latent_size - 1) // units


def units_below(latent_size: int, units: int) -> list[int]:
    """Number of units of a hidden layer with a degree of at most 0, 1, …, N-1."""
    bits = torch.arange(latent_size, device="cpu")
    return torch.searchsorted(degrees(latent_size, units), bits, right=True).tolist()


def adjacency(latent_size: int, hidden: Sequence[int]) -> list[Tensor]:
    """Which connections a masked network has: boolean matrices, (outputs, inputs) of a layer.

    They are those of each hidden layer, of the output layer (N, H), and of the skip connections
    from bits to outputs (N, N). Without hidden layers H is 0.
    """
    positions = torch.arange(latent_size, device="cpu")
    below = positions + 1  # degrees of the layer below, at first of the bits
    found = []
    for units in hidden:
        own = degrees(latent_size, units)
        found.append(own[:, None] >= below)
        below = own
    last = below if hidden else below[:0]
    return [*found, positions[:, None] >= last, positions[:, None] > positions]


class MaskedNetwork(nn.Module):
    """The real-valued masked network, for training; see :class:`.integer_network.Autoregressive`.

    It starts as independent bits: the weights of outputs and skip connections are zero.

    Args:
        order: the bit at each position, int64 (N,).
        hidden: number of units of each hidden layer.
        probabilities: of +1, by bit number, (N,) in [0, 1].
        generator: of the hidden weights.

    Example:
        >>> network = MaskedNetwork(
        ...     torch.arange(3), [4], torch.full((3,), 0.5), torch.Generator().manual_seed(0)
        ... )
        >>> _ = [nn.init.ones_(parameter) for parameter in network.parameters()]
        >>> torch.autograd.functional.jacobian(network, torch.ones(3)).bool().int()
        tensor([[0, 0, 0],
                [1, 0, 0],
                [1, 1, 0]], dtype=torch.int32)
    """

    order: Tensor

    def __init__(
        self,
        order: Tensor,
        hidden: Sequence[int],
        probabilities: Tensor,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        masks = adjacency(len(order), hidden)
        self.register_buffer("order", order)
        for index, mask in enumerate(masks):
            self.register_buffer(f"mask{index}", mask.float())
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for mask in masks[: len(hidden)]:
            inputs = mask.sum(1, keepdim=True)
            noise = draw_normals(mask.shape, generator, torch.empty(0, device=mask.device))
            self.weights.append(nn.Parameter(noise * (2 / inputs).sqrt() * mask))
            self.biases.append(nn.Parameter(torch.zeros(len(mask), device=mask.device)))
        output, skip = (torch.zeros(mask.shape, device=mask.device) for mask in masks[-2:])
        self.output, self.skip = nn.Parameter(output), nn.Parameter(skip)
        log_odds = torch.logit(probabilities.double()).clamp(-_LOG_ODDS, _LOG_ODDS)
        self.output_bias = nn.Parameter(log_odds[order].float())

    def matrices(self) -> list[Tensor]:
        """Masked weights, as :func:`adjacency` lists them."""
        plain = [*self.weights, self.output, self.skip]
        return [matrix * getattr(self, f"mask{i}") for i, matrix in enumerate(plain)]

    def forward(self, bits: Tensor) -> Tensor:
        """Logits of the bits at each position given those before it, both (..., N)."""
        *hidden, output, skip = self.matrices()
        activity = bits
        for weight, bias in zip(hidden, self.biases, strict=True):
            activity = functional.relu(functional.linear(activity, weight, bias))
        logits = functional.linear(bits, skip, self.output_bias)
        return logits + functional.linear(activity, output) if hidden else logits
