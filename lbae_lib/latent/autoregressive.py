"""Fitting the autoregressive prior: maximum likelihood, stopped by validation latents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.bits import check_bits
from lbae_lib.latent.bit_models import Autoregressive, Factorised, entropy, masks
from lbae_lib.latent.chow_liu import chow_liu_tree
from lbae_lib.latent.moments import moments
from lbae_lib.progress import progress_bar

_LOG_ODDS = 8.0  # of a bit that never changes, at the start


class MaskedNetwork(nn.Module):
    """The real-valued network that :class:`Autoregressive` is rounded from.

    It starts as the factorised distribution: output and direct weights are zero.

    Args:
        order: bit at each position, int64 (N,).
        hidden: units of each hidden layer.
        shares: probability of +1 of each bit, by bit number, (N,).
        generator: of the hidden weights.
    """

    order: Tensor

    def __init__(
        self,
        order: Tensor,
        hidden: Sequence[int],
        shares: Tensor,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        size = len(order)
        self.register_buffer("order", order)
        for index, mask in enumerate(masks(size, hidden)):
            self.register_buffer(f"mask{index}", mask.float())
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for mask in masks(size, hidden)[: len(hidden)]:
            inputs = mask.sum(1, keepdim=True)
            noise = torch.randn(mask.shape, generator=generator)
            self.weights.append(nn.Parameter(noise * (2 / inputs).sqrt() * mask))
            self.biases.append(nn.Parameter(torch.zeros(len(mask))))
        self.output = nn.Parameter(torch.zeros(size, hidden[-1] if hidden else 0))
        self.direct = nn.Parameter(torch.zeros(size, size))
        odds = torch.logit(shares.double()).clamp(-_LOG_ODDS, _LOG_ODDS)
        self.offsets = nn.Parameter(odds[order].float())

    def matrices(self) -> list[Tensor]:
        """Masked weights of hidden layers, output, direct ones."""
        plain = [*self.weights, self.output, self.direct]
        return [matrix * getattr(self, f"mask{i}") for i, matrix in enumerate(plain)]

    def forward(self, bits: Tensor) -> Tensor:
        """Logits of the bits at each position, from bits by position: (K, N) to (K, N)."""
        *hidden, output, direct = self.matrices()
        activity = bits
        for weight, bias in zip(hidden, self.biases, strict=True):
            activity = functional.relu(functional.linear(activity, weight, bias))
        logits = functional.linear(bits, direct, self.offsets)
        return logits + functional.linear(activity, output) if hidden else logits

    def rounded(self) -> Autoregressive:
        """In whole numbers."""
        *hidden, output, direct = self.matrices()
        return Autoregressive.rounded(
            self.order, hidden, list(self.biases), output, direct, self.offsets
        )


@dataclass(frozen=True)
class FittedPrior:
    """An autoregressive prior, and how its fit went.

    Attributes:
        model: of the epoch with the lowest validation cross-entropy.
        train: cross-entropy of the training latents while they were trained on, bits per latent,
            for each epoch.
        validation: of the validation latents after each epoch; the first is before any.
    """

    model: Autoregressive
    train: list[float]
    validation: list[float]

    @property
    def epoch(self) -> int:
        """Epochs behind the model kept."""
        return min(range(len(self.validation)), key=self.validation.__getitem__)


def fit_autoregressive(
    train: Tensor,
    validation: Tensor,
    *,
    hidden: Sequence[int] = (512, 512),
    epochs: int = 15,
    patience: int = 3,
    batch_size: int = 250,
    learning_rate: float = 4e-3,
    seed: int = 0,
    show_progress: bool = True,
) -> FittedPrior:
    """Fit to training latents; the validation latents say when to stop.

    Bits are taken in the order in which the Chow-Liu tree grows, next to what they depend on most.
    The learning rate falls linearly to zero.

    Args:
        train: (K, N) in {-1, +1}.
        validation: (L, N) in {-1, +1}.
        hidden: units of each hidden layer; none makes it a logistic regression for each bit.
        epochs: passes, at most.
        patience: epochs without a lower validation cross-entropy, then it ends.
        batch_size: latents a step.
        learning_rate: of Adam, at the start.
        seed: of hidden weights and order of the latents.
        show_progress: draw a bar.

    Raises:
        ValueError: if there is no latent, or the sets differ in width.
    """
    if not len(train) or not len(validation) or train.shape[1] != validation.shape[1]:
        raise ValueError(
            f"{tuple(train.shape)} training and {tuple(validation.shape)} validation latents: both "
            "must be there, with as many bits"
        )
    check_bits(train, "training latents")
    check_bits(validation, "validation latents")
    truth = moments(train)
    order, _ = chow_liu_tree(truth)
    start = Factorised.fit(truth)
    generator = torch.Generator().manual_seed(seed)
    network = MaskedNetwork(order, hidden, start.shares / 2**16, generator).to(train.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    best, kept = entropy(network.rounded(), validation), network.rounded()
    curves: tuple[list[float], list[float]] = ([], [best])
    rows = train.float()[:, order.to(train.device)]
    steps = -(-len(rows) // batch_size)
    waited = 0
    with progress_bar(epochs * steps, "autoregressive prior", "step", enabled=show_progress) as bar:
        for epoch in range(epochs):
            total = torch.zeros((), dtype=torch.float64, device=rows.device)
            shuffled = torch.randperm(len(rows), generator=generator).to(rows.device)
            for step, chosen in enumerate(shuffled.split(batch_size), start=epoch * steps):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate * (1 - step / (epochs * steps))
                part = rows[chosen]
                # -log σ(±logit) of each bit, in nats
                loss = functional.softplus(-part * network(part)).sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(part)
                bar.update()
            now = network.rounded()
            curves[0].append(float(total) / len(rows) / math.log(2))
            curves[1].append(entropy(now, validation))
            bar.set_postfix(bits=f"{curves[1][-1]:.2f}")
            if curves[1][-1] < best:
                best, kept, waited = curves[1][-1], now, 0
                continue
            waited += 1
            if waited == patience:
                break
    return FittedPrior(kept, *curves)
